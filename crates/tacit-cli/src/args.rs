//! The command line: names, options and help.

pub(crate) mod competition;
pub(crate) mod exchange;
pub(crate) mod serve;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use tacit_claim::{CardId, CardName, CommitmentPin, Context, EngineId, Fingerprint};

const OVERVIEW: &str = "\
Proves what a model said without showing the model or the data.

A provider quantises a model, commits to it and hands out the card. For a record, the provider proves what the model \
answers; anybody with the card verifies. Weights and record stay hidden unless they are revealed on purpose.";

const EXIT_CODES: &str = "\
Exit codes:
  0  the claim holds, or the command did its work
  1  the claim does not hold
  2  unusable arguments, files or data
  3  refused by policy: unsafe development setup, unexpected card

See it work: tacit demo medical, tacit demo kaggle";

/// The whole command line.
#[derive(Debug, Parser)]
#[command(name = "tacit", version, about = "Proves what a model said without showing the model or the data", long_about = OVERVIEW, after_help = EXIT_CODES)]
#[command(arg_required_else_help = true, max_term_width = 110)]
pub(crate) struct Cli {
    /// Print one JSON object, errors included
    #[arg(long, global = true, display_order = 900)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Quantize(Quantize),
    /// Run a quantised model
    Predict(Predict),
    Commit(Commit),
    CommitInput(CommitInput),
    /// Prove a claim about a committed model
    #[command(subcommand)]
    Prove(Prove),
    Merge(Merge),
    Verify(Verify),
    Attestation(Attestation),
    /// Competitions over a plain folder, with proofs for scores
    #[command(subcommand)]
    Competition(competition::Competition),
    Serve(Box<serve::Serve>),
    /// Answer patients' requests, with proofs
    #[command(subcommand)]
    Provider(exchange::Provider),
    /// Send a record to a provider, sealed, and get a diagnosis with a proof
    #[command(subcommand)]
    Patient(exchange::Patient),
    /// Test sets
    #[command(subcommand)]
    Dataset(DatasetCommand),
    Inspect(Inspect),
    /// Setup parameters, for the halo2 engine only
    #[command(subcommand)]
    Srs(Srs),
    /// The whole story on bundled data
    #[command(subcommand)]
    Demo(Demo),
}

impl Command {
    /// Whether the command's result is a verdict.
    pub(crate) const fn gives_verdict(&self) -> bool {
        matches!(
            self,
            Self::Verify(_) | Self::Attestation(_) | Self::Competition(competition::Competition::Rank(_))
        )
    }
}

/// `tacit quantize`
#[derive(Debug, Args)]
#[command(
    about = "Turn an ONNX model of floats into a quantised model of exact integers",
    long_about = "Turn an ONNX model of floats into a quantised model of exact integers.\n\n\
        Scales are chosen on the calibration records. With --labels, the accuracies of the float and of the quantised \
        model on these records are printed side by side. Without --schema, names, decimals and ranges are inferred from \
        the data and written to MODEL.schema.json beside the model; look at them before committing: every record \
        within the ranges can be proved, no other can.",
    after_help = "Example:\n  tacit quantize model.onnx --data train.csv --labels diagnosis --schema schema.json -o model.tacit"
)]
pub(crate) struct Quantize {
    /// The float model
    #[arg(value_name = "MODEL.onnx")]
    pub(crate) onnx: PathBuf,
    /// Records to calibrate on: CSV with a header, .npy, .npz or JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) data: PathBuf,
    /// Column or array of the data that holds the classes
    #[arg(long, value_name = "COLUMN")]
    pub(crate) labels: Option<String>,
    /// Names, decimals and ranges of the features, names of the classes
    #[arg(long, value_name = "FILE")]
    pub(crate) schema: Option<PathBuf>,
    /// Width of the weights in bits, 2 to 16
    #[arg(long, value_name = "BITS", default_value_t = 8)]
    pub(crate) weight_bits: u8,
    /// Width of the activations in bits, 4 to 24
    #[arg(long, value_name = "BITS", default_value_t = 16)]
    pub(crate) activation_bits: u8,
    /// The quantised model, weights included
    #[arg(short, long, value_name = "MODEL.tacit")]
    pub(crate) output: PathBuf,
    #[command(flatten)]
    pub(crate) force: Force,
}

