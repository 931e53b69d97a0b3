//! Reading requests, and the forms of answers.

use std::error::Error as _;

use app::paging::{Listing, PageRequest};
use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::objects::ObjectsAsObjects;
use crate::{Context, Problem};

/// A JSON body, in which no list is taken for an object; what is wrong with it becomes a problem with line, column and
/// reason.
pub(crate) struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Context> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, context: &Context) -> Result<Self, Problem> {
        match Json::<ObjectsAsObjects<T>>::from_request(request, context).await {
            Ok(Json(ObjectsAsObjects(body))) => Ok(Self(body)),
            Err(JsonRejection::MissingJsonContentType(_)) => Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "not_json",
                "send JSON, with the header Content-Type: application/json",
            )),
            Err(rejection) => {
                let code = match rejection.status() {
                    StatusCode::PAYLOAD_TOO_LARGE => "too_large",
                    StatusCode::UNPROCESSABLE_ENTITY => "bad_body",
                    _ => "bad_json",
                };
                let text = rejection.body_text();
                let (field, reason) = told(&text);
                let problem = Problem::new(rejection.status(), code, reason);
                Err(if field.is_empty() { problem } else { problem.in_field(field) })
            }
        }
    }
}

/// Where in a body something is wrong, as far as that was said, and what, without words about programs.
fn told(text: &str) -> (String, &str) {
    let Some((_, text)) = text.split_once("into the target type: ") else { return (String::new(), text) };
    let is_path = |path: &str| {
        !path.is_empty() && path.chars().all(|char| char.is_alphanumeric() || "_.[]-".contains(char))
    };
    match text.split_once(": ") {
        Some((path, reason)) if is_path(path) => (place(path, reason).unwrap_or_default(), text),
        _ => (missing_member(text).unwrap_or_default().to_owned(), text),
    }
}

/// Where in a body something is wrong: a member that is missing is told with the place of its object.
pub(crate) fn place(path: &str, reason: &str) -> Option<String> {
    match (path, missing_member(reason)) {
        (".", member) => member.map(str::to_owned),
        (path, Some(member)) => Some(format!("{path}.{member}")),
        (path, None) => Some(path.to_owned()),
    }
}

fn missing_member(reason: &str) -> Option<&str> {
    Some(reason.strip_prefix("missing field `")?.split_once('`')?.0)
}

/// `after` and `limit` of a listing.
#[derive(Deserialize)]
struct PageQuery {
    after: Option<String>,
    limit: Option<u32>,
}

/// Which page is wanted.
pub(crate) struct Page(pub PageRequest);

impl FromRequestParts<Context> for Page {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Context) -> Result<Self, Problem> {
        let query: PageQuery = read_query(&parts.uri)?;
        Ok(Self(PageRequest { after: query.after, limit: query.limit }))
    }
}

/// A query of one's own form.
pub(crate) struct Ask<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<Context> for Ask<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Context) -> Result<Self, Problem> {
        Ok(Self(read_query(&parts.uri)?))
    }
}

/// Reads a query; what is wrong with it is told with the parameter's name and what it may be.
fn read_query<T: DeserializeOwned>(uri: &Uri) -> Result<T, Problem> {
    Query::try_from_uri(uri).map(|Query(query)| query).map_err(|error| bad_query(&error))
}

fn bad_query(error: &QueryRejection) -> Problem {
    let text = error.source().map_or_else(|| error.body_text(), ToString::to_string);
    let (field, reason) = match text.split_once(": ") {
        Some((name, reason)) if is_name(name) => (Some(name.to_owned()), reason),
        _ => (missing_member(&text).map(str::to_owned), text.as_str()),
    };
    // What is no parameter's name may be something that errors do not repeat, such as a telephone number.
    let Some(field) = field else {
        let detail = "the query cannot be read: it is NAME=VALUE&NAME=VALUE…, each name once";
        return Problem::new(StatusCode::BAD_REQUEST, "bad_query", detail);
    };
    let detail = format!("the parameter '{field}' cannot be read: {}", without_value(reason));
    Problem::new(StatusCode::BAD_REQUEST, "bad_query", detail).in_field(field)
}

/// A reason without what was given: that may be personal.
fn without_value(reason: &str) -> String {
    match reason.split_once(", expected ") {
        Some((_, expected)) => format!("it may be {expected}"),
        None if reason.starts_with("invalid digit") => "it may be a whole number".to_owned(),
        None => reason.to_owned(),
    }
}

/// Longest name of a parameter that a refusal repeats, in characters.
const PARAMETER_LENGTH_MAX: usize = 64;

