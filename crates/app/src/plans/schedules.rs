//! Schedules: each step once, on whichever node sees it first.

use std::collections::HashMap;
use std::time::Duration;

use engine::schedule::Occurrence;
use engine::time::rfc3339;
use engine::{Actor, GroupId, TenantId, Time, Zone};
use schemars::JsonSchema;
use serde::Serialize;
use store::records::schedules::{self as rows, Claim, PlannedRun};
use uuid::Uuid;

use super::passes;
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
            if let Err(error) = self.follow_schedule(tenant, &schedule, &own_zone, now).await {
                tracing::warn!(%tenant, schedule = %schedule.id, %error, "a schedule could not be followed; trying again");
            }
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
        // Groups with a step that is to be tried again. What is due later waits for it.
        let mut waiting: HashMap<GroupId, Time> = HashMap::new();
        for occurrence in due.iter().filter(|_| body.enabled) {
            let step = &body.steps[occurrence.step];
            for group in &step.groups {
                if !waiting.contains_key(group)
                    && !self.follow_step(tenant, schedule, occurrence, step, *group, now).await?
                {
                    waiting.insert(*group, occurrence.at);
                }
            }
            until = occurrence.at;
        }
        let until = match waiting.into_values().min() {
            Some(first) => (first - Duration::from_micros(1)).max(seen),
            // An occurrence at the limit may have others at its instant: they are looked at again, and claimed once.
            None if is_all => now,
            None => until,
        };
        self.write(move |tx| Ok(rows::set_seen_until(tx, id, until)?)).await
    }

    /// Does a step with a group, or notes why not. False if it is to be looked at again: something passing was in the
    /// way, or it is another node's to do.
    async fn follow_step(
        &self,
        tenant: TenantId,
        schedule: &Stored<ScheduleBody>,
        occurrence: &Occurrence,
        step: &ScheduleStep,
        group: GroupId,
        now: Time,
    ) -> Result<bool, AppError> {
        let late = Duration::from_secs(u64::from(schedule.body.late_minutes) * 60);
        let is_late = now.since(occurrence.at) > late;
        let run = PlannedRun {
            id: self.ids.next(now),
            tenant,
            plan: schedule.id,
            due: occurrence.at,
            step: occurrence.step.try_into().unwrap_or(u32::MAX),
            group,
            action: step.action.name().to_owned(),
            outcome: if is_late { "missed" } else { "started" }.to_owned(),
            detail: is_late.then(|| "nobody was there in time to do it".to_owned()),
            at: now,
        };
        let run_id = run.id;
        let is_ours = is_late || self.is_ours_to_ask(group).await?;
        let claimed = self
            .write(move |tx| if is_ours { Ok(rows::claim(tx, &run)?) } else { Ok(rows::look(tx, &run)?) })
            .await?;
        match claimed {
            Claim::Mine if is_late => return Ok(true),
            Claim::Mine => {}
            Claim::Over => return Ok(true),
            Claim::Pending => return Ok(false),
        }
        let (word, detail) = match self.do_step(tenant, step, group).await {
            Ok(()) => ("done", None),
            Err(error) if passes(&error) => {
                tracing::warn!(%group, schedule = %schedule.id, %error, "a step could not be done; trying again");
                self.write(move |tx| Ok(rows::give_back(tx, run_id)?)).await?;
                return Ok(false);
            }
            Err(error) => ("refused", Some(error.to_string())),
        };
        self.write(move |tx| Ok(rows::end(tx, run_id, word, detail.as_deref())?)).await?;
        Ok(true)
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
