//! The relay on a socket: clients that dawdle, its end, TLS, several relays on one database, its log.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::common::{self, Backend, Database, call, database, post, provider, request_path, site};
use axum::http::Method;
use tacit_server::Clock;
use tacit_server::serve::{ServeError, ServeOptions, TlsFiles, serve};
use tacit_server::store::{Durability, SqlStore, Store as _, StoreOptions};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

on_both!(leases_have_one_winner, answers_are_woken_across_relays, changes_outlive_the_relay);

struct Running {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), ServeError>>,
}

async fn start(database: &Database, change: impl FnOnce(&mut ServeOptions)) -> Running {
    let mut options = ServeOptions {
        listen: ([127, 0, 0, 1], 0).into(),
        database: database.url.clone(),
        ..ServeOptions::default()
    };
    options.relay.clock = Clock::of(|| common::NOW);
    options.relay.limits.calls_per_address = None;
    change(&mut options);
    let (ready, address) = oneshot::channel();
    let (stop, stopped) = oneshot::channel::<()>();
    let ready = move |address| ready.send(address).unwrap();
    let task = tokio::spawn(serve(options, ready, async {
        let _ = stopped.await;
    }));
    Running { address: address.await.unwrap(), stop: Some(stop), task }
}

impl Running {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }
}

