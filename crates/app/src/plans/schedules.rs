//! Schedules: each step once, on whichever node sees it first.

use std::time::Duration;

use engine::time::rfc3339;
use engine::{Actor, GroupId, TenantId, Time, Zone};
use schemars::JsonSchema;
use serde::Serialize;
use store::records::schedules::{self as rows, PlannedRun};
use uuid::Uuid;

use crate::access::{Permission, Principal};
use crate::callbacks::due::zone_of;
use crate::definitions::{load, load_all};
use crate::model::{ScheduleBody, ScheduleStep, ScheduledAction, Stored};
use crate::{App, AppError};

/// Steps done in one look at most; the rest follows in the next.
const AT_ONCE: usize = 1000;
/// Runs that are foretold at most.
const FORETOLD_MAX: usize = 100;

/// When a step of a schedule happens next.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct NextRun {
    /// Which step, from 0.
    pub step: usize,
    /// What.
    pub action: ScheduledAction,
    /// When.
    #[serde(with = "rfc3339")]
    #[schemars(with = "String")]
    pub at: Time,
    /// When, on the clocks of its zone.
    pub local: String,
}

impl App {
    /// When the steps of a schedule happen next, whether it is enabled or not.
    ///
    /// # Errors
    /// The caller may not, or there is no such schedule.
    pub async fn next_runs(
        &self,
        who: &Principal,
        schedule: Uuid,
        count: usize,
    ) -> Result<Vec<NextRun>, AppError> {
        who.may(Permission::Read)?;
        let (tenant, now) = (who.tenant, self.clock.now());
        self.read(move |tx| {
            let body = load::<ScheduleBody>(tx, tenant, schedule)?.body;
            let zone = body.zone.clone().map_or_else(|| zone_of(tx, tenant), Ok)?;
            let times = body.times();
            let timetable = body.timetable(&times, &zone);
            let next = timetable.between(now, Time::NEVER, count.clamp(1, FORETOLD_MAX));
            Ok(next
                .into_iter()
                .map(|occurrence| NextRun {
                    step: occurrence.step,
                    action: body.steps[occurrence.step].action,
                    at: occurrence.at,
                    local: format!("{} {}", zone.local(occurrence.at), zone.name()),
                })
                .collect())
        })
        .await
    }

    /// Does what is due.
    pub(super) async fn follow_schedules(&self, tenant: TenantId) -> Result<(), AppError> {
        let now = self.clock.now();
        let (schedules, own_zone) =
            self.read(move |tx| Ok((load_all::<ScheduleBody>(tx, tenant)?, zone_of(tx, tenant)?))).await?;
        for schedule in schedules {
            self.follow_schedule(tenant, &schedule, &own_zone, now).await?;
        }
        Ok(())
    }

    async fn follow_schedule(
        &self,
        tenant: TenantId,
        schedule: &Stored<ScheduleBody>,
        own_zone: &Zone,
        now: Time,
    ) -> Result<(), AppError> {
        let (id, body) = (schedule.id, &schedule.body);
        let seen = self.write(move |tx| Ok(rows::seen_until(tx, tenant, id, now)?)).await?;
        // What was due before it was last changed is not due by what it says now.
        let seen = seen.max(schedule.updated_at);
        let times = body.times();
        let zone = body.zone.as_ref().unwrap_or(own_zone);
        let due = body.timetable(&times, zone).between(seen, now, AT_ONCE);
        let is_all = due.len() < AT_ONCE;
        let mut until = seen;
        for occurrence in due.iter().filter(|_| body.enabled) {
            let step = &body.steps[occurrence.step];
            let is_late = now.since(occurrence.at) > Duration::from_secs(u64::from(body.late_minutes) * 60);
            for group in &step.groups {
                let run = PlannedRun {
                    id: self.ids.next(now),
                    tenant,
                    plan: id,
                    due: occurrence.at,
                    step: occurrence.step.try_into().unwrap_or(u32::MAX),
                    group: *group,
                    action: step.action.name().to_owned(),
                    outcome: if is_late { "missed" } else { "started" }.to_owned(),
                    detail: is_late.then(|| "nobody was there in time to do it".to_owned()),
                    at: now,
                };
                let claimed = {
                    let run = run.clone();
                    self.write(move |tx| Ok(rows::claim(tx, &run)?)).await?
                };
                if claimed && !is_late {
                    let outcome = self.do_step(tenant, step, *group).await;
                    let (word, detail) = match &outcome {
                        Ok(()) => ("done", None),
                        Err(error) => ("refused", Some(error.to_string())),
                    };
                    self.write(move |tx| Ok(rows::end(tx, run.id, word, detail.as_deref())?)).await?;
                }
            }
            until = occurrence.at;
        }
        // An occurrence at the limit may have others at its instant: they are looked at again, and claimed once.
        let until = if is_all { now } else { until };
        self.write(move |tx| Ok(rows::set_seen_until(tx, id, until)?)).await
    }

    async fn do_step(&self, tenant: TenantId, step: &ScheduleStep, group: GroupId) -> Result<(), AppError> {
        let mode = step.dial_mode;
        for action in step.action.of_group() {
            let mode = mode.filter(|_| action.takes_dial_mode());
            self.ask_group(tenant, group, *action, mode, Actor::Schedule).await?;
        }
        Ok(())
    }
}
