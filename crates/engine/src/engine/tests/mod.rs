//! The machines under every order of events, and the stories that users know.

mod answers;
mod callbacks;
mod caller_ids;
mod consultations;
mod detection;
mod laws;
mod lines;
mod modes;
mod predictive;
mod recordings;
mod scripts;
mod sharing;
mod stories;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use smallvec::smallvec;
use uuid::Uuid;

use super::*;
use crate::agent::AgentState;
use crate::call_result::CallResult;
use crate::callback::{CallbackState, Promise};
use crate::caller_id::CallerIdRules;
use crate::change::{Change, ChangeSet, PlannedNext};
use crate::contact::{BucketId, HopperContact, Phone, PhoneKind, PhoneStatus, Rank};
use crate::detection::DetectionRules;
use crate::group::{Actor, GroupAction, GroupState};
use crate::hours::CallingHours;
use crate::ids::{CallbackId, CampaignId, ContactId, MessageId, SourceId};
use crate::settings::{
    AgentlessSettings, CampaignRules, DialMode, GroupSettings, OnScriptError, ScriptRules,
};
use crate::treatment::{Disposition, DispositionValue, FinalReason};

const START: Time = Time::from_micros(1_790_000_000_000_000);

fn group_id(index: u128) -> GroupId {
    GroupId(Uuid::from_u128(0x6000 + index))
}

fn agent_id(index: u128) -> AgentId {
    AgentId(Uuid::from_u128(0xa000 + index))
}

fn skill_id(index: u128) -> SkillId {
    SkillId(Uuid::from_u128(0x5000 + index))
}

fn contact(index: u64) -> HopperContact {
    let phone = Phone {
        position: 0,
        number: crate::PhoneNumber::from_digits(33_100_000_000 + index).unwrap(),
        kind: PhoneKind::Unknown,
        status: PhoneStatus::Active,
        attempts: 0,
        attempts_max: None,
        caller_id: None,
        bucket: BucketId(1),
    };
    HopperContact {
        contact: ContactId(Uuid::from_u128(u128::from(index))),
        source: SourceId(Uuid::nil()),
        last_caller_id: None,
        rank: Rank(index as i64),
        phones: smallvec![phone],
        phone: 0,
        zones: Arc::new("Europe/Paris".parse().unwrap()),
        attempts: 0,
        last_result: None,
        last_result_in_a_row: 0,
        is_callback: false,
        promise: None,
        preferred_agent: None,
        expires_at: None,
        dial_until: Time::NEVER,
    }
}

/// The same contact with a callback that is due now.
fn promised(contact: HopperContact, agent: Option<AgentId>, due: Time) -> HopperContact {
    let promise = Promise {
        callback: CallbackId(Uuid::from_u128(0xcb00 + contact.contact.0.as_u128())),
        agent,
        due,
        valid_until: due + Duration::from_secs(3600),
        refused_by: Default::default(),
    };
    HopperContact {
        is_callback: true,
        preferred_agent: agent,
        promise: Some(Box::new(promise)),
        rank: contact.rank.in_band(crate::Band::Callback),
        ..contact
    }
}

fn rules() -> Arc<CampaignRules> {
    let disposition = |code: &str, suppress| Disposition {
        code: code.into(),
        name: code.into(),
        value: DispositionValue::Neutral,
        contact_final: true,
        phone_final: false,
        callback: true,
        suppress,
    };
    Arc::new(CampaignRules {
        dispositions: vec![disposition("sale", false), disposition("stop", true)],
        ..CampaignRules::plain(CallingHours::always(), 5)
    })
}

