//! Contacts: adding them, finding them, and asking about one.

use std::collections::BTreeMap;

use app::AppError;
use app::contacts::{ContactQuery, ContactState, ContactView, WhyNotView};
use app::intake::{RECORDS_MAX, RecordOutcome, RecordResult};
use app::paging::Listing;
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use contacts::{RawContact, RecordError};
use engine::{CampaignId, ContactId, PhoneNumber, SourceId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::auth::Caller;
use crate::endpoint::{Api, get, post};
use crate::extract::{Ask, Id, Items, Page, place};
use crate::{Context, Problem};

const TAG: &str = "Contacts";

pub(super) fn routes(mut api: Api) -> Api {
    let add =
        post("/v1/sources/{id}/contacts", "add_contacts", TAG, "Add or update one contact, or up to 1000");
    let add = add.with_status(200).or_status(201).takes::<OneOrMany>(&mut api).gives::<Added>(&mut api);
    let list =
        get("/v1/contacts", "list_contacts", TAG, "Find contacts by campaign, source, number or external id");
    let list = list
        .paged()
        .query_of::<CampaignId>(&mut api, "campaign", "Of this campaign")
        .query_of::<SourceId>(&mut api, "source", "From this source")
        .query_of::<ContactState>(&mut api, "state", "Only those that are waiting, ready, claimed or final")
        .query("number", "That can be reached on this number (E.164)")
        .query("external_id", "With this key in the source that is named too")
        .gives::<Listing<ContactView>>(&mut api);
    let read = get("/v1/contacts/{id}", "get_contact", TAG, "Read a contact").gives::<ContactView>(&mut api);
    let why = get("/v1/contacts/{id}/why-not", "why_not", TAG, "Why a contact is not dialled at this moment");
    let why = why.gives::<WhyNotView>(&mut api);
    let close = post(
        "/v1/contacts/{id}/close",
        "close_contact",
        TAG,
        "See to it that a contact is not called any more",
    );
    let close = close.with_status(200).gives::<ContactView>(&mut api);
    let reopen =
        post("/v1/contacts/{id}/reopen", "reopen_contact", TAG, "Have a closed contact called again");
    let reopen = reopen.with_status(200).gives::<ContactView>(&mut api);
    api.route(add, add_contacts)
        .route(list, list_contacts)
        .route(read, get_contact)
        .route(why, why_not)
        .route(close, close_contact)
        .route(reopen, reopen_contact)
}

/// The body of `add_contacts`, for its documentation; it is read by [`read_contacts`].
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "documents the body's two forms")]
enum OneOrMany {
    /// Many contacts.
    Many {
        /// At most 1000.
        contacts: Vec<RawContact<'static>>,
    },
    /// One contact.
    One(Box<RawContact<'static>>),
}

/// What became of many contacts.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ContactsAdded")]
struct Added {
    /// New contacts.
    created: usize,
    /// Contacts that were there and have changed.
    updated: usize,
    /// Contacts that were there as they are.
    unchanged: usize,
    /// Records that were not taken.
    rejected: usize,
    /// What became of each, in the order of the request.
    results: Vec<RecordResult>,
}

/// What a request asks to add.
enum Asked {
    One(Box<RawContact<'static>>),
    /// Those that can be read, and what became of the others.
    Many(Vec<(u64, RawContact<'static>)>, Vec<RecordResult>),
}

async fn add_contacts(
    State(context): State<Context>,
    Caller(who): Caller,
    Id(id): Id,
    body: Bytes,
) -> Result<Response, Problem> {
    let source = SourceId(id);
    match read_contacts(&body)? {
        Asked::One(contact) => {
            let results = context.app.add_contacts(&who, source, vec![*contact]).await?;
            one_answer(results)
        }
        Asked::Many(readable, unreadable) => {
            let (rows, contacts): (Vec<u64>, Vec<_>) = readable.into_iter().unzip();
            let taken = context.app.add_contacts(&who, source, contacts).await?;
            let placed = taken.into_iter().zip(rows).map(|(result, row)| RecordResult { row, ..result });
            let mut results: Vec<RecordResult> = placed.chain(unreadable).collect();
            results.sort_by_key(|result| result.row);
            let count = |outcome| results.iter().filter(|result| result.outcome == outcome).count();
            let (created, updated) = (count(RecordOutcome::Created), count(RecordOutcome::Updated));
            let (unchanged, rejected) = (count(RecordOutcome::Unchanged), count(RecordOutcome::Rejected));
            Ok(Json(Added { created, updated, unchanged, rejected, results }).into_response())
        }
    }
}

/// Reads `{"contacts": […]}` or a single contact. One of many that cannot be read is rejected alone.
fn read_contacts(body: &[u8]) -> Result<Asked, Problem> {
    let bad_json = |error: serde_json::Error| {
        let place = format!("not a JSON object: line {} column {}", error.line(), error.column());
        Problem::new(StatusCode::BAD_REQUEST, "bad_json", place)
    };
    let text = std::str::from_utf8(body)
        .map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "bad_json", "the body is not UTF-8"))?;
    let keys: BTreeMap<String, &RawValue> = serde_json::from_str(text).map_err(bad_json)?;
    let Some(many) = keys.get("contacts") else {
        let one = RawContact::from_json(text).map_err(|error| {
            let field = field_of(text).unwrap_or_else(|| "body".to_owned());
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_body", error.message).in_field(field)
        })?;
        return Ok(Asked::One(Box::new(one)));
    };
    if keys.len() > 1 {
        let detail = "beside 'contacts' nothing else may stand";
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_body", detail));
    }
    let records: Vec<&RawValue> = serde_json::from_str(many.get()).map_err(|_| {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_body", "'contacts' must be a list")
            .in_field("contacts")
    })?;
    if records.len() > RECORDS_MAX {
        let message =
            format!("a request has at most {RECORDS_MAX} contacts: send more requests or import a file");
        return Err(AppError::invalid("too_many", "contacts", message).into());
    }
    let (mut readable, mut unreadable) = (Vec::with_capacity(records.len()), Vec::new());
    for (row, record) in (1..).zip(records) {
        match RawContact::from_json(record.get()) {
            Ok(contact) => readable.push((row, contact)),
            Err(error) => unreadable.push(rejected(row, record.get(), error)),
        }
    }
    Ok(Asked::Many(readable, unreadable))
}

/// What became of a record that cannot be read.
fn rejected(row: u64, record: &str, error: RecordError) -> RecordResult {
    #[derive(Deserialize)]
    struct Named {
        external_id: String,
    }
    RecordResult {
        row,
        external_id: serde_json::from_str(record).ok().map(|named: Named| named.external_id),
        outcome: RecordOutcome::Rejected,
        contact: None,
        code: Some(error.code),
        field: field_of(record),
        message: Some(error.message.into_owned()),
        warnings: Vec::new(),
    }
}

/// Where in a record that is no contact something is wrong, as far as that can be told.
fn field_of(record: &str) -> Option<String> {
    let mut text = serde_json::Deserializer::from_str(record);
    let error = serde_path_to_error::deserialize::<_, RawContact<'static>>(&mut text).err()?;
    place(&error.path().to_string(), &error.inner().to_string())
}

/// The answer to a request that adds one contact: a rejection is a problem of the request then.
fn one_answer(results: Vec<RecordResult>) -> Result<Response, Problem> {
    let result = results.into_iter().next();
    let result =
        result.ok_or_else(|| AppError::Internal("one contact was added and no result came".to_owned()))?;
    if result.outcome == RecordOutcome::Rejected {
        let code = result.code.map_or("rejected", contacts::RecordErrorCode::as_str);
        let detail = result.message.clone().unwrap_or_default();
        let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail);
        return Err(match &result.field {
            Some(field) => problem.in_field(field.clone()),
            None => problem,
        });
    }
    let is_new = result.outcome == RecordOutcome::Created;
    let location = result.contact.map(|contact| [(header::LOCATION, format!("/v1/contacts/{contact}"))]);
    let (created, updated) = (usize::from(is_new), usize::from(result.outcome == RecordOutcome::Updated));
    let unchanged = usize::from(result.outcome == RecordOutcome::Unchanged);
    let body = Json(Added { created, updated, unchanged, rejected: 0, results: vec![result] });
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, location, body).into_response())
}

