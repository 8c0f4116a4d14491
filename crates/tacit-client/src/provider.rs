//! The provider's side: prekeys, publishing, the worker.

mod answer;
mod lease;
mod model;
mod pace;
mod prekeys;
mod publish;
mod stop;
mod worker;

pub use answer::Said;
pub use model::{Offered, ProviderModel, SelfTest};
pub use prekeys::{Lifetimes, PrekeyStore, Rotated, StoreError};
pub use publish::{Publication, PublishError, PublishedDocument};
pub use stop::StopSignal;
pub use worker::{Event, Tally, Worker, WorkerError, WorkerHandle, WorkerOptions};