/// An engine with a store, a switch and agents' screens that do what the test says, and that check the laws.
struct Floor {
    engine: Engine,
    now: Time,
    /// Claimed contacts: what the store holds for the engine.
    claimed: BTreeSet<ContactId>,
    open_attempts: BTreeMap<AttemptId, ContactId>,
    ended: BTreeMap<AttemptId, CallResult>,
    endings: BTreeMap<AttemptId, crate::change::AttemptEnded>,
    returned: Vec<crate::change::ContactReturned>,
    fetched_callbacks_only: Vec<bool>,
    planned: Vec<crate::change::ContactPlanned>,
    dialled: Vec<AttemptId>,
    up: BTreeSet<AttemptId>,
    connecting: Vec<(AttemptId, AgentId)>,
    messages: Vec<AttemptId>,
    announced: Vec<(AttemptId, MessageId)>,
    fetches: Vec<(GroupId, u64, u32)>,
    unstored: Vec<ChangeSet>,
    notices: Vec<(AgentId, AgentNotice)>,
    answers: Vec<Result<GroupState, crate::group::ActionRefused>>,
    at_rest: Vec<GroupId>,
    next_contact: u64,
    /// Questions to server scripts that are not answered.
    hooks: Vec<HookRequest>,
    /// Every n-th contact carries a callback, in turn anybody's and an agent's.
    callback_every: Option<u64>,
    callbacks: Vec<crate::change::CallbackMoved>,
    made: Vec<crate::change::CallbackMade>,
    fenced: BTreeSet<GroupId>,
    /// Agents whose telephones are to ring, and what was asked for on calls.
    lines_wanted: Vec<AgentId>,
    controls: Vec<(AttemptId, CallControl)>,
    /// Whom third parties were rung for, and the latest number of a consultation.
    consulted: Vec<(AttemptId, u32, ThirdParty)>,
    transfers: Vec<crate::change::TransferEnded>,
    /// What calls showed, and the attempts that were decided on.
    shown: Vec<Option<crate::PhoneNumber>>,
    started: Vec<crate::change::AttemptStarted>,
    /// The pool of caller ids that groups put from now on have.
    pool_of_new_groups: Option<crate::CallerIdPoolId>,
    /// What was to be recorded, and where that was to pause.
    recorded: Vec<(AttemptId, String, bool)>,
    /// Recordings that are stored.
    noted: BTreeMap<AttemptId, String>,
    /// What both parties of conversations were to hear.
    told_both: Vec<(AttemptId, MessageId)>,
    /// What groups put from now on do with answers.
    detection_of_new_groups: DetectionRules,
    /// Attempts that a script was asked about who picked up, by the question, answered ones too.
    picked_up: BTreeMap<u64, AttemptId>,
}

impl Floor {
    fn new(groups: &[(u128, GroupSettings)], agents: &[(u128, &[u128])]) -> Self {
        let mut floor = Self {
            engine: Engine::new(1),
            now: START,
            claimed: BTreeSet::new(),
            open_attempts: BTreeMap::new(),
            ended: BTreeMap::new(),
            planned: Vec::new(),
            dialled: Vec::new(),
            up: BTreeSet::new(),
            connecting: Vec::new(),
            messages: Vec::new(),
            announced: Vec::new(),
            endings: BTreeMap::new(),
            returned: Vec::new(),
            fetched_callbacks_only: Vec::new(),
            fetches: Vec::new(),
            unstored: Vec::new(),
            notices: Vec::new(),
            answers: Vec::new(),
            at_rest: Vec::new(),
            next_contact: 1,
            hooks: Vec::new(),
            callback_every: None,
            callbacks: Vec::new(),
            made: Vec::new(),
            fenced: BTreeSet::new(),
            lines_wanted: Vec::new(),
            controls: Vec::new(),
            consulted: Vec::new(),
            transfers: Vec::new(),
            shown: Vec::new(),
            started: Vec::new(),
            pool_of_new_groups: None,
            recorded: Vec::new(),
            noted: BTreeMap::new(),
            told_both: Vec::new(),
            detection_of_new_groups: DetectionRules::default(),
            picked_up: BTreeMap::new(),
        };
        for (agent, skills) in agents {
            floor.put_agent(*agent, skills);
        }
        for (group, settings) in groups {
            floor.put_group(*group, settings.clone());
        }
        floor
    }

