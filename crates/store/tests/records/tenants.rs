//! Tenants.

use store::StoreError;
use store::records::tenants::{self, Tenant};

use crate::support::{all_pages, at, on_both_databases, tenant};

#[test]
fn a_tenant_is_found_by_its_id_and_by_its_name() {
    on_both_databases(|database| {
        let acme = Tenant { id: tenant(1), name: "Acme".into(), created_at: at(5), zone: None };
        let stored = acme.clone();
        database.write(move |tx| tenants::create(tx, &stored)).unwrap();
        assert_eq!(database.read(|tx| tenants::get(tx, tenant(1))).unwrap(), Some(acme.clone()));
        assert_eq!(database.read(|tx| tenants::by_name(tx, "Acme")).unwrap(), Some(acme));
        assert_eq!(database.read(|tx| tenants::get(tx, tenant(2))).unwrap(), None);
    });
}

#[test]
fn two_tenants_cannot_share_a_name() {
    on_both_databases(|database| {
        let create = |n| {
            database.write(move |tx| {
                tenants::create(
                    tx,
                    &Tenant { id: tenant(n), name: "Acme".into(), created_at: at(5), zone: None },
                )
            })
        };
        create(1).unwrap();
        assert!(matches!(create(2), Err(StoreError::Conflict { .. })));
    });
}

#[test]
fn paging_returns_every_tenant_once() {
    on_both_databases(|database| {
        database
            .write(|tx| {
                for n in 1..=5 {
                    tenants::create(
                        tx,
                        &Tenant { id: tenant(n), name: format!("t{n}"), created_at: at(5), zone: None },
                    )?;
                }
                Ok(())
            })
            .unwrap();
        let found = all_pages(2, |page| database.read(move |tx| tenants::list(tx, &page)).unwrap());
        let ids: Vec<_> = found.iter().map(|tenant| tenant.id).collect();
        assert_eq!(ids, (1..=5).map(tenant).collect::<Vec<_>>());
    });
}
