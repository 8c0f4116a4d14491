//! Claims about large test sets, proved in chunks: each by itself, by any process, then merged.

use std::collections::BTreeMap;
use std::ops::Range;

use rand_core::CryptoRngCore;
use tacit_claim::{
    AccuracyClaim, Bundle, Card, CardPoints, Claim, ClaimKind, DataClaim, EngineId, ProofChunk,
};
use tacit_model::Dataset;
use tacit_relations::{
    Commitment, Lowered, Openings, Progress, Segment, Silent, Statement, Tally, TestSet, TestSetClaim,
    lower_test_set, lower_verdict,
};
use tacit_sumcheck::{Chunk, ChunkSecret, ChunkVerifier, SumcheckEngine, chunk_samples};

use crate::error::CoreError;
use crate::folder::DataFolder;
use crate::prove_test_set::{Ready, compute};
use crate::statement::lower_hidden;
use crate::test_set::{Part, tally_of};
use crate::weights::certified_weights;

/// Into how many chunks a claim about `samples` records is cut, so that none takes more than about `memory` bytes.
pub(crate) fn chunk_count(card: &Card, samples: usize, tally: &Tally, memory: u64) -> u32 {
    let bytes = |samples: u64| {
        let test = TestSet { samples: samples as usize, hidden: false, claim: TestSetClaim::Sums(tally) };
        // What cannot be lowered is too large; if it is for another reason, proving says so.
        lower_test_set(card.architecture(), test).map_or(u64::MAX, |Lowered { system, .. }| {
            // Values of the trace, and once more those that the verifier computes.
            let trace: u64 = system.tensors().iter().map(|t| 8 * t.len() as u64).sum();
            SumcheckEngine.memory(&system).saturating_add(2 * trace)
        })
    };
    let chunks = chunk_samples(samples as u64, memory, bytes).len();
    chunks.clamp(1, AccuracyClaim::MAX_CHUNKS as usize) as u32
}

/// A claim in chunks, as its prover or its verifier knows it.
struct Chunked<'a> {
    claim: &'a Claim,
    accuracy: &'a AccuracyClaim,
    card: &'a Card,
    data: &'a Dataset,
    tally: &'a Tally,
    weights: &'a Commitment,
}

impl Chunked<'_> {
    /// The statement of one chunk.
    fn statement(&self, index: u32) -> Result<(Statement, Chunk), CoreError> {
        let records = self
            .accuracy
            .records_of(index)
            .ok_or(CoreError::NoSuchChunk { number: u64::from(index) + 1, count: self.accuracy.chunks })?;
        let range: Range<usize> = records.start as usize..records.end as usize;
        let part = Part::chunk(self.card, range, self.tally)?;
        let totals = part.lowered.totals.ok_or(CoreError::NoLabels)?;
        let chunk = Chunk { index, count: self.accuracy.chunks, samples: records, totals };
        Ok((part.statement(self.claim, self.weights.clone(), Some(self.data)), chunk))
    }

    fn verifier(&self) -> ChunkVerifier {
        SumcheckEngine.chunk_verifier(self.claim.digest().0, self.accuracy.chunks, self.accuracy.samples)
    }

    fn check(
        &self,
        verifier: &mut ChunkVerifier,
        index: u32,
        proof: &[u8],
        progress: &dyn Progress,
    ) -> Result<(), CoreError> {
        progress.stage(&format!("verifying chunk {} of {}", index + 1, self.accuracy.chunks));
        let (statement, chunk) = self.statement(index)?;
        // The engine's own stages would hide which chunk it is.
        verifier.chunk(&statement, &chunk, proof, &Silent)?;
        Ok(())
    }

    /// Merges verified chunks and joins the parts of the proof.
    fn merge(
        &self,
        verifier: ChunkVerifier,
        chunks: Vec<ProofChunk>,
        rng: &mut dyn CryptoRngCore,
        progress: &dyn Progress,
    ) -> Result<Bundle, CoreError> {
        let secrets =
            chunks.iter().map(|c| ChunkSecret::from_bytes(&c.secret).ok_or(CoreError::BadChunk(c.index)));
        let secrets = secrets.collect::<Result<Vec<_>, _>>()?;
        let verdict = lower_verdict(self.tally)?;
        let binding = self.claim.digest().0;
        let merge = SumcheckEngine.merge(&binding, &secrets, &verdict, rng, progress)?;
        verifier.finish(&verdict, &merge, progress)?;
        let mut proof = Vec::new();
        for chunk in &chunks {
            proof.extend_from_slice(&(chunk.proof.len() as u32).to_le_bytes());
            proof.extend_from_slice(&chunk.proof);
        }
        proof.extend_from_slice(&merge);
        Ok(Bundle::new(self.claim.clone(), proof)?)
    }
}

/// Where finished chunks of a proof are kept until they are merged.
pub trait ChunkStore {
    /// The chunk at `index`, where there is one.
    ///
    /// # Errors
    /// Those of the place.
    fn load(&self, index: u32) -> Result<Option<ProofChunk>, CoreError>;

    /// Keeps a chunk.
    ///
    /// # Errors
    /// Those of the place.
    fn keep(&self, chunk: &ProofChunk) -> Result<(), CoreError>;
}

