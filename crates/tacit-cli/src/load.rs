//! Files of a known kind, with errors that say which kind they are instead.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use tacit_claim::{
    Bundle, Card, CardPoints, DatasetOpening, Disclosure, DisclosureError, EngineId, FileKind, InputOpening,
    OutputOpening, ProofChunk, WeightsOpening, sniff,
};
use tacit_competition::{Receipt, Seal};
use tacit_core::files;
use tacit_data::{DataError, OutOfRangePolicy, ReadOptions, Records, RowChoice, Table, TestSetFile};
use tacit_exchange::{PendingRequest, ProviderDocument};
use tacit_model::{Architecture, Model, Schema};
use zeroize::Zeroizing;

use crate::failure::{DOES_NOT_HOLD, Failure};
use crate::report::{Report, count, plain};

/// Most bytes of a file that holds a proof or a message, a card and what lies beside it.
const LONG: u64 = 256 << 20;

/// The bytes of a file that is `wanted` or of no known kind (its reader will say what is wrong with it).
fn bytes(path: &Path, wanted: FileKind) -> Result<Zeroizing<Vec<u8>>, Failure> {
    // Cards, proofs and secrets come from others and are small; a model is one's own.
    let max = match wanted {
        FileKind::Model => files::MAX_FILE,
        FileKind::Proof | FileKind::Chunk => tacit_core::MAX_CHUNK_FILE,
        FileKind::CardPoints => 65 << 20,
        FileKind::Disclosure | FileKind::PendingRequest => LONG,
        _ => 32 << 20,
    };
    let bytes = files::read(path, max)?;
    let found = sniff(&bytes);
    if found == wanted || found == FileKind::Unknown {
        return Ok(bytes);
    }
    let failure =
        Failure::new(format!("{}: expected a file of the kind `{wanted}`, found `{found}`", path.display()));
    Err(match (wanted, found) {
        (FileKind::Model, FileKind::Onnx) => {
            failure.advise("quantise it first: tacit quantize MODEL.onnx --data FILE -o MODEL.tacit")
        }
        (FileKind::Card, FileKind::CardPoints) => {
            failure.advise("the card is card.json, beside card.points, which is found by itself")
        }
        (FileKind::Card, FileKind::WeightsOpening) => {
            failure.advise("the card is card.json, beside the opening")
        }
        _ => failure.advise("check the order of the arguments and the names of the files"),
    })
}

/// The bytes of a file of a kind that nothing tells: none of the known ones.
pub(crate) fn unknown_kind(path: &Path, max: u64, wanted: &str) -> Result<Vec<u8>, Failure> {
    let bytes = files::read(path, max)?;
    match sniff(&bytes) {
        FileKind::Unknown => Ok(bytes.to_vec()),
        found => Err(Failure::new(format!(
            "{}: expected {wanted}, found a file of the kind `{found}`",
            path.display()
        ))
        .advise("check the order of the arguments and the names of the files")),
    }
}

fn unusable(path: &Path, e: impl Display) -> Failure {
    Failure::new(format!("{}: {e}", path.display()))
}

/// A quantised model.
pub(crate) fn model(path: &Path) -> Result<Model, Failure> {
    Model::from_bytes(&bytes(path, FileKind::Model)?)
        .map_err(|e| unusable(path, e).advise("make it again with `tacit quantize`"))
}

/// A card.
pub(crate) fn card(path: &Path) -> Result<Card, Failure> {
    Card::from_json(&bytes(path, FileKind::Card)?).map_err(|e| {
        unusable(path, e).advise("ask the model's owner for the card again: a card never changes")
    })
}

/// The file with what is too large for a card: beside it, under its name.
pub(crate) fn points_path(card: &Path) -> PathBuf {
    card.with_extension("points")
}

/// What lies beside the card at `path`, where proofs by `engine` need it.
pub(crate) fn points_for(engine: EngineId, path: &Path, card: &Card) -> Result<Option<CardPoints>, Failure> {
    match engine {
        EngineId::Sumcheck => points(path, card),
        EngineId::Halo2 => Ok(None),
    }
}

/// What lies beside the card at `path`, for proofs by the sumcheck engine. `None` where nothing has to.
pub(crate) fn points(path: &Path, card: &Card) -> Result<Option<CardPoints>, Failure> {
    if card.commitments().sumcheck.is_none() || card.inline_points().is_some() {
        return Ok(None);
    }
    let path = points_path(path);
    let shown = path.display();
    if path.symlink_metadata().is_err() {
        return Err(Failure::new(format!(
            "{shown} is missing: it holds the points that the card commits with and the certificate of the weights"
        ))
        .advise(format!(
            "get the file from the card's owner, who made it together with the card, and put it there as {shown}"
        )));
    }
    CardPoints::from_bytes(&bytes(&path, FileKind::CardPoints)?).map(Some).map_err(|e| {
        unusable(&path, e)
            .advise("get the file from the card's owner again: it was made together with the card")
    })
}

