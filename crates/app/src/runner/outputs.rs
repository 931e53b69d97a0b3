//! Doing what the engine wants done.

use std::collections::BTreeSet;
use std::sync::Arc;

use engine::SuppressionListId;
use engine::{
    AgentId, AgentNotice, AttemptId, CallControl, CallEnd, CallEvent, CallResult, Change, ChangeSet,
    DialRequest, GroupId, Input, Output, PartyEnd, ThirdParty,
};
use metrics::counter;
use store::StoreError;
use store::changes::{self, HeldGroup};
use telephony::{AgentPhone, Control, Detection, PlaceCall, Request, SendError, Variables};

use super::{Message, Runner, STORE_AGAIN};
use crate::AppError;

/// Requests that may wait for a switch that has no room; more than that and calls fail.
const UNSENT_MAX: usize = 10_000;

impl Runner {
    pub(super) fn carry_out(&mut self, output: Output) {
        match output {
            Output::Persist(set) => self.note(set),
            Output::Fetch { group, fence, wanted, callbacks_only } => {
                self.fetch(group, fence, wanted, callbacks_only);
            }
            Output::RunHook(request) => self.run_hook(request),
            Output::Dial(request) => self.place(request),
            Output::HangUp(attempt) => self.send(Request::HangUp { attempt }),
            Output::Connect { attempt, agent } => {
                let phone = self.phone_of(agent);
                self.send(Request::Connect { attempt, agent, phone });
            }
            Output::OpenLine(agent) => self.open_line(agent),
            Output::CloseLine(agent) => self.send(Request::CloseLine { agent }),
            Output::Consult { attempt, number, whom } => self.consult(attempt, number, whom),
            Output::Control { attempt, control } => self.control(attempt, control),
            Output::Record { attempt, name, is_on } => {
                let control = if is_on { Control::Record(name) } else { Control::StopRecording(name) };
                self.send(Request::Control { attempt, control });
            }
            Output::Announce { attempt, message } => self.tell_both(attempt, message),
            Output::Play { attempt, group, what } => self.play(attempt, group, what),
            Output::Tell { agent, notice } => self.tell(agent, notice),
            Output::Answer { reply, outcome } => {
                if let Some(reply) = self.replies.remove(&reply) {
                    let refused = |refused: engine::group::ActionRefused| {
                        AppError::conflict("action_refused", refused.to_string())
                    };
                    let _ = reply.send(outcome.map_err(refused));
                }
            }
            Output::AtRest(group) => self.at_rest(group),
        }
    }

    /// Counts changes and puts them with those that wait to be stored.
    fn note(&mut self, set: ChangeSet) {
        for change in &set.changes {
            match change {
                Change::AttemptStarted(_) => counter!("outdial_attempts_total").increment(1),
                Change::AttemptEnded(ended) => {
                    counter!("outdial_attempts_ended_total", "result" => ended.result.name()).increment(1);
                }
                _ => {}
            }
            if let Some(held) = change.group().and_then(|group| self.held.get_mut(&group)) {
                held.figures.count(change);
            }
            if let Change::AgentChanged(changed) = change {
                let before = self.states.insert(changed.agent, (changed.state, changed.at));
                if let Some((state, since)) = before {
                    self.times.count(state, changed.at.since(since));
                }
            }
        }
        self.waiting.push(set);
    }

    fn place(&mut self, request: DialRequest) {
        let attempt = request.attempt;
        self.shared.routes.add(attempt, self.myself.clone());
        let call = PlaceCall {
            attempt,
            to: request.number,
            caller_id: request.caller_id,
            ring_timeout: request.ring_timeout,
            attempt_number: u32::from(request.attempt_number),
            detection: request.detects.then(|| self.detection_of(request.group)),
            variables: Variables::default(),
        };
        if let Err(error) = self.shared.driver.send(Request::Place(call)) {
            // Nothing rang, so the attempt ends here and its treatment may try again.
            self.shared.routes.remove(attempt);
            let result = match error {
                SendError::Overloaded => CallResult::AllTrunksBusy,
                SendError::NotConnected | SendError::Stopped => CallResult::DialError,
            };
            self.tell_later(attempt, CallEvent::Ended(CallEnd::NotAnswered(result)));
        }
    }

