//! The machines under every order of events, and the stories that users know.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use smallvec::smallvec;
use uuid::Uuid;

use super::*;
use crate::agent::AgentState;
use crate::call_result::CallResult;
use crate::change::PlannedNext;
use crate::contact::{BucketId, HopperContact, Phone, PhoneKind, PhoneStatus, Rank};
use crate::group::{Actor, GroupAction, GroupState};
use crate::hours::CallingHours;
use crate::ids::{CampaignId, ContactId};
use crate::settings::{CampaignRules, DialMode, GroupSettings};
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
        rank: Rank(index as i64),
        phones: smallvec![phone],
        phone: 0,
        zones: Arc::new("Europe/Paris".parse().unwrap()),
        attempts: 0,
        last_result: None,
        last_result_in_a_row: 0,
        is_callback: false,
        preferred_agent: None,
        expires_at: None,
        dial_until: Time::NEVER,
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
        hours: CallingHours::always(),
        treatments: Vec::new(),
        dispositions: vec![disposition("sale", false), disposition("stop", true)],
        attempts_max: 5,
        feed_order: crate::FeedOrder::OldestFirst,
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
    planned: Vec<crate::change::ContactPlanned>,
    dialled: Vec<AttemptId>,
    up: BTreeSet<AttemptId>,
    connecting: Vec<(AttemptId, AgentId)>,
    messages: Vec<AttemptId>,
    fetches: Vec<(GroupId, u64, u32)>,
    unstored: Vec<ChangeSet>,
    notices: Vec<(AgentId, AgentNotice)>,
    answers: Vec<Result<GroupState, crate::group::ActionRefused>>,
    at_rest: Vec<GroupId>,
    next_contact: u64,
    fenced: BTreeSet<GroupId>,
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
            fetches: Vec::new(),
            unstored: Vec::new(),
            notices: Vec::new(),
            answers: Vec::new(),
            at_rest: Vec::new(),
            next_contact: 1,
            fenced: BTreeSet::new(),
        };
        for (agent, skills) in agents {
            let skills = skills.iter().map(|skill| (skill_id(*skill), 50)).collect();
            floor.input(Input::Command(Command::PutAgent(AgentDefinition {
                agent: agent_id(*agent),
                skills,
            })));
        }
        for (group, settings) in groups {
            floor.put_group(*group, settings.clone());
        }
        floor
    }

    fn put_group(&mut self, index: u128, settings: GroupSettings) {
        let definition = GroupDefinition {
            group: group_id(index),
            campaign: CampaignId(Uuid::from_u128(0xc000 + index)),
            skill: skill_id(index),
            settings,
            rules: rules(),
            state: GroupState::NotLoaded,
        };
        self.input(Input::Command(Command::PutGroup(definition)));
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
            Output::Fetch { group, fence, wanted } => self.fetches.push((group, fence, wanted)),
            Output::Dial(request) => {
                assert!(
                    self.open_attempts.contains_key(&request.attempt),
                    "dialled before its attempt was durable"
                );
                assert!(!self.dialled.contains(&request.attempt), "dialled twice for one attempt");
                self.dialled.push(request.attempt);
                self.up.insert(request.attempt);
            }
            Output::HangUp(_) => {}
            Output::Connect { attempt, agent } => self.connecting.push((attempt, agent)),
            Output::PlaySafeHarbour(attempt) => self.messages.push(attempt),
            Output::Tell { agent, notice } => self.notices.push((agent, notice)),
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
            }
            Change::AttemptEnded(ended) => {
                assert!(self.ended.insert(ended.attempt, ended.result).is_none(), "an attempt ended twice");
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
                let contact = contact(self.next_contact);
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
        for agent in self.engine.agents.values() {
            if matches!(agent.state, AgentState::OnCall | AgentState::Reserved) {
                assert!(talking.contains(&agent.id), "an agent is held for no call");
            }
        }
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
            let rings = |stage| {
                matches!(stage, state::Stage::Recording | state::Stage::Dialling | state::Stage::Ringing)
            };
            assert_eq!(
                group.ringing as usize,
                calls.filter(|call| rings(call.stage)).count(),
                "lines are miscounted"
            );
        }
    }
}

