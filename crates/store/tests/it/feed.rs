//! Claims and what the feed says about itself.

use std::collections::HashSet;

use engine::{ContactId, FinalReason, GroupId, PhoneStatus, SuppressionListId, Time};
use store::feed::{self, ClaimRequest};
use store::intake::IntakeRecord;
use store::values;

use crate::fixture::*;

fn numbers(contacts: &[store::ClaimedContact]) -> Vec<u64> {
    let first = contact_id(0).0.as_u128();
    contacts.iter().map(|it| u64::try_from(it.contact.0.as_u128() - first).unwrap()).collect()
}

async fn suppress(world: &World, list: SuppressionListId, last: u64, until: Option<Time>) {
    world
        .execute(
            "INSERT INTO suppressed_number (list_id, number, tenant_id, until, added_at) VALUES ($1, $2, $3, $4, $5)",
            values![list, number(last), world.tenant, until, NOW].to_vec(),
        )
        .await;
}

#[tokio::test]
async fn contacts_come_in_order_of_rank_over_all_open_buckets() {
    on_both(|world| async move {
        // Three buckets by turns; every tenth has a high priority.
        let records = (0..300).map(|it| {
            let priority = if it % 10 == 0 { 90 } else { 50 };
            IntakeRecord { priority, ..record(it, (it % 3) as usize) }
        });
        world.add(records.collect()).await;
        let held = world.lease().await;
        let mut wanted: Vec<u64> = (0..300).collect();
        wanted.sort_by_key(|it| (it % 10 != 0, *it));
        let mut got = Vec::new();
        for count in [1, 7, 100, 150, 100] {
            got.extend(numbers(&world.claim(held, count, &[0, 1, 2]).await));
        }
        assert_eq!(got, wanted);
    })
    .await;
}

#[tokio::test]
async fn what_is_closed_is_not_given_and_its_number_does_not_matter() {
    on_both(|world| async move {
        let records = (0..1000).map(|it| record(it, if it % 100 == 99 { 1 } else { 0 }));
        world.add(records.collect()).await;
        let held = world.lease().await;
        let got = numbers(&world.claim(held, 50, &[1, 2]).await);
        assert_eq!(got, (0..10).map(|it| it * 100 + 99).collect::<Vec<_>>());
        assert_eq!(world.claim(held, 50, &[]).await, []);
        assert_eq!(world.one::<i64>("SELECT COUNT(*) FROM contact WHERE feed_state = 1", vec![]).await, 990);
    })
    .await;
}

#[tokio::test]
async fn two_groups_never_get_the_same_contact() {
    on_both(|world| async move {
        world.add((0..400).map(|it| record(it, (it % 2) as usize)).collect()).await;
        let one = world.lease().await;
        let other = world.lease_of(GroupId(id(40))).await;
        let claims = (0..20).map(|it| world.claim(if it % 2 == 0 { one } else { other }, 30, &[0, 1]));
        let claims = futures_util::future::join_all(claims).await;
        let all: Vec<ContactId> = claims.iter().flatten().map(|it| it.contact).collect();
        let distinct: HashSet<ContactId> = all.iter().copied().collect();
        assert_eq!((all.len(), distinct.len()), (400, 400));
    })
    .await;
}

#[tokio::test]
async fn a_contact_comes_with_its_numbers_and_history() {
    on_both(|world| async move {
        let two = IntakeRecord {
            phones: vec![phone(1, 0), phone(2, 1)],
            expires_at: Some(after(9)),
            preferred_agent: Some(engine::AgentId(id(70))),
            callback: true,
            ..record(1, 0)
        };
        world.add(vec![two]).await;
        world
            .execute("UPDATE contact SET attempts = 3, last_result = 6, last_result_in_a_row = 2", vec![])
            .await;
        let held = world.lease().await;
        let contact = world.claim(held, 1, &[0]).await.remove(0);
        assert_eq!(contact.phones.iter().map(|it| it.number).collect::<Vec<_>>(), [number(1), number(2)]);
        assert_eq!((contact.phone, contact.bucket), (0, bucket_id(0)));
        assert_eq!((contact.attempts, contact.last_result_in_a_row), (3, 2));
        assert_eq!(contact.last_result, Some(engine::CallResult::Busy));
        assert!(contact.is_callback);
        assert_eq!(
            (contact.expires_at, contact.preferred_agent),
            (Some(after(9)), Some(engine::AgentId(id(70))))
        );
    })
    .await;
}

