//! Signed heads of the log: [signed notes](https://c2sp.org/signed-note) whose text is a
//! [checkpoint](https://c2sp.org/tlog-checkpoint).
//!
//! ```text
//! example.org/cup/<competition id>
//! 3
//! <root in base64>
//!
//! — example.org/cup/<competition id> <key id and Ed25519 signature in base64>
//! ```
//!
//! Notes may carry the signatures of others beside the host's, such as witnesses'; they are kept and not
//! looked at.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use signed_note::{
    Note, NoteError as LibraryError, Signature, VerificationError, Verifier, Verifiers, key_id,
};
use tacit_claim::{ForeignFormat, OwnerKey, OwnerPublicKey, OwnerSignature};

use crate::ids::TreeHash;
use crate::tree::Root;

/// Longest note that is read, in bytes.
pub(crate) const MAX_NOTE: usize = 64 << 10;
/// Signature type of Ed25519 in key ids.
const ED25519: u8 = 1;

/// Why a note is no head of a log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// Not the form of a signed note.
    #[error("is not a signed note")]
    Note,
    /// No signature by the host under the log's name, or one that is not the host's.
    #[error("is not signed by the competition's host")]
    Signature,
    /// The signed text is no checkpoint, or that of another log.
    #[error("is not a checkpoint of this competition's log")]
    Checkpoint,
}

/// The id of an Ed25519 key in the signatures that it makes under `name`.
fn note_key_id(name: &str, key: &OwnerPublicKey) -> u32 {
    key_id(name, &[&[ED25519], key.to_bytes().as_slice()].concat())
}

/// Signs a text that ends with a newline. `None` for what is no text of a note, or a name with spaces or `+`.
fn sign_note(text: &str, name: &str, key: &OwnerKey) -> Option<String> {
    let signature = key.sign_foreign(ForeignFormat::SignedNote, text.as_bytes()).ok()?;
    let line =
        Signature::new(name.to_owned(), note_key_id(name, &key.public()), signature.0.to_vec()).ok()?;
    String::from_utf8(Note::new(text.as_bytes(), &[line]).ok()?.to_bytes()).ok()
}

/// The text of a note, once a signature of `key` under `name` was found and holds.
fn open_note(bytes: &[u8], name: &str, key: &OwnerPublicKey) -> Result<String, HeadError> {
    let known = Known { name, id: note_key_id(name, key), key };
    if bytes.len() > MAX_NOTE {
        return Err(HeadError::Note);
    }
    let note = Note::from_bytes(bytes).map_err(|_| HeadError::Note)?;
    note.verify(&known).map_err(|e| match e {
        LibraryError::MalformedNote => HeadError::Note,
        _ => HeadError::Signature,
    })?;
    String::from_utf8(note.text().to_vec()).map_err(|_| HeadError::Note)
}

struct Known<'a> {
    name: &'a str,
    id: u32,
    key: &'a OwnerPublicKey,
}

impl Verifiers for Known<'_> {
    fn verifier(&self, name: &str, id: u32) -> Result<&dyn Verifier, VerificationError> {
        if (name, id) == (self.name, self.id) {
            Ok(self)
        } else {
            Err(VerificationError::UnknownKey { name: name.to_owned(), id })
        }
    }
}

impl Verifier for Known<'_> {
    fn name(&self) -> &str {
        self.name
    }

    fn key_id(&self) -> u32 {
        self.id
    }

    fn verify(&self, text: &[u8], signature: &[u8]) -> bool {
        let Ok(signature) = signature.try_into().map(OwnerSignature) else { return false };
        self.key.verify_foreign(ForeignFormat::SignedNote, text, &signature).is_ok()
    }
}

/// A head of a log whose signature was checked or just made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    root: Root,
    note: String,
}

impl Head {
    /// Signs the root of the log `name`.
    ///
    /// # Panics
    /// Where `name` is no name of a log: it comes from [`crate::Competition::log_name`].
    #[must_use]
    pub fn sign(name: &str, root: Root, host: &OwnerKey) -> Self {
        let text = format!("{name}\n{}\n{}\n", root.size, STANDARD.encode(root.hash.0));
        let note = sign_note(&text, name, host).expect("an origin and an id make a name without spaces");
        Self { root, note }
    }

    /// Reads a signed head of the log `name`, whose host has this key.
    ///
    /// # Errors
    /// [`HeadError`].
    pub fn open(note: &[u8], name: &str, host: &OwnerPublicKey) -> Result<Self, HeadError> {
        let text = open_note(note, name, host)?;
        let root = checkpoint(&text, name).ok_or(HeadError::Checkpoint)?;
        let note = String::from_utf8(note.to_vec()).map_err(|_| HeadError::Note)?;
        Ok(Self { root, note })
    }

