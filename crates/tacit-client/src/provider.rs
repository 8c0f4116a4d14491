//! The provider's side: prekeys, publishing, the worker.

mod answer;
mod event;
mod lease;
mod model;
mod pace;
mod prekeys;
mod publish;
mod stop;
mod worker;

pub use answer::Said;
pub use event::{Event, Tally, WorkerError, WorkerOptions};
pub use model::{Offered, ProviderModel, SelfTest};
pub use prekeys::{Lifetimes, PrekeyStore, Rotated, StoreError};
pub use publish::{Publication, PublishError, PublishedDocument};
pub use stop::StopSignal;
pub use worker::{Worker, WorkerHandle};
