//! A competition with a sealed test set: three private models, proofs of their scores, a leaderboard that anybody
//! recomputes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rand_core::{OsRng, RngCore as _};
use serde_json::{Value, json};
use tacit_claim::{
    Bundle, Card, CardName, ColumnName, Context, EngineId, Fraction, OwnerKey, Requirement, SaltBytes,
    WeightsOpening,
};
use tacit_competition::{
    Competition, CompetitionName, DisplayName, Folder, Known, Leaderboard, MetricText, Origin, Receipt, Seal,
    Terms,
};
use tacit_core::files::{self, Access};
use tacit_core::{
    CommitRequest, CoreError, DataFolder, Required, Silent, TestSetProof, commit, prove_accuracy,
};
use tacit_data::{Format, Records, Table};
use tacit_model::{Dataset, Model, Schema};
use tacit_onnx::{QuantiseOptions, quantise};

use super::figures::{Figures, once, shown};
use super::{Teller, attempts, bundled, cheats, identity, temporary};
use crate::commands::competition::judge::{EngineJudge, Ranking};
use crate::commands::competition::{leaderboard_table, short_name};
use crate::failure::Failure;
use crate::outputs;
use crate::report::{BOLD, GOOD, Item, PLAIN, Report, count, table};

const STORY: &str = "A host has a test set that nobody has seen, and three competitors have models that they do not show. \
     The models are committed to before the test set is published; the scores are proved; the leaderboard needs nobody's \
     word.";
const SEALED: &str = "The salted commitment to the test set is public, the test set is not: the host can no longer choose \
     another.";
const RECEIPTS: &str = "Each registration is an entry of a signed log, and each competitor keeps a receipt. Cards show the \
     architecture, and of the weights only commitments.";
const RENEWED: &str = "The competitors make their receipts anew: under a head that counts the publication, they also show that nobody \
     was slipped in before it.";
const PUBLISHED: &str =
    "Whoever registers from now on is late. Salt and digest show that it is the test set that was sealed.";

/// 95 % of the test set's 360 records.
pub(super) const BOUND: u64 = 342;

/// Somebody with a model and a card.
pub(super) struct Competitor {
    pub(super) name: &'static str,
    pub(super) key: OwnerKey,
    pub(super) model: Model,
    pub(super) card: Card,
    pub(super) opening: WeightsOpening,
}

/// Everything once the competition is open.
pub(super) struct Scene {
    /// Where everybody's files are.
    pub(super) base: PathBuf,
    /// Where provers remember what they checked.
    pub(super) data_folder: DataFolder,
    pub(super) folder: Folder,
    pub(super) competition: Competition,
    pub(super) host: OwnerKey,
    pub(super) seal: Seal,
    /// The test set, which only the host has until it is published.
    pub(super) test: Dataset,
    /// Ada, Ben, Cleo.
    pub(super) competitors: Vec<Competitor>,
    pub(super) receipts: Vec<Receipt>,
    pub(super) judge: EngineJudge,
}

/// A model's maker, its file, what is proved of it.
struct Entrant {
    name: &'static str,
    what: &'static str,
    onnx: &'static [u8],
    at_least: Option<u64>,
}

const ENTRANTS: [Entrant; 3] = [
    Entrant { name: "Ada", what: "perceptron 64-64-32-10", onnx: bundled::PERCEPTRON, at_least: None },
    Entrant { name: "Ben", what: "logistic regression", onnx: bundled::LOGISTIC, at_least: Some(BOUND) },
    Entrant { name: "Cleo", what: "perceptron 64-8-10", onnx: bundled::WEAK, at_least: None },
];