/// Refuses a query with a parameter that is not among those that are known: a misspelt filter would otherwise never take
/// effect and never say so.
pub(crate) fn refuse_unknown_parameters(uri: &Uri, known: &[String]) -> Result<(), Problem> {
    let given: Vec<(String, String)> = read_query(uri)?;
    let Some((name, _)) = given.into_iter().find(|(name, _)| !known.contains(name)) else { return Ok(()) };
    let takes = match known {
        [] => "it takes none".to_owned(),
        known => format!("it knows {}", known.join(", ")),
    };
    let refusal =
        |what: String| Problem::new(StatusCode::BAD_REQUEST, "unknown_parameter", format!("{what}: {takes}"));
    // What is no name may be something that errors do not repeat, such as a telephone number.
    Err(if is_name(&name) {
        refusal(format!("the query has no parameter '{name}'")).in_field(name)
    } else {
        refusal("the query has a parameter that is not known".to_owned())
    })
}

fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.len() <= PARAMETER_LENGTH_MAX
        && text.chars().all(|char| char.is_ascii_alphanumeric() || "_-.[]".contains(char))
}

/// The id at the end of the path, or the one before the last fixed part.
pub(crate) struct Id(pub Uuid);

impl FromRequestParts<Context> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, context: &Context) -> Result<Self, Problem> {
        let path = axum::extract::RawPathParams::from_request_parts(parts, context)
            .await
            .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "bad_path", error.body_text()))?;
        let id = path.iter().find(|(name, _)| *name == "id").map(|(_, id)| Uuid::parse_str(id));
        match id {
            Some(Ok(id)) => Ok(Self(id)),
            _ => Err(Problem::new(StatusCode::NOT_FOUND, "not_found", "the id in the path is not a UUID")),
        }
    }
}

/// The version that a change is based on.
pub(crate) struct IfMatch(pub i64);

impl FromRequestParts<Context> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Context) -> Result<Self, Problem> {
        let Some(tag) = parts.headers.get(header::IF_MATCH) else {
            return Err(Problem::new(
                StatusCode::PRECONDITION_REQUIRED,
                "if_match_required",
                "send the ETag of the version that you have seen as If-Match, so that no other change is lost",
            ));
        };
        let version = tag.to_str().ok().and_then(|tag| tag.trim().trim_matches('"').parse().ok());
        version.map(Self).ok_or_else(|| {
            Problem::new(
                StatusCode::PRECONDITION_FAILED,
                "stale_version",
                "If-Match is not an ETag of this API",
            )
        })
    }
}

/// A JSON answer with its version as ETag; created things also say where they are.
pub(crate) fn versioned<T: Serialize>(
    status: StatusCode,
    version: i64,
    location: Option<String>,
    body: &T,
) -> Response {
    let mut headers = HeaderMap::new();
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{version}\"")) {
        headers.insert(header::ETAG, tag);
    }
    if let Some(location) = location.and_then(|location| HeaderValue::from_str(&location).ok()) {
        headers.insert(header::LOCATION, location);
    }
    (status, headers, Json(body)).into_response()
}

/// A page of a listing. [`link_next`] completes it with a header that leads to the next one.
pub(crate) struct Items<T>(pub Listing<T>);

/// Where the next page starts.
#[derive(Clone)]
struct NextPage(String);

impl<T: Serialize> IntoResponse for Items<T> {
    fn into_response(self) -> Response {
        let next = self.0.next.clone();
        let mut response = Json(self.0).into_response();
        if let Some(next) = next {
            response.extensions_mut().insert(NextPage(next));
        }
        response
    }
}

/// Adds `Link: <…>; rel="next"` (RFC 8288) to pages that have a next one.
pub(crate) async fn link_next(uri: Uri, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if let Some(NextPage(after)) = response.extensions().get::<NextPage>().cloned()
        && let Ok(link) = HeaderValue::from_str(&format!("<{}>; rel=\"next\"", next_page(&uri, &after)))
    {
        response.headers_mut().insert(header::LINK, link);
    }
    response
}

