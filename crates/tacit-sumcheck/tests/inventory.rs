//! Every message of a proof is accounted for, and nothing in it can be recognised.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::{BTreeMap, HashMap};

use common::chunks::{BINDING, CHUNKS, SAMPLES};
use common::{chunks, prove, statement};
use halo2curves::ff::PrimeField as _;
use halo2curves::grumpkin::Fr;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use tacit_relations::testing::random::{Extra, network, perceptron, system};
use tacit_relations::testing::{Case, by_hand};
use tacit_relations::{RelationSystem, Segment, Silent, Statement};
use tacit_sumcheck::{Inventory, Message, SumcheckEngine};

/// Why a message may be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Class {
    /// Commitment under a blinding of its own: uniform whatever it commits to.
    HidingCommitment,
    /// Commitment to fresh randomness.
    CommitmentToRandomness,
    /// A hidden value times a challenge, under a mask of its own.
    MaskedResponse,
    /// A function of challenges and of a vector that is uniform because of its mask: a cross term.
    CrossTerm,
    /// The same: what is left of the vector after folding.
    MaskedElement,
}

/// A kind of message that is new has to be put somewhere.
fn class(kind: Message) -> Class {
    match kind {
        Message::WitnessRow | Message::Round | Message::Evaluation | Message::Lookup | Message::Product => {
            Class::HidingCommitment
        }
        Message::Mask => Class::CommitmentToRandomness,
        Message::Response => Class::MaskedResponse,
        Message::Fold => Class::CrossTerm,
        Message::Folded => Class::MaskedElement,
    }
}

fn is_points(class: Class) -> bool {
    !matches!(class, Class::MaskedResponse | Class::MaskedElement)
}

/// Bytes by class, after checking that they are the whole proof.
fn account(name: &str, inventory: &[(Message, usize)], proof: &[u8]) -> BTreeMap<Class, usize> {
    let mut bytes = BTreeMap::new();
    for (kind, n) in inventory {
        *bytes.entry(class(*kind)).or_insert(0) += n;
    }
    assert_eq!(4 + bytes.values().sum::<usize>(), proof.len(), "{name}");
    let points: usize = bytes.iter().filter(|(class, _)| is_points(**class)).map(|(_, n)| n).sum();
    assert_eq!(u32::from_le_bytes(proof[..4].try_into().unwrap()) as usize, points / 32, "{name}");
    bytes
}

fn cases() -> Vec<Case> {
    let mut cases = by_hand();
    cases.extend((0..4).map(|seed| perceptron(&[5, 4, 3], 8, 16, 1 + seed as usize, seed)));
    cases.extend((0..8).map(|seed| network(6, 1, seed)));
    cases.extend((0..20).map(|seed| system(seed, 1 + seed as usize % 2, &Extra::ALL)));
    cases
}

#[test]
fn every_byte_is_classified() {
    for case in cases() {
        let (statement, openings) = statement(&case);
        let proof = prove(&case, &statement, &openings, 1).unwrap();
        let inventory = SumcheckEngine.inventory(&statement, &proof).unwrap();
        let bytes = account(&case.name, &inventory, &proof);
        // One first message for each response or pair of them; and one vector.
        assert_eq!(bytes[&Class::CommitmentToRandomness], 32 * 6, "{}", case.name);
        assert_eq!(bytes[&Class::MaskedResponse], 32 * 9, "{}", case.name);
        assert!(bytes[&Class::MaskedElement] <= 32 * 16, "{}", case.name);
        // Responses come after all commitments, and the masked vector after the responses.
        let order: Vec<Class> = inventory.iter().map(|(kind, _)| class(*kind)).collect();
        assert!(order.is_sorted_by_key(|class| match class {
            Class::HidingCommitment => 0,
            Class::CommitmentToRandomness => 1,
            Class::MaskedResponse => 2,
            Class::CrossTerm => 3,
            Class::MaskedElement => 4,
        }));
        // A byte more or less is not a proof, so nothing can be sent beside what is listed.
        for other in [&[&proof[..], &[0; 32]].concat()[..], &proof[..proof.len() - 32]] {
            assert!(SumcheckEngine.inventory(&statement, other).is_err(), "{}", case.name);
        }
    }
}

/// The elements of a proof or of a statement's commitments.
fn elements(bytes: &[u8]) -> &[[u8; 32]] {
    let (elements, rest) = bytes.as_chunks::<32>();
    assert!(rest.is_empty());
    elements
}

