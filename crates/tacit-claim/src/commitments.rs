//! What a card commits to, engine by engine.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::bytes::{CertificateDigest, Commitment, ModelId};
use crate::engine::EngineId;
use crate::points::CardPoints;
use crate::salt::SaltBytes;

/// The commitment to the weights under one engine, whose public parameters are `P`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineCommitment<P> {
    /// Version of the engine's protocol. A proof under another version is another engine's.
    pub version: u32,
    /// The commitment to the weights.
    pub weights: Commitment,
    /// Identity of architecture and weights together.
    pub model_id: ModelId,
    /// What the verifier must know besides.
    pub parameters: P,
}

/// Public parameters of the halo2 engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Halo2Parameters {
    /// Version of the circuit's layout.
    pub circuit_version: u32,
}

/// Public parameters of the sumcheck engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SumcheckParameters {
    /// SHA-256 of the certificate that every weight fits its width.
    pub certificate: CertificateDigest,
    /// The commitment's points and the certificate, where they are small; otherwise `card.points` beside the
    /// card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub points: Option<CardPoints>,
}

/// A card's commitments: at most one per engine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commitments {
    /// Under the halo2 engine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub halo2: Option<EngineCommitment<Halo2Parameters>>,
    /// Under the sumcheck engine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sumcheck: Option<EngineCommitment<SumcheckParameters>>,
}

/// What every engine's commitment has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommittedModel<'a> {
    /// The engine.
    pub engine: EngineId,
    /// Version of its protocol.
    pub version: u32,
    /// The commitment to the weights.
    pub weights: &'a Commitment,
    /// Identity of architecture and weights together.
    pub model_id: ModelId,
}

impl Commitments {
    /// The commitment under one engine.
    #[must_use]
    pub fn get(&self, engine: EngineId) -> Option<CommittedModel<'_>> {
        fn common<P>(engine: EngineId, c: &EngineCommitment<P>) -> CommittedModel<'_> {
            CommittedModel { engine, version: c.version, weights: &c.weights, model_id: c.model_id }
        }
        match engine {
            EngineId::Halo2 => self.halo2.as_ref().map(|c| common(engine, c)),
            EngineId::Sumcheck => self.sumcheck.as_ref().map(|c| common(engine, c)),
        }
    }

    /// Every commitment, in the order of [`EngineId::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = CommittedModel<'_>> {
        EngineId::ALL.into_iter().filter_map(|engine| self.get(engine))
    }

    /// The engines for which the card was made.
    pub fn engines(&self) -> impl Iterator<Item = EngineId> + '_ {
        self.iter().map(|c| c.engine)
    }
}

/// Whether the weights are hidden.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum CardWeights {
    /// Only the owner has the openings.
    Hidden,
    /// The model file is public too: whoever has it recomputes every commitment.
    Public {
        /// What opens the commitment of every engine.
        salts: BTreeMap<EngineId, SaltBytes>,
    },
}

impl CardWeights {
    /// Whether whoever has the model file can check the commitments.
    #[must_use]
    pub const fn is_public(&self) -> bool {
        matches!(self, Self::Public { .. })
    }
}
