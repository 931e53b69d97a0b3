//! Callbacks that are due: waiting for their agent, being offered, released to others.

use std::time::Duration;

use crate::agent::AgentState;
use crate::callback::{CallbackDelivery, CallbackState, Promise, WithoutAgent};
use crate::change::{CallbackMade, CallbackMoved, Change, ContactPlanned, PlannedNext};
use crate::contact::{Band, HopperContact, PhoneStatus};
use crate::ids::{AgentId, CallbackId, GroupId, SkillId};
use crate::settings::DialMode;
use crate::time::Time;
use crate::treatment::FinalReason;

use super::Engine;
use super::io::WakeReason;
use super::state::{Agent, Call, Group};

/// How long a due callback rests in the store whose agent is not at work; they may come at any moment.
const ABSENT_REST: Duration = Duration::from_secs(30);
/// How long a due callback rests that every agent at work has refused.
const REFUSED_REST: Duration = Duration::from_secs(5 * 60);
/// Due callbacks that a group holds for agents at most; more would wait here no better than in the store.
const PROMISED_MAX: usize = 1000;

/// Where a due callback goes.
enum Way {
    /// It waits in the group for an agent to look at it.
    Wait,
    /// It is dialled before all others.
    Hopper,
    /// Back to the store for a while.
    Rest(Time),
    /// Its agent is no longer waited for.
    WithoutAgent(WithoutAgent, &'static str),
}

impl Engine {
    /// Puts a contact that may be called now where it waits for its call.
    pub(super) fn take_up(&mut self, id: GroupId, mut contact: Box<HopperContact>) {
        let Some(group) = self.groups.get(&id) else { return };
        let Some(promise) = &contact.promise else {
            if let Some(group) = self.groups.get_mut(&id) {
                group.hopper.add(contact);
            }
            return;
        };
        match self.way_of(group, promise) {
            Way::Wait => {
                let patience = group.definition.settings.callbacks.patience_ends(promise);
                let is_personal = promise.agent.is_some();
                if let Some(group) = self.groups.get_mut(&id) {
                    let due = |contact: &HopperContact| contact.promise.as_ref().map(|promise| promise.due);
                    let place = group.promised.partition_point(|other| due(other) <= due(&contact));
                    group.promised.insert(place, contact);
                }
                if is_personal {
                    self.set_timer(patience, WakeReason::Promises(id));
                }
            }
            Way::Hopper => {
                if let Some(group) = self.groups.get_mut(&id) {
                    group.hopper.add(contact);
                }
            }
            Way::Rest(until) => self.give_back(id, &contact, Some(until)),
            Way::WithoutAgent(WithoutAgent::Release, reason) => {
                self.release_promise(id, &mut contact, reason);
                self.take_up(id, contact);
            }
            Way::WithoutAgent(WithoutAgent::Expire, reason) => self.expire_promise(id, &contact, reason),
        }
    }

    fn way_of(&self, group: &Group, promise: &Promise) -> Way {
        let settings = &group.definition.settings.callbacks;
        let Some(agent) = promise.agent else {
            return match (settings.delivery, group.dial_mode()) {
                (CallbackDelivery::Preview, DialMode::Agentless) if !self.is_anybody_at_work(group) => {
                    Way::Rest(self.now + ABSENT_REST)
                }
                (CallbackDelivery::Preview, _) if group.promised.len() < PROMISED_MAX => Way::Wait,
                (CallbackDelivery::Preview, _) => Way::Rest(self.now + ABSENT_REST),
                // Nobody who was promised a call hears a recording: without an agent at work it rests.
                (CallbackDelivery::Dial, DialMode::Agentless) if !self.is_anybody_at_work(group) => {
                    Way::Rest(self.now + ABSENT_REST)
                }
                (CallbackDelivery::Dial, DialMode::Preview | DialMode::PushPreview | DialMode::Agentless)
                    if group.promised.len() < PROMISED_MAX =>
                {
                    Way::Wait
                }
                (CallbackDelivery::Dial, DialMode::Preview | DialMode::PushPreview | DialMode::Agentless) => {
                    Way::Rest(self.now + ABSENT_REST)
                }
                (CallbackDelivery::Dial, _) => Way::Hopper,
            };
        };
        let patience = settings.patience_ends(promise);
        let known = self.agents.get(&agent);
        let skill = group.definition.skill;
        if known.is_some_and(|agent| !agent.has_skill(skill)) {
            return Way::WithoutAgent(settings.agent_unskilled, "agent_lost_skill");
        }
        if patience <= self.now {
            return Way::WithoutAgent(settings.agent_absent, "agent_absent");
        }
        if known.is_some_and(|agent| agent.state.is_at_work()) && group.promised.len() < PROMISED_MAX {
            Way::Wait
        } else {
            Way::Rest(patience.min(self.now + ABSENT_REST))
        }
    }

