//! How fast decisions are: events a second through one group with 1,000 agents, and one pacing decision at 5,000.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::{
    Actor, AgentDefinition, AgentEvent, AgentId, AttemptId, BucketId, CallEnd, CallEvent, CallResult,
    CallingHours, CampaignId, CampaignRules, Command, ContactId, Detected, DialMode, Engine, GroupAction,
    GroupDefinition, GroupId, GroupSettings, GroupState, HopperContact, Input, Output, Phone, PhoneKind,
    PhoneNumber, PhoneStatus, Rank, SkillId, Supply, Time,
};
use serde_json::{Value, json};
use uuid::Uuid;

/// Inputs that the throughput bench hands in.
const EVENTS: u64 = 2_000_000;

/// Measures both.
pub fn run() -> Vec<Value> {
    let mut floor = Floor::new(1000);
    let started = Instant::now();
    while floor.inputs < EVENTS {
        floor.step();
    }
    let per_second = floor.inputs as f64 / started.elapsed().as_secs_f64();
    vec![
        json!({"bench": "engine", "what": "events through one group, 1000 agents", "db": null,
               "value": per_second.round(), "unit": "events/s", "dials": floor.dials}),
        json!({"bench": "engine", "what": "one look at what to dial, 5000 agents", "db": null,
               "value": decision_micros(5000), "unit": "µs"}),
    ]
}

/// The mean time of an input that leads to nothing but the decision whether to dial.
fn decision_micros(agents: u128) -> f64 {
    let mut floor = Floor::new(agents);
    for _ in 0..200_000 {
        floor.step();
    }
    const LOOKS: u32 = 100_000;
    let started = Instant::now();
    for _ in 0..LOOKS {
        floor.engine.handle(floor.now, Input::Woken);
        while floor.engine.poll().is_some() {}
    }
    started.elapsed().as_secs_f64() * 1e6 / f64::from(LOOKS)
}

/// A group whose store and switch answer at once.
struct Floor {
    engine: Engine,
    now: Time,
    todo: VecDeque<Input>,
    next_contact: u64,
    inputs: u64,
    dials: u64,
}

impl Floor {
    fn new(agents: u128) -> Self {
        let (group, skill) = (GroupId(Uuid::from_u128(1)), SkillId(Uuid::from_u128(2)));
        let mut floor = Self {
            engine: Engine::new(1),
            now: Time::from_micros(1_790_000_000_000_000),
            todo: VecDeque::new(),
            next_contact: 0,
            inputs: 0,
            dials: 0,
        };
        let settings = GroupSettings {
            dial_mode: DialMode::Power,
            lines_per_agent: 2.0,
            lines_max: 100_000,
            calls_per_second_max: 10_000,
            ..GroupSettings::default()
        };
        let rules = CampaignRules::plain(CallingHours::always(), 10);
        let definition = GroupDefinition {
            group,
            campaign: CampaignId(Uuid::from_u128(3)),
            skill,
            settings,
            rules: Arc::new(rules),
            state: GroupState::Active,
            answered: engine::AnsweredCalls::default(),
        };
        floor.input(Input::Command(Command::PutGroup(Box::new(definition))));
        for agent in 0..agents {
            let agent = AgentId(Uuid::from_u128(1000 + agent));
            let definition = AgentDefinition { agent, skills: vec![(skill, 50)], needs_line: false };
            floor.input(Input::Command(Command::PutAgent(definition)));
            floor.input(Input::Agent { agent, event: AgentEvent::LogIn });
            floor.input(Input::Agent { agent, event: AgentEvent::Ready });
        }
        let (action, actor) = (GroupAction::Start, Actor::Client);
        floor.input(Input::Command(Command::Act { group, action, dial_mode: None, actor, reply: 1 }));
        floor
    }

    fn step(&mut self) {
        match self.todo.pop_front() {
            Some(input) => self.input(input),
            None => {
                self.now = self.now + Duration::from_millis(100);
                self.input(Input::Woken);
            }
        }
    }

    fn input(&mut self, input: Input) {
        self.inputs += 1;
        self.now = self.now + Duration::from_micros(50);
        self.engine.handle(self.now, input);
        while let Some(output) = self.engine.poll() {
            self.answer(output);
        }
    }

    fn answer(&mut self, output: Output) {
        match output {
            Output::Persist(set) => self.todo.push_back(Input::Stored { ticket: set.ticket }),
            Output::Fetch { group, fence, wanted, .. } => {
                let contacts = (0..wanted).map(|_| self.contact()).collect();
                let supply = Supply { any_left: true, next_due: None };
                self.todo.push_back(Input::Contacts { group, fence, contacts, supply });
            }
            Output::Dial(request) => self.ring(request.attempt),
            Output::HangUp(attempt) => self.call(attempt, CallEvent::Ended(CallEnd::ByUs)),
            Output::Connect { attempt, agent } => {
                self.call(attempt, CallEvent::Connected);
                self.call(attempt, CallEvent::Ended(CallEnd::ByCalledParty));
                let event = AgentEvent::Dispose {
                    disposition: None,
                    notes: None,
                    callback_at: None,
                    callback_is_mine: false,
                };
                self.todo.push_back(Input::Agent { agent, event });
            }
            Output::Play { attempt, .. } => self.call(attempt, CallEvent::MessageEnded),
            // No scripts are set.
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

    /// Every third call is answered by a person.
    fn ring(&mut self, attempt: AttemptId) {
        self.dials += 1;
        self.call(attempt, CallEvent::Ringing);
        if self.dials.is_multiple_of(3) {
            self.call(attempt, CallEvent::Answered);
            self.call(attempt, CallEvent::Detected(Detected::Person));
        } else {
            self.call(attempt, CallEvent::Ended(CallEnd::NotAnswered(CallResult::NoAnswer)));
        }
    }

    fn call(&mut self, attempt: AttemptId, event: CallEvent) {
        self.todo.push_back(Input::Call { attempt, event });
    }

    fn contact(&mut self) -> HopperContact {
        self.next_contact += 1;
        let number = PhoneNumber::from_digits(33_100_000_000 + self.next_contact % 900_000_000);
        let phone = number.ok().map(|number| Phone {
            position: 0,
            number,
            kind: PhoneKind::Unknown,
            status: PhoneStatus::Active,
            attempts: 0,
            attempts_max: None,
            caller_id: None,
            bucket: BucketId(1),
        });
        HopperContact {
            contact: ContactId(Uuid::from_u128(u128::from(self.next_contact))),
            source: engine::SourceId(Uuid::nil()),
            last_caller_id: None,
            rank: Rank(self.next_contact as i64),
            phones: phone.into_iter().collect(),
            phone: 0,
            zones: Arc::new(engine::ZoneSet::one(engine::Zone::utc())),
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
}
