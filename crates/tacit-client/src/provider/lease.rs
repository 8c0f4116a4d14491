//! Keeping a request for oneself while it is answered.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tacit_claim::OwnerKey;
use tacit_exchange::RequestId;

use super::stop::StopSignal;
use crate::relay::{Lease, RelayClient, WorkerId};

/// Runs `work` while a thread of its own renews the lease on a request. Gives the work's result, and whether the
/// request was lost meanwhile: to another worker, or altogether. A relay that cannot be reached loses nothing by that.
pub(crate) fn keep<T>(
    relay: &RelayClient,
    id: RequestId,
    worker: &WorkerId,
    seconds: u64,
    key: &OwnerKey,
    work: impl FnOnce() -> T,
) -> (T, bool) {
    let done = StopSignal::default();
    let lost = AtomicBool::new(false);
    let result = std::thread::scope(|scope| {
        scope.spawn(|| {
            let pause = Duration::from_secs(seconds).div_f64(3.0);
            while !done.sleep(pause) {
                if let Ok(Lease::Another | Lease::Gone) = relay.lease(id, worker, seconds, key) {
                    lost.store(true, Ordering::Relaxed);
                    break;
                }
            }
        });
        // Also when the work panics, or the scope would wait for a thread that never ends.
        let _done = Raise(&done);
        work()
    });
    (result, lost.load(Ordering::Relaxed))
}

struct Raise<'a>(&'a StopSignal);

impl Drop for Raise<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}
