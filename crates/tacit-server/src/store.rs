//! What the relay remembers: cards, sealed messages, leases, nonces.
//!
//! [`Store`] is the whole of what the relay asks of a database. [`SqlStore`] is the one implementation, over SQLite or
//! PostgreSQL. Changes are values ([`Change`]), so that many that wait together are committed together.

mod apply;
mod posts;
mod read;
mod sql;
mod writer;

use std::time::Duration;

use tacit_claim::{CardId, Fingerprint};
use tacit_exchange::{CapabilityHash, RequestId};

pub use sql::SqlStore;

/// When a change is acknowledged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Durability {
    /// After its transaction was committed and synced to the disk: nothing acknowledged is lost.
    #[default]
    Committed,
    /// **Loses acknowledged messages.** Acknowledges before the transaction is committed. It exists so that the test that
    /// kills a relay can be shown to fail when it must; no command offers it.
    AcknowledgeBeforeCommit,
}

/// How a store is opened.
#[derive(Debug, Clone, Default)]
pub struct StoreOptions {
    /// When changes are acknowledged.
    pub durability: Durability,
}

/// Who holds a lease: 16 bytes that a worker made up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerId(pub [u8; 16]);

/// How much may be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quotas {
    /// Bytes in all.
    pub stored_bytes: u64,
    /// Cards in all.
    pub cards: u64,
    /// Cards of one owner.
    pub cards_per_owner: u64,
    /// Unanswered requests of one card.
    pub waiting_per_card: u64,
}

/// A card to be stored.
#[derive(Debug, Clone)]
pub struct NewCard {
    /// SHA-256 of `json`.
    pub id: CardId,
    /// Fingerprint of `owner_key`.
    pub owner: Fingerprint,
    /// Who signed it.
    pub owner_key: [u8; 32],
    /// What the owner calls the model.
    pub name: String,
    /// Names of its engines, separated by commas.
    pub engines: String,
    /// `hidden` or `public`.
    pub weights: &'static str,
    /// When it came.
    pub published_at: u64,
    /// The file.
    pub json: Vec<u8>,
}

/// A request to be stored.
#[derive(Debug, Clone)]
pub struct NewRequest {
    /// Hash of `sealed`.
    pub id: RequestId,
    /// Whose provider answers it.
    pub card: CardId,
    /// Of the secret that fetches the answer.
    pub capability_hash: CapabilityHash,
    /// When it came.
    pub received_at: u64,
    /// When it is deleted.
    pub expires_at: u64,
    /// When even its id is forgotten.
    pub forget_at: u64,
    /// The message.
    pub sealed: Vec<u8>,
}

/// One change.
#[derive(Debug, Clone)]
pub enum Change {
    /// Stores a card. [`Outcome::Created`], [`Outcome::Same`], [`Outcome::Full`].
    PutCard(Box<NewCard>, Quotas),
    /// Stores what lies beside a card. [`Outcome::Created`], [`Outcome::Same`], [`Outcome::Replaced`], [`Outcome::Unknown`],
    /// [`Outcome::Full`].
    PutPoints {
        /// Whose.
        card: CardId,
        /// The file.
        points: Vec<u8>,
        /// How much may be stored.
        quotas: Quotas,
    },
    /// Stores a provider document. [`Outcome::Created`], [`Outcome::Same`], [`Outcome::Replaced`], [`Outcome::Older`],
    /// [`Outcome::Unknown`], [`Outcome::Full`].
    PutProvider {
        /// Whose.
        card: CardId,
        /// The file.
        json: Vec<u8>,
        /// When it was issued.
        issued_at: u64,
        /// When its last prekey expires.
        expires_at: u64,
        /// How much may be stored.
        quotas: Quotas,
    },
    /// Stores a request. [`Outcome::Created`], [`Outcome::Same`], [`Outcome::Gone`], [`Outcome::Unknown`], [`Outcome::Full`].
    PostRequest(Box<NewRequest>, Quotas),
    /// Leases a request to a worker. [`Outcome::Leased`], [`Outcome::Held`], [`Outcome::Gone`], [`Outcome::Unknown`].
    Lease {
        /// Which.
        request: RequestId,
        /// To whom.
        worker: WorkerId,
        /// The clock.
        now: u64,
        /// For how long.
        until: u64,
    },
    /// Gives a lease back. [`Outcome::Done`], [`Outcome::Held`], [`Outcome::Gone`], [`Outcome::Unknown`].
    Release {
        /// Which.
        request: RequestId,
        /// Who holds it.
        worker: WorkerId,
        /// The clock.
        now: u64,
    },
    /// Stores an answer. [`Outcome::Created`], [`Outcome::Same`], [`Outcome::Different`], [`Outcome::Gone`],
    /// [`Outcome::Unknown`], [`Outcome::Full`].
    PutResponse {
        /// To which.
        request: RequestId,
        /// The message.
        sealed: Vec<u8>,
        /// How much may be stored.
        quotas: Quotas,
    },
    /// Deletes a request and its answer. [`Outcome::Done`], also where it was deleted before, or [`Outcome::Unknown`].
    Delete {
        /// Which.
        request: RequestId,
    },
    /// Remembers that a key used a nonce. [`Outcome::Created`] or, where it had used it before, [`Outcome::Same`].
    Nonce {
        /// Whose key.
        owner: Fingerprint,
        /// Which nonce.
        nonce: [u8; 16],
        /// Until when it must be remembered.
        expires_at: u64,
    },
    /// Deletes some of what has expired. [`Outcome::Swept`].
    Sweep {
        /// The clock.
        now: u64,
    },
}