#[derive(Deserialize)]
struct Find {
    campaign: Option<CampaignId>,
    source: Option<SourceId>,
    state: Option<ContactState>,
    number: Option<String>,
    external_id: Option<String>,
}

/// A number in a query, where an unescaped `+` reads as a space.
pub(crate) fn number_in_query(text: &str) -> Result<PhoneNumber, Problem> {
    let digits = text.trim().trim_start_matches('+');
    format!("+{digits}").parse().map_err(|error: engine::phone::NotAPhoneNumber| {
        Problem::new(StatusCode::BAD_REQUEST, "bad_query", error.to_string()).in_field("number")
    })
}

async fn list_contacts(
    State(context): State<Context>,
    Caller(who): Caller,
    Page(page): Page,
    Ask(find): Ask<Find>,
) -> Result<Items<ContactView>, Problem> {
    let number = find.number.as_deref().map(number_in_query).transpose()?;
    let Find { campaign, source, state, external_id, .. } = find;
    let query = ContactQuery { campaign, source, state, number, external_id, fields: Vec::new() };
    Ok(Items(context.app.contacts(&who, query, &page).await?))
}

async fn get_contact(
    State(context): State<Context>,
    Caller(who): Caller,
    Id(id): Id,
) -> Result<Json<ContactView>, Problem> {
    Ok(Json(context.app.contact(&who, ContactId(id)).await?))
}

