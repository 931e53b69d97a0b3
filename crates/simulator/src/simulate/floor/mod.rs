//! The simulated floor: agents, people and a switch around the engine, as a queue of what happens when.

mod agenda;
mod list;
mod switch;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use engine::pacing::SlotCount;
use engine::settings::{CONNECT_WITHIN, PredictiveSettings};
use engine::{
    Actor, AgentDefinition, AgentEvent, AgentId, AgentState, AnsweredCalls, AttemptId, CallEnd, CallEvent,
    CallResult, CallingHours, CampaignId, CampaignRules, Change, Command, Engine, GroupAction,
    GroupDefinition, GroupId, GroupSettings, GroupState, Input, Output, SkillId, Time, Zone, ZoneSet,
};
use rustc_hash::FxHashMap;
use uuid::Uuid;

use agenda::Agenda;
use switch::{Call, MACHINE_TALK, Reach};

use super::measure::{Measure, Optimum, Truth, mean_seconds};
use super::scenario::{AgentsScenario, GroupScenario, InvalidScenario, Scenario};
use super::{Policy, Report, Watcher};
use crate::draws::Purpose;
use crate::world::World;

/// Monday, 2026-01-05T00:00:00Z: scenarios have no other date.
const FIRST_MIDNIGHT: i64 = 1_767_571_200_000_000;
const DAY: Duration = Duration::from_secs(86_400);
/// Length of the message for people whom no agent is free for.
const MESSAGE: f64 = 6.0;
/// How often a switch is asked which calls are up, which finds ends that were never told.
const RECONCILE: f64 = 30.0;
/// How long an engine that was killed is away.
const RESTART: f64 = 5.0;
/// Nobody comes later than so many seconds after their shift began.
const LAST_COMES: f64 = 300.0;
/// One handled input in so many is timed.
const TIMED: u64 = 64;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Rings(AttemptId),
    Answers(AttemptId),
    Heard(AttemptId),
    Decided(AttemptId),
    Silence(AttemptId),
    Signal(AttemptId),
    Impatient(AttemptId),
    TalkEnds(AttemptId),
    EndFound(AttemptId),
    MessageEnds(AttemptId),
    /// In which life of the engine the wrap-up began: none outlives it.
    Wrapped(AgentId, u64),
    Comes(AgentId),
    Leaves(AgentId),
    Breaks(AgentId),
    Returns(AgentId),
    Dies,
    Lives,
    DayEnds,
    Wakes,
}

struct Group {
    scenario: GroupScenario,
    /// By place among the campaigns.
    campaign: usize,
    population: String,
    world: World,
    /// What the optimum has to know of its people.
    reach: Reach,
    /// Means of its population.
    talk_seconds: f64,
    wrap_seconds: f64,
    next_contact: u64,
    /// People on the list whom the engine does not have yet, and whom it has and has not dialled yet.
    left: u64,
    taken: u64,
}

impl Group {
    fn has_run_out(&self) -> bool {
        self.scenario.list > 0 && self.left == 0 && self.taken == 0
    }
}

/// Where an agent is by their shift, whatever the engine knows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Presence {
    Away,
    AtWork,
    OnBreak,
}

struct Agent {
    shift: usize,
    presence: Presence,
    /// As the engine has it, and since when.
    state: AgentState,
    since: Time,
}

pub(super) struct Floor<'a> {
    scenario: &'a Scenario,
    policy: Policy,
    watcher: &'a mut dyn Watcher,
    engine: Engine,
    is_up: bool,
    life: u64,
    now: Time,
    day: u32,
    agenda: Agenda<Due>,
    next_wake: Option<Time>,
    groups: Vec<Group>,
    /// Where everybody lives.
    zones: Arc<ZoneSet>,
    shifts: Vec<AgentsScenario>,
    /// Whether the day's work is under way.
    is_open: bool,
    agents: FxHashMap<AgentId, Agent>,
    calls: FxHashMap<AttemptId, Call>,
    /// Calls that are over and whose end the engine has not booked yet.
    over: FxHashMap<AttemptId, Truth>,
    inbox: VecDeque<Input>,
    measure: Measure,
}

