//! A claim about many samples in chunks, with any number of totals.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use tacit_relations::testing::Case;
use tacit_relations::testing::builder::{Builder, signed};
use tacit_relations::{
    Axis, EngineError, Refused, Relation, RelationSystem, Segment, Silent, Statement, TensorId, TensorSpec,
    View,
};
use tacit_sumcheck::{Chunk, ChunkSecret, SumcheckEngine};

use super::part;

/// Samples of each chunk.
pub const SAMPLES: usize = 5;
pub const CHUNKS: usize = 3;
/// What every proof of a claim is bound to.
pub const BINDING: [u8; 32] = [7; 32];

/// `SAMPLES` records of three values through a matrix of one column; total `r` is the sum of the answers, the `s`-th of
/// them times `(r + s) mod 7`.
pub fn case(seed: u64, totals: usize) -> (Case, TensorId) {
    let mut b = Builder::new("a chunk", seed);
    let (x, w) = (b.input(&[SAMPLES, 3], 6), b.weights_of(&[3, 1], 5, vec![3, -7, 11]));
    let (a, c) = (b.shaped(x, &[1, SAMPLES, 3]), b.shaped(w, &[1, 3, 1]));
    let y = b.contraction(a, c, None);
    let weights = (0..totals * SAMPLES).map(|i| ((i / SAMPLES + i % SAMPLES) % 7) as i64).collect();
    let weights = b.constant(&[totals, SAMPLES], weights);
    let (a, c) = (b.shaped(weights, &[1, totals, SAMPLES]), b.shaped(y, &[1, SAMPLES, 1]));
    let total = b.contraction(a, c, None);
    (b.finish(), total)
}

pub fn chunk(index: usize, totals: TensorId) -> Chunk {
    let samples = (index * SAMPLES) as u64..((index + 1) * SAMPLES) as u64;
    Chunk { index: index as u32, count: CHUNKS as u32, samples, totals }
}

pub struct Claim {
    pub chunks: Vec<(Statement, Chunk, Vec<u8>)>,
    pub secrets: Vec<ChunkSecret>,
    pub sums: Vec<i64>,
}

pub fn prove_chunk(
    case: &Case,
    index: usize,
    totals: TensorId,
    seed: u64,
) -> (Statement, Chunk, Vec<u8>, ChunkSecret) {
    let (statement, openings) = part(case, index as u8);
    let chunk = chunk(index, totals);
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let proved = SumcheckEngine.prove_chunk(&statement, &chunk, &case.trace, &openings, &mut rng, &Silent);
    let (proof, secret) = proved.unwrap();
    (statement, chunk, proof, secret)
}

pub fn claim(totals: usize) -> Claim {
    let mut claim = Claim { chunks: Vec::new(), secrets: Vec::new(), sums: vec![0; totals] };
    for index in 0..CHUNKS {
        let (case, id) = case(index as u64, totals);
        let (statement, chunk, proof, secret) = prove_chunk(&case, index, id, index as u64);
        claim.sums.iter_mut().zip(case.trace.tensor(id)).for_each(|(sum, t)| *sum += t);
        claim.chunks.push((statement, chunk, proof));
        // Through its file form.
        claim.secrets.push(ChunkSecret::from_bytes(&secret.to_bytes()).unwrap());
    }
    claim
}

/// Element `r` of a tensor.
pub fn element(tensor: TensorId, r: usize) -> View {
    View { tensor, offset: r, axes: vec![Axis::plain(1, 1)] }
}

/// Every sum lies in its range.
pub fn verdict(width: u8, ranges: &[(i64, i64)]) -> RelationSystem {
    let shape = vec![ranges.len()];
    let sums =
        TensorSpec { shape, bounds: signed(width), segment: Segment::Input, width, constant: Vec::new() };
    let range = |(r, &(lo, hi)): (usize, &(i64, i64))| Relation::Range { x: element(TensorId(0), r), lo, hi };
    RelationSystem::new(vec![sums], ranges.iter().enumerate().map(range).collect()).unwrap()
}

/// Every sum is this one.
pub fn exactly(sums: &[i64]) -> RelationSystem {
    verdict(40, &sums.iter().map(|s| (*s, *s)).collect::<Vec<_>>())
}

pub fn merge(claim: &Claim, verdict: &RelationSystem) -> Result<Vec<u8>, EngineError> {
    let mut rng = ChaCha20Rng::seed_from_u64(9);
    SumcheckEngine.merge(&BINDING, &claim.secrets, verdict, &mut rng, &Silent)
}

/// Verifies chunks, then the merge, for this many chunks about this many samples.
pub fn verify_as(
    chunks: &[(Statement, Chunk, Vec<u8>)],
    (count, samples): (usize, usize),
    merge: &[u8],
    verdict: &RelationSystem,
) -> Result<(), Refused> {
    let mut verifier = SumcheckEngine.chunk_verifier(BINDING, count as u32, samples as u64);
    for (statement, chunk, proof) in chunks {
        verifier.chunk(statement, chunk, proof, &Silent)?;
    }
    verifier.finish(verdict, merge, &Silent).map(|_| ())
}

pub fn verify(claim: &Claim, merge: &[u8], verdict: &RelationSystem) -> Result<(), Refused> {
    verify_as(&claim.chunks, (CHUNKS, CHUNKS * SAMPLES), merge, verdict)
}