pub(super) fn run(teller: &mut Teller, keep: Option<&Path>) -> Result<Report, Failure> {
    let temporary = temporary()?;
    let base = place(keep)?.unwrap_or_else(|| temporary.path().join("demo"));
    let mut figures = Figures::default();
    teller.tell(&[Item::Line(BOLD, "A competition with proofs".into()), Item::Line(PLAIN, STORY.into())]);

    let home = |name: &str| DataFolder::new(temporary.path().join(name));
    let mut scene = opened(teller, base, home("provers"), home("host"), &mut figures)?;
    registered(teller, &mut scene, &mut figures)?;
    published(teller, &mut scene)?;
    let proofs = proved(teller, &scene, &mut figures)?;
    let board = ranked(teller, &scene, &EngineJudge::new(home("anybody")), &mut figures)?;

    let mut tried = cheats::by_competitors(&scene, teller)?;
    tried.extend(cheats::by_the_host(&scene, teller)?);

    teller.chapter("What it took");
    teller.tell(&[Item::Table(Box::new(figures.table()))]);
    let mut report = Report::default();
    attempts::conclude(teller, &mut report, "The leaderboard stands", &tried);
    if let Some(kept) = keep {
        let cup = kept.join("cup").display().to_string();
        teller.line(format!("Everything is in {}; look at it: tacit competition rank {cup}", kept.display()));
        report.set("kept", kept.display().to_string());
    }
    report.set("holds", true);
    report.set("competition", scene.competition.id().to_string());
    report.set("standings", standings_json(&board));
    report.set("proofs", proofs);
    report.set("figures", figures.json());
    Ok(report)
}

/// The folder to keep everything in, if it can be used.
fn place(keep: Option<&Path>) -> Result<Option<PathBuf>, Failure> {
    let Some(path) = keep else { return Ok(None) };
    outputs::check_folder(path)?;
    if path.read_dir().is_ok_and(|mut files| files.next().is_some()) {
        return Err(Failure::new(format!("{} holds files already", path.display()))
            .advise("name an empty folder, or one that is not there yet"));
    }
    Ok(Some(path.to_owned()))
}

fn standings_json(board: &Leaderboard) -> Vec<Value> {
    let standing = |s: &tacit_competition::Standing| {
        json!({
            "rank": s.rank,
            "name": s.competitor.name.as_str(),
            "score": [s.score.value.numerator(), s.score.value.denominator()],
            "claim": s.score.sentence,
        })
    };
    board.standings.iter().map(standing).collect()
}

/// What cannot fail on bundled names.
fn made<T, E: std::fmt::Display>(value: Result<T, E>) -> Result<T, Failure> {
    value.map_err(|e| Failure::new(e.to_string()))
}

fn opened(
    teller: &mut Teller,
    base: PathBuf,
    data_folder: DataFolder,
    judges: DataFolder,
    figures: &mut Figures,
) -> Result<Scene, Failure> {
    teller.chapter("The host opens the competition, with the test set sealed");
    let schema = bundled::digits_schema()?;
    let secret = base.join("host/test.csv");
    files::write(&secret, bundled::DIGITS, Access::Secret, false)?;
    let file = Table::from_bytes(bundled::DIGITS, Format::Csv, "test.csv", Some(bundled::DIGIT))?;
    let test = file.dataset(&schema, &[])?.dataset;
    let mut salt = [0; 32];
    OsRng.fill_bytes(&mut salt);
    let seal = Seal::new(test.digest().into(), SaltBytes::new(salt));
    let host = identity();
    files::write(&base.join("host/host.key"), host.to_text().as_bytes(), Access::Secret, false)?;
    files::write(&base.join("host/seal.secret"), &seal.to_json(), Access::Secret, false)?;
    let folder = Folder::new(base.join("cup"));
    let terms = Terms {
        name: made(CompetitionName::new("Handwritten digits"))?,
        origin: made(Origin::new("tacit-demo"))?,
        schema,
        labels: made(ColumnName::new(bundled::DIGIT))?,
        groups: Vec::new(),
        metric: made(MetricText::new("accuracy"))?,
        test_set: seal.sealed(),
    };
    let (competition, time) = once(|| folder.open(terms, &host))?;
    figures.time("open the competition", time, "open_seconds");
    teller.tell(&[
        Item::Field("competition", competition.id().to_string()),
        Item::Field("host", host.public().fingerprint().to_string()),
        Item::Field("ranked by", competition.terms().metric.to_string()),
        Item::Field("test set", count(test.samples(), "record")),
        Item::Field("sealed as", seal.sealed().to_string()),
    ]);
    teller.line(SEALED);
    let judge = EngineJudge::new(judges);
    Ok(Scene {
        base,
        data_folder,
        folder,
        competition,
        host,
        seal,
        test,
        competitors: Vec::new(),
        receipts: Vec::new(),
        judge,
    })
}