/// `tacit predict`
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  tacit predict model.tacit --input patients.csv --row 0\n  tacit predict model.tacit --input patients.csv -o answers.csv"
)]
pub(crate) struct Predict {
    /// The quantised model
    #[arg(value_name = "MODEL.tacit")]
    pub(crate) model: PathBuf,
    /// Records: CSV with a header, .npy, .npz or JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) input: PathBuf,
    /// One record, counted from 0; all without it
    #[arg(long, value_name = "N")]
    pub(crate) row: Option<usize>,
    /// Column or array that holds the classes: also count how many answers are right
    #[arg(long, value_name = "COLUMN")]
    pub(crate) labels: Option<String>,
    /// Clip values to their declared range, and count them, instead of refusing them
    #[arg(long)]
    pub(crate) clip: bool,
    /// Write the answers here as CSV
    #[arg(short, long, value_name = "OUT.csv")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) force: Force,
}

/// `tacit commit`
#[derive(Debug, Args)]
#[command(
    about = "Commit to a quantised model: a public card and a secret opening",
    long_about = "Commit to a quantised model.\n\n\
        Writes DIR/card.json for everybody, DIR/opening.secret, which never leaves the owner, and DIR/owner.key, the \
        identity that signed the card, unless --key names one. An owner.key that is already in DIR is never replaced: \
        with --force it signs again. For the sumcheck engine the card holds a certificate that every weight fits its \
        width; of a large model, DIR/card.points holds it: hand it out with the card.",
    after_help = "Examples:\n  tacit commit model.tacit -o card --name \"diagnosis 2\"\n  tacit commit model.tacit -o card --engine all"
)]
pub(crate) struct Commit {
    /// The quantised model
    #[arg(value_name = "MODEL.tacit")]
    pub(crate) model: PathBuf,
    /// Folder for the card and its secrets
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: PathBuf,
    /// Engine to commit for
    #[arg(long, value_enum, default_value_t = EngineChoice::Sumcheck)]
    pub(crate) engine: EngineChoice,
    /// Sign with this identity
    #[arg(long, value_name = "owner.key")]
    pub(crate) key: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) unlock: Passphrase,
    /// Let everybody who has the model file check it against the card
    #[arg(long)]
    pub(crate) public_weights: bool,
    /// Name of the model on the card [default: the model's file name]
    #[arg(long)]
    pub(crate) name: Option<CardName>,
    #[command(flatten)]
    pub(crate) force: Force,
}

/// Engines of a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum EngineChoice {
    /// No setup, large models, quick proofs
    Sumcheck,
    /// Proofs of four to five kilobytes; needs a setup and takes longer
    Halo2,
    /// Both
    All,
}

/// `tacit commit-input`
#[derive(Debug, Args)]
#[command(
    about = "Commit to a record ahead of a proof",
    long_about = "Commit to a record ahead of a proof, for every engine of the card.\n\n\
        Hand the commitments, which are printed, to whoever will verify, and the secret file to the prover. A proof made \
        with it shows the same commitment.",
    after_help = "Example:\n  tacit commit-input --card card.json --input patient.csv --row 0 -o input.secret"
)]
pub(crate) struct CommitInput {
    /// The card of the model that the record is for
    #[arg(long, value_name = "card.json")]
    pub(crate) card: PathBuf,
    #[command(flatten)]
    pub(crate) input: InputFile,
    /// The record and its salts, secret
    #[arg(short, long, value_name = "input.secret")]
    pub(crate) output: PathBuf,
    #[command(flatten)]
    pub(crate) force: Force,
}

/// A record in a data file.
#[derive(Debug, Args)]
pub(crate) struct InputFile {
    /// Records: CSV with a header, .npy, .npz or JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) input: PathBuf,
    /// Which record, counted from 0; needed where there are several
    #[arg(long, value_name = "N")]
    pub(crate) row: Option<usize>,
}

/// `tacit prove`
#[derive(Debug, Subcommand)]
pub(crate) enum Prove {
    Inference(Box<ProveInference>),
    Accuracy(Box<ProveAccuracy>),
    Predictions(Box<ProvePredictions>),
}

