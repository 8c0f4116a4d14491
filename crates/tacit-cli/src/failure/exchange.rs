//! What went wrong between provider, relay and patient.

use tacit_client::patient::{ReceiveError, SealRecordError};
use tacit_client::provider::{PublishError, StoreError, WorkerError};
use tacit_client::{AddressError, FetchError, RelayError};
use tacit_core::Outcome;

use super::{DOES_NOT_HOLD, Failure, code};

/// Code 1 stands here also where the command gives no verdict: what came over the network was altered or swapped.
fn failure(message: String, outcome: Outcome, advice: Option<String>) -> Failure {
    let code = code(outcome);
    Failure { message, advice, code, verdict: code == DOES_NOT_HOLD }
}

impl From<AddressError> for Failure {
    fn from(e: AddressError) -> Self {
        let failure = Self::new(e.to_string());
        match e {
            AddressError::Plain(_) => failure.advise(
                "where nobody can listen on the way, --plain-http allows it: sizes, times, card ids and the token that \
                 fetches the sealed answer are then in the open",
            ),
            _ => failure,
        }
    }
}

impl From<RelayError> for Failure {
    fn from(e: RelayError) -> Self {
        failure(e.to_string(), Outcome::Unusable, e.advice())
    }
}

impl From<FetchError> for Failure {
    fn from(e: FetchError) -> Self {
        failure(e.to_string(), e.outcome(), e.advice())
    }
}

impl From<SealRecordError> for Failure {
    fn from(e: SealRecordError) -> Self {
        match e {
            SealRecordError::Core(e) => e.into(),
            SealRecordError::Engine { .. } => {
                Self::new(e.to_string()).advise("leave out --engine, or name one that the card was made for")
            }
            SealRecordError::Provider(_) => Self::new(e.to_string())
                .advise("ask the provider to start its worker (`tacit provider work`), then try again"),
            SealRecordError::Ask(_) => Self::new(e.to_string()),
        }
    }
}

impl From<ReceiveError> for Failure {
    fn from(e: ReceiveError) -> Self {
        failure(e.to_string(), e.outcome(), e.advice())
    }
}

impl From<StoreError> for Failure {
    fn from(e: StoreError) -> Self {
        match e {
            StoreError::File(e) => e.into(),
            e => failure(e.to_string(), Outcome::Unusable, e.advice()),
        }
    }
}

impl From<PublishError> for Failure {
    fn from(e: PublishError) -> Self {
        match e {
            PublishError::Store(e) => e.into(),
            e => failure(e.to_string(), e.outcome(), e.advice()),
        }
    }
}

impl From<WorkerError> for Failure {
    fn from(e: WorkerError) -> Self {
        match e {
            WorkerError::Publish(e) => e.into(),
            WorkerError::Relay(e) => e.into(),
            WorkerError::SelfTest(e) => {
                let advice = e.advice();
                failure(format!("the model cannot answer requests: {e}"), Outcome::Unusable, advice)
            }
        }
    }
}
