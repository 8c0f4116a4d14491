//! Real proofs: honest ones verify; changed by a byte, cut, lengthened, or held against another statement, none does, and
//! no verifier panics.

mod common;

use std::panic;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::proofs::{Keyed, setup};
use common::{Case, in_parallel};
use halo2curves::bn256::{Fq, Fr};
use halo2curves::ff::PrimeField;
use tacit_halo2::prove::verify;
use tacit_halo2::{ProverKey, VerifierKey};
use tacit_model::testing::SplitMix;
use tacit_relations::testing::random;
use tacit_relations::{Commitment, Refused, Segment, Statement};

const ELEMENT: usize = 32;

/// A small perceptron, everything hidden but its answer.
fn perceptron() -> Keyed {
    Keyed::new(random::perceptron(&[3, 4, 2], 8, 16, 1, 6))
}

/// Refused, by an error and not by a panic.
#[track_caller]
fn refused(keyed: &Keyed, statement: &Statement, proof: &[u8], what: &str) -> Refused {
    let verdict = panic::catch_unwind(panic::AssertUnwindSafe(|| keyed.verify(statement, proof)));
    match verdict {
        Ok(Err(refused)) => refused,
        Ok(Ok(())) => panic!("{what}: accepted"),
        Err(_) => panic!("{what}: the verifier panicked"),
    }
}

#[test]
fn honest_proofs_verify_for_every_system() {
    let cases = common::all();
    let lengths = in_parallel(&cases, |case| {
        let keyed = Keyed::new(case.clone());
        let proof = keyed.prove();
        keyed.verify(&case.statement, &proof).unwrap_or_else(|e| panic!("{}: {e}", case.name));
        assert_eq!(proof.len(), keyed.verifier.proof_len(), "{}", case.name);
        proof.len()
    });
    println!(
        "{} systems, proofs of {:?} to {:?} bytes",
        cases.len(),
        lengths.iter().min(),
        lengths.iter().max()
    );
}

#[test]
fn no_byte_of_a_proof_may_change() {
    let keyed = perceptron();
    let statement = &keyed.case.statement;
    let proof = keyed.prove();
    keyed.verify(statement, &proof).expect("honest");
    let mut rng = SplitMix(8);
    let mut changes: Vec<(String, Vec<u8>)> = Vec::new();
    let mut change = |what: String, edit: &dyn Fn(&mut Vec<u8>)| {
        let mut other = proof.clone();
        edit(&mut other);
        assert_ne!(other, proof, "{what} changes nothing");
        changes.push((what, other));
    };
    for at in (0..proof.len()).step_by(5) {
        let bit = rng.range(0, 7);
        change(format!("bit {bit} of byte {at} flipped"), &|p| p[at] ^= 1 << bit);
    }
    // The two highest bits of every element: sign and infinity flags of points, beyond the modulus of scalars.
    for at in (ELEMENT - 1..proof.len()).step_by(ELEMENT) {
        for bit in [6, 7] {
            change(format!("flag {bit} of element {} flipped", at / ELEMENT), &|p| p[at] ^= 1 << bit);
        }
    }
    for (name, modulus) in [("scalar", Fr::MODULUS), ("coordinate", Fq::MODULUS)] {
        let modulus = little_endian(modulus);
        for start in (0..proof.len()).step_by(ELEMENT) {
            change(format!("element {} plus the {name} modulus", start / ELEMENT), &|p| {
                add(&mut p[start..start + ELEMENT], &modulus)
            });
        }
    }
    for (what, pattern) in [("zero", 0u8), ("all ones", 0xff)] {
        for start in (0..proof.len()).step_by(3 * ELEMENT) {
            change(format!("element {} {what}", start / ELEMENT), &|p| {
                p[start..start + ELEMENT].fill(pattern)
            });
        }
    }
    for start in (0..proof.len() - ELEMENT).step_by(ELEMENT) {
        change(format!("elements {0} and the next swapped", start / ELEMENT), &|p| {
            p[start..start + 2 * ELEMENT].rotate_left(ELEMENT);
        });
    }
    for length in [0, 1, 31, 32, 33, proof.len() / 2, proof.len() - 32, proof.len() - 1] {
        change(format!("cut to {length} bytes"), &|p| p.truncate(length));
    }
    change("a byte more".to_owned(), &|p| p.push(0));
    change("an element more".to_owned(), &|p| p.extend([0; 32]));
    change("twice".to_owned(), &|p| p.extend_from_within(..));
    println!("{} changed proofs of {} bytes", changes.len(), proof.len());
    // The verifier has a fence against panics of the library; none of these reaches it.
    static PANICS: AtomicUsize = AtomicUsize::new(0);
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        PANICS.fetch_add(1, Ordering::Relaxed);
        usual(info);
    }));
    in_parallel(&changes, |(what, other)| {
        refused(&keyed, statement, other, what);
    });
    assert_eq!(PANICS.load(Ordering::Relaxed), 0);
}

/// The modulus as the library writes it: `0x` and big-endian digits.
fn little_endian(modulus: &str) -> Vec<u8> {
    let mut bytes = hex::decode(modulus.trim_start_matches("0x")).expect("hexadecimal");
    bytes.reverse();
    bytes
}

/// `to += what`, little-endian, the carry out of the last byte dropped.
fn add(to: &mut [u8], what: &[u8]) {
    let mut carry = 0u16;
    for (a, b) in to.iter_mut().zip(what) {
        let sum = u16::from(*a) + u16::from(*b) + carry;
        (*a, carry) = (sum as u8, sum >> 8);
    }
}

