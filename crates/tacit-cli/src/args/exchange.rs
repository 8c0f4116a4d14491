//! `tacit provider`, `tacit patient`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use tacit_claim::{CardId, EngineId, Fingerprint};

use super::{Force, InputFile, Passphrase};

/// The relay to talk to.
#[derive(Debug, Clone, Args)]
pub(crate) struct Relay {
    /// Address of the relay: https://host, or http://127.0.0.1:7878 on this machine
    #[arg(long, value_name = "URL")]
    pub(crate) relay: String,
    #[command(flatten)]
    pub(crate) link: Link,
}

/// How the relay is reached.
#[derive(Debug, Clone, Args)]
pub(crate) struct Link {
    /// Trust the relay by these certificates of authorities (PEM) instead of the web's
    #[arg(long, value_name = "FILE.pem")]
    pub(crate) ca: Option<PathBuf>,
    /// Speak to a relay on another machine without TLS: whoever listens sees sizes, times, card ids and the token that
    /// fetches the (sealed) answer
    #[arg(long)]
    pub(crate) plain_http: bool,
}

/// `tacit provider`
#[derive(Debug, Subcommand)]
pub(crate) enum Provider {
    Init(ProviderInit),
    Publish(ProviderPublish),
    Work(Box<ProviderWork>),
}

/// `tacit provider init`
#[derive(Debug, Args)]
#[command(
    about = "Make a provider's identity and print the fingerprint to pin",
    long_about = "Make a provider's identity: DIR/owner.key, mode 0600, never replaced.\n\n\
        Print the fingerprint where patients find it without the relay: on paper, on your own site. `tacit commit --key` \
        signs cards with the identity. With --passphrase the key file is encrypted; every command that takes --key then asks \
        for the passphrase, or reads it from --passphrase-file.",
    after_help = "Example:\n  tacit provider init clinic --passphrase\n  \
        tacit commit model.tacit --key clinic/owner.key -o card"
)]
pub(crate) struct ProviderInit {
    /// Folder for the key
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// Encrypt the key file under a passphrase, asked for on the terminal unless --passphrase-file gives it
    #[arg(long)]
    pub(crate) passphrase: bool,
    #[command(flatten)]
    pub(crate) unlock: Passphrase,
}

/// `tacit provider publish`
#[derive(Debug, Args)]
#[command(
    about = "Put a card on a relay, and the keys that requests are sealed to",
    long_about = "Put a card on a relay (and card.points beside it), with the provider's signed document: the keys that \
        requests are sealed to, where to send them, how to reach you.\n\n\
        The secret halves of these keys are kept beside the owner's key, encrypted. They live some days: `tacit provider \
        work` publishes new ones in time and deletes old ones, so that nobody who steals the key later opens what was sent \
        before. Publishing again is harmless.",
    after_help = "Example:\n  tacit provider publish --key clinic/owner.key --card card/card.json \\\n      \
        --relay https://relay.example --contact \"diagnoses@clinic.example\""
)]
pub(crate) struct ProviderPublish {
    /// The key that signed the card
    #[arg(long, value_name = "owner.key")]
    pub(crate) key: PathBuf,
    #[command(flatten)]
    pub(crate) unlock: Passphrase,
    /// The card
    #[arg(long, value_name = "card.json")]
    pub(crate) card: PathBuf,
    #[command(flatten)]
    pub(crate) relay: Relay,
    /// How patients reach you, in words
    #[arg(long, value_name = "TEXT")]
    pub(crate) contact: Option<String>,
}

/// `tacit provider work`
#[derive(Debug, Args)]
#[command(
    about = "Answer the requests that wait at a relay, each with a proof",
    long_about = "Answer the requests that wait at a relay, each with a proof.\n\n\
        Proves once on a made-up record before anything else, so that a wrong model, opening or card is found at once. Then \
        takes one request after the other, opens it, checks it, runs the model, proves the answer about the very record that \
        the patient committed to, and seals it for the patient alone. What cannot be answered is refused with the reason, \
        which the patient alone reads. Any number of workers may run side by side, on one machine or several that share the \
        key's folder; what one leaves undone another takes over. Ctrl-C finishes what is at hand; a second one gives it \
        back.",
    after_help = "Examples:\n  tacit provider work --key clinic/owner.key --model model.tacit \\\n      \
        --opening card/opening.secret --card card/card.json --relay https://relay.example\n  \
        tacit provider work … --once        answers what is waiting, and ends"
)]
pub(crate) struct ProviderWork {
    /// The key that signed the card
    #[arg(long, value_name = "owner.key")]
    pub(crate) key: PathBuf,
    #[command(flatten)]
    pub(crate) unlock: Passphrase,
    /// The quantised model
    #[arg(long, value_name = "MODEL.tacit")]
    pub(crate) model: PathBuf,
    /// The card's opening; not needed where the card's weights are public
    #[arg(long, value_name = "opening.secret", required_unless_present = "card")]
    pub(crate) opening: Option<PathBuf>,
    /// The card [default: card.json beside the opening]
    #[arg(long, value_name = "card.json")]
    pub(crate) card: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) relay: Relay,
    /// Answer what is waiting, and end
    #[arg(long)]
    pub(crate) once: bool,
    /// Requests at a time; one proof uses every core
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) parallel: u16,
    /// Seconds for which a request is kept from other workers without a sign of life: how long after a crash another takes
    /// over
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(5..=300))]
    pub(crate) lease: u64,
}

