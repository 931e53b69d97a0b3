//! Who else takes part in a call: third parties that an agent consults or transfers to, and (in `supervisors.rs`)
//! supervisors.

use engine::{AgentId, AttemptId, PartyEnd, SupervisionId};

use super::protocol::Ask;
use super::switchboard::{Asked, Call, KIND, Switchboard};
use crate::driver::{AgentPhone, CallStage, Control, Supervision};
use crate::event::{EndCause, EventKind, SupervisionState};

/// How long a third party's telephone rings.
const RINGS_SECONDS: u32 = 30;

/// What the variable of its kind says on the channel of a call that is out of its agent's bridge, before the agent's id:
/// on hold, or for as long as somebody is consulted.
const HELD: &str = "held";
const WAITS: &str = "waits";

/// What the bridges are called in which called parties are with those whom agents handed them over to, before the id of
/// the attempt.
const HANDED_OVER: &str = "out.";

/// The call that was handed over in this bridge.
pub(super) fn handed_over_in(bridge: &str) -> Option<AttemptId> {
    AttemptId::parse(bridge.strip_prefix(HANDED_OVER)?).ok()
}

/// With whom the call waits whose kind this is, and whether only for as long as somebody is consulted.
pub(super) fn waiting_with(kind: &str) -> Option<(AgentId, bool)> {
    let (word, agent) = kind.split_once('.')?;
    let agent = AgentId::parse(agent).ok()?;
    (word == HELD || word == WAITS).then_some((agent, word == WAITS))
}

/// A channel beside the called party's and the agent's.
pub(super) struct Party {
    pub attempt: AttemptId,
    pub role: Role,
    pub is_up: bool,
    /// Why it ends, if it is we who end it.
    pub ending: Option<PartyEnd>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Role {
    /// With the agent, while the called party waits; under this number.
    Consulted(u32),
    /// With the called party, without the agent.
    TransferredTo,
    Supervisor {
        supervision: SupervisionId,
        part: Supervision,
        /// They hear the call.
        hears: bool,
    },
    /// Hears and speaks for a supervisor; with that supervisor's channel.
    Snoop(String),
}

impl Switchboard {
    pub(super) fn control(&mut self, attempt: AttemptId, control: Control) {
        let Some(call) = self.calls.get(&attempt) else { return };
        let line = call.agent.and_then(|agent| self.lines.get(&agent)).map(|line| line.id.clone());
        let Some(line) = line.filter(|_| call.stage == CallStage::Connected) else {
            if let Control::Consult { consultation, .. } = control {
                self.tell(attempt, EventKind::ThirdGone { consultation, why: PartyEnd::CallOver });
            }
            return;
        };
        match control {
            Control::Hold => {
                self.hold(attempt, &line);
                self.waits(attempt, HELD);
            }
            Control::Resume | Control::Join => self.resume(attempt, &line),
            Control::Mute => {
                if let Some(line) = self.line_of(attempt) {
                    line.is_muted = true;
                }
                let ask = Ask::post(format!("channels/{line}/mute?direction=in"));
                self.ask(Asked::Aside("mute an agent"), ask);
            }
            Control::Unmute => {
                if let Some(line) = self.line_of(attempt) {
                    line.is_muted = false;
                }
                let ask = Ask::delete(format!("channels/{line}/mute?direction=in"));
                self.ask(Asked::Aside("unmute an agent"), ask);
            }
            Control::Keys(keys) => {
                let keys = super::protocol::quoted(&keys);
                let ask = Ask::post(format!("channels/{attempt}/dtmf?dtmf={keys}"));
                self.ask(Asked::Aside("send keys"), ask);
            }
            Control::Consult { phone, consultation } => self.consult(attempt, &phone, consultation, &line),
            Control::EndConsult => {
                self.let_third_go(attempt);
                self.resume(attempt, &line);
            }
            Control::Record(name) => self.record(attempt, name),
            Control::StopRecording(name) => self.pause_recording(&name),
            Control::Announce(message) => self.announce(attempt, &line, &message),
            Control::Transfer(None) => self.transfer_to_consulted(attempt),
            Control::Transfer(Some(phone)) => self.transfer_to(attempt, &phone, &line),
        }
    }

    fn consult(&mut self, attempt: AttemptId, phone: &AgentPhone, consultation: u32, line: &str) {
        let Some(call) = self.calls.get(&attempt) else { return };
        if call.third.is_some() {
            return self.tell(attempt, EventKind::ThirdGone { consultation, why: PartyEnd::CallOver });
        }
        let was_held = call.is_held;
        self.hold(attempt, line);
        self.waits(attempt, if was_held { HELD } else { WAITS });
        self.ring_third(attempt, phone, Role::Consulted(consultation));
    }

    /// Notes that a call that is out of its agent's bridge is theirs all the same, and why it is there: here, and on its
    /// channel for a process that finds it.
    fn waits(&mut self, attempt: AttemptId, word: &str) {
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        let Some(agent) = call.agent else { return };
        (call.waits_for_third, call.is_labelled) = (word == WAITS, true);
        self.label(attempt, &format!("{word}.{agent}"));
    }

