//! The data folder: setups, keys, and which cards' certificates were checked.

use std::path::{Path, PathBuf};

use tacit_claim::{CardId, CardPoints, EngineId};
use tacit_relations::Engine;
use tacit_sumcheck::{PROTOCOL_VERSION, SumcheckEngine};

use crate::error::{CoreError, hex};
use crate::files::{self, Access};
use crate::halo2;

/// A folder that the application chooses, with setups in `srs/`, keys in `keys/` and marks of checked cards
/// in `checked/`. Need not exist yet.
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

    /// Whether [`DataFolder::mark_checked`] was called with this card and these very points, by this version.
    pub(crate) fn is_checked(&self, card: CardId, points: &CardPoints) -> bool {
        let mark = mark(points);
        files::read(&self.mark_path(card), mark.len() as u64).is_ok_and(|found| *found == mark.as_bytes())
    }

    /// Remembers that the points are the card's and that its certificate was checked. A folder that cannot be
    /// written remembers nothing: the next check is made anew.
    pub(crate) fn mark_checked(&self, card: CardId, points: &CardPoints) {
        let _ = files::write(&self.mark_path(card), mark(points).as_bytes(), Access::Public, true);
    }

    fn mark_path(&self, card: CardId) -> PathBuf {
        self.0.join("checked").join(card.to_string())
    }
}

/// What a mark says: by which code which bytes were checked.
fn mark(points: &CardPoints) -> String {
    let digest = hex(&points.file_digest());
    format!(
        "tacit-checked/1\nby {} with protocol {PROTOCOL_VERSION}\npoints {digest}\n",
        env!("CARGO_PKG_VERSION")
    )
}

/// The engine by that name, for what needs neither setups nor keys: committing.
pub(crate) fn committer(engine: EngineId) -> Result<Box<dyn Engine>, CoreError> {
    match engine {
        EngineId::Halo2 => halo2::committer(),
        EngineId::Sumcheck => Ok(Box::new(SumcheckEngine)),
    }
}