/// The same listing, from another place on.
fn next_page(uri: &Uri, after: &str) -> String {
    let kept = uri.query().unwrap_or_default().split('&');
    let mut pairs: Vec<String> =
        kept.filter(|pair| !pair.is_empty() && !pair.starts_with("after=")).map(str::to_owned).collect();
    let encode = |byte: u8| match byte {
        b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    pairs.push(format!("after={}", after.bytes().map(encode).collect::<String>()));
    format!("{}?{}", uri.path(), pairs.join("&"))
}

/// A body that takes the place of what is stored. What a `GET` gave can be sent back with its changes: the id, the
/// version and the instants in it are passed over, as they are not the caller's to set.
pub(crate) struct Replacement<T>(pub T);

/// What a stored definition has beside its body.
const NOT_OF_THE_BODY: [&str; 4] = ["id", "version", "created_at", "updated_at"];

impl<T: DeserializeOwned> FromRequest<Context> for Replacement<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, context: &Context) -> Result<Self, Problem> {
        let Body(mut body) =
            Body::<serde_json::Map<String, serde_json::Value>>::from_request(request, context).await?;
        body.retain(|name, _| !NOT_OF_THE_BODY.contains(&name.as_str()));
        // As axum does for [`Body`]: the message begins with where it is.
        let read = serde_path_to_error::deserialize(serde_json::Value::from(body));
        read.map(|ObjectsAsObjects(body)| Self(body)).map_err(|error| {
            let text = error.inner().to_string();
            let field = place(&error.path().to_string(), &text);
            let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_body", error.to_string());
            match field {
                Some(field) => problem.in_field(field),
                None => problem,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_body_is_told_with_its_place_and_without_words_about_programs() {
        let told_of = |what: &str| {
            let text = format!("Failed to deserialize the JSON body into the target type: {what}");
            let (field, reason) = told(&text);
            (field, reason.to_owned())
        };
        let wrong = "phones[0].number: invalid type: integer `5`, expected a string at line 1 column 30";
        assert_eq!(told_of(wrong), ("phones[0].number".to_owned(), wrong.to_owned()));
        let missing = "missing field `name` at line 1 column 2";
        assert_eq!(told_of(missing), ("name".to_owned(), missing.to_owned()));
        let within = "phones[0]: missing field `number` at line 1 column 14";
        assert_eq!(told_of(within), ("phones[0].number".to_owned(), within.to_owned()));
        let unread = "expected value at line 1 column 1";
        assert_eq!(told(unread), (String::new(), unread));
    }

    #[test]
    fn a_parameter_that_is_not_known_is_named_with_those_that_are() {
        let asked = |query: &str, known: &[&str]| {
            let known: Vec<String> = known.iter().map(|name| (*name).to_owned()).collect();
            refuse_unknown_parameters(&format!("/v1/contacts?{query}").parse().unwrap(), &known)
        };
        assert_eq!(asked("campaign=1&limit=2", &["limit", "campaign"]), Ok(()));
        assert_eq!(asked("", &[]), Ok(()));
        let refused = asked("limit=2&campain=1", &["limit", "campaign"]).unwrap_err();
        assert_eq!((refused.code(), refused.field()), ("unknown_parameter", Some("campain")));
        assert_eq!(refused.detail(), "the query has no parameter 'campain': it knows limit, campaign");
        assert!(asked("x=1", &[]).unwrap_err().detail().ends_with("it takes none"));
        let number = asked("%2B447700900123", &["number"]).unwrap_err();
        assert!(number.field().is_none() && !number.detail().contains("4477"), "{number:?}");
    }

    #[test]
    fn what_is_wrong_with_a_query_is_told_with_the_parameter_and_what_it_may_be() {
        #[derive(Debug, Deserialize)]
        #[expect(dead_code, reason = "it is read only")]
        struct Asked {
            limit: Option<u32>,
            id: Option<Uuid>,
            state: Option<app::contacts::ContactState>,
            is_new: Option<bool>,
        }
        let asked =
            |query: &str| read_query::<Asked>(&format!("/v1/x?{query}").parse().unwrap()).unwrap_err();
        for (query, field, may_be) in [
            ("limit=many", "limit", "whole number"),
            ("id=7", "id", "UUID"),
            ("state=odd", "state", "`waiting`"),
            ("is_new=perhaps", "is_new", "true"),
        ] {
            let problem = asked(query);
            assert_eq!((problem.code(), problem.field()), ("bad_query", Some(field)));
            let (_, value) = query.split_once('=').unwrap();
            assert!(problem.detail().contains(may_be), "{problem:?}");
            assert!(!problem.detail().contains(value), "{problem:?}");
        }
        assert!(asked("limit=1&limit=2").detail().contains("once"));
    }

    #[test]
    fn the_next_page_keeps_the_question_and_changes_the_place() {
        let uri: Uri = "/v1/skills?limit=3&after=old&parent=7".parse().unwrap();
        assert_eq!(next_page(&uri, "k a/b"), "/v1/skills?limit=3&parent=7&after=k%20a%2Fb");
        assert_eq!(next_page(&"/v1/skills".parse().unwrap(), "x"), "/v1/skills?after=x");
    }
}
