//! What scripts are given and what they give back, between JavaScript's words and the engine's.
//!
//! The names are those of `types/outdial.d.ts`.

use std::collections::BTreeMap;
use std::time::Duration;

use engine::detection::AnswerAction;
use engine::{
    CallOver, CallResult, EndingChanges, HookVerdict, MessageId, NextStep, PhoneNumber, PhoneStatus,
    PickedUp, PreCallVerdict, Time,
};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{ErrorKind, ScriptError};

/// What runs before a contact goes to the dialler.
pub const PRE_CALL: &str = "executePreCallScript";
/// What runs when a call is over.
pub const POST_CALL: &str = "executePostCallScript";
/// What runs when detection found out who picked a call up.
pub const DETECTED: &str = "onDetected";

/// A contact as scripts see it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ScriptContact {
    /// Its id.
    pub id: String,
    /// What its source calls it.
    pub external_id: String,
    /// The campaign's fields.
    pub fields: Map<String, Value>,
    /// Its numbers, in order.
    pub phones: Vec<ScriptPhone>,
    /// The place of the number that is next, from 0.
    pub phone: u8,
    /// 0 to 100.
    pub priority: u8,
    /// Attempts made.
    pub attempts: u16,
    /// How the last one ended.
    pub last_result: Option<&'static str>,
    /// Whether a call was promised.
    pub is_callback: bool,
}

/// A number as scripts see it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ScriptPhone {
    /// Its place, from 0.
    pub position: u8,
    /// The number, E.164.
    pub number: String,
    /// Attempts made on it.
    pub attempts: u16,
    /// Whether it may still be dialled.
    pub is_dialable: bool,
}

/// A call that is over, as scripts see it.
pub fn call(over: &CallOver) -> Value {
    let at = |at: Option<Time>| at.map(Time::to_rfc3339);
    json!({
        "attempt": over.attempt, "result": over.result.name(), "resultCode": over.result.code(), "agent": over.agent,
        "disposition": over.disposition, "notes": over.notes, "callbackAt": at(over.callback_at),
        "ringingAt": at(over.ringing_at), "answeredAt": at(over.answered_at), "connectedAt": at(over.connected_at),
        "endedAt": at(over.ended_at),
    })
}

/// A call that was picked up, as scripts see it.
pub fn picked_up(call: &PickedUp) -> Value {
    let at = |at: Option<Time>| at.map(Time::to_rfc3339);
    json!({
        "attempt": call.attempt, "attemptNumber": call.attempt_number, "detected": call.detected,
        "ringingAt": at(call.ringing_at), "answeredAt": at(call.answered_at),
    })
}

/// What a script wants done, and which fields it changes.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// For the engine.
    pub verdict: HookVerdict,
    /// Fields of the contact by the campaign's names.
    pub fields: Vec<(String, String)>,
}

/// Reads what a pre-call script returned; nothing means: dial.
///
/// # Errors
/// [`ErrorKind::BadVerdict`], with the part that cannot be.
pub fn pre_call(value: &Value, now: Time) -> Result<Verdict, ScriptError> {
    if value.is_null() || value == &Value::Bool(true) {
        let verdict = PreCallVerdict::Dial { phone: None, caller_id: None };
        return Ok(Verdict { verdict: HookVerdict::PreCall(verdict), fields: Vec::new() });
    }
    let said = object(value)?;
    let action = said.get("action").and_then(Value::as_str).unwrap_or("dial");
    let verdict = match action {
        "dial" => PreCallVerdict::Dial { phone: small(said, "phone")?, caller_id: number(said, "callerId")? },
        "skip" => PreCallVerdict::Skip { until: instant(said, "until", "minutes", now)?.unwrap_or(now) },
        "close" => PreCallVerdict::Close,
        "treat" => match result(said, "result")? {
            Some(result) => PreCallVerdict::Treat(result),
            None => {
                return Err(bad("result", "a contact is treated as if a call had ended with this result"));
            }
        },
        other => return Err(bad("action", format!("'{other}' is none of dial, skip, close, treat"))),
    };
    known(said, &["action", "phone", "callerId", "until", "minutes", "reason", "result", "fields"])?;
    Ok(Verdict { verdict: HookVerdict::PreCall(verdict), fields: fields(said)? })
}

