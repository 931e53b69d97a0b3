//! Intake: what becomes of records.

use engine::{ContactId, ImportId, SourceId, SuppressionListId};
use store::intake::{self, DuplicateScope, IntakeBatch, IntakeRecord, Outcome};
use store::{StoreError, values};

use crate::fixture::*;

async fn suppress(world: &World, last: u64) {
    world
        .execute(
            "INSERT INTO suppressed_number (list_id, number, tenant_id, until, added_at) VALUES ($1, $2, $3, NULL, 0)",
            values![world.campaign, number(last), world.tenant].to_vec(),
        )
        .await;
}

fn changed(number: u64, bucket: usize) -> IntakeRecord {
    IntakeRecord {
        fingerprint: 2,
        id: contact_id(u128::from(number) + 5000),
        fields_json: r#"{"name":"Grace"}"#.into(),
        ..record(number, bucket)
    }
}

#[tokio::test]
async fn the_same_record_is_created_then_unchanged_then_updated() {
    on_both(|world| async move {
        let first = world.take_in(world.batch(vec![record(1, 0)])).await;
        assert_eq!(first, [Outcome::Created(contact_id(1))]);
        let again = IntakeRecord { id: contact_id(77), ..record(1, 0) };
        assert_eq!(world.take_in(world.batch(vec![again])).await, [Outcome::Unchanged(contact_id(1))]);
        let update = IntakeRecord { priority: 90, phones: vec![phone(8, 1)], ..changed(1, 1) };
        assert_eq!(world.take_in(world.batch(vec![update])).await, [Outcome::Updated(contact_id(1))]);
        assert_eq!(world.one::<i64>("SELECT COUNT(*) FROM contact", vec![]).await, 1);
        assert_eq!(world.one::<engine::PhoneNumber>("SELECT number FROM phone", vec![]).await, number(8));
        let held = world.lease().await;
        assert_eq!(world.claim(held, 1, &[0]).await, []);
        assert_eq!(world.claim(held, 1, &[1]).await.len(), 1);
        assert_eq!(world.told().await, ["contact.created", "contact.updated"]);
    })
    .await;
}

#[tokio::test]
async fn an_update_keeps_what_is_known_of_a_number_that_stays() {
    on_both(|world| async move {
        world.add(vec![IntakeRecord { phones: vec![phone(1, 0), phone(2, 0)], ..record(1, 0) }]).await;
        world.execute("UPDATE phone SET status = 1, attempts = 4 WHERE position = 0", vec![]).await;
        let turned = IntakeRecord { phones: vec![phone(2, 0), phone(1, 0), phone(3, 0)], ..changed(1, 0) };
        world.take_in(world.batch(vec![turned])).await;
        let of_bad = "SELECT position * 100 + status * 10 + attempts FROM phone WHERE number = $1";
        assert_eq!(world.one::<i64>(of_bad, values![number(1)].to_vec()).await, 114);
        assert_eq!(world.one::<i64>(of_bad, values![number(2)].to_vec()).await, 0);
        assert_eq!(world.one::<i64>("SELECT COUNT(*) FROM phone", vec![]).await, 3);
    })
    .await;
}

#[tokio::test]
async fn a_contact_in_a_hopper_keeps_its_numbers_and_gets_them_with_the_next_import() {
    on_both(|world| async move {
        world.add(vec![record(1, 0)]).await;
        let held = world.lease().await;
        let contact = world.claim(held, 1, &[0]).await.remove(0);
        let update = || IntakeRecord { phones: vec![phone(9, 1)], ..changed(1, 1) };
        assert_eq!(world.take_in(world.batch(vec![update()])).await, [Outcome::Updated(contact_id(1))]);
        assert_eq!(world.state(contact_id(1)).await, 2);
        assert_eq!(world.one::<engine::PhoneNumber>("SELECT number FROM phone", vec![]).await, number(1));
        let fields: String = world.one("SELECT fields FROM contact", vec![]).await;
        assert!(fields.contains("Grace"));
        world.apply(held, vec![started(world.group, &contact)]).await;
        let plan = planned(world.group, &contact, dial_again(after(1), 0));
        world.apply(held, vec![engine::Change::ContactPlanned(plan)]).await;
        assert_eq!(world.take_in(world.batch(vec![update()])).await, [Outcome::Updated(contact_id(1))]);
        assert_eq!(world.one::<engine::PhoneNumber>("SELECT number FROM phone", vec![]).await, number(9));
    })
    .await;
}

