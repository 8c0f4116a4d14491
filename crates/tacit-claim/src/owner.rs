//! Who signs: Ed25519 identities, their fingerprints and `owner.key`.

use std::fmt;
use std::str::FromStr;

use bech32::{Bech32m, Hrp};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::bytes::{HexError, decode_hex, hex32, hex64};
use crate::encoding::domain_hash;

const MAGIC: &str = "tacit-owner-key/1";
/// No key file is longer than this.
const MAX_FILE: usize = 1024;
const HRP: Hrp = Hrp::parse_unchecked("tacit");

/// What is signed: a fixed prefix, the domain, the message. A domain holds no zero byte, so the three cannot run
/// together.
fn signed_bytes(domain: &'static str, message: &[u8]) -> Vec<u8> {
    [PREFIX, domain.as_bytes(), b"\0", message].concat()
}

const PREFIX: &[u8] = b"tacit signature 1\0";
const PAE: &[u8] = b"DSSEv1 ";
const SIGNATURE_BASE: &[u8] = b"\"@method\": ";

/// Formats of others that owners sign in, whose signatures are over the format's own bytes without a domain of
/// Tacit's.
///
/// The sets of bytes that one key may sign are kept apart, so that no signature passes for one of another kind:
/// Tacit's own messages begin with `tacit signature 1` and a zero byte; a signed note holds no zero byte and does not
/// begin with `DSSEv1 `; what DSSE signs begins with `DSSEv1 `; a signature base of HTTP begins with `"@method": ` and
/// does not end with a newline, as every signed note does. [`OwnerKey::sign_foreign`] and
/// [`OwnerPublicKey::verify_foreign`] refuse bytes outside the format's own set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForeignFormat {
    /// The text of a [signed note](https://c2sp.org/signed-note): UTF-8 that ends with a newline, without other
    /// control characters of ASCII.
    SignedNote,
    /// The pre-authentication encoding of a [DSSE](https://github.com/secure-systems-lab/dsse) envelope.
    Dsse,
    /// The signature base of an [HTTP message signature](https://www.rfc-editor.org/rfc/rfc9421) that covers
    /// `@method` first: lines of printable ASCII, the last without a newline.
    HttpSignature,
}

impl ForeignFormat {
    /// Whether a signature over these bytes is one of this format and could be of no other.
    fn owns(self, bytes: &[u8]) -> bool {
        match self {
            Self::SignedNote => {
                let is_plain = |b: &u8| *b >= b' ' || *b == b'\n';
                bytes.ends_with(b"\n")
                    && bytes.iter().all(is_plain)
                    && std::str::from_utf8(bytes).is_ok()
                    && !bytes.starts_with(PAE)
            }
            Self::Dsse => bytes.starts_with(PAE),
            Self::HttpSignature => {
                let is_plain = |b: &u8| matches!(b, b' '..=b'~' | b'\n');
                bytes.starts_with(SIGNATURE_BASE) && !bytes.ends_with(b"\n") && bytes.iter().all(is_plain)
            }
        }
    }
}

/// Bytes that could be mistaken for a message of another format are not signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("these bytes are not the {}", match .0 {
    ForeignFormat::SignedNote => "text of a signed note",
    ForeignFormat::Dsse => "pre-authentication encoding of a DSSE envelope",
    ForeignFormat::HttpSignature => "signature base of an HTTP request",
})]
pub struct NotOfFormat(pub ForeignFormat);

/// An Ed25519 signature, 64 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OwnerSignature(#[serde(with = "hex64")] pub [u8; 64]);

impl fmt::Debug for OwnerSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OwnerSignature({})", hex::encode(self.0))
    }
}

/// Why 32 bytes are no public key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublicKeyError {
    /// Not the hexadecimal form of 32 bytes.
    #[error(transparent)]
    Hex(#[from] HexError),
    /// Not the canonical encoding of a point of the curve.
    #[error("not the encoding of an Ed25519 point")]
    NotAPoint,
    /// A point of small order, under which anybody's signature could pass.
    #[error("an Ed25519 point of small order is no key")]
    Weak,
}