    /// Tells the engine through the queue and not at once: it is being drained.
    fn tell_later(&self, attempt: AttemptId, event: CallEvent) {
        let (runner, message) = (self.myself.clone(), Message::Call { attempt, event });
        if let Err(tokio::sync::mpsc::error::TrySendError::Full(message)) = runner.try_send(message) {
            tokio::spawn(async move { runner.send(message).await });
        }
    }

    fn detection_of(&self, group: GroupId) -> Detection {
        self.definitions.groups.get(&group).map(|plan| plan.detection).unwrap_or_default()
    }

    pub(super) fn phone_of(&self, agent: AgentId) -> Option<AgentPhone> {
        self.definitions.agents.get(&agent).and_then(|plan| plan.phone.clone())
    }

    fn open_line(&mut self, agent: AgentId) {
        self.shared.routes.add_line(agent, self.myself.clone());
        if let Some(phone) = self.phone_of(agent) {
            self.send(Request::OpenLine { agent, phone });
        }
    }

    fn consult(&mut self, attempt: AttemptId, consultation: u32, whom: ThirdParty) {
        if let Some(phone) = self.phone_of_party(whom) {
            return self
                .send(Request::Control { attempt, control: Control::Consult { phone, consultation } });
        }
        self.no_telephone(attempt);
        self.tell_later(attempt, CallEvent::ThirdGone(consultation, PartyEnd::Unreachable));
    }

    fn phone_of_party(&self, party: ThirdParty) -> Option<AgentPhone> {
        match party {
            ThirdParty::Number(number) => Some(AgentPhone::Number(number)),
            ThirdParty::Agent(agent) => self.phone_of(agent),
            // The engine chooses one of their agents, or refuses.
            ThirdParty::Skill(_) => None,
        }
    }

    fn control(&mut self, attempt: AttemptId, control: CallControl) {
        let control = match control {
            CallControl::Hold => Control::Hold,
            CallControl::Resume => Control::Resume,
            CallControl::Mute => Control::Mute,
            CallControl::Unmute => Control::Unmute,
            CallControl::Keys(keys) => Control::Keys(keys),
            CallControl::Join => Control::Join,
            CallControl::EndConsult => Control::EndConsult,
            CallControl::Transfer(None) => Control::Transfer(None),
            // The engine asks for these by `Output::Record` and `Output::Consult`.
            CallControl::Record | CallControl::StopRecording | CallControl::Consult(_) => return,
            CallControl::Transfer(Some(third)) => match self.phone_of_party(third) {
                Some(phone) => Control::Transfer(Some(phone)),
                None => return self.no_telephone(attempt),
            },
        };
        self.send(Request::Control { attempt, control });
    }

    /// Tells the agent who is on a call that whom they want has no telephone.
    fn no_telephone(&mut self, attempt: AttemptId) {
        let on_it = self.engine.snapshot().agents.into_iter().find(|agent| agent.attempt == Some(attempt));
        if let Some(agent) = on_it {
            let why = "there is no such agent, or they have no telephone";
            self.tell(agent.agent, AgentNotice::Refused { code: Some("no_telephone"), why });
        }
    }

    pub(super) fn send(&mut self, request: Request) {
        if let Err(SendError::Overloaded) = self.shared.driver.send(request.clone())
            && self.unsent.len() < UNSENT_MAX
        {
            self.unsent.push_back(request);
        }
    }

    pub(super) fn send_unsent(&mut self) {
        while let Some(request) = self.unsent.pop_front() {
            if let Err(SendError::Overloaded) = self.shared.driver.send(request.clone()) {
                self.unsent.push_front(request);
                return;
            }
        }
    }

    fn tell(&mut self, agent: AgentId, notice: AgentNotice) {
        if let Some(screen) = self.screens.get_mut(&agent).filter(|screen| !screen.is_lost)
            && screen.door.notices.try_send(notice).is_err()
        {
            // It is gone, or so far behind that it shows what is no longer so: it has to come back, and its agent takes no
            // more calls until then.
            screen.is_lost = true;
            let (runner, session) = (self.myself.clone(), screen.session);
            tokio::spawn(async move { runner.send(Message::CloseSession { agent, session }).await });
        }
    }

