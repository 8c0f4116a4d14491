//! The engine as applications see it.

use std::collections::BTreeMap;

use rand_core::CryptoRngCore;
use tacit_relations::{
    Commitment, Engine, EngineError, Opening, Openings, Progress, Refused, RelationSystem, Segment,
    Statement, TensorId, TensorSpec, Trace,
};

use crate::group::decode_all;
use crate::party::Inventory;
use crate::plan::Plan;
use crate::protocol;

/// Version of the protocol. A proof of another version is another engine's.
pub const PROTOCOL_VERSION: u32 = 2;

pub(crate) const PROOF: &str = "tacit/sumcheck/2/proof";
const CERTIFICATE: &str = "tacit/sumcheck/2/certificate";

/// More memory than this is not set aside to verify a proof, whatever architecture a card claims.
const VERIFIER_MEMORY: u64 = 8 << 30;

/// The sumcheck engine. It has no state: nothing to set up, nothing to keep.
#[derive(Debug, Clone, Copy, Default)]
pub struct SumcheckEngine;

impl SumcheckEngine {
    /// Digest of a commitment to the weights: Poseidon over the points' coordinates, whatever their number.
    ///
    /// # Errors
    /// [`EngineError`] when the bytes are not points.
    pub fn weights_digest(&self, commitment: &Commitment) -> Result<tacit_digest::Digest, EngineError> {
        let points = decode_all(&commitment.0)
            .ok_or_else(|| EngineError::new("the commitment to the weights is not a list of points"))?;
        Ok(tacit_digest::points_digest(points.iter().map(|p| (p.x, p.y))))
    }

    /// Proves once, for every later proof, that each committed weight fits its tensor's declared width.
    ///
    /// `system` is any system with these weights; `binding` is absorbed before the first challenge.
    ///
    /// # Errors
    /// [`EngineError`] when a weight does not fit.
    #[allow(clippy::too_many_arguments)]
    pub fn certify(
        &self,
        system: &RelationSystem,
        weights: &BTreeMap<TensorId, &[i64]>,
        commitment: &Commitment,
        opening: &Opening,
        binding: [u8; 32],
        rng: &mut dyn CryptoRngCore,
        progress: &dyn Progress,
    ) -> Result<Vec<u8>, EngineError> {
        progress.stage("certifying the weights");
        let statement = certificate(system, commitment, binding)?;
        let values = system.segment(Segment::Weights);
        let values: Vec<Vec<i64>> =
            values.map(|id| weights.get(&id).copied().unwrap_or_default().to_vec()).collect();
        let openings = Openings::from([(Segment::Weights, opening.clone())]);
        let plan = Plan::certificate(&statement.system);
        protocol::prove(CERTIFICATE, &plan, &statement, &Trace { values }, &openings, rng)
    }

    /// Checks a certificate of [`SumcheckEngine::certify`]. No proof about these weights means anything without it.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn check_certificate(
        &self,
        system: &RelationSystem,
        commitment: &Commitment,
        binding: [u8; 32],
        proof: &[u8],
        progress: &dyn Progress,
    ) -> Result<(), Refused> {
        progress.stage("checking the certificate of the weights");
        let statement = certificate(system, commitment, binding)?;
        protocol::verify(CERTIFICATE, &Plan::certificate(&statement.system), &statement, proof).map(|_| ())
    }

    /// Verifies a proof and lists its messages in order: what each is and how many bytes it has. With the four bytes of the
    /// count in front they are the whole proof.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn inventory(&self, statement: &Statement, proof: &[u8]) -> Result<Inventory, Refused> {
        statement.validate()?;
        protocol::verify(PROOF, &affordable(statement)?, statement, proof)
    }
}

/// The plan of a statement that was validated, where a verifier can afford it.
pub(crate) fn affordable(statement: &Statement) -> Result<Plan, EngineError> {
    let plan = Plan::new(&statement.system);
    let needed = plan.verifier_memory();
    if needed > VERIFIER_MEMORY {
        return Err(EngineError::new(format!(
            "verifying would take {} GiB of memory for views and public values; at most {} GiB are set aside",
            needed.div_ceil(1 << 30),
            VERIFIER_MEMORY >> 30
        )));
    }
    Ok(plan)
}

/// The statement of a certificate: the weights alone.
fn certificate(
    system: &RelationSystem,
    commitment: &Commitment,
    binding: [u8; 32],
) -> Result<Statement, EngineError> {
    let weights: Vec<TensorSpec> =
        system.segment(Segment::Weights).map(|id| system.tensor(id).clone()).collect();
    let system = RelationSystem::new(weights, Vec::new()).map_err(|e| EngineError::new(e.to_string()))?;
    let commitments = BTreeMap::from([(Segment::Weights, commitment.clone())]);
    Ok(Statement { system, binding, commitments, public: BTreeMap::new() })
}

