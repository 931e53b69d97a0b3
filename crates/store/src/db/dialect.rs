//! What is said differently to the two databases.
//!
//! Statements are written once, in PostgreSQL's words. For SQLite the few words that it does not know are replaced:
//! `$1` by `?1`, `= ANY($1)` and `<> ALL($1)` by a look into a JSON list, and row locks by nothing, because SQLite has
//! one writer at a time.

use crate::value::Value;

/// Which database it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dialect {
    /// SQLite, one file.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

/// Row locks, longest first.
const LOCKS: &[&str] = &[" FOR UPDATE SKIP LOCKED", " FOR UPDATE", " FOR SHARE"];

/// The statement in SQLite's words. `values` tell what kind of list a list is.
pub(super) fn for_sqlite(sql: &str, values: &[Value]) -> String {
    let mut text = sql.to_owned();
    for lock in LOCKS {
        text = text.replace(lock, "");
    }
    for (phrase, operator) in [("= ANY($", "IN"), ("<> ALL($", "NOT IN")] {
        text = replace_lists(&text, phrase, operator, values);
    }
    text.replace('$', "?")
}

fn replace_lists(text: &str, phrase: &str, operator: &str, values: &[Value]) -> String {
    let mut parts = text.split(phrase);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (number, rest) = part.split_once(')').unwrap_or((part, ""));
        let list = number.parse::<usize>().ok().and_then(|number| values.get(number.wrapping_sub(1)));
        let column = if matches!(list, Some(Value::UuidList(_))) { "unhex(value)" } else { "value" };
        out.push_str(&format!("{operator} (SELECT {column} FROM json_each(?{number})){rest}"));
    }
    out
}

/// A migration's text in one database's words.
///
/// Sections begin with `-- [sqlite]`, `-- [postgres]` or `-- [both]` on a line of their own.
pub(super) fn migration_for(dialect: Dialect, sql: &str) -> String {
    let mut here = true;
    let mut text = String::with_capacity(sql.len());
    for line in sql.lines() {
        match line {
            "-- [both]" => here = true,
            "-- [sqlite]" => here = dialect == Dialect::Sqlite,
            "-- [postgres]" => here = dialect == Dialect::Postgres,
            _ if !here || line.trim_start().starts_with("--") => {}
            line => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    match dialect {
        Dialect::Postgres => text,
        Dialect::Sqlite => text.split_inclusive(';').map(sqlite_definition).collect(),
    }
}

fn sqlite_definition(statement: &str) -> String {
    let names_types =
        ["CREATE TABLE", "ALTER TABLE"].iter().any(|start| statement.trim_start().starts_with(start));
    if !names_types {
        return statement.to_owned();
    }
    let mut out = String::with_capacity(statement.len());
    let mut word = String::new();
    for character in statement.chars() {
        if character.is_ascii_alphanumeric() || character == '_' {
            word.push(character);
            continue;
        }
        out.push_str(sqlite_word(&word));
        word.clear();
        out.push(character);
    }
    let out = out.replace("DOUBLE PRECISION", "REAL");
    if !out.trim_start().starts_with("CREATE") {
        out
    } else if out.contains("/* clustered */") {
        out.replace("/* clustered */", "WITHOUT ROWID, STRICT")
    } else {
        out.replace(");", ") STRICT;")
    }
}

fn sqlite_word(word: &str) -> &str {
    match word {
        "UUID" | "BYTEA" => "BLOB",
        "BIGINT" | "SMALLINT" => "INTEGER",
        "JSONB" => "TEXT",
        word => word,
    }
}

/// A list as SQLite reads it: a JSON array, UUIDs as hex digits.
pub(super) fn list_as_json(value: &Value) -> Option<String> {
    match value {
        Value::IntegerList(numbers) => serde_json::to_string(numbers).ok(),
        Value::TextList(texts) => serde_json::to_string(texts).ok(),
        Value::UuidList(ids) => {
            let hex = |id: &uuid::Uuid| id.simple().to_string();
            serde_json::to_string(&ids.iter().map(hex).collect::<Vec<_>>()).ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values;

    #[test]
    fn parameters_lists_and_locks_are_put_into_the_words_of_sqlite() {
        let values = [Value::Integer(1), Value::uuids([]), Value::integers([])];
        let sql = "SELECT a FROM t WHERE b = $1 AND c = ANY($2) AND d <> ALL($3) FOR UPDATE SKIP LOCKED";
        assert_eq!(
            for_sqlite(sql, &values),
            "SELECT a FROM t WHERE b = ?1 AND c IN (SELECT unhex(value) FROM json_each(?2)) \
             AND d NOT IN (SELECT value FROM json_each(?3))"
        );
        assert_eq!(for_sqlite("SELECT $12, $1", &values![1]), "SELECT ?12, ?1");
    }

    #[test]
    fn a_table_is_strict_on_sqlite_and_as_written_on_postgres() {
        let sql = "CREATE TABLE t (\n    id UUID PRIMARY KEY, -- x\n    n BIGINT NULL\n);\n-- [postgres]\nSELECT 1;\n";
        let sqlite = migration_for(Dialect::Sqlite, sql);
        assert!(
            sqlite.contains("id BLOB PRIMARY KEY") && sqlite.contains("n INTEGER NULL\n) STRICT;"),
            "{sqlite}"
        );
        assert!(!sqlite.contains("SELECT 1"));
        assert!(migration_for(Dialect::Postgres, sql).contains("SELECT 1;"));
    }
}