fn group_id(index: usize) -> GroupId {
    GroupId(Uuid::from_u128(0x6000 + index as u128))
}

fn group_index(id: GroupId) -> usize {
    (id.0.as_u128() - 0x6000) as usize
}

fn skill_id(index: usize) -> SkillId {
    SkillId(Uuid::from_u128(0x5000 + index as u128))
}

impl<'a> Floor<'a> {
    pub fn new(
        scenario: &'a Scenario,
        policy: &Policy,
        watcher: &'a mut dyn Watcher,
    ) -> Result<Self, InvalidScenario> {
        let populations = scenario.populations();
        let first = populations.keys().next().cloned().unwrap_or_default();
        let mut groups = Vec::new();
        let mut campaigns: Vec<Option<String>> = Vec::new();
        for (index, group) in scenario.groups().into_iter().enumerate() {
            let campaign = campaigns.iter().position(|known| *known == group.campaign);
            let campaign = campaign.unwrap_or_else(|| {
                campaigns.push(group.campaign.clone());
                campaigns.len() - 1
            });
            let name = group.population.clone().unwrap_or_else(|| first.clone());
            let people = populations.get(&name).cloned().unwrap_or_default();
            let seed = scenario.seed.wrapping_mul(1000).wrapping_add(index as u64);
            let world = World::new(seed, people)
                .map_err(|reason| InvalidScenario::Population { name: name.clone(), reason })?;
            let reach = Reach::of(world.population(), &group, &scenario.detection);
            let people = world.population();
            let (talk_seconds, wrap_seconds) = (mean_seconds(&people.talk), mean_seconds(&people.wrap));
            groups.push(Group {
                scenario: group,
                campaign,
                population: name,
                world,
                reach,
                talk_seconds,
                wrap_seconds,
                next_contact: 0,
                left: 0,
                taken: 0,
            });
        }
        let of_groups = groups.iter().map(|group: &Group| (group.scenario.name.clone(), group.campaign));
        let measure = Measure::new(scenario.hours, of_groups);
        let mut floor = Self {
            scenario,
            policy: *policy,
            watcher,
            engine: Engine::new(scenario.seed),
            is_up: true,
            life: 0,
            now: Time::from_micros(FIRST_MIDNIGHT)
                + Duration::from_secs(u64::from(scenario.start_hour) * 3600),
            day: 0,
            agenda: Agenda::new(),
            next_wake: None,
            groups,
            zones: Arc::new(ZoneSet::one(Zone::utc())),
            shifts: scenario.shifts(),
            is_open: false,
            agents: FxHashMap::default(),
            calls: FxHashMap::default(),
            over: FxHashMap::default(),
            inbox: VecDeque::new(),
            measure,
        };
        floor.boot();
        Ok(floor)
    }

    /// Notes it if nobody is left to dial.
    fn look_at_the_lists(&mut self) {
        if self.groups.iter().all(Group::has_run_out) {
            self.measure.lists_ran_out(self.now);
        }
    }

    fn cap(&self) -> f64 {
        self.scenario.cap_percent / 100.0
    }

