//! `sql.query` on SQLite.

use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Map, Value, json};

use super::{Answer, STATEMENT_TIMEOUT, wrong_count};

/// Runs a statement on the file; blocks.
pub(super) fn query(
    path: &Path,
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
        return Err(wrong_count(wanted, parameters.len()));
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
                ValueRef::Blob(bytes) => BASE64_STANDARD.encode(bytes).into(),
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
