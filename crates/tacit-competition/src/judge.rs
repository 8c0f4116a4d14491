//! What this crate leaves to others: reading test sets and verifying proofs.

use std::path::Path;

use tacit_claim::{Bundle, Card, CardPoints, Context, Fraction};
use tacit_model::Dataset;

use crate::competition::Competition;

/// What a proof shows: a bound on the competition's metric, and the claim that it is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Score {
    /// The proved bound in the terms of the claim, such as 342 of 360 records.
    pub value: Fraction,
    /// The claim.
    pub sentence: String,
}

/// Which of two scores is the better one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// The larger: shares of what is right.
    Larger,
    /// The smaller: errors, shares of what is wrong.
    Smaller,
}

impl Better {
    /// `Less` where `a` is better than `b`.
    pub(crate) fn compare(self, a: &Score, b: &Score) -> std::cmp::Ordering {
        let cross = |a: Fraction, b: Fraction| u128::from(a.numerator()) * u128::from(b.denominator());
        let by_size = cross(a.value, b.value).cmp(&cross(b.value, a.value));
        match self {
            Self::Larger => by_size.reverse(),
            Self::Smaller => by_size,
        }
    }
}

/// A submission that is about a registered card, for this competition and its submitter; its proof is not
/// verified.
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
    /// The published test set. The claim must name its digest.
    pub data: &'a Dataset,
}

/// Reads test sets and verifies proofs.
pub trait Judge {
    /// Reads the test set in the file at `data` by the competition's schema, with its labels and groups.
    ///
    /// # Errors
    /// What is wrong with the file.
    fn read_test_set(&self, competition: &Competition, data: &Path) -> Result<Dataset, String>;

    /// Whether larger or smaller values of the competition's metric are better.
    fn better(&self, _competition: &Competition) -> Better {
        Better::Larger
    }

    /// Verifies a submission. An implementation must check that the claim is of the competition's metric and
    /// nothing else, that it names the test set's digest, and that the proof
    /// holds.
    ///
    /// # Errors
    /// Why the submission counts for nothing.
    fn judge(&self, submission: &Submission<'_>) -> Result<Score, String>;
}
