//! Sequences: one campaign group after another.

use std::time::Duration;

use engine::time::rfc3339_option;
use engine::{Actor, GroupAction, GroupId, GroupState, TenantId, Time};
use schemars::JsonSchema;
use serde::Serialize;
use store::records::attempts;
use store::records::schedules::{self as rows, PlannedRun, SequenceState};
use uuid::Uuid;

use crate::access::{Permission, Principal};
use crate::audit::{self, Action};
use crate::definitions::{load, load_all};
use crate::model::{Definition, SequenceBody, SequenceStep, WhenRefused};
use crate::{App, AppError};

/// Where a sequence is.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SequenceView {
    /// Whether it runs.
    pub running: bool,
    /// At which of its groups, from 0.
    pub step: Option<u32>,
    /// Since when.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<String>")]
    pub since: Option<Time>,
}

/// Why a group's turn is over.
fn why_over(step: &SequenceStep, state: &SequenceState, facts: &Facts, now: Time) -> Option<&'static str> {
    if facts.state == GroupState::NotLoaded {
        return Some("unloaded");
    }
    if facts.is_exhausted {
        return Some("no contacts left");
    }
    if step.answered.is_some_and(|quota| facts.answered >= quota) {
        return Some("quota reached");
    }
    let is_over = |minutes: u32| now.since(state.since) >= Duration::from_secs(u64::from(minutes) * 60);
    step.minutes.is_some_and(is_over).then_some("time over")
}

/// What is known of the group whose turn it is.
struct Facts {
    state: GroupState,
    is_exhausted: bool,
    /// Calls since its turn began that a person answered.
    answered: u64,
}

impl App {
    /// Starts a sequence with its first group.
    ///
    /// # Errors
    /// The caller may not, there is none, or it runs already.
    pub async fn start_sequence(&self, who: &Principal, sequence: Uuid) -> Result<SequenceView, AppError> {
        who.may(Permission::Operate)?;
        let (who_in, now) = (who.clone(), self.clock.now());
        let audit_id = self.ids.next(now);
        let body = self
            .write(move |tx| {
                let body = load::<SequenceBody>(tx, who_in.tenant, sequence)?.body;
                let state =
                    SequenceState { sequence, tenant: who_in.tenant, step: 0, since: now, version: 1 };
                if !rows::begin_sequence(tx, &state)? {
                    return Err(AppError::conflict("sequence_runs", "the sequence runs already"));
                }
                let (kind, target) = (SequenceBody::KIND, Some(sequence));
                audit::note(tx, &who_in, audit_id, now, Action::Act, kind, target, None, None)?;
                Ok(body)
            })
            .await?;
        self.begin_step(who.tenant, sequence, &body, 0, now).await?;
        self.sequence_view(who, sequence).await
    }

    /// Ends a sequence; the group whose turn it is stops and comes to rest.
    ///
    /// # Errors
    /// The caller may not, there is none, or it does not run.
    pub async fn stop_sequence(&self, who: &Principal, sequence: Uuid) -> Result<SequenceView, AppError> {
        who.may(Permission::Operate)?;
        let (who_in, now) = (who.clone(), self.clock.now());
        let audit_id = self.ids.next(now);
        let (body, state) = self
            .write(move |tx| {
                let body = load::<SequenceBody>(tx, who_in.tenant, sequence)?.body;
                let state = rows::sequence(tx, who_in.tenant, sequence)?;
                let state =
                    state.ok_or_else(|| AppError::conflict("sequence_rests", "the sequence does not run"))?;
                rows::end_sequence(tx, who_in.tenant, sequence)?;
                let (kind, target) = (SequenceBody::KIND, Some(sequence));
                audit::note(tx, &who_in, audit_id, now, Action::Act, kind, target, None, None)?;
                Ok((body, state))
            })
            .await?;
        if let Some(step) = body.steps.get(state.step as usize) {
            self.end_step(who.tenant, sequence, state.step, step, "stopped", now).await?;
        }
        self.sequence_view(who, sequence).await
    }

    /// Where a sequence is.
    ///
    /// # Errors
    /// The caller may not, or there is none.
    pub async fn sequence_view(&self, who: &Principal, sequence: Uuid) -> Result<SequenceView, AppError> {
        who.may(Permission::Read)?;
        let tenant = who.tenant;
        let state = self
            .read(move |tx| {
                load::<SequenceBody>(tx, tenant, sequence)?;
                Ok(rows::sequence(tx, tenant, sequence)?)
            })
            .await?;
        Ok(SequenceView {
            running: state.is_some(),
            step: state.map(|state| state.step),
            since: state.map(|state| state.since),
        })
    }

    /// Goes on with what runs.
    pub(super) async fn follow_sequences(&self, tenant: TenantId) -> Result<(), AppError> {
        let now = self.clock.now();
        let running = self
            .read(move |tx| {
                let mut running = Vec::new();
                for sequence in load_all::<SequenceBody>(tx, tenant)? {
                    if let Some(state) = rows::sequence(tx, tenant, sequence.id)? {
                        running.push((sequence, state));
                    }
                }
                Ok(running)
            })
            .await?;
        for (sequence, state) in running {
            self.follow_sequence(tenant, &sequence.body, state, now).await?;
        }
        Ok(())
    }