    fn put_agent(&mut self, agent: u128, skills: &[u128]) {
        let skills = skills.iter().map(|skill| (skill_id(*skill), 50)).collect();
        let definition = AgentDefinition { agent: agent_id(agent), skills, needs_line: false };
        self.input(Input::Command(Command::PutAgent(definition)));
    }

    fn needs_line(&mut self, agent: u128, needs_line: bool) {
        let agent = agent_id(agent);
        let Some(known) = self.engine.agents.get(&agent) else { return };
        let definition = AgentDefinition { agent, skills: known.skills.clone(), needs_line };
        self.input(Input::Command(Command::PutAgent(definition)));
    }

    fn put_group(&mut self, index: u128, settings: GroupSettings) {
        self.put_group_with(index, settings, ScriptRules::default());
    }

    fn put_group_with(&mut self, index: u128, settings: GroupSettings, scripts: ScriptRules) {
        let definition = GroupDefinition {
            group: group_id(index),
            campaign: CampaignId(Uuid::from_u128(0xc000 + index)),
            skill: skill_id(index),
            settings: GroupSettings {
                caller_id_pool: settings.caller_id_pool.or(self.pool_of_new_groups),
                ..settings
            },
            rules: Arc::new(CampaignRules {
                scripts,
                detection: self.detection_of_new_groups,
                ..(*rules()).clone()
            }),
            state: GroupState::NotLoaded,
            answered: AnsweredCalls::default(),
        };
        self.input(Input::Command(Command::PutGroup(Box::new(definition))));
    }

    /// Gives a group other rules, if it is known.
    fn put_rules(&mut self, index: u128, change: impl FnOnce(&mut CampaignRules)) {
        let Some(group) = self.engine.groups.get(&group_id(index)) else { return };
        let mut definition = group.definition.clone();
        change(Arc::make_mut(&mut definition.rules));
        self.input(Input::Command(Command::PutGroup(Box::new(definition))));
    }

    fn input(&mut self, input: Input) {
        self.engine.handle(self.now, input);
        while let Some(output) = self.engine.poll() {
            self.take(output);
        }
        self.check();
    }

    fn take(&mut self, output: Output) {
        match output {
            Output::Persist(set) => self.unstored.push(set),
            Output::Fetch { group, fence, wanted, callbacks_only } => {
                self.fetches.push((group, fence, wanted));
                self.fetched_callbacks_only.push(callbacks_only);
            }
            Output::Dial(request) => {
                assert!(
                    self.open_attempts.contains_key(&request.attempt),
                    "dialled before its attempt was durable"
                );
                assert!(!self.dialled.contains(&request.attempt), "dialled twice for one attempt");
                self.dialled.push(request.attempt);
                self.shown.push(request.caller_id);
                self.up.insert(request.attempt);
            }
            Output::HangUp(_) => {}
            Output::OpenLine(agent) => self.lines_wanted.push(agent),
            Output::CloseLine(agent) => self.lines_wanted.retain(|wanted| *wanted != agent),
            Output::Control { attempt, control } => self.controls.push((attempt, control)),
            Output::Consult { attempt, number, whom } => self.consulted.push((attempt, number, whom)),
            Output::Record { attempt, name, is_on } => {
                let is_noted = self.noted.get(&attempt) == Some(&name);
                assert!(is_noted || !is_on, "recorded before it was stored");
                self.recorded.push((attempt, name, is_on));
            }
            Output::Announce { attempt, message } => self.told_both.push((attempt, message)),
            Output::Connect { attempt, agent } => self.connecting.push((attempt, agent)),
            Output::Play { attempt, what: Playing::SafeHarbour(_), .. } => self.messages.push(attempt),
            Output::Play { attempt, what: Playing::Message(message), .. } => {
                self.announced.push((attempt, message));
            }
            Output::Tell { agent, notice } => self.notices.push((agent, notice)),
            Output::RunHook(request) => {
                if let Hook::Detected(picked_up) = &request.hook {
                    let asked_before = self.picked_up.values().any(|attempt| *attempt == picked_up.attempt);
                    assert!(!asked_before, "asked twice who picked up one call");
                    self.picked_up.insert(request.question, picked_up.attempt);
                }
                self.hooks.push(request);
            }
            Output::Answer { outcome, .. } => self.answers.push(outcome),
            Output::AtRest(group) => self.at_rest.push(group),
        }
    }

