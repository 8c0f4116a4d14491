//! The encrypted exchange between a patient and a provider: sealed messages, keys, signatures. No network.

mod ids;

pub use ids::{Capability, CapabilityHash, PrekeyId, RequestId};
