//! Schedule Callback in the vendor's REST form, and the two actions beside it: Queue Callback and Commitment.

use app::callbacks::{CallbackChanges, CallbackQuery, CallbackView, Due, NewCallback};
use app::model::{AgentBody, CampaignGroupBody};
use app::paging::PageRequest;
use app::short_numbers::Numbered;
use app::{AppError, Principal};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use engine::{AgentId, CallbackId, CallbackState, PhoneNumber, SkillId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::{BASE, Name, TAG, named, object_in_path};
use crate::auth::Caller;
use crate::endpoint::{Api, delete, get, post, put};
use crate::extract::{Ask, Body};
use crate::{Context, Problem};

/// Callbacks listed at most: the vendor's lists have no pages.
const LISTED_MAX: usize = 10_000;

pub(super) fn routes(mut api: Api) -> Api {
    let all = format!("{BASE}/scheduled-callbacks");
    let each = format!("{all}/{{callbackId}}");
    let make = post(&all, "cxone_schedule_callback", TAG, "Schedule Callback");
    let make = make.with_status(200).takes::<Asked>(&mut api).gives::<Made>(&mut api);
    let change = put(&each, "cxone_change_callback", TAG, "Change a scheduled callback");
    let change = change.takes::<Asked>(&mut api).gives::<Made>(&mut api);
    let cancel = delete(&each, "cxone_cancel_callback", TAG, "Take a scheduled callback back")
        .query("description", "Why");
    let of_agent = get(
        format!("{BASE}/agents/{{agentId}}/scheduled-callbacks"),
        "cxone_callbacks_of_agent",
        TAG,
        "Callbacks promised with an agent",
    );
    let of_agent = of_agent.gives::<Listed>(&mut api);
    let of_skill = get(
        format!("{BASE}/skills/{{skillId}}/scheduled-callbacks"),
        "cxone_callbacks_of_skill",
        TAG,
        "Callbacks for a skill",
    );
    let of_skill = of_skill.gives::<Listed>(&mut api);
    let commitment =
        post(format!("{BASE}/promise"), "cxone_commitment", TAG, "Commitment: date, time and zone apart");
    let commitment = commitment.with_status(200).takes::<Commitment>(&mut api).gives::<Made>(&mut api);
    let queue =
        post(format!("{BASE}/queuecallback"), "cxone_queue_callback", TAG, "Queue Callback: call at once");
    let queue = queue.with_status(200).takes::<Queued>(&mut api).gives::<Made>(&mut api);
    api.route(make, schedule)
        .route(change, change_callback)
        .route(cancel, cancel_callback)
        .route(of_agent, callbacks_of_agent)
        .route(of_skill, callbacks_of_skill)
        .route(commitment, make_commitment)
        .route(queue, queue_callback)
}

/// A callback as the vendor writes it.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "CxoneCallbackRequest")]
struct Asked {
    /// The given name of the person to call.
    #[serde(default)]
    first_name: Option<String>,
    /// The family name.
    #[serde(default)]
    last_name: Option<String>,
    /// The number; an international one with + and the country code.
    #[serde(default)]
    phone_number: Option<String>,
    /// An outbound skill.
    #[serde(default)]
    skill_id: Option<Name>,
    /// The agent, who takes precedence over the skill; the empty text leaves it to any agent with the skill.
    #[serde(default)]
    target_agent_id: Option<Name>,
    /// When to call: ISO 8601, with an offset or in the tenant's zone.
    #[serde(default)]
    schedule_date: Option<String>,
    /// What the agent is shown.
    #[serde(default)]
    notes: Option<String>,
}

/// A callback whose date, time and zone are apart.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "CxoneCommitment")]
struct Commitment {
    /// The given name of the person to call.
    #[serde(default)]
    first_name: Option<String>,
    /// The family name.
    #[serde(default)]
    last_name: Option<String>,
    /// The number.
    #[serde(default)]
    phone_number: Option<String>,
    /// An outbound skill.
    #[serde(default)]
    skill: Option<Name>,
    /// The agent; none or the empty text leaves it to any agent with the skill.
    #[serde(default)]
    target_agent: Option<Name>,
    /// The date, `YYYY-MM-DD`.
    promise_date: String,
    /// The time, `HH:MM`.
    promise_time: String,
    /// The zone (IANA name); the tenant's without it.
    #[serde(default)]
    time_zone: Option<String>,
    /// What the agent is shown.
    #[serde(default)]
    notes: Option<String>,
}

/// A callback that is wanted at once.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "CxoneQueuedCallback")]
struct Queued {
    /// The number.
    #[serde(default)]
    phone_number: Option<String>,
    /// An outbound skill.
    #[serde(default)]
    skill: Option<Name>,
    /// The agent; none or the empty text leaves it to any agent with the skill.
    #[serde(default)]
    target_agent: Option<Name>,
    /// Seconds to wait before the call.
    #[serde(default)]
    call_delay: u32,
}

/// What the vendor answers.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "CxoneCallbackMade")]
struct Made {
    /// The callback's number.
    callback_id: i64,
}

/// Callbacks.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CxoneCallbacks")]
struct Listed {
    callbacks: Vec<Callback>,
}

/// A callback as the vendor lists it: other names than those it is written with.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "CxoneCallback")]
struct Callback {
    /// Its number.
    callback_id: i64,
    /// The name of the agent, or of the skill.
    target: String,
    /// The agent's number, if it is promised with one.
    agent_id: Option<i64>,
    /// The skill's number.
    skill_id: i64,
    /// The number to call.
    dial_number: Option<PhoneNumber>,
    /// The number that it came from; not known here.
    orig_number: Option<PhoneNumber>,
    /// The given name.
    first_name: Option<String>,
    /// The family name.
    last_name: Option<String>,
    /// What the agent is shown.
    notes: Option<String>,
    /// When to call.
    callback_time: String,
    /// Where it is in its life; the vendor does not tell.
    state: CallbackState,
    /// Its id in Outdial.
    id: CallbackId,
}

/// The vendor's branch for a part of a request.
fn branch_of(field: &str) -> &'static str {
    match field {
        "skill" | "group" => "InvalidSkillId",
        "agent" => "InvalidTargetAgentId",
        "due" | "date" | "zone" | "valid_until" => "InvalidScheduleDate",
        "number" => "InvalidPhoneNumber",
        phone if phone.starts_with("phone") => "InvalidPhoneNumber",
        _ => "Default",
    }
}

