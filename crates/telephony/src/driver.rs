//! What a switch is asked, and the interface of everything that speaks to one.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use engine::{AgentId, AttemptId, PhoneNumber, SupervisionId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWrite;

/// A future in a box, for interfaces that are used as objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Something that places calls: a switch, or the simulated carrier. The crate's documentation has the contract.
pub trait Driver: Send + Sync {
    /// Queues a request. Never waits for the network.
    ///
    /// # Errors
    /// The request was not taken and will have no effect.
    fn send(&self, request: Request) -> Result<(), SendError>;

    /// Whether calls can be placed now. `DriverBack` and `DriverLost` tell of every change.
    fn is_connected(&self) -> bool;

    /// Which calls are up on the switch, for the comparison after a restart or a lost connection.
    ///
    /// It completes even if nobody takes events meanwhile, and includes the effect of every request that was taken
    /// before the latest `DriverBack`.
    ///
    /// # Errors
    /// The switch cannot be asked now.
    fn live_calls(&self) -> BoxFuture<'_, Result<Vec<LiveCall>, DriverError>>;

    /// The switches behind it; none if there is nothing to be serviced.
    fn switches(&self) -> Vec<SwitchState> {
        Vec::new()
    }

    /// Places no more calls on a switch, so that it can be serviced once those that are up have ended; or takes it into
    /// use again. Whether there is such a switch.
    fn drain(&self, _switch: &str, _drained: bool) -> bool {
        false
    }

    /// Whether it can record calls. Without that, [`Control::Record`] has no effect.
    fn records(&self) -> bool {
        false
    }

    /// Writes the file of a finished recording (WAV). What was written is of no use after an error.
    ///
    /// # Errors
    /// The switch cannot be asked now, or the file broke off.
    fn fetch_recording<'a>(
        &'a self,
        name: &'a str,
        into: &'a mut (dyn AsyncWrite + Send + Unpin),
    ) -> BoxFuture<'a, Result<Fetched, DriverError>> {
        let _ = (name, into);
        Box::pin(std::future::ready(Ok(Fetched::Absent)))
    }

    /// Removes the file of a recording from the switch; one that is not there is removed already.
    ///
    /// # Errors
    /// The switch cannot be asked now.
    fn remove_recording<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), DriverError>> {
        let _ = name;
        Box::pin(std::future::ready(Ok(())))
    }
}

/// A switch that calls are placed on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SwitchState {
    /// Its name in the configuration.
    pub name: String,
    /// Whether it can be reached now.
    pub is_connected: bool,
    /// Whether it is given no more calls.
    pub is_drained: bool,
    /// Calls on it.
    pub calls: u32,
    /// Agents' lines on it.
    pub agent_lines: u32,
}

/// What became of a recording that was looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// It is finished and was written.
    Written,
    /// It goes on.
    Unfinished,
    /// No switch has it.
    Absent,
}

/// What a switch is asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Dial.
    Place(PlaceCall),
    /// Withdraw a call that nobody has answered yet. One that has been answered meanwhile is left alone: a person who
    /// picked up is the engine's to deal with.
    Cancel {
        /// Which call.
        attempt: AttemptId,
    },
    /// End a call, whatever its stage.
    HangUp {
        /// Which call.
        attempt: AttemptId,
    },
    /// Connect an answered call with an agent. Answered by `Connected` or `AgentFailed`, unless the call ends first.
    /// A message that plays goes on until `Connected`, and then stops without `PlayFinished`. A call that is with an
    /// agent goes over to another one: it leaves the first at once and waits, with music if the switch has any.
    Connect {
        /// Which call.
        attempt: AttemptId,
        /// The agent.
        agent: AgentId,
        /// Where the agent is reached; `None` if the switch holds a line to the agent already.
        phone: Option<AgentPhone>,
    },
    /// Ring an agent's telephone and hold the line until it is closed. Answered by `LineUp` or `LineDown`. An agent has
    /// one line; a request for one that is there already has no effect.
    OpenLine {
        /// The agent.
        agent: AgentId,
        /// Where they are reached.
        phone: AgentPhone,
    },
    /// Hang an agent's line up. Answered by `LineDown` if it was there.
    CloseLine {
        /// The agent.
        agent: AgentId,
    },
    /// Do something on a call that is connected; without effect on any other.
    Control {
        /// Which call.
        attempt: AttemptId,
        /// What.
        control: Control,
    },
    /// Let a supervisor take part in a connected call, over a telephone of their own, until it ends or its agent leaves
    /// it. Answered by `Supervision`.
    Supervise {
        /// Names it in the answers.
        supervision: SupervisionId,
        /// Which call.
        attempt: AttemptId,
        /// The supervisor's telephone.
        phone: AgentPhone,
        /// How.
        part: Supervision,
    },
    /// Play a message on an answered call that has no agent. Told by `PlayStarted`, where the switch says so, and
    /// answered by `PlayFinished` or `PlayFailed`, unless the call ends or is connected first, or another message takes
    /// its place. On a machine it begins when the greeting is over, as far
    /// as the switch can tell.
    Play {
        /// Which call.
        attempt: AttemptId,
        /// What to play.
        message: Message,
    },
}