/// The committed model of a proof, what the proof is for and where it goes.
#[derive(Debug, Args)]
pub(crate) struct Proving {
    /// The quantised model
    #[arg(long, value_name = "MODEL.tacit")]
    pub(crate) model: PathBuf,
    /// The card's opening; not needed where the card's weights are public
    #[arg(long, value_name = "opening.secret", required_unless_present = "card")]
    pub(crate) opening: Option<PathBuf>,
    /// The card [default: card.json beside the opening]
    #[arg(long, value_name = "card.json")]
    pub(crate) card: Option<PathBuf>,
    /// What the proof is made for: a request, a competition and competitor, a holder's key
    #[arg(long, default_value = "", value_name = "STRING", hide_default_value = true)]
    pub(crate) context: Context,
    /// The engine, sumcheck or halo2 [default: sumcheck if the card was made for it, otherwise the one it was
    /// made for]
    #[arg(long)]
    pub(crate) engine: Option<EngineId>,
    /// Also say where the time went
    #[arg(long)]
    pub(crate) profile: bool,
    /// The proof
    #[arg(short, long, value_name = "PROOF")]
    pub(crate) output: PathBuf,
    #[command(flatten)]
    pub(crate) force: Force,
}

/// `tacit prove accuracy`
#[derive(Debug, Args)]
#[command(
    about = "Prove how well the model does on a test set",
    long_about = "Prove how well the model of a card does on a test set, without showing the model, its predictions or by \
        how much it passes.\n\n\
        --at-least bounds the share of right answers: 342/360, 95%, 0.95, or `max` for what the model reaches, which \
        publishes it. --claim adds conditions, and all of them are proved together:\n\
        \u{20} recall[malignant] >= 0.9            and precision, specificity, f1, false_positive_rate, selection_rate\n\
        \u{20} top[3] >= 99%, balanced_accuracy >= 0.9, accuracy <= 0.99\n\
        \u{20} mean_absolute_error <= 2.5, mean_squared_error <= 9     for models that predict numbers\n\
        \u{20} recall[malignant] >= 0.9 by site     in every group that the column tells apart\n\
        \u{20} gap(recall[malignant]) <= 0.05 by site     between any two groups; also demographic_parity[class], \
        equal_opportunity[class], equalised_odds[class]\n\n\
        Values outside their declared range are clipped, and counted. A model that misses a bound is told so before any \
        proving (exit code 1).",
    after_help = "Examples:\n  tacit prove accuracy --model model.tacit --opening card/opening.secret \\\n      \
        --data test.csv --labels diagnosis --at-least 95% -o accuracy.proof\n  \
        tacit prove accuracy --model model.tacit --opening card/opening.secret \\\n      \
        --data test.csv --labels diagnosis --at-least 0.9 \\\n      \
        --claim 'recall[malignant] >= 0.9' --claim 'gap(recall[malignant]) <= 5% by site' -o fair.proof"
)]
pub(crate) struct ProveAccuracy {
    #[command(flatten)]
    pub(crate) proving: Proving,
    /// The test set: CSV with a header, .npz or JSON
    #[arg(long, value_name = "TEST")]
    pub(crate) data: PathBuf,
    /// Column or array of the test set that holds the labels
    #[arg(long, value_name = "COLUMN")]
    pub(crate) labels: String,
    /// At least this share of all records is right: a fraction such as 342/360, a percentage, a decimal, or max
    #[arg(long, value_name = "SHARE", required_unless_present = "claim")]
    pub(crate) at_least: Option<String>,
    /// Another condition, such as 'recall[malignant] >= 0.9' or 'gap(recall[malignant]) <= 5% by site'; may be repeated
    #[arg(long, value_name = "CONDITION")]
    pub(crate) claim: Vec<String>,
    /// Column that tells groups apart, for every --claim that names none
    #[arg(long, value_name = "COLUMN", requires = "claim")]
    pub(crate) by: Option<String>,
    /// Prove in so many chunks, each about a part of the records [default: as few as take 4 GiB of memory each]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65536))]
    pub(crate) chunks: Option<u32>,
    /// Prove only chunk I of N, counted from 1: the output is a chunk file for `tacit merge`
    #[arg(long, value_name = "I/N", conflicts_with_all = ["chunks", "work", "hide"])]
    pub(crate) chunk: Option<OneChunk>,
    /// Folder for finished chunks, from which a proof that was cut off goes on [default: PROOF.work]
    #[arg(long, value_name = "DIR")]
    pub(crate) work: Option<PathBuf>,
    /// State only a commitment to the test set, records and labels
    #[arg(long, value_enum, value_delimiter = ',', value_name = "PARTS")]
    pub(crate) hide: Vec<HiddenOfTest>,
    /// State the commitment to the test set that `tacit dataset commit` made
    #[arg(long, value_name = "data.secret", conflicts_with = "chunk")]
    pub(crate) data_opening: Option<PathBuf>,
    /// State these in the claim (weights: the card must have been made with --public-weights)
    #[arg(long, value_enum, value_delimiter = ',', value_name = "PARTS")]
    pub(crate) reveal: Vec<RevealedOfTest>,
}

