//! `sql.query` on MySQL and MariaDB.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use mysql_async::consts::ColumnType;
use mysql_async::prelude::Queryable;
use mysql_async::{Column, Conn, Opts, OptsBuilder, Params, Pool, PoolConstraints, PoolOpts, Row};
use mysql_async::{Error, Value as Wire};
use serde_json::{Map, Value, json};

use super::{ANSWER_BYTES_MAX, Answer, STATEMENT_TIMEOUT, wrong_count};

/// Connections to one server at most; a server takes 151 in all unless told otherwise, and serves others too.
const CONNECTIONS_MAX: usize = 16;
/// How much later than the server's own limit it is given up on: it tells better what went wrong.
const GRACE: Duration = Duration::from_secs(1);
/// The character set of what is no text.
const BINARY: u16 = 63;

/// A server, with the connections to it. It has one statement at a time on each.
pub(super) struct Server {
    pool: Pool,
    opts: Opts,
}

impl Server {
    /// The server at an address without its scheme: `user:password@host/database`. Connects to nothing yet.
    ///
    /// # Errors
    /// It is no address.
    pub(super) fn at(rest: &str) -> Result<Self, String> {
        let given = Opts::from_url(&format!("mysql://{rest}"))
            .map_err(|error| format!("not an address: {error}: give mysql://user:password@host/database"))?;
        // Each statement finds the connection as if it were new: reset, then this.
        let mut setup = vec![session()];
        if let Some(database) = given.db_name() {
            setup.push(format!("USE `{}`", database.replace('`', "``")));
        }
        let constraints = PoolConstraints::new(0, CONNECTIONS_MAX).unwrap_or_default();
        let opts = OptsBuilder::from_opts(given)
            .setup(setup)
            .prefer_socket(false)
            // As the other databases count: what a statement met, not what it made different.
            .client_found_rows(true)
            .max_allowed_packet(Some(ANSWER_BYTES_MAX))
            .pool_opts(PoolOpts::default().with_constraints(constraints));
        let opts = Opts::from(opts);
        Ok(Self { pool: Pool::new(opts.clone()), opts })
    }

    /// Runs a statement. One that is given up on, or whose answer is too long, is ended in the server too.
    ///
    /// # Errors
    /// What the server said.
    pub(super) async fn query(
        &self,
        statement: &str,
        parameters: Vec<Value>,
        only_reads: bool,
    ) -> Result<Value, String> {
        let work = async {
            let mut conn = if only_reads {
                let mut conn = Conn::new(self.opts.clone()).await.map_err(said)?;
                conn.query_drop("SET SESSION TRANSACTION READ ONLY").await.map_err(said)?;
                conn
            } else {
                self.pool.get_conn().await.map_err(said)?
            };
            let mut ending = Ending { opts: Some(self.opts.clone()), connection: conn.id() };
            let outcome = run(&mut conn, statement, parameters).await;
            if !matches!(outcome, Err(Failed::Midway(_))) {
                ending.opts = None;
            }
            outcome.map_err(|(Failed::Midway(message) | Failed::Whole(message))| message)
        };
        let late = |_| format!("sql.query: no answer within {} s", STATEMENT_TIMEOUT.as_secs());
        tokio::time::timeout(STATEMENT_TIMEOUT + GRACE, work).await.map_err(late)?
    }
}

/// What every session begins with: instants are in UTC, and no statement takes longer than it may. MariaDB reads the first
/// comment, MySQL the second.
fn session() -> String {
    let (seconds, milliseconds) = (STATEMENT_TIMEOUT.as_secs(), STATEMENT_TIMEOUT.as_millis());
    format!(
        "SET SESSION time_zone = '+00:00', innodb_lock_wait_timeout = {seconds} \
         /*M! , max_statement_time = {seconds} */ /*!50708 , max_execution_time = {milliseconds} */"
    )
}

/// Ends a statement in the server when it is dropped, unless told that the statement is over.
struct Ending {
    opts: Option<Opts>,
    connection: u32,
}

impl Drop for Ending {
    fn drop(&mut self) {
        let (Some(opts), Ok(runtime)) = (self.opts.take(), tokio::runtime::Handle::try_current()) else {
            return;
        };
        let kill = format!("KILL {}", self.connection);
        runtime.spawn(async move {
            let killed = async { Conn::new(opts).await?.query_drop(kill).await };
            if let Err(error) = killed.await {
                tracing::debug!(error = said(error), "a statement of a script could not be ended");
            }
        });
    }
}

/// Why there is no answer.
enum Failed {
    /// The server still has something to say.
    Midway(String),
    /// It has not.
    Whole(String),
}

