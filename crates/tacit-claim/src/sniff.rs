//! Which kind of file some bytes are, from their beginning or their format name. Says nothing of their
//! validity.

use std::fmt;

use serde::Deserialize;
use serde::de::IgnoredAny;
use tacit_model::Schema;

use crate::bundle::Bundle;
use crate::card::Card;
use crate::chunk::ProofChunk;
use crate::disclosure::Disclosure;
use crate::opening::{DatasetOpening, InputOpening, OutputOpening, WeightsOpening};
use crate::points::CardPoints;

/// A kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// `MODEL.tacit`, weights included.
    Model,
    /// `card.json`.
    Card,
    /// `card.points`.
    CardPoints,
    /// A claim with its proof.
    Proof,
    /// A proof together with its card.
    Disclosure,
    /// A part of a proof that is not merged yet.
    Chunk,
    /// `opening.secret`.
    WeightsOpening,
    /// `input.secret`.
    InputOpening,
    /// `data.secret`.
    DatasetOpening,
    /// `PROOF.answer.secret`.
    OutputOpening,
    /// `owner.key`.
    OwnerKey,
    /// `schema.json`.
    Schema,
    /// `owner.key` behind a passphrase.
    EncryptedOwnerKey,
    /// `provider.json`.
    Provider,
    /// A provider's prekeys.
    Prekeys,
    /// `request.secret`: a request on its way.
    PendingRequest,
    /// A sealed request as it travels.
    SealedRequest,
    /// A sealed answer as it travels.
    SealedResponse,
    /// Setup parameters: Tacit's own store, or a `.ptau` file.
    Srs,
    /// `competition.json`.
    Competition,
    /// An entry of a competition's log.
    CompetitionEntry,
    /// A request to compete.
    CompetitionRequest,
    /// What a competitor keeps of a registration.
    CompetitionReceipt,
    /// What opens a competition's sealed test set.
    CompetitionSeal,
    /// A DSSE envelope with an in-toto statement: a signed verdict has this form.
    Verdict,
    /// Probably an ONNX model: it begins as they do, but they carry no magic.
    Onnx,
    /// None of these.
    Unknown,
}

impl FileKind {
    /// Whether the file must not leave its owner.
    #[must_use]
    pub const fn is_secret(self) -> bool {
        matches!(
            self,
            Self::Model
                | Self::Chunk
                | Self::WeightsOpening
                | Self::InputOpening
                | Self::DatasetOpening
                | Self::OutputOpening
                | Self::OwnerKey
                | Self::EncryptedOwnerKey
                | Self::Prekeys
                | Self::PendingRequest
                | Self::CompetitionSeal
        )
    }
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Model => "quantised model",
            Self::Card => "card",
            Self::CardPoints => "points of a card",
            Self::Proof => "proof",
            Self::Disclosure => "proof with its card",
            Self::Chunk => "chunk of a proof",
            Self::WeightsOpening => "opening of a card",
            Self::InputOpening => "opening of a record",
            Self::DatasetOpening => "opening of a test set",
            Self::OutputOpening => "opening of an answer",
            Self::OwnerKey => "owner's key",
            Self::EncryptedOwnerKey => "owner's key, encrypted",
            Self::Provider => "provider's document",
            Self::Prekeys => "provider's prekeys",
            Self::PendingRequest => "request on its way",
            Self::SealedRequest => "sealed request",
            Self::SealedResponse => "sealed answer",
            Self::Schema => "schema",
            Self::Srs => "setup parameters",
            Self::Competition => "competition",
            Self::CompetitionEntry => "entry of a competition's log",
            Self::CompetitionRequest => "request to compete",
            Self::CompetitionReceipt => "receipt of a registration",
            Self::CompetitionSeal => "seal of a test set",
            Self::Verdict => "signed verdict",
            Self::Onnx => "ONNX model",
            Self::Unknown => "unknown",
        })
    }
}

