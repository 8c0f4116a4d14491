//! A folder of setups, one file per size.

use std::cmp::Reverse;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter};
use std::path::{Path, PathBuf};

use halo2_proofs::halo2curves::bn256::{G1Affine, G2Affine};
use halo2_proofs::halo2curves::group::prime::PrimeCurveAffine as _;
use tempfile::NamedTempFile;

use super::file::{self, Head, SrsFileError};
use super::ptau::{PtauError, read_ptau};
use super::{
    MAX_K, Srs, SrsFingerprint, SrsOrigin, SrsParts, SrsPolicy, SrsProgress, SrsStage, VerifierSrs, dev,
    lagrange_of,
};

/// A folder of setups. Opening it reads nothing and makes nothing; a missing folder is an empty store, and is made
/// when something is first added.
///
/// A file is named `srs-{origin}-{k}.bin`, where the origin is `ceremony-{power}`, `imported-{first 16 digits of the
/// hash}` or `unsafe-dev`; the names are for people, what counts is in the files. Files are written whole or not at
/// all, so that several processes may use a store at once.
///
/// Of what a policy accepts, ceremony setups come before imported ones and these before development setups; among
/// setups of different secrets but equal rank, the one with the largest file comes first. Where only a larger file is
/// there, the smaller setup is computed from it and kept.
#[derive(Debug, Clone)]
pub struct SrsStore {
    folder: PathBuf,
}

/// A file of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SrsEntry {
    /// The file.
    pub path: PathBuf,
    /// Where the setup comes from.
    pub origin: SrsOrigin,
    /// Base-2 logarithm of the number of rows.
    pub k: u32,
    /// Which `τ`.
    pub fingerprint: SrsFingerprint,
    /// Size of the file in bytes.
    pub bytes: u64,
}

/// What a store holds.
#[derive(Debug, Default)]
pub struct SrsListing {
    /// Files with a sound head (their points have not been read), the preferred ones first, by size within a secret.
    pub entries: Vec<SrsEntry>,
    /// Files that are named like setups and are none.
    pub damaged: Vec<Damaged>,
}

/// A file that is named like a setup and is none.
#[derive(Debug)]
pub struct Damaged {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub error: SrsFileError,
}

/// Why a store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file or the folder could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file of the store is damaged; it can be deleted and made or imported again.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: SrsFileError,
    },
    /// A `.ptau` file is refused.
    #[error("{}: {source}", path.display())]
    Ptau {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: PtauError,
    },
    /// The size asked for is out of bounds.
    #[error("k is 1 to {MAX_K}, not {found}")]
    K {
        /// The size asked for.
        found: u32,
    },
    /// No setup is large enough.
    #[error("no setup for k = {k} is installed{}", largest.map(|k| format!("; the largest has k = {k}")).unwrap_or_default())]
    Missing {
        /// The size asked for.
        k: u32,
        /// The largest size that the policy accepts.
        largest: Option<u32>,
    },
    /// A setup is large enough, and the policy does not accept it.
    #[error("the only setup for k = {k} is refused by policy: {origin}")]
    RefusedByPolicy {
        /// The size asked for.
        k: u32,
        /// Where the best of the refused ones comes from.
        origin: SrsOrigin,
    },
}

impl SrsStore {
    /// The store in `folder`.
    #[must_use]
    pub fn open(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Where it is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Reads the heads of the files.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`] if the folder or a file in it cannot be read.
    pub fn info(&self) -> Result<SrsListing, StoreError> {
        let mut listing = SrsListing::default();
        let files = match fs::read_dir(&self.folder) {
            Ok(files) => files,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(listing),
            Err(source) => return Err(StoreError::Io { path: self.folder.clone(), source }),
        };
        for file in files {
            let path = file.map_err(|source| StoreError::Io { path: self.folder.clone(), source })?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if !(name.starts_with("srs-") && name.ends_with(".bin")) {
                continue;
            }
            match entry(&path) {
                Ok(entry) => listing.entries.push(entry),
                Err(SrsFileError::Io(source)) => return Err(StoreError::Io { path, source }),
                Err(error) => listing.damaged.push(Damaged { path, error }),
            }
        }
        let largest = |entry: &SrsEntry, all: &[SrsEntry]| {
            all.iter().filter(|e| e.fingerprint == entry.fingerprint).map(|e| e.k).max()
        };
        let all = listing.entries.clone();
        listing.entries.sort_by_cached_key(|entry| {
            (
                entry.origin.rank(),
                Reverse(largest(entry, &all)),
                entry.fingerprint,
                entry.k,
                entry.path.clone(),
            )
        });
        listing.damaged.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(listing)
    }

    /// The largest `k` for which the policy accepts an installed setup.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`] if the folder or a file in it cannot be read.
    pub fn largest_k(&self, policy: &SrsPolicy) -> Result<Option<u32>, StoreError> {
        let entries = self.info()?.entries;
        Ok(entries.iter().filter(|e| policy.accepts(&e.origin, &e.fingerprint)).map(|e| e.k).max())
    }

