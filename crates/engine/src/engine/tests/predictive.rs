//! Predictive dialling on a small model of a floor: people who answer or not, talk and wrap-up of random length.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use super::*;
use crate::pacing::WindowCount;

/// What is to happen on the floor.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Due {
    Ring(AttemptId),
    Answer(AttemptId),
    Unanswered(AttemptId),
    PartnerHangsUp(AttemptId),
    Wrapped(AgentId),
    EngineWakes,
}

/// A floor that runs by itself, faster than time.
pub struct Model {
    engine: Engine,
    rng: Pcg64Mcg,
    now: Time,
    due: BinaryHeap<Reverse<(Time, u64, Due)>>,
    order: u64,
    answer_chance: f64,
    next_contact: u64,
    agents: BTreeMap<AgentId, (AgentState, Time)>,
    /// Seconds in which agents talked or wrapped up, and in which they were at work.
    productive: f64,
    at_work: f64,
    pub answered: WindowCount,
    talking: BTreeMap<AttemptId, AgentId>,
    over: bool,
    inbox: std::collections::VecDeque<Input>,
}

impl Model {
    pub fn new(agents: u128, answer_chance: f64, settings: GroupSettings, seed: u64) -> Self {
        let mut model = Self {
            engine: Engine::new(seed),
            rng: Pcg64Mcg::seed_from_u64(seed),
            now: START,
            due: BinaryHeap::new(),
            order: 0,
            answer_chance,
            next_contact: 0,
            agents: BTreeMap::new(),
            productive: 0.0,
            at_work: 0.0,
            answered: WindowCount::default(),
            talking: BTreeMap::new(),
            over: false,
            inbox: Default::default(),
        };
        let definition = GroupDefinition {
            group: group_id(1),
            campaign: CampaignId(Uuid::from_u128(0xc001)),
            skill: skill_id(1),
            settings,
            rules: rules(),
            state: GroupState::Active,
            answered: AnsweredCalls::default(),
        };
        model.input(Input::Command(Command::PutGroup(Box::new(definition))));
        for index in 0..agents {
            let agent = agent_id(index);
            let definition = AgentDefinition { agent, skills: vec![(skill_id(1), 50)], needs_line: false };
            model.input(Input::Command(Command::PutAgent(definition)));
            for event in [AgentEvent::LogIn, AgentEvent::Ready] {
                model.input(Input::Agent { agent, event });
            }
        }
        let (group, action, actor) = (group_id(1), GroupAction::Start, Actor::Client);
        model.input(Input::Command(Command::Act { group, action, dial_mode: None, actor, reply: 1 }));
        model
    }

    pub fn utilisation(&self) -> f64 {
        self.productive / self.at_work
    }

    pub fn set_answer_chance(&mut self, chance: f64) {
        self.answer_chance = chance;
    }

    pub fn agent(&mut self, index: u128, event: AgentEvent) {
        self.input(Input::Agent { agent: agent_id(index), event });
    }

    fn at(&mut self, seconds: f64, due: Due) {
        self.order += 1;
        let at = self.now + Duration::from_micros((seconds * 1e6) as u64);
        self.due.push(Reverse((at, self.order, due)));
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -mean * libm::log(1.0 - self.rng.random::<f64>())
    }

    fn lognormal(&mut self, mean: f64, variation: f64) -> f64 {
        let variance = libm::log1p(variation * variation);
        let (first, second): (f64, f64) = (self.rng.random(), self.rng.random());
        let normal =
            libm::sqrt(-2.0 * libm::log(1.0 - first)) * libm::cos(2.0 * std::f64::consts::PI * second);
        mean * libm::exp(libm::sqrt(variance) * normal - variance / 2.0)
    }

    fn input(&mut self, input: Input) {
        self.inbox.push_back(input);
        while let Some(input) = self.inbox.pop_front() {
            self.engine.handle(self.now, input);
            while let Some(output) = self.engine.poll() {
                self.take(output);
            }
        }
    }

