//! The feed's answers, and the decision to place calls.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::call_result::CallResult;
use crate::callback::CallbackState;
use crate::change::{AttemptStarted, Change};
use crate::contact::HopperContact;
use crate::group::GroupState;
use crate::ids::{AgentId, AttemptId, GroupId};
use crate::pacing::{Line, PacingView, Segment, Wish};
use crate::phone::PhoneNumber;
use crate::settings::{DialMode, RING_SECONDS_MIN};
use crate::time::Time;

use super::Engine;
use super::io::{Output, Supply, WakeReason};
use super::state::{AfterStored, Call, Group, Stage, Team};

/// Fewest and most contacts that a hopper is filled to. The fewest keeps small teams from asking for single
/// contacts; the most bounds memory and how long a contact is kept from other groups.
const HOPPER_FILL: std::ops::RangeInclusive<usize> = 20..=4000;
/// Contacts in the hopper for each line that the group may have: at one line in 10 s that is some 40 s of dialling,
/// many times what a question to the store takes.
const HOPPER_PER_LINE: f64 = 4.0;
/// How often predictive pacing looks whether busy agents will be free soon, without anything happening.
const LOOK_AGAIN_AT_AGENTS: Duration = Duration::from_millis(500);
/// How long a group that found fewer contacts than it wanted waits before it looks again, unless it knows better.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

impl Engine {
    /// Places as many calls as every running group may, the groups taking turns at being first.
    pub(super) fn dial(&mut self) {
        if self.groups.is_empty() {
            return;
        }
        let mut running = std::mem::take(&mut self.running);
        for (id, group) in self.groups.iter().filter(|(_, group)| group.is_running()) {
            running.push((*id, group.dial_mode(), !group.promised.is_empty()));
        }
        self.first_group = (self.first_group + 1) % running.len().max(1);
        for turn in 0..running.len() {
            let (id, mode, has_promised) = running[(self.first_group + turn) % running.len()];
            if self.lines_are_up {
                if has_promised {
                    self.offer_promises(id);
                }
                match mode {
                    DialMode::Preview | DialMode::PushPreview => self.offer_previews(id),
                    _ => self.dial_group(id),
                }
            }
            self.feed(id);
        }
        running.clear();
        self.running = running;
    }

    fn dial_group(&mut self, id: GroupId) {
        let Some(wish) = self.ask_pacing(id) else { return };
        if wish.withdraw > 0 {
            self.withdraw_lines(id, wish.withdraw);
        }
        let is_limited = !self.place_calls(id, wish.add);
        if self.groups.len() > 1
            && let Some(group) = self.groups.get_mut(&id)
        {
            group.is_limited = is_limited;
            group.to_come = group.forecast.answers_to_come(&group.lines, self.now);
        }
    }

    /// Places so many calls, as far as the group's limits let it; false if they did not let it place all.
    fn place_calls(&mut self, id: GroupId, mut wanted: u32) -> bool {
        while wanted > 0 {
            if !self.limits_allow_a_call(id) {
                return false;
            }
            wanted -= 1;
            let Some(contact) = self.next_callable(id) else { break };
            let mode = self.groups.get(&id).map(Group::dial_mode);
            if mode == Some(DialMode::Agentless) && contact.promise.is_some() {
                // It was to be dialled under another mode; here an agent has to take it.
                self.take_up(id, contact);
                continue;
            }
            self.count_call(id);
            self.start_attempt(id, contact, None);
        }
        true
    }