    /// Loads the setup for `2^k` rows that the policy prefers. Where only a larger one is there, computes the Lagrange
    /// basis ([`Srs::downsized`] says how long that takes; a development setup is made anew instead) and keeps it.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if there is none, the policy refuses it, its file is damaged, or the smaller one cannot be kept.
    pub fn load(
        &self,
        k: u32,
        policy: &SrsPolicy,
        progress: &mut dyn FnMut(SrsProgress),
    ) -> Result<Srs, StoreError> {
        let entry = self.choose(k, policy)?;
        let parts = read_with(&entry.path, file::read)?;
        if entry.k == k {
            return Ok(Srs::from(parts));
        }
        progress(SrsProgress { stage: SrsStage::LagrangeBasis, done: 0, total: 1 });
        let public = dev::public_secret();
        let smaller = if (G2Affine::generator() * public) == parts.tau_g2.into() {
            dev::setup(k, public)
        } else {
            let powers = parts.powers[..1 << k].to_vec();
            let lagrange = lagrange_of(&powers, k);
            SrsParts { k, powers, lagrange, ..parts }
        };
        progress(SrsProgress { stage: SrsStage::LagrangeBasis, done: 1, total: 1 });
        self.write(&smaller.origin, k, &smaller.powers, &smaller.lagrange, &smaller.tau_g2)?;
        Ok(Srs::from(smaller))
    }

    /// Loads what a verifier needs for `2^k` rows, from the head of a file.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if there is none, the policy refuses it, or the head of its file is damaged.
    pub fn load_verifier(&self, k: u32, policy: &SrsPolicy) -> Result<VerifierSrs, StoreError> {
        let entry = self.choose(k, policy)?;
        read_with(&entry.path, file::read_verifier).map(|srs| srs.with_k(k))
    }

    /// Imports a `.ptau` file for circuits of up to `2^max_k` rows, or as many as it holds; the entry is that of the
    /// largest size kept.
    ///
    /// Files prepared for phase 2, as the published ones are, bring their Lagrange bases with them, and every size from
    /// 8 up is kept. For others the largest basis is computed, which takes ten seconds or more from `k = 14` on: `snarkjs powersoftau
    /// prepare phase2` beforehand spares every importer that.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the file is refused, or cannot be read, or the setup cannot be kept.
    pub fn import_ptau(
        &self,
        path: &Path,
        max_k: u32,
        progress: &mut dyn FnMut(SrsProgress),
    ) -> Result<SrsEntry, StoreError> {
        let refused = |source| StoreError::Ptau { path: path.to_owned(), source };
        let (reader, len) = open(path).map_err(|error| refused(PtauError::Io(error)))?;
        let mut import = read_ptau(reader, len, max_k, progress).map_err(refused)?;
        if import.prepared.last().is_none_or(|(k, _)| *k != import.k) {
            progress(SrsProgress { stage: SrsStage::LagrangeBasis, done: 0, total: 1 });
            let lagrange = lagrange_of(&import.powers, import.k);
            if lagrange.iter().any(|point: &G1Affine| point.is_identity().into()) {
                return Err(refused(PtauError::NoContribution));
            }
            import.prepared.push((import.k, lagrange));
            progress(SrsProgress { stage: SrsStage::LagrangeBasis, done: 1, total: 1 });
        }
        let total = import.prepared.len() as u64;
        let mut largest = None;
        for (done, (k, lagrange)) in (0..).zip(&import.prepared) {
            progress(SrsProgress { stage: SrsStage::Writing, done, total });
            largest =
                Some(self.write(&import.origin, *k, &import.powers[..1 << k], lagrange, &import.tau_g2)?);
        }
        progress(SrsProgress { stage: SrsStage::Writing, done: total, total });
        largest.ok_or(StoreError::Missing { k: max_k, largest: None })
    }

