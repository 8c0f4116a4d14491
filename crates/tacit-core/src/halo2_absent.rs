//! In the place of the halo2 engine where the crate is built without it: a verifier of the sumcheck engine's proofs
//! need not link circuits.

use tacit_claim::{Bundle, EngineId};
use tacit_relations::{Engine, Progress, Statement};

use crate::error::CoreError;
use crate::folder::DataFolder;

/// Setups, of which there are none without the feature `halo2`.
pub mod srs {
    use std::fmt;

    /// Where a setup comes from: never a value without the feature `halo2`.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum SrsOrigin {}

    impl SrsOrigin {
        /// Whether anything proved under it is worthless outside development.
        #[must_use]
        pub const fn is_unsafe_dev(&self) -> bool {
            match *self {}
        }
    }

    impl fmt::Display for SrsOrigin {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            match *self {}
        }
    }
}

const ABSENT: CoreError = CoreError::EngineNotHere(EngineId::Halo2);

pub(crate) fn circuit_version() -> Result<u32, CoreError> {
    Err(ABSENT)
}

pub(crate) fn committer() -> Result<Box<dyn Engine>, CoreError> {
    Err(ABSENT)
}

pub(crate) fn prover(_: &DataFolder, _: &Statement) -> Result<(Box<dyn Engine>, srs::SrsOrigin), CoreError> {
    Err(ABSENT)
}

pub(crate) fn verify(
    _: &DataFolder,
    _: &Statement,
    _: &Bundle,
    _: bool,
    _: &dyn Progress,
) -> Result<srs::SrsOrigin, CoreError> {
    Err(ABSENT)
}
