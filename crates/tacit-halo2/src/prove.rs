//! Keys, proofs and verification over a given setup. No files here: see [`crate::cache`].

use std::panic::{AssertUnwindSafe, catch_unwind};

use halo2_proofs::plonk::{
    ProvingKey, VerifyingKey, create_proof, keygen_pk, keygen_vk_custom, verify_proof,
};
use halo2_proofs::poly::commitment::Params;
use halo2_proofs::poly::kzg::commitment::{KZGCommitmentScheme, ParamsKZG};
use halo2_proofs::poly::kzg::multiopen::{ProverSHPLONK, VerifierSHPLONK};
use halo2_proofs::poly::kzg::strategy::SingleStrategy;
use halo2_proofs::transcript::{Blake2bWrite, Challenge255, TranscriptWriterBuffer};
use halo2curves::bn256::{Bn256, Fr, G1Affine};
use rand_core::CryptoRngCore;
use tacit_digest::Salt;
use tacit_relations::{EngineError, Openings, Refused, RelationSystem, Statement, Trace, check};

use crate::circuit::TacitCircuit;
use crate::layout::{Witness, instance, lay_out};
use crate::shape::CircuitShape;
use crate::transcript::CanonicalRead;

/// A proving key, the relation system it is for, and the shape of its circuit.
#[derive(Debug, Clone)]
pub struct ProverKey {
    /// Digest of the relation system.
    pub(crate) system: [u8; 32],
    pub(crate) shape: CircuitShape,
    pub(crate) pk: ProvingKey<G1Affine>,
}

impl ProverKey {
    /// Makes the key of `system` in `shape`.
    ///
    /// # Errors
    /// [`EngineError`] when the setup is of another size or the library refuses the circuit.
    pub fn generate(
        params: &ParamsKZG<Bn256>,
        system: &RelationSystem,
        shape: CircuitShape,
    ) -> Result<Self, EngineError> {
        let circuit = empty_circuit(params, system, shape)?;
        let pk = fence("key generation", || {
            let vk = keygen_vk_custom(params, &circuit, true)?;
            keygen_pk(params, vk, &circuit)
        })?;
        Ok(Self { system: system.digest(), shape, pk })
    }

    /// The verifying half.
    #[must_use]
    pub fn verifier_key(&self) -> VerifierKey {
        VerifierKey { system: self.system, shape: self.shape, vk: self.pk.get_vk().clone() }
    }
}

/// A verifying key, the relation system it is for, and the shape of its circuit.
#[derive(Debug, Clone)]
pub struct VerifierKey {
    /// Digest of the relation system.
    pub(crate) system: [u8; 32],
    pub(crate) shape: CircuitShape,
    pub(crate) vk: VerifyingKey<G1Affine>,
}

impl VerifierKey {
    /// Makes the key of `system` in `shape`.
    ///
    /// # Errors
    /// As [`ProverKey::generate`].
    pub fn generate(
        params: &ParamsKZG<Bn256>,
        system: &RelationSystem,
        shape: CircuitShape,
    ) -> Result<Self, EngineError> {
        let circuit = empty_circuit(params, system, shape)?;
        let vk = fence("key generation", || keygen_vk_custom(params, &circuit, true))?;
        Ok(Self { system: system.digest(), shape, vk })
    }

    /// The circuit's shape.
    #[must_use]
    pub fn shape(&self) -> CircuitShape {
        self.shape
    }

    /// SHA-256 of the key's canonical encoding: two keys of one fingerprint verify the same proofs.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        use sha2::{Digest as _, Sha256};
        let mut hash = Sha256::new();
        hash.update(b"tacit/halo2/verifying-key/1");
        hash.update(halo2curves::ff::PrimeField::to_repr(&self.vk.transcript_repr()));
        hash.finalize().into()
    }
}

fn empty_circuit(
    params: &ParamsKZG<Bn256>,
    system: &RelationSystem,
    shape: CircuitShape,
) -> Result<TacitCircuit, EngineError> {
    if params.k() != shape.k {
        return Err(EngineError::new(format!(
            "the setup is of size 2^{}, the circuit of 2^{}",
            params.k(),
            shape.k
        )));
    }
    Ok(TacitCircuit::new(sheet(system, shape, &Witness::NONE)?))
}

fn sheet(
    system: &RelationSystem,
    shape: CircuitShape,
    witness: &Witness<'_>,
) -> Result<crate::sheet::Sheet, EngineError> {
    let sheet = lay_out(system, shape, witness, false).map_err(|e| EngineError::new(e.to_string()))?;
    if sheet.rows().max(sheet.function_rows()) > shape.usable_rows() {
        return Err(EngineError::new("the circuit does not fit its shape"));
    }
    Ok(sheet)
}

