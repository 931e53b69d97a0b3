//! NICE CXone's words: Create Prospects v2 and its source maps, scheduled callbacks, calling lists.
//!
//! Skills, agents, lists, jobs and callbacks have small whole numbers here, as the vendor's ids are; Outdial's own ids
//! are always taken as well. What the vendor's actions call a result branch is the member `branch` of a problem.

mod callbacks;
mod lists;
pub(crate) mod prospects;
mod source_maps;

use app::model::{AgentBody, SkillBody, Stored};
use app::paging::PageRequest;
use app::short_numbers::Numbered;
use app::{AppError, Principal};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::auth::Caller;
use crate::endpoint::{Api, get};
use crate::{Context, Problem};

const TAG: &str = "CXone";

/// Where the vendor's REST API begins; the version is any of those that it has published.
const BASE: &str = "/incontactapi/services/{version}";

pub(super) fn routes(mut api: Api) -> Api {
    let skills = get(format!("{BASE}/skills"), "cxone_skills", TAG, "Skills with their numbers");
    let skills = skills.gives::<Skills>(&mut api);
    let agents = get(format!("{BASE}/agents"), "cxone_agents", TAG, "Agents with their numbers");
    let agents = agents.gives::<Agents>(&mut api);
    let api = api.route(skills, list_skills).route(agents, list_agents);
    let api = prospects::routes(api);
    let api = source_maps::routes(api);
    let api = callbacks::routes(api);
    lists::routes(api)
}

/// A number or text that names something: the vendor's ids are numbers, Outdial's are texts.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "CxoneName")]
enum Name {
    /// A small whole number.
    Number(i64),
    /// Such a number as a text, an id of Outdial's own, or nothing.
    Text(String),
}

impl Name {
    fn text(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.trim().to_owned(),
        }
    }
}

/// The object that a name stands for; the nil id, which nothing has, if there is none.
async fn named(context: &Context, who: &Principal, of: Numbered, name: &str) -> Result<Uuid, AppError> {
    Ok(context.app.named_by(who, of, name).await?.unwrap_or_default())
}

/// Those of a path's parameters that are asked for.
async fn object_in_path(
    context: &Context,
    who: &Principal,
    of: Numbered,
    name: &str,
) -> Result<Uuid, Problem> {
    let what = match of {
        Numbered::Skill => "skill",
        Numbered::Agent => "agent",
        Numbered::Source => "list",
        Numbered::Import => "job",
        Numbered::Callback => "callback",
    };
    match context.app.named_by(who, of, name).await? {
        Some(id) => Ok(id),
        None => Err(Problem::new(StatusCode::NOT_FOUND, "not_found", format!("there is no {what} {name}"))),
    }
}

/// All definitions of a kind.
async fn all<T: app::model::Definition>(
    context: &Context,
    who: &Principal,
) -> Result<Vec<Stored<T>>, AppError> {
    let mut page = PageRequest { after: None, limit: Some(1000) };
    let mut found = Vec::new();
    loop {
        let listing = context.app.list::<T>(who, None, &page).await?;
        found.extend(listing.items);
        match listing.next {
            Some(next) => page.after = Some(next),
            None => return Ok(found),
        }
    }
}

/// Skills as the vendor lists them.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CxoneSkills")]
struct Skills {
    skills: Vec<Skill>,
}

/// A skill.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "CxoneSkill")]
struct Skill {
    /// Its number.
    skill_id: i64,
    /// Its name.
    skill_name: String,
    /// Its id in Outdial.
    id: Uuid,
}

async fn list_skills(State(context): State<Context>, Caller(who): Caller) -> Result<Json<Skills>, Problem> {
    let skills = all::<SkillBody>(&context, &who).await?;
    let ids = skills.iter().map(|skill| skill.id).collect();
    let numbers = context.app.numbers_of(&who, Numbered::Skill, ids).await?;
    let view = |(skill, skill_id): (Stored<SkillBody>, i64)| Skill {
        skill_id,
        skill_name: skill.body.name,
        id: skill.id,
    };
    Ok(Json(Skills { skills: skills.into_iter().zip(numbers).map(view).collect() }))
}

/// Agents as the vendor lists them.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CxoneAgents")]
struct Agents {
    agents: Vec<Agent>,
}

/// An agent.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "CxoneAgent")]
struct Agent {
    /// Their number.
    agent_id: i64,
    /// Their name.
    name: String,
    /// Their id in Outdial.
    id: Uuid,
}

async fn list_agents(State(context): State<Context>, Caller(who): Caller) -> Result<Json<Agents>, Problem> {
    let agents = all::<AgentBody>(&context, &who).await?;
    let ids = agents.iter().map(|agent| agent.id).collect();
    let numbers = context.app.numbers_of(&who, Numbered::Agent, ids).await?;
    let view =
        |(agent, agent_id): (Stored<AgentBody>, i64)| Agent { agent_id, name: agent.body.name, id: agent.id };
    Ok(Json(Agents { agents: agents.into_iter().zip(numbers).map(view).collect() }))
}
