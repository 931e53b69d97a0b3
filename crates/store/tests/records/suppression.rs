//! Suppression lists.

use engine::{PhoneNumber, SuppressionListId, Time};
use store::records::suppression::{self, Added};

use crate::support::{Database, all_pages, at, id, number, on_both_databases, tenant, two_tenants};

fn list(n: u64) -> SuppressionListId {
    SuppressionListId(id(n))
}

fn add(database: &Database, of: u64, to: u64, entries: &[(u64, Option<i64>)]) -> Added {
    let numbers: Vec<(PhoneNumber, Option<Time>)> =
        entries.iter().map(|(n, until)| (number(*n), until.map(at))).collect();
    database.write(move |tx| suppression::add_numbers(tx, tenant(of), list(to), &numbers, at(1))).unwrap()
}

fn blocking_list(
    database: &Database,
    of: u64,
    lists: &[u64],
    n: u64,
    seconds: i64,
) -> Option<SuppressionListId> {
    let lists: Vec<_> = lists.iter().copied().map(list).collect();
    database
        .read(move |tx| suppression::check(tx, tenant(of), &lists, number(n), at(seconds)))
        .unwrap()
        .map(|entry| entry.list)
}

#[test]
fn adding_counts_what_is_new_and_what_changed() {
    on_both_databases(|database| {
        two_tenants(database);
        assert_eq!(
            add(database, 1, 50, &[(1, None), (2, Some(9)), (3, None)]),
            Added { added: 3, updated: 0 }
        );
        let again = add(database, 1, 50, &[(1, None), (2, None), (3, Some(9)), (4, None)]);
        assert_eq!(again, Added { added: 1, updated: 2 });
        assert_eq!(add(database, 1, 50, &[]), Added::default());
    });
}

#[test]
fn the_last_of_two_entries_for_one_number_counts() {
    on_both_databases(|database| {
        two_tenants(database);
        assert_eq!(add(database, 1, 50, &[(1, None), (1, Some(9))]), Added { added: 1, updated: 0 });
        assert_eq!(blocking_list(database, 1, &[50], 1, 9), None);
    });
}

#[test]
fn a_number_is_blocked_by_the_lists_asked_for_until_its_time_is_over() {
    on_both_databases(|database| {
        two_tenants(database);
        add(database, 1, 50, &[(1, Some(9)), (2, None)]);
        add(database, 1, 51, &[(1, None)]);
        assert_eq!(blocking_list(database, 1, &[50], 1, 8), Some(list(50)));
        assert_eq!(blocking_list(database, 1, &[50], 1, 9), None);
        assert_eq!(blocking_list(database, 1, &[50, 51], 1, 9), Some(list(51)));
        assert_eq!(blocking_list(database, 1, &[50], 2, i64::from(i32::MAX)), Some(list(50)));
        assert_eq!(blocking_list(database, 1, &[51], 2, 1), None);
        assert_eq!(blocking_list(database, 1, &[], 1, 1), None);
    });
}

#[test]
fn no_tenant_sees_or_removes_anothers_entries() {
    on_both_databases(|database| {
        two_tenants(database);
        add(database, 1, 50, &[(1, None)]);
        assert_eq!(blocking_list(database, 2, &[50], 1, 1), None);
        assert_eq!(database.read(|tx| suppression::lists_of_number(tx, tenant(2), number(1))).unwrap(), []);
        let listed = all_pages(2, |page| {
            database.read(move |tx| suppression::numbers(tx, tenant(2), list(50), &page)).unwrap()
        });
        assert_eq!(listed, []);
        let removed = database.write(|tx| suppression::remove_number(tx, tenant(2), list(50), number(1)));
        assert_eq!(removed, Ok(false));
        assert_eq!(blocking_list(database, 1, &[50], 1, 1), Some(list(50)));
    });
}

#[test]
fn a_removed_number_may_be_dialled_again() {
    on_both_databases(|database| {
        two_tenants(database);
        add(database, 1, 50, &[(1, None)]);
        let remove = || database.write(|tx| suppression::remove_number(tx, tenant(1), list(50), number(1)));
        assert_eq!(remove(), Ok(true));
        assert_eq!(blocking_list(database, 1, &[50], 1, 1), None);
        assert_eq!(remove(), Ok(false));
    });
}

#[test]
fn all_lists_of_a_number_are_told() {
    on_both_databases(|database| {
        two_tenants(database);
        add(database, 1, 51, &[(1, Some(9))]);
        add(database, 1, 50, &[(1, None), (2, None)]);
        let found = database.read(|tx| suppression::lists_of_number(tx, tenant(1), number(1))).unwrap();
        let found: Vec<_> = found.iter().map(|entry| (entry.list, entry.until, entry.added_at)).collect();
        assert_eq!(found, [(list(50), None, at(1)), (list(51), Some(at(9)), at(1))]);
    });
}

#[test]
fn paging_returns_every_number_of_the_list_once() {
    on_both_databases(|database| {
        two_tenants(database);
        add(database, 1, 50, &[(5, None), (3, None), (1, None), (4, Some(2)), (2, None)]);
        add(database, 1, 51, &[(6, None)]);
        let listed = all_pages(2, |page| {
            database.read(move |tx| suppression::numbers(tx, tenant(1), list(50), &page)).unwrap()
        });
        let numbers: Vec<_> = listed.iter().map(|entry| entry.number).collect();
        assert_eq!(numbers, [1, 2, 3, 4, 5].map(number));
    });
}

#[test]
fn customers_are_added_checked_paged_and_removed_like_numbers() {
    on_both_databases(|database| {
        two_tenants(database);
        let add = |entries: &[(&str, Option<Time>)]| {
            let entries: Vec<_> = entries.iter().map(|(key, until)| ((*key).to_owned(), *until)).collect();
            database
                .write(move |tx| suppression::add_customers(tx, tenant(1), list(50), &entries, at(1)))
                .unwrap()
        };
        assert_eq!(
            add(&[("C-1", None), ("C-2", None), ("C-3", Some(at(9)))]),
            Added { added: 3, updated: 0 }
        );
        assert_eq!(add(&[("C-2", Some(at(9))), ("C-4", None)]), Added { added: 1, updated: 1 });
        let blocked = |of, key: &'static str, seconds| {
            let found = database.read(move |tx| {
                suppression::check_customer(tx, tenant(of), &[list(49), list(50)], key, at(seconds))
            });
            found.unwrap().map(|entry| entry.external_id)
        };
        assert_eq!(blocked(1, "C-1", 10).as_deref(), Some("C-1"));
        assert_eq!(blocked(1, "C-3", 8).as_deref(), Some("C-3"));
        assert_eq!(blocked(1, "C-3", 9), None);
        assert_eq!(blocked(2, "C-1", 8), None);
        let listed = |of| {
            let listed = all_pages(3, |page| {
                database.read(move |tx| suppression::customers(tx, tenant(of), list(50), &page)).unwrap()
            });
            listed.into_iter().map(|entry| entry.external_id).collect::<Vec<_>>()
        };
        assert_eq!(listed(1), ["C-1", "C-2", "C-3", "C-4"]);
        assert_eq!(listed(2), [""; 0]);
        let remove =
            |of| database.write(move |tx| suppression::remove_customer(tx, tenant(of), list(50), "C-1"));
        assert_eq!((remove(2), remove(1), remove(1)), (Ok(false), Ok(true), Ok(false)));
        assert_eq!(blocked(1, "C-1", 8), None);
    });
}
