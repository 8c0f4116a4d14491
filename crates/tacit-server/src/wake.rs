//! Wakes long polls of this process when something that they wait for happens.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

type Sleepers = HashMap<[u8; 32], Arc<Notify>>;

/// Who sleeps, by the id of the card or of the request that they wait for.
#[derive(Debug, Default)]
pub(crate) struct Wakes(Mutex<Sleepers>);

impl Wakes {
    fn lock(&self) -> MutexGuard<'_, Sleepers> {
        // A map of counted references is whole after any panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place to sleep.
    pub(crate) fn of(&self, id: [u8; 32]) -> Sleeper<'_> {
        let notify = Arc::clone(self.lock().entry(id).or_default());
        Sleeper { wakes: self, id, notify }
    }

    /// Wakes all who sleep for this.
    pub(crate) fn wake(&self, id: &[u8; 32]) {
        if let Some(notify) = self.lock().get(id) {
            notify.notify_waiters();
        }
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.lock().len()
    }
}

/// A place to sleep, given back when dropped.
#[derive(Debug)]
pub(crate) struct Sleeper<'a> {
    wakes: &'a Wakes,
    id: [u8; 32],
    notify: Arc<Notify>,
}

impl Sleeper<'_> {
    pub(crate) fn notify(&self) -> Arc<Notify> {
        Arc::clone(&self.notify)
    }
}

impl Drop for Sleeper<'_> {
    fn drop(&mut self) {
        let mut sleepers = self.wakes.lock();
        // The map's and ours: nobody else sleeps here, and nobody can come while the map is locked. Who sleeps holds a
        // `Sleeper` for longer than what it watches.
        if Arc::strong_count(&self.notify) == 2 {
            sleepers.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn places_are_given_back() {
        let wakes = Wakes::default();
        let (a, b) = (wakes.of([1; 32]), wakes.of([1; 32]));
        let woken = a.notify().notified_owned();
        wakes.wake(&[1; 32]);
        wakes.wake(&[2; 32]);
        woken.await;
        drop(a);
        assert_eq!(wakes.len(), 1);
        drop(b);
        assert_eq!(wakes.len(), 0);
    }
}
