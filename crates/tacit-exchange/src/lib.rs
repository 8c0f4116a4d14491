//! The encrypted exchange between a patient and a provider: sealed messages, keys, signatures. No network.
//!
//! * [`Ask`] seals a record to a provider's [`Prekey`]: a [`SealedRequest`], and the [`PendingRequest`] that opens the answer.
//! * [`OpenedRequest`] is what the provider makes of it, and seals a [`SealedResponse`]: a claim with its proof, or a [`Refusal`].
//! * [`ProviderDocument`] is `provider.json`, which lists the prekeys.
//! * [`http_signature`] signs what a provider asks of a relay.
//!
//! The provider sees the record in clear; whoever carries the messages sees ciphertext, sizes, times and the
//! card's id. Sealing says nothing about truth: a patient verifies the claim inside an answer against the card and the
//! commitment to their own record.

pub mod http_signature;
mod ids;
pub mod key_file;
mod message;
mod padding;
mod pending;
mod prekey;
mod prekey_file;
mod provider;
mod request;
mod response;
mod suite;

pub use ids::{Capability, CapabilityHash, PrekeyId, RequestId};
pub use message::MessageError;
pub use pending::{PendingError, PendingRequest};
pub use prekey::{Prekey, PrekeyError, PrekeySecret};
pub use prekey_file::{Prekeys, PrekeysError};
pub use provider::{ProviderDocument, ProviderError, UnsignedProvider};
pub use request::{Ask, AskError, OpenedRequest, RequestHeader, SealedRequest, proof_context};
pub use response::{Answer, Refusal, ResponseError, SealedResponse, Unopened};
pub use suite::{SealError, Suite};
