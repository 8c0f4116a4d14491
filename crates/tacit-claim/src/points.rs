//! `card.points`: what a card's sumcheck commitment is made of and too large for the card itself. For
//! everybody.
//!
//! Magic (8 bytes), version (2), length of the points (4), points, length of the certificate (4),
//! certificate; integers little-endian, nothing behind. The card names both parts by their digests, so that
//! the file needs no signature. Files of at most [`CardPoints::MAX_INLINE`] bytes lie in the card, in base64.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use crate::bytes::CertificateDigest;

const VERSION: u16 = 1;
/// Everything but the two parts.
const FRAME: usize = 8 + 2 + 4 + 4;
/// Longest file that is read, in bytes.
const MAX_FILE: usize = 64 << 20;

/// The points of a card's commitment and the certificate that every weight fits its width.
#[derive(Clone, PartialEq, Eq)]
pub struct CardPoints {
    points: Vec<u8>,
    certificate: Vec<u8>,
}

impl fmt::Debug for CardPoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (points, certificate) = (self.points.len(), self.certificate.len());
        write!(f, "CardPoints({points} bytes of points, {certificate} bytes of certificate)")
    }
}

impl CardPoints {
    /// First bytes of the file.
    pub const MAGIC: [u8; 8] = *b"TACITPTS";
    /// Longest file that a card carries itself, in bytes.
    pub const MAX_INLINE: usize = 64 << 10;

    /// Joins an engine's points and certificate; whether they are any is for the engine to say.
    ///
    /// # Errors
    /// [`PointsError`] when a part is empty or both are longer than a file may be.
    pub fn new(points: Vec<u8>, certificate: Vec<u8>) -> Result<Self, PointsError> {
        for (part, bytes) in [("points", &points), ("certificate", &certificate)] {
            if bytes.is_empty() {
                return Err(PointsError::Empty { part });
            }
        }
        let actual = FRAME.saturating_add(points.len()).saturating_add(certificate.len());
        if actual > MAX_FILE {
            return Err(PointsError::TooLarge { max: MAX_FILE, actual });
        }
        Ok(Self { points, certificate })
    }

    /// The engine's commitment to the weights.
    #[must_use]
    pub fn points(&self) -> &[u8] {
        &self.points
    }

    /// The engine's proof that every weight fits its width.
    #[must_use]
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// What the card names the certificate by.
    #[must_use]
    pub fn certificate_digest(&self) -> CertificateDigest {
        CertificateDigest::of(&self.certificate)
    }

    /// SHA-256 of the file's bytes.
    #[must_use]
    pub fn file_digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        self.for_each_part(|part| hash.update(part));
        hash.finalize().into()
    }

    /// Bytes of the file.
    #[must_use]
    pub fn file_len(&self) -> usize {
        FRAME + self.points.len() + self.certificate.len()
    }

    /// Whether the file is small enough to lie in the card.
    #[must_use]
    pub fn fits_inline(&self) -> bool {
        self.file_len() <= Self::MAX_INLINE
    }

    fn for_each_part(&self, mut write: impl FnMut(&[u8])) {
        write(&Self::MAGIC);
        write(&VERSION.to_le_bytes());
        for part in [&self.points, &self.certificate] {
            let length = u32::try_from(part.len()).expect("both parts are bounded well below 4 GiB");
            write(&length.to_le_bytes());
            write(part);
        }
    }

    /// The file's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.file_len());
        self.for_each_part(|part| out.extend_from_slice(part));
        out
    }

    /// Reads a file's bytes; refuses other formats, versions and lengths. There is one encoding.
    ///
    /// # Errors
    /// [`PointsError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PointsError> {
        use PointsError as E;
        if bytes.len() > MAX_FILE {
            return Err(E::TooLarge { max: MAX_FILE, actual: bytes.len() });
        }
        let rest = bytes.strip_prefix(&Self::MAGIC).ok_or(E::Magic)?;
        let (version, rest) = rest.split_first_chunk().ok_or(E::Truncated)?;
        let actual = u16::from_le_bytes(*version);
        if actual != VERSION {
            return Err(E::Version { expected: VERSION, actual });
        }
        let part = |bytes: &'_ [u8]| -> Option<(usize, usize)> {
            let (length, rest) = bytes.split_first_chunk()?;
            let length = u32::from_le_bytes(*length) as usize;
            (length <= rest.len()).then_some((4, length))
        };
        let (start, length) = part(rest).ok_or(E::Truncated)?;
        let (points, rest) = rest[start..].split_at(length);
        let (start, length) = part(rest).ok_or(E::Truncated)?;
        let (certificate, rest) = rest[start..].split_at(length);
        if !rest.is_empty() {
            return Err(E::Trailing(rest.len()));
        }
        Self::new(points.to_vec(), certificate.to_vec())
    }
}

/// In a card: the file's bytes in base64 (RFC 4648, section 4, padded).
impl Serialize for CardPoints {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(self.to_bytes()))
    }
}

