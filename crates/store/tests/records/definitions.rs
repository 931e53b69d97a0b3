//! Configuration objects.

use serde_json::json;
use store::records::definitions::{self, Definition, NewDefinition, Seen};
use store::{StoreError, Tx};
use uuid::Uuid;

use crate::support::{Database, all_pages, at, id, on_both_databases, tenant, two_tenants};

fn insert(tx: &mut Tx<'_>, owner: u64, n: u64, kind: &str, name: &str) -> Result<Definition, StoreError> {
    insert_under(tx, owner, n, kind, None, name, &json!({}))
}

fn insert_under(
    tx: &mut Tx<'_>,
    owner: u64,
    n: u64,
    kind: &str,
    parent: Option<Uuid>,
    name: &str,
    body: &serde_json::Value,
) -> Result<Definition, StoreError> {
    definitions::insert(
        tx,
        &NewDefinition { id: id(n), tenant: tenant(owner), kind, parent, name, body, now: at(1) },
    )
}

fn skill(owner: u64, n: u64, version: i64) -> Seen<'static> {
    Seen { tenant: tenant(owner), kind: "skill", id: id(n), version }
}

fn with_one_skill(database: &Database) {
    two_tenants(database);
    database.write(|tx| insert(tx, 1, 10, "skill", "Sales")).unwrap();
}

#[test]
fn an_object_reads_back_as_it_was_stored() {
    on_both_databases(|database| {
        two_tenants(database);
        let body = json!({"name": "Zoë", "limits": [1, 2.5, null, true], "nested": {"b": 1, "a": "%_'"}});
        let stored = database
            .write(move |tx| insert_under(tx, 1, 10, "campaign", Some(id(9)), "Spring", &body))
            .unwrap();
        assert_eq!(
            database.read(|tx| definitions::get(tx, tenant(1), "campaign", id(10))).unwrap(),
            Some(stored)
        );
    });
}

#[test]
fn names_are_unique_within_tenant_kind_and_parent_whatever_their_case() {
    on_both_databases(|database| {
        with_one_skill(database);
        let taken = database.write(|tx| insert(tx, 1, 11, "skill", "SALES"));
        assert!(matches!(taken, Err(StoreError::Conflict { .. })), "{taken:?}");
        database.write(|tx| insert(tx, 2, 12, "skill", "Sales")).unwrap();
        database.write(|tx| insert(tx, 1, 13, "campaign", "Sales")).unwrap();
        let under = |n, parent, name: &'static str| {
            database.write(move |tx| insert_under(tx, 1, n, "source", Some(id(parent)), name, &json!({})))
        };
        under(14, 13, "List").unwrap();
        under(15, 99, "List").unwrap();
        assert!(matches!(under(16, 13, "list"), Err(StoreError::Conflict { .. })));
    });
}

#[test]
fn an_object_is_found_by_its_name_under_its_parent_alone() {
    on_both_databases(|database| {
        two_tenants(database);
        database.write(|tx| insert_under(tx, 1, 14, "source", Some(id(13)), "List", &json!({}))).unwrap();
        let found = |parent: Option<u64>, name: &'static str| {
            let parent = parent.map(id);
            let found = database.read(move |tx| definitions::by_name(tx, tenant(1), "source", parent, name));
            found.unwrap().map(|definition| definition.id)
        };
        assert_eq!(found(Some(13), "lIST"), Some(id(14)));
        assert_eq!(found(Some(12), "List"), None);
        assert_eq!(found(None, "List"), None);
    });
}

#[test]
fn no_tenant_sees_or_changes_anothers_objects() {
    on_both_databases(|database| {
        with_one_skill(database);
        assert_eq!(database.read(|tx| definitions::get(tx, tenant(2), "skill", id(10))).unwrap(), None);
        assert_eq!(
            database.read(|tx| definitions::by_name(tx, tenant(2), "skill", None, "Sales")).unwrap(),
            None
        );
        let listed = all_pages(2, |page| {
            database.read(move |tx| definitions::list(tx, tenant(2), "skill", None, &page)).unwrap()
        });
        assert_eq!(listed, vec![]);
        let renamed =
            database.write(|tx| definitions::update(tx, skill(2, 10, 1), "Mine", &json!({}), at(2)));
        assert_eq!(renamed, Ok(None));
        assert_eq!(database.write(|tx| definitions::delete(tx, skill(2, 10, 1))), Ok(false));
        let kept = database.read(|tx| definitions::get(tx, tenant(1), "skill", id(10))).unwrap().unwrap();
        assert_eq!((kept.name.as_str(), kept.version), ("Sales", 1));
    });
}

