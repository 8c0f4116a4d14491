//! The engine: setups and keys from a folder, proofs from [`crate::prove`].

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rand_core::CryptoRngCore;
use tacit_digest::{Part, Salt};
use tacit_relations::{
    Commitment, Engine, EngineError, Opening, Openings, Progress, Refused, RelationSystem, Segment,
    Statement, TensorId, Trace,
};

use crate::cache::KeyCache;
use crate::layout::domain;
use crate::planner::plan;
use crate::prove::{self, ProverKey, VerifierKey};
use crate::shape::CircuitShape;
use crate::srs::{SrsOrigin, SrsPolicy, SrsStore, StoreError, VerifierSrs};

/// The halo2 engine over one data folder: setups in `srs/`, keys in `keys/`.
#[derive(Debug, Clone)]
pub struct Halo2Engine {
    srs: SrsStore,
    keys: KeyCache,
    policy: SrsPolicy,
    /// Shapes of the systems seen so far, by digest.
    plans: Arc<Mutex<HashMap<[u8; 32], CircuitShape>>>,
}

impl Halo2Engine {
    /// The engine with what is kept under `folder`; `policy` says which setups it may use.
    #[must_use]
    pub fn open(folder: &Path, policy: SrsPolicy) -> Self {
        Self {
            srs: SrsStore::open(folder.join("srs")),
            keys: KeyCache::open(folder.join("keys")),
            policy,
            plans: Arc::default(),
        }
    }

    /// The same engine with another policy.
    #[must_use]
    pub fn with_policy(&self, policy: SrsPolicy) -> Self {
        Self { policy, ..self.clone() }
    }

    /// The digest and the shape of `system`, planned once.
    fn plan(&self, system: &RelationSystem) -> Result<([u8; 32], CircuitShape), Halo2Error> {
        let digest = system.digest();
        let known = |plans: &Mutex<HashMap<_, _>>| {
            plans.lock().unwrap_or_else(PoisonError::into_inner).get(&digest).copied()
        };
        if let Some(shape) = known(&self.plans) {
            return Ok((digest, shape));
        }
        let shape = plan(system).map_err(|e| EngineError::new(e.to_string()))?;
        self.plans.lock().unwrap_or_else(PoisonError::into_inner).insert(digest, shape);
        Ok((digest, shape))
    }

    /// The setups.
    #[must_use]
    pub fn srs(&self) -> &SrsStore {
        &self.srs
    }

    /// Where the setup for `system` comes from that this engine would use.
    ///
    /// # Errors
    /// [`Halo2Error`] when the system is too large or no accepted setup is installed.
    pub fn setup(&self, system: &RelationSystem) -> Result<SrsOrigin, Halo2Error> {
        Ok(*self.verifier_srs(self.plan(system)?.1.k)?.origin())
    }

    fn verifier_srs(&self, k: u32) -> Result<VerifierSrs, Halo2Error> {
        self.srs.load_verifier(k, &self.policy).map_err(|e| setup_error(k, e))
    }

    /// The proving key of `system`, from the cache or made and kept, and the setup it belongs to.
    ///
    /// # Errors
    /// [`Halo2Error`].
    pub fn prover_key(
        &self,
        system: &RelationSystem,
        progress: &dyn Progress,
    ) -> Result<(ProverKey, crate::srs::Srs), Halo2Error> {
        let (digest, shape) = self.plan(system)?;
        let srs = self
            .srs
            .load(shape.k, &self.policy, &mut |p| {
                progress.stage(&format!("setup: {:?} {} of {}", p.stage, p.done, p.total))
            })
            .map_err(|e| setup_error(shape.k, e))?;
        if let Some(key) = self.keys.prover(digest, *srs.fingerprint()).filter(|key| key.shape == shape) {
            return Ok((key, srs));
        }
        progress.stage("making the proving key (once per architecture)");
        let key = ProverKey::generate(srs.params(), system, shape)?;
        self.keys
            .keep_prover(digest, *srs.fingerprint(), &key)
            .map_err(|e| EngineError::new(format!("the proving key could not be kept: {e}")))?;
        Ok((key, srs))
    }

