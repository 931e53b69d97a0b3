//! Third parties and supervisors.

use super::*;

/// The question that brings the called party back to the agent.
fn taken_off_hold(desk: &Desk) -> Ask {
    Ask::post(format!("bridges/{}/addChannel?channel={}", desk.line(0), attempt(1)))
}

fn is_busy(desk: &mut Desk, channel: String) {
    desk.channels.retain(|other| *other != channel);
    let channel = Channel { id: channel, ..Channel::default() };
    desk.says(Incoming::ChannelDestroyed { channel, cause: 17, tech_cause: Some(486) });
    desk.hear();
}

#[test]
fn when_whom_an_agent_consults_is_busy_they_are_told_and_the_called_party_is_back() {
    let mut desk = Desk::new();
    talks(&mut desk);
    desk.take(Step::Control(1, consult(1)));
    desk.asked.clear();
    let third = desk.party(0).expect("somebody is rung");
    is_busy(&mut desk, third);
    assert_eq!(desk.told_last(1), Some(EventKind::ThirdGone { consultation: 1, why: PartyEnd::Busy }));
    assert!(desk.wants(&taken_off_hold(&desk)), "the called party is with the agent again");
    // And somebody else can be consulted.
    desk.take(Step::Control(1, consult(2)));
    desk.take(Step::PartyUp(0));
    assert_eq!(desk.told_last(1), Some(EventKind::ThirdAnswered { consultation: 2 }));
}

#[test]
fn who_was_on_hold_before_a_consultation_that_failed_is_on_hold_after_it() {
    let mut desk = Desk::new();
    talks(&mut desk);
    desk.take(Step::Control(1, Control::Hold));
    desk.take(Step::Control(1, consult(1)));
    desk.asked.clear();
    let third = desk.party(0).expect("somebody is rung");
    is_busy(&mut desk, third);
    assert!(!desk.wants(&taken_off_hold(&desk)));
    desk.take(Step::Control(1, Control::Resume));
    assert!(desk.wants(&taken_off_hold(&desk)));
}

#[test]
fn somebody_else_can_be_consulted_at_once_and_what_is_heard_of_the_first_is_not_told() {
    let mut desk = Desk::new();
    talks(&mut desk);
    desk.take(Step::Control(1, consult(1)));
    let first = desk.party(0).expect("somebody is rung");
    desk.take(Step::Control(1, Control::EndConsult));
    desk.take(Step::Control(1, consult(2)));
    desk.asked.clear();
    let before = desk.told[&attempt(1)].clone();
    // Picked up just before they were hung up on.
    let channel = Channel { id: first.clone(), ..Channel::default() };
    desk.says(Incoming::StasisStart { channel, args: vec!["third".to_owned()] });
    desk.hear();
    assert!(desk.wants(&Ask::delete(format!("channels/{first}"))));
    desk.destroy(first);
    desk.hear();
    assert_eq!(desk.told[&attempt(1)], before);
    desk.take(Step::PartyUp(0));
    assert_eq!(desk.told_last(1), Some(EventKind::ThirdAnswered { consultation: 2 }));
}

#[test]
fn what_became_of_a_blind_transfer_is_told_before_the_call_ends() {
    let transfer = || Control::Transfer(Some(AgentPhone::Endpoint("PJSIP/third".to_owned())));
    let mut desk = Desk::new();
    talks(&mut desk);
    desk.take(Step::Control(1, transfer()));
    assert_eq!(desk.told_last(1), Some(EventKind::AgentLeft { agent: agent(0) }));
    let third = desk.party(0).expect("somebody is rung");
    is_busy(&mut desk, third);
    assert_eq!(desk.told_last(1), Some(EventKind::TransferFailed { why: PartyEnd::Busy }));

    let mut desk = Desk::new();
    talks(&mut desk);
    desk.take(Step::Control(1, transfer()));
    desk.take(Step::PartyUp(0));
    assert_eq!(desk.told_last(1), Some(EventKind::Transferred));
    // Who talked and hung up did not fail to come.
    desk.take(Step::PartyGone(0));
    assert_eq!(desk.told_last(1), Some(EventKind::Transferred));
}

#[test]
fn a_supervisor_does_not_hear_the_next_call_of_an_agent_who_has_left_the_one_they_listened_to() {
    let mut desk = Desk::new();
    talks(&mut desk);
    desk.take(Step::Supervise(1, Supervision::Monitor));
    desk.take(Step::PartyUp(0));
    desk.take(Step::PartyUp(1));
    let supervision = *desk.supervised.keys().next().unwrap();
    assert_eq!(desk.supervised[&supervision], [SupervisionState::Started]);
    let supervisor = desk.party(0).expect("they are rung");
    desk.asked.clear();
    desk.take(Step::Connect(1, 1, false));
    assert!(desk.wants(&Ask::delete(format!("channels/{supervisor}"))));
    desk.take(Step::PartyGone(0));
    assert_eq!(desk.supervised[&supervision], [SupervisionState::Started, SupervisionState::Ended]);
}

