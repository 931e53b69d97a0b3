//! The kinds of things that users configure, one body each.

use std::collections::BTreeSet;

use contacts::field::TEXT_LENGTH_MAX;
use contacts::{Country, FieldDefinition, FieldKind, SourceMap, ZonePolicy};
use engine::settings::{OPT_OUT_DIGIT, OnScriptError, is_key};
use engine::treatment::Action;
use engine::{
    CallerIdPoolId, CallingHours, CampaignId, Disposition, FeedOrder, GroupSettings, MessageId, PhoneNumber,
    RecordingSettings, SkillId, SourceId, SuppressionListId, Treatment,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use telephony::AgentPhone;
use uuid::Uuid;

use super::{
    Definition, DetectionProfileBody, MessageBody, NamedReference, Reference, ScriptBody, caller_ids,
};
use crate::AppError;

/// Contact fields of a campaign at most.
const FIELDS_MAX: usize = 200;
/// Dispositions of a campaign at most.
const DISPOSITIONS_MAX: usize = 200;
/// Treatments of a set at most.
const TREATMENTS_MAX: usize = 200;
/// Dated exceptions of calling hours at most: more days than a year has.
const EXCEPTIONS_MAX: usize = 400;
/// Longest delay before a retry: a year.
const MINUTES_MAX: u32 = 365 * 24 * 60;
/// Attempts on a contact at most, whatever a campaign says.
const ATTEMPTS_MAX: u16 = 100;

/// What a call is queued to and agents are proficient in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SkillBody {
    /// Its name.
    pub name: String,
}

impl Definition for SkillBody {
    const KIND: &'static str = "skill";
    fn name(&self) -> &str {
        &self.name
    }
}

/// How well an agent has a skill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentSkill {
    /// The skill.
    pub skill: SkillId,
    /// 1 (least) to 100; the most proficient agent who is ready gets the call.
    #[serde(default = "proficiency_default")]
    pub proficiency: u8,
}

fn proficiency_default() -> u8 {
    50
}

/// A person who takes calls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentBody {
    /// Their name.
    pub name: String,
    /// What they can do.
    #[serde(default)]
    pub skills: Vec<AgentSkill>,
    /// Their telephone. The simulated carrier needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub telephone: Option<AgentTelephone>,
}

/// Where an agent is rung.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentTelephone {
    /// A telephone number, in E.164.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<PhoneNumber>,
    /// Or an endpoint in the switch's own notation, such as `PJSIP/1001`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Rung once at the start of a session and held until its end, so that calls are there at once; else rung for each
    /// call.
    #[serde(default = "yes")]
    pub standing: bool,
}

fn yes() -> bool {
    true
}

impl AgentTelephone {
    /// Checks that it can be rung; `field` is what the error names.
    pub(crate) fn check(&self, field: &str) -> Result<(), AppError> {
        match (&self.number, &self.endpoint) {
            (Some(_), None) => Ok(()),
            (None, Some(endpoint)) if is_endpoint(endpoint) => Ok(()),
            (None, Some(_)) => Err(AppError::invalid(
                "invalid_endpoint",
                &format!("{field}endpoint"),
                "an endpoint is like PJSIP/1001 or PJSIP/1001/sip:1001@10.0.0.7: at most 120 characters",
            )),
            _ => Err(AppError::invalid(
                "one_of_two",
                &format!("{field}number"),
                "a telephone has either a number or an endpoint",
            )),
        }
    }

    /// Where the switch rings it.
    pub(crate) fn phone(self) -> Option<AgentPhone> {
        self.number.map(AgentPhone::Number).or(self.endpoint.map(AgentPhone::Endpoint))
    }
}

/// A technology, a slash and a name. `Local/` would reach the dial plan, and with it whatever that reaches.
fn is_endpoint(text: &str) -> bool {
    let Some((technology, name)) = text.split_once('/') else { return false };
    let is_technology = !technology.is_empty()
        && technology.chars().all(|char| char.is_ascii_alphanumeric())
        && !technology.eq_ignore_ascii_case("local");
    let fits = |char: char| char.is_ascii_alphanumeric() || "/@:._+-;=".contains(char);
    is_technology && !name.is_empty() && text.len() <= 120 && name.chars().all(fits)
}