/// One of several chunks, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OneChunk {
    /// Which.
    pub(crate) number: u32,
    /// Of how many.
    pub(crate) count: u32,
}

impl std::str::FromStr for OneChunk {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
        match parts {
            Some((number, count)) if (1..=count).contains(&number) && count <= 65_536 => {
                Ok(Self { number, count })
            }
            _ => Err("write 1/4 for the first of four chunks; at most 65536".to_owned()),
        }
    }
}

/// What of a test set's proof can be hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum HiddenOfTest {
    /// Records and labels: nobody but the prover has seen them
    Data,
}

/// What of a test set's proof can be revealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RevealedOfTest {
    /// The verifier recomputes the weights' commitment from the model file
    Weights,
}

/// `tacit prove predictions`
#[derive(Debug, Args)]
#[command(
    about = "Prove what the model predicts for every record of a test set",
    long_about = "Prove what the model of a card predicts for every record of a test set.\n\n\
        The predictions become public, in the proof and in a CSV file beside it: whatever is computed from them (kappa, with \
        --outputs also AUC or log-loss) is then ordinary arithmetic. With --outputs the model's output integers are public \
        too; they tell more of the weights than classes do.",
    after_help = "Example:\n  tacit prove predictions --model model.tacit --opening card/opening.secret \\\n      \
        --data test.csv --predictions predictions.csv -o predictions.proof"
)]
pub(crate) struct ProvePredictions {
    #[command(flatten)]
    pub(crate) proving: Proving,
    /// The test set: CSV with a header, .npy, .npz or JSON
    #[arg(long, value_name = "TEST")]
    pub(crate) data: PathBuf,
    /// Also publish the outputs (logits), not the classes alone
    #[arg(long)]
    pub(crate) outputs: bool,
    /// Write the predictions here as CSV
    #[arg(long, value_name = "OUT.csv")]
    pub(crate) predictions: Option<PathBuf>,
    /// State these in the claim (weights: the card must have been made with --public-weights)
    #[arg(long, value_enum, value_delimiter = ',', value_name = "PARTS")]
    pub(crate) reveal: Vec<RevealedOfTest>,
}

/// `tacit dataset`
#[derive(Debug, Subcommand)]
pub(crate) enum DatasetCommand {
    /// The canonical digest of a test set, which claims name
    #[command(
        long_about = "The canonical digest of a test set: over names and decimals of the features, the records in order, the \
            labels and the columns that tell groups apart. It is the same for every file format and whatever the order of \
            columns; claims and competitions name it.",
        after_help = "Example:\n  tacit dataset digest test.csv --schema schema.json --labels diagnosis"
    )]
    Digest {
        /// The test set: CSV with a header, .npy, .npz or JSON
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Names and decimals of the features, names of the classes
        #[arg(long, value_name = "FILE")]
        schema: PathBuf,
        /// Column or array that holds the labels
        #[arg(long, value_name = "COLUMN")]
        labels: Option<String>,
        /// Column that tells groups apart; may be repeated
        #[arg(long, value_name = "COLUMN")]
        by: Vec<String>,
    },
    /// Commit to a test set that stays hidden, ahead of any proof
    #[command(
        long_about = "Commit to a test set that stays hidden, records and labels, for every engine of the card.\n\n\
            Hand the commitments, which are printed, to whoever will verify; proofs made with --data-opening show them. \
            Nobody vouches for such a test set but its owner, who is the prover.",
        after_help = "Example:\n  tacit dataset commit test.csv --card card.json --labels diagnosis -o data.secret"
    )]
    Commit {
        /// The test set: CSV with a header, .npz or JSON
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The card of the model that will be tested
        #[arg(long, value_name = "card.json")]
        card: PathBuf,
        /// Column or array that holds the labels
        #[arg(long, value_name = "COLUMN")]
        labels: String,
        /// What opens the commitments: secret
        #[arg(short, long, value_name = "data.secret")]
        output: PathBuf,
        #[command(flatten)]
        force: Force,
    },
}

