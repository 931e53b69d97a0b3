//! Schedules where several nodes share a database.

use std::time::Duration;

use app::model::{CampaignGroupBody, ScheduleBody, SkillBody};
use app::paging::PageRequest;
use app::plans::PlannedRunView;
use engine::{GroupId, GroupState, Time, Zone};
use serde_json::json;
use store::lease::{self, GroupRow};
use store::values;
use telephony::{Clock, SystemClock};
use uuid::Uuid;

use crate::harness::{Outdial, body, on_both_databases};

/// Another node.
const ELSEWHERE: Uuid = Uuid::from_u128(7);

async fn running_elsewhere(outdial: &Outdial) -> GroupId {
    let skill = outdial.app.create::<SkillBody>(&outdial.who, body(json!({"name": "Sales"}))).await.unwrap();
    let group = json!({"name": "Team", "campaign": outdial.campaign, "skill": skill.id});
    let group = outdial.app.create::<CampaignGroupBody>(&outdial.who, body(group)).await.unwrap();
    let row = GroupRow { group: GroupId(group.id), tenant: outdial.who.tenant, campaign: outdial.campaign };
    let take = move |tx: &mut store::Tx<'_>| {
        lease::acquire(tx, row, ELSEWHERE, Time::EPOCH, Time::NEVER)?;
        let running = values![row.group, GroupState::Running.code(), engine::DialMode::Power.code()];
        tx.execute("UPDATE group_runtime SET state = $2, dial_mode = $3 WHERE group_id = $1", &running)
    };
    outdial.database.store.write(take).await.unwrap();
    row.group
}

/// A schedule that stops the group in a second.
async fn stop_in_a_second(outdial: &Outdial, group: GroupId) -> Uuid {
    let soon = Zone::utc().local(SystemClock.now() + Duration::from_secs(2));
    let step = json!({"time": soon.strftime("%H:%M:%S").to_string(), "action": "stop", "groups": [group]});
    let on = json!({"every": "day", "from": soon.date().to_string()});
    let schedule = json!({"name": "Evening", "on": on, "zone": "UTC", "steps": [step]});
    outdial.app.create::<ScheduleBody>(&outdial.who, body(schedule)).await.unwrap().id
}

async fn runs(outdial: &Outdial, schedule: Uuid) -> Vec<PlannedRunView> {
    outdial.app.planned_runs(&outdial.who, schedule, &PageRequest::default()).await.unwrap().items
}

#[test]
fn a_step_of_a_group_that_another_node_runs_is_left_to_it_and_done_here_once_that_node_is_gone() {
    on_both_databases(async |outdial| {
        let group = running_elsewhere(&outdial).await;
        let schedule = stop_in_a_second(&outdial, group).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert!(runs(&outdial, schedule).await.is_empty(), "it is the other node's to do");
        outdial.database.store.write(|tx| lease::release_all(tx, ELSEWHERE)).await.unwrap();
        let mut told = Vec::new();
        for _ in 0..100 {
            told = runs(&outdial, schedule).await;
            if told.iter().any(|run| run.outcome != "started") {
                break;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        assert_eq!(told.len(), 1);
        assert_eq!((told[0].outcome.as_str(), &told[0].detail), ("done", &None));
        assert_eq!(outdial.app.group_status(&outdial.who, group).await.unwrap().state, GroupState::Active);
    });
}

#[test]
fn a_node_that_has_shut_down_takes_nothing_up_any_more() {
    on_both_databases(async |outdial| {
        let group = running_elsewhere(&outdial).await;
        outdial.app.floor.shut_down(Duration::ZERO).await;
        outdial.database.store.write(|tx| lease::release_all(tx, ELSEWHERE)).await.unwrap();
        tokio::time::sleep(Duration::from_secs(6)).await;
        let holder = outdial.database.store.read(move |tx| lease::stored_holder(tx, group)).await.unwrap();
        assert_eq!(holder, (GroupState::Running, None));
        assert_eq!(outdial.app.live(&outdial.who).await.map(drop).unwrap_err().code(), "unavailable");
    });
}