impl state::Group {
    fn hopper_contacts(&self) -> Vec<ContactId> {
        self.hopper.ids()
    }
}

fn progressive() -> GroupSettings {
    GroupSettings::default()
}

fn with_mode(dial_mode: DialMode) -> GroupSettings {
    GroupSettings { dial_mode, lines_per_agent: 3.0, ..GroupSettings::default() }
}

fn one_agent(settings: GroupSettings) -> Floor {
    let mut floor = Floor::new(&[(1, settings)], &[(1, &[1])]);
    floor.run(1);
    floor.log_in(1);
    floor.settle(10);
    floor
}

#[test]
fn progressive_dials_one_line_for_a_ready_agent_and_none_while_they_talk() {
    let mut floor = one_agent(progressive());
    assert_eq!(floor.dialled.len(), 1);
    let first = floor.dialled[0];
    floor.talk(first);
    floor.settle(10);
    assert_eq!(floor.state_of(1), AgentState::OnCall);
    assert_eq!(floor.dialled.len(), 1);
}

#[test]
fn power_dials_its_lines_for_each_ready_agent() {
    assert_eq!(one_agent(with_mode(DialMode::Power)).dialled.len(), 3);
}

#[test]
fn no_call_is_placed_before_its_attempt_is_durable() {
    let mut floor = Floor::new(&[(1, progressive())], &[(1, &[1])]);
    floor.run(1);
    floor.log_in(1);
    floor.store_all();
    floor.answer_fetch(5, true);
    assert!(floor.dialled.is_empty());
    floor.store_all();
    assert_eq!(floor.dialled.len(), 1);
}

#[test]
fn an_agent_moves_on_only_when_the_outcome_is_durable() {
    let mut floor = one_agent(progressive());
    let attempt = floor.dialled[0];
    floor.talk(attempt);
    floor.call(attempt, CallEvent::Ended(CallEnd::ByCalledParty));
    assert_eq!(floor.state_of(1), AgentState::WrapUp);
    let disposition = Some("sale".to_owned());
    floor.agent(1, AgentEvent::Dispose { disposition, notes: None, callback_at: None });
    assert_eq!(floor.state_of(1), AgentState::WrapUp);
    floor.store_all();
    assert_eq!(floor.state_of(1), AgentState::Ready);
    let planned = floor.planned.last().unwrap();
    assert_eq!(planned.disposition.as_deref(), Some("sale"));
    assert_eq!(planned.next, PlannedNext::Final { reason: FinalReason::Treated });
}

#[test]
fn a_person_for_whom_no_agent_is_free_hears_the_message_after_two_seconds_and_counts_as_dropped() {
    let mut floor = one_agent(with_mode(DialMode::Power));
    let (first, second) = (floor.dialled[0], floor.dialled[1]);
    floor.talk(first);
    floor.answer(second);
    floor.pass(1);
    assert!(floor.messages.is_empty());
    floor.pass(1);
    assert_eq!(floor.messages, [second]);
    floor.call(second, CallEvent::MessageEnded);
    floor.call(second, CallEvent::Ended(CallEnd::ByUs));
    floor.store_all();
    assert_eq!(floor.ended[&second], CallResult::Dropped);
}

#[test]
fn a_waiting_person_gets_the_next_agent_who_becomes_ready() {
    let mut floor = Floor::new(&[(1, with_mode(DialMode::Power))], &[(1, &[1]), (2, &[1])]);
    floor.run(1);
    floor.log_in(1);
    floor.agent(2, AgentEvent::LogIn);
    floor.settle(10);
    let (first, second) = (floor.dialled[0], floor.dialled[1]);
    floor.talk(first);
    floor.answer(second);
    floor.agent(2, AgentEvent::Ready);
    assert_eq!(floor.connecting.last(), Some(&(second, agent_id(2))));
}

#[test]
fn a_person_who_hangs_up_before_an_agent_is_there_counts_as_abandoned() {
    let mut floor = one_agent(with_mode(DialMode::Power));
    let (first, second) = (floor.dialled[0], floor.dialled[1]);
    floor.talk(first);
    floor.answer(second);
    floor.call(second, CallEvent::Ended(CallEnd::ByCalledParty));
    floor.store_all();
    assert_eq!(floor.ended[&second], CallResult::Abandoned);
}