/// Reads what a post-call script returned before the treatments decide; nothing changes nothing.
///
/// # Errors
/// As [`pre_call`].
pub fn before_reschedule(value: &Value, now: Time) -> Result<Verdict, ScriptError> {
    let empty = Map::new();
    let said = if value.is_null() { &empty } else { object(value)? };
    known(
        said,
        &[
            "result",
            "disposition",
            "callbackAt",
            "retryAt",
            "retryMinutes",
            "phoneStatus",
            "priority",
            "fields",
        ],
    )?;
    let phone_status = match said.get("phoneStatus").and_then(Value::as_str) {
        None => None,
        Some(_) => {
            let status = serde_json::from_value::<PhoneStatus>(said["phoneStatus"].clone());
            Some(status.map_err(|_| bad("phoneStatus", "it is active, bad, suppressed or exhausted"))?)
        }
    };
    let priority = small(said, "priority")?;
    if priority.is_some_and(|priority| priority > 100) {
        return Err(bad("priority", "it is 0 to 100"));
    }
    let changes = EndingChanges {
        result: result(said, "result")?,
        disposition: text(said, "disposition")?,
        callback_at: instant(said, "callbackAt", "", now)?,
        retry_at: instant(said, "retryAt", "retryMinutes", now)?,
        phone_status,
        priority,
    };
    Ok(Verdict { verdict: HookVerdict::BeforeReschedule(changes), fields: fields(said)? })
}

/// Reads what a post-call script returned about the plan; nothing leaves it.
///
/// # Errors
/// As [`pre_call`].
pub fn after_reschedule(value: &Value, now: Time) -> Result<Verdict, ScriptError> {
    let empty = Map::new();
    let said = if value.is_null() { &empty } else { object(value)? };
    known(said, &["next", "fields"])?;
    let step = match said.get("next") {
        None | Some(Value::Null) => None,
        Some(next) => {
            let next = object(next).map_err(|_| bad("next", "it is an object with an action"))?;
            known(next, &["action", "at", "minutes", "phone", "agent"])?;
            let at = || instant(next, "at", "minutes", now).map(|at| at.unwrap_or(now));
            Some(match next.get("action").and_then(Value::as_str) {
                Some("dial") => NextStep::Dial { at: at()?, phone: small(next, "phone")? },
                Some("callback") => {
                    let agent = next.get("agent").filter(|agent| !agent.is_null()).cloned();
                    let agent = agent.map(serde_json::from_value).transpose();
                    NextStep::Callback {
                        at: at()?,
                        agent: agent.map_err(|_| bad("next.agent", "not an agent's id"))?,
                    }
                }
                Some("final") => NextStep::Final,
                _ => return Err(bad("next.action", "it is dial, callback or final")),
            })
        }
    };
    Ok(Verdict { verdict: HookVerdict::AfterReschedule(step), fields: fields(said)? })
}

/// The messages that a script can have played.
#[derive(Clone, Debug, Default)]
pub struct Messages {
    /// By their names in lower case.
    pub by_name: BTreeMap<String, MessageId>,
    /// Whether there is one to play where the script names none.
    pub has_own: bool,
}

/// Reads what a script returned about who picked up; nothing leaves it to the detection profile. Fields cannot be
/// changed here: whoever picked up waits.
///
/// # Errors
/// As [`pre_call`].
pub fn detected(value: &Value, messages: &Messages) -> Result<Verdict, ScriptError> {
    let empty = Map::new();
    let said = if value.is_null() { &empty } else { object(value)? };
    known(said, &["action", "message"])?;
    let message = match text(said, "message")? {
        None => None,
        Some(name) => {
            let id = messages.by_name.get(&name.to_ascii_lowercase());
            Some(*id.ok_or_else(|| bad("message", format!("there is no message '{name}'")))?)
        }
    };
    let action = match text(said, "action")?.as_deref() {
        Some("leave_message") if message.is_none() && !messages.has_own => {
            return Err(bad("message", "name one: the detection profile has none"));
        }
        Some("leave_message") => Some(AnswerAction::LeaveMessage(message)),
        _ if message.is_some() => return Err(bad("message", "it goes with the action leave_message")),
        None => None,
        Some("connect") => Some(AnswerAction::Connect),
        Some("hang_up") => Some(AnswerAction::HangUp),
        Some(other) => {
            return Err(bad("action", format!("'{other}' is none of connect, hang_up, leave_message")));
        }
    };
    Ok(Verdict { verdict: HookVerdict::Detected(action), fields: Vec::new() })
}

