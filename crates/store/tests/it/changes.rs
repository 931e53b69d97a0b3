//! Change sets.

use engine::change::{
    AgentChanged, AttemptStarted, ContactPlanned, ContactReturned, PlannedNext, TransferEnded,
};
use engine::{
    AgentId, AgentState, CallResult, Change, ChangeSet, FinalReason, GroupId, PhoneStatus, SuppressionListId,
    TransferOutcome,
};
use store::changes;
use store::records::Page;
use store::records::attempts;
use store::{StoreError, values};

use crate::fixture::*;

const BUSY: CallResult = CallResult::Busy;

#[tokio::test]
async fn an_attempt_goes_from_open_to_settled_and_its_contact_is_called_again_later() {
    on_both(|world| async move {
        world.add(vec![record(1, 0)]).await;
        let held = world.lease().await;
        let contact = world.claim(held, 1, &[0]).await.remove(0);
        let group = world.group;
        let attempt = attempt_id(&contact);
        world.apply(held, vec![started(group, &contact)]).await;
        assert_eq!(
            world.one::<i64>("SELECT state FROM attempt WHERE id = $1", vec![attempt.into()]).await,
            0
        );
        world.apply(held, vec![ended(group, &contact, BUSY)]).await;
        assert_eq!(
            world.one::<i64>("SELECT state FROM attempt WHERE id = $1", vec![attempt.into()]).await,
            1
        );
        let mut plan = planned(group, &contact, dial_again(after(600), 3));
        plan.disposition = Some("later".into());
        world.apply(held, vec![Change::ContactPlanned(plan)]).await;

        let sql = "SELECT c.feed_state, c.attempts, c.last_result, c.last_result_in_a_row, c.next_at, c.rank,
                          c.bucket_id, c.claimed_by, a.state, a.disposition, a.settled_at, p.attempts
                   FROM contact c JOIN attempt a ON a.contact_id = c.id JOIN phone p ON p.contact_id = c.id";
        let row = world.store().read(move |tx| tx.query_one(sql, &[])).await.unwrap().unwrap();
        let number = |index| row.get::<i64>(index).unwrap();
        assert_eq!((number(0), number(1), number(2), number(3)), (0, 1, BUSY.code(), 1));
        assert_eq!((number(4), number(5), number(6)), (after(600).as_micros(), 7, bucket_id(3).0));
        assert_eq!(row.get::<Option<uuid::Uuid>>(7), Ok(None));
        assert_eq!((number(8), row.get::<String>(9).unwrap().as_str()), (2, "later"));
        assert_eq!((number(10), number(11)), (after(21).as_micros(), 1));
        let told = world.told().await;
        assert_eq!(told, ["contact.created", "attempt.started", "attempt.ended", "contact.planned"]);
    })
    .await;
}

