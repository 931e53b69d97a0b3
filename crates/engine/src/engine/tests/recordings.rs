//! Which calls are recorded, when that begins and pauses, and what is told of it.

use super::*;
use crate::recording::{RecordingMode, RecordingSettings};

const CONSENT: MessageId = MessageId(Uuid::from_u128(0xc0));

/// A floor with one agent, whose first call rings; its campaign records like this.
fn recording(settings: RecordingSettings) -> (Floor, AttemptId) {
    let mut floor = Floor::new(&[(1, progressive())], &[(1, &[1])]);
    put_group_that_records(&mut floor, settings);
    floor.run(1);
    floor.log_in(1);
    floor.settle(10);
    let attempt = floor.dialled[0];
    (floor, attempt)
}

fn put_group_that_records(floor: &mut Floor, recording: impl Into<Option<RecordingSettings>>) {
    let definition = GroupDefinition {
        group: group_id(1),
        campaign: CampaignId(Uuid::from_u128(0xc001)),
        skill: skill_id(1),
        settings: progressive(),
        rules: Arc::new(CampaignRules { recording: recording.into(), ..(*rules()).clone() }),
        state: GroupState::NotLoaded,
        answered: AnsweredCalls::default(),
    };
    floor.input(Input::Command(Command::PutGroup(Box::new(definition))));
}

fn all() -> RecordingSettings {
    RecordingSettings { mode: RecordingMode::All, ..RecordingSettings::default() }
}

fn on_demand() -> RecordingSettings {
    RecordingSettings { mode: RecordingMode::OnDemand, ..RecordingSettings::default() }
}

fn refusals(floor: &Floor) -> usize {
    floor.notices.iter().filter(|(_, notice)| matches!(notice, AgentNotice::Refused { .. })).count()
}

/// What the agent was told of recording.
fn told(floor: &Floor) -> Vec<bool> {
    let is_on = |(_, notice): &(AgentId, AgentNotice)| match notice {
        AgentNotice::Recording { is_on, .. } => Some(*is_on),
        _ => None,
    };
    floor.notices.iter().filter_map(is_on).collect()
}

#[test]
fn a_conversation_is_recorded_from_the_connection_on_and_not_before_it_is_stored_that_it_is() {
    let (mut floor, attempt) = recording(all());
    floor.answer(attempt);
    floor.store_all();
    assert!(floor.noted.is_empty(), "nobody talks yet");
    floor.call(attempt, CallEvent::Connected);
    assert!(floor.recorded.is_empty(), "it is not stored yet");
    floor.store_all();
    let name = floor.noted[&attempt].clone();
    assert!(name.ends_with(&attempt.to_string()), "{name}");
    assert_eq!(floor.recorded, [(attempt, name, true)]);
    assert_eq!(told(&floor), [true]);
}

#[test]
fn without_the_setting_no_call_is_recorded_and_agents_cannot_ask_for_it() {
    let (mut floor, attempt) = recording(RecordingSettings::default());
    floor.talk(attempt);
    floor.agent(1, AgentEvent::Control(CallControl::Record));
    floor.store_all();
    assert!(floor.recorded.is_empty() && floor.noted.is_empty());
    assert_eq!(refusals(&floor), 1);
}

#[test]
fn by_percentage_about_so_many_calls_are_recorded() {
    let settings = RecordingSettings {
        mode: RecordingMode::Percentage,
        percent: Some(30),
        ..RecordingSettings::default()
    };
    let (mut floor, _) = recording(settings);
    for index in 0..200 {
        let attempt = floor.dialled[index];
        floor.talk(attempt);
        floor.call(attempt, CallEvent::Ended(CallEnd::ByCalledParty));
        let disposition = Some("sale".to_owned());
        floor.agent(
            1,
            AgentEvent::Dispose { disposition, notes: None, callback_at: None, callback_is_mine: false },
        );
        floor.settle(10);
    }
    // Three standard deviations (6.5) around 60.
    assert!((40..=80).contains(&floor.noted.len()), "{} of 200", floor.noted.len());
}

