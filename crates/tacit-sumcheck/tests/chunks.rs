//! Claims in chunks: hidden totals whose sums satisfy a verdict.
#![allow(clippy::unwrap_used)]

mod common;

use common::chunks::{
    BINDING, CHUNKS, Claim, SAMPLES, case, chunk, claim, element, exactly, merge, prove_chunk, verdict,
    verify, verify_as,
};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore as _, SeedableRng as _};
use tacit_relations::testing::builder::signed;
use tacit_relations::{Axis, Refused, Relation, RelationSystem, Segment, Silent, TensorId, TensorSpec, View};
use tacit_sumcheck::{Chunk, ChunkSecret, MAX_TOTALS, SumcheckEngine};

const ALL: usize = CHUNKS * SAMPLES;

#[test]
fn sums_add_up_and_nothing_else_does() {
    for totals in [1, 2, 5, 64, 130] {
        let mut claim = claim(totals);
        let right = exactly(&claim.sums);
        let merged = merge(&claim, &right).unwrap();
        verify(&claim, &merged, &right).unwrap();
        // Another sum, of any element: not by the prover, not with the merge of the right one.
        for r in [0, totals / 2, totals - 1] {
            for by in [-1, 1] {
                let mut sums = claim.sums.clone();
                sums[r] += by;
                let wrong = exactly(&sums);
                assert!(merge(&claim, &wrong).is_err());
                assert!(matches!(verify(&claim, &merged, &wrong), Err(Refused::DoesNotHold)));
            }
        }
        // The merge of the same chunks in another order.
        claim.secrets.swap(0, 1);
        let other = merge(&claim, &right).unwrap();
        assert!(verify(&claim, &other, &right).is_err());
    }
}

/// Thresholds on both sides, all of them met exactly; each missed by one.
#[test]
fn thresholds_are_met_exactly_or_missed_by_one() {
    let claim = claim(4);
    let sums = &claim.sums;
    let largest = signed(40).1;
    let met = vec![(sums[0], largest), (-largest, sums[1]), (sums[2], sums[2]), (sums[3] - 5, sums[3] + 9)];
    let merged = merge(&claim, &verdict(40, &met)).unwrap();
    verify(&claim, &merged, &verdict(40, &met)).unwrap();
    let mut missed = vec![met.clone(); 6];
    missed[0][0].0 += 1;
    missed[1][1].1 -= 1;
    missed[2][2] = (sums[2] + 1, sums[2] + 1);
    missed[3][2] = (sums[2] - 1, sums[2] - 1);
    missed[4][3].0 = sums[3] + 1;
    missed[5][3].1 = sums[3] - 1;
    for missed in missed {
        let missed = verdict(40, &missed);
        assert!(merge(&claim, &missed).is_err());
        assert!(verify(&claim, &merged, &missed).is_err());
    }
    // A wider range holds as well, but not by this merge.
    let mut wider = met.clone();
    wider[0].0 -= 1;
    assert!(verify(&claim, &merged, &verdict(40, &wider)).is_err());
    verify(&claim, &merge(&claim, &verdict(40, &wider)).unwrap(), &verdict(40, &wider)).unwrap();
}

/// `0 ≤ Σ_r a_r s_r + offset ≤ hi`: more than a range, with tensors between the sums and what is asked of them.
fn combined(sums: usize, coefficients: &[i64], offset: i64, hi: i64) -> RelationSystem {
    let tensor = |len, segment, width| {
        let bounds = if width > 0 { signed(width) } else { signed(60) };
        TensorSpec { shape: vec![len], bounds, segment, width, constant: Vec::new() }
    };
    let tensors = vec![tensor(sums, Segment::Input, 30), tensor(1, Segment::Witness, 0)];
    let terms = coefficients.iter().enumerate().map(|(r, a)| (*a, element(TensorId(0), r)));
    let relations = vec![
        Relation::Affine { terms: terms.collect(), offset, y: TensorId(1) },
        Relation::Range { x: View::whole(TensorId(1), &[1]), lo: 0, hi },
    ];
    RelationSystem::new(tensors, relations).unwrap()
}