fn registered(teller: &mut Teller, scene: &mut Scene, figures: &mut Figures) -> Result<(), Failure> {
    teller.chapter("Three competitors commit to their models and register the cards");
    let schema = scene.competition.terms().schema.clone();
    let train = bundled::digits_train(&schema)?;
    let mut shown_rows = table(&["", "model", "weights", "card", "card file"]);
    let mut total = Duration::ZERO;
    for entrant in &ENTRANTS {
        let model = quantised(entrant.onnx, &schema, &train)?;
        let (competitor, time) = once(|| committed(scene, entrant.name, model))?;
        total += time;
        let receipt = register(scene, &competitor)?;
        let (card, model) = (&competitor.card, &competitor.model);
        shown_rows.add_row([
            entrant.name.to_owned(),
            entrant.what.to_owned(),
            model.architecture().weight_count().to_string(),
            card.id().short(),
            format!("{} bytes", card.to_json().len()),
        ]);
        competitor.keep(&scene.base)?;
        competitor.write("receipt.json", &scene.base, &receipt.to_json(), Access::Public)?;
        scene.competitors.push(competitor);
    }
    figures.time("commit to three models, certificates included", total, "commit_seconds");
    teller.tell(&[Item::Table(Box::new(shown_rows))]);
    teller.line(RECEIPTS);
    Ok(())
}

fn quantised(onnx: &[u8], schema: &Schema, train: &Records) -> Result<Model, Failure> {
    Ok(quantise(onnx, schema, &train.rows, train.labels.as_deref(), &QuantiseOptions::default())?.0)
}

/// A competitor with a fresh identity and a card.
pub(super) fn committed(scene: &Scene, name: &'static str, model: Model) -> Result<Competitor, Failure> {
    committed_as(scene, name, model, identity())
}

pub(super) fn committed_as(
    scene: &Scene,
    name: &'static str,
    model: Model,
    key: OwnerKey,
) -> Result<Competitor, Failure> {
    let request = CommitRequest {
        model: &model,
        name: made(CardName::new(format!("digits by {name}")))?,
        engines: &[EngineId::Sumcheck],
        owner: &key,
        public_weights: false,
        quantisation: None,
    };
    let committed = commit(&scene.data_folder, &request, &mut OsRng, &Silent)?;
    Ok(Competitor { name, key, card: committed.card, opening: committed.opening, model })
}

impl Competitor {
    pub(super) fn display_name(&self) -> Result<DisplayName, Failure> {
        made(DisplayName::new(self.name))
    }

    pub(super) fn context(&self, scene: &Scene) -> Context {
        scene.competition.context(self.card.owner())
    }

    /// Proves accuracy of at least `count` records, or of what the model reaches.
    pub(super) fn prove(&self, scene: &Scene, count: Option<u64>) -> Result<Bundle, CoreError> {
        let context = self.context(scene);
        let request = TestSetProof {
            model: &self.model,
            card: &self.card,
            points: None,
            opening: Some(&self.opening),
            data: &scene.test,
            engine: EngineId::Sumcheck,
            reveal_weights: false,
            context: &context,
        };
        let required = match count {
            None => Required::Reached(Vec::new()),
            Some(count) => {
                let bound = Fraction::new(count, scene.test.samples() as u64)?;
                Required::These(vec![Requirement::accuracy_at_least(bound)])
            }
        };
        let proved = prove_accuracy(&scene.data_folder, &request, &required, false, &mut OsRng, &Silent)?;
        Ok(proved.bundle)
    }

    /// Writes what the competitor keeps beside the receipt.
    pub(super) fn keep(&self, base: &Path) -> Result<(), Failure> {
        self.write("model.tacit", base, &self.model.to_bytes(), Access::Secret)?;
        self.write("owner.key", base, self.key.to_text().as_bytes(), Access::Secret)?;
        self.write("opening.secret", base, &self.opening.to_bytes(), Access::Secret)?;
        self.write("card.json", base, self.card.to_json(), Access::Public)
    }

    /// Writes a file of the competitor's own.
    fn write(&self, name: &str, base: &Path, bytes: &[u8], access: Access) -> Result<(), Failure> {
        Ok(files::write(&base.join(self.name.to_lowercase()).join(name), bytes, access, true)?)
    }
}

/// Asks, and has the host accept: the receipt, whatever it is worth.
fn register(scene: &Scene, competitor: &Competitor) -> Result<Receipt, Failure> {
    let (card, key) = (&competitor.card, &competitor.key);
    let known = Known::default();
    scene.folder.request(card, None, competitor.display_name()?, key, &known)?;
    let accepted = scene.folder.accept(&scene.host, &known)?;
    let receipt = accepted.receipts.into_iter().next();
    receipt.ok_or_else(|| Failure::new("the host did not take the request into the log"))
}

