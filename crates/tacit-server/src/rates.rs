//! How often: token buckets by address and by card.

use std::net::{IpAddr, Ipv6Addr};

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use tacit_claim::CardId;

use crate::limits::{Limits, Rate};
use crate::problem::{Kind, Problem};

pub(crate) struct Rates {
    addresses: Option<DefaultKeyedRateLimiter<IpAddr>>,
    cards: Option<DefaultKeyedRateLimiter<[u8; 32]>>,
    clock: DefaultClock,
}

fn limiter<K: Clone + Eq + std::hash::Hash>(rate: Option<Rate>) -> Option<DefaultKeyedRateLimiter<K>> {
    rate.map(|rate| RateLimiter::keyed(Quota::per_second(rate.per_second).allow_burst(rate.burst)))
}

/// Who has one address of IPv6 has a /64 of them.
fn bucket(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        v4 => v4,
    }
}

impl Rates {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            addresses: limiter(limits.calls_per_address),
            cards: limiter(limits.requests_per_card),
            clock: DefaultClock::default(),
        }
    }

    fn check<K: Clone + Eq + std::hash::Hash>(
        &self,
        limiter: Option<&DefaultKeyedRateLimiter<K>>,
        key: &K,
        detail: &'static str,
    ) -> Result<(), Problem> {
        let Some(limiter) = limiter else { return Ok(()) };
        limiter.check_key(key).map_err(|not_until| {
            let wait = not_until.wait_time_from(self.clock.now());
            Problem::new(Kind::TooMany, detail).retry_after(wait.as_secs() + 1)
        })
    }

    pub(crate) fn check_address(&self, address: IpAddr) -> Result<(), Problem> {
        self.check(self.addresses.as_ref(), &bucket(address), "your address calls too often: slow down")
    }

    pub(crate) fn check_card(&self, card: CardId) -> Result<(), Problem> {
        self.check(self.cards.as_ref(), &card.0, "this card gets too many requests: try again later")
    }

    /// Forgets who has been quiet.
    pub(crate) fn forget_quiet(&self) {
        if let Some(addresses) = &self.addresses {
            addresses.retain_recent();
            addresses.shrink_to_fit();
        }
        if let Some(cards) = &self.cards {
            cards.retain_recent();
            cards.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_of_one_ipv6_network_share_a_bucket() {
        let parse = |text: &str| bucket(text.parse().unwrap());
        assert_eq!(parse("2001:db8::1"), parse("2001:db8::ffff:1"));
        assert_ne!(parse("2001:db8::1"), parse("2001:db8:0:1::1"));
        assert_eq!(parse("::ffff:192.0.2.1"), parse("192.0.2.1"));
        assert_ne!(parse("192.0.2.2"), parse("192.0.2.1"));
    }

    #[test]
    fn who_calls_too_often_is_told_when_to_come_back() {
        let limits = Limits { calls_per_address: Some(Rate::new(1, 2)), ..Limits::default() };
        let rates = Rates::new(&limits);
        let address = "192.0.2.1".parse().unwrap();
        assert!(rates.check_address(address).is_ok() && rates.check_address(address).is_ok());
        let problem = rates.check_address(address).unwrap_err();
        assert_eq!((problem.kind, problem.retry_after), (Kind::TooMany, Some(1)));
        assert!(rates.check_address("192.0.2.2".parse().unwrap()).is_ok());
    }
}
