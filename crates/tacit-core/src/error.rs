//! One error type, with the outcome that it means and advice.

use std::path::PathBuf;

use tacit_claim::{
    AnswerError, CardError, CardId, ClaimMismatch, Commitment, CommitmentPin, Context, EngineId, HexError,
    OpeningMismatch, PointsError, RecordError, RequirementError,
};
use tacit_model::EvaluationError;
use tacit_relations::{EngineError, LowerError, Refused, TallyError, TraceError};

/// What an error means for whoever asked: the command's exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The claim does not hold, or the proof was altered or made for something else. Exit code 1.
    DoesNotHold,
    /// Arguments, files or data cannot be used. Exit code 2.
    Unusable,
    /// Refused by policy. Exit code 3.
    Policy,
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum CoreError {
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A file is already there.
    #[error("{} already exists", .0.display())]
    Exists(PathBuf),
    /// Something other than a regular file stands where a file would be written.
    #[error("{} is a folder, a link, a pipe or a device, which is never replaced", .0.display())]
    NotAFile(PathBuf),
    /// A file larger than any of its kind.
    #[error("{} has {actual} bytes or more; at most {max} are read", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Bytes read at most.
        max: u64,
        /// Bytes of the file.
        actual: u64,
    },
    /// An engine that the card was not made for.
    #[error("card {} was not made for the {engine} engine, but for {}", card.short(), names(engines))]
    OtherEngine {
        /// The engine asked for.
        engine: EngineId,
        /// The card.
        card: CardId,
        /// Its engines.
        engines: Vec<EngineId>,
    },
    /// The card was made for another version of the engine.
    #[error(
        "the card was made for version {actual} of the {engine} engine; this build has version {expected}"
    )]
    CardVersion {
        /// The engine.
        engine: EngineId,
        /// Version of this build.
        expected: u32,
        /// Version of the card.
        actual: u32,
    },
    /// The card gives its model an id that is not its own.
    #[error("the card's model id for the {0} engine is not that of its architecture and commitment")]
    ModelId(EngineId),
    /// No points, and the card does not carry them itself.
    #[error(
        "card {0} keeps the points of its commitment and its certificate beside it, and they were not given"
    )]
    NoPoints(CardId),
    /// Points of another commitment.
    #[error("the points are not those that card {0} commits to")]
    OtherPoints(CardId),
    /// Another certificate than the card names.
    #[error("the certificate is not the one that card {0} names")]
    OtherCertificate(CardId),
    /// The certificate does not hold: the owner may have committed to anything.
    #[error("the certificate of card {0} does not show that its weights fit their widths ({1})")]
    Certificate(CardId, String),
    /// The points cannot be kept.
    #[error(transparent)]
    Points(#[from] PointsError),
    /// A commitment that no claim can state.
    #[error("the commitment to the record or the answer is too long for a claim: {0}")]
    Commitment(HexError),
    /// No card could be made.
    #[error(transparent)]
    Card(#[from] CardError),
    /// The model is not the one that the card commits to.
    #[error("the model is not the one that card {0} commits to")]
    OtherModel(CardId),
    /// Hidden weights without opening.
    #[error("the weights of card {0} are hidden, and no opening was given")]
    NoOpening(CardId),
    /// The opening does not open the card.
    #[error(transparent)]
    Opening(#[from] OpeningMismatch),
    /// The record does not fit.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The model cannot be run.
    #[error(transparent)]
    Evaluation(#[from] EvaluationError),
    /// The model cannot be lowered.
    #[error(transparent)]
    Lower(#[from] LowerError),
    /// No trace.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// The claim cannot be about the card.
    #[error(transparent)]
    Claim(#[from] ClaimMismatch),
    /// A proof that is too large or empty.
    #[error(transparent)]
    Bundle(#[from] tacit_claim::BundleError),
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// An engine that was left out of this build, or whose setups nobody gave.
    #[error("proofs of the {0} engine are not made or checked here")]
    EngineNotHere(EngineId),
    /// No setup for the circuit.
    #[error("no setup for circuits of 2^{k} rows is installed")]
    MissingSetup {
        /// Base-2 logarithm of the rows.
        k: u32,
    },
    /// Only the development setup fits.
    #[error("the only installed setup for circuits of 2^{k} rows is the unsafe development one")]
    OnlyDevSetup {
        /// Base-2 logarithm of the rows.
        k: u32,
    },
    /// The proof holds, under a setup that anybody can forge under.
    #[error("the proof was made under the unsafe development setup: anybody can forge such proofs")]
    DevSetup,
    /// Another card than the one expected.
    #[error("the card is {actual}, the expected one {expected}")]
    UnexpectedCard {
        /// The card that the caller pinned.
        expected: CardId,
        /// The card at hand.
        actual: CardId,
    },
    /// Another record than the one expected.
    #[error("the proof is about {}, not about the record committed to as {expected}",
        actual.as_ref().map_or("a revealed record".to_owned(), |c| format!("the record committed to as {}", c.pin())))]
    UnexpectedInput {
        /// What the caller knows of the commitment.
        expected: CommitmentPin,
        /// The claim's.
        actual: Option<Commitment>,
    },
    /// Another context than the one expected.
    #[error("the proof was made for the context `{}`, not for `{}`", actual.as_str(), expected.as_str())]
    UnexpectedContext {
        /// The caller's context.
        expected: Context,
        /// The claim's.
        actual: Context,
    },
    /// Public weights, and no model to check them with.
    #[error("the claim takes the weights as public, and no model file was given to check them against")]
    NoModel,
    /// A model to check hidden weights with.
    #[error("the weights of card {0} are hidden: a model file cannot be checked against it")]
    UncheckableModel(CardId),
    /// The model file given does not have the committed weights.
    #[error("the model file does not have the weights that the card commits to")]
    WeightsDiffer,
    /// An answer to check, and the claim states it openly.
    #[error("the claim states its answer: there is nothing to open")]
    PublicAnswer,
    /// The answer given is not the one that the claim commits to.
    #[error("the answer given is not the one that the claim commits to")]
    OtherAnswer,
    /// A claim about a test set that was not given.
    #[error("the claim is about a public test set, and none was given")]
    NoData,
    /// Another test set.
    #[error("the test set has digest {}, that of the claim {}", hex(actual), hex(expected))]
    OtherData {
        /// The claim's.
        expected: [u8; 32],
        /// The digest of the data given.
        actual: [u8; 32],
    },
    /// The claim names another column of labels than the test set has.
    #[error("the claim says that the labels are `{expected}`; those of the test set are `{actual}`")]
    OtherLabels {
        /// The claim's.
        expected: tacit_claim::ColumnName,
        /// That of the data given.
        actual: String,
    },
    /// Data of another schema.
    #[error("the test set does not have the features and classes of the card's schema")]
    DataSchema,
    /// No labels.
    #[error("the test set has no labels")]
    NoLabels,
    /// A model that does not predict classes.
    #[error("the model predicts numbers, not classes")]
    NoClasses,
    /// A record of a hidden test set that cannot be proved.
    #[error("row {row} of the hidden test set: {source}")]
    DataRecord {
        /// The row, counted from 0.
        row: usize,
        /// What is wrong.
        source: RecordError,
    },
    /// A requirement that cannot be stated.
    #[error(transparent)]
    Requirement(#[from] RequirementError),
    /// A claim that has no meaning on the test set.
    #[error(transparent)]
    Tally(#[from] TallyError),
    /// No chunk to merge, or a chunk of a claim that has none.
    #[error("there is no chunk to merge")]
    NoChunk,
    /// A chunk beyond the last.
    #[error("there is no chunk {number} of {count}")]
    NoSuchChunk {
        /// The chunk asked for, counted from 1.
        number: u64,
        /// Chunks of the claim.
        count: u32,
    },
    /// Chunks that were not given.
    #[error("{} of {count} chunks {} missing: {}", missing.len(), if missing.len() == 1 { "is" } else { "are" }, numbers(missing))]
    MissingChunks {
        /// Their positions, from 0.
        missing: Vec<u32>,
        /// Chunks of the claim.
        count: u32,
    },
    /// A chunk given twice.
    #[error("chunk {} is given twice", .0 + 1)]
    RepeatedChunk(u32),
    /// A chunk of another claim.
    #[error("chunk {} belongs to another claim: another card, test set, bound, context or number of chunks", .0 + 1)]
    ForeignChunk(u32),
    /// A chunk that does not hold.
    #[error("chunk {} is damaged or was not made for this card and test set", .0 + 1)]
    BadChunk(u32),
    /// The statement of a claim in chunks is asked for: each chunk has one of its own.
    #[error("the claim was proved in {0} chunks, each of which has a statement of its own")]
    InChunks(u32),
    /// The model does not meet a requirement: what it reaches and what is needed.
    #[error("{0}")]
    Missed(String),
    /// A fact that cannot be stated of the model's answers.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// The answer does not meet a bound that was to be proved.
    #[error("the model's answer on this record does not satisfy `{0}`")]
    BoundMissed(String),
    /// The proof is malformed or does not prove the claim.
    #[error("{0}")]
    DoesNotHold(String),
}

impl CoreError {
    /// What it means.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Claim(_)
            | Self::UnexpectedInput { .. }
            | Self::UnexpectedContext { .. }
            | Self::WeightsDiffer
            | Self::OtherAnswer
            | Self::OtherData { .. }
            | Self::OtherLabels { .. }
            | Self::Missed(_)
            | Self::BoundMissed(_)
            | Self::Certificate(..)
            | Self::DoesNotHold(_) => Outcome::DoesNotHold,
            Self::OnlyDevSetup { .. } | Self::DevSetup | Self::UnexpectedCard { .. } => Outcome::Policy,
            _ => Outcome::Unusable,
        }
    }

    /// What to do next, where there is something to do.
    #[must_use]
    pub fn advice(&self) -> Option<String> {
        Some(match self {
            Self::NotAFile(_) => "name a regular file, or one that is not there yet".to_owned(),
            Self::UncheckableModel(_) => "leave out --model".to_owned(),
            Self::Opening(OpeningMismatch::OtherCard { .. }) => {
                "use the opening.secret that was written beside the card".to_owned()
            }
            Self::WeightsDiffer => "ask the owner for the model file that the card was made with".to_owned(),
            Self::EngineNotHere(_) => "use the `tacit` command, which has every engine".to_owned(),
            Self::OtherEngine { engines, .. } => match engines.first() {
                Some(engine) => format!("use --engine {engine}, or ask the owner for a card made for both"),
                None => return None,
            },
            Self::CardVersion { .. } | Self::ModelId(_) => {
                "ask the owner for a card made with this version of tacit".to_owned()
            }
            Self::NoPoints(_) => "get card.points from the card's owner".to_owned(),
            Self::OtherPoints(_) | Self::OtherCertificate(_) => {
                "get card.points from the card's owner again: it must be the one made with this card"
                    .to_owned()
            }
            Self::Certificate(..) => "do not rely on anything that is proved about this card".to_owned(),
            Self::PublicAnswer => "leave out --answer".to_owned(),
            Self::OtherAnswer => {
                "ask the prover for the answer's opening that belongs to this proof".to_owned()
            }
            Self::Exists(_) => "choose another name, or pass --force to replace it".to_owned(),
            Self::MissingSetup { k } => format!(
                "import a ceremony file with `tacit srs import FILE.ptau --max-k {k}` (power {k} or more), or make one \
                 for development with `tacit srs unsafe-dev --k {k}`"
            ),
            Self::OnlyDevSetup { k } => format!(
                "import a ceremony file of power {k} or more with `tacit srs import FILE.ptau`, or pass \
                 --allow-dev-srs if this is development"
            ),
            Self::DevSetup => {
                "pass --allow-dev-srs if this is development; otherwise ask for a proof under a \
                               ceremony's setup"
                    .to_owned()
            }
            Self::OtherModel(_) => {
                "use the model file and the opening that the card was made with".to_owned()
            }
            Self::NoOpening(_) => {
                "pass --opening with the opening.secret that was written beside the card".to_owned()
            }
            Self::UnexpectedCard { .. } => {
                "do not trust this card unless its owner says that it replaces the other".to_owned()
            }
            Self::Claim(m) if m.is_other_card() => {
                "verify the proof against the card that it was made for".to_owned()
            }
            Self::Claim(ClaimMismatch::WeightsHidden) => {
                "commit to the model with --public-weights to reveal them".to_owned()
            }
            Self::NoData => "pass --data with the test set that the claim names".to_owned(),
            Self::OtherData { .. } => "use the very file that the claim was made for: order of rows, labels and columns count"
                .to_owned(),
            Self::NoClasses => "of a model that predicts numbers, publish its outputs with --outputs, or bound its errors".to_owned(),
            Self::NoLabels | Self::Tally(TallyError::NoLabels) => {
                "name the column or array that holds them with --labels".to_owned()
            }
            Self::BoundMissed(_) => "`tacit predict` shows what the model answers: claim what holds of it".to_owned(),
            Self::Missed(_) => "claim less, or commit to a better model".to_owned(),
            Self::DataRecord { .. } => "correct the row, or use a model whose schema declares a wider range; only test sets that the \
                verifier sees are clipped"
                .to_owned(),
            Self::MissingChunks { .. } => "prove them with `tacit prove accuracy --chunk i/n` and pass all".to_owned(),
            Self::RepeatedChunk(_) | Self::ForeignChunk(_) => "pass every chunk of one claim once".to_owned(),
            Self::BadChunk(_) => "prove it again with `tacit prove accuracy --chunk i/n`".to_owned(),
            Self::NoSuchChunk { .. } => "chunks are counted from 1".to_owned(),
            Self::NoModel => "pass --model with the public model file".to_owned(),
            Self::Record(_) | Self::Evaluation(EvaluationError::OutOfRange { .. }) => {
                "correct the record, or use a model whose schema declares a wider range".to_owned()
            }
            Self::UnexpectedInput { .. } | Self::UnexpectedContext { .. } | Self::DoesNotHold(_) => {
                "do not rely on this proof".to_owned()
            }
            _ => return None,
        })
    }
}

/// At most sixteen positions, counted from 1.
fn numbers(positions: &[u32]) -> String {
    let shown: Vec<String> = positions.iter().take(16).map(|i| (i + 1).to_string()).collect();
    let more = positions.len().saturating_sub(16);
    if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
}

pub(crate) fn hex(bytes: &[u8; 32]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn names(engines: &[EngineId]) -> String {
    engines.iter().map(|e| e.name()).collect::<Vec<_>>().join(" and ")
}

/// A proof that is not accepted, unless the verifier itself cannot run.
impl From<Refused> for CoreError {
    fn from(e: Refused) -> Self {
        match e {
            Refused::Engine(e) => Self::Engine(e),
            other => Self::DoesNotHold(other.to_string()),
        }
    }
}