    /// Stores what waits, in one transaction, unless a write is under way.
    pub(super) fn store(&mut self) {
        if self.is_storing || self.waiting.is_empty() {
            return;
        }
        self.is_storing = true;
        let sets = Arc::new(std::mem::take(&mut self.waiting));
        let held: Arc<[HeldGroup]> = self.held_groups();
        let (store, tenant, runner) = (self.shared.store.clone(), self.tenant, self.myself.clone());
        tokio::spawn(async move {
            let outcome = loop {
                let (sets, held) = (Arc::clone(&sets), Arc::clone(&held));
                match store.write(move |tx| changes::apply(tx, tenant, &held, &sets)).await {
                    Err(error) if error.is_passing() => {
                        tracing::warn!(%error, "could not store; trying again");
                        tokio::time::sleep(STORE_AGAIN).await;
                    }
                    outcome => break outcome,
                }
            };
            let sets = Arc::try_unwrap(sets).unwrap_or_else(|sets| (*sets).clone());
            let _ = runner.send(Message::Stored { sets, held, outcome }).await;
        });
    }

    /// What came of a write. If one group's lease is gone the others' changes are stored without it.
    pub(super) async fn stored(
        &mut self,
        sets: Vec<ChangeSet>,
        held: &[HeldGroup],
        outcome: Result<(), StoreError>,
    ) {
        self.is_storing = false;
        match outcome {
            Ok(()) => {
                counter!("outdial_commits_total").increment(1);
                counter!("outdial_change_sets_stored_total").increment(sets.len() as u64);
                for set in sets {
                    self.input(Input::Stored { ticket: set.ticket });
                    self.heed_suppressions(&set);
                }
            }
            Err(StoreError::Fenced { group }) => {
                let of_group =
                    |set: &ChangeSet| set.changes.iter().any(|change| change.group() == Some(group));
                let (lost, mut others): (Vec<_>, Vec<_>) = sets.into_iter().partition(of_group);
                others.append(&mut self.waiting);
                self.waiting = others;
                tracing::warn!(%group, "another node runs the campaign group now");
                for set in lost {
                    self.input(Input::NotStored { ticket: set.ticket });
                }
                // It may have been taken up anew while this was written.
                let epoch = held.iter().find(|it| it.group == group).map(|it| it.epoch);
                if epoch.is_none_or(|epoch| self.holds(group, epoch)) {
                    self.lose(group);
                }
            }
            Err(error) => self.start_over(sets, &error).await,
        }
    }

    /// Numbers that a wrap-up put on its campaign's own list are not called for it by another group either.
    fn heed_suppressions(&mut self, set: &ChangeSet) {
        for change in &set.changes {
            let Change::ContactPlanned(planned) = change else { continue };
            let campaign = self.held.get(&planned.group).map(|held| held.row.campaign);
            if let (Some(number), Some(campaign)) = (planned.suppress, campaign) {
                self.suppressed(SuppressionListId(campaign.0), &BTreeSet::from([number]));
            }
        }
    }

    /// A write that may or may not have happened, or that the database refuses: what the engine believes and what is
    /// stored may differ. Every group concerned is let go of and taken up again from what is stored.
    async fn start_over(&mut self, sets: Vec<ChangeSet>, error: &StoreError) {
        tracing::error!(%error, "changes could not be stored; taking the groups up again from the database");
        let is_of_group = |set: &ChangeSet| set.changes.iter().any(|change| change.group().is_some());
        let (lost, mut others): (Vec<_>, Vec<_>) = sets.into_iter().partition(is_of_group);
        if lost.is_empty() && !error.is_passing_or_unknown() {
            // Nothing else could be what the database refuses: an agent's state alone is not worth trying for ever.
            for set in others.drain(..) {
                self.input(Input::Stored { ticket: set.ticket });
            }
        }
        // What agents did apart from calls may have been rolled back with the rest. To tell it twice does less harm.
        others.append(&mut self.waiting);
        self.waiting = others;
        let mut groups = BTreeSet::new();
        for set in lost {
            groups.extend(set.changes.iter().filter_map(Change::group));
            self.input(Input::NotStored { ticket: set.ticket });
        }
        for group in groups {
            self.take_up_again(group).await;
        }
    }
}
