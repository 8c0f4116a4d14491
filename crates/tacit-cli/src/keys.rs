//! Identities: made, read, and unlocked where a passphrase protects them.

use std::io::IsTerminal as _;
use std::path::Path;

use rand_core::{OsRng, RngCore as _};
use tacit_claim::OwnerKey;
use tacit_core::files;
use tacit_exchange::key_file::{self, KeyFileError};
use zeroize::Zeroizing;

use crate::args::Passphrase;
use crate::failure::Failure;
use crate::load;

/// The identity in a file; its passphrase is asked for where it has one.
pub(crate) fn owner_key(path: &Path, unlock: &Passphrase) -> Result<OwnerKey, Failure> {
    let bytes = load::key_file(path)?;
    if !key_file::is_encrypted(&bytes) {
        return OwnerKey::from_text(&bytes).map_err(|e| {
            Failure::new(format!("{}: {e}", path.display())).advise("restore the key from a copy")
        });
    }
    let passphrase = passphrase(unlock, &format!("Passphrase of {}: ", path.display()))?;
    key_file::decrypt(&bytes, &passphrase).map_err(|e| {
        let failure = Failure::new(format!("{}: {e}", path.display()));
        match e {
            KeyFileError::Passphrase => failure.advise("try again, or restore the key from a copy"),
            _ => failure.advise("restore the key from a copy"),
        }
    })
}

/// A new identity.
pub(crate) fn fresh() -> OwnerKey {
    let mut seed = Zeroizing::new([0; 32]);
    OsRng.fill_bytes(&mut *seed);
    OwnerKey::from_seed(&seed)
}

/// A passphrase for a new key: from the file, or asked for twice.
pub(crate) fn new_passphrase(unlock: &Passphrase) -> Result<Zeroizing<String>, Failure> {
    let first = passphrase(unlock, "New passphrase: ")?;
    if first.is_empty() {
        return Err(Failure::new(KeyFileError::Empty.to_string()).advise("choose one"));
    }
    if unlock.passphrase_file.is_none() && first != passphrase(unlock, "The same again: ")? {
        return Err(Failure::new("the two passphrases differ").advise("try again; nothing was written"));
    }
    Ok(first)
}

fn passphrase(unlock: &Passphrase, prompt: &str) -> Result<Zeroizing<String>, Failure> {
    let nowhere = || {
        Failure::new("a passphrase is needed, and there is no terminal to ask for it")
            .advise("pass --passphrase-file with a file that holds it, readable by you alone")
    };
    let Some(path) = &unlock.passphrase_file else {
        if !std::io::stdin().is_terminal() {
            return Err(nowhere());
        }
        return rpassword::prompt_password(prompt).map(Zeroizing::new).map_err(|_| nowhere());
    };
    let bytes = files::read(path, 4096)?;
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| Failure::new(format!("{}: a passphrase is text", path.display())))?;
    // The newline that editors put there is not part of it.
    let text = text.strip_suffix('\n').unwrap_or(text);
    Ok(Zeroizing::new(text.strip_suffix('\r').unwrap_or(text).to_owned()))
}
