//! Server scripts: when they are asked, and what their answers do.

use crate::call_result::CallResult;
use crate::change::{Change, ContactPlanned, PlannedNext};
use crate::contact::{Band, HopperContact, PhoneStatus, Rank};
use crate::ids::{AttemptId, GroupId};
use crate::settings::OnScriptError;
use crate::treatment::{Ending, FinalReason, Next, decide};
use std::time::Duration;

use super::Engine;
use super::io::{CallOver, EndingChanges, Hook, HookRequest, HookVerdict, NextStep, Output, PreCallVerdict};
use super::state::{Call, Disposal, Group, Stage};

impl Engine {
    /// Takes contacts that were claimed: those whom a pre-call script must pass wait for its verdict.
    pub(super) fn screen(&mut self, id: GroupId, contact: Box<HopperContact>) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        if group.definition.rules.scripts.pre_call.is_none() {
            return self.take_up(id, contact);
        }
        let question = self.next_question;
        self.next_question += 1;
        group.screening.insert(question, contact.clone());
        self.outputs.push_back(Output::RunHook(HookRequest {
            group: id,
            question,
            contact,
            hook: Hook::PreCall,
        }));
    }

    pub(super) fn hook_answered(&mut self, id: GroupId, question: u64, verdict: HookVerdict) {
        if let Some(attempt) = self.asked.remove(&question) {
            let is_up = self.calls.get(&attempt).is_some_and(|call| call.stage == Stage::Deciding);
            return match is_up {
                true => self.answer_decided(attempt, verdict),
                false => self.post_call_answered(attempt, question, verdict),
            };
        }
        let contact = self.groups.get_mut(&id).and_then(|group| group.screening.remove(&question));
        let Some(contact) = contact else { return self.ignore() };
        let running = self.groups.get(&id).is_some_and(Group::is_running);
        let verdict = match verdict {
            HookVerdict::PreCall(verdict) => verdict,
            _ => self.when_failed(id),
        };
        if !running {
            return self.give_back(id, &contact, None);
        }
        match verdict {
            PreCallVerdict::Dial { phone, caller_id } => self.passed(id, contact, phone, caller_id),
            PreCallVerdict::Skip { until } => self.give_back(id, &contact, Some(until)),
            PreCallVerdict::Close => self.close_contact(id, &contact, FinalReason::ClosedByScript),
            PreCallVerdict::Treat(result) => self.treat_undialled(id, &contact, result),
        }
    }

    fn when_failed(&self, id: GroupId) -> PreCallVerdict {
        let policy = self.groups.get(&id).and_then(|group| group.definition.rules.scripts.pre_call);
        match policy.unwrap_or_default() {
            OnScriptError::Dial => PreCallVerdict::Dial { phone: None, caller_id: None },
            OnScriptError::Skip { minutes } => {
                PreCallVerdict::Skip { until: self.now + Duration::from_secs(u64::from(minutes) * 60) }
            }
            OnScriptError::Close => PreCallVerdict::Close,
        }
    }

    fn passed(
        &mut self,
        id: GroupId,
        mut contact: Box<HopperContact>,
        phone: Option<u8>,
        caller_id: Option<crate::phone::PhoneNumber>,
    ) {
        let bucket = contact.current_phone().map(|phone| phone.bucket);
        if let Some(position) = phone {
            let other = contact.phones.iter().find(|phone| phone.position == position && phone.is_dialable());
            match other {
                Some(other) if Some(other.bucket) == bucket => contact.phone = position,
                // Its hours are not those that were looked at: the feed looks at them.
                Some(other) => return self.call_on(id, &contact, other.position),
                None => {}
            }
        }
        if let Some(number) = caller_id {
            let position = contact.phone;
            if let Some(phone) = contact.phones.iter_mut().find(|phone| phone.position == position) {
                phone.caller_id = Some(number);
            }
        }
        self.take_up(id, contact);
    }

    /// The contact is to be called on another number, as soon as that may be called.
    fn call_on(&mut self, id: GroupId, contact: &HopperContact, position: u8) {
        let bucket = contact.phones.iter().find(|phone| phone.position == position).map(|phone| phone.bucket);
        let next = PlannedNext::Dial {
            phone: position,
            bucket,
            at: self.now,
            rank: Some(contact.rank),
            callback: contact.is_callback,
        };
        self.plan_undialled(id, contact, contact.last_result, next, PhoneStatus::Active, None);
    }

    /// A contact that was not called is treated as if a call had ended like this.
    fn treat_undialled(&mut self, id: GroupId, contact: &HopperContact, result: CallResult) {
        let Some(group) = self.groups.get(&id) else { return };
        let rules = &group.definition.rules;
        let ending = Ending { at: self.now, result, disposition: None, callback_at: None };
        let plan = decide(&rules.treatments, rules.attempts_max, contact, &ending);
        let number = contact.current_phone().map(|phone| phone.number);
        let suppress = if plan.suppress { number } else { None };
        let next = planned_next(contact, plan.next);
        self.plan_undialled(id, contact, Some(result), next, plan.phone_status, suppress);
    }

    fn plan_undialled(
        &mut self,
        id: GroupId,
        contact: &HopperContact,
        result: Option<CallResult>,
        next: PlannedNext,
        phone_status: PhoneStatus,
        suppress: Option<crate::phone::PhoneNumber>,
    ) {
        let planned = ContactPlanned {
            attempt: None,
            group: id,
            contact: contact.contact,
            phone: contact.phone,
            phone_status,
            result,
            result_in_a_row: in_a_row(contact, result),
            disposition: None,
            notes: None,
            at: self.now,
            suppress,
            next,
        };
        self.change(Change::ContactPlanned(planned));
    }

    // After a call.

    /// Asks a post-call script before the treatments decide, if the campaign has one; false if not.
    pub(super) fn ask_before_reschedule(&mut self, attempt: AttemptId) -> bool {
        let Some(call) = self.calls.get(&attempt) else { return false };
        let Some(group) = self.groups.get(&call.group) else { return false };
        if !group.definition.rules.scripts.before_reschedule {
            return false;
        }
        let over = Box::new(over(attempt, call));
        self.ask_post_call(attempt, Hook::BeforeReschedule(over), None);
        true
    }

    /// Asks a post-call script about the plan, if the campaign has one; else gives the plan back.
    pub(super) fn ask_after_reschedule(
        &mut self,
        attempt: AttemptId,
        planned: ContactPlanned,
    ) -> Option<ContactPlanned> {
        let group = self.groups.get(&planned.group);
        let asks = group.is_some_and(|group| group.definition.rules.scripts.after_reschedule);
        let Some(call) = self.calls.get(&attempt).filter(|_| asks) else { return Some(planned) };
        let (over, planned) = (Box::new(over(attempt, call)), Box::new(planned));
        self.ask_post_call(attempt, Hook::AfterReschedule(over, planned.clone()), Some(planned));
        None
    }

    fn ask_post_call(&mut self, attempt: AttemptId, hook: Hook, planned: Option<Box<ContactPlanned>>) {
        let question = self.next_question;
        self.next_question += 1;
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        call.stage = Stage::Script;
        call.hook = Some((question, planned));
        let (group, contact, agent) = (call.group, call.contact.clone(), call.agent);
        self.asked.insert(question, attempt);
        if let Some(agent) = agent {
            self.wrap_up_is_over(agent);
        }
        self.outputs.push_back(Output::RunHook(HookRequest { group, question, contact, hook }));
    }

    fn post_call_answered(&mut self, attempt: AttemptId, question: u64, verdict: HookVerdict) {
        let Some(call) = self.calls.get_mut(&attempt) else { return self.ignore() };
        let Some((open, planned)) = call.hook.take() else { return self.ignore() };
        debug_assert_eq!(open, question, "a call waits for one answer at a time");
        match (planned, verdict) {
            (None, HookVerdict::BeforeReschedule(changes)) => self.conclude(attempt, &changes),
            (None, _) => self.conclude(attempt, &EndingChanges::default()),
            (Some(planned), HookVerdict::AfterReschedule(Some(step))) => {
                let planned = self.replan(attempt, *planned, step);
                self.close_books(attempt, planned);
            }
            (Some(planned), _) => self.close_books(attempt, *planned),
        }
    }

    /// The plan as a script wants it.
    fn replan(&mut self, attempt: AttemptId, planned: ContactPlanned, step: NextStep) -> ContactPlanned {
        let Some(call) = self.calls.get_mut(&attempt) else { return planned };
        let contact = &call.contact;
        let dial = |position: u8, at, band| {
            let phone = contact.phones.iter().find(|phone| phone.position == position);
            let rank = Some(Rank::in_band(contact.rank, band));
            let callback = band == Band::Callback;
            PlannedNext::Dial { phone: position, bucket: phone.map(|phone| phone.bucket), at, rank, callback }
        };
        let planned_phone = match planned.next {
            PlannedNext::Dial { phone, .. } => phone,
            PlannedNext::Final { .. } => contact.phone,
        };
        let next = match step {
            NextStep::Dial { at, phone } => {
                let known = |position: &u8| contact.phones.iter().any(|phone| phone.position == *position);
                dial(phone.filter(known).unwrap_or(planned_phone), at, Band::TimedRetry)
            }
            NextStep::Callback { at, .. } => dial(planned_phone, at, Band::Callback),
            NextStep::Final => PlannedNext::Final { reason: FinalReason::ClosedByScript },
        };
        if let NextStep::Callback { at, agent } = step {
            let disposal = call.disposal.get_or_insert_with(Disposal::default);
            disposal.callback_at = Some(at);
            disposal.callback_is_mine = agent.is_some() && agent == call.agent;
            call.callback_with = agent;
        }
        ContactPlanned { next, ..planned }
    }
}

fn over(attempt: AttemptId, call: &Call) -> CallOver {
    let said = call.disposal.clone().unwrap_or_default();
    CallOver {
        attempt,
        result: call.result.unwrap_or(CallResult::SystemError),
        agent: call.agent,
        disposition: said.disposition,
        notes: said.notes,
        callback_at: said.callback_at,
        ringing_at: call.ringing_at,
        answered_at: call.answered_at,
        connected_at: call.connected_at,
        ended_at: call.ended_at,
    }
}

/// How often in a row the contact has had this result, this time included.
pub(super) fn in_a_row(contact: &HopperContact, result: Option<CallResult>) -> u16 {
    if contact.last_result == result { contact.last_result_in_a_row.saturating_add(1) } else { 1 }
}

/// A decision of the treatments as it is stored.
pub(super) fn planned_next(contact: &HopperContact, next: Next) -> PlannedNext {
    match next {
        Next::Final(reason) => PlannedNext::Final { reason },
        Next::Dial { phone, at, band } => PlannedNext::Dial {
            phone,
            bucket: contact.phones.iter().find(|other| other.position == phone).map(|phone| phone.bucket),
            at,
            rank: Some(Rank::in_band(contact.rank, band)),
            callback: band == Band::Callback,
        },
    }
}
