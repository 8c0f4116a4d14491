//! What the tests of the library share.

use tacit_claim::OwnerKey;
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