    /// What pacing wants done.
    fn ask_pacing(&mut self, id: GroupId) -> Option<Wish> {
        let now = self.now;
        let (wanted, room_for_others) = (self.wanted_by_others(id), self.room_for_others(id));
        let group = self.groups.get_mut(&id)?;
        let team = self.teams.get(&group.definition.skill).unwrap_or(Team::nobody());
        let (ready, working) = (team.ready.len() as u32, team.at_work);
        let budget = self.budgets.get_mut(&group.definition.campaign)?.at(now);
        let view = PacingView {
            now,
            // Those who are kept for the group's own lines stay, whoever waits.
            ready_agents: ready.saturating_sub(wanted.surely).max(group.kept.min(ready)),
            others_answers: wanted.likely,
            room_for_others,
            busy_agents: working.saturating_sub(ready),
            busy: &team.busy,
            ringing_lines: group.lines.len() as u32,
            lines: &group.lines,
            waiting_calls: group.waiting.len() as u32,
            lines_in_use: group.on_lines,
            forecast: &group.forecast,
            budget,
            next_segment: group.segment,
        };
        let wish = group.pacing.wish(&view);
        if group.dial_mode() == DialMode::Predictive && working > 0 && group.next_look <= now {
            group.next_look = now + LOOK_AGAIN_AT_AGENTS;
            let at = group.next_look;
            self.set_timer(at, WakeReason::Pacing(id));
        }
        Some(wish)
    }

    /// Withdraws calls that have rung for long enough, those that were placed first before the others. Nobody picked them up, so
    /// they are unanswered as those are that ring to the end. Calls on which nothing is detected ring on: machines answer
    /// late, and where they count as people, fewer of them would make the share of abandoned calls look smaller than it is.
    fn withdraw_lines(&mut self, id: GroupId, how_many: u32) {
        let long_enough = Duration::from_secs(u64::from(RING_SECONDS_MIN));
        let now = self.now;
        let Some(group) = self.groups.get(&id) else { return };
        // Lines are in the order in which they were decided on, as their attempts' ids are.
        let old_enough = group.lines.iter().take_while(|(_, line)| now.since(line.since) >= long_enough);
        let calls = old_enough.filter_map(|(attempt, _)| self.calls.get_key_value(attempt));
        // Of some the switch has not said yet that they are over.
        let withdrawn = |call: &Call| call.stage == Stage::Ending;
        let may_be = |call: &Call| {
            let rang = call.ringing_at.is_some_and(|since| now.since(since) >= long_enough);
            call.stage == Stage::Ringing && call.detects && rang
        };
        let too_many = calls.filter(|(_, call)| withdrawn(call) || may_be(call)).take(how_many as usize);
        let too_many: Vec<AttemptId> =
            too_many.filter(|(_, call)| !withdrawn(call)).map(|(attempt, _)| *attempt).collect();
        for attempt in too_many {
            if let Some(call) = self.calls.get_mut(&attempt) {
                call.verdict = Some(CallResult::NoAnswer);
            }
            self.end_call(attempt);
        }
    }

    /// Whether the group's limits on lines and on calls per second let another call go now; a timer says when the latter
    /// does.
    fn limits_allow_a_call(&mut self, id: GroupId) -> bool {
        let Some(group) = self.groups.get_mut(&id) else { return false };
        if group.on_lines >= group.definition.settings.lines_max {
            return false;
        }
        let at = group.next_call_at;
        if at > self.now && group.next_call_timer != at {
            group.next_call_timer = at;
            self.set_timer(at, WakeReason::CallRate(id));
        }
        at <= self.now
    }

    /// Spreads calls over the second: one every 1/limit.
    fn count_call(&mut self, id: GroupId) {
        let now = self.now;
        if let Some(group) = self.groups.get_mut(&id) {
            let per_second = u64::from(group.definition.settings.calls_per_second_max.max(1));
            group.next_call_at = group.next_call_at.max(now) + Duration::from_micros(1_000_000 / per_second);
        }
    }

    /// The first contact in the hopper that may still be called at this instant, showing a number that may be shown;
    /// those who may not be called go back.
    pub(super) fn next_callable(&mut self, id: GroupId) -> Option<Box<HopperContact>> {
        loop {
            let contact = self.first_with_caller_id(id)?;
            if may_be_called(&contact, self.now) {
                return Some(contact);
            }
            self.give_back(id, &contact, None);
        }
    }