#[tokio::test]
async fn a_final_contact_stays_final() {
    on_both(|world| async move {
        world.add(vec![record(1, 0)]).await;
        world.execute("UPDATE contact SET feed_state = 3, final_reason = 1", vec![]).await;
        let promised = IntakeRecord { callback: true, ..changed(1, 0) };
        assert_eq!(world.take_in(world.batch(vec![promised])).await, [Outcome::Updated(contact_id(1))]);
        assert_eq!(world.state(contact_id(1)).await, 3);
    })
    .await;
}

#[tokio::test]
async fn an_update_does_not_undo_when_a_treatment_wants_it_called_but_a_promise_does() {
    on_both(|world| async move {
        world.add(vec![record(1, 0)]).await;
        let planned = "UPDATE contact SET feed_state = 0, attempts = 1, next_at = $1";
        world.execute(planned, values![after(900)].to_vec()).await;
        world.take_in(world.batch(vec![changed(1, 0)])).await;
        assert_eq!(world.one::<engine::Time>("SELECT next_at FROM contact", vec![]).await, after(900));
        let promise =
            IntakeRecord { callback: true, not_before: Some(after(60)), fingerprint: 3, ..changed(1, 0) };
        world.take_in(world.batch(vec![promise])).await;
        assert_eq!(world.one::<engine::Time>("SELECT next_at FROM contact", vec![]).await, after(60));
        assert_eq!(world.one::<i64>("SELECT is_callback FROM contact", vec![]).await, 1);
    })
    .await;
}

#[tokio::test]
async fn later_rows_of_one_customer_apply_to_the_contact_of_the_first() {
    on_both(|world| async move {
        let batch = world.batch(vec![record(1, 0), record(2, 0), changed(1, 1), changed(1, 1)]);
        let outcomes = world.take_in(batch).await;
        let (one, two) = (contact_id(1), contact_id(2));
        assert_eq!(
            outcomes,
            [Outcome::Created(one), Outcome::Created(two), Outcome::Updated(one), Outcome::Unchanged(one)]
        );
        let fields: String = world.one("SELECT fields FROM contact WHERE id = $1", vec![one.into()]).await;
        assert!(fields.contains("Grace"));
        assert_eq!(world.one::<i64>("SELECT COUNT(*) FROM contact", vec![]).await, 2);
    })
    .await;
}

#[tokio::test]
async fn a_number_that_another_contact_holds_in_the_scope_is_a_duplicate() {
    on_both(|world| async move {
        world.add(vec![record(1, 0)]).await;
        let other_source = SourceId(id(30));
        let same_number = || IntakeRecord { phones: vec![phone(1, 0)], ..record(2, 0) };
        let with = |scope, source| IntakeBatch {
            duplicate_scope: scope,
            source,
            ..world.batch(vec![same_number()])
        };
        let duplicate = [Outcome::Duplicate { of: contact_id(1) }];
        assert_eq!(world.take_in(with(DuplicateScope::Source, world.source)).await, duplicate);
        assert_eq!(world.take_in(with(DuplicateScope::Campaign, other_source)).await, duplicate);
        assert_eq!(world.take_in(with(DuplicateScope::Tenant, other_source)).await, duplicate);
        let created = [Outcome::Created(contact_id(2))];
        assert_eq!(world.take_in(with(DuplicateScope::Source, other_source)).await, created);
    })
    .await;
}

#[tokio::test]
async fn duplicates_within_a_batch_are_found_and_a_contact_is_none_of_itself() {
    on_both(|world| async move {
        let scoped =
            |records| IntakeBatch { duplicate_scope: DuplicateScope::Tenant, ..world.batch(records) };
        let twin = IntakeRecord { phones: vec![phone(1, 0)], ..record(2, 0) };
        let outcomes = world.take_in(scoped(vec![record(1, 0), twin, changed(1, 0)])).await;
        let (first, twin) = (contact_id(1), Outcome::Duplicate { of: contact_id(1) });
        assert_eq!(outcomes, [Outcome::Created(first), twin, Outcome::Updated(first)]);
        let again = IntakeRecord { fingerprint: 9, ..record(1, 0) };
        assert_eq!(world.take_in(scoped(vec![again])).await, [Outcome::Updated(first)]);
    })
    .await;
}

