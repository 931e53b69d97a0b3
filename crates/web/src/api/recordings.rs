//! Recordings of conversations.

use app::paging::Listing;
use app::recordings::{RecordingQuery, RecordingView};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use engine::{AgentId, AttemptId, CampaignId, ContactId};
use serde::Deserialize;

use super::attempts::instant;
use crate::auth::Caller;
use crate::endpoint::{Api, delete, get};
use crate::extract::{Ask, Id, Items, Page};
use crate::sound::Sound;
use crate::{Context, Problem};

const TAG: &str = "Recordings";
const EACH: &str = "/v1/recordings/{id}";

pub(super) fn routes(mut api: Api) -> Api {
    let all = get("/v1/recordings", "list_recordings", TAG, "Recordings of conversations, the newest first")
        .paged()
        .query_of::<AttemptId>(&mut api, "attempt", "Of this attempt")
        .query_of::<CampaignId>(&mut api, "campaign", "Of this campaign")
        .query_of::<ContactId>(&mut api, "contact", "Of talks with this contact")
        .query_of::<AgentId>(&mut api, "agent", "Of talks with this agent")
        .query_instant("since", "Begun at this instant (RFC 3339) or later")
        .query_instant("until", "Begun before this instant (RFC 3339)")
        .gives::<Listing<RecordingView>>(&mut api);
    let each = get(EACH, "get_recording", TAG, "Read what is known of a recording");
    let each = each.gives::<RecordingView>(&mut api);
    let gone = delete(EACH, "delete_recording", TAG, "Delete a recording; the audit log says who did");
    api.route(all, list).route(each, read).route(gone, remove)
}

/// What may take as long as the caller's network does.
pub(super) fn transfers(api: Api) -> Api {
    let path = "/v1/recordings/{id}/audio";
    let audio = get(path, "get_recording_audio", TAG, "Hear a recording; the audit log says who did");
    api.route(audio.gives_sound(), hear)
}

#[derive(Deserialize)]
struct Find {
    attempt: Option<AttemptId>,
    campaign: Option<CampaignId>,
    contact: Option<ContactId>,
    agent: Option<AgentId>,
    since: Option<String>,
    until: Option<String>,
}

async fn list(
    State(context): State<Context>,
    Caller(who): Caller,
    Page(page): Page,
    Ask(find): Ask<Find>,
) -> Result<Items<RecordingView>, Problem> {
    let since = find.since.as_deref().map(|text| instant("since", text)).transpose()?;
    let until = find.until.as_deref().map(|text| instant("until", text)).transpose()?;
    let Find { attempt, campaign, contact, agent, .. } = find;
    let query = RecordingQuery { attempt, campaign, contact, agent, since, until };
    Ok(Items(context.app.list_recordings(&who, query, &page).await?))
}

async fn read(
    State(context): State<Context>,
    Caller(who): Caller,
    Id(id): Id,
) -> Result<Json<RecordingView>, Problem> {
    Ok(Json(context.app.recording(&who, AttemptId(id)).await?))
}

async fn hear(
    State(context): State<Context>,
    Caller(who): Caller,
    Id(id): Id,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let audio = context.app.recording_audio(&who, AttemptId(id)).await?;
    let sound = Sound { bytes: audio.bytes, tag: audio.sha256.clone() };
    let bytes = async |part| Ok(Body::from_stream(context.app.hear_recording(&who, &audio, part).await?));
    let answer = sound.answer(&method, &headers, bytes).await?;
    // The name has nothing in it that would have to be quoted.
    let name = format!("inline; filename=\"{}.wav\"", audio.name);
    let head = [
        (header::CONTENT_DISPOSITION, name),
        // No copy may outlive the recording or be heard without a line in the audit log.
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((head, answer).into_response())
}

async fn remove(
    State(context): State<Context>,
    Caller(who): Caller,
    Id(id): Id,
) -> Result<StatusCode, Problem> {
    context.app.delete_recording(&who, AttemptId(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
