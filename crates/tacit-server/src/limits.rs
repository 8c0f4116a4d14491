//! What one relay lets its clients do.

use std::num::NonZeroU32;
use std::time::Duration;

use tacit_exchange::{SealedRequest, SealedResponse};

use crate::store::Quotas;

/// So many in a second, and so many at once after a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// In the long run.
    pub per_second: NonZeroU32,
    /// At once.
    pub burst: NonZeroU32,
}

impl Rate {
    /// A rate; 0 counts as 1.
    #[must_use]
    pub const fn new(per_second: u32, burst: u32) -> Self {
        const fn at_least_one(value: u32) -> NonZeroU32 {
            match NonZeroU32::new(value) {
                Some(value) => value,
                None => NonZeroU32::MIN,
            }
        }
        Self { per_second: at_least_one(per_second), burst: at_least_one(burst) }
    }
}

/// Everything that is limited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of `card.json`.
    pub card_bytes: usize,
    /// Bytes of `card.points`.
    pub points_bytes: usize,
    /// Bytes of `provider.json`.
    pub provider_bytes: usize,
    /// Bytes of a sealed request.
    pub request_bytes: usize,
    /// Bytes of a sealed answer.
    pub response_bytes: usize,
    /// Bytes of bodies that are being read or worked on, in all.
    pub bytes_in_flight: usize,
    /// Calls of one address (of one /64 for IPv6); `None` for any number.
    pub calls_per_address: Option<Rate>,
    /// Requests posted to one card; `None` for any number.
    pub requests_per_card: Option<Rate>,
    /// How much may be stored.
    pub quotas: Quotas,
    /// How long a message is kept.
    pub message_lifetime: Duration,
    /// How old a request may be when it is posted.
    pub request_age: Duration,
    /// How far a client's clock may be from the relay's.
    pub clock_skew: Duration,
    /// How long a long poll may wait.
    pub wait: Duration,
    /// How long a lease may last.
    pub lease: Duration,
    /// Time to send a request's header, and to stay idle on an open connection.
    pub header_timeout: Duration,
    /// Time to send a request's body.
    pub body_timeout: Duration,
    /// Time without progress in sending to a client.
    pub write_timeout: Duration,
    /// Open connections.
    pub connections: usize,
    /// Time to finish what is under way when the relay is told to stop.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            card_bytes: 4 << 20,
            points_bytes: 64 << 20,
            provider_bytes: 64 << 10,
            request_bytes: SealedRequest::MAX_BYTES,
            response_bytes: SealedResponse::MAX_BYTES,
            bytes_in_flight: 512 << 20,
            calls_per_address: Some(Rate::new(50, 200)),
            requests_per_card: Some(Rate::new(100, 500)),
            quotas: Quotas {
                stored_bytes: 16 << 30,
                cards: 10_000,
                cards_per_owner: 100,
                waiting_per_card: 10_000,
            },
            message_lifetime: Duration::from_secs(7 * 86_400),
            request_age: Duration::from_secs(86_400),
            clock_skew: Duration::from_secs(60),
            wait: Duration::from_secs(60),
            lease: Duration::from_secs(600),
            header_timeout: Duration::from_secs(15),
            body_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(30),
            connections: 4096,
            drain: Duration::from_secs(20),
        }
    }
}
