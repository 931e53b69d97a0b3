//! Create Source Map: which column of a source is which of the vendor's fields.

use app::model::{CampaignBody, SourceBody, SourceMapBody, Stored};
use app::source_maps::MapSet;
use app::{AppError, Principal};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use contacts::{ColumnMapping, FieldDefinition, FieldMeaning, SourceMap, Target};
use engine::contact::PHONES_MAX;
use engine::{PhoneKind, SourceId};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::TAG;
use crate::auth::Caller;
use crate::endpoint::{Api, get, put};
use crate::extract::Body;
use crate::{Context, Problem};

pub(super) fn routes(mut api: Api) -> Api {
    let path = "/v1/sources/{id}/map";
    let set =
        put(path, "set_own_source_map", TAG, "Say which column of a source is what; the id may be its name");
    let set = set.takes::<Mapping>(&mut api).gives::<Set>(&mut api);
    let read = get(path, "get_own_source_map", TAG, "Which column of a source is what");
    let read = read.gives::<Stored<SourceMapBody>>(&mut api);
    api.route(set, set_map).route(read, get_map)
}

/// A source map in the vendor's words, for its documentation; it is read as it comes, so that each mistake in it can be
/// told apart.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "documents the body")]
#[schemars(rename = "CxoneMapping")]
struct Mapping {
    /// The vendor's fields and the campaign's own, with the column each is taken from. `PhoneNumber` may have a list of
    /// columns, or of objects with `column`, `type`, `callerId`, `attempts`, `startTime` and `endTime`.
    mapping: std::collections::BTreeMap<String, Value>,
}

/// What became of a source map.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CxoneMappingSet")]
struct Set {
    /// `Success`, or `NoChangesMade` if the source had this map already.
    result: &'static str,
}

/// Why a source map cannot be: the vendor's branch, a code and a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    branch: &'static str,
    code: &'static str,
    field: String,
    message: String,
}

impl Refusal {
    fn new(branch: &'static str, code: &'static str, field: &str, message: impl Into<String>) -> Self {
        Self { branch, code, field: field.to_owned(), message: message.into() }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, refusal.code, refusal.message)
            .in_field(refusal.field)
            .with("branch", refusal.branch)
    }
}

/// A source by id, number or name.
pub(super) async fn source_named(
    context: &Context,
    who: &Principal,
    name: &str,
) -> Result<Stored<SourceBody>, AppError> {
    match Uuid::parse_str(name) {
        Ok(id) => context.app.get::<SourceBody>(who, id).await,
        Err(_) => context.app.source_by_name(who, name).await,
    }
}

async fn set_map(
    State(context): State<Context>,
    Caller(who): Caller,
    Path(name): Path<String>,
    body: Result<Body<Value>, Problem>,
) -> Result<Response, Problem> {
    let root = |problem: Problem| problem.with("branch", "InvalidRootNode");
    let Body(body) = body.map_err(root)?;
    let source = source_named(&context, &who, &name).await.map_err(in_branch)?;
    let campaign = context.app.get::<CampaignBody>(&who, source.body.campaign.0).await?;
    let map = read(&body, &campaign.body.fields)?;
    let set = context.app.set_own_source_map(&who, SourceId(source.id), map).await.map_err(in_branch)?;
    Ok(match set {
        MapSet::Created => (StatusCode::CREATED, Json(Set { result: "Success" })).into_response(),
        MapSet::Changed => Json(Set { result: "Success" }).into_response(),
        MapSet::Unchanged => Json(Set { result: "NoChangesMade" }).into_response(),
    })
}

async fn get_map(
    State(context): State<Context>,
    Caller(who): Caller,
    Path(name): Path<String>,
) -> Result<Json<Stored<SourceMapBody>>, Problem> {
    let source = source_named(&context, &who, &name).await.map_err(in_branch)?;
    let map = context.app.own_source_map(&who, SourceId(source.id)).await?;
    map.map(Json).ok_or_else(|| {
        let detail = "this source has no source map: create one with PUT";
        Problem::new(StatusCode::NOT_FOUND, "not_found", detail)
    })
}

/// The vendor's branch for what a use case refused.
fn in_branch(error: AppError) -> Problem {
    let branch = match &error {
        AppError::NotFound { .. } => "InvalidSource",
        AppError::Conflict { code: "ambiguous_source", .. } => "InvalidSource",
        AppError::Conflict { code: "fields_in_use", .. } => "FieldsInUseCantApply",
        AppError::Invalid { code: "missing_field", .. } => "MissingRequiredField",
        AppError::Invalid { code: "unknown_field", .. } => "InvalidFieldName",
        _ => "Error",
    };
    Problem::from(error).with("branch", branch)
}

