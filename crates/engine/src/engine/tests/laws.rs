//! The machines under every order of events.

use proptest::prelude::*;

use super::answers::asking_about_everything;
use super::*;
use crate::detection::{AnswerAction, ScriptSaid};

/// Something that happens on the floor; indexes choose among what is there.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Store,
    Feed(u32, bool),
    Call(usize, CallEvent),
    /// Of the latest consultation, or an earlier one.
    Third(usize, u32, Result<(), PartyEnd>),
    /// Of a call that its agent left to somebody else.
    Left(usize, CallEvent),
    Agent(u128, AgentEvent),
    Line(u128, bool),
    NeedsLine(u128, bool),
    /// An agent's definition is gone, perhaps only for a moment.
    Remove(u128, bool),
    Act(u128, GroupAction, Option<DialMode>),
    Put(u128, DialMode, bool),
    /// The campaign of a group is given other suppression lists.
    Lists(u128, u128),
    Pass(u64),
    Lines(bool),
    Suppress(u64),
    Hook(HookVerdict),
    /// A question about who picked up is answered once more, perhaps long after.
    HookAgain(usize, HookVerdict),
    /// And one is never answered.
    HookNever,
    Fence(u128),
    LoseLease(u128),
}

pub(super) fn any_step() -> impl Strategy<Value = Step> {
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
        1 => Just(Detected::Unsure),
    ];
    let calls = prop_oneof![
        1 => Just(CallEvent::Ringing),
        2 => Just(CallEvent::Answered),
        3 => detected.prop_map(CallEvent::Detected),
        2 => Just(CallEvent::Connected),
        1 => Just(CallEvent::AgentFailed),
        1 => Just(CallEvent::MessageEnded),
        1 => Just(CallEvent::AgentLeft),
        1 => Just(CallEvent::MessageBegan),
        1 => Just(CallEvent::MessageFailed),
        2 => prop_oneof![Just('1'), Just('9'), Just('5')].prop_map(CallEvent::Digit),
        3 => ends.prop_map(CallEvent::Ended),
    ];
    let dispose = (0..4_usize, any::<bool>()).prop_map(|(which, agreed)| AgentEvent::Dispose {
        disposition: ["sale", "stop", "unheard_of"].get(which).map(|code| (*code).to_owned()),
        notes: None,
        callback_at: agreed.then_some(START),
        callback_is_mine: which % 2 == 0,
    });
    let agents = prop_oneof![
        1 => Just(AgentEvent::LogIn),
        1 => Just(AgentEvent::LogOut),
        4 => Just(AgentEvent::Ready),
        1 => Just(AgentEvent::NotReady { reason: None }),
        2 => Just(AgentEvent::AcceptPreview),
        1 => any::<bool>().prop_map(|says_why| AgentEvent::RejectPreview {
            reason: says_why.then(|| "known".to_owned()),
        }),
        3 => Just(AgentEvent::Next),
        1 => Just(AgentEvent::HangUp),
        2 => dispose,
        1 => Just(AgentEvent::ConnectionLost),
        1 => Just(AgentEvent::Control(CallControl::Hold)),
        3 => (0..=4_u128).prop_map(|whom| {
            let number = crate::PhoneNumber::from_digits(33_100_000_000).unwrap();
            let whom = match whom {
                4 => ThirdParty::Number(number),
                agent => ThirdParty::Agent(agent_id(agent)),
            };
            AgentEvent::Control(CallControl::Consult(whom))
        }),
        1 => Just(AgentEvent::Control(CallControl::Join)),
        1 => Just(AgentEvent::Control(CallControl::EndConsult)),
        1 => Just(AgentEvent::Control(CallControl::Transfer(None))),
        1 => (1..=3_u128).prop_map(|to| {
            AgentEvent::Control(CallControl::Transfer(Some(ThirdParty::Agent(agent_id(to)))))
        }),
        1 => Just(AgentEvent::Control(CallControl::Transfer(Some(ThirdParty::Skill(skill_id(1)))))),
    ];
    let parties = prop_oneof![
        2 => Just(Ok(())),
        1 => Just(Err(PartyEnd::Busy)),
        1 => Just(Err(PartyEnd::HungUp)),
    ];
    let left = prop_oneof![
        1 => Just(CallEvent::Transferred),
        1 => Just(CallEvent::TransferFailed(PartyEnd::NoAnswer)),
        1 => Just(CallEvent::Ended(CallEnd::ByCalledParty)),
    ];
    let actions = prop_oneof![
        1 => Just(GroupAction::Load),
        3 => Just(GroupAction::Start),
        1 => Just(GroupAction::Stop),
        1 => Just(GroupAction::SetDialMode),
        1 => Just(GroupAction::Unload),
        1 => Just(GroupAction::ForceUnload),
    ];
    let modes = prop_oneof![
        Just(DialMode::Preview),
        Just(DialMode::Progressive),
        Just(DialMode::Power),
        Just(DialMode::Predictive),
        Just(DialMode::PushPreview),
        Just(DialMode::Agentless)
    ]
    .boxed();
    let dial =
        (0..3_u8).prop_map(|phone| PreCallVerdict::Dial { phone: phone.checked_sub(1), caller_id: None });
    let pre_call = prop_oneof![
        6 => dial,
        1 => Just(PreCallVerdict::Skip { until: START }),
        1 => Just(PreCallVerdict::Close),
        1 => Just(PreCallVerdict::Treat(CallResult::Busy)),
    ];
    let before = (any::<bool>(), any::<bool>()).prop_map(|(result, retry)| EndingChanges {
        result: result.then_some(CallResult::NoAnswer),
        retry_at: retry.then_some(START),
        ..EndingChanges::default()
    });
    let after = prop_oneof![
        Just(None),
        Just(Some(NextStep::Final)),
        Just(Some(NextStep::Dial { at: START, phone: Some(0) })),
        Just(Some(NextStep::Callback { at: START, agent: None })),
    ];
    let message = MessageId(Uuid::from_u128(0x1ef7));
    let answer = prop_oneof![
        Just(None),
        Just(Some(AnswerAction::HangUp)),
        Just(Some(AnswerAction::Connect)),
        Just(Some(AnswerAction::LeaveMessage(None))),
        Just(Some(AnswerAction::LeaveMessage(Some(message)))),
    ]
    .prop_map(HookVerdict::Detected)
    .boxed();
    let verdicts = prop_oneof![
        2 => answer.clone(),
        1 => Just(HookVerdict::Failed),
        1 => Just(HookVerdict::TimedOut),
        4 => pre_call.prop_map(HookVerdict::PreCall),
        2 => before.prop_map(HookVerdict::BeforeReschedule),
        2 => after.prop_map(HookVerdict::AfterReschedule),
    ];
    prop_oneof![
        8 => verdicts.prop_map(Step::Hook),
        2 => (0..9_usize, answer).prop_map(|(which, verdict)| Step::HookAgain(which, verdict)),
        1 => Just(Step::HookNever),
        8 => Just(Step::Store),
        5 => (0..30_u32, any::<bool>()).prop_map(|(contacts, left)| Step::Feed(contacts, left)),
        14 => (0..8_usize, calls).prop_map(|(call, event)| Step::Call(call, event)),
        3 => (0..4_usize, 0..2_u32, parties).prop_map(|(call, ago, is_there)| Step::Third(call, ago, is_there)),
        2 => (0..4_usize, left).prop_map(|(call, event)| Step::Left(call, event)),
        2 => (0..4_u128, any::<bool>()).prop_map(|(agent, up)| Step::Line(agent, up)),
        1 => (0..4_u128, any::<bool>()).prop_map(|(agent, needs)| Step::NeedsLine(agent, needs)),
        1 => (0..4_u128, any::<bool>()).prop_map(|(agent, back)| Step::Remove(agent, back)),
        10 => (0..4_u128, agents).prop_map(|(agent, event)| Step::Agent(agent, event)),
        2 => (0..2_u128, actions, proptest::option::of(modes.clone())).prop_map(|(group, action, mode)| Step::Act(group, action, mode)),
        1 => (0..2_u128, modes, any::<bool>()).prop_map(|(group, mode, only)| Step::Put(group, mode, only)),
        1 => (0..2_u128, 0..2_u128).prop_map(|(group, list)| Step::Lists(group, list)),
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
            Step::Third(index, ago, is_there) => {
                let Some((attempt, number, _)) = self.consulted.iter().rev().nth(index).copied() else {
                    return;
                };
                let number = number.saturating_sub(ago);
                self.call(
                    attempt,
                    match is_there {
                        Ok(()) => CallEvent::ThirdAnswered(number),
                        Err(why) => CallEvent::ThirdGone(number, why),
                    },
                );
            }
            Step::Left(index, event) => {
                if let Some(attempt) = self.engine.left.keys().nth(index).copied() {
                    self.call(attempt, event);
                }
            }
            Step::Agent(agent, event) => self.agent(agent, event),
            Step::Line(agent, is_up) => self.input(Input::Line { agent: agent_id(agent), is_up }),
            Step::NeedsLine(agent, needs_line) => self.needs_line(agent, needs_line),
            Step::Remove(agent, comes_back) => {
                self.input(Input::Command(Command::RemoveAgent(agent_id(agent))));
                if comes_back {
                    self.put_agent(agent, &[0, 1]);
                }
            }
            Step::Act(group, action, dial_mode) => {
                if action == GroupAction::Load && self.group_state(group).is_none() {
                    self.put_group(group, with_mode(DialMode::Power));
                }
                let (group, actor) = (group_id(group), Actor::Client);
                self.input(Input::Command(Command::Act { group, action, dial_mode, actor, reply: 1 }));
            }
            Step::Put(group, mode, callbacks_only) => {
                if self.group_state(group).is_some() {
                    self.put_group(group, GroupSettings { callbacks_only, ..with_mode(mode) });
                }
            }
            Step::Lists(group, list) => {
                let list = crate::SuppressionListId(Uuid::from_u128(list));
                self.put_rules(group, |rules| rules.suppression_lists = vec![list]);
            }
            Step::Pass(seconds) => self.pass(seconds),
            Step::Lines(up) => self.input(if up { Input::LinesBack } else { Input::LinesLost }),
            Step::Suppress(index) => {
                let number = crate::PhoneNumber::from_digits(33_100_000_000 + index).unwrap();
                self.input(Input::Suppressed { group: group_id(0), numbers: BTreeSet::from([number]) });
            }
            Step::Hook(verdict) => {
                if !self.hooks.is_empty() {
                    self.verdict(verdict);
                }
            }
            Step::HookAgain(which, verdict) => {
                let question = self.picked_up.keys().rev().nth(which).copied();
                let is_open = |question| self.hooks.iter().any(|open| open.question == question);
                if let Some(question) = question.filter(|question| !is_open(*question)) {
                    self.input(Input::Hook { group: group_id(0), question, verdict });
                }
            }
            Step::HookNever => {
                let asks = |open: &HookRequest| matches!(open.hook, Hook::Detected(_));
                if let Some(index) = self.hooks.iter().position(asks) {
                    self.hooks.remove(index);
                }
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
            while !self.hooks.is_empty() {
                self.verdict(HookVerdict::Failed);
            }
            for attempt in self.up.clone() {
                self.call(attempt, CallEvent::Ended(CallEnd::ByUs));
            }
            for attempt in self.engine.left.keys().copied().collect::<Vec<_>>() {
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

pub(super) fn two_groups_and_four_agents(modes: [DialMode; 2]) -> Floor {
    let groups = [(0, with_mode(modes[0])), (1, with_mode(modes[1]))];
    let mut floor = Floor::new(&groups, &[(0, &[0]), (1, &[0, 1]), (2, &[1]), (3, &[0, 1])]);
    let scripts = ScriptRules {
        pre_call: Some(OnScriptError::Skip { minutes: 1 }),
        before_reschedule: true,
        after_reschedule: true,
    };
    floor.detection_of_new_groups = asking_about_everything();
    floor.put_group_with(0, with_mode(modes[0]), scripts);
    floor.callback_every = Some(3);
    for group in 0..2 {
        floor.run(group);
    }
    for agent in 0..4 {
        floor.log_in(agent);
    }
    floor
}

/// Mostly what agents do who talk and who are consulted.
fn any_step_of_conversations() -> impl Strategy<Value = Step> {
    let whom = prop_oneof![
        4 => (0..4_u128).prop_map(|agent| ThirdParty::Agent(agent_id(agent))),
        1 => Just(ThirdParty::Number(crate::PhoneNumber::from_digits(33_100_000_000).unwrap())),
    ];
    let control = prop_oneof![
        6 => whom.clone().prop_map(CallControl::Consult),
        1 => Just(CallControl::Join),
        2 => Just(CallControl::EndConsult),
        2 => Just(CallControl::Transfer(None)),
        2 => whom.prop_map(|whom| CallControl::Transfer(Some(whom))),
        1 => Just(CallControl::Transfer(Some(ThirdParty::Skill(skill_id(0))))),
    ];
    let agents = prop_oneof![
        8 => control.prop_map(AgentEvent::Control),
        2 => Just(AgentEvent::Ready),
        1 => Just(AgentEvent::NotReady { reason: Some("lunch".to_owned()) }),
        1 => Just(AgentEvent::LogIn),
        1 => Just(AgentEvent::LogOut),
        1 => Just(AgentEvent::HangUp),
        1 => Just(AgentEvent::ConnectionLost),
    ];
    let calls = prop_oneof![
        2 => Just(CallEvent::Answered),
        2 => Just(CallEvent::Detected(Detected::Person)),
        3 => Just(CallEvent::Connected),
        2 => Just(CallEvent::AgentLeft),
        1 => Just(CallEvent::AgentFailed),
        1 => Just(CallEvent::Ended(CallEnd::ByCalledParty)),
    ];
    let parties =
        prop_oneof![2 => Just(Ok(())), 1 => Just(Err(PartyEnd::Busy)), 1 => Just(Err(PartyEnd::HungUp))];
    let left = prop_oneof![
        1 => Just(CallEvent::Transferred),
        1 => Just(CallEvent::TransferFailed(PartyEnd::NoAnswer)),
        1 => Just(CallEvent::Ended(CallEnd::ByCalledParty)),
    ];
    prop_oneof![
        8 => (0..4_u128, agents).prop_map(|(agent, event)| Step::Agent(agent, event)),
        5 => (0..6_usize, calls).prop_map(|(call, event)| Step::Call(call, event)),
        2 => (0..3_usize, 0..2_u32, parties).prop_map(|(call, ago, is_there)| Step::Third(call, ago, is_there)),
        2 => (0..2_usize, left).prop_map(|(call, event)| Step::Left(call, event)),
        2 => Just(Step::Store),
        1 => any_step(),
    ]
}

/// Two of four agents talk, and two are ready.
fn two_of_four_talk() -> Floor {
    let settings = with_mode(DialMode::Progressive);
    let agents: [(u128, &[u128]); 4] = [(0, &[0]), (1, &[0]), (2, &[0]), (3, &[0])];
    let mut floor = Floor::new(&[(0, settings)], &agents);
    floor.run(0);
    floor.log_in(0);
    floor.log_in(1);
    floor.settle(10);
    for attempt in floor.dialled.clone() {
        floor.talk(attempt);
    }
    floor.log_in(2);
    floor.log_in(3);
    floor
}

fn live_through(modes: [DialMode; 2], steps: Vec<Step>) -> Result<(), TestCaseError> {
    live_through_on(two_groups_and_four_agents(modes), steps).map(drop)
}

pub(super) fn live_through_on(mut floor: Floor, steps: Vec<Step>) -> Result<Floor, TestCaseError> {
    for step in steps {
        floor.step(step);
    }
    floor.wind_down();
    prop_assert!(floor.engine.calls.is_empty(), "a call never ends");
    prop_assert!(floor.open_attempts.is_empty(), "an attempt is never settled");
    prop_assert!(floor.claimed.is_empty(), "a contact is never given back");
    prop_assert!(floor.engine.groups.is_empty(), "a group never comes to rest");
    prop_assert!(floor.engine.left.is_empty(), "a call that was left is never over");
    for agent in floor.engine.agents.values() {
        prop_assert!(agent.consulted_on.is_none(), "a consultation never ends");
        prop_assert!(
            matches!(agent.state, AgentState::LoggedOut | AgentState::NotReady | AgentState::Ready),
            "an agent is stuck in {:?}",
            agent.state
        );
    }
    for (attempt, ended) in &floor.endings {
        let evidence = &ended.evidence;
        let asked = floor.picked_up.values().any(|asked| asked == attempt);
        prop_assert!(asked || evidence.script.is_none(), "a script said something that was not asked");
        let was_hung_up_on = evidence.script == Some(ScriptSaid::HangUp);
        let went_on = ended.connected_at.is_some() || evidence.message.is_some();
        prop_assert!(!(was_hung_up_on && went_on), "a call went on that a script had hung up on");
        let asked_not_to_be_called = ended.opted_out.is_some();
        let suppressed =
            floor.planned.iter().any(|plan| plan.attempt == Some(*attempt) && plan.suppress.is_some());
        prop_assert!(!asked_not_to_be_called || suppressed, "a wish to be called no more is lost");
    }
    Ok(floor)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// The laws of [`Floor::check`], [`Floor::apply`] and [`Floor::take`] hold after every step.
    #[test]
    fn no_order_of_events_loses_a_contact_double_books_an_agent_or_dials_twice(
        steps in prop::collection::vec(any_step(), 1..300)
    ) {
        live_through([DialMode::Power, DialMode::Preview], steps)?;
    }

    /// The same where people hear messages and previews come unasked.
    #[test]
    fn no_order_of_messages_keys_and_pushed_previews_breaks_those_laws_either(
        steps in prop::collection::vec(any_step(), 1..300)
    ) {
        live_through([DialMode::Agentless, DialMode::PushPreview], steps)?;
    }

    /// The same where agents consult each other, and leave calls to each other and to others.
    #[test]
    fn no_order_of_consultations_and_transfers_double_books_an_agent_or_keeps_one(
        steps in prop::collection::vec(any_step_of_conversations(), 1..150)
    ) {
        live_through_on(two_of_four_talk(), steps)?;
    }

    /// When another node takes a group over, its calls end here, its agents are free and the other group goes on.
    #[test]
    fn a_group_that_another_node_holds_is_let_go_of(
        before in prop::collection::vec(any_step(), 1..100),
        after in prop::collection::vec(any_step(), 1..100),
        is_told in any::<bool>()
    ) {
        let mut floor = two_groups_and_four_agents([DialMode::Power, DialMode::Agentless]);
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