#[test]
fn verdicts_compare_sums_with_each_other() {
    let claim = claim(3);
    let s = &claim.sums;
    let value = 3 * s[0] - 5 * s[1] + 2 * s[2];
    for (offset, hi, holds) in [
        (-value, 0, true),
        (-value, 9, true),
        (9 - value, 9, true),
        (-1 - value, 9, false),
        (10 - value, 9, false),
    ] {
        let verdict = combined(3, &[3, -5, 2], offset, hi);
        match merge(&claim, &verdict) {
            Ok(merged) => {
                assert!(holds);
                verify(&claim, &merged, &verdict).unwrap();
                // Two elements in each other's place.
                let other = combined(3, &[-5, 3, 2], offset, hi);
                assert!(verify(&claim, &merged, &other).is_err());
            }
            Err(_) => assert!(!holds),
        }
    }
}

/// The declared width bounds the sums although no relation does.
#[test]
fn sums_fit_the_declared_width() {
    let claim = claim(1);
    let bits = (64 - claim.sums[0].unsigned_abs().leading_zeros() + 1) as u8;
    let free = |width| {
        let sums = TensorSpec {
            shape: vec![1],
            bounds: signed(width),
            segment: Segment::Input,
            width,
            constant: Vec::new(),
        };
        RelationSystem::new(vec![sums], Vec::new()).unwrap()
    };
    assert!(merge(&claim, &free(bits - 1)).is_err());
    let merged = merge(&claim, &free(bits)).unwrap();
    verify(&claim, &merged, &free(bits)).unwrap();
    assert!(verify(&claim, &merged, &free(bits + 1)).is_err());
}

#[test]
fn a_claim_is_all_of_its_chunks_in_order() {
    let claim = claim(2);
    let right = exactly(&claim.sums);
    let merged = merge(&claim, &right).unwrap();
    let refused = |chunks: &[_], count, samples| {
        let verified = verify_as(chunks, (count, samples), &merged, &right);
        assert!(matches!(verified, Err(Refused::Malformed(_) | Refused::DoesNotHold)), "{verified:?}");
    };
    let chunks = &claim.chunks;
    // Fewer or more samples, or chunks, than there are.
    for samples in [0, SAMPLES, ALL - 1, ALL + 1] {
        refused(chunks, CHUNKS, samples);
    }
    for count in [0, 1, CHUNKS - 1, CHUNKS + 1] {
        refused(chunks, count, ALL);
    }
    // None, one missing, one twice.
    refused(&[], CHUNKS, ALL);
    refused(&[], 0, 0);
    refused(&chunks[..2], CHUNKS, ALL);
    refused(&chunks[1..], CHUNKS, ALL);
    refused(&[&chunks[..2], &chunks[1..]].concat(), CHUNKS, ALL);
    refused(&[&chunks[..1], &chunks[2..]].concat(), CHUNKS, ALL);
    // Two in each other's place, with or without each other's numbers.
    let mut swapped = chunks.clone();
    swapped.swap(0, 1);
    refused(&swapped, CHUNKS, ALL);
    let (a, b) = (swapped[0].1.clone(), swapped[1].1.clone());
    (swapped[0].1, swapped[1].1) = (b, a);
    refused(&swapped, CHUNKS, ALL);
    // Everything that a chunk says of itself, said differently.
    type Change = fn(&mut Chunk);
    let changes: [Change; 6] = [
        |c| c.index = 0,
        |c| c.count += 1,
        |c| c.samples.start -= 1,
        |c| c.samples.start += 1,
        |c| c.samples.end += 1,
        |c| c.samples.end = c.samples.start,
    ];
    for change in changes {
        let mut other = chunks.clone();
        change(&mut other[1].1);
        refused(&other, CHUNKS, ALL);
        change(&mut other[2].1);
        refused(&other, CHUNKS, ALL);
    }
    // A verifier refuses a chunk and takes the right one after it.
    let mut verifier = SumcheckEngine.chunk_verifier(BINDING, CHUNKS as u32, ALL as u64);
    for (i, (statement, chunk, proof)) in chunks.iter().enumerate() {
        let (other, number, made) = &chunks[(i + 1) % CHUNKS];
        assert!(verifier.chunk(other, number, made, &Silent).is_err());
        assert!(verifier.chunk(statement, chunk, made, &Silent).is_err());
        verifier.chunk(statement, chunk, proof, &Silent).unwrap();
    }
    verifier.finish(&right, &merged, &Silent).unwrap();
}

