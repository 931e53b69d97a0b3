//! What a server script says about who picked up.

use proptest::prelude::*;

use super::*;
use crate::detection::{AnswerAction, AskScript, DoubtAction, MachineAction, ScriptSaid};

const WITHIN: Duration = Duration::from_millis(500);

pub(super) fn asking_about_everything() -> DetectionRules {
    let script = AskScript { machine: true, unsure: true, silence: true, fax: true, within: WITHIN };
    DetectionRules { script: Some(script), ..DetectionRules::default() }
}

fn message(number: u128) -> MessageId {
    MessageId(Uuid::from_u128(number))
}

fn says(action: AnswerAction) -> HookVerdict {
    HookVerdict::Detected(Some(action))
}

/// A floor with an agent whose first call was picked up, by a campaign whose script is asked about every answer.
fn picked_up(detection: DetectionRules, settings: GroupSettings, found: Detected) -> (Floor, AttemptId) {
    let mut floor = Floor::new(&[], &[(1, &[1])]);
    floor.detection_of_new_groups = detection;
    floor.put_group(1, settings);
    floor.run(1);
    floor.log_in(1);
    floor.settle(1);
    let attempt = floor.dialled[0];
    floor.call(attempt, CallEvent::Answered);
    floor.call(attempt, CallEvent::Detected(found));
    (floor, attempt)
}

fn asked(found: Detected) -> (Floor, AttemptId) {
    let (floor, attempt) = picked_up(asking_about_everything(), progressive(), found);
    assert_eq!(floor.hooks.len(), 1, "the script is asked about {found:?}");
    (floor, attempt)
}

fn over(floor: &mut Floor, attempt: AttemptId) -> crate::change::AttemptEnded {
    floor.call(attempt, CallEvent::Ended(CallEnd::ByUs));
    floor.store_all();
    floor.endings[&attempt].clone()
}

#[test]
fn a_script_connects_hangs_up_or_leaves_a_message_and_the_evidence_tells_which() {
    let (mut floor, attempt) = asked(Detected::Machine);
    floor.verdict(says(AnswerAction::Connect));
    assert_eq!(floor.connecting, [(attempt, agent_id(1))]);
    let ended = over(&mut floor, attempt);
    assert_eq!((ended.evidence.script, ended.evidence.script_at), (Some(ScriptSaid::Connect), Some(START)));

    let (mut floor, attempt) = asked(Detected::Unsure);
    floor.verdict(says(AnswerAction::HangUp));
    let ended = over(&mut floor, attempt);
    assert_eq!(ended.evidence.script, Some(ScriptSaid::HangUp));
    assert!(ended.is_abandonment(), "it may have been a person");

    let (mut floor, attempt) = asked(Detected::Machine);
    floor.verdict(says(AnswerAction::LeaveMessage(Some(message(8)))));
    assert_eq!(floor.announced, [(attempt, message(8))]);
    floor.call(attempt, CallEvent::MessageEnded);
    let ended = over(&mut floor, attempt);
    assert_eq!(ended.result, CallResult::AnsweringMachine);
    assert_eq!(ended.evidence.script_message, Some(message(8)));
}

#[test]
fn without_a_message_of_the_scripts_choice_it_is_the_profiles() {
    let rules = DetectionRules { message: Some(message(7)), ..asking_about_everything() };
    let (mut floor, attempt) = picked_up(rules, progressive(), Detected::Fax);
    floor.verdict(says(AnswerAction::LeaveMessage(None)));
    assert_eq!(floor.announced, [(attempt, message(7))]);

    // Neither has one: the call does not stay up in silence.
    let (mut floor, attempt) = asked(Detected::Machine);
    floor.verdict(says(AnswerAction::LeaveMessage(None)));
    assert!(floor.announced.is_empty());
    assert_eq!(over(&mut floor, attempt).result, CallResult::AnsweringMachine);
}

#[test]
fn a_script_that_fails_or_says_nothing_leaves_it_to_the_profile() {
    let rules = DetectionRules {
        machine: Some(MachineAction::Connect),
        unsure: DoubtAction::HangUp,
        ..asking_about_everything()
    };
    let failed = (HookVerdict::Failed, ScriptSaid::Failed);
    let wrong = (HookVerdict::BeforeReschedule(EndingChanges::default()), ScriptSaid::Failed);
    let nothing = (HookVerdict::Detected(None), ScriptSaid::Nothing);
    let slow = (HookVerdict::TimedOut, ScriptSaid::Late);
    for (verdict, said) in [failed, wrong, nothing, slow] {
        let (mut floor, attempt) = picked_up(rules, progressive(), Detected::Machine);
        floor.verdict(verdict.clone());
        assert_eq!(floor.connecting, [(attempt, agent_id(1))]);
        assert_eq!(over(&mut floor, attempt).evidence.script, Some(said));

        let (mut floor, attempt) = picked_up(rules, progressive(), Detected::Unsure);
        floor.verdict(verdict);
        assert!(floor.connecting.is_empty());
        assert_eq!(over(&mut floor, attempt).evidence.script, Some(said));
    }
}

