//! Which kind of file some bytes are, from their beginning or their format name. Says nothing of their
//! validity.

use std::fmt;

use serde::Deserialize;
use serde::de::IgnoredAny;
use tacit_model::Schema;

use crate::bundle::Bundle;
use crate::card::Card;
use crate::chunk::ProofChunk;
use crate::opening::{InputOpening, OutputOpening, WeightsOpening};
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
    /// A part of a proof that is not merged yet.
    Chunk,
    /// `opening.secret`.
    WeightsOpening,
    /// `input.secret`.
    InputOpening,
    /// `PROOF.answer.secret`.
    OutputOpening,
    /// `owner.key`.
    OwnerKey,
    /// `schema.json`.
    Schema,
    /// Setup parameters: Tacit's own store, or a `.ptau` file.
    Srs,
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
                | Self::OutputOpening
                | Self::OwnerKey
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
            Self::Chunk => "chunk of a proof",
            Self::WeightsOpening => "opening of a card",
            Self::InputOpening => "opening of a record",
            Self::OutputOpening => "opening of an answer",
            Self::OwnerKey => "owner's key",
            Self::Schema => "schema",
            Self::Srs => "setup parameters",
            Self::Onnx => "ONNX model",
            Self::Unknown => "unknown",
        })
    }
}

/// The kind of file that `bytes` are.
#[must_use]
pub fn sniff(bytes: &[u8]) -> FileKind {
    let magics: [(&[u8], FileKind); 10] = [
        (b"TACITMDL", FileKind::Model),
        (&CardPoints::MAGIC, FileKind::CardPoints),
        (&Bundle::MAGIC, FileKind::Proof),
        (&ProofChunk::MAGIC, FileKind::Chunk),
        (&WeightsOpening::MAGIC, FileKind::WeightsOpening),
        (&InputOpening::MAGIC, FileKind::InputOpening),
        (&OutputOpening::MAGIC, FileKind::OutputOpening),
        (b"tacit-owner-key/", FileKind::OwnerKey),
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
            _ => FileKind::Unknown,
        };
    }
    if looks_like_onnx(bytes) { FileKind::Onnx } else { FileKind::Unknown }
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