    /// Starts an engine with what a database would hold: the definitions and the counts.
    fn boot(&mut self) {
        let day = Duration::from_secs_f64(self.scenario.hours * 3600.0);
        self.life += 1;
        self.engine = Engine::with_policies(
            self.scenario.seed.wrapping_add(self.life << 32),
            self.policy.maker(self.cap(), day),
        );
        self.is_up = true;
        for index in 0..self.groups.len() {
            // Whom the engine had taken and not dialled goes with it.
            self.groups[index].taken = 0;
            let definition = self.definition(index);
            self.give(Input::Command(Command::PutGroup(Box::new(definition))));
        }
        let mut next = 0;
        for (shift_index, shift) in self.shifts.clone().iter().enumerate() {
            let skills: Vec<_> = (0..self.groups.len())
                .filter(|group| {
                    shift.groups.is_empty() || shift.groups.contains(&self.groups[*group].scenario.name)
                })
                .map(|group| (skill_id(group), 50))
                .collect();
            for _ in 0..shift.count {
                let agent = AgentId(Uuid::from_u128(0xa000 + next));
                next += 1;
                let (presence, state, since) = (Presence::Away, AgentState::LoggedOut, self.now);
                self.agents.entry(agent).or_insert(Agent { shift: shift_index, presence, state, since });
                let definition = AgentDefinition { agent, skills: skills.clone(), needs_line: false };
                self.give(Input::Command(Command::PutAgent(definition)));
            }
        }
    }

    /// What a database would hold of the calls that people of the group's campaign answered.
    fn answered(&self, group: &Group) -> AnsweredCalls {
        let booked = self.measure.booked(group.campaign).iter();
        let slots: Vec<SlotCount> = booked
            .map(|(start, (answered, abandoned))| SlotCount {
                start: *start,
                answered: *answered as u32,
                abandoned: *abandoned as u32,
            })
            .collect();
        AnsweredCalls { since: slots.first().map(|slot| slot.start), slots }
    }

    fn definition(&self, index: usize) -> GroupDefinition {
        let group = &self.groups[index].scenario;
        let detection = self.scenario.detection;
        let settings = GroupSettings {
            dial_mode: self.policy.dial_mode(),
            weight: group.weight,
            lines_max: group.lines_max,
            calls_per_second_max: group.calls_per_second_max,
            ring_timeout_seconds: group.ring_timeout_seconds,
            wrap_up_seconds_max: 0,
            predictive: PredictiveSettings {
                abandon_cap_percent: self.scenario.cap_percent,
                cap_share_used: self.scenario.cap_share_used,
                optimize_by: self.scenario.optimize_by,
                goal: self.scenario.goal,
                ring_age_conditioning: self.scenario.ring_age_conditioning,
                withdraw_when_short: self.scenario.withdraw_when_short,
                machine_false_positive_percent: detection.false_machine_percent,
            },
            ..GroupSettings::default()
        };
        let mut rules = CampaignRules::plain(CallingHours::always(), 100);
        rules.detection.off_from_attempt = (!detection.enabled).then_some(1);
        GroupDefinition {
            group: group_id(index),
            campaign: CampaignId(Uuid::from_u128(0xc000 + self.groups[index].campaign as u128)),
            skill: skill_id(index),
            settings,
            rules: Arc::new(rules),
            state: GroupState::Active,
            answered: self.answered(&self.groups[index]),
        }
    }

    pub fn run(mut self) -> Report {
        let began = self.watcher.seconds();
        for day in 0..self.scenario.days {
            self.day = day;
            self.begin_day();
            self.until_night();
            self.watcher.progress(f64::from(day + 1) / f64::from(self.scenario.days));
        }
        let seconds = self.watcher.seconds() - began;
        let mean =
            |of: &dyn Fn(&Group) -> f64| self.groups.iter().map(of).sum::<f64>() / self.groups.len() as f64;
        let ring = mean(&|group| group.reach.ring_seconds);
        let handle = mean(&|group| group.talk_seconds + group.wrap_seconds);
        let cap = self.cap();
        let optimum = Optimum::new(cap, ring, handle);
        self.measure.report(self.policy.name(), cap, &optimum, seconds)
    }

