//! A record: from the document to what is placed, and from a contact to the document.

use app::contacts::{ContactState, ContactView};
use app::model::{CampaignBody, CampaignGroupBody};
use app::placing::{NewPlacement, phones_of};
use app::{AppError, Principal};
use axum::http::StatusCode;
use contacts::{RawContact, RawText};
use engine::{CallResult, CampaignId, FinalReason, GroupId, Time, Zone};
use uuid::Uuid;

use super::Refusal;
use super::xml::{BadDocument, ContextData};
use crate::Context;

/// What records that come in here are kept under.
const SOURCE: &str = "ContextData";
/// The name of the key of a record, which is made here and never given.
const KEY: &str = "Internal__Id__";
/// `State` of a record that is promised a call (the vendor's `ContactState`).
const STATE_CALLBACK: &str = "15";
/// Priority of a record of which nothing is said.
const PRIORITY: i64 = 50;

fn system_path(name: &str) -> String {
    format!("/contextdata/systemdata/{name}")
}

fn campaign_path(name: &str) -> String {
    format!("/contextdata/campaigndata/{name}")
}

/// The element that a part of a contact comes from.
pub(super) fn path_of(field: &str) -> String {
    match field {
        "expires_at" => system_path("DialEndDate"),
        "not_before" => system_path("DialStartDate"),
        "tag" => system_path("ImportTag"),
        "number" => "/contextdata/campaigndata".to_owned(),
        phone if phone.starts_with("phone") && phone[5..].bytes().all(|byte| byte.is_ascii_digit()) => {
            "/contextdata/campaigndata".to_owned()
        }
        name => campaign_path(name),
    }
}

/// That the campaign has a field of this name, letter for letter.
pub(super) fn known_field(campaign: &CampaignBody, name: &str, path: &str) -> Result<(), BadDocument> {
    if campaign.fields.iter().any(|field| field.name.as_str() == name) {
        return Ok(());
    }
    let near = campaign.fields.iter().find(|field| field.name.as_str().eq_ignore_ascii_case(name));
    let message = match near {
        Some(near) => format!("the campaign has no field '{name}'; it has '{}': case counts", near.name),
        None => {
            let known: Vec<_> = campaign.fields.iter().map(|field| field.name.as_str()).collect();
            format!("the campaign has no field '{name}'; its fields are: {}", known.join(", "))
        }
    };
    Err(BadDocument::new("unknown_field", path, message))
}

/// The fields of a document, each known to the campaign.
pub(super) fn changes(
    data: &ContextData,
    campaign: &CampaignBody,
) -> Result<Vec<(String, String)>, BadDocument> {
    if let Some((name, _)) = data.system.first() {
        let message = "what the dialler knows is not changed here: send the fields of the campaign only";
        return Err(BadDocument::new("cannot_be_changed", system_path(name), message));
    }
    fields_of(data, campaign)
}

fn fields_of(data: &ContextData, campaign: &CampaignBody) -> Result<Vec<(String, String)>, BadDocument> {
    let mut fields = Vec::new();
    for (name, text) in &data.campaign {
        known_field(campaign, name, &campaign_path(name))?;
        fields.push((name.clone(), text.clone().unwrap_or_default()));
    }
    Ok(fields)
}

/// What a document asks to be placed. Its group is the one that it names itself.
pub(super) fn placement(
    data: &ContextData,
    campaign: CampaignId,
    body: &CampaignBody,
    zone: &Zone,
    now: Time,
) -> Result<NewPlacement, BadDocument> {
    const KNOWN: [&str; 7] =
        ["CurrentActivity", "State", "SortInfo", "DialStartDate", "DialEndDate", "CreationTime", "ImportTag"];
    if let Some((name, _)) = data.system.iter().find(|(name, _)| !KNOWN.contains(&name.as_str())) {
        let message = format!("'{name}' cannot be set: {} can", KNOWN.join(", "));
        return Err(BadDocument::new("unknown_field", system_path(name), message));
    }
    let fields = fields_of(data, body)?;
    let phones = phones_of(&body.fields, &fields);
    if phones.is_empty() {
        let named: Vec<_> =
            body.fields.iter().filter(|it| it.meaning.is_phone()).map(|it| it.name.as_str()).collect();
        let message = match named.is_empty() {
            true => "the campaign has no field whose meaning is a phone number: give one of its fields the meaning \
                     home_phone, business_phone, private_mobile or business_mobile"
                .to_owned(),
            false => format!("a phone number is always required, in one of: {}", named.join(", ")),
        };
        return Err(BadDocument::new("no_phone", "/contextdata/campaigndata", message));
    }
    let is_promised = match data.system("State") {
        Some(STATE_CALLBACK) => true,
        None | Some("0") => false,
        Some(_) => {
            let message = "a new record has the State 15, a callback, or none";
            return Err(BadDocument::new("bad_state", system_path("State"), message));
        }
    };
    let sort = match data.system("SortInfo").map(str::parse::<i64>) {
        None => 0,
        Some(Ok(sort)) => sort,
        Some(Err(_)) => {
            let message = "SortInfo is a whole number; a negative one is called first";
            return Err(BadDocument::new("bad_number", system_path("SortInfo"), message));
        }
    };
    let start = date(data, "DialStartDate", zone)?;
    let end = date(data, "DialEndDate", zone)?;
    if end.is_some_and(|end| end <= start.unwrap_or(now).max(now)) {
        let message = "the end of validity must be later than now and than DialStartDate";
        return Err(BadDocument::new("bad_date", system_path("DialEndDate"), message));
    }
    let created_at = date(data, "CreationTime", zone)?;
    // The lower the vendor's order, the earlier; negative ones come before all others anyway.
    let priority = (PRIORITY - sort.saturating_add(if sort < 0 { 2 } else { 0 })).clamp(0, 100);
    let contact = RawContact {
        phones,
        priority: Some(RawText::new(priority.to_string())),
        tag: data.system("ImportTag").map(|tag| RawText::new(tag.to_owned())),
        fields: fields.into_iter().map(|(name, text)| (name.into(), RawText::new(text))).collect(),
        ..RawContact::default()
    };
    Ok(NewPlacement {
        campaign,
        group: activity(data)?,
        source: SOURCE,
        contact,
        not_before: start,
        expires_at: end,
        is_promised,
        is_urgent: sort < 0,
        created_at,
    })
}

