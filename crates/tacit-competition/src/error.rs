//! Why an operation failed, and why something in the folder does not count.

use std::path::PathBuf;

use tacit_claim::{BundleError, CardError, CardId, Context, Fingerprint, PointsError};
use tacit_core::{CoreError, Outcome};

use crate::competition::TermsError;
use crate::head::HeadError;
use crate::ids::{CompetitionId, TestSetDigest};
use crate::receipt::ReceiptError;
use crate::text::shown;
use tacit_claim::strict_json::FormatError;

/// Why an operation on a competition's folder failed as a whole.
#[derive(Debug, thiserror::Error)]
pub enum CompetitionError {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] CoreError),
    /// Something other than a folder stands on the way to a file.
    #[error("{} is a file or a link where a folder should be", .0.display())]
    NotAFolder(PathBuf),
    /// A file is there with other content; nothing is ever replaced.
    #[error("{} is already there and holds something else", .0.display())]
    Differs(PathBuf),
    /// More files than any competition has.
    #[error("{} holds more than {max} files", path.display())]
    TooMany {
        /// The folder.
        path: PathBuf,
        /// Most that are looked at.
        max: usize,
    },
    /// `competition.json` or the terms for it.
    #[error(transparent)]
    Terms(#[from] TermsError),
    /// Another competition than the one that was asked for.
    #[error("the folder holds competition {actual}, not {expected}")]
    OtherCompetition {
        /// The one asked for.
        expected: CompetitionId,
        /// The one found.
        actual: CompetitionId,
    },
    /// A key that is not the host's.
    #[error("the key {actual} is not that of the competition's host {host}")]
    NotHost {
        /// The host.
        host: Fingerprint,
        /// The key given.
        actual: Fingerprint,
    },
    /// The host never signed a head.
    #[error("the log has no signed head: opening the competition was interrupted")]
    NoHead,
    /// A signed head in the folder that is none.
    #[error("log head {size} {source}")]
    Head {
        /// Entries according to the file's name.
        size: u64,
        /// What is wrong with it.
        source: HeadError,
    },
    /// An entry that a signed head counts is not there.
    #[error("log entry {index} is missing, though the host signed a head of {size} entries")]
    MissingEntry {
        /// The entry.
        index: u64,
        /// Entries that were signed.
        size: u64,
    },
    /// The entries are not those that the host signed.
    #[error(
        "the first {size} entries of the log are not those that the host signed: the log was rewritten (according to {shown_by})"
    )]
    Rewritten {
        /// Size of the smallest head that does not fit.
        size: u64,
        /// Where that head stands.
        shown_by: HeadSource,
    },
    /// The folder has an older log than the one known.
    #[error(
        "the log has {actual} signed entries, but {shown_by} shows that the host signed {expected}: entries were taken out"
    )]
    Shortened {
        /// Entries that are known to have been signed.
        expected: u64,
        /// Entries that are signed in the folder.
        actual: u64,
        /// Where the larger head stands.
        shown_by: HeadSource,
    },
    /// An entry that the host signed is unusable.
    #[error("log entry {index}: {reason}")]
    Entry {
        /// The entry.
        index: u64,
        /// What is wrong with it.
        reason: EntryProblem,
    },
    /// An entry behind the last signed head that the host would not have written.
    #[error("log entry {index}, which no head counts yet, is not one to sign: {reason}")]
    UnsignedEntry {
        /// The entry.
        index: u64,
        /// What is wrong with it.
        reason: Box<Reason>,
    },
    /// The log is full.
    #[error("the log is full")]
    Full,
    /// A receipt that is none.
    #[error(transparent)]
    Receipt(#[from] ReceiptError),
    /// A head that the caller brought is none of this log.
    #[error("the head that you hold {0}")]
    HeldHead(HeadError),
    /// Salt and digest are not those that the competition sealed.
    #[error("salt and digest are not those that the competition sealed when it was opened")]
    Seal,
    /// The published salt and digest are not those that were sealed: the host changed the test set.
    #[error(
        "the host published another test set than the one that the competition sealed when it was opened"
    )]
    Reveal,
    /// The file is not the test set.
    #[error("{} is not the sealed test set: its digest is {actual}, not {expected}", path.display())]
    TestSet {
        /// The file.
        path: PathBuf,
        /// The digest that was sealed.
        expected: TestSetDigest,
        /// The file's.
        actual: TestSetDigest,
    },
    /// The published file is not the one that the log names.
    #[error("{} is not the file that the host published", .0.display())]
    DataFile(PathBuf),
    /// The file cannot be read as a test set of the competition.
    #[error("{}: {reason}", path.display())]
    Data {
        /// The file.
        path: PathBuf,
        /// The judge's reason.
        reason: String,
    },
    /// A kind of file that is not published.
    #[error("{} is not named as a test set: .csv, .npz or .json", .0.display())]
    DataFormat(PathBuf),
    /// The test set is out.
    #[error("the test set was published already, by log entry {0}")]
    Published(u64),
    /// The test set is not out.
    #[error("the test set is not published yet: there is nothing to prove anything about")]
    NotPublished,
    /// What a competitor asked for would be refused.
    #[error(transparent)]
    Refused(#[from] Reason),
}

/// Where a head of the log was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadSource {
    /// In the competition's folder.
    Folder,
    /// In a receipt for this card.
    Receipt(CardId),
    /// In the caller's hands.
    Held,
}