/// The kind of file that `bytes` are.
#[must_use]
pub fn sniff(bytes: &[u8]) -> FileKind {
    let magics: [(&[u8], FileKind); 17] = [
        (b"TACITMDL", FileKind::Model),
        (&CardPoints::MAGIC, FileKind::CardPoints),
        (&Bundle::MAGIC, FileKind::Proof),
        (&Disclosure::MAGIC, FileKind::Disclosure),
        (&ProofChunk::MAGIC, FileKind::Chunk),
        (&WeightsOpening::MAGIC, FileKind::WeightsOpening),
        (&InputOpening::MAGIC, FileKind::InputOpening),
        (&DatasetOpening::MAGIC, FileKind::DatasetOpening),
        (&OutputOpening::MAGIC, FileKind::OutputOpening),
        (b"tacit-owner-key/", FileKind::OwnerKey),
        (b"tacit-encrypted-owner-key/", FileKind::EncryptedOwnerKey),
        (b"TACITPKS", FileKind::Prekeys),
        (b"TACITPND", FileKind::PendingRequest),
        (b"TACITREQ", FileKind::SealedRequest),
        (b"TACITRSP", FileKind::SealedResponse),
        (b"TACITSRS", FileKind::Srs),
        (b"ptau", FileKind::Srs),
    ];
    if let Some((_, kind)) = magics.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return *kind;
    }
    let trimmed = bytes.trim_ascii_start();
    if trimmed.first() == Some(&b'{') {
        let name = |format: &str| format.split('/').next().unwrap_or("").to_owned();
        let format = json_format(trimmed).ok().flatten().map(|f| name(&f));
        return match format {
            Some(f) if f == name(Card::FORMAT) => FileKind::Card,
            Some(f) if f == name(Schema::FORMAT) => FileKind::Schema,
            Some(f) => BY_FORMAT.iter().find(|(n, _)| *n == f).map_or(FileKind::Unknown, |(_, kind)| *kind),
            None if is_statement(trimmed) => FileKind::Verdict,
            None => FileKind::Unknown,
        };
    }
    if looks_like_onnx(bytes) { FileKind::Onnx } else { FileKind::Unknown }
}

/// Kinds by the names of their formats, of files whose types other crates have.
const BY_FORMAT: [(&str, FileKind); 6] = [
    ("tacit.provider", FileKind::Provider),
    ("tacit.competition", FileKind::Competition),
    ("tacit.competition-entry", FileKind::CompetitionEntry),
    ("tacit.competition-request", FileKind::CompetitionRequest),
    ("tacit.competition-receipt", FileKind::CompetitionReceipt),
    ("tacit.competition-seal", FileKind::CompetitionSeal),
];

/// Whether a JSON object is an envelope of an in-toto statement.
fn is_statement(bytes: &[u8]) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Probe {
        payload_type: String,
    }
    serde_json::from_slice(bytes).is_ok_and(|p: Probe| p.payload_type == "application/vnd.in-toto+json")
}

/// An ONNX file is a protobuf `ModelProto`; its first field is as a rule `ir_version`, field 1, a small
/// varint, which another field (2 to 25) follows.
fn looks_like_onnx(bytes: &[u8]) -> bool {
    match bytes {
        [0x08, 1..=0x1f, tag, ..] => matches!(tag >> 3, 2..=15) && matches!(tag & 7, 0 | 2),
        _ => false,
    }
}

/// The `format` field of a JSON object, whatever else it holds.
///
/// # Errors
/// The parser's, for anything but one JSON object.
pub(crate) fn json_format(bytes: &[u8]) -> Result<Option<String>, serde_json::Error> {
    #[derive(Deserialize)]
    struct Probe {
        format: Option<Format>,
    }
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Format {
        Name(String),
        Other(IgnoredAny),
    }
    let probe: Probe = serde_json::from_slice(bytes)?;
    Ok(probe.format.and_then(|f| match f {
        Format::Name(name) => Some(name),
        Format::Other(_) => None,
    }))
}