    /// Makes the oldest set of changes durable.
    fn store_one(&mut self) {
        if self.unstored.is_empty() {
            return;
        }
        let set = self.unstored.remove(0);
        let group = set.changes.first().and_then(Change::group);
        if group.is_some_and(|group| self.fenced.contains(&group)) {
            return self.input(Input::NotStored { ticket: set.ticket });
        }
        for change in &set.changes {
            self.apply(change);
        }
        self.input(Input::Stored { ticket: set.ticket });
    }

    fn apply(&mut self, change: &Change) {
        match change {
            Change::AttemptStarted(started) => {
                assert!(
                    self.claimed.contains(&started.contact),
                    "an attempt on a contact that is not claimed"
                );
                assert!(
                    !self.open_attempts.values().any(|contact| *contact == started.contact),
                    "two attempts on one contact at once"
                );
                self.open_attempts.insert(started.attempt, started.contact);
                self.started.push(started.clone());
            }
            Change::AttemptEnded(ended) => {
                assert!(self.ended.insert(ended.attempt, ended.result).is_none(), "an attempt ended twice");
                self.endings.insert(ended.attempt, ended.clone());
                self.up.remove(&ended.attempt);
            }
            Change::ContactPlanned(planned) => {
                assert!(self.claimed.remove(&planned.contact), "a plan for a contact that is not claimed");
                if let Some(attempt) = planned.attempt {
                    assert!(self.open_attempts.remove(&attempt).is_some(), "an attempt settled twice");
                    assert!(self.ended.contains_key(&attempt), "settled before it ended");
                }
                self.planned.push(planned.clone());
            }
            Change::ContactReturned(returned) => {
                assert!(self.claimed.remove(&returned.contact), "returned a contact that is not claimed");
                self.returned.push(returned.clone());
            }
            Change::CallbackMade(made) => self.made.push(made.clone()),
            Change::CallbackMoved(moved) => self.callbacks.push(moved.clone()),
            Change::RecordingStarted(started) => {
                let (attempt, name) = (started.attempt, started.name.clone());
                assert!(self.noted.insert(attempt, name).is_none(), "two recordings of one call");
            }
            Change::TransferEnded(ended) => {
                let is_other = |other: &crate::change::TransferEnded| other.attempt != ended.attempt;
                assert!(self.transfers.iter().all(is_other), "a transfer ended twice");
                self.transfers.push(ended.clone());
            }
            Change::GroupChanged(_) | Change::AgentChanged(_) => {}
        }
    }

    fn store_all(&mut self) {
        while !self.unstored.is_empty() {
            self.store_one();
        }
    }

    fn answer_fetch(&mut self, how_many: u32, any_left: bool) {
        if self.fetches.is_empty() {
            return;
        }
        let (group, fence, wanted) = self.fetches.remove(0);
        let contacts: Vec<_> = (0..wanted.min(how_many))
            .map(|_| {
                let mut contact = contact(self.next_contact);
                if self.callback_every.is_some_and(|every| self.next_contact.is_multiple_of(every)) {
                    let agent = self
                        .next_contact
                        .is_multiple_of(2)
                        .then(|| agent_id(u128::from(self.next_contact) % 4));
                    contact = promised(contact, agent, self.now);
                }
                self.next_contact += 1;
                self.claimed.insert(contact.contact);
                contact
            })
            .collect();
        self.input(Input::Contacts { group, fence, contacts, supply: Supply { any_left, next_due: None } });
    }

    /// Stores and feeds until nothing moves by itself.
    fn settle(&mut self, contacts: u32) {
        for _ in 0..100 {
            self.store_all();
            if !self.fetches.is_empty() {
                self.answer_fetch(contacts, true);
            } else if let Some((at, WakeReason::CallRate(_))) = self.engine.next_wake() {
                self.now = at;
                self.input(Input::Woken);
            } else {
                break;
            }
        }
    }

