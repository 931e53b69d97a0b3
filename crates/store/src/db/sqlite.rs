//! SQLite: one thread that writes and commits in groups, a few that read.

use std::collections::HashMap;
use std::path::Path;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, ffi};

use super::dialect::{self, Dialect};
use super::job::Job;
use super::migrate::{self, Migration};
use super::tx::Tx;
use crate::error::StoreError;
use crate::value::{Row, Value};

/// Closures that are committed together at most; more would make the first one wait too long.
const GROUP_MAX: usize = 256;
/// Prepared statements kept on each connection; the crate has fewer.
const STATEMENTS_KEPT: usize = 256;
/// How long a statement waits for another process that holds the file, such as a backup.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection with the statements it has been given, in SQLite's words.
pub(super) struct SqliteConnection {
    connection: Connection,
    rewritten: HashMap<String, String>,
}

impl SqliteConnection {
    fn open(path: &Path, flags: OpenFlags) -> Result<Self, StoreError> {
        let connection =
            Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(error)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
        connection.busy_timeout(BUSY_TIMEOUT).map_err(error)?;
        Ok(Self { connection, rewritten: HashMap::new() })
    }

    /// A connection that may write. A commit reaches the disk before it is reported (`synchronous=FULL`), so it
    /// survives a power cut too. `ANALYZE` looks at so many rows of each index: it runs on the only writer.
    fn open_writer(path: &Path) -> Result<Self, StoreError> {
        let this = Self::open(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
        let settings = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -65536; \
                        PRAGMA temp_store = MEMORY; PRAGMA analysis_limit = 400;";
        this.batch(settings)?;
        Ok(this)
    }

    fn open_reader(path: &Path) -> Result<Self, StoreError> {
        let this = Self::open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        this.batch("PRAGMA cache_size = -16384;")?;
        Ok(this)
    }

    /// Whether no transaction is open. After some failures (a full disk, an error of the disk) SQLite rolls back by itself.
    fn has_rolled_back(&self) -> bool {
        self.connection.is_autocommit()
    }

    fn batch(&self, sql: &str) -> Result<(), StoreError> {
        self.connection.execute_batch(sql).map_err(error)
    }

    pub(super) fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, StoreError> {
        let text = rewritten(&mut self.rewritten, sql, values);
        let mut statement = self.connection.prepare_cached(text).map_err(error)?;
        run(&mut statement, values)
    }

    /// As [`Self::execute`] for each set, with the statement looked up once.
    pub(super) fn execute_each<V: AsRef<[Value]>>(
        &mut self,
        sql: &str,
        sets: &[V],
    ) -> Result<Vec<u64>, StoreError> {
        let Some(first) = sets.first() else { return Ok(Vec::new()) };
        let text = rewritten(&mut self.rewritten, sql, first.as_ref());
        let mut statement = self.connection.prepare_cached(text).map_err(error)?;
        sets.iter().map(|values| run(&mut statement, values.as_ref())).collect()
    }

    pub(super) fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, StoreError> {
        let text = rewritten(&mut self.rewritten, sql, values);
        let mut statement = self.connection.prepare_cached(text).map_err(error)?;
        ask(&mut statement, values)
    }

    /// As [`Self::query`] for each set, with the statement looked up once.
    pub(super) fn query_each<V: AsRef<[Value]>>(
        &mut self,
        sql: &str,
        sets: &[V],
    ) -> Result<Vec<Vec<Row>>, StoreError> {
        let Some(first) = sets.first() else { return Ok(Vec::new()) };
        let text = rewritten(&mut self.rewritten, sql, first.as_ref());
        let mut statement = self.connection.prepare_cached(text).map_err(error)?;
        sets.iter().map(|values| ask(&mut statement, values.as_ref())).collect()
    }
}

fn run(statement: &mut rusqlite::Statement<'_>, values: &[Value]) -> Result<u64, StoreError> {
    bind(statement, values)?;
    // A statement with RETURNING has rows to go through even when nobody looks at them.
    if statement.column_count() > 0 {
        let mut rows = statement.raw_query();
        let mut count = 0;
        while rows.next().map_err(error)?.is_some() {
            count += 1;
        }
        return Ok(count);
    }
    statement.raw_execute().map(|count| count as u64).map_err(error)
}

fn ask(statement: &mut rusqlite::Statement<'_>, values: &[Value]) -> Result<Vec<Row>, StoreError> {
    bind(statement, values)?;
    let columns = statement.column_count();
    let mut found = statement.raw_query();
    let mut rows = Vec::new();
    while let Some(row) = found.next().map_err(error)? {
        let read = |index| row.get_ref(index).map_err(error).and_then(read_value);
        rows.push(Row::new((0..columns).map(read).collect::<Result<_, _>>()?));
    }
    Ok(rows)
}

fn rewritten<'a>(known: &'a mut HashMap<String, String>, sql: &str, values: &[Value]) -> &'a str {
    if !known.contains_key(sql) {
        known.insert(sql.to_owned(), dialect::for_sqlite(sql, values));
    }
    // It was put in just now if it was not there.
    known.get(sql).map_or("", String::as_str)
}