/// The signature was not made with this key over these bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature was not made by the owner's key over these bytes")]
pub struct BadSignature;

/// An Ed25519 public key that was checked to be a point of large order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "RawPublicKey", into = "RawPublicKey")]
pub struct OwnerPublicKey(VerifyingKey);

#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct RawPublicKey(#[serde(with = "hex32")] [u8; 32]);

impl TryFrom<RawPublicKey> for OwnerPublicKey {
    type Error = PublicKeyError;

    fn try_from(raw: RawPublicKey) -> Result<Self, PublicKeyError> {
        Self::from_bytes(&raw.0)
    }
}

impl From<OwnerPublicKey> for RawPublicKey {
    fn from(key: OwnerPublicKey) -> Self {
        Self(key.to_bytes())
    }
}

impl OwnerPublicKey {
    /// The key that 32 bytes encode.
    ///
    /// # Errors
    /// [`PublicKeyError`] for anything but the canonical encoding of a point of large order.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, PublicKeyError> {
        // y, the low 255 bits, must be below p = 2^255 - 19.
        if bytes[31] & 0x7f == 0x7f && bytes[1..31].iter().all(|b| *b == 0xff) && bytes[0] >= 0xed {
            return Err(PublicKeyError::NotAPoint);
        }
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| PublicKeyError::NotAPoint)?;
        if key.is_weak() { Err(PublicKeyError::Weak) } else { Ok(Self(key)) }
    }

    /// The 32 bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// What people pin.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint(domain_hash("tacit/owner/1", &[self.0.as_bytes()]))
    }

    /// Checks a signature over `message` in `domain`.
    ///
    /// # Errors
    /// [`BadSignature`].
    pub fn verify(
        &self,
        domain: &'static str,
        message: &[u8],
        signature: &OwnerSignature,
    ) -> Result<(), BadSignature> {
        self.0
            .verify_strict(&signed_bytes(domain, message), &Signature::from_bytes(&signature.0))
            .map_err(|_| BadSignature)
    }

    /// Checks a signature over a foreign format's own bytes.
    ///
    /// # Errors
    /// [`BadSignature`], also where the bytes are not of the format.
    pub fn verify_foreign(
        &self,
        format: ForeignFormat,
        bytes: &[u8],
        signature: &OwnerSignature,
    ) -> Result<(), BadSignature> {
        let signature = Signature::from_bytes(&signature.0);
        if format.owns(bytes) {
            self.0.verify_strict(bytes, &signature).map_err(|_| BadSignature)
        } else {
            Err(BadSignature)
        }
    }
}

impl fmt::Display for OwnerPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.to_bytes()))
    }
}

impl fmt::Debug for OwnerPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OwnerPublicKey({self})")
    }
}

impl FromStr for OwnerPublicKey {
    type Err = PublicKeyError;

    fn from_str(text: &str) -> Result<Self, PublicKeyError> {
        Self::from_bytes(&decode_hex(text)?)
    }
}

/// SHA-256 of a public key, 32 bytes, written `tacit1…` (Bech32m).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint([u8; 32]);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        bech32::encode_lower_to_fmt::<Bech32m, _>(f, HRP, &self.0).map_err(|_| fmt::Error)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

/// The text is no fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a fingerprint: it must be `tacit1` and 58 characters more, copied without a slip")]
pub struct FingerprintError;

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    fn from_str(text: &str) -> Result<Self, FingerprintError> {
        let decoded = bech32::primitives::decode::CheckedHrpstring::new::<Bech32m>(text)
            .map_err(|_| FingerprintError)?;
        let bytes: Vec<u8> = decoded.byte_iter().collect();
        let fingerprint = Self(bytes.try_into().map_err(|_| FingerprintError)?);
        // One spelling, lower case, zero padding bits.
        if fingerprint.to_string() == text { Ok(fingerprint) } else { Err(FingerprintError) }
    }
}

