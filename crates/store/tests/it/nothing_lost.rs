//! Whatever happens in whatever order, every contact is in exactly one place.

use engine::change::PlannedNext;
use engine::{CallResult, Change, FinalReason, GroupId};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use store::changes::HeldGroup;
use store::testing::databases;
use store::{ClaimedContact, feed, verify};

use crate::fixture::*;

#[derive(Clone, Debug)]
enum Step {
    /// Records with these numbers come in, some of them again.
    Import(u64, u8),
    /// A group claims from these buckets.
    Claim(usize, u32, usize),
    /// A group calls everything in its hopper, with this result.
    Call(usize, u64, bool),
    /// A group gives everything back.
    Return(usize, Option<u64>),
    /// A node dies: another takes its group over.
    Crash(usize),
    /// Time passes.
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..60_u64, 0..20_u8).prop_map(|(first, count)| Step::Import(first, count)),
        (0..2_usize, 0..15_u32, 1..4_usize)
            .prop_map(|(group, wanted, open)| Step::Claim(group, wanted, open)),
        (0..2_usize, 0..100_u64, any::<bool>())
            .prop_map(|(group, delay, ends)| Step::Call(group, delay, ends)),
        (0..2_usize, prop::option::of(0..100_u64)).prop_map(|(group, delay)| Step::Return(group, delay)),
        (0..2_usize).prop_map(Step::Crash),
        (0..50_u64).prop_map(Step::Pass),
    ]
}

struct Node {
    held: HeldGroup,
    hopper: Vec<ClaimedContact>,
}

async fn run(world: &World, steps: Vec<Step>) {
    let mut nodes = Vec::new();
    for group in [world.group, GroupId(id(40))] {
        nodes.push(Node { held: world.lease_of(group).await, hopper: Vec::new() });
    }
    let mut seconds = 0;
    let mut imports = 0;
    for step in steps {
        match step {
            Step::Import(first, count) => {
                imports += 1;
                let record = |it: u64| {
                    let fingerprint = if it.is_multiple_of(2) { 1 } else { imports };
                    store::intake::IntakeRecord { fingerprint, ..record(it, (it % 3) as usize) }
                };
                world.take_in(world.batch((first..first + u64::from(count)).map(record).collect())).await;
            }
            Step::Claim(index, wanted, open) => {
                let open: Vec<usize> = (0..open).collect();
                let mut request = world.request(nodes[index].held, wanted, &open);
                request.now = after(seconds);
                let claimed = world.try_claim(request).await.unwrap();
                nodes[index].hopper.extend(claimed.contacts);
            }
            Step::Call(index, delay, ends) => call(world, &mut nodes[index], seconds + delay, ends).await,
            Step::Return(index, delay) => {
                let node = &mut nodes[index];
                let not_before = delay.map(|delay| after(seconds + delay));
                let returned = |it: ClaimedContact| {
                    let (group, contact) = (node.held.group, it.contact);
                    Change::ContactReturned(engine::change::ContactReturned {
                        group,
                        contact,
                        not_before,
                        rejected: None,
                    })
                };
                let changes = std::mem::take(&mut node.hopper).into_iter().map(returned).collect();
                world.apply(node.held, changes).await;
            }
            Step::Crash(index) => {
                let node = &mut nodes[index];
                node.held = world.lease_of(node.held.group).await;
                node.hopper.clear();
                let (group, epoch) = (node.held.group, node.held.epoch);
                world.store().write(move |tx| feed::return_claims(tx, group, epoch)).await.unwrap();
            }
            Step::Pass(passed) => seconds += passed,
        }
        check(world, &nodes).await;
    }
}

async fn call(world: &World, node: &mut Node, next_at: u64, ends: bool) {
    let group = node.held.group;
    let mut changes = Vec::new();
    for contact in std::mem::take(&mut node.hopper) {
        changes.push(started(group, &contact));
        changes.push(ended(group, &contact, CallResult::NoAnswer));
        let next = match ends {
            true => PlannedNext::Final { reason: FinalReason::Treated },
            false => dial_again(after(next_at), (contact.attempts % 3).into()),
        };
        changes.push(Change::ContactPlanned(planned(group, &contact, next)));
    }
    world.apply(node.held, changes).await;
}

/// Each contact is where exactly one party can find it, and nothing contradicts anything.
async fn check(world: &World, nodes: &[Node]) {
    let campaign = world.campaign;
    let (counts, found) = world
        .store()
        .read(move |tx| Ok((feed::counts(tx, campaign)?, verify::verify(tx, NOW)?)))
        .await
        .unwrap();
    assert_eq!(found.violations(), Vec::<String>::new());
    assert_eq!(counts.total(), found.contacts);
    let in_hoppers: usize = nodes.iter().map(|node| node.hopper.len()).sum();
    assert_eq!(counts.claimed, in_hoppers as u64);
}

#[test]
fn no_order_of_events_loses_a_contact() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config = ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() };
    let steps = prop::collection::vec(step(), 1..30);
    TestRunner::new(config)
        .run(&steps, |steps| {
            for database in databases() {
                let world = World::on(database);
                runtime.block_on(run(&world, steps.clone()));
                let total: i64 = runtime.block_on(world.one("SELECT COUNT(*) FROM contact", vec![]));
                let imported: std::collections::HashSet<u64> = steps
                    .iter()
                    .filter_map(|step| {
                        if let Step::Import(first, count) = step { Some((*first, *count)) } else { None }
                    })
                    .flat_map(|(first, count)| first..first + u64::from(count))
                    .collect();
                prop_assert_eq!(total, imported.len() as i64);
            }
            Ok(())
        })
        .unwrap();
}
