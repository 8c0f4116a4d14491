//! `tacit prove accuracy` and `tacit prove predictions`

use std::path::{Path, PathBuf};
use std::time::Instant;

use rand_core::OsRng;
use tacit_claim::{AnswersClaim, Claim, ClaimKind, Fraction, Requirement, RequirementError};
use tacit_core::files::{self, Access};
use tacit_core::{
    ChunkFolder, Chunks, CoreError, ProvedTestSet, Required, TestData, TestSetProof, prepare_accuracy,
    prove_predictions,
};
use tacit_data::TestSetFile;
use tacit_model::{Labels, Schema};

use super::{Owned, check_outputs, describe};
use crate::args::prove::{HiddenOfTest, OneChunk, ProveAccuracy, ProvePredictions, Proving, RevealedOfTest};
use crate::failure::Failure;
use crate::home::data_folder;
use crate::load;
use crate::outputs;
use crate::predictions;
use crate::profile::Profile;
use crate::progress::Spinner;
use crate::report::{BOLD, Report, count};

pub(super) fn accuracy(args: &ProveAccuracy) -> Result<Report, Failure> {
    let inputs = [Some(&*args.data), args.data_opening.as_deref()];
    check_outputs(&args.proving, [&*args.proving.output], &inputs)?;
    let profile = args.proving.profile.then(Profile::start);
    let reading = tracing::info_span!("read the files").entered();
    let mut report = Report::default();
    let owned = Owned::read(&args.proving)?;
    let required = required(args, owned.card.schema())?;
    let (Required::These(requirements) | Required::Reached(requirements)) = &required;
    let columns = Requirement::groupings(requirements);
    let sample = &owned.card.architecture().input_shape;
    let test =
        load::test_set(&args.data, owned.card.schema(), sample, Some(&args.labels), &columns, &mut report)?;
    check_count(args, &test)?;
    let opening = args.data_opening.as_deref().map(load::dataset_opening).transpose()?;
    let stated = match &opening {
        Some(opening) => TestData::Committed(opening),
        None if args.hide.contains(&HiddenOfTest::Data) => TestData::Hidden,
        None => TestData::Public,
    };
    drop(reading);
    let folder = data_folder()?;
    let spinner = Spinner::new("proving");
    let start = Instant::now();
    let request = request(&args.proving, &args.reveal, &owned, &test);
    let chunks = match (args.chunk, args.chunks) {
        (Some(OneChunk { count, .. }), _) | (None, Some(count)) => Chunks::Exactly(count),
        (None, None) => Chunks::Within(MEMORY),
    };
    let ready = prepare_accuracy(&folder, &request, &required, stated, chunks, &mut OsRng, &spinner)?;
    if let Some(OneChunk { number, count }) = args.chunk {
        let chunk = ready.prove_chunk(number - 1, &mut OsRng, &spinner)?;
        drop(spinner);
        files::write(&args.proving.output, &chunk.to_bytes(), Access::Secret, args.proving.force.force)?;
        report.line(BOLD, format!("Proved chunk {number} of {count}"));
        report.field("chunk", format!("{} (secret until merged)", args.proving.output.display()));
        report.note(
            "join all chunks with `tacit merge`, then delete them: each tells the sums over its records",
        );
        report.set("chunk", number);
        report.set("chunks", count);
        report.set("output", args.proving.output.display().to_string());
        report.set("seconds", start.elapsed().as_secs_f64());
        return Ok(report);
    }
    let work = ChunkFolder::new(args.work.clone().unwrap_or_else(|| work_path(&args.proving.output)));
    let found = work.chunks(ready.chunks());
    let proved = ready.prove(&folder, &work, &mut OsRng, &spinner).map_err(|e| match e {
        CoreError::ForeignChunk(_) => Failure::from(e).advise(format!(
            "{} holds the chunks of another claim: finish that one, delete the folder, or name another with --work",
            work.path().display()
        )),
        e => e.into(),
    })?;
    drop(spinner);
    report.set("chunks", ready.chunks());
    report.set("chunks_found", found);
    let seconds = start.elapsed().as_secs_f64();
    finish(&args.proving, &owned, &test, &mut report, profile, (&proved, seconds))?;
    if ready.chunks() > 1 {
        report.field(
            "chunks",
            match found {
                0 => ready.chunks().to_string(),
                found => format!("{}, {found} of them found in {}", ready.chunks(), work.path().display()),
            },
        );
        work.remove(ready.chunks());
    }
    Ok(report)
}

/// Memory that a proof may take unless the number of chunks is given.
const MEMORY: u64 = 4 << 30;

/// Where finished chunks lie beside a proof to come.
fn work_path(proof: &Path) -> PathBuf {
    outputs::beside(proof, ".work")
}

