//! Leases: taking groups up, keeping them and giving them up.

use std::sync::Arc;
use std::time::Duration;

use engine::{
    Actor, AnsweredCalls, CampaignRules, Command, DialMode, GroupAction, GroupId, GroupState, Input,
    LiveCall, SuppressionListId, Unfinished,
};
use store::changes::HeldGroup;
use store::lease::{self, GroupRow, Lease};
use store::{StoreError, Tx, feed as store_feed};
use store::{abandonment, recovery};
use telephony::{Clock, Request};
use tokio::sync::oneshot;

use super::feed::Openings;
use super::messages::messages_of;
use super::{LEASE, Message, RENEW_EVERY, Runner};
use crate::AppError;
use crate::floor::GroupFigures;

/// How long the connection with the switch may take after a start before calls of before count as lost.
const SWITCH_CONNECTS_WITHIN: Duration = Duration::from_secs(10);
const SWITCH_ASKED_EVERY: Duration = Duration::from_millis(200);

/// A campaign group whose lease this runner holds.
pub(super) struct Held {
    pub row: GroupRow,
    pub epoch: i64,
    pub rules: Arc<CampaignRules>,
    pub suppression_lists: Vec<SuppressionListId>,
    pub figures: GroupFigures,
}

impl Runner {
    pub(super) async fn act(
        &mut self,
        group: GroupId,
        action: GroupAction,
        dial_mode: Option<DialMode>,
        actor: Actor,
        reply: oneshot::Sender<Result<GroupState, AppError>>,
    ) {
        if action == GroupAction::Load
            && !self.held.contains_key(&group)
            && let Err(error) = self.hold(group).await
        {
            let _ = reply.send(Err(error));
            return;
        }
        if !self.definitions.groups.contains_key(&group) {
            let _ = reply.send(Err(AppError::not_found("campaign group", group)));
            return;
        }
        let number = self.next_reply;
        self.next_reply += 1;
        self.replies.insert(number, reply);
        self.command(Command::Act { group, action, dial_mode, actor, reply: number });
    }