#[test]
fn a_machine_is_hung_up_on_unless_the_group_connects_machines() {
    let mut floor = one_agent(progressive());
    let attempt = floor.dialled[0];
    floor.call(attempt, CallEvent::Answered);
    floor.call(attempt, CallEvent::Detected(Detected::Machine));
    floor.call(attempt, CallEvent::Ended(CallEnd::ByUs));
    floor.store_all();
    assert_eq!(floor.ended[&attempt], CallResult::AnsweringMachine);
    assert!(floor.connecting.is_empty());
}

#[test]
fn a_preview_is_dialled_only_when_the_agent_says_so_and_is_theirs() {
    let mut floor = one_agent(with_mode(DialMode::Preview));
    assert_eq!(floor.state_of(1), AgentState::Preview);
    assert!(floor.dialled.is_empty());
    floor.agent(1, AgentEvent::AcceptPreview);
    floor.store_all();
    let attempt = floor.dialled[0];
    assert_eq!(floor.state_of(1), AgentState::Reserved);
    floor.talk(attempt);
    assert_eq!(floor.connecting, [(attempt, agent_id(1))]);
}

#[test]
fn a_rejected_preview_goes_back_and_the_next_contact_comes() {
    let mut floor = one_agent(with_mode(DialMode::Preview));
    let first = floor.engine.agents[&agent_id(1)].preview.as_ref().unwrap().1.contact;
    floor.agent(1, AgentEvent::RejectPreview);
    floor.store_all();
    assert!(!floor.claimed.contains(&first));
    assert_eq!(floor.state_of(1), AgentState::Preview);
}

#[test]
fn a_preview_that_runs_out_sets_the_agent_not_ready() {
    let mut floor = one_agent(with_mode(DialMode::Preview));
    floor.pass(61);
    assert_eq!(floor.state_of(1), AgentState::NotReady);
}

#[test]
fn a_break_asked_for_during_a_call_begins_after_it() {
    let mut floor = one_agent(progressive());
    let attempt = floor.dialled[0];
    floor.talk(attempt);
    floor.agent(1, AgentEvent::NotReady { reason: Some("lunch".into()) });
    assert_eq!(floor.state_of(1), AgentState::OnCall);
    floor.call(attempt, CallEvent::Ended(CallEnd::ByCalledParty));
    floor.pass(61);
    floor.store_all();
    assert_eq!(floor.state_of(1), AgentState::NotReady);
    assert_eq!(floor.engine.agents[&agent_id(1)].reason.as_deref(), Some("lunch"));
}

#[test]
fn groups_that_share_an_agent_do_not_both_count_on_them() {
    let mut floor = Floor::new(&[(1, progressive()), (2, progressive())], &[(1, &[1, 2])]);
    floor.run(1);
    floor.run(2);
    floor.log_in(1);
    floor.settle(10);
    assert_eq!(floor.dialled.len(), 1);
}

#[test]
fn a_group_that_is_unloaded_waits_for_its_calls_and_gives_every_contact_back() {
    let mut floor = one_agent(progressive());
    let attempt = floor.dialled[0];
    floor.talk(attempt);
    floor.act(1, GroupAction::Unload);
    assert_eq!(floor.group_state(1), Some(GroupState::WaitingUnload));
    floor.call(attempt, CallEvent::Ended(CallEnd::ByCalledParty));
    floor.pass(61);
    floor.store_all();
    assert_eq!(floor.group_state(1), None);
    assert_eq!(floor.at_rest, [group_id(1)]);
    assert!(floor.claimed.is_empty());
}

#[test]
fn a_forced_unload_ends_the_calls() {
    let mut floor = one_agent(progressive());
    let attempt = floor.dialled[0];
    floor.talk(attempt);
    floor.act(1, GroupAction::ForceUnload);
    floor.call(attempt, CallEvent::Ended(CallEnd::ByUs));
    floor.pass(61);
    floor.store_all();
    assert_eq!(floor.group_state(1), None);
}

