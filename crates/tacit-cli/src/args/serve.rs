//! `tacit serve`

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use tacit_claim::Fingerprint;

/// `tacit serve`
#[derive(Debug, Args)]
#[command(
    about = "Run a relay: it stores cards and sealed messages, and can read neither",
    long_about = "Run a relay: it stores cards and sealed messages, and can read neither.\n\n\
        What it has acknowledged is on disk. SQLite is built in; several relays behind a balancer share a PostgreSQL. With a \
        certificate it speaks TLS; without one it listens on this machine alone, unless --plain-http says that a proxy in \
        front speaks TLS. Its page at / lists the cards, and with --verifier verifies proofs in the visitor's browser; \
        /openapi.json describes the interface, /healthz and /metrics are for whoever watches it. Ctrl-C finishes what is \
        under way.",
    after_help = "Examples:\n  tacit serve\n  \
        tacit serve --listen 0.0.0.0:443 --tls-cert chain.pem --tls-key key.pem --database postgres://tacit@db/tacit"
)]
pub(crate) struct Serve {
    /// Where to listen; port 0 for any that is free
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:7878")]
    pub(crate) listen: SocketAddr,
    /// sqlite://FILE or postgres://…; may hold a password, which the environment keeps from other users' eyes
    #[arg(
        long,
        value_name = "URL",
        default_value = "sqlite://tacit.db",
        env = "TACIT_DATABASE",
        hide_env_values = true
    )]
    pub(crate) database: String,
    /// Certificate chain in PEM, the relay's own first
    #[arg(long, value_name = "FILE.pem", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The certificate's key in PEM
    #[arg(long, value_name = "FILE.pem", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Speak plain HTTP to other machines, because a proxy in front speaks TLS
    #[arg(long)]
    pub(crate) plain_http: bool,
    /// Host and port that signed calls must name, such as relay.example [default: what the call says]
    #[arg(long, value_name = "HOST[:PORT]")]
    pub(crate) authority: Option<String>,
    /// Take the client's address from the last entry of x-forwarded-for, which a proxy in front sets
    #[arg(long)]
    pub(crate) trust_forwarded: bool,
    /// Only these owners may publish cards; may be repeated [default: anybody]
    #[arg(long = "publisher", value_name = "FINGERPRINT")]
    pub(crate) publishers: Vec<Fingerprint>,
    /// The module with which the page verifies proofs in a browser
    #[arg(long, value_name = "FILE.wasm")]
    pub(crate) verifier: Option<PathBuf>,
    /// How much is logged, on standard error
    #[arg(long, value_enum, default_value_t = LogLevel::Info)]
    pub(crate) log: LogLevel,
    #[command(flatten)]
    pub(crate) limits: ServeLimits,
}

/// What a relay lets its clients do.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct ServeLimits {
    /// Largest sealed request, in mebibytes
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) max_request: Option<u32>,
    /// Largest sealed answer, in mebibytes
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) max_answer: Option<u32>,
    /// Everything that is stored, in mebibytes
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_stored: Option<u32>,
    /// Days for which a message is kept
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=365))]
    pub(crate) message_days: Option<u32>,
    /// Unanswered requests of one card
    #[arg(long, value_name = "N")]
    pub(crate) waiting_per_card: Option<u32>,
    /// Calls of one address in a second; 0 for any number
    #[arg(long, value_name = "N")]
    pub(crate) calls_per_second: Option<u32>,
    /// Requests to one card in a second; 0 for any number
    #[arg(long, value_name = "N")]
    pub(crate) requests_per_second: Option<u32>,
    /// Open connections
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) connections: Option<u32>,
}

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogLevel {
    /// Nothing
    Off,
    /// What goes wrong
    Warn,
    /// And what is worth knowing
    Info,
    /// Every call
    Debug,
}