/// The vendor's name for a part of a request.
fn field_of(field: &str) -> &str {
    match field {
        "skill" | "group" => "skillId",
        "agent" => "targetAgentId",
        "due" | "date" | "zone" | "valid_until" => "scheduleDate",
        "number" => "phoneNumber",
        phone if phone.starts_with("phone") => "phoneNumber",
        other => other,
    }
}

/// A refusal in the vendor's words: everything that is wrong, each with its branch.
fn in_branches(problem: impl Into<Problem>) -> Problem {
    let problem: Problem = problem.into();
    if matches!(problem.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        return problem.with("branch", "InvalidSecurityUser");
    }
    let errors: Vec<_> = problem
        .faults()
        .iter()
        .map(|fault| {
            json!({"branch": branch_of(fault.field), "code": fault.code, "field": field_of(fault.field),
                   "message": fault.message})
        })
        .collect();
    let Some(first) = problem.faults().first().map(|fault| fault.field) else {
        let branch = problem.field().map_or("Default", branch_of);
        return problem.with("branch", branch);
    };
    let field = field_of(first).to_owned();
    problem.in_field(field).with("branch", branch_of(first)).with("errors", errors)
}

/// The skill and the agent that a request names. One that there is not is told with whatever else is wrong.
async fn whom(
    context: &Context,
    who: &Principal,
    skill: Option<&Name>,
    agent: &Name,
) -> Result<(SkillId, Option<AgentId>), AppError> {
    let skill = skill.map(Name::text).unwrap_or_default();
    let skill = named(context, who, Numbered::Skill, &skill).await?;
    let agent = match agent.text() {
        text if text.is_empty() => None,
        text => Some(AgentId(named(context, who, Numbered::Agent, &text).await?)),
    };
    Ok((SkillId(skill), agent))
}

/// Makes a callback for whom the request names: `new` has the rest.
async fn make(
    context: &Context,
    caller: Result<Caller, Problem>,
    skill: Option<&Name>,
    agent: &Name,
    new: NewCallback,
) -> Result<Json<Made>, Problem> {
    let Caller(who) = caller.map_err(in_branches)?;
    let (skill, agent) = whom(context, &who, skill, agent).await.map_err(in_branches)?;
    let new = NewCallback { skill: Some(skill), agent, ..new };
    let made = context.app.make_callback(&who, new).await.map_err(in_branches)?;
    Ok(Json(Made { callback_id: number_of(context, &who, made.callback.id).await? }))
}