    fn call(&mut self, attempt: AttemptId, event: CallEvent) {
        self.inbox.push_back(Input::Call { attempt, event });
    }

    fn take(&mut self, output: Output) {
        match output {
            Output::Persist(set) => {
                for change in &set.changes {
                    self.watch(change);
                }
                self.inbox.push_back(Input::Stored { ticket: set.ticket });
            }
            Output::Fetch { group, fence, wanted, .. } => {
                let contacts = (0..wanted)
                    .map(|_| {
                        self.next_contact += 1;
                        contact(self.next_contact)
                    })
                    .collect();
                let supply = Supply { any_left: true, next_due: None };
                self.inbox.push_back(Input::Contacts { group, fence, contacts, supply });
            }
            Output::Dial(request) => {
                self.at(0.2, Due::Ring(request.attempt));
                let answers = self.rng.random::<f64>() < self.answer_chance;
                if answers {
                    let ring = 2.0 + self.exponential(4.0) + self.exponential(4.0);
                    self.at(ring.min(23.9), Due::Answer(request.attempt));
                } else {
                    self.at(24.0, Due::Unanswered(request.attempt));
                }
            }
            Output::HangUp(attempt) => {
                if !self.over {
                    self.talking.remove(&attempt);
                    self.call(attempt, CallEvent::Ended(CallEnd::ByUs));
                }
            }
            Output::Connect { attempt, agent } => {
                self.call(attempt, CallEvent::Connected);
                self.talking.insert(attempt, agent);
                let talk = self.lognormal(100.0, 1.0);
                self.at(talk, Due::PartnerHangsUp(attempt));
            }
            Output::Play { attempt, .. } => self.call(attempt, CallEvent::MessageEnded),
            Output::Tell { agent, notice: AgentNotice::CallEnded { wrap_up_until: Some(_), .. } } => {
                let wrap = self.lognormal(20.0, 0.5);
                self.at(wrap, Due::Wrapped(agent));
            }
            Output::Tell { .. }
            | Output::Answer { .. }
            | Output::AtRest(_)
            | Output::OpenLine(_)
            | Output::CloseLine(_)
            | Output::Control { .. }
            | Output::Record { .. }
            | Output::Announce { .. }
            | Output::Consult { .. }
            | Output::RunHook(_) => {}
        }
    }

    fn watch(&mut self, change: &Change) {
        match change {
            Change::AgentChanged(changed) => {
                let before = self.agents.insert(changed.agent, (changed.state, changed.at));
                if let Some((state, since)) = before {
                    self.count(state, since, changed.at);
                }
            }
            Change::AttemptEnded(ended) if ended.result.answered_by_person() => {
                self.answered.answered += 1;
                self.answered.abandoned += u64::from(ended.result.is_abandonment());
            }
            _ => {}
        }
    }

    fn count(&mut self, state: AgentState, since: Time, until: Time) {
        let seconds = until.since(since).as_secs_f64();
        match state {
            AgentState::OnCall | AgentState::WrapUp => {
                self.productive += seconds;
                self.at_work += seconds;
            }
            AgentState::Ready | AgentState::Reserved | AgentState::Preview => self.at_work += seconds,
            AgentState::NotReady | AgentState::LoggedOut => {}
        }
    }

    /// Lets so much time pass.
    pub fn run(&mut self, span: Duration) {
        let end = self.now + span;
        while self.now < end {
            if let Some((at, _)) = self.engine.next_wake() {
                let next = self.due.peek().map(|Reverse((at, ..))| *at);
                if next.is_none_or(|next| at < next) {
                    self.order += 1;
                    self.due.push(Reverse((at, self.order, Due::EngineWakes)));
                }
            }
            let Some(Reverse((at, _, due))) = self.due.pop() else { return };
            self.now = self.now.max(at);
            self.happen(due);
        }
    }