    fn is_anybody_at_work(&self, group: &Group) -> bool {
        self.team(group.definition.skill).at_work > 0
    }

    /// Offers due callbacks to agents who are ready for them.
    pub(super) fn offer_promises(&mut self, id: GroupId) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        let settings = &group.definition.settings;
        let (skill, seconds) = (group.definition.skill, settings.preview_seconds_max);
        let (delivery, lines_max) = (settings.callbacks.delivery, settings.lines_max);
        for contact in std::mem::take(&mut group.promised) {
            let room = self.groups.get(&id).is_some_and(|group| group.on_lines < lines_max);
            let number = contact.current_phone().map(|phone| phone.number);
            let Some(promise) = &contact.promise else { continue };
            let over = contact.dial_until <= self.now || promise.valid_until <= self.now;
            let Some(number) = number.filter(|_| !over) else {
                self.give_back(id, &contact, None);
                continue;
            };
            if let Some(until) = self.no_caller_id_until(id, &contact) {
                self.set_timer(until, WakeReason::CallerIds(id));
                self.take_up(id, contact);
                continue;
            }
            let is_personal = promise.agent.is_some();
            let kept = self.kept_from(id);
            let may_be = |agent: &Agent| match promise.agent {
                Some(own) => agent.id == own && kept.leaves(agent),
                None => !promise.refused_by.contains(&agent.id) && kept.leaves(agent),
            };
            let agent = self.choose_agent_among(skill, promise.agent, may_be);
            match agent {
                Some(agent) if room && delivery == CallbackDelivery::Dial && is_personal => {
                    self.dial_for(id, contact, agent);
                }
                Some(agent) if room => {
                    self.promise_moved(id, &contact, CallbackState::Offered, Some(agent), None, None);
                    self.show_preview(id, agent, contact, number, seconds);
                }
                _ if self.all_have_refused(skill, &promise.refused_by) => {
                    let rest = self.now + REFUSED_REST;
                    self.give_back(id, &contact, Some(rest));
                }
                // Waits on, unless its agent has gone or been waited for long enough.
                _ => self.take_up(id, contact),
            }
        }
    }

    /// An agent looked at a callback and did not take it: another may.
    pub(super) fn promise_refused(&mut self, id: GroupId, mut contact: Box<HopperContact>, by: AgentId) {
        if let Some(promise) = &mut contact.promise
            && !promise.refused_by.contains(&by)
        {
            promise.refused_by.push(by);
        }
        if self.groups.get(&id).is_some_and(Group::is_running) {
            self.release_promise(id, &mut contact, "agent_refused");
            self.take_up(id, contact);
        } else {
            self.promise_stands(id, &contact, "withdrawn");
            self.give_back(id, &contact, None);
        }
    }

    /// A callback waits again for whoever it was promised with.
    pub(super) fn promise_stands(&mut self, id: GroupId, contact: &HopperContact, reason: &'static str) {
        let own = contact.promise.as_ref().and_then(|promise| promise.agent);
        self.promise_moved(id, contact, CallbackState::Scheduled, own, None, Some(reason));
    }

    /// A callback becomes anybody's.
    fn release_promise(&mut self, id: GroupId, contact: &mut HopperContact, reason: &'static str) {
        if let Some(promise) = &mut contact.promise {
            promise.agent = None;
            contact.preferred_agent = None;
        }
        self.promise_moved(id, contact, CallbackState::Scheduled, None, None, Some(reason));
    }