/// Whether an element occurs twice in these proofs and commitments, or is a small integer.
fn recognised(statement: &Statement, proofs: &[&[u8]]) -> Option<[u8; 32]> {
    let mut seen: HashMap<[u8; 32], usize> = HashMap::new();
    for commitment in statement.commitments.values() {
        for element in elements(&commitment.0) {
            seen.insert(*element, 1);
        }
    }
    for proof in proofs {
        // Where generators of rows are so few that the vector has one element, its dot product is that
        // element.
        let scalars = proof.len() / 32 - u32::from_le_bytes(proof[..4].try_into().unwrap()) as usize;
        let end = if scalars == 9 + 1 { proof.len() - 32 } else { proof.len() };
        for element in elements(&proof[4..end]) {
            *seen.entry(*element).or_insert(0) += 1;
        }
    }
    let small = |bytes: &[u8; 32]| bytes[16..].iter().all(|b| *b == 0);
    let is_small = |bytes: &[u8; 32]| {
        let negative = Option::<Fr>::from(Fr::from_repr(*bytes)).map(|f| (-f).to_bytes());
        small(bytes) || negative.is_some_and(|n| small(&n))
    };
    seen.into_iter().find(|(element, times)| *times > 1 || is_small(element)).map(|(element, _)| element)
}

#[test]
fn two_proofs_of_one_statement_share_nothing() {
    for case in cases() {
        let (statement, openings) = statement(&case);
        let [a, b] = [1, 2].map(|seed| prove(&case, &statement, &openings, seed).unwrap());
        assert_eq!(recognised(&statement, &[&a, &b]), None, "{}", case.name);
        assert_eq!(a.len(), b.len());
        // What recognises, recognises.
        assert!(recognised(&statement, &[&a, &a]).is_some());
    }
}

/// The same system with other weights, every one mirrored within its bounds, and the two records in each
/// other's place.
fn with_other_values(case: &Case) -> Case {
    let mut given = case.given.clone();
    for (id, values) in case.system.segment(Segment::Weights).zip(&mut given.weights) {
        let (lo, hi) = case.system.tensor(id).bounds;
        values.iter_mut().for_each(|value| *value = lo + hi - *value);
    }
    for records in &mut given.input {
        let half = records.len() / 2;
        records.rotate_left(half);
    }
    Case::new(format!("{}, other values", case.name), case.system.clone(), given)
}

#[test]
fn hidden_values_change_neither_sizes_nor_repeat_anything() {
    // Everything is hidden, or everything but the answer.
    for case in [perceptron(&[5, 4, 3], 8, 16, 2, 0), perceptron(&[5, 4, 3], 8, 16, 2, 2)] {
        let other = with_other_values(&case);
        let mut inventories = Vec::new();
        let mut proofs = Vec::new();
        for case in [&case, &other] {
            let (statement, openings) = statement(case);
            // The same source of randomness for both.
            let proof = prove(case, &statement, &openings, 1).unwrap();
            inventories.push(SumcheckEngine.inventory(&statement, &proof).unwrap());
            proofs.push(proof);
        }
        assert_eq!(inventories[0], inventories[1]);
        let (statement, _) = statement(&case);
        assert_eq!(recognised(&statement, &[&proofs[0], &proofs[1]]), None, "{}", case.name);
    }
}

/// All weights zero, or all at an end of their range: proofs of the same sizes.
#[test]
fn zeros_and_extremes_take_the_same_bytes() {
    let case = perceptron(&[6, 5, 2], 8, 16, 1, 0);
    let mut lens = Vec::new();
    for value in [0, 1, -128, 127] {
        let mut given = case.given.clone();
        given.weights[0].iter_mut().for_each(|w| *w = value);
        let case = Case::new("constant weights", case.system.clone(), given);
        let (statement, openings) = statement(&case);
        let proof = prove(&case, &statement, &openings, 3).unwrap();
        assert_eq!(recognised(&statement, &[&proof]), None, "{value}");
        lens.push(SumcheckEngine.inventory(&statement, &proof).unwrap());
    }
    assert!(lens.iter().all(|l| *l == lens[0]));
}

#[test]
fn certificates_share_nothing() {
    let case = perceptron(&[5, 4, 3], 8, 16, 1, 0);
    let (statement, openings) = statement(&case);
    let weights: BTreeMap<_, _> =
        case.system.segment(Segment::Weights).map(|id| (id, case.trace.tensor(id))).collect();
    let (commitment, opening) = (&statement.commitments[&Segment::Weights], &openings[&Segment::Weights]);
    let [a, b] = [1, 2].map(|seed| {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        SumcheckEngine
            .certify(&case.system, &weights, commitment, opening, [3; 32], &mut rng, &Silent)
            .unwrap()
    });
    let proof = prove(&case, &statement, &openings, 1).unwrap();
    // Nor with a proof about the same weights from the same source of randomness.
    assert_eq!(recognised(&statement, &[&a, &b, &proof]), None);
    assert_eq!(a.len(), b.len());
}

