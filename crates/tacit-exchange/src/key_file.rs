//! `owner.key` behind a passphrase: Argon2id (RFC 9106) makes a key of it, XChaCha20-Poly1305 encrypts the plain
//! file's text.
//!
//! Lines of text, as the plain file has: name and version, fingerprint, parameters (memory in KiB, passes, lanes), salt,
//! nonce, ciphertext. All before the ciphertext is its associated data.

use argon2::{Algorithm, Argon2, Block, Params, Version};
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use rand_core::CryptoRngCore;
use tacit_claim::{OwnerKey, OwnerKeyError, decode_hex};
use zeroize::Zeroizing;

const MAGIC: &str = "tacit-encrypted-owner-key/1";
/// No file is longer than this.
const MAX_FILE: usize = 4096;
/// RFC 9106, section 4, second recommended option: 64 MiB, three passes, four lanes.
const MEMORY: u32 = 64 << 10;
const PASSES: u32 = 3;
const LANES: u32 = 4;
/// A file asks for no more than this (1 GiB), lest it be used to exhaust its reader.
const MAX_MEMORY: u32 = 1 << 20;
const MAX_PASSES: u32 = 16;
const MAX_LANES: u32 = 16;

/// Why an encrypted key file is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyFileError {
    /// Not such a file, or not in its one form.
    #[error("not an encrypted Tacit key file, or damaged: its `{0}` line cannot be used")]
    Line(&'static str),
    /// It asks for more memory or time than is sensible.
    #[error("the key file asks for {0} KiB of memory, more passes or more lanes than any that Tacit makes")]
    Parameters(u32),
    /// The passphrase does not open it.
    #[error("the passphrase does not open the key file, or the file is damaged")]
    Passphrase,
    /// The passphrase is empty.
    #[error("an empty passphrase protects nothing")]
    Empty,
    /// What was inside is no key.
    #[error(transparent)]
    Key(#[from] OwnerKeyError),
}

/// Whether a key file's bytes are encrypted.
#[must_use]
pub fn is_encrypted(bytes: &[u8]) -> bool {
    bytes.starts_with(b"tacit-encrypted-owner-key/")
}

/// The file's text.
///
/// # Errors
/// [`KeyFileError::Empty`].
pub fn encrypt(
    key: &OwnerKey,
    passphrase: &str,
    rng: &mut dyn CryptoRngCore,
) -> Result<String, KeyFileError> {
    if passphrase.is_empty() {
        return Err(KeyFileError::Empty);
    }
    let (mut salt, mut nonce) = ([0; 16], [0; 24]);
    rng.fill_bytes(&mut salt);
    rng.fill_bytes(&mut nonce);
    let clear = format!(
        "{MAGIC}\nfingerprint {}\nargon2id {MEMORY} {PASSES} {LANES}\nsalt {}\nnonce {}\n",
        key.public().fingerprint(),
        hex::encode(salt),
        hex::encode(nonce)
    );
    let text = key.to_text();
    let sealed = cipher(passphrase, &salt, (MEMORY, PASSES, LANES))?
        .encrypt(&XNonce::from(nonce), Payload { msg: text.as_bytes(), aad: clear.as_bytes() })
        .expect("short");
    Ok(format!("{clear}sealed {}\n", hex::encode(sealed)))
}

/// Reads and opens a file.
///
/// # Errors
/// [`KeyFileError`], which shows no secret.
pub fn decrypt(bytes: &[u8], passphrase: &str) -> Result<OwnerKey, KeyFileError> {
    use KeyFileError as E;
    let text = std::str::from_utf8(bytes).map_err(|_| E::Line("first"))?;
    if text.len() > MAX_FILE {
        return Err(E::Line("first"));
    }
    let mut lines = text.strip_suffix('\n').ok_or(E::Line("last"))?.split('\n');
    if lines.next() != Some(MAGIC) {
        return Err(E::Line("first"));
    }
    let mut field = |name: &'static str| {
        lines.next().and_then(|l| l.strip_prefix(name)?.strip_prefix(' ')).ok_or(E::Line(name))
    };
    let fingerprint = field("fingerprint")?;
    let parameters = field("argon2id")?;
    let salt: [u8; 16] = decode_hex(field("salt")?).map_err(|_| E::Line("salt"))?;
    let nonce: [u8; 24] = decode_hex(field("nonce")?).map_err(|_| E::Line("nonce"))?;
    let digits = field("sealed")?;
    let sealed = hex::decode(digits).map_err(|_| E::Line("sealed"))?;
    // The one line that the cipher does not cover: no second spelling.
    if hex::encode(&sealed) != digits {
        return Err(E::Line("sealed"));
    }
    if lines.next().is_some() {
        return Err(E::Line("last"));
    }
    let numbers: Vec<u32> = parameters.split(' ').filter_map(|n| n.parse().ok()).collect();
    let &[memory, passes, lanes] = numbers.as_slice() else { return Err(E::Line("argon2id")) };
    if memory > MAX_MEMORY || passes > MAX_PASSES || lanes > MAX_LANES {
        return Err(E::Parameters(memory));
    }
    let clear = &text[..text.find("\nsealed ").ok_or(E::Line("sealed"))? + 1];
    let opened = cipher(passphrase, &salt, (memory, passes, lanes))?
        .decrypt(&XNonce::from(nonce), Payload { msg: &sealed, aad: clear.as_bytes() })
        .map(Zeroizing::new)
        .map_err(|_| E::Passphrase)?;
    let key = OwnerKey::from_text(&opened)?;
    if key.public().fingerprint().to_string() == fingerprint { Ok(key) } else { Err(E::Line("fingerprint")) }
}

fn cipher(
    passphrase: &str,
    salt: &[u8; 16],
    (memory, passes, lanes): (u32, u32, u32),
) -> Result<XChaCha20Poly1305, KeyFileError> {
    let params =
        Params::new(memory, passes, lanes, Some(32)).map_err(|_| KeyFileError::Parameters(memory))?;
    // The last of these blocks give the key.
    let mut blocks = Zeroizing::new(Vec::new());
    blocks.try_reserve_exact(params.block_count()).map_err(|_| KeyFileError::Parameters(memory))?;
    blocks.resize(params.block_count(), Block::default());
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(passphrase.as_bytes(), salt, &mut *key, &mut **blocks)
        .map_err(|_| KeyFileError::Parameters(memory))?;
    Ok(XChaCha20Poly1305::new(<&Key>::from(&*key)))
}
