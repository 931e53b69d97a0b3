//! Leases and what they fence.

use engine::change::GroupChanged;
use engine::{Actor, Change, DialMode, GroupAction, GroupState};
use store::StoreError;
use store::lease::{self, GroupRow};

use crate::fixture::{NOW, World, after, id, on_both, record};

fn row(world: &World) -> GroupRow {
    GroupRow { group: world.group, tenant: world.tenant, campaign: world.campaign }
}

#[tokio::test]
async fn a_lease_is_taken_once_and_again_when_it_has_run_out() {
    on_both(|world| async move {
        let group = row(&world);
        let (one, other) = (id(100), id(101));
        let first =
            world.store().write(move |tx| lease::acquire(tx, group, one, NOW, after(10))).await.unwrap();
        assert_eq!(first.map(|lease| (lease.epoch, lease.state)), Some((1, GroupState::NotLoaded)));
        let early =
            world.store().write(move |tx| lease::acquire(tx, group, other, after(9), after(20))).await;
        assert_eq!(early, Ok(None));
        let late =
            world.store().write(move |tx| lease::acquire(tx, group, other, after(10), after(20))).await;
        assert_eq!(late.unwrap().map(|lease| lease.epoch), Some(2));
    })
    .await;
}

#[tokio::test]
async fn the_owner_may_take_its_own_lease_anew_under_a_new_epoch() {
    on_both(|world| async move {
        assert_eq!(world.lease().await.epoch, 1);
        assert_eq!(world.lease().await.epoch, 2);
    })
    .await;
}

#[tokio::test]
async fn a_stale_epoch_cannot_renew_and_a_release_by_it_does_nothing() {
    on_both(|world| async move {
        let (old, new) = (world.lease().await, world.lease().await);
        let group = world.group;
        let renewed = world.store().write(move |tx| lease::renew(tx, group, old.epoch, after(90))).await;
        assert_eq!(renewed, Err(StoreError::Fenced { group }));
        world.store().write(move |tx| lease::release(tx, group, old.epoch)).await.unwrap();
        world.store().write(move |tx| lease::renew(tx, group, new.epoch, after(90))).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_released_lease_is_free_at_once_and_fences_its_former_holder() {
    on_both(|world| async move {
        let held = world.lease().await;
        let (group, row) = (world.group, row(&world));
        world.store().write(move |tx| lease::release(tx, group, held.epoch)).await.unwrap();
        assert_eq!(
            world.try_claim(world.request(held, 1, &[0])).await.unwrap_err(),
            StoreError::Fenced { group }
        );
        let taken = world.store().write(move |tx| lease::acquire(tx, row, id(77), NOW, after(5))).await;
        assert_eq!(taken.unwrap().map(|lease| lease.epoch), Some(2));
    })
    .await;
}

#[tokio::test]
async fn a_loaded_group_is_adopted_when_its_lease_has_run_out() {
    on_both(|world| async move {
        let held = world.lease().await;
        world.apply(held, vec![running(&world)]).await;
        assert_eq!(world.store().read(move |tx| lease::groups_to_adopt(tx, after(59))).await, Ok(vec![]));
        let orphans = world.store().read(move |tx| lease::groups_to_adopt(tx, after(60))).await.unwrap();
        assert_eq!(orphans.len(), 1);
        assert_eq!(orphans[0].group, row(&world));
        assert_eq!((orphans[0].state, orphans[0].dial_mode), (GroupState::Running, Some(DialMode::Power)));
    })
    .await;
}

#[tokio::test]
async fn a_group_at_rest_is_not_adopted() {
    on_both(|world| async move {
        world.lease().await;
        assert_eq!(world.store().read(move |tx| lease::groups_to_adopt(tx, after(600))).await, Ok(vec![]));
    })
    .await;
}

#[tokio::test]
async fn nothing_is_claimed_or_stored_under_a_stale_epoch() {
    on_both(|world| async move {
        world.add(vec![record(1, 0)]).await;
        let (old, new) = (world.lease().await, world.lease().await);
        let fenced = StoreError::Fenced { group: world.group };
        assert_eq!(world.try_claim(world.request(old, 1, &[0])).await.unwrap_err(), fenced);
        assert_eq!(world.try_apply(old, vec![running(&world)]).await, Err(fenced));
        assert_eq!(world.claim(new, 1, &[0]).await.len(), 1);
        assert_eq!(world.told().await, ["contact.created"]);
    })
    .await;
}

fn running(world: &World) -> Change {
    Change::GroupChanged(GroupChanged {
        group: world.group,
        state: GroupState::Running,
        dial_mode: DialMode::Power,
        action: GroupAction::Start,
        actor: Actor::Client,
        at: NOW,
    })
}
