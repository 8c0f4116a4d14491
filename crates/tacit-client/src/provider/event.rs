//! How a worker works, what it tells of its work, and why it does not.

use std::path::PathBuf;
use std::time::Duration;

use tacit_claim::EngineId;
use tacit_core::CoreError;
use tacit_exchange::{PrekeyId, RequestId};

use super::answer::Said;
use super::model::Offered;
use super::prekeys::Lifetimes;
use super::publish::PublishError;
use crate::relay::RelayError;

/// How a worker works.
#[derive(Debug, Clone, Copy)]
pub struct WorkerOptions {
    /// Requests at a time.
    pub parallel: usize,
    /// End when nothing waits.
    pub once: bool,
    /// How long a lease lasts that is not renewed, in seconds.
    pub lease: u64,
    /// How long the relay is asked to wait for a request.
    pub poll: Duration,
    /// How long prekeys live. Requests are answered up to [`Lifetimes::keep`] after they were made.
    pub lifetimes: Lifetimes,
    /// How often prekeys are looked after.
    pub housekeeping: Duration,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self {
            parallel: 1,
            once: false,
            lease: 30,
            poll: Duration::from_secs(30),
            lifetimes: Lifetimes::default(),
            housekeeping: Duration::from_secs(600),
        }
    }
}

/// What a worker tells of its work. Nothing of a record or an answer is in it.
#[derive(Debug)]
pub enum Event {
    /// The first proof of its own succeeded: it takes requests now.
    Ready {
        /// The engines that work.
        offered: Vec<Offered>,
        /// Those that do not, and why.
        not_offered: Vec<(EngineId, CoreError)>,
    },
    /// The provider's document was published anew.
    Published {
        /// The new prekey, if there is one.
        made: Option<PrekeyId>,
        /// Old prekeys that were deleted.
        forgotten: usize,
    },
    /// The relay listed prekeys that are not in this worker's folder: another worker has one of its own, and each
    /// withdraws what the other publishes; or the folder was lost.
    ForeignPrekeys {
        /// How many.
        count: usize,
        /// Where this worker's are.
        file: PathBuf,
    },
    /// Prekeys or document could not be looked after; tried again soon.
    NotPublished(PublishError),
    /// A request was answered.
    Answered {
        /// Which.
        id: RequestId,
        /// What was said.
        said: Said,
        /// From lease to answer.
        time: Duration,
    },
    /// The answer was made, and another was there already.
    AnsweredByAnother(RequestId),
    /// The request was deleted meanwhile.
    Gone(RequestId),
    /// Nothing could be answered; another worker may, or this one later.
    NotAnswered {
        /// Which.
        id: RequestId,
        /// Why: nothing of the record.
        why: String,
    },
    /// The relay cannot be reached or refuses; tried again for as long as it takes.
    RelayFails(RelayError),
    /// The relay answers again.
    RelayIsBack,
}

/// Why a worker does not work.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// Its first proof of its own failed.
    #[error("the model cannot answer requests: {0}")]
    SelfTest(CoreError),
    /// Nothing could be published, which is needed once.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The relay refuses, and will not do otherwise later.
    #[error(transparent)]
    Relay(#[from] RelayError),
}

/// What a worker has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Requests answered with a proof.
    pub proved: u64,
    /// Requests refused, or not opened.
    pub refused: u64,
    /// Requests that it gave up.
    pub given_up: u64,
}
