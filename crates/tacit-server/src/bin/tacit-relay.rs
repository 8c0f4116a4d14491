//! The relay as a program of its own. `tacit serve` has every option.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use tacit_server::serve::{ServeOptions, TlsFiles, serve, stop_signal};

/// Stores cards and sealed messages, and can read neither.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// Where to listen; port 0 for any that is free
    #[arg(long, default_value = "127.0.0.1:8440")]
    listen: SocketAddr,
    /// `sqlite://FILE` or `postgres://…`
    #[arg(long, default_value = "sqlite://tacit.db", env = "TACIT_DATABASE", hide_env_values = true)]
    database: String,
    /// The certificate chain, in PEM
    #[arg(long, requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's key, in PEM
    #[arg(long, requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Speak plain HTTP on an address that others reach, because a proxy in front speaks TLS
    #[arg(long)]
    plain_http: bool,
    /// The authority that signed calls must name, such as `relay.example`
    #[arg(long)]
    authority: Option<String>,
    /// Take the client's address from the last entry of x-forwarded-for
    #[arg(long)]
    trust_forwarded: bool,
    /// Do not limit how often one address calls or one card is asked: for measuring
    #[arg(long)]
    unlimited_rates: bool,
    /// Log as JSON
    #[arg(long)]
    log_json: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let level = if std::env::var_os("RUST_LOG").is_some() {
        tracing_subscriber::EnvFilter::from_default_env()
    } else {
        tracing_subscriber::EnvFilter::new("info")
    };
    let log = tracing_subscriber::fmt().with_env_filter(level).with_writer(std::io::stderr);
    if args.log_json {
        log.json().init()
    } else {
        log.init()
    }
    let mut options = ServeOptions {
        listen: args.listen,
        database: args.database,
        tls: args.tls_cert.zip(args.tls_key).map(|(certificate, key)| TlsFiles { certificate, key }),
        plain_http: args.plain_http,
        ..ServeOptions::default()
    };
    options.relay.authority = args.authority;
    options.relay.trust_forwarded = args.trust_forwarded;
    if args.unlimited_rates {
        options.relay.limits.calls_per_address = None;
        options.relay.limits.requests_per_card = None;
    }
    let scheme = if options.tls.is_some() { "https" } else { "http" };
    let ready = |address: SocketAddr| {
        // A script may wait for this line; one that does not read it is no reason to stop.
        let _ = writeln!(std::io::stdout(), "listening on {scheme}://{address}");
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "no runtime");
            return ExitCode::from(2);
        }
    };
    match runtime.block_on(serve(options, ready, stop_signal())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::from(2)
        }
    }
}
