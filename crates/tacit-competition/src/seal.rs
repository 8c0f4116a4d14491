//! The test set, committed to before anybody sees it.

use serde::{Deserialize, Serialize};
use tacit_claim::SaltBytes;

use tacit_claim::encoding::domain_hash;

use crate::ids::{SealedTestSet, TestSetDigest};
use tacit_claim::strict_json::{self as json, FormatError};

const DOMAIN: &str = "tacit/competition/sealed-test-set/1";
/// No such file is longer.
const MAX_FILE: usize = 1024;

/// What opens a competition's sealed test set: the host's secret until publication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seal {
    digest: TestSetDigest,
    salt: SaltBytes,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SealJson {
    format: String,
    salt: SaltBytes,
    test_set: TestSetDigest,
}

impl Seal {
    /// Format name and version of the host's secret file.
    pub const FORMAT: &'static str = "tacit.competition-seal/1";

    /// Seals the test set of this digest under a salt from a cryptographic source of randomness.
    #[must_use]
    pub const fn new(digest: TestSetDigest, salt: SaltBytes) -> Self {
        Self { digest, salt }
    }

    /// The test set's digest.
    #[must_use]
    pub const fn digest(&self) -> TestSetDigest {
        self.digest
    }

    /// The salt.
    #[must_use]
    pub const fn salt(&self) -> &SaltBytes {
        &self.salt
    }

    /// What the competition shows of it.
    #[must_use]
    pub fn sealed(&self) -> SealedTestSet {
        SealedTestSet(domain_hash(DOMAIN, &[self.salt.expose(), &self.digest.0]))
    }

    /// The secret file's bytes.
    #[must_use]
    pub fn to_json(&self) -> zeroize::Zeroizing<Vec<u8>> {
        let file =
            SealJson { format: Self::FORMAT.to_owned(), salt: self.salt.clone(), test_set: self.digest };
        zeroize::Zeroizing::new(json::write(&file))
    }

    /// Reads the secret file's bytes.
    ///
    /// # Errors
    /// [`FormatError`], which never shows the salt.
    pub fn from_json(bytes: &[u8]) -> Result<Self, FormatError> {
        let file: SealJson = json::read(bytes, MAX_FILE, Self::FORMAT).map_err(|e| match e {
            FormatError::Json(_) => FormatError::Json("no seal of a test set".to_owned()),
            other => other,
        })?;
        Ok(Self { digest: file.test_set, salt: file.salt })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_binds_digest_and_salt() {
        let seal = |digest, salt| Seal::new(TestSetDigest([digest; 32]), SaltBytes::new([salt; 32]));
        assert_ne!(seal(1, 2).sealed(), seal(2, 1).sealed());
        assert_ne!(seal(1, 2).sealed(), seal(1, 3).sealed());
        let again = Seal::from_json(&seal(1, 2).to_json()).expect("own file");
        assert_eq!(again, seal(1, 2));
        assert!(!format!("{again:?}").contains("02020202"));
        let text = String::from_utf8(seal(1, 2).to_json().to_vec()).expect("text");
        for bad in [text.replace("seal/1", "seal/2"), text.replace("02", "0g"), format!("{text}\n")] {
            let error = Seal::from_json(bad.as_bytes()).expect_err("refused").to_string();
            assert!(!error.contains("02020202"), "{error}");
        }
    }
}
