//! Claims in chunks, without a witness: the simulator of proofs makes the chunks' and the verdict's, and solves the first
//! message of the link from its equation. Two challenges of a merge are programmed, that of the verdict's Σ-protocols and that of the
//! link.

use halo2curves::ff::Field as _;
use halo2curves::group::{Curve as _, Group as _};
use tacit_relations::{Commitment, Silent};

use super::replay::compare;
use super::*;
use crate::chunks::{Chunk, prepare};
use crate::engine::SumcheckEngine;
use crate::group::{Point, encode, msm, normalise};
use crate::merge::testing::{CHUNKS, case, check_merge, commitments, merge_of, verdict};
use crate::merge::{Merging, link};
use crate::pedersen::Pedersen;

const TOTALS: usize = 3;

/// The challenge of the link.
fn sigma_link() -> F {
    sigma(1)
}

/// An oracle programmed at the challenges of both Σ-protocols alone.
fn respond_with_both() -> Oracle {
    Arc::new(|label, _| match label {
        "respond" => Some(sigma(0)),
        "respond to link" => Some(sigma_link()),
        _ => None,
    })
}

/// An oracle whose answers depend on nothing but label and number.
fn equal() -> Oracle {
    Arc::new(|label, index| {
        respond_with_both()(label, index).or_else(|| equal_challenges(sigma(0))(label, index))
    })
}

/// A claim as its verifier sees it: proofs of the chunks, merge.
struct Seen {
    proofs: Vec<Vec<u8>>,
    merge: Vec<u8>,
}

fn parts() -> Vec<(Setting, Chunk)> {
    (0..CHUNKS).map(|index| case(index, TOTALS)).map(|(case, chunk)| (Setting::new(&case), chunk)).collect()
}

fn bounds() -> RelationSystem {
    verdict(TOTALS, (-100_000, 100_000))
}

/// What stands for the digests of the chunks.
fn digests(proofs: &[Vec<u8>]) -> Vec<[u8; 64]> {
    use blake2::Digest as _;
    proofs.iter().map(|proof| blake2::Blake2b512::digest(proof).into()).collect()
}

/// The production verifier's steps: sums of the commitments to the totals, then the merge.
fn verify(seen: &Seen, oracle: Option<&Oracle>) -> Result<[Vec<(Message, usize)>; 2], Refused> {
    let mut totals = vec![Point::identity(); TOTALS];
    let mut chunk_inventory = Vec::new();
    for ((setting, chunk), proof) in parts().iter().zip(&seen.proofs) {
        let (inventory, own) = commitments(&setting.plan, &setting.statement, chunk, proof, oracle)?;
        totals.iter_mut().zip(own).for_each(|(sum, total)| *sum += total);
        chunk_inventory = inventory;
    }
    let merge_inventory = check_merge(&digests(&seen.proofs), &totals, &bounds(), &seen.merge, oracle)?;
    Ok([chunk_inventory, merge_inventory])
}

/// By the production prover.
fn real(seed: u64, oracle: Option<&Oracle>) -> Seen {
    let (mut proofs, mut secrets, mut sums) = (Vec::new(), Vec::new(), vec![0; TOTALS]);
    for (index, (setting, chunk)) in parts().iter().enumerate() {
        let (transcript, totals) = prepare(&setting.plan, &setting.statement, chunk).unwrap();
        let transcript = crate::merge::testing::programmed(transcript, oracle);
        let prover = Prover::new(transcript, ChaCha20Rng::seed_from_u64(100 * seed + index as u64));
        let (proof, evaluations) = setting
            .context(true, |context| protocol::prove_as(prover, context, &setting.openings, Some(&totals)))
            .unwrap();
        let values = setting.trace.tensor(chunk.totals).to_vec();
        sums.iter_mut().zip(&values).for_each(|(sum, value)| *sum += value);
        let blinds = evaluations.iter().map(|e| e.blind).collect();
        secrets.push(crate::chunks::ChunkSecret { values: values.into(), blinds, proof: [0; 64] });
        proofs.push(proof);
    }
    secrets.iter_mut().zip(digests(&proofs)).for_each(|(secret, digest)| secret.proof = digest);
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let merge = merge_of(&secrets, &sums, &bounds(), oracle, &mut rng);
    Seen { proofs, merge }
}

