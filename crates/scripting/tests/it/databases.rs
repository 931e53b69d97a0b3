//! `sql.query` against real databases.

use std::time::Duration;

use scripting::sql::Connections;
use serde_json::{Value, json};

async fn query(connections: &Connections, statement: &str, parameters: Value) -> Result<Value, String> {
    connections.query(&json!(["crm", statement, parameters]), false).await
}

fn crm(address: String) -> Connections {
    Connections::new([("crm".to_owned(), address)]).unwrap()
}

fn sqlite(directory: &tempfile::TempDir) -> Connections {
    let file = directory.path().join("crm.db");
    std::fs::File::create(&file).unwrap();
    crm(format!("sqlite://{}", file.display()))
}

fn postgres() -> Connections {
    crm(std::env::var("TEST_PG_URL").expect("TEST_PG_URL is the address of a PostgreSQL server to test on"))
}

fn mysql_url() -> String {
    std::env::var("TEST_MYSQL_URL")
        .expect("TEST_MYSQL_URL is the address of a MariaDB or MySQL server to test on")
}

/// One connection of each kind, with how it marks the first three parameters.
fn all(directory: &tempfile::TempDir) -> [(Connections, [&'static str; 3]); 3] {
    let numbered = ["$1", "$2", "$3"];
    [(sqlite(directory), numbered), (postgres(), numbered), (crm(mysql_url()), ["?"; 3])]
}

#[tokio::test]
async fn rows_come_back_as_objects_and_parameters_are_bound() {
    let directory = tempfile::tempdir().unwrap();
    for (connections, [first, second, third]) in all(&directory) {
        let table = format!("customers_{}", std::process::id());
        query(&connections, &format!("CREATE TABLE {table} (id BIGINT, name TEXT, vip BOOLEAN)"), json!([]))
            .await
            .unwrap();
        let hostile = "Robert'); DROP TABLE customers;--";
        let insert = format!("INSERT INTO {table} VALUES ({first}, {second}, {third})");
        let changed = query(&connections, &insert, json!([7, hostile, true])).await.unwrap();
        assert_eq!(changed, json!({"changed": 1}));
        query(&connections, &insert, json!([8, null, null])).await.unwrap();
        let update = format!("UPDATE {table} SET name = name WHERE id >= {first}");
        assert_eq!(query(&connections, &update, json!([7])).await.unwrap(), json!({"changed": 2}));
        let select = format!("SELECT id, name FROM {table} WHERE id >= {first} ORDER BY id");
        let rows = query(&connections, &select, json!([7]));
        assert_eq!(rows.await.unwrap(), json!([{"id": 7, "name": hostile}, {"id": 8, "name": null}]));
        let wrong = query(&connections, &format!("SELECT id FROM {table} WHERE id = {first}"), json!([]))
            .await
            .unwrap_err();
        assert!(wrong.contains("has 1 parameters, 0 are given"), "{wrong}");
        for writes in [format!("DELETE FROM {table}"), format!("DROP TABLE {table}")] {
            let refused = connections.query(&json!(["crm", writes]), true).await.unwrap_err();
            assert!(refused.to_lowercase().contains("read"), "{refused}");
        }
        let select = json!(["crm", format!("SELECT id FROM {table} ORDER BY id")]);
        let read = connections.query(&select, true).await.unwrap();
        assert_eq!(read, json!([{"id": 7}, {"id": 8}]));
        query(&connections, &format!("DROP TABLE {table}"), json!([])).await.unwrap();
    }
}

#[tokio::test]
async fn an_answer_has_its_limits_and_the_next_one_comes_all_the_same() {
    let directory = tempfile::tempdir().unwrap();
    for (connections, _) in all(&directory) {
        let digits = "SELECT 0 AS x UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION \
                      SELECT 6 UNION SELECT 7 UNION SELECT 8 UNION SELECT 9";
        let many = format!("WITH d AS ({digits}) SELECT a.x FROM d a, d b, d c, d e, d f, d g");
        let kib = "0123456789abcdef".repeat(64);
        let long = format!("WITH d AS ({digits}) SELECT '{}' AS x FROM d", kib.repeat(500));
        for too_much in [many, long] {
            let error = query(&connections, &too_much, json!([])).await.unwrap_err();
            assert!(error.contains("the answer has more than 1000 rows or 4194304 bytes"), "{error}");
            let next = query(&connections, "SELECT 1 AS one", json!([])).await.unwrap();
            assert_eq!(next, json!([{"one": 1}]));
        }
    }
}

#[tokio::test]
async fn what_javascript_would_lose_comes_as_text() {
    let directory = tempfile::tempdir().unwrap();
    for (connections, [first, ..]) in all(&directory) {
        let select = "SELECT 9007199254740991 AS most, 9007199254740992 AS more, -9007199254740992 AS less";
        let wanted = json!([{"most": 9_007_199_254_740_991_i64, "more": "9007199254740992", "less": "-9007199254740992"}]);
        assert_eq!(query(&connections, select, json!([])).await.unwrap(), wanted);
        // And goes back as text.
        let table = format!("large_{}", std::process::id());
        query(&connections, &format!("CREATE TABLE {table} (id BIGINT)"), json!([])).await.unwrap();
        let insert = format!("INSERT INTO {table} VALUES ({first})");
        query(&connections, &insert, json!(["9007199254740993"])).await.unwrap();
        let found = query(&connections, &format!("SELECT id FROM {table}"), json!([])).await.unwrap();
        assert_eq!(found, json!([{"id": "9007199254740993"}]));
        query(&connections, &format!("DROP TABLE {table}"), json!([])).await.unwrap();
    }
    let blob = json!([{"b": "AAH/"}]);
    let of_sqlite = query(&sqlite(&directory), "SELECT x'0001ff' AS b", json!([])).await.unwrap();
    assert_eq!(of_sqlite, blob);
    let select = "SELECT '\\x0001ff'::bytea AS b, 12345678901234567890.10::numeric AS \"the \"\"sum\"\"\", '[1]'::jsonb AS j";
    let of_postgres = query(&postgres(), select, json!([])).await.unwrap();
    assert_eq!(of_postgres, json!([{"b": "AAH/", "the \"sum\"": "12345678901234567890.10", "j": [1]}]));
}

#[tokio::test]
async fn values_of_mysql_come_as_the_table_in_the_documentation_says() {
    let connections = crm(mysql_url());
    let table = format!("kinds_{}", std::process::id());
    let create = format!(
        "CREATE TABLE {table} (small TINYINT, flag BOOLEAN, large BIGINT UNSIGNED, price DECIMAL(20,2), f FLOAT, d DOUBLE,
         day DATE, moment DATETIME(3), stamp TIMESTAMP NULL, span TIME, y YEAR, word VARCHAR(20) CHARACTER SET latin1,
         words TEXT CHARACTER SET utf8mb4, raw BLOB, fixed BINARY(3), mood ENUM('good', 'bad'), bits BIT(12), j JSON, nothing INT)"
    );
    query(&connections, &create, json!([])).await.unwrap();
    let marks = vec!["?"; 19].join(", ");
    let values = json!([
        -5, true, "18446744073709551615", "123456789012345678.90", 0.1, 0.1, "2026-03-29", "2026-03-29T02:30:00.250",
        "2026-03-29 02:30:00", "-101:02:03", 2026, "Zoë", "naïve ☎", "raw", "abc", "bad", 2748, {"a": [1]}, null
    ]);
    query(&connections, &format!("INSERT INTO {table} VALUES ({marks})"), values).await.unwrap();
    let rows = query(&connections, &format!("SELECT * FROM {table}"), json!([])).await.unwrap();
    let row = rows[0].clone();
    // MariaDB's JSON is text under another name.
    let document = match &row["j"] {
        Value::String(text) => serde_json::from_str(text).unwrap(),
        other => other.clone(),
    };
    assert_eq!(document, json!({"a": [1]}));
    let wanted = json!({
        "small": -5, "flag": 1, "large": "18446744073709551615", "price": "123456789012345678.90", "f": 0.1, "d": 0.1,
        "day": "2026-03-29", "moment": "2026-03-29T02:30:00.250000", "stamp": "2026-03-29T02:30:00+00:00",
        "span": "-101:02:03", "y": 2026, "word": "Zoë", "words": "naïve ☎", "raw": "cmF3", "fixed": "YWJj",
        "mood": "bad", "bits": 2748, "j": row["j"], "nothing": null
    });
    assert_eq!(row, wanted);
    query(&connections, &format!("DROP TABLE {table}"), json!([])).await.unwrap();
}

#[tokio::test]
async fn what_a_statement_does_to_its_session_of_mysql_is_gone_with_the_next() {
    let connections = crm(mysql_url());
    query(&connections, "SET @mine = 1, time_zone = '+05:00'", json!([])).await.unwrap();
    for _ in 0..3 {
        let found =
            query(&connections, "SELECT @mine AS mine, @@time_zone AS zone", json!([])).await.unwrap();
        assert_eq!(found, json!([{"mine": null, "zone": "+00:00"}]));
    }
    // MariaDB has the one, in seconds, MySQL the other, in milliseconds.
    let limits = "SHOW VARIABLES WHERE Variable_name IN ('max_statement_time', 'max_execution_time')";
    let limits = query(&connections, limits, json!([])).await.unwrap();
    let limit = limits[0]["Value"].as_str().unwrap();
    assert!(["10.000000", "10000"].contains(&limit), "{limits}");
}

#[tokio::test]
async fn a_statement_of_mysql_that_is_given_up_on_is_ended_in_the_server() {
    let connections = crm(mysql_url());
    let mark = format!("given_up_{}", std::process::id());
    // It computes: a server may look after its client while it only waits.
    let long = format!("SELECT BENCHMARK(1000000000000, MD5('x')) AS {mark}");
    let asker = connections.clone();
    let asking = tokio::spawn(async move { query(&asker, &long, json!([])).await });
    let until_running = async |wanted: u32| {
        let runs = "SELECT COUNT(*) AS n FROM information_schema.processlist WHERE info LIKE ? AND id <> CONNECTION_ID()";
        for _ in 0..100 {
            let found = query(&connections, runs, json!([format!("%{mark}%")])).await.unwrap();
            if found == json!([{"n": wanted}]) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("there are not {wanted} of it");
    };
    until_running(1).await;
    asking.abort();
    until_running(0).await;
}

#[tokio::test]
async fn an_address_that_asks_for_tls_is_not_served_without() {
    let connections = crm(format!("{}?require_ssl=true", mysql_url()));
    let error = query(&connections, "SELECT 1", json!([])).await.unwrap_err();
    assert!(error.to_lowercase().contains("ssl") || error.to_lowercase().contains("certificate"), "{error}");
}

#[tokio::test]
async fn what_is_not_there_is_told_by_name() {
    let directory = tempfile::tempdir().unwrap();
    for (connections, _) in all(&directory) {
        let error = connections.query(&json!(["erp", "SELECT 1"]), false).await.unwrap_err();
        assert!(error.starts_with("sql.query: this tenant's scripts have no connection 'erp': "), "{error}");
        assert!(error.contains("[[scripts.connections]]"), "{error}");
        assert!(query(&connections, "SELEC 1", json!([])).await.unwrap_err().starts_with("sql.query: "));
        assert!(
            query(&connections, "SELECT * FROM nowhere_at_all", json!([]))
                .await
                .unwrap_err()
                .contains("nowhere_at_all")
        );
    }
    for wrong in ["oracle://host/db", "mysql://host/db?colour=red"] {
        let error = Connections::new([("crm".to_owned(), wrong.to_owned())]).unwrap_err();
        assert!(error.to_string().contains("mysql://user:password@host/database"), "{error}");
    }
    let missing = crm("sqlite:///no/such/file.db".to_owned());
    assert!(query(&missing, "SELECT 1", json!([])).await.is_err());
    let secret = crm("mysql://outdial:hush@127.0.0.1:1/crm".to_owned());
    let refused = query(&secret, "SELECT 1", json!([])).await.unwrap_err();
    assert!(refused.starts_with("sql.query: ") && !refused.contains("hush"), "{refused}");
}
