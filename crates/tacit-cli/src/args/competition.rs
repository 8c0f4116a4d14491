//! `tacit competition`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use tacit_claim::ColumnName;
use tacit_competition::{CompetitionId, CompetitionName, DisplayName, Origin};

use super::{Force, Passphrase};

/// `tacit competition`
#[derive(Debug, Subcommand)]
pub(crate) enum Competition {
    /// Open a competition, with the test set sealed
    Init(Box<Init>),
    /// Ask to compete with a card
    Register(Register),
    /// Take the pending requests into the log
    Accept(Accept),
    /// Publish the test set
    Publish(Publish),
    /// Print what a proof for the competition must be made for
    Context(ContextOf),
    /// Submit a proof
    Submit(Submit),
    /// Make a card's receipt from the log
    Receipt(MakeReceipt),
    /// Check everything and print the leaderboard
    Rank(Rank),
}

/// What the caller knows of the competition already.
#[derive(Debug, Clone, Args)]
pub(crate) struct Pins {
    /// Refuse any other competition (exit code 3)
    #[arg(long, value_name = "ID", value_parser = competition_id)]
    pub(crate) expect: Option<CompetitionId>,
    /// A signed head of the log that was kept: the log must continue it; may be repeated
    #[arg(long = "head", value_name = "FILE")]
    pub(crate) heads: Vec<PathBuf>,
}

/// `tacit competition init`
#[derive(Debug, Args)]
#[command(
    long_about = "Open a competition in a folder, with the test set sealed.\n\n\
        Writes FOLDER/competition.json (schema, columns, metric and a salted commitment to the test set, signed), the log's \
        first entry and its first signed head. The seal opens the commitment: it is written first, outside the folder, and \
        stays secret until the test set is published. The host's key is made if it is not there.\n\n\
        --metric is what submissions are ranked by, a condition of `tacit prove accuracy --claim` without its bound: \
        accuracy, top[3], recall[malignant], mean_absolute_error, `accuracy by site` (in every group), \
        `gap(recall[malignant]) by site` (between any two).",
    after_help = "Example:\n  tacit competition init cup --name \"Digits\" --schema schema.json \\\n      \
        --data test.csv --labels digit --metric accuracy --key host.key --seal seal.secret"
)]
pub(crate) struct Init {
    /// The competition's folder; made if it is not there
    #[arg(value_name = "FOLDER")]
    pub(crate) folder: PathBuf,
    /// What the competition is called
    #[arg(long)]
    pub(crate) name: CompetitionName,
    /// Names and decimals of the features, names of the classes
    #[arg(long, value_name = "FILE")]
    pub(crate) schema: PathBuf,
    /// The test set, not shown to anybody yet: CSV with a header, .npz or JSON
    #[arg(long, value_name = "TEST")]
    pub(crate) data: PathBuf,
    /// Column or array of the test set that holds the labels
    #[arg(long, value_name = "COLUMN")]
    pub(crate) labels: ColumnName,
    /// What submissions are ranked by
    #[arg(long, value_name = "METRIC")]
    pub(crate) metric: String,
    /// Column of the test set that tells groups apart, sealed with it; may be repeated
    #[arg(long, value_name = "COLUMN")]
    pub(crate) by: Vec<ColumnName>,
    /// The host's identity; made if it is not there
    #[arg(long, value_name = "host.key")]
    pub(crate) key: PathBuf,
    #[command(flatten)]
    pub(crate) unlock: Passphrase,
    /// The secret that opens the sealed test set, outside the folder
    #[arg(long, value_name = "FILE")]
    pub(crate) seal: PathBuf,
    /// The host's name for its log: a URL without scheme, at which nothing need answer
    #[arg(long, value_name = "NAME", default_value = "tacit-competition")]
    pub(crate) origin: Origin,
}

/// `tacit competition register`
#[derive(Debug, Args)]
#[command(
    long_about = "Ask to compete with a card.\n\n\
        Copies the card (and card.points beside it) into the folder with a request that is signed with the key that signed \
        the card. The host's next `tacit competition accept` takes it into the log; `tacit competition receipt` then makes \
        the receipt. With --host-key both happen at once. Register before the test set is published: later does not count.",
    after_help = "Examples:\n  tacit competition register cup --card card/card.json --key card/owner.key --name \"Team 7\"\n  \
        tacit competition register cup --card card/card.json --key card/owner.key --name \"Team 7\" \\\n      \
        --host-key host.key --receipt receipt.json"
)]
pub(crate) struct Register {
    /// The competition's folder
    #[arg(value_name = "FOLDER")]
    pub(crate) folder: PathBuf,
    /// The card to compete with
    #[arg(long, value_name = "card.json")]
    pub(crate) card: PathBuf,
    /// The key that signed the card
    #[arg(long, value_name = "owner.key")]
    pub(crate) key: PathBuf,
    #[command(flatten)]
    pub(crate) unlock: Passphrase,
    /// What to be called on the leaderboard
    #[arg(long)]
    pub(crate) name: DisplayName,
    /// Accept the pending requests at once, as the host
    #[arg(long, value_name = "host.key")]
    pub(crate) host_key: Option<PathBuf>,
    /// Write the receipt here; keep it
    #[arg(long, value_name = "OUT", requires = "host_key")]
    pub(crate) receipt: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) pins: Pins,
    #[command(flatten)]
    pub(crate) force: Force,
}

