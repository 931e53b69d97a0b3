//! Sinks' cursors, leases and messages, and the figures that they are told.

use std::time::Duration;

use engine::change::{AgentChanged, AttemptEnded, GroupChanged, PlannedNext};
use engine::{
    Actor, AgentId, AgentState, CallResult, Change, DialMode, FinalReason, GroupAction, GroupState, TenantId,
};
use store::figures;
use store::records::Page;
use store::sinks::{self, Progress, SinkLease, SinkMessage, Which};
use uuid::Uuid;

use crate::fixture::*;

const OWNER: Uuid = Uuid::from_u128(7);
const OTHER: Uuid = Uuid::from_u128(8);

fn sink() -> Uuid {
    id(50)
}

fn message(number: i64) -> SinkMessage {
    SinkMessage {
        id: Uuid::from_u128(number.unsigned_abs().into()),
        place: number,
        lane: Some(id(4)),
        kind: "group.state".to_owned(),
        at: NOW,
        body: format!("{{\"number\":{number}}}"),
        is_dead: false,
        tries: 0,
        next_try_at: NOW,
        error: None,
    }
}

impl World {
    async fn begin(&self) -> SinkLease {
        let tenant = self.tenant;
        self.store().write(move |tx| sinks::begin(tx, tenant, sink(), 10)).await.unwrap();
        let taken = self.store().write(|tx| sinks::take_free(tx, OWNER, NOW, after(15))).await.unwrap();
        taken[0]
    }

    async fn note(&self, lease: SinkLease, progress: Progress) -> bool {
        self.store().write(move |tx| sinks::note(tx, lease, &progress)).await.unwrap()
    }
}

#[tokio::test]
async fn a_sink_is_delivered_to_by_one_node_and_a_node_that_lost_it_notes_nothing() {
    on_both(|world| async move {
        let lease = world.begin().await;
        assert_eq!((lease.sink, lease.tenant, lease.epoch), (sink(), world.tenant, 1));
        let take = |owner, now| world.store().write(move |tx| sinks::take_free(tx, owner, now, after(60)));
        assert_eq!(take(OTHER, after(14)).await, Ok(vec![]), "it is taken");
        assert_eq!(world.store().write(|tx| sinks::renew(tx, OWNER, after(15))).await, Ok(vec![lease]));
        let newer = take(OTHER, after(15)).await.unwrap()[0];
        assert_eq!(newer.epoch, 2, "it ran out and was taken");
        let progress = Progress { seq: 20, next_place: 1, delivered: 10, at: NOW, ..Progress::default() };
        assert!(!world.note(lease, progress.clone()).await, "a stale lease notes nothing");
        assert!(world.note(newer, progress).await);
        assert_eq!(world.store().write(|tx| sinks::release_all(tx, OTHER)).await, Ok(1));
        assert_eq!(world.store().read(|tx| sinks::any_free(tx, NOW)).await, Ok(true));
        let tenant = world.tenant;
        let cursor = world.store().read(move |tx| sinks::cursor(tx, tenant, sink())).await.unwrap().unwrap();
        assert_eq!((cursor.seq, cursor.delivered, cursor.last_delivered_at), (20, 10, Some(NOW)));
    })
    .await;
}

#[tokio::test]
async fn what_did_not_arrive_is_kept_in_order_until_it_does() {
    on_both(|world| async move {
        let lease = world.begin().await;
        let keep = (1..=100).map(message).collect();
        let first = Progress { seq: 20, next_place: 101, at: NOW, keep, ..Progress::default() };
        assert!(world.note(lease, first).await);
        let tried = SinkMessage { tries: 1, next_try_at: after(5), error: Some("503".into()), ..message(2) };
        let (remove, change) = (vec![message(1).id], vec![tried.clone()]);
        let error = Some("503".to_owned());
        let second =
            Progress { seq: 20, next_place: 101, at: NOW, remove, change, error, ..Progress::default() };
        assert!(world.note(lease, second).await);
        let tenant = world.tenant;
        let waiting = world.store().read(move |tx| sinks::waiting(tx, tenant, sink(), 3)).await.unwrap();
        let places: Vec<u128> = waiting.iter().map(|it| it.id.as_u128()).collect();
        assert_eq!((places, waiting[0].next_try_at), (vec![2, 3, 4], after(5)));
        let ids = [message(3).id, message(2).id];
        let kept = world.store().read(move |tx| sinks::messages(tx, tenant, sink(), &ids)).await.unwrap();
        assert!(kept == vec![tried, message(3)], "{kept:?}");
    })
    .await;
}

