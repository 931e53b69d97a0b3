//! Running campaign groups.

use app::GroupStatus;
use axum::Json;
use axum::extract::State;
use engine::{DialMode, GroupAction, GroupId, GroupState};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::auth::Caller;
use crate::endpoint::{Api, get, post};
use crate::extract::{Body, Id};
use crate::{Context, Problem};

const TAG: &str = "Campaign groups";

pub(super) fn routes(mut api: Api) -> Api {
    let act =
        post("/v1/campaign-groups/{id}/actions", "act_on_campaign_group", TAG, "Load, start, stop, unload");
    let act = act.with_status(200).takes::<ActionRequest>(&mut api).gives::<ActionDone>(&mut api);
    let status =
        get("/v1/campaign-groups/{id}/status", "get_campaign_group_status", TAG, "What a group does now");
    let status = status.gives::<GroupStatus>(&mut api);
    api.route(act, act_on_group).route(status, group_status)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ActionRequest {
    /// What to do.
    action: GroupAction,
    /// The dial mode, for `set_dial_mode` and, if it is to be another one, for `start`.
    #[serde(default)]
    dial_mode: Option<DialMode>,
}

#[derive(Serialize, JsonSchema)]
struct ActionDone {
    /// The group's state now.
    state: GroupState,
}

async fn act_on_group(
    State(context): State<Context>,
    Caller(who): Caller,
    Id(id): Id,
    Body(request): Body<ActionRequest>,
) -> Result<Json<ActionDone>, Problem> {
    let state = context.app.act_on_group(&who, GroupId(id), request.action, request.dial_mode).await?;
    Ok(Json(ActionDone { state }))
}

async fn group_status(
    State(context): State<Context>,
    Caller(who): Caller,
    Id(id): Id,
) -> Result<Json<GroupStatus>, Problem> {
    Ok(Json(context.app.group_status(&who, GroupId(id)).await?))
}
