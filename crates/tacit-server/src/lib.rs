//! The relay: an axum application that stores cards and sealed messages, and can read neither.
//!
//! * [`Relay`]: a [store](store::Store) with [options](RelayOptions) and [limits](Limits).
//! * [`app`]: the relay as a service, to be tested or embedded.
//! * [`serve`](serve::serve): the same on a socket, with TLS, time-outs, a sweeper and a graceful end.

// Tests may unwrap; the relay may not.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod app;
mod call;
mod cards;
mod limits;
mod metrics;
mod openapi;
mod page;
mod problem;
mod rates;
mod requests;
pub mod serve;
mod state;
pub mod store;
mod wake;

pub use app::app;
pub use limits::{Limits, Rate};
pub use state::{Clock, Relay, RelayOptions};