fn published(teller: &mut Teller, scene: &mut Scene) -> Result<(), Failure> {
    teller.chapter("The host publishes the test set");
    let data = scene.base.join("host/test.csv");
    let published = scene.folder.publish(&scene.seal, &data, &scene.judge, &scene.host, &Known::default())?;
    teller.tell(&[
        Item::Field("log entry", published.entry.to_string()),
        Item::Field("digest", scene.seal.digest().to_string()),
    ]);
    teller.line(PUBLISHED);
    let log = scene.folder.log(&Known::default())?;
    scene.receipts.clear();
    for competitor in &scene.competitors {
        let receipt = log.receipts(competitor.card.id()).into_iter().next();
        let receipt = receipt.ok_or_else(|| Failure::new("a registration is missing from the log"))?;
        competitor.write("receipt.json", &scene.base, &receipt.to_json(), Access::Public)?;
        scene.receipts.push(receipt);
    }
    teller.line(RENEWED);
    Ok(())
}

fn proved(teller: &mut Teller, scene: &Scene, figures: &mut Figures) -> Result<Vec<Value>, Failure> {
    teller.chapter("The competitors prove their scores and submit the proofs");
    let mut rows = table(&["", "right answers proved", "proved in", "proof file", "verified in"]);
    let (mut all_proving, mut all_verifying, mut all_bytes) = (Duration::ZERO, Duration::ZERO, 0);
    let mut proofs = Vec::new();
    for (competitor, entrant) in scene.competitors.iter().zip(&ENTRANTS) {
        let (bundle, proving) = once(|| competitor.prove(scene, entrant.at_least))?;
        let bytes = bundle.to_bytes();
        let known = Known::default();
        let (score, verifying) = once(|| scene.folder.judge_submission(&bytes, &scene.judge, &known))?;
        scene.folder.submit(&bytes, &known)?;
        competitor.write("accuracy.proof", &scene.base, &bytes, Access::Public)?;
        rows.add_row([
            competitor.name.to_owned(),
            format!("at least {} of {}", score.value.numerator(), score.value.denominator()),
            shown(proving),
            format!("{} bytes", bytes.len()),
            shown(verifying),
        ]);
        proofs.push(json!({
            "name": competitor.name,
            "prove_seconds": proving.as_secs_f64(),
            "proof_bytes": bytes.len(),
            "verify_seconds": verifying.as_secs_f64(),
        }));
        (all_proving, all_verifying) = (all_proving + proving, all_verifying + verifying);
        all_bytes += bytes.len();
    }
    figures.time("prove three scores, and check the proofs", all_proving, "prove_seconds");
    figures.size("the three proof files", all_bytes, "proof_bytes");
    figures.time("verify the three, certificates included", all_verifying, "verify_seconds");
    teller.tell(&[Item::Table(Box::new(rows))]);
    teller.line("Ada and Cleo prove all that their models reach. Ben proves 95 %, and by how much he is better nobody learns.");
    if let Some(Err(CoreError::Missed(why))) =
        scene.competitors.last().map(|cleo| cleo.prove(scene, Some(BOUND)))
    {
        teller.line(format!(
            "Cleo cannot prove 95 %; her own command says so before it proves anything: {why}."
        ));
    }
    Ok(proofs)
}

/// By somebody who has seen no card before.
fn ranked(
    teller: &mut Teller,
    scene: &Scene,
    judge: &EngineJudge,
    figures: &mut Figures,
) -> Result<Leaderboard, Failure> {
    teller.chapter("Anybody recomputes the leaderboard");
    let known = Known { receipts: scene.receipts.clone(), ..Known::default() };
    let (board, time) = once(|| scene.folder.leaderboard(judge, &known))?;
    figures.time("check log, seal and everything proved, and rank", time, "rank_seconds");
    teller.tell(&[
        Item::Table(Box::new(leaderboard_table(&board, &made(Ranking::of(&board.competition))?))),
        Item::Line(
            GOOD,
            format!("The log is sound, and continues {}.", count(known.receipts.len(), "receipt")),
        ),
    ]);
    let first = board.standings.first().map(|s| s.score.sentence.clone()).unwrap_or_default();
    teller.line(format!("What is proved of the first: {first}"));
    for refused in &board.refused {
        teller.line(format!("- {}: {}", short_name(&refused.file), refused.reason));
    }
    Ok(board)
}
