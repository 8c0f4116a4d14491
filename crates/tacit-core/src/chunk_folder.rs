//! Finished chunks in a folder, one secret file each.

use std::path::{Path, PathBuf};

use tacit_claim::ProofChunk;

use crate::chunks::ChunkStore;
use crate::error::CoreError;
use crate::files::{self, Access};

/// Longest chunk file, in bytes: a proof, a claim and a secret.
pub const MAX_CHUNK_FILE: u64 = 96 << 20;

/// A folder with the finished chunks of one proof. Made when the first chunk is kept.
#[derive(Debug, Clone)]
pub struct ChunkFolder(PathBuf);

impl ChunkFolder {
    /// The folder at `path`, which need not exist yet.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    fn file(&self, index: u32) -> PathBuf {
        self.0.join(format!("{:05}.chunk", index + 1))
    }

    /// Number of chunk files.
    #[must_use]
    pub fn chunks(&self, count: u32) -> u32 {
        (0..count).filter(|i| self.file(*i).is_file()).count() as u32
    }

    /// Deletes the chunk files, and the folder where nothing else is in it.
    pub fn remove(&self, count: u32) {
        for index in 0..count {
            let _ = std::fs::remove_file(self.file(index));
        }
        let _ = std::fs::remove_dir(&self.0);
    }
}

impl ChunkStore for ChunkFolder {
    fn load(&self, index: u32) -> Result<Option<ProofChunk>, CoreError> {
        let path = self.file(index);
        if path.symlink_metadata().is_err() {
            return Ok(None);
        }
        // A file that is no chunk is proved again and replaced.
        Ok(ProofChunk::from_bytes(&files::read(&path, MAX_CHUNK_FILE)?).ok())
    }

    fn keep(&self, chunk: &ProofChunk) -> Result<(), CoreError> {
        files::write(&self.file(chunk.index), &chunk.to_bytes(), Access::Secret, true)
    }
}

/// Keeps nothing.
impl ChunkStore for () {
    fn load(&self, _: u32) -> Result<Option<ProofChunk>, CoreError> {
        Ok(None)
    }

    fn keep(&self, _: &ProofChunk) -> Result<(), CoreError> {
        Ok(())
    }
}
