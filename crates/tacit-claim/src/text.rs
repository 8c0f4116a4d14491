//! Short texts that people wrote and people will read: contexts and names.

use serde::{Deserialize, Serialize};

/// Longest context, in bytes.
const MAX_CONTEXT: usize = 1024;
/// Longest name of a card, in bytes.
const MAX_NAME: usize = 128;

/// Why a text is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Nothing but blanks, where something must be.
    #[error("a name must not be empty")]
    Empty,
    /// Too long.
    #[error("the text has {actual} bytes; at most {max} are allowed")]
    Length {
        /// Bytes allowed.
        max: usize,
        /// Bytes given.
        actual: usize,
    },
    /// A character that could change how the text around it is shown.
    #[error("the text holds the control character U+{:04X}", u32::from(*.0))]
    Control(char),
}

/// Control characters, line separators and marks of writing direction: they could make a printed sentence say
/// something else.
#[must_use]
pub fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn check(text: &str, max: usize) -> Result<(), TextError> {
    if text.len() > max {
        return Err(TextError::Length { max, actual: text.len() });
    }
    text.chars().find(|c| is_deceptive(*c)).map_or(Ok(()), |c| Err(TextError::Control(c)))
}

/// Conversions of a tuple struct over a `String` whose `new` checks it: `as_str`, to and from strings, `Display`.
#[doc(hidden)]
#[macro_export]
macro_rules! text_conversions {
    ($name:ident, $error:ty) => {
        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl ::std::convert::TryFrom<String> for $name {
            type Error = $error;

            fn try_from(text: String) -> ::std::result::Result<Self, $error> {
                Self::new(text)
            }
        }

        impl ::std::convert::From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $error;

            fn from_str(text: &str) -> ::std::result::Result<Self, $error> {
                Self::new(text)
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

/// What a claim was made for: a competition and a submitter, a request, the holder's key. At most 1024 bytes, no
/// control characters; empty when the claim was made for nothing in particular.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Context(String);

impl Context {
    /// A context of this text.
    ///
    /// # Errors
    /// [`TextError`] when it is too long or holds control characters.
    pub fn new(text: impl Into<String>) -> Result<Self, TextError> {
        let text = text.into();
        check(&text, MAX_CONTEXT)?;
        Ok(Self(text))
    }

    /// Whether the claim was made for nothing in particular.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

text_conversions!(Context, TextError);

/// What an owner calls a model: 1 to 128 bytes, no control characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CardName(String);

impl CardName {
    /// A name of this text.
    ///
    /// # Errors
    /// [`TextError`] when it is blank, too long or holds control characters.
    pub fn new(text: impl Into<String>) -> Result<Self, TextError> {
        let text = text.into();
        check(&text, MAX_NAME)?;
        if text.trim().is_empty() {
            return Err(TextError::Empty);
        }
        Ok(Self(text))
    }
}

text_conversions!(CardName, TextError);

/// Longest name of a column, in bytes: that of a feature.
const MAX_COLUMN: usize = 256;

/// The name of a column of a test set: 1 to 256 bytes, no control characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ColumnName(String);

impl ColumnName {
    /// A name of this text.
    ///
    /// # Errors
    /// [`TextError`] when it is blank, too long or holds control characters.
    pub fn new(text: impl Into<String>) -> Result<Self, TextError> {
        let text = text.into();
        check(&text, MAX_COLUMN)?;
        if text.trim().is_empty() {
            return Err(TextError::Empty);
        }
        Ok(Self(text))
    }
}

text_conversions!(ColumnName, TextError);

/// The text between guillemets, with whatever could end the quotation or deceive a reader escaped.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 4);
    out.push('«');
    for c in text.chars() {
        if is_deceptive(c) || matches!(c, '«' | '»' | '\\') {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out.push('»');
    out
}

/// The text with deceptive characters escaped, cut at 400 characters: for messages that repeat what a stranger wrote.
pub(crate) fn printable(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars().take(400) {
        if is_deceptive(c) { out.extend(c.escape_unicode()) } else { out.push(c) }
    }
    out
}

/// The text as it is where it is plainly a word or a few; else [`quoted`].
pub(crate) fn plain_or_quoted(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '_' | '-' | '+' | '/' | '%' | '°');
    if !text.is_empty() && text.len() <= 40 && text.chars().all(plain) {
        text.to_owned()
    } else {
        quoted(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_are_bounded_and_plain() {
        assert_eq!(Context::new("Wettbewerb №7, ärztlich").map(|c| c.as_str().len()), Ok(26));
        assert!(Context::new("x".repeat(1024)).is_ok());
        assert_eq!(Context::new("x".repeat(1025)), Err(TextError::Length { max: 1024, actual: 1025 }));
        for bad in ['\0', '\n', '\u{1b}', '\u{7f}', '\u{85}', '\u{202e}', '\u{2066}', '\u{2028}'] {
            assert_eq!(Context::new(format!("a{bad}b")), Err(TextError::Control(bad)));
        }
        assert!(Context::new("").is_ok_and(|c| c.is_empty()));
    }

    #[test]
    fn names_are_not_blank() {
        assert_eq!(CardName::new("  "), Err(TextError::Empty));
        assert_eq!(serde_json::from_str::<CardName>("\"a\\nb\"").ok(), None);
    }

    #[test]
    fn quotations_cannot_be_left() {
        assert_eq!(quoted("a» b\u{1b}\\"), "«a\\u{bb} b\\u{1b}\\u{5c}»");
        assert_eq!(plain_or_quoted("benign"), "benign");
        assert_eq!(plain_or_quoted("benign. Attested"), "«benign. Attested»");
    }
}
