//! Claims about many samples, in chunks.
//!
//! A chunk is a statement of its own about some of the samples, proved independently of the others: by another process,
//! on another machine, later. Its transcript absorbs the whole claim (through the statement's binding), how many chunks
//! there are, which one it is and which samples it is about. It carries *totals*: a tensor, for example of how many of its
//! samples are right for each requirement. The totals stay hidden: what is known of them are the commitments to their
//! evaluations in the chunk's own proof, one for each element, never fresh ones.
//!
//! The [`merge`](crate::merge) shows that the sums of the totals over all chunks satisfy a relation system, the *verdict*.

use std::ops::Range;

use blake2::{Blake2b512, Digest as _};
use halo2curves::ff::PrimeField as _;
use halo2curves::group::Group as _;
use rand_core::CryptoRngCore;
use tacit_relations::{
    Commitment, EngineError, Openings, Progress, Refused, RelationSystem, Segment, Statement, TensorId, Trace,
};
use zeroize::Zeroizing;

use crate::claims::Totals;
use crate::engine::{PROOF, SumcheckEngine, affordable};
use crate::grid::Grid;
use crate::group::{F, Point, f_from_i64};
use crate::merge::Merging;
use crate::party::Inventory;
use crate::plan::Plan;
use crate::protocol;
use crate::secret::Secret;
use crate::transcript::Transcript;

/// Most totals of a chunk.
pub const MAX_TOTALS: usize = 4096;

/// Which part of a claim a statement is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Position among the chunks.
    pub index: u32,
    /// Number of chunks.
    pub count: u32,
    /// The samples of the claim that it is about.
    pub samples: Range<u64>,
    /// The tensor that the merge adds up, element by element: at most [`MAX_TOTALS`] of them.
    pub totals: TensorId,
}

/// Opens a chunk's totals. Whoever reads it learns them, before the merge and after: destroy it when merged.
pub struct ChunkSecret {
    pub(crate) values: Zeroizing<Vec<i64>>,
    pub(crate) blinds: Secret,
    /// Digest of the proof that it belongs to.
    pub(crate) proof: [u8; 64],
}

impl std::fmt::Debug for ChunkSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ChunkSecret(hidden)")
    }
}

impl ChunkSecret {
    /// Number of totals.
    #[must_use]
    pub fn totals(&self) -> usize {
        self.values.len()
    }

    /// The secret for a file that nobody but the prover sees: number of totals (4 bytes), digest of the proof (64), values (8
    /// each), blindings (32 each); integers in little-endian order.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(68 + 40 * self.totals()));
        bytes.extend((self.totals() as u32).to_le_bytes());
        bytes.extend(self.proof);
        for value in &*self.values {
            bytes.extend(value.to_le_bytes());
        }
        for blind in &*self.blinds {
            bytes.extend(blind.to_bytes());
        }
        bytes
    }

    /// Reads [`ChunkSecret::to_bytes`]; `None` for anything else.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (count, rest) = bytes.split_first_chunk::<4>()?;
        let (proof, rest) = rest.split_first_chunk::<64>()?;
        let count = u32::from_le_bytes(*count) as usize;
        if !(1..=MAX_TOTALS).contains(&count) || rest.len() != 40 * count {
            return None;
        }
        let (values, blinds) = rest.split_at(8 * count);
        let values = values.as_chunks::<8>().0.iter().map(|v| i64::from_le_bytes(*v)).collect();
        let blinds = blinds.as_chunks::<32>().0.iter().map(|b| Option::from(F::from_repr(*b)));
        Some(Self {
            values: Zeroizing::new(values),
            blinds: blinds.collect::<Option<Secret>>()?,
            proof: *proof,
        })
    }
}

/// Digest of a proof and of the statement that it was made for.
fn digest(statement: &Transcript, proof: &[u8]) -> [u8; 64] {
    Blake2b512::new().chain_update(statement.fingerprint()).chain_update(proof).finalize().into()
}

