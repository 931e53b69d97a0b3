//! Supervisors in calls: who barges in is brought to the agent's line; for who listens or whispers there is a channel that
//! hears and speaks on it.

use engine::{AttemptId, PartyEnd, SupervisionId};

use super::parties::{Party, Role};
use super::protocol::Ask;
use super::switchboard::{Asked, Switchboard};
use crate::driver::{AgentPhone, CallStage, Supervision};
use crate::event::{Event, SupervisionState};

/// What the channels are called that hear and speak for supervisors, before the ids of the attempt and the supervision.
const SNOOP: &str = "snoop.";
/// What the bridges are called in which supervisors are with those, before the id of the supervisor's channel.
const LISTENS: &str = "listen.";

pub(super) fn is_snoop(channel: &str) -> bool {
    channel.starts_with(SNOOP)
}

/// The channel of the supervisor who listens in this bridge.
pub(super) fn listener_of(bridge: &str) -> Option<&str> {
    bridge.strip_prefix(LISTENS)
}

impl Switchboard {
    pub(super) fn supervise(
        &mut self,
        supervision: SupervisionId,
        attempt: AttemptId,
        phone: &AgentPhone,
        part: Supervision,
    ) {
        if self.calls.get(&attempt).is_none_or(|call| call.stage != CallStage::Connected) {
            return self.tell_supervision(supervision, SupervisionState::Failed(PartyEnd::CallOver));
        }
        let channel = format!("supervisor.{attempt}.{supervision}");
        if !self.parties.contains_key(&channel) {
            let role = Role::Supervisor { supervision, part, hears: false };
            self.ring_party(channel, "supervisor", attempt, phone, role);
        }
    }

    pub(super) fn tell_supervision(&mut self, supervision: SupervisionId, state: SupervisionState) {
        self.tell_event(Event::Supervision { supervision, at: self.now, state });
    }

    /// A supervisor hears the call from now on.
    pub(super) fn supervision_starts(&mut self, channel: &str) {
        let Some(party) = self.parties.get_mut(channel) else { return };
        if let Role::Supervisor { supervision, hears, .. } = &mut party.role {
            *hears = true;
            let supervision = *supervision;
            self.tell_supervision(supervision, SupervisionState::Started);
        }
    }

    /// Whoever takes part in a call as a supervisor leaves it: it is over, or its agent is in it no more, whose next call
    /// is not theirs to hear.
    pub(super) fn end_supervision(&mut self, attempt: AttemptId) {
        let supervises =
            |party: &Party| party.attempt == attempt && matches!(party.role, Role::Supervisor { .. });
        let channels: Vec<String> = self
            .parties
            .iter()
            .filter(|(_, party)| supervises(party))
            .map(|(channel, _)| channel.clone())
            .collect();
        for channel in channels {
            self.end_party(&channel, PartyEnd::CallOver);
        }
    }

    /// A channel that hears what the agent says and hears, and speaks to the agent alone if it whispers.
    pub(super) fn listen(
        &mut self,
        attempt: AttemptId,
        supervisor: &str,
        supervision: SupervisionId,
        part: Supervision,
        line: &str,
    ) {
        let channel = format!("{SNOOP}{attempt}.{supervision}");
        let whisper = if part == Supervision::Whisper { "out" } else { "none" };
        let role = Role::Snoop(supervisor.to_owned());
        self.parties.insert(channel.clone(), Party { attempt, role, is_up: false, ending: None });
        let application = super::protocol::quoted(&self.settings.application);
        let uri = format!(
            "channels/{line}/snoop/{channel}?spy=both&whisper={whisper}&app={application}&appArgs=snoop"
        );
        self.ask(Asked::Party(channel), Ask::post(uri));
    }

    /// What hears the line for a supervisor is there.
    pub(super) fn let_listen(&mut self, supervisor: &str, snoop: &str) {
        let bridge = format!("{LISTENS}{supervisor}");
        self.make_bridge(&bridge);
        let add = Ask::post(format!("bridges/{bridge}/addChannel?channel={supervisor},{snoop}"));
        self.ask(Asked::Aside("let a supervisor listen"), add);
        self.supervision_starts(supervisor);
    }

    /// A supervisor's channel is gone, and with it what heard the line for them.
    pub(super) fn supervisor_gone(&mut self, channel: &str) {
        let hears_for = |party: &Party| party.role == Role::Snoop(channel.to_owned());
        let snoops: Vec<String> =
            self.parties.iter().filter(|(_, party)| hears_for(party)).map(|(id, _)| id.clone()).collect();
        for snoop in snoops {
            self.ask(Asked::Aside("stop listening"), Ask::delete(format!("channels/{snoop}")));
        }
        self.ask(Asked::Aside("end a bridge"), Ask::delete(format!("bridges/{LISTENS}{channel}")));
    }
}