#[test]
fn on_demand_the_agent_begins_pauses_and_goes_on_in_the_same_recording() {
    let (mut floor, attempt) = recording(on_demand());
    floor.talk(attempt);
    floor.store_all();
    assert!(floor.recorded.is_empty());
    floor.agent(1, AgentEvent::Control(CallControl::StopRecording));
    assert_eq!(refusals(&floor), 1, "there is nothing to stop");
    for control in [CallControl::Record, CallControl::StopRecording, CallControl::Record] {
        floor.agent(1, AgentEvent::Control(control));
        floor.store_all();
    }
    let name = floor.noted[&attempt].clone();
    let expected = [true, false, true].map(|is_on| (attempt, name.clone(), is_on));
    assert_eq!(floor.recorded, expected);
    assert_eq!(told(&floor), [true, false, true]);
}

#[test]
fn a_recording_that_its_agent_stops_before_it_is_stored_does_not_begin() {
    let (mut floor, attempt) = recording(on_demand());
    floor.talk(attempt);
    floor.agent(1, AgentEvent::Control(CallControl::Record));
    floor.agent(1, AgentEvent::Control(CallControl::StopRecording));
    floor.store_all();
    let is_on = |floor: &Floor| floor.recorded.iter().map(|(_, _, is_on)| *is_on).collect::<Vec<_>>();
    assert_eq!(is_on(&floor), [false]);
    floor.agent(1, AgentEvent::Control(CallControl::Record));
    assert_eq!(is_on(&floor), [false, true]);
}

#[test]
fn a_call_that_ends_before_it_is_stored_that_it_is_recorded_is_not_recorded() {
    let (mut floor, attempt) = recording(all());
    floor.talk(attempt);
    floor.call(attempt, CallEvent::Ended(CallEnd::ByCalledParty));
    floor.store_all();
    assert!(floor.recorded.is_empty());
}

#[test]
fn both_parties_are_told_when_recording_begins_if_the_campaign_has_a_message_for_it() {
    let (mut floor, attempt) = recording(RecordingSettings { consent_message: Some(CONSENT), ..all() });
    floor.talk(attempt);
    assert!(floor.told_both.is_empty());
    floor.store_all();
    assert_eq!(floor.told_both, [(attempt, CONSENT)]);
}

/// A floor whose process died during a conversation.
fn after_a_crash(settings: RecordingSettings, recording: Option<&str>) -> (Floor, AttemptId) {
    let mut floor = Floor::new(&[(1, progressive())], &[(1, &[1])]);
    put_group_that_records(&mut floor, settings);
    floor.act(1, GroupAction::Load);
    let (contact, attempt) = (contact(900), AttemptId(Uuid::from_u128(1)));
    floor.claimed.insert(contact.contact);
    floor.open_attempts.insert(attempt, contact.contact);
    floor.up.insert(attempt);
    let live = Some(LiveCall { is_answered: true, agent: Some(agent_id(1)) });
    let recording = recording.map(str::to_owned);
    let unfinished = Unfinished { attempt, contact, result: None, live, recording };
    floor.input(Input::Recovered { group: group_id(1), attempts: vec![unfinished] });
    floor.store_all();
    (floor, attempt)
}

#[test]
fn after_a_crash_what_is_recorded_goes_on_and_what_is_not_yet_begins() {
    let (floor, attempt) = after_a_crash(all(), Some("before"));
    assert!(floor.noted.is_empty() && floor.recorded.is_empty(), "the switch goes on by itself: {attempt}");
    let (floor, attempt) = after_a_crash(all(), None);
    assert_eq!(floor.recorded, [(attempt, floor.noted[&attempt].clone(), true)]);
}

#[test]
fn after_a_crash_the_agent_is_told_that_the_call_is_recorded_and_can_stop_it() {
    let (mut floor, attempt) = after_a_crash(on_demand(), Some("before"));
    floor.notices.clear();
    floor.agent(1, AgentEvent::LogIn);
    assert_eq!(told(&floor), [true]);
    floor.agent(1, AgentEvent::Control(CallControl::StopRecording));
    assert_eq!(floor.recorded, [(attempt, "before".to_owned(), false)]);
}

#[test]
fn a_switch_that_cannot_record_is_named_when_an_agent_asks_for_it() {
    let mut floor = Floor::new(&[(1, progressive())], &[(1, &[1])]);
    put_group_that_records(&mut floor, None);
    floor.run(1);
    floor.log_in(1);
    floor.settle(10);
    floor.talk(floor.dialled[0]);
    floor.agent(1, AgentEvent::Control(CallControl::Record));
    let Some((_, AgentNotice::Refused { why, .. })) = floor.notices.last() else {
        panic!("it was not refused")
    };
    assert_eq!(*why, "the switch in use cannot record: the simulated carrier has no sound");
    assert!(floor.recorded.is_empty());
}