/// An Ed25519 identity. Zeroised when dropped; never printed.
#[derive(Clone)]
pub struct OwnerKey(SigningKey);

impl fmt::Debug for OwnerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OwnerKey({}, secret hidden)", self.public().fingerprint())
    }
}

impl OwnerKey {
    /// The identity of a 32-byte seed, which must come from a cryptographic source of randomness.
    #[must_use]
    pub fn from_seed(seed: &Zeroizing<[u8; 32]>) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> OwnerPublicKey {
        // A clamped secret times the base point: of large order by construction.
        OwnerPublicKey(self.0.verifying_key())
    }

    /// Signs `message` in `domain`, a constant of the caller without zero bytes. Deterministic.
    #[must_use]
    pub fn sign(&self, domain: &'static str, message: &[u8]) -> OwnerSignature {
        OwnerSignature(self.0.sign(&signed_bytes(domain, message)).to_bytes())
    }

    /// Signs a foreign format's own bytes, without a domain of Tacit's. Deterministic.
    ///
    /// # Errors
    /// [`NotOfFormat`] for bytes that could be mistaken for a message of another format: see [`ForeignFormat`].
    pub fn sign_foreign(&self, format: ForeignFormat, bytes: &[u8]) -> Result<OwnerSignature, NotOfFormat> {
        if format.owns(bytes) {
            Ok(OwnerSignature(self.0.sign(bytes).to_bytes()))
        } else {
            Err(NotOfFormat(format))
        }
    }

    /// A secret key for other uses, named by their domain (HKDF-SHA256, RFC 5869). Whoever has it learns nothing of the
    /// seed.
    ///
    /// # Panics
    /// Never: HKDF can give out 32 bytes.
    #[must_use]
    pub fn derive(&self, domain: &'static str) -> Zeroizing<[u8; 32]> {
        let mut key = Zeroizing::new([0; 32]);
        hkdf::Hkdf::<Sha256>::new(Some(b"tacit owner key 1"), self.0.as_bytes())
            .expand(domain.as_bytes(), &mut *key)
            .expect("32 bytes can be expanded");
        key
    }

    /// The file's text: name and version of the format, fingerprint, seed and checksum, each on a line of its own.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut seed = Zeroizing::new([0; 64]);
        hex::encode_to_slice(self.0.as_bytes(), &mut *seed).expect("64 digits for 32 bytes");
        let seed = std::str::from_utf8(&*seed).expect("hexadecimal digits");
        let mut text = Zeroizing::new(String::with_capacity(MAX_FILE));
        for part in
            [MAGIC, "\nfingerprint ", &self.public().fingerprint().to_string(), "\nsecret ", seed, "\n"]
        {
            text.push_str(part);
        }
        let sum = Sha256::digest(text.as_bytes());
        text.push_str("checksum ");
        text.push_str(&hex::encode(&sum[..8]));
        text.push('\n');
        text
    }

    /// Reads the file's bytes; refuses other versions, damage and any other spelling.
    ///
    /// # Errors
    /// [`OwnerKeyError`], which never shows the secret.
    pub fn from_text(bytes: &[u8]) -> Result<Self, OwnerKeyError> {
        use OwnerKeyError as E;
        if bytes.len() > MAX_FILE {
            return Err(E::TooLarge(bytes.len()));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| E::Magic)?;
        let mut lines = text.split('\n');
        let magic = lines.next().unwrap_or("");
        if magic != MAGIC {
            let version = magic.strip_prefix("tacit-owner-key/");
            return Err(version.map_or(E::Magic, |v| E::Version(v.escape_debug().take(20).collect())));
        }
        let mut field = |name: &'static str| {
            lines.next().and_then(|l| l.strip_prefix(name)?.strip_prefix(' ')).ok_or(E::Field(name))
        };
        let _fingerprint = field("fingerprint")?;
        let secret = field("secret")?;
        let mut seed = Zeroizing::new([0; 32]);
        hex::decode_to_slice(secret, &mut *seed).map_err(|_| E::Field("secret"))?;
        let key = Self::from_seed(&seed);
        if key.to_text().as_bytes() == bytes { Ok(key) } else { Err(E::Damaged) }
    }
}

