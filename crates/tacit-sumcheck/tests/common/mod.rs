//! What the tests of the engine share.
#![allow(dead_code, clippy::unwrap_used, missing_docs, unreachable_pub)]

pub mod chunks;

use std::collections::BTreeMap;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use tacit_relations::testing::Case;
use tacit_relations::{Engine as _, EngineError, Opening, Openings, Refused, Segment, Silent, Statement};
use tacit_sumcheck::SumcheckEngine;

/// The statement of a case, and what opens its commitments.
pub fn statement(case: &Case) -> (Statement, Openings) {
    part(case, 0)
}

/// The same with openings of its own for input and output: one opening opens one commitment.
pub fn part(case: &Case, number: u8) -> (Statement, Openings) {
    let system = &case.system;
    let mut openings = Openings::new();
    let mut commitments = BTreeMap::new();
    for (i, segment) in Segment::COMMITTED.into_iter().enumerate() {
        let tensors: BTreeMap<_, _> = system.segment(segment).map(|id| (id, case.trace.tensor(id))).collect();
        if tensors.is_empty() {
            continue;
        }
        let own = if segment == Segment::Weights { 0 } else { number };
        let opening = Opening([8 * own + i as u8 + 1; 32]);
        let commitment = SumcheckEngine.commit(system, segment, &tensors, &opening).unwrap();
        openings.insert(segment, opening);
        commitments.insert(segment, commitment);
    }
    let public = system.segment(Segment::Public).map(|id| (id, case.trace.tensor(id).to_vec())).collect();
    (Statement { system: system.clone(), binding: [7; 32], commitments, public }, openings)
}

pub fn prove(
    case: &Case,
    statement: &Statement,
    openings: &Openings,
    seed: u64,
) -> Result<Vec<u8>, EngineError> {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    SumcheckEngine.prove(statement, &case.trace, openings, &mut rng, &Silent)
}

pub fn verify(statement: &Statement, proof: &[u8]) -> Result<(), Refused> {
    SumcheckEngine.verify(statement, proof, &Silent)
}

/// Proves and verifies; returns the proof.
pub fn accepts(case: &Case) -> Vec<u8> {
    let (statement, openings) = statement(case);
    let proof = prove(case, &statement, &openings, 1).unwrap_or_else(|e| panic!("{}: {e}", case.name));
    verify(&statement, &proof).unwrap_or_else(|e| panic!("{}: {e}", case.name));
    proof
}
