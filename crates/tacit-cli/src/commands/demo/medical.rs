//! A provider with a private model, a patient with a private record, a proof for anybody.

use rand_core::OsRng;
use serde_json::{Value, json};
use tacit_claim::{
    Bundle, Card, CardName, CardPoints, Context, EngineId, InputOpening, OwnerKey, WeightsOpening,
};
use tacit_core::srs::SrsPolicy;
use tacit_core::{
    CommitRequest, Committed, CoreError, DataFolder, Expectations, ProveInference, Proved, Record, Shown,
    Silent, Supplied, Verdict, commit, commit_input, prove_inference, verify,
};
use tacit_data::Records;
use tacit_halo2::Halo2Engine;
use tacit_model::{Model, Schema};
use tacit_onnx::{QuantiseOptions, float_logits, quantise};
use tacit_relations::{Inference, Visibility, lower_inference};

use super::exchange::{self, Provider};
use super::figures::{Figures, median, once, shown};
use super::{Teller, attacks, attempts, bundled, identity, temporary};
use crate::commands::prove::setup_text;
use crate::failure::Failure;
use crate::report::{BOLD, GOOD, Item, LOUD, PLAIN, Report, rate, table};

const STORY: &str = "A provider keeps a model that tells malignant from benign breast masses. A patient sends it a record, sealed, \
     through a relay that can read nothing, and gets its answer, with a proof that the advertised model gave it for exactly her \
     record. Neither weights nor record are shown to whoever verifies.";
const SUCCINCT: &str = "The halo2 engine proves the same claim in fewer bytes. It takes longer, and needs a setup that was made in \
     a ceremony.";
const UNSAFE: &str =
    "This demo makes a temporary UNSAFE development setup: anybody can forge proofs under it.";

/// Everybody's things, once the proof is made.
pub(super) struct Scene {
    /// The provider's.
    pub(super) folder: DataFolder,
    /// A verifier's, who has not seen the card before.
    verifier: DataFolder,
    pub(super) model: Model,
    pub(super) card: Card,
    points: Option<CardPoints>,
    pub(super) opening: WeightsOpening,
    pub(super) record: InputOpening,
    pub(super) context: Context,
}

impl Scene {
    /// What a careful verifier of the story insists on.
    pub(super) fn expected(&self, engine: EngineId) -> Expectations {
        Expectations {
            card: Some(self.card.id()),
            input: self.record.commitments.get(&engine).map(|c| c.commitment.pin()),
            context: Some(self.context.clone()),
            allow_dev_srs: engine == EngineId::Halo2,
            ..Expectations::default()
        }
    }

    fn prove(&self, engine: EngineId) -> Result<Proved, CoreError> {
        let request = ProveInference {
            model: &self.model,
            card: &self.card,
            points: self.points.as_ref(),
            opening: Some(&self.opening),
            record: Record::Committed(&self.record),
            engine,
            reveal_input: false,
            reveal_weights: false,
            shown: Shown::Answer,
            context: self.context.clone(),
        };
        prove_inference(&self.folder, &request, &mut OsRng, &Silent)
    }

    /// Verifies as anybody would.
    pub(super) fn verify(
        &self,
        bundle: &Bundle,
        card: &Card,
        expected: &Expectations,
    ) -> Result<Verdict, CoreError> {
        let supplied = Supplied { points: self.points.as_ref(), ..Supplied::default() };
        verify(&self.verifier, bundle, card, supplied, expected, &Silent)
    }
}

pub(super) fn run(teller: &mut Teller) -> Result<Report, Failure> {
    let temporary = temporary()?;
    let home = |name: &str| DataFolder::new(temporary.path().join(name));
    let (folder, verifier) = (home("provider"), home("verifier"));
    let mut figures = Figures::default();
    teller.tell(&[Item::Line(BOLD, "A diagnosis with a proof".into()), Item::Line(PLAIN, STORY.into())]);

    let schema = bundled::schema()?;
    let train = bundled::train(&schema)?;
    let (model, accuracies) = quantised(teller, &schema, &train, &mut figures)?;
    let owner = identity();
    let Committed { card, points, opening } = committed(teller, &folder, &model, &owner, &mut figures)?;
    let provider =
        Provider { key: &owner, model: &model, card: &card, points: points.as_ref(), opening: &opening };
    let lies = exchange::run(teller, temporary.path(), &provider, &mut figures)?;

    let record = patient(teller, &card)?;
    let context = Context::new("request 1").map_err(|e| Failure::new(e.to_string()))?;
    let scene = Scene { folder, verifier, model, card, points, opening, record, context };
    let (proof, verdict) = proved(teller, &scene, &mut figures)?;

    teller.chapter("Others try to cheat");
    let mut attempts = lies;
    attempts.extend(attacks::on_the_claim(&scene, &proof, teller)?);

    teller.chapter("The same as a smaller proof, for whoever wants one");
    let succinct = succinct(teller, &scene, &mut figures)?;
    attempts.extend(attacks::by_a_prover(&scene, &succinct, teller)?);

    teller.chapter("What it took");
    teller.tell(&[Item::Table(Box::new(figures.table()))]);
    let mut report = Report::default();
    attempts::conclude(teller, &mut report, "The claim holds", &attempts);
    report.set("holds", true);
    report.set("claim", verdict.sentence);
    report.set("accuracy", accuracies);
    report.set("figures", figures.json());
    report.set("setup", Value::Null);
    report.set("halo2_setup", json!({ "origin": "temporary unsafe development setup", "unsafe_dev": true }));
    Ok(report)
}