async fn why_not(
    State(context): State<Context>,
    Caller(who): Caller,
    Id(id): Id,
) -> Result<Json<WhyNotView>, Problem> {
    Ok(Json(context.app.why_not(&who, ContactId(id)).await?))
}

async fn close_contact(
    State(context): State<Context>,
    Caller(who): Caller,
    Id(id): Id,
) -> Result<Json<ContactView>, Problem> {
    Ok(Json(context.app.close_contact(&who, ContactId(id)).await?))
}

async fn reopen_contact(
    State(context): State<Context>,
    Caller(who): Caller,
    Id(id): Id,
) -> Result<Json<ContactView>, Problem> {
    Ok(Json(context.app.reopen_contact(&who, ContactId(id)).await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_one_contact_or_a_list_of_them() {
        assert!(matches!(read_contacts(br#"{"external_id": "1", "phones": []}"#), Ok(Asked::One(_))));
        let many = read_contacts(br#"{"contacts": [{"external_id": "1"}, {"external_id": "2"}]}"#);
        assert!(
            matches!(many, Ok(Asked::Many(records, rejected)) if records.len() == 2 && rejected.is_empty())
        );
    }

    #[test]
    fn one_of_many_that_cannot_be_read_is_rejected_at_its_place_and_the_others_are_kept() {
        let many = br#"{"contacts": [{"external_id": "1", "phone": 2}, {"external_id": "2"}, 7,
            {"external_id": "4", "phones": [{"number": "1"}, {"number": []}]}, {"phones": [{}]}]}"#;
        let Ok(Asked::Many(readable, rejected)) = read_contacts(many) else { panic!("it is a list") };
        assert_eq!(readable.iter().map(|(row, _)| *row).collect::<Vec<_>>(), [2]);
        let told: Vec<_> = rejected
            .iter()
            .map(|result| (result.row, result.external_id.as_deref(), result.field.as_deref()))
            .collect();
        let wanted = [
            (1, Some("1"), Some("phone")),
            (3, None, None),
            (4, Some("4"), Some("phones[1].number")),
            (5, None, Some("phones[0].number")),
        ];
        assert_eq!(told, wanted);
        assert!(rejected.iter().all(|result| result.message.is_some() && result.code.is_some()));
    }

    #[test]
    fn a_body_of_another_form_is_refused() {
        for body in [&b"[]"[..], b"{\"contacts\": 1}", b"{\"contacts\": [], \"x\": 1}", b"\xff", b""] {
            assert!(read_contacts(body).is_err());
        }
    }

    #[test]
    fn a_plus_that_was_not_escaped_is_understood() {
        let number: PhoneNumber = "+14155550100".parse().unwrap();
        for text in ["+14155550100", " 14155550100", "14155550100"] {
            assert_eq!(number_in_query(text).unwrap(), number);
        }
        assert!(number_in_query("abc").is_err());
    }
}