#[test]
fn a_group_that_ran_out_of_contacts_completes_by_itself() {
    let mut floor = Floor::new(&[(1, GroupSettings { auto_complete: true, ..progressive() })], &[(1, &[1])]);
    floor.run(1);
    floor.log_in(1);
    floor.store_all();
    floor.answer_fetch(0, false);
    floor.store_all();
    assert_eq!(floor.group_state(1), None);
}

#[test]
fn contacts_in_the_hopper_whose_hours_have_closed_are_not_dialled() {
    let mut floor = Floor::new(&[(1, progressive())], &[(1, &[1])]);
    floor.run(1);
    floor.log_in(1);
    floor.store_all();
    let (group, fence, _) = floor.fetches.remove(0);
    let mut late = contact(1);
    late.dial_until = floor.now;
    floor.claimed.insert(late.contact);
    let supply = Supply { any_left: true, next_due: None };
    floor.input(Input::Contacts { group, fence, contacts: vec![late], supply });
    floor.store_all();
    assert!(floor.dialled.is_empty());
    assert!(floor.claimed.is_empty());
}

#[test]
fn a_number_that_is_suppressed_now_leaves_the_hopper_and_its_ringing_call_is_withdrawn() {
    let mut floor = one_agent(progressive());
    let attempt = floor.dialled[0];
    floor.call(attempt, CallEvent::Ringing);
    let number = floor.engine.calls[&attempt].contact.phones[0].number;
    floor.input(Input::Suppressed { group: group_id(1), numbers: BTreeSet::from([number]) });
    floor.call(attempt, CallEvent::Ended(CallEnd::ByUs));
    floor.store_all();
    assert_eq!(floor.ended[&attempt], CallResult::DoNotCall);
}

#[test]
fn attempts_that_a_crash_left_are_settled_before_anything_else() {
    let mut floor = Floor::new(&[(1, progressive())], &[]);
    floor.act(1, GroupAction::Load);
    let (open, over) = (contact(900), contact(901));
    let attempts = [AttemptId(Uuid::from_u128(1)), AttemptId(Uuid::from_u128(2))];
    for (attempt, contact) in attempts.iter().zip([&open, &over]) {
        floor.claimed.insert(contact.contact);
        floor.open_attempts.insert(*attempt, contact.contact);
    }
    floor.ended.insert(attempts[1], CallResult::Busy);
    floor.input(Input::Recovered {
        group: group_id(1),
        attempts: vec![
            Unfinished { attempt: attempts[0], contact: open, result: None },
            Unfinished { attempt: attempts[1], contact: over, result: Some(CallResult::Busy) },
        ],
    });
    floor.store_all();
    assert_eq!(floor.ended[&attempts[0]], CallResult::SystemError);
    assert!(floor.open_attempts.is_empty());
    assert!(floor.claimed.is_empty());
}

#[test]
fn calls_are_spread_over_the_second_by_the_groups_limit() {
    let settings = GroupSettings { calls_per_second_max: 2, ..with_mode(DialMode::Power) };
    let mut floor = Floor::new(&[(1, settings)], &[(1, &[1])]);
    floor.run(1);
    floor.log_in(1);
    floor.store_all();
    floor.answer_fetch(20, true);
    floor.store_all();
    assert_eq!(floor.dialled.len(), 1);
    floor.now = floor.now + Duration::from_millis(500);
    floor.input(Input::Woken);
    floor.store_all();
    assert_eq!(floor.dialled.len(), 2);
}

#[test]
fn an_agent_whose_phone_fails_is_not_ready_and_the_person_gets_another() {
    let mut floor = Floor::new(&[(1, progressive())], &[(1, &[1]), (2, &[1])]);
    floor.run(1);
    floor.log_in(1);
    floor.log_in(2);
    floor.settle(10);
    let attempt = floor.dialled[0];
    floor.answer(attempt);
    let first = floor.connecting[0].1;
    floor.call(attempt, CallEvent::AgentFailed);
    let second = floor.connecting[1].1;
    assert_ne!(first, second);
    assert_eq!(floor.engine.agents[&first].state, AgentState::NotReady);
}