#[tokio::test]
async fn suppressed_numbers_are_marked_and_a_record_with_no_other_is_not_stored() {
    on_both(|world| async move {
        suppress(&world, 1).await;
        let with_other = IntakeRecord { phones: vec![phone(1, 0), phone(2, 1)], ..record(2, 0) };
        let outcomes = world.take_in(world.batch(vec![record(1, 0), with_other])).await;
        assert_eq!(outcomes, [Outcome::Suppressed, Outcome::Created(contact_id(2))]);
        let held = world.lease().await;
        let contact = world.claim(held, 5, &[0, 1]).await.remove(0);
        assert_eq!((contact.contact, contact.phone), (contact_id(2), 1));
        assert_eq!(world.one::<i64>("SELECT status FROM phone WHERE position = 0", vec![]).await, 2);
    })
    .await;
}

#[tokio::test]
async fn lists_that_the_campaign_names_count_as_its_own_does() {
    on_both(|world| async move {
        let list = SuppressionListId(id(88));
        world
            .execute(
                "INSERT INTO suppressed_customer (list_id, external_id, tenant_id, until, added_at)
                 VALUES ($1, 'customer-1', $2, NULL, 0)",
                values![list, world.tenant].to_vec(),
            )
            .await;
        let named = IntakeBatch { suppression_lists: vec![list], ..world.batch(vec![record(1, 0)]) };
        assert_eq!(world.take_in(named).await, [Outcome::Suppressed]);
    })
    .await;
}

#[tokio::test]
async fn an_import_tells_of_its_batch_in_one_event() {
    on_both(|world| async move {
        world.add(vec![record(1, 0)]).await;
        let import = Some(ImportId(id(90)));
        let batch = IntakeBatch { import, ..world.batch(vec![record(1, 0), record(2, 0), record(3, 0)]) };
        world.take_in(batch).await;
        assert_eq!(world.told().await, ["contact.created", "contacts.imported"]);
        let body: String = world.one("SELECT body FROM event WHERE seq = 2", vec![]).await;
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!((&body["created"], &body["unchanged"]), (&2.into(), &1.into()));
        world.store().write(intake::finish_import).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn two_batches_of_one_source_at_once_make_each_contact_once() {
    on_both(|world| async move {
        let minted = |offset: u64| {
            let record = |it| IntakeRecord { id: contact_id(u128::from(it + offset)), ..record(it, 0) };
            world.batch((0..200).map(record).collect())
        };
        let batches = [minted(0), minted(1000), minted(2000)].map(|batch| world.take_in(batch));
        let outcomes = futures_util::future::join_all(batches).await;
        let created = outcomes.iter().flatten().filter(|it| matches!(it, Outcome::Created(_))).count();
        let unchanged = outcomes.iter().flatten().filter(|it| matches!(it, Outcome::Unchanged(_))).count();
        assert_eq!((created, unchanged), (200, 400));
    })
    .await;
}

#[tokio::test]
async fn two_sources_at_once_do_not_both_take_a_number_within_the_campaign() {
    on_both(|world| async move {
        let from = |source: u128, ids: u128| IntakeBatch {
            source: SourceId(id(source)),
            duplicate_scope: DuplicateScope::Campaign,
            ..world.batch(
                (0..50)
                    .map(|it| IntakeRecord { id: ContactId(id(ids + u128::from(it))), ..record(it, 0) })
                    .collect(),
            )
        };
        let batches = [from(31, 70_000_000), from(32, 80_000_000)].map(|batch| world.take_in(batch));
        let outcomes = futures_util::future::join_all(batches).await;
        let created = outcomes.iter().flatten().filter(|it| matches!(it, Outcome::Created(_))).count();
        assert_eq!(created, 50);
    })
    .await;
}

#[tokio::test]
async fn a_defective_batch_is_refused_whole() {
    on_both(|world| async move {
        let without_numbers = IntakeRecord { phones: vec![], ..record(2, 0) };
        let batch = world.batch(vec![record(1, 0), without_numbers]);
        let refused = world.store().write(move |tx| intake::apply_batch(tx, &batch)).await;
        assert!(matches!(refused, Err(StoreError::Corrupt { .. })));
        let unknown = world.batch(vec![record(1, 30)]);
        let refused = world.store().write(move |tx| intake::apply_batch(tx, &unknown)).await;
        assert!(matches!(refused, Err(StoreError::Corrupt { .. })));
        assert_eq!(world.one::<i64>("SELECT COUNT(*) FROM contact", vec![]).await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_second_text_under_a_buckets_id_is_refused() {
    on_both(|world| async move {
        let insert = "INSERT INTO bucket (id, text) VALUES ($1, 'UTC|')";
        world.execute(insert, values![bucket_id(0)].to_vec()).await;
        let batch = world.batch(vec![record(1, 0)]);
        let refused = world.store().write(move |tx| intake::apply_batch(tx, &batch)).await;
        assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{refused:?}");
    })
    .await;
}
