//! Real proofs over setups whose secret is thrown away with the seed known: for tests only.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use halo2_proofs::poly::kzg::commitment::ParamsKZG;
use halo2curves::bn256::Bn256;
use rand_chacha::ChaCha20Rng;
use rand_core::{OsRng, SeedableRng};
use tacit_halo2::prove::{prove, prove_unchecked, verify};
use tacit_halo2::{ProverKey, TacitCircuit, VerifierKey};
use tacit_relations::{EngineError, Refused, Statement, Trace};

use super::Case;

/// A setup for `2^k` rows; one per size in a run of the tests.
pub fn setup(k: u32) -> Arc<ParamsKZG<Bn256>> {
    static MADE: LazyLock<Mutex<HashMap<u32, Arc<ParamsKZG<Bn256>>>>> = LazyLock::new(Mutex::default);
    let found = || MADE.lock().expect("nothing panics while it holds this").get(&k).cloned();
    if let Some(params) = found() {
        return params;
    }
    // Not under the lock: making one runs other tests' work on this thread, which may want a setup too.
    let params = Arc::new(ParamsKZG::setup(k, ChaCha20Rng::seed_from_u64(k.into())));
    MADE.lock().expect("nothing panics while it holds this").entry(k).or_insert(params).clone()
}

/// A case with its setup and keys.
pub struct Keyed {
    pub case: Case,
    pub params: Arc<ParamsKZG<Bn256>>,
    pub prover: ProverKey,
    pub verifier: VerifierKey,
}

impl Keyed {
    pub fn new(case: impl Into<Case>) -> Self {
        let case = case.into();
        let shape = case.shape();
        let params = setup(shape.k);
        let prover = ProverKey::generate(&params, case.system(), shape)
            .unwrap_or_else(|e| panic!("{}: no key: {e}", case.name));
        let verifier = prover.verifier_key();
        Self { case, params, prover, verifier }
    }

    pub fn prove(&self) -> Vec<u8> {
        prove(
            &self.params,
            &self.prover,
            &self.case.statement,
            &self.case.trace,
            &self.case.openings,
            &mut OsRng,
        )
        .unwrap_or_else(|e| panic!("{}: no proof: {e}", self.case.name))
    }

    /// What a prover makes who does not look at his witness.
    pub fn forge(&self, circuit: &TacitCircuit, statement: &Statement) -> Result<Vec<u8>, EngineError> {
        prove_unchecked(&self.params, &self.prover, circuit, statement, &mut OsRng)
    }

    /// The same, from a trace.
    pub fn forge_trace(&self, trace: &Trace, statement: &Statement) -> Result<Vec<u8>, EngineError> {
        self.forge(&self.case.circuit_of(statement, trace), statement)
    }

    pub fn verify(&self, statement: &Statement, proof: &[u8]) -> Result<(), Refused> {
        verify(&self.params, &self.verifier, statement, proof)
    }
}