/// What can be done on a connected call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// The called party waits and hears neither agent nor others.
    Hold,
    /// Ends `Hold`.
    Resume,
    /// The others do not hear the agent.
    Mute,
    /// Ends `Mute`.
    Unmute,
    /// Send keys: digits, `*` and `#`.
    Keys(String),
    /// Ring a third party, who is with the agent once they answer, while the called party waits. Told by
    /// `ThirdAnswered` and `ThirdGone`.
    Consult {
        /// Where they are reached.
        phone: AgentPhone,
        /// Names it in the answers.
        consultation: u32,
    },
    /// All three talk.
    Join,
    /// The agent leaves: the called party stays with the third party. Without a consultation the third party is rung
    /// first and the agent is free at once. Told by `AgentLeft`, then `Transferred` or `TransferFailed`, unless the call
    /// ends before.
    Transfer(Option<AgentPhone>),
    /// The third party leaves and the called party is with the agent again.
    EndConsult,
    /// Record both voices from now on, mixed, under this name, without a directory's or a file type's part, until the
    /// call ends. Asked for again after `StopRecording`, it goes on in the same file.
    Record(String),
    /// Has the recording of this name pause.
    StopRecording(String),
    /// Play a message to both parties, beside what they say. Its end is not told.
    Announce(Message),
}

/// How a supervisor takes part in a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Supervision {
    /// Hears both, is heard by none.
    Monitor,
    /// Hears both, is heard by the agent.
    Whisper,
    /// Hears both and is heard by both.
    Barge,
}

impl Supervision {
    /// The name used in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Monitor => "monitor",
            Self::Whisper => "whisper",
            Self::Barge => "barge",
        }
    }
}

/// One dial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaceCall {
    /// Its id, here and on the switch.
    pub attempt: AttemptId,
    /// Who is called.
    pub to: PhoneNumber,
    /// The number shown to the called party; `None` leaves it to the switch.
    pub caller_id: Option<PhoneNumber>,
    /// How long it may ring.
    pub ring_timeout: Duration,
    /// Which attempt on the contact it is, counted from 1.
    pub attempt_number: u32,
    /// How to find out who or what answered. Without it no `Detected` comes.
    pub detection: Option<Detection>,
    /// Channel variables or SIP headers for the switch.
    pub variables: Variables,
}

/// How long who answered is listened to, and what tells a person from a machine. The fields are the parameters of
/// Asterisk's `AMD()`; the defaults are those of Nixxis' settings of the same parts, three words in place of Asterisk's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Detection {
    /// Silence before the greeting after which it is a machine, ms; 500 to 10000.
    pub initial_silence_ms: u16,
    /// Length of a greeting from which on it is a machine, ms; 500 to 10000.
    pub greeting_ms: u16,
    /// Silence after a greeting that ends it and makes it a person, ms; 200 to 5000.
    pub after_greeting_silence_ms: u16,
    /// When to give up, ms; 1000 to 10000.
    pub total_ms: u16,
    /// The shortest sound that is a word, ms; 20 to 1000.
    pub word_ms_min: u16,
    /// Silence that parts two words, ms; 10 to 1000.
    pub between_words_ms: u16,
    /// Words in a greeting that make it a machine, 1 to 20.
    pub words_max: u16,
    /// Average level that is still silence, 0 to 32767.
    pub silence_threshold: u16,
}

impl Default for Detection {
    fn default() -> Self {
        Self {
            initial_silence_ms: 2500,
            greeting_ms: 1500,
            after_greeting_silence_ms: 800,
            total_ms: 5000,
            word_ms_min: 100,
            between_words_ms: 50,
            words_max: 3,
            silence_threshold: 256,
        }
    }
}

/// Names and values for the switch. Its `Debug` shows the names only, since values may be about a person.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Variables(pub Vec<(String, String)>);

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// Where an agent is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentPhone {
    /// A telephone number.
    Number(PhoneNumber),
    /// An endpoint in the switch's own notation (such as `PJSIP/agent-17`).
    Endpoint(String),
}

/// What is played to the called party.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What it is for.
    pub purpose: Purpose,
    /// The sound to play. Without one the text is spoken, by a person's recording on the switch or by its own voice.
    pub sound: Option<Sound>,
    /// What is said. Empty, and without a sound, it is whatever the switch has for the purpose.
    pub text: String,
}

impl Message {
    /// The switch's own safe-harbour message.
    pub const SAFE_HARBOUR: Self = Self { purpose: Purpose::SafeHarbour, sound: None, text: String::new() };

