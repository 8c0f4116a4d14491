//! `tacit merge`

use std::time::Instant;

use rand_core::OsRng;
use tacit_claim::{AccuracyClaim, ClaimKind, DataClaim, ProofChunk, Requirement};
use tacit_core::files::{self, Access};
use tacit_core::merge;

use crate::args::prove::Merge;
use crate::commands::prove::tell_test_set;
use crate::failure::Failure;
use crate::home::data_folder;
use crate::load;
use crate::outputs;
use crate::progress::Spinner;
use crate::report::{BOLD, PLAIN, Report, count};

pub(crate) fn run(args: &Merge) -> Result<Report, Failure> {
    let points_path = load::points_path(&args.card);
    let own = [Some(&*args.card), Some(&*points_path), Some(&*args.data)];
    let inputs: Vec<_> = args.chunks.iter().map(|c| Some(&**c)).chain(own).collect();
    outputs::check([&*args.output], &inputs, args.force.force)?;
    let card = load::card(&args.card)?;
    let chunks: Vec<ProofChunk> =
        args.chunks.iter().map(|path| load::chunk(path)).collect::<Result<_, _>>()?;
    let claim = chunks.first().map(|chunk| chunk.claim.clone());
    let Some((
        ClaimKind::Accuracy(AccuracyClaim { data: DataClaim::Public { labels, .. }, requirements, .. }),
        engine,
    )) = claim.as_ref().map(|claim| (&claim.kind, claim.engine))
    else {
        return Err(Failure::new("these are chunks of no claim about a public test set"));
    };
    let points = load::points_for(engine, &args.card, &card)?;
    let mut report = Report::default();
    let labels = args.labels.as_deref().unwrap_or(labels.as_str());
    let test = load::test_set(
        &args.data,
        card.schema(),
        &card.architecture().input_shape,
        Some(labels),
        &Requirement::groupings(requirements),
        &mut report,
    )?;
    let folder = data_folder()?;
    let spinner = Spinner::new("merging");
    let start = Instant::now();
    let merged = chunks.len();
    let bundle = merge(&folder, &card, points.as_ref(), &test.dataset, chunks, &mut OsRng, &spinner)?;
    drop(spinner);
    let seconds = start.elapsed().as_secs_f64();
    let bytes = bundle.to_bytes();
    files::write(&args.output, &bytes, Access::Public, args.force.force)?;
    let sentence = bundle.claim().sentence(&card).map_err(tacit_core::CoreError::from)?;
    report.line(BOLD, format!("Merged {}", count(merged, "chunk")));
    report.line(PLAIN, sentence.clone());
    report.field("proof", format!("{} ({} bytes, {seconds:.2} s)", args.output.display(), bytes.len()));
    tell_test_set(&mut report, bundle.claim(), card.schema());
    report.note("delete the chunk files: each tells the sums over its records");
    report.set("proof", args.output.display().to_string());
    report.set("bytes", bytes.len());
    report.set("seconds", seconds);
    report.set("chunks", merged);
    report.set("claim", sentence);
    report.set("claim_digest", bundle.claim().digest().to_string());
    report.set("card_id", card.id().to_string());
    report.set("context", bundle.claim().context.as_str());
    report.set("engine", bundle.claim().engine.name());
    report.set("hidden", bundle.claim().hidden(&card));
    Ok(report)
}
