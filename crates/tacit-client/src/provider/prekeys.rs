//! Where a provider's prekeys lie: beside the owner's key, encrypted under it, one file per card, shared by every
//! worker of the folder.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rand_core::CryptoRngCore;
use tacit_claim::{CardId, OwnerKey};
use tacit_core::CoreError;
use tacit_core::files::{self, Access};
use tacit_exchange::{Prekey, PrekeyId, PrekeySecret, Prekeys, PrekeysError, ProviderDocument};

/// How long prekeys live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// How long requests may be sealed to a prekey. A new one is made when half of it is over.
    pub seal: Duration,
    /// How long after that its secret half is kept, for requests on their way.
    pub keep: Duration,
}

impl Default for Lifetimes {
    fn default() -> Self {
        const DAY: u64 = 24 * 60 * 60;
        // A relay takes requests that were made a day ago, and keeps them for a week.
        Self { seal: Duration::from_secs(7 * DAY), keep: Duration::from_secs(9 * DAY) }
    }
}

impl Lifetimes {
    /// The prekeys that requests may be sealed to. One that would be good for longer than any that is made now comes
    /// from a clock that was wrong: it still opens what was sealed to it, and is listed no more.
    pub(crate) fn listed(&self, prekeys: &Prekeys, now: u64) -> Vec<Prekey> {
        let last = now.saturating_add(self.seal.as_secs());
        prekeys.public_at(now).into_iter().filter(|p| p.not_after() <= last).collect()
    }
}

/// Why prekeys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file.
    #[error(transparent)]
    File(#[from] CoreError),
    /// What is in it.
    #[error("{}: {source}", path.display())]
    Prekeys {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: PrekeysError,
    },
}

impl StoreError {
    /// What to do next.
    #[must_use]
    pub fn advice(&self) -> Option<String> {
        match self {
            Self::File(e) => e.advice(),
            Self::Prekeys { path, .. } => Some(format!(
                "use the key that it was made with, or move {} away: requests sealed to the prekeys in it are then \
                 refused, and patients have to send them again",
                path.display()
            )),
        }
    }
}

/// What a turn of [`PrekeyStore::rotate`] did.
#[derive(Debug)]
pub struct Rotated {
    /// The prekeys now.
    pub prekeys: Prekeys,
    /// The new one, if one was due.
    pub made: Option<PrekeyId>,
    /// Old ones that can open nothing any more.
    pub forgotten: usize,
}

/// The prekeys of one card.
#[derive(Debug, Clone)]
pub struct PrekeyStore {
    folder: PathBuf,
    card: CardId,
}

const MAX_FILE: u64 = 1 << 16;

impl PrekeyStore {
    /// The prekeys of `card` beside an owner's key.
    #[must_use]
    pub fn beside(key: &Path, card: CardId) -> Self {
        let folder = key.parent().unwrap_or(Path::new("")).join("prekeys");
        Self { folder, card }
    }

    fn path(&self, extension: &str) -> PathBuf {
        self.folder.join(format!("{}.{extension}", self.card))
    }

    /// Where the prekeys are.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.path("prekeys")
    }

    /// The prekeys; none where there are none yet.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn load(&self, key: &OwnerKey) -> Result<Prekeys, StoreError> {
        let path = self.file();
        match path.symlink_metadata() {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Prekeys::default()),
            Err(source) => return Err(CoreError::Io { path, source }.into()),
            Ok(_) => {}
        }
        let bytes = files::read(&path, MAX_FILE)?;
        Prekeys::from_bytes(&bytes, key, self.card).map_err(|source| StoreError::Prekeys { path, source })
    }

    /// Makes a new prekey if one is due, forgets those that are too old, and gives what is there then. Of several
    /// workers one does it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn rotate(
        &self,
        key: &OwnerKey,
        lifetimes: &Lifetimes,
        now: u64,
        rng: &mut dyn CryptoRngCore,
    ) -> Result<Rotated, StoreError> {
        let _lock = self.lock()?;
        let mut prekeys = self.load(key)?;
        let (seal, keep) = (lifetimes.seal.as_secs(), lifetimes.keep.as_secs());
        let newest = lifetimes.listed(&prekeys, now).iter().map(Prekey::not_after).max();
        let due = newest.is_none_or(|until| until <= now + seal / 2);
        let made = due.then(|| {
            let prekey = PrekeySecret::generate(now + seal, rng);
            let id = prekey.public().id();
            prekeys.push(prekey);
            id
        });
        let forgotten = prekeys.forget(now.saturating_sub(keep));
        if made.is_some() || forgotten > 0 {
            files::write(&self.file(), &prekeys.to_bytes(key, self.card, rng), Access::Secret, true)?;
        }
        Ok(Rotated { prekeys, made, forgotten })
    }

    /// The document that was published last from here.
    #[must_use]
    pub fn document(&self) -> Option<ProviderDocument> {
        let bytes = files::read(&self.path("provider.json"), MAX_FILE).ok()?;
        ProviderDocument::from_json(&bytes).ok()
    }

    /// Keeps the document that is published.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn keep_document(&self, document: &ProviderDocument) -> Result<(), StoreError> {
        Ok(files::write(&self.path("provider.json"), document.to_json(), Access::Public, true)?)
    }

    /// Held until dropped; also gone with the process that held it.
    fn lock(&self) -> Result<File, StoreError> {
        let path = self.path("lock");
        let io = |source| CoreError::Io { path: path.clone(), source };
        make_private(&self.folder).map_err(io)?;
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(io)?;
        file.lock().map_err(io)?;
        Ok(file)
    }
}

