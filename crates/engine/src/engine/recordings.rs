//! Which calls are recorded, and when recording begins and pauses.

use crate::change::{Change, RecordingStarted};
use crate::ids::{AgentId, AttemptId};
use crate::recording::RecordingSettings;

use super::Engine;
use super::io::{AgentNotice, Output};
use super::state::{AfterStored, Call, Stage};

impl Engine {
    fn recording_settings(&self, attempt: AttemptId) -> Option<&RecordingSettings> {
        let group = self.groups.get(&self.calls.get(&attempt)?.group)?;
        group.definition.rules.recording.as_ref()
    }

    /// An agent was connected: is the call one that is recorded by itself?
    pub(super) fn record_if_due(&mut self, attempt: AttemptId) {
        if self.recording_settings(attempt).is_some_and(|settings| settings.records(attempt)) {
            self.record(attempt);
        }
    }

    /// A call was found with its agent after a crash. What was recorded is, and what was to be recorded begins now.
    pub(super) fn go_on_recording(&mut self, attempt: AttemptId) {
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        call.is_recording = call.recording.is_some();
        if !call.is_recording {
            self.record_if_due(attempt);
        }
    }

    /// An agent wants the call that they are on recorded from now on.
    pub(super) fn record_on_demand(&mut self, agent: AgentId, attempt: AttemptId) {
        if self.may_record(agent, attempt) {
            self.record(attempt);
        }
    }

    /// An agent wants the recording to pause.
    pub(super) fn pause_recording(&mut self, agent: AgentId, attempt: AttemptId) {
        if !self.may_record(agent, attempt) {
            return;
        }
        let Some(call) = self.calls.get_mut(&attempt) else { return };
        let Some(name) = call.recording.clone() else {
            return self.refuse(agent, "the call is not recorded");
        };
        call.is_recording = false;
        self.outputs.push_back(Output::Record { attempt, name, is_on: false });
        self.tell(agent, AgentNotice::Recording { attempt, is_on: false });
    }

    fn may_record(&mut self, agent: AgentId, attempt: AttemptId) -> bool {
        match self.recording_settings(attempt).map(RecordingSettings::is_on_demand) {
            Some(true) => return true,
            Some(false) => self.refuse(agent, "calls of this campaign are not recorded on demand"),
            None => self.refuse(agent, "the switch in use cannot record: the simulated carrier has no sound"),
        }
        false
    }

    /// Records a call, once it is stored that it is; goes on with a recording that it has.
    fn record(&mut self, attempt: AttemptId) {
        let now = self.now;
        let Some(call) = self.calls.get_mut(&attempt).filter(|call| call.stage == Stage::Talking) else {
            return;
        };
        let Some(agent) = call.agent else { return };
        call.is_recording = true;
        if call.recording.is_some() {
            return self.begin_recording(attempt);
        }
        let Some(rules) = self.groups.get(&call.group).map(|group| &group.definition.rules) else { return };
        let Some(recording) = &rules.recording else { return };
        let name = recording.name_for(attempt, now, &rules.zone);
        call.recording = Some(name.clone());
        let group = call.group;
        let started = RecordingStarted {
            attempt,
            group,
            contact: call.contact.contact,
            agent,
            name,
            at: now,
            expires_at: recording.expires_at(now),
        };
        self.change(Change::RecordingStarted(started));
        self.once_stored(Some(group), AfterStored::Record(attempt));
    }

    /// It is stored that the call is recorded: the recording begins, and with it the announcement that it does.
    pub(super) fn begin_recording(&mut self, attempt: AttemptId) {
        let talks = |call: &Call| call.stage == Stage::Talking && call.is_recording;
        let Some(call) = self.calls.get(&attempt).filter(|call| talks(call)) else { return };
        let (Some(name), agent) = (call.recording.clone(), call.agent) else { return };
        self.outputs.push_back(Output::Record { attempt, name, is_on: true });
        let consent = self.recording_settings(attempt).and_then(|settings| settings.consent_message);
        if let Some(message) = consent {
            self.outputs.push_back(Output::Announce { attempt, message });
        }
        if let Some(agent) = agent {
            self.tell(agent, AgentNotice::Recording { attempt, is_on: true });
        }
    }
}
