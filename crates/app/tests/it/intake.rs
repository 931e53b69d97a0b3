//! Contacts that callers add.

use app::intake::{RECORDS_MAX, RecordOutcome};
use app::model::AgentBody;
use app::suppression::NewSuppression;
use app::{Permission, Principal, Role};
use contacts::{RawContact, RecordErrorCode};
use engine::{PhoneStatus, SourceId, SuppressionListId};
use serde_json::json;
use uuid::Uuid;

use crate::harness::{Outdial, body, contact, number, on_both_databases, source};

#[test]
fn each_record_is_told_what_became_of_it() {
    on_both_databases(async |outdial| {
        let named = |name: &str| -> RawContact<'static> {
            body(
                json!({"external_id": "1", "phones": [{"number": number(1)}], "fields": {"first_name": name}}),
            )
        };
        let results =
            outdial.add(vec![named("Zoé"), contact("2", "not a number"), contact("", &number(3))]).await;
        assert_eq!(results[0].outcome, RecordOutcome::Created);
        assert_eq!((results[1].row, results[1].outcome), (2, RecordOutcome::Rejected));
        assert_eq!(
            (results[1].code, results[1].field.as_deref()),
            (Some(RecordErrorCode::BadPhone), Some("phone1"))
        );
        assert_eq!(results[1].external_id.as_deref(), Some("2"));
        assert_eq!(results[2].code, Some(RecordErrorCode::MissingExternalId));
        let again = outdial.add(vec![named("Zoé")]).await;
        assert_eq!((again[0].outcome, again[0].contact), (RecordOutcome::Unchanged, results[0].contact));
        let changed = outdial.add(vec![named("Zoe")]).await;
        assert_eq!((changed[0].outcome, changed[0].contact), (RecordOutcome::Updated, results[0].contact));
        let stored = outdial.contact("1").await.unwrap();
        assert_eq!(stored.fields["first_name"], "Zoe");
        assert_eq!(outdial.contacts().await.len(), 1);
    });
}

#[test]
fn numbers_are_read_in_the_sources_country_and_a_bad_one_beside_a_good_one_is_told() {
    on_both_databases(async |outdial| {
        let raw = json!({"external_id": "1", "phones": [{"number": "06 12 00 00 07"}, {"number": "123"}]});
        let results = outdial.add(vec![body(raw)]).await;
        assert_eq!(results[0].outcome, RecordOutcome::Created);
        let warnings: Vec<_> = results[0].warnings.iter().map(|it| (it.code, it.field.as_deref())).collect();
        assert_eq!(warnings, [(RecordErrorCode::BadPhone, Some("phone2"))]);
        assert_eq!(outdial.contact("1").await.unwrap().phones[0].number.to_string(), number(7));
    });
}

#[test]
fn the_second_record_of_an_external_id_in_one_request_is_rejected() {
    on_both_databases(async |outdial| {
        let results = outdial.add(vec![contact("1", &number(1)), contact(" 1 ", &number(2))]).await;
        assert_eq!(results[0].outcome, RecordOutcome::Created);
        assert_eq!(results[1].code, Some(RecordErrorCode::DuplicateInFile));
        assert!(results[1].message.as_ref().unwrap().contains("record 1"), "{:?}", results[1]);
    });
}

#[test]
fn requests_at_the_same_time_are_all_stored_and_each_gets_its_own_answer() {
    on_both_databases(async |outdial| {
        let requests = (0..64_u64).map(|n| {
            let outdial = &outdial;
            async move {
                let id = format!("c{n}");
                let results = outdial.add(vec![contact(&id, &number(n)), contact("bad", "")]).await;
                assert_eq!(results.len(), 2);
                assert_eq!(
                    (results[0].external_id.as_deref(), results[0].outcome),
                    (Some(&*id), RecordOutcome::Created)
                );
                assert_eq!(results[1].outcome, RecordOutcome::Rejected);
                results[0].contact.unwrap()
            }
        });
        let ids = futures_util::future::join_all(requests).await;
        let stored = outdial.contacts().await;
        assert_eq!(stored.len(), 64);
        assert!(ids.iter().all(|id| stored.iter().any(|contact| contact.id == *id)));
    });
}

#[test]
fn requests_about_one_contact_at_the_same_time_make_one_contact() {
    on_both_databases(async |outdial| {
        let requests = (0..16_u64).map(|n| outdial.add(vec![contact("same", &number(n))]));
        let results = futures_util::future::join_all(requests).await.concat();
        let created = results.iter().filter(|result| result.outcome == RecordOutcome::Created).count();
        let updated = results.iter().filter(|result| result.outcome == RecordOutcome::Updated).count();
        assert_eq!((created, updated, outdial.contacts().await.len()), (1, 15, 1));
    });
}

#[test]
fn a_number_that_another_contact_has_is_a_duplicate_within_the_sources_scope() {
    on_both_databases(async |outdial| {
        outdial.add(vec![contact("first", &number(1))]).await;
        for (scope, is_duplicate) in
            [("none", false), ("source", false), ("campaign", true), ("tenant", true)]
        {
            let mut body = source(scope, outdial.campaign);
            body.duplicates = serde_json::from_value(scope.into()).unwrap();
            let other = SourceId(outdial.app.create(&outdial.who, body).await.unwrap().id);
            let records = vec![contact("other", &number(1))];
            let results = outdial.app.add_contacts(&outdial.who, other, records).await.unwrap();
            let code = is_duplicate.then_some(RecordErrorCode::Duplicate);
            assert_eq!(results[0].code, code, "{scope}");
        }
    });
}

