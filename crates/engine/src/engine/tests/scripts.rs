//! Server scripts: what their verdicts do, and what happens when they fail.

use super::*;

const ALL: ScriptRules = ScriptRules {
    pre_call: Some(OnScriptError::Skip { minutes: 10 }),
    before_reschedule: true,
    after_reschedule: true,
};

fn scripted(scripts: ScriptRules) -> Floor {
    let mut floor = Floor::new(&[], &[(1, &[1])]);
    floor.put_group_with(1, progressive(), scripts);
    floor.run(1);
    floor.log_in(1);
    floor.store_all();
    floor
}

fn passes() -> HookVerdict {
    HookVerdict::PreCall(PreCallVerdict::Dial { phone: None, caller_id: None })
}

/// A group whose scripts let the first contact through to the end of its call.
fn called(scripts: ScriptRules) -> (Floor, AttemptId) {
    let mut floor = scripted(scripts);
    floor.answer_fetch(1, true);
    floor.verdict(passes());
    floor.store_all();
    let attempt = floor.dialled[0];
    floor.call(attempt, CallEvent::Ended(CallEnd::NotAnswered(CallResult::NoAnswer)));
    floor.store_all();
    (floor, attempt)
}

#[test]
fn only_contacts_that_the_pre_call_script_passes_are_dialled() {
    let mut floor = scripted(ALL);
    floor.answer_fetch(3, true);
    assert_eq!(floor.hooks.len(), 3);
    assert!(floor.dialled.is_empty());
    let later = floor.now + Duration::from_secs(600);
    floor.verdict(HookVerdict::PreCall(PreCallVerdict::Skip { until: later }));
    floor.verdict(HookVerdict::PreCall(PreCallVerdict::Close));
    floor.verdict(passes());
    floor.store_all();
    assert_eq!(floor.dialled.len(), 1);
    assert_eq!(floor.planned[0].next, PlannedNext::Final { reason: FinalReason::ClosedByScript });
    assert_eq!(floor.claimed.len(), 1);
}

#[test]
fn a_script_may_choose_the_number_that_is_shown() {
    let mut floor = scripted(ALL);
    floor.answer_fetch(1, true);
    let caller_id = crate::PhoneNumber::from_digits(33_199_000_000).ok();
    floor.verdict(HookVerdict::PreCall(PreCallVerdict::Dial { phone: None, caller_id }));
    let started = floor.unstored.iter().flat_map(|set| &set.changes).find_map(|change| match change {
        Change::AttemptStarted(started) => Some(started.caller_id),
        _ => None,
    });
    assert_eq!(started, Some(caller_id));
}

#[test]
fn a_contact_that_a_script_gives_a_call_result_is_treated_without_a_call() {
    let mut floor = scripted(ALL);
    floor.answer_fetch(1, true);
    floor.verdict(HookVerdict::PreCall(PreCallVerdict::Treat(CallResult::DoNotCall)));
    floor.store_all();
    assert!(floor.dialled.is_empty());
    assert_eq!(floor.planned[0].attempt, None);
    assert_eq!(floor.planned[0].result, Some(CallResult::DoNotCall));
    assert!(floor.planned[0].suppress.is_some());
}

#[test]
fn a_script_that_fails_leads_to_what_the_campaign_chose() {
    let outcome = |policy| {
        let mut floor = scripted(ScriptRules { pre_call: Some(policy), ..ALL });
        floor.answer_fetch(1, true);
        floor.verdict(HookVerdict::Failed);
        floor.store_all();
        (floor.dialled.len(), floor.planned.len(), floor.claimed.len())
    };
    assert_eq!(outcome(OnScriptError::Dial), (1, 0, 1));
    assert_eq!(outcome(OnScriptError::Skip { minutes: 10 }), (0, 0, 0));
    assert_eq!(outcome(OnScriptError::Close), (0, 1, 0));
}

#[test]
fn before_the_treatments_a_script_may_change_what_they_look_at() {
    let (mut floor, _) = called(ALL);
    assert!(
        matches!(&floor.hooks[0].hook, Hook::BeforeReschedule(over) if over.result == CallResult::NoAnswer)
    );
    let changes = EndingChanges { result: Some(CallResult::SitInvalidNumber), ..EndingChanges::default() };
    floor.verdict(HookVerdict::BeforeReschedule(changes));
    floor.verdict(HookVerdict::AfterReschedule(None));
    floor.store_all();
    assert_eq!(floor.planned[0].phone_status, PhoneStatus::Bad);
    assert_eq!(floor.planned[0].next, PlannedNext::Final { reason: FinalReason::NoPhoneLeft });
}

#[test]
fn after_the_treatments_a_script_sees_the_plan_and_may_change_it() {
    let (mut floor, attempt) = called(ScriptRules { before_reschedule: false, ..ALL });
    let Hook::AfterReschedule(_, planned) = &floor.hooks[0].hook else { panic!("asked too early") };
    assert!(matches!(planned.next, PlannedNext::Dial { .. }));
    assert!(floor.planned.is_empty(), "nothing is stored before the script has spoken");
    let at = floor.now + Duration::from_secs(3600);
    floor.verdict(HookVerdict::AfterReschedule(Some(NextStep::Callback { at, agent: Some(agent_id(1)) })));
    floor.store_all();
    assert!(
        matches!(floor.planned[0].next, PlannedNext::Dial { callback: true, at: when, .. } if when == at)
    );
    assert_eq!(floor.planned[0].attempt, Some(attempt));
    assert_eq!((floor.made[0].due, floor.made[0].agent), (at, Some(agent_id(1))));
}

#[test]
fn a_post_call_script_that_fails_changes_nothing() {
    let (mut floor, _) = called(ALL);
    floor.verdict(HookVerdict::Failed);
    floor.verdict(HookVerdict::Failed);
    floor.store_all();
    assert!(matches!(floor.planned[0].next, PlannedNext::Dial { .. }));
}

#[test]
fn an_agent_moves_on_once_the_scripts_have_spoken_and_the_plan_is_durable() {
    let mut floor = scripted(ALL);
    floor.answer_fetch(1, true);
    floor.verdict(passes());
    floor.store_all();
    let attempt = floor.dialled[0];
    floor.talk(attempt);
    floor.call(attempt, CallEvent::Ended(CallEnd::ByCalledParty));
    let said = AgentEvent::Dispose {
        disposition: Some("sale".into()),
        notes: None,
        callback_at: None,
        callback_is_mine: false,
    };
    floor.agent(1, said);
    floor.verdict(HookVerdict::BeforeReschedule(EndingChanges::default()));
    assert_eq!(floor.state_of(1), AgentState::WrapUp);
    floor.verdict(HookVerdict::AfterReschedule(None));
    floor.store_all();
    assert_eq!(floor.state_of(1), AgentState::Ready);
}

#[test]
fn a_group_that_stops_does_not_wait_for_scripts() {
    let mut floor = scripted(ALL);
    floor.answer_fetch(2, true);
    floor.act(1, GroupAction::Stop);
    floor.act(1, GroupAction::Unload);
    floor.answer_fetch(0, true);
    floor.store_all();
    assert_eq!(floor.at_rest, [group_id(1)]);
    assert!(floor.claimed.is_empty());
    floor.verdict(passes());
    assert!(floor.dialled.is_empty());
}