    async fn follow_sequence(
        &self,
        tenant: TenantId,
        body: &SequenceBody,
        state: SequenceState,
        now: Time,
    ) -> Result<(), AppError> {
        let sequence = state.sequence;
        let Some(step) = body.steps.get(state.step as usize) else {
            // It was changed while it ran, and has fewer groups now.
            return self.write(move |tx| Ok(rows::end_sequence(tx, tenant, sequence).map(drop)?)).await;
        };
        let facts = self.facts(tenant, step.group, state.since).await?;
        let Some(why) = why_over(step, &state, &facts, now) else { return Ok(()) };
        let next = match state.step as usize + 1 {
            next if next < body.steps.len() => Some(next),
            _ if body.repeat => Some(0),
            _ => None,
        };
        // Whoever moves it on does what is to be done; another node that saw the same leaves it.
        let moved = self
            .write(move |tx| match next {
                Some(next) => {
                    let step = u32::try_from(next).unwrap_or_default();
                    Ok(rows::move_sequence(tx, &SequenceState { step, since: now, ..state })?)
                }
                None => Ok(rows::end_sequence(tx, tenant, sequence)?),
            })
            .await?;
        if !moved {
            return Ok(());
        }
        self.end_step(tenant, sequence, state.step, step, why, now).await?;
        match next {
            Some(next) => self.begin_step(tenant, sequence, body, next, now).await,
            None => Ok(()),
        }
    }

    async fn facts(&self, tenant: TenantId, group: GroupId, since: Time) -> Result<Facts, AppError> {
        let state = self.stored_group_state(group).await?;
        let live = self.floor.live(tenant).await?.groups.into_iter().find(|live| live.now.group == group);
        let calls = live.map_or(0, |live| live.now.ringing + live.now.waiting + live.now.connected);
        self.read(move |tx| {
            let body = load::<crate::model::CampaignGroupBody>(tx, tenant, group.0)?.body;
            let supply = store::feed::supply(tx, body.campaign, group)?;
            let is_exhausted = supply.is_exhausted() && calls == 0 && state == GroupState::Running;
            let results = attempts::results_of_group(tx, tenant, group, since)?.by_result;
            let answered =
                results.iter().filter(|(result, _)| result.answered_by_person()).map(|(_, count)| count);
            Ok(Facts { state, is_exhausted, answered: answered.sum() })
        })
        .await
    }

    /// Starts a group whose turn it is; one that cannot be started is skipped, or ends the sequence.
    async fn begin_step(
        &self,
        tenant: TenantId,
        sequence: Uuid,
        body: &SequenceBody,
        step: usize,
        now: Time,
    ) -> Result<(), AppError> {
        let Some(own) = body.steps.get(step) else { return Ok(()) };
        let load = self.ask_group(tenant, own.group, GroupAction::Load, None, Actor::Sequence).await;
        let started = match load {
            Ok(()) => {
                self.ask_group(tenant, own.group, GroupAction::Start, own.dial_mode, Actor::Sequence).await
            }
            Err(error) => Err(error),
        };
        let (outcome, detail) = match &started {
            Ok(()) => ("done", None),
            Err(error) => ("refused", Some(error.to_string())),
        };
        self.note_step(tenant, sequence, step, own.group, "start", outcome, detail, now).await?;
        // One that is skipped is not loaded, so the next look goes on.
        if started.is_err() && body.when_refused == WhenRefused::End {
            self.write(move |tx| Ok(rows::end_sequence(tx, tenant, sequence).map(drop)?)).await?;
        }
        Ok(())
    }

    async fn end_step(
        &self,
        tenant: TenantId,
        sequence: Uuid,
        step: u32,
        own: &SequenceStep,
        why: &str,
        now: Time,
    ) -> Result<(), AppError> {
        let mut ended = Ok(());
        for action in [GroupAction::Stop, GroupAction::Unload] {
            if ended.is_ok() {
                ended = self.ask_group(tenant, own.group, action, None, Actor::Sequence).await;
            }
        }
        let (outcome, detail) = match &ended {
            Ok(()) => ("done", why.to_owned()),
            Err(error) => ("refused", error.to_string()),
        };
        self.note_step(tenant, sequence, step as usize, own.group, "complete", outcome, Some(detail), now)
            .await
    }

    #[expect(clippy::too_many_arguments, reason = "the columns of one row")]
    async fn note_step(
        &self,
        tenant: TenantId,
        plan: Uuid,
        step: usize,
        group: GroupId,
        action: &str,
        outcome: &str,
        detail: Option<String>,
        now: Time,
    ) -> Result<(), AppError> {
        let run = PlannedRun {
            id: self.ids.next(now),
            tenant,
            plan,
            due: now,
            step: step.try_into().unwrap_or(u32::MAX),
            group,
            action: action.to_owned(),
            outcome: outcome.to_owned(),
            detail,
            at: now,
        };
        self.write(move |tx| Ok(rows::claim(tx, &run).map(drop)?)).await
    }
}