/// `tacit prove inference`
#[derive(Debug, Args)]
#[command(
    about = "Prove what the model answers on a record",
    long_about = "Prove what the model of a card answers on a record.\n\n\
        Weights and record are hidden and the answer is public, unless --reveal and --hide say otherwise.\n\n\
        With --reveal class, --reveal top-k=K or --claim the answer stays hidden but for what they state; all of it is proved \
        together:\n\
        \u{20} --reveal class                     the predicted class\n\
        \u{20} --reveal top-k=3                   which three classes come first, in no particular order\n\
        \u{20} --claim 'malignant >= 0.8'         the probability, of a model that ended in a sigmoid or a softmax of two; \
        otherwise the output\n\
        \u{20} --claim 'output[malignant] < 2.5'  an output in its own unit (a logit); `output` where there is one; also by index\n\
        \u{20} --claim 'margin[malignant] > 1'    by how much the logit exceeds every other\n\n\
        Signs are >=, >, <= and <. An answer that misses a bound is told so before any proving (exit code 1).",
    after_help = "Examples:\n  tacit prove inference --model model.tacit --opening card/opening.secret \\\n      \
        --input patient.csv --row 0 --context \"request 1\" -o answer.proof\n  \
        tacit prove inference --model model.tacit --opening card/opening.secret \\\n      \
        --input-opening input.secret -o answer.proof\n  \
        tacit prove inference --model model.tacit --opening card/opening.secret \\\n      \
        --input patient.csv --row 0 --reveal class --claim 'malignant >= 0.8' -o answer.proof"
)]
pub(crate) struct ProveInference {
    #[command(flatten)]
    pub(crate) proving: Proving,
    /// Records: CSV with a header, .npy, .npz or JSON
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "input_opening",
        conflicts_with = "input_opening"
    )]
    pub(crate) input: Option<PathBuf>,
    /// Which record, counted from 0; needed where there are several
    #[arg(long, value_name = "N", requires = "input")]
    pub(crate) row: Option<usize>,
    /// A record committed to before, instead of --input: the proof shows the same commitment
    #[arg(long, value_name = "input.secret")]
    pub(crate) input_opening: Option<PathBuf>,
    /// State these in the claim: input, weights (the card must have been made with --public-weights); or of the answer only its
    /// class or its first classes: class, top-k=K
    #[arg(long, value_delimiter = ',', value_name = "PARTS")]
    pub(crate) reveal: Vec<Revealed>,
    /// State of the answer only that it meets this bound, such as 'malignant >= 0.8'; may be repeated
    #[arg(long, value_name = "CONDITION", allow_hyphen_values = true)]
    pub(crate) claim: Vec<String>,
    /// State only a commitment to these; PROOF.answer.secret is what opens the answer
    #[arg(long, value_enum, value_delimiter = ',', value_name = "PARTS", conflicts_with = "claim")]
    pub(crate) hide: Vec<Hidden>,
}

/// What can be revealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Revealed {
    /// The record stands in the claim.
    Input,
    /// The verifier recomputes the weights' commitment from the model file.
    Weights,
    /// Of the answer, its class.
    Class,
    /// Of the answer, so many of its first classes.
    Top(u32),
}

impl std::str::FromStr for Revealed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "input" => Ok(Self::Input),
            "weights" => Ok(Self::Weights),
            "class" => Ok(Self::Class),
            _ => text.strip_prefix("top-k=").and_then(|k| k.parse().ok()).map(Self::Top).ok_or_else(|| {
                "write input, weights, class, or top-k=3 for the three first classes".to_owned()
            }),
        }
    }
}

/// What can be hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Hidden {
    /// Only a commitment to the answer stands in the claim
    Output,
}

