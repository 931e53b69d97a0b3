//! Finding out who answered, and what is done then.

use std::time::Duration;

use engine::MessageId;
use engine::detection::{AskScript, DetectionRules, DoubtAction, MachineAction};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use telephony::Detection;

use super::{Definition, MessageBody, NamedReference, Reference, ScriptBody};
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
    pub machine: Option<OnMachine>,
    /// The message that is left on machines, needed with `leave_message`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<MessageId>,
    /// What is done where detection came to no conclusion. Hung up on, the call counts as abandoned.
    #[serde(default = "connect")]
    pub unsure: OnDoubt,
    /// What is done where nothing is heard.
    #[serde(default = "hang_up")]
    pub silence: OnDoubt,
    /// What is done with a fax.
    #[serde(default)]
    pub fax: OnFax,
    /// The server script that is asked where one of these says `script`, by its name; it exports `onDetected`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<String>,
    /// Milliseconds for which its answer is waited for, 100 to 2000. Whoever picked up waits as well.
    #[serde(default = "script_within_ms", skip_serializing_if = "is_the_default")]
    pub script_within_ms: u64,
    /// What is done where it says nothing, fails or is late.
    #[serde(default, skip_serializing_if = "WithoutScript::is_default")]
    pub without_script: WithoutScript,
    /// From which attempt on a contact on nothing is detected, 1 to 100; 1 is never, none is always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub off_from_attempt: Option<u16>,
}

/// What is done with an answering machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnMachine {
    /// Hang up.
    HangUp,
    /// Treat it like a person.
    Connect,
    /// Leave the profile's message, once its greeting is over.
    LeaveMessage,
    /// Ask the profile's script.
    Script,
}

/// What is done with an answer of which not much is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnDoubt {
    /// Treat it like a person.
    Connect,
    /// Hang up.
    HangUp,
    /// Ask the profile's script.
    Script,
}

/// What is done with a fax.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnFax {
    /// Hang up.
    #[default]
    HangUp,
    /// Ask the profile's script; where it says nothing, hang up.
    Script,
}

/// What is done where a script says nothing, fails or is late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WithoutScript {
    /// With an answering machine; without it what the campaign group says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub machine: Option<MachineAction>,
    /// Where detection came to no conclusion; without it `connect`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unsure: Option<DoubtAction>,
    /// Where nothing is heard; without it `hang_up`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silence: Option<DoubtAction>,
}

impl WithoutScript {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

fn connect() -> OnDoubt {
    OnDoubt::Connect
}

fn hang_up() -> OnDoubt {
    OnDoubt::HangUp
}

fn script_within_ms() -> u64 {
    milliseconds(AskScript::WITHIN)
}

fn is_the_default(within: &u64) -> bool {
    *within == script_within_ms()
}

fn milliseconds(span: Duration) -> u64 {
    span.as_millis().try_into().unwrap_or(u64::MAX)
}

/// What is done without a script: what the profile says, or what it says for that case, or what it would without a word.
fn in_doubt(own: OnDoubt, without: Option<DoubtAction>, default: DoubtAction) -> DoubtAction {
    match own {
        OnDoubt::Connect => DoubtAction::Connect,
        OnDoubt::HangUp => DoubtAction::HangUp,
        OnDoubt::Script => without.unwrap_or(default),
    }
}

impl DetectionProfileBody {
    /// What the engine needs of it.
    pub fn rules(&self) -> DetectionRules {
        let default = DetectionRules::default();
        let machine = match self.machine {
            None => None,
            Some(OnMachine::HangUp) => Some(MachineAction::HangUp),
            Some(OnMachine::Connect) => Some(MachineAction::Connect),
            Some(OnMachine::LeaveMessage) => Some(MachineAction::LeaveMessage),
            Some(OnMachine::Script) => self.without_script.machine,
        };
        let asks = AskScript {
            machine: self.machine == Some(OnMachine::Script),
            unsure: self.unsure == OnDoubt::Script,
            silence: self.silence == OnDoubt::Script,
            fax: self.fax == OnFax::Script,
            within: Duration::from_millis(self.script_within_ms),
        };
        DetectionRules {
            machine,
            message: self.message,
            unsure: in_doubt(self.unsure, self.without_script.unsure, default.unsure),
            silence: in_doubt(self.silence, self.without_script.silence, default.silence),
            off_from_attempt: self.off_from_attempt,
            script: self.script.is_some().then_some(asks),
        }
    }

