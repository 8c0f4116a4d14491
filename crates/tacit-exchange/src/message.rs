//! What the two kinds of messages share: reading a frame, and what can be wrong with it.

use tacit_claim::encoding::EncodingError;

use crate::ids::RequestId;
use crate::suite::{SealError, Suite};

/// Version of both kinds of messages.
pub(crate) const VERSION: u16 = 1;

/// Why bytes are no message of the exchange.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Another format.
    #[error("not a sealed {0} (it does not begin as one)")]
    Magic(&'static str),
    /// Cut short.
    #[error("the message is cut short")]
    Truncated,
    /// Longer than any message.
    #[error("the message has {actual} bytes; at most {max} are read")]
    TooLong {
        /// Bytes read at most.
        max: usize,
        /// Bytes given.
        actual: usize,
    },
    /// Another version.
    #[error("message version {actual} is not supported (this build reads version {expected})")]
    Version {
        /// Version that is read.
        expected: u16,
        /// Version of the message.
        actual: u16,
    },
    /// Another suite.
    #[error("the message is sealed by a suite that is not supported (KEM {:#06x}, KDF {:#06x}, AEAD {:#06x})", .0.kem, .0.kdf, .0.aead)]
    Suite(Suite),
    /// The header is not in its one encoding.
    #[error("the message's header {0}")]
    Header(EncodingError),
    /// The sealed body has a length that no sealing makes.
    #[error("the message's sealed body has {0} bytes, which is none of the sizes that bodies have")]
    BodyLength(usize),
    /// An answer of neither kind.
    #[error("the answer is of an unknown kind ({0})")]
    Kind(u8),
    /// Not opened.
    #[error("the message cannot be opened: {0}")]
    Seal(#[from] SealError),
    /// What was sealed is not in its one encoding.
    #[error("what the message holds {0}")]
    Content(EncodingError),
    /// An answer to another request.
    #[error("the answer is for request {}, not {}", .actual.short(), .expected.short())]
    OtherRequest {
        /// The request at hand.
        expected: RequestId,
        /// The request named.
        actual: RequestId,
    },
    /// A request sealed to another prekey.
    #[error("the request is sealed to another prekey")]
    OtherPrekey,
    /// An answer that the provider did not sign.
    #[error("the answer is not signed by the provider whose card was pinned")]
    Signature,
}

/// Splits off a message's magic and version.
pub(crate) fn header<'a>(
    bytes: &'a [u8],
    magic: [u8; 8],
    what: &'static str,
    max: usize,
) -> Result<&'a [u8], MessageError> {
    if bytes.len() > max {
        return Err(MessageError::TooLong { max, actual: bytes.len() });
    }
    let rest = bytes.strip_prefix(&magic).ok_or(MessageError::Magic(what))?;
    let (version, rest) = rest.split_first_chunk().ok_or(MessageError::Truncated)?;
    let actual = u16::from_le_bytes(*version);
    if actual == VERSION { Ok(rest) } else { Err(MessageError::Version { expected: VERSION, actual }) }
}
