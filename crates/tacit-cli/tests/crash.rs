//! Relay and workers are killed at random moments, under load: what the relay has acknowledged is answered, exactly once.
//!
//! The relay is this very program, started again with [`RELAY`] in its environment, so that the control can be a relay
//! that acknowledges before it commits, which no command offers. The workers are the real command.

#![allow(clippy::unwrap_used)] // Tests may.

mod common;

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::Place;
use common::relay::{Provider, free_port};
use rand_core::{OsRng, RngCore as _};
use tacit_client::patient::{believe, post, seal_record};
use tacit_client::{
    ClientOptions, Fetched, Patience, PlainHttp, Published, RelayAddress, RelayClient, fetch_provider,
};
use tacit_core::{DataFolder, Silent};
use tacit_exchange::{PendingRequest, ProviderDocument};
use tacit_server::serve::{ServeOptions, serve, stop_signal};
use tacit_server::store::Durability;

/// Port, database and durability of a relay, separated by commas.
const RELAY: &str = "TACIT_TEST_CRASHING_RELAY";
/// Kills in all, of relays and workers, over SQLite: the usual number, and that of thorough tests.
const KILLS: [u32; 2] = [80, 200];
/// And over PostgreSQL, which is not killed itself: it has crash tests of its own.
const KILLS_OVER_POSTGRES: [u32; 2] = [24, 60];
/// Kills of the control's relay.
const CONTROL_KILLS: [u32; 2] = [16, 40];

/// The second number with `TACIT_TESTS_THOROUGH=1` in the environment.
fn times([usual, thorough]: [u32; 2]) -> u32 {
    if std::env::var("TACIT_TESTS_THOROUGH").as_deref() == Ok("1") { thorough } else { usual }
}

/// No test of its own: the relay that the tests below kill.
#[test]
fn relay() {
    let Ok(options) = std::env::var(RELAY) else { return };
    let [port, database, durability] = options.split(',').collect::<Vec<_>>()[..] else {
        panic!("{options}")
    };
    let mut options = ServeOptions {
        listen: ([127, 0, 0, 1], port.parse().unwrap()).into(),
        database: database.to_owned(),
        ..ServeOptions::default()
    };
    if durability == "forgetful" {
        options.store.durability = Durability::AcknowledgeBeforeCommit;
    }
    options.relay.limits.calls_per_address = None;
    options.relay.limits.requests_per_card = None;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(serve(options, |_| (), stop_signal())).unwrap();
}

/// A process that is killed, and started again, as often as one likes.
struct Mortal {
    command: Box<dyn Fn() -> Command>,
    child: Child,
}

impl Mortal {
    fn new(command: impl Fn() -> Command + 'static) -> Self {
        let child = command().spawn().unwrap();
        Self { command: Box::new(command), child }
    }

    /// `kill -9`, and up again.
    fn killed(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.child = (self.command)().spawn().unwrap();
    }
}

impl Drop for Mortal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A command that says nothing.
fn quiet(mut command: Command) -> Command {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn sqlite(folder: &Place) -> String {
    format!("sqlite://{}", folder.path("relay.db").display())
}

fn relay_at(port: u16, database: String, durability: &'static str) -> Mortal {
    Mortal::new(move || {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "relay"]).env(RELAY, format!("{port},{database},{durability}"));
        quiet(command)
    })
}

fn client(port: u16, patience: Patience) -> RelayClient {
    let address = RelayAddress::parse(&format!("http://127.0.0.1:{port}"), PlainHttp::LoopbackOnly).unwrap();
    RelayClient::new(address, &ClientOptions { patience, ..ClientOptions::default() }).unwrap()
}

fn random(range: std::ops::Range<u64>) -> Duration {
    Duration::from_millis(range.start + OsRng.next_u64() % (range.end - range.start))
}

/// Everything that a crowd of patients needs, and what was acknowledged to them.
#[derive(Clone)]
struct Crowd {
    port: u16,
    published: Published,
    document: ProviderDocument,
    record: Vec<i64>,
    acknowledged: Arc<Mutex<Vec<PendingRequest>>>,
    /// What was first handed out as an answer, by request.
    first_answers: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    over: Arc<AtomicBool>,
}

impl Crowd {
    /// Sends requests until it is over, and looks for answers to those sent before.
    fn send(&self, pause: std::ops::Range<u64>) {
        let relay = client(self.port, Patience::NONE);
        while !self.over.load(Ordering::Relaxed) {
            let (published, document) = (&self.published, &self.document);
            let pending =
                seal_record(published, document, self.record.clone(), None, relay.address(), &mut OsRng)
                    .unwrap();
            if post(&relay, &pending).is_ok() {
                self.acknowledged.lock().unwrap().push(pending);
            }
            if pause.end > 1 {
                self.look_for_an_answer(&relay);
                std::thread::sleep(random(pause.clone()));
            }
        }
    }

    fn look_for_an_answer(&self, relay: &RelayClient) {
        let (id, capability) = {
            let acknowledged = self.acknowledged.lock().unwrap();
            if acknowledged.is_empty() {
                return;
            }
            let any = &acknowledged[OsRng.next_u64() as usize % acknowledged.len()];
            (any.id(), any.capability().clone())
        };
        if let Ok(Fetched::Answer(bytes)) = relay.response(id, &capability, Duration::ZERO) {
            let mut first = self.first_answers.lock().unwrap();
            let first = first.entry(id.to_string()).or_insert_with(|| bytes.clone());
            assert_eq!(*first, bytes, "the answer to {id} has changed");
        }
    }
}