    fn check_script(&self) -> Result<(), AppError> {
        let (machine, unsure, silence) = (
            self.machine == Some(OnMachine::Script),
            self.unsure == OnDoubt::Script,
            self.silence == OnDoubt::Script,
        );
        let asks = machine || unsure || silence || self.fax == OnFax::Script;
        if asks && self.script.is_none() {
            return Err(AppError::invalid("missing", "script", "name the script that is asked"));
        }
        if !asks && self.script.is_some() {
            let message = "nothing is left to it: say script for machine, unsure, silence or fax";
            return Err(AppError::invalid("not_asked", "script", message));
        }
        let least = milliseconds(AskScript::WITHIN_MIN);
        let most = milliseconds(AskScript::WITHIN_MAX);
        if !(least..=most).contains(&self.script_within_ms) {
            let message = format!("it is {least} to {most}");
            return Err(AppError::invalid("out_of_range", "script_within_ms", message));
        }
        let without = &self.without_script;
        for (field, is_given, is_asked) in [
            ("machine", without.machine.is_some(), machine),
            ("unsure", without.unsure.is_some(), unsure),
            ("silence", without.silence.is_some(), silence),
        ] {
            if is_given && !is_asked {
                let message =
                    format!("it is for what the script is asked about, and {field} does not say script");
                return Err(AppError::invalid("not_asked", &format!("without_script.{field}"), message));
            }
        }
        Ok(())
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
    fn named_references(&self) -> Vec<NamedReference> {
        let script = self.script.as_ref();
        let named = |name: &String| NamedReference {
            kind: ScriptBody::KIND,
            name: name.clone(),
            field: "script",
            may_be_service: false,
        };
        script.map(named).into_iter().collect()
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
        self.check_script()?;
        if self.rules().machine == Some(MachineAction::LeaveMessage) && self.message.is_none() {
            return Err(AppError::invalid("missing", "message", "name the message that is left on machines"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(body: serde_json::Value) -> DetectionRules {
        let body: DetectionProfileBody = serde_json::from_value(body).unwrap();
        body.check().unwrap();
        body.rules()
    }

    #[test]
    fn without_a_script_the_rules_are_what_the_profile_says() {
        let said = rules(
            serde_json::json!({"name": "a", "machine": "connect", "unsure": "hang_up", "silence": "connect"}),
        );
        let wanted = DetectionRules {
            machine: Some(MachineAction::Connect),
            unsure: DoubtAction::HangUp,
            silence: DoubtAction::Connect,
            ..DetectionRules::default()
        };
        assert_eq!(said, wanted);
    }

    #[test]
    fn what_a_script_is_asked_about_falls_back_to_what_is_said_for_that_or_to_the_defaults() {
        let asks = serde_json::json!({"name": "a", "script": "s", "machine": "script", "unsure": "script", "silence": "connect"});
        let within = AskScript::WITHIN;
        let script = Some(AskScript { machine: true, unsure: true, silence: false, fax: false, within });
        let silence = DoubtAction::Connect;
        assert_eq!(rules(asks.clone()), DetectionRules { silence, script, ..DetectionRules::default() });

        let mut asks = asks;
        asks["without_script"] = serde_json::json!({"machine": "connect", "unsure": "hang_up"});
        asks["script_within_ms"] = 700.into();
        let script = script.map(|script| AskScript { within: Duration::from_millis(700), ..script });
        let (machine, unsure) = (Some(MachineAction::Connect), DoubtAction::HangUp);
        assert_eq!(
            rules(asks),
            DetectionRules { machine, unsure, silence, script, ..DetectionRules::default() }
        );
    }

    #[test]
    fn a_profile_from_before_scripts_is_stored_as_it_was_but_for_faxes() {
        let before = serde_json::json!({"name": "a", "parameters": Detection::default(), "unsure": "connect", "silence": "hang_up"});
        let body: DetectionProfileBody = serde_json::from_value(before.clone()).unwrap();
        let mut after = before;
        after["fax"] = "hang_up".into();
        assert_eq!(serde_json::to_value(body).unwrap(), after);
    }
}
