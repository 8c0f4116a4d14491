//! The relay on a socket.

mod connection;
mod tls;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use crate::app::app;
use crate::state::{Relay, RelayOptions};
use crate::store::{Change, Outcome, SqlStore, Store, StoreError, StoreOptions};

/// How often what has expired is swept.
const SWEEP: Duration = Duration::from_secs(30);

/// A certificate chain and its key, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain, the relay's own certificate first.
    pub certificate: PathBuf,
    /// The key.
    pub key: PathBuf,
}

/// How a relay is served.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// Where it listens; port 0 for any that is free.
    pub listen: SocketAddr,
    /// `sqlite://tacit.db` or `postgres://…`.
    pub database: String,
    /// How the database is used.
    pub store: StoreOptions,
    /// The certificate; without one the relay speaks plain HTTP.
    pub tls: Option<TlsFiles>,
    /// Whether plain HTTP may be spoken to other machines, as a proxy in front of the relay would.
    pub plain_http: bool,
    /// How the relay behaves.
    pub relay: RelayOptions,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8440)),
            database: "sqlite://tacit.db".to_owned(),
            store: StoreOptions::default(),
            tls: None,
            plain_http: false,
            relay: RelayOptions::default(),
        }
    }
}

/// Why a relay cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Plain HTTP on an address that others reach.
    #[error(
        "without a certificate the relay listens on this machine alone, not on {0}: give it a certificate and a key, or allow plain HTTP where a proxy in front of it speaks TLS"
    )]
    PlainHttp(SocketAddr),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        error: std::io::Error,
    },
    /// The certificate or its key cannot be used.
    #[error("{path}: {why}")]
    Tls {
        /// Which file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The database cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Serves until `shutdown` ends, then finishes what is under way and closes the database. `ready` is told where the
/// relay listens.
///
/// # Errors
/// [`ServeError`] when the relay cannot begin; once `ready` was called there are none.
pub async fn serve(
    options: ServeOptions,
    ready: impl FnOnce(SocketAddr),
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let ServeOptions { listen, database, store, tls, plain_http, relay } = options;
    if tls.is_none() && !plain_http && !listen.ip().is_loopback() {
        return Err(ServeError::PlainHttp(listen));
    }
    let mut shutdown = std::pin::pin!(shutdown);
    // Waited for from here on, so that whoever stops the relay as soon as it says that it listens is heard.
    let is_stopped = tokio::select! {
        biased;
        () = &mut shutdown => true,
        () = std::future::ready(()) => false,
    };
    let tls = tls.as_ref().map(tls::acceptor).transpose()?;
    let failed = |error| ServeError::Listen { address: listen, error };
    let listener = TcpListener::bind(listen).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let store: Arc<dyn Store> = Arc::new(SqlStore::open(&database, &store).await?);
    let relay = Relay::new(Arc::clone(&store), relay);
    ready(address);
    tracing::info!(%address, tls = tls.is_some(), "the relay listens");
    if !is_stopped {
        run(listener, tls, &relay, shutdown).await;
    }
    store.close().await;
    tracing::info!("the relay has stopped");
    Ok(())
}

/// Takes connections of a listener until `shutdown` ends, then drains them.
async fn run(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    relay: &Relay,
    shutdown: impl Future<Output = ()>,
) {
    let limits = relay.0.limits().clone();
    let service = app(relay.clone());
    let places = Arc::new(Semaphore::new(limits.connections.clamp(1, Semaphore::MAX_PERMITS)));
    let graceful = hyper_util::server::graceful::GracefulShutdown::new();
    let sweeper = tokio::spawn(sweep(relay.clone()));
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        // Whoever comes when all places are taken waits in the system's queue.
        let place = tokio::select! {
            biased;
            () = &mut shutdown => break,
            place = Arc::clone(&places).acquire_owned() => place,
        };
        let Ok(place) = place else { break };
        let (stream, peer) = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Too many open files, or a client that went away: others may still come.
                    tracing::warn!(%error, "a connection was not taken");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
        };
        let open = relay.0.metrics.connections.clone();
        let (service, tls, limits, watcher) =
            (service.clone(), tls.clone(), limits.clone(), graceful.watcher());
        tokio::spawn(async move {
            open.inc();
            connection::serve(stream, peer, tls, service, &limits, watcher).await;
            open.dec();
            drop(place);
        });
    }
    tracing::info!("the relay stops: it takes no more connections and finishes what is under way");
    drop(listener);
    relay.stop();
    if tokio::time::timeout(limits.drain, graceful.shutdown()).await.is_err() {
        tracing::warn!("some clients did not finish in time");
    }
    sweeper.abort();
}

/// Sweeps what has expired, until it is aborted.
async fn sweep(relay: Relay) {
    loop {
        tokio::time::sleep(SWEEP).await;
        sweep_now(&relay).await;
    }
}

/// Sweeps all that has expired.
pub async fn sweep_now(relay: &Relay) {
    relay.0.rates.forget_quiet();
    loop {
        match relay.0.store.apply(Change::Sweep { now: relay.0.now() }).await {
            Ok(Outcome::Swept(0)) => return,
            Ok(Outcome::Swept(rows)) => {
                relay.0.metrics.swept.inc_by(rows as u64);
                tracing::debug!(rows, "swept");
            }
            Ok(_) => return,
            Err(error) => {
                tracing::error!(%error, "what has expired could not be swept");
                return;
            }
        }
    }
}

/// Ends when the process is interrupted or told to terminate.
pub async fn stop_signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let (Ok(mut interrupt), Ok(mut terminate)) =
            (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    if let Err(error) = tokio::signal::ctrl_c().await {
        tracing::error!(%error, "signals cannot be waited for");
        std::future::pending::<()>().await;
    }
}