/// The activity that a record is bound to.
fn activity(data: &ContextData) -> Result<Option<GroupId>, BadDocument> {
    let Some(text) = data.system("CurrentActivity") else { return Ok(None) };
    match Uuid::parse_str(text) {
        Ok(id) => Ok(Some(GroupId(id))),
        Err(_) => {
            let message =
                "an activity is 32 hexadecimal digits; xsi:nil leaves the record to any of the campaign";
            Err(BadDocument::new("unknown_activity", system_path("CurrentActivity"), message))
        }
    }
}

/// A date as the vendor writes it, `yyyy-MM-dd HH:mm:ss.fff`, in a zone.
fn date(data: &ContextData, name: &str, zone: &Zone) -> Result<Option<Time>, BadDocument> {
    let Some(text) = data.system(name) else { return Ok(None) };
    let local = text.replacen(' ', "T", 1).parse::<jiff::civil::DateTime>();
    let local = local.ok().filter(|_| text.contains(':'));
    local.map(|local| Some(zone.instant(local))).ok_or_else(|| {
        let message = "not a date: write it as yyyy-MM-dd HH:mm:ss.fff, such as 2027-01-31 09:30:00.000";
        BadDocument::new("bad_date", system_path(name), message)
    })
}

/// That the group which a record names calls for the campaign, and is none other than the one that the query names.
pub(super) async fn must_serve(
    context: &Context,
    who: &Principal,
    named: GroupId,
    campaign: CampaignId,
    asked: Option<GroupId>,
) -> Result<(), Refusal> {
    let refuse = |message: &str| {
        let path = system_path("CurrentActivity");
        Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "unknown_activity", &path, message))
    };
    if asked.is_some_and(|asked| asked != named) {
        return refuse("the query names another activity");
    }
    match context.app.get::<CampaignGroupBody>(who, named.0).await {
        Ok(group) if group.body.campaign == campaign => Ok(()),
        Ok(_) | Err(AppError::NotFound { .. }) => refuse("the campaign has no such activity"),
        Err(error) => Err(error.into()),
    }
}

/// The document of a contact.
pub(super) fn data_of(contact: &ContactView, campaign: &CampaignBody, zone: &Zone) -> ContextData {
    let text = |text: String| Some(text);
    let mut data = ContextData::default();
    for field in &campaign.fields {
        let value = contact.fields.get(field.name.as_str());
        let value = value.map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        data.campaign.push((field.name.as_str().to_owned(), value));
    }
    let system = [
        (KEY, text(contact.id.0.simple().to_string())),
        ("CurrentActivity", contact.group.map(|group| group.0.simple().to_string())),
        ("State", text(state_of(contact).to_string())),
        ("SortInfo", text(if contact.is_callback { -2 } else { i64::from(contact.attempts) }.to_string())),
        ("DialStartDate", text(written(contact.next_at, zone))),
        ("DialEndDate", contact.expires_at.map(|at| written(at, zone))),
        ("CreationTime", text(written(contact.created_at, zone))),
        ("ImportTag", contact.tag.clone()),
        ("TotalDialed", text(contact.attempts.to_string())),
        ("LastDialStatus", contact.last_result.map(|result| status_of(result).to_string())),
    ];
    data.system = system.into_iter().map(|(name, text)| (name.to_owned(), text)).collect();
    data
}

fn written(at: Time, zone: &Zone) -> String {
    zone.local(at).strftime("%Y-%m-%d %H:%M:%S%.3f").to_string()
}

/// The vendor's `ContactState`.
fn state_of(contact: &ContactView) -> u8 {
    match (contact.state, contact.final_reason) {
        (ContactState::Claimed, _) => 14,
        (ContactState::Final, Some(FinalReason::Expired)) => 7,
        (ContactState::Final, Some(FinalReason::AttemptsUsedUp)) => 17,
        (ContactState::Final, Some(FinalReason::Suppressed)) => 18,
        (ContactState::Waiting | ContactState::Ready, _) if contact.is_callback => 15,
        _ => contact.last_result.map_or(0, status_of),
    }
}

/// The vendor's `DialDisconnectionReason`.
fn status_of(result: CallResult) -> u8 {
    match result {
        CallResult::FaxDetected => 1,
        CallResult::SitInvalidNumber
        | CallResult::SitVacant
        | CallResult::SitOperatorIntercept
        | CallResult::WrongNumber
        | CallResult::WrongParty => 2,
        CallResult::NoAnswer => 3,
        CallResult::AnsweringMachine => 4,
        CallResult::Busy => 5,
        CallResult::Abandoned | CallResult::Dropped => 6,
        CallResult::Stale => 7,
        CallResult::Answer => 9,
        CallResult::AgentCallbackError => 10,
        CallResult::AllTrunksBusy | CallResult::SitNoCircuit | CallResult::SitReorder => 11,
        CallResult::DoNotCall => 18,
        _ => 0,
    }
}
