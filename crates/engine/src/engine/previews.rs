//! Contacts that agents look at before they are dialled.

use std::time::Duration;

use crate::agent::AgentState;
use crate::change::{ContactReturned, PreviewRejected};
use crate::contact::HopperContact;
use crate::ids::{AgentId, GroupId};
use crate::phone::PhoneNumber;
use crate::settings::{DialMode, PreviewTimeout};
use crate::time::Time;

use super::Engine;
use super::io::AgentNotice;
use super::state::{Agent, Disposal};

/// How long a contact rests whom an agent did not want to dial: long enough that it does not come straight back to
/// the same team, short enough that the day is not lost.
const REJECTED_REST: Duration = Duration::from_secs(15 * 60);

impl Engine {
    /// Ends the wrap-up if there is one, and asks for a contact to preview. During a call it is kept for after it.
    pub(super) fn wants_next(&mut self, id: AgentId, state: AgentState) {
        match state {
            AgentState::Ready if self.calls_come_by_themselves(id) => {
                self.refuse(
                    id,
                    "the campaign groups that you serve send their calls by themselves: wait for one",
                );
            }
            AgentState::Ready | AgentState::WrapUp | AgentState::OnCall => {
                if let Some(agent) = self.agents.get_mut(&id) {
                    agent.asked = true;
                }
                if state == AgentState::WrapUp {
                    self.dispose(id, Disposal::default());
                }
            }
            _ => self.refuse(id, "be ready first"),
        }
    }

    /// Whether groups that they serve are running, and none of them waits to be asked.
    fn calls_come_by_themselves(&self, id: AgentId) -> bool {
        let Some(agent) = self.agents.get(&id) else { return false };
        let mut served = self
            .groups
            .values()
            .filter(|group| group.is_running() && agent.has_skill(group.definition.skill))
            .peekable();
        served.peek().is_some() && served.all(|group| group.dial_mode() != DialMode::Preview)
    }

    /// Shows contacts to agents who are ready: to those who asked, or to all where the group pushes its previews.
    pub(super) fn offer_previews(&mut self, group_id: GroupId) {
        let Some(group) = self.groups.get(&group_id) else { return };
        let (skill, lines_max) = (group.definition.skill, group.definition.settings.lines_max);
        let seconds = group.definition.settings.preview_seconds_max;
        let pushes = group.dial_mode() == DialMode::PushPreview;
        let mut room = lines_max.saturating_sub(group.on_lines);
        while room > 0 {
            let kept = self.kept_from(group_id);
            // Who has asked does not wait for other campaigns' lines.
            let takes = |agent: &Agent| agent.asked || pushes && kept.leaves(agent);
            let Some(agent) = self.choose_agent_among(skill, None, takes) else { return };
            let Some(contact) = self.next_callable(group_id) else { return };
            let agent = self.choose_agent_among(skill, contact.preferred_agent, takes).unwrap_or(agent);
            let Some(number) = contact.current_phone().map(|phone| phone.number) else { return };
            self.show_preview(group_id, agent, contact, number, seconds);
            room -= 1;
        }
    }

    /// Shows a contact to an agent, who has so many seconds to decide.
    pub(super) fn show_preview(
        &mut self,
        group: GroupId,
        agent: AgentId,
        contact: Box<HopperContact>,
        number: PhoneNumber,
        seconds: u32,
    ) {
        let until = self.now + Duration::from_secs(u64::from(seconds));
        let callback = contact.promise.as_ref().map(|promise| promise.callback);
        let notice = AgentNotice::Preview { group, contact: contact.contact, number, until, callback };
        self.change_agent_state(agent, AgentState::Preview, None);
        self.set_agent_deadline(agent, Some(until));
        if let Some(agent) = self.agents.get_mut(&agent) {
            agent.preview = Some((group, contact));
        }
        self.tell(agent, notice);
    }

