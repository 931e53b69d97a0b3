//! PostgreSQL: threads that own one connection each.

use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::runtime::Runtime;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Config, NoTls, Statement};

use super::dialect::{self, Dialect};
use super::job::Job;
use super::migrate::{self, Migration};
use super::postgres_value::Read;
use super::tx::Tx;
use crate::error::StoreError;
use crate::value::{Row, Value};

/// Times that a transaction is tried before its failure is reported.
const TRIES_MAX: u32 = 4;
/// The first pause between tries; it doubles.
const PAUSE: Duration = Duration::from_millis(20);
/// Statements sent ahead of their answers at most, so that neither side buffers without bound.
const PIPELINED_MAX: usize = 512;
/// How long opening a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long data may stay unacknowledged before the connection counts as lost.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// A node that stands still inside a transaction must not hold its locks for ever: the server ends it.
const SESSION: &str = "SET idle_in_transaction_session_timeout = '30s'";
/// One number for all nodes, so that they do not migrate at the same time ("outdial" in ASCII).
const MIGRATION_LOCK: i64 = 0x006f_7574_6469_616c;

/// A connection with its prepared statements.
///
/// It runs on a runtime of its own in the thread that uses it: a statement is then sent and answered without another
/// thread being woken.
pub(super) struct PostgresConnection {
    runtime: Arc<Runtime>,
    client: Client,
    statements: HashMap<String, Statement>,
}

impl PostgresConnection {
    fn open(runtime: &Arc<Runtime>, config: &Config) -> Result<Self, StoreError> {
        let mut config = config.clone();
        config.connect_timeout(CONNECT_TIMEOUT).tcp_user_timeout(SILENCE_MAX).keepalives_idle(SILENCE_MAX);
        if config.get_application_name().is_none() {
            config.application_name("outdial");
        }
        let connecting = async {
            let (client, connection) = config.connect(NoTls).await?;
            tokio::spawn(async move {
                // Its failure also fails the statement under way, which reports it.
                let _ = connection.await;
            });
            client.batch_execute(SESSION).await?;
            Ok(client)
        };
        let client = runtime
            .block_on(connecting)
            .map_err(|error: tokio_postgres::Error| StoreError::Unavailable { reason: describe(&error) })?;
        Ok(Self { runtime: runtime.clone(), client, statements: HashMap::new() })
    }