#[test]
fn what_listened_for_a_supervisor_of_an_earlier_process_is_ended_and_another_node_s_is_not() {
    let mut desk = Desk::new();
    let (own, other) = (format!("line.{}.1", agent(0)), format!("line.{}.2", agent(1)));
    let snoop = |number: u8, line: &str| {
        serde_json::json!({"id": format!("snoop.{}.{number}", attempt(1)), "state": "Up",
            "name": format!("Snoop/{line}-0000000{number}")})
    };
    let recorder = serde_json::json!({"id": format!("recorder.{}", attempt(1)), "state": "Up",
        "name": format!("Snoop/{}-00000009", attempt(1))});
    let line = |id: &str, node: &str| serde_json::json!({"id": id, "state": "Up", "channelvars": {NODE: node, KIND: "line"}});
    let supervisor = serde_json::json!({"id": "supervisor.a.b", "state": "Up",
        "channelvars": {NODE: NODE_NAME, KIND: "supervisor"}});
    let channels = serde_json::json!([
        line(&own, NODE_NAME),
        line(&other, "elsewhere"),
        supervisor,
        snoop(1, &own),
        snoop(2, &other),
        recorder
    ]);
    let listens =
        |of: &str, channel: &str| serde_json::json!({"id": format!("listen.{of}"), "channels": [channel]});
    let bridges = serde_json::json!([
        listens("supervisor.a.b", &format!("snoop.{}.1", attempt(1))),
        listens("supervisor.c.d", &format!("snoop.{}.2", attempt(1))),
    ]);
    desk.is_connected = true;
    desk.board.connected(desk.now);
    desk.hear();
    desk.compare(&channels, &bridges);
    let mut ended: Vec<&str> = desk
        .asked
        .iter()
        .filter(|(_, ask)| ask.method == "DELETE" && !ask.uri.starts_with("playbacks"))
        .map(|(_, ask)| ask.uri.as_str())
        .collect();
    ended.sort_unstable();
    let snoop = format!("channels/snoop.{}.1", attempt(1));
    assert_eq!(ended, ["bridges/listen.supervisor.a.b", snoop.as_str(), "channels/supervisor.a.b"]);
}

#[test]
fn a_bridge_that_a_process_made_and_died_before_anybody_was_in_it_is_ended() {
    let mut desk = Desk::new();
    let line = format!("line.{}.1", agent(0));
    let channels = serde_json::json!([
        {"id": line, "state": "Up", "channelvars": {NODE: NODE_NAME, KIND: "line"}},
    ]);
    let bridge =
        |id: &str, name: &str, of: &[&str]| serde_json::json!({"id": id, "name": name, "channels": of});
    let (ours, theirs) = (format!("outdial.{NODE_NAME}"), "outdial.elsewhere");
    let bridges = serde_json::json!([
        bridge("listen.supervisor.a.b", &ours, &[]),
        bridge(&format!("out.{}", attempt(1)), &ours, &[]),
        bridge("line.gone.2", &ours, &[]),
        // Of another node, not empty, still in use, and nobody's.
        bridge("listen.supervisor.c.d", theirs, &[]),
        bridge("listen.supervisor.e.f", &ours, &["somebody"]),
        bridge(&line, &ours, &[]),
        bridge("conference", "", &[]),
    ]);
    desk.is_connected = true;
    desk.board.connected(desk.now);
    desk.hear();
    desk.compare(&channels, &bridges);
    let ended: Vec<&str> = desk
        .asked
        .iter()
        .filter_map(|(_, ask)| ask.uri.strip_prefix("bridges/").filter(|_| ask.method == "DELETE"))
        .collect();
    assert_eq!(ended, ["listen.supervisor.a.b", format!("out.{}", attempt(1)).as_str(), "line.gone.2"]);
}

#[test]
fn an_agent_who_consulted_somebody_can_hand_the_call_over_all_the_same() {
    let mut desk = Desk::new();
    let control = consult(1);
    talks(&mut desk);
    desk.take(Step::Control(1, control));
    let third = desk.party(0).expect("somebody is rung");
    desk.take(Step::Connect(1, 1, false));
    desk.take(Step::EnteredBridge(1, 1));
    let connected = |who| EventKind::Connected { agent: agent(who) };
    let told = &desk.told[&attempt(1)];
    assert!(told.ends_with(&[connected(0), connected(1)]), "{told:?}");
    let hung_up = Ask::delete(format!("channels/{third}"));
    assert!(desk.asked.iter().any(|(_, ask)| *ask == hung_up), "who was consulted is hung up on");
}

#[test]
fn who_waits_when_a_process_dies_is_with_the_same_agent_afterwards_and_on_hold_only_if_they_were() {
    for (control, is_back) in [(Control::Hold, false), (consult(1), true)] {
        let mut desk = Desk::new();
        talks(&mut desk);
        desk.asked.clear();
        desk.take(Step::Control(1, control));
        let label = format!("channels/{}/variable?variable={KIND}&value=", attempt(1));
        let kind = desk.asked.iter().find_map(|(_, ask)| ask.uri.strip_prefix(&label)).unwrap().to_owned();
        let line = desk.line(0);
        let found = |id: &str, kind: &str| {
            serde_json::json!({"id": id, "state": "Up", "dialplan": {"app_name": "Stasis"},
                "channelvars": {NODE: NODE_NAME, KIND: kind}})
        };
        let channels = serde_json::json!([found(&line, "line"), found(&attempt(1).to_string(), &kind)]);
        let bridges = serde_json::json!([{"id": line, "channels": [line]}]);
        let mut desk = Desk::new();
        desk.channels.push(line);
        desk.is_connected = true;
        desk.board.connected(desk.now);
        desk.hear();
        desk.compare(&channels, &bridges);
        let live = desk.ledger.live();
        assert_eq!((live[0].stage, live[0].agent), (CallStage::Connected, Some(agent(0))));
        assert_eq!(desk.wants(&taken_off_hold(&desk)), is_back);
        desk.take(Step::Control(1, Control::Resume));
        assert!(desk.wants(&taken_off_hold(&desk)));
        let unlabelled = Ask::post(format!("{label}call"));
        assert!(desk.wants(&unlabelled), "a process that finds it later takes it as it is");
    }
}
