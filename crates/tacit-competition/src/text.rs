//! Short texts with rules: names that people read, and names that machines compare.

use serde::{Deserialize, Serialize};
use tacit_claim::{CardName, Context, TextError as PlainTextError};

/// Why a text is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Empty, too long, or with control characters.
    #[error(transparent)]
    Plain(#[from] PlainTextError),
    /// A log's name of another form.
    #[error(
        "an origin is a URL without its scheme, such as `example.org/cup`: 1 to 128 visible characters of ASCII without `+`"
    )]
    Origin,
    /// A metric of another form.
    #[error("a metric is the name of one, such as `accuracy`, without blanks around")]
    Metric,
}

fn plain(text: &str) -> Result<(), TextError> {
    CardName::new(text)?;
    Ok(())
}

fn origin(text: &str) -> Result<(), TextError> {
    let fits = |b: u8| b.is_ascii_graphic() && b != b'+';
    if (1..=128).contains(&text.len()) && text.bytes().all(fits) { Ok(()) } else { Err(TextError::Origin) }
}

fn metric(text: &str) -> Result<(), TextError> {
    Context::new(text)?;
    if !text.is_empty() && text.trim() == text { Ok(()) } else { Err(TextError::Metric) }
}

macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $check:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// This text, if it keeps the rules.
            ///
            /// # Errors
            /// [`TextError`].
            pub fn new(text: impl Into<String>) -> Result<Self, TextError> {
                let text = text.into();
                $check(&text)?;
                Ok(Self(text))
            }
        }

        tacit_claim::text_conversions!($name, TextError);
    };
}

text! {
    /// What a host calls a competition: 1 to 128 bytes, no control characters, not blank.
    CompetitionName, plain
}
text! {
    /// What a competitor wants to be called, under the same rules. Nobody vouches for it, and two may choose
    /// the same: the owner's fingerprint stands beside it wherever it is shown.
    DisplayName, plain
}
text! {
    /// The host's name for its log, a URL without a scheme; nothing need answer there. See
    /// [tlog-checkpoint](https://c2sp.org/tlog-checkpoint).
    Origin, origin
}
text! {
    /// What submissions are ranked by, as a requirement is written without its bound: `accuracy`,
    /// `recall[malignant]`. Its meaning is the judge's. 1 to 1024 bytes, no control characters, no blanks
    /// around.
    MetricText, metric
}

/// A stranger's text, safe to show: other than visible ASCII is escaped, and it is cut at 200 characters.
pub(crate) fn shown(text: &str) -> String {
    text.chars().flat_map(char::escape_default).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_keep_their_rules() {
        assert!(CompetitionName::new("Ziffern №7").is_ok());
        for bad in ["", "  ", "a\nb", "a\u{202e}b", &"x".repeat(129)] {
            assert!(DisplayName::new(bad).is_err(), "{bad:?}");
        }
        assert!(Origin::new("example.org/cup-7").is_ok());
        for bad in ["", "a b", "a+b", "é", "a\n", "a\u{2003}", &"x".repeat(129)] {
            assert_eq!(Origin::new(bad), Err(TextError::Origin), "{bad:?}");
        }
        assert!(MetricText::new("recall[bösartig]").is_ok());
        for bad in ["", " ", "a ", "a\tb", "\u{2003}a"] {
            assert!(MetricText::new(bad).is_err(), "{bad:?}");
        }
        assert_eq!(serde_json::from_str::<Origin>("\"a+b\"").ok(), None);
    }

    #[test]
    fn strangers_texts_deceive_nobody() {
        assert_eq!(shown("a\u{1b}[2J\u{202e}"), "a\\u{1b}[2J\\u{202e}");
        assert_eq!(shown(&"x".repeat(1000)).len(), 200);
    }
}
