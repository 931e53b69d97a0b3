//! Small whole numbers for objects.

use store::records::short_numbers::{find, of};

use crate::support::*;

#[test]
fn an_object_keeps_the_number_that_it_was_given_first() {
    on_both_databases(|database| {
        let number = |tenant_of: u64, kind: &'static str, n: u64| {
            database.write(move |tx| of(tx, tenant(tenant_of), kind, id(n))).unwrap()
        };
        assert_eq!((number(1, "skill", 7), number(1, "skill", 8), number(1, "skill", 7)), (1, 2, 1));
        assert_eq!(
            (number(1, "agent", 7), number(2, "skill", 7)),
            (1, 1),
            "each kind and tenant counts for itself"
        );
        let found = |number| database.read(move |tx| find(tx, tenant(1), "skill", number)).unwrap();
        assert_eq!((found(2), found(3)), (Some(id(8)), None));
    });
}

#[test]
fn numbers_asked_for_at_the_same_time_are_given_once() {
    on_both_databases(|database| {
        let given = database.write_at_once(8, |tx| of(tx, tenant(1), "skill", id(5)));
        assert!(given.into_iter().all(|number| number == Ok(1)));
    });
}