    fn happen(&mut self, due: Due) {
        let call = |attempt, event| Input::Call { attempt, event };
        match due {
            Due::Ring(attempt) => self.input(call(attempt, CallEvent::Ringing)),
            Due::Answer(attempt) => {
                self.input(call(attempt, CallEvent::Answered));
                self.input(call(attempt, CallEvent::Detected(Detected::Person)));
            }
            Due::Unanswered(attempt) => {
                let end = CallEnd::NotAnswered(CallResult::NoAnswer);
                self.input(call(attempt, CallEvent::Ended(end)));
            }
            Due::PartnerHangsUp(attempt) => {
                if self.talking.remove(&attempt).is_some() {
                    self.input(call(attempt, CallEvent::Ended(CallEnd::ByCalledParty)));
                }
            }
            Due::Wrapped(agent) => {
                let event = AgentEvent::Dispose {
                    disposition: Some("sale".into()),
                    notes: None,
                    callback_at: None,
                    callback_is_mine: false,
                };
                self.input(Input::Agent { agent, event });
            }
            Due::EngineWakes => self.input(Input::Woken),
        }
    }
}

fn predictive() -> GroupSettings {
    GroupSettings { dial_mode: DialMode::Predictive, lines_max: 5000, ..GroupSettings::default() }
}

const DAY: Duration = Duration::from_secs(8 * 3600);

#[test]
fn predictive_dialling_keeps_agents_busier_than_progressive_and_the_cap_in_every_day() {
    for agents in [5, 20] {
        let progressive = GroupSettings { dial_mode: DialMode::Progressive, ..predictive() };
        let mut usual = Model::new(agents, 0.25, progressive, 1);
        usual.run(DAY / 2);
        assert_eq!(usual.answered.abandoned, 0, "progressive dialling abandons nobody by itself");
        for seed in 0..2 {
            let mut model = Model::new(agents, 0.25, predictive(), seed);
            model.run(DAY);
            assert!(model.answered.rate() <= 0.03, "{agents} agents: {:?}", model.answered);
            let gain = model.utilisation() - usual.utilisation();
            assert!(gain > 0.08, "{agents} agents: {} over {}", model.utilisation(), usual.utilisation());
        }
    }
}

#[test]
fn a_jump_in_answers_is_noticed_before_it_breaks_the_day() {
    let mut model = Model::new(20, 0.10, predictive(), 3);
    model.run(DAY / 4);
    model.set_answer_chance(0.35);
    model.run(DAY / 4);
    model.set_answer_chance(0.15);
    model.run(DAY / 2);
    assert!(model.answered.rate() <= 0.03, "{:?}", model.answered);
}

#[test]
fn when_every_agent_leaves_no_further_call_is_placed() {
    let mut model = Model::new(10, 0.25, predictive(), 4);
    model.run(DAY / 8);
    for agent in 0..10 {
        model.agent(agent, AgentEvent::NotReady { reason: None });
    }
    model.run(Duration::from_secs(600));
    let before = model.engine.calls.len();
    assert_eq!(before, 0, "calls go on without agents");
}

#[test]
fn an_overdrawn_budget_leaves_progressive_dialling() {
    let mut model = Model::new(10, 0.25, predictive(), 5);
    let budget = model.engine.budgets.values_mut().next().unwrap();
    for n in 0..1000 {
        budget.count(START, n < 60);
    }
    model.run(DAY / 8);
    assert_eq!(model.answered.abandoned, 0, "{:?}", model.answered);
    assert!(model.answered.answered > 50);
}

#[test]
fn a_goal_below_the_cap_keeps_agents_less_busy() {
    let utilisation = |settings: GroupSettings| {
        let mut model = Model::new(20, 0.25, settings, 6);
        model.run(DAY / 2);
        (model.utilisation(), model.answered.rate())
    };
    let (free, _) = utilisation(predictive());
    let mut settings = predictive();
    settings.predictive.optimize_by = crate::settings::OptimizeBy::AgentBusyFactor;
    settings.predictive.goal = 75.0;
    let (held, rate) = utilisation(settings);
    assert!(held < free - 0.03, "{held} against {free}");
    assert!(rate < 0.02, "{rate}");
}