    /// A callback whose agent cannot keep it ends, and its contact with it.
    fn expire_promise(&mut self, id: GroupId, contact: &HopperContact, reason: &'static str) {
        let agent = contact.promise.as_ref().and_then(|promise| promise.agent);
        self.promise_moved(id, contact, CallbackState::Expired, agent, None, Some(reason));
        self.close_contact(id, contact, FinalReason::Expired);
    }

    /// A contact is done without an attempt.
    pub(super) fn close_contact(&mut self, id: GroupId, contact: &HopperContact, reason: FinalReason) {
        let planned = ContactPlanned {
            attempt: None,
            group: id,
            contact: contact.contact,
            phone: contact.phone,
            phone_status: PhoneStatus::Active,
            result: contact.last_result,
            result_in_a_row: contact.last_result_in_a_row,
            disposition: None,
            notes: None,
            at: self.now,
            suppress: None,
            next: PlannedNext::Final { reason },
        };
        self.change(Change::ContactPlanned(planned));
    }

    /// What a call did to the callback that it kept, and the callback that was agreed on in it.
    pub(super) fn keep_promise(&mut self, call: &Call, mut planned: ContactPlanned) -> ContactPlanned {
        let group = call.group;
        let spoke = call.connected_at.is_some();
        let said = call.disposal.clone().unwrap_or_default();
        if let PlannedNext::Dial { phone, at, callback: true, .. } = planned.next
            && said.callback_at == Some(at)
        {
            let follows = call.contact.promise.as_ref().map(|promise| promise.callback);
            let own = if said.callback_is_mine { call.agent } else { None };
            let Some(settings) = self.groups.get(&group).map(|group| &group.definition.settings.callbacks)
            else {
                return planned;
            };
            let made = CallbackMade {
                callback: CallbackId(self.ids.next(self.now)),
                group,
                contact: call.contact.contact,
                phone,
                agent: call.callback_with.or(own),
                due: at,
                valid_until: settings.valid_until(at),
                notes: said.notes,
                follows,
                at: self.now,
            };
            self.promise_moved(group, &call.contact, CallbackState::Rescheduled, None, None, None);
            self.change(Change::CallbackMade(made));
            return planned;
        }
        let Some(promise) = &call.contact.promise else { return planned };
        match &mut planned.next {
            _ if spoke => {
                self.promise_moved(group, &call.contact, CallbackState::Done, call.agent, None, None)
            }
            PlannedNext::Dial { at, rank, callback, .. } if *at < promise.valid_until => {
                // Not reached: the promise stands.
                *callback = true;
                *rank = rank.map(|rank| rank.in_band(Band::Callback));
                let (at, agent) = (*at, promise.agent);
                self.promise_moved(
                    group,
                    &call.contact,
                    CallbackState::Scheduled,
                    agent,
                    Some(at),
                    Some("not_reached"),
                );
            }
            _ => {
                let reason = Some("not_reached");
                self.promise_moved(group, &call.contact, CallbackState::Expired, None, None, reason);
            }
        }
        planned
    }

    fn dial_for(&mut self, id: GroupId, contact: Box<HopperContact>, agent: AgentId) {
        self.set_agent_state(agent, AgentState::Reserved, None);
        let attempt = self.start_attempt(id, contact, Some(agent));
        if let Some(agent) = self.agents.get_mut(&agent) {
            agent.attempt = attempt;
        }
    }

    fn all_have_refused(&self, skill: SkillId, refused: &[AgentId]) -> bool {
        let working = self.team(skill).at_work;
        !refused.is_empty() && working as usize <= refused.len()
    }

    /// Notes that the callback of a contact moved on, if it carries one.
    pub(super) fn promise_moved(
        &mut self,
        group: GroupId,
        contact: &HopperContact,
        state: CallbackState,
        agent: Option<AgentId>,
        due: Option<Time>,
        reason: Option<&str>,
    ) {
        let Some(promise) = &contact.promise else { return };
        let (callback, contact) = (promise.callback, contact.contact);
        let (reason, at) = (reason.map(str::to_owned), self.now);
        let moved = CallbackMoved { callback, group, contact, state, agent, due, reason, at };
        self.change(Change::CallbackMoved(moved));
    }
}