#[test]
fn equal_inputs_give_equal_outputs() {
    let run = || {
        let mut floor = one_agent(with_mode(DialMode::Power));
        let attempt = floor.dialled[0];
        floor.talk(attempt);
        (floor.dialled.clone(), format!("{:?}", floor.notices))
    };
    assert_eq!(run(), run());
}

/// Something that happens on the floor; indexes choose among what is there.
#[derive(Clone, Debug)]
enum Step {
    Store,
    Feed(u32, bool),
    Call(usize, CallEvent),
    Agent(u128, AgentEvent),
    Act(u128, GroupAction, Option<DialMode>),
    Put(u128, DialMode),
    Pass(u64),
    Lines(bool),
    Suppress(u64),
    Fence(u128),
    LoseLease(u128),
}

fn any_step() -> impl Strategy<Value = Step> {
    let ends = prop_oneof![
        Just(CallEnd::ByCalledParty),
        Just(CallEnd::ByUs),
        Just(CallEnd::NotAnswered(CallResult::Busy)),
        Just(CallEnd::NotAnswered(CallResult::NoAnswer)),
        Just(CallEnd::NotAnswered(CallResult::SitInvalidNumber)),
    ];
    let detected = prop_oneof![
        4 => Just(Detected::Person),
        1 => Just(Detected::Machine),
        1 => Just(Detected::Fax),
        1 => Just(Detected::Silence),
    ];
    let calls = prop_oneof![
        1 => Just(CallEvent::Ringing),
        2 => Just(CallEvent::Answered),
        3 => detected.prop_map(CallEvent::Detected),
        2 => Just(CallEvent::Connected),
        1 => Just(CallEvent::AgentFailed),
        1 => Just(CallEvent::MessageEnded),
        3 => ends.prop_map(CallEvent::Ended),
    ];
    let dispose = (0..4_usize, any::<bool>()).prop_map(|(which, agreed)| AgentEvent::Dispose {
        disposition: ["sale", "stop", "unheard_of"].get(which).map(|code| (*code).to_owned()),
        notes: None,
        callback_at: agreed.then_some(START),
    });
    let agents = prop_oneof![
        1 => Just(AgentEvent::LogIn),
        1 => Just(AgentEvent::LogOut),
        4 => Just(AgentEvent::Ready),
        1 => Just(AgentEvent::NotReady { reason: None }),
        2 => Just(AgentEvent::AcceptPreview),
        1 => Just(AgentEvent::RejectPreview),
        1 => Just(AgentEvent::HangUp),
        2 => dispose,
        1 => Just(AgentEvent::ConnectionLost),
    ];
    let actions = prop_oneof![
        1 => Just(GroupAction::Load),
        3 => Just(GroupAction::Start),
        1 => Just(GroupAction::Stop),
        1 => Just(GroupAction::SetDialMode),
        1 => Just(GroupAction::Unload),
        1 => Just(GroupAction::ForceUnload),
    ];
    let modes =
        prop_oneof![Just(DialMode::Preview), Just(DialMode::Progressive), Just(DialMode::Power)].boxed();
    prop_oneof![
        8 => Just(Step::Store),
        5 => (0..30_u32, any::<bool>()).prop_map(|(contacts, left)| Step::Feed(contacts, left)),
        14 => (0..8_usize, calls).prop_map(|(call, event)| Step::Call(call, event)),
        10 => (0..4_u128, agents).prop_map(|(agent, event)| Step::Agent(agent, event)),
        2 => (0..2_u128, actions, proptest::option::of(modes.clone())).prop_map(|(group, action, mode)| Step::Act(group, action, mode)),
        1 => (0..2_u128, modes).prop_map(|(group, mode)| Step::Put(group, mode)),
        4 => (0..20_u64).prop_map(Step::Pass),
        1 => any::<bool>().prop_map(Step::Lines),
        1 => (0..200_u64).prop_map(Step::Suppress),
    ]
}