fn bad(path: &str, message: impl std::fmt::Display) -> ScriptError {
    ScriptError::new(
        ErrorKind::BadVerdict,
        format!("what the script returned cannot be used: {path}: {message}"),
    )
}

fn object(value: &Value) -> Result<&Map<String, Value>, ScriptError> {
    value.as_object().ok_or_else(|| bad("", "it is neither an object nor nothing"))
}

/// A misspelt member would do nothing, and nobody would notice.
fn known(said: &Map<String, Value>, names: &[&str]) -> Result<(), ScriptError> {
    match said.keys().find(|name| !names.contains(&name.as_str())) {
        Some(name) => Err(bad(name, format!("there is no such member; there are {}", names.join(", ")))),
        None => Ok(()),
    }
}

fn text(said: &Map<String, Value>, name: &str) -> Result<Option<String>, ScriptError> {
    match said.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(bad(name, "it is a text")),
    }
}

fn small(said: &Map<String, Value>, name: &str) -> Result<Option<u8>, ScriptError> {
    match said.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let number = value.as_u64().and_then(|number| u8::try_from(number).ok());
            number.map(Some).ok_or_else(|| bad(name, "it is a whole number from 0"))
        }
    }
}

fn number(said: &Map<String, Value>, name: &str) -> Result<Option<PhoneNumber>, ScriptError> {
    let text = text(said, name)?;
    text.map(|text| text.parse().map_err(|_| bad(name, "it is a number in E.164, such as +33123456789")))
        .transpose()
}

/// A call result by its name or number.
fn result(said: &Map<String, Value>, name: &str) -> Result<Option<CallResult>, ScriptError> {
    let found = match said.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Number(code)) => code.as_i64().and_then(CallResult::from_code),
        Some(Value::String(text)) => CallResult::ALL.iter().find(|result| result.name() == text).copied(),
        Some(_) => None,
    };
    found.map(Some).ok_or_else(|| bad(name, "it is no call result, such as 'busy' or 6"))
}

/// An instant, or so many minutes from now.
fn instant(
    said: &Map<String, Value>,
    name: &str,
    minutes: &str,
    now: Time,
) -> Result<Option<Time>, ScriptError> {
    if let Some(span) = said.get(minutes).filter(|span| !span.is_null()) {
        let span = span.as_f64().filter(|span| (0.0..=525_600.0).contains(span));
        let span = span.ok_or_else(|| bad(minutes, "it is a number of minutes, 0 to 525600"))?;
        return Ok(Some(now + Duration::from_secs_f64(span * 60.0)));
    }
    let text = text(said, name)?;
    text.map(|text| {
        let message = "it is an instant with an offset, such as 2027-01-31T09:30:00+01:00";
        Time::parse_rfc3339(&text).map_err(|_| bad(name, message))
    })
    .transpose()
}