/// What came of a [`Change`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Stored.
    Created,
    /// The same was stored before.
    Same,
    /// Stored in place of an older one.
    Replaced,
    /// Not stored: a newer one is.
    Older,
    /// Not stored: another one is, and stays.
    Different,
    /// It was here and is not any more.
    Gone,
    /// It was never here.
    Unknown,
    /// Not stored: a quota is full.
    Full(Quota),
    /// Leased.
    Leased {
        /// Until when.
        until: u64,
    },
    /// Leased to another.
    Held {
        /// Until when.
        until: u64,
    },
    /// Done.
    Done,
    /// This many rows were swept; more may be left.
    Swept(usize),
}

/// Which quota is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quota {
    /// [`Quotas::stored_bytes`].
    Bytes,
    /// [`Quotas::cards`].
    Cards,
    /// [`Quotas::cards_per_owner`].
    CardsOfOwner,
    /// [`Quotas::waiting_per_card`].
    WaitingOfCard,
}

/// What is needed of a card to judge requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCard {
    /// Who signed it.
    pub owner_key: [u8; 32],
    /// The newest provider document.
    pub provider: Option<Vec<u8>>,
}

/// A card in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedCard {
    /// Its place in the list.
    pub seq: u64,
    /// Its id.
    pub id: CardId,
    /// What the owner calls the model.
    pub name: String,
    /// Fingerprint of the owner.
    pub owner: String,
    /// Names of its engines, separated by commas.
    pub engines: String,
    /// `hidden` or `public`.
    pub weights: String,
    /// When it came.
    pub published_at: u64,
    /// When the last prekey of its provider expires.
    pub provider_expires: Option<u64>,
}

/// Where a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestState {
    /// It waits for an answer.
    Waiting,
    /// It was answered.
    Answered,
    /// It was deleted, or has expired.
    Gone,
}

/// What is known of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRequest {
    /// Whose provider answers it.
    pub card: CardId,
    /// Who signed that card.
    pub owner: String,
    /// Where it is.
    pub state: RequestState,
    /// Of the secret that fetches the answer.
    pub capability_hash: CapabilityHash,
}

/// A request that waits for a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitingRequest {
    /// Its place in the list.
    pub seq: u64,
    /// Its id.
    pub id: RequestId,
    /// Its bytes.
    pub size: u64,
    /// When it came.
    pub received_at: u64,
}

/// What is stored in all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of messages, cards and what belongs to them.
    pub stored_bytes: u64,
    /// Cards.
    pub cards: u64,
    /// Requests that wait for an answer.
    pub waiting: u64,
}

/// The database did not do it. Nothing is known to be stored.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database said so.
    #[error("the database: {0}")]
    Sql(#[from] sqlx::Error),
    /// Its schema cannot be brought up to date.
    #[error("the database's schema: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The URL names no database that can be used.
    #[error("{0:?} names no database: it must begin with sqlite:// or postgres://")]
    Url(String),
    /// A value that no relay writes.
    #[error("the database holds a malformed {0}")]
    Corrupt(&'static str),
    /// Another change in the same transaction failed, or the store is being closed.
    #[error("the store could not commit the change: {0}")]
    NotCommitted(String),
}

/// What the relay asks of a database.
#[async_trait::async_trait]
pub trait Store: Send + Sync + 'static {
    /// Makes a change. It is committed and synced when this returns (but see [`Durability`]).
    async fn apply(&self, change: Change) -> Result<Outcome, StoreError>;

    /// Whose card it is, and its provider document.
    async fn card(&self, id: CardId) -> Result<Option<StoredCard>, StoreError>;
    /// The bytes of `card.json`.
    async fn card_json(&self, id: CardId) -> Result<Option<Vec<u8>>, StoreError>;
    /// The bytes of `card.points`; `Some(None)` where the card has none here.
    async fn card_points(&self, id: CardId) -> Result<Option<Option<Vec<u8>>>, StoreError>;
    /// Cards behind `after` in the order in which they came.
    async fn cards(&self, after: u64, limit: u32) -> Result<Vec<ListedCard>, StoreError>;
    /// The key of the owner of any card, by its fingerprint.
    async fn owner_key(&self, owner: Fingerprint) -> Result<Option<[u8; 32]>, StoreError>;
    /// What is known of a request.
    async fn request(&self, id: RequestId) -> Result<Option<StoredRequest>, StoreError>;
    /// The bytes of a request that waits.
    async fn sealed(&self, id: RequestId) -> Result<Option<Vec<u8>>, StoreError>;
    /// The bytes of an answer.
    async fn response(&self, id: RequestId) -> Result<Option<Vec<u8>>, StoreError>;
    /// Requests of a card that wait and that nobody leases, behind `after`, in the order in which they came.
    async fn waiting(
        &self,
        card: CardId,
        after: u64,
        limit: u32,
        now: u64,
    ) -> Result<Vec<WaitingRequest>, StoreError>;
    /// What is stored in all.
    async fn usage(&self) -> Result<Usage, StoreError>;
    /// How often a wait must look again because another relay may have changed something; `None` where none can.
    fn shared(&self) -> Option<Duration>;
    /// Commits what is under way and closes the database.
    async fn close(&self);
}
