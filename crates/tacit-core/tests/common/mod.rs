//! What the tests of the library share.

use tacit_claim::OwnerKey;
use tacit_core::{CoreError, Outcome};
use zeroize::Zeroizing;

/// Runs each of the functions named with each engine, as tests of their own.
#[allow(unused_macros)] // Not every test file has such functions.
macro_rules! with_every_engine {
    ($($test:ident),* $(,)?) => {
        mod sumcheck {
            $(#[test] fn $test() { super::$test(tacit_claim::EngineId::Sumcheck) })*
        }
        mod halo2 {
            $(#[test] fn $test() { super::$test(tacit_claim::EngineId::Halo2) })*
        }
    };
}
#[allow(unused_imports)]
pub(crate) use with_every_engine;

/// Who signs the cards.
pub(crate) fn key() -> OwnerKey {
    OwnerKey::from_seed(&Zeroizing::new([7; 32]))
}

/// The error of what must not be accepted.
#[allow(dead_code)] // Not every test file asks for outcomes.
pub(crate) fn refused<T>(result: Result<T, CoreError>, outcome: Outcome) -> CoreError {
    let Err(e) = result else { panic!("accepted") };
    assert_eq!(e.outcome(), outcome, "{e}");
    e
}

/// Flips bits all over a proof that `check` accepts, cuts it and adds to it.
#[allow(dead_code)]
pub(crate) fn altered_bytes_are_refused<T>(proof: &[u8], check: impl Fn(Vec<u8>) -> Result<T, CoreError>) {
    check(proof.to_vec()).unwrap();
    for at in (0..16).map(|i| i * (proof.len() - 1) / 15) {
        for bit in [0, 7] {
            let mut bad = proof.to_vec();
            bad[at] ^= 1 << bit;
            refused(check(bad), Outcome::DoesNotHold);
        }
    }
    for length in [1, proof.len() / 2, proof.len() - 1] {
        refused(check(proof[..length].to_vec()), Outcome::DoesNotHold);
    }
    refused(check([proof, &[0]].concat()), Outcome::DoesNotHold);
}
