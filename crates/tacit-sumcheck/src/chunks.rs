//! Claims about many samples, in chunks.
//!
//! A chunk is a statement of its own about some of the samples, proved independently of the others: by another process,
//! on another machine, later. Its transcript absorbs the whole claim (through the statement's binding), how many chunks
//! there are, which one it is and which samples it is about. It carries a *total*: a tensor of one element, for example how
//! many of its samples are right. The total stays hidden: what is known of it is the commitment to its evaluation in the
//! chunk's own proof, never a fresh one.
//!
//! The merge absorbs the hashes of all chunk proofs in order and shows with one Schnorr proof that the committed totals add
//! up to a public number: `Σ C_i − sum·U` is a multiple of `H`.

use std::ops::Range;

use blake2::{Blake2b512, Digest as _};
use halo2curves::ff::{Field as _, PrimeField as _};
use halo2curves::group::{Curve as _, Group as _};
use rand_core::CryptoRngCore;
use tacit_relations::{
    EngineError, Openings, Progress, Refused, RelationSystem, Segment, Statement, TensorId, Trace,
};
use zeroize::Zeroizing;

use crate::engine::{PROOF, SumcheckEngine, affordable};
use crate::expr::Expr;
use crate::group::{F, Point, decode, encode, f_from_i64};
use crate::pedersen::Pedersen;
use crate::plan::Plan;
use crate::protocol;
use crate::transcript::Transcript;

const MERGE: &str = "tacit/sumcheck/1/merge";

/// Which part of a claim a statement is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Position among the chunks.
    pub index: u32,
    /// Number of chunks.
    pub count: u32,
    /// The samples of the claim that it is about.
    pub samples: Range<u64>,
    /// The tensor of one element that the merge adds up.
    pub total: TensorId,
}

/// Opens a chunk's total. Whoever reads it learns that total, before the merge and after: destroy it when merged.
pub struct ChunkSecret {
    value: F,
    blind: F,
    /// Hash of the proof it belongs to.
    proof: [u8; 64],
}

impl Drop for ChunkSecret {
    fn drop(&mut self) {
        for secret in [&mut self.value, &mut self.blind] {
            crate::secret::wipe(std::slice::from_mut(secret));
        }
    }
}

impl std::fmt::Debug for ChunkSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ChunkSecret(hidden)")
    }
}

impl ChunkSecret {
    /// Bytes of [`ChunkSecret::to_bytes`].
    pub const LEN: usize = 128;

    /// The secret for a file that nobody but the prover sees.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; Self::LEN]> {
        let mut bytes = Zeroizing::new([0; Self::LEN]);
        bytes[..32].copy_from_slice(&self.value.to_bytes());
        bytes[32..64].copy_from_slice(&self.blind.to_bytes());
        bytes[64..].copy_from_slice(&self.proof);
        bytes
    }

    /// Reads [`ChunkSecret::to_bytes`]; `None` for anything else.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (value, rest) = bytes.split_first_chunk::<32>()?;
        let (blind, proof) = rest.split_first_chunk::<32>()?;
        Some(Self {
            value: Option::from(F::from_repr(*value))?,
            blind: Option::from(F::from_repr(*blind))?,
            proof: proof.try_into().ok()?,
        })
    }
}

fn hash(proof: &[u8]) -> [u8; 64] {
    Blake2b512::digest(proof).into()
}

/// The chunk's transcript, and its total as an expression.
fn prepare<'p>(
    plan: &'p Plan,
    statement: &Statement,
    chunk: &Chunk,
) -> Result<(Transcript, &'p Expr), EngineError> {
    let one = statement.system.tensors().get(chunk.total.0 as usize).is_some_and(|t| t.len() == 1);
    let total = plan.tensors.get(chunk.total.0 as usize).and_then(Option::as_ref).filter(|_| one);
    let total = total.ok_or_else(|| {
        EngineError::new(format!("tensor {} is no total: it must have one element", chunk.total.0))
    })?;
    if chunk.index >= chunk.count || chunk.samples.is_empty() {
        return Err(EngineError::new(format!(
            "chunk {} of {} is about samples {} to {}: there is no such chunk",
            chunk.index, chunk.count, chunk.samples.start, chunk.samples.end
        )));
    }
    let mut transcript = protocol::transcript(PROOF, statement);
    let numbers = [
        u64::from(chunk.index),
        chunk.count.into(),
        chunk.samples.start,
        chunk.samples.end,
        chunk.total.0.into(),
    ];
    transcript.absorb("chunk", &numbers.map(u64::to_le_bytes).concat());
    Ok((transcript, total))
}

