//! `sql.query` on PostgreSQL.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio_postgres::types::{Format, IsNull, ToSql, Type, private::BytesMut};
use tokio_postgres::{Client, Column, NoTls};

use super::{Answer, ROWS_MAX, STATEMENT_TIMEOUT, wrong_count};

/// A client for reading only: a connection of its own that refuses to change anything.
pub(super) async fn read_only(config: &tokio_postgres::Config) -> Result<Client, String> {
    let client = connect(config).await?;
    let refuse = "SET default_transaction_read_only = on";
    client.batch_execute(refuse).await.map_err(|error| said(&error))?;
    Ok(client)
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

pub(super) async fn query(client: &Client, statement: &str, parameters: Vec<Value>) -> Result<Value, String> {
    let prepared = client.prepare(statement).await.map_err(|error| said(&error))?;
    let parameters: Vec<AsText> = parameters.into_iter().map(AsText).collect();
    let bound: Vec<&(dyn ToSql + Sync)> = parameters.iter().map(|it| it as &(dyn ToSql + Sync)).collect();
    if bound.len() != prepared.params().len() {
        let wanted = prepared.params().len();
        return Err(wrong_count(wanted, bound.len()));
    }
    if prepared.columns().is_empty() {
        let changed = client.execute(&prepared, &bound).await.map_err(|error| said(&error))?;
        return Ok(json!({ "changed": changed }));
    }
    let wrapped = as_json(statement, prepared.columns());
    let rows = client.query(&wrapped, &bound).await.map_err(|error| said(&error))?;
    let mut answer = Answer::default();
    for row in &rows {
        let text: &str = row.try_get(0).map_err(|error| said(&error))?;
        answer.add(serde_json::from_str(text).unwrap_or(Value::Null), text.len())?;
    }
    Ok(Value::Array(answer.rows))
}

/// A statement whose rows are JSON objects, which the database itself makes of its own types, but for those that would
/// lose digits or that JSON has no word for.
fn as_json(statement: &str, columns: &[Column]) -> String {
    let inner: Vec<String> = (0..columns.len()).map(|place| format!("c{place}")).collect();
    let shaped: Vec<String> = columns
        .iter()
        .zip(&inner)
        .map(|(column, inner)| {
            let name = column.name().replace('"', "\"\"");
            match *column.type_() {
                Type::NUMERIC => format!("{inner}::text AS \"{name}\""),
                // PostgreSQL breaks base64 into lines.
                Type::BYTEA => format!("translate(encode({inner}, 'base64'), E'\\n', '') AS \"{name}\""),
                _ => format!("{inner} AS \"{name}\""),
            }
        })
        .collect();
    format!(
        "WITH answer ({}) AS ({}) SELECT row_to_json(shaped)::text FROM (SELECT {} FROM answer) shaped LIMIT {}",
        inner.join(", "),
        statement.trim().trim_end_matches(';'),
        shaped.join(", "),
        ROWS_MAX + 1
    )
}

/// The connection, made anew if there is none. It serves many queries at once and is held only while it is looked at.
pub(super) async fn open(
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
