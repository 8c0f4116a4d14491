//! What can go wrong between here and a relay.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use tacit_claim::is_deceptive;

/// A relay's refusal: an RFC 9457 problem document, or what stands in for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// What kind of problem.
    pub title: String,
    /// What about this one.
    pub detail: Option<String>,
    /// How long to wait before another attempt, where the relay says so.
    pub retry_after: Option<Duration>,
}

impl Problem {
    /// Reads an answer that is no success. Whatever the body is, there is something to say.
    pub(crate) fn read(status: u16, body: &[u8], retry_after: Option<Duration>) -> Self {
        #[derive(Default, Deserialize)]
        struct Document {
            title: Option<String>,
            detail: Option<String>,
        }
        let document: Document = serde_json::from_slice(body).unwrap_or_default();
        let plain = |text: String| shown(&text, 500);
        let named = ureq::http::StatusCode::from_u16(status).ok().and_then(|s| s.canonical_reason());
        Self {
            status,
            title: document.title.map_or_else(|| named.unwrap_or("an unknown status").to_owned(), plain),
            detail: document.detail.map(plain),
            retry_after,
        }
    }

    /// Whether the same request may succeed later.
    pub(crate) const fn is_passing(&self) -> bool {
        matches!(self.status, 429 | 502..=504)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.title, self.status)?;
        match &self.detail {
            Some(detail) => write!(f, ": {detail}"),
            None => Ok(()),
        }
    }
}

/// A stranger's text for a terminal: nothing that steers it or changes the direction of writing, and not too long.
pub(super) fn shown(text: &str, most: usize) -> String {
    text.chars().filter(|c| !is_deceptive(*c)).take(most).collect()
}

/// Why a relay did not do what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RelayError {
    /// No connection, or one that broke, after all attempts.
    #[error("the relay {relay} cannot be reached: {why}")]
    Unreachable {
        /// Its address.
        relay: String,
        /// What happened at the last attempt.
        why: String,
    },
    /// No secure connection.
    #[error("no secure connection to the relay {relay}: {why}")]
    Tls {
        /// Its address.
        relay: String,
        /// What is wrong.
        why: String,
    },
    /// The relay refused.
    #[error("the relay refused to {what}: {problem}")]
    Refused {
        /// What it was asked for.
        what: &'static str,
        /// What it says.
        problem: Problem,
    },
    /// The relay sends its callers elsewhere, which is not followed: signatures and capabilities are for it alone.
    #[error("the relay answered {status} and pointed elsewhere ({location}), which is not followed")]
    Redirect {
        /// The HTTP status.
        status: u16,
        /// Where to.
        location: String,
    },
    /// More than any such answer has.
    #[error("the relay's answer when asked to {what} is longer than any such answer ({max} bytes)")]
    TooLarge {
        /// What it was asked for.
        what: &'static str,
        /// Most bytes that are read.
        max: u64,
    },
    /// An answer that is none.
    #[error("the relay's answer when asked to {what} cannot be used: {why}")]
    Unexpected {
        /// What it was asked for.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// A request that cannot be made, or a setting that cannot be used.
    #[error("{0}")]
    Unusable(String),
}

impl RelayError {
    /// The HTTP status of a refusal.
    #[must_use]
    pub const fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { problem, .. } => Some(problem.status),
            _ => None,
        }
    }

    /// Whether the same request may succeed later without anybody doing anything.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused { problem, .. } => problem.is_passing(),
            _ => false,
        }
    }

    /// What to do next, where there is something to do.
    #[must_use]
    pub fn advice(&self) -> Option<String> {
        Some(match self {
            Self::Unreachable { .. } => {
                "check the address and that the relay runs (`tacit serve`), then try again".to_owned()
            }
            Self::Tls { .. } => {
                "check the address and that the relay speaks TLS; where its certificate is by an authority of its own, name \
                 that with --ca"
                    .to_owned()
            }
            Self::Redirect { .. } => {
                "use the address that the relay's operator gives for its interface".to_owned()
            }
            Self::Refused { problem, .. } if problem.status == 429 => match problem.retry_after {
                Some(wait) => format!("try again in {} seconds", wait.as_secs().max(1)),
                None => "try again later".to_owned(),
            },
            Self::Refused { problem, .. } if problem.status == 401 => {
                "check that the key is the card's owner's and that this machine's clock is right".to_owned()
            }
            Self::Refused { problem, .. } if problem.is_passing() => "try again later".to_owned(),
            Self::TooLarge { .. } | Self::Unexpected { .. } => {
                "check that the address is that of a Tacit relay of this version".to_owned()
            }
            Self::Refused { .. } | Self::Unusable(_) => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_says_something() {
        let read = |body: &[u8]| Problem::read(413, body, None).to_string();
        assert_eq!(
            read(br#"{"type":"about:blank","title":"Too large","detail":"at most 9 bytes"}"#),
            "Too large (413): at most 9 bytes"
        );
        assert_eq!(read(b"<html>"), "Payload Too Large (413)");
        assert_eq!(read(br#"{"title":"a\u001b[31m"}"#), "a[31m (413)");
        // Shown from right to left, the rest of the line would read as something else.
        assert_eq!(read(br#"{"title":"a\u202eb","detail":"\u2066c\u200f"}"#), "ab (413): c");
        assert_eq!(Problem::read(799, b"", None).to_string(), "an unknown status (799)");
        assert!(Problem::read(503, b"", None).is_passing() && !Problem::read(500, b"", None).is_passing());
    }
}
