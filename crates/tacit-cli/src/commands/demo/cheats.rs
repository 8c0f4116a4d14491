//! Attempts to cheat in the competition, every one of which must be refused.

use std::fs;

use rand_core::OsRng;
use tacit_claim::{Bundle, CardPoints, Claim, ClaimKind, EngineId, Fraction};
use tacit_competition::tree::Tree;
use tacit_competition::{
    CompetitionError, DataFormat, Entry, Event, FileDigest, Folder, Head, Known, Leaderboard, Publication,
    Reason, Score, Seal, TestSetDigest,
};
use tacit_core::{CoreError, Silent, statement};
use tacit_model::{Dataset, Labels, Model, Op};
use tacit_relations::{Engine as _, Opening, Openings, Segment};
use tacit_sumcheck::SumcheckEngine;

use super::Teller;
use super::attempts::{Attempt, Round};
use super::forging::{Trick, edited, witness};
use super::kaggle::{BOUND, Competitor, Scene, committed, committed_as};
use crate::commands::competition::judge::Ranking;
use crate::commands::competition::leaderboard_table;
use crate::failure::Failure;
use crate::report::{Item, LOUD};

type Outcome<T> = Result<T, CompetitionError>;

/// What a submission fails with whose proof the judge refuses.
fn is_judged(e: &CompetitionError) -> bool {
    matches!(e, CompetitionError::Refused(Reason::Judged(_)))
}

fn is_reason(is: impl Fn(&Reason) -> bool) -> impl Fn(&CompetitionError) -> bool {
    move |e| matches!(e, CompetitionError::Refused(reason) if is(reason))
}

pub(super) fn by_competitors(scene: &Scene, teller: &mut Teller) -> Result<Vec<Attempt>, Failure> {
    teller.chapter("Competitors try to cheat");
    let [ada, ben, cleo] = &scene.competitors[..] else { return Err(Failure::new("three compete")) };
    let mut round = Round::new(teller);
    let tuned = memorised(&ben.model, &scene.test)?;
    let samples = scene.test.samples() as u64;
    let right = right_answers(&tuned, &scene.test)?;
    teller.line(format!(
        "Mallory tunes a model like Ben's on the published test set, until it gets {right} of {samples} right."
    ));

    let mallory = committed(scene, "Mallory", tuned.clone())?;
    mallory.keep(&scene.base)?;
    let known = Known::default();
    scene.folder.request(&mallory.card, None, mallory.display_name()?, &mallory.key, &known)?;
    let accepted = scene.folder.accept(&scene.host, &known)?;
    let entry = accepted.late.first().map_or(0, |receipt| receipt.entry().index());
    round.must_fail(
        "Mallory registers it now",
        counts(scene, &format!("log/{entry:08}.json"))?,
        is_reason(|r| matches!(r, Reason::Late(_))),
    );
    let true_proof = mallory.prove(scene, None)?;
    round.must_fail(
        "... and submits a proof of it, which is as good as any",
        scene.folder.submit(&true_proof.to_bytes(), &known),
        is_reason(|r| matches!(r, Reason::NotRegistered(_))),
    );
    drop_proof(scene, &mallory, &true_proof)?;

    let better = committed_as(scene, "Ben", tuned.clone(), ben.key.clone())?;
    round.must_fail(
        "Ben tunes his model too, and wants to register the new weights",
        scene.folder.request(&better.card, None, ben.display_name()?, &ben.key, &known),
        is_reason(|r| matches!(r, Reason::SameOwner(_))),
    );
    let control = unchecked_proof(scene, ben, Trick::None, None)?;
    judge(scene, &control).map_err(|e| {
        Failure::new(format!("the demo's cheating prover fails even where it does not cheat: {e}"))
    })?;
    teller.line(
        "- Ben writes a prover that skips every check of its own: without a trick, its proof is accepted",
    );
    for (trick, what) in [
        (Trick::Weights, "... it computes with the new weights under the registered card"),
        (Trick::Sums, "... it takes the registered weights and writes down the sums of the new ones"),
    ] {
        let cheat = unchecked_proof(scene, ben, trick, Some(&tuned))?;
        round.must_fail(what, judge(scene, &cheat), is_judged);
    }

    let honest = cleo.prove(scene, None)?;
    let forged = edited(&honest, |claim| set_threshold(claim, BOUND))?;
    round.must_fail("Cleo changes the threshold in her proof to 95 %", judge(scene, &forged), is_judged);
    let adas = ada.prove(scene, None)?;
    let stolen = drop_proof(scene, cleo, &adas)?;
    round.must_fail(
        "... and puts Ada's proof among her own",
        counts(scene, &stolen)?,
        is_reason(|r| matches!(r, Reason::OtherCard { .. })),
    );
    let lifted = edited(&adas, |claim| {
        claim.card_id = cleo.card.id();
        claim.architecture_digest = cleo.card.architecture_digest();
        claim.context = cleo.context(scene);
    })?;
    round.must_fail("... rewritten to name her card and herself", judge(scene, &lifted), is_judged);
    round.must_fail(
        "Mallory asks to register Ada's card, signed by Mallory",
        scene.folder.request(&ada.card, None, mallory.display_name()?, &mallory.key, &known),
        is_reason(|r| matches!(r, Reason::NotOwner { .. })),
    );
    Ok(round.finish())
}