    /// Answers the oldest question to a server script.
    fn verdict(&mut self, verdict: HookVerdict) {
        let request = self.hooks.remove(0);
        self.input(Input::Hook { group: request.group, question: request.question, verdict });
    }

    fn call(&mut self, attempt: AttemptId, event: CallEvent) {
        self.input(Input::Call { attempt, event });
    }

    fn agent(&mut self, index: u128, event: AgentEvent) {
        self.input(Input::Agent { agent: agent_id(index), event });
    }

    fn log_in(&mut self, index: u128) {
        self.agent(index, AgentEvent::LogIn);
        self.agent(index, AgentEvent::Ready);
    }

    fn act(&mut self, index: u128, action: GroupAction) {
        let (group, actor) = (group_id(index), Actor::Client);
        self.input(Input::Command(Command::Act { group, action, dial_mode: None, actor, reply: 1 }));
    }

    fn run(&mut self, index: u128) {
        self.act(index, GroupAction::Load);
        self.act(index, GroupAction::Start);
    }

    fn answer(&mut self, attempt: AttemptId) {
        self.call(attempt, CallEvent::Ringing);
        self.call(attempt, CallEvent::Answered);
        self.call(attempt, CallEvent::Detected(Detected::Person));
    }

    fn talk(&mut self, attempt: AttemptId) {
        self.answer(attempt);
        self.call(attempt, CallEvent::Connected);
    }

    fn pass(&mut self, seconds: u64) {
        self.now = self.now + Duration::from_secs(seconds);
        self.input(Input::Woken);
    }

    fn state_of(&self, index: u128) -> AgentState {
        self.engine.agents[&agent_id(index)].state
    }

    fn group_state(&self, index: u128) -> Option<GroupState> {
        self.engine.groups.get(&group_id(index)).map(|group| group.state)
    }

    /// The laws that hold at every instant.
    fn check(&self) {
        let mut inside = BTreeSet::new();
        let mut take_in = |contact: ContactId| assert!(inside.insert(contact), "a contact is in two places");
        for group in self.engine.groups.values() {
            let mut probe: Vec<_> = group.hopper_contacts();
            probe.drain(..).for_each(&mut take_in);
        }
        for agent in self.engine.agents.values() {
            if let Some((_, contact)) = &agent.preview {
                assert_eq!(agent.state, AgentState::Preview);
                take_in(contact.contact);
            }
        }
        let mut talking = BTreeSet::new();
        for (attempt, call) in &self.engine.calls {
            take_in(call.contact.contact);
            if let Some(agent) = call.agent {
                assert!(talking.insert(agent), "an agent is on two calls");
                assert_eq!(self.engine.agents[&agent].attempt, Some(*attempt), "agent and call disagree");
            }
        }
        let mut consulted = BTreeMap::new();
        let thirds = self.engine.calls.iter().filter_map(|(attempt, call)| {
            call.third.as_ref().and_then(state::Consultation::agent).map(|agent| (agent, *attempt))
        });
        let left =
            self.engine.left.iter().filter_map(|(attempt, left)| left.to.map(|agent| (agent, *attempt)));
        for (agent, attempt) in thirds.chain(left) {
            assert!(consulted.insert(agent, attempt).is_none(), "an agent is consulted twice at once");
        }
        for agent in self.engine.agents.values() {
            let is_consulted = consulted.get(&agent.id).copied();
            assert_eq!(agent.consulted_on, is_consulted, "agent and consultation disagree");
            let has_call = talking.contains(&agent.id);
            assert!(!(has_call && is_consulted.is_some()), "an agent who is consulted is given a call");
            assert!(
                !matches!(agent.state, AgentState::Ready | AgentState::Preview) || is_consulted.is_none(),
                "an agent who is consulted counts as free"
            );
            if matches!(agent.state, AgentState::OnCall | AgentState::Reserved) {
                assert!(
                    has_call || (agent.is_held && is_consulted.is_some()),
                    "an agent is held for nothing"
                );
            }
        }
        self.check_counts();
        // Contacts that left the engine but whose change is still to be stored.
        for set in &self.unstored {
            for change in &set.changes {
                match change {
                    Change::ContactPlanned(planned) => take_in(planned.contact),
                    Change::ContactReturned(returned) => take_in(returned.contact),
                    _ => {}
                }
            }
        }
        if self.fenced.is_empty() {
            assert_eq!(inside, self.claimed, "a contact is lost");
        }
        for (id, group) in &self.engine.groups {
            let calls = self.engine.calls.values().filter(|call| call.group == *id);
            assert_eq!(group.calls_up as usize, calls.clone().count(), "calls are miscounted");
            let ringing = calls.clone().filter(|call| call.stage.rings()).count();
            assert_eq!(group.ringing as usize, ringing, "lines are miscounted");
            let on_lines = calls.filter(|call| call.stage.takes_a_line()).count();
            assert_eq!(group.on_lines as usize, on_lines, "lines in use are miscounted");
            let calls = self.engine.calls.values().filter(|call| call.group == *id);
            let kept = calls.filter(|call| call.has_agent && call.stage.may_want_agent()).count();
            assert_eq!(group.kept as usize, kept, "calls for which an agent is kept are miscounted");
            let ready = self.engine.team(group.definition.skill).ready.len();
            let others_lines = self
                .engine
                .groups
                .values()
                .any(|other| other.kept > 0 && other.definition.campaign != group.definition.campaign);
            for waiting in group.waiting.iter().filter_map(|waiting| self.engine.calls.get(waiting)) {
                let may_wait = ready == 0 || (others_lines && !waiting.has_agent);
                assert!(may_wait, "somebody waits while an agent is ready for them");
            }
        }
    }
}

