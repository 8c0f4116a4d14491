//! One store for SQLite and PostgreSQL.

use std::str::FromStr as _;
use std::sync::{LazyLock, Once};
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AnyPool, ConnectOptions as _, Executor as _, SqlSafeStr as _};

use super::writer::Writer;
use super::{Change, Durability, Outcome, StoreError, StoreOptions};

/// The schema, from its first version on.
static MIGRATOR: LazyLock<Migrator> = LazyLock::new(|| {
    let relay = include_str!("../../migrations/0001_relay.sql").into_sql_str();
    Migrator::with_migrations(vec![Migration::new(1, "relay".into(), MigrationType::Simple, relay, false)])
});

/// Connections that read.
const READERS: u32 = 4;

/// Which database it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Backend {
    Sqlite,
    Postgres,
}

/// The store over a SQL database: one connection that writes, in transactions of everything that waits, and some that
/// read.
#[derive(Debug)]
pub struct SqlStore {
    pub(super) readers: AnyPool,
    writer: Writer,
    backend: Backend,
}

impl SqlStore {
    /// Opens the database at `url` (`sqlite://tacit.db`, which is made where it is missing, or `postgres://…`) and brings its
    /// schema up to date.
    ///
    /// # Errors
    /// [`StoreError`]: no such database, or none of ours.
    pub async fn open(url: &str, options: &StoreOptions) -> Result<Self, StoreError> {
        static DRIVERS: Once = Once::new();
        DRIVERS.call_once(sqlx::any::install_default_drivers);
        let (backend, url) = if url.starts_with("sqlite:") {
            let joint = if url.contains('?') { '&' } else { '?' };
            let mode = if url.contains("mode=") { String::new() } else { format!("{joint}mode=rwc") };
            (Backend::Sqlite, format!("{url}{mode}"))
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            (Backend::Postgres, url.to_owned())
        } else {
            let shown = url.split(['@', '?']).next().unwrap_or("").chars().take(40).collect();
            return Err(StoreError::Url(shown));
        };
        let connect = AnyConnectOptions::from_str(&url)?.disable_statement_logging();
        let pool = |size: u32| {
            let loses = options.durability == Durability::AcknowledgeBeforeCommit;
            AnyPoolOptions::new()
                .max_connections(size)
                .acquire_timeout(Duration::from_secs(10))
                .after_connect(move |connection, _| {
                    Box::pin(async move {
                        connection.execute(setup(backend, loses)).await?;
                        Ok(())
                    })
                })
        };
        let writing = pool(1).connect_with(connect.clone()).await?;
        MIGRATOR.run(&writing).await?;
        let readers = pool(READERS).connect_with(connect).await?;
        Ok(Self { readers, writer: Writer::start(writing, options.durability), backend })
    }

    pub(super) async fn change(&self, change: Change) -> Result<Outcome, StoreError> {
        self.writer.apply(change).await
    }

    pub(super) fn poll_interval(&self) -> Option<Duration> {
        (self.backend == Backend::Postgres).then_some(Duration::from_secs(1))
    }

    pub(super) async fn shut(&self) {
        self.writer.close().await;
        self.readers.close().await;
    }
}

/// What every connection begins with.
const fn setup(backend: Backend, loses: bool) -> &'static str {
    match (backend, loses) {
        (Backend::Sqlite, false) => {
            "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
             PRAGMA cache_size = -32768; PRAGMA mmap_size = 268435456"
        }
        (Backend::Sqlite, true) => {
            "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF"
        }
        (Backend::Postgres, false) => "SET synchronous_commit = on",
        (Backend::Postgres, true) => "SET synchronous_commit = off",
    }
}

#[cfg(test)]
mod tests {
    use sqlx::Row as _;

    use super::*;

    #[tokio::test]
    async fn sqlite_syncs_every_commit() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/relay.db", folder.path().display());
        let store = SqlStore::open(&url, &StoreOptions::default()).await.unwrap();
        // 2 is FULL.
        let row = sqlx::query("PRAGMA synchronous").fetch_one(&store.readers).await.unwrap();
        assert_eq!(row.get::<i64, _>(0), 2);
        let row = sqlx::query("PRAGMA journal_mode").fetch_one(&store.readers).await.unwrap();
        assert_eq!(row.get::<String, _>(0), "wal");
    }
}