/// `tacit competition accept`
#[derive(Debug, Args)]
#[command(
    long_about = "Take the pending requests into the log and sign its new head, as the host.\n\n\
        A request that cannot count is refused with its reason and keeps nobody else waiting. Requests that come after the \
        test set was published are logged, visibly late. Hand the receipts out, or let competitors make them with \
        `tacit competition receipt`.",
    after_help = "Example:\n  tacit competition accept cup --key host.key --receipts receipts"
)]
pub(crate) struct Accept {
    /// The competition's folder
    #[arg(value_name = "FOLDER")]
    pub(crate) folder: PathBuf,
    /// The host's key
    #[arg(long, value_name = "host.key")]
    pub(crate) key: PathBuf,
    #[command(flatten)]
    pub(crate) unlock: Passphrase,
    /// Write a receipt for each new registration into this folder, as CARD_ID.json
    #[arg(long, value_name = "DIR")]
    pub(crate) receipts: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) pins: Pins,
}

/// `tacit competition publish`
#[derive(Debug, Args)]
#[command(
    long_about = "Publish the test set, as the host.\n\n\
        Accepts what is pending, puts the file into the folder and logs salt and digest, so that everybody sees that it is \
        the test set that was sealed, and which cards were registered before.",
    after_help = "Example:\n  tacit competition publish cup --seal seal.secret --data test.csv --key host.key"
)]
pub(crate) struct Publish {
    /// The competition's folder
    #[arg(value_name = "FOLDER")]
    pub(crate) folder: PathBuf,
    /// The seal that was written when the competition was opened
    #[arg(long, value_name = "FILE")]
    pub(crate) seal: PathBuf,
    /// The test set
    #[arg(long, value_name = "TEST")]
    pub(crate) data: PathBuf,
    /// The host's key
    #[arg(long, value_name = "host.key")]
    pub(crate) key: PathBuf,
    #[command(flatten)]
    pub(crate) unlock: Passphrase,
    /// Write a receipt for each new registration into this folder, as CARD_ID.json
    #[arg(long, value_name = "DIR")]
    pub(crate) receipts: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) pins: Pins,
}

/// `tacit competition context`
#[derive(Debug, Args)]
#[command(
    long_about = "Print what a proof for the competition must be made for: pass it to `tacit prove accuracy --context`.\n\n\
        It names the competition and the card's owner, so that nobody can submit a proof of somebody else.",
    after_help = "Example:\n  tacit prove accuracy --model model.tacit --opening card/opening.secret \\\n      \
        --data cup/published/test.csv --labels digit --at-least max \\\n      \
        --context \"$(tacit competition context cup --card card/card.json)\" -o accuracy.proof"
)]
pub(crate) struct ContextOf {
    /// The competition's folder
    #[arg(value_name = "FOLDER")]
    pub(crate) folder: PathBuf,
    /// The card that is competed with
    #[arg(long, value_name = "card.json")]
    pub(crate) card: PathBuf,
    /// Refuse any other competition (exit code 3)
    #[arg(long, value_name = "ID", value_parser = competition_id)]
    pub(crate) expect: Option<CompetitionId>,
}

/// `tacit competition submit`
#[derive(Debug, Args)]
#[command(
    long_about = "Submit a proof: verify it as everybody will, and put it into the folder.\n\n\
        It must be about a registered card and the published test set, claim the competition's metric and nothing else, and \
        be made for what `tacit competition context` prints. Of several proofs the best counts.",
    after_help = "Example:\n  tacit competition submit cup accuracy.proof"
)]
pub(crate) struct Submit {
    /// The competition's folder
    #[arg(value_name = "FOLDER")]
    pub(crate) folder: PathBuf,
    /// The proof
    #[arg(value_name = "PROOF")]
    pub(crate) proof: PathBuf,
    /// A receipt that was kept: the log must continue it; may be repeated
    #[arg(long = "receipt", value_name = "FILE")]
    pub(crate) receipts: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) pins: Pins,
}

/// `tacit competition receipt`
#[derive(Debug, Args)]
#[command(
    long_about = "Make the receipt of a card's registration from the log, once the host accepted it.\n\n\
        It shows that the host signed a log with the registration in its place. Keep it outside the folder: with it \
        `tacit competition rank --receipt` finds out whether the log was rewritten since.",
    after_help = "Example:\n  tacit competition receipt cup --card card/card.json -o receipt.json"
)]
pub(crate) struct MakeReceipt {
    /// The competition's folder
    #[arg(value_name = "FOLDER")]
    pub(crate) folder: PathBuf,
    /// The card
    #[arg(long, value_name = "card.json")]
    pub(crate) card: PathBuf,
    /// The receipt; keep it
    #[arg(short, long, value_name = "OUT")]
    pub(crate) output: PathBuf,
    #[command(flatten)]
    pub(crate) pins: Pins,
    #[command(flatten)]
    pub(crate) force: Force,
}

/// `tacit competition rank`
#[derive(Debug, Args)]
#[command(
    long_about = "Check everything in a competition's folder and print the leaderboard, trusting nobody.\n\n\
        Terms, log, seal and every proof are checked; what does not count is listed with the reason. Exit code 0 says that \
        the log is sound, 1 that it is not: changed, shortened, or another than a receipt or a kept head shows. Without \
        receipts a host can still show different logs to different people.",
    after_help = "Examples:\n  tacit competition rank cup\n  \
        tacit competition rank cup --receipt receipt.json --expect ID --keep-head today.head"
)]
pub(crate) struct Rank {
    /// The competition's folder
    #[arg(value_name = "FOLDER")]
    pub(crate) folder: PathBuf,
    /// A receipt that was kept: the log must continue it; may be repeated
    #[arg(long = "receipt", value_name = "FILE")]
    pub(crate) receipts: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) pins: Pins,
    /// Write the log's signed head here, to pass it with --head another time
    #[arg(long, value_name = "OUT")]
    pub(crate) keep_head: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) force: Force,
}

fn competition_id(text: &str) -> Result<CompetitionId, String> {
    text.parse().map_err(|_| "a competition's id is 64 hexadecimal digits in lower case".to_owned())
}