/// The merge's transcript before its first message.
fn merging(binding: &[u8; 32], hashes: impl ExactSizeIterator<Item = [u8; 64]>, sum: i64) -> Transcript {
    let mut transcript = Transcript::new(MERGE);
    transcript.absorb("binding", binding);
    transcript.absorb("chunks", &(hashes.len() as u64).to_le_bytes());
    for hash in hashes {
        transcript.absorb("chunk proof", &hash);
    }
    transcript.absorb("sum", &sum.to_le_bytes());
    transcript
}

/// Cuts `samples` into the fewest chunks of equal length (the last may be shorter) of which none takes more than `budget`
/// bytes to prove. `memory` says how many bytes a number of samples takes; one sample is always allowed.
#[must_use]
pub fn chunk_samples(samples: u64, budget: u64, memory: impl Fn(u64) -> u64) -> Vec<Range<u64>> {
    let (mut fits, mut too_long) = (1, samples.saturating_add(1));
    while too_long - fits > 1 {
        let middle = fits + (too_long - fits) / 2;
        if memory(middle) <= budget {
            fits = middle;
        } else {
            too_long = middle;
        }
    }
    let count = samples.div_ceil(fits);
    let len = samples.div_ceil(count.max(1));
    (0..count).map(|i| i * len..samples.min((i + 1) * len)).filter(|r| !r.is_empty()).collect()
}

impl SumcheckEngine {
    /// About how many bytes a proof about `system` takes at its peak, the trace not counted.
    #[must_use]
    pub fn memory(&self, system: &RelationSystem) -> u64 {
        Plan::new(system).memory()
    }

    /// Proves one chunk. The secret opens its total, for [`SumcheckEngine::merge`].
    ///
    /// # Errors
    /// [`EngineError`] when the trace does not satisfy the statement or there is no such chunk.
    pub fn prove_chunk(
        &self,
        statement: &Statement,
        chunk: &Chunk,
        trace: &Trace,
        openings: &Openings,
        rng: &mut dyn CryptoRngCore,
        progress: &dyn Progress,
    ) -> Result<(Vec<u8>, ChunkSecret), EngineError> {
        progress.stage("proving a chunk");
        statement.validate().map_err(|e| EngineError::new(e.to_string()))?;
        let plan = affordable(statement)?;
        let (transcript, total) = prepare(&plan, statement, chunk)?;
        let (proof, total) =
            protocol::prove_trace(&plan, statement, trace, openings, rng, transcript, Some(total))?;
        let total = total.ok_or_else(|| EngineError::new("the chunk has no total"))?;
        let secret = ChunkSecret { value: total.value, blind: total.blind, proof: hash(&proof) };
        Ok((proof, secret))
    }

    /// Shows that the totals of all chunks, in order, add up to `sum`.
    ///
    /// # Errors
    /// [`EngineError`] when they do not.
    pub fn merge(
        &self,
        binding: &[u8; 32],
        secrets: &[ChunkSecret],
        sum: i64,
        rng: &mut dyn CryptoRngCore,
    ) -> Result<Vec<u8>, EngineError> {
        let zero = secrets.iter().fold(-f_from_i64(sum), |total, s| total + s.value);
        if zero != F::ZERO {
            return Err(EngineError::new(format!("the totals of the chunks do not add up to {sum}")));
        }
        let blind = secrets.iter().fold(F::ZERO, |total, s| total + s.blind);
        let mut transcript = merging(binding, secrets.iter().map(|s| s.proof), sum);
        let secret = Zeroizing::new(blind.to_bytes());
        let secrets = [("blind", &*secret)].into_iter();
        let mut seed = protocol::mask_seed("tacit/sumcheck/merge mask", rng, secrets, &transcript);
        let mask = seed.challenge("mask");
        let first = encode(&Pedersen::get().blind(&mask).to_affine());
        transcript.absorb("point", &first);
        let response = mask + transcript.challenge("respond") * blind;
        Ok([first, response.to_bytes()].concat())
    }

