//! The history of changes.

use serde_json::json;
use store::records::audit::{self, AuditEntry, AuditFilter};

use crate::support::{Database, all_pages, at, id, on_both_databases, tenant, two_tenants};

fn entry(owner: u64, n: u64) -> AuditEntry {
    AuditEntry {
        id: id(n),
        tenant: tenant(owner),
        // Three to an instant, so that pages break within one.
        at: at((n / 3) as i64),
        actor: if n.is_multiple_of(2) { "user:ada".into() } else { "key:crm".into() },
        action: "update".into(),
        target_kind: "skill".into(),
        target: Some(id(1000 + n % 2)),
        before: None,
        after: Some(json!({"n": n})),
    }
}

fn add(database: &Database) {
    two_tenants(database);
    database
        .write(|tx| {
            (0..7).try_for_each(|n| audit::add(tx, &entry(1, n)))?;
            audit::add(tx, &entry(2, 7))
        })
        .unwrap();
}

fn listed(database: &Database, owner: u64, filter: AuditFilter<'static>) -> Vec<AuditEntry> {
    all_pages(2, |page| database.read(move |tx| audit::page(tx, tenant(owner), filter, &page)).unwrap())
}

#[test]
fn paging_returns_every_entry_of_the_tenant_once_the_newest_first() {
    on_both_databases(|database| {
        add(database);
        let expected: Vec<_> = (0..7).rev().map(|n| entry(1, n)).collect();
        assert_eq!(listed(database, 1, AuditFilter::default()), expected);
        assert_eq!(listed(database, 2, AuditFilter::default()), [entry(2, 7)]);
    });
}

#[test]
fn entries_are_found_by_who_and_by_what() {
    on_both_databases(|database| {
        add(database);
        let by_ada = listed(database, 1, AuditFilter { actor: Some("user:ada"), ..AuditFilter::default() });
        assert_eq!(by_ada, [6, 4, 2, 0].map(|n| entry(1, n)));
        let filter =
            AuditFilter { target_kind: Some("skill"), target: Some(id(1001)), ..AuditFilter::default() };
        assert_eq!(listed(database, 1, filter), [5, 3, 1].map(|n| entry(1, n)));
        let filter = AuditFilter { target_kind: Some("agent"), ..AuditFilter::default() };
        assert_eq!(listed(database, 1, filter), []);
    });
}
