//! Recording conversations: a channel beside the call hears both voices, and what it hears is recorded. It ends with the
//! call, whoever runs at that time, and pauses when agents say so.

use engine::AttemptId;

use super::protocol::{Ask, LiveRecording, quoted};
use super::switchboard::{Asked, Switchboard};
use crate::driver::Message;
use crate::event::Event;

/// What the channel that hears a call is called before its attempt's id, and the word with which it comes to the
/// application. The name is always the same, so that a call is recorded once however often that is asked for.
const CHANNEL: &str = "recorder";

impl Switchboard {
    /// Goes on with a recording that pauses. Where there is none, one begins.
    pub(super) fn record(&mut self, attempt: AttemptId, name: String) {
        let ask = Ask::delete(format!("recordings/live/{}/pause", quoted(&name)));
        self.ask(Asked::GoOnRecording(attempt, name), ask);
    }

    /// There is no recording to go on with: a channel is made that hears the call.
    pub(super) fn begin_recording(&mut self, attempt: AttemptId, name: &str) {
        let application = quoted(&self.settings.application);
        let words = quoted(&format!("{CHANNEL},{name}"));
        let uri = format!(
            "channels/{attempt}/snoop/{CHANNEL}.{attempt}?spy=both&whisper=none&app={application}&appArgs={words}"
        );
        self.ask(Asked::Aside("listen for a recording"), Ask::post(uri));
    }

    /// The channel that hears a call is there: what it hears is recorded until it ends.
    pub(super) fn recorder_hears(&mut self, channel: &str, name: &str) {
        // A file of that name could only be of the same call; nothing of it is to be lost.
        let uri = format!("channels/{channel}/record?name={}&format=wav&ifExists=append", quoted(name));
        self.ask(Asked::Aside("begin a recording"), Ask::post(uri));
    }

    pub(super) fn pause_recording(&mut self, name: &str) {
        let ask = Ask::post(format!("recordings/live/{}/pause", quoted(name)));
        self.ask(Asked::Aside("pause a recording"), ask);
    }

    /// A recording is finished, or failed, which shows when its file is fetched.
    pub(super) fn recording_finished(&mut self, recording: &LiveRecording) {
        let channel = recording.target_uri.strip_prefix("channel:").and_then(|id| id.strip_prefix(CHANNEL));
        let attempt = channel.and_then(|id| AttemptId::parse(id.strip_prefix('.')?).ok());
        if let Some(attempt) = attempt {
            self.tell_event(Event::RecordingFinished { attempt, at: self.now });
        }
    }

    /// Ends a recording before its call ends.
    pub(super) fn end_recording(&mut self, attempt: AttemptId) {
        let ask = Ask::delete(format!("channels/{CHANNEL}.{attempt}"));
        self.ask(Asked::Aside("end a recording"), ask);
    }

    /// Plays a message to whoever is in the bridge of an agent's line.
    pub(super) fn announce(&mut self, attempt: AttemptId, line: &str, message: &Message) {
        let Some(sound) = &message.sound else {
            tracing::warn!(%attempt, "an announcement has no sound to play: upload one, or install a speech program");
            return;
        };
        let media = format!("sound:{}/{}", self.settings.sounds, sound.file.stem());
        let ask = Ask::post(format!("bridges/{line}/play")).with(serde_json::json!({ "media": media }));
        self.ask(Asked::Aside("play an announcement"), ask);
    }
}
