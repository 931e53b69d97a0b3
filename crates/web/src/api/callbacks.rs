//! Callbacks.

use app::callbacks::{CallbackChanges, CallbackMade, CallbackQuery, CallbackView, Due, NewCallback};
use app::paging::Listing;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use engine::time::rfc3339_option;
use engine::{AgentId, CallbackId, CallbackState, ContactId, GroupId, SkillId, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use super::contacts::number_in_query;
use crate::auth::Caller;
use crate::endpoint::{Api, get, post, put};
use crate::extract::{Ask, Body, Id, Items, Page};
use crate::{Context, Problem};

const TAG: &str = "Callbacks";

pub(super) fn routes(mut api: Api) -> Api {
    let make = post("/v1/callbacks", "make_callback", TAG, "Promise to call a person at a time");
    let make = make.takes::<Asked>(&mut api).gives::<CallbackMade>(&mut api);
    let list = get("/v1/callbacks", "list_callbacks", TAG, "Callbacks, the first due first")
        .paged()
        .query_of::<SkillId>(&mut api, "skill", "For this skill")
        .query_of::<GroupId>(&mut api, "group", "Of this campaign group")
        .query_of::<AgentId>(&mut api, "agent", "Promised with this agent; an agent may ask for their own")
        .query_of::<ContactId>(&mut api, "contact", "Of this contact")
        .query("number", "To this number (E.164)")
        .query_of::<CallbackState>(
            &mut api,
            "state",
            "scheduled, offered, dialled, done, rescheduled, cancelled, missed or expired",
        )
        .query_instant("since", "Due at this instant or later (RFC 3339)")
        .query_instant("until", "Due before this instant (RFC 3339)")
        .gives::<Listing<CallbackView>>(&mut api);
    let read =
        get("/v1/callbacks/{id}", "get_callback", TAG, "Read a callback").gives::<CallbackView>(&mut api);
    let change = put("/v1/callbacks/{id}", "change_callback", TAG, "Change a callback that waits");
    let change = change.takes::<Changed>(&mut api).gives::<CallbackView>(&mut api);
    let cancel = post("/v1/callbacks/{id}/cancel", "cancel_callback", TAG, "Take a callback back");
    let cancel = cancel.with_status(200).takes::<Cancelled>(&mut api).gives::<CallbackView>(&mut api);
    api.route(make, make_callback)
        .route(list, list_callbacks)
        .route(read, get_callback)
        .route(change, change_callback)
        .route(cancel, cancel_callback)
}

/// A callback that is asked for.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CallbackRequest")]
struct Asked {
    /// The number, in international form or as it is written in the country of the campaign's sources.
    number: String,
    /// The skill that it is for.
    #[serde(default)]
    skill: Option<SkillId>,
    /// The campaign group, where several serve the skill, or instead of the skill.
    #[serde(default)]
    group: Option<GroupId>,
    /// The agent whom it is promised with; any agent of the group without it.
    #[serde(default)]
    agent: Option<AgentId>,
    /// When to call: ISO 8601 with an offset, or a date and time in the tenant's zone. At once without it.
    #[serde(default)]
    due: Option<String>,
    /// Instead of `due`: the date (`YYYY-MM-DD`), with `time` and perhaps `zone`.
    #[serde(default)]
    date: Option<String>,
    /// With `date`: the time of day, `HH:MM`.
    #[serde(default)]
    time: Option<String>,
    /// With `date`: the zone, an IANA name; the tenant's without it.
    #[serde(default)]
    zone: Option<String>,
    /// From when on it is of no use (RFC 3339); the group's own validity without it.
    #[serde(default, with = "rfc3339_option")]
    #[schemars(with = "Option<String>")]
    valid_until: Option<Time>,
    /// The person's given name.
    #[serde(default)]
    first_name: Option<String>,
    /// The person's family name.
    #[serde(default)]
    last_name: Option<String>,
    /// Notes for whoever calls, at most 4000 characters.
    #[serde(default)]
    notes: Option<String>,
    /// Further fields of the contact, by the campaign's names.
    #[serde(default)]
    fields: std::collections::BTreeMap<String, String>,
}

/// When to call, from the two ways to say it.
fn due(
    due: Option<String>,
    date: Option<String>,
    time: Option<String>,
    zone: Option<String>,
) -> Result<Option<Due>, Problem> {
    Ok(match (due, date, time, zone) {
        (Some(text), None, None, None) => Some(Due::Text(text)),
        (None, Some(date), Some(time), zone) => Some(Due::Commitment { date, time, zone }),
        (None, None, None, None) => None,
        _ => {
            let detail = "give either due, or date and time and perhaps zone";
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_date", detail).in_field("due"));
        }
    })
}

async fn make_callback(
    State(context): State<Context>,
    Caller(who): Caller,
    Body(asked): Body<Asked>,
) -> Result<impl IntoResponse, Problem> {
    let new = NewCallback {
        first_name: asked.first_name,
        last_name: asked.last_name,
        number: asked.number,
        skill: asked.skill,
        group: asked.group,
        agent: asked.agent,
        due: due(asked.due, asked.date, asked.time, asked.zone)?.unwrap_or_default(),
        valid_until: asked.valid_until,
        notes: asked.notes,
        fields: asked.fields.into_iter().collect(),
    };
    let made = context.app.make_callback(&who, new).await?;
    let location = [(header::LOCATION, format!("/v1/callbacks/{}", made.callback.id))];
    Ok((StatusCode::CREATED, location, Json(made)))
}

#[derive(Deserialize)]
struct Which {
    skill: Option<SkillId>,
    group: Option<GroupId>,
    agent: Option<AgentId>,
    contact: Option<ContactId>,
    number: Option<String>,
    state: Option<CallbackState>,
    #[serde(default, with = "rfc3339_option")]
    since: Option<Time>,
    #[serde(default, with = "rfc3339_option")]
    until: Option<Time>,
}

async fn list_callbacks(
    State(context): State<Context>,
    Caller(who): Caller,
    Page(page): Page,
    Ask(which): Ask<Which>,
) -> Result<Items<CallbackView>, Problem> {
    let query = CallbackQuery {
        skill: which.skill,
        group: which.group,
        agent: which.agent,
        contact: which.contact,
        number: which.number.as_deref().map(number_in_query).transpose()?,
        state: which.state,
        since: which.since,
        until: which.until,
    };
    Ok(Items(context.app.callbacks(&who, query, &page).await?))
}

async fn get_callback(
    State(context): State<Context>,
    Caller(who): Caller,
    Id(id): Id,
) -> Result<Json<CallbackView>, Problem> {
    Ok(Json(context.app.callback(&who, CallbackId(id)).await?))
}

/// What is changed; what is left out stays.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CallbackChange")]
struct Changed {
    /// When to call, as when it was made.
    #[serde(default)]
    due: Option<String>,
    /// From when on it is of no use (RFC 3339). A new `due` without it keeps the length of the validity.
    #[serde(default, with = "rfc3339_option")]
    #[schemars(with = "Option<String>")]
    valid_until: Option<Time>,
    /// The agent whom it is promised with; null leaves it to any agent of the group.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<AgentId>")]
    agent: Option<Option<AgentId>>,
    /// Notes for whoever calls.
    #[serde(default)]
    notes: Option<String>,
}

/// Tells null from what was left out.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

async fn change_callback(
    State(context): State<Context>,
    Caller(who): Caller,
    Id(id): Id,
    Body(changed): Body<Changed>,
) -> Result<Json<CallbackView>, Problem> {
    let changes = CallbackChanges {
        due: changed.due.map(Due::Text),
        valid_until: changed.valid_until,
        agent: changed.agent,
        notes: changed.notes,
    };
    Ok(Json(context.app.change_callback(&who, CallbackId(id), changes).await?))
}

/// Why a callback is taken back.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CallbackCancellation")]
struct Cancelled {
    /// For people.
    #[serde(default)]
    reason: Option<String>,
}

async fn cancel_callback(
    State(context): State<Context>,
    Caller(who): Caller,
    Id(id): Id,
    Body(cancelled): Body<Cancelled>,
) -> Result<Json<CallbackView>, Problem> {
    Ok(Json(context.app.cancel_callback(&who, CallbackId(id), cancelled.reason).await?))
}
