//! Canonical JSON (RFC 8785), read strictly: one spelling per value, a format name with its version, a size
//! limit.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::text::printable;

/// Why bytes are not a file of a format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// Larger than any file of its kind.
    #[error("has {actual} bytes; at most {max} are read")]
    TooLarge {
        /// Bytes read at most.
        max: usize,
        /// Bytes given.
        actual: usize,
    },
    /// No JSON of the wanted form.
    #[error("cannot be read: {0}")]
    Json(String),
    /// Another format or version, or none named.
    #[error("has the format {}, not `{expected}`", .actual.as_ref().map_or("(none named)".to_owned(), |f| format!("`{f}`")))]
    Format {
        /// The format that is read.
        expected: &'static str,
        /// The format named.
        actual: Option<String>,
    },
    /// The same value in another spelling.
    #[error("is not in canonical form (RFC 8785 JSON): it was reformatted or edited")]
    NotCanonical,
    /// No signature where there must be one.
    #[error("is not signed")]
    Unsigned,
    /// Not made with the key that the file names.
    #[error("has a signature that was not made with the key that it names")]
    Signature,
}

fn json_error(error: &serde_json::Error) -> FormatError {
    FormatError::Json(printable(&error.to_string()))
}

/// The canonical bytes of a value whose integers are all below 2^53.
#[must_use]
pub fn write(value: &impl Serialize) -> Vec<u8> {
    serde_json_canonicalizer::to_vec(value).expect("string keys and small integers alone")
}

/// The canonical bytes without the field `signature`: what is signed.
#[must_use]
pub fn unsigned(value: &impl Serialize) -> Vec<u8> {
    let mut value = serde_json::to_value(value).expect("string keys and small integers alone");
    if let Value::Object(fields) = &mut value {
        fields.remove("signature");
    }
    write(&value)
}

/// Reads a file whose top level is an object with the field `format`.
///
/// # Errors
/// [`FormatError`], except the two about signatures.
pub fn read<T: Serialize + DeserializeOwned>(
    bytes: &[u8],
    max: usize,
    format: &'static str,
) -> Result<T, FormatError> {
    if bytes.len() > max {
        return Err(FormatError::TooLarge { max, actual: bytes.len() });
    }
    #[derive(serde::Deserialize)]
    struct Probe {
        format: Option<String>,
    }
    let probe: Probe = serde_json::from_slice(bytes).map_err(|e| json_error(&e))?;
    if probe.format.as_deref() != Some(format) {
        return Err(FormatError::Format { expected: format, actual: probe.format.map(|f| printable(&f)) });
    }
    let value: T = serde_json::from_slice(bytes).map_err(|e| json_error(&e))?;
    // A number that RFC 8785 cannot write exactly comes out as another, or not at all.
    match serde_json_canonicalizer::to_vec(&value) {
        Ok(again) if again == bytes => Ok(value),
        _ => Err(FormatError::NotCanonical),
    }
}

/// A type whose one value is written as the name of a format: a file inside a file is held to its format too.
#[doc(hidden)]
#[macro_export]
macro_rules! format_tag {
    ($name:ident, $format:expr) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) struct $name;

        impl $crate::serde::Serialize for $name {
            fn serialize<S: $crate::serde::Serializer>(
                &self,
                serializer: S,
            ) -> ::std::result::Result<S::Ok, S::Error> {
                serializer.serialize_str($format)
            }
        }

        impl<'de> $crate::serde::Deserialize<'de> for $name {
            fn deserialize<D: $crate::serde::Deserializer<'de>>(
                deserializer: D,
            ) -> ::std::result::Result<Self, D::Error> {
                let found = <String as $crate::serde::Deserialize>::deserialize(deserializer)?;
                if found == $format {
                    Ok(Self)
                } else {
                    Err($crate::serde::de::Error::custom("another format than this build reads"))
                }
            }
        }
    };
}
