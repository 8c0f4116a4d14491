//! How long proofs take, so that a refusal takes as long: when an answer came is all that a relay sees of it, its size
//! being the same.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use rand_core::{OsRng, RngCore as _};
use tacit_claim::EngineId;

use super::model::Offered;

/// Proofs remembered of each engine.
const REMEMBERED: usize = 32;

/// The times of the last proofs, from the request's arrival to the sealed answer.
#[derive(Debug, Default)]
pub(crate) struct Pace(BTreeMap<EngineId, VecDeque<Duration>>);

impl Pace {
    pub(crate) fn new(offered: &[Offered]) -> Self {
        Self(offered.iter().map(|o| (o.engine, VecDeque::from([o.time]))).collect())
    }

    pub(crate) fn saw(&mut self, engine: EngineId, time: Duration) {
        let times = self.0.entry(engine).or_default();
        times.push_back(time);
        if times.len() > REMEMBERED {
            times.pop_front();
        }
    }

    /// The time of one of the last proofs by the engine that was asked for, or that patients ask for by default.
    pub(crate) fn pick(&self, asked: Option<EngineId>) -> Duration {
        let usual = [asked, Some(EngineId::Sumcheck), Some(EngineId::Halo2)];
        let times =
            usual.into_iter().flatten().find_map(|engine| self.0.get(&engine)).filter(|t| !t.is_empty());
        times.map_or(Duration::ZERO, |times| times[OsRng.next_u32() as usize % times.len()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_takes_as_long_as_some_proof() {
        let second = Duration::from_secs(1);
        let offered = [Offered { engine: EngineId::Halo2, time: second, bytes: 1 }];
        let mut pace = Pace::new(&offered);
        assert_eq!((pace.pick(None), pace.pick(Some(EngineId::Sumcheck))), (second, second));
        (2..100).for_each(|n| pace.saw(EngineId::Halo2, n * second));
        assert!(pace.pick(None) >= 68 * second && pace.pick(None) <= 99 * second);
        assert_eq!(Pace::default().pick(None), Duration::ZERO);
    }
}