#[tokio::test]
async fn who_is_called_again_comes_with_the_number_that_the_last_call_showed() {
    on_both(|world| async move {
        world.add(vec![record(1, 0)]).await;
        let held = world.lease().await;
        let group = world.group;
        // The third call shows none: the one before it still counts.
        for (attempts, shown, before) in
            [(0, Some(91), None), (1, Some(92), Some(91)), (2, None, Some(92)), (3, None, Some(92))]
        {
            let contact = world.claim(held, 1, &[0]).await.remove(0);
            assert_eq!((contact.attempts, contact.last_caller_id), (attempts, before.map(number)));
            let Change::AttemptStarted(start) = started(group, &contact) else { panic!("it starts") };
            let start = AttemptStarted { caller_id: shown.map(number), ..start };
            let plan = Change::ContactPlanned(planned(group, &contact, dial_again(NOW, 0)));
            let all = vec![Change::AttemptStarted(start), ended(group, &contact, BUSY), plan];
            world.apply(held, all).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_whole_call_may_come_in_one_set_in_any_mixture_with_others() {
    on_both(|world| async move {
        world.add((0..100).map(|number| record(number, 0)).collect()).await;
        let held = world.lease().await;
        let contacts = world.claim(held, 100, &[0]).await;
        let group = world.group;
        let plan = |contact| Change::ContactPlanned(planned(group, contact, dial_again(after(1), 0)));
        let all =
            contacts.iter().flat_map(|it| [started(group, it), ended(group, it, BUSY), plan(it)]).collect();
        world.apply(held, all).await;
        assert_eq!(world.one::<i64>("SELECT COUNT(*) FROM attempt WHERE state = 2", vec![]).await, 100);
        assert_eq!(world.one::<i64>("SELECT COUNT(*) FROM contact WHERE feed_state = 1", vec![]).await, 100);
        assert_eq!(world.told().await.len(), 400);
    })
    .await;
}

#[tokio::test]
async fn a_contact_that_is_not_in_the_hopper_cannot_be_dialled() {
    on_both(|world| async move {
        world.add(vec![record(1, 0)]).await;
        let held = world.lease().await;
        let contact = world.claim(held, 1, &[0]).await.remove(0);
        let refused = Err(StoreError::NotClaimed { contact: contact.contact });
        let other = world.lease_of(GroupId(id(40))).await;
        assert_eq!(world.try_apply(other, vec![started(other.group, &contact)]).await, refused);
        world.apply(held, vec![returned(world.group, &contact, None)]).await;
        assert_eq!(world.try_apply(held, vec![started(world.group, &contact)]).await, refused);
        assert_eq!(world.one::<i64>("SELECT COUNT(*) FROM attempt", vec![]).await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_claim_of_an_earlier_epoch_does_not_allow_to_dial() {
    on_both(|world| async move {
        world.add(vec![record(1, 0)]).await;
        let held = world.lease().await;
        let contact = world.claim(held, 1, &[0]).await.remove(0);
        let again = world.lease().await;
        let refused = world.try_apply(again, vec![started(world.group, &contact)]).await;
        assert_eq!(refused, Err(StoreError::NotClaimed { contact: contact.contact }));
    })
    .await;
}

#[tokio::test]
async fn nobody_is_dialled_twice_at_once() {
    on_both(|world| async move {
        world.add(vec![record(1, 0)]).await;
        let held = world.lease().await;
        let mut contact = world.claim(held, 1, &[0]).await.remove(0);
        world.apply(held, vec![started(world.group, &contact)]).await;
        contact.attempts = 1;
        let second = world.try_apply(held, vec![started(world.group, &contact)]).await;
        assert_eq!(second, Err(StoreError::Conflict { constraint: "attempt_contact_id_key".into() }));
    })
    .await;
}

#[tokio::test]
async fn a_set_is_stored_whole_or_not_at_all() {
    on_both(|world| async move {
        world.add(vec![record(1, 0), record(2, 0)]).await;
        let held = world.lease().await;
        let contacts = world.claim(held, 2, &[0]).await;
        let never_begun = ended(world.group, &contacts[1], BUSY);
        let failed = world.try_apply(held, vec![started(world.group, &contacts[0]), never_begun]).await;
        assert!(matches!(failed, Err(StoreError::Corrupt { .. })), "{failed:?}");
        assert_eq!(world.one::<i64>("SELECT COUNT(*) FROM attempt", vec![]).await, 0);
        assert_eq!(world.told().await.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_group_that_is_not_held_is_refused_among_others_that_are() {
    on_both(|world| async move {
        world.add(vec![record(1, 0)]).await;
        let held = world.lease().await;
        let contact = world.claim(held, 1, &[0]).await.remove(0);
        let other = GroupId(id(41));
        let changes = vec![returned(world.group, &contact, None), returned(other, &contact, None)];
        assert_eq!(world.try_apply(held, changes).await, Err(StoreError::Fenced { group: other }));
        assert_eq!(world.state(contact.contact).await, 2);
    })
    .await;
}

#[tokio::test]
async fn a_final_plan_ends_the_contact_and_suppresses_its_number_in_the_campaign() {
    on_both(|world| async move {
        world.add(vec![record(1, 0)]).await;
        let held = world.lease().await;
        let contact = world.claim(held, 1, &[0]).await.remove(0);
        let next = PlannedNext::Final { reason: FinalReason::Suppressed };
        let plan = ContactPlanned {
            suppress: Some(number(1)),
            phone_status: PhoneStatus::Suppressed,
            ..planned(world.group, &contact, next)
        };
        let changes = vec![
            started(world.group, &contact),
            ended(world.group, &contact, BUSY),
            Change::ContactPlanned(plan),
        ];
        world.apply(held, changes).await;
        assert_eq!(world.state(contact.contact).await, 3);
        assert_eq!(world.one::<i64>("SELECT final_reason FROM contact", vec![]).await, 4);
        assert_eq!(world.one::<i64>("SELECT status FROM phone", vec![]).await, 2);
        let list: SuppressionListId = world.one("SELECT list_id FROM suppressed_number", vec![]).await;
        assert_eq!(list.0, world.campaign.0);
    })
    .await;
}

#[tokio::test]
async fn what_was_closed_during_its_call_stays_closed_and_keeps_count() {
    on_both(|world| async move {
        world.add(vec![record(1, 0)]).await;
        let held = world.lease().await;
        let contact = world.claim(held, 1, &[0]).await.remove(0);
        world.apply(held, vec![started(world.group, &contact), ended(world.group, &contact, BUSY)]).await;
        let close =
            "UPDATE contact SET feed_state = 3, final_reason = 6, claimed_by = NULL, claim_epoch = NULL";
        world.execute(close, vec![]).await;
        let plan = planned(world.group, &contact, dial_again(after(5), 0));
        world.apply(held, vec![Change::ContactPlanned(plan)]).await;
        let row = "SELECT feed_state * 100 + final_reason * 10 + attempts FROM contact";
        assert_eq!(world.one::<i64>(row, vec![]).await, 361);
    })
    .await;
}

#[tokio::test]
async fn a_number_found_suppressed_meanwhile_is_not_made_active_again() {
    on_both(|world| async move {
        world.add(vec![record(1, 0)]).await;
        let held = world.lease().await;
        let contact = world.claim(held, 1, &[0]).await.remove(0);
        world.apply(held, vec![started(world.group, &contact), ended(world.group, &contact, BUSY)]).await;
        world.execute("UPDATE phone SET status = 2", vec![]).await;
        let plan = planned(world.group, &contact, dial_again(after(5), 0));
        world.apply(held, vec![Change::ContactPlanned(plan)]).await;
        assert_eq!(world.one::<i64>("SELECT status FROM phone", vec![]).await, 2);
    })
    .await;
}

#[tokio::test]
async fn a_returned_contact_is_ready_at_once_or_waits_for_its_instant() {
    on_both(|world| async move {
        world.add(vec![record(1, 0), record(2, 0)]).await;
        let held = world.lease().await;
        let contacts = world.claim(held, 2, &[0]).await;
        let later = returned(world.group, &contacts[1], Some(after(60)));
        world.apply(held, vec![returned(world.group, &contacts[0], None), later]).await;
        assert_eq!(world.state(contacts[0].contact).await, 1);
        assert_eq!(world.state(contacts[1].contact).await, 0);
        let again: Vec<_> = world.claim(held, 9, &[0]).await.iter().map(|it| it.contact).collect();
        assert_eq!(again, [contacts[0].contact]);
    })
    .await;
}

#[tokio::test]
async fn an_agents_state_is_the_last_that_was_told() {
    on_both(|world| async move {
        let held = world.lease().await;
        let change = |state, reason: Option<&str>| {
            let agent = AgentId(id(60));
            Change::AgentChanged(AgentChanged {
                agent,
                state,
                reason: reason.map(Into::into),
                attempt: None,
                at: NOW,
            })
        };
        let (ready, resting) = (change(AgentState::Ready, None), change(AgentState::NotReady, Some("lunch")));
        world.apply(held, vec![ready, resting]).await;
        assert_eq!(
            world.one::<i64>("SELECT state FROM agent_runtime", vec![]).await,
            AgentState::NotReady.code()
        );
        assert_eq!(world.one::<String>("SELECT reason FROM agent_runtime", vec![]).await, "lunch");
        assert_eq!(world.told().await, ["agent.state", "agent.state"]);
    })
    .await;
}

#[tokio::test]
async fn a_nul_in_what_somebody_said_does_not_keep_it_or_anything_beside_it_from_being_stored() {
    on_both(|world| async move {
        world.add(vec![record(1, 0)]).await;
        let held = world.lease().await;
        let contact = world.claim(held, 1, &[0]).await.remove(0);
        let group = world.group;
        world.apply(held, vec![started(group, &contact), ended(group, &contact, BUSY)]).await;
        let mut plan = planned(group, &contact, dial_again(after(600), 3));
        plan.notes = Some("call\0later".into());
        let reason = Some("lunch\0 \\u0000".into());
        let agent = AgentChanged {
            agent: AgentId(id(60)),
            state: AgentState::NotReady,
            reason,
            attempt: None,
            at: NOW,
        };
        world.apply(held, vec![Change::ContactPlanned(plan), Change::AgentChanged(agent)]).await;
        assert_eq!(world.one::<String>("SELECT notes FROM attempt", vec![]).await, "call\u{fffd}later");
        let reason = world.one::<String>("SELECT reason FROM agent_runtime", vec![]).await;
        assert_eq!(reason, "lunch\u{fffd} \\u0000", "what only looks like it stays");
        let told: String = world.one("SELECT body FROM event WHERE kind = 'contact.planned'", vec![]).await;
        assert!(told.contains("call\u{fffd}later"), "{told}");
    })
    .await;
}

#[tokio::test]
async fn what_became_of_a_transfer_is_kept_with_its_attempt_after_the_contact_is_planned() {
    on_both(|world| async move {
        world.add(vec![record(1, 0)]).await;
        let held = world.lease().await;
        let contact = world.claim(held, 1, &[0]).await.remove(0);
        let (group, attempt) = (world.group, attempt_id(&contact));
        world.apply(held, vec![started(group, &contact)]).await;
        world.apply(held, vec![ended(group, &contact, CallResult::Transferred)]).await;
        let told = |outcome| {
            let (contact, agent) = (contact.contact, Some(AgentId(id(60))));
            Change::TransferEnded(TransferEnded { attempt, group, contact, agent, outcome, at: NOW })
        };
        // Without the group's lease: it may be another's by then.
        for outcome in [TransferOutcome::Busy, TransferOutcome::CalledPartyLeft] {
            let set = ChangeSet { ticket: 1, at: NOW, changes: vec![told(outcome)] };
            let tenant = world.tenant;
            world
                .store()
                .write(move |tx| changes::apply(tx, tenant, &[], std::slice::from_ref(&set)))
                .await
                .unwrap();
        }
        let tenant = world.tenant;
        let found = world.store().read(move |tx| attempts::get(tx, tenant, attempt)).await.unwrap().unwrap();
        assert_eq!(found.transfer, Some((TransferOutcome::Busy, NOW)), "what is known first stays");
        assert_eq!(found.result, Some(CallResult::Transferred));
        assert!(world.told().await.contains(&"transfer.ended".to_owned()));
    })
    .await;
}

#[tokio::test]
async fn an_event_says_what_the_change_said() {
    on_both(|world| async move {
        world.add(vec![record(1, 0)]).await;
        let held = world.lease().await;
        let contact = world.claim(held, 1, &[0]).await.remove(0);
        let change = started(world.group, &contact);
        let set = ChangeSet { ticket: 1, at: NOW, changes: vec![change.clone()] };
        let tenant = world.tenant;
        world
            .store()
            .write(move |tx| changes::apply(tx, tenant, &[held], std::slice::from_ref(&set)))
            .await
            .unwrap();
        let body: String = world.one("SELECT body FROM event WHERE seq = 2", vec![]).await;
        assert_eq!(serde_json::from_str::<Change>(&body).unwrap(), change);
        let of_another = "SELECT COUNT(*) FROM event WHERE tenant_id <> $1";
        assert_eq!(world.one::<i64>(of_another, values![tenant].to_vec()).await, 0);
    })
    .await;
}

fn returned(group: GroupId, contact: &store::ClaimedContact, not_before: Option<engine::Time>) -> Change {
    Change::ContactReturned(ContactReturned { group, contact: contact.contact, not_before, rejected: None })
}

#[tokio::test]
async fn whoever_opts_out_counts_among_the_answered_and_as_abandoned_if_they_were_told_that_nobody_is_free() {
    use engine::change::{Evidence, Heard, OptOut};
    use engine::detection::ScriptSaid;
    on_both(|world| async move {
        world.add(vec![record(1, 0), record(2, 0), record(3, 0)]).await;
        let held = world.lease().await;
        let group = world.group;
        let opt_outs = [Some(OptOut::Message), Some(OptOut::SafeHarbour), None];
        for (contact, opted_out) in world.claim(held, 3, &[0]).await.into_iter().zip(opt_outs) {
            world.apply(held, vec![started(group, &contact)]).await;
            let Change::AttemptEnded(ended) = ended(group, &contact, CallResult::DoNotCall) else { return };
            let evidence = Evidence {
                detected: Some(engine::Detected::Unsure),
                detected_at: Some(after(2)),
                message: Some(Heard::SafeHarbour),
                message_at: Some(after(3)),
                message_ended_at: None,
                script: Some(ScriptSaid::LeaveMessage),
                script_at: Some(after(2)),
                script_message: Some(engine::MessageId(uuid::Uuid::from_u128(7))),
            };
            let ended = engine::change::AttemptEnded { opted_out, evidence, ..ended };
            world.apply(held, vec![Change::AttemptEnded(ended)]).await;
        }
        let campaign = world.campaign;
        let read = move |tx: &mut store::Tx<'_>| store::abandonment::answered_calls(tx, campaign, after(60));
        let counted = world.store().read(read).await.unwrap();
        let counts: Vec<_> = counted.slots.iter().map(|slot| (slot.answered, slot.abandoned)).collect();
        assert_eq!(counts, [(2, 1)], "a call withdrawn because its number was suppressed is neither");
        let tenant = world.tenant;
        let read = move |tx: &mut store::Tx<'_>| {
            let results = attempts::results_of_group(tx, tenant, group, after(0))?;
            let figures = store::figures::calls(tx, campaign, after(0), after(600))?;
            let filter = attempts::AttemptFilter::default();
            Ok((results, figures, attempts::page(tx, tenant, &filter, &Page::first(10))?.rows))
        };
        let (results, figures, attempts) = world.store().read(read).await.unwrap();
        assert_eq!((results.attempts(), results.answered_by_person(), results.abandoned()), (3, 2, 1));
        assert_eq!((figures[0].ended, figures[0].answered, figures[0].abandoned), (3, 2, 1));
        assert!(attempts.iter().all(|it| it.evidence.message == Some(Heard::SafeHarbour)));
        assert!(attempts.iter().all(|it| it.evidence.detected_at == Some(after(2))));
        let said = attempts.iter().map(|it| (it.evidence.script, it.evidence.script_at));
        assert!(said.eq([(Some(ScriptSaid::LeaveMessage), Some(after(2))); 3]));
        let message = Some(engine::MessageId(uuid::Uuid::from_u128(7)));
        assert!(attempts.iter().all(|it| it.evidence.script_message == message));
    })
    .await;
}
