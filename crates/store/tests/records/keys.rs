//! API keys.

use store::StoreError;
use store::records::keys::{self, ApiKey};

use crate::support::{Database, all_pages, at, id, on_both_databases, tenant, two_tenants};

fn key(owner: u64, n: u64) -> ApiKey {
    ApiKey {
        id: id(n),
        tenant: tenant(owner),
        name: "CRM".into(),
        role: "supervisor".into(),
        prefix: "od_abc".into(),
        created_at: at(1),
        expires_at: Some(at(100)),
        revoked_at: None,
        last_used_at: None,
    }
}

fn insert(database: &Database, owner: u64, n: u64, secret: u8) -> Result<(), StoreError> {
    database.write(move |tx| keys::insert(tx, &key(owner, n), &[secret; 32]))
}

fn found(database: &Database, secret: u8, seconds: i64) -> Option<ApiKey> {
    database.read(move |tx| keys::by_secret(tx, &[secret; 32], at(seconds))).unwrap()
}

#[test]
fn a_key_is_found_by_its_secret_until_it_expires() {
    on_both_databases(|database| {
        two_tenants(database);
        insert(database, 1, 10, 7).unwrap();
        assert_eq!(found(database, 7, 99), Some(key(1, 10)));
        assert_eq!(found(database, 7, 100), None);
        assert_eq!(found(database, 8, 99), None);
    });
}

#[test]
fn a_secret_stands_for_one_key() {
    on_both_databases(|database| {
        two_tenants(database);
        insert(database, 1, 10, 7).unwrap();
        assert!(matches!(insert(database, 2, 11, 7), Err(StoreError::Conflict { .. })));
    });
}

#[test]
fn a_revoked_key_is_of_no_use_and_stays_revoked_at_the_first_instant() {
    on_both_databases(|database| {
        two_tenants(database);
        insert(database, 1, 10, 7).unwrap();
        assert_eq!(database.write(|tx| keys::revoke(tx, tenant(2), id(10), at(3))), Ok(false));
        assert!(found(database, 7, 50).is_some());
        for seconds in [4, 5] {
            assert_eq!(database.write(move |tx| keys::revoke(tx, tenant(1), id(10), at(seconds))), Ok(true));
        }
        assert_eq!(found(database, 7, 50), None);
        let listed = all_pages(5, |page| database.read(move |tx| keys::list(tx, tenant(1), &page)).unwrap());
        assert_eq!(listed, [ApiKey { revoked_at: Some(at(4)), ..key(1, 10) }]);
    });
}

#[test]
fn the_last_use_is_noted_at_most_once_a_minute() {
    on_both_databases(|database| {
        two_tenants(database);
        insert(database, 1, 10, 7).unwrap();
        let touch = |seconds| {
            let due = found(database, 7, 50).unwrap().is_touch_due(at(seconds));
            let touched = database.write(move |tx| keys::touch(tx, tenant(1), id(10), at(seconds))).unwrap();
            assert_eq!(due, touched, "at {seconds} s");
            touched
        };
        assert!(touch(10));
        assert!(!touch(69));
        assert!(touch(70));
        assert_eq!(found(database, 7, 50).unwrap().last_used_at, Some(at(70)));
        assert_eq!(database.write(|tx| keys::touch(tx, tenant(2), id(10), at(500))), Ok(false));
    });
}

#[test]
fn paging_returns_every_key_of_the_tenant_once() {
    on_both_databases(|database| {
        two_tenants(database);
        for n in 0..6 {
            insert(database, 1 + u64::from(n) % 2, 10 + u64::from(n), n).unwrap();
        }
        let listed = all_pages(2, |page| database.read(move |tx| keys::list(tx, tenant(1), &page)).unwrap());
        assert_eq!(listed, [key(1, 10), key(1, 12), key(1, 14)]);
    });
}
