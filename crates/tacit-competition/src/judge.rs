//! What this crate leaves to others: reading test sets and verifying proofs.

use std::path::Path;

use tacit_claim::{Bundle, Card, CardPoints, Context};

use crate::competition::Competition;
use crate::ids::TestSetDigest;

/// A share of the test set's records, and the claim that it is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Score {
    reached: u64,
    samples: u64,
    sentence: String,
}

impl Score {
    /// At least `reached` of `samples`, as the verified claim says in `sentence`. `None` for more than all and for
    /// nothing out of nothing.
    #[must_use]
    pub fn new(reached: u64, samples: u64, sentence: String) -> Option<Self> {
        (samples > 0 && reached <= samples).then_some(Self { reached, samples, sentence })
    }

    /// The proved threshold.
    #[must_use]
    pub const fn reached(&self) -> u64 {
        self.reached
    }

    /// Records that it is out of.
    #[must_use]
    pub const fn samples(&self) -> u64 {
        self.samples
    }

    /// The claim.
    #[must_use]
    pub fn sentence(&self) -> &str {
        &self.sentence
    }

    /// The larger share is the greater.
    pub(crate) fn compare(&self, other: &Self) -> std::cmp::Ordering {
        let cross = |a: u64, b: u64| u128::from(a) * u128::from(b);
        cross(self.reached, other.samples).cmp(&cross(other.reached, self.samples))
    }
}

/// A submission that is about a registered card, for this competition and its submitter; its proof is not verified.
#[derive(Debug, Clone, Copy)]
pub struct Submission<'a> {
    /// The competition, with schema, metric and columns of the test set.
    pub competition: &'a Competition,
    /// The proof file.
    pub bundle: &'a Bundle,
    /// The registered card.
    pub card: &'a Card,
    /// Its points, where the card needs and does not carry them.
    pub points: Option<&'a CardPoints>,
    /// What the claim was made for, as it must be: it was compared.
    pub context: &'a Context,
    /// The test set's file.
    pub data: &'a Path,
    /// The test set's digest, which the claim must name.
    pub test_set: TestSetDigest,
}

/// Reads test sets and verifies proofs.
pub trait Judge {
    /// The digest of the test set in the file at `data`, by the competition's schema, labels and groups.
    ///
    /// # Errors
    /// What is wrong with the file.
    fn test_set_digest(&self, competition: &Competition, data: &Path) -> Result<TestSetDigest, String>;

    /// Verifies a submission. An implementation must check that the claim is of the competition's metric and nothing
    /// else, that it names the test set's digest and is about all of its records, and that the proof holds.
    ///
    /// # Errors
    /// Why the submission counts for nothing.
    fn judge(&self, submission: &Submission<'_>) -> Result<Score, String>;
}