    /// Makes an attempt. Its call is placed once the attempt is durable. The contact goes back if no number may be shown
    /// to it now; whoever asks has looked at that before.
    pub(super) fn start_attempt(
        &mut self,
        id: GroupId,
        contact: Box<HopperContact>,
        agent: Option<AgentId>,
    ) -> Option<AttemptId> {
        let caller_id = match self.choose_caller_id(id, &contact) {
            Ok(caller_id) => caller_id,
            Err(until) => {
                self.give_back(id, &contact, Some(until));
                return None;
            }
        };
        let attempt = AttemptId(self.ids.next(self.now));
        let group = self.groups.get_mut(&id)?;
        let phone = contact.current_phone()?;
        let segment = segment_of(&contact, self.now);
        let chance = group.forecast.answer_chance(segment);
        group.calls_up += 1;
        group.on_lines += 1;
        group.ringing += 1;
        let off_from = group.definition.rules.detection.off_from_attempt.unwrap_or(u16::MAX);
        let detects = contact.attempts.saturating_add(1) < off_from;
        let agentless = group.definition.settings.agentless;
        let agentless = agentless.filter(|_| agent.is_none() && group.dial_mode() == DialMode::Agentless);
        group.segment = segment;
        group.forecast.placed(self.now);
        let has_agent = agent.is_none() && group.dials_one_to_one();
        group.kept += u32::from(has_agent);
        if agent.is_none() {
            // Whose agent is held for it takes nobody else's.
            group.lines.add(attempt, Line { since: self.now, chance, segment });
        }
        let started = AttemptStarted {
            attempt,
            group: id,
            contact: contact.contact,
            phone: phone.position,
            number: phone.number,
            attempt_number: contact.attempts.saturating_add(1),
            dial_mode: group.dial_mode(),
            caller_id,
            agent,
            at: self.now,
        };
        let call = Call {
            caller_id,
            agent,
            detects,
            has_agent,
            agentless,
            ..Call::new(id, contact, Stage::Recording, segment, self.now)
        };
        self.change(Change::AttemptStarted(started));
        self.promise_moved(id, &call.contact, CallbackState::Dialled, agent, None, None);
        self.calls.insert(attempt, Box::new(call));
        self.once_stored(Some(id), AfterStored::PlaceCall(attempt));
        Some(attempt)
    }

    /// Asks for contacts if the hopper is below its low-water mark.
    fn feed(&mut self, id: GroupId) {
        let now = self.now;
        let Some(group) = self.groups.get(&id) else { return };
        if group.fetching || !group.is_running() {
            return;
        }
        let settings = &group.definition.settings;
        let working = self.team(group.definition.skill).at_work;
        let lines_per_agent = match settings.dial_mode {
            DialMode::Power => settings.lines_per_agent,
            DialMode::Predictive => (1.5 / group.forecast.long_run()).clamp(1.0, 20.0),
            DialMode::Progressive | DialMode::Preview | DialMode::PushPreview => 1.0,
            DialMode::Agentless => 0.0,
        };
        let ports = settings.agentless.filter(|_| settings.dial_mode == DialMode::Agentless);
        let lines = ports.map_or(f64::from(working) * lines_per_agent, |own| f64::from(own.ports));
        let lines = lines.min(f64::from(settings.lines_max));
        let full = ((lines * HOPPER_PER_LINE) as usize).clamp(*HOPPER_FILL.start(), *HOPPER_FILL.end());
        // Callbacks that wait for an agent must not keep the others, or the ports, idle.
        let len = group.in_hand() - group.promised.len();
        if (working == 0 && ports.is_none()) || len > full / 2 {
            return;
        }
        if group.fetch_not_before > now {
            let at = group.fetch_not_before;
            if !self.complete_if_done(id) {
                self.set_timer(at, WakeReason::Feed(id));
            }
            return;
        }
        let Some(group) = self.groups.get_mut(&id) else { return };
        group.fetching = true;
        group.suppressed_meanwhile.clear();
        group.open_fetches += 1;
        group.fence += 1;
        let fence = group.fence;
        let callbacks_only = group.definition.settings.callbacks_only;
        let wanted = (full - len) as u32;
        self.outputs.push_back(Output::Fetch { group: id, fence, wanted, callbacks_only });
    }

