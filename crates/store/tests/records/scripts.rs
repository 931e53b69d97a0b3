//! What server scripts leave behind.

use engine::{CampaignId, ContactId};
use store::records::Page;
use store::records::scripts::*;

use crate::support::*;

fn failure(n: u64) -> ScriptFailure {
    ScriptFailure {
        id: id(n),
        tenant: tenant(1),
        script: id(70),
        campaign: Some(CampaignId(id(20))),
        contact: Some(ContactId(id(30))),
        phase: "pre_call".to_owned(),
        at: at(n as i64),
        kind: "threw".to_owned(),
        message: "TypeError: no".to_owned(),
        stack: Some("at main (x:1)".to_owned()),
    }
}

#[test]
fn failures_are_kept_newest_first_and_forgotten_by_age() {
    on_both_databases(|database| {
        for n in [1, 3, 2] {
            database.write(move |tx| keep_failure(tx, &failure(n))).unwrap();
        }
        let all = |of: u64| {
            all_pages(2, |page: Page<FailureCursor>| {
                database.read(move |tx| failures(tx, tenant(of), id(70), &page)).unwrap()
            })
        };
        assert_eq!(all(1), [failure(3), failure(2), failure(1)]);
        assert_eq!(all(2), []);
        assert_eq!(database.write(|tx| forget_failures(tx, at(3))).unwrap(), 2);
        assert_eq!(all(1), [failure(3)]);
    });
}

#[test]
fn scripts_remember_values_for_their_campaign() {
    on_both_databases(|database| {
        let campaign = CampaignId(id(20));
        let set = |text: &'static str| {
            database.write(move |tx| set_value(tx, tenant(1), campaign, "k", text)).unwrap()
        };
        let get = |of: u64| database.read(move |tx| value(tx, tenant(of), campaign, "k")).unwrap();
        assert_eq!(get(1), None);
        assert!(set("1") && set("2"));
        assert_eq!((get(1).as_deref(), get(2)), (Some("2"), None));
        database.write(move |tx| forget_value(tx, tenant(1), campaign, "k")).unwrap();
        assert_eq!(get(1), None);
    });
}