pub(super) fn by_the_host(scene: &Scene, teller: &mut Teller) -> Result<Vec<Attempt>, Failure> {
    teller.chapter("The host tries to cheat, with every key in hand");
    let mut round = Round::new(teller);
    let log = scene.folder.log(&Known::default())?;
    let mut events: Vec<Event> = log.entries().iter().map(|e| e.event().clone()).collect();
    let published = events.iter().position(|e| matches!(e, Event::Publication(_)));
    let (Some(published), Some(late)) = (published, events.pop()) else {
        return Err(Failure::new("the log lacks an entry"));
    };

    let mut reordered = events.clone();
    reordered.insert(published, late);
    let folder = rewritten(scene, "rewritten", reordered)?;
    let board = folder.leaderboard(&scene.judge, &Known::default())?;
    teller
        .line("The host writes a new log in which Mallory was in time, and signs it. What a stranger sees:");
    show(teller, &board)?;
    let known = Known { receipts: scene.receipts.clone(), ..Known::default() };
    round.must_fail(
        "Ada, Ben and Cleo rank it with their receipts",
        folder.leaderboard(&scene.judge, &known),
        |e| matches!(e, CompetitionError::Rewritten { .. } | CompetitionError::Shortened { .. }),
    );
    let kept = Known { heads: vec![log.head().note().as_bytes().to_vec()], ..Known::default() };
    round.must_fail(
        "somebody who kept the signed head of yesterday ranks it",
        folder.leaderboard(&scene.judge, &kept),
        |e| matches!(e, CompetitionError::Rewritten { .. } | CompetitionError::Shortened { .. }),
    );
    let mut without = events.clone();
    without.remove(1);
    let folder = rewritten(scene, "dropped", without)?;
    round.must_fail(
        "the host leaves Ada out, and Ada ranks with her receipt",
        folder
            .leaderboard(&scene.judge, &Known { receipts: scene.receipts[..1].to_vec(), ..Known::default() }),
        |e| matches!(e, CompetitionError::Rewritten { .. } | CompetitionError::Shortened { .. }),
    );

    let easier = Seal::new(TestSetDigest([7; 32]), scene.seal.salt().clone());
    events[published] = Event::Publication(Publication::new(&easier, DataFormat::Csv, b"another test set"));
    let folder = rewritten(scene, "swapped", events)?;
    round.must_fail(
        "the host publishes another test set than it sealed",
        folder.leaderboard(&scene.judge, &Known::default()),
        |e| matches!(e, CompetitionError::Reveal),
    );
    Ok(round.finish())
}

fn show(teller: &Teller, board: &Leaderboard) -> Result<(), Failure> {
    let ranking = Ranking::of(&board.competition).map_err(Failure::new)?;
    teller.tell(&[
        Item::Table(Box::new(leaderboard_table(board, &ranking))),
        Item::Line(LOUD, "From the folder alone, nothing is wrong with it.".into()),
    ]);
    Ok(())
}

fn judge(scene: &Scene, bundle: &Bundle) -> Outcome<Score> {
    scene.folder.judge_submission(&bundle.to_bytes(), &scene.judge, &Known::default())
}

/// Whether a file of the folder counts for anybody who ranks.
fn counts(scene: &Scene, file: &str) -> Result<Outcome<()>, Failure> {
    let board = scene.folder.leaderboard(&scene.judge, &Known::default())?;
    let refused = board.refused.into_iter().find(|r| r.file == file);
    Ok(refused.map_or(Ok(()), |r| Err(CompetitionError::Refused(r.reason))))
}

/// Puts a proof where a competitor's submissions are, as whoever may write there can.
fn drop_proof(scene: &Scene, competitor: &Competitor, bundle: &Bundle) -> Result<String, Failure> {
    let bytes = bundle.to_bytes();
    let file = format!("submissions/{}/{}.proof", competitor.card.id(), FileDigest::of(&bytes));
    write(scene.folder.path().join(&file).as_path(), &bytes)?;
    Ok(file)
}

fn write(path: &std::path::Path, bytes: &[u8]) -> Result<(), Failure> {
    Ok(tacit_core::files::write(path, bytes, tacit_core::files::Access::Public, false)?)
}

