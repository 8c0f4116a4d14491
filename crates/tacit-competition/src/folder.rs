//! A competition's folder: names that nobody else chooses, regular files alone, nothing ever replaced.

use std::fs;
use std::path::{Path, PathBuf};

use tacit_core::CoreError;
use tacit_core::files::{self, Access};

use crate::error::CompetitionError;
use crate::text::shown;

/// Most files of a folder that are looked at.
const MAX_LISTED: usize = 1 << 18;

/// The folder of a competition: a git repository, a bucket, a disk. Strangers may have written what is in it.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

impl Folder {
    /// The folder at `path`. Need not exist yet.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The path of a file by its name in the folder, with `/` between parts. Refuses links and whatever else
    /// is neither a folder on the way nor a regular file at its end: a link could lead out of the folder.
    pub(crate) fn checked(&self, name: &str) -> Result<PathBuf, CompetitionError> {
        let mut path = self.0.clone();
        let mut parts = name.split('/').peekable();
        while let Some(part) = parts.next() {
            path.push(part);
            let is_last = parts.peek().is_none();
            match path.symlink_metadata() {
                Ok(found) if is_last && !found.is_file() => return Err(CoreError::NotAFile(path).into()),
                Ok(found) if !is_last && !found.is_dir() => return Err(CompetitionError::NotAFolder(path)),
                _ => {}
            }
        }
        Ok(path)
    }

    /// Whether a file of this name is there, whatever it is.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.join(name).symlink_metadata().is_ok()
    }

    /// Reads a file of at most `max` bytes.
    pub(crate) fn read(&self, name: &str, max: usize) -> Result<Vec<u8>, CompetitionError> {
        let mut bytes = files::read(&self.checked(name)?, max as u64)?;
        Ok(std::mem::take(&mut *bytes))
    }

    /// Writes a file, whole. Where one is already there it must hold the same bytes.
    pub(crate) fn place(&self, name: &str, bytes: &[u8]) -> Result<(), CompetitionError> {
        let path = self.checked(name)?;
        match files::write(&path, bytes, Access::Public, false) {
            Err(CoreError::Exists(path)) => {
                let same = files::read(&path, bytes.len() as u64).is_ok_and(|found| *found == bytes);
                if same { Ok(()) } else { Err(CompetitionError::Differs(path)) }
            }
            other => Ok(other?),
        }
    }

    /// Writes a file that must not be there yet.
    pub(crate) fn create(&self, name: &str, bytes: &[u8]) -> Result<(), CompetitionError> {
        Ok(files::write(&self.checked(name)?, bytes, Access::Public, false)?)
    }

    /// The names in a sub-folder, sorted; names that are no text are shown as well as they can be. None where
    /// there is no such folder.
    pub(crate) fn list(&self, name: &str) -> Result<Vec<String>, CompetitionError> {
        let path = self.0.join(name);
        match path.symlink_metadata() {
            Err(_) => return Ok(Vec::new()),
            Ok(found) if !found.is_dir() => return Err(CompetitionError::NotAFolder(path)),
            Ok(_) => {}
        }
        let io = |source| CompetitionError::File(CoreError::Io { path: path.clone(), source });
        let mut names = Vec::new();
        for item in fs::read_dir(&path).map_err(io)? {
            if names.len() == MAX_LISTED {
                return Err(CompetitionError::TooMany { path, max: MAX_LISTED });
            }
            names.push(item.map_err(io)?.file_name().to_string_lossy().into_owned());
        }
        names.sort_unstable();
        Ok(names)
    }
}

/// A name in the folder as it may be shown.
pub(crate) fn shown_name(folder: &str, name: &str) -> String {
    format!("{folder}/{}", shown(name))
}
