//! [DSSE](https://github.com/secure-systems-lab/dsse) envelopes, version 1.0: bytes of a type with signatures
//! over both.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use tacit_claim::{ForeignFormat, OwnerKey, OwnerPublicKey, OwnerSignature};

use crate::text::shown;
use tacit_claim::strict_json as json;

/// Longest envelope that is read, in bytes.
pub(crate) const MAX_ENVELOPE: usize = 4 << 20;
/// Most signatures of an envelope that are looked at.
const MAX_SIGNATURES: usize = 64;

/// Why an envelope is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Longer than any that is read.
    #[error("the envelope has {actual} bytes; at most {MAX_ENVELOPE} are read")]
    TooLarge {
        /// Bytes given.
        actual: usize,
    },
    /// No JSON envelope.
    #[error("the file is no DSSE envelope: {0}")]
    Json(String),
    /// Payload or signature in something other than base64.
    #[error("the envelope's {0} is not in base64")]
    Base64(&'static str),
    /// More signatures than anybody needs.
    #[error("the envelope has {0} signatures; at most {MAX_SIGNATURES} are looked at")]
    Signatures(usize),
    /// Another type of payload.
    #[error("the envelope's payload has the type `{}`", shown(.0))]
    PayloadType(String),
    /// Not signed with the key that was expected.
    #[error("the envelope has no signature by the expected key")]
    Signature,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct EnvelopeJson {
    payload: String,
    payload_type: String,
    signatures: Vec<SignatureJson>,
}

#[derive(Serialize, Deserialize)]
struct SignatureJson {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    keyid: String,
    sig: String,
}

/// The pre-authentication encoding: what is signed.
fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut out = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    out.extend_from_slice(payload);
    out
}

/// The bytes of an envelope with one signature, in canonical JSON. The key's fingerprint is the hint which it
/// is.
pub(crate) fn seal(payload_type: &str, payload: &[u8], key: &OwnerKey) -> Vec<u8> {
    let signature = key
        .sign_foreign(ForeignFormat::Dsse, &pae(payload_type, payload))
        .expect("the encoding begins as the format does");
    json::write(&EnvelopeJson {
        payload: STANDARD.encode(payload),
        payload_type: payload_type.to_owned(),
        signatures: vec![SignatureJson {
            keyid: key.public().fingerprint().to_string(),
            sig: STANDARD.encode(signature.0),
        }],
    })
}

/// An envelope that was read; nothing in it was checked.
pub(crate) struct Envelope {
    payload_type: String,
    payload: Vec<u8>,
    signatures: Vec<Vec<u8>>,
}

impl Envelope {
    /// Reads an envelope as anybody may write it: JSON in any spelling, standard or URL-safe base64, more
    /// signatures than ours.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        if bytes.len() > MAX_ENVELOPE {
            return Err(EnvelopeError::TooLarge { actual: bytes.len() });
        }
        let file: EnvelopeJson =
            serde_json::from_slice(bytes).map_err(|e| EnvelopeError::Json(shown(&e.to_string())))?;
        if file.signatures.len() > MAX_SIGNATURES {
            return Err(EnvelopeError::Signatures(file.signatures.len()));
        }
        let signatures = file.signatures.iter().map(|s| decode(&s.sig, "signature"));
        Ok(Self {
            payload: decode(&file.payload, "payload")?,
            payload_type: file.payload_type,
            signatures: signatures.collect::<Result<_, _>>()?,
        })
    }

    /// The payload without any check: to find a key by its fingerprint, and for nothing else.
    pub(crate) fn unchecked_payload(&self) -> &[u8] {
        &self.payload
    }

    /// The payload, once a signature of `key` over it and its type was found. Key ids are hints and not
    /// looked at.
    pub(crate) fn open(self, payload_type: &str, key: &OwnerPublicKey) -> Result<Vec<u8>, EnvelopeError> {
        let signed = pae(&self.payload_type, &self.payload);
        let is_by_key = |signature: &Vec<u8>| {
            let signature = signature.as_slice().try_into().map(OwnerSignature);
            signature.is_ok_and(|s| key.verify_foreign(ForeignFormat::Dsse, &signed, &s).is_ok())
        };
        if !self.signatures.iter().any(is_by_key) {
            return Err(EnvelopeError::Signature);
        }
        if self.payload_type != payload_type {
            return Err(EnvelopeError::PayloadType(self.payload_type));
        }
        Ok(self.payload)
    }
}

