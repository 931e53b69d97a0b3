//! `sql.query` for scripts: named connections to databases of the customer's, parameters always bound.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;
use tokio_postgres::types::{Format, IsNull, ToSql, Type, private::BytesMut};
use tokio_postgres::{Client, NoTls};

/// Rows of an answer at most.
pub const ROWS_MAX: usize = 1000;
/// Bytes of an answer at most.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Longest statement in the customer's database; the run's own limit is usually shorter.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(10);

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
    Postgres { config: Box<tokio_postgres::Config>, client: Mutex<Option<Arc<Client>>> },
    Sqlite(PathBuf),
}

impl std::fmt::Debug for Connections {
    /// Their names only: the rest has passwords in it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

impl Connections {
    /// Connections by name and address: `postgres://user:password@host/database` or `sqlite:///path/to/file`. Nothing is
    /// opened before it is used.
    ///
    /// # Errors
    /// An address is neither.
    pub fn new(named: impl IntoIterator<Item = (String, String)>) -> Result<Self, BadConnection> {
        let mut targets = HashMap::new();
        for (name, address) in named {
            let bad = |reason: String| BadConnection { name: name.clone(), reason };
            let target = match address.split_once("://") {
                Some(("postgres" | "postgresql", _)) => {
                    let config = address.parse().map_err(|error| bad(format!("not an address: {error}")))?;
                    Target::Postgres { config: Box::new(config), client: Mutex::default() }
                }
                Some(("sqlite", path)) => Target::Sqlite(path.into()),
                _ => {
                    let reason = "give postgres://user:password@host/database or sqlite:///path/to/file";
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
                postgres(&*open(config, client).await?, statement, parameters).await
            }
            Some(Target::Postgres { config, .. }) => {
                let client = connect(config).await?;
                let refuse = "SET default_transaction_read_only = on";
                client.batch_execute(refuse).await.map_err(|error| said(&error))?;
                postgres(&client, statement, parameters).await
            }
            Some(Target::Sqlite(path)) => {
                let (path, statement) = (path.clone(), statement.to_owned());
                let work =
                    tokio::task::spawn_blocking(move || sqlite(&path, &statement, &parameters, only_reads));
                work.await.map_err(|error| format!("sql.query: {error}"))?
            }
            None => Err(format!("sql.query: there is no connection '{name}'")),
        }
    }
}

/// A parameter as text, which PostgreSQL reads as whatever type it needs there.
#[derive(Debug)]
struct AsText(Value);

impl ToSql for AsText {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match &self.0 {
            Value::Null => return Ok(IsNull::Yes),
            Value::String(text) => out.extend_from_slice(text.as_bytes()),
            other => out.extend_from_slice(other.to_string().as_bytes()),
        }
        Ok(IsNull::No)
    }
    fn accepts(_: &Type) -> bool {
        true
    }
    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }
    tokio_postgres::types::to_sql_checked!();
}

async fn postgres(client: &Client, statement: &str, parameters: Vec<Value>) -> Result<Value, String> {
    let prepared = client.prepare(statement).await.map_err(|error| said(&error))?;
    let parameters: Vec<AsText> = parameters.into_iter().map(AsText).collect();
    let bound: Vec<&(dyn ToSql + Sync)> = parameters.iter().map(|it| it as &(dyn ToSql + Sync)).collect();
    if bound.len() != prepared.params().len() {
        let wanted = prepared.params().len();
        return Err(format!("sql.query: the statement has {wanted} parameters, {} are given", bound.len()));
    }
    if prepared.columns().is_empty() {
        let changed = client.execute(&prepared, &bound).await.map_err(|error| said(&error))?;
        return Ok(json!({ "changed": changed }));
    }
    // The database itself makes JSON of its own types.
    let statement = statement.trim().trim_end_matches(';');
    let wrapped = format!(
        "WITH answer AS ({statement}) SELECT row_to_json(answer)::text FROM answer LIMIT {}",
        ROWS_MAX + 1
    );
    let rows = client.query(&wrapped, &bound).await.map_err(|error| said(&error))?;
    let mut answer = Answer::default();
    for row in &rows {
        let text: &str = row.try_get(0).map_err(|error| said(&error))?;
        answer.add(serde_json::from_str(text).unwrap_or(Value::Null), text.len())?;
    }
    Ok(Value::Array(answer.rows))
}

