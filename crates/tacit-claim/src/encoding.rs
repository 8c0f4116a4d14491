//! One encoding per value: strict postcard, canonical JSON, domain-separated SHA-256.

use serde::Serialize;
use serde::de::{self, DeserializeOwned, Deserializer, SeqAccess, Visitor};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// Most integers of a record or of an answer.
pub(crate) const MAX_VALUES: usize = 1 << 20;
/// RFC 8785 writes numbers as doubles do: integers up to here are exact.
const MAX_JSON_INTEGER: u64 = (1 << 53) - 1;

/// SHA-256 of a domain and of parts, each behind its length (8 bytes, little-endian), so that they cannot run
/// together.
#[must_use]
pub fn domain_hash(domain: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in std::iter::once(domain.as_bytes()).chain(parts.iter().copied()) {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// Why bytes are not the one encoding of a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodingError {
    /// Undecodable. The text is the decoder's and names no value.
    #[error("cannot be decoded: {0}")]
    Malformed(String),
    /// Bytes after the end.
    #[error("{0} bytes follow the end")]
    Trailing(usize),
    /// A second encoding of the same value.
    #[error("is not in canonical form")]
    NotCanonical,
}

/// The canonical bytes of a value without secrets.
#[must_use]
pub fn encode(value: &impl Serialize) -> Vec<u8> {
    postcard::to_stdvec(value).expect("the public types hold no float and no sequence of unknown length")
}

/// The canonical bytes of a secret, of at most `capacity` bytes; no copy is left behind on the heap.
#[must_use]
pub fn encode_secret(value: &impl Serialize, capacity: usize) -> Option<Zeroizing<Vec<u8>>> {
    let mut buffer = Zeroizing::new(vec![0; capacity]);
    let written = postcard::to_slice(value, &mut buffer).ok()?.len();
    buffer.truncate(written);
    Some(buffer)
}

/// Decodes, re-encodes, compares.
///
/// # Errors
/// [`EncodingError`].
pub fn decode<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<T, EncodingError> {
    let (value, rest) =
        postcard::take_from_bytes::<T>(bytes).map_err(|e| EncodingError::Malformed(e.to_string()))?;
    if !rest.is_empty() {
        return Err(EncodingError::Trailing(rest.len()));
    }
    // A canonical encoding is never longer than what it was decoded from.
    match encode_secret(&value, bytes.len()) {
        Some(again) if again.as_slice() == bytes => Ok(value),
        _ => Err(EncodingError::NotCanonical),
    }
}

/// Reads at most 2^20 integers; the count is checked before memory is set aside.
///
/// # Errors
/// The deserialiser's.
pub fn bounded_values<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<i64>, D::Error> {
    struct Values;

    impl<'de> Visitor<'de> for Values {
        type Value = Vec<i64>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "at most {MAX_VALUES} integers")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<i64>, A::Error> {
            let hint = seq.size_hint().unwrap_or(0);
            if hint > MAX_VALUES {
                return Err(de::Error::invalid_length(hint, &self));
            }
            // Exactly as large as announced: secret values leave no copy behind by growing.
            let mut values = Vec::with_capacity(hint);
            while let Some(value) = seq.next_element()? {
                if values.len() == MAX_VALUES {
                    return Err(de::Error::invalid_length(MAX_VALUES + 1, &self));
                }
                values.push(value);
            }
            Ok(values)
        }
    }

    deserializer.deserialize_seq(Values)
}

/// The first number that RFC 8785 could not write exactly, as text.
pub(crate) fn inexact_number(value: &Value) -> Option<String> {
    match value {
        Value::Number(n) => {
            let magnitude = n.as_u64().or_else(|| n.as_i64().map(i64::unsigned_abs));
            magnitude.is_none_or(|m| m > MAX_JSON_INTEGER).then(|| n.to_string())
        }
        Value::Array(items) => items.iter().find_map(inexact_number),
        Value::Object(fields) => fields.values().find_map(inexact_number),
        Value::Null | Value::Bool(_) | Value::String(_) => None,
    }
}

/// RFC 8785 bytes of a value that [`inexact_number`] has passed.
pub(crate) fn canonical_json(value: &Value) -> Vec<u8> {
    serde_json_canonicalizer::to_vec(value).expect("a JSON value has string keys and finite numbers")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postcard_is_strict() {
        let bytes = encode(&(5u32, "x"));
        assert_eq!(decode::<(u32, String)>(&bytes), Ok((5, "x".to_owned())));
        assert_eq!(decode::<(u32, String)>(&[&bytes[..], &[0]].concat()), Err(EncodingError::Trailing(1)));
        // 5 as an overlong varint.
        assert_eq!(decode::<u32>(&[0x85, 0x00]), Err(EncodingError::NotCanonical));
        assert!(matches!(decode::<u32>(&[0x85]), Err(EncodingError::Malformed(_))));
    }

    #[test]
    fn numbers_beyond_doubles_are_found() {
        let max = (1i64 << 53) - 1;
        assert_eq!(inexact_number(&serde_json::json!({"a": [max, -max, 0, null, "9007199254740993"]})), None);
        for bad in [serde_json::json!(max + 1), serde_json::json!(-max - 1), serde_json::json!(0.5)] {
            assert_eq!(inexact_number(&serde_json::json!([{ "b": bad.clone() }])), Some(bad.to_string()));
        }
    }

    #[test]
    fn domains_do_not_run_together() {
        assert_ne!(domain_hash("ab", &[b"c"]), domain_hash("a", &[b"bc"]));
        assert_ne!(domain_hash("d", &[b"ab", b"c"]), domain_hash("d", &[b"a", b"bc"]));
        assert_ne!(domain_hash("d", &[b""]), domain_hash("d", &[]));
    }
}
