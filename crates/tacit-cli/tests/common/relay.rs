//! Relay, worker and proxies for the tests of the exchange: processes of the real command on loopback.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rand_core::{OsRng, RngCore as _};

use super::{Place, Run, data};

/// A port that was free a moment ago, below those that systems hand to outgoing connections: one of them could take it
/// while the process that listens on it is being started again.
pub(crate) fn free_port() -> u16 {
    let random = || 12_000 + (OsRng.next_u32() % 20_000) as u16;
    loop {
        let port = random();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// A process that ends with its value.
pub(crate) struct Process {
    child: Child,
    /// What it has said on standard error so far.
    pub(crate) log: Arc<Mutex<String>>,
}

impl Process {
    pub(crate) fn spawn(place: &Place, args: &[&str]) -> Self {
        let mut child =
            place.command().args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (said, err) = (log.clone(), child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in BufReader::new(err).lines().map_while(Result::ok) {
                let mut said = said.lock().unwrap();
                said.push_str(&line);
                said.push('\n');
            }
        });
        Self { child, log }
    }

    /// Waits until the log holds a text.
    #[track_caller]
    pub(crate) fn says(&mut self, text: &str) -> &mut Self {
        let until = Instant::now() + Duration::from_secs(120);
        while !self.log.lock().unwrap().contains(text) {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < until, "no `{text}` in {:?}, {ended:?}", self.log);
            std::thread::sleep(Duration::from_millis(10));
        }
        self
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends a signal by its name, through the shell's own kill.
    pub(crate) fn signal(&self, name: &str) {
        let line = format!("kill -{name} {}", self.child.id());
        assert!(std::process::Command::new("sh").args(["-c", &line]).status().unwrap().success());
    }

    /// Waits until it ends by itself.
    pub(crate) fn end(mut self) -> Run {
        let mut out = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        // The thread that reads the log may be a line behind.
        std::thread::sleep(Duration::from_millis(50));
        Run { code, out, err: self.log.lock().unwrap().clone() }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A relay with a database of its own.
pub(crate) struct Relay {
    pub(crate) place: Place,
    pub(crate) url: String,
    port: u16,
    process: Option<Process>,
}

impl Relay {
    pub(crate) fn start() -> Self {
        let mut relay = Self::stopped();
        relay.restart();
        relay
    }

    /// One that is not there yet.
    pub(crate) fn stopped() -> Self {
        let port = free_port();
        Self { place: Place::new(), url: format!("http://127.0.0.1:{port}"), port, process: None }
    }

    pub(crate) fn restart(&mut self) {
        let listen = format!("127.0.0.1:{}", self.port);
        self.process = None;
        let args = ["serve", "--database", "sqlite://relay.db", "--listen", &listen];
        self.process = Some(Process::spawn(&self.place, &args));
        let until = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(&listen).is_err() {
            let log = &self.process.as_ref().unwrap().log;
            assert!(Instant::now() < until, "the relay does not answer: {log:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Everything that it keeps on disk.
    pub(crate) fn stored(&self) -> Vec<u8> {
        let files = self.place.files();
        assert!(files.iter().any(|f| f == "relay.db"), "{files:?}");
        files.iter().flat_map(|name| self.place.read(name)).collect()
    }
}

/// A provider with the medical model, committed to and published.
pub(crate) struct Provider {
    pub(crate) place: Place,
    pub(crate) card: String,
    pub(crate) pin: String,
}

impl Provider {
    /// With a card for `engine`, published at a relay.
    pub(crate) fn published(engine: &str, url: &str) -> Self {
        let place = super::quantised();
        super::prepare(&place, engine);
        let pin = place.tacit("provider init clinic --json", &[]).ok().json()["fingerprint"]
            .as_str()
            .unwrap()
            .to_owned();
        let commit = "commit diagnosis.tacit --key clinic/owner.key -o card --engine {} --json";
        let card = place.tacit(commit, &[engine]).ok().json()["card_id"].as_str().unwrap().to_owned();
        let provider = Self { place, card, pin };
        provider.publish(url);
        provider
    }

    pub(crate) fn publish(&self, url: &str) {
        let line = "provider publish --key clinic/owner.key --card card/card.json --contact desk --relay {}";
        self.place.tacit(line, &[url]).ok();
    }

    /// A worker that takes requests.
    pub(crate) fn worker(&self, url: &str, more: &[&str]) -> Process {
        let mut worker = Process::spawn(&self.place, &self.work(url, more));
        worker.says("ready");
        worker
    }

    pub(crate) fn work<'a>(&self, url: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let fixed = [
            "provider",
            "work",
            "--key",
            "clinic/owner.key",
            "--model",
            "diagnosis.tacit",
            "--opening",
            "card/opening.secret",
            "--relay",
            url,
        ];
        [&fixed[..], more].concat()
    }

    /// Answers what waits.
    pub(crate) fn work_once(&self, url: &str) -> Run {
        self.place.run(self.work(url, &["--once"]))
    }

    /// Sends test record `row` into `request.secret` of a patient's place.
    pub(crate) fn send(&self, patient: &Place, url: &str, row: &str) -> Run {
        self.send_pinned(patient, url, row, &self.pin)
    }

    pub(crate) fn send_pinned(&self, patient: &Place, url: &str, row: &str, pin: &str) -> Run {
        let line = "patient send --relay {} --card {} --pin {} --input {} --row {} -o request.secret";
        patient.tacit(line, &[url, &self.card, pin, &data("test.csv"), row])
    }
}

/// What a proxy does to an answer: the request's first line, the status line, the body.
pub(crate) type Change = dyn Fn(&str, &mut String, &mut Vec<u8>) + Send + Sync;

/// A proxy in front of a relay that keeps every byte of both directions, and changes answers.
pub(crate) struct Proxy {
    pub(crate) url: String,
    pub(crate) seen: Arc<Mutex<Vec<u8>>>,
}

impl Proxy {
    pub(crate) fn recording(relay: &str) -> Self {
        Self::lying(relay, |_, _, _| {})
    }

    pub(crate) fn lying(
        relay: &str,
        change: impl Fn(&str, &mut String, &mut Vec<u8>) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let upstream = relay.strip_prefix("http://").unwrap().to_owned();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (kept, change): (_, Arc<Change>) = (seen.clone(), Arc::new(change));
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (upstream, kept, change) = (upstream.clone(), kept.clone(), change.clone());
                std::thread::spawn(move || pass_on(client, &upstream, &kept, &*change));
            }
        });
        Self { url, seen }
    }
}

/// First line, fields without those of the connection, body.
fn read_message(reader: &mut impl std::io::BufRead) -> Option<(String, Vec<String>, Vec<u8>)> {
    let (mut first, mut fields, mut length) = (String::new(), Vec::new(), 0);
    reader.read_line(&mut first).ok().filter(|n| *n > 0)?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
        if line.trim().is_empty() {
            break;
        }
        let lower = line.to_ascii_lowercase();
        assert!(!lower.starts_with("transfer-encoding"), "a message without its length: {line}");
        match lower.strip_prefix("content-length:") {
            Some(n) => length = n.trim().parse().unwrap(),
            None if lower.starts_with("connection:") => {}
            None => fields.push(line),
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((first.trim_end().to_owned(), fields, body))
}

fn write_message(first: &str, fields: &[String], body: &[u8]) -> Vec<u8> {
    let length =
        if first.contains(" 204 ") { String::new() } else { format!("content-length: {}\r\n", body.len()) };
    let head = format!("{first}\r\n{}connection: close\r\n{length}\r\n", fields.concat());
    [head.as_bytes(), body].concat()
}

fn pass_on(client: TcpStream, upstream: &str, seen: &Mutex<Vec<u8>>, change: &Change) {
    let mut reader = BufReader::new(client);
    let Some((first, fields, body)) = read_message(&mut reader) else { return };
    let asked = write_message(&first, &fields, &body);
    seen.lock().unwrap().extend_from_slice(&asked);
    let Ok(mut server) = TcpStream::connect(upstream) else { return };
    server.write_all(&asked).unwrap();
    let Some((mut status, fields, mut body)) = read_message(&mut BufReader::new(server)) else { return };
    change(&first, &mut status, &mut body);
    let answer = write_message(&status, &fields, &body);
    seen.lock().unwrap().extend_from_slice(&answer);
    // A client that went away has what it wanted.
    let _ = reader.get_mut().write_all(&answer);
}