#[test]
fn a_kind_does_not_answer_for_another() {
    on_both_databases(|database| {
        with_one_skill(database);
        assert_eq!(database.read(|tx| definitions::get(tx, tenant(1), "agent", id(10))).unwrap(), None);
    });
}

#[test]
fn paging_returns_every_object_of_the_kind_once() {
    on_both_databases(|database| {
        two_tenants(database);
        database
            .write(|tx| {
                for n in 0..7 {
                    let parent = Some(id(100 + n % 2));
                    insert_under(tx, 1, 20 + n, "source", parent, &format!("s{n}"), &json!({}))?;
                    insert(tx, 1, 40 + n, "skill", &format!("s{n}"))?;
                }
                Ok(())
            })
            .unwrap();
        let listed = |parent: Option<u64>, limit| {
            let parent = parent.map(id);
            all_pages(limit, |page| {
                database.read(move |tx| definitions::list(tx, tenant(1), "source", parent, &page)).unwrap()
            })
            .iter()
            .map(|definition| definition.id)
            .collect::<Vec<_>>()
        };
        let all: Vec<_> = (20..27).map(id).collect();
        for limit in [1, 3, 7, 8] {
            assert_eq!(listed(None, limit), all, "{limit} to a page");
        }
        assert_eq!(listed(Some(100), 3), [20, 22, 24, 26].map(id));
    });
}

#[test]
fn a_change_based_on_an_old_version_is_refused() {
    on_both_databases(|database| {
        with_one_skill(database);
        let body = json!({"weight": 2});
        let update = |version, name: &'static str| {
            let body = body.clone();
            database.write(move |tx| definitions::update(tx, skill(1, 10, version), name, &body, at(2)))
        };
        let changed = update(1, "Service").unwrap().unwrap();
        assert_eq!((changed.version, changed.name.as_str(), &changed.body), (2, "Service", &body));
        assert_eq!((changed.created_at, changed.updated_at), (at(1), at(2)));
        assert_eq!(update(1, "Lost"), Err(StoreError::StaleVersion));
        assert_eq!(
            database.write(|tx| definitions::delete(tx, skill(1, 10, 1))),
            Err(StoreError::StaleVersion)
        );
        let kept = database.read(|tx| definitions::get(tx, tenant(1), "skill", id(10))).unwrap();
        assert_eq!(kept, Some(changed));
        assert_eq!(database.write(|tx| definitions::delete(tx, skill(1, 10, 2))), Ok(true));
        assert_eq!(update(2, "Gone"), Ok(None));
    });
}

#[test]
fn renaming_to_a_taken_name_is_a_conflict() {
    on_both_databases(|database| {
        with_one_skill(database);
        database.write(|tx| insert(tx, 1, 11, "skill", "Service")).unwrap();
        let renamed =
            database.write(|tx| definitions::update(tx, skill(1, 11, 1), "sales", &json!({}), at(2)));
        assert!(matches!(renamed, Err(StoreError::Conflict { .. })), "{renamed:?}");
    });
}

#[test]
fn an_object_that_others_name_or_belong_to_is_told() {
    on_both_databases(|database| {
        with_one_skill(database);
        database
            .write(|tx| {
                let naming = json!({"serves": {"skill": id(10)}});
                insert_under(tx, 1, 30, "campaign_group", Some(id(20)), "names it", &naming)?;
                insert_under(tx, 1, 31, "source", Some(id(10)), "belongs to it", &json!({}))?;
                insert_under(tx, 1, 32, "campaign_group", None, "does neither", &json!({"skill": id(11)}))?;
                insert_under(tx, 2, 33, "campaign_group", None, "is another tenant's", &naming)
            })
            .unwrap();
        let references = |owner, n| {
            let found = database.read(move |tx| definitions::references(tx, tenant(owner), id(n))).unwrap();
            found.into_iter().map(|reference| (reference.id, reference.name)).collect::<Vec<_>>()
        };
        assert_eq!(
            references(1, 10),
            [(id(30), "names it".to_owned()), (id(31), "belongs to it".to_owned())]
        );
        assert_eq!(references(1, 12), []);
    });
}