    fn begin_day(&mut self) {
        let morning = Duration::from_secs(u64::from(self.scenario.start_hour) * 3600);
        self.now = Time::from_micros(FIRST_MIDNIGHT) + DAY * self.day + morning;
        self.measure.day_begins(self.now);
        self.is_open = true;
        for index in 0..self.groups.len() {
            self.groups[index].left = self.groups[index].scenario.list;
            self.groups[index].taken = 0;
            self.act(index, GroupAction::Start);
            self.give(Input::MoreContacts { group: group_id(index) });
        }
        let mut agents: Vec<_> = self.agents.iter().map(|(id, agent)| (*id, agent.shift)).collect();
        agents.sort_unstable();
        let mut places: FxHashMap<usize, f64> = FxHashMap::default();
        for (agent, shift) in agents {
            let place = places.entry(shift).or_default();
            let nth = *place;
            *place += 1.0;
            let shift = self.shifts[shift].clone();
            let until = shift.until.unwrap_or(self.scenario.hours).min(self.scenario.hours);
            // People come one after the other, a second apart, and all in the first half of their shift.
            let later = nth.min(LAST_COMES).min((until - shift.from) * 1800.0);
            self.at(shift.from * 3600.0 + later, Due::Comes(agent));
            // Who works to the end takes the calls that still ring when dialling stops.
            let stays = if until < self.scenario.hours { 0.0 } else { self.last_lines_seconds() };
            self.at(until * 3600.0 + stays, Due::Leaves(agent));
            for pause in &shift.breaks {
                let at = pause.at * 3600.0 + nth * pause.stagger_seconds;
                self.at(at, Due::Breaks(agent));
                self.at(at + pause.minutes * 60.0, Due::Returns(agent));
            }
        }
        for at in self.scenario.faults.restart_at.clone() {
            self.at(at * 3600.0, Due::Dies);
        }
        self.at(self.scenario.hours * 3600.0, Due::DayEnds);
    }

    /// How long a line may ring and wait after dialling has stopped.
    fn last_lines_seconds(&self) -> f64 {
        let rings = self.groups.iter().map(|group| f64::from(group.scenario.ring_timeout_seconds));
        rings.fold(0.0, f64::max) + self.scenario.detection.seconds + CONNECT_WITHIN.as_secs_f64()
    }

    fn until_night(&mut self) {
        let midnight = self.now + DAY - Duration::from_secs(60);
        while let Some((at, due)) = self.agenda.next() {
            self.now = self.now.max(at.min(midnight));
            self.happen(due);
        }
    }

    fn at(&mut self, seconds: f64, due: Due) {
        let at = self.now + Duration::from_micros((seconds.max(0.0) * 1e6) as u64);
        self.agenda.add(at, due);
    }

    fn act(&mut self, group: usize, action: GroupAction) {
        let (group, actor) = (group_id(group), Actor::Client);
        self.give(Input::Command(Command::Act { group, action, dial_mode: None, actor, reply: 1 }));
    }

    /// Hands the engine an input and does what it asks for, until nothing is left to do at this instant.
    fn give(&mut self, input: Input) {
        self.inbox.push_back(input);
        while let Some(input) = self.inbox.pop_front() {
            if !self.is_up {
                continue;
            }
            self.measure.inputs += 1;
            let timed = self.measure.inputs.is_multiple_of(TIMED);
            let before = if timed { self.watcher.seconds() } else { 0.0 };
            self.engine.handle(self.now, input);
            if timed {
                let micros = (self.watcher.seconds() - before) * 1e6;
                self.measure.decisions.push(micros as f32);
            }
            while let Some(output) = self.engine.poll() {
                self.take(output);
            }
        }
        let wake = self.engine.next_wake().map(|(at, _)| at);
        if let Some(at) = wake
            && self.is_up
            && self.next_wake.is_none_or(|known| at < known || known < self.now)
        {
            self.next_wake = Some(at);
            self.agenda.add(at, Due::Wakes);
        }
    }

    fn call(&mut self, attempt: AttemptId, event: CallEvent) {
        self.inbox.push_back(Input::Call { attempt, event });
    }

    fn tell(&mut self, attempt: AttemptId, event: CallEvent) {
        self.give(Input::Call { attempt, event });
    }

