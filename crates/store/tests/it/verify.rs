//! The check of the whole store finds what is wrong, and only that.

use engine::CallResult;
use store::verify;

use crate::fixture::*;

async fn world_in_use(world: &World) {
    world.add((0..10).map(|it| record(it, 0)).collect()).await;
    let held = world.lease().await;
    let contacts = world.claim(held, 6, &[0]).await;
    let group = world.group;
    let mut changes: Vec<_> = contacts[..4].iter().map(|it| started(group, it)).collect();
    changes.extend(contacts[..3].iter().map(|it| ended(group, it, CallResult::Busy)));
    let plan = |it| engine::Change::ContactPlanned(planned(group, it, dial_again(after(1), 0)));
    changes.extend(contacts[..2].iter().map(plan));
    world.apply(held, changes).await;
}

async fn findings(world: &World, at: u64) -> verify::Findings {
    world.store().read(move |tx| verify::verify(tx, after(at))).await.unwrap()
}

#[tokio::test]
async fn a_store_in_use_has_no_violations_and_is_counted_right() {
    on_both(|world| async move {
        world_in_use(&world).await;
        let found = findings(&world, 0).await;
        assert_eq!(found.violations(), Vec::<String>::new());
        assert_eq!((found.contacts, found.attempts, found.attempts_not_settled), (10, 4, 2));
        assert_eq!((found.events, found.claimed_without_lease), (19, 0));
        assert_eq!(findings(&world, 60).await.claimed_without_lease, 4);
    })
    .await;
}

#[tokio::test]
async fn each_kind_of_damage_is_found() {
    on_both(|world| async move {
        world_in_use(&world).await;
        for (damage, repair) in [
            ("UPDATE event_counter SET last = last + 1", "UPDATE event_counter SET last = last - 1"),
            ("UPDATE contact SET attempts = attempts + 1", "UPDATE contact SET attempts = attempts - 1"),
            ("UPDATE phone SET attempts = attempts + 1", "UPDATE phone SET attempts = attempts - 1"),
            (
                "UPDATE contact SET next_phone = next_phone + 1",
                "UPDATE contact SET next_phone = next_phone - 1",
            ),
            (
                "UPDATE event SET kind = 'lost' WHERE kind = 'attempt.started'",
                "UPDATE event SET kind = 'attempt.started' WHERE kind = 'lost'",
            ),
            (
                "UPDATE attempt SET group_id = contact_id",
                "UPDATE attempt SET group_id = (SELECT group_id FROM group_runtime)",
            ),
        ] {
            world.execute(damage, vec![]).await;
            assert_eq!(findings(&world, 0).await.violations().len(), 1, "{damage}");
            world.execute(repair, vec![]).await;
            assert_eq!(findings(&world, 0).await.violations(), Vec::<String>::new(), "{repair}");
        }
    })
    .await;
}
