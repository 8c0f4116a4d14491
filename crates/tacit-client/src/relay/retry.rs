//! When and how long to try again.

use std::time::{Duration, Instant};

use rand_core::{OsRng, RngCore as _};

/// How long a request is tried again where it may help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Nothing is tried again that would begin later than this after the first attempt.
    pub total: Duration,
    /// The longest wait after the first attempt; it doubles from attempt to attempt.
    pub first: Duration,
    /// The longest wait between two attempts.
    pub most: Duration,
}

impl Patience {
    /// One attempt alone.
    pub const NONE: Self = Self { total: Duration::ZERO, first: Duration::ZERO, most: Duration::ZERO };
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            total: Duration::from_secs(20),
            first: Duration::from_millis(200),
            most: Duration::from_secs(5),
        }
    }
}

/// The attempts of one request.
#[derive(Debug)]
pub(crate) struct Attempts {
    patience: Patience,
    began: Instant,
    next: Duration,
}

impl Attempts {
    pub(crate) fn new(patience: Patience) -> Self {
        Self { patience, began: Instant::now(), next: patience.first }
    }

    /// How long to wait before the next attempt: at random up to a bound that doubles, and no less than the server
    /// asked for. `None` when patience is over.
    pub(crate) fn pause(&mut self, asked: Option<Duration>) -> Option<Duration> {
        let pause = jittered(self.next).max(asked.unwrap_or_default());
        self.next = (self.next * 2).min(self.patience.most);
        // What a server asks for may be any number.
        let end = self.began.elapsed().checked_add(pause)?;
        (end < self.patience.total).then_some(pause)
    }
}

/// Between half of `most` and all of it, so that many who failed together do not come back together.
pub(crate) fn jittered(most: Duration) -> Duration {
    let half = most / 2;
    half + half.mul_f64(f64::from(OsRng.next_u32()) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_end() {
        let second = Duration::from_secs(1);
        let mut attempts = Attempts::new(Patience { total: 100 * second, first: second, most: 3 * second });
        for most in [1, 2, 3, 3] {
            let pause = attempts.pause(None).expect("patience is not over");
            assert!(pause >= most * second / 2 && pause <= most * second, "{pause:?}");
        }
        assert_eq!(attempts.pause(Some(50 * second)), Some(50 * second), "the server's wish");
        assert_eq!(attempts.pause(Some(101 * second)), None);
        assert_eq!(attempts.pause(Some(Duration::MAX)), None, "no overflow");
        assert_eq!(Attempts::new(Patience::NONE).pause(None), None);
    }
}
