//! The face of the store: opening it, and running work on its threads.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::Builder;
use std::time::{SystemTime, UNIX_EPOCH};

use super::dialect::Dialect;
use super::job::{Job, submit};
use super::migrate::MIGRATIONS;
use super::postgres::{self, Access};
use super::sqlite;
use super::tx::Tx;
use crate::error::StoreError;

/// Closures that may wait; more are refused with [`StoreError::Overloaded`].
const QUEUE_MAX: usize = 4096;

/// Where the data is.
#[derive(Clone, PartialEq)]
pub enum StoreTarget {
    /// A file.
    Sqlite(PathBuf),
    /// A server. There is no TLS: use a socket, a private network or a tunnel.
    Postgres(Box<tokio_postgres::Config>),
}

impl StoreTarget {
    /// Reads `postgres://…`, `postgresql://…`, `sqlite:PATH` or a path.
    ///
    /// # Errors
    /// The address of a server cannot be read.
    pub fn parse(text: &str) -> Result<Self, StoreError> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            let config =
                text.parse().map_err(|_| StoreError::Unusable("its address cannot be read".into()))?;
            return Ok(Self::Postgres(Box::new(config)));
        }
        Ok(Self::Sqlite(PathBuf::from(text.strip_prefix("sqlite:").unwrap_or(text))))
    }
}

/// Never shows a password.
impl std::fmt::Debug for StoreTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(config) => {
                write!(f, "postgres: {:?}/{:?}", config.get_hosts(), config.get_dbname())
            }
        }
    }
}

/// How the store uses its database.
#[derive(Clone, Copy, Debug)]
pub struct StoreOptions {
    /// Connections that write, on PostgreSQL; SQLite has one.
    pub writers: usize,
    /// Connections that read.
    pub readers: usize,
}

impl Default for StoreOptions {
    /// Five and three: what a centre of some hundred agents keeps busy, and far below PostgreSQL's default of 100.
    fn default() -> Self {
        Self { writers: 5, readers: 3 }
    }
}

/// All that is kept. Clones share the same threads; the threads end when the last clone is dropped.
#[derive(Clone)]
pub struct Store {
    dialect: Dialect,
    writes: SyncSender<Box<dyn Job>>,
    reads: SyncSender<Box<dyn Job>>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store({:?})", self.dialect)
    }
}

impl Store {
    /// Opens the database, brings its schema up to date and starts the threads.
    ///
    /// # Errors
    /// It cannot be reached or opened, its schema is newer than this program or was made by another one, or a
    /// migration fails (then nothing of it is applied).
    pub async fn open(target: &StoreTarget, options: StoreOptions) -> Result<Self, StoreError> {
        let target = target.clone();
        let opening = move || Self::open_blocking(&target, options);
        tokio::task::spawn_blocking(opening).await.unwrap_or(Err(StoreError::Panicked))
    }

    /// As [`Self::open`], for a thread that drives no runtime.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_blocking(target: &StoreTarget, options: StoreOptions) -> Result<Self, StoreError> {
        match target {
            StoreTarget::Sqlite(path) => Self::open_sqlite(path, options),
            StoreTarget::Postgres(config) => Self::open_postgres(config, options),
        }
    }

    fn open_sqlite(path: &Path, options: StoreOptions) -> Result<Self, StoreError> {
        sqlite::migrate(path, MIGRATIONS, wall_clock_micros())?;
        let (writes, to_write) = sync_channel(QUEUE_MAX);
        let (reads, to_read) = sync_channel(QUEUE_MAX);
        let writer = sqlite::Writer::open(path, to_write)?;
        start("store-write", move || writer.work())?;
        let to_read = Arc::new(Mutex::new(to_read));
        for _ in 0..options.readers.max(1) {
            let reader = sqlite::Reader::open(path, to_read.clone())?;
            start("store-read", move || reader.work())?;
        }
        Ok(Self { dialect: Dialect::Sqlite, writes, reads })
    }

    fn open_postgres(config: &tokio_postgres::Config, options: StoreOptions) -> Result<Self, StoreError> {
        postgres::migrate(config, MIGRATIONS, wall_clock_micros())?;
        let workers = |access, count: usize| -> Result<SyncSender<Box<dyn Job>>, StoreError> {
            let (queue, jobs) = sync_channel(QUEUE_MAX);
            let jobs = Arc::new(Mutex::new(jobs));
            for _ in 0..count.max(1) {
                let worker = postgres::Worker::new(config.clone(), jobs.clone(), access)?;
                start("store-postgres", move || worker.work())?;
            }
            Ok(queue)
        };
        let writes = workers(Access::Write, options.writers)?;
        let reads = workers(Access::Read, options.readers)?;
        Ok(Self { dialect: Dialect::Postgres, writes, reads })
    }

    /// Which database it is.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Runs a closure in a transaction that may change things, and answers once it is durable.
    ///
    /// The closure may run more than once (PostgreSQL: after a deadlock or a lost connection); only one run is
    /// committed. If it fails, nothing of it is stored. Dropping the future does not stop the work.
    ///
    /// # Errors
    /// The closure's, or that of the database: see [`StoreError`].
    pub async fn write<T, F>(&self, closure: F) -> Result<T, StoreError>
    where
        F: Fn(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        submit(&self.writes, closure).await
    }

    /// Runs a closure that reads; all its queries see the same state. It must not write.
    ///
    /// # Errors
    /// The closure's, or that of the database: see [`StoreError`].
    pub async fn read<T, F>(&self, closure: F) -> Result<T, StoreError>
    where
        F: Fn(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        submit(&self.reads, closure).await
    }
}

fn start(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), StoreError> {
    let started = Builder::new().name(name.to_owned()).spawn(work);
    started.map(drop).map_err(|error| StoreError::Unusable(format!("no thread for it: {error}")))
}

/// Only for `schema_migration.applied_at`, which nothing depends on.
fn wall_clock_micros() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