/// What opens a hidden answer.
pub(crate) fn output_opening(path: &Path) -> Result<OutputOpening, Failure> {
    OutputOpening::from_bytes(&bytes(path, FileKind::OutputOpening)?)
        .map_err(|e| unusable(path, e).advise("ask the prover for it again"))
}

/// A proof. One that was altered until it is none does not hold; what never was one, or is
/// one of a version to come, is unusable.
pub(crate) fn proof(path: &Path) -> Result<Bundle, Failure> {
    let bytes = bytes(path, FileKind::Proof)?;
    Bundle::from_bytes(&bytes).map_err(|e| {
        let newer = e.newer_than();
        let failure = unusable(path, e);
        if let Some(read) = newer {
            return failure.advise(format!("update tacit, or ask for a proof of version {read}"));
        }
        if Bundle::resembles(&bytes) {
            failure.code(DOES_NOT_HOLD).advise("ask the prover for the proof again")
        } else {
            failure.advise("check the order of the arguments and the names of the files")
        }
    })
}

/// A chunk of a proof.
pub(crate) fn chunk(path: &Path) -> Result<ProofChunk, Failure> {
    ProofChunk::from_bytes(&bytes(path, FileKind::Chunk)?).map_err(|e| {
        unusable(path, e).advise("prove the chunk again with `tacit prove accuracy --chunk i/n`")
    })
}

/// The opening of a card.
pub(crate) fn opening(path: &Path) -> Result<WeightsOpening, Failure> {
    WeightsOpening::from_bytes(&bytes(path, FileKind::WeightsOpening)?).map_err(|e| {
        unusable(path, e)
            .advise("restore it from a copy; without it nothing can be proved about the card's model")
    })
}

/// The opening of a record.
pub(crate) fn input_opening(path: &Path) -> Result<InputOpening, Failure> {
    InputOpening::from_bytes(&bytes(path, FileKind::InputOpening)?)
        .map_err(|e| unusable(path, e).advise("restore it from a copy, or commit to the record again"))
}

/// The opening of a test set.
pub(crate) fn dataset_opening(path: &Path) -> Result<DatasetOpening, Failure> {
    DatasetOpening::from_bytes(&bytes(path, FileKind::DatasetOpening)?)
        .map_err(|e| unusable(path, e).advise("restore it from a copy, or commit to the test set again"))
}

/// The bytes of an identity's file, encrypted or not.
pub(crate) fn key_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let found = sniff(&files::read(path, 32 << 20)?);
    bytes(path, if found == FileKind::EncryptedOwnerKey { found } else { FileKind::OwnerKey })
}

/// A request on its way.
pub(crate) fn pending(path: &Path) -> Result<PendingRequest, Failure> {
    PendingRequest::from_bytes(&bytes(path, FileKind::PendingRequest)?)
        .map_err(|e| unusable(path, e).advise("restore it from a copy, or send the record again"))
}

/// A provider's document.
pub(crate) fn provider(path: &Path) -> Result<ProviderDocument, Failure> {
    ProviderDocument::from_json(&bytes(path, FileKind::Provider)?)
        .map_err(|e| unusable(path, e).advise("get it from the relay again"))
}

/// A proof with its card. One that was altered until it is none does not hold.
pub(crate) fn disclosure(path: &Path) -> Result<Disclosure, Failure> {
    Disclosure::from_bytes(&bytes(path, FileKind::Disclosure)?).map_err(|e| match e {
        DisclosureError::Version { expected, actual } if actual > expected => {
            unusable(path, e).advise(format!("update tacit, or ask for a file of version {expected}"))
        }
        e => unusable(path, e).code(DOES_NOT_HOLD).advise("ask for the file again"),
    })
}

/// A proof, with its card where the file holds both.
pub(crate) struct ProofFile {
    pub(crate) bundle: Bundle,
    pub(crate) card: Option<Card>,
    pub(crate) points: Option<CardPoints>,
}

/// A proof, or a proof with its card.
pub(crate) fn proof_or_disclosure(path: &Path) -> Result<ProofFile, Failure> {
    if sniff(&files::read(path, LONG)?) != FileKind::Disclosure {
        return Ok(ProofFile { bundle: proof(path)?, card: None, points: None });
    }
    let Disclosure { bundle, card, points } = disclosure(path)?;
    Ok(ProofFile { bundle, card: Some(card), points })
}

