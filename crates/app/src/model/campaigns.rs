//! What is being called for.

use std::collections::BTreeSet;

use contacts::field::TEXT_LENGTH_MAX;
use contacts::{FieldDefinition, FieldKind};
use engine::settings::{OPT_OUT_DIGIT, OnScriptError, is_key};
use engine::{
    CallerIdPoolId, Disposition, FeedOrder, MessageId, PhoneNumber, RecordingSettings, SuppressionListId,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    CallingHoursBody, Definition, DetectionProfileBody, MessageBody, NamedReference, Reference, ScriptBody,
    SuppressionListBody, TreatmentSetBody, caller_ids,
};
use crate::AppError;

/// Contact fields of a campaign at most.
const FIELDS_MAX: usize = 200;
/// Dispositions of a campaign at most.
const DISPOSITIONS_MAX: usize = 200;
/// Attempts on a contact at most, whatever a campaign says.
const ATTEMPTS_MAX: u16 = 100;

/// What is being called for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CampaignBody {
    /// Its name.
    pub name: String,
    /// For people.
    #[serde(default)]
    pub description: String,
    /// The template that it was made from, as other systems are told; of no effect on calls.
    #[serde(default)]
    pub template_name: Option<String>,
    /// What is known of each contact beside numbers.
    #[serde(default)]
    pub fields: Vec<FieldDefinition>,
    /// The calling hours; without any, Monday to Saturday 09:00–20:00 of the called party.
    #[serde(default)]
    pub calling_hours: Option<Uuid>,
    /// The treatments; without any, cautious defaults.
    #[serde(default)]
    pub treatments: Option<Uuid>,
    /// The answers agents can give about a call.
    #[serde(default)]
    pub dispositions: Vec<Disposition>,
    /// Attempts on one contact, all numbers together, 1 to 100.
    #[serde(default = "attempts_max_default")]
    pub attempts_max: u16,
    /// In which order contacts of equal priority are called.
    #[serde(default)]
    pub feed_order: FeedOrder,
    /// Lists of numbers and customers that are not called. The campaign's own list always counts.
    #[serde(default)]
    pub suppression_lists: Vec<SuppressionListId>,
    /// Requests over the web to call a number are one if they come within so many minutes, 1 to 10080; without it each
    /// is a request of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat_minutes: Option<u32>,
    /// What a person hears for whom no agent is free within two seconds: who called, and how to be called no more. Without
    /// it the switch's own message is played.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub safe_harbour_message: Option<MessageId>,
    /// How people are told from machines, and what is done with each; without it the defaults of a profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detection_profile: Option<Uuid>,
    /// The number shown to called parties, where neither their number nor their source nor the campaign group says another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller_id: Option<PhoneNumber>,
    /// The pool that it is chosen from; goes before `caller_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller_id_pool: Option<CallerIdPoolId>,
    /// The key by which whoever hears that message, or that of a group without agents, is called no more: `0` to `9`, `*`,
    /// `#`, `A` to `D`.
    #[serde(default = "opt_out_digit_default")]
    pub opt_out_digit: char,
    /// Which conversations are recorded, how, and for how long they are kept.
    #[serde(default)]
    pub recording: RecordingSettings,
    /// Which server scripts decide about its contacts, by their names.
    #[serde(default)]
    pub scripts: CampaignScripts,
}

/// The server scripts of a campaign.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CampaignScripts {
    /// Asked about each contact before it goes to the dialler.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pre_call: Option<String>,
    /// What becomes of a contact if that script fails.
    pub on_error: OnScriptError,
    /// Asked when a call is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub post_call: Option<String>,
    /// When that is.
    pub post_call_phase: PostCallPhase,
    /// Told of each contact that is not called any more; it exports `checkIn`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check_in: Option<String>,
}

/// When a post-call script is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PostCallPhase {
    /// Before the treatments decide.
    BeforeReschedule,
    /// When they have decided.
    AfterReschedule,
    /// At both points.
    #[default]
    Both,
}

fn opt_out_digit_default() -> char {
    OPT_OUT_DIGIT
}

fn attempts_max_default() -> u16 {
    10
}