fn bind(statement: &mut rusqlite::Statement<'_>, values: &[Value]) -> Result<(), StoreError> {
    if statement.parameter_count() != values.len() {
        let wanted = statement.parameter_count();
        return Err(StoreError::Database(format!("{} values given, {wanted} wanted", values.len())));
    }
    values
        .iter()
        .enumerate()
        .try_for_each(|(index, value)| statement.raw_bind_parameter(index + 1, to_sql(value)).map_err(error))
}

fn to_sql(value: &Value) -> ToSqlOutput<'_> {
    use rusqlite::types::Value as Owned;
    match value {
        Value::Null => ToSqlOutput::Borrowed(ValueRef::Null),
        Value::Integer(integer) => ToSqlOutput::Borrowed(ValueRef::Integer(*integer)),
        Value::Real(real) => ToSqlOutput::Borrowed(ValueRef::Real(*real)),
        Value::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
        Value::Bytes(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
        Value::Uuid(uuid) => ToSqlOutput::Borrowed(ValueRef::Blob(uuid.as_bytes())),
        list => ToSqlOutput::Owned(dialect::list_as_json(list).map_or(Owned::Null, Owned::Text)),
    }
}

fn read_value(value: ValueRef<'_>) -> Result<Value, StoreError> {
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(integer) => Value::Integer(integer),
        ValueRef::Real(real) => Value::Real(real),
        ValueRef::Text(text) => {
            let text = std::str::from_utf8(text).map_err(|_| StoreError::corrupt("a text is not UTF-8"))?;
            Value::Text(text.to_owned())
        }
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
    })
}