    fn verifier_key(
        &self,
        system: &RelationSystem,
        progress: &dyn Progress,
    ) -> Result<(VerifierKey, VerifierSrs), Halo2Error> {
        let (digest, shape) = self.plan(system)?;
        let small = self.verifier_srs(shape.k)?;
        if let Some(key) = self.keys.verifier(digest, *small.fingerprint()).filter(|key| key.shape() == shape)
        {
            return Ok((key, small));
        }
        progress.stage("making the verifying key (once per architecture)");
        let exactly = SrsPolicy::Exactly(*small.fingerprint());
        let srs = self.srs.load(shape.k, &exactly, &mut |_| {}).map_err(|e| setup_error(shape.k, e))?;
        let key = VerifierKey::generate(srs.params(), system, shape)?;
        // A verifier that cannot write still verifies.
        let _ = self.keys.keep_verifier(digest, *small.fingerprint(), &key);
        Ok((key, small))
    }
}

/// Why the halo2 engine cannot work.
#[derive(Debug, thiserror::Error)]
pub enum Halo2Error {
    /// The only setup is one that the policy refuses.
    #[error("the only setup for 2^{k} rows is the unsafe development one")]
    RefusedSetup {
        /// Base-2 logarithm of the circuit's rows.
        k: u32,
    },
    /// No setup is large enough.
    #[error("no setup for 2^{k} rows is installed{}", largest.map(|l| format!("; the largest is for 2^{l}")).unwrap_or_default())]
    MissingSetup {
        /// Base-2 logarithm of the circuit's rows.
        k: u32,
        /// The largest installed one.
        largest: Option<u32>,
    },
    /// Anything else.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl From<Halo2Error> for EngineError {
    fn from(e: Halo2Error) -> Self {
        match e {
            Halo2Error::Engine(e) => e,
            other => Self::new(other.to_string()),
        }
    }
}

fn setup_error(k: u32, e: StoreError) -> Halo2Error {
    match e {
        StoreError::Missing { largest, .. } => Halo2Error::MissingSetup { k, largest },
        StoreError::RefusedByPolicy { .. } => Halo2Error::RefusedSetup { k },
        other => EngineError::new(other.to_string()).into(),
    }
}

impl Engine for Halo2Engine {
    fn commit(
        &self,
        system: &RelationSystem,
        segment: Segment,
        tensors: &BTreeMap<TensorId, &[i64]>,
        opening: &Opening,
    ) -> Result<Commitment, EngineError> {
        let domain =
            domain(segment).ok_or_else(|| EngineError::new(format!("{segment:?} is not committed")))?;
        let parts: Vec<(u8, Vec<i64>)> = system
            .parts(segment)
            .iter()
            .map(|part| {
                let values = part.tensors.iter().map(|id| tensors.get(id).copied().unwrap_or(&[]));
                (part.width, values.collect::<Vec<_>>().concat())
            })
            .collect();
        let parts: Vec<Part<'_>> =
            parts.iter().map(|(width, values)| Part { width: *width, values }).collect();
        let salt = Salt::from_bytes(opening.0);
        let digest = tacit_digest::digest(domain, &parts, &salt)
            .map_err(|e| EngineError::new(format!("the {segment:?} segment cannot be committed: {e}")))?;
        Ok(Commitment(digest.to_bytes().to_vec()))
    }

    fn prove(
        &self,
        statement: &Statement,
        trace: &Trace,
        openings: &Openings,
        rng: &mut dyn CryptoRngCore,
        progress: &dyn Progress,
    ) -> Result<Vec<u8>, EngineError> {
        let (key, srs) = self.prover_key(&statement.system, progress)?;
        progress.stage("proving");
        prove::prove(srs.params(), &key, statement, trace, openings, rng)
    }

    fn verify(&self, statement: &Statement, proof: &[u8], progress: &dyn Progress) -> Result<(), Refused> {
        let (key, srs) = self.verifier_key(&statement.system, progress).map_err(EngineError::from)?;
        progress.stage("verifying");
        prove::verify(srs.params(), &key, statement, proof)
    }
}