    pub(super) fn contacts_came(
        &mut self,
        id: GroupId,
        fence: u64,
        contacts: Vec<HopperContact>,
        supply: Supply,
    ) {
        let now = self.now;
        let Some(group) = self.groups.get_mut(&id) else { return self.ignore() };
        group.open_fetches = group.open_fetches.saturating_sub(1);
        if group.fence != fence || !group.is_running() {
            // The question is not ours any more, but the contacts were claimed for us: give them back.
            for contact in contacts {
                self.give_back(id, &contact, None);
            }
            return self.continue_unload(id);
        }
        group.fetching = false;
        let suppressed = std::mem::take(&mut group.suppressed_meanwhile);
        group.ran_dry = contacts.is_empty() && !supply.any_left;
        if contacts.is_empty() {
            let again = now + LOOK_AGAIN;
            group.fetch_not_before =
                supply.next_due.map_or(again, |due| due.max(now + Duration::from_millis(200)).min(again));
        }
        for contact in contacts {
            if contact.has_one_of(&suppressed) {
                self.give_back(id, &contact, None);
            } else {
                self.screen(id, Box::new(contact));
            }
        }
        self.complete_if_done(id);
    }

    pub(super) fn fetch_failed(&mut self, id: GroupId, fence: u64) {
        let again = self.now + LOOK_AGAIN;
        let Some(group) = self.groups.get_mut(&id) else { return self.ignore() };
        group.open_fetches = group.open_fetches.saturating_sub(1);
        if group.fence == fence {
            group.fetching = false;
            group.fetch_not_before = again;
        }
        self.continue_unload(id);
    }

    pub(super) fn more_contacts(&mut self, id: GroupId) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        group.fetch_not_before = Time::EPOCH;
        group.ran_dry = false;
    }

    /// Contacts with a number that was suppressed just now leave the hopper and the agents who look at them; the feed
    /// takes them up again by what is allowed then. Calls that ring on such a number are withdrawn.
    pub(super) fn suppressed(&mut self, id: GroupId, numbers: &BTreeSet<PhoneNumber>) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        if group.fetching {
            group.suppressed_meanwhile.extend(numbers);
        }
        let mut concerned = group.hopper.take_numbers(numbers);
        let has_one = |contact: &HopperContact| contact.has_one_of(numbers);
        concerned.extend(group.promised.extract_if(.., |contact| has_one(contact)));
        concerned.extend(
            group.screening.extract_if(.., |_, contact| has_one(contact)).map(|(_, contact)| contact),
        );
        for contact in concerned {
            self.give_back(id, &contact, None);
        }
        self.withdraw_previews(id, has_one);
        let unanswered =
            |call: &Call| matches!(call.stage, Stage::Recording | Stage::Dialling | Stage::Ringing);
        let is_one =
            |call: &Call| call.contact.current_phone().is_some_and(|phone| numbers.contains(&phone.number));
        let concerned = |call: &Call| call.group == id && unanswered(call) && is_one(call);
        for attempt in self.calls_where(concerned) {
            if let Some(call) = self.calls.get_mut(&attempt) {
                call.verdict = Some(CallResult::DoNotCall);
                call.is_suppressed = true;
            }
            self.end_call(attempt);
        }
    }

    /// A call of the group is over and settled.
    pub(super) fn call_is_gone(&mut self, id: GroupId) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        group.calls_up = group.calls_up.saturating_sub(1);
        if matches!(group.state, GroupState::WaitingUnload | GroupState::UnloadInProgress) {
            self.continue_unload(id);
        } else if group.calls_up == 0 && group.ran_dry && group.in_hand() == 0 {
            // Treatments may have planned another attempt for one of those calls: look again before completing.
            group.ran_dry = false;
            group.fetch_not_before = self.now;
        }
    }
}

/// What kind of call one to this contact is now.
pub(super) fn segment_of(contact: &HopperContact, now: Time) -> Segment {
    let hour = contact.zones.zones().first().map_or(12, |zone| zone.local(now).hour());
    Segment::new(contact.source, hour.unsigned_abs(), contact.attempts.saturating_add(1))
}

/// Whether a contact that was claimed may still be called at this instant.
pub(super) fn may_be_called(contact: &HopperContact, now: Time) -> bool {
    let expired = contact.expires_at.is_some_and(|at| at <= now);
    !expired && contact.dial_until > now && contact.current_phone().is_some()
}