/// The competition's folder with another log, which the host signs.
fn rewritten(scene: &Scene, name: &str, events: Vec<Event>) -> Result<Folder, Failure> {
    let folder = scene.base.join("forged").join(name);
    copy(scene.folder.path(), &folder).map_err(|e| {
        Failure::new(format!("{} cannot be written: {e}", folder.display())).advise("free some space")
    })?;
    let id = scene.competition.id();
    let entries: Vec<Vec<u8>> =
        events.into_iter().zip(0..).map(|(event, i)| Entry::new(id, i, event).to_json()).collect();
    for (i, entry) in entries.iter().enumerate() {
        write(&folder.join(format!("log/{i:08}.json")), entry)?;
    }
    let tree: Tree = entries.into_iter().collect();
    let head = Head::sign(&scene.competition.log_name(), tree.root(), &scene.host);
    write(&folder.join(format!("heads/{:08}", head.size())), head.note().as_bytes())?;
    Ok(Folder::new(folder))
}

/// Copies everything but the log.
fn copy(from: &std::path::Path, to: &std::path::Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for item in fs::read_dir(from)? {
        let item = item?;
        let name = item.file_name();
        if name == "log" || name == "heads" {
            continue;
        }
        if item.file_type()?.is_dir() {
            copy(&item.path(), &to.join(name))?;
        } else {
            fs::copy(item.path(), to.join(name))?;
        }
    }
    Ok(())
}

fn set_threshold(claim: &mut Claim, count: u64) {
    if let ClaimKind::Accuracy(accuracy) = &mut claim.kind
        && let [requirement] = &mut accuracy.requirements[..]
        && let Ok(bound) = Fraction::new(count, accuracy.samples)
    {
        requirement.bound = bound;
    }
}

/// A proof by a prover that holds every secret and skips its own checks, that a model reaches what `other` reaches.
fn unchecked_proof(
    scene: &Scene,
    competitor: &Competitor,
    trick: Trick,
    other: Option<&Model>,
) -> Result<Bundle, Failure> {
    let (mut claim, _) = competitor.prove(scene, None)?.into_parts();
    let model = other.unwrap_or(&competitor.model);
    set_threshold(&mut claim, right_answers(model, &scene.test)?);
    let points: Option<&CardPoints> = None;
    let statement = statement(&claim, &competitor.card, points, Some(&scene.test))?;
    let shown = (trick == Trick::Sums).then_some(&competitor.model);
    let witness = witness(&statement, model, shown, Vec::new())?;
    let salt = competitor.opening.salts.get(&EngineId::Sumcheck);
    let salt = salt.ok_or_else(|| Failure::new("the opening lacks the engine's salt"))?;
    let openings = Openings::from([(Segment::Weights, Opening(*salt.expose()))]);
    let proof = SumcheckEngine
        .prove(&statement, &witness, &openings, &mut OsRng, &Silent)
        .map_err(CoreError::from)?;
    Ok(Bundle::new(claim, proof).map_err(CoreError::from)?)
}

fn labels(data: &Dataset) -> &[u32] {
    match data.labels() {
        Some(Labels::Classes { indices, .. }) => indices,
        _ => &[],
    }
}

fn predicted(model: &Model, record: &[i64]) -> Result<Option<usize>, Failure> {
    let answer = model.run(record).map_err(CoreError::from)?;
    Ok(model.architecture().predicted_class(answer.output()))
}

fn right_answers(model: &Model, data: &Dataset) -> Result<u64, Failure> {
    let mut right = 0;
    for (i, label) in labels(data).iter().enumerate() {
        right += u64::from(predicted(model, data.record(i))? == Some(*label as usize));
    }
    Ok(right)
}

/// A logistic regression tuned on the very records that it will be scored on, by the perceptron's rule.
fn memorised(model: &Model, data: &Dataset) -> Result<Model, Failure> {
    const ROUNDS: usize = 40;
    let architecture = model.architecture();
    let dense = architecture.nodes.iter().find_map(|node| match &node.op {
        Op::MatMul { weight, .. } => Some(weight.0 as usize),
        _ => None,
    });
    let Some(dense) = dense else { return Err(Failure::new("the bundled model has no dense layer")) };
    let (classes, bounds) = (architecture.params[dense].shape[1], architecture.params[dense].bounds());
    let mut tensors = model.weights().tensors().to_vec();
    let made = |tensors: &[Vec<i64>]| {
        Model::new(architecture.clone(), tensors.to_vec()).map_err(|e| Failure::new(e.to_string()))
    };
    let mut tuned = made(&tensors)?;
    for _ in 0..ROUNDS {
        let mut wrong = 0;
        for (i, label) in labels(data).iter().enumerate() {
            let (record, label) = (data.record(i), *label as usize);
            let Some(class) = predicted(&tuned, record)?.filter(|class| *class != label) else { continue };
            wrong += 1;
            for (weights, value) in tensors[dense].chunks_exact_mut(classes).zip(record) {
                let step = value / 8;
                weights[label] = (weights[label] + step).clamp(bounds.lo, bounds.hi);
                weights[class] = (weights[class] - step).clamp(bounds.lo, bounds.hi);
            }
            tuned = made(&tensors)?;
        }
        if wrong == 0 {
            break;
        }
    }
    Ok(tuned)
}
