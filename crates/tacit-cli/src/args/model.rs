//! `tacit quantize`, `predict`, `commit`, `commit-input`

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use tacit_claim::CardName;
use tacit_onnx::AxisLength;

use super::{Force, InputFile, Passphrase};

/// `tacit quantize`
#[derive(Debug, Args)]
#[command(
    about = "Turn an ONNX model of floats into a quantised model of exact integers",
    long_about = "Turn an ONNX model of floats into a quantised model of exact integers.\n\n\
        Scales are chosen on the calibration records. With --labels, the accuracies of the float and of the quantised \
        model on these records are printed side by side. Without --schema, names, decimals and ranges are inferred from \
        the data and written to MODEL.schema.json beside the model: the columns, the labels' apart, are the model's inputs in \
        the order of the file. Numbers in --labels are what a model with one output predicts, unless they are two whole ones; \
        the mean absolute errors are then printed. Look at the schema before committing: every record \
        within its ranges can be proved, no other can.",
    after_help = "Examples:\n  tacit quantize model.onnx --data train.csv --labels diagnosis --schema schema.json -o model.tacit\n  \
        tacit quantize model.onnx --data train.npz --labels y --shape height=28 --shape width=28 --w-bits 8 --layers -o model.tacit"
)]
pub(crate) struct Quantize {
    /// The float model
    #[arg(value_name = "MODEL.onnx")]
    pub(crate) onnx: PathBuf,
    /// Records to calibrate on: CSV with a header, .npy, .npz or JSON. Without --schema, columns are taken in the file's order
    #[arg(long, value_name = "FILE")]
    pub(crate) data: PathBuf,
    /// Column or array of the data that holds the classes, or the numbers that the model predicts
    #[arg(long, value_name = "COLUMN")]
    pub(crate) labels: Option<String>,
    /// Names, decimals and ranges of the features, names of the classes
    #[arg(long, value_name = "FILE")]
    pub(crate) schema: Option<PathBuf>,
    /// Width of the weights in bits, 2 to 16; without it 8, and wider where the model then strays from the float model
    #[arg(long = "w-bits", visible_alias = "weight-bits", value_name = "BITS", value_parser = bits::<2, 16>, allow_negative_numbers = true)]
    pub(crate) weight_bits: Option<u8>,
    /// Width of the activations in bits, 4 to 24
    #[arg(long = "a-bits", visible_alias = "activation-bits", value_name = "BITS", default_value_t = 16, value_parser = bits::<4, 24>, allow_negative_numbers = true)]
    pub(crate) activation_bits: u8,
    /// Length of an axis of the model's input that the file leaves open, by the axis's name in the file or as INPUT.AXIS,
    /// counted from 0; as often as needed
    #[arg(long, value_name = "NAME=VALUE", value_parser = axis_length)]
    pub(crate) shape: Vec<AxisLength>,
    /// The output to quantise, of a file with several
    #[arg(long, value_name = "NAME")]
    pub(crate) onnx_output: Option<String>,
    /// Keep a final softmax or sigmoid in the model, so that probabilities are proved and not only the logits before them
    #[arg(long)]
    pub(crate) probabilities: bool,
    /// Also print scale, range, error and saturation layer by layer; --json always lists them
    #[arg(long)]
    pub(crate) layers: bool,
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
    /// Column or array that holds the classes, or the numbers that the model predicts: also say how well it does
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

/// A width in bits.
fn bits<const LO: u8, const HI: u8>(text: &str) -> Result<u8, String> {
    let wrong = || format!("write a whole number from {LO} to {HI}");
    text.parse().ok().filter(|bits| (LO..=HI).contains(bits)).ok_or_else(wrong)
}

/// `height=28`: a name may hold a `=` itself.
fn axis_length(text: &str) -> Result<AxisLength, String> {
    let wrong = || "write NAME=VALUE, such as height=28 or image.2=28".to_owned();
    let (axis, length) = text.rsplit_once('=').filter(|(axis, _)| !axis.is_empty()).ok_or_else(wrong)?;
    let length = length.parse().map_err(|_| {
        format!("in NAME=VALUE the value is a positive whole number, not `{length}`, such as height=28")
    })?;
    Ok(AxisLength { axis: axis.to_owned(), length })
}