/// Reads a map.
fn read(body: &Value, fields: &[FieldDefinition]) -> Result<SourceMap, Refusal> {
    let mapping = body.get("mapping").and_then(Value::as_object).ok_or_else(|| {
        let message = "send an object with one member 'mapping', an object of fields and their columns";
        Refusal::new("InvalidRootNode", "invalid_root_node", "mapping", message)
    })?;
    let mut columns = Vec::new();
    for (name, value) in mapping {
        if name.eq_ignore_ascii_case("PhoneNumber") {
            phones(value, &mut columns)?;
        }
    }
    let phones = columns.iter().filter(|mapping| matches!(mapping.target, Target::Phone { .. })).count();
    for (name, value) in mapping {
        if name.eq_ignore_ascii_case("PhoneNumber") {
            continue;
        }
        let column = text(name, value)?;
        if name.eq_ignore_ascii_case("CallerID") {
            caller_id(&column, phones, &mut columns);
            continue;
        }
        columns.push(ColumnMapping { column, target: target(name, fields)?, date_format: None });
    }
    let missing = |name: &str| {
        let message = format!("{name} must be mapped: without it nobody can be called");
        Refusal::new("MissingRequiredField", "missing_required_field", name, message)
    };
    if !columns.iter().any(|mapping| mapping.target == Target::ExternalId) {
        return Err(missing("ExternalID"));
    }
    if phones == 0 {
        return Err(missing("PhoneNumber"));
    }
    if phones > PHONES_MAX {
        let message = format!("{phones} numbers are mapped; a contact has at most {PHONES_MAX}");
        return Err(Refusal::new(
            "ExceededMaxDestinations",
            "exceeded_max_destinations",
            "PhoneNumber",
            message,
        ));
    }
    let map = SourceMap { columns, ..SourceMap::default() };
    let bound = map.bind(&map.headings());
    bound.map_err(|error| Refusal::new("Error", "bad_source_map", "mapping", error.to_string()))?;
    Ok(map)
}

/// The column that a member names.
fn text(name: &str, value: &Value) -> Result<String, Refusal> {
    match value.as_str().map(str::trim).filter(|text| !text.is_empty()) {
        Some(text) => Ok(text.to_owned()),
        None => {
            let message = format!("{name} must be the name of a column");
            Err(Refusal::new("Error", "bad_source_map", name, message))
        }
    }
}

/// The columns of numbers, in the order in which they are tried, each with its companions.
fn phones(value: &Value, columns: &mut Vec<ColumnMapping>) -> Result<(), Refusal> {
    let one = std::slice::from_ref(value);
    let all = value.as_array().map_or(one, Vec::as_slice);
    for (order, phone) in (1..=u8::MAX).zip(all) {
        let mut add = |column, target| columns.push(ColumnMapping { column, target, date_format: None });
        let Some(parts) = phone.as_object() else {
            add(text("PhoneNumber", phone)?, Target::Phone { order, kind: None });
            continue;
        };
        for (part, target) in companions(parts, order)? {
            add(text(part, &parts[part])?, target);
        }
    }
    Ok(())
}

/// A number's column and its companions.
fn companions(parts: &Map<String, Value>, order: u8) -> Result<Vec<(&str, Target)>, Refusal> {
    let kind = match parts.get("type") {
        None | Some(Value::Null) => None,
        Some(kind) => Some(serde_json::from_value::<PhoneKind>(kind.clone()).map_err(|_| {
            let message = "a type is home, work, mobile or other";
            Refusal::new("Error", "bad_source_map", "PhoneNumber.type", message)
        })?),
    };
    let mut found = Vec::new();
    for part in parts.keys() {
        let target = match part.as_str() {
            "column" => Target::Phone { order, kind },
            "type" => continue,
            "callerId" => Target::PhoneCallerId { order },
            "attempts" => Target::PhoneAttemptsMax { order },
            "startTime" => Target::PhoneWindowFrom { order },
            "endTime" => Target::PhoneWindowUntil { order },
            other => {
                let message = format!(
                    "'{other}' is no companion of a number: they are column, type, callerId, attempts, startTime, endTime"
                );
                return Err(Refusal::new("InvalidFieldName", "invalid_field_name", "PhoneNumber", message));
            }
        };
        found.push((part.as_str(), target));
    }
    Ok(found)
}

/// One column of caller ids counts for every number that has none of its own.
fn caller_id(column: &str, phones: usize, columns: &mut Vec<ColumnMapping>) {
    for order in (1..=u8::MAX).take(phones) {
        let target = Target::PhoneCallerId { order };
        if !columns.iter().any(|mapping| mapping.target == target) {
            columns.push(ColumnMapping { column: column.to_owned(), target, date_format: None });
        }
    }
}