fn quantised(
    teller: &mut Teller,
    schema: &Schema,
    train: &Records,
    figures: &mut Figures,
) -> Result<(Model, serde_json::Value), Failure> {
    teller.chapter("The provider turns its float model into exact integers");
    let labels = train.labels.as_deref();
    let ((model, found), time) =
        median(|| quantise(bundled::MODEL, schema, &train.rows, labels, &QuantiseOptions::default()))?;
    figures.time("quantise the model (median of 3)", time, "quantise_seconds");

    let test = bundled::test(schema)?;
    let labels = test.labels.as_deref().unwrap_or_default();
    let samples = labels.len() as u64;
    let inside = |row: &Vec<i64>| row.iter().zip(&schema.features).all(|(v, f)| (f.min..=f.max).contains(v));
    let outside = test.rows.iter().filter(|r| !inside(r)).count();
    let (mut float, mut exact) = (0, 0);
    for ((row, logits), label) in test
        .rows
        .iter()
        .zip(float_logits(bundled::MODEL, schema, &test.rows, &QuantiseOptions::default())?)
        .zip(labels)
    {
        let best = (0..logits.len()).rev().max_by(|a, b| logits[*a].total_cmp(&logits[*b]));
        float += u64::from(best == Some(*label));
        let clipped: Vec<i64> =
            row.iter().zip(&schema.features).map(|(v, f)| (*v).clamp(f.min, f.max)).collect();
        let evaluation = model.run(&clipped).map_err(CoreError::from)?;
        exact += u64::from(model.architecture().predicted_class(evaluation.output()) == Some(*label));
    }
    let mut sides = table(&["right answers", "float model", "quantised model"]);
    if let (Some(f), Some(q)) = (found.float_accuracy, found.quantised_accuracy) {
        let shown = |a: tacit_onnx::Accuracy| rate(a.correct as u64, a.total as u64);
        sides.add_row(["training records".to_owned(), shown(f), shown(q)]);
    }
    sides.add_row(["test records, not trained on".to_owned(), rate(float, samples), rate(exact, samples)]);
    teller.tell(&[Item::Table(Box::new(sides))]);
    teller.line(format!(
        "{outside} test records have values outside the declared ranges ({} in all): the quantised model saw them clipped, \
         the float model as they are. No single inference on them would be proved.",
        test.out_of_range_cells
    ));
    let json = json!({
        "test": { "samples": samples, "float_correct": float, "quantised_correct": exact,
            "records_clipped": outside, "cells_clipped": test.out_of_range_cells },
        "train": { "samples": train.rows.len(), "float_correct": found.float_accuracy.map(|a| a.correct),
            "quantised_correct": found.quantised_accuracy.map(|a| a.correct) },
    });
    Ok((model, json))
}

fn committed(
    teller: &mut Teller,
    folder: &DataFolder,
    model: &Model,
    owner: &OwnerKey,
    figures: &mut Figures,
) -> Result<Committed, Failure> {
    teller.chapter("The provider commits to the model");
    let request = CommitRequest {
        model,
        name: CardName::new("breast mass diagnosis").map_err(|e| Failure::new(e.to_string()))?,
        engines: &EngineId::ALL,
        owner,
        public_weights: false,
        quantisation: None,
    };
    let (committed, time) = median(|| commit(folder, &request, &mut OsRng, &Silent))?;
    figures.time("commit, certificate included (median of 3)", time, "commit_seconds");
    let card = &committed.card;
    figures.size("card", card.to_json().len(), "card_bytes");
    let weights = model.architecture().weight_count();
    teller.line(format!("Card {} of owner {}", card.id(), card.owner().fingerprint()));
    teller.line(format!("It shows the architecture, and of the {weights} weights only salted commitments."));
    teller.line("A certificate in it shows that every weight fits its width; each verifier checks it once.");
    Ok(committed)
}

