//! The worker: polls, takes a request, answers it, again.
//!
//! Every thread polls by itself and only when it is free, so that no more is taken than is worked on. A request is
//! leased before it is fetched, and the lease renewed while it is worked on: if the worker dies, another gets it when the lease
//! ends. The relay keeps one answer to a request; a second one is lost, and harmless.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rand_core::OsRng;
use tacit_claim::OwnerKey;
use tacit_core::Silent;
use tacit_exchange::{Prekeys, RequestId, SealedRequest};

use super::answer::{Answerer, Made, Said};
use super::event::{Event, Tally, WorkerError, WorkerOptions};
use super::lease;
use super::model::{Offered, ProviderModel, SelfTest};
use super::pace::Pace;
use super::prekeys::PrekeyStore;
use super::publish::{Publication, PublishError};
use super::stop::StopSignal;
use crate::relay::{Handed, Lease, Patience, RelayClient, RelayError, Waiting, WorkerId, jittered, unix_now};

/// A worker.
pub struct Worker(Arc<Shared>);

struct Shared {
    relay: RelayClient,
    key: OwnerKey,
    model: ProviderModel,
    store: PrekeyStore,
    options: WorkerOptions,
    id: WorkerId,
    stop: StopSignal,
    events: Box<dyn Fn(Event) + Send + Sync>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    prekeys: Prekeys,
    /// At hand now.
    held: BTreeSet<RequestId>,
    /// Those that failed: how often, and until when they are left alone.
    resting: BTreeMap<RequestId, (u32, Instant)>,
    tally: Tally,
    pace: Pace,
    /// Threads that work; the others have ended.
    working: usize,
    fatal: Option<RelayError>,
    relay_fails: bool,
}

/// How long an answer that is made is offered to a relay that cannot be reached.
const HANDING_IN: Patience = Patience {
    total: Duration::from_secs(300),
    first: Duration::from_millis(200),
    most: Duration::from_secs(10),
};
/// The longest that a worker waits between two attempts to reach its relay.
const LONGEST_REST: Duration = Duration::from_secs(60);
/// The longest that a request is left alone that could not be answered.
const LONGEST_LEFT_ALONE: Duration = Duration::from_secs(600);
const PAGE: u32 = 32;
/// Before the second page of a list of which nothing could be taken; twice as long before each page after it.
const BETWEEN_PAGES: Duration = Duration::from_millis(100);
/// The longest such pause, and the one after a request that came to nothing.
const MOMENT: Duration = Duration::from_secs(2);

impl Worker {
    /// A worker that tells `events` what it does.
    pub fn new(
        relay: RelayClient,
        key: OwnerKey,
        model: ProviderModel,
        store: PrekeyStore,
        options: WorkerOptions,
        events: impl Fn(Event) + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Shared {
            relay,
            key,
            model,
            store,
            options,
            id: WorkerId::random(),
            stop: StopSignal::default(),
            events: Box::new(events),
            state: Mutex::default(),
            changed: Condvar::new(),
        }))
    }

    /// What stops it: what is at hand is finished first.
    #[must_use]
    pub fn handle(&self) -> WorkerHandle {
        WorkerHandle(self.0.clone())
    }

    /// Works until it is stopped, or with [`WorkerOptions::once`] until nothing waits.
    ///
    /// # Errors
    /// [`WorkerError`]: before it takes requests, or when the relay refuses it for good.
    pub fn run(&self) -> Result<Tally, WorkerError> {
        let shared = &self.0;
        let SelfTest { offered, failed: not_offered } =
            shared.model.self_test(&mut OsRng, &Silent).map_err(WorkerError::SelfTest)?;
        shared.look_after_prekeys()?;
        (shared.events)(Event::Ready { offered: offered.clone(), not_offered });
        let offered: Arc<[Offered]> = offered.into();
        {
            let mut state = shared.state();
            state.working = shared.options.parallel.max(1);
            state.pace = Pace::new(&offered);
        }
        for _ in 0..shared.options.parallel.max(1) {
            let (shared, offered) = (shared.clone(), offered.clone());
            // Not joined: one that waits for the relay has nothing to finish.
            std::thread::spawn(move || {
                let _working = Working(&shared);
                shared.work(&offered);
            });
        }
        if !shared.options.once {
            let shared = shared.clone();
            std::thread::spawn(move || shared.keep_house());
        }
        let mut state = shared.state();
        while state.working > 0 && !(shared.stop.is_stopped() && state.held.is_empty()) {
            let (next, _) = shared
                .changed
                .wait_timeout(state, Duration::from_millis(100))
                .unwrap_or_else(PoisonError::into_inner);
            state = next;
        }
        match state.fatal.take() {
            Some(e) => Err(e.into()),
            None => Ok(state.tally),
        }
    }
}

