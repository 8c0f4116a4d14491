//! `tacit serve`

use std::io::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use tacit_core::files;
use tacit_server::serve::{ServeError, ServeOptions, TlsFiles, serve, stop_signal};
use tacit_server::{Limits, Rate, RelayOptions};
use tracing_subscriber::filter::LevelFilter;

use crate::args::serve::{LogLevel, Serve, ServeLimits};
use crate::failure::Failure;
use crate::report::{PLAIN, Report};

pub(crate) fn run(args: &Serve, json: bool) -> Result<Report, Failure> {
    let options = options(args)?;
    log(args.log, json);
    let scheme = if options.tls.is_some() { "https" } else { "http" };
    let mut url = String::new();
    let ready = |address: SocketAddr| {
        url = format!("{scheme}://{address}");
        let mut err = anstream::stderr().lock();
        // A script may wait for this line; that nobody reads it is no reason to stop.
        let _ = if json {
            writeln!(err, "{}", json!({ "event": "listening", "url": url }))
        } else {
            writeln!(err, "listening on {url}")
        };
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::new(format!("the relay cannot begin: {e}")))?;
    runtime.block_on(serve(options, ready, stop_signal()))?;
    let mut report = Report::default();
    report.line(PLAIN, "Stopped; what was under way is finished");
    report.set("url", url);
    Ok(report)
}

fn log(level: LogLevel, json: bool) {
    let level = match level {
        LogLevel::Off => LevelFilter::OFF,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    let log = tracing_subscriber::fmt().with_max_level(level).with_ansi(false).with_writer(std::io::stderr);
    // Fails only where something logs already, and then that does.
    let _ = if json { log.json().try_init() } else { log.try_init() };
}

fn options(args: &Serve) -> Result<ServeOptions, Failure> {
    let verifier = args.verifier.as_deref().map(|path| files::read(path, 64 << 20)).transpose()?;
    let tls = args.tls_cert.clone().zip(args.tls_key.clone());
    Ok(ServeOptions {
        listen: args.listen,
        database: args.database.clone(),
        tls: tls.map(|(certificate, key)| TlsFiles { certificate, key }),
        plain_http: args.plain_http,
        relay: RelayOptions {
            limits: limits(&args.limits),
            authority: args.authority.clone(),
            publishers: args.publishers.iter().copied().collect(),
            trust_forwarded: args.trust_forwarded,
            verifier: verifier.map(|bytes| bytes.to_vec().into()),
            ..RelayOptions::default()
        },
        ..ServeOptions::default()
    })
}

fn limits(args: &ServeLimits) -> Limits {
    let mut limits = Limits::default();
    let mebibytes = |n: u32| n as usize * (1 << 20);
    if let Some(n) = args.max_request {
        limits.request_bytes = mebibytes(n);
    }
    if let Some(n) = args.max_answer {
        limits.response_bytes = mebibytes(n);
    }
    if let Some(n) = args.max_stored {
        limits.quotas.stored_bytes = u64::from(n) << 20;
    }
    if let Some(n) = args.message_days {
        limits.message_lifetime = Duration::from_secs(u64::from(n) * 86_400);
    }
    if let Some(n) = args.waiting_per_card {
        limits.quotas.waiting_per_card = n.into();
    }
    if let Some(n) = args.connections {
        limits.connections = n as usize;
    }
    let rate = |n: u32| (n > 0).then(|| Rate::new(n, n.saturating_mul(4)));
    if let Some(n) = args.calls_per_second {
        limits.calls_per_address = rate(n);
    }
    if let Some(n) = args.requests_per_second {
        limits.requests_per_card = rate(n);
    }
    limits
}

impl From<ServeError> for Failure {
    fn from(e: ServeError) -> Self {
        let advice = match &e {
            ServeError::PlainHttp(_) => "pass --tls-cert and --tls-key, or --plain-http behind a proxy",
            ServeError::Listen { .. } => "choose another address or port with --listen",
            ServeError::Tls { .. } => "pass a certificate chain and its key in PEM",
            ServeError::Store(_) => "check --database: sqlite://FILE or postgres://USER@HOST/NAME",
        };
        Self::new(e.to_string()).advise(advice)
    }
}
