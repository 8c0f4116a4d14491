//! The data folder: setups and keys.

use std::path::{Path, PathBuf};

use tacit_claim::EngineId;
use tacit_halo2::Halo2Engine;
use tacit_halo2::srs::{SrsPolicy, SrsStore};

use crate::error::CoreError;

/// A folder that the application chooses, with setups in `srs/` and keys in `keys/`. Need not exist yet.
#[derive(Debug, Clone)]
pub struct DataFolder(PathBuf);

impl DataFolder {
    /// The data folder at `path`.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Its setups.
    #[must_use]
    pub fn srs(&self) -> SrsStore {
        SrsStore::open(self.0.join("srs"))
    }

    /// An engine that uses the setups that `policy` accepts.
    pub(crate) fn engine(&self, engine: EngineId, policy: SrsPolicy) -> Result<Halo2Engine, CoreError> {
        match engine {
            EngineId::Halo2 => Ok(Halo2Engine::open(&self.0, policy)),
            EngineId::Sumcheck => Err(CoreError::not_built(engine)),
        }
    }
}