async fn run(conn: &mut Conn, statement: &str, parameters: Vec<Value>) -> Result<Value, Failed> {
    let whole = |error| Failed::Whole(said(error));
    let prepared = conn.prep(statement).await.map_err(whole)?;
    let wanted = usize::from(prepared.num_params());
    if wanted != parameters.len() {
        return Err(Failed::Whole(wrong_count(wanted, parameters.len())));
    }
    let bound = match parameters.is_empty() {
        true => Params::Empty,
        false => Params::Positional(parameters.into_iter().map(bound).collect()),
    };
    let mut result = conn.exec_iter(&prepared, bound).await.map_err(whole)?;
    if result.columns_ref().is_empty() {
        return Ok(json!({ "changed": result.affected_rows() }));
    }
    let mut answer = Answer::default();
    while let Some(row) = result.next().await.map_err(whole)? {
        let (row, bytes) = object(row);
        answer.add(row, bytes).map_err(Failed::Midway)?;
    }
    Ok(Value::Array(answer.rows))
}

fn bound(parameter: Value) -> Wire {
    match parameter {
        Value::Null => Wire::NULL,
        Value::Bool(value) => Wire::Int(value.into()),
        Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(integer), ..) => Wire::Int(integer),
            (_, Some(integer), _) => Wire::UInt(integer),
            (.., real) => real.map_or(Wire::NULL, Wire::Double),
        },
        Value::String(text) => Wire::Bytes(text.into_bytes()),
        other => Wire::Bytes(other.to_string().into_bytes()),
    }
}

/// A row as an object, and about how many bytes it has.
fn object(row: Row) -> (Value, usize) {
    let columns = row.columns();
    let mut object = Map::new();
    let mut bytes = 0;
    for (column, value) in columns.iter().zip(row.unwrap()) {
        let name = column.name_str().into_owned();
        bytes += name.len()
            + match &value {
                Wire::Bytes(text) => text.len(),
                _ => 8,
            };
        object.insert(name, seen(column, value));
    }
    (Value::Object(object), bytes)
}

/// A value as scripts see it; the table is in docs/scripts.md.
fn seen(column: &Column, value: Wire) -> Value {
    match value {
        Wire::NULL => Value::Null,
        Wire::Int(integer) => integer.into(),
        Wire::UInt(integer) => integer.into(),
        // By way of its decimal digits: 0.1 is to stay 0.1.
        Wire::Float(real) => real.to_string().parse::<f64>().map_or(Value::Null, Value::from),
        Wire::Double(real) => real.into(),
        Wire::Date(year, month, day, hour, minute, second, micros) => {
            let date = format!("{year:04}-{month:02}-{day:02}");
            let time = format!("{hour:02}:{minute:02}:{second:02}{}", fraction(micros));
            match column.column_type() {
                ColumnType::MYSQL_TYPE_DATE | ColumnType::MYSQL_TYPE_NEWDATE => date.into(),
                // Of the session's zone, which is UTC.
                ColumnType::MYSQL_TYPE_TIMESTAMP => format!("{date}T{time}+00:00").into(),
                _ => format!("{date}T{time}").into(),
            }
        }
        Wire::Time(is_negative, days, hours, minutes, seconds, micros) => {
            let (sign, hours) = (if is_negative { "-" } else { "" }, days * 24 + u32::from(hours));
            format!("{sign}{hours:02}:{minutes:02}:{seconds:02}{}", fraction(micros)).into()
        }
        Wire::Bytes(bytes) => of_bytes(column, &bytes),
    }
}

fn of_bytes(column: &Column, bytes: &[u8]) -> Value {
    use ColumnType as Type;
    match column.column_type() {
        Type::MYSQL_TYPE_JSON => serde_json::from_slice(bytes).unwrap_or(Value::Null),
        // At most 64 bits, the highest first.
        Type::MYSQL_TYPE_BIT => {
            bytes.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte)).into()
        }
        Type::MYSQL_TYPE_GEOMETRY => BASE64_STANDARD.encode(bytes).into(),
        Type::MYSQL_TYPE_TINY_BLOB
        | Type::MYSQL_TYPE_MEDIUM_BLOB
        | Type::MYSQL_TYPE_LONG_BLOB
        | Type::MYSQL_TYPE_BLOB
        | Type::MYSQL_TYPE_VARCHAR
        | Type::MYSQL_TYPE_VAR_STRING
        | Type::MYSQL_TYPE_STRING
            if column.character_set() == BINARY =>
        {
            BASE64_STANDARD.encode(bytes).into()
        }
        _ => String::from_utf8_lossy(bytes).into(),
    }
}

fn fraction(micros: u32) -> String {
    if micros == 0 { String::new() } else { format!(".{micros:06}") }
}

/// An error without the driver's decoration.
fn said(error: Error) -> String {
    match error {
        Error::Server(error) => format!("sql.query: {}", error.message),
        other => format!("sql.query: {other}"),
    }
}