/// Why a key file is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OwnerKeyError {
    /// Not a key file.
    #[error("not a Tacit key file (its first line is not `{MAGIC}`)")]
    Magic,
    /// Another version.
    #[error("key file version `{0}` is not supported (this build reads version 1)")]
    Version(String),
    /// Larger than any key file.
    #[error("the key file has {0} bytes; at most {MAX_FILE} are read")]
    TooLarge(usize),
    /// A line is missing or malformed.
    #[error("the key file has no usable `{0}` line")]
    Field(&'static str),
    /// Fingerprint, secret and checksum do not belong together, or the spelling is not the canonical one.
    #[error("the key file is damaged or was edited: secret, fingerprint and checksum do not fit together")]
    Damaged,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u8) -> OwnerKey {
        OwnerKey::from_seed(&Zeroizing::new([seed; 32]))
    }

    #[test]
    fn file_round_trips_and_refuses_damage() {
        let key = key(1);
        let text = key.to_text();
        let again = OwnerKey::from_text(text.as_bytes()).expect("own file");
        assert_eq!(again.public(), key.public());
        for at in 0..text.len() {
            for bit in [1, 0x20, 0x80] {
                let mut bad = text.as_bytes().to_vec();
                bad[at] ^= bit;
                assert!(OwnerKey::from_text(&bad).is_err(), "flipped byte {at}");
            }
            assert!(OwnerKey::from_text(&text.as_bytes()[..at]).is_err(), "cut at {at}");
        }
        assert!(OwnerKey::from_text(format!("{}\n", *text).as_bytes()).is_err());
        assert_eq!(
            OwnerKey::from_text(text.replace("key/1", "key/2").as_bytes()).map(|_| ()),
            Err(OwnerKeyError::Version("2".into()))
        );
    }

    #[test]
    fn nothing_shows_the_secret() {
        let shown = format!("{:?}", key(0xa7));
        assert!(!shown.contains(&"a7".repeat(3)) && !shown.contains("167, 167"), "{shown}");
    }

    #[test]
    fn signatures_are_bound_to_domain_message_and_key() {
        let (a, b) = (key(1), key(2));
        let signature = a.sign("tacit/test/1", b"message");
        assert_eq!(a.public().verify("tacit/test/1", b"message", &signature), Ok(()));
        assert_eq!(a.public().verify("tacit/test/2", b"message", &signature), Err(BadSignature));
        assert_eq!(a.public().verify("tacit/test/1", b"messag", &signature), Err(BadSignature));
        assert_eq!(b.public().verify("tacit/test/1", b"message", &signature), Err(BadSignature));
        for at in 0..64 {
            let mut bad = signature;
            bad.0[at] ^= 1;
            assert_eq!(a.public().verify("tacit/test/1", b"message", &bad), Err(BadSignature));
        }
    }

    #[test]
    fn foreign_formats_and_own_messages_never_meet() {
        use ForeignFormat::{Dsse, HttpSignature, SignedNote};
        let key = key(1);
        let own = signed_bytes("tacit/test/1", b"message\n");
        let note = b"example.org/log\n1\nroot\n".as_slice();
        let pae = b"DSSEv1 4 type 5 body\n".as_slice();
        let base = b"\"@method\": PUT\n\"@path\": /\n\"@signature-params\": ()".as_slice();
        let formats = [(SignedNote, note), (Dsse, pae), (HttpSignature, base)];
        for (format, bytes) in formats {
            let signature = key.sign_foreign(format, bytes).expect("of the format");
            assert_eq!(key.public().verify_foreign(format, bytes, &signature), Ok(()));
            for (other, _) in formats.into_iter().filter(|(other, _)| *other != format) {
                assert_eq!(key.sign_foreign(other, bytes), Err(NotOfFormat(other)));
                assert_eq!(key.public().verify_foreign(other, bytes, &signature), Err(BadSignature));
            }
            assert_eq!(key.sign_foreign(format, &own), Err(NotOfFormat(format)));
            // A signature in a domain of ours is none in the format, even over the very bytes that it is over.
            let ours = key.sign("tacit/test/1", b"message\n");
            assert_eq!(key.public().verify_foreign(format, &own, &ours), Err(BadSignature));
            assert_eq!(key.public().verify("tacit/test/1", bytes, &signature), Err(BadSignature));
        }
        for bad in [b"".as_slice(), b"no newline", b"a\0\n", b"a\r\n", b"\xff\n", b"tacit signature 1\0x\0\n"]
        {
            assert_eq!(key.sign_foreign(SignedNote, bad), Err(NotOfFormat(SignedNote)));
        }
        // What begins like a base and ends with a newline is a note, and no base.
        let noted = [base, b"\n"].concat();
        assert!(key.sign_foreign(SignedNote, &noted).is_ok());
        for bad in [
            noted.as_slice(),
            b"",
            b"\"@path\": /\n\"@method\": PUT",
            b"\"@method\": PUT\0",
            b"\"@method\": PUT\r\n\"@path\": /",
            b"\"@method\": P\xc3\xbcT",
        ] {
            assert_eq!(key.sign_foreign(HttpSignature, bad), Err(NotOfFormat(HttpSignature)));
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_belong_to_two_formats(
            head in proptest::sample::select(vec![PREFIX, PAE, SIGNATURE_BASE, b"", b"\n", b"\""]),
            bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..40),
            is_text in proptest::prelude::any::<bool>(),
            tail in proptest::sample::select(vec![b"".as_slice(), b"\n"]),
        ) {
            let bytes: Vec<u8> = bytes.iter().map(|b| if is_text { b & 0x3f | 0x40 } else { *b }).collect();
            let bytes = [head, &bytes, tail].concat();
            let own = usize::from(bytes.starts_with(PREFIX));
            let formats = [ForeignFormat::SignedNote, ForeignFormat::Dsse, ForeignFormat::HttpSignature];
            proptest::prop_assert!(own + formats.into_iter().filter(|f| f.owns(&bytes)).count() <= 1);
        }
    }

    #[test]
    fn weak_and_non_canonical_keys_are_refused() {
        let mut identity = [0; 32];
        identity[0] = 1;
        assert_eq!(OwnerPublicKey::from_bytes(&identity), Err(PublicKeyError::Weak));
        assert_eq!(OwnerPublicKey::from_bytes(&[0; 32]), Err(PublicKeyError::Weak));
        let mut p_plus_3 = [0xff; 32];
        p_plus_3[0] = 0xf0;
        p_plus_3[31] = 0x7f;
        assert_eq!(OwnerPublicKey::from_bytes(&p_plus_3), Err(PublicKeyError::NotAPoint));
        let good = key(3).public();
        assert_eq!(good.to_string().parse(), Ok(good));
    }

    #[test]
    fn fingerprints_have_one_spelling() {
        let fingerprint = key(1).public().fingerprint();
        let text = fingerprint.to_string();
        assert!(text.starts_with("tacit1") && text.len() == 64, "{text}");
        assert_eq!(text.parse(), Ok(fingerprint));
        assert_eq!(text.to_uppercase().parse::<Fingerprint>(), Err(FingerprintError));
        for at in 0..text.len() {
            let mut bad = text.clone().into_bytes();
            bad[at] = if bad[at] == b'q' { b'p' } else { b'q' };
            let bad = String::from_utf8(bad).expect("ASCII");
            assert_eq!(bad.parse::<Fingerprint>(), Err(FingerprintError), "{bad}");
        }
        assert!("".parse::<Fingerprint>().is_err());
    }
}