impl Ready<'_> {
    fn chunked<'s>(&'s self, accuracy: &'s AccuracyClaim) -> Chunked<'s> {
        let request = &self.request;
        Chunked {
            claim: &self.claim,
            accuracy,
            card: request.card,
            data: request.data,
            tally: &self.tally,
            weights: &self.weights,
        }
    }

    /// Proves one chunk.
    pub(crate) fn chunk(
        &self,
        accuracy: &AccuracyClaim,
        index: u32,
        rng: &mut dyn CryptoRngCore,
        progress: &dyn Progress,
    ) -> Result<ProofChunk, CoreError> {
        let (statement, chunk) = self.chunked(accuracy).statement(index)?;
        progress.stage(&format!("proving chunk {} of {}", index + 1, accuracy.chunks));
        let trace = compute(self.request.model, &statement, Vec::new())?;
        let openings = Openings::from([(Segment::Weights, self.opening.clone())]);
        let _span = tracing::info_span!("prove").entered();
        let (proof, secret) =
            SumcheckEngine.prove_chunk(&statement, &chunk, &trace, &openings, rng, &Silent)?;
        Ok(ProofChunk { claim: self.claim.clone(), index, proof, secret: secret.to_bytes() })
    }

    /// Proves every chunk that `store` does not have, and merges all.
    pub(crate) fn in_chunks(
        &self,
        accuracy: &AccuracyClaim,
        store: &dyn ChunkStore,
        rng: &mut dyn CryptoRngCore,
        progress: &dyn Progress,
    ) -> Result<Bundle, CoreError> {
        let chunked = self.chunked(accuracy);
        let mut verifier = chunked.verifier();
        let mut chunks = Vec::with_capacity(accuracy.chunks as usize);
        for index in 0..accuracy.chunks {
            // A chunk that was kept is used where it holds; otherwise it is proved again. Another claim's is not lost.
            let known = store.load(index)?;
            if known.as_ref().is_some_and(|c| c.claim != self.claim) {
                return Err(CoreError::ForeignChunk(index));
            }
            let known = known.filter(|c| c.index == index && ChunkSecret::from_bytes(&c.secret).is_some());
            let known = known.filter(|c| chunked.check(&mut verifier, index, &c.proof, progress).is_ok());
            let chunk = match known {
                Some(chunk) => chunk,
                None => {
                    let chunk = self.chunk(accuracy, index, rng, progress)?;
                    store.keep(&chunk)?;
                    chunked.check(&mut verifier, index, &chunk.proof, progress)?;
                    chunk
                }
            };
            chunks.push(chunk);
        }
        chunked.merge(verifier, chunks, rng, progress)
    }
}

/// Merges the chunks of one claim, in any order; each is verified, and so is what they make together.
///
/// # Errors
/// [`CoreError::MissingChunks`], [`CoreError::RepeatedChunk`], [`CoreError::ForeignChunk`] for chunks that are not those of one
/// claim; [`CoreError`].
pub fn merge(
    folder: &DataFolder,
    card: &Card,
    points: Option<&CardPoints>,
    data: &Dataset,
    chunks: Vec<ProofChunk>,
    rng: &mut dyn CryptoRngCore,
    progress: &dyn Progress,
) -> Result<Bundle, CoreError> {
    let claim = chunks.first().ok_or(CoreError::NoChunk)?.claim.clone();
    claim.check_against(card)?;
    let ClaimKind::Accuracy(accuracy) = &claim.kind else { return Err(CoreError::NoChunk) };
    let mut sorted = BTreeMap::new();
    for chunk in chunks {
        let index = chunk.index;
        if chunk.claim != claim || index >= accuracy.chunks {
            return Err(CoreError::ForeignChunk(index));
        }
        if sorted.insert(index, chunk).is_some() {
            return Err(CoreError::RepeatedChunk(index));
        }
    }
    let missing: Vec<u32> = (0..accuracy.chunks).filter(|i| !sorted.contains_key(i)).collect();
    if !missing.is_empty() {
        return Err(CoreError::MissingChunks { missing, count: accuracy.chunks });
    }
    let system = lower_hidden(card.architecture())?;
    let weights = certified_weights(folder, card, claim.engine, points, &system, progress)?;
    let tally = tally_of(card, accuracy, Some(data))?;
    let chunked = Chunked { claim: &claim, accuracy, card, data, tally: &tally, weights: &weights };
    let mut verifier = chunked.verifier();
    for (index, chunk) in &sorted {
        chunked.check(&mut verifier, *index, &chunk.proof, progress).map_err(|e| match e {
            CoreError::DoesNotHold(_) => CoreError::BadChunk(*index),
            other => other,
        })?;
    }
    chunked.merge(verifier, sorted.into_values().collect(), rng, progress)
}

/// Verifies a proof in chunks: `weights` is the card's commitment.
pub(crate) fn verify_chunks(
    claim: &Claim,
    accuracy: &AccuracyClaim,
    card: &Card,
    weights: &Commitment,
    data: Option<&Dataset>,
    mut proof: &[u8],
    progress: &dyn Progress,
) -> Result<(), CoreError> {
    let DataClaim::Public { .. } = &accuracy.data else { return Err(CoreError::NoData) };
    debug_assert_eq!(claim.engine, EngineId::Sumcheck, "claims in chunks are checked to be of this engine");
    let tally = tally_of(card, accuracy, data)?;
    let data = data.ok_or(CoreError::NoData)?;
    let chunked = Chunked { claim, accuracy, card, data, tally: &tally, weights };
    let mut verifier = chunked.verifier();
    for index in 0..accuracy.chunks {
        let short = || CoreError::DoesNotHold("the proof is malformed: it is cut short".to_owned());
        let (length, rest) = proof.split_first_chunk::<4>().ok_or_else(short)?;
        let (part, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or_else(short)?;
        chunked.check(&mut verifier, index, part, progress)?;
        proof = rest;
    }
    verifier.finish(&lower_verdict(&tally)?, proof, progress)?;
    Ok(())
}