    fn take(&mut self, output: Output) {
        match output {
            Output::Persist(set) => {
                for change in &set.changes {
                    self.watch(change);
                }
                self.inbox.push_back(Input::Stored { ticket: set.ticket });
            }
            Output::Fetch { group, fence, wanted, .. } => self.fetch(group, fence, wanted),
            Output::Dial(request) => {
                self.dial(
                    request.attempt,
                    group_index(request.group),
                    request.number,
                    request.attempt_number,
                );
            }
            Output::HangUp(attempt) => {
                if self.calls.contains_key(&attempt) {
                    self.end(attempt, CallEnd::ByUs);
                }
            }
            Output::Connect { attempt, agent } => self.connect(attempt, agent),
            Output::Play { attempt, .. } => self.at(MESSAGE, Due::MessageEnds(attempt)),
            Output::RunHook(_)
            | Output::Tell { .. }
            | Output::Answer { .. }
            | Output::AtRest(_)
            | Output::OpenLine(_)
            | Output::CloseLine(_)
            | Output::Consult { .. }
            | Output::Control { .. }
            | Output::Record { .. }
            | Output::Announce { .. } => {}
        }
    }

    fn watch(&mut self, change: &Change) {
        match change {
            Change::AgentChanged(changed) => {
                let attempt = changed.attempt;
                if let Some(agent) = self.agents.get_mut(&changed.agent) {
                    self.measure.agent_was(agent.state, agent.since, changed.at);
                    (agent.state, agent.since) = (changed.state, changed.at);
                }
                if changed.state == AgentState::WrapUp
                    && let Some(attempt) = attempt
                {
                    self.wrap_up(changed.agent, attempt);
                }
            }
            Change::AttemptEnded(ended) => {
                let truth = match self.calls.get_mut(&ended.attempt) {
                    Some(call) => {
                        call.is_booked = true;
                        call.truth()
                    }
                    None => self.over.remove(&ended.attempt).unwrap_or(Truth::NoPerson),
                };
                let group = group_index(ended.group);
                self.measure.ended(ended.at, group, ended.result, truth);
                if ended.connected_at.is_some() {
                    let group = &self.groups[group];
                    let talk = if truth == Truth::NoPerson { MACHINE_TALK } else { group.talk_seconds };
                    self.measure.handled(ended.at, talk + group.wrap_seconds);
                }
            }
            _ => {}
        }
    }

    fn wrap_up(&mut self, agent: AgentId, attempt: AttemptId) {
        if let Some(call) = self.calls.get_mut(&attempt)
            && call.agent == Some(agent)
        {
            let wrap = call.outcome.wrap.as_secs_f64();
            call.agent = None;
            self.at(wrap, Due::Wrapped(agent, self.life));
        }
    }