/// What one of the vendor's fields, or one of the campaign's, becomes.
pub(super) fn target(name: &str, fields: &[FieldDefinition]) -> Result<Target, Refusal> {
    let own = |found: &FieldDefinition| Target::Field { name: found.name.clone() };
    if let Some(field) = fields.iter().find(|field| field.name.as_str() == name) {
        return Ok(own(field));
    }
    let meaning = match name.to_ascii_lowercase().as_str() {
        "externalid" => return Ok(Target::ExternalId),
        "timezone" => return Ok(Target::Zone),
        "priority" => return Ok(Target::Priority),
        "agent" => return Ok(Target::PreferredAgent),
        "preferredcalltime" => return Ok(Target::NotBefore),
        "expirationdate" => return Ok(Target::ExpiresAt),
        "firstname" => Some(FieldMeaning::FirstName),
        "lastname" => Some(FieldMeaning::LastName),
        "address" => Some(FieldMeaning::Address1),
        "city" => Some(FieldMeaning::City),
        "state" => Some(FieldMeaning::Region),
        "zip" => Some(FieldMeaning::PostalCode),
        "notes" => Some(FieldMeaning::Notes),
        _ => None,
    };
    let by_meaning = fields.iter().find(|field| Some(field.meaning) == meaning);
    let by_name = || fields.iter().find(|field| field.name.as_str().eq_ignore_ascii_case(name));
    by_meaning.or_else(by_name).map(own).ok_or_else(|| {
        let message = format!(
            "'{name}' is neither a system field that leads somewhere in this campaign nor one of its fields; the \
             campaign's are: {}",
            fields.iter().map(|field| field.name.as_str()).collect::<Vec<_>>().join(", ")
        );
        Refusal::new("InvalidFieldName", "invalid_field_name", name, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use contacts::FieldKind;
    use serde_json::json;

    fn map(mapping: Value) -> Result<String, (&'static str, String)> {
        let first = FieldDefinition {
            meaning: FieldMeaning::FirstName,
            ..FieldDefinition::new("given".parse().unwrap(), FieldKind::Text)
        };
        let score = FieldDefinition::new("Score".parse().unwrap(), FieldKind::Integer);
        let read = read(&mapping, &[first, score]).map_err(|refusal| (refusal.branch, refusal.field))?;
        let word = |mapping: &ColumnMapping| format!("{}={}", mapping.target, mapping.column);
        Ok(read.columns.iter().map(word).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn the_vendors_fields_become_the_campaigns() {
        let whole = json!({"mapping": {
            "ExternalID": "id", "FirstName": "vn", "Score": "score", "TimeZone": "tz", "CallerID": "clid",
            "PhoneNumber": [{"column": "tel1", "type": "mobile", "callerId": "own", "attempts": "n"}, "tel2"]
        }});
        let mut words: Vec<_> = map(whole).unwrap().split(' ').map(str::to_owned).collect();
        words.sort();
        let wanted = [
            "external_id=id",
            "field.Score=score",
            "field.given=vn",
            "phone1.attempts_max=n",
            "phone1.caller_id=own",
            "phone1:mobile=tel1",
            "phone2.caller_id=clid",
            "phone2=tel2",
            "zone=tz",
        ];
        assert_eq!(words, wanted);
    }

    #[test]
    fn each_mistake_has_its_branch() {
        let branch = |mapping: Value| map(mapping).unwrap_err();
        assert_eq!(branch(json!({"map": {}})).0, "InvalidRootNode");
        assert_eq!(branch(json!([1])).0, "InvalidRootNode");
        let with = |extra: Value| {
            let mut mapping = json!({"ExternalID": "id", "PhoneNumber": "tel"});
            mapping.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            json!({ "mapping": mapping })
        };
        assert_eq!(branch(with(json!({"Shoe": "s"}))), ("InvalidFieldName", "Shoe".to_owned()));
        assert_eq!(branch(with(json!({"City": "c"}))), ("InvalidFieldName", "City".to_owned()));
        assert_eq!(
            branch(json!({"mapping": {"PhoneNumber": "t"}})),
            ("MissingRequiredField", "ExternalID".to_owned())
        );
        assert_eq!(
            branch(json!({"mapping": {"ExternalID": "t"}})),
            ("MissingRequiredField", "PhoneNumber".to_owned())
        );
        let eleven: Vec<_> = (0..11).map(|it| format!("tel{it}")).collect();
        assert_eq!(branch(with(json!({ "PhoneNumber": eleven }))).0, "ExceededMaxDestinations");
        assert_eq!(branch(with(json!({"FirstName": 5}))).0, "Error");
    }
}