pub(super) fn predictions(args: &ProvePredictions) -> Result<Report, Failure> {
    let outputs = [Some(&*args.proving.output), args.predictions.as_deref()];
    check_outputs(&args.proving, outputs.into_iter().flatten(), &[Some(&*args.data)])?;
    let profile = args.proving.profile.then(Profile::start);
    let reading = tracing::info_span!("read the files").entered();
    let mut report = Report::default();
    let owned = Owned::read(&args.proving)?;
    let sample = &owned.card.architecture().input_shape;
    let test = load::test_set(&args.data, owned.card.schema(), sample, None, &[], &mut report)?;
    drop(reading);
    let folder = data_folder()?;
    let spinner = Spinner::new("proving");
    let start = Instant::now();
    let request = request(&args.proving, &args.reveal, &owned, &test);
    let proved = prove_predictions(&folder, &request, args.outputs, &mut OsRng, &spinner)?;
    drop(spinner);
    let seconds = start.elapsed().as_secs_f64();
    // The predictions first: where the proof is, what it is about is.
    if let (Some(path), Some(answers)) = (&args.predictions, answers(proved.bundle.claim())) {
        let csv = predictions::csv(owned.card.architecture(), answers)?;
        files::write(path, &csv, Access::Public, args.proving.force.force)?;
    }
    finish(&args.proving, &owned, &test, &mut report, profile, (&proved, seconds))?;
    if let Some(path) = &args.predictions {
        report.field("predictions", path.display().to_string());
        report.set("predictions", path.display().to_string());
    }
    Ok(report)
}

/// The answers that a claim lists.
fn answers(claim: &Claim) -> Option<&AnswersClaim> {
    match &claim.kind {
        ClaimKind::Predictions(predictions) => Some(&predictions.answers),
        _ => None,
    }
}

fn request<'a>(
    args: &'a Proving,
    reveal: &[RevealedOfTest],
    owned: &'a Owned,
    test: &'a TestSetFile,
) -> TestSetProof<'a> {
    TestSetProof {
        model: &owned.model,
        card: &owned.card,
        points: owned.points.as_ref(),
        opening: owned.opening.as_ref(),
        data: &test.dataset,
        engine: owned.engine,
        reveal_weights: reveal.contains(&RevealedOfTest::Weights),
        context: &args.context,
    }
}

/// Writes a proof and says so.
fn finish(
    args: &Proving,
    owned: &Owned,
    test: &TestSetFile,
    report: &mut Report,
    profile: Option<Profile>,
    (proved, seconds): (&ProvedTestSet, f64),
) -> Result<(), Failure> {
    let bytes = proved.bundle.to_bytes();
    {
        let _span = tracing::info_span!("write the proof").entered();
        files::write(&args.output, &bytes, Access::Public, args.force.force)?;
    }
    let claim = proved.bundle.claim();
    describe(report, args, &owned.card, claim, proved.setup.as_ref(), (bytes.len(), seconds))?;
    tell_test_set(report, claim, owned.card.schema());
    report.set("samples", test.dataset.samples());
    if let Some(profile) = profile {
        profile.tell(report);
    }
    Ok(())
}

/// Which test set a claim is about.
pub(crate) fn tell_test_set(report: &mut Report, claim: &Claim, schema: &Schema) {
    if let Some(digest) = claim.dataset_digest() {
        report.field("test set", hex::encode(digest.0));
    } else if let Some(commitment) = claim.input_commitment() {
        report.field("test set committed to as", commitment.pin().to_string());
    }
    if let ClaimKind::Accuracy(accuracy) = &claim.kind {
        report.set("requirements", accuracy.requirements.iter().map(|r| r.text(schema)).collect::<Vec<_>>());
    }
    report.set("dataset_digest", claim.dataset_digest().map(|d| hex::encode(d.0)));
    report.set("input_commitment", claim.input_commitment().map(ToString::to_string));
}

fn requirement_failure(e: RequirementError) -> Failure {
    Failure::new(e.to_string())
        .advise("see `tacit prove accuracy --help` for the conditions that can be proved")
}

fn required(args: &ProveAccuracy, schema: &Schema) -> Result<Required, Failure> {
    let mut requirements = Vec::new();
    let mut reached = false;
    match args.at_least.as_deref() {
        None => {}
        Some("max") => reached = true,
        Some(text) => {
            let bound = Fraction::parse(text, false).map_err(requirement_failure)?;
            let requirement = Requirement::accuracy_at_least(bound);
            requirement.check(schema).map_err(requirement_failure)?;
            requirements.push(requirement);
        }
    }
    for text in &args.claim {
        requirements
            .extend(Requirement::parse(text, schema, args.by.as_deref()).map_err(requirement_failure)?);
    }
    Ok(if reached { Required::Reached(requirements) } else { Required::These(requirements) })
}

/// A fraction names the number of records: it must be the test set's.
fn check_count(args: &ProveAccuracy, test: &TestSetFile) -> Result<(), Failure> {
    let samples = test.dataset.samples() as u64;
    let Some((_, denominator)) = args.at_least.as_deref().and_then(|text| text.split_once('/')) else {
        return Ok(());
    };
    if denominator.trim().parse() == Ok(samples)
        || !matches!(test.dataset.labels(), Some(Labels::Classes { .. }))
    {
        return Ok(());
    }
    Err(Failure::new(format!(
        "--at-least speaks of {} records; the test set has {}",
        denominator.trim(),
        count(test.dataset.samples(), "record")
    ))
    .advise("give the count of this test set, or a percentage"))
}
