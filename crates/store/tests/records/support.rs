//! What these tests share.

use std::fmt::Debug;
use std::sync::atomic::{AtomicU32, Ordering};

use engine::{PhoneNumber, TenantId, Time};
use store::records::tenants::{self, Tenant};
use store::records::{Page, Rows};
use store::{Store, StoreError, StoreOptions, StoreTarget, Tx};
use tokio::runtime::Runtime;
use uuid::Uuid;

/// A fresh database and what it takes to wait for its answers.
pub struct Database {
    store: Store,
    runtime: Runtime,
}

impl Database {
    /// Runs a closure in a transaction and commits it.
    pub fn write<T: Send + 'static>(
        &self,
        closure: impl Fn(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.runtime.block_on(self.store.write(closure))
    }

    /// Runs a closure that reads.
    pub fn read<T: Send + 'static>(
        &self,
        closure: impl Fn(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.runtime.block_on(self.store.read(closure))
    }

    /// Runs a closure in several transactions at once.
    pub fn write_at_once<T: Debug + Send + 'static>(
        &self,
        times: usize,
        closure: impl Fn(&mut Tx<'_>) -> Result<T, StoreError> + Clone + Send + 'static,
    ) -> Vec<Result<T, StoreError>> {
        let writes = (0..times).map(|_| self.store.write(closure.clone()));
        self.runtime.block_on(futures_util::future::join_all(writes))
    }
}

/// Runs a test on a fresh database of each kind: a SQLite file, and a new database on the PostgreSQL server whose
/// address is in `TEST_PG_URL`.
pub fn on_both_databases(test: impl Fn(&Database)) {
    let directory = tempfile::tempdir().unwrap();
    test(&open(&StoreTarget::Sqlite(directory.path().join("test.db"))));

    let server =
        std::env::var("TEST_PG_URL").expect("TEST_PG_URL is the address of a PostgreSQL server to test on");
    let server: tokio_postgres::Config = server.parse().unwrap();
    static TESTS: AtomicU32 = AtomicU32::new(0);
    let name = format!("records_{}_{}", std::process::id(), TESTS.fetch_add(1, Ordering::Relaxed));
    // One that an earlier test of this name left behind when it failed.
    let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
    administer(&server, &[&drop, &format!("CREATE DATABASE {name}")]);
    let mut target = server.clone();
    target.dbname(&name);
    test(&open(&StoreTarget::Postgres(Box::new(target))));
    administer(&server, &[&drop]);
}

fn open(target: &StoreTarget) -> Database {
    let store = Store::open_blocking(target, StoreOptions::default()).unwrap();
    Database { store, runtime: Runtime::new().unwrap() }
}

/// Runs statements that cannot be in a transaction.
fn administer(server: &tokio_postgres::Config, statements: &[&str]) {
    Runtime::new().unwrap().block_on(async {
        let (client, connection) = server.connect(tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        for statement in statements {
            client.batch_execute(statement).await.unwrap();
        }
    });
}

/// Reads a listing page by page; fails if a page is longer than asked for or empty in the middle.
pub fn all_pages<T, C>(limit: u32, read: impl Fn(Page<C>) -> Rows<T, C>) -> Vec<T> {
    let mut all = vec![];
    let mut page = Page::first(limit);
    loop {
        let Rows { rows, next } = read(page);
        assert!(rows.len() <= limit as usize, "{} rows where {limit} were asked for", rows.len());
        assert!(next.is_none() || rows.len() == limit as usize, "a page in the middle is not full");
        all.extend(rows);
        match next {
            Some(cursor) => page = Page::after(cursor, limit),
            None => return all,
        }
    }
}

/// Makes the tenants 1 and 2.
pub fn two_tenants(database: &Database) {
    database
        .write(|tx| {
            (1..=2).try_for_each(|n| {
                tenants::create(
                    tx,
                    &Tenant { id: tenant(n), name: format!("tenant {n}"), created_at: at(0), zone: None },
                )
            })
        })
        .unwrap();
}

/// An identifier by its number; they are in the order of their numbers.
pub fn id(n: u64) -> Uuid {
    Uuid::from_u128(u128::from(n))
}

/// A tenant's identifier.
pub fn tenant(n: u64) -> TenantId {
    TenantId(id(n))
}

/// So many seconds after the epoch.
pub fn at(seconds: i64) -> Time {
    Time::from_micros(seconds * 1_000_000)
}

/// A telephone number by its last digits.
pub fn number(n: u64) -> PhoneNumber {
    PhoneNumber::from_digits(14_155_550_000 + n).unwrap()
}