/// The error in the store's words. SQLite's messages name tables and columns, never values.
fn error(error: rusqlite::Error) -> StoreError {
    let rusqlite::Error::SqliteFailure(failure, message) = &error else {
        return StoreError::Database(error.to_string());
    };
    let message = message.clone().unwrap_or_else(|| failure.to_string());
    match (failure.extended_code, failure.code) {
        (ffi::SQLITE_CONSTRAINT_UNIQUE, _) => {
            StoreError::Conflict { constraint: constraint(&message, false) }
        }
        (ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID, _) => {
            StoreError::Conflict { constraint: constraint(&message, true) }
        }
        (_, ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Contended,
        (
            _,
            ErrorCode::DiskFull | ErrorCode::SystemIoFailure | ErrorCode::CannotOpen | ErrorCode::ReadOnly,
        ) => StoreError::Unavailable { reason: message },
        (_, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreError::Corrupt { what: message },
        _ => StoreError::Database(message),
    }
}

/// The name that PostgreSQL gives the constraint. SQLite says `UNIQUE constraint failed: t.a, t.b` or
/// `UNIQUE constraint failed: index 'name'`.
fn constraint(message: &str, is_primary_key: bool) -> String {
    let what = message.rsplit_once("failed: ").map_or(message, |(_, what)| what);
    if let Some(name) = what.strip_prefix("index '") {
        return name.trim_end_matches('\'').to_owned();
    }
    let table = what.split('.').next().unwrap_or(what);
    if is_primary_key {
        return format!("{table}_pkey");
    }
    let columns =
        what.split(", ").map(|column| column.rsplit('.').next().unwrap_or(column)).collect::<Vec<_>>();
    format!("{table}_{}_key", columns.join("_"))
}

/// Brings the file's schema up to date.
pub(super) fn migrate(path: &Path, migrations: &[Migration], now: i64) -> Result<(), StoreError> {
    let mut connection = SqliteConnection::open_writer(path)?;
    connection.batch("BEGIN EXCLUSIVE")?;
    let done = migrate_within(&mut connection, migrations, now);
    connection.batch(if done.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
    done
}

fn migrate_within(
    connection: &mut SqliteConnection,
    migrations: &[Migration],
    now: i64,
) -> Result<(), StoreError> {
    connection.batch(&dialect::migration_for(Dialect::Sqlite, migrate::VERSION_TABLE))?;
    let applied = migrate::read_applied(&connection.query(migrate::SELECT_APPLIED, &[])?)?;
    for migration in migrate::pending(migrations, &applied)? {
        connection.batch(&dialect::migration_for(Dialect::Sqlite, migration.sql))?;
        connection.execute(migrate::INSERT_APPLIED, &migration.as_applied(now))?;
    }
    Ok(())
}

/// The one that writes.
pub(super) struct Writer {
    connection: SqliteConnection,
    jobs: Receiver<Box<dyn Job>>,
}

impl Writer {
    pub(super) fn open(path: &Path, jobs: Receiver<Box<dyn Job>>) -> Result<Self, StoreError> {
        Ok(Self { connection: SqliteConnection::open_writer(path)?, jobs })
    }

    /// Works until every handle to the queue is gone.
    pub(super) fn work(mut self) {
        while let Ok(first) = self.jobs.recv() {
            let mut group = vec![first];
            group.extend(self.jobs.try_iter().take(GROUP_MAX - 1));
            self.commit_together(group);
        }
    }

    fn commit_together(&mut self, mut group: Vec<Box<dyn Job>>) {
        while !group.is_empty() {
            group = self.commit_first(group);
        }
    }

    /// Runs closures and commits them together; gives those that are still to be run in another transaction, since one
    /// before them ended theirs.
    fn commit_first(&mut self, mut group: Vec<Box<dyn Job>>) -> Vec<Box<dyn Job>> {
        if let Err(error) = self.connection.batch("BEGIN IMMEDIATE") {
            answer_all(group, |_| Err(error.clone()));
            return Vec::new();
        }
        let mut outcomes = Vec::with_capacity(group.len());
        for job in &mut group {
            outcomes.push(run_in_savepoint(&mut self.connection, job.as_mut()));
            if self.connection.has_rolled_back() {
                break;
            }
        }
        if self.connection.has_rolled_back() {
            let rest = group.split_off(outcomes.len());
            let own = outcomes.pop().unwrap_or(Ok(()));
            let own = own.err().unwrap_or_else(undone);
            tracing::error!(error = %own, closures = group.len(), "a failure undid a group of changes");
            let last = outcomes.len();
            answer_all(group, |index| match outcomes.get(index) {
                // What these did is undone through no fault of theirs: it may be asked for again.
                Some(Ok(())) => Err(undone()),
                Some(Err(error)) => Err(error.clone()),
                None if index == last => Err(own.clone()),
                None => Err(StoreError::Panicked),
            });
            return rest;
        }
        if let Err(error) = self.connection.batch("COMMIT") {
            tracing::error!(%error, closures = group.len(), "a group of changes could not be committed");
            // After a failed commit the transaction may still be open; after some failures it is not.
            let _ = self.connection.batch("ROLLBACK");
            answer_all(group, |_| Err(error.clone()));
            return Vec::new();
        }
        answer_all(group, |index| outcomes.get(index).cloned().unwrap_or(Err(StoreError::Panicked)));
        Vec::new()
    }
}

/// What a closure did was undone because of another.
fn undone() -> StoreError {
    StoreError::Unavailable { reason: "the transaction was rolled back because of another change".into() }
}

/// Runs one closure so that its failure undoes its own changes and no others.
fn run_in_savepoint(connection: &mut SqliteConnection, job: &mut dyn Job) -> Result<(), StoreError> {
    connection.batch("SAVEPOINT closure")?;
    match job.run(Tx::on_sqlite(connection)) {
        Ok(()) => connection.batch("RELEASE closure"),
        Err(error) if connection.has_rolled_back() => Err(error),
        Err(error) => {
            connection.batch("ROLLBACK TO closure; RELEASE closure")?;
            Err(error)
        }
    }
}

fn answer_all(group: Vec<Box<dyn Job>>, outcome: impl Fn(usize) -> Result<(), StoreError>) {
    for (index, job) in group.into_iter().enumerate() {
        job.answer(outcome(index));
    }
}

/// One of those that read.
pub(super) struct Reader {
    connection: SqliteConnection,
    jobs: Arc<Mutex<Receiver<Box<dyn Job>>>>,
}

impl Reader {
    pub(super) fn open(path: &Path, jobs: Arc<Mutex<Receiver<Box<dyn Job>>>>) -> Result<Self, StoreError> {
        Ok(Self { connection: SqliteConnection::open_reader(path)?, jobs })
    }

    /// Works until every handle to the queue is gone.
    pub(super) fn work(mut self) {
        loop {
            let next = self.jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(mut job) = next else { return };
            let outcome = self.read(job.as_mut());
            job.answer(outcome);
        }
    }

    fn read(&mut self, job: &mut dyn Job) -> Result<(), StoreError> {
        self.connection.batch("BEGIN")?;
        let outcome = job.run(Tx::on_sqlite(&mut self.connection));
        self.connection.batch("ROLLBACK")?;
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Told = Arc<Mutex<Vec<(&'static str, Result<(), StoreError>)>>>;

    /// Runs its statements in order, whatever becomes of them, and keeps what it is answered.
    struct Statements(Vec<&'static str>, Told);

    impl Job for Statements {
        fn run(&mut self, mut tx: Tx<'_>) -> Result<(), StoreError> {
            for sql in &self.0 {
                let _ = tx.query(sql, &[]);
            }
            tx.failure().map_or(Ok(()), Err)
        }

        fn answer(self: Box<Self>, outcome: Result<(), StoreError>) {
            self.1.lock().unwrap().push((self.0[0], outcome));
        }
    }

    #[test]
    fn a_full_disk_fails_what_was_undone_with_it_and_nothing_that_comes_after() {
        let directory = tempfile::TempDir::new().unwrap();
        let path = directory.path().join("full.db");
        let mut connection = SqliteConnection::open_writer(&path).unwrap();
        connection.batch("CREATE TABLE t (what TEXT NOT NULL, bytes BLOB NULL)").unwrap();
        connection.query("PRAGMA max_page_count = 20", &[]).unwrap();
        let (_queue, jobs) = std::sync::mpsc::sync_channel(1);
        let mut writer = Writer { connection, jobs };
        let before = "INSERT INTO t VALUES ('before', NULL)";
        let refused = "INSERT INTO t VALUES (NULL, NULL)";
        let too_much = "INSERT INTO t VALUES ('too much', zeroblob(1000000))";
        let after = "INSERT INTO t VALUES ('after', NULL)";
        let told = Told::default();
        let jobs = [vec![before], vec![refused], vec![too_much, after], vec![after]];
        let job = |statements| Box::new(Statements(statements, Arc::clone(&told))) as Box<dyn Job>;
        writer.commit_together(jobs.map(job).into());
        let told = std::mem::take(&mut *told.lock().unwrap());
        let outcome = |sql| told.iter().find(|(told, _)| *told == sql).map(|(_, outcome)| outcome).unwrap();
        assert_eq!(told.len(), 4);
        assert!(outcome(before).as_ref().is_err_and(StoreError::is_passing), "{:?}", outcome(before));
        assert!(matches!(outcome(refused), Err(StoreError::Database(_))), "{:?}", outcome(refused));
        assert!(outcome(too_much).as_ref().is_err_and(StoreError::is_passing), "{:?}", outcome(too_much));
        assert_eq!(*outcome(after), Ok(()));
        let rows = writer.connection.query("SELECT what FROM t", &[]).unwrap();
        let kept: Vec<String> = rows.iter().map(|row| row.get(0).unwrap()).collect();
        assert_eq!(kept, ["after"], "what failed leaves nothing");
    }

    #[test]
    fn constraints_are_named_as_postgres_names_them() {
        assert_eq!(constraint("UNIQUE constraint failed: tenant.name", false), "tenant_name_key");
        assert_eq!(
            constraint("UNIQUE constraint failed: planned_run.plan_id, planned_run.due_at", false),
            "planned_run_plan_id_due_at_key"
        );
        assert_eq!(constraint("UNIQUE constraint failed: contact.id", true), "contact_pkey");
        assert_eq!(constraint("UNIQUE constraint failed: index 'definition_name'", false), "definition_name");
    }
}
