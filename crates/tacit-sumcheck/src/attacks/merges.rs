//! Attacks on claims in chunks: totals committed afresh, sums that are not those of the totals.

use std::ops::Range;
use std::sync::Arc;

use halo2curves::ff::Field as _;
use halo2curves::group::Group as _;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use tacit_relations::{RelationSystem, Silent};

use super::opening::Tricks;
use super::{Liar, Stage, off};
use crate::chunks::{Chunk, ChunkSecret, prepare};
use crate::engine::SumcheckEngine;
use crate::group::{F, Point};
use crate::merge::testing::{CHUNKS, case, check_merge, commitments, merge_of, verdict};
use crate::party::Message;
use crate::protocol;
use crate::transcript::Oracle;
use crate::viewed;

/// Chunks that a verifier has accepted.
struct Accepted {
    secrets: Vec<ChunkSecret>,
    digests: Vec<[u8; 64]>,
    totals: Vec<Point>,
    sums: Vec<i64>,
}

fn accepted(totals: usize) -> Accepted {
    let mut all = Accepted {
        secrets: Vec::new(),
        digests: Vec::new(),
        totals: vec![Point::identity(); totals],
        sums: vec![0; totals],
    };
    for index in 0..CHUNKS {
        let (case, chunk) = case(index, totals);
        let stage = Stage::new(case);
        let statement = stage.statement(stage.committed(&stage.columns));
        let mut rng = ChaCha20Rng::seed_from_u64(index as u64);
        let (trace, openings) = (&stage.case.trace, &stage.openings);
        let (proof, secret) = SumcheckEngine
            .prove_chunk(&statement, &chunk, trace, openings, &mut rng, &Silent)
            .expect("the trace is honest");
        let (_, own) = commitments(&stage.plan, &statement, &chunk, &proof, None).expect("it holds");
        all.totals.iter_mut().zip(own).for_each(|(sum, total)| *sum += total);
        all.sums.iter_mut().zip(trace.tensor(chunk.totals)).for_each(|(sum, total)| *sum += total);
        all.digests.push(secret.proof);
        all.secrets.push(secret);
    }
    all
}

/// A verdict that every sum of these tests satisfies.
fn easy(totals: usize) -> RelationSystem {
    verdict(totals, (-1_000_000, 1_000_000))
}

impl Accepted {
    fn merge(&self, sums: &[i64], oracle: Option<&Oracle>) -> Vec<u8> {
        let mut rng = ChaCha20Rng::seed_from_u64(5);
        merge_of(&self.secrets, sums, &easy(sums.len()), oracle, &mut rng)
    }

    fn takes(&self, merge: &[u8], oracle: Option<&Oracle>) -> bool {
        check_merge(&self.digests, &self.totals, &easy(self.sums.len()), merge, oracle).is_ok()
    }

    /// Whether the verifier takes a merge that says these are the sums.
    fn believes(&self, sums: &[i64], oracle: Option<&Oracle>) -> bool {
        self.takes(&self.merge(sums, oracle), oracle)
    }
}

/// A verifier that joins the equations by a challenge known in advance.
fn linked_by(lambda: u64) -> Oracle {
    Arc::new(move |label, _| (label == "link").then(|| F::from(lambda)))
}

#[test]
fn sums_are_those_of_the_totals() {
    for totals in [1, 4, 70] {
        let chunks = accepted(totals);
        assert!(chunks.believes(&chunks.sums, None), "the prover of these tests is honest but for its lies");
        for r in [0, totals - 1] {
            for by in [1, -1, 1000] {
                let mut sums = chunks.sums.clone();
                sums[r] += by;
                assert!(!chunks.believes(&sums, None), "{r} {by}");
                // Whatever the equations are joined by.
                assert!(!chunks.believes(&sums, Some(&linked_by(1))), "{r} {by}");
            }
        }
        assert!(!chunks.believes(&vec![0; totals], None));
    }
}