/// The connection, made anew if there is none. It serves many queries at once and is held only while it is looked at.
async fn open(
    config: &tokio_postgres::Config,
    kept: &Mutex<Option<Arc<Client>>>,
) -> Result<Arc<Client>, String> {
    let mut kept = kept.lock().await;
    if let Some(client) = kept.as_ref().filter(|client| !client.is_closed()) {
        return Ok(Arc::clone(client));
    }
    let client = Arc::new(connect(config).await?);
    *kept = Some(Arc::clone(&client));
    Ok(client)
}

async fn connect(config: &tokio_postgres::Config) -> Result<Client, String> {
    let (client, connection) = config.connect(NoTls).await.map_err(|error| said(&error))?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::warn!(%error, "a connection of scripts ended");
        }
    });
    let limit = format!("SET statement_timeout = {}", STATEMENT_TIMEOUT.as_millis());
    client.batch_execute(&limit).await.map_err(|error| said(&error))?;
    Ok(client)
}

fn said(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(error) => format!("sql.query: {}", error.message()),
        None => format!("sql.query: {error}"),
    }
}

/// Rows, as many as an answer may have.
#[derive(Default)]
struct Answer {
    rows: Vec<Value>,
    bytes: usize,
}

impl Answer {
    fn add(&mut self, row: Value, bytes: usize) -> Result<(), String> {
        self.bytes += bytes;
        if self.rows.len() >= ROWS_MAX || self.bytes > ANSWER_BYTES_MAX {
            return Err(format!(
                "sql.query: the answer has more than {ROWS_MAX} rows or {ANSWER_BYTES_MAX} bytes: ask for less"
            ));
        }
        self.rows.push(row);
        Ok(())
    }
}

fn sqlite(
    path: &std::path::Path,
    statement: &str,
    parameters: &[Value],
    only_reads: bool,
) -> Result<Value, String> {
    let said = |error: rusqlite::Error| format!("sql.query: {error}");
    // The file must be there: a wrong path is a mistake, not a new database.
    let writes =
        if only_reads { OpenFlags::SQLITE_OPEN_READ_ONLY } else { OpenFlags::SQLITE_OPEN_READ_WRITE };
    let flags = writes | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(said)?;
    connection.busy_timeout(Duration::from_secs(1)).map_err(said)?;
    // One file was named: no other may be attached to it.
    connection.set_limit(rusqlite::limits::Limit::SQLITE_LIMIT_ATTACHED, 0).map_err(said)?;
    let until = Instant::now() + STATEMENT_TIMEOUT;
    connection.progress_handler(10_000, Some(move || Instant::now() > until)).map_err(said)?;
    let mut prepared = connection.prepare(statement).map_err(said)?;
    if prepared.parameter_count() != parameters.len() {
        let wanted = prepared.parameter_count();
        return Err(format!(
            "sql.query: the statement has {wanted} parameters, {} are given",
            parameters.len()
        ));
    }
    for (place, parameter) in (1..).zip(parameters) {
        prepared.raw_bind_parameter(place, bound(parameter)).map_err(said)?;
    }
    let names: Vec<String> = prepared.column_names().map(str::to_owned).collect();
    if names.is_empty() {
        return Ok(json!({ "changed": prepared.raw_execute().map_err(said)? }));
    }
    let mut rows = prepared.raw_query();
    let mut answer = Answer::default();
    while let Some(row) = rows.next().map_err(said)? {
        let mut object = Map::new();
        let mut bytes = 0;
        for (place, name) in names.iter().enumerate() {
            let value = match row.get_ref(place).map_err(said)? {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(number) => number.into(),
                ValueRef::Real(number) => number.into(),
                ValueRef::Text(text) => String::from_utf8_lossy(text).into(),
                ValueRef::Blob(_) => {
                    return Err("sql.query: a BLOB cannot be given to a script: use hex()".to_owned());
                }
            };
            bytes += name.len() + value.as_str().map_or(8, str::len);
            object.insert(name.clone(), value);
        }
        answer.add(Value::Object(object), bytes)?;
    }
    Ok(Value::Array(answer.rows))
}

fn bound(parameter: &Value) -> rusqlite::types::Value {
    use rusqlite::types::Value as Bound;
    match parameter {
        Value::Null => Bound::Null,
        Value::Bool(value) => Bound::Integer(i64::from(*value)),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => Bound::Integer(integer),
            (None, Some(real)) => Bound::Real(real),
            (None, None) => Bound::Null,
        },
        Value::String(text) => Bound::Text(text.clone()),
        other => Bound::Text(other.to_string()),
    }
}