/// `tacit merge`
#[derive(Debug, Args)]
#[command(
    about = "Join the chunks of an accuracy proof",
    long_about = "Join the chunks of an accuracy proof that `tacit prove accuracy --chunk` made, in any order.\n\n\
        Every chunk is verified. A missing, repeated or foreign chunk is refused. The proof is as good as one made in one \
        go; chunk files tell the sums over their records: delete them when the proof is made.",
    after_help = "Example:\n  tacit merge 1.chunk 2.chunk 3.chunk --card card.json --data test.csv -o accuracy.proof"
)]
pub(crate) struct Merge {
    /// The chunks
    #[arg(value_name = "CHUNK", required = true)]
    pub(crate) chunks: Vec<PathBuf>,
    /// The card
    #[arg(long, value_name = "card.json")]
    pub(crate) card: PathBuf,
    /// The test set
    #[arg(long, value_name = "TEST")]
    pub(crate) data: PathBuf,
    /// Column or array of the test set that holds the labels [default: the one that the claim names]
    #[arg(long, value_name = "COLUMN")]
    pub(crate) labels: Option<String>,
    /// The proof
    #[arg(short, long, value_name = "PROOF")]
    pub(crate) output: PathBuf,
    #[command(flatten)]
    pub(crate) force: Force,
}

/// `tacit verify`
#[derive(Debug, Args)]
#[command(
    about = "Verify a proof against a card",
    long_about = "Verify a proof against a card.\n\n\
        Prints the verdict, the claim as a sentence, what stays hidden, what nobody vouches for and the setup, if there \
        is one. Pin what you know with --expect-card, --pin, --expect-input and --context: a proof that holds says nothing about \
        whose card it is. The engine is the claim's. A sumcheck card's certificate is checked once and remembered; \
        card.points must lie beside the card unless the card is small enough to hold it.",
    after_help = "Examples:\n  tacit verify answer.proof --card card.json --context \"request 1\"\n  \
        tacit verify accuracy.proof --card card.json --data test.csv --labels diagnosis\n  \
        tacit verify disclosed.proof --pin FINGERPRINT        a proof that brings its card"
)]
pub(crate) struct Verify {
    /// The proof
    #[arg(value_name = "PROOF")]
    pub(crate) proof: PathBuf,
    /// The card of the model; a file that `tacit patient prove-to` made holds it
    #[arg(long, value_name = "card.json")]
    pub(crate) card: Option<PathBuf>,
    /// The model file, where the weights are public
    #[arg(long, value_name = "MODEL.tacit")]
    pub(crate) model: Option<PathBuf>,
    /// The test set, where the claim is about a public one
    #[arg(long, value_name = "TEST")]
    pub(crate) data: Option<PathBuf>,
    /// Column or array of the test set that holds the labels [default: the one that the claim names]
    #[arg(long, value_name = "COLUMN", requires = "data")]
    pub(crate) labels: Option<String>,
    /// The predictions must be those in this file
    #[arg(long, value_name = "FILE.csv")]
    pub(crate) predictions: Option<PathBuf>,
    /// Refuse any other card (exit code 3)
    #[arg(long, value_name = "ID")]
    pub(crate) expect_card: Option<CardId>,
    /// Refuse a card that this owner did not sign (exit code 3)
    #[arg(long, value_name = "FINGERPRINT")]
    pub(crate) pin: Option<Fingerprint>,
    /// The record must be the one committed to as this
    #[arg(long, value_name = "COMMITMENT", value_parser = commitment_pin)]
    pub(crate) expect_input: Option<CommitmentPin>,
    /// The proof must have been made for this
    #[arg(long, value_name = "STRING")]
    pub(crate) context: Option<Context>,
    /// The hidden answer must be the one in this file; it is printed
    #[arg(long, value_name = "PROOF.answer.secret")]
    pub(crate) answer: Option<PathBuf>,
    /// halo2 engine: accept the unsafe development setup, under which anybody can forge proofs
    #[arg(long)]
    pub(crate) allow_dev_srs: bool,
    /// Sign what was found of the proof with this identity, for those who trust you and cannot verify
    #[arg(long, value_name = "owner.key", conflicts_with = "allow_dev_srs")]
    pub(crate) attest: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) unlock: Passphrase,
    /// The signed verdict [default: PROOF.verdict.json]
    #[arg(long, value_name = "OUT", requires = "attest")]
    pub(crate) attestation: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) force: Force,
}