fn patient(teller: &mut Teller, card: &Card) -> Result<InputOpening, Failure> {
    teller.chapter("The same without a network: a record is committed to");
    let mut records = bundled::record(card.schema())?;
    let record = records.rows.pop().unwrap_or_default();
    let opening = commit_input(card, record, &mut OsRng)?;
    let label = records.labels.iter().flatten().next().and_then(|l| card.schema().classes.get(*l));
    teller.line(format!(
        "Test record {}: {} measurements, labelled {} in the data.",
        bundled::ROW,
        opening.record.len(),
        label.map_or("nothing", |c| c.name.as_str())
    ));
    for (engine, committed) in &opening.commitments {
        teller.line(format!("Commitment {} ({engine})", committed.commitment.pin()));
    }
    Ok(opening)
}

/// The proof without setup, verified by somebody who has not seen the card before.
fn proved(teller: &mut Teller, scene: &Scene, figures: &mut Figures) -> Result<(Proved, Verdict), Failure> {
    teller.chapter("The provider proves its answer");
    let (proved, time) = median(|| scene.prove(EngineId::Sumcheck))?;
    figures.time("prove, and check the proof (median of 3)", time, "prove_seconds");
    // Everything goes through its bytes, as it would between parties.
    let bytes = proved.bundle.to_bytes();
    let received = Bundle::from_bytes(&bytes).map_err(CoreError::from)?;
    let card = Card::from_json(scene.card.to_json()).map_err(CoreError::from)?;
    teller.line(format!("A proof file of {} bytes, made in {}.", bytes.len(), shown(time)));

    teller.chapter("Anybody verifies it, from card and proof alone");
    let expected = scene.expected(EngineId::Sumcheck);
    let (_, time) = once(|| scene.verify(&received, &card, &expected))?;
    figures.time("verify for the first time, certificate included", time, "first_verify_seconds");
    let (verdict, time) = median(|| scene.verify(&received, &card, &expected))?;
    figures.time("verify again (median of 3)", time, "verify_seconds");
    figures.size("proof file", bytes.len(), "proof_file_bytes");
    figures.size("of which the engine's proof", received.proof().len(), "engine_proof_bytes");
    tell_verdict(teller, &verdict);
    Ok((proved, verdict))
}

fn tell_verdict(teller: &Teller, verdict: &Verdict) {
    teller.tell(&[
        Item::Line(GOOD, "HOLDS".into()),
        Item::Line(PLAIN, verdict.sentence.clone()),
        Item::Field("stays hidden", verdict.hidden.join(", ")),
        Item::Field("not vouched for", verdict.unvouched.join("; ")),
        Item::Field("setup", setup_text(verdict.setup.as_ref())),
    ]);
}

/// The same claim by the other engine.
fn succinct(teller: &mut Teller, scene: &Scene, figures: &mut Figures) -> Result<Proved, Failure> {
    teller.tell(&[Item::Line(PLAIN, SUCCINCT.into()), Item::Line(LOUD, UNSAFE.into())]);
    keys(scene, figures)?;
    let (proved, time) = median(|| scene.prove(EngineId::Halo2))?;
    figures.time("halo2: prove, and check the proof (median of 3)", time, "halo2_prove_seconds");
    let bytes = proved.bundle.to_bytes();
    let received = Bundle::from_bytes(&bytes).map_err(CoreError::from)?;
    let expected = scene.expected(EngineId::Halo2);
    // The first time makes the key.
    scene.verify(&received, &scene.card, &expected)?;
    let (verdict, time) = median(|| scene.verify(&received, &scene.card, &expected))?;
    figures.time("halo2: verify with the key in the cache (median of 3)", time, "halo2_verify_seconds");
    figures.size("halo2: proof file", bytes.len(), "halo2_proof_file_bytes");
    teller.line(format!("A proof file of {} bytes.", bytes.len()));
    tell_verdict(teller, &verdict);
    Ok(proved)
}

/// Setup and keys, once per architecture.
fn keys(scene: &Scene, figures: &mut Figures) -> Result<(), Failure> {
    let claim = Inference { samples: 1, input: Visibility::Hidden, output: Visibility::Public };
    let system = lower_inference(scene.card.architecture(), claim).map_err(CoreError::from)?;
    let shape = tacit_halo2::plan(&system).map_err(|e| Failure::new(e.to_string()))?;
    for folder in [&scene.folder, &scene.verifier] {
        folder.srs().add_unsafe_dev(shape.k)?;
    }
    let engine = Halo2Engine::open(scene.folder.path(), SrsPolicy::AllowDev);
    let (_, time) = once(|| engine.prover_key(&system, &Silent)).map_err(CoreError::from)?;
    figures.time("halo2: make the keys, once per architecture", time, "halo2_key_generation_seconds");
    Ok(())
}