impl Definition for CampaignBody {
    const KIND: &'static str = "campaign";
    fn name(&self) -> &str {
        &self.name
    }
    fn references(&self) -> Vec<Reference> {
        let hours = self.calling_hours.map(|id| Reference::new(CallingHoursBody::KIND, id, "calling_hours"));
        let treatments = self.treatments.map(|id| Reference::new(TreatmentSetBody::KIND, id, "treatments"));
        let list = |(index, list): (usize, &SuppressionListId)| {
            Reference::new(SuppressionListBody::KIND, list.0, format!("suppression_lists[{index}]"))
        };
        let lists = self.suppression_lists.iter().enumerate().map(list);
        let message = self.safe_harbour_message;
        let message = message.map(|id| Reference::new(MessageBody::KIND, id.0, "safe_harbour_message"));
        let profile = self.detection_profile;
        let profile = profile.map(|id| Reference::new(DetectionProfileBody::KIND, id, "detection_profile"));
        let pool = caller_ids::reference(self.caller_id_pool, "caller_id_pool");
        let consent = self.recording.consent_message;
        let consent = consent.map(|id| Reference::new(MessageBody::KIND, id.0, "recording.consent_message"));
        hours
            .into_iter()
            .chain(treatments)
            .chain(lists)
            .chain(message)
            .chain(profile)
            .chain(pool)
            .chain(consent)
            .collect()
    }
    fn named_references(&self) -> Vec<NamedReference> {
        let script = |name: &Option<String>, field: &'static str| {
            name.as_ref().map(|name| NamedReference {
                kind: ScriptBody::KIND,
                name: name.clone(),
                field,
                may_be_service: true,
            })
        };
        let pre_call = script(&self.scripts.pre_call, "scripts.pre_call");
        let post_call = script(&self.scripts.post_call, "scripts.post_call");
        pre_call
            .into_iter()
            .chain(post_call)
            .chain(script(&self.scripts.check_in, "scripts.check_in"))
            .collect()
    }
    fn check(&self) -> Result<(), AppError> {
        if let OnScriptError::Skip { minutes } = self.scripts.on_error
            && !(1..=1440).contains(&minutes)
        {
            return Err(AppError::invalid("out_of_range", "scripts.on_error.minutes", "it is 1 to 1440"));
        }
        if !(1..=ATTEMPTS_MAX).contains(&self.attempts_max) {
            return Err(AppError::invalid("out_of_range", "attempts_max", "attempts_max is 1 to 100"));
        }
        if !is_key(self.opt_out_digit) {
            let message = "opt_out_digit is a key of a telephone: 0 to 9, *, #, A to D";
            return Err(AppError::invalid("out_of_range", "opt_out_digit", message));
        }
        if self.repeat_minutes.is_some_and(|minutes| !(1..=10_080).contains(&minutes)) {
            return Err(AppError::invalid("out_of_range", "repeat_minutes", "repeat_minutes is 1 to 10080"));
        }
        self.recording.check().map_err(|bad| {
            AppError::invalid("out_of_range", bad.field, format!("{} is {}", bad.field, bad.allowed))
        })?;
        if self.fields.len() > FIELDS_MAX {
            return Err(AppError::invalid("too_many", "fields", "a campaign has at most 200 contact fields"));
        }
        let mut names = BTreeSet::new();
        for (index, field) in self.fields.iter().enumerate() {
            if !names.insert(field.name.as_str().to_ascii_lowercase()) {
                let path = format!("fields[{index}].name");
                return Err(AppError::invalid("named_twice", &path, "two contact fields have this name"));
            }
            check_length(field, index)?;
        }
        check_dispositions(&self.dispositions)
    }
}

fn check_length(field: &FieldDefinition, index: usize) -> Result<(), AppError> {
    let bad = |message: String| {
        Err(AppError::invalid("out_of_range", &format!("fields[{index}].max_length"), message))
    };
    match field.max_length {
        Some(_) if field.kind != FieldKind::Text => bad("only fields of kind text have a length".to_owned()),
        Some(length) if !(1..=TEXT_LENGTH_MAX).contains(&length) => {
            bad(format!("it is 1 to {TEXT_LENGTH_MAX}"))
        }
        _ => Ok(()),
    }
}

fn check_dispositions(dispositions: &[Disposition]) -> Result<(), AppError> {
    if dispositions.len() > DISPOSITIONS_MAX {
        return Err(AppError::invalid("too_many", "dispositions", "a campaign has at most 200 dispositions"));
    }
    let mut codes = BTreeSet::new();
    for (index, disposition) in dispositions.iter().enumerate() {
        let field = format!("dispositions[{index}].code");
        let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if disposition.code.is_empty() || disposition.code.len() > 64 || !disposition.code.bytes().all(good) {
            let message = "a code has 1 to 64 ASCII letters, digits, '_' or '-'";
            return Err(AppError::invalid("bad_code", &field, message));
        }
        if !codes.insert(&disposition.code) {
            return Err(AppError::invalid("named_twice", &field, "two dispositions have this code"));
        }
    }
    Ok(())
}
