//! What a verifier keeps from one proof to the next.

use tacit_claim::{CardId, CardPoints};

use crate::folder::DataFolder;

/// What a verifier keeps: which cards' certificates it checked before, and setups. A [`DataFolder`] keeps all of it,
/// [`NoMemory`] nothing.
pub trait Memory {
    /// Whether the certificate of this card with these very points was found to hold before.
    fn is_checked(&self, card: CardId, points: &CardPoints) -> bool;

    /// Remembers that the points are the card's and that its certificate holds. May forget.
    fn mark_checked(&self, card: CardId, points: &CardPoints);

    /// Where setups and keys of the halo2 engine are.
    fn setups(&self) -> Option<&DataFolder>;
}

/// Keeps nothing, and touches no file: every certificate is checked anew, and of the engines that need setups no proof
/// can be checked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NoMemory;

impl Memory for NoMemory {
    fn is_checked(&self, _: CardId, _: &CardPoints) -> bool {
        false
    }

    fn mark_checked(&self, _: CardId, _: &CardPoints) {}

    fn setups(&self) -> Option<&DataFolder> {
        None
    }
}

impl Memory for DataFolder {
    fn is_checked(&self, card: CardId, points: &CardPoints) -> bool {
        Self::is_checked(self, card, points)
    }

    fn mark_checked(&self, card: CardId, points: &CardPoints) {
        Self::mark_checked(self, card, points);
    }

    fn setups(&self) -> Option<&DataFolder> {
        Some(self)
    }
}