/// What stops a worker.
#[derive(Clone)]
pub struct WorkerHandle(Arc<Shared>);

impl WorkerHandle {
    /// Takes nothing more; what is at hand is finished.
    pub fn stop(&self) {
        self.0.stop.stop();
    }

    /// Gives back what is at hand, for other workers. To be followed by the end of the process.
    pub fn give_back(&self) {
        let held: Vec<_> = self.0.state().held.iter().copied().collect();
        for id in held {
            // What cannot be given back is free when its lease ends.
            let _ = self.0.relay.with_patience(Patience::NONE).release(id, &self.0.id, &self.0.key);
        }
    }
}

/// What came of a look at the list.
enum Look {
    Answered,
    /// Nothing waits, or nothing that can be taken now.
    Nothing,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, event: Event) {
        (self.events)(event);
    }

    fn publication(&self) -> Publication<'_> {
        Publication {
            key: &self.key,
            card: &self.model.card,
            points: self.model.points.as_ref(),
            store: &self.store,
            lifetimes: self.options.lifetimes,
        }
    }

    fn look_after_prekeys(&self) -> Result<(), PublishError> {
        let published = self.publication().keep_fresh(&self.relay, &mut OsRng)?;
        self.reload_prekeys()?;
        if let Some(published) = published {
            self.tell(Event::Published { made: published.made, forgotten: published.forgotten });
            if published.foreign > 0 {
                self.tell(Event::ForeignPrekeys { count: published.foreign, file: self.store.file() });
            }
        }
        Ok(())
    }

    fn reload_prekeys(&self) -> Result<(), PublishError> {
        self.state().prekeys = self.store.load(&self.key)?;
        Ok(())
    }

    fn keep_house(&self) {
        let mut pause = self.options.housekeeping;
        while !self.stop.sleep(pause) {
            pause = match self.look_after_prekeys() {
                Ok(()) => self.options.housekeeping,
                Err(e) => {
                    self.tell(Event::NotPublished(e));
                    LONGEST_REST.min(self.options.housekeeping)
                }
            };
        }
    }

    fn work(&self, offered: &[Offered]) {
        let mut rest = Duration::from_secs(1);
        while !self.stop.is_stopped() {
            match self.look(offered) {
                Ok(look) => {
                    rest = Duration::from_secs(1);
                    self.relay_answers();
                    match look {
                        Look::Answered => {}
                        Look::Nothing if self.options.once => return,
                        Look::Nothing => {}
                    }
                }
                Err(e) if e.is_passing() && !self.options.once => {
                    self.relay_fails(e);
                    self.stop.sleep(jittered(rest));
                    rest = (rest * 2).min(LONGEST_REST);
                }
                Err(e) => {
                    self.state().fatal = Some(e);
                    self.stop.stop();
                }
            }
        }
    }

    fn relay_fails(&self, e: RelayError) {
        let first = !std::mem::replace(&mut self.state().relay_fails, true);
        if first {
            self.tell(Event::RelayFails(e));
        }
    }

    fn relay_answers(&self) {
        let failed = std::mem::take(&mut self.state().relay_fails);
        if failed {
            self.tell(Event::RelayIsBack);
        }
    }

    /// Looks at what waits, page by page, and answers the first that can be had.
    fn look(&self, offered: &[Offered]) -> Result<Look, RelayError> {
        let wait = if self.options.once { Duration::ZERO } else { self.options.poll };
        let (mut after, mut wait, mut some) = (None::<String>, wait, false);
        let mut pause = BETWEEN_PAGES;
        loop {
            let card = self.model.card.id();
            let page = self.relay.waiting(card, &self.key, after.as_deref(), wait, PAGE)?;
            some |= !page.requests.is_empty();
            for waiting in &page.requests {
                if self.take(waiting, offered)? {
                    return Ok(Look::Answered);
                }
                if self.stop.is_stopped() {
                    return Ok(Look::Nothing);
                }
            }
            // Only the first page is waited for.
            wait = Duration::ZERO;
            match page.next.filter(|next| !page.requests.is_empty() && after.as_ref() != Some(next)) {
                // A relay may list without end.
                Some(_) if self.stop.sleep(jittered(pause)) => return Ok(Look::Nothing),
                Some(next) => after = Some(next),
                None => break,
            }
            pause = (pause * 2).min(MOMENT);
        }
        if some && !self.options.once {
            // The relay does not wait while something is listed that cannot be taken.
            self.stop.sleep(jittered(MOMENT));
        }
        Ok(Look::Nothing)
    }

    /// Takes a request and answers it. `false` if it cannot be had now.
    fn take(&self, waiting: &Waiting, offered: &[Offered]) -> Result<bool, RelayError> {
        let id = waiting.id;
        {
            let mut state = self.state();
            let rests = state.resting.get(&id).is_some_and(|(_, until)| *until > Instant::now());
            if self.stop.is_stopped() || rests || !state.held.insert(id) {
                return Ok(false);
            }
        }
        let _held = Held { shared: self, id };
        let start = Instant::now();
        if self.relay.lease(id, &self.id, self.options.lease, &self.key)? != Lease::Ours {
            return Ok(false);
        }
        let (done, _lost) = lease::keep(&self.relay, id, &self.id, self.options.lease, &self.key, || {
            self.answer(id, start, offered)
        });
        match done {
            Ok(event) => {
                let mut state = self.state();
                state.resting.remove(&id);
                match &event {
                    Event::Answered { said: Said::Proved(_), .. } => state.tally.proved += 1,
                    Event::Answered { .. } => state.tally.refused += 1,
                    _ => {}
                }
                drop(state);
                let came_to_nothing = matches!(event, Event::Gone(_));
                self.tell(event);
                if came_to_nothing {
                    self.stop.sleep(jittered(BETWEEN_PAGES));
                }
            }
            Err(why) => {
                self.give_up(id, why);
                self.stop.sleep(jittered(MOMENT));
            }
        }
        Ok(true)
    }

    /// Leaves a request that failed alone for a while, longer each time.
    fn give_up(&self, id: RequestId, why: String) {
        let mut state = self.state();
        let failed = state.resting.get(&id).map_or(0, |(n, _)| *n).min(10) + 1;
        let rest = Duration::from_secs(2 << failed).min(LONGEST_LEFT_ALONE);
        state.resting.insert(id, (failed, Instant::now() + rest));
        state.resting.retain(|_, (_, until)| *until + LONGEST_LEFT_ALONE > Instant::now());
        state.tally.given_up += 1;
        drop(state);
        // What cannot be given back is free when its lease ends.
        let _ = self.relay.with_patience(Patience::NONE).release(id, &self.id, &self.key);
        self.tell(Event::NotAnswered { id, why });
    }

    fn answer(&self, id: RequestId, start: Instant, offered: &[Offered]) -> Result<Event, String> {
        let text = |e: RelayError| e.to_string();
        let Some(bytes) = self.relay.request(id, &self.key).map_err(text)? else {
            return Ok(Event::Gone(id));
        };
        let fetched = Instant::now();
        let prekeys = self.prekeys_for(&bytes).map_err(|e| e.to_string())?;
        let max_age = self.options.lifetimes.keep.as_secs();
        let answerer = Answerer { model: &self.model, key: &self.key, offered, max_age };
        let Made { response, said, asked } =
            answerer.answer(id, &bytes, &prekeys, unix_now(), &mut OsRng).map_err(|e| e.to_string())?;
        if let Said::Proved(engine) = said {
            self.state().pace.saw(engine, fetched.elapsed());
        } else {
            let usual = self.state().pace.pick(asked);
            std::thread::sleep(usual.saturating_sub(fetched.elapsed()));
        }
        let relay = self.relay.with_patience(HANDING_IN);
        Ok(match relay.put_response(id, response.to_bytes(), &self.key).map_err(text)? {
            Handed::Kept => Event::Answered { id, said, time: start.elapsed() },
            Handed::AnotherThere => Event::AnsweredByAnother(id),
            Handed::Gone => Event::Gone(id),
        })
    }

    /// The prekeys, read again if the request's is not among them: another worker may have made it. If they cannot be
    /// read, nobody is told that the prekey is gone.
    fn prekeys_for(&self, request: &[u8]) -> Result<Prekeys, PublishError> {
        let wanted = SealedRequest::from_bytes(request).ok().map(|r| r.header().prekey_id);
        let has = |prekeys: &Prekeys| wanted.is_none_or(|id| prekeys.get(id).is_some());
        let known = has(&self.state().prekeys);
        if !known {
            self.reload_prekeys()?;
        }
        Ok(self.state().prekeys.clone())
    }
}

/// A thread that works, until dropped: also by a panic.
struct Working<'a>(&'a Shared);

impl Drop for Working<'_> {
    fn drop(&mut self) {
        self.0.state().working -= 1;
        self.0.changed.notify_all();
    }
}

/// A request at hand, until dropped.
struct Held<'a> {
    shared: &'a Shared,
    id: RequestId,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.shared.state().held.remove(&self.id);
        self.shared.changed.notify_all();
    }
}