#[cfg(unix)]
fn make_private(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn make_private(folder: &Path) -> std::io::Result<()> {
    fs::create_dir_all(folder)
}

#[cfg(test)]
mod tests {
    use rand_core::OsRng;
    use zeroize::Zeroizing;

    use super::*;

    fn key_of(seed: u8) -> OwnerKey {
        OwnerKey::from_seed(&Zeroizing::new([seed; 32]))
    }

    #[test]
    fn prekeys_come_and_go() {
        let folder = tempfile::tempdir().unwrap();
        let (key, other) = (key_of(1), key_of(2));
        let store = PrekeyStore::beside(&folder.path().join("owner.key"), CardId([3; 32]));
        let times = Lifetimes { seal: Duration::from_secs(100), keep: Duration::from_secs(50) };
        let turn = |now| store.rotate(&key, &times, now, &mut OsRng).unwrap();
        let first = turn(1000).made.unwrap();
        assert!(turn(1049).made.is_none());
        let second = turn(1050).made.unwrap();
        let listed = |now| -> Vec<PrekeyId> {
            store.load(&key).unwrap().public_at(now).iter().map(Prekey::id).collect()
        };
        assert_eq!(listed(1050), [first, second]);
        assert_eq!(listed(1100), [second], "the first is sealed to no more");
        assert!(turn(1150).prekeys.get(first).is_some(), "and still opens what is on its way");
        let later = turn(1151);
        assert!(later.prekeys.get(first).is_none() && later.forgotten == 1);
        assert!(store.load(&key).unwrap().get(first).is_none(), "its secret half is gone from the file");
        assert!(matches!(store.load(&other), Err(StoreError::Prekeys { .. })));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(&store.file()), mode(&store.folder)), (0o600, 0o700));
        }
    }

    #[test]
    fn a_clock_that_was_ahead_leaves_no_long_lived_prekey() {
        let folder = tempfile::tempdir().unwrap();
        let key = key_of(1);
        let store = PrekeyStore::beside(&folder.path().join("owner.key"), CardId([3; 32]));
        let times = Lifetimes { seal: Duration::from_secs(100), keep: Duration::from_secs(50) };
        let ahead = store.rotate(&key, &times, 1_000_000, &mut OsRng).unwrap().made.unwrap();
        let now = store.rotate(&key, &times, 1000, &mut OsRng).unwrap();
        let made = now.made.expect("the other does not count");
        let listed: Vec<_> = times.listed(&now.prekeys, 1000).iter().map(Prekey::id).collect();
        assert_eq!(listed, [made]);
        assert!(now.prekeys.get(ahead).is_some(), "it opens what was sealed to it");
    }

    #[test]
    fn of_many_at_once_one_makes_it() {
        let folder = tempfile::tempdir().unwrap();
        let key = key_of(1);
        let store = PrekeyStore::beside(&folder.path().join("owner.key"), CardId([3; 32]));
        let made: usize = std::thread::scope(|scope| {
            let turn = || store.rotate(&key, &Lifetimes::default(), 1000, &mut OsRng).unwrap().made.is_some();
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(turn)).collect();
            threads.into_iter().map(|t| usize::from(t.join().unwrap())).sum()
        });
        assert_eq!(made, 1);
    }
}
