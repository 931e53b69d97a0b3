//! Recordings that begin in the middle of a call. Those from the answer on are the dial plan's (`outdial-recorder`).

use engine::AttemptId;

use super::protocol::{Ask, quoted};
use super::switchboard::{Asked, Switchboard};

/// What a channel that hears a call for a recording is called before its attempt's id. The names are always the same, so
/// that another process can stop what this one began.
const CHANNEL: &str = "recorder";

/// Which voices are heard, as ARI says it, and what the file's name gets: both, what comes from the called party, what
/// goes to them.
const LEGS: [(&str, &str); 3] = [("both", ""), ("in", "-called"), ("out", "-agent")];

impl Switchboard {
    /// Has a channel beside the call hear each of its legs; the dial plan records what it hears.
    pub(super) fn record(&mut self, attempt: AttemptId, name: &str) {
        let application = quoted(&self.settings.application);
        for (spy, ending) in LEGS {
            let file = quoted(&format!("recorder,{name}{ending}"));
            let uri = format!(
                "channels/{attempt}/snoop/{CHANNEL}.{spy}.{attempt}?spy={spy}&whisper=none&app={application}&appArgs={file}"
            );
            self.ask(Asked::Recorder, Ask::post(uri));
        }
    }

    pub(super) fn stop_recording(&mut self, attempt: AttemptId) {
        for (spy, _) in LEGS {
            let ask = Ask::delete(format!("channels/{CHANNEL}.{spy}.{attempt}"));
            self.ask(Asked::Aside("stop a recording"), ask);
        }
    }

    /// A channel that hears a leg is there: from here on it records, until it or the call ends.
    pub(super) fn recorder_hears(&mut self, channel: &str, name: &str) {
        let file = quoted(&format!("{}/{name}", self.settings.recordings));
        let set = Ask::post(format!("channels/{channel}/variable?variable=OUTDIAL_RECORDING&value={file}"));
        self.ask(Asked::Aside("name a recording"), set);
        let uri = format!("channels/{channel}/continue?context=outdial-leg&extension=s&priority=1");
        self.ask(Asked::Aside("begin a recording"), Ask::post(uri));
    }
}