async fn number_of(context: &Context, who: &Principal, id: CallbackId) -> Result<i64, AppError> {
    let numbers = context.app.numbers_of(who, Numbered::Callback, vec![id.0]).await?;
    numbers.first().copied().ok_or_else(|| AppError::Internal("a callback has no number".to_owned()))
}

async fn schedule(
    State(context): State<Context>,
    caller: Result<Caller, Problem>,
    Body(asked): Body<Asked>,
) -> Result<Json<Made>, Problem> {
    // Both must be there. Whoever leaves the agent out is told so with whatever else is wrong: nothing has the nil id.
    let agent = asked.target_agent_id.unwrap_or_else(|| Name::Text(Uuid::nil().to_string()));
    let new = NewCallback {
        first_name: asked.first_name,
        last_name: asked.last_name,
        number: asked.phone_number.unwrap_or_default(),
        due: Due::Text(asked.schedule_date.unwrap_or_default()),
        notes: asked.notes,
        ..NewCallback::default()
    };
    make(&context, caller, asked.skill_id.as_ref(), &agent, new).await
}

async fn make_commitment(
    State(context): State<Context>,
    caller: Result<Caller, Problem>,
    Body(asked): Body<Commitment>,
) -> Result<Json<Made>, Problem> {
    let new = NewCallback {
        first_name: asked.first_name,
        last_name: asked.last_name,
        number: asked.phone_number.unwrap_or_default(),
        due: Due::Commitment { date: asked.promise_date, time: asked.promise_time, zone: asked.time_zone },
        notes: asked.notes,
        ..NewCallback::default()
    };
    make(&context, caller, asked.skill.as_ref(), &asked.target_agent.unwrap_or_else(anybody), new).await
}

async fn queue_callback(
    State(context): State<Context>,
    caller: Result<Caller, Problem>,
    Body(asked): Body<Queued>,
) -> Result<Json<Made>, Problem> {
    let delay = std::time::Duration::from_secs(u64::from(asked.call_delay));
    let due = if delay.is_zero() { Due::Now } else { Due::At(context.app.now() + delay) };
    let new = NewCallback { number: asked.phone_number.unwrap_or_default(), due, ..NewCallback::default() };
    make(&context, caller, asked.skill.as_ref(), &asked.target_agent.unwrap_or_else(anybody), new).await
}

/// The agent of a request that leaves the agent open.
fn anybody() -> Name {
    Name::Text(String::new())
}

#[derive(Deserialize)]
struct InPath {
    #[serde(rename = "callbackId")]
    callback: String,
}

async fn change_callback(
    State(context): State<Context>,
    caller: Result<Caller, Problem>,
    Path(InPath { callback }): Path<InPath>,
    Body(asked): Body<Asked>,
) -> Result<Json<Made>, Problem> {
    let Caller(who) = caller.map_err(in_branches)?;
    let id = CallbackId(object_in_path(&context, &who, Numbered::Callback, &callback).await?);
    let known = context.app.callback(&who, id).await?;
    refuse_another_call(&context, &who, &known, &asked).await?;
    let agent = match asked.target_agent_id.as_ref().map(Name::text) {
        None => None,
        Some(text) if text.is_empty() => Some(None),
        Some(text) => Some(Some(AgentId(named(&context, &who, Numbered::Agent, &text).await?))),
    };
    let changes = CallbackChanges {
        due: asked.schedule_date.map(Due::Text),
        valid_until: None,
        agent,
        notes: asked.notes,
    };
    let changed = context.app.change_callback(&who, id, changes).await.map_err(in_branches)?;
    Ok(Json(Made { callback_id: number_of(&context, &who, changed.id).await? }))
}