    /// Takes a group's lease, settles what a crash left of it, and goes on with it in the state it was in.
    pub(super) async fn hold(&mut self, group: GroupId) -> Result<(), AppError> {
        if self.held.contains_key(&group) {
            return Ok(());
        }
        // What is given back now is for others, or for the next start.
        if self.shutting_down.is_some() {
            return Err(AppError::Unavailable("the dialler"));
        }
        self.reload_definitions().await;
        let Some(plan) = self.definitions.groups.get(&group) else {
            return Err(AppError::not_found("campaign group", group));
        };
        let mut definition = plan.definition.clone();
        for message in messages_of(&definition, &self.definitions.messages) {
            self.get_message_ready(message);
        }
        let suppression_lists = plan.suppression_lists.clone();
        let row = GroupRow { group, tenant: self.tenant, campaign: definition.campaign };
        let now = self.shared.wall.now();
        let (node, rules) = (self.shared.node, Arc::clone(&definition.rules));
        let hours = rules.hours.clone();
        let call_time = self.shared.clock.now();
        let taken =
            move |tx: &mut Tx<'_>| -> Result<Option<(Lease, Vec<Unfinished>, AnsweredCalls)>, StoreError> {
                let Some(lease) = lease::acquire(tx, row, node, now, now + LEASE)? else { return Ok(None) };
                let openings = Openings::read(tx, row.campaign, &hours, call_time)?;
                let left = recovery::unfinished(tx, group)?;
                let mut promises =
                    store::callbacks::promises(tx, left.iter().map(|attempt| attempt.contact.contact))?;
                let left = left.into_iter().map(|attempt| {
                    let mut contact = attempt.contact;
                    contact.phone = attempt.phone;
                    let zones = openings.zones(contact.bucket);
                    let promise = promises.remove(&contact.contact).map(Box::new);
                    Unfinished {
                        attempt: attempt.attempt,
                        contact: engine::HopperContact { promise, ..contact.into_hopper(zones, call_time) },
                        result: attempt.result,
                        live: None,
                        recording: attempt.recording,
                    }
                });
                let left = left.collect();
                store_feed::return_claims(tx, group, lease.epoch)?;
                let answered = abandonment::answered_calls(tx, row.campaign, call_time)?;
                Ok(Some((lease, left, answered)))
            };
        let Some((lease, mut left, answered)) = self.shared.store.write(taken).await? else {
            return Err(AppError::conflict("held_elsewhere", "another node runs this campaign group"));
        };
        let figures = GroupFigures::default();
        self.held.insert(group, Held { row, epoch: lease.epoch, rules, suppression_lists, figures });
        definition.state = lease.state;
        definition.answered = answered;
        if let (Some(mode), true) = (lease.dial_mode, lease.state != GroupState::NotLoaded) {
            definition.settings.dial_mode = mode;
        }
        self.find_calls_of_before(&mut left).await;
        self.command(Command::PutGroup(Box::new(definition)));
        if !left.is_empty() {
            let live = left.iter().filter(|attempt| attempt.live.is_some()).count();
            tracing::info!(%group, attempts = left.len(), live, "taking over attempts that were left unfinished");
        }
        self.input(Input::Recovered { group, attempts: left });
        Ok(())
    }

    /// Which of the attempts have calls that are still up. Those go on, if the switch can be asked: it may be that the
    /// connection with it is only just being made.
    async fn find_calls_of_before(&self, left: &mut [Unfinished]) {
        if left.is_empty() {
            return;
        }
        let deadline = tokio::time::Instant::now() + SWITCH_CONNECTS_WITHIN;
        let up = loop {
            match self.shared.driver.live_calls().await {
                Ok(up) => break up,
                Err(error) if tokio::time::Instant::now() >= deadline => {
                    tracing::warn!(%error, "could not ask the switch which calls are up; they are taken as cut short");
                    return;
                }
                Err(_) => tokio::time::sleep(SWITCH_ASKED_EVERY).await,
            }
        };
        for attempt in left.iter_mut() {
            let Some(call) = up.iter().find(|call| call.attempt == attempt.attempt) else { continue };
            if attempt.result.is_some() {
                let _ = self.shared.driver.send(Request::HangUp { attempt: call.attempt });
                continue;
            }
            self.shared.routes.add(call.attempt, self.myself.clone());
            if let Some(agent) = call.agent {
                self.shared.routes.add_line(agent, self.myself.clone());
            }
            attempt.live = Some(LiveCall { is_answered: call.stage.is_answered(), agent: call.agent });
        }
    }

    pub(super) fn held_groups(&self) -> Arc<[HeldGroup]> {
        let held = |(group, held): (&GroupId, &Held)| HeldGroup {
            group: *group,
            epoch: held.epoch,
            campaign: held.row.campaign,
        };
        self.held.iter().map(held).collect()
    }

    /// Whether a group is held under this epoch of its lease, and not under a later one.
    pub(super) fn holds(&self, group: GroupId, epoch: i64) -> bool {
        self.held.get(&group).is_some_and(|held| held.epoch == epoch)
    }

    /// Lets go of a group and takes it up from what is stored.
    pub(super) async fn take_up_again(&mut self, group: GroupId) {
        self.lose(group);
        if let Err(error) = self.hold(group).await {
            tracing::error!(%group, %error, "could not take the campaign group up again");
        }
    }

    /// Another node has the group, or has to take it up afresh.
    pub(super) fn lose(&mut self, group: GroupId) {
        self.waiting.retain(|set| set.changes.iter().all(|change| change.group() != Some(group)));
        if self.held.remove(&group).is_some() {
            self.input(Input::LeaseLost { group });
        }
    }

    /// The group is at rest and that is stored: its lease is free for any node.
    pub(super) fn at_rest(&mut self, group: GroupId) {
        if let Some(held) = self.held.remove(&group) {
            let store = self.shared.store.clone();
            tokio::spawn(async move {
                if let Err(error) = store.write(move |tx| lease::release(tx, group, held.epoch)).await {
                    tracing::warn!(%group, %error, "could not give a lease up; it runs out by itself");
                }
            });
        }
    }

    pub(super) fn renew(&mut self) {
        self.renew_at = tokio::time::Instant::now() + RENEW_EVERY;
        if self.held.is_empty() {
            return;
        }
        self.read_caller_ids();
        let leases: Vec<(GroupId, i64)> =
            self.held.iter().map(|(group, held)| (*group, held.epoch)).collect();
        let until = self.shared.wall.now() + LEASE;
        let (store, runner) = (self.shared.store.clone(), self.myself.clone());
        tokio::spawn(async move {
            let renewed = store
                .write(move |tx| {
                    let mut lost = Vec::new();
                    for (group, epoch) in &leases {
                        match lease::renew(tx, *group, *epoch, until) {
                            Err(StoreError::Fenced { group }) => lost.push((group, *epoch)),
                            other => other?,
                        }
                    }
                    Ok(lost)
                })
                .await;
            match renewed {
                Ok(lost) if lost.is_empty() => {}
                Ok(lost) => drop(runner.send(Message::Renewed { lost }).await),
                Err(error) => tracing::warn!(%error, "could not renew leases"),
            }
        });
    }

    pub(super) async fn give_up_leases(mut self) {
        let leases: Vec<(GroupId, i64)> =
            self.held.drain().map(|(group, held)| (group, held.epoch)).collect();
        let given_up = self
            .shared
            .store
            .write(move |tx| leases.iter().try_for_each(|(group, epoch)| lease::release(tx, *group, *epoch)));
        if let Err(error) = given_up.await {
            tracing::warn!(%error, "could not give leases up; they run out by themselves");
        }
        if let Some(shutting_down) = self.shutting_down.take() {
            let _ = shutting_down.reply.send(());
        }
    }
}
