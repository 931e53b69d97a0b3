//! A transaction: what every function of this crate works on.

use super::dialect::Dialect;
use super::postgres::PostgresConnection;
use super::sqlite::SqliteConnection;
use crate::error::StoreError;
use crate::value::{Row, Value};

/// Rows from which on `COPY`, which costs two more round trips, is the faster way.
const COPY_FROM: usize = 64;

/// A transaction under way on either database.
///
/// A statement that fails dooms the transaction: it is rolled back, whatever the closure answers. (That is how
/// PostgreSQL works; SQLite is made to follow.) Where a row may already exist, say `ON CONFLICT`.
pub struct Tx<'a> {
    connection: Connection<'a>,
    failure: Option<StoreError>,
}

enum Connection<'a> {
    Sqlite(&'a mut SqliteConnection),
    Postgres(&'a mut PostgresConnection),
}

impl<'a> Tx<'a> {
    pub(super) fn on_sqlite(connection: &'a mut SqliteConnection) -> Self {
        Self { connection: Connection::Sqlite(connection), failure: None }
    }

    pub(super) fn on_postgres(connection: &'a mut PostgresConnection) -> Self {
        Self { connection: Connection::Postgres(connection), failure: None }
    }

    /// The first statement that failed.
    pub(super) fn failure(self) -> Option<StoreError> {
        self.failure
    }

    /// Which database it is.
    pub fn dialect(&self) -> Dialect {
        match self.connection {
            Connection::Sqlite(_) => Dialect::Sqlite,
            Connection::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Runs a statement and tells how many rows it changed.
    ///
    /// # Errors
    /// The database refuses it.
    pub fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, StoreError> {
        self.go_on()?;
        let done = match &mut self.connection {
            Connection::Sqlite(connection) => connection.execute(sql, values),
            Connection::Postgres(connection) => connection.execute(sql, values),
        };
        self.note(done)
    }

    /// Runs one statement for each set of values, in order, and tells how many rows were changed in all.
    ///
    /// # Errors
    /// The database refuses one of them; the first such error.
    pub fn execute_many<V: AsRef<[Value]>>(&mut self, sql: &str, sets: &[V]) -> Result<u64, StoreError> {
        self.execute_each(sql, sets).map(|counts| counts.iter().sum())
    }

    /// As [`Self::execute_many`], telling for each set how many rows it changed.
    ///
    /// On PostgreSQL the statements are sent without waiting for the answers in between.
    ///
    /// # Errors
    /// The database refuses one of them; the first such error.
    pub fn execute_each<V: AsRef<[Value]>>(&mut self, sql: &str, sets: &[V]) -> Result<Vec<u64>, StoreError> {
        if sets.is_empty() {
            return Ok(Vec::new());
        }
        self.go_on()?;
        let done = match &mut self.connection {
            Connection::Sqlite(connection) => connection.execute_each(sql, sets),
            Connection::Postgres(connection) => connection.execute_each(sql, sets),
        };
        self.note(done)
    }

    /// Runs a query and gives all its rows.
    ///
    /// # Errors
    /// The database refuses it.
    pub fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, StoreError> {
        self.go_on()?;
        let rows = match &mut self.connection {
            Connection::Sqlite(connection) => connection.query(sql, values),
            Connection::Postgres(connection) => connection.query(sql, values),
        };
        self.note(rows)
    }

    /// Runs one query for each set of values and gives the rows of each. On PostgreSQL the queries are sent without
    /// waiting for the answers in between.
    ///
    /// # Errors
    /// The database refuses one of them; the first such error.
    pub fn query_each<V: AsRef<[Value]>>(
        &mut self,
        sql: &str,
        sets: &[V],
    ) -> Result<Vec<Vec<Row>>, StoreError> {
        self.go_on()?;
        let rows = match &mut self.connection {
            Connection::Sqlite(connection) => connection.query_each(sql, sets),
            Connection::Postgres(connection) => connection.query_each(sql, sets),
        };
        self.note(rows)
    }

    /// Runs a query and gives its first row, if there is any.
    ///
    /// # Errors
    /// The database refuses it.
    pub fn query_one(&mut self, sql: &str, values: &[Value]) -> Result<Option<Row>, StoreError> {
        Ok(self.query(sql, values)?.into_iter().next())
    }

    /// Inserts rows in bulk (`COPY` on PostgreSQL, where they are many). Every row has a value for every column named.
    ///
    /// # Errors
    /// The database refuses one of them, such as [`StoreError::Conflict`].
    pub fn insert_rows<V: AsRef<[Value]>>(
        &mut self,
        table: &str,
        columns: &[&str],
        rows: &[V],
    ) -> Result<u64, StoreError> {
        if rows.is_empty() {
            return Ok(0);
        }
        if let (Connection::Postgres(connection), true) = (&mut self.connection, rows.len() >= COPY_FROM) {
            let done = connection.copy_in(table, columns, rows);
            return self.note(done);
        }
        let places = (1..=columns.len()).map(|place| format!("${place}")).collect::<Vec<_>>().join(", ");
        let sql = format!("INSERT INTO {table} ({}) VALUES ({places})", columns.join(", "));
        self.execute_many(&sql, rows)
    }

    /// Refuses what comes after a statement that failed: SQLite may have rolled back by itself then, and would commit each
    /// statement alone.
    fn go_on(&self) -> Result<(), StoreError> {
        self.failure.clone().map_or(Ok(()), Err)
    }

    fn note<T>(&mut self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if let (Err(error), None) = (&result, &self.failure) {
            self.failure = Some(error.clone());
        }
        result
    }
}