impl<'de> Deserialize<'de> for CardPoints {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = CardPoints;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a file of at most {} bytes in base64", CardPoints::MAX_INLINE)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<CardPoints, E> {
                let longest = CardPoints::MAX_INLINE.div_ceil(3) * 4;
                if text.len() > longest {
                    return Err(E::invalid_length(text.len(), &self));
                }
                let bytes = STANDARD.decode(text).map_err(|e| E::custom(format!("no base64: {e}")))?;
                if bytes.len() > CardPoints::MAX_INLINE {
                    return Err(E::invalid_length(bytes.len(), &self));
                }
                CardPoints::from_bytes(&bytes).map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Text)
    }
}

/// Why a `card.points` file is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PointsError {
    /// Another format.
    #[error("not a Tacit file of a card's points (it does not begin with `TACITPTS`)")]
    Magic,
    /// Cut short.
    #[error("the card's points are cut short")]
    Truncated,
    /// Bytes after the end.
    #[error("the card's points have {0} bytes after their end")]
    Trailing(usize),
    /// Another version.
    #[error("version {actual} of a card's points is not supported (this build reads version {expected})")]
    Version {
        /// Version that is read.
        expected: u16,
        /// Version of the file.
        actual: u16,
    },
    /// Longer than any such file.
    #[error("the card's points have {actual} bytes; at most {max} are read")]
    TooLarge {
        /// Bytes read at most.
        max: usize,
        /// Bytes given.
        actual: usize,
    },
    /// Nothing where points or certificate must be.
    #[error("the card's points lack the {part}")]
    Empty {
        /// `points` or `certificate`.
        part: &'static str,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points() -> CardPoints {
        CardPoints::new(vec![7; 64], b"certificate".to_vec()).expect("short")
    }

    #[test]
    fn the_file_has_one_encoding() {
        let bytes = points().to_bytes();
        assert_eq!(CardPoints::from_bytes(&bytes), Ok(points()));
        assert_eq!(points().file_len(), bytes.len());
        assert_eq!(points().file_digest().as_slice(), Sha256::digest(&bytes).as_slice());
        for at in 0..bytes.len() {
            assert!(CardPoints::from_bytes(&bytes[..at]).is_err(), "cut at {at}");
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            assert_ne!(CardPoints::from_bytes(&bad), Ok(points()), "flipped byte {at}");
        }
        assert_eq!(CardPoints::from_bytes(&[&bytes[..], &[0]].concat()), Err(PointsError::Trailing(1)));
        let version = [&bytes[..8], &[2, 0], &bytes[10..]].concat();
        assert_eq!(CardPoints::from_bytes(&version), Err(PointsError::Version { expected: 1, actual: 2 }));
    }

    #[test]
    fn lengths_are_checked_before_memory_is_set_aside() {
        let announce = |points: u32, certificate: u32| {
            let parts = [&points.to_le_bytes()[..], &[9; 32], &certificate.to_le_bytes(), &[8; 4]];
            CardPoints::from_bytes(&[&b"TACITPTS\x01\0"[..], &parts.concat()].concat())
        };
        assert!(announce(32, 4).is_ok());
        assert_eq!(announce(u32::MAX, 4), Err(PointsError::Truncated));
        assert_eq!(announce(32, u32::MAX), Err(PointsError::Truncated));
        assert_eq!(announce(32, 3), Err(PointsError::Trailing(1)));
        assert_eq!(CardPoints::new(Vec::new(), vec![1]), Err(PointsError::Empty { part: "points" }));
        assert_eq!(CardPoints::new(vec![1], Vec::new()), Err(PointsError::Empty { part: "certificate" }));
        assert!(matches!(CardPoints::new(vec![0; MAX_FILE], vec![1]), Err(PointsError::TooLarge { .. })));
    }

    #[test]
    fn base64_has_one_spelling() {
        let text = serde_json::to_string(&points()).expect("JSON");
        let read = |text: &str| serde_json::from_str::<CardPoints>(text);
        assert_eq!(read(&text).ok(), Some(points()));
        // 93 bytes need no padding; one more byte does.
        assert!(!text.contains('='));
        let padded = CardPoints::new(vec![7; 64], b"certificate!".to_vec()).expect("short");
        let text = serde_json::to_string(&padded).expect("JSON");
        let body = text.trim_matches('"').trim_end_matches('=');
        assert_eq!(read(&format!("\"{body}==\"")).ok(), Some(padded));
        let last = body.chars().last().expect("not empty");
        let set = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let at = set.find(last).expect("base64");
        let other = &set[at + 1..at + 2];
        for bad in [
            body.to_owned(),
            format!("{body}="),
            format!("{body}==="),
            format!("{body}==\\n"),
            format!(" {body}=="),
            // Trailing bits that are not zero.
            format!("{}{other}==", &body[..body.len() - 1]),
            body.replace('A', "-"),
        ] {
            assert!(read(&format!("\"{bad}\"")).is_err(), "{bad}");
        }
        let large = CardPoints::new(vec![7; CardPoints::MAX_INLINE], vec![1]).expect("allowed beside a card");
        assert!(!large.fits_inline());
        assert!(read(&serde_json::to_string(&large).expect("JSON")).is_err());
        let fits = CardPoints::new(vec![7; CardPoints::MAX_INLINE - FRAME - 1], vec![1]).expect("fits");
        assert!(fits.fits_inline() && read(&serde_json::to_string(&fits).expect("JSON")).is_ok());
    }
}
