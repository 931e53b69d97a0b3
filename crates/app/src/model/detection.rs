//! Finding out who answered, and what is done then.

use engine::MessageId;
use engine::settings::{DetectionRules, DoubtAction, MachineAction};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use telephony::Detection;

use super::{Definition, MessageBody, Reference};
use crate::AppError;

/// How a campaign tells people from machines, and what it does with each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DetectionProfileBody {
    /// Its name.
    pub name: String,
    /// What tells a person from a machine.
    #[serde(default)]
    pub parameters: Detection,
    /// What is done with an answering machine; without it what the campaign group says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<MachineAction>,
    /// The message that is left on machines, needed with `leave_message`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<MessageId>,
    /// What is done where detection came to no conclusion. Hung up on, the call counts as abandoned.
    #[serde(default = "connect")]
    pub unsure: DoubtAction,
    /// What is done where nothing is heard.
    #[serde(default = "hang_up")]
    pub silence: DoubtAction,
    /// From which attempt on a contact on nothing is detected, 1 to 100; 1 is never, none is always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub off_from_attempt: Option<u16>,
}

fn connect() -> DoubtAction {
    DoubtAction::Connect
}

fn hang_up() -> DoubtAction {
    DoubtAction::HangUp
}

impl DetectionProfileBody {
    /// What the engine needs of it.
    pub fn rules(&self) -> DetectionRules {
        DetectionRules {
            machine: self.machine,
            message: self.message,
            unsure: self.unsure,
            silence: self.silence,
            off_from_attempt: self.off_from_attempt,
        }
    }
}

impl Definition for DetectionProfileBody {
    const KIND: &'static str = "detection_profile";
    fn name(&self) -> &str {
        &self.name
    }
    fn references(&self) -> Vec<Reference> {
        let message = self.message.map(|id| Reference::new(MessageBody::KIND, id.0, "message"));
        message.into_iter().collect()
    }
    fn check(&self) -> Result<(), AppError> {
        let it = &self.parameters;
        let ranges = [
            ("initial_silence_ms", it.initial_silence_ms, 500..=10_000),
            ("greeting_ms", it.greeting_ms, 500..=10_000),
            ("after_greeting_silence_ms", it.after_greeting_silence_ms, 200..=5000),
            ("total_ms", it.total_ms, 1000..=10_000),
            ("word_ms_min", it.word_ms_min, 20..=1000),
            ("between_words_ms", it.between_words_ms, 10..=1000),
            ("words_max", it.words_max, 1..=20),
            ("silence_threshold", it.silence_threshold, 0..=32_767),
        ];
        for (name, value, range) in ranges {
            if !range.contains(&value) {
                let message = format!("it is {} to {}", range.start(), range.end());
                return Err(AppError::invalid("out_of_range", &format!("parameters.{name}"), &message));
            }
        }
        if self.off_from_attempt.is_some_and(|attempt| !(1..=100).contains(&attempt)) {
            return Err(AppError::invalid("out_of_range", "off_from_attempt", "it is 1 to 100"));
        }
        if self.machine == Some(MachineAction::LeaveMessage) && self.message.is_none() {
            return Err(AppError::invalid("missing", "message", "name the message that is left on machines"));
        }
        Ok(())
    }
}
