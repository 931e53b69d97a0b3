//! `sql.query` against real databases.

use scripting::sql::Connections;
use serde_json::{Value, json};

async fn query(connections: &Connections, statement: &str, parameters: Value) -> Result<Value, String> {
    connections.query(&json!(["crm", statement, parameters]), false).await
}

/// One connection of each kind.
fn both(directory: &tempfile::TempDir) -> Vec<Connections> {
    let file = directory.path().join("crm.db");
    std::fs::File::create(&file).unwrap();
    let server =
        std::env::var("TEST_PG_URL").expect("TEST_PG_URL is the address of a PostgreSQL server to test on");
    [format!("sqlite://{}", file.display()), server]
        .map(|address| Connections::new([("crm".to_owned(), address)]).unwrap())
        .to_vec()
}

#[tokio::test]
async fn rows_come_back_as_objects_and_parameters_are_bound() {
    let directory = tempfile::tempdir().unwrap();
    for connections in both(&directory) {
        let table = format!("customers_{}", std::process::id());
        query(&connections, &format!("CREATE TABLE {table} (id BIGINT, name TEXT, vip BOOLEAN)"), json!([]))
            .await
            .unwrap();
        let hostile = "Robert'); DROP TABLE customers;--";
        let insert =
            |mark: [&str; 3]| format!("INSERT INTO {table} VALUES ({}, {}, {})", mark[0], mark[1], mark[2]);
        let marks = ["$1", "$2", "$3"];
        let changed = query(&connections, &insert(marks), json!([7, hostile, true])).await.unwrap();
        assert_eq!(changed, json!({"changed": 1}));
        query(&connections, &insert(marks), json!([8, null, null])).await.unwrap();
        let select = format!("SELECT id, name FROM {table} WHERE id >= $1 ORDER BY id");
        let rows = query(&connections, &select, json!([7]));
        assert_eq!(rows.await.unwrap(), json!([{"id": 7, "name": hostile}, {"id": 8, "name": null}]));
        let wrong = query(&connections, &format!("SELECT id FROM {table} WHERE id = $1"), json!([]))
            .await
            .unwrap_err();
        assert!(wrong.contains("has 1 parameters, 0 are given"), "{wrong}");
        let only_reads =
            connections.query(&json!(["crm", format!("DELETE FROM {table}")]), true).await.unwrap_err();
        assert!(only_reads.to_lowercase().contains("read"), "{only_reads}");
        let many = query(
            &connections,
            "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 2000) SELECT x FROM n",
            json!([]),
        );
        assert!(many.await.unwrap_err().contains("more than 1000 rows"));
        query(&connections, &format!("DROP TABLE {table}"), json!([])).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_not_there_is_told_by_name() {
    let directory = tempfile::tempdir().unwrap();
    for connections in both(&directory) {
        let error = connections.query(&json!(["erp", "SELECT 1"]), false).await.unwrap_err();
        assert_eq!(error, "sql.query: there is no connection 'erp'");
        assert!(query(&connections, "SELEC 1", json!([])).await.unwrap_err().starts_with("sql.query: "));
        assert!(
            query(&connections, "SELECT * FROM nowhere_at_all", json!([]))
                .await
                .unwrap_err()
                .contains("nowhere_at_all")
        );
    }
    let error = Connections::new([("crm".to_owned(), "mysql://host/db".to_owned())]).unwrap_err();
    assert!(error.to_string().contains("postgres://"), "{error}");
    let missing = Connections::new([("crm".to_owned(), "sqlite:///no/such/file.db".to_owned())]).unwrap();
    assert!(query(&missing, "SELECT 1", json!([])).await.is_err());
}