    /// Verifies all chunks of a claim about `samples` samples and that their totals add up to `sum`. Chunks are given in
    /// order, cover all samples, and share binding, commitment to the weights and total. That a chunk's system is about
    /// as many samples as the chunk says is for the caller to see to, who builds the statements.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn verify_chunks(
        &self,
        chunks: &[(Statement, Chunk, Vec<u8>)],
        merge: &[u8],
        samples: u64,
        sum: i64,
        progress: &dyn Progress,
    ) -> Result<(), Refused> {
        let malformed = |what: &str| Refused::Malformed(what.to_owned());
        let Some((first, start, _)) = chunks.first() else { return Err(malformed("there is no chunk")) };
        let mut reached = 0;
        let mut totals = Point::identity();
        for (index, (statement, chunk, proof)) in chunks.iter().enumerate() {
            let whole = chunk.index as usize == index
                && chunk.count as usize == chunks.len()
                && chunk.samples.start == reached
                && chunk.total == start.total
                && statement.binding == first.binding
                && statement.commitments.get(&Segment::Weights) == first.commitments.get(&Segment::Weights);
            if !whole {
                return Err(malformed("the chunks are not those of one claim, in order"));
            }
            reached = chunk.samples.end;
            progress.stage("verifying a chunk");
            statement.validate()?;
            let plan = affordable(statement)?;
            let (transcript, total) = prepare(&plan, statement, chunk)?;
            let (_, total) = protocol::verify_total(&plan, statement, proof, transcript, Some(total))?;
            totals += total.ok_or(Refused::DoesNotHold)?;
        }
        if reached != samples {
            return Err(malformed("the chunks do not cover all samples"));
        }
        let (point, rest) =
            merge.split_first_chunk::<32>().ok_or_else(|| malformed("the merge is cut short"))?;
        let response: &[u8; 32] = rest.try_into().map_err(|_| malformed("the merge has another length"))?;
        let mask = decode(point).ok_or_else(|| malformed("a point is not the encoding of one"))?;
        let response = Option::<F>::from(F::from_repr(*response))
            .ok_or_else(|| malformed("a field element is not in canonical form"))?;
        let hashes: Vec<[u8; 64]> = chunks.iter().map(|(_, _, proof)| hash(proof)).collect();
        let mut transcript = merging(&first.binding, hashes.into_iter(), sum);
        transcript.absorb("point", point);
        let e = transcript.challenge("respond");
        // K + e (Σ C − sum·U) = z·H
        let pedersen = Pedersen::get();
        let left = Point::from(mask) + (totals - pedersen.commit(&f_from_i64(sum), &F::ZERO)) * e;
        (left == pedersen.blind(&response)).then_some(()).ok_or(Refused::DoesNotHold)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_cover_the_samples_within_the_budget() {
        for samples in [1, 2, 7, 360, 1000] {
            for budget in [0, 10, 95, 100, 777, 10_000, u64::MAX] {
                let chunks = chunk_samples(samples, budget, |n| 10 * n);
                let lengths: Vec<u64> = chunks.iter().map(|c| c.end - c.start).collect();
                assert!(
                    lengths.iter().all(|&n| n == 1 || 10 * n <= budget),
                    "{samples} {budget}: {lengths:?}"
                );
                assert_eq!(chunks[0].start, 0);
                assert!(chunks.windows(2).all(|w| w[0].end == w[1].start));
                assert_eq!(chunks.last().map(|c| c.end), Some(samples));
                assert!(lengths[..lengths.len() - 1].iter().all(|&n| n == lengths[0]));
            }
        }
        assert!(chunk_samples(0, 10, |n| n).is_empty());
    }
}