impl Definition for AgentBody {
    const KIND: &'static str = "agent";
    fn name(&self) -> &str {
        &self.name
    }
    fn references(&self) -> Vec<Reference> {
        let skill = |(index, own): (usize, &AgentSkill)| {
            Reference::new(SkillBody::KIND, own.skill.0, format!("skills[{index}].skill"))
        };
        self.skills.iter().enumerate().map(skill).collect()
    }
    fn check(&self) -> Result<(), AppError> {
        let mut seen = BTreeSet::new();
        for (index, own) in self.skills.iter().enumerate() {
            if !(1..=100).contains(&own.proficiency) {
                let field = format!("skills[{index}].proficiency");
                return Err(AppError::invalid("out_of_range", &field, "a proficiency is 1 to 100"));
            }
            if !seen.insert(own.skill) {
                let field = format!("skills[{index}].skill");
                return Err(AppError::invalid("named_twice", &field, "this skill is named twice"));
            }
        }
        self.telephone.as_ref().map_or(Ok(()), |telephone| telephone.check("telephone."))
    }
}

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
            name.as_ref().map(|name| NamedReference { kind: ScriptBody::KIND, name: name.clone(), field })
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

/// The runnable pairing of a campaign with the agents that serve it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CampaignGroupBody {
    /// Its name.
    pub name: String,
    /// What it calls for.
    pub campaign: CampaignId,
    /// The skill of the agents that serve it.
    pub skill: SkillId,
    /// The queue that its calls go through, as other systems are told; of no effect on calls.
    #[serde(default)]
    pub queue_name: Option<String>,
    /// The script that fetches contacts when few are left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feed: Option<FeedScript>,
    /// How it dials.
    #[serde(default)]
    pub settings: GroupSettings,
}

/// A script that fetches contacts, and when it is run. The defaults are those of a vendor's sample (NICE CXone's
/// `xs-settings`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FeedScript {
    /// The script, by its name; it exports `main`.
    pub script: String,
    /// Run when fewer contacts than this were never called.
    #[serde(default = "fresh_default")]
    pub fresh_below: u32,
    /// Run when fewer than this are ready.
    #[serde(default = "ready_default")]
    pub ready_below: u32,
    /// Run when fewer than this are ready or wait for their time.
    #[serde(default = "available_default")]
    pub available_below: u32,
    /// How many it is to fetch, 1 to 10 000.
    #[serde(default = "fresh_default")]
    pub retrieve: u32,
}

fn fresh_default() -> u32 {
    50
}

fn ready_default() -> u32 {
    100
}

fn available_default() -> u32 {
    150
}

impl Definition for CampaignGroupBody {
    const KIND: &'static str = "campaign_group";
    fn name(&self) -> &str {
        &self.name
    }
    fn parent(&self) -> Option<Uuid> {
        Some(self.campaign.0)
    }
    fn references(&self) -> Vec<Reference> {
        let campaign = Reference::new(CampaignBody::KIND, self.campaign.0, "campaign");
        let skill = Reference::new(SkillBody::KIND, self.skill.0, "skill");
        let message = |own: &engine::AgentlessSettings| {
            Reference::new(MessageBody::KIND, own.message.0, "settings.agentless.message")
        };
        let message = self.settings.agentless.as_ref().map(message);
        let pool = caller_ids::reference(self.settings.caller_id_pool, "settings.caller_id_pool");
        [campaign, skill].into_iter().chain(message).chain(pool).collect()
    }
    fn named_references(&self) -> Vec<NamedReference> {
        let script = |feed: &FeedScript| NamedReference {
            kind: ScriptBody::KIND,
            name: feed.script.clone(),
            field: "feed.script",
        };
        self.feed.iter().map(script).collect()
    }
    fn check(&self) -> Result<(), AppError> {
        if self.feed.as_ref().is_some_and(|feed| !(1..=10_000).contains(&feed.retrieve)) {
            return Err(AppError::invalid("out_of_range", "feed.retrieve", "it is 1 to 10000"));
        }
        let bad = |bad: engine::settings::BadSetting| {
            AppError::invalid("out_of_range", &format!("settings.{}", bad.field), bad.to_string())
        };
        self.settings.check().map_err(bad)
    }
}

/// Where a number that another contact has already counts as a duplicate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DuplicateScope {
    /// Nowhere.
    #[default]
    None,
    /// In the same source.
    Source,
    /// In any source of the campaign.
    Campaign,
    /// In any campaign of the tenant.
    Tenant,
}

/// Where contacts come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceBody {
    /// Its name.
    pub name: String,
    /// Which campaign its contacts are for.
    pub campaign: CampaignId,
    /// The country in which national numbers are read.
    #[serde(default)]
    pub default_country: Option<Country>,
    /// What becomes of a number whose time zone nobody knows.
    #[serde(default)]
    pub zone_policy: ZonePolicy,
    /// Where a number that another contact has already counts as a duplicate.
    #[serde(default)]
    pub duplicates: DuplicateScope,
    /// Days after which a contact that names no expiry is not called any more, 1 to 3650.
    #[serde(default)]
    pub expires_after_days: Option<u16>,
    /// The number shown to its contacts, but for those whose own number says another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller_id: Option<PhoneNumber>,
    /// The pool that it is chosen from; goes before `caller_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller_id_pool: Option<CallerIdPoolId>,
}