    /// Adds the development setup for `2^k` rows. All development setups of all stores are cut from the same powers,
    /// of a secret that is in this program: whoever reads it can prove anything under them.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if `k` is not 1 to [`MAX_K`], or the file cannot be written.
    pub fn add_unsafe_dev(&self, k: u32) -> Result<SrsEntry, StoreError> {
        if !(1..=MAX_K).contains(&k) {
            return Err(StoreError::K { found: k });
        }
        let parts = dev::setup(k, dev::public_secret());
        self.write(&parts.origin, k, &parts.powers, &parts.lagrange, &parts.tau_g2)
    }

    /// The file to load a setup for `2^k` rows from.
    fn choose(&self, k: u32, policy: &SrsPolicy) -> Result<SrsEntry, StoreError> {
        if !(1..=MAX_K).contains(&k) {
            return Err(StoreError::K { found: k });
        }
        let SrsListing { entries, damaged } = self.info()?;
        let accepted = |e: &SrsEntry| policy.accepts(&e.origin, &e.fingerprint);
        if let Some(entry) = entries.iter().find(|e| e.k >= k && accepted(e)) {
            return Ok(entry.clone());
        }
        if let Some(entry) = entries.iter().find(|e| e.k >= k) {
            return Err(StoreError::RefusedByPolicy { k, origin: entry.origin });
        }
        // A damaged file may be the one that is missed.
        if let Some(Damaged { path, error }) = damaged.into_iter().next() {
            return Err(StoreError::File { path, source: error });
        }
        let largest = entries.iter().filter(|e| accepted(e)).map(|e| e.k).max();
        Err(StoreError::Missing { k, largest })
    }

    /// Writes a file whole or not at all.
    fn write(
        &self,
        origin: &SrsOrigin,
        k: u32,
        powers: &[G1Affine],
        lagrange: &[G1Affine],
        tau_g2: &G2Affine,
    ) -> Result<SrsEntry, StoreError> {
        let slug = match origin {
            SrsOrigin::Ceremony(file) => format!("ceremony-{:02}", file.power),
            SrsOrigin::Imported { blake2b } => format!("imported-{}", hex::encode(&blake2b[..8])),
            SrsOrigin::UnsafeDev => "unsafe-dev".to_owned(),
        };
        let path = self.folder.join(format!("srs-{slug}-{k}.bin"));
        let write = || {
            fs::create_dir_all(&self.folder)?;
            let mut temporary = NamedTempFile::new_in(&self.folder)?;
            file::write(&mut BufWriter::new(&mut temporary), origin, k, powers, lagrange, tau_g2)?;
            temporary.as_file().sync_all()?;
            temporary.persist(&path).map_err(|error| error.error)?;
            fs::metadata(&path).map(|metadata| metadata.len())
        };
        let bytes = write().map_err(|source| StoreError::Io { path: path.clone(), source })?;
        let fingerprint = SrsFingerprint::of(&G2Affine::generator(), tau_g2);
        Ok(SrsEntry { path, origin: *origin, k, fingerprint, bytes })
    }
}

/// Opens a regular file and says how long it is.
fn open(path: &Path) -> io::Result<(BufReader<File>, u64)> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    Ok((BufReader::new(file), metadata.len()))
}

fn read_with<T>(
    path: &Path,
    read: impl FnOnce(&mut BufReader<File>, u64) -> Result<T, SrsFileError>,
) -> Result<T, StoreError> {
    let result = open(path).map_err(SrsFileError::Io).and_then(|(mut reader, len)| read(&mut reader, len));
    result.map_err(|source| StoreError::File { path: path.to_owned(), source })
}

fn entry(path: &Path) -> Result<SrsEntry, SrsFileError> {
    let (mut reader, bytes) = open(path)?;
    let head = Head::read(&mut reader, bytes)?;
    let fingerprint = head.fingerprint()?;
    Ok(SrsEntry { path: path.to_owned(), origin: head.origin, k: head.k, fingerprint, bytes })
}