    fn wait<T>(
        &self,
        future: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, StoreError> {
        self.runtime.block_on(future).map_err(|failure| error(&failure))
    }

    fn batch(&self, sql: &str) -> Result<(), StoreError> {
        self.wait(self.client.batch_execute(sql))
    }

    fn prepare(&mut self, sql: &str) -> Result<Statement, StoreError> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.wait(self.client.prepare(sql))?;
        self.statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    fn prepare_for(&mut self, sql: &str, values: &[Value]) -> Result<Statement, StoreError> {
        let statement = self.prepare(sql)?;
        let wanted = statement.params().len();
        if wanted != values.len() {
            return Err(StoreError::Database(format!("{} values given, {wanted} wanted", values.len())));
        }
        Ok(statement)
    }

    pub(super) fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, StoreError> {
        let statement = self.prepare_for(sql, values)?;
        self.wait(self.client.execute_raw(&statement, values))
    }

    pub(super) fn execute_each<V: AsRef<[Value]>>(
        &mut self,
        sql: &str,
        sets: &[V],
    ) -> Result<Vec<u64>, StoreError> {
        let mut counts = Vec::with_capacity(sets.len());
        for chunk in sets.chunks(PIPELINED_MAX) {
            let mut pending = Vec::with_capacity(chunk.len());
            for values in chunk {
                let statement = self.prepare_for(sql, values.as_ref())?;
                pending.push((statement, values.as_ref()));
            }
            let client = &self.client;
            let sent = pending.iter().map(|(statement, values)| client.execute_raw(statement, *values));
            // Each future sends its statement when it is first polled; the answers come in the same order.
            for done in self.runtime.block_on(join_all(sent)) {
                counts.push(done.map_err(|failure| error(&failure))?);
            }
        }
        Ok(counts)
    }

    pub(super) fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, StoreError> {
        let statement = self.prepare_for(sql, values)?;
        let parameters: Parameters<'_> = values.iter().map(|value| value as _).collect();
        read_rows(&self.wait(self.client.query(&statement, &parameters))?)
    }

    pub(super) fn query_each<V: AsRef<[Value]>>(
        &mut self,
        sql: &str,
        sets: &[V],
    ) -> Result<Vec<Vec<Row>>, StoreError> {
        let mut found = Vec::with_capacity(sets.len());
        for chunk in sets.chunks(PIPELINED_MAX) {
            let mut pending: Vec<(Statement, Parameters<'_>)> = Vec::with_capacity(chunk.len());
            for values in chunk {
                let statement = self.prepare_for(sql, values.as_ref())?;
                pending.push((statement, values.as_ref().iter().map(|value| value as _).collect()));
            }
            let client = &self.client;
            let sent = pending.iter().map(|(statement, parameters)| client.query(statement, parameters));
            for rows in self.runtime.block_on(join_all(sent)) {
                found.push(read_rows(&rows.map_err(|failure| error(&failure))?)?);
            }
        }
        Ok(found)
    }

    pub(super) fn copy_in<V: AsRef<[Value]>>(
        &mut self,
        table: &str,
        columns: &[&str],
        rows: &[V],
    ) -> Result<u64, StoreError> {
        if rows.iter().any(|row| row.as_ref().len() != columns.len()) {
            return Err(StoreError::Database(format!("a row for {table} has not {} values", columns.len())));
        }
        let columns = columns.join(", ");
        let types = self.prepare(&format!("SELECT {columns} FROM {table} LIMIT 0"))?;
        let types: Vec<Type> = types.columns().iter().map(|column| column.type_().clone()).collect();
        let copy = format!("COPY {table} ({columns}) FROM STDIN BINARY");
        let copying = async {
            let sink = self.client.copy_in(&copy).await?;
            let mut writer = pin!(BinaryCopyInWriter::new(sink, &types));
            for row in rows {
                writer.as_mut().write_raw(row.as_ref()).await?;
            }
            writer.finish().await
        };
        self.wait(copying)
    }
}

type Parameters<'a> = Vec<&'a (dyn tokio_postgres::types::ToSql + Sync)>;

fn read_rows(rows: &[tokio_postgres::Row]) -> Result<Vec<Row>, StoreError> {
    rows.iter()
        .map(|row| {
            let read =
                |index| row.try_get::<_, Read>(index).map(|read| read.0).map_err(|failure| error(&failure));
            Ok(Row::new((0..row.len()).map(read).collect::<Result<_, _>>()?))
        })
        .collect()
}

/// The error in the store's words.
fn error(failure: &tokio_postgres::Error) -> StoreError {
    let Some(database) = failure.as_db_error() else {
        if failure.is_closed() || is_io(failure) {
            return StoreError::Unavailable { reason: describe(failure) };
        }
        return StoreError::Database(describe(failure));
    };
    let code = database.code();
    if *code == SqlState::UNIQUE_VIOLATION {
        return StoreError::Conflict { constraint: database.constraint().unwrap_or_default().to_owned() };
    }
    if *code == SqlState::T_R_SERIALIZATION_FAILURE || *code == SqlState::T_R_DEADLOCK_DETECTED {
        return StoreError::Contended;
    }
    // Class 08: connection exceptions; 53: insufficient resources; 57: operator intervention, such as a shutdown.
    if ["08", "53", "57"].iter().any(|class| code.code().starts_with(class)) {
        return StoreError::Unavailable { reason: describe(failure) };
    }
    StoreError::Database(describe(failure))
}

fn is_io(failure: &tokio_postgres::Error) -> bool {
    std::error::Error::source(failure).is_some_and(|source| source.is::<std::io::Error>())
}

/// What happened, without values. The message of a data exception (class 22) may quote the value, so only its code is
/// told; details are never told.
fn describe(failure: &tokio_postgres::Error) -> String {
    match failure.as_db_error() {
        Some(database) if database.code().code().starts_with("22") => {
            format!("SQLSTATE {}", database.code().code())
        }
        Some(database) => format!("{} (SQLSTATE {})", database.message(), database.code().code()),
        None => match std::error::Error::source(failure) {
            Some(source) => format!("{failure}: {source}"),
            None => failure.to_string(),
        },
    }
}

fn own_runtime() -> Result<Arc<Runtime>, StoreError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map(Arc::new)
        .map_err(|error| StoreError::Unusable(format!("no runtime for its connection: {error}")))
}

/// Brings the schema up to date. Blocks; not to be called on a thread that drives a runtime.
pub(super) fn migrate(config: &Config, migrations: &[Migration], now: i64) -> Result<(), StoreError> {
    let runtime = own_runtime()?;
    let mut connection = PostgresConnection::open(&runtime, config)?;
    connection.batch("BEGIN")?;
    let done = migrate_within(&mut connection, migrations, now);
    connection.batch(if done.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
    done
}

fn migrate_within(
    connection: &mut PostgresConnection,
    migrations: &[Migration],
    now: i64,
) -> Result<(), StoreError> {
    connection.query("SELECT pg_advisory_xact_lock($1)", &[Value::Integer(MIGRATION_LOCK)])?;
    connection.batch(&dialect::migration_for(Dialect::Postgres, migrate::VERSION_TABLE))?;
    let applied = migrate::read_applied(&connection.query(migrate::SELECT_APPLIED, &[])?)?;
    for migration in migrate::pending(migrations, &applied)? {
        connection.batch(&dialect::migration_for(Dialect::Postgres, migration.sql))?;
        connection.execute(migrate::INSERT_APPLIED, &migration.as_applied(now))?;
    }
    Ok(())
}

/// What a job asks of its transaction.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// It changes things; each statement sees what is committed.
    Write,
    /// It reads one state of all things.
    Read,
}

impl Access {
    fn begin(self) -> &'static str {
        match self {
            Self::Write => "BEGIN ISOLATION LEVEL READ COMMITTED",
            Self::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        }
    }
}

