//! Create Prospects v2, and what goes with it: getting prospects and removing them.

use app::contacts::{ContactQuery, ContactView, Removal};
use app::intake::{NewRows, RecordOutcome, RecordResult};
use app::model::CampaignBody;
use app::paging::Listing;
use app::short_numbers::Numbered;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use contacts::{FieldMeaning, RecordErrorCode, ZonePolicy};
use engine::{SkillId, SourceId, Zone};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{TAG, object_in_path};
use crate::api::number_in_query;
use crate::auth::Caller;
use crate::endpoint::{Api, get, post};
use crate::extract::{Ask, Body, Items, Page};
use crate::{Context, Problem};

pub(super) fn routes(mut api: Api) -> Api {
    let path = "/v1/skills/{skillNo}/prospects";
    let create = post(path, "create_prospects", TAG, "Create or update prospects of a skill, up to 10 000");
    let create = create.with_status(200).large().takes::<Asked>(&mut api).gives::<Results>(&mut api);
    let find = get(path, "get_prospects", TAG, "Prospects of a source")
        .paged()
        .query("sourceName", "The source")
        .query("externalId", "With this external id")
        .query("phoneNumber", "That can be reached on this number (E.164)")
        .query("firstName", "With this first name; lastName must be given too")
        .query("lastName", "With this last name; firstName must be given too")
        .gives::<Listing<ContactView>>(&mut api);
    let remove = post(
        format!("{path}/remove"),
        "remove_prospects",
        TAG,
        "See to it that prospects are not called any more",
    );
    let remove = remove.with_status(200).takes::<Removed>(&mut api).gives::<Results>(&mut api);
    api.route(create, create_prospects).route(find, get_prospects).route(remove, remove_prospects)
}

/// Prospects that are to be created or updated.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "CxoneProspects")]
struct Asked {
    /// The source that they come from; it needs a source map.
    source_name: String,
    /// The prospects, each with the columns of the source map.
    data: Vec<Map<String, Value>>,
    /// `Yes` uses `timeZone` for a prospect whose time zone cannot be determined, `No` rejects it: the vendor's meaning,
    /// the reverse of what the name says. Without it the source decides.
    #[serde(default)]
    no_time_zone_reject: Option<YesNo>,
    /// The same under a plain name.
    #[serde(default)]
    unknown_time_zone: Option<UnknownTimeZone>,
    /// The time zone (IANA name) of prospects whose own cannot be determined.
    #[serde(default)]
    time_zone: Option<String>,
    /// When prospects expire that name no expiration: ISO 8601, in the tenant's zone without an offset; a date counts to
    /// its end.
    #[serde(default)]
    default_expiration_date: Option<String>,
}

/// Yes or no.
#[derive(Clone, Copy, PartialEq, Eq, Debug, JsonSchema)]
#[schemars(with = "String")]
#[schemars(rename = "CxoneYesNo")]
struct YesNo(bool);

impl<'de> Deserialize<'de> for YesNo {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let said = Value::deserialize(deserializer)?;
        let text = said.as_str().map(str::to_ascii_lowercase);
        match (said.as_bool(), text.as_deref()) {
            (Some(yes), _) => Ok(Self(yes)),
            (None, Some("yes" | "true")) => Ok(Self(true)),
            (None, Some("no" | "false")) => Ok(Self(false)),
            _ => Err(serde::de::Error::custom("noTimeZoneReject is Yes or No")),
        }
    }
}

/// What becomes of a prospect whose time zone cannot be determined.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "CxoneUnknownTimeZone")]
enum UnknownTimeZone {
    /// It is rejected.
    Reject,
    /// It is taken to be in `timeZone`.
    UseTimeZone,
}