/// Chunks that would do in a claim of their own.
#[test]
fn chunks_of_other_claims_are_foreign() {
    let claim = claim(2);
    let right = exactly(&claim.sums);
    let merged = merge(&claim, &right).unwrap();
    let prove = |change: &dyn Fn(&mut tacit_relations::Statement, &mut Chunk), totals| {
        let (case, id) = case(1, totals);
        let (mut statement, openings) = common::part(&case, 1);
        let mut chunk = chunk(1, id);
        change(&mut statement, &mut chunk);
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let proved =
            SumcheckEngine.prove_chunk(&statement, &chunk, &case.trace, &openings, &mut rng, &Silent);
        (statement, chunk, proved.unwrap().0)
    };
    let with = |chunk| {
        let chunks = [claim.chunks[0].clone(), chunk, claim.chunks[2].clone()];
        verify_as(&chunks, (CHUNKS, ALL), &merged, &right)
    };
    with(prove(&|_, _| (), 2)).unwrap();
    assert!(with(prove(&|s, _| s.binding[0] ^= 1, 2)).is_err());
    assert!(with(prove(&|_, c| c.count += 1, 2)).is_err());
    assert!(with(prove(&|_, c| c.samples.end += 1, 2)).is_err());
    assert!(with(prove(&|_, c| c.samples = 0..5, 2)).is_err());
    assert!(with(prove(&|_, _| (), 3)).is_err());
    assert!(with(prove(&|_, _| (), 1)).is_err());
    // Other weights; each chunk is fine by itself.
    let other_weights = |seed: u8| {
        let (case, id) = case(1, 2);
        let mut openings = common::part(&case, 1).1;
        let mut statement = common::part(&case, 1).0;
        let opening = tacit_relations::Opening([seed; 32]);
        let weights = case.system.segment(Segment::Weights).map(|w| (w, case.trace.tensor(w))).collect();
        use tacit_relations::Engine as _;
        let commitment = SumcheckEngine.commit(&case.system, Segment::Weights, &weights, &opening).unwrap();
        statement.commitments.insert(Segment::Weights, commitment);
        openings.insert(Segment::Weights, opening);
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let chunk = chunk(1, id);
        let proved =
            SumcheckEngine.prove_chunk(&statement, &chunk, &case.trace, &openings, &mut rng, &Silent);
        (statement, chunk, proved.unwrap().0)
    };
    assert!(with(other_weights(99)).is_err());
}

/// Totals that are not those of the chunk's own proof: right values, another proof's blindings.
#[test]
fn totals_belong_to_their_proofs() {
    let mut claim = claim(2);
    let right = exactly(&claim.sums);
    let (case, totals) = case(1, 2);
    let (_, _, proof, secret) = prove_chunk(&case, 1, totals, 77);
    let old = std::mem::replace(&mut claim.secrets[1], secret);
    let merged = merge(&claim, &right).unwrap();
    assert!(verify(&claim, &merged, &right).is_err());
    claim.chunks[1].2 = proof;
    verify(&claim, &merged, &right).unwrap();
    // And back.
    claim.secrets[1] = old;
    let merged = merge(&claim, &right).unwrap();
    assert!(verify(&claim, &merged, &right).is_err());
}

