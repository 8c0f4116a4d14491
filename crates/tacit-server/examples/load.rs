//! How many sealed requests a relay takes: 1, 16 and 128 clients on loopback, each posting one after another.
//!
//! `cargo run --release -p tacit-server --features tools --example load -- [--requests N] [--clients 1,16,128] [--database URL]…`
//!
//! The requests are really sealed, ahead of time; the relay runs in this process, on the same cores. After every run the
//! store is read back: every acknowledged request must be there.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use tacit_claim::testing::{bytes, card, commitment, owner};
use tacit_claim::{CommittedInput, EngineId, InputOpening, SaltBytes};
use tacit_exchange::http_signature::{Signed, sign};
use tacit_exchange::{Ask, PrekeySecret, ProviderDocument, UnsignedProvider};
use tacit_server::Limits;
use tacit_server::serve::{ServeOptions, serve};
use tacit_server::store::{SqlStore, Store as _, StoreOptions};
use tokio::net::TcpStream;

#[derive(Debug, Parser)]
struct Args {
    /// Requests posted in each run
    #[arg(long, default_value_t = 10_000)]
    requests: usize,
    /// Clients of each run
    #[arg(long, value_delimiter = ',', default_value = "1,16,128")]
    clients: Vec<usize>,
    /// Databases; a temporary one of SQLite by default. One of PostgreSQL must be empty
    #[arg(long)]
    database: Vec<String>,
    /// Milliseconds below which 99 of 100 requests must be answered with the most clients; fails otherwise
    #[arg(long)]
    p99: Option<f64>,
    /// Requests per second that must be reached with the most clients; fails otherwise
    #[arg(long)]
    rate: Option<f64>,
}

type Failure = Box<dyn std::error::Error + Send + Sync>;
type Sender = hyper::client::conn::http1::SendRequest<Full<Bytes>>;

async fn connect(address: SocketAddr) -> Result<Sender, Failure> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn send(sender: &mut Sender, request: hyper::Request<Full<Bytes>>) -> Result<(u16, Bytes), Failure> {
    sender.ready().await?;
    let response = sender.send_request(request).await?;
    Ok((response.status().as_u16(), response.into_body().collect().await?.to_bytes()))
}

/// A card, its provider and sealed requests: as many as all runs need, each posted once.
struct World {
    seed: u64,
    document: ProviderDocument,
    sealed: Vec<(String, Bytes)>,
}

fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |t| t.as_secs())
}

fn world(seed: u64, requests: usize) -> Result<World, Failure> {
    let (card, now) = (card(seed), now());
    let mut rng = ChaCha20Rng::seed_from_u64(seed ^ now);
    let prekey = PrekeySecret::generate(now + 86_400, &mut rng);
    let content = UnsignedProvider {
        card: card.id(),
        relay: "http://127.0.0.1".to_owned(),
        contact: None,
        issued_at: now,
        prekeys: vec![prekey.public().clone()],
    };
    let document = ProviderDocument::sign(content, &owner(seed))?;
    let committed = CommittedInput { salt: SaltBytes::new(bytes(seed)), commitment: commitment(seed) };
    let input = InputOpening {
        card_id: card.id(),
        schema_digest: card.schema_digest(),
        record: (0..300).map(|i| i * 1_000_003).collect(),
        commitments: BTreeMap::from([(EngineId::Sumcheck, committed)]),
    };
    let mut sealed = Vec::with_capacity(requests);
    for _ in 0..requests {
        let ask =
            Ask { card: &card, prekey: prekey.public(), engine: EngineId::Sumcheck, input: &input, now };
        let pending = ask.seal("http://127.0.0.1".to_owned(), &mut rng)?;
        sealed.push((pending.id().to_string(), Bytes::copy_from_slice(pending.request().to_bytes())));
    }
    Ok(World { seed, document, sealed })
}

async fn publish(address: SocketAddr, world: &World) -> Result<(), Failure> {
    let (card, key) = (card(world.seed), owner(world.seed));
    let mut sender = connect(address).await?;
    let path = format!("/v1/cards/{}", card.id());
    for (path, body) in
        [(path.clone(), card.to_json()), (format!("{path}/provider"), world.document.to_json())]
    {
        let host = address.to_string();
        let signed = Signed { method: "PUT", authority: &host, path: &path, query: None, body };
        let nonce = uniform();
        let mut request = hyper::Request::put(&path).header("host", &host);
        for (name, value) in sign(&key, &signed, now(), &nonce)?.fields() {
            request = request.header(name, value);
        }
        let (status, body) =
            send(&mut sender, request.body(Full::new(Bytes::copy_from_slice(body)))?).await?;
        if !matches!(status, 200 | 201) {
            return Err(format!("publishing: {status} {}", String::from_utf8_lossy(&body)).into());
        }
    }
    Ok(())
}

