//! `tacit verify`, `attestation`, `inspect`

use std::path::PathBuf;

use clap::Args;
use tacit_claim::{CardId, CommitmentPin, Context, Fingerprint};

use super::{Force, Passphrase};

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
