//! The halo2 engine: setups, keys, and which setups a verifier accepts. Without the crate's feature `halo2` the module
//! of the same name in `halo2_absent.rs` stands in its place.

use std::path::Path;

use tacit_claim::Bundle;
use tacit_halo2::srs::{SrsPolicy, SrsStore};
use tacit_halo2::{Halo2Engine, Halo2Error};
use tacit_relations::{Engine, Progress, Statement};

use crate::error::CoreError;
use crate::folder::DataFolder;
use crate::verify::check_proof;

pub use tacit_halo2::srs;

use srs::SrsOrigin;

/// Version of the circuits, which cards name.
pub(crate) fn circuit_version() -> Result<u32, CoreError> {
    Ok(tacit_halo2::CIRCUIT_VERSION.into())
}

/// The engine for committing, which needs neither setups nor keys.
pub(crate) fn committer() -> Result<Box<dyn Engine>, CoreError> {
    Ok(Box::new(Halo2Engine::open(Path::new(""), SrsPolicy::NoDev)))
}

impl DataFolder {
    /// Its setups.
    #[must_use]
    pub fn srs(&self) -> SrsStore {
        SrsStore::open(self.path().join("srs"))
    }

    /// The engine with the setups that `policy` accepts.
    fn halo2(&self, policy: SrsPolicy) -> Halo2Engine {
        Halo2Engine::open(self.path(), policy)
    }
}

/// The engine and the setup that it would prove the statement under.
pub(crate) fn prover(
    folder: &DataFolder,
    statement: &Statement,
) -> Result<(Box<dyn Engine>, SrsOrigin), CoreError> {
    let engine = folder.halo2(SrsPolicy::AllowDev);
    let setup = engine.setup(&statement.system)?;
    Ok((Box::new(engine), setup))
}

/// Verifies under the accepted setups, best first. A proof that holds only under a refused one is named so.
pub(crate) fn verify(
    folder: &DataFolder,
    statement: &Statement,
    bundle: &Bundle,
    allow_dev: bool,
    progress: &dyn Progress,
) -> Result<SrsOrigin, CoreError> {
    let engine = folder.halo2(SrsPolicy::NoDev);
    let under = |policy: SrsPolicy| -> Result<SrsOrigin, CoreError> {
        let engine = engine.with_policy(policy);
        let origin = engine.setup(&statement.system)?;
        check_proof(&engine, statement, bundle, progress)?;
        Ok(origin)
    };
    let dev = || {
        let listing = folder.srs().info().ok()?;
        let entry = listing.entries.into_iter().find(|e| e.origin.is_unsafe_dev())?;
        under(SrsPolicy::Exactly(entry.fingerprint)).ok()
    };
    match under(SrsPolicy::NoDev) {
        Ok(origin) => Ok(origin),
        Err(CoreError::OnlyDevSetup { .. } | CoreError::MissingSetup { .. }) if allow_dev => {
            under(SrsPolicy::AllowDev).map_err(|e| match e {
                CoreError::DoesNotHold(reason) => CoreError::DoesNotHold(elsewhere(reason)),
                other => other,
            })
        }
        Err(CoreError::DoesNotHold(reason)) => match dev() {
            Some(origin) if allow_dev => Ok(origin),
            Some(_) => Err(CoreError::DevSetup),
            None => Err(CoreError::DoesNotHold(elsewhere(reason))),
        },
        Err(e) => Err(e),
    }
}

/// A proof made under a setup that the verifier does not have looks like any other that does not hold.
fn elsewhere(reason: String) -> String {
    format!("{reason}, or it was made under a setup that is not installed here")
}

impl From<Halo2Error> for CoreError {
    fn from(e: Halo2Error) -> Self {
        match e {
            Halo2Error::MissingSetup { k, .. } => Self::MissingSetup { k },
            Halo2Error::RefusedSetup { k } => Self::OnlyDevSetup { k },
            Halo2Error::Engine(e) => Self::Engine(e),
        }
    }
}