fn uniform() -> [u8; 16] {
    let mut bytes = [0; 16];
    rand_core::RngCore::fill_bytes(&mut rand_core::OsRng, &mut bytes);
    bytes
}

/// Times of all requests, and the ids that were acknowledged.
async fn run(
    address: SocketAddr,
    clients: usize,
    sealed: &Arc<Vec<(String, Bytes)>>,
) -> Result<(Vec<Duration>, BTreeSet<String>), Failure> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut tasks = Vec::new();
    for _ in 0..clients {
        let mut sender = connect(address).await?;
        let (next, sealed) = (Arc::clone(&next), Arc::clone(sealed));
        tasks.push(tokio::spawn(async move {
            let mut times = Vec::new();
            let mut ids = Vec::new();
            while let Some((id, body)) = sealed.get(next.fetch_add(1, Ordering::Relaxed)) {
                let request = hyper::Request::post("/v1/requests").header("host", address.to_string());
                let request = request.body(Full::new(body.clone()))?;
                let began = Instant::now();
                let (status, answer) = send(&mut sender, request).await?;
                times.push(began.elapsed());
                if status != 201 {
                    return Err(format!("{status} {}", String::from_utf8_lossy(&answer)).into());
                }
                ids.push(id.clone());
            }
            Ok::<_, Failure>((times, ids))
        }));
    }
    let (mut times, mut acknowledged) = (Vec::new(), BTreeSet::new());
    for task in tasks {
        let (some, ids) = task.await??;
        times.extend(some);
        acknowledged.extend(ids);
    }
    Ok((times, acknowledged))
}

/// Ids of all requests that wait, read from the database itself.
async fn stored(url: &str, seed: u64) -> Result<BTreeSet<String>, Failure> {
    let store = SqlStore::open(url, &StoreOptions::default()).await?;
    let (mut ids, mut after) = (BTreeSet::new(), 0);
    loop {
        let page = store.waiting(card(seed).id(), after, 500, now()).await?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        ids.extend(page.iter().map(|waiting| waiting.id.to_string()));
    }
    store.close().await;
    Ok(ids)
}

async fn measure(args: &Args, url: &str) -> Result<(), Failure> {
    let name = url.split(':').next().unwrap_or("");
    for (at, clients) in args.clients.iter().enumerate() {
        let world = world(at as u64, args.requests)?;
        let size = world.sealed.first().map_or(0, |(_, body)| body.len());
        let mut options = ServeOptions {
            listen: ([127, 0, 0, 1], 0).into(),
            database: url.to_owned(),
            ..Default::default()
        };
        options.relay.limits = Limits {
            calls_per_address: None,
            requests_per_card: None,
            quotas: tacit_server::store::Quotas { waiting_per_card: u64::MAX, ..Limits::default().quotas },
            ..Limits::default()
        };
        let (ready, address) = tokio::sync::oneshot::channel();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let ready = |address| {
            // Nobody to tell if the run has failed.
            let _ = ready.send(address);
        };
        let relay = tokio::spawn(serve(options, ready, async {
            let _ = stopped.await;
        }));
        let address = address.await?;
        publish(address, &world).await?;
        let sealed = Arc::new(world.sealed);
        let began = Instant::now();
        let (mut times, acknowledged) = run(address, *clients, &sealed).await?;
        let rate = times.len() as f64 / began.elapsed().as_secs_f64();
        let _ = stop.send(());
        relay.await??;
        times.sort_unstable();
        let at = |share: f64| {
            let last = times.len().saturating_sub(1);
            times.get(((last as f64) * share) as usize).map_or(0.0, |time| time.as_secs_f64() * 1e3)
        };
        let lost = acknowledged.difference(&stored(url, world.seed).await?).count();
        println!(
            "{name:<9} {clients:>7} {:>9} {size:>6} {rate:>11.0} {:>8.2} {:>8.2} {:>8.2} {lost:>5}",
            times.len(),
            at(0.5),
            at(0.99),
            at(1.0)
        );
        if lost > 0 {
            return Err(format!("{lost} acknowledged requests are not in the store").into());
        }
        if Some(clients) == args.clients.iter().max() {
            if args.p99.is_some_and(|most| at(0.99) > most) {
                return Err("99 of 100 requests took longer than allowed".into());
            }
            if args.rate.is_some_and(|least| rate < least) {
                return Err("fewer requests per second than demanded".into());
            }
        }
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut args = Args::parse();
    let folder = tempfile::tempdir()?;
    if args.database.is_empty() {
        args.database = vec![format!("sqlite://{}/load.db", folder.path().display())];
        args.database.extend(tacit_tests::postgres::server().map(|server| server.database()));
    }
    println!("database  clients  requests  bytes  requests/s   p50 ms   p99 ms   max ms  lost");
    for url in &args.database {
        measure(&args, url).await?;
    }
    Ok(())
}