#[test]
fn a_script_that_does_not_answer_in_time_leaves_it_to_the_profile_and_what_it_says_later_is_ignored() {
    let (mut floor, attempt) = asked(Detected::Unsure);
    floor.now = START + (WITHIN - Duration::from_micros(1));
    floor.input(Input::Woken);
    assert!(floor.connecting.is_empty());
    floor.now = START + WITHIN;
    floor.input(Input::Woken);
    assert_eq!(floor.connecting, [(attempt, agent_id(1))]);
    let ignored = floor.engine.ignored_inputs();
    floor.verdict(says(AnswerAction::HangUp));
    assert_eq!(floor.engine.ignored_inputs(), ignored + 1);
    floor.call(attempt, CallEvent::Connected);
    let ended = over(&mut floor, attempt);
    assert_eq!((ended.result, ended.evidence.script), (CallResult::Answer, Some(ScriptSaid::Late)));
    assert_eq!(ended.evidence.script_at, Some(START + WITHIN));
}

#[test]
fn the_second_of_two_answers_is_ignored() {
    let (mut floor, attempt) = asked(Detected::Machine);
    let again = floor.hooks[0].clone();
    floor.verdict(says(AnswerAction::Connect));
    floor.hooks.push(again);
    floor.verdict(says(AnswerAction::LeaveMessage(Some(message(8)))));
    assert!(floor.announced.is_empty());
    assert_eq!(over(&mut floor, attempt).evidence.script, Some(ScriptSaid::Connect));
}

#[test]
fn an_answer_after_the_call_is_not_taken_for_that_of_the_post_call_script() {
    let mut floor = Floor::new(&[], &[(1, &[1])]);
    floor.detection_of_new_groups = asking_about_everything();
    let scripts = ScriptRules { before_reschedule: true, ..ScriptRules::default() };
    floor.put_group_with(1, progressive(), scripts);
    floor.run(1);
    floor.log_in(1);
    floor.settle(1);
    let attempt = floor.dialled[0];
    floor.call(attempt, CallEvent::Answered);
    floor.call(attempt, CallEvent::Detected(Detected::Silence));
    floor.call(attempt, CallEvent::Ended(CallEnd::ByCalledParty));
    floor.store_all();
    assert_eq!(floor.endings[&attempt].result, CallResult::Silence);
    assert_eq!(floor.endings[&attempt].evidence.script, None);
    assert_eq!(floor.hooks.len(), 2);
    floor.verdict(says(AnswerAction::Connect));
    assert!(floor.planned.is_empty(), "the post-call script has not answered yet");
    floor.verdict(HookVerdict::BeforeReschedule(EndingChanges::default()));
    floor.store_all();
    assert_eq!(floor.planned.len(), 1);
}

#[test]
fn silence_counts_as_a_person_only_once_it_is_to_be_connected() {
    let (mut floor, attempt) = asked(Detected::Silence);
    floor.verdict(says(AnswerAction::Connect));
    floor.call(attempt, CallEvent::Connected);
    assert_eq!(over(&mut floor, attempt).result, CallResult::Answer);

    let (mut floor, attempt) = asked(Detected::Silence);
    floor.verdict(says(AnswerAction::HangUp));
    assert_eq!(over(&mut floor, attempt).result, CallResult::Silence);
}

#[test]
fn in_groups_without_agents_connecting_is_playing_what_the_call_is_for() {
    let agentless = with_mode(DialMode::Agentless);
    let own = agentless.agentless.unwrap().message;
    for (action, heard) in [
        (AnswerAction::Connect, Some(own)),
        (AnswerAction::LeaveMessage(None), Some(own)),
        (AnswerAction::LeaveMessage(Some(message(8))), Some(message(8))),
        (AnswerAction::HangUp, None),
    ] {
        let (mut floor, attempt) = picked_up(asking_about_everything(), agentless.clone(), Detected::Machine);
        floor.verdict(says(action));
        assert_eq!(floor.announced, Vec::from_iter(heard.map(|heard| (attempt, heard))));
    }
}

#[test]
fn persons_and_what_the_profile_decides_itself_are_not_asked_about() {
    let (floor, attempt) = picked_up(asking_about_everything(), progressive(), Detected::Person);
    assert!(floor.hooks.is_empty());
    assert_eq!(floor.connecting, [(attempt, agent_id(1))]);

    let script = AskScript { machine: true, unsure: false, silence: false, fax: false, within: WITHIN };
    let rules = DetectionRules { script: Some(script), ..DetectionRules::default() };
    for found in [Detected::Unsure, Detected::Silence, Detected::Fax] {
        let (floor, _) = picked_up(rules, progressive(), found);
        assert!(floor.hooks.is_empty(), "{found:?}");
    }
}

