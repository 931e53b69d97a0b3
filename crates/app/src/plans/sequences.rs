//! Sequences: one campaign group after another.

use std::time::Duration;

use engine::time::rfc3339_option;
use engine::{Actor, GroupAction, GroupId, GroupState, TenantId, Time};
use schemars::JsonSchema;
use serde::Serialize;
use store::records::attempts;
use store::records::schedules::{self as rows, PlannedRun, SequenceState};
use uuid::Uuid;

use super::passes;
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
        let tenant = who.tenant;
        let begun = match body.steps.first() {
            Some(first) => self.begin_group(tenant, first).await,
            None => Ok(Ok(())),
        };
        let begun = match begun {
            Ok(begun) => begun,
            Err(error) => {
                // It does not run then: a group that nobody began with would count as unloaded, and be passed over.
                self.write(move |tx| Ok(rows::end_sequence(tx, tenant, sequence).map(drop)?)).await?;
                return Err(error);
            }
        };
        self.note_begun(tenant, sequence, &body, 0, begun, now).await?;
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
            let ended = self.end_group(who.tenant, step.group).await;
            self.note_ended(who.tenant, sequence, state.step, step, "stopped", ended, now).await?;
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
            if let Err(error) = self.follow_sequence(tenant, &sequence.body, state, now).await {
                tracing::warn!(%tenant, sequence = %sequence.id, %error, "a sequence could not be followed; trying again");
            }
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
        if !self.is_ours_to_ask(step.group).await? {
            return Ok(());
        }
        let facts = self.facts(tenant, step, state.since).await?;
        let Some(why) = why_over(step, &state, &facts, now) else { return Ok(()) };
        let next = match state.step as usize + 1 {
            next if next < body.steps.len() => Some(next),
            _ if body.repeat => Some(0),
            _ => None,
        };
        // Done before it is moved on, so that what something passing keeps from being done is tried again: what is so
        // already is left.
        let ended = self.end_group(tenant, step.group).await;
        if ended.as_ref().is_err_and(passes) {
            return ended;
        }
        let begun = match next.and_then(|next| body.steps.get(next)) {
            Some(next) if self.is_ours_to_ask(next.group).await? => self.begin_group(tenant, next).await?,
            // Its node begins with it once this group is at rest.
            Some(_) => return Ok(()),
            None => Ok(()),
        };
        // Whoever moves it on tells what was done; another node that saw the same leaves it.
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
        self.note_ended(tenant, sequence, state.step, step, why, ended, now).await?;
        match next {
            Some(next) => self.note_begun(tenant, sequence, body, next, begun, now).await,
            None => Ok(()),
        }
    }

    async fn facts(&self, tenant: TenantId, step: &SequenceStep, since: Time) -> Result<Facts, AppError> {
        let (group, has_quota) = (step.group, step.answered.is_some());
        let state = self.stored_group_state(group).await?;
        let live = self.floor.live(tenant).await?.groups.into_iter().find(|live| live.now.group == group);
        let calls = live.map_or(0, |live| live.now.ringing + live.now.waiting + live.now.connected);
        self.read(move |tx| {
            let body = load::<crate::model::CampaignGroupBody>(tx, tenant, group.0)?.body;
            let supply = store::feed::supply(tx, body.campaign, group)?;
            let is_exhausted = supply.is_exhausted() && calls == 0 && state == GroupState::Running;
            // All attempts of its turn are looked at for this.
            let results = match has_quota {
                true => attempts::results_of_group(tx, tenant, group, since)?.by_result,
                false => Default::default(),
            };
            let answered =
                results.iter().filter(|(result, _)| result.answered_by_person()).map(|(_, count)| count);
            Ok(Facts { state, is_exhausted, answered: answered.sum() })
        })
        .await
    }

    /// Starts a group whose turn it is, or tells why it is refused.
    ///
    /// # Errors
    /// Something passing is in the way.
    async fn begin_group(
        &self,
        tenant: TenantId,
        own: &SequenceStep,
    ) -> Result<Result<(), AppError>, AppError> {
        let load = self.ask_group(tenant, own.group, GroupAction::Load, None, Actor::Sequence).await;
        let started = match load {
            Ok(()) => {
                self.ask_group(tenant, own.group, GroupAction::Start, own.dial_mode, Actor::Sequence).await
            }
            Err(error) => Err(error),
        };
        match started {
            Err(error) if passes(&error) => Err(error),
            begun => Ok(begun),
        }
    }

    /// Notes how a group's turn began; one that cannot be started is skipped, or ends the sequence.
    async fn note_begun(
        &self,
        tenant: TenantId,
        sequence: Uuid,
        body: &SequenceBody,
        step: usize,
        begun: Result<(), AppError>,
        now: Time,
    ) -> Result<(), AppError> {
        let Some(own) = body.steps.get(step) else { return Ok(()) };
        let (outcome, detail) = match &begun {
            Ok(()) => ("done", None),
            Err(error) => ("refused", Some(error.to_string())),
        };
        self.note_step(tenant, sequence, step, own.group, "start", outcome, detail, now).await?;
        // One that is skipped is not loaded, so the next look goes on.
        if begun.is_err() && body.when_refused == WhenRefused::End {
            self.write(move |tx| Ok(rows::end_sequence(tx, tenant, sequence).map(drop)?)).await?;
        }
        Ok(())
    }

    /// Stops a group and lets it come to rest.
    async fn end_group(&self, tenant: TenantId, group: GroupId) -> Result<(), AppError> {
        for action in [GroupAction::Stop, GroupAction::Unload] {
            self.ask_group(tenant, group, action, None, Actor::Sequence).await?;
        }
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "the columns of one row")]
    async fn note_ended(
        &self,
        tenant: TenantId,
        sequence: Uuid,
        step: u32,
        own: &SequenceStep,
        why: &str,
        ended: Result<(), AppError>,
        now: Time,
    ) -> Result<(), AppError> {
        let (outcome, detail) = match ended {
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