/// From the statements alone.
fn simulated(seed: u64, oracle: &Oracle, verdict: &RelationSystem) -> Seen {
    let mut sums = vec![Point::identity(); TOTALS];
    let mut proofs = Vec::new();
    for (index, (setting, chunk)) in parts().iter().enumerate() {
        let (transcript, totals) = prepare(&setting.plan, &setting.statement, chunk).unwrap();
        let transcript = transcript.programmed(oracle.clone());
        let proof = setting.simulate_with(
            transcript,
            sigma(0),
            100 * seed + index as u64,
            |mut simulator, context| {
                let (claims, _) = protocol::run(&mut simulator, context, Some(&totals))?;
                Ok((simulator, claims))
            },
        );
        let own = commitments(&setting.plan, &setting.statement, chunk, &proof, Some(oracle)).unwrap().1;
        sums.iter_mut().zip(own).for_each(|(sum, total)| *sum += total);
        proofs.push(proof);
    }

    let mut merging = Merging::new(&[7; 32], verdict, TOTALS).unwrap();
    let mut rng = ChaCha20Rng::seed_from_u64(1_000 + seed);
    let rows: usize = merging.plan.segment(Segment::Input).map(|c| c.layout.rows()).sum();
    let uniform = |rng: &mut ChaCha20Rng| encode(&Pedersen::get().blind(&F::random(rng)).to_affine());
    let commitment = Commitment((0..rows).flat_map(|_| uniform(&mut rng)).collect());
    merging.commit(commitment.clone());
    let mut transcript = merging.transcript(digests(&proofs).iter()).programmed(oracle.clone());
    let setting = Setting {
        name: "a verdict".to_owned(),
        plan: Merging::new(&[7; 32], verdict, TOTALS).unwrap().plan,
        statement: merging.statement.clone(),
        trace: Trace { values: Vec::new() },
        openings: Openings::new(),
    };
    let tensor = merging.sums().unwrap();
    let proof =
        setting.simulate_with(transcript.clone(), sigma(0), 10_000 + seed, |mut simulator, context| {
            let (claims, _) = protocol::run(&mut simulator, context, Some(&tensor))?;
            Ok((simulator, claims))
        });
    let (_, evaluations) =
        protocol::verify_totals(&setting.plan, &setting.statement, &proof, transcript.clone(), Some(&tensor))
            .unwrap();
    let powers = link(&mut transcript, &proof, TOTALS);
    let differences: Vec<Point> = evaluations.iter().zip(&sums).map(|(e, d)| *e - *d).collect();
    let response = F::random(&mut rng);
    // K = z·H − e Σ λ^r (E_r − D_r)
    let first = Pedersen::get().blind(&response) - msm(&powers, &normalise(&differences)) * sigma_link();
    let first = encode(&first.to_affine());
    Seen { proofs, merge: [&commitment.0[..], &proof, &first, &response.to_bytes()].concat() }
}

/// The elements of a merge, its points before its scalars.
fn elements(merge: &[u8], inventory: &[(Message, usize)]) -> Elements {
    let sizes = |points: bool| -> usize {
        inventory.iter().filter(|(kind, _)| is_points(*kind) == points).map(|(_, bytes)| bytes).sum()
    };
    let rows = inventory[0].1;
    let (points, scalars) = (sizes(true) - 32 - rows, sizes(false) - 32);
    assert_eq!(merge.len(), rows + 4 + points + scalars + 64, "every byte is in the inventory");
    let proof = &merge[rows + 4..];
    let (first, response) = merge[merge.len() - 64..].split_at(32);
    let framed =
        [&[0; 4], &merge[..rows], &proof[..points], first, &proof[points..points + scalars], response];
    Elements::new(&framed.concat(), inventory)
}

#[test]
fn the_production_verifier_accepts_simulated_claims() {
    let oracle = respond_with_both();
    let seen = simulated(1, &oracle, &bounds());
    let inventories = verify(&seen, Some(&oracle)).unwrap();
    // They look like real ones, message by message.
    let honest = real(2, None);
    assert_eq!(verify(&honest, None).unwrap(), inventories);
    assert_eq!(honest.merge.len(), seen.merge.len());
    elements(&seen.merge, &inventories[1]);
    // Both challenges have to be programmed.
    assert!(verify(&seen, None).is_err());
    let without_link = respond_with(sigma(0));
    assert!(matches!(verify(&seen, Some(&without_link)), Err(Refused::DoesNotHold)));
}

/// The verdict need not hold: its simulator has nothing but the system.
#[test]
fn false_verdicts_are_simulated_and_cannot_be_proved() {
    let (oracle, never) = (respond_with_both(), verdict(TOTALS, (99_999, 100_000)));
    let seen = simulated(1, &oracle, &never);
    let mut totals = vec![Point::identity(); TOTALS];
    for ((setting, chunk), proof) in parts().iter().zip(&seen.proofs) {
        let (_, own) = commitments(&setting.plan, &setting.statement, chunk, proof, Some(&oracle)).unwrap();
        totals.iter_mut().zip(own).for_each(|(sum, total)| *sum += total);
    }
    check_merge(&digests(&seen.proofs), &totals, &never, &seen.merge, Some(&oracle)).unwrap();
    let secrets: Vec<_> = parts()
        .iter()
        .map(|(setting, chunk)| {
            let (statement, trace, openings) = (&setting.statement, &setting.trace, &setting.openings);
            let mut rng = ChaCha20Rng::seed_from_u64(1);
            SumcheckEngine.prove_chunk(statement, chunk, trace, openings, &mut rng, &Silent).unwrap().1
        })
        .collect();
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    assert!(SumcheckEngine.merge(&[7; 32], &secrets, &never, &mut rng, &Silent).is_err());
}

/// With all challenges equal, two runs share nothing: neither chunks nor merges, real or simulated.
#[test]
fn comparing_claims_does_not_tell_real_from_simulated() {
    let oracle = equal();
    let runs = [
        [1, 2].map(|seed| real(seed, Some(&oracle))),
        [1, 2].map(|seed| simulated(seed, &oracle, &bounds())),
    ];
    for [a, b] in &runs {
        let [chunk, merge] = verify(a, Some(&oracle)).unwrap();
        verify(b, Some(&oracle)).unwrap();
        for (a, b) in a.proofs.iter().zip(&b.proofs) {
            assert_eq!(compare(&Elements::new(a, &chunk), &Elements::new(b, &chunk), 0), []);
        }
        assert_eq!(compare(&elements(&a.merge, &merge), &elements(&b.merge, &merge), 0), []);
        // What is compared would show.
        assert_ne!(compare(&elements(&a.merge, &merge), &elements(&a.merge, &merge), 0), []);
    }
}