/// A verdict is about the sums and nothing else; a merge is for one binding.
#[test]
fn verdicts_are_about_the_sums_alone() {
    let claim = claim(2);
    let right = exactly(&claim.sums);
    let merged = merge(&claim, &right).unwrap();
    let sums = |len: usize, segment| TensorSpec {
        shape: vec![len],
        bounds: signed(40),
        segment,
        width: if Segment::COMMITTED.contains(&segment) { 40 } else { 0 },
        constant: Vec::new(),
    };
    let constant = TensorSpec {
        bounds: (1, 1),
        constant: vec![1; 2],
        segment: Segment::Constant,
        width: 0,
        ..sums(2, Segment::Input)
    };
    let others = [
        vec![],
        vec![sums(1, Segment::Input)],
        vec![sums(3, Segment::Input)],
        vec![sums(2, Segment::Weights)],
        vec![sums(2, Segment::Public)],
        vec![sums(2, Segment::Input), sums(1, Segment::Input)],
        vec![sums(2, Segment::Input), sums(1, Segment::Weights)],
        vec![sums(2, Segment::Input), sums(1, Segment::Public)],
        vec![constant.clone(), sums(2, Segment::Input)],
    ];
    for tensors in others {
        let other = RelationSystem::new(tensors, Vec::new()).unwrap();
        assert!(merge(&claim, &other).is_err());
        assert!(matches!(verify(&claim, &merged, &other), Err(Refused::Engine(_))));
    }
    // A result that is the claim's to commit to, or to publish.
    for segment in [Segment::Output, Segment::Public] {
        let copy =
            Relation::Affine { terms: vec![(1, View::whole(TensorId(0), &[2]))], offset: 0, y: TensorId(1) };
        let tensors = vec![sums(2, Segment::Input), sums(2, segment)];
        let other = RelationSystem::new(tensors, vec![copy]).unwrap();
        assert!(merge(&claim, &other).is_err());
        assert!(matches!(verify(&claim, &merged, &other), Err(Refused::Engine(_))));
    }
    // Constants are part of the verdict.
    let with_constant = RelationSystem::new(vec![sums(2, Segment::Input), constant], Vec::new()).unwrap();
    verify(&claim, &merge(&claim, &with_constant).unwrap(), &with_constant).unwrap();

    let mut rng = ChaCha20Rng::seed_from_u64(9);
    let other = SumcheckEngine.merge(&[8; 32], &claim.secrets, &right, &mut rng, &Silent).unwrap();
    assert!(verify(&claim, &other, &right).is_err());
    assert!(SumcheckEngine.merge(&BINDING, &[], &right, &mut rng, &Silent).is_err());
}

/// No byte of a merge may be another, none be missing or added; nothing panics.
#[test]
fn altered_merges_are_refused() {
    let claim = claim(2);
    let right = verdict(20, &[(claim.sums[0], claim.sums[0] + 100), (claim.sums[1] - 100, claim.sums[1])]);
    let merged = merge(&claim, &right).unwrap();
    // Past the chunks, which are as they should be.
    let mut verifier = SumcheckEngine.chunk_verifier(BINDING, CHUNKS as u32, ALL as u64);
    for (statement, chunk, proof) in &claim.chunks {
        verifier.chunk(statement, chunk, proof, &Silent).unwrap();
    }
    let accepts = |merge: &[u8]| verifier.clone().finish(&right, merge, &Silent).is_ok();
    assert!(accepts(&merged));
    for at in 0..merged.len() {
        let mut bad = merged.clone();
        bad[at] ^= 1 << (at % 8);
        assert!(!accepts(&bad), "byte {at}");
    }
    for len in 0..merged.len() {
        assert!(!accepts(&merged[..len]), "{len}");
    }
    for extra in [1, 4, 32, 64] {
        assert!(!accepts(&[&merged[..], &vec![0; extra]].concat()));
        assert!(!accepts(&[&vec![0; extra], &merged[..]].concat()));
    }
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    for len in (0..300).chain([merged.len(), 2 * merged.len()]) {
        let mut garbage = vec![0; len];
        rng.fill_bytes(&mut garbage);
        assert!(!accepts(&garbage));
        // With a count of points that fits.
        let mut framed = merged.clone();
        for (byte, noise) in framed[36..].iter_mut().zip(&garbage) {
            *byte = *noise;
        }
        assert!(len == 0 || !accepts(&framed));
    }
    // Two elements in each other's place.
    for at in (0..merged.len() - 68).step_by(32) {
        let mut bad = merged.clone();
        let (a, b) = bad[at + 4..at + 68].split_at_mut(32);
        a.swap_with_slice(b);
        assert!(!accepts(&bad), "{at}");
    }
}

