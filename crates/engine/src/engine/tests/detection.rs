//! Who answered, and what is done then.

use super::*;
use crate::detection::{DetectionRules, DoubtAction, MachineAction};

/// A floor whose first call was picked up, by a campaign with these rules.
fn picked_up(detection: DetectionRules) -> (Floor, AttemptId) {
    let mut floor = Floor::new(&[], &[(1, &[1])]);
    let definition = GroupDefinition {
        group: group_id(1),
        campaign: CampaignId(Uuid::from_u128(0xc001)),
        skill: skill_id(1),
        settings: progressive(),
        rules: Arc::new(CampaignRules { detection, ..(*rules()).clone() }),
        state: GroupState::NotLoaded,
        answered: AnsweredCalls::default(),
    };
    floor.input(Input::Command(Command::PutGroup(Box::new(definition))));
    floor.run(1);
    floor.log_in(1);
    floor.settle(1);
    let attempt = floor.dialled[0];
    floor.call(attempt, CallEvent::Answered);
    (floor, attempt)
}

#[test]
fn doubt_counts_as_a_person() {
    let (mut floor, attempt) = picked_up(DetectionRules::default());
    floor.call(attempt, CallEvent::Detected(Detected::Unsure));
    assert_eq!(floor.connecting, [(attempt, agent_id(1))]);
}

#[test]
fn doubt_that_is_hung_up_on_counts_as_abandoned() {
    let rules = DetectionRules { unsure: DoubtAction::HangUp, ..DetectionRules::default() };
    let (mut floor, attempt) = picked_up(rules);
    floor.call(attempt, CallEvent::Detected(Detected::Unsure));
    floor.call(attempt, CallEvent::Ended(CallEnd::ByUs));
    floor.store_all();
    assert!(floor.connecting.is_empty());
    assert!(floor.ended[&attempt].is_abandonment());
}

#[test]
fn silence_is_hung_up_on_or_connected_as_the_profile_says() {
    let (mut floor, attempt) = picked_up(DetectionRules::default());
    floor.call(attempt, CallEvent::Detected(Detected::Silence));
    floor.call(attempt, CallEvent::Ended(CallEnd::ByUs));
    floor.store_all();
    assert_eq!(floor.ended[&attempt], CallResult::Silence);

    let rules = DetectionRules { silence: DoubtAction::Connect, ..DetectionRules::default() };
    let (mut floor, attempt) = picked_up(rules);
    floor.call(attempt, CallEvent::Detected(Detected::Silence));
    assert_eq!(floor.connecting, [(attempt, agent_id(1))]);
}

#[test]
fn a_message_is_left_on_a_machine_and_no_agent_waits_for_it() {
    let message = crate::MessageId(Uuid::from_u128(7));
    let rules = DetectionRules {
        machine: Some(MachineAction::LeaveMessage),
        message: Some(message),
        ..DetectionRules::default()
    };
    let (mut floor, attempt) = picked_up(rules);
    floor.call(attempt, CallEvent::Detected(Detected::Machine));
    assert_eq!(floor.announced, [(attempt, message)]);
    assert_eq!(floor.state_of(1), AgentState::Ready);
    floor.call(attempt, CallEvent::MessageEnded);
    floor.call(attempt, CallEvent::Ended(CallEnd::ByUs));
    floor.store_all();
    assert_eq!(floor.ended[&attempt], CallResult::AnsweringMachine);
}

#[test]
fn where_nothing_is_detected_every_answer_is_a_persons() {
    let rules = DetectionRules { off_from_attempt: Some(1), ..DetectionRules::default() };
    let (floor, attempt) = picked_up(rules);
    assert_eq!(floor.connecting, [(attempt, agent_id(1))]);
}
