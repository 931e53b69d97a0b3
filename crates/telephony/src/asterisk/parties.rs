//! Who else takes part in a call: third parties that an agent consults or transfers to, and supervisors.

use engine::AttemptId;

use super::protocol::Ask;
use super::switchboard::{Asked, Call, Switchboard};
use crate::driver::{AgentPhone, CallStage, Control, Supervision};
use crate::event::{EndCause, EventKind};

/// How long a third party's telephone rings.
const RINGS_SECONDS: u32 = 30;

/// A channel beside the called party's and the agent's.
pub(super) struct Party {
    pub attempt: AttemptId,
    pub role: Role,
    pub is_up: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Role {
    /// With the agent, while the called party waits.
    Consulted,
    /// With the called party, without the agent.
    TransferredTo,
    Supervisor(Supervision),
    /// Hears and speaks for a supervisor; with that supervisor's channel.
    Snoop(String),
}

impl Switchboard {
    pub(super) fn control(&mut self, attempt: AttemptId, control: Control) {
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        let Some(line) = call.agent.and_then(|agent| self.lines.get(&agent)).map(|line| line.id.clone())
        else {
            return;
        };
        if call.stage != CallStage::Connected {
            return;
        }
        match control {
            Control::Hold => self.hold(attempt, &line),
            Control::Resume => self.resume(attempt, &line),
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
            Control::Consult(phone) => {
                if call.third.is_none() {
                    self.hold(attempt, &line);
                    self.ring_third(attempt, &phone, Role::Consulted);
                }
            }
            Control::Join => self.resume(attempt, &line),
            Control::EndConsult => {
                if let Some(third) = call.third.clone() {
                    self.ask(Asked::Aside("hang a third party up"), Ask::delete(format!("channels/{third}")));
                }
                self.resume(attempt, &line);
            }
            Control::Record(name) => self.record(attempt, name),
            Control::StopRecording(name) => self.pause_recording(&name),
            Control::Announce(message) => self.announce(attempt, &line, &message),
            Control::Transfer(None) => self.transfer_to_consulted(attempt),
            Control::Transfer(Some(phone)) => self.transfer_to(attempt, &phone, &line),
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
        let third = self.calls.get_mut(&attempt).and_then(|call| {
            (call.agent, call.stage) = (None, CallStage::Answered);
            call.third.take()
        });
        if let Some(third) = third {
            self.ask(Asked::Aside("hang a third party up"), Ask::delete(format!("channels/{third}")));
        }
        self.ledger.put(attempt, CallStage::Answered, None);
        self.leave_line(agent, attempt);
    }

    fn resume(&mut self, attempt: AttemptId, line: &str) {
        let Some(call) = self.calls.get_mut(&attempt).filter(|call| call.is_held) else { return };
        call.is_held = false;
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

    fn ring_party(
        &mut self,
        channel: String,
        word: &str,
        attempt: AttemptId,
        phone: &AgentPhone,
        role: Role,
    ) {
        let body = self.ring(phone, word, RINGS_SECONDS);
        self.parties.insert(channel.clone(), Party { attempt, role, is_up: false });
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
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        call.is_transferred = true;
        let Some(agent) = call.agent.take() else { return };
        self.leave_line(agent, attempt);
        self.tell(attempt, EventKind::AgentLeft { agent });
    }

    fn bridge_with_third(&mut self, attempt: AttemptId, third: &str) {
        self.ask(Asked::Aside("stop music on hold"), Ask::delete(format!("channels/{attempt}/moh")));
        let bridge = format!("out.{attempt}");
        let make = Ask::post(format!("bridges?type=mixing&bridgeId={bridge}&name=outdial"));
        self.ask(Asked::Aside("make a bridge"), make);
        let add = Ask::post(format!("bridges/{bridge}/addChannel?channel={attempt},{third}"));
        self.ask(Asked::Aside("transfer a call"), add);
    }

    pub(super) fn supervise(&mut self, attempt: AttemptId, phone: &AgentPhone, part: Supervision) {
        if self.calls.get(&attempt).is_some_and(|call| call.stage == CallStage::Connected) {
            let channel = format!("supervisor.{attempt}.{}", self.fresh());
            self.ring_party(channel, "supervisor", attempt, phone, Role::Supervisor(part));
        }
    }

    pub(super) fn party_picked_up(&mut self, channel: &str) {
        let Some(party) = self.parties.get_mut(channel) else {
            return self.ask(Asked::Aside("hang a channel up"), Ask::delete(format!("channels/{channel}")));
        };
        party.is_up = true;
        let (attempt, role) = (party.attempt, party.role.clone());
        let agent = self.calls.get(&attempt).and_then(|call| call.agent);
        let line = agent.and_then(|agent| self.lines.get(&agent)).map(|line| line.id.clone());
        match (role, line) {
            (Role::TransferredTo, _) => self.bridge_with_third(attempt, channel),
            (Role::Consulted | Role::Supervisor(Supervision::Barge), Some(line)) => {
                let ask = Ask::post(format!("bridges/{line}/addChannel?channel={channel}"));
                self.ask(Asked::Aside("bring a party to a call"), ask);
            }
            (Role::Supervisor(part), Some(line)) => self.listen(attempt, channel, part, &line),
            (Role::Snoop(supervisor), _) => {
                let bridge = format!("listen.{supervisor}");
                let make = Ask::post(format!("bridges?type=mixing&bridgeId={bridge}&name=outdial"));
                self.ask(Asked::Aside("make a bridge"), make);
                let add = Ask::post(format!("bridges/{bridge}/addChannel?channel={supervisor},{channel}"));
                self.ask(Asked::Aside("let a supervisor listen"), add);
            }
            (Role::Consulted | Role::Supervisor(_), None) => {
                self.ask(Asked::Aside("hang a channel up"), Ask::delete(format!("channels/{channel}")));
            }
        }
    }

    /// A channel that hears what the agent says and hears, and speaks to the agent alone if it whispers.
    fn listen(&mut self, attempt: AttemptId, supervisor: &str, part: Supervision, line: &str) {
        let channel = format!("snoop.{attempt}.{}", self.fresh());
        let whisper = if part == Supervision::Whisper { "out" } else { "none" };
        let role = Role::Snoop(supervisor.to_owned());
        self.parties.insert(channel.clone(), Party { attempt, role, is_up: false });
        let application = super::protocol::quoted(&self.settings.application);
        let uri = format!(
            "channels/{line}/snoop/{channel}?spy=both&whisper={whisper}&app={application}&appArgs=snoop"
        );
        self.ask(Asked::Party(channel), Ask::post(uri));
    }

    pub(super) fn party_gone(&mut self, channel: &str) {
        let Some(party) = self.parties.remove(channel) else { return };
        let attempt = party.attempt;
        match party.role {
            Role::TransferredTo => {
                // Nobody is left to talk to.
                if let Some(call) = self.calls.get_mut(&attempt) {
                    call.ending = Some(EndCause::ByUs);
                    self.ask(Asked::Aside("hang a call up"), Ask::delete(format!("channels/{attempt}")));
                }
            }
            Role::Consulted => {
                // The next agent may have rung somebody else meanwhile.
                let is_theirs = |call: &&mut Call| call.third.as_deref() == Some(channel);
                if let Some(call) = self.calls.get_mut(&attempt).filter(is_theirs) {
                    call.third = None;
                }
            }
            Role::Supervisor(_) => {
                let hears_for = |party: &Party| party.role == Role::Snoop(channel.to_owned());
                let snoops: Vec<String> = self
                    .parties
                    .iter()
                    .filter(|(_, party)| hears_for(party))
                    .map(|(id, _)| id.clone())
                    .collect();
                for snoop in snoops {
                    self.ask(Asked::Aside("stop listening"), Ask::delete(format!("channels/{snoop}")));
                }
                self.ask(Asked::Aside("end a bridge"), Ask::delete(format!("bridges/listen.{channel}")));
            }
            Role::Snoop(supervisor) => {
                let ask = Ask::delete(format!("channels/{supervisor}"));
                self.ask(Asked::Aside("hang a supervisor up"), ask);
            }
        }
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
            self.ask(Asked::Aside("hang a party up"), Ask::delete(format!("channels/{channel}")));
        }
        if call.is_transferred {
            self.ask(Asked::Aside("end a bridge"), Ask::delete(format!("bridges/out.{attempt}")));
        }
    }
}