/// A provider with its card at a relay, and a crowd.
fn stage(port: u16) -> (Provider, Crowd) {
    let url = format!("http://127.0.0.1:{port}");
    let provider = Provider::published("sumcheck", &url);
    let card = tacit_claim::Card::from_json(&provider.place.read("card/card.json")).unwrap();
    let relay = client(port, Patience::default());
    let document = fetch_provider(&relay, &card).unwrap();
    let middle = |f: &tacit_model::Feature| (f.min + f.max) / 2;
    let record = card.schema().features.iter().map(middle).collect();
    let points = relay.points(card.id()).unwrap();
    let points = points.map(|p| tacit_claim::CardPoints::from_bytes(&p).unwrap());
    let crowd = Crowd {
        port,
        published: Published { card, points },
        document,
        record,
        acknowledged: Arc::default(),
        first_answers: Arc::default(),
        over: Arc::default(),
    };
    (provider, crowd)
}

fn worker(provider: &Provider, port: u16) -> Mortal {
    let (place, url) = (provider.place.path(""), format!("http://127.0.0.1:{port}"));
    let home = provider.place.path(".home");
    let arguments: Vec<String> = provider.work(&url, &[]).into_iter().map(str::to_owned).collect();
    Mortal::new(move || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tacit"));
        command.current_dir(&place).env_clear().env("XDG_DATA_HOME", &home).args(&arguments);
        quiet(command)
    })
}

#[test]
fn what_is_acknowledged_is_answered_exactly_once() {
    let folder = Place::new();
    killed_at_random(&folder, sqlite(&folder), times(KILLS));
}

#[test]
fn over_postgres_too() {
    if let Some(server) = tacit_tests::postgres::server() {
        killed_at_random(&Place::new(), server.database(), times(KILLS_OVER_POSTGRES));
    }
}

/// Kills the relay and workers under load; then every request that was acknowledged must be answered, and once.
fn killed_at_random(folder: &Place, database: String, kills: u32) {
    let port = free_port();
    let mut relay = relay_at(port, database, "durable");
    let (provider, crowd) = stage(port);
    let mut workers = [worker(&provider, port), worker(&provider, port)];
    let patients: Vec<_> = (0..3)
        .map(|_| {
            let crowd = crowd.clone();
            std::thread::spawn(move || crowd.send(50..250))
        })
        .collect();
    for _ in 0..kills {
        std::thread::sleep(random(20..200));
        match OsRng.next_u32() % 4 {
            0 | 1 => relay.killed(),
            2 => workers[0].killed(),
            _ => workers[1].killed(),
        }
    }
    crowd.over.store(true, Ordering::Relaxed);
    patients.into_iter().for_each(|p| p.join().unwrap());

    let relay_client = client(port, Patience::default());
    let acknowledged = crowd.acknowledged.lock().unwrap();
    assert!(acknowledged.len() > kills as usize / 2, "too little load: {}", acknowledged.len());
    let memory = DataFolder::new(folder.path("data"));
    let until = Instant::now() + Duration::from_secs(300);
    let mut seen_before = 0;
    for pending in &*acknowledged {
        let sealed = loop {
            match relay_client.response(pending.id(), pending.capability(), Duration::from_secs(10)).unwrap()
            {
                Fetched::Answer(sealed) => break sealed,
                Fetched::Pending => assert!(Instant::now() < until, "{} is not answered", pending.id()),
                Fetched::Unknown | Fetched::Gone => panic!("{} was acknowledged and is lost", pending.id()),
            }
        };
        // Its proof is about this very request and record.
        believe(pending, &sealed, &memory, false, &Silent).unwrap();
        if let Some(first) = crowd.first_answers.lock().unwrap().get(&pending.id().to_string()) {
            assert_eq!(*first, sealed, "{} was answered twice", pending.id());
            seen_before += 1;
        }
    }
    println!(
        "{} acknowledged, all answered once; {seen_before} seen before the last kill",
        acknowledged.len()
    );
}

/// The control: the same kills, and a relay that acknowledges what it has not yet committed. If nothing were lost here, the
/// test above would prove nothing.
#[test]
fn a_relay_that_acknowledges_too_early_loses_requests() {
    let (folder, port) = (Place::new(), free_port());
    // The card is published at a relay that keeps what it says.
    let durable = relay_at(port, sqlite(&folder), "durable");
    let (_provider, crowd) = stage(port);
    drop(durable);
    let mut relay = relay_at(port, sqlite(&folder), "forgetful");
    let patients: Vec<_> = (0..8)
        .map(|_| {
            let crowd = crowd.clone();
            std::thread::spawn(move || crowd.send(0..1))
        })
        .collect();
    for _ in 0..times(CONTROL_KILLS) {
        std::thread::sleep(random(150..500));
        relay.killed();
    }
    crowd.over.store(true, Ordering::Relaxed);
    patients.into_iter().for_each(|p| p.join().unwrap());
    let relay = client(port, Patience::default());
    let acknowledged = crowd.acknowledged.lock().unwrap();
    let lost = acknowledged.iter().filter(|pending| {
        let found = relay.response(pending.id(), pending.capability(), Duration::ZERO).unwrap();
        matches!(found, Fetched::Unknown)
    });
    let lost = lost.count();
    println!("{lost} of {} acknowledged requests were lost", acknowledged.len());
    assert!(lost > 0, "nothing was lost: the kills do not hit what matters");
}