#[test]
fn secrets_are_read_as_they_are_written() {
    let claim = claim(3);
    let bytes = claim.secrets[0].to_bytes().to_vec();
    assert_eq!(bytes.len(), 4 + 64 + 40 * 3);
    assert_eq!(*ChunkSecret::from_bytes(&bytes).unwrap().to_bytes(), bytes);
    assert_eq!(format!("{:?}", claim.secrets[0]), "ChunkSecret(hidden)");
    for len in 0..bytes.len() {
        assert!(ChunkSecret::from_bytes(&bytes[..len]).is_none());
    }
    assert!(ChunkSecret::from_bytes(&[&bytes[..], &[0]].concat()).is_none());
    // Other numbers of totals: none, too many, more than memory holds.
    for count in [0, 2, 4, MAX_TOTALS as u32 + 1, u32::MAX] {
        let mut other = bytes.clone();
        other[..4].copy_from_slice(&count.to_le_bytes());
        assert!(ChunkSecret::from_bytes(&other).is_none());
    }
    assert!(ChunkSecret::from_bytes(&[0; 68]).is_none());
    // A blinding that is not in canonical form.
    let mut other = bytes.clone();
    other[bytes.len() - 32..].fill(0xff);
    assert!(ChunkSecret::from_bytes(&other).is_none());
    // What fits may still be another's: then the merge is refused.
    let mut tampered = Claim { secrets: Vec::new(), ..claim };
    for at in [4, 4 + 64, 4 + 64 + 24] {
        let mut other = bytes.clone();
        other[at] ^= 1;
        tampered.secrets = vec![ChunkSecret::from_bytes(&other).unwrap()];
        for i in 1..CHUNKS {
            let (case, id) = case(i as u64, 3);
            tampered.secrets.push(prove_chunk(&case, i, id, i as u64).3);
        }
        let wide = verdict(40, &[signed(40); 3]);
        let merged = merge(&tampered, &wide).unwrap();
        assert!(verify(&tampered, &merged, &wide).is_err(), "{at}");
    }
}

/// Sums beyond 64 bits are an error, not a panic.
#[test]
fn sums_do_not_overflow() {
    let mut claim = claim(1);
    for secret in &mut claim.secrets {
        let mut bytes = secret.to_bytes().to_vec();
        bytes[68..76].copy_from_slice(&i64::MAX.to_le_bytes());
        *secret = ChunkSecret::from_bytes(&bytes).unwrap();
    }
    assert!(merge(&claim, &verdict(62, &[signed(62)])).is_err());
}

#[test]
fn a_chunk_is_no_proof_and_a_proof_no_chunk() {
    let claim = claim(1);
    let (statement, chunk, proof) = &claim.chunks[0];
    assert!(common::verify(statement, proof).is_err());
    let (case, _) = case(0, 1);
    let (statement, openings) = common::part(&case, 0);
    let proof = common::prove(&case, &statement, &openings, 1).unwrap();
    common::verify(&statement, &proof).unwrap();
    let mut verifier = SumcheckEngine.chunk_verifier(BINDING, CHUNKS as u32, ALL as u64);
    assert!(verifier.chunk(&statement, chunk, &proof, &Silent).is_err());
}