    /// How long it takes: the sound's length, or that of its text when read aloud; none if it has neither.
    pub fn length(&self) -> Option<Duration> {
        match &self.sound {
            Some(sound) => Some(sound.length),
            None if self.text.is_empty() => None,
            None => {
                Some(Duration::from_secs(self.text.chars().count() as u64) / SPOKEN_CHARACTERS_PER_SECOND)
            }
        }
    }
}

/// How fast a text is read aloud: some 150 words a minute, a word and its space being between 5 and 6 characters.
const SPOKEN_CHARACTERS_PER_SECOND: u32 = 14;

/// What a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// What a person hears when no agent is there in time: who called, and how to be called no more
    /// (16 CFR 310.4(b)(4)(iii)). The call stays one without an agent.
    SafeHarbour,
    /// What the call is for. Played to its end, the call has reached its purpose.
    Campaign,
}

/// A sound that is in the node's directory of messages: WAV, PCM, 16 bit, mono, 8 kHz.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sound {
    /// Its file.
    pub file: SoundFile,
    /// How long it is.
    pub length: Duration,
}

/// The name of a file in the directory of messages: ASCII letters, digits, `-` and `_`, and `.wav`, so that it leads to
/// no other directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SoundFile(String);

impl SoundFile {
    /// Takes a name that can be one.
    ///
    /// # Errors
    /// It cannot.
    pub fn new(name: impl Into<String>) -> Result<Self, BadSoundFile> {
        let name = name.into();
        let is_good = |stem: &str| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            (1..=100).contains(&stem.len()) && stem.bytes().all(plain)
        };
        if name.strip_suffix(".wav").is_some_and(is_good) { Ok(Self(name)) } else { Err(BadSoundFile) }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name without its ending, as some switches want it.
    pub fn stem(&self) -> &str {
        self.0.strip_suffix(".wav").unwrap_or(&self.0)
    }
}

/// A name that cannot be that of a sound's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a sound's file has a name of 1 to 100 ASCII letters, digits, '-' or '_', and ends with .wav")]
pub struct BadSoundFile;

/// How far a call has come.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallStage {
    /// On its way to the called party.
    Placed,
    /// It rings.
    Ringing,
    /// Picked up; no agent yet.
    Answered,
    /// A message of the campaign (not the safe-harbour message) was played to its end; no agent.
    MessagePlayed,
    /// An agent is or was connected.
    Connected,
}

impl CallStage {
    /// Whether somebody or something has picked up.
    pub fn is_answered(self) -> bool {
        self >= Self::Answered
    }
}

/// A call that is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LiveCall {
    /// Which call.
    pub attempt: AttemptId,
    /// How far it has come.
    pub stage: CallStage,
    /// The agent it is connected with.
    pub agent: Option<AgentId>,
}

/// Why a request was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Too many requests wait already; try again later.
    #[error("too many requests to the switch are waiting")]
    Overloaded,
    /// There is no connection to the switch at present.
    #[error("there is no connection to the switch")]
    NotConnected,
    /// The driver has stopped for good.
    #[error("the driver has stopped")]
    Stopped,
}

/// Why the switch could not be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DriverError {
    /// There is no connection to the switch at present.
    #[error("there is no connection to the switch")]
    NotConnected,
    /// The driver has stopped for good.
    #[error("the driver has stopped")]
    Stopped,
    /// The switch answered with an error or not in a form that is understood.
    #[error("the switch answered: {0}")]
    Switch(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sounds_file_leads_to_no_other_directory() {
        assert_eq!(SoundFile::new("3f2a_1-b.wav").unwrap().stem(), "3f2a_1-b");
        for bad in ["", ".wav", "a.mp3", "../a.wav", "a/b.wav", "a\\b.wav", "a.b.wav", "a\0.wav", "é.wav"] {
            assert_eq!(SoundFile::new(bad), Err(BadSoundFile), "{bad}");
        }
    }

    #[test]
    fn a_message_takes_the_time_of_its_sound_or_of_its_text_read_aloud() {
        let mut message = Message { text: "x".repeat(70), ..Message::SAFE_HARBOUR };
        assert_eq!(message.length(), Some(Duration::from_secs(5)));
        let file = SoundFile::new("a.wav").unwrap();
        message.sound = Some(Sound { file, length: Duration::from_secs(3) });
        assert_eq!(message.length(), Some(Duration::from_secs(3)));
        assert_eq!(Message::SAFE_HARBOUR.length(), None);
    }

    #[test]
    fn debug_output_shows_neither_number_nor_values() {
        let call = PlaceCall {
            attempt: AttemptId::parse("00000000000000000000000000000001").unwrap(),
            to: "+33123456789".parse().unwrap(),
            caller_id: None,
            ring_timeout: Duration::from_secs(24),
            attempt_number: 1,
            detection: Some(Detection::default()),
            variables: Variables(vec![("X-Name".to_owned(), "Jane Doe".to_owned())]),
        };
        let text = format!("{:?}", Request::Place(call));
        assert!(text.contains("X-Name"));
        assert!(!text.contains("Jane") && !text.contains("23456"), "{text}");
    }
}
