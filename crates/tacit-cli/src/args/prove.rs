//! `tacit prove`, `merge`

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use tacit_claim::{Context, EngineId};

use super::Force;

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

/// `tacit prove accuracy`
#[derive(Debug, Args)]
#[command(
    about = "Prove how well the model does on a test set",
    group = ArgGroup::new("conditions").args(["at_least", "claim"]).required(true).multiple(true),
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
    #[arg(long, value_name = "SHARE")]
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