#[tokio::test]
async fn a_waiting_contact_is_given_from_its_instant_on() {
    on_both(|world| async move {
        world.add(vec![IntakeRecord { not_before: Some(after(10)), ..record(1, 0) }]).await;
        let held = world.lease().await;
        assert_eq!(world.claim(held, 1, &[0]).await, []);
        let later = ClaimRequest { now: after(10), ..world.request(held, 1, &[0]) };
        assert_eq!(world.try_claim(later).await.unwrap().contacts.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn an_expired_contact_is_ended_with_an_event_instead_of_given() {
    on_both(|world| async move {
        let expired = IntakeRecord { expires_at: Some(NOW), ..record(1, 0) };
        world.add(vec![expired, record(2, 0)]).await;
        let held = world.lease().await;
        let claimed = world.try_claim(world.request(held, 1, &[0])).await.unwrap();
        assert_eq!((numbers(&claimed.contacts), claimed.finished), (vec![2], 1));
        assert_eq!(world.state(contact_id(1)).await, 3);
        assert_eq!(world.told().await.last().map(String::as_str), Some("contact.planned"));
    })
    .await;
}

#[tokio::test]
async fn a_suppressed_number_is_passed_over_for_the_next_one_of_the_contact() {
    on_both(|world| async move {
        world.add(vec![IntakeRecord { phones: vec![phone(1, 0), phone(2, 0)], ..record(1, 0) }]).await;
        let list = SuppressionListId(id(80));
        suppress(&world, list, 1, None).await;
        let held = world.lease().await;
        let request = ClaimRequest { suppression_lists: vec![list], ..world.request(held, 1, &[0]) };
        let claimed = world.try_claim(request).await.unwrap();
        assert_eq!(claimed.contacts[0].current_phone().unwrap().number, number(2));
        assert_eq!(claimed.contacts[0].phones[0].status, PhoneStatus::Suppressed);
        assert_eq!(world.one::<i64>("SELECT status FROM phone WHERE position = 0", vec![]).await, 2);
        assert_eq!(world.one::<i64>("SELECT next_phone FROM contact", vec![]).await, 1);
    })
    .await;
}

#[tokio::test]
async fn if_the_next_number_is_closed_now_the_contact_goes_under_its_bucket() {
    on_both(|world| async move {
        world.add(vec![IntakeRecord { phones: vec![phone(1, 0), phone(2, 1)], ..record(1, 0) }]).await;
        suppress(&world, SuppressionListId(world.campaign.0), 1, None).await;
        let held = world.lease().await;
        let claimed = world.try_claim(world.request(held, 5, &[0])).await.unwrap();
        assert_eq!((claimed.contacts.len(), claimed.put_back), (0, 1));
        assert_eq!(world.state(contact_id(1)).await, 1);
        let later = world.claim(held, 5, &[1]).await;
        assert_eq!(later[0].current_phone().unwrap().number, number(2));
    })
    .await;
}

#[tokio::test]
async fn a_contact_all_of_whose_numbers_are_suppressed_is_done() {
    on_both(|world| async move {
        world.add(vec![record(1, 0), record(2, 0)]).await;
        suppress(&world, SuppressionListId(world.campaign.0), 1, None).await;
        let held = world.lease().await;
        assert_eq!(numbers(&world.claim(held, 5, &[0]).await), [2]);
        let campaign = world.campaign;
        let counts = world.store().read(move |tx| feed::counts(tx, campaign)).await.unwrap();
        assert_eq!(counts.done, [(FinalReason::Suppressed, 1)]);
        assert_eq!((counts.claimed, counts.total()), (1, 2));
    })
    .await;
}

#[tokio::test]
async fn a_suppressed_customer_is_done_whatever_the_number() {
    on_both(|world| async move {
        world.add(vec![record(1, 0)]).await;
        world
            .execute(
                "INSERT INTO suppressed_customer (list_id, external_id, tenant_id, until, added_at)
                 VALUES ($1, 'customer-1', $2, NULL, 0)",
                values![world.campaign, world.tenant].to_vec(),
            )
            .await;
        let held = world.lease().await;
        assert_eq!(world.claim(held, 5, &[0]).await, []);
        assert_eq!(world.one::<i64>("SELECT final_reason FROM contact", vec![]).await, 4);
    })
    .await;
}

#[tokio::test]
async fn a_number_suppressed_for_a_time_waits_until_that_is_over() {
    on_both(|world| async move {
        world.add(vec![record(1, 0)]).await;
        suppress(&world, SuppressionListId(world.campaign.0), 1, Some(after(100))).await;
        let held = world.lease().await;
        assert_eq!(world.claim(held, 5, &[0]).await, []);
        assert_eq!(
            world.one::<Time>("SELECT next_at FROM contact WHERE feed_state = 0", vec![]).await,
            after(100)
        );
        let later = ClaimRequest { now: after(100), ..world.request(held, 5, &[0]) };
        assert_eq!(world.try_claim(later).await.unwrap().contacts.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_list_that_the_campaign_does_not_keep_to_is_of_no_effect() {
    on_both(|world| async move {
        world.add(vec![record(1, 0)]).await;
        suppress(&world, SuppressionListId(id(81)), 1, None).await;
        let held = world.lease().await;
        assert_eq!(world.claim(held, 5, &[0]).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_new_holder_gets_back_what_was_taken_and_not_dialled() {
    on_both(|world| async move {
        world.add(vec![record(1, 0), record(2, 0)]).await;
        let held = world.lease().await;
        let contacts = world.claim(held, 2, &[0]).await;
        world.apply(held, vec![started(world.group, &contacts[0])]).await;
        let again = world.lease().await;
        let group = world.group;
        let returned = world.store().write(move |tx| feed::return_claims(tx, group, again.epoch)).await;
        assert_eq!(returned, Ok(1));
        assert_eq!(world.state(contacts[0].contact).await, 2);
        assert_eq!(world.state(contacts[1].contact).await, 1);
        let stale = world.store().write(move |tx| feed::return_claims(tx, group, held.epoch)).await;
        assert_eq!(stale, Err(store::StoreError::Fenced { group }));
    })
    .await;
}

#[tokio::test]
async fn supply_tells_what_is_left_and_when_the_next_is_due() {
    on_both(|world| async move {
        let (campaign, group) = (world.campaign, world.group);
        let supply = || world.store().read(move |tx| feed::supply(tx, campaign, group));
        assert!(supply().await.unwrap().is_exhausted());
        let waiting = IntakeRecord { not_before: Some(after(30)), ..record(3, 2) };
        world.add(vec![record(1, 0), record(2, 1), waiting]).await;
        let held = world.lease().await;
        world.claim(held, 5, &[0]).await;
        let left = supply().await.unwrap();
        assert_eq!((left.ready, left.any_claimed), (vec![bucket_id(1)], true));
        assert_eq!(left.next_due, Some(after(30)));
    })
    .await;
}

#[tokio::test]
async fn buckets_are_those_that_the_campaign_has_contacts_under() {
    on_both(|world| async move {
        world.add(vec![record(1, 4), record(2, 5)]).await;
        let campaign = world.campaign;
        let buckets = world.store().read(move |tx| feed::buckets(tx, campaign)).await.unwrap();
        let mut wanted = vec![(bucket_id(4), bucket(4)), (bucket_id(5), bucket(5))];
        wanted.sort_by_key(|(id, _)| *id);
        assert_eq!(buckets, wanted);
    })
    .await;
}

#[tokio::test]
async fn expired_contacts_are_closed_in_bounded_steps() {
    on_both(|world| async move {
        let expiring = |it| IntakeRecord { expires_at: Some(after(it)), ..record(it, 0) };
        world.add((1..=5).map(expiring).collect()).await;
        let (tenant, campaign) = (world.tenant, world.campaign);
        let close =
            |limit| world.store().write(move |tx| feed::close_expired(tx, tenant, campaign, after(4), limit));
        assert_eq!(close(3).await, Ok(3));
        assert_eq!(close(3).await, Ok(1));
        assert_eq!(close(3).await, Ok(0));
        assert_eq!(world.state(contact_id(5)).await, 1);
        assert_eq!(world.told().await.iter().filter(|kind| *kind == "contact.closed").count(), 4);
    })
    .await;
}

#[tokio::test]
async fn a_contact_can_be_asked_why_it_is_not_dialled() {
    on_both(|world| async move {
        world.add(vec![IntakeRecord { phones: vec![phone(1, 0), phone(2, 1)], ..record(1, 0) }]).await;
        let list = SuppressionListId(id(80));
        suppress(&world, list, 2, Some(after(5))).await;
        let tenant = world.tenant;
        let ask =
            |tenant, at| world.store().read(move |tx| feed::why_not(tx, tenant, contact_id(1), &[list], at));
        let facts = ask(tenant, NOW).await.unwrap().unwrap();
        assert_eq!((facts.feed_state, facts.bucket, facts.claimed_by), (1, Some(bucket(0)), None));
        assert_eq!(facts.suppressed_numbers.len(), 1);
        assert_eq!((facts.suppressed_numbers[0].position, facts.suppressed_numbers[0].list), (1, list));
        assert_eq!(ask(tenant, after(5)).await.unwrap().unwrap().suppressed_numbers, []);
        assert_eq!(ask(engine::TenantId(id(999)), NOW).await, Ok(None));
    })
    .await;
}

#[tokio::test]
async fn a_promised_call_comes_before_all_others() {
    on_both(|world| async move {
        let urgent = IntakeRecord { priority: 100, ..record(1, 0) };
        let promised = IntakeRecord { callback: true, priority: 0, ..record(2, 1) };
        world.add(vec![urgent, promised]).await;
        let held = world.lease().await;
        assert_eq!(numbers(&world.claim(held, 2, &[0, 1]).await), [2, 1]);
    })
    .await;
}

#[tokio::test]
async fn a_contact_bound_to_a_group_is_for_that_group_alone_and_stands_in_order_among_the_others() {
    on_both(|world| async move {
        let other = GroupId(uuid::Uuid::from_u128(44));
        let bound = |number, group| IntakeRecord { group: Some(group), ..record(number, 0) };
        let late = IntakeRecord { not_before: Some(after(30)), ..bound(4, other) };
        world.add(vec![record(1, 0), bound(2, other), record(3, 0), late]).await;
        let (own, others) = (world.lease().await, world.lease_of(other).await);
        assert_eq!(numbers(&world.claim(others, 2, &[0]).await), [1, 2]);
        assert_eq!(numbers(&world.claim(own, 9, &[0]).await), [3]);
        let campaign = world.campaign;
        let left = |group| world.store().read(move |tx| feed::supply(tx, campaign, group));
        assert_eq!(left(own.group).await.unwrap().next_due, None);
        assert_eq!(left(other).await.unwrap().next_due, Some(after(30)));
    })
    .await;
}

#[tokio::test]
async fn a_group_for_callbacks_alone_is_given_nothing_else_however_much_is_ready() {
    on_both(|world| async move {
        let records =
            (0..60).map(|it| IntakeRecord { callback: it % 20 == 5, ..record(it, (it % 3) as usize) });
        world.add(records.collect()).await;
        let held = world.lease().await;
        let request = ClaimRequest { callbacks_only: true, ..world.request(held, 50, &[0, 1, 2]) };
        let claimed = world.try_claim(request.clone()).await.unwrap();
        let mut got = numbers(&claimed.contacts);
        got.sort_unstable();
        assert_eq!(got, [5, 25, 45]);
        assert!(claimed.contacts.iter().all(|contact| contact.is_callback));
        assert_eq!(world.try_claim(request).await.unwrap().contacts, []);
        assert_eq!(
            world.claim(held, 100, &[0, 1, 2]).await.len(),
            57,
            "the others are there for other groups"
        );
    })
    .await;
}