/// `tacit attestation`
#[derive(Debug, Args)]
#[command(
    about = "Check a verifier's signed verdict",
    long_about = "Check a verdict that `tacit verify --attest` signed, and print it.\n\n\
        The verdict is the verifier's word: an in-toto statement in a DSSE envelope. --verifier says whose word is \
        expected, as `tacit inspect owner.key` prints it. Exit code 0 says that this verifier found that the claim holds, 1 \
        that it does not, or that the verdict is not this verifier's, or about another proof or card.",
    after_help = "Example:\n  tacit attestation accuracy.proof.verdict.json --verifier FINGERPRINT --proof accuracy.proof"
)]
pub(crate) struct Attestation {
    /// The signed verdict
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Fingerprint of the verifier
    #[arg(long, value_name = "FINGERPRINT")]
    pub(crate) verifier: Fingerprint,
    /// The proof that the verdict must be about
    #[arg(long, value_name = "PROOF")]
    pub(crate) proof: Option<PathBuf>,
    /// The card that the verdict must be about
    #[arg(long, value_name = "ID")]
    pub(crate) expect_card: Option<CardId>,
}

/// `tacit inspect`
#[derive(Debug, Args)]
#[command(
    about = "Say what a file holds and what it would reveal",
    long_about = "Say what a file holds and what it would reveal: a model, card, card's points, proof, opening, key, \
        schema, setup or ONNX file, what belongs to a competition, or a signed verdict. Secrets are never printed.",
    after_help = "Examples:\n  tacit inspect card.json\n  tacit inspect answer.proof --card card.json"
)]
pub(crate) struct Inspect {
    /// The file
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// For a proof: the card, to read the claim as a sentence
    #[arg(long, value_name = "card.json")]
    pub(crate) card: Option<PathBuf>,
}

/// `tacit srs`
#[derive(Debug, Subcommand)]
pub(crate) enum Srs {
    /// Install the setup of a ceremony
    #[command(
        long_about = "Install the setup of a ceremony, in the .ptau format of snarkjs for BN254. The published files of \
            Perpetual Powers of Tau are recognised by their hash.",
        after_help = "Example:\n  tacit srs import powersOfTau28_hez_final_14.ptau"
    )]
    Import {
        /// The file
        #[arg(value_name = "FILE.ptau")]
        file: PathBuf,
        /// Keep setups for circuits of up to 2^K rows
        #[arg(long, value_name = "K", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=28))]
        max_k: u32,
    },
    /// Make an UNSAFE setup for development: anybody can forge proofs under it
    #[command(after_help = "Example:\n  tacit srs unsafe-dev --k 12")]
    UnsafeDev {
        /// For circuits of up to 2^K rows
        #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..=22))]
        k: u32,
    },
    /// List the installed setups
    #[command(after_help = "Example:\n  tacit srs info")]
    Info,
}

/// `tacit demo`
#[derive(Debug, Subcommand)]
pub(crate) enum Demo {
    /// A diagnosis with a proof: 30 measurements, a private model, and attacks that fail
    #[command(after_help = "Example:\n  tacit demo medical")]
    Medical,
    /// A competition with proofs for scores: three private models, a sealed test set, and cheats that are caught
    #[command(after_help = "Examples:\n  tacit demo kaggle\n  tacit demo kaggle --keep cup")]
    Kaggle {
        /// Keep the competition's folder and everybody's files here
        #[arg(long, value_name = "DIR")]
        keep: Option<PathBuf>,
    },
}

/// What unlocks an identity that is protected by a passphrase.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Passphrase {
    /// File with the passphrase of an encrypted key [default: asked for on the terminal]
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
}

/// For commands that write files.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Force {
    /// Replace files that exist
    #[arg(short, long)]
    pub(crate) force: bool,
}

/// A commitment in full or its SHA-256: the short form that sentences show would match nothing.
fn commitment_pin(text: &str) -> Result<CommitmentPin, String> {
    let pin: CommitmentPin = text.parse().map_err(|e| format!("{e}"))?;
    match &pin {
        CommitmentPin::Whole(commitment) if commitment.as_bytes().len() < 32 => {
            Err("a commitment has at least 64 hexadecimal digits; this is a part of one".to_owned())
        }
        _ => Ok(pin),
    }
}