/// A thread's work on one connection.
pub(super) struct Worker {
    runtime: Arc<Runtime>,
    config: Config,
    connection: Option<PostgresConnection>,
    jobs: Arc<Mutex<Receiver<Box<dyn Job>>>>,
    access: Access,
}

impl Worker {
    pub(super) fn new(
        config: Config,
        jobs: Arc<Mutex<Receiver<Box<dyn Job>>>>,
        access: Access,
    ) -> Result<Self, StoreError> {
        Ok(Self { runtime: own_runtime()?, config, connection: None, jobs, access })
    }

    /// Works until every handle to the queue is gone.
    pub(super) fn work(mut self) {
        loop {
            let next = self.jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(mut job) = next else { return };
            let outcome = self.run(job.as_mut());
            job.answer(outcome);
        }
    }

    /// Runs it, again if the failure is a passing one and certainly nothing was committed.
    fn run(&mut self, job: &mut dyn Job) -> Result<(), StoreError> {
        let mut pause = PAUSE;
        for _ in 1..TRIES_MAX {
            match self.run_once(job) {
                Err(StoreError::Contended | StoreError::Unavailable { .. }) => {}
                outcome => return outcome,
            }
            std::thread::sleep(pause);
            pause *= 2;
        }
        self.run_once(job)
    }

    fn run_once(&mut self, job: &mut dyn Job) -> Result<(), StoreError> {
        let mut connection = match self.connection.take() {
            Some(connection) if !connection.client.is_closed() => connection,
            _ => PostgresConnection::open(&self.runtime, &self.config)?,
        };
        connection.batch(self.access.begin())?;
        let ran = job.run(Tx::on_postgres(&mut connection));
        match ran {
            Ok(()) => match connection.batch("COMMIT") {
                // The answer is missing, not the commit: it may have happened. The connection is dropped.
                Err(StoreError::Unavailable { .. }) => Err(StoreError::CommitUnknown),
                committed => {
                    self.connection = Some(connection);
                    committed
                }
            },
            Err(error) => {
                // A connection that cannot even roll back is dropped, which rolls back too.
                if connection.batch("ROLLBACK").is_ok() {
                    self.connection = Some(connection);
                }
                Err(error)
            }
        }
    }
}