#[tokio::test]
async fn what_was_given_up_is_listed_page_by_page() {
    on_both(|world| async move {
        let lease = world.begin().await;
        let dead = |number| SinkMessage { is_dead: true, tries: 5, ..message(number) };
        let keep = (1..=5).map(dead).chain([message(6)]).collect();
        world.note(lease, Progress { seq: 20, next_place: 7, at: NOW, keep, ..Progress::default() }).await;
        let tenant = world.tenant;
        let page = |page: Page<i64>| world.store().read(move |tx| sinks::dead(tx, tenant, sink(), &page));
        let first = page(Page::first(2)).await.unwrap();
        assert_eq!(first.rows.iter().map(|it| it.place).collect::<Vec<_>>(), [1, 2]);
        let last = page(Page::after(4, 2)).await.unwrap();
        assert_eq!((last.rows.len(), last.next), (1, None));
    })
    .await;
}

#[tokio::test]
async fn what_was_given_up_is_sent_again_or_thrown_away() {
    on_both(|world| async move {
        let lease = world.begin().await;
        let keep = (1..=5).map(|it| SinkMessage { is_dead: true, tries: 5, ..message(it) }).collect();
        world.note(lease, Progress { seq: 20, next_place: 7, at: NOW, keep, ..Progress::default() }).await;
        let (tenant, stranger) = (world.tenant, TenantId(id(900)));
        let write =
            |work: fn(&mut store::Tx<'_>, TenantId, &Which) -> Result<u64, store::StoreError>,
             tenant: TenantId,
             which: Which| world.store().write(move |tx| work(tx, tenant, &which));
        let revive = |tx: &mut store::Tx<'_>, tenant, which: &Which| sinks::revive(tx, tenant, sink(), which);
        let discard =
            |tx: &mut store::Tx<'_>, tenant, which: &Which| sinks::discard(tx, tenant, sink(), which);
        assert_eq!(write(revive, stranger, Which::All).await, Ok(0), "they are another tenant's");
        assert_eq!(write(revive, tenant, Which::These(vec![message(2).id, id(999)])).await, Ok(1));
        assert_eq!(world.store().read(move |tx| sinks::kept(tx, tenant, sink())).await, Ok((1, 4)));
        assert_eq!(write(discard, tenant, Which::All).await, Ok(4), "what waits is not thrown away");
        assert_eq!(world.store().read(move |tx| sinks::kept(tx, tenant, sink())).await, Ok((1, 0)));
        world.store().write(move |tx| sinks::forget(tx, tenant, sink())).await.unwrap();
        assert_eq!(world.store().read(move |tx| sinks::kept(tx, tenant, sink())).await, Ok((0, 0)));
    })
    .await;
}

#[tokio::test]
async fn figures_are_those_of_the_calls_of_a_span() {
    on_both(|world| async move {
        world.add((0..10).map(|number| record(number, 0)).collect()).await;
        let held = world.lease().await;
        let group = world.group;
        let contacts = world.claim(held, 6, &[0]).await;
        let results = [CallResult::Answer, CallResult::Answer, CallResult::Abandoned, BUSY, BUSY, BUSY];
        let done = PlannedNext::Final { reason: FinalReason::Treated };
        let mut changes = Vec::new();
        for (contact, result) in contacts.iter().zip(results) {
            changes.extend([started(group, contact), ended(group, contact, result)]);
            let next = if result == BUSY { dial_again(after(600), 0) } else { done.clone() };
            changes.push(Change::ContactPlanned(planned(group, contact, next)));
        }
        world.apply(held, changes).await;
        let campaign = world.campaign;
        let calls =
            move |from, until| move |tx: &mut store::Tx<'_>| figures::calls(tx, campaign, from, until);
        let figures = world.store().read(calls(NOW, after(60))).await.unwrap();
        assert_eq!(figures.len(), 1);
        assert_eq!((figures[0].group, figures[0].source), (group, world.source));
        let [it] = figures[..] else { unreachable!() };
        assert_eq!((it.ended, it.answered, it.abandoned, it.finished), (6, 3, 1, 3));
        let later = world.store().read(calls(after(30), after(60))).await.unwrap();
        assert!(later.iter().all(|it| (it.ended, it.answered, it.finished) == (0, 0, 0)), "{later:?}");
        let left = world.store().read(move |tx| figures::left(tx, campaign)).await.unwrap();
        assert_eq!(left, [(world.source, 7)]);
    })
    .await;
}

const BUSY: CallResult = CallResult::Busy;

#[tokio::test]
async fn agents_are_busy_while_they_talk_and_finish_and_at_work_since_they_came() {
    on_both(|world| async move {
        let (ann, bob) = (AgentId(id(70)), AgentId(id(71)));
        let state = |agent, state, seconds| {
            Change::AgentChanged(AgentChanged {
                agent,
                state,
                reason: None,
                attempt: None,
                at: after(seconds),
            })
        };
        world.add(vec![record(1, 0)]).await;
        let held = world.lease().await;
        let contact = world.claim(held, 1, &[0]).await.remove(0);
        let group = world.group;
        world.apply(held, vec![state(ann, AgentState::Ready, 0), state(bob, AgentState::Ready, 60)]).await;
        // Ann talks from 10 to 20 and is finished at 21; she was on a break before 0 and stays at work.
        let Change::AttemptEnded(it) = ended(group, &contact, CallResult::Answer) else { unreachable!() };
        let connected = AttemptEnded { agent: Some(ann), connected_at: Some(after(10)), ..it };
        let plan = planned(group, &contact, dial_again(after(600), 0));
        let changes = vec![
            started(group, &contact),
            Change::AttemptEnded(connected),
            Change::ContactPlanned(plan),
            state(ann, AgentState::OnCall, 10),
            state(ann, AgentState::WrapUp, 20),
            state(ann, AgentState::Ready, 21),
        ];
        world.apply(held, changes).await;
        // Bob's call is under way since 80: it has no end yet.
        world.apply(held, vec![state(bob, AgentState::OnCall, 80)]).await;
        let tenant = world.tenant;
        let busy = |agents: Vec<AgentId>| {
            let asked = world.store().read(move |tx| figures::busy(tx, tenant, &agents, NOW, after(100)));
            async move { asked.await.unwrap() }
        };
        let seconds = Duration::from_secs;
        assert_eq!(busy(vec![ann]).await, (seconds(11), seconds(100)));
        assert_eq!(busy(vec![bob]).await, (seconds(20), seconds(40)));
        assert_eq!(busy(vec![ann, bob]).await, (seconds(31), seconds(140)));
        assert_eq!(busy(vec![]).await, (seconds(0), seconds(0)));
    })
    .await;
}

#[tokio::test]
async fn a_loaded_group_is_known_with_what_was_last_asked_of_it() {
    on_both(|world| async move {
        let held = world.lease().await;
        let changed = GroupChanged {
            group: world.group,
            state: GroupState::Running,
            dial_mode: DialMode::Power,
            action: GroupAction::Start,
            actor: Actor::Schedule,
            at: NOW,
        };
        world.apply(held, vec![Change::GroupChanged(changed)]).await;
        let tenant = world.tenant;
        let loaded = world.store().read(move |tx| figures::loaded_groups(tx, tenant)).await.unwrap();
        let [it] = loaded[..] else { panic!("{loaded:?}") };
        assert_eq!(
            (it.group, it.state, it.dial_mode),
            (world.group, GroupState::Running, Some(DialMode::Power))
        );
        assert_eq!((it.last_action, it.last_actor), (Some(9), Some(4)));
        let stranger = TenantId(id(900));
        assert_eq!(world.store().read(move |tx| figures::loaded_groups(tx, stranger)).await, Ok(vec![]));
    })
    .await;
}
