//! Requests that are carried out once.

use store::StoreError;
use store::records::idempotency::{self, Begun};

use crate::support::{Database, at, on_both_databases, tenant, two_tenants};

fn begin(database: &Database, owner: u64, request: u8) -> Begun {
    database.write(move |tx| idempotency::begin(tx, tenant(owner), "key", &[request; 32], at(5))).unwrap()
}

fn carry_out(database: &Database) {
    two_tenants(database);
    let begun = database.write(|tx| {
        let begun = idempotency::begin(tx, tenant(1), "key", &[1; 32], at(5))?;
        idempotency::store(tx, tenant(1), "key", 201, r#"{"id":"1"}"#)?;
        Ok(begun)
    });
    assert_eq!(begun, Ok(Begun::Fresh));
}

#[test]
fn a_repeated_request_gets_the_stored_answer() {
    on_both_databases(|database| {
        carry_out(database);
        for _ in 0..2 {
            assert_eq!(begin(database, 1, 1), Begun::Replay { status: 201, body: r#"{"id":"1"}"#.into() });
        }
    });
}

#[test]
fn another_request_under_the_same_key_is_a_mismatch() {
    on_both_databases(|database| {
        carry_out(database);
        assert_eq!(begin(database, 1, 2), Begun::Mismatch);
    });
}

#[test]
fn another_tenants_key_is_another_key() {
    on_both_databases(|database| {
        carry_out(database);
        assert_eq!(begin(database, 2, 2), Begun::Fresh);
    });
}

#[test]
fn a_request_that_failed_leaves_its_key_free() {
    on_both_databases(|database| {
        two_tenants(database);
        let failed: Result<(), _> = database.write(|tx| {
            idempotency::begin(tx, tenant(1), "key", &[1; 32], at(5))?;
            Err(StoreError::StaleVersion)
        });
        assert_eq!(failed, Err(StoreError::StaleVersion));
        assert_eq!(begin(database, 1, 2), Begun::Fresh);
    });
}

#[test]
fn a_request_without_a_stored_answer_is_not_carried_out_again() {
    on_both_databases(|database| {
        two_tenants(database);
        assert_eq!(begin(database, 1, 1), Begun::Fresh);
        assert_eq!(begin(database, 1, 1), Begun::Unfinished);
        assert_eq!(begin(database, 1, 2), Begun::Mismatch);
    });
}

#[test]
fn of_two_equal_requests_at_once_one_is_carried_out() {
    on_both_databases(|database| {
        two_tenants(database);
        let mut begun = database.write_at_once(4, |tx| {
            let begun = idempotency::begin(tx, tenant(1), "key", &[1; 32], at(5))?;
            if begun == Begun::Fresh {
                idempotency::store(tx, tenant(1), "key", 204, "done")?;
            }
            Ok(begun)
        });
        begun.sort_by_key(|begun| begun.as_ref() != Ok(&Begun::Fresh));
        let replay = Ok(Begun::Replay { status: 204, body: "done".into() });
        assert_eq!(begun, [Ok(Begun::Fresh), replay.clone(), replay.clone(), replay]);
    });
}

#[test]
fn old_requests_are_forgotten_a_bounded_number_at_a_time() {
    on_both_databases(|database| {
        two_tenants(database);
        database
            .write(|tx| {
                for (seconds, key) in [(1, "a"), (2, "b"), (3, "c"), (4, "d")] {
                    idempotency::begin(tx, tenant(1), key, &[1; 32], at(seconds))?;
                }
                Ok(())
            })
            .unwrap();
        let purge = || database.write(|tx| idempotency::purge(tx, at(4), 2)).unwrap();
        assert_eq!([purge(), purge(), purge()], [2, 1, 0]);
        let kept = database.write(|tx| idempotency::begin(tx, tenant(1), "d", &[1; 32], at(5))).unwrap();
        assert_eq!(kept, Begun::Unfinished);
    });
}