fn fields(said: &Map<String, Value>) -> Result<Vec<(String, String)>, ScriptError> {
    match said.get("fields") {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Object(fields)) => fields
            .iter()
            .map(|(name, value)| match value {
                Value::Null => Ok((name.clone(), String::new())),
                Value::String(text) => Ok((name.clone(), text.clone())),
                Value::Bool(_) | Value::Number(_) => Ok((name.clone(), value.to_string())),
                _ => Err(bad(&format!("fields.{name}"), "it is a text, a number or a truth value")),
            })
            .collect(),
        Some(_) => Err(bad("fields", "it is an object")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_micros(1_000_000_000);

    fn verdict(said: Value) -> PreCallVerdict {
        match pre_call(&said, NOW).unwrap().verdict {
            HookVerdict::PreCall(verdict) => verdict,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn nothing_said_before_a_call_means_dial() {
        for said in [json!(null), json!(true), json!({}), json!({"action": "dial"})] {
            assert_eq!(verdict(said), PreCallVerdict::Dial { phone: None, caller_id: None });
        }
    }

    #[test]
    fn a_contact_can_be_dialled_otherwise_skipped_closed_or_treated() {
        let other = json!({"action": "dial", "phone": 1, "callerId": "+33123456789"});
        let caller_id = Some("+33123456789".parse().unwrap());
        assert_eq!(verdict(other), PreCallVerdict::Dial { phone: Some(1), caller_id });
        let until = NOW + Duration::from_secs(300);
        assert_eq!(verdict(json!({"action": "skip", "minutes": 5})), PreCallVerdict::Skip { until });
        assert_eq!(verdict(json!({"action": "close", "reason": "has bought"})), PreCallVerdict::Close);
        for result in [json!("busy"), json!(6)] {
            assert_eq!(
                verdict(json!({"action": "treat", "result": result})),
                PreCallVerdict::Treat(CallResult::Busy)
            );
        }
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_place() {
        for (said, place) in [
            (json!({"action": "call"}), "action"),
            (json!({"action": "dial", "phone": "first"}), "phone"),
            (json!({"action": "dial", "callerId": "0123"}), "callerId"),
            (json!({"action": "skip", "until": "tomorrow"}), "until"),
            (json!({"action": "treat"}), "result"),
            (json!({"action": "treat", "result": "no_such"}), "result"),
            (json!({"action": "dial", "fields": {"a": []}}), "fields.a"),
            (json!({"acton": "close"}), "acton"),
            (json!("dial"), ""),
        ] {
            let error = pre_call(&said, NOW).unwrap_err();
            assert_eq!(error.kind, ErrorKind::BadVerdict);
            assert!(error.message.contains(&format!(": {place}: ")), "{said}: {error}");
        }
    }

    #[test]
    fn a_post_call_script_changes_what_the_treatments_look_at_or_what_they_planned() {
        let before = json!({"result": "no_answer", "retryMinutes": 10, "phoneStatus": "bad", "priority": 90,
                            "fields": {"seen": true}});
        let read = before_reschedule(&before, NOW).unwrap();
        let wanted = EndingChanges {
            result: Some(CallResult::NoAnswer),
            retry_at: Some(NOW + Duration::from_secs(600)),
            phone_status: Some(PhoneStatus::Bad),
            priority: Some(90),
            ..EndingChanges::default()
        };
        assert_eq!(read.verdict, HookVerdict::BeforeReschedule(wanted));
        assert_eq!(read.fields, [("seen".to_owned(), "true".to_owned())]);
        let after = json!({"next": {"action": "dial", "at": "2027-01-31T09:30:00Z", "phone": 2}});
        let at = Time::parse_rfc3339("2027-01-31T09:30:00Z").unwrap();
        let step = Some(NextStep::Dial { at, phone: Some(2) });
        assert_eq!(after_reschedule(&after, NOW).unwrap().verdict, HookVerdict::AfterReschedule(step));
        assert_eq!(after_reschedule(&json!(null), NOW).unwrap().verdict, HookVerdict::AfterReschedule(None));
    }

    #[test]
    fn a_script_says_what_is_done_with_an_answer_and_names_messages_by_their_names() {
        let id: MessageId = serde_json::from_value(json!("01890000-0000-7000-8000-000000000007")).unwrap();
        let by_name = BTreeMap::from([("be back".to_owned(), id)]);
        let messages = Messages { by_name, has_own: true };
        for (said, action) in [
            (json!(null), None),
            (json!({}), None),
            (json!({"action": "connect"}), Some(AnswerAction::Connect)),
            (json!({"action": "hang_up"}), Some(AnswerAction::HangUp)),
            (json!({"action": "leave_message"}), Some(AnswerAction::LeaveMessage(None))),
            (
                json!({"action": "leave_message", "message": "Be Back"}),
                Some(AnswerAction::LeaveMessage(Some(id))),
            ),
        ] {
            assert_eq!(detected(&said, &messages).unwrap().verdict, HookVerdict::Detected(action), "{said}");
        }
        for (said, place) in [
            (json!({"action": "drop"}), "action"),
            (json!({"action": 1}), "action"),
            (json!({"action": "leave_message", "message": "Other"}), "message"),
            (json!({"action": "connect", "message": "Be back"}), "message"),
            (json!({"message": "Be back"}), "message"),
            (json!({"action": "connect", "fields": {}}), "fields"),
            (json!("connect"), ""),
        ] {
            let error = detected(&said, &messages).unwrap_err();
            assert!(error.message.contains(&format!(": {place}: ")), "{said}: {error}");
        }
        let error = detected(&json!({"action": "leave_message"}), &Messages::default()).unwrap_err();
        assert!(error.message.contains("the detection profile has none"), "{error}");
    }
}