impl Floor {
    /// What pacing and the choice of agents go by is what the agents' states say.
    fn check_counts(&self) {
        let mut ready: BTreeMap<SkillId, usize> = BTreeMap::new();
        let mut busy: BTreeMap<SkillId, usize> = BTreeMap::new();
        for agent in self.engine.agents.values() {
            let (of_ready, of_busy) = match agent.state {
                AgentState::Ready => (1, 0),
                AgentState::Reserved if agent.is_held => (0, 0),
                _ if agent.afterwards != state::Afterwards::Ready && agent.state != AgentState::Ready => {
                    (0, 0)
                }
                AgentState::Reserved | AgentState::Preview | AgentState::OnCall | AgentState::WrapUp => {
                    (0, 1)
                }
                AgentState::LoggedOut | AgentState::NotReady => (0, 0),
            };
            for (skill, _) in &agent.skills {
                *ready.entry(*skill).or_default() += of_ready;
                *busy.entry(*skill).or_default() += of_busy;
            }
        }
        for (skill, count) in ready {
            let listed = self.engine.team(skill).ready.len();
            assert_eq!(listed, count, "ready agents are miscounted");
        }
        for (skill, count) in busy {
            let listed = self.engine.team(skill).busy.len();
            assert_eq!(listed, count, "busy agents are miscounted");
        }
    }
}

impl state::Group {
    fn hopper_contacts(&self) -> Vec<ContactId> {
        let waiting = self.screening.values().chain(&self.promised).map(|contact| contact.contact);
        self.hopper.ids().into_iter().chain(waiting).collect()
    }
}

fn progressive() -> GroupSettings {
    GroupSettings::default()
}

fn with_mode(dial_mode: DialMode) -> GroupSettings {
    let agentless = Some(AgentlessSettings {
        ports: 3,
        message: MessageId(Uuid::from_u128(0x3e55)),
        transfer_digit: Some('9'),
        leave_on_machine: false,
    });
    GroupSettings { dial_mode, lines_per_agent: 3.0, agentless, ..GroupSettings::default() }
}

fn one_agent(settings: GroupSettings) -> Floor {
    let mut floor = Floor::new(&[(1, settings)], &[(1, &[1])]);
    floor.run(1);
    floor.log_in(1);
    floor.settle(10);
    floor
}