/// What became of prospects. Each is as it was sent, with `ResultCode`, a message, and `Code`, which programs may rely
/// on: `created`, `updated`, `unchanged`, `removed`, `already_final`, or why not.
#[derive(Serialize, JsonSchema, Default)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "CxoneResults")]
pub(super) struct Results {
    /// Those of which it was done.
    pub(super) successful_records: Vec<Map<String, Value>>,
    /// Those of which it was not, and why.
    pub(super) failed_records: Vec<Map<String, Value>>,
}

impl Results {
    fn add(&mut self, is_good: bool, mut record: Map<String, Value>, code: &str, message: String) {
        record.insert("ResultCode".to_owned(), message.into());
        record.insert("Code".to_owned(), code.into());
        if is_good { &mut self.successful_records } else { &mut self.failed_records }.push(record);
    }
}

/// The branch that is taken when a call as a whole fails, with a condensed explanation in `_ERR`.
pub(super) fn on_error(problem: impl Into<Problem>) -> Problem {
    let problem = problem.into();
    let explanation = problem.detail().to_owned();
    problem.with("branch", "OnError").with("_ERR", explanation)
}

/// Reads a request's body, for fuzzing: whether it is one.
pub(crate) fn is_request(body: &[u8]) -> bool {
    serde_json::from_slice::<Asked>(body).is_ok_and(|asked| asked.zone_policy().is_ok())
}

fn bad(code: &str, field: &str, detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail).in_field(field)
}

async fn create_prospects(
    State(context): State<Context>,
    Caller(who): Caller,
    Path(skill): Path<String>,
    asked: Result<Body<Asked>, Problem>,
) -> Result<Json<Results>, Problem> {
    let Body(asked) = asked.map_err(on_error)?;
    let zone_policy = asked.zone_policy().map_err(on_error)?;
    let expires_at = match asked.default_expiration_date.as_deref().map(str::trim).filter(|it| !it.is_empty())
    {
        Some(text) => {
            Some(context.app.read_expiry(&who, "defaultExpirationDate", text).await.map_err(on_error)?)
        }
        None => None,
    };
    let skill = SkillId(object_in_path(&context, &who, Numbered::Skill, &skill).await.map_err(on_error)?);
    let place = context.app.place_for_rows(&who, skill, &asked.source_name).await.map_err(on_error)?;
    let mut results = Results::default();
    let Some(map) = place.map else {
        let message = format!(
            "Missing External ID: the source '{0}' has no source map, so nobody knows which column it is; \
             create one first: PUT /v1/sources/{0}/map",
            asked.source_name
        );
        for record in asked.data {
            results.add(false, record, RecordErrorCode::MissingExternalId.as_str(), message.clone());
        }
        return Ok(Json(results));
    };
    let group = Some(place.group);
    let new = NewRows { source: place.source, map, rows: asked.data.clone(), group, zone_policy, expires_at };
    let told = context.app.add_rows(&who, new).await.map_err(on_error)?;
    for (record, result) in asked.data.into_iter().zip(told) {
        let (is_good, code, message) = in_words(&result);
        results.add(is_good, record, code, message);
    }
    Ok(Json(results))
}

fn in_words(result: &RecordResult) -> (bool, &'static str, String) {
    match (result.outcome, result.code) {
        (RecordOutcome::Created, _) => (true, "created", "Created".to_owned()),
        (RecordOutcome::Updated, _) => (true, "updated", "Updated".to_owned()),
        (RecordOutcome::Unchanged, _) => (true, "unchanged", "Unchanged".to_owned()),
        (RecordOutcome::Rejected, code) => {
            let message = result.message.clone().unwrap_or_else(|| "not taken".to_owned());
            let message = match (code, &result.field) {
                (Some(RecordErrorCode::MissingExternalId), _) => format!("Missing External ID: {message}"),
                (_, Some(field)) => format!("{field}: {message}"),
                (_, None) => message,
            };
            (false, code.map_or("rejected", RecordErrorCode::as_str), message)
        }
    }
}

