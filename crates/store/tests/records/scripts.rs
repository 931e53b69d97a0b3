//! What server scripts leave behind.

use engine::{CampaignId, ContactId};
use serde_json::json;
use store::records::Page;
use store::records::script_versions::{self, NewVersion, VERSIONS_KEPT, VersionHead};
use store::records::scripts::*;

use crate::support::*;

fn failure(n: u64) -> ScriptFailure {
    ScriptFailure {
        id: id(n),
        tenant: tenant(1),
        script: id(70),
        version: (n > 1).then_some(n as i64),
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

#[test]
fn versions_of_a_script_are_kept_newest_first_up_to_a_number_and_forgotten_with_it() {
    on_both_databases(|database| {
        let keep = |script: u64, version: i64| {
            database.write(move |tx| {
                let body = json!({"name": "Gate", "source": format!("// {version}")});
                let (tenant, script, name) = (tenant(1), id(script), "Gate");
                let made_at = at(version);
                let new =
                    NewVersion { tenant, script, version, name, body: &body, actor: "key:Ann", made_at };
                script_versions::keep(tx, &new)
            })
        };
        for version in 1..=3 {
            keep(70, version).unwrap();
        }
        keep(71, 1).unwrap();
        assert!(keep(70, 3).is_err(), "a version is kept once");
        let all = |of: u64, script: u64| -> Vec<VersionHead> {
            all_pages(2, |page: Page<i64>| {
                database.read(move |tx| script_versions::list(tx, tenant(of), id(script), &page)).unwrap()
            })
        };
        let numbers = |of: u64, script: u64| -> Vec<i64> {
            all(of, script).into_iter().map(|head| head.version).collect()
        };
        assert_eq!((numbers(1, 70), numbers(2, 70)), (vec![3, 2, 1], vec![]));
        let get = |of: u64, version: i64| {
            database.read(move |tx| script_versions::get(tx, tenant(of), id(70), version)).unwrap()
        };
        let (head, body) = get(1, 2).unwrap();
        let wanted =
            VersionHead { version: 2, name: "Gate".into(), actor: Some("key:Ann".into()), made_at: at(2) };
        assert_eq!((head, body), (wanted, json!({"name": "Gate", "source": "// 2"})));
        assert_eq!((get(1, 4), get(2, 2)), (None, None));
        keep(70, VERSIONS_KEPT + 2).unwrap();
        assert_eq!(numbers(1, 70), [VERSIONS_KEPT + 2, 3]);
        database.write(move |tx| script_versions::forget(tx, tenant(1), id(70))).unwrap();
        assert_eq!((numbers(1, 70), numbers(1, 71)), (vec![], vec![1]));
    });
}