/// Another number or skill is another call: it is to be made anew, so that nobody takes one for the other.
async fn refuse_another_call(
    context: &Context,
    who: &Principal,
    known: &CallbackView,
    asked: &Asked,
) -> Result<(), Problem> {
    let refuse = |branch: &'static str, field: &'static str, what: &str| {
        let detail = format!("{what} of a callback cannot be changed: cancel it and schedule another");
        let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "cannot_be_changed", detail);
        Err(problem.in_field(field).with("branch", branch))
    };
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    if let (Some(number), Some(asked)) = (known.number, &asked.phone_number) {
        let (known, asked) = (digits(&number.to_string()), digits(asked));
        if !asked.is_empty() && !known.ends_with(asked.trim_start_matches('0')) {
            return refuse("InvalidPhoneNumber", "phoneNumber", "the number");
        }
    }
    if let Some(skill) = &asked.skill_id {
        let skill = named(context, who, Numbered::Skill, &skill.text()).await?;
        let group = context.app.get::<CampaignGroupBody>(who, known.group.0).await?;
        if group.body.skill.0 != skill {
            return refuse("InvalidSkillId", "skillId", "the skill");
        }
    }
    Ok(())
}

#[derive(Deserialize)]
struct Why {
    description: Option<String>,
}

async fn cancel_callback(
    State(context): State<Context>,
    caller: Result<Caller, Problem>,
    Path(InPath { callback }): Path<InPath>,
    Ask(why): Ask<Why>,
) -> Result<StatusCode, Problem> {
    let Caller(who) = caller.map_err(in_branches)?;
    let id = CallbackId(object_in_path(&context, &who, Numbered::Callback, &callback).await?);
    context.app.cancel_callback(&who, id, why.description).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn callbacks_of_agent(
    State(context): State<Context>,
    Caller(who): Caller,
    Path((_, agent)): Path<(String, String)>,
) -> Result<Json<Listed>, Problem> {
    let agent = AgentId(object_in_path(&context, &who, Numbered::Agent, &agent).await?);
    listed(&context, &who, CallbackQuery { agent: Some(agent), ..CallbackQuery::default() }).await
}

async fn callbacks_of_skill(
    State(context): State<Context>,
    Caller(who): Caller,
    Path((_, skill)): Path<(String, String)>,
) -> Result<Json<Listed>, Problem> {
    let skill = SkillId(object_in_path(&context, &who, Numbered::Skill, &skill).await?);
    listed(&context, &who, CallbackQuery { skill: Some(skill), ..CallbackQuery::default() }).await
}

/// Those that are still to be kept.
async fn listed(context: &Context, who: &Principal, query: CallbackQuery) -> Result<Json<Listed>, Problem> {
    let mut page = PageRequest { after: None, limit: Some(1000) };
    let mut open: Vec<CallbackView> = Vec::new();
    loop {
        let listing = context.app.callbacks(who, query.clone(), &page).await?;
        open.extend(listing.items.into_iter().filter(|callback| !callback.state.is_final()));
        match listing.next {
            Some(next) if open.len() < LISTED_MAX => page.after = Some(next),
            _ => break,
        }
    }
    let ids = open.iter().map(|callback| callback.id.0).collect();
    let numbers = context.app.numbers_of(who, Numbered::Callback, ids).await?;
    let mut callbacks = Vec::new();
    for (callback, callback_id) in open.into_iter().zip(numbers) {
        callbacks.push(in_words(context, who, callback, callback_id).await?);
    }
    Ok(Json(Listed { callbacks }))
}

async fn in_words(
    context: &Context,
    who: &Principal,
    callback: CallbackView,
    callback_id: i64,
) -> Result<Callback, AppError> {
    let group = context.app.get::<CampaignGroupBody>(who, callback.group.0).await?;
    let skill = group.body.skill.0;
    let skill_id = context.app.numbers_of(who, Numbered::Skill, vec![skill]).await?;
    let (target, agent_id) = match callback.agent {
        Some(agent) => {
            let number = context.app.numbers_of(who, Numbered::Agent, vec![agent.0]).await?;
            (context.app.get::<AgentBody>(who, agent.0).await?.body.name, number.first().copied())
        }
        None => (context.app.get::<app::model::SkillBody>(who, skill).await?.body.name, None),
    };
    Ok(Callback {
        callback_id,
        target,
        agent_id,
        skill_id: skill_id.first().copied().unwrap_or_default(),
        dial_number: callback.number,
        orig_number: None,
        first_name: callback.first_name,
        last_name: callback.last_name,
        notes: callback.notes,
        callback_time: callback.due.to_rfc3339(),
        state: callback.state,
        id: callback.id,
    })
}