/// What would pass if the equations were joined by a challenge that the prover knows when it commits to the sums.
#[test]
fn elements_do_not_stand_in_for_each_other() {
    type Change<'c> = &'c dyn Fn(&mut Vec<i64>);
    let chunks = accepted(4);
    let lie = |change: Change<'_>| {
        let mut sums = chunks.sums.clone();
        change(&mut sums);
        assert_ne!(sums, chunks.sums);
        sums
    };
    let shifted = |sums: &mut Vec<i64>| {
        sums[1] += 1;
        sums[2] -= 1;
    };
    let swapped = |sums: &mut Vec<i64>| sums.swap(0, 3);
    let rotated = |sums: &mut Vec<i64>| sums.rotate_left(1);
    let weighed = |sums: &mut Vec<i64>| {
        sums[0] += 6;
        sums[1] -= 2;
    };
    let tricks: [(u64, Change<'_>); 4] = [(1, &shifted), (1, &swapped), (1, &rotated), (3, &weighed)];
    for (i, (lambda, change)) in tricks.into_iter().enumerate() {
        let sums = lie(change);
        assert!(chunks.believes(&sums, Some(&linked_by(lambda))), "{i}: it would work");
        assert!(!chunks.believes(&sums, Some(&linked_by(lambda + 1))), "{i}");
        assert!(!chunks.believes(&sums, None), "{i}");
    }
}

/// The challenge depends on the commitment, on the verdict's proof, on every chunk and on their order.
#[test]
fn the_link_comes_after_what_it_speaks_of() {
    let chunks = accepted(3);
    let merge = chunks.merge(&chunks.sums, None);
    assert!(chunks.takes(&merge, None));
    let other = merge_of(&chunks.secrets, &chunks.sums, &easy(3), None, &mut ChaCha20Rng::seed_from_u64(6));
    assert!(chunks.takes(&other, None));
    assert_eq!(merge.len(), other.len());
    // Commitment, verdict's proof, link: of one merge and of another of the same sums.
    let ends = [0, 32, merge.len() - 64, merge.len()];
    for from_other in 1..7 {
        let parts = (0..3).flat_map(|i| {
            let merge = if from_other >> i & 1 == 1 { &other } else { &merge };
            merge[ends[i]..ends[i + 1]].to_vec()
        });
        assert!(!chunks.takes(&parts.collect::<Vec<u8>>(), None), "{from_other}");
    }
    // Of other sums: the link speaks of the evaluations of a proof that is not sent.
    let mut sums = chunks.sums.clone();
    sums[0] += 1;
    let lie = chunks.merge(&sums, None);
    assert!(!chunks.takes(&[&lie[..lie.len() - 64], &merge[merge.len() - 64..]].concat(), None));
    // Even where all challenges of the link are known in advance.
    let known: Oracle =
        Arc::new(|label, _| ["link", "respond to link"].contains(&label).then(|| F::from(17)));
    let [merge, lie] = [&chunks.sums, &sums].map(|sums| chunks.merge(sums, Some(&known)));
    assert!(chunks.takes(&merge, Some(&known)));
    assert!(!chunks.takes(&[&lie[..lie.len() - 64], &merge[merge.len() - 64..]].concat(), Some(&known)));
    // Another chunk, another order, another number of chunks.
    let merge = chunks.merge(&chunks.sums, None);
    let check = |digests: &[[u8; 64]]| check_merge(digests, &chunks.totals, &easy(3), &merge, None).is_ok();
    let [a, b] = [chunks.digests[0], chunks.digests[1]];
    assert!(check(&[a, b]));
    assert!(!check(&[b, a]) && !check(&[a]) && !check(&[a, a]) && !check(&[a, b, b]));
}

/// Blindings say nothing about values: they may cancel, and the sums are still what they are.
#[test]
fn blindings_that_cancel_change_nothing() {
    let sums_off = |chunks: &Accepted| {
        let mut sums = chunks.sums.clone();
        sums[0] += 1;
        sums[1] -= 1;
        sums
    };
    // From one chunk to another: the same merge could have been made with the right ones.
    let mut chunks = accepted(2);
    chunks.secrets[0].blinds[0] += off();
    chunks.secrets[1].blinds[0] -= off();
    assert!(chunks.believes(&chunks.sums, None));
    assert!(!chunks.believes(&sums_off(&chunks), None));
    // From one element to another: only where the equations are joined by a known challenge, and values move as little.
    let mut chunks = accepted(2);
    chunks.secrets[0].blinds[0] += off();
    chunks.secrets[0].blinds[1] -= off();
    assert!(!chunks.believes(&chunks.sums, None));
    assert!(chunks.believes(&chunks.sums, Some(&linked_by(1))));
    let mut chunks = accepted(2);
    chunks.secrets[0].blinds.swap(0, 1);
    assert!(!chunks.believes(&chunks.sums, None));
    // A value for a blinding.
    let mut chunks = accepted(2);
    chunks.secrets[0].blinds[0] += F::ONE;
    assert!(!chunks.believes(&chunks.sums, None) && !chunks.believes(&sums_off(&chunks), None));
}

/// The verdict's evaluations belong to other chunks with the same sums: another proof, the same values.
#[test]
fn totals_of_other_proofs_are_others() {
    let (chunks, mut others) = (accepted(2), accepted(2));
    let (case, chunk) = case(1, 2);
    let stage = Stage::new(case);
    let statement = stage.statement(stage.committed(&stage.columns));
    let mut rng = ChaCha20Rng::seed_from_u64(99);
    let proved =
        SumcheckEngine.prove_chunk(&statement, &chunk, &stage.case.trace, &stage.openings, &mut rng, &Silent);
    others.secrets[1] = proved.expect("the trace is honest").1;
    let merge = others.merge(&chunks.sums, None);
    assert!(!chunks.takes(&merge, None));
    // With the digest of the one and the blindings of the other.
    others.secrets[1].proof = chunks.digests[1];
    assert!(!chunks.takes(&others.merge(&chunks.sums, None), None));
}

/// A proof of a chunk that commits to its totals afresh, other ones for these lies; all that follows is consistent with them.
/// Whether the verifier takes it, and which evaluations are those of the totals alone.
fn chunk_with(stage: &Stage, chunk: &Chunk, lies: Vec<(Message, usize, F)>) -> (bool, Range<usize>) {
    let statement = stage.statement(stage.committed(&stage.columns));
    let (transcript, totals) = prepare(&stage.plan, &statement, chunk).expect("there is such a chunk");
    let context = stage.context(&stage.columns, true);
    let mut liar = Liar::new(transcript, lies);
    let blinds = liar.rows(stage, &stage.columns);
    let mut claims = protocol::relations(&mut liar, &context).expect("a prover reads nothing");
    let before = liar.said[&Message::Evaluation];
    claims.totals(&mut liar, &context, &totals).expect("a prover reads nothing");
    let own = before..liar.said[&Message::Evaluation];
    viewed::run(&mut liar, &context, &mut claims).expect("a prover reads nothing");
    liar.open(&context, &claims, &blinds, &Tricks::default()).expect("a prover reads nothing");
    let proof = liar.prover.finish();
    (commitments(&stage.plan, &statement, chunk, &proof, None).is_ok(), own)
}

#[test]
fn totals_are_not_committed_afresh() {
    for totals in [1, 3, 70] {
        let (case, chunk) = case(0, totals);
        let stage = Stage::new(case);
        let (honest, own) = chunk_with(&stage, &chunk, Vec::new());
        assert!(honest);
        // A total by itself is evaluated where its relation is checked: that evaluation serves both.
        assert_eq!(own.len(), if totals == 1 { 0 } else { totals });
        let evaluations: Vec<usize> =
            if totals == 1 { (0..own.end).collect() } else { own.clone().collect() };
        for i in evaluations.into_iter().step_by(totals.div_ceil(4)) {
            for by in [F::ONE, -F::ONE, off()] {
                assert!(!chunk_with(&stage, &chunk, vec![(Message::Evaluation, i, by)]).0, "{i}");
            }
        }
        // Two elements whose sum is right.
        if totals > 1 {
            let lies = [(own.start, F::ONE), (own.start + 1, -F::ONE)];
            let lies = lies.map(|(i, by)| (Message::Evaluation, i, by)).to_vec();
            assert!(!chunk_with(&stage, &chunk, lies).0);
        }
    }
}