/// The circuit of a statement with a prover's witness. The witness is *not* checked.
///
/// # Errors
/// [`EngineError`] when the system does not fit the shape.
pub fn circuit(
    statement: &Statement,
    shape: CircuitShape,
    trace: &Trace,
    openings: &Openings,
) -> Result<TacitCircuit, EngineError> {
    let salts: Vec<_> = openings.iter().map(|(s, o)| (*s, Salt::from_bytes(o.0))).collect();
    let witness = Witness { trace: Some(trace), salts: &salts, binding: statement.binding };
    Ok(TacitCircuit::new(sheet(&statement.system, shape, &witness)?))
}

/// The statement's public values as the circuit's instance column.
///
/// # Errors
/// [`EngineError`] when a commitment is not one of this engine.
pub fn instance_column(statement: &Statement) -> Result<Vec<Fr>, EngineError> {
    instance(statement)
        .ok_or_else(|| EngineError::new("a commitment of the statement is not one of the halo2 engine"))
}

/// Proves `statement` after checking the witness: relations by the checker, commitments by recomputing them.
///
/// # Errors
/// [`EngineError`] when the witness does not satisfy the statement.
pub fn prove(
    params: &ParamsKZG<Bn256>,
    key: &ProverKey,
    statement: &Statement,
    trace: &Trace,
    openings: &Openings,
    rng: &mut dyn CryptoRngCore,
) -> Result<Vec<u8>, EngineError> {
    statement.validate().map_err(|e| EngineError::new(e.to_string()))?;
    check(&statement.system, trace).map_err(|v| EngineError::new(format!("the witness is wrong: {v}")))?;
    for (id, values) in &statement.public {
        if trace.tensor(*id) != values.as_slice() {
            return Err(EngineError::new("the witness does not give the statement's public values"));
        }
    }
    if key.system != statement.system.digest() {
        return Err(wrong_key());
    }
    let circuit = circuit(statement, key.shape, trace, openings)?;
    if !circuit.sheet().agrees_with(&instance_column(statement)?) {
        return Err(EngineError::new("the openings do not open the statement's commitments to this witness"));
    }
    prove_unchecked(params, key, &circuit, statement, rng)
}

/// Proves without checking the witness first: what a cheating prover would run. The result verifies only if the
/// statement holds. For tests.
///
/// # Errors
/// [`EngineError`] when the library cannot make a proof at all.
pub fn prove_unchecked(
    params: &ParamsKZG<Bn256>,
    key: &ProverKey,
    circuit: &TacitCircuit,
    statement: &Statement,
    rng: &mut dyn CryptoRngCore,
) -> Result<Vec<u8>, EngineError> {
    if params.k() != key.shape.k {
        return Err(EngineError::new("the setup is of another size than the key"));
    }
    let instance = instance_column(statement)?;
    fence("proving", || {
        let mut transcript = Blake2bWrite::<_, G1Affine, Challenge255<_>>::init(Vec::new());
        create_proof::<KZGCommitmentScheme<Bn256>, ProverSHPLONK<'_, Bn256>, _, _, _, _>(
            params,
            &key.pk,
            std::slice::from_ref(circuit),
            &[&[&instance]],
            rng,
            &mut transcript,
        )?;
        Ok(transcript.finalize())
    })
}

/// Verifies `proof`.
///
/// # Errors
/// [`Refused`].
pub fn verify(
    params: &ParamsKZG<Bn256>,
    key: &VerifierKey,
    statement: &Statement,
    proof: &[u8],
) -> Result<(), Refused> {
    statement.validate()?;
    if key.system != statement.system.digest() {
        return Err(wrong_key().into());
    }
    if params.k() != key.shape.k {
        return Err(EngineError::new("the setup is of another size than the key").into());
    }
    if proof.len() != key.proof_len() {
        return Err(Refused::Malformed(format!("it has {} bytes, not {}", proof.len(), key.proof_len())));
    }
    let instance = instance(statement)
        .ok_or_else(|| Refused::Malformed("a commitment of its claim is none of this engine".to_owned()))?;
    let mut transcript = CanonicalRead::new(proof);
    // The library returns errors for bad proofs; the fence is for what it does not foresee.
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        verify_proof::<KZGCommitmentScheme<Bn256>, VerifierSHPLONK<'_, Bn256>, _, _, _>(
            params,
            &key.vk,
            SingleStrategy::new(params),
            &[&[&instance]],
            &mut transcript,
        )
    }));
    match outcome {
        Ok(Ok(())) if transcript.is_exhausted() => Ok(()),
        Ok(Ok(())) => Err(Refused::Malformed("bytes are left over at its end".to_owned())),
        Ok(Err(halo2_proofs::plonk::Error::Transcript(e))) => Err(Refused::Malformed(e.to_string())),
        Ok(Err(_)) | Err(_) => Err(Refused::DoesNotHold),
    }
}

fn wrong_key() -> EngineError {
    EngineError::new("the key was made for another relation system than the statement's")
}

/// Runs library code that panics where it could return an error.
fn fence<T>(what: &str, f: impl FnOnce() -> Result<T, halo2_proofs::plonk::Error>) -> Result<T, EngineError> {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(e)) => Err(EngineError::new(format!("{what} failed: {e}"))),
        Err(_) => Err(EngineError::new(format!("{what} failed inside the proving library"))),
    }
}