/// Standard or URL-safe base64, as the protocol asks, padded or not.
fn decode(text: &str, what: &'static str) -> Result<Vec<u8>, EnvelopeError> {
    let engines = [&STANDARD, &URL_SAFE, &STANDARD_NO_PAD, &URL_SAFE_NO_PAD];
    engines.iter().find_map(|e| e.decode(text).ok()).ok_or(EnvelopeError::Base64(what))
}

#[cfg(test)]
mod tests {
    use tacit_claim::testing::owner;

    use super::*;

    #[test]
    fn the_encoding_is_that_of_the_protocol() {
        // The protocol's own example; its signature is by another kind of key.
        let example = pae("http://example.com/HelloWorld", b"hello world");
        assert_eq!(example, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
        assert_eq!(pae("", b""), b"DSSEv1 0  0 ");
        let file = br#"{"payload": "aGVsbG8gd29ybGQ=",
 "payloadType": "http://example.com/HelloWorld",
 "signatures": [{"sig": "A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA=="}]}"#;
        let envelope = Envelope::read(file).expect("the example");
        assert_eq!(envelope.unchecked_payload(), b"hello world");
        let refused = envelope.open("http://example.com/HelloWorld", &owner(1).public());
        assert_eq!(refused, Err(EnvelopeError::Signature));
    }

    #[test]
    fn type_payload_and_key_are_bound() {
        let (a, b) = (owner(1), owner(2));
        let text = String::from_utf8(seal("t/x", &[0xfb, 0xff, 0xfe], &a)).expect("JSON");
        let open = |text: &str, kind, key: &OwnerKey| {
            Envelope::read(text.as_bytes()).and_then(|e| e.open(kind, &key.public()))
        };
        let payload = Ok(vec![0xfb, 0xff, 0xfe]);
        assert_eq!(open(&text, "t/x", &a), payload);
        assert_eq!(open(&text, "t/x", &b), Err(EnvelopeError::Signature));
        assert_eq!(open(&text, "t/y", &a), Err(EnvelopeError::PayloadType("t/x".into())));
        assert_eq!(open(&text.replace("t/x", "t/y"), "t/y", &a), Err(EnvelopeError::Signature));
        assert!(text.contains("+//+"));
        assert_eq!(open(&text.replace("+//+", "-__-"), "t/x", &a), payload, "URL-safe base64");
        assert_eq!(open(&text.replace("+//+", "+//-"), "t/x", &a), Err(EnvelopeError::Base64("payload")));
        assert_eq!(open(&text.replace("+//+", "+//-+"), "t/x", &a), Err(EnvelopeError::Base64("payload")));
        assert_eq!(open(&text.replace("tacit1", "nobody"), "t/x", &a), payload, "a hint");
        let other = String::from_utf8(seal("t/x", &[0xfb, 0xff, 0xfe], &b)).expect("JSON");
        let both =
            text.replace("[{", &format!("[{},{{", &other[other.find("[{").unwrap() + 1..other.len() - 2]));
        assert_eq!((open(&both, "t/x", &a), open(&both, "t/x", &b)), (payload.clone(), payload), "{both}");
        for bad in ["", "{}", "null", "[]", &"[".repeat(500)] {
            assert!(matches!(open(bad, "t/x", &a), Err(EnvelopeError::Json(_))), "{bad}");
        }
        let many = text.replace("[{", &format!("[{}{{", r#"{"sig":""},"#.repeat(64)));
        assert_eq!(open(&many, "t/x", &a), Err(EnvelopeError::Signatures(65)));
        let large = " ".repeat(MAX_ENVELOPE + 1);
        assert_eq!(open(&large, "t/x", &a), Err(EnvelopeError::TooLarge { actual: MAX_ENVELOPE + 1 }));
    }
}