    /// The root that was signed.
    #[must_use]
    pub const fn root(&self) -> Root {
        self.root
    }

    /// Number of entries.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.root.size
    }

    /// The note, as it stands in its file.
    #[must_use]
    pub fn note(&self) -> &str {
        &self.note
    }
}

/// The three lines of a checkpoint. Extension lines, which the host never writes, are refused.
fn checkpoint(text: &str, name: &str) -> Option<Root> {
    let mut lines = text.strip_suffix('\n')?.split('\n');
    let (origin, size, hash) = (lines.next()?, lines.next()?, lines.next()?);
    let is_number = size.bytes().all(|b| b.is_ascii_digit()) && (size == "0" || !size.starts_with('0'));
    if origin != name || !is_number || lines.next().is_some() {
        return None;
    }
    let hash: [u8; 32] = STANDARD.decode(hash).ok()?.try_into().ok()?;
    Some(Root { size: size.parse().ok()?, hash: TreeHash(hash) })
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    /// The key and the note of the format's reference implementation (golang.org/x/mod/sumdb/note).
    const NAME: &str = "PeterNeumann";
    const TEXT: &str = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
    const LINE: &str = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

    fn reference_key() -> OwnerKey {
        let bytes = STANDARD.decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz").expect("base64");
        let mut seed = Zeroizing::new([0; 32]);
        seed.copy_from_slice(&bytes[1..]);
        OwnerKey::from_seed(&seed)
    }

    #[test]
    fn notes_are_those_of_the_reference() {
        let key = reference_key();
        assert_eq!(note_key_id(NAME, &key.public()), 0xc74f_20a3);
        let public = STANDARD.decode("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW").expect("base64");
        assert_eq!(public[1..], key.public().to_bytes());
        let note = format!("{TEXT}\n{LINE}");
        assert_eq!(sign_note(TEXT, NAME, &key).as_ref(), Some(&note));
        assert_eq!(open_note(note.as_bytes(), NAME, &key.public()).as_deref(), Ok(TEXT));
        // Others' signatures beside it are passed over; without one of the key nothing is.
        let other = tacit_claim::testing::owner(1);
        let theirs = sign_note(TEXT, "witness.example/w1", &other).expect("a note");
        let theirs = theirs.lines().last().expect("a signature").to_owned() + "\n";
        let both = format!("{TEXT}\n{theirs}{LINE}");
        assert_eq!(open_note(both.as_bytes(), NAME, &key.public()).as_deref(), Ok(TEXT));
        let alone = format!("{TEXT}\n{theirs}");
        assert_eq!(open_note(alone.as_bytes(), NAME, &key.public()), Err(HeadError::Signature));
    }

    #[test]
    fn a_changed_note_is_refused() {
        let key = reference_key();
        let note = format!("{TEXT}\n{LINE}");
        for at in 0..note.len() {
            let mut bad = note.clone().into_bytes();
            bad[at] ^= 1;
            assert!(open_note(&bad, NAME, &key.public()).is_err(), "flipped byte {at}");
            assert!(open_note(&note.as_bytes()[..at], NAME, &key.public()).is_err(), "cut at {at}");
        }
        assert_eq!(open_note(&vec![b'\n'; MAX_NOTE + 1], NAME, &key.public()), Err(HeadError::Note));
    }

    #[test]
    fn checkpoints_have_three_lines() {
        // The example of the specification.
        let name = "example.com/behind-the-sofa";
        let text = format!("{name}\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n");
        let root = checkpoint(&text, name).expect("the example");
        assert_eq!(root.size, 20_852_163);
        assert_eq!(hex::encode(&root.hash.0[..4]), "0ac5186a");
        assert_eq!(checkpoint(&text, "example.com/other"), None);
        for (from, to) in [
            ("20852163", "020852163"),
            ("20852163", "+20852163"),
            ("20852163", "20852163 "),
            ("20852163", "99999999999999999999999"),
            ("20852163", ""),
            ("q2I=\n", "q2I="),
            ("q2I=\n", "q2J=\n"),
            ("q2I=\n", "q2I\n"),
            ("q2I=\n", "q2I=\nextension\n"),
            ("q2I=\n", "q2I=\n\n"),
        ] {
            assert_eq!(checkpoint(&text.replacen(from, to, 1), name), None, "{from} to {to}");
        }
        let key = reference_key();
        let head = Head::sign(name, root, &key);
        assert_eq!(Head::open(head.note().as_bytes(), name, &key.public()), Ok(head.clone()));
        let other = Head::open(head.note().as_bytes(), "example.com/other", &key.public());
        assert_eq!(other, Err(HeadError::Signature));
        let signed = sign_note("no checkpoint\n", name, &key).expect("a note");
        assert_eq!(Head::open(signed.as_bytes(), name, &key.public()), Err(HeadError::Checkpoint));
    }
}
