//! A disclosure: a proof together with the card that it is about, in one file that anybody can verify alone.
//!
//! Magic (8 bytes), version (2), then three parts, each behind its length (4): proof file, card, points (empty where the card has everything);
//! integers little-endian, nothing behind. It says nothing of whether the card is to be trusted: that is for who
//! reads it to know, by the card's id or its owner's fingerprint.

use crate::bundle::{Bundle, BundleError, part};
use crate::card::{Card, CardError};
use crate::points::{CardPoints, PointsError};

const VERSION: u16 = 1;
/// Longest part that is read, in bytes.
const MAX_PART: usize = 128 << 20;

/// A proof, its card, and what lies beside the card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disclosure {
    /// The claim with its proof.
    pub bundle: Bundle,
    /// The card that the claim names.
    pub card: Card,
    /// What lies beside the card.
    pub points: Option<CardPoints>,
}

/// Why a disclosure is refused before its proof is verified.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DisclosureError {
    /// Another format.
    #[error("not a Tacit disclosure (it does not begin with `TACITDSC`)")]
    Magic,
    /// Another version.
    #[error("disclosure version {actual} is not supported (this build reads version {expected})")]
    Version {
        /// Version that is read.
        expected: u16,
        /// Version of the file.
        actual: u16,
    },
    /// Cut short, or with bytes after its end.
    #[error("the disclosure is cut short or goes on after its end")]
    Length,
    /// Its proof file is unusable.
    #[error("in the disclosure, {0}")]
    Bundle(#[from] BundleError),
    /// Its card is unusable.
    #[error("the disclosure's card: {0}")]
    Card(#[from] CardError),
    /// Its points are unusable.
    #[error("the disclosure's points: {0}")]
    Points(#[from] PointsError),
}

impl Disclosure {
    pub(crate) const MAGIC: [u8; 8] = *b"TACITDSC";

    /// The file's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let points = self.points.as_ref().map_or_else(Vec::new, CardPoints::to_bytes);
        let mut out = [&Self::MAGIC[..], &VERSION.to_le_bytes()].concat();
        for bytes in [&self.bundle.to_bytes(), self.card.to_json(), &points] {
            let length = u32::try_from(bytes.len()).expect("every part is bounded well below 4 GiB");
            out.extend_from_slice(&length.to_le_bytes());
            out.extend_from_slice(bytes);
        }
        out
    }

    /// Reads a file's bytes.
    ///
    /// # Errors
    /// [`DisclosureError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DisclosureError> {
        use DisclosureError as E;
        let rest = bytes.strip_prefix(&Self::MAGIC).ok_or(E::Magic)?;
        let (version, rest) = rest.split_first_chunk().ok_or(E::Length)?;
        let actual = u16::from_le_bytes(*version);
        if actual != VERSION {
            return Err(E::Version { expected: VERSION, actual });
        }
        let next = |bytes| part(bytes, |n| if n > MAX_PART { Err(BundleError::Truncated) } else { Ok(()) });
        let (bundle, rest) = next(rest).map_err(|_| E::Length)?;
        let (card, rest) = next(rest).map_err(|_| E::Length)?;
        let (points, rest) = next(rest).map_err(|_| E::Length)?;
        if !rest.is_empty() {
            return Err(E::Length);
        }
        Ok(Self {
            bundle: Bundle::from_bytes(bundle)?,
            card: Card::from_json(card)?,
            points: if points.is_empty() { None } else { Some(CardPoints::from_bytes(points)?) },
        })
    }
}