    fn flush(&mut self) {
        self.give(Input::Woken);
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::Rings(attempt) if self.calls.contains_key(&attempt) => {
                self.tell(attempt, CallEvent::Ringing)
            }
            Due::Answers(attempt) => self.answers(attempt),
            Due::Heard(attempt) => self.heard(attempt),
            Due::Decided(attempt) => self.decided(attempt),
            Due::Silence(attempt) | Due::Signal(attempt) | Due::TalkEnds(attempt) => {
                if self.chance(attempt, Purpose::LostEnd, self.scenario.faults.lost_end_percent) {
                    self.at(RECONCILE, Due::EndFound(attempt));
                } else {
                    self.over(attempt);
                }
            }
            Due::Impatient(attempt) => {
                if self.calls.get(&attempt).is_some_and(|call| !call.is_connected()) {
                    self.heard(attempt);
                    self.end(attempt, CallEnd::ByCalledParty);
                    self.flush();
                }
            }
            Due::EndFound(attempt) => self.over(attempt),
            Due::MessageEnds(attempt) if self.calls.contains_key(&attempt) => {
                self.tell(attempt, CallEvent::MessageEnded);
            }
            Due::Wrapped(agent, life) => {
                let (disposition, notes, callback_at) = (None, None, None);
                let event = AgentEvent::Dispose { disposition, notes, callback_at, callback_is_mine: false };
                if life == self.life {
                    self.give(Input::Agent { agent, event });
                }
            }
            Due::Comes(agent) => self.moves(agent, Presence::Away, Presence::AtWork),
            Due::Leaves(agent) => {
                self.moves(agent, Presence::AtWork, Presence::Away);
                self.moves(agent, Presence::OnBreak, Presence::Away);
            }
            Due::Breaks(agent) => self.moves(agent, Presence::AtWork, Presence::OnBreak),
            Due::Returns(agent) => self.moves(agent, Presence::OnBreak, Presence::AtWork),
            Due::Dies => self.die(),
            Due::Lives => self.live(),
            Due::DayEnds => {
                self.is_open = false;
                for index in 0..self.groups.len() {
                    self.act(index, GroupAction::Stop);
                }
            }
            Due::Wakes => {
                if self.next_wake.is_some_and(|at| at <= self.now) {
                    self.next_wake = None;
                    self.flush();
                }
            }
            Due::Rings(_) | Due::MessageEnds(_) => {}
        }
    }

    /// An agent goes from one place to another, and the engine hears of it if it is up.
    fn moves(&mut self, agent: AgentId, from: Presence, to: Presence) {
        let Some(known) = self.agents.get_mut(&agent).filter(|known| known.presence == from) else { return };
        known.presence = to;
        let events = match (from, to) {
            (_, Presence::Away) => vec![AgentEvent::LogOut],
            (_, Presence::OnBreak) => vec![AgentEvent::NotReady { reason: Some("break".to_owned()) }],
            (Presence::Away, Presence::AtWork) => vec![AgentEvent::LogIn, AgentEvent::Ready],
            (_, Presence::AtWork) => vec![AgentEvent::Ready],
        };
        for event in events {
            self.give(Input::Agent { agent, event });
        }
    }

    /// The engine is killed: calls end, agents are thrown out.
    fn die(&mut self) {
        if !self.is_up {
            return;
        }
        let mut calls: Vec<AttemptId> = self.calls.keys().copied().collect();
        calls.sort_unstable();
        for attempt in calls {
            let Some(call) = self.calls.remove(&attempt).filter(|call| !call.is_booked) else { continue };
            // Recovery settles what was up: a person who had answered and had no agent counts as abandoned.
            let truth = call.truth();
            let result = match truth {
                Truth::Abandoned => CallResult::Dropped,
                Truth::Connected { .. } => CallResult::Answer,
                Truth::NoPerson => CallResult::SystemError,
            };
            self.measure.ended(self.now, call.group, result, truth);
        }
        self.is_up = false;
        self.inbox.clear();
        self.over.clear();
        for agent in self.agents.values_mut() {
            self.measure.agent_was(agent.state, agent.since, self.now);
            (agent.state, agent.since) = (AgentState::LoggedOut, self.now);
        }
        self.at(RESTART, Due::Lives);
    }

    /// It is back. Who should be at work logs in again, and who is on a break does so without taking calls.
    fn live(&mut self) {
        self.next_wake = None;
        self.boot();
        self.look_at_the_lists();
        if self.is_open {
            for index in 0..self.groups.len() {
                self.act(index, GroupAction::Start);
            }
        }
        let mut agents: Vec<_> = self.agents.iter().map(|(id, agent)| (*id, agent.presence)).collect();
        agents.sort_unstable_by_key(|(id, _)| *id);
        for (agent, presence) in agents {
            if presence != Presence::Away {
                self.give(Input::Agent { agent, event: AgentEvent::LogIn });
            }
            if presence == Presence::AtWork {
                self.give(Input::Agent { agent, event: AgentEvent::Ready });
            }
        }
    }
}