    fn waits_no_more(&mut self, attempt: AttemptId) {
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        call.waits_for_third = false;
        if std::mem::take(&mut call.is_labelled) {
            self.label(attempt, "call");
        }
    }

    fn label(&mut self, attempt: AttemptId, word: &str) {
        let ask = Ask::post(format!("channels/{attempt}/variable?variable={KIND}&value={word}"));
        self.ask(Asked::Aside("note with whom a call waits"), ask);
    }

    /// Hangs up on whoever is consulted. What is still heard of them is of no interest.
    fn let_third_go(&mut self, attempt: AttemptId) {
        if let Some(third) = self.calls.get_mut(&attempt).and_then(|call| call.third.take()) {
            self.ask(Asked::Aside("hang a third party up"), Ask::delete(format!("channels/{third}")));
        }
    }

    /// The called party waits, with music if the switch has any.
    fn hold(&mut self, attempt: AttemptId, line: &str) {
        let Some(call) = self.calls.get_mut(&attempt).filter(|call| !call.is_held) else { return };
        call.is_held = true;
        let ask = Ask::post(format!("bridges/{line}/removeChannel?channel={attempt}"));
        self.ask(Asked::Aside("put a call on hold"), ask);
        self.ask(Asked::Aside("play music on hold"), Ask::post(format!("channels/{attempt}/moh")));
    }

    /// A call waits between one agent, who is free at once, and another. Whom the first consulted is hung up on.
    pub(super) fn part_from_agent(&mut self, attempt: AttemptId) {
        let agent = self.calls.get_mut(&attempt).and_then(|call| call.agent);
        let Some(agent) = agent else { return };
        if let Some(line) = self.lines.get(&agent).map(|line| line.id.clone()) {
            self.hold(attempt, &line);
        }
        self.let_third_go(attempt);
        self.end_supervision(attempt);
        self.waits_no_more(attempt);
        if let Some(call) = self.calls.get_mut(&attempt) {
            (call.agent, call.stage) = (None, CallStage::Answered);
        }
        self.ledger.put(attempt, CallStage::Answered, None);
        self.leave_line(agent, attempt);
    }

    pub(super) fn resume(&mut self, attempt: AttemptId, line: &str) {
        let Some(call) = self.calls.get_mut(&attempt).filter(|call| call.is_held) else { return };
        call.is_held = false;
        self.waits_no_more(attempt);
        self.ask(Asked::Aside("stop music on hold"), Ask::delete(format!("channels/{attempt}/moh")));
        let ask = Ask::post(format!("bridges/{line}/addChannel?channel={attempt}"));
        self.ask(Asked::Aside("take a call off hold"), ask);
    }

    fn ring_third(&mut self, attempt: AttemptId, phone: &AgentPhone, role: Role) {
        let channel = format!("third.{attempt}.{}", self.fresh());
        if let Some(call) = self.calls.get_mut(&attempt) {
            call.third = Some(channel.clone());
        }
        self.ring_party(channel, "third", attempt, phone, role);
    }

    pub(super) fn ring_party(
        &mut self,
        channel: String,
        word: &str,
        attempt: AttemptId,
        phone: &AgentPhone,
        role: Role,
    ) {
        let body = self.ring(phone, word, RINGS_SECONDS);
        self.parties.insert(channel.clone(), Party { attempt, role, is_up: false, ending: None });
        let ask = Ask::post(format!("channels/{channel}")).with(body);
        self.ask(Asked::Party(channel), ask);
    }

    /// The called party and the third party are brought together and the agent leaves.
    fn transfer_to_consulted(&mut self, attempt: AttemptId) {
        let Some(third) = self.calls.get(&attempt).and_then(|call| call.third.clone()) else { return };
        if let Some(party) = self.parties.get_mut(&third) {
            party.role = Role::TransferredTo;
            let is_up = party.is_up;
            if is_up {
                self.bridge_with_third(attempt, &third);
            }
            self.agent_leaves(attempt);
            if is_up {
                self.tell(attempt, EventKind::Transferred);
            }
        }
    }

    /// The agent is free at once; the called party waits until the third party answers.
    fn transfer_to(&mut self, attempt: AttemptId, phone: &AgentPhone, line: &str) {
        if self.calls.get(&attempt).is_none_or(|call| call.third.is_some()) {
            return;
        }
        self.hold(attempt, line);
        self.ring_third(attempt, phone, Role::TransferredTo);
        self.agent_leaves(attempt);
    }

    fn agent_leaves(&mut self, attempt: AttemptId) {
        self.end_supervision(attempt);
        self.waits_no_more(attempt);
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        call.is_transferred = true;
        let Some(agent) = call.agent.take() else { return };
        self.leave_line(agent, attempt);
        self.tell(attempt, EventKind::AgentLeft { agent });
    }

    fn bridge_with_third(&mut self, attempt: AttemptId, third: &str) {
        self.ask(Asked::Aside("stop music on hold"), Ask::delete(format!("channels/{attempt}/moh")));
        let bridge = format!("{HANDED_OVER}{attempt}");
        self.make_bridge(&bridge);
        let add = Ask::post(format!("bridges/{bridge}/addChannel?channel={attempt},{third}"));
        self.ask(Asked::Aside("transfer a call"), add);
    }