#[test]
fn who_is_suppressed_is_not_taken_and_a_suppressed_number_is_never_dialled() {
    on_both_databases(async |outdial| {
        let list = SuppressionListId(outdial.campaign.0);
        let numbers = NewSuppression { number: Some(number(1)), ..NewSuppression::default() };
        let customer = NewSuppression { external_id: Some("gone".into()), ..NewSuppression::default() };
        outdial.app.suppress(&outdial.who, list, vec![numbers, customer]).await.unwrap();
        let both = json!({"external_id": "3", "phones": [{"number": number(1)}, {"number": number(2)}]});
        let records = vec![contact("1", &number(1)), contact("gone", &number(4)), body(both)];
        let results = outdial.add(records).await;
        let codes: Vec<_> = results.iter().map(|result| result.code).collect();
        assert_eq!(codes, [Some(RecordErrorCode::Suppressed), Some(RecordErrorCode::Suppressed), None]);
        let phones = outdial.contact("3").await.unwrap().phones;
        assert_eq!([phones[0].status, phones[1].status], [PhoneStatus::Suppressed, PhoneStatus::Active]);
    });
}

#[test]
fn a_contact_expires_as_it_says_or_as_its_source_says() {
    on_both_databases(async |outdial| {
        let mut body = source("Short", outdial.campaign);
        body.expires_after_days = Some(2);
        let short = SourceId(outdial.app.create(&outdial.who, body).await.unwrap().id);
        let dated = |id: &str, at: &str| -> RawContact<'static> {
            crate::harness::body(
                json!({"external_id": id, "phones": [{"number": number(1)}], "expires_at": at}),
            )
        };
        let records =
            vec![contact("1", &number(1)), dated("2", "2999-01-01T00:00:00Z"), dated("3", "2001-01-01")];
        let results = outdial.app.add_contacts(&outdial.who, short, records.clone()).await.unwrap();
        assert_eq!(results[2].code, Some(RecordErrorCode::AlreadyExpired));
        let read = async |place: usize| {
            outdial.app.contact(&outdial.who, results[place].contact.unwrap()).await.unwrap()
        };
        let (plain, dated) = (read(0).await, read(1).await);
        let days = plain.expires_at.unwrap().since(plain.created_at).as_secs_f64() / 86_400.0;
        assert!((1.9..2.1).contains(&days), "{days}");
        assert_eq!(dated.expires_at.unwrap().to_rfc3339(), "2999-01-01T00:00:00Z");
        // An expiry that follows from the source's rule alone does not make a record look changed.
        let again = outdial.app.add_contacts(&outdial.who, short, records[..1].to_vec()).await.unwrap();
        assert_eq!(again[0].outcome, RecordOutcome::Unchanged);
    });
}

#[test]
fn the_preferred_agent_is_found_by_name_and_one_that_is_not_there_is_told() {
    on_both_databases(async |outdial| {
        let agent: AgentBody = body(json!({"name": "Ada"}));
        let agent = outdial.app.create(&outdial.who, agent).await.unwrap().id;
        let preferring = |id: &str, agent: &str| -> RawContact<'static> {
            body(json!({"external_id": id, "phones": [{"number": number(1)}], "preferred_agent": agent}))
        };
        let by_id = agent.to_string();
        let records = vec![preferring("1", "ada"), preferring("2", &by_id), preferring("3", "Bob")];
        let results = outdial.add(records).await;
        assert!(results.iter().all(|result| result.outcome == RecordOutcome::Created));
        let stored = async |id: &str| outdial.contact(id).await.unwrap().preferred_agent.map(|agent| agent.0);
        assert_eq!(
            [stored("1").await, stored("2").await, stored("3").await],
            [Some(agent), Some(agent), None]
        );
        assert_eq!(results[2].warnings[0].field.as_deref(), Some("preferred_agent"));
    });
}

#[test]
fn nothing_is_added_for_those_who_may_not_or_to_what_is_not_there() {
    on_both_databases(async |outdial| {
        let Outdial { app, who, source, .. } = &outdial;
        let agent = Principal { role: Role::Agent, ..who.clone() };
        assert!(agent.may(Permission::Feed).is_err());
        let refused = app.add_contacts(&agent, *source, vec![contact("1", &number(1))]).await;
        assert_eq!(refused.unwrap_err().code(), "forbidden");
        let stranger = Principal::operator(app.create_tenant("Other").await.unwrap().id);
        let refused = app.add_contacts(&stranger, *source, vec![contact("1", &number(1))]).await;
        assert_eq!(refused.unwrap_err().code(), "not_found");
        let nowhere = app.add_contacts(who, SourceId(Uuid::from_u128(1)), vec![]).await;
        assert_eq!(nowhere.unwrap_err().code(), "not_found");
        let many = (0..=RECORDS_MAX as u64).map(|n| contact(&n.to_string(), &number(n))).collect();
        assert_eq!(app.add_contacts(who, *source, many).await.unwrap_err().code(), "too_many");
        assert_eq!(outdial.contacts().await.len(), 0);
    });
}

#[test]
fn changes_of_one_contact_at_the_same_time_are_all_kept() {
    on_both_databases(async |outdial| {
        let results = outdial.add(vec![contact("1", &number(1))]).await;
        let id = results[0].contact.unwrap();
        let before = outdial.contact("1").await.unwrap();
        let change = |field: &str, value: &str| {
            outdial.app.change_contact(&outdial.who, id, vec![(field.to_owned(), value.to_owned())])
        };
        let (name, city, born) =
            tokio::join!(change("first_name", "Zoé"), change("city", "Lyon"), change("born", "1990-01-02"));
        name.and(city).and(born).unwrap();
        let after = outdial.contact("1").await.unwrap();
        assert_eq!(json!(after.fields), json!({"first_name": "Zoé", "city": "Lyon", "born": "1990-01-02"}));
        assert_eq!((after.phones.len(), after.priority), (before.phones.len(), before.priority));
    });
}