impl Definition for SourceBody {
    const KIND: &'static str = "source";
    fn name(&self) -> &str {
        &self.name
    }
    fn parent(&self) -> Option<Uuid> {
        Some(self.campaign.0)
    }
    fn references(&self) -> Vec<Reference> {
        let campaign = Reference::new(CampaignBody::KIND, self.campaign.0, "campaign");
        std::iter::once(campaign)
            .chain(caller_ids::reference(self.caller_id_pool, "caller_id_pool"))
            .collect()
    }
    fn check(&self) -> Result<(), AppError> {
        if self.expires_after_days.is_some_and(|days| !(1..=3650).contains(&days)) {
            return Err(AppError::invalid(
                "out_of_range",
                "expires_after_days",
                "expires_after_days is 1 to 3650",
            ));
        }
        Ok(())
    }
}

/// How a source's columns become contact fields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceMapBody {
    /// Its name.
    pub name: String,
    /// Whose columns.
    pub source: SourceId,
    /// Which column is what.
    pub map: SourceMap,
}

impl Definition for SourceMapBody {
    const KIND: &'static str = "source_map";
    fn name(&self) -> &str {
        &self.name
    }
    fn parent(&self) -> Option<Uuid> {
        Some(self.source.0)
    }
    fn references(&self) -> Vec<Reference> {
        vec![Reference::new(SourceBody::KIND, self.source.0, "source")]
    }
    /// A map must fit a file that has just the columns it names.
    fn check(&self) -> Result<(), AppError> {
        let bound = self.map.bind(&self.map.headings());
        bound.map(drop).map_err(|error| AppError::invalid("bad_source_map", "map", error.to_string()))
    }
}

/// When people may be called.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CallingHoursBody {
    /// Its name.
    pub name: String,
    /// The hours, in the called party's own local time.
    pub hours: CallingHours,
}

impl Definition for CallingHoursBody {
    const KIND: &'static str = "calling_hours";
    fn name(&self) -> &str {
        &self.name
    }
    fn check(&self) -> Result<(), AppError> {
        let exceptions = &self.hours.exceptions;
        if exceptions.len() > EXCEPTIONS_MAX {
            return Err(AppError::invalid(
                "too_many",
                "hours.exceptions",
                "there are at most 400 dated exceptions",
            ));
        }
        let mut dates = BTreeSet::new();
        match exceptions.iter().position(|exception| !dates.insert(exception.date)) {
            Some(index) => {
                let field = format!("hours.exceptions[{index}].date");
                Err(AppError::invalid("named_twice", &field, "this date has two exceptions: keep one"))
            }
            None => Ok(()),
        }
    }
}

/// What happens after attempts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TreatmentSetBody {
    /// Its name.
    pub name: String,
    /// The rules, tried in order; the first that matches wins.
    pub treatments: Vec<Treatment>,
}

impl Definition for TreatmentSetBody {
    const KIND: &'static str = "treatment_set";
    fn name(&self) -> &str {
        &self.name
    }
    fn check(&self) -> Result<(), AppError> {
        if self.treatments.len() > TREATMENTS_MAX {
            return Err(AppError::invalid("too_many", "treatments", "a set has at most 200 treatments"));
        }
        let mut treatments = self.treatments.iter().enumerate();
        treatments.try_for_each(|(index, treatment)| check_action(&treatment.then, index))
    }
}

/// Checks the ranges of what a treatment does.
fn check_action(action: &Action, index: usize) -> Result<(), AppError> {
    let bad = |name: &str, message: &str| {
        Err(AppError::invalid("out_of_range", &format!("treatments[{index}].then.{name}"), message))
    };
    let a_year = |name: &str, minutes: u32| {
        if minutes > MINUTES_MAX { bad(name, "it is at most 525600, a year") } else { Ok(()) }
    };
    match action {
        Action::RetryIn { minutes } | Action::NextPhone { minutes } => a_year("minutes", *minutes),
        Action::Cycle { times: 0, .. } => bad("times", "it is at least 1"),
        Action::Cycle { minutes, increment_minutes, .. } => {
            a_year("minutes", *minutes)?;
            a_year("increment_minutes", *increment_minutes)
        }
        Action::Reschedule { otherwise_minutes } => a_year("otherwise_minutes", *otherwise_minutes),
        Action::RetryAt { days, .. } if *days > 365 => bad("days", "it is 0 to 365"),
        Action::RetryAt { .. } | Action::PhoneFinal | Action::Final | Action::Suppress => Ok(()),
    }
}

/// A list of numbers and customers that are not called.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SuppressionListBody {
    /// Its name.
    pub name: String,
}

impl Definition for SuppressionListBody {
    const KIND: &'static str = "suppression_list";
    fn name(&self) -> &str {
        &self.name
    }
}
