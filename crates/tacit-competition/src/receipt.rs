//! What a competitor keeps: that an entry was in the log when the host signed a head of it.

use serde::{Deserialize, Serialize};

use crate::competition::Competition;
use crate::entry::{Entry, Event, MAX_ENTRIES, MAX_ENTRY, Registration};
use crate::head::{Head, HeadError, MAX_NOTE};
use crate::ids::TreeHash;
use crate::tree::{BadTreeProof, Tree};
use tacit_claim::format_tag;
use tacit_claim::strict_json::{self as json, FormatError};

/// Hashes of the longest proof in a tree of [`MAX_ENTRIES`] leaves.
const MAX_PROOF: usize = MAX_ENTRIES.ilog2() as usize + 1;
/// Longest file that is read, in bytes: a note in JSON may take six times its length.
const MAX_FILE: usize = 2 * MAX_ENTRY + 6 * MAX_NOTE + 70 * MAX_PROOF;

format_tag!(ReceiptTag, Receipt::FORMAT);

/// A registration, the signed head of a log that holds it, and the proof that it does. The host cannot take
/// the card out of the log, nor move it behind the publication, without two signed heads that contradict one
/// another: this one and the later.
///
/// Read from a file it is what somebody wrote; [`Receipt::verify`] checks it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    entry: Entry,
    format: ReceiptTag,
    head: String,
    inclusion: Vec<TreeHash>,
}

/// Why a receipt is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// The file's form.
    #[error("the receipt {0}")]
    Format(#[from] FormatError),
    /// A receipt of another competition.
    #[error("the receipt is of another competition")]
    Competition,
    /// A receipt of something other than a registration.
    #[error("the receipt is of no registration")]
    Event,
    /// The head in it.
    #[error("the head in the receipt {0}")]
    Head(#[from] HeadError),
    /// The entry is not in the tree.
    #[error("the receipt's entry is not under its head: {0}")]
    Tree(#[from] BadTreeProof),
}

impl Receipt {
    /// Format name and version of a receipt's file.
    pub const FORMAT: &'static str = "tacit.competition-receipt/1";

    /// The receipt of `entry` in a tree that `head` signs. `None` where the tree is not that of the head or
    /// does not hold the entry.
    #[must_use]
    pub fn new(entry: &Entry, tree: &Tree, head: &Head) -> Option<Self> {
        let inclusion = tree.prove_inclusion(entry.index())?;
        let is_in = tree.root() == head.root() && tree.leaf(entry.index())? == entry.to_json();
        let head = head.note().to_owned();
        is_in.then(|| Self { entry: entry.clone(), format: ReceiptTag, head, inclusion })
    }

    /// Reads a receipt's file.
    ///
    /// # Errors
    /// [`FormatError`] for anything but the canonical form.
    pub fn from_json(bytes: &[u8]) -> Result<Self, FormatError> {
        json::read(bytes, MAX_FILE, Self::FORMAT)
    }

    /// The file's bytes.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        json::write(self)
    }

    /// The entry.
    #[must_use]
    pub const fn entry(&self) -> &Entry {
        &self.entry
    }

    /// What was registered.
    #[must_use]
    pub fn registration(&self) -> Option<&Registration> {
        match self.entry.event() {
            Event::Registration(registration) => Some(registration),
            _ => None,
        }
    }

    /// Checks that the host of `competition` signed a head of a log with this registration in its place.
    /// Whether the log of today continues that one is for [`crate::Folder::log`] to say, which takes
    /// receipts.
    ///
    /// # Errors
    /// [`ReceiptError`].
    pub fn verify(&self, competition: &Competition) -> Result<Head, ReceiptError> {
        if self.entry.competition() != competition.id() {
            return Err(ReceiptError::Competition);
        }
        if self.registration().is_none() {
            return Err(ReceiptError::Event);
        }
        let head = Head::open(self.head.as_bytes(), &competition.log_name(), competition.host())?;
        head.root().verify_inclusion(&self.entry.to_json(), self.entry.index(), &self.inclusion)?;
        Ok(head)
    }
}
