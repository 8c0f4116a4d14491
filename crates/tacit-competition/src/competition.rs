//! `competition.json`: what a host announces, signed. It never changes.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tacit_claim::{Card, ColumnName, Context, OwnerKey, OwnerPublicKey, OwnerSignature};
use tacit_model::Schema;

use crate::ids::{CompetitionId, SealedTestSet};
use crate::text::{CompetitionName, MetricText, Origin};
use tacit_claim::strict_json::{self as json, FormatError};

/// Longest file that is read, in bytes.
pub(crate) const MAX_COMPETITION: usize = 32 << 20;
/// Most columns that tell groups of records apart.
const MAX_GROUPS: usize = 16;
const DOMAIN: &str = "tacit/competition/1";

/// What a host announces; [`Competition::sign`] adds the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// What the competition is called.
    pub name: CompetitionName,
    /// What the host calls its log.
    pub origin: Origin,
    /// What a record is. Cards must have the same features, decimals and classes; ranges may differ.
    pub schema: Schema,
    /// The column or array of the labels.
    pub labels: ColumnName,
    /// Columns of the test set by which groups of records are told apart, all different.
    pub groups: Vec<ColumnName>,
    /// What submissions are ranked by.
    pub metric: MetricText,
    /// The test set that will be published.
    pub test_set: SealedTestSet,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CompetitionJson {
    format: String,
    groups: Vec<ColumnName>,
    host: OwnerPublicKey,
    labels: ColumnName,
    metric: MetricText,
    name: CompetitionName,
    origin: Origin,
    schema: Schema,
    test_set: SealedTestSet,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signature: Option<OwnerSignature>,
}

/// A competition that was checked: canonical, complete, signed by its host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Competition {
    terms: Terms,
    host: OwnerPublicKey,
    id: CompetitionId,
    json: Vec<u8>,
}

/// Why a competition is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TermsError {
    /// The file's form.
    #[error("the competition {0}")]
    Format(#[from] FormatError),
    /// Columns of the test set that are too many, or not told apart.
    #[error("the competition names a column of the test set twice, or more than {MAX_GROUPS} for groups")]
    Columns,
}

impl Competition {
    /// Format name and version of `competition.json`.
    pub const FORMAT: &'static str = "tacit.competition/1";

    /// Completes and signs the terms.
    ///
    /// # Errors
    /// [`TermsError`] when they break a rule.
    pub fn sign(terms: Terms, host: &OwnerKey) -> Result<Self, TermsError> {
        let mut file = CompetitionJson {
            format: Self::FORMAT.to_owned(),
            groups: terms.groups,
            host: host.public(),
            labels: terms.labels,
            metric: terms.metric,
            name: terms.name,
            origin: terms.origin,
            schema: terms.schema,
            test_set: terms.test_set,
            signature: None,
        };
        file.signature = Some(host.sign(DOMAIN, &json::unsigned(&file)));
        Self::from_json(&json::write(&file))
    }

    /// Reads the bytes of `competition.json`.
    ///
    /// # Errors
    /// [`TermsError`] for anything but the canonical form of complete terms with their host's signature.
    pub fn from_json(bytes: &[u8]) -> Result<Self, TermsError> {
        let file: CompetitionJson = json::read(bytes, MAX_COMPETITION, Self::FORMAT)?;
        let signature = file.signature.ok_or(FormatError::Unsigned)?;
        file.host
            .verify(DOMAIN, &json::unsigned(&file), &signature)
            .map_err(|_| TermsError::Format(FormatError::Signature))?;
        let mut columns: Vec<&str> =
            file.groups.iter().chain([&file.labels]).map(ColumnName::as_str).collect();
        columns.sort_unstable();
        if file.groups.len() > MAX_GROUPS || columns.windows(2).any(|w| w[0] == w[1]) {
            return Err(TermsError::Columns);
        }
        Ok(Self {
            id: CompetitionId(Sha256::digest(bytes).into()),
            json: bytes.to_vec(),
            host: file.host,
            terms: Terms {
                name: file.name,
                origin: file.origin,
                schema: file.schema,
                labels: file.labels,
                groups: file.groups,
                metric: file.metric,
                test_set: file.test_set,
            },
        })
    }

    /// The file's bytes.
    #[must_use]
    pub fn to_json(&self) -> &[u8] {
        &self.json
    }

    /// SHA-256 of the file's bytes.
    #[must_use]
    pub const fn id(&self) -> CompetitionId {
        self.id
    }

    /// What was announced.
    #[must_use]
    pub const fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Who signed it and signs the log.
    #[must_use]
    pub const fn host(&self) -> &OwnerPublicKey {
        &self.host
    }

    /// The log's name in its signed heads: the host's origin and the competition's id, so that a host who
    /// opens two competitions under one origin signs no two trees under one name.
    #[must_use]
    pub fn log_name(&self) -> String {
        format!("{}/{}", self.terms.origin, self.id)
    }

    /// The context of every proof that `submitter`, a card's owner, makes for this competition.
    #[must_use]
    pub fn context(&self, submitter: &OwnerPublicKey) -> Context {
        Context::new(format!("tacit competition {} submitter {}", self.id, submitter.fingerprint()))
            .expect("plain and short")
    }

    /// Whether the card answers for this competition's records: the same features, in the same decimals, and
    /// the same classes. The ranges that a card declares are no part of a test set.
    #[must_use]
    pub fn is_for(&self, card: &Card) -> bool {
        let features = |s: &Schema| -> Vec<(String, u8)> {
            s.features.iter().map(|f| (f.name.clone(), f.decimals)).collect()
        };
        let (own, other) = (&self.terms.schema, card.schema());
        own.classes == other.classes && features(own) == features(other)
    }
}
