//! What the database itself can do with the same rows: the yardstick of the intake bench.
//!
//! The contacts and phones of a database are read out, and written into the empty tables of another (with the same
//! indexes) in the fastest plain way: `COPY` in binary on PostgreSQL, prepared inserts on SQLite, each in one durable
//! transaction. Only the writing is timed.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt, pin_mut};
use rusqlite::types::Value as SqliteValue;
use tokio_postgres::{Client, Config, NoTls};

use crate::{StoreError, StoreTarget};

/// The tables that the intake fills.
const TABLES: [&str; 3] = ["contact", "contact_key", "phone"];
/// Rows that are held at once on SQLite.
const ROWS_HELD: usize = 50_000;

/// A database of its own for one measurement.
#[derive(Debug)]
pub struct Scratch {
    /// Where it is.
    pub target: StoreTarget,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Directory(PathBuf),
    Server { admin: Box<Config>, name: String },
}

impl Scratch {
    /// Makes an empty database without tables: beside others on the server that a `postgres://` address names, or a
    /// file in the system's temporary directory.
    ///
    /// # Errors
    /// It cannot be made.
    pub async fn create(database: &str) -> Result<Self, StoreError> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("outdial_bench_{}_{count}", std::process::id());
        match StoreTarget::parse(database)? {
            StoreTarget::Postgres(admin) => {
                let client = connect(&admin).await?;
                client.batch_execute(&format!("CREATE DATABASE {name}")).await.map_err(postgres)?;
                let mut config = admin.clone();
                config.dbname(&name);
                Ok(Self { target: StoreTarget::Postgres(config), place: Place::Server { admin, name } })
            }
            StoreTarget::Sqlite(_) => {
                let directory = std::env::temp_dir().join(name);
                std::fs::create_dir_all(&directory).map_err(file)?;
                let target = StoreTarget::Sqlite(directory.join("outdial.db"));
                Ok(Self { target, place: Place::Directory(directory) })
            }
        }
    }

    /// Brings the database to rest after it was filled, so that none of the upkeep that the filling caused is done
    /// while something else is measured: `VACUUM` and a checkpoint.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn settle(&self) -> Result<(), StoreError> {
        match &self.target {
            StoreTarget::Sqlite(path) => {
                let path = path.clone();
                let checkpoint = move || {
                    let connection = rusqlite::Connection::open(path)?;
                    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
                };
                let done = tokio::task::spawn_blocking(move || checkpoint().map_err(sqlite)).await;
                done.unwrap_or(Err(StoreError::Panicked))
            }
            StoreTarget::Postgres(config) => {
                let client = connect(config).await?;
                // Neither may share an implicit transaction with the other.
                for statement in ["VACUUM", "CHECKPOINT"] {
                    client.batch_execute(statement).await.map_err(postgres)?;
                }
                Ok(())
            }
        }
    }

    /// Removes it, whoever still uses it.
    ///
    /// # Errors
    /// It cannot be removed.
    pub async fn remove(self) -> Result<(), StoreError> {
        match self.place {
            Place::Directory(directory) => std::fs::remove_dir_all(directory).map_err(file),
            Place::Server { admin, name } => {
                let client = connect(&admin).await?;
                client.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await.map_err(postgres)
            }
        }
    }
}

/// Writes the contacts and phones of one database into another of the same kind, whose tables are empty, and tells how
/// long the writing took.
///
/// # Errors
/// The databases are of different kinds, or one of them failed.
pub async fn rewrite(from: &StoreTarget, to: &StoreTarget) -> Result<Duration, StoreError> {
    match (from, to) {
        (StoreTarget::Postgres(from), StoreTarget::Postgres(to)) => rewrite_postgres(from, to).await,
        (StoreTarget::Sqlite(from), StoreTarget::Sqlite(to)) => {
            let (from, to) = (from.clone(), to.clone());
            let rewriting = move || rewrite_sqlite(&from, &to).map_err(sqlite);
            tokio::task::spawn_blocking(rewriting).await.unwrap_or(Err(StoreError::Panicked))
        }
        _ => Err(StoreError::Unusable("rows are rewritten within one kind of database".into())),
    }
}

