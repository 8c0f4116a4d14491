//! Patient and provider at a relay: the HTTP client, the provider's worker, the patient's steps.
//!
//! Blocking, without a runtime. Nothing here prints or reads arguments: progress and events go to callbacks, and
//! every error says which of the command's exit codes it means and what to do next.

mod fetch;
pub mod patient;
pub mod provider;
mod relay;

pub use fetch::{FetchError, Published, fetch_card, fetch_provider};
pub use relay::{
    AddressError, ClientOptions, Fetched, Handed, Lease, Patience, PlainHttp, Problem, RelayAddress,
    RelayClient, RelayError, Waiting, WaitingPage, WorkerId,
};