/// A merge as a proof is written: its points, the sums' rows first, before its field elements.
fn framed(merge: &[u8], inventory: &Inventory) -> Vec<u8> {
    let rows = inventory[0].1;
    let (commitment, proof) = merge[..merge.len() - 64].split_at(rows);
    let (point, response) = merge[merge.len() - 64..].split_at(32);
    let (count, proof) = proof.split_first_chunk::<4>().unwrap();
    let points = u32::from_le_bytes(*count) as usize;
    let count = (points + rows / 32 + 1) as u32;
    let (points, scalars) = proof.split_at(32 * points);
    [&count.to_le_bytes(), commitment, points, point, scalars, response].concat()
}

/// Inventories of all chunks, then of the merge.
fn inventories(claim: &chunks::Claim, verdict: &RelationSystem, merge: &[u8]) -> Vec<Inventory> {
    let all = (CHUNKS * SAMPLES) as u64;
    let mut verifier = SumcheckEngine.chunk_verifier(BINDING, CHUNKS as u32, all);
    let chunk = |(statement, chunk, proof): &(Statement, _, Vec<u8>)| {
        verifier.chunk(statement, chunk, proof, &Silent).unwrap()
    };
    let mut inventories: Vec<Inventory> = claim.chunks.iter().map(chunk).collect();
    inventories.push(verifier.finish(verdict, merge, &Silent).unwrap());
    inventories
}

#[test]
fn every_byte_of_a_claim_in_chunks_is_classified() {
    for totals in [1, 3, 70] {
        let claim = chunks::claim(totals);
        let verdict = chunks::verdict(30, &vec![(-1_000_000, 1_000_000); totals]);
        let merges = [1, 2].map(|seed| {
            let mut rng = ChaCha20Rng::seed_from_u64(seed);
            SumcheckEngine.merge(&BINDING, &claim.secrets, &verdict, &mut rng, &Silent).unwrap()
        });
        let lists = merges.each_ref().map(|merge| inventories(&claim, &verdict, merge));
        assert_eq!(lists[0], lists[1]);
        for ((_, _, proof), inventory) in claim.chunks.iter().zip(&lists[0]) {
            let bytes = account("chunk", inventory, proof);
            assert_eq!(bytes[&Class::CommitmentToRandomness], 32 * 6);
            assert_eq!(bytes[&Class::MaskedResponse], 32 * 9);
        }
        let framed = merges.each_ref().map(|merge| framed(merge, &lists[0][CHUNKS]));
        let bytes = account("merge", &lists[0][CHUNKS], &framed[0]);
        assert_eq!(framed[0].len(), merges[0].len());
        // Those of the verdict's proof, and those of the link.
        assert_eq!(bytes[&Class::CommitmentToRandomness], 32 * 7);
        assert_eq!(bytes[&Class::MaskedResponse], 32 * 10);
        // Chunks, merge and another merge of the same totals share nothing, with each other or with commitments.
        let mut all: Vec<&[u8]> = claim.chunks.iter().map(|(_, _, proof)| proof.as_slice()).collect();
        all.extend(framed.iter().map(Vec::as_slice));
        for (statement, _, _) in &claim.chunks {
            assert_eq!(recognised(statement, &all), None, "{totals}");
        }
    }
}

/// Chunks of other values, whose sums are others: the same bytes for the same things.
#[test]
fn totals_change_no_sizes() {
    let verdict = chunks::verdict(40, &[(0, 1 << 38), (-(1 << 38), 1 << 38)]);
    let mut lists = Vec::new();
    for by in [0, 1] {
        let (mut chunks, mut secrets) = (Vec::new(), Vec::new());
        for index in 0..CHUNKS {
            let (case, totals) = chunks::case(index as u64, 2);
            let mut given = case.given.clone();
            given.input[0].iter_mut().for_each(|value| *value = by * 31);
            let case = Case::new("others", case.system.clone(), given);
            let (statement, chunk, proof, secret) = chunks::prove_chunk(&case, index, totals, 4);
            chunks.push((statement, chunk, proof));
            secrets.push(secret);
        }
        let claim = chunks::Claim { chunks, secrets, sums: Vec::new() };
        let merged = chunks::merge(&claim, &verdict).unwrap();
        lists.push(inventories(&claim, &verdict, &merged));
    }
    assert_eq!(lists[0], lists[1]);
}