impl Asked {
    fn zone_policy(&self) -> Result<Option<ZonePolicy>, Problem> {
        let uses_zone = match (self.no_time_zone_reject, self.unknown_time_zone) {
            (Some(YesNo(yes)), Some(plain)) if yes != (plain == UnknownTimeZone::UseTimeZone) => {
                let message =
                    "noTimeZoneReject says the opposite: Yes uses timeZone, No rejects; send one of them";
                return Err(bad("contradiction", "unknownTimeZone", message));
            }
            (Some(YesNo(yes)), _) => Some(yes),
            (None, Some(plain)) => Some(plain == UnknownTimeZone::UseTimeZone),
            (None, None) => None,
        };
        let zone = self.time_zone.as_deref().map(str::trim).filter(|zone| !zone.is_empty());
        let zone = zone.map(str::parse::<Zone>).transpose().map_err(|error| {
            let message =
                format!("{error}: give a name of the IANA time zone database, such as Europe/Paris");
            bad("unknown_zone", "timeZone", message)
        })?;
        match (uses_zone, zone) {
            (Some(false), _) => Ok(Some(ZonePolicy::Reject)),
            (_, Some(zone)) => Ok(Some(ZonePolicy::Default(zone))),
            (Some(true), None) => {
                Err(bad("missing", "timeZone", "noTimeZoneReject is Yes, so timeZone must be given"))
            }
            (None, None) => Ok(None),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Which {
    source_name: Option<String>,
    external_id: Option<String>,
    phone_number: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
}

async fn get_prospects(
    State(context): State<Context>,
    Caller(who): Caller,
    Path(skill): Path<String>,
    Page(page): Page,
    Ask(which): Ask<Which>,
) -> Result<Items<ContactView>, Problem> {
    let Some(name) = which.source_name else {
        return Err(on_error(bad("missing", "sourceName", "name the source")));
    };
    let skill = SkillId(object_in_path(&context, &who, Numbered::Skill, &skill).await.map_err(on_error)?);
    let place = context.app.place_for_rows(&who, skill, &name).await.map_err(on_error)?;
    let fields = match (which.first_name, which.last_name) {
        (None, None) => Vec::new(),
        (Some(first), Some(last)) => {
            let wanted = [(FieldMeaning::FirstName, first), (FieldMeaning::LastName, last)];
            named_fields(&context, &who, place.source, wanted).await?
        }
        _ => return Err(on_error(bad("missing", "lastName", "give firstName and lastName together"))),
    };
    let number = which.phone_number.as_deref().map(number_in_query).transpose()?;
    let query = ContactQuery {
        source: Some(place.source),
        number,
        external_id: which.external_id,
        fields,
        ..ContactQuery::default()
    };
    Ok(Items(context.app.contacts(&who, query, &page).await.map_err(on_error)?))
}

/// The campaign's names of fields with these meanings, with what they are to hold.
async fn named_fields(
    context: &Context,
    who: &app::Principal,
    source: SourceId,
    wanted: [(FieldMeaning, String); 2],
) -> Result<Vec<(String, String)>, Problem> {
    let source = context.app.get::<app::model::SourceBody>(who, source.0).await?;
    let campaign = context.app.get::<CampaignBody>(who, source.body.campaign.0).await?;
    let of = |(meaning, text): (FieldMeaning, String)| {
        let field = campaign.body.fields.iter().find(|field| field.meaning == meaning);
        field.map(|field| (field.name.as_str().to_owned(), text)).ok_or_else(|| {
            on_error(bad(
                "unknown_field",
                "firstName",
                "the campaign has no fields that mean first and last name",
            ))
        })
    };
    wanted.into_iter().map(of).collect()
}

/// Prospects that are to be removed.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "CxoneRemoved")]
struct Removed {
    /// The source that they come from.
    source_name: String,
    /// The prospects; of each only `externalId` is looked at.
    prospects_to_remove: Vec<Map<String, Value>>,
}

async fn remove_prospects(
    State(context): State<Context>,
    Caller(who): Caller,
    Path(skill): Path<String>,
    asked: Result<Body<Removed>, Problem>,
) -> Result<Json<Results>, Problem> {
    let Body(asked) = asked.map_err(on_error)?;
    let skill = SkillId(object_in_path(&context, &who, Numbered::Skill, &skill).await.map_err(on_error)?);
    let place = context.app.place_for_rows(&who, skill, &asked.source_name).await.map_err(on_error)?;
    let results = remove(&context, &who, place.source, asked.prospects_to_remove).await.map_err(on_error)?;
    Ok(Json(results))
}

/// Removes prospects of a source by their external ids.
pub(super) async fn remove(
    context: &Context,
    who: &app::Principal,
    source: SourceId,
    prospects: Vec<Map<String, Value>>,
) -> Result<Results, Problem> {
    let external_id = |record: &Map<String, Value>| {
        let found = record.iter().find(|(name, _)| name.eq_ignore_ascii_case("externalId"));
        match found.map(|(_, value)| value) {
            Some(Value::String(text)) => text.trim().to_owned(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        }
    };
    let ids = prospects.iter().map(external_id).collect();
    let removals = context.app.remove_contacts(who, source, ids).await?;
    let mut results = Results::default();
    for (record, removal) in prospects.into_iter().zip(removals) {
        let missing = external_id(&record).is_empty();
        let (is_good, code, message) = match removal {
            Removal::Removed => (true, "removed", "Removed"),
            Removal::AlreadyFinal => (true, "already_final", "It was not to be called any more"),
            Removal::Claimed => {
                (false, "contact_claimed", "It is in a hopper or on a call: try again in a moment")
            }
            Removal::Unknown if missing => (false, "missing_external_id", "Missing External ID"),
            Removal::Unknown => (false, "not_found", "The source has no prospect with this external id"),
        };
        results.add(is_good, record, code, message.to_owned());
    }
    Ok(results)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn policy(body: Value) -> Result<Option<ZonePolicy>, String> {
        let mut whole = json!({"sourceName": "Leads", "data": []});
        whole.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        let asked: Asked = serde_json::from_value(whole).map_err(|error| error.to_string())?;
        asked.zone_policy().map_err(|problem| problem.code().to_owned())
    }

    #[test]
    fn yes_uses_the_time_zone_and_no_rejects() {
        let paris = || ZonePolicy::Default("Europe/Paris".parse().unwrap());
        let zone = "Europe/Paris";
        assert_eq!(policy(json!({"noTimeZoneReject": "Yes", "timeZone": zone})), Ok(Some(paris())));
        assert_eq!(policy(json!({"noTimeZoneReject": "No", "timeZone": zone})), Ok(Some(ZonePolicy::Reject)));
        assert_eq!(policy(json!({"unknownTimeZone": "use_time_zone", "timeZone": zone})), Ok(Some(paris())));
        assert_eq!(policy(json!({"unknownTimeZone": "reject"})), Ok(Some(ZonePolicy::Reject)));
        assert_eq!(policy(json!({"timeZone": zone})), Ok(Some(paris())));
        assert_eq!(policy(json!({})), Ok(None));
    }

    #[test]
    fn what_contradicts_itself_or_is_missing_is_refused() {
        assert_eq!(policy(json!({"noTimeZoneReject": "Yes"})), Err("missing".to_owned()));
        assert_eq!(policy(json!({"timeZone": "Mars/Base"})), Err("unknown_zone".to_owned()));
        let both =
            json!({"noTimeZoneReject": "Yes", "unknownTimeZone": "reject", "timeZone": "Europe/Paris"});
        assert_eq!(policy(both), Err("contradiction".to_owned()));
        assert!(policy(json!({"noTimeZoneReject": "perhaps"})).unwrap_err().contains("Yes or No"));
    }
}
