//! `sql.query` for scripts: named connections to databases of the customer's, parameters always bound.

mod mysql;
mod postgres;
mod sqlite;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Mutex;

/// Rows of an answer at most.
pub const ROWS_MAX: usize = 1000;
/// Bytes of an answer at most.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Longest statement in the customer's database; the run's own limit is usually shorter.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(10);

/// The largest integer that a number of JavaScript's holds exactly, `Number.MAX_SAFE_INTEGER`.
const INTEGER_MAX: u64 = (1 << 53) - 1;

/// Why a connection cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{name}': {reason}")]
pub struct BadConnection {
    /// Which.
    pub name: String,
    /// Why, and what to do.
    pub reason: String,
}

/// The connections that scripts may use, by name.
#[derive(Clone, Default)]
pub struct Connections(Arc<HashMap<String, Target>>);

enum Target {
    Postgres { config: Box<tokio_postgres::Config>, client: Mutex<Option<Arc<tokio_postgres::Client>>> },
    Mysql(mysql::Server),
    Sqlite(PathBuf),
}

impl std::fmt::Debug for Connections {
    /// Their names only: the rest has passwords in it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

impl Connections {
    /// Connections by name and address: `postgres://user:password@host/database`, `mysql://user:password@host/database`
    /// (MariaDB too) or `sqlite:///path/to/file`. Nothing is opened before it is used.
    ///
    /// # Errors
    /// An address is none of these.
    pub fn new(named: impl IntoIterator<Item = (String, String)>) -> Result<Self, BadConnection> {
        let mut targets = HashMap::new();
        for (name, address) in named {
            let bad = |reason: String| BadConnection { name: name.clone(), reason };
            let target = match address.split_once("://") {
                Some(("postgres" | "postgresql", _)) => {
                    let config = address.parse().map_err(|error| bad(format!("not an address: {error}")))?;
                    Target::Postgres { config: Box::new(config), client: Mutex::default() }
                }
                Some(("mysql" | "mariadb", rest)) => Target::Mysql(mysql::Server::at(rest).map_err(bad)?),
                Some(("sqlite", path)) => Target::Sqlite(path.into()),
                _ => {
                    let reason = "give postgres://user:password@host/database, mysql://user:password@host/database or \
                                  sqlite:///path/to/file";
                    return Err(bad(reason.to_owned()));
                }
            };
            targets.insert(name, target);
        }
        Ok(Self(Arc::new(targets)))
    }

    /// Carries out `sql.query(connection, statement, parameters)`: the rows, each an object, or for a statement without
    /// rows how many it changed. With `only_reads` the database refuses to change anything.
    ///
    /// # Errors
    /// In the script's words: there is no such connection, or what the database said.
    pub async fn query(&self, arguments: &Value, only_reads: bool) -> Result<Value, String> {
        let text = |place: usize| arguments.get(place).and_then(Value::as_str);
        let (Some(name), Some(statement)) = (text(0), text(1)) else {
            return Err("sql.query needs the name of a connection and a statement".to_owned());
        };
        let parameters = match arguments.get(2) {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(parameters)) => parameters.clone(),
            Some(_) => return Err("sql.query: parameters are a list".to_owned()),
        };
        match self.0.get(name) {
            Some(Target::Postgres { config, client }) if !only_reads => {
                postgres::query(&*postgres::open(config, client).await?, statement, parameters).await
            }
            Some(Target::Postgres { config, .. }) => {
                postgres::query(&postgres::read_only(config).await?, statement, parameters).await
            }
            Some(Target::Mysql(server)) => server.query(statement, parameters, only_reads).await,
            Some(Target::Sqlite(path)) => {
                let (path, statement) = (path.clone(), statement.to_owned());
                let work = tokio::task::spawn_blocking(move || {
                    sqlite::query(&path, &statement, &parameters, only_reads)
                });
                work.await.map_err(|error| format!("sql.query: {error}"))?
            }
            None => Err(format!(
                "sql.query: this tenant's scripts have no connection '{name}': have it named under [[scripts.connections]] in \
                 the configuration"
            )),
        }
    }
}

/// Rows, as many as an answer may have.
#[derive(Default)]
struct Answer {
    rows: Vec<Value>,
    bytes: usize,
}

impl Answer {
    fn add(&mut self, mut row: Value, bytes: usize) -> Result<(), String> {
        self.bytes += bytes;
        if self.rows.len() >= ROWS_MAX || self.bytes > ANSWER_BYTES_MAX {
            return Err(format!(
                "sql.query: the answer has more than {ROWS_MAX} rows or {ANSWER_BYTES_MAX} bytes: ask for less"
            ));
        }
        if let Value::Object(columns) = &mut row {
            columns.values_mut().for_each(keep_digits);
        }
        self.rows.push(row);
        Ok(())
    }
}

/// Makes text of an integer of which JavaScript would lose digits.
fn keep_digits(value: &mut Value) {
    let is_too_large = match (value.as_i64(), value.as_u64()) {
        (Some(integer), _) => integer.unsigned_abs() > INTEGER_MAX,
        (None, large) => large.is_some(),
    };
    if is_too_large {
        *value = Value::String(value.to_string());
    }
}

fn wrong_count(wanted: usize, given: usize) -> String {
    format!("sql.query: the statement has {wanted} parameters, {given} are given")
}
