//! Switches and telephones: a supervisor listens, a switch is serviced.

use app::telephones::{NewSupervision, SupervisionView, SwitchState};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use engine::AgentId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::auth::{Caller, Root};
use crate::endpoint::{Api, get, post};
use crate::extract::{Body, Id};
use crate::{Context, Problem};

pub(super) fn routes(mut api: Api) -> Api {
    let supervise = post(
        "/v1/agents/{id}/supervision",
        "supervise_agent",
        "Agents and skills",
        "Monitor, whisper into or barge in on the call that an agent is on",
    );
    let supervise =
        supervise.takes::<NewSupervision>(&mut api).gives::<SupervisionView>(&mut api).with_status(202);
    let switches = get("/v1/switches", "list_switches", "Live", "This node's switches (root key)");
    let switches = switches.gives::<Switches>(&mut api);
    let act = post(
        "/v1/switches/{name}/actions",
        "act_on_switch",
        "Live",
        "Give a switch no more calls, or use it again (root key)",
    );
    let act = act.with_status(200).takes::<SwitchAction>(&mut api).gives::<Switches>(&mut api);
    api.route(supervise, supervise_agent).route(switches, list_switches).route(act, act_on_switch)
}

#[derive(Serialize, JsonSchema)]
struct Switches {
    /// As the configuration names them; none with the simulated carrier.
    items: Vec<SwitchState>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SwitchAction {
    action: SwitchUse,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum SwitchUse {
    /// No more calls are placed on it; those that are up go on.
    Drain,
    /// Calls are placed on it again.
    Use,
}

async fn supervise_agent(
    State(context): State<Context>,
    Caller(who): Caller,
    Id(agent): Id,
    Body(wish): Body<NewSupervision>,
) -> Result<(StatusCode, Json<SupervisionView>), Problem> {
    let view = context.app.supervise(&who, AgentId(agent), wish).await?;
    Ok((StatusCode::ACCEPTED, Json(view)))
}

async fn list_switches(State(context): State<Context>, _: Root) -> Json<Switches> {
    Json(Switches { items: context.app.switches() })
}

async fn act_on_switch(
    State(context): State<Context>,
    _: Root,
    Path(name): Path<String>,
    Body(asked): Body<SwitchAction>,
) -> Result<Json<Switches>, Problem> {
    context.app.drain_switch(&name, asked.action == SwitchUse::Drain)?;
    Ok(Json(Switches { items: context.app.switches() }))
}