/// A competition's receipt. Whether it holds is for the competition's folder to say.
pub(crate) fn receipt(path: &Path) -> Result<Receipt, Failure> {
    Receipt::from_json(&bytes(path, FileKind::CompetitionReceipt)?)
        .map_err(|e| unusable(path, e).advise("use the receipt as it was written, byte for byte"))
}

/// The bytes of a signed verdict. Whose it is, and whether it holds, is still to be checked.
pub(crate) fn verdict(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    bytes(path, FileKind::Verdict)
}

/// What opens a competition's test set.
pub(crate) fn seal(path: &Path) -> Result<Seal, Failure> {
    Seal::from_json(&bytes(path, FileKind::CompetitionSeal)?)
        .map_err(|e| unusable(path, e).advise("restore the seal from a copy"))
}

/// Records of a data file for a model.
pub(crate) fn records(
    path: &Path,
    architecture: &Architecture,
    labels: Option<&str>,
    options: &ReadOptions,
) -> Result<Records, DataError> {
    let table = Table::read(path, labels)?;
    table.check_axes(&architecture.input_shape)?;
    table.records(&architecture.schema, options)
}

/// One record of a data file.
pub(crate) fn record(
    path: &Path,
    row: Option<usize>,
    architecture: &Architecture,
    report: &mut Report,
) -> Result<Vec<i64>, Failure> {
    let options = ReadOptions { out_of_range: OutOfRangePolicy::Refuse, rows: RowChoice::One(row) };
    let mut records =
        records(path, architecture, None, &options).map_err(|e| not_data(path).unwrap_or(e.into()))?;
    tell(&records, report);
    report.set("record_source", plain(&records.source));
    records.rows.pop().ok_or_else(|| unusable(path, "holds no records"))
}

/// A test set, by a schema, for a model whose input has the axes `sample` (none where no model is known).
pub(crate) fn test_set(
    path: &Path,
    schema: &Schema,
    sample: &[usize],
    labels: Option<&str>,
    groupings: &[&str],
    report: &mut Report,
) -> Result<TestSetFile, Failure> {
    let read = || {
        let table = Table::read(path, labels)?;
        table.check_axes(sample)?;
        table.dataset(schema, groupings)
    };
    let test = read().map_err(|e: DataError| not_data(path).unwrap_or(e.into()))?;
    tell_of(&test.ignored_columns, test.rounded_cells, report);
    report.set("clipped_cells", test.out_of_range_cells);
    if test.numbered_labels {
        let names = schema.classes.iter().take(8).enumerate();
        let names: Vec<String> = names.map(|(i, class)| format!("{i} as {}", plain(&class.name))).collect();
        let more = if schema.classes.len() > names.len() { ", …" } else { "" };
        report
            .note(format!("labels are numbers, read as positions in the schema: {}{more}", names.join(", ")));
    }
    if test.out_of_range_cells > 0 {
        report.note(format!(
            "{} outside the declared ranges: clipped, for prover and verifier alike",
            count(test.out_of_range_cells, "cell")
        ));
    }
    Ok(test)
}

/// The failure of a file that is one of Tacit's own and was given as data.
fn not_data(path: &Path) -> Option<Failure> {
    let found = sniff(&files::read(path, 32 << 20).ok()?);
    if matches!(found, FileKind::Unknown | FileKind::Onnx) {
        return None;
    }
    let failure =
        Failure::new(format!("{}: expected records, found a file of the kind `{found}`", path.display()));
    Some(match found {
        FileKind::InputOpening => failure.advise("pass it with --input-opening"),
        _ => failure.advise("check the order of the arguments and the names of the files"),
    })
}

/// Says what reading left out or changed.
pub(crate) fn tell(records: &Records, report: &mut Report) {
    tell_of(&records.ignored_columns, records.rounded_cells, report);
}

fn tell_of(ignored: &[String], rounded: usize, report: &mut Report) {
    report.set("ignored_columns", ignored.to_vec());
    report.set("rounded_cells", rounded);
    if !ignored.is_empty() {
        let names = ignored.iter().take(8).map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ");
        let more = ignored.len().saturating_sub(8);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        report.note(format!("ignored {}: {names}{more}", count(ignored.len(), "column")));
    }
    if rounded > 0 {
        report.note(format!(
            "{} had more decimals than the schema and were rounded (half to even)",
            count(rounded, "cell")
        ));
    }
}