#[test]
fn a_proof_is_for_one_statement() {
    let keyed = perceptron();
    let statement = &keyed.case.statement;
    let proof = keyed.prove();
    keyed.verify(statement, &proof).expect("honest");
    let refuse = |what: &str, edit: &dyn Fn(&mut Statement)| {
        let mut other = statement.clone();
        edit(&mut other);
        refused(&keyed, &other, &proof, what)
    };
    for at in [0, 15, 16, 31] {
        let why = refuse("another context, claim or card", &|s| s.binding[at] ^= 1);
        assert!(matches!(why, Refused::DoesNotHold), "{why}");
    }
    refuse("the lanes of the claim's digest swapped", &|s| {
        s.binding[0] = 1;
        s.binding.rotate_left(16);
    });
    for segment in [Segment::Weights, Segment::Input] {
        let why =
            refuse("another commitment", &|s| s.commitments.get_mut(&segment).expect("committed").0[0] ^= 1);
        assert!(matches!(why, Refused::DoesNotHold), "{why}");
        let why = refuse("a commitment that is no field element", &|s| {
            s.commitments.insert(segment, Commitment(vec![0xff; 32]));
        });
        assert!(matches!(why, Refused::Malformed(_) | Refused::Engine(_)), "{why}");
        for length in [0, 31, 33] {
            refuse("a commitment of another length", &|s| {
                s.commitments.insert(segment, Commitment(vec![0; length]));
            });
        }
        let why = refuse("no commitment", &|s| {
            s.commitments.remove(&segment);
        });
        assert!(matches!(why, Refused::Statement(_)), "{why}");
    }
    let why = refuse("a commitment too many", &|s| {
        s.commitments.insert(Segment::Output, Commitment(vec![0; 32]));
    });
    assert!(matches!(why, Refused::Statement(_)), "{why}");
    refuse("weights and input swapped", &|s| {
        let weights = s.commitments[&Segment::Weights].clone();
        let input = s.commitments.insert(Segment::Input, weights).expect("committed");
        s.commitments.insert(Segment::Weights, input);
    });
    let id = statement.system.segment(Segment::Public).next().expect("the answer is public");
    for at in 0..statement.public[&id].len() {
        for delta in [1, -1] {
            let why = refuse("another answer", &|s| s.public.get_mut(&id).expect("public")[at] += delta);
            assert!(matches!(why, Refused::DoesNotHold | Refused::Statement(_)), "{why}");
        }
    }
    refuse("two answers swapped", &|s| s.public.get_mut(&id).expect("public").swap(0, 1));
    let why = refuse("an answer short", &|s| {
        s.public.get_mut(&id).expect("public").pop();
    });
    assert!(matches!(why, Refused::Statement(_)), "{why}");
    refuse("an answer long", &|s| s.public.get_mut(&id).expect("public").push(0));
    refuse("no answer", &|s| {
        s.public.clear();
    });
    refuse("an answer out of bounds", &|s| s.public.get_mut(&id).expect("public")[0] = i64::MIN);
}

#[test]
fn a_proof_is_for_one_system_and_one_setup() {
    let keyed = perceptron();
    let proof = keyed.prove();
    // The same layers, another quantisation: same shape of circuit, other constants.
    let other = Case::from(random::perceptron(&[3, 4, 2], 8, 15, 1, 6));
    assert_eq!(other.shape(), keyed.case.shape());
    let key = VerifierKey::generate(&keyed.params, other.system(), other.shape()).expect("fits");
    assert_ne!(key.fingerprint(), keyed.verifier.fingerprint());
    let why = verify(&keyed.params, &key, &keyed.case.statement, &proof).expect_err("another system's key");
    assert!(matches!(why, Refused::Engine(_)), "{why}");
    let why = verify(&keyed.params, &key, &other.statement, &proof).expect_err("another system");
    assert!(matches!(why, Refused::DoesNotHold), "{why}");
    let k = keyed.case.shape().k;
    let elsewhere = halo2_proofs::poly::kzg::commitment::ParamsKZG::setup(k, rand_core::OsRng);
    assert!(verify(&elsewhere, &keyed.verifier, &keyed.case.statement, &proof).is_err(), "another setup");
    let why =
        verify(&setup(k + 1), &keyed.verifier, &keyed.case.statement, &proof).expect_err("a larger setup");
    assert!(matches!(why, Refused::Engine(_)), "{why}");
    assert!(ProverKey::generate(&setup(k + 1), keyed.case.system(), keyed.case.shape()).is_err());
    // Verifying and proving keys say the same.
    let again = VerifierKey::generate(&keyed.params, keyed.case.system(), keyed.case.shape()).expect("fits");
    assert_eq!(again.fingerprint(), keyed.verifier.fingerprint());
    keyed.verify(&keyed.case.statement, &proof).expect("the proof itself is good");
}

#[test]
fn two_proofs_of_one_statement_share_no_element() {
    let keyed = perceptron();
    let (first, second) = (keyed.prove(), keyed.prove());
    for proof in [&first, &second] {
        keyed.verify(&keyed.case.statement, proof).expect("honest");
    }
    let elements: std::collections::HashSet<&[u8]> = first.chunks(ELEMENT).collect();
    let shared: Vec<usize> = (0..second.len() / ELEMENT)
        .filter(|i| elements.contains(&second[i * ELEMENT..(i + 1) * ELEMENT]))
        .collect();
    assert!(shared.is_empty(), "elements {shared:?} are the same in both");
}
