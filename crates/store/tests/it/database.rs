//! Transactions, values and migrations.

use engine::{TenantId, Time};
use store::{Store, StoreError, StoreOptions, Value, values};

use crate::fixture::{NOW, World, id, on_both};

async fn add_tenant(world: &World, number: u128, name: &'static str) -> Result<u64, StoreError> {
    let insert = "INSERT INTO tenant (id, name, created_at) VALUES ($1, $2, $3)";
    world.store().write(move |tx| tx.execute(insert, &values![TenantId(id(number)), name, NOW])).await
}

#[tokio::test]
async fn a_failing_closure_leaves_nothing_and_does_not_hurt_its_neighbours() {
    on_both(|world| async move {
        let writes = (0..200_u128).map(|number| {
            world.store().write(move |tx| {
                let insert = "INSERT INTO tenant (id, name, created_at) VALUES ($1, $2, $3)";
                tx.execute(insert, &values![id(number), format!("tenant {number}"), NOW])?;
                if number % 2 == 1 { Err(StoreError::StaleVersion) } else { Ok(()) }
            })
        });
        let results = futures_util::future::join_all(writes).await;
        for (number, result) in results.into_iter().enumerate() {
            assert_eq!(result, if number % 2 == 1 { Err(StoreError::StaleVersion) } else { Ok(()) });
        }
        assert_eq!(world.one::<i64>("SELECT COUNT(*) FROM tenant", vec![]).await, 100);
    })
    .await;
}