async fn rewrite_postgres(from: &Config, to: &Config) -> Result<Duration, StoreError> {
    let (from, to) = (connect(from).await?, connect(to).await?);
    let mut taken = Duration::ZERO;
    to.batch_execute("BEGIN").await.map_err(postgres)?;
    for table in TABLES {
        let rows = from.copy_out(&format!("COPY {table} TO STDOUT BINARY")).await.map_err(postgres)?;
        pin_mut!(rows);
        // Held in a file, so that the reading neither takes memory nor shares the time of the writing.
        let path = std::env::temp_dir().join(format!("outdial_bench_{}_{table}.copy", std::process::id()));
        let written = spool(&path, rows).await;
        let copied = match written {
            Ok(()) => copy_from(&to, table, &path).await,
            Err(error) => Err(error),
        };
        std::fs::remove_file(&path).map_err(file)?;
        taken += copied?;
    }
    let started = Instant::now();
    to.batch_execute("COMMIT").await.map_err(postgres)?;
    Ok(taken + started.elapsed())
}

async fn spool(
    path: &Path,
    mut rows: std::pin::Pin<&mut tokio_postgres::CopyOutStream>,
) -> Result<(), StoreError> {
    use std::io::Write;
    let mut out = std::io::BufWriter::new(std::fs::File::create(path).map_err(file)?);
    while let Some(piece) = rows.next().await {
        out.write_all(&piece.map_err(postgres)?).map_err(file)?;
    }
    out.flush().map_err(file)
}

async fn copy_from(to: &Client, table: &str, path: &Path) -> Result<Duration, StoreError> {
    use std::io::Read;
    let mut source = std::fs::File::open(path).map_err(file)?;
    let started = Instant::now();
    let sink = to.copy_in(&format!("COPY {table} FROM STDIN BINARY")).await.map_err(postgres)?;
    pin_mut!(sink);
    let mut piece = vec![0; 256 * 1024];
    loop {
        let length = source.read(&mut piece).map_err(file)?;
        if length == 0 {
            break;
        }
        sink.send(Bytes::copy_from_slice(&piece[..length])).await.map_err(postgres)?;
    }
    sink.finish().await.map_err(postgres)?;
    Ok(started.elapsed())
}

fn rewrite_sqlite(from: &Path, to: &Path) -> rusqlite::Result<Duration> {
    let from = rusqlite::Connection::open(from)?;
    let to = rusqlite::Connection::open(to)?;
    // As the store's own writer.
    to.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -65536; BEGIN IMMEDIATE",
    )?;
    let mut taken = Duration::ZERO;
    for table in TABLES {
        let mut select = from.prepare(&format!("SELECT * FROM {table}"))?;
        let columns = select.column_count();
        let places = vec!["?"; columns].join(", ");
        let mut insert = to.prepare(&format!("INSERT INTO {table} VALUES ({places})"))?;
        let mut rows = select.query([])?;
        loop {
            let mut held: Vec<Vec<SqliteValue>> = Vec::with_capacity(ROWS_HELD);
            while held.len() < ROWS_HELD {
                let Some(row) = rows.next()? else { break };
                held.push((0..columns).map(|column| row.get(column)).collect::<Result<_, _>>()?);
            }
            if held.is_empty() {
                break;
            }
            let started = Instant::now();
            for row in &held {
                insert.execute(rusqlite::params_from_iter(row))?;
            }
            taken += started.elapsed();
        }
    }
    let started = Instant::now();
    to.execute_batch("COMMIT")?;
    Ok(taken + started.elapsed())
}

async fn connect(config: &Config) -> Result<Client, StoreError> {
    let (client, connection) = config.connect(NoTls).await.map_err(postgres)?;
    // It ends when the client is dropped; what goes wrong with it is told to the client.
    tokio::spawn(async move { drop(connection.await) });
    Ok(client)
}

fn postgres(error: tokio_postgres::Error) -> StoreError {
    // The message of a database error names tables and constraints; its detail, which shows values, is left out.
    StoreError::Database(
        error.as_db_error().map_or_else(|| error.to_string(), |error| error.message().to_owned()),
    )
}

fn sqlite(error: rusqlite::Error) -> StoreError {
    StoreError::Database(error.to_string())
}

fn file(error: std::io::Error) -> StoreError {
    StoreError::Unusable(format!("a temporary file failed: {error}"))
}