impl Engine for SumcheckEngine {
    fn commit(
        &self,
        system: &RelationSystem,
        segment: Segment,
        tensors: &BTreeMap<TensorId, &[i64]>,
        opening: &Opening,
    ) -> Result<Commitment, EngineError> {
        protocol::commit(system, segment, tensors, opening)
    }

    fn prove(
        &self,
        statement: &Statement,
        trace: &Trace,
        openings: &Openings,
        rng: &mut dyn CryptoRngCore,
        progress: &dyn Progress,
    ) -> Result<Vec<u8>, EngineError> {
        progress.stage("proving");
        statement.validate().map_err(|e| EngineError::new(e.to_string()))?;
        let plan = affordable(statement)?;
        protocol::prove(PROOF, &plan, statement, trace, openings, rng)
    }

    fn verify(&self, statement: &Statement, proof: &[u8], progress: &dyn Progress) -> Result<(), Refused> {
        progress.stage("verifying");
        statement.validate()?;
        protocol::verify(PROOF, &affordable(statement)?, statement, proof).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tacit_relations::{Axis, Relation, View};

    /// A card may claim an architecture that copies gigabytes about.
    #[test]
    fn no_card_makes_a_verifier_set_aside_any_amount_of_memory() {
        let system = |len: usize| {
            let tensor = |shape: Vec<usize>, segment, width| TensorSpec {
                shape,
                bounds: (-8, 7),
                segment,
                width,
                constant: Vec::new(),
            };
            let tensors = vec![
                tensor(vec![2], Segment::Input, 4),
                tensor(vec![len], Segment::Witness, 0),
                tensor(vec![len - 1], Segment::Witness, 0),
            ];
            let x = View { tensor: TensorId(0), offset: 0, axes: vec![Axis::plain(len, 0)] };
            // All but the first: no whole axis, so a view.
            let rest = View { tensor: TensorId(1), offset: 1, axes: vec![Axis::plain(len - 1, 1)] };
            let relations = vec![
                Relation::Requant { x, shift: 0, lo: -8, hi: 7, y: TensorId(1) },
                Relation::Affine { terms: vec![(1, rest)], offset: 0, y: TensorId(2) },
            ];
            RelationSystem::new(tensors, relations).expect("well-formed")
        };
        let statement = |len| Statement {
            system: system(len),
            binding: [0; 32],
            commitments: BTreeMap::from([(Segment::Input, Commitment(vec![0; 32]))]),
            public: BTreeMap::new(),
        };
        assert!(affordable(&statement(1000)).is_ok());
        let refused = SumcheckEngine.verify(&statement(1 << 28), &[], &tacit_relations::Silent);
        assert!(matches!(refused, Err(Refused::Engine(_))), "{refused:?}");
    }

    /// A kernel and as many positions walk along one axis: far more windows' elements than the tensors have, and none of them is
    /// ever listed. A stride that leaves most of an axis out counts the axis too.
    #[test]
    fn no_window_makes_a_verifier_set_aside_any_amount_of_memory() {
        let refuses = |len: usize, lens: [usize; 2], strides: [usize; 2]| {
            let tensor = |len, segment, width| TensorSpec {
                shape: vec![len],
                bounds: (-8, 7),
                segment,
                width,
                constant: Vec::new(),
            };
            let tensors = vec![
                tensor(2, Segment::Input, 4),
                tensor(len, Segment::Witness, 0),
                tensor(lens[0], Segment::Witness, 0),
            ];
            let x = View { tensor: TensorId(0), offset: 0, axes: vec![Axis::plain(len, 0)] };
            let windows = View {
                tensor: TensorId(1),
                offset: 0,
                axes: vec![Axis::plain(lens[0], strides[0]), Axis::plain(lens[1], strides[1])],
            };
            let relations = vec![
                Relation::Requant { x, shift: 0, lo: -8, hi: 7, y: TensorId(1) },
                Relation::Max { x: windows, y: TensorId(2) },
            ];
            let statement = Statement {
                system: RelationSystem::new(tensors, relations).expect("well-formed"),
                binding: [0; 32],
                commitments: BTreeMap::from([(Segment::Input, Commitment(vec![0; 32]))]),
                public: BTreeMap::new(),
            };
            let refused = SumcheckEngine.verify(&statement, &[], &tacit_relations::Silent);
            matches!(refused, Err(Refused::Engine(_)))
        };
        assert!(refuses(1 << 26, [1 << 25, 1 << 24], [1, 1]));
        assert!(refuses((1 << 28) - 1, [2, 1], [(1 << 28) - 2, 0]));
        assert!(!refuses(1 << 10, [1 << 9, 1 << 4], [1, 1]));
    }
}
