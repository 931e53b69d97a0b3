//! Users and their sessions.

use engine::AgentId;
use store::StoreError;
use store::records::users::{self, User, UserChange};

use crate::support::{Database, all_pages, at, id, on_both_databases, tenant, two_tenants};

fn user(owner: u64, n: u64, login: &str) -> User {
    User {
        id: id(n),
        tenant: tenant(owner),
        login: login.into(),
        password_hash: "$argon2id$1".into(),
        role: "supervisor".into(),
        agent: Some(AgentId(id(900))),
        created_at: at(1),
        disabled_at: None,
        version: 1,
    }
}

fn insert(database: &Database, owner: u64, n: u64, login: &'static str) -> Result<(), StoreError> {
    database.write(move |tx| users::insert(tx, &user(owner, n, login)))
}

fn log_in(database: &Database, owner: u64, n: u64, token: u8) {
    database
        .write(move |tx| users::create_session(tx, tenant(owner), id(n), &[token; 32], at(10), at(100)))
        .unwrap();
}

fn who(database: &Database, token: u8, seconds: i64) -> Option<User> {
    database
        .read(move |tx| users::session(tx, &[token; 32], at(seconds)))
        .unwrap()
        .map(|session| session.user)
}

fn change(password_hash: &'static str) -> UserChange<'static> {
    UserChange { password_hash, role: "agent", agent: None, disabled_at: None }
}

#[test]
fn a_user_is_found_by_login_whatever_its_case_within_the_tenant() {
    on_both_databases(|database| {
        two_tenants(database);
        insert(database, 1, 10, "Ada").unwrap();
        insert(database, 2, 11, "ada").unwrap();
        let found = |owner| database.read(move |tx| users::by_login(tx, tenant(owner), "ADA")).unwrap();
        assert_eq!(found(1), Some(user(1, 10, "Ada")));
        assert_eq!(found(2), Some(user(2, 11, "ada")));
        assert!(matches!(insert(database, 1, 12, "aDA"), Err(StoreError::Conflict { .. })));
    });
}

#[test]
fn no_tenant_sees_or_changes_anothers_users() {
    on_both_databases(|database| {
        two_tenants(database);
        insert(database, 1, 10, "Ada").unwrap();
        assert_eq!(database.read(|tx| users::get(tx, tenant(2), id(10))).unwrap(), None);
        assert_eq!(database.read(|tx| users::by_login(tx, tenant(2), "Ada")).unwrap(), None);
        let listed = all_pages(2, |page| database.read(move |tx| users::list(tx, tenant(2), &page)).unwrap());
        assert_eq!(listed, []);
        let changed = database.write(|tx| users::update(tx, tenant(2), id(10), 1, &change("$argon2id$2")));
        assert_eq!(changed, Ok(None));
        assert_eq!(database.read(|tx| users::get(tx, tenant(1), id(10))).unwrap(), Some(user(1, 10, "Ada")));
    });
}

#[test]
fn paging_returns_every_user_once() {
    on_both_databases(|database| {
        two_tenants(database);
        database
            .write(|tx| (0..5).try_for_each(|n| users::insert(tx, &user(1, 10 + n, &format!("user {n}")))))
            .unwrap();
        let listed = all_pages(2, |page| database.read(move |tx| users::list(tx, tenant(1), &page)).unwrap());
        assert_eq!(listed.iter().map(|user| user.id).collect::<Vec<_>>(), [10, 11, 12, 13, 14].map(id));
    });
}

#[test]
fn a_change_based_on_an_old_version_is_refused() {
    on_both_databases(|database| {
        two_tenants(database);
        insert(database, 1, 10, "Ada").unwrap();
        let update = || database.write(|tx| users::update(tx, tenant(1), id(10), 1, &change("$argon2id$2")));
        let changed = update().unwrap().unwrap();
        assert_eq!((changed.version, changed.role.as_str(), changed.agent), (2, "agent", None));
        assert_eq!(update(), Err(StoreError::StaleVersion));
    });
}

#[test]
fn a_session_holds_until_it_expires_or_is_ended() {
    on_both_databases(|database| {
        two_tenants(database);
        insert(database, 1, 10, "Ada").unwrap();
        log_in(database, 1, 10, 7);
        log_in(database, 1, 10, 8);
        assert_eq!(who(database, 7, 99), Some(user(1, 10, "Ada")));
        assert_eq!(who(database, 7, 100), None);
        assert_eq!(database.write(|tx| users::delete_session(tx, &[7; 32])), Ok(true));
        assert_eq!(who(database, 7, 99), None);
        assert_eq!(database.write(|tx| users::delete_session(tx, &[7; 32])), Ok(false));
        assert!(who(database, 8, 99).is_some());
    });
}

#[test]
fn a_new_password_and_disabling_end_all_sessions_and_another_change_does_not() {
    on_both_databases(|database| {
        two_tenants(database);
        insert(database, 1, 10, "Ada").unwrap();
        let mut version = 1;
        let mut still_in_after = |token: u8, change: UserChange<'static>| {
            log_in(database, 1, 10, token);
            database.write(move |tx| users::update(tx, tenant(1), id(10), version, &change)).unwrap();
            version += 1;
            who(database, token, 50).is_some()
        };
        assert!(still_in_after(1, change("$argon2id$1")));
        assert!(!still_in_after(2, change("$argon2id$2")));
        assert!(!still_in_after(3, UserChange { disabled_at: Some(at(20)), ..change("$argon2id$2") }));
        log_in(database, 1, 10, 4);
        assert_eq!(who(database, 4, 50), None, "a disabled user has no session");
    });
}

#[test]
fn expired_sessions_are_deleted_a_bounded_number_at_a_time() {
    on_both_databases(|database| {
        two_tenants(database);
        insert(database, 1, 10, "Ada").unwrap();
        for token in 1..=3 {
            log_in(database, 1, 10, token);
        }
        let delete =
            |seconds| database.write(move |tx| users::delete_expired_sessions(tx, at(seconds), 2)).unwrap();
        assert_eq!(delete(99), 0);
        assert_eq!([delete(100), delete(100), delete(100)], [2, 1, 0]);
    });
}