/// What may happen once a script is asked about a call; its question is answered as often as this says.
#[derive(Clone, Debug)]
enum Turn {
    Answer(HookVerdict),
    Wait(u64),
    HangUp,
}

fn any_turn() -> impl Strategy<Value = Turn> {
    let verdict = prop_oneof![
        Just(HookVerdict::Failed),
        Just(HookVerdict::TimedOut),
        Just(HookVerdict::Detected(None)),
        Just(says(AnswerAction::HangUp)),
        Just(says(AnswerAction::Connect)),
        Just(says(AnswerAction::LeaveMessage(None))),
        Just(says(AnswerAction::LeaveMessage(Some(message(8))))),
    ];
    prop_oneof![
        3 => verdict.prop_map(Turn::Answer),
        3 => (1..400_u64).prop_map(Turn::Wait),
        1 => Just(Turn::HangUp),
    ]
}

/// What a verdict comes to, and the action if it names one.
fn read(verdict: &HookVerdict) -> (ScriptSaid, Option<AnswerAction>) {
    match verdict {
        HookVerdict::Detected(None) => (ScriptSaid::Nothing, None),
        HookVerdict::Detected(Some(action @ AnswerAction::HangUp)) => (ScriptSaid::HangUp, Some(*action)),
        HookVerdict::Detected(Some(action @ AnswerAction::Connect)) => (ScriptSaid::Connect, Some(*action)),
        HookVerdict::Detected(Some(action)) => (ScriptSaid::LeaveMessage, Some(*action)),
        HookVerdict::TimedOut => (ScriptSaid::Late, None),
        _ => (ScriptSaid::Failed, None),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Of answers in time, late, several or none the first in time counts, and the deadline where there is none; what
    /// comes later touches neither the call nor the question to the post-call script.
    #[test]
    fn the_first_answer_in_time_counts_or_the_deadline_and_nothing_else(
        found in prop_oneof![
            Just(Detected::Machine), Just(Detected::Unsure), Just(Detected::Silence), Just(Detected::Fax),
        ],
        turns in prop::collection::vec(any_turn(), 0..8)
    ) {
        let mut floor = Floor::new(&[], &[(1, &[1])]);
        floor.detection_of_new_groups = DetectionRules {
            machine: Some(MachineAction::LeaveMessage),
            message: Some(message(7)),
            ..asking_about_everything()
        };
        floor.put_group_with(1, progressive(), ScriptRules { before_reschedule: true, ..ScriptRules::default() });
        floor.run(1);
        floor.log_in(1);
        floor.settle(1);
        let attempt = floor.dialled[0];
        floor.call(attempt, CallEvent::Answered);
        floor.call(attempt, CallEvent::Detected(found));
        let question = floor.hooks.remove(0).question;
        let asked_at = floor.now;
        let (mut decided, mut is_over) = (None, false);
        // Whoever never answers is waited for until the deadline, and the call ends in any case.
        for turn in turns.into_iter().chain([Turn::Wait(500), Turn::HangUp, Turn::Answer(HookVerdict::Failed)]) {
            match turn {
                Turn::Answer(verdict) => {
                    if decided.is_none() && !is_over {
                        decided = Some(read(&verdict));
                    }
                    floor.input(Input::Hook { group: group_id(1), question, verdict });
                }
                Turn::Wait(milliseconds) => {
                    floor.now = floor.now + Duration::from_millis(milliseconds);
                    floor.input(Input::Woken);
                    if decided.is_none() && !is_over && floor.now.since(asked_at) >= WITHIN {
                        decided = Some((ScriptSaid::Late, None));
                    }
                }
                Turn::HangUp if is_over => {}
                Turn::HangUp => {
                    floor.call(attempt, CallEvent::Ended(CallEnd::ByCalledParty));
                    floor.store_all();
                    is_over = true;
                }
            }
        }
        let ended = &floor.endings[&attempt];
        prop_assert_eq!(ended.evidence.script, decided.map(|(said, _)| said));
        let by_profile = match found {
            Detected::Machine => AnswerAction::LeaveMessage(None),
            Detected::Unsure => AnswerAction::Connect,
            _ => AnswerAction::HangUp,
        };
        let action = decided.map(|(_, action)| action.unwrap_or(by_profile));
        let heard = match action {
            Some(AnswerAction::LeaveMessage(chosen)) => vec![(attempt, chosen.unwrap_or(message(7)))],
            _ => Vec::new(),
        };
        prop_assert_eq!(&floor.announced, &heard);
        prop_assert_eq!(floor.connecting.len(), usize::from(action == Some(AnswerAction::Connect)));
        prop_assert_eq!((floor.hooks.len(), floor.planned.len()), (1, 0), "only the post-call script is still asked");
        floor.verdict(HookVerdict::BeforeReschedule(EndingChanges::default()));
        floor.store_all();
        prop_assert_eq!(floor.planned.len(), 1);
    }
}
