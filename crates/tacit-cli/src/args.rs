//! The command line: names, options and help.

pub(crate) mod competition;
pub(crate) mod exchange;
pub(crate) mod model;
pub(crate) mod prove;
pub(crate) mod serve;
pub(crate) mod verify;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

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
    Quantize(model::Quantize),
    /// Run a quantised model
    Predict(model::Predict),
    Commit(model::Commit),
    CommitInput(model::CommitInput),
    /// Prove a claim about a committed model
    #[command(subcommand)]
    Prove(prove::Prove),
    Merge(prove::Merge),
    Verify(verify::Verify),
    Attestation(verify::Attestation),
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
    Inspect(verify::Inspect),
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