#[test]
fn there_are_no_such_chunks() {
    let (case, totals) = case(0, 1);
    let (statement, openings) = common::statement(&case);
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let wrong = [
        Chunk { totals: TensorId(99), ..chunk(0, totals) },
        Chunk { index: 3, ..chunk(0, totals) },
        Chunk { samples: 4..4, ..chunk(0, totals) },
    ];
    for chunk in wrong {
        let proved =
            SumcheckEngine.prove_chunk(&statement, &chunk, &case.trace, &openings, &mut rng, &Silent);
        assert!(proved.is_err(), "{chunk:?}");
        let mut verifier = SumcheckEngine.chunk_verifier(BINDING, 3, 15);
        assert!(verifier.chunk(&statement, &chunk, &[], &Silent).is_err(), "{chunk:?}");
    }
    // A tensor of too many elements.
    let mut b = tacit_relations::testing::builder::Builder::new("many", 0);
    let x = b.input(&[MAX_TOTALS + 1], 4);
    let many = b.finish();
    let (statement, openings) = common::statement(&many);
    let chunk = chunk(0, x);
    assert!(
        SumcheckEngine.prove_chunk(&statement, &chunk, &many.trace, &openings, &mut rng, &Silent).is_err()
    );
}

/// Totals of any shape, committed in the statement or forms of several columns, some of them broadcast.
#[test]
fn totals_may_be_any_tensor() {
    let case = |seed| {
        let mut b = tacit_relations::testing::builder::Builder::new("shapes", seed);
        let (x, w) = (b.input(&[3, 5], 6), b.weights_of(&[5], 5, vec![3, -7, 11, 0, 1]));
        let spread = View { tensor: w, offset: 0, axes: vec![Axis::plain(3, 0), Axis::plain(5, 1)] };
        let y = b.affine(vec![(2, b.shaped(x, &[3, 5])), (-3, spread)], 17);
        (b.finish(), x, y)
    };
    for of_statement in [true, false] {
        let mut verifier = SumcheckEngine.chunk_verifier(BINDING, 2, 2);
        let (mut secrets, mut sums) = (Vec::new(), vec![0; 15]);
        for index in 0..2 {
            let (case, x, y) = case(u64::from(index));
            let (statement, openings) = common::part(&case, index as u8);
            let totals = if of_statement { x } else { y };
            let samples = u64::from(index)..u64::from(index) + 1;
            let chunk = Chunk { index, count: 2, samples, totals };
            let mut rng = ChaCha20Rng::seed_from_u64(3);
            let (proof, secret) = SumcheckEngine
                .prove_chunk(&statement, &chunk, &case.trace, &openings, &mut rng, &Silent)
                .unwrap();
            verifier.chunk(&statement, &chunk, &proof, &Silent).unwrap();
            secrets.push(secret);
            sums.iter_mut().zip(case.trace.tensor(totals)).for_each(|(sum, t)| *sum += t);
        }
        let right = exactly(&sums);
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        let merged = SumcheckEngine.merge(&BINDING, &secrets, &right, &mut rng, &Silent).unwrap();
        verifier.finish(&right, &merged, &Silent).unwrap();
    }
}

/// One chunk is a claim too.
#[test]
fn one_chunk_is_enough() {
    let (case, totals) = case(0, 2);
    let (statement, openings) = common::statement(&case);
    let chunk = Chunk { index: 0, count: 1, samples: 0..SAMPLES as u64, totals };
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let (proof, secret) =
        SumcheckEngine.prove_chunk(&statement, &chunk, &case.trace, &openings, &mut rng, &Silent).unwrap();
    let right = exactly(case.trace.tensor(totals));
    let merged = SumcheckEngine.merge(&BINDING, &[secret], &right, &mut rng, &Silent).unwrap();
    verify_as(&[(statement, chunk, proof)], (1, SAMPLES), &merged, &right).unwrap();
}