impl std::fmt::Display for HeadSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Folder => f.write_str("a signed head in the folder"),
            Self::Receipt(card) => write!(f, "the receipt of card {}", card.short()),
            Self::Held => f.write_str("a head that was kept"),
        }
    }
}

/// What is wrong with an entry that the host signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryProblem {
    /// Its form.
    #[error("it {0}")]
    Format(#[from] FormatError),
    /// It says that it is another entry, of this or of another competition.
    #[error("it is an entry of another place in the log or of another competition")]
    Place,
    /// Entry 0 is the opening, and no other.
    #[error("the opening is entry 0, and no other entry is")]
    Opening,
}

/// Why a request, a registration or a submission does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// A name that no file here has.
    #[error("the name is not that of a file of this kind")]
    Name,
    /// The file's content is not what its name says.
    #[error("the content is not what the name says")]
    Content,
    /// The file could not be read.
    #[error("{0}")]
    File(String),
    /// The form.
    #[error("the request {0}")]
    Request(#[from] FormatError),
    /// Made for another competition.
    #[error("the request is for another competition")]
    OtherCompetition,
    /// The card's file is not there.
    #[error("there is no card {}", .0.short())]
    NoCard(CardId),
    /// The card is unusable.
    #[error(transparent)]
    Card(#[from] CardError),
    /// The points beside the card are unusable.
    #[error(transparent)]
    Points(#[from] PointsError),
    /// The points beside the card are not those that it names, or are missing.
    #[error("the card's points are missing, or not those that the card names")]
    OtherPoints,
    /// A card for other records.
    #[error("the card is for other features or classes than the competition's")]
    Schema,
    /// A card registered by somebody who did not sign it.
    #[error("the card belongs to {owner}, not to {claimed} who asks for it")]
    NotOwner {
        /// Who signed the card.
        owner: Fingerprint,
        /// Who signed the request.
        claimed: Fingerprint,
    },
    /// The card was registered before.
    #[error("the card is registered already, by log entry {0}")]
    SameCard(u64),
    /// The owner registered another card before: the first counts.
    #[error("its owner registered a card already, by log entry {0}, and the first registration counts")]
    SameOwner(u64),
    /// Registered after the test set was known.
    #[error("registered after the test set was published by log entry {0}: late")]
    Late(u64),
    /// A second publication.
    #[error("the test set was published already, by log entry {0}")]
    Republished(u64),
    /// Salt and digest of a publication are not those that were sealed.
    #[error("salt and digest are not those that the competition sealed")]
    Seal,
    /// The proof file is unusable.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// A proof about another card.
    #[error("the proof is about card {}, not about {}", actual.short(), expected.short())]
    OtherCard {
        /// The card under which it was submitted.
        expected: CardId,
        /// The card that the claim names.
        actual: CardId,
    },
    /// A proof about a card that takes no part.
    #[error("no registration of card {} counts", .0.short())]
    NotRegistered(CardId),
    /// A proof made for something or somebody else.
    #[error("the proof was made for «{}», not for «{expected}»", shown(actual.as_str()))]
    OtherContext {
        /// This competition and submitter.
        expected: Context,
        /// The claim's.
        actual: Context,
    },
    /// Nothing can be judged before the test set is published.
    #[error("the test set is not published yet")]
    NotPublished,
    /// The judge's.
    #[error("{0}")]
    Judged(String),
}

impl CompetitionError {
    /// What the error means for whoever asked.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::File(e) => e.outcome(),
            Self::OtherCompetition { .. } => Outcome::Policy,
            Self::Head { .. }
            | Self::MissingEntry { .. }
            | Self::Rewritten { .. }
            | Self::Shortened { .. }
            | Self::Entry { .. }
            | Self::UnsignedEntry { .. }
            | Self::Receipt(_)
            | Self::HeldHead(_)
            | Self::Seal
            | Self::Reveal
            | Self::TestSet { .. }
            | Self::DataFile(_)
            | Self::Refused(_) => Outcome::DoesNotHold,
            Self::Terms(TermsError::Format(FormatError::Signature)) => Outcome::DoesNotHold,
            _ => Outcome::Unusable,
        }
    }

    /// What to do next.
    #[must_use]
    pub fn advice(&self) -> Option<String> {
        let text = match self {
            Self::File(e) => return e.advice(),
            Self::Differs(_) => "move it away if it is not yours: nothing in a competition is ever replaced",
            Self::OtherCompetition { .. } => "ask the host for the folder of the competition that you mean",
            Self::NotHost { .. } => "name the key that opened the competition",
            Self::NoHead => "the host opens it again with the same terms and key",
            Self::Rewritten { .. } | Self::Shortened { .. } => {
                "do not rely on this log; keep the folder and your receipt: together they show what the host signed"
            }
            Self::MissingEntry { .. } | Self::Head { .. } => {
                "fetch the folder again; if it stays so, ask the host"
            }
            Self::UnsignedEntry { .. } => {
                "look at the file: if an interrupted run of yours did not write it, take it away"
            }
            Self::Seal => "name the seal that was written when the competition was opened",
            Self::TestSet { .. } => "name the file that was sealed, unchanged",
            Self::NotPublished => "wait until the host publishes the test set",
            _ => return None,
        };
        Some(text.to_owned())
    }
}