impl Floor {
    fn step(&mut self, step: Step) {
        match step {
            Step::Store => self.store_one(),
            Step::Feed(contacts, any_left) => self.answer_fetch(contacts, any_left),
            Step::Call(index, event) => {
                if let Some(attempt) = self.up.iter().nth(index).copied() {
                    self.call(attempt, event);
                }
            }
            Step::Agent(agent, event) => self.agent(agent, event),
            Step::Act(group, action, dial_mode) => {
                if action == GroupAction::Load && self.group_state(group).is_none() {
                    self.put_group(group, with_mode(DialMode::Power));
                }
                let (group, actor) = (group_id(group), Actor::Client);
                self.input(Input::Command(Command::Act { group, action, dial_mode, actor, reply: 1 }));
            }
            Step::Put(group, mode) => {
                if self.group_state(group).is_some() {
                    self.put_group(group, with_mode(mode));
                }
            }
            Step::Pass(seconds) => self.pass(seconds),
            Step::Lines(up) => self.input(if up { Input::LinesBack } else { Input::LinesLost }),
            Step::Suppress(index) => {
                let number = crate::PhoneNumber::from_digits(33_100_000_000 + index).unwrap();
                self.input(Input::Suppressed { group: group_id(0), numbers: BTreeSet::from([number]) });
            }
            Step::Fence(group) => {
                self.fenced.insert(group_id(group));
            }
            Step::LoseLease(group) => {
                self.fenced.insert(group_id(group));
                self.input(Input::LeaseLost { group: group_id(group) });
            }
        }
    }

    /// Lets everything come to an end: calls, wrap-ups, groups.
    fn wind_down(&mut self) {
        for group in 0..2 {
            self.act(group, GroupAction::ForceUnload);
        }
        for _ in 0..8 {
            self.store_all();
            for attempt in self.up.clone() {
                self.call(attempt, CallEvent::Ended(CallEnd::ByUs));
            }
            self.pass(3600);
            while !self.fetches.is_empty() {
                self.answer_fetch(1, true);
            }
        }
        self.store_all();
    }
}

fn two_groups_and_four_agents() -> Floor {
    let groups = [(0, with_mode(DialMode::Power)), (1, with_mode(DialMode::Preview))];
    let mut floor = Floor::new(&groups, &[(0, &[0]), (1, &[0, 1]), (2, &[1]), (3, &[0, 1])]);
    for group in 0..2 {
        floor.run(group);
    }
    for agent in 0..4 {
        floor.log_in(agent);
    }
    floor
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// The laws of [`Floor::check`], [`Floor::apply`] and [`Floor::take`] hold after every step.
    #[test]
    fn no_order_of_events_loses_a_contact_double_books_an_agent_or_dials_twice(
        steps in prop::collection::vec(any_step(), 1..300)
    ) {
        let mut floor = two_groups_and_four_agents();
        for step in steps {
            floor.step(step);
        }
        floor.wind_down();
        prop_assert!(floor.engine.calls.is_empty(), "a call never ends");
        prop_assert!(floor.open_attempts.is_empty(), "an attempt is never settled");
        prop_assert!(floor.claimed.is_empty(), "a contact is never given back");
        prop_assert!(floor.engine.groups.is_empty(), "a group never comes to rest");
        for agent in floor.engine.agents.values() {
            prop_assert!(
                matches!(agent.state, AgentState::LoggedOut | AgentState::NotReady | AgentState::Ready),
                "an agent is stuck in {:?}", agent.state
            );
        }
    }

    /// When another node takes a group over, its calls end here, its agents are free and the other group goes on.
    #[test]
    fn a_group_that_another_node_holds_is_let_go_of(
        before in prop::collection::vec(any_step(), 1..100),
        after in prop::collection::vec(any_step(), 1..100),
        is_told in any::<bool>()
    ) {
        let mut floor = two_groups_and_four_agents();
        for step in before {
            floor.step(step);
        }
        floor.step(if is_told { Step::LoseLease(0) } else { Step::Fence(0) });
        for step in after {
            floor.step(step);
        }
        floor.act(0, GroupAction::SetDialMode);
        floor.store_all();
        floor.wind_down();
        prop_assert!(floor.engine.calls.values().all(|call| call.group != group_id(0)));
        prop_assert!(floor.engine.agents.values().all(|agent| agent.attempt.is_none()));
    }
}
