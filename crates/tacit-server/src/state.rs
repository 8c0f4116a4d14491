//! What every call sees.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::Bytes;
use moka::future::Cache;
use tacit_claim::{CardId, Fingerprint, OwnerPublicKey};
use tacit_exchange::ProviderDocument;
use tokio::sync::{Semaphore, watch};

use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::rates::Rates;
use crate::store::{Store, StoreError};
use crate::wake::Wakes;

/// How long a card is believed to be as it was read: another relay may take a new provider document.
const CARD_TTL: Duration = Duration::from_secs(1);
/// Cards, and keys of owners, that are kept in memory.
const CACHED: u64 = 4096;
/// Permits for bytes in flight are of this many bytes.
pub(crate) const PERMIT: usize = 1024;

/// Seconds since 1970.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> u64 + Send + Sync>);

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub fn system() -> Self {
        Self::of(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
    }

    /// Another clock, for tests.
    #[must_use]
    pub fn of(clock: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(clock))
    }

    /// What it says.
    #[must_use]
    pub fn now(&self) -> u64 {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}

/// How a relay behaves.
#[derive(Debug, Clone)]
pub struct RelayOptions {
    /// What clients may do.
    pub limits: Limits,
    /// The authority that signed calls must name, such as `relay.example:8443`; without one it is the `host` field's.
    pub authority: Option<String>,
    /// Who may publish cards; anybody where the set is empty.
    pub publishers: BTreeSet<Fingerprint>,
    /// Whether the last entry of `x-forwarded-for` is the client's address. Only behind a proxy that sets it.
    pub trust_forwarded: bool,
    /// The module that verifies in a browser.
    pub verifier: Option<Bytes>,
    /// The time.
    pub clock: Clock,
}

impl Default for RelayOptions {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            authority: None,
            publishers: BTreeSet::new(),
            trust_forwarded: false,
            verifier: None,
            clock: Clock::system(),
        }
    }
}

/// What is needed of a card to judge calls.
#[derive(Debug)]
pub(crate) struct CardEntry {
    pub(crate) owner: OwnerPublicKey,
    pub(crate) provider: Option<ProviderDocument>,
}

/// A relay: its store, its options and what it keeps in memory.
#[derive(Clone)]
pub struct Relay(pub(crate) Arc<Inner>);

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Relay({:?})", self.0.options)
    }
}

pub(crate) struct Inner {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) options: RelayOptions,
    pub(crate) metrics: Metrics,
    pub(crate) rates: Rates,
    pub(crate) memory: Arc<Semaphore>,
    pub(crate) wakes: Wakes,
    cards: Cache<CardId, Arc<CardEntry>>,
    owners: Cache<Fingerprint, OwnerPublicKey>,
    stopping: watch::Sender<bool>,
}

impl Relay {
    /// A relay over a store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, options: RelayOptions) -> Self {
        let limits = &options.limits;
        let permits = (limits.bytes_in_flight / PERMIT).clamp(1, Semaphore::MAX_PERMITS);
        Self(Arc::new(Inner {
            store,
            metrics: Metrics::new(),
            rates: Rates::new(limits),
            memory: Arc::new(Semaphore::new(permits)),
            wakes: Wakes::default(),
            cards: Cache::builder().max_capacity(CACHED).time_to_live(CARD_TTL).build(),
            owners: Cache::builder().max_capacity(CACHED).build(),
            stopping: watch::Sender::new(false),
            options,
        }))
    }

    /// Lets long polls return at once, and no new ones begin.
    pub fn stop(&self) {
        self.0.stopping.send_replace(true);
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.0.store
    }
}

impl Inner {
    pub(crate) fn limits(&self) -> &Limits {
        &self.options.limits
    }

    pub(crate) fn now(&self) -> u64 {
        self.options.clock.now()
    }

    /// Ends when the relay is told to stop.
    pub(crate) async fn stopped(&self) {
        // The sender lives as long as `self`.
        let _ = self.stopping.subscribe().wait_for(|stopping| *stopping).await;
    }

    pub(crate) async fn card(&self, id: CardId) -> Result<Option<Arc<CardEntry>>, StoreError> {
        if let Some(entry) = self.cards.get(&id).await {
            return Ok(Some(entry));
        }
        let Some(stored) = self.store.card(id).await? else { return Ok(None) };
        let owner = OwnerPublicKey::from_bytes(&stored.owner_key)
            .map_err(|_| StoreError::Corrupt("key of an owner"))?;
        let provider = stored
            .provider
            .map(|json| ProviderDocument::from_json(&json))
            .transpose()
            .map_err(|_| StoreError::Corrupt("provider document"))?;
        let entry = Arc::new(CardEntry { owner, provider });
        self.cards.insert(id, Arc::clone(&entry)).await;
        Ok(Some(entry))
    }

    pub(crate) async fn forget_card(&self, id: CardId) {
        self.cards.invalidate(&id).await;
    }

    pub(crate) async fn owner(&self, fingerprint: Fingerprint) -> Result<Option<OwnerPublicKey>, StoreError> {
        if let Some(key) = self.owners.get(&fingerprint).await {
            return Ok(Some(key));
        }
        let Some(bytes) = self.store.owner_key(fingerprint).await? else { return Ok(None) };
        let key = OwnerPublicKey::from_bytes(&bytes).map_err(|_| StoreError::Corrupt("key of an owner"))?;
        self.owners.insert(fingerprint, key).await;
        Ok(Some(key))
    }
}