async fn rest(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    // A reset is an end, too.
    let _ = stream.read_to_end(&mut text).await;
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_dawdles_is_cut_off() {
    let database = database(Backend::Sqlite).unwrap();
    let running = start(&database, |options| {
        let limits = &mut options.relay.limits;
        limits.header_timeout = Duration::from_millis(400);
        limits.body_timeout = Duration::from_millis(400);
        limits.connections = 3;
    })
    .await;
    let began = Instant::now();
    let mut silent = running.connect().await;
    let mut slow_header = running.connect().await;
    slow_header.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nx-").await.unwrap();
    let mut slow_body = running.connect().await;
    let head = b"POST /v1/requests HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nabc";
    slow_body.write_all(head).await.unwrap();
    // All three places are taken: the next waits until one is free.
    let mut waits = running.connect().await;
    waits.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    assert_eq!(rest(&mut silent).await, "");
    rest(&mut slow_header).await;
    let answer = rest(&mut slow_body).await;
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("urn:tacit:problem:timeout"), "{answer}");
    let answer = rest(&mut waits).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with(r#"{"status":"ok"}"#), "{answer}");
    assert!(began.elapsed() < Duration::from_secs(5));
    // A body that never ends, of pieces without a length.
    let mut endless = running.connect().await;
    endless
        .write_all(
            b"PUT /v1/requests HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabcde\r\n",
        )
        .await
        .unwrap();
    let mut first = [0; 12];
    endless.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 405");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_is_graceful() {
    let database = database(Backend::Sqlite).unwrap();
    let mut p = provider(1);
    let pending = {
        let site = site(&database).await;
        p.publish(&site).await;
        let pending = p.post(&site).await;
        site.relay.store().close().await;
        pending
    };
    let mut running = start(&database, |_| {}).await;
    let mut waits = running.connect().await;
    let head = format!(
        "GET {} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\r\n",
        request_path(pending.id(), "/response?wait=60"),
        *pending.capability().to_bearer()
    );
    waits.write_all(head.as_bytes()).await.unwrap();
    // One that is being sent when the relay is told to stop is taken, and kept.
    let sealed = p.seal(common::NOW);
    let body = sealed.request().to_bytes();
    let mut sending = running.connect().await;
    let head = format!("POST /v1/requests HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
    sending.write_all(head.as_bytes()).await.unwrap();
    sending.write_all(&body[..100]).await.unwrap();
    let idle = running.connect().await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let began = Instant::now();
    running.stop();
    tokio::time::sleep(Duration::from_millis(100)).await;
    sending.write_all(&body[100..]).await.unwrap();
    let answer = rest(&mut sending).await;
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    let answer = rest(&mut waits).await;
    assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
    running.task.await.unwrap().unwrap();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    drop(idle);
    assert!(TcpStream::connect(running.address).await.is_err());
    let site = site(&database).await;
    assert_eq!(p.waiting(&site).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plain_http_stays_on_this_machine() {
    let database = database(Backend::Sqlite).unwrap();
    let open = ServeOptions {
        listen: ([0, 0, 0, 0], 0).into(),
        database: database.url.clone(),
        ..ServeOptions::default()
    };
    let refused = serve(open, |_| panic!("it listens"), std::future::pending()).await.unwrap_err();
    assert!(matches!(refused, ServeError::PlainHttp(_)) && refused.to_string().contains("certificate"));
    let none = TlsFiles { certificate: "/nowhere/a.pem".into(), key: "/nowhere/b.pem".into() };
    let none = ServeOptions { tls: Some(none), database: database.url.clone(), ..ServeOptions::default() };
    let refused = serve(none, |_| panic!("it listens"), std::future::pending()).await.unwrap_err();
    assert!(matches!(refused, ServeError::Tls { .. }), "{refused}");
    let unknown = ServeOptions {
        listen: ([127, 0, 0, 1], 0).into(),
        database: "mysql://user:secret@host/x".into(),
        ..ServeOptions::default()
    };
    let refused = serve(unknown, |_| panic!("it listens"), std::future::pending()).await.unwrap_err();
    assert!(!refused.to_string().contains("host/x"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_by_either_protocol() {
    let database = database(Backend::Sqlite).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let files = TlsFiles { certificate: folder.path().join("a.pem"), key: folder.path().join("b.pem") };
    std::fs::write(&files.certificate, made.cert.pem()).unwrap();
    std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
    let mut running = start(&database, |options| options.tls = Some(files)).await;
    for protocol in ["h2", "http/1.1"] {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.into()];
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let stream =
            connector.connect("localhost".try_into().unwrap(), running.connect().await).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(protocol.as_bytes()));
        let io = hyper_util::rt::TokioIo::new(stream);
        let request = hyper::Request::get("https://localhost/healthz").header("host", "localhost");
        let request = request.body(http_body_util::Empty::<axum::body::Bytes>::new()).unwrap();
        let status = if protocol == "h2" {
            let executor = hyper_util::rt::TokioExecutor::new();
            let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
            tokio::spawn(connection);
            sender.send_request(request).await.unwrap().status()
        } else {
            let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
            tokio::spawn(connection);
            sender.send_request(request).await.unwrap().status()
        };
        assert_eq!(status, 200, "{protocol}");
    }
    // No plain HTTP where TLS is spoken.
    let mut plain = running.connect().await;
    plain.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert!(!rest(&mut plain).await.contains("200"));
    running.stop();
    running.task.await.unwrap().unwrap();
}

/// Two relays of one database where it can be shared; otherwise two clients of one relay.
async fn leases_have_one_winner(database: Database) {
    let shared = database.url.starts_with("postgres");
    let a = site(&database).await;
    let b = if shared { site(&database).await } else { a.clone() };
    let mut p = provider(1);
    p.publish(&a).await;
    for round in 0..20 {
        let id = p.post(if round % 2 == 0 { &a } else { &b }).await.id();
        let path = request_path(id, "/lease");
        let lease = |worker: u8| {
            let body = serde_json::json!({ "worker": hex::encode([worker; 16]), "seconds": 60 }).to_string();
            call(Method::PUT, path.clone()).body(body).signed(&p.key)
        };
        let replies = tokio::join!(a.call(lease(1)), b.call(lease(2)), a.call(lease(3)), b.call(lease(4)));
        let statuses = [replies.0.status, replies.1.status, replies.2.status, replies.3.status];
        let won = statuses.iter().filter(|status| **status == 200).count();
        let lost = statuses.iter().filter(|status| **status == 409).count();
        assert_eq!((won, lost), (1, 3), "{statuses:?}");
        // Two different answers at once: one is kept.
        let answer =
            |bytes: &[u8]| call(Method::PUT, request_path(id, "/response")).body(bytes).signed(&p.key);
        let (one, other) = (p.answer(id), p.other_answer(id));
        let replies = tokio::join!(a.call(answer(one.to_bytes())), b.call(answer(other.to_bytes())));
        let mut statuses = [replies.0.status.as_u16(), replies.1.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409]);
    }
    // A nonce is spent at every relay.
    let list = call(Method::GET, p.path("/requests")).signed(&p.key);
    let once = common::nonce();
    a.send(common::signed_request(&list, common::NOW, &once)).await.expect(200);
    b.send(common::signed_request(&list, common::NOW, &once)).await.expect_problem(401, "replayed");
}

async fn answers_are_woken_across_relays(database: Database) {
    let shared = database.url.starts_with("postgres");
    let a = site(&database).await;
    let b = if shared { site(&database).await } else { a.clone() };
    let mut p = provider(1);
    p.publish(&a).await;
    // Another relay's document is seen within a second.
    b.get("/v1/cards").await.expect(200);
    let pending = p.seal(common::NOW);
    b.call(post(&pending)).await.expect(201);
    let wait =
        call(Method::GET, request_path(pending.id(), "/response?wait=20")).bearer(pending.capability());
    let answer = p.answer(pending.id());
    let put =
        call(Method::PUT, request_path(pending.id(), "/response")).body(answer.to_bytes()).signed(&p.key);
    let began = Instant::now();
    let (got, ()) = tokio::join!(a.call(wait), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        b.call(put).await.expect(201);
    });
    got.expect(200);
    assert!(began.elapsed() < Duration::from_secs(5));
}

async fn changes_outlive_the_relay(database: Database) {
    let mut p = provider(1);
    let first = site(&database).await;
    p.publish(&first).await;
    let pending = p.post(&first).await;
    first.relay.store().close().await;
    // The next relay knows what the last one did, nonces included.
    let second = site(&database).await;
    assert_eq!(p.waiting(&second).await, [pending.id().to_string()]);
    second.relay.store().close().await;
    // Closed is closed.
    let busy = second.call(call(Method::GET, "/healthz")).await.expect_problem(503, "busy");
    assert!(busy.headers.contains_key("retry-after"));
}

/// With durability switched off a relay acknowledges what it then loses: the control of the test that kills relays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_durability_what_was_acknowledged_is_lost() {
    let database = database(Backend::Sqlite).unwrap();
    for (durability, kept) in [(Durability::Committed, 1), (Durability::AcknowledgeBeforeCommit, 0)] {
        let options = StoreOptions { durability };
        let store = SqlStore::open(&database.url, &options).await.unwrap();
        let before = store.usage().await.unwrap().cards;
        let q = provider(if kept == 1 { 1 } else { 2 });
        let new = tacit_server::store::NewCard {
            id: q.card.id(),
            owner: q.key.public().fingerprint(),
            owner_key: q.key.public().to_bytes(),
            name: "x".into(),
            engines: "sumcheck".into(),
            weights: "hidden",
            published_at: 1,
            json: q.card.to_json().to_vec(),
        };
        let quotas = tacit_server::Limits::default().quotas;
        store.apply(tacit_server::store::Change::PutCard(Box::new(new), quotas)).await.unwrap();
        // What a crash at this moment would leave behind.
        assert_eq!(store.usage().await.unwrap().cards - before, kept);
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_says_nothing_about_anybody() {
    use std::io::Write;
    use std::sync::Mutex;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);
    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::INFO)
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .finish();
    // For the whole process: other tests may write, and may say no more than these.
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let wrote = AtomicBool::new(false);
    let database = database(Backend::Sqlite).unwrap();
    let site = site(&database).await;
    let mut p = provider(41);
    p.publish(&site).await;
    let pending = p.post(&site).await;
    let path = request_path(pending.id(), "/response?wait=0");
    site.call(call(Method::GET, path).bearer(pending.capability())).await.expect(204);
    site.get("/v1/cards?limit=77").await.expect(200);
    site.get("/secret-path").await.expect(404);
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    wrote.store(text.contains("/v1/requests/{id}/response"), Ordering::Relaxed);
    assert!(wrote.load(Ordering::Relaxed), "{text}");
    for secret in [
        pending.capability().to_bearer().to_string(),
        pending.id().to_string(),
        p.card.id().to_string(),
        p.key.public().fingerprint().to_string(),
        "limit=77".to_owned(),
        "secret-path".to_owned(),
        "127.0.0.1".to_owned(),
    ] {
        assert!(!text.contains(&secret), "{secret} in {text}");
    }
    let metrics = site.get("/metrics").await.expect(200).text();
    assert!(
        metrics.contains("tacit_relay_calls_total{route=\"/v1/requests\",method=\"POST\",status=\"201\"} 1"),
        "{metrics}"
    );
    assert!(!metrics.contains(&pending.id().to_string()) && !metrics.contains("secret-path"));
}
