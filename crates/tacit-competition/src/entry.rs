//! What the log holds: the opening, registrations, the publication. One canonical file each.

use std::path::Path;

use serde::{Deserialize, Serialize};
use tacit_claim::{CardId, OwnerKey, OwnerPublicKey, OwnerSignature, SaltBytes};

use crate::ids::{CompetitionId, FileDigest, SealedTestSet, TestSetDigest};
use crate::seal::Seal;
use crate::text::DisplayName;
use tacit_claim::format_tag;
use tacit_claim::strict_json::{self as json, FormatError};

/// Longest entry or request that is read, in bytes.
pub(crate) const MAX_ENTRY: usize = 16 << 10;
/// Most entries of a log.
pub const MAX_ENTRIES: u64 = 1 << 17;
const DOMAIN: &str = "tacit/competition/registration/1";

format_tag!(RegistrationTag, Registration::FORMAT);
format_tag!(EntryTag, Entry::FORMAT);

/// A competitor's wish to compete with a card, signed with the key that signed the card: nobody can register
/// a card that is somebody else's, and no request can be used for another competition, card or name.
///
/// Read from a file it is what somebody wrote; [`Registration::verify`] checks the signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    card: CardId,
    competition: CompetitionId,
    format: RegistrationTag,
    name: DisplayName,
    owner: OwnerPublicKey,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signature: Option<OwnerSignature>,
}

impl Registration {
    /// Format name and version of a request file.
    pub const FORMAT: &'static str = "tacit.competition-request/1";

    /// Signs a request. `key` must be the key that signed `card` for the request to be accepted.
    #[must_use]
    pub fn sign(competition: CompetitionId, card: CardId, name: DisplayName, key: &OwnerKey) -> Self {
        let owner = key.public();
        let mut request = Self { card, competition, format: RegistrationTag, name, owner, signature: None };
        request.signature = Some(key.sign(DOMAIN, &json::unsigned(&request)));
        request
    }

    /// Reads a request file.
    ///
    /// # Errors
    /// [`FormatError`] for anything but the canonical form. The signature is not checked.
    pub fn from_json(bytes: &[u8]) -> Result<Self, FormatError> {
        json::read(bytes, MAX_ENTRY, Self::FORMAT)
    }

    /// The file's bytes.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        json::write(self)
    }

    /// The card.
    #[must_use]
    pub const fn card(&self) -> CardId {
        self.card
    }

    /// The competition.
    #[must_use]
    pub const fn competition(&self) -> CompetitionId {
        self.competition
    }

    /// Who wants to compete.
    #[must_use]
    pub const fn owner(&self) -> &OwnerPublicKey {
        &self.owner
    }

    /// What they want to be called.
    #[must_use]
    pub const fn name(&self) -> &DisplayName {
        &self.name
    }

    /// Checks the signature of the owner whom the request names.
    ///
    /// # Errors
    /// [`FormatError::Unsigned`], [`FormatError::Signature`].
    pub fn verify(&self) -> Result<(), FormatError> {
        let signature = self.signature.ok_or(FormatError::Unsigned)?;
        self.owner.verify(DOMAIN, &json::unsigned(self), &signature).map_err(|_| FormatError::Signature)
    }
}

/// The kind of file that a test set is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataFormat {
    /// Comma-separated values.
    Csv,
    /// An archive of NumPy arrays.
    Npz,
    /// JSON.
    Json,
}

impl DataFormat {
    /// The format by the extension of the file's name.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "npz" => Some(Self::Npz),
            "json" => Some(Self::Json),
            _ => None,
        }
    }

    /// Name of the published file.
    #[must_use]
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::Csv => "test.csv",
            Self::Npz => "test.npz",
            Self::Json => "test.json",
        }
    }
}

/// The opened seal and the test set's file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Publication {
    /// The kind of file, and with it the name.
    pub data: DataFormat,
    /// SHA-256 of the file.
    pub file: FileDigest,
    /// The salt, no longer a secret.
    pub salt: SaltBytes,
    /// The test set's digest.
    pub test_set: TestSetDigest,
}

impl Publication {
    /// Publishes what `seal` hid, in a file of these bytes.
    #[must_use]
    pub fn new(seal: &Seal, data: DataFormat, bytes: &[u8]) -> Self {
        Self { data, file: FileDigest::of(bytes), salt: seal.salt().clone(), test_set: seal.digest() }
    }

    /// The commitment that salt and digest open.
    #[must_use]
    pub fn sealed(&self) -> SealedTestSet {
        Seal::new(self.test_set, self.salt.clone()).sealed()
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The competition was opened: always entry 0, so that every head of the log binds the competition.
    Opening,
    /// A card was registered.
    Registration(Box<Registration>),
    /// The test set was published.
    Publication(Publication),
}

/// A numbered entry of a competition's log. Its canonical bytes are a leaf of the tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    competition: CompetitionId,
    event: Event,
    format: EntryTag,
    index: u64,
}

impl Entry {
    /// Format name and version of an entry's file.
    pub const FORMAT: &'static str = "tacit.competition-entry/1";

    /// An entry.
    #[must_use]
    pub const fn new(competition: CompetitionId, index: u64, event: Event) -> Self {
        Self { competition, event, format: EntryTag, index }
    }

    /// Reads an entry's file.
    ///
    /// # Errors
    /// [`FormatError`] for anything but the canonical form.
    pub fn from_json(bytes: &[u8]) -> Result<Self, FormatError> {
        json::read(bytes, MAX_ENTRY, Self::FORMAT)
    }

    /// The file's bytes.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        json::write(self)
    }

    /// The competition that it belongs to.
    #[must_use]
    pub const fn competition(&self) -> CompetitionId {
        self.competition
    }

    /// Its place in the log.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// What happened.
    #[must_use]
    pub const fn event(&self) -> &Event {
        &self.event
    }
}