#[tokio::test]
async fn a_panic_is_reported_and_the_thread_goes_on() {
    on_both(|world| async move {
        let panicked: Result<(), _> = world.store().write(|_| panic!("a defect")).await;
        assert_eq!(panicked, Err(StoreError::Panicked));
        for number in 0..10 {
            add_tenant(&world, number, ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"][number as usize])
                .await
                .unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_there_already_is_a_conflict_with_the_same_name_on_both() {
    on_both(|world| async move {
        add_tenant(&world, 1, "acme").await.unwrap();
        let name = add_tenant(&world, 2, "acme").await;
        assert_eq!(name, Err(StoreError::Conflict { constraint: "tenant_name_key".into() }));
        let key = add_tenant(&world, 1, "other").await;
        assert_eq!(key, Err(StoreError::Conflict { constraint: "tenant_pkey".into() }));
    })
    .await;
}

#[tokio::test]
async fn a_failed_statement_dooms_the_transaction_even_if_the_closure_goes_on() {
    on_both(|world| async move {
        let result = world.store().write(|tx| {
            tx.execute(
                "INSERT INTO tenant (id, name, created_at) VALUES ($1, $2, $3)",
                &values![id(1), "x", NOW],
            )?;
            let _ = tx.execute("INSERT INTO nowhere VALUES (1)", &[]);
            Ok(())
        });
        assert!(matches!(result.await, Err(StoreError::Database(_))));
        assert_eq!(world.one::<i64>("SELECT COUNT(*) FROM tenant", vec![]).await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_reader_cannot_write() {
    on_both(|world| async move {
        let insert = "INSERT INTO tenant (id, name, created_at) VALUES ($1, $2, $3)";
        let result = world.store().read(move |tx| tx.execute(insert, &values![id(1), "x", NOW])).await;
        assert!(result.is_err());
    })
    .await;
}

#[tokio::test]
async fn all_kinds_of_values_come_back_as_they_went_in() {
    on_both(|world| async move {
        world
            .execute(
                "INSERT INTO audit (id, tenant_id, at, actor, action, target_kind, target_id, before, after)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                values![
                    id(1),
                    id(2),
                    NOW,
                    "ü \u{1f600} '",
                    "a",
                    "k",
                    Value::Null,
                    Value::Null,
                    r#"{"a": [1, null]}"#
                ]
                .to_vec(),
            )
            .await;
        let sql = "SELECT id, at, actor, target_id, before, after FROM audit WHERE id = ANY($1)";
        let rows =
            world.store().read(move |tx| tx.query(sql, &[Value::uuids([id(1), id(9)])])).await.unwrap();
        let row = &rows[0];
        assert_eq!(row.get::<uuid::Uuid>(0), Ok(id(1)));
        assert_eq!(row.get::<Time>(1), Ok(NOW));
        assert_eq!(row.get::<String>(2).as_deref(), Ok("ü \u{1f600} '"));
        assert_eq!(row.get::<Option<uuid::Uuid>>(3), Ok(None));
        assert_eq!(row.get::<Option<String>>(4), Ok(None));
        let after: serde_json::Value = serde_json::from_str(&row.get::<String>(5).unwrap()).unwrap();
        assert_eq!(after, serde_json::json!({"a": [1, null]}));
    })
    .await;
}

#[tokio::test]
async fn rows_in_bulk_are_all_there_and_a_conflict_among_them_stores_none() {
    on_both(|world| async move {
        let rows = |last: u128| {
            let row = |number: u128| values![id(number), format!("tenant {number}"), NOW];
            (0..1000).chain([last]).map(row).collect::<Vec<_>>()
        };
        let columns = ["id", "name", "created_at"];
        let twice = world.store().write(move |tx| tx.insert_rows("tenant", &columns, &rows(5))).await;
        assert!(matches!(twice, Err(StoreError::Conflict { .. })), "{twice:?}");
        assert_eq!(world.one::<i64>("SELECT COUNT(*) FROM tenant", vec![]).await, 0);
        let once = world.store().write(move |tx| tx.insert_rows("tenant", &columns, &rows(1000))).await;
        assert_eq!(once, Ok(1001));
    })
    .await;
}

#[tokio::test]
async fn opening_again_applies_nothing_twice() {
    on_both(|world| async move {
        add_tenant(&world, 1, "kept").await.unwrap();
        let again = Store::open(&world.database.target, StoreOptions::default()).await.unwrap();
        let count = again.read(|tx| tx.query("SELECT name FROM tenant", &[])).await.unwrap().len();
        assert_eq!(count, 1);
    })
    .await;
}

#[tokio::test]
async fn a_database_of_a_newer_program_or_with_another_past_is_refused() {
    on_both(|world| async move {
        world.execute("UPDATE schema_migration SET checksum = 'other' WHERE version = 1", vec![]).await;
        let changed = Store::open(&world.database.target, StoreOptions::default()).await;
        assert!(matches!(changed, Err(StoreError::Unusable(_))), "{changed:?}");
        world.execute("DELETE FROM schema_migration", vec![]).await;
        for version in 1..50_i64 {
            world
                .execute(
                    "INSERT INTO schema_migration (version, name, checksum, applied_at) VALUES ($1, 'x', 'y', 0)",
                    vec![version.into()],
                )
                .await;
        }
        let newer = Store::open(&world.database.target, StoreOptions::default()).await;
        assert!(newer.unwrap_err().to_string().contains("newer program"));
    })
    .await;
}

#[tokio::test]
async fn what_was_committed_is_there_when_the_file_is_opened_again() {
    on_both(|world| async move {
        add_tenant(&world, 1, "kept").await.unwrap();
        // The first store is not closed: as after a kill, its threads and connections just stop being used.
        let again = Store::open(&world.database.target, StoreOptions::default()).await.unwrap();
        let row = again.read(|tx| tx.query_one("SELECT name FROM tenant", &[])).await.unwrap().unwrap();
        assert_eq!(row.get::<String>(0).as_deref(), Ok("kept"));
    })
    .await;
}

#[tokio::test]
async fn readable_views_show_times_that_people_can_read() {
    on_both(|world| async move {
        world.add(vec![crate::fixture::record(1, 0)]).await;
        let created: String = world.one("SELECT created_at FROM contact_readable", vec![]).await;
        assert_eq!(created, "2026-09-21T14:13:20.000Z");
        let state: String = world.one("SELECT feed_state FROM contact_readable", vec![]).await;
        assert_eq!(state, "ready");
        let told: String = world.one("SELECT at FROM event_readable", vec![]).await;
        assert_eq!(told, created);
        assert_eq!(world.one::<i64>("SELECT COUNT(*) FROM attempt_readable", vec![]).await, 0);
    })
    .await;
}
