//! Claims in chunks: hidden totals that add up to a public number.
#![allow(clippy::unwrap_used)]

mod common;

use common::part;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use tacit_relations::testing::Case;
use tacit_relations::testing::builder::Builder;
use tacit_relations::{Axis, Refused, Silent, Statement, TensorId, View};
use tacit_sumcheck::{Chunk, ChunkSecret, SumcheckEngine};

const SAMPLES: usize = 5;
const CHUNKS: usize = 3;

/// `SAMPLES` records of three values through a matrix of one column; the total is the sum of the answers.
fn case(seed: u64) -> (Case, TensorId) {
    let mut b = Builder::new("a chunk", seed);
    let (x, w) = (b.input(&[SAMPLES, 3], 6), b.weights_of(&[3, 1], 5, vec![3, -7, 11]));
    let (a, c) = (b.shaped(x, &[1, SAMPLES, 3]), b.shaped(w, &[1, 3, 1]));
    let y = b.contraction(a, c, None);
    let ones = b.constant(&[1], vec![1]);
    let left = b.shaped(y, &[1, 1, SAMPLES]);
    let right = View {
        tensor: ones,
        offset: 0,
        axes: vec![Axis::plain(1, 0), Axis::plain(SAMPLES, 0), Axis::plain(1, 0)],
    };
    let total = b.contraction(left, right, None);
    (b.finish(), total)
}

struct Claim {
    chunks: Vec<(Statement, Chunk, Vec<u8>)>,
    secrets: Vec<ChunkSecret>,
    sum: i64,
}

fn chunk(index: usize, total: TensorId) -> Chunk {
    let samples = (index * SAMPLES) as u64..((index + 1) * SAMPLES) as u64;
    Chunk { index: index as u32, count: CHUNKS as u32, samples, total }
}

fn claim() -> Claim {
    let mut claim = Claim { chunks: Vec::new(), secrets: Vec::new(), sum: 0 };
    for index in 0..CHUNKS {
        let (case, total) = case(index as u64);
        let (statement, openings) = part(&case, index as u8);
        let chunk = chunk(index, total);
        let mut rng = ChaCha20Rng::seed_from_u64(index as u64);
        let (proof, secret) = SumcheckEngine
            .prove_chunk(&statement, &chunk, &case.trace, &openings, &mut rng, &Silent)
            .unwrap();
        claim.sum += case.trace.tensor(total)[0];
        claim.chunks.push((statement, chunk, proof));
        // Through its file form.
        claim.secrets.push(ChunkSecret::from_bytes(&*secret.to_bytes()).unwrap());
    }
    claim
}

fn merge(claim: &Claim, sum: i64) -> Result<Vec<u8>, tacit_relations::EngineError> {
    SumcheckEngine.merge(&[7; 32], &claim.secrets, sum, &mut ChaCha20Rng::seed_from_u64(9))
}

fn verify(claim: &Claim, merge: &[u8], sum: i64) -> Result<(), Refused> {
    SumcheckEngine.verify_chunks(&claim.chunks, merge, (CHUNKS * SAMPLES) as u64, sum, &Silent)
}

#[test]
fn totals_add_up_and_nothing_else_does() {
    let mut claim = claim();
    let merged = merge(&claim, claim.sum).unwrap();
    verify(&claim, &merged, claim.sum).unwrap();

    // Another sum: not by the prover, not with the merge of the right one.
    assert!(merge(&claim, claim.sum + 1).is_err());
    assert!(verify(&claim, &merged, claim.sum + 1).is_err());
    // Fewer or more samples than the chunks are about.
    for samples in [0, SAMPLES as u64, (CHUNKS * SAMPLES) as u64 + 1] {
        assert!(SumcheckEngine.verify_chunks(&claim.chunks, &merged, samples, claim.sum, &Silent).is_err());
    }
    // An altered merge.
    for at in 0..merged.len() {
        let mut bad = merged.clone();
        bad[at] ^= 1;
        assert!(verify(&claim, &bad, claim.sum).is_err(), "byte {at}");
    }
    assert!(verify(&claim, &merged[..63], claim.sum).is_err());
    assert!(verify(&claim, &[&merged[..], &[0]].concat(), claim.sum).is_err());
    // Two chunks in each other's place, with or without each other's numbers; one twice; one missing.
    claim.chunks.swap(0, 1);
    assert!(verify(&claim, &merged, claim.sum).is_err());
    let first = claim.chunks[0].1.clone();
    claim.chunks[0].1 = claim.chunks[1].1.clone();
    claim.chunks[1].1 = first;
    assert!(verify(&claim, &merged, claim.sum).is_err());
    let last = claim.chunks.pop().unwrap();
    assert!(verify(&claim, &merged, claim.sum).is_err());
    claim.chunks.push(last);
    // Other samples than those proved.
    claim.chunks.swap(0, 1);
    let first = claim.chunks[0].1.clone();
    claim.chunks[0].1 = claim.chunks[1].1.clone();
    claim.chunks[1].1 = first;
    let mut wider = claim.chunks[2].1.clone();
    wider.samples.end += 1;
    claim.chunks[2].1 = wider;
    assert!(verify(&claim, &merged, claim.sum).is_err());
}

/// A total that is not the one of the chunk's own proof: right sum, right blinding, another proof.
#[test]
fn totals_belong_to_their_proofs() {
    let mut claim = claim();
    let (case, total) = case(1);
    let (statement, openings) = part(&case, 1);
    let mut rng = ChaCha20Rng::seed_from_u64(77);
    let (proof, secret) = SumcheckEngine
        .prove_chunk(&statement, &chunk(1, total), &case.trace, &openings, &mut rng, &Silent)
        .unwrap();
    let old = std::mem::replace(&mut claim.secrets[1], secret);
    let merged = merge(&claim, claim.sum).unwrap();
    assert!(verify(&claim, &merged, claim.sum).is_err());
    claim.chunks[1].2 = proof;
    verify(&claim, &merged, claim.sum).unwrap();
    // And back.
    claim.secrets[1] = old;
    let merged = merge(&claim, claim.sum).unwrap();
    assert!(verify(&claim, &merged, claim.sum).is_err());
}

#[test]
fn a_chunk_is_no_proof_and_a_total_has_one_element() {
    let claim = claim();
    let (statement, _, proof) = &claim.chunks[0];
    assert!(common::verify(statement, proof).is_err());
    let (case, total) = case(0);
    let (statement, openings) = common::statement(&case);
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let wrong = [
        Chunk { total: TensorId(0), ..chunk(0, total) },
        Chunk { total: TensorId(99), ..chunk(0, total) },
        Chunk { index: 3, ..chunk(0, total) },
        Chunk { samples: 4..4, ..chunk(0, total) },
    ];
    for chunk in wrong {
        let proved =
            SumcheckEngine.prove_chunk(&statement, &chunk, &case.trace, &openings, &mut rng, &Silent);
        assert!(proved.is_err(), "{chunk:?}");
    }
}