    pub(super) fn end_party(&mut self, channel: &str, why: PartyEnd) {
        if let Some(party) = self.parties.get_mut(channel) {
            party.ending = party.ending.or(Some(why));
        }
        self.ask(Asked::Aside("hang a party up"), Ask::delete(format!("channels/{channel}")));
    }

    pub(super) fn party_picked_up(&mut self, channel: &str) {
        let Some(party) = self.parties.get_mut(channel) else {
            return self.ask(Asked::Aside("hang a channel up"), Ask::delete(format!("channels/{channel}")));
        };
        if std::mem::replace(&mut party.is_up, true) {
            return;
        }
        let (attempt, role) = (party.attempt, party.role.clone());
        let call = self.calls.get(&attempt);
        let is_third = call.is_some_and(|call| call.third.as_deref() == Some(channel));
        let agent = call.and_then(|call| call.agent);
        let line = agent.and_then(|agent| self.lines.get(&agent)).map(|line| line.id.clone());
        match (role, line) {
            (Role::TransferredTo, _) => {
                self.bridge_with_third(attempt, channel);
                self.tell(attempt, EventKind::Transferred);
            }
            (Role::Consulted(consultation), Some(line)) if is_third => {
                self.bring_to(&line, channel);
                self.tell(attempt, EventKind::ThirdAnswered { consultation });
            }
            (Role::Supervisor { part: Supervision::Barge, .. }, Some(line)) => {
                self.bring_to(&line, channel);
                self.supervision_starts(channel);
            }
            (Role::Supervisor { supervision, part, .. }, Some(line)) => {
                self.listen(attempt, channel, supervision, part, &line);
            }
            (Role::Snoop(supervisor), _) => self.let_listen(&supervisor, channel),
            (Role::Consulted(_) | Role::Supervisor { .. }, _) => self.end_party(channel, PartyEnd::CallOver),
        }
    }

    fn bring_to(&mut self, line: &str, channel: &str) {
        let ask = Ask::post(format!("bridges/{line}/addChannel?channel={channel}"));
        self.ask(Asked::Aside("bring a party to a call"), ask);
    }

    pub(super) fn party_refused(&mut self, channel: &str, status: u16) {
        tracing::warn!(status, "the switch refused to ring somebody, or to let them listen");
        self.party_gone(channel, PartyEnd::Unreachable);
    }

    /// The channel of a party is gone; `unanswered` says why if nobody had picked it up.
    pub(super) fn party_gone(&mut self, channel: &str, unanswered: PartyEnd) {
        let Some(party) = self.parties.remove(channel) else { return };
        let attempt = party.attempt;
        let why = party.ending.unwrap_or(if party.is_up { PartyEnd::HungUp } else { unanswered });
        match party.role {
            Role::TransferredTo => self.transferred_to_gone(attempt, (!party.is_up).then_some(why)),
            Role::Consulted(consultation) => self.consulted_gone(attempt, channel, consultation, why),
            Role::Supervisor { supervision, hears, .. } => {
                self.supervisor_gone(channel);
                let state = if hears { SupervisionState::Ended } else { SupervisionState::Failed(why) };
                self.tell_supervision(supervision, state);
            }
            Role::Snoop(supervisor) => self.end_party(&supervisor, unanswered),
        }
    }

    /// Nobody is left for the called party to talk to.
    fn transferred_to_gone(&mut self, attempt: AttemptId, failed: Option<PartyEnd>) {
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        call.ending = Some(EndCause::ByUs);
        if let Some(why) = failed {
            self.tell(attempt, EventKind::TransferFailed { why });
        }
        self.ask(Asked::Aside("hang a call up"), Ask::delete(format!("channels/{attempt}")));
    }

    /// Who was consulted is not there: the called party is with the agent again, unless they were put on hold before.
    fn consulted_gone(&mut self, attempt: AttemptId, channel: &str, consultation: u32, why: PartyEnd) {
        // The next agent may have rung somebody else meanwhile.
        let is_theirs = |call: &&mut Call| call.third.as_deref() == Some(channel);
        let Some(call) = self.calls.get_mut(&attempt).filter(is_theirs) else { return };
        call.third = None;
        let waits = call.waits_for_third;
        if let Some(line) = self.line_of(attempt).map(|line| line.id.clone()).filter(|_| waits) {
            self.resume(attempt, &line);
        }
        self.tell(attempt, EventKind::ThirdGone { consultation, why });
    }

    /// A call is over, and with it every part that others had in it.
    pub(super) fn end_parties_of(&mut self, attempt: AttemptId, call: &Call) {
        let channels: Vec<String> = self
            .parties
            .iter()
            .filter(|(_, party)| party.attempt == attempt)
            .map(|(id, _)| id.clone())
            .collect();
        for channel in channels {
            self.end_party(&channel, PartyEnd::CallOver);
        }
        if call.is_transferred {
            self.ask(Asked::Aside("end a bridge"), Ask::delete(format!("bridges/{HANDED_OVER}{attempt}")));
        }
    }
}