/// The chunk's transcript, and its totals.
pub(crate) fn prepare<'p>(
    plan: &'p Plan,
    statement: &Statement,
    chunk: &Chunk,
) -> Result<(Transcript, Totals<'p>), EngineError> {
    let index = chunk.totals.0 as usize;
    let tensor = statement.system.tensors().get(index).filter(|t| t.len() <= MAX_TOTALS);
    let expr = plan.tensors.get(index).and_then(Option::as_ref);
    let (tensor, expr) = tensor.zip(expr).ok_or_else(|| {
        EngineError::new(format!("tensor {index} holds no totals: there must be {MAX_TOTALS} at most"))
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
        chunk.totals.0.into(),
    ];
    transcript.absorb("chunk", &numbers.map(u64::to_le_bytes).concat());
    Ok((transcript, Totals { expr, grid: Grid::of_shape(&tensor.shape) }))
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

    /// Proves one chunk. The secret opens its totals, for [`SumcheckEngine::merge`].
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
        let (transcript, totals) = prepare(&plan, statement, chunk)?;
        let values = trace.values.get(chunk.totals.0 as usize);
        let values = Zeroizing::new(values.cloned().unwrap_or_default());
        let (proof, evaluations) =
            protocol::prove_trace(&plan, statement, trace, openings, rng, transcript.clone(), Some(&totals))?;
        if !evaluations.iter().map(|e| e.value).eq(values.iter().map(|v| f_from_i64(*v))) {
            return Err(EngineError::new("the trace does not satisfy the statement: its totals are others"));
        }
        let blinds = evaluations.iter().map(|e| e.blind).collect();
        let secret = ChunkSecret { values, blinds, proof: digest(&transcript, &proof) };
        Ok((proof, secret))
    }

    /// Begins to verify a claim about `samples` samples in `count` chunks that share `binding`.
    #[must_use]
    pub fn chunk_verifier(&self, binding: [u8; 32], count: u32, samples: u64) -> ChunkVerifier {
        ChunkVerifier {
            binding,
            count,
            samples,
            reached: 0,
            weights: None,
            totals: Vec::new(),
            digests: Vec::new(),
        }
    }
}

/// Verifies the chunks of a claim one after the other, then their merge. It keeps 64 bytes of each chunk, and as many
/// points as there are totals.
#[derive(Debug, Clone)]
pub struct ChunkVerifier {
    binding: [u8; 32],
    count: u32,
    samples: u64,
    /// Samples that the chunks so far are about.
    reached: u64,
    /// The first chunk's commitment to the weights.
    weights: Option<Commitment>,
    /// Sums of the commitments to the totals so far.
    totals: Vec<Point>,
    /// Of each chunk so far: statement and proof.
    digests: Vec<[u8; 64]>,
}

impl ChunkVerifier {
    /// Verifies the next chunk; returns kinds and bytes of its proof's messages. Chunks come in order, cover the samples without
    /// gap, and share binding, commitment to the weights and number of totals. That a chunk's system is about as many samples as
    /// the chunk says is for the caller to see to, who builds the statements. A chunk that is refused is not counted.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn chunk(
        &mut self,
        statement: &Statement,
        chunk: &Chunk,
        proof: &[u8],
        progress: &dyn Progress,
    ) -> Result<Inventory, Refused> {
        let foreign = || Refused::Malformed("the chunks are not those of one claim, in order".to_owned());
        let (first, weights) = (self.digests.is_empty(), statement.commitments.get(&Segment::Weights));
        let next = chunk.index as usize == self.digests.len()
            && chunk.count == self.count
            && chunk.samples.start == self.reached
            && (self.reached + 1..=self.samples).contains(&chunk.samples.end)
            && statement.binding == self.binding
            && (first || weights == self.weights.as_ref());
        if !next {
            return Err(foreign());
        }
        progress.stage("verifying a chunk");
        statement.validate()?;
        let plan = affordable(statement)?;
        let (transcript, totals) = prepare(&plan, statement, chunk)?;
        if !first && totals.grid.len() != self.totals.len() {
            return Err(foreign());
        }
        let digest = digest(&transcript, proof);
        let (inventory, totals) =
            protocol::verify_totals(&plan, statement, proof, transcript, Some(&totals))?;
        if first {
            self.weights = weights.cloned();
            self.totals = vec![Point::identity(); totals.len()];
        }
        for (sum, total) in self.totals.iter_mut().zip(totals) {
            *sum += total;
        }
        self.reached = chunk.samples.end;
        self.digests.push(digest);
        Ok(inventory)
    }

    /// Verifies that the sums of the totals over all chunks satisfy `verdict`; returns kinds and bytes of the merge's messages,
    /// which with the four bytes of a count are all of it.
    ///
    /// # Errors
    /// [`Refused`], also when chunks are missing.
    pub fn finish(
        self,
        verdict: &RelationSystem,
        merge: &[u8],
        progress: &dyn Progress,
    ) -> Result<Inventory, Refused> {
        let malformed = |what: &str| Err(Refused::Malformed(what.to_owned()));
        if self.digests.is_empty() || self.digests.len() != self.count as usize {
            return malformed("there is a chunk missing");
        }
        if self.reached != self.samples {
            return malformed("the chunks do not cover all samples");
        }
        progress.stage("verifying the merge");
        let mut merging = Merging::new(&self.binding, verdict, self.totals.len())?;
        let (commitment, rest) = merging.split(merge)?;
        merging.commit(commitment);
        let transcript = merging.transcript(self.digests.iter());
        merging.verify(rest, &self.totals, transcript)
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