    pub(super) fn accept_preview(&mut self, id: AgentId) {
        let now = self.now;
        let Some(agent) = self.agents.get_mut(&id) else { return };
        let Some((group, contact)) = agent.preview.take() else { return };
        let expired = contact.expires_at.is_some_and(|at| at <= now);
        let may_dial = self.groups.get(&group).is_some_and(|group| group.is_running());
        if expired || contact.dial_until <= now || !may_dial {
            self.give_back(group, &contact, None);
            self.refuse(id, "this contact may not be called any more at this hour");
            return self.move_on(id);
        }
        if self.no_caller_id_until(group, &contact).is_some() {
            self.promise_stands(group, &contact, "no_caller_id");
            self.take_up(group, contact);
            self.refuse(
                id,
                "every number that this contact may see was shown as often as it may be meanwhile",
            );
            return self.move_on(id);
        }
        self.set_agent_state(id, AgentState::Reserved, None);
        let attempt = self.start_attempt(group, contact, Some(id));
        if let Some(agent) = self.agents.get_mut(&id) {
            agent.attempt = attempt;
        }
    }

    pub(super) fn reject_preview(&mut self, id: AgentId, reason: Option<String>) {
        let reason = reason.filter(|reason| !reason.trim().is_empty());
        let Some((group, contact)) = self.agents.get(&id).and_then(|agent| agent.preview.as_ref()) else {
            return;
        };
        let wants_reason =
            self.groups.get(group).is_some_and(|group| group.definition.settings.wants_reason());
        if wants_reason && reason.is_none() && contact.promise.is_none() {
            return self.refuse(id, "say why: reject_preview needs a reason in this campaign group");
        }
        let rest = self.now + REJECTED_REST;
        self.return_preview(id, Some(rest), Some(PreviewRejected { agent: id, reason }));
        self.move_on(id);
    }

    pub(super) fn preview_ran_out(&mut self, id: AgentId) {
        let Some((group, _)) = self.agents.get(&id).and_then(|agent| agent.preview.as_ref()) else { return };
        let accepts = self
            .groups
            .get(group)
            .is_some_and(|group| group.definition.settings.preview_timeout == PreviewTimeout::Accept);
        if accepts {
            return self.accept_preview(id);
        }
        self.return_preview(id, None, None);
        self.afterwards_not_ready(id, "preview_timed_out");
        self.move_on(id);
    }

    pub(super) fn return_preview(
        &mut self,
        id: AgentId,
        not_before: Option<Time>,
        rejected: Option<PreviewRejected>,
    ) {
        let preview = self.agents.get_mut(&id).and_then(|agent| agent.preview.take());
        if let Some((group, contact)) = preview {
            if contact.promise.is_some() {
                return self.promise_refused(group, contact, id);
            }
            let contact = contact.contact;
            self.return_contact(ContactReturned { group, contact, not_before, rejected });
        }
    }

    /// Takes the previews of a group back of which this holds. Their agents have not refused them, and do not lose their
    /// callbacks by it.
    pub(super) fn withdraw_previews(&mut self, group: GroupId, concerned: impl Fn(&HopperContact) -> bool) {
        for id in self.agents_previewing(group, concerned) {
            let preview = self.agents.get_mut(&id).and_then(|agent| agent.preview.take());
            if let Some((_, contact)) = preview {
                self.promise_stands(group, &contact, "withdrawn");
                self.give_back(group, &contact, None);
            }
            self.move_on(id);
        }
    }

    /// Forgets the previews of a group that is another node's now.
    pub(super) fn drop_previews(&mut self, group: GroupId) {
        for id in self.agents_previewing(group, |_| true) {
            if let Some(agent) = self.agents.get_mut(&id) {
                agent.preview = None;
            }
            self.move_on(id);
        }
    }

    /// Who looks at a contact of the group of which this holds.
    pub(super) fn agents_previewing(
        &self,
        group: GroupId,
        concerned: impl Fn(&HopperContact) -> bool,
    ) -> Vec<AgentId> {
        let is_one = |(of, contact): &(GroupId, Box<HopperContact>)| *of == group && concerned(contact);
        let previews = |agent: &&Agent| agent.preview.as_ref().is_some_and(is_one);
        let mut agents: Vec<_> = self.agents.values().filter(previews).map(|agent| agent.id).collect();
        agents.sort_unstable();
        agents
    }
}
