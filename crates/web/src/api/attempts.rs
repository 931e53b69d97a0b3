//! The history of attempts.

use app::attempts::{AttemptQuery, AttemptView};
use app::paging::Listing;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use engine::{AgentId, AttemptId, CallResult, CampaignId, ContactId, GroupId, Time};
use serde::Deserialize;

use crate::auth::Caller;
use crate::endpoint::{Api, get};
use crate::extract::{Ask, Id, Items, Page};
use crate::{Context, Problem};

const TAG: &str = "Attempts";

pub(super) fn routes(mut api: Api) -> Api {
    let list = get("/v1/attempts", "list_attempts", TAG, "Attempts, the newest first")
        .paged()
        .query_of::<CampaignId>(&mut api, "campaign", "Of this campaign")
        .query_of::<GroupId>(&mut api, "group", "Of this campaign group")
        .query_of::<ContactId>(&mut api, "contact", "On this contact")
        .query_of::<AgentId>(&mut api, "agent", "Of this agent")
        .query_instant("since", "Started at this instant (RFC 3339) or later")
        .query_instant("until", "Started before this instant (RFC 3339)")
        .query_of::<CallResult>(&mut api, "result", "That ended like this, such as no_answer")
        .gives::<Listing<AttemptView>>(&mut api);
    let read = get("/v1/attempts/{id}", "get_attempt", TAG, "Read an attempt").gives::<AttemptView>(&mut api);
    api.route(list, list_attempts).route(read, get_attempt)
}

#[derive(Deserialize)]
struct Find {
    campaign: Option<CampaignId>,
    group: Option<GroupId>,
    contact: Option<ContactId>,
    agent: Option<AgentId>,
    since: Option<String>,
    until: Option<String>,
    result: Option<CallResult>,
}

async fn list_attempts(
    State(context): State<Context>,
    Caller(who): Caller,
    Page(page): Page,
    Ask(find): Ask<Find>,
) -> Result<Items<AttemptView>, Problem> {
    let since = find.since.as_deref().map(|text| instant("since", text)).transpose()?;
    let until = find.until.as_deref().map(|text| instant("until", text)).transpose()?;
    let Find { campaign, group, contact, agent, result, .. } = find;
    let query = AttemptQuery { campaign, group, contact, agent, since, until, result };
    Ok(Items(context.app.attempts(&who, query, &page).await?))
}

/// An instant in a query, where an unescaped `+` of an offset reads as a space.
pub(super) fn instant(name: &str, text: &str) -> Result<Time, Problem> {
    Time::parse_rfc3339(&text.trim().replace(' ', "+")).map_err(|_| {
        let detail = "give an instant such as 2026-01-31T09:30:00Z";
        Problem::new(StatusCode::BAD_REQUEST, "bad_query", detail).in_field(name)
    })
}

async fn get_attempt(
    State(context): State<Context>,
    Caller(who): Caller,
    Id(id): Id,
) -> Result<Json<AttemptView>, Problem> {
    Ok(Json(context.app.attempt(&who, AttemptId(id)).await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_whose_plus_was_not_escaped_is_understood() {
        let utc = Time::parse_rfc3339("2026-01-31T08:30:00Z").unwrap();
        assert_eq!(instant("since", "2026-01-31T09:30:00 01:00").unwrap(), utc);
        assert_eq!(instant("since", "2026-01-31T08:30:00Z").unwrap(), utc);
        assert!(instant("since", "yesterday").is_err());
    }
}