/// `tacit patient`
#[derive(Debug, Subcommand)]
pub(crate) enum Patient {
    Send(Box<PatientSend>),
    Receive(PatientReceive),
    ProveTo(PatientProveTo),
}

/// `tacit patient send`
#[derive(Debug, Args)]
#[command(
    about = "Seal a record for a provider and leave it at a relay",
    long_about = "Seal a record for a provider and leave it at a relay, which can read nothing of it.\n\n\
        Fetches the card and refuses any other than the one with this id, signed by the pinned fingerprint. Get both from the \
        provider itself, not from the relay. The request file is written before anything is sent; it holds the record and \
        everything that opens the answer: keep it secret until the answer is there. If this is interrupted, `tacit patient \
        receive` sends what was not sent.",
    after_help = "Example:\n  tacit patient send --relay https://relay.example --card ID --pin FINGERPRINT \\\n      \
        --input record.csv -o request.secret\n  tacit patient receive request.secret -o diagnosis.proof"
)]
pub(crate) struct PatientSend {
    #[command(flatten)]
    pub(crate) relay: Relay,
    /// The card's id
    #[arg(long, value_name = "ID")]
    pub(crate) card: CardId,
    /// The provider's fingerprint, tacit1…: a card that it did not sign is refused (exit code 3)
    #[arg(long, value_name = "FINGERPRINT")]
    pub(crate) pin: Fingerprint,
    #[command(flatten)]
    pub(crate) input: InputFile,
    /// The engine to prove with, sumcheck or halo2 [default: sumcheck if the card was made for it]
    #[arg(long)]
    pub(crate) engine: Option<EngineId>,
    /// The request, secret
    #[arg(short, long, value_name = "request.secret")]
    pub(crate) output: PathBuf,
    #[command(flatten)]
    pub(crate) force: Force,
}

/// `tacit patient receive`
#[derive(Debug, Args)]
#[command(
    about = "Fetch the answer to a request, verify it and print it",
    long_about = "Wait for the answer to a request, open it, verify its proof and print the diagnosis.\n\n\
        Nothing is shown before the proof was found to be about the pinned card's model, the very record that was sent, and \
        this request. A valid proof about somebody else's record is refused. The sealed answer is kept beside the request, as \
        request.secret.response, for `tacit patient prove-to`; request and answer are then deleted at the relay, unless \
        --keep says otherwise. A request that the relay does not know (any more) is sent again.",
    after_help = "Example:\n  tacit patient receive request.secret -o diagnosis.proof --wait 600\n  \
        tacit verify diagnosis.proof --card card.json        anybody, later"
)]
pub(crate) struct PatientReceive {
    /// The request that `tacit patient send` wrote
    #[arg(value_name = "request.secret")]
    pub(crate) request: PathBuf,
    /// The proof, for everybody who may know the diagnosis
    #[arg(short, long, value_name = "diagnosis.proof")]
    pub(crate) output: PathBuf,
    /// Wait so many seconds for the answer
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub(crate) wait: u64,
    /// Leave request and answer at the relay
    #[arg(long)]
    pub(crate) keep: bool,
    /// halo2 engine: accept the unsafe development setup, under which anybody can forge proofs
    #[arg(long)]
    pub(crate) allow_dev_srs: bool,
    #[command(flatten)]
    pub(crate) link: Link,
    #[command(flatten)]
    pub(crate) force: Force,
}

/// `tacit patient prove-to`
#[derive(Debug, Args)]
#[command(
    about = "Make one file that proves the diagnosis to somebody else",
    long_about = "Make one file that proves the diagnosis to somebody else: claim, proof and card together.\n\n\
        Whoever gets it checks it offline with `tacit verify FILE`, and learns the diagnosis and nothing of the record. It \
        names no request and no relay. Of a request, its answer must have been received; of a proof, name the card.",
    after_help = "Examples:\n  tacit patient prove-to request.secret -o for-the-insurer.proof\n  \
        tacit patient prove-to diagnosis.proof --card card.json -o for-the-insurer.proof\n  \
        tacit verify for-the-insurer.proof --pin FINGERPRINT"
)]
pub(crate) struct PatientProveTo {
    /// The request whose answer was received, or a proof
    #[arg(value_name = "request.secret|PROOF")]
    pub(crate) file: PathBuf,
    /// For a proof: the card of its model
    #[arg(long, value_name = "card.json")]
    pub(crate) card: Option<PathBuf>,
    /// The file for somebody else
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    #[command(flatten)]
    pub(crate) force: Force,
}
