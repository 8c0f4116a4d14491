//! Our parameters and our hash against the crate `poseidon-rs`, which carries circomlib's.

use std::sync::LazyLock;

use poseidon_rs::{Fr as TheirFr, FrRepr, Poseidon, load_constants};
use poseidon_rs_ff::PrimeField as _;
use proptest::prelude::*;
use tacit_digest::parameters::{FULL_ROUNDS, MAX_WIDTH, MIN_WIDTH};
use tacit_digest::{Fr, hash, parameters};

static THEIRS: LazyLock<Poseidon> = LazyLock::new(Poseidon::new);

/// Canonical little-endian bytes of their element; their `into_repr` leaves Montgomery form.
fn bytes(x: &TheirFr) -> [u8; 32] {
    let mut out = [0; 32];
    for (chunk, limb) in out.chunks_exact_mut(8).zip(x.into_repr().0) {
        chunk.copy_from_slice(&limb.to_le_bytes());
    }
    out
}

/// Our element as theirs, through canonical limbs; `from_repr` refuses anything not below the modulus.
fn theirs(x: &Fr) -> TheirFr {
    let bytes = x.to_bytes();
    let limb = |i: usize| u64::from_le_bytes(bytes[8 * i..8 * i + 8].try_into().expect("eight bytes"));
    TheirFr::from_repr(FrRepr([0, 1, 2, 3].map(limb))).expect("canonical")
}

#[test]
fn parameters_are_those_of_poseidon_rs() {
    let constants = load_constants();
    assert_eq!(constants.n_rounds_f, FULL_ROUNDS);
    for width in MIN_WIDTH..=MAX_WIDTH {
        let (ours, i) = (parameters(width), width - MIN_WIDTH);
        assert_eq!(ours.partial_rounds, constants.n_rounds_p[i]);
        let same = |ours: &[Fr], theirs: &[TheirFr]| {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(a, b)| a.to_bytes() == bytes(b))
        };
        assert!(same(&ours.round_constants, &constants.c[i]), "round constants of width {width}");
        assert_eq!(ours.mds.len(), constants.m[i].len());
        assert!(ours.mds.iter().zip(&constants.m[i]).all(|(a, b)| same(a, b)), "matrix of width {width}");
    }
}

fn arb_element() -> impl Strategy<Value = Fr> {
    prop_oneof![
        8 => any::<[u64; 4]>().prop_map(Fr::from_raw),
        1 => Just(Fr::zero()),
        1 => any::<u64>().prop_map(|x| -Fr::from(x)),
    ]
}

/// One run per width, so that every width is tried however the cases fall.
#[test]
fn hash_is_that_of_poseidon_rs() {
    for inputs in MIN_WIDTH - 1..MAX_WIDTH {
        let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(12));
        runner
            .run(&prop::collection::vec(arb_element(), inputs), |values| {
                let expected = THEIRS.hash(values.iter().map(theirs).collect()).expect("1 to 16 inputs");
                prop_assert_eq!(hash(&values).to_bytes(), bytes(&expected), "{} inputs", inputs);
                Ok(())
            })
            .expect("every case agrees");
    }
}
