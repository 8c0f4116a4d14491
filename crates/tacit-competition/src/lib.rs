//! Competitions over a plain folder (a git repository, a bucket, a disk), with nobody to trust but the
//! arithmetic; and signed verdicts of verifiers.
//!
//! ```text
//! competition.json             what the host announces, signed; its SHA-256 is the id
//! log/00000000.json …          opening, registrations, publication, one canonical file each
//! heads/00000001 …             signed heads of the log, one for each size at which the host signed
//! cards/<card id>/card.json    the cards, and card.points beside those that need it
//! requests/<sha256>.json       signed requests of competitors
//! published/test.csv           the test set (.csv, .npz or .json), once it is published
//! submissions/<card id>/<sha256>.proof
//! ```
//!
//! Receipts are files that competitors keep outside. The host's seal of the test set is a secret until
//! publication. No file is ever replaced; whatever strangers write to the folder is read with care.
//!
//! The order of things is what a proof cannot show by itself: an accuracy proof says nothing of how a model
//! was trained. So the host [opens](Folder::open) a competition with the test set [sealed](Seal); competitors
//! [register](Folder::request) cards, one each, and the host [accepts](Folder::accept) them into a log; then
//! the host [publishes](Folder::publish) the test set, as an entry of the same log; competitors
//! [submit](Folder::submit) proofs about the cards that were registered before; and anybody recomputes the
//! [leaderboard](Folder::leaderboard).
//!
//! The log is a [Merkle tree](tree) as in RFC 6962 with [signed heads](Head) in the format of C2SP. Whoever
//! holds a [receipt](Receipt) or an older head finds out a log that was rewritten since, by [`Known`].

mod competition;
mod competitor;
mod dsse;
mod entry;
mod error;
mod folder;
mod head;
mod host;
mod ids;
mod judge;
mod leaderboard;
mod ledger;
mod log;
mod receipt;
mod seal;
mod text;
pub mod tree;
mod verdict;

pub use competition::{Competition, Terms, TermsError};
pub use competitor::Submitted;
pub use dsse::EnvelopeError;
pub use entry::{DataFormat, Entry, Event, MAX_ENTRIES, Publication, Registration};
pub use error::{CompetitionError, EntryProblem, HeadSource, Reason};
pub use folder::Folder;
pub use head::{Head, HeadError};
pub use host::{Acceptance, Published, Refused};
pub use ids::{CompetitionId, FileDigest, NotHex, SealedTestSet, TestSetDigest, TreeHash};
pub use judge::{Better, Judge, Score, Submission};
pub use leaderboard::{Leaderboard, Standing};
pub use ledger::Registered;
pub use log::{Known, Log};
pub use receipt::{Receipt, ReceiptError};
pub use seal::Seal;
pub use tacit_claim::strict_json::FormatError;
pub use text::{CompetitionName, DisplayName, MetricText, Origin, TextError};
pub use verdict::{ExpectedVerifier, Finding, SignedVerdict, Tool, Verdict, VerdictError};
