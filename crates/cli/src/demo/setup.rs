//! The demonstration's tenant: made through the same use cases as anybody's, or taken up again.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use app::access::NewKey;
use app::imports::NewImport;
use app::model::{
    AgentBody, AgentSkill, CallingHoursBody, CampaignBody, CampaignGroupBody, Definition, MessageBody,
    SkillBody, SourceBody, Stored, SuppressionListBody, TreatmentSetBody,
};
use app::paging::PageRequest;
use app::short_numbers::Numbered;
use app::{App, Principal, Role};
use contacts::SourceMap;
use engine::{AgentId, CallingHours, CampaignId, GroupId, GroupSettings, SkillId, SourceId, TenantId};
use engine::{AgentlessSettings, MessageId};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::{Arguments, people};

/// The name of the demonstration's tenant and of most things in it.
pub const NAME: &str = "Demo";

/// What people hear for whom no agent is free.
const APOLOGY: &str =
    "This is the demonstration of Outdial. All of our agents are busy. To be called no more, press 1.";
/// What people hear in agentless mode.
const SURVEY: &str = "This is the demonstration of Outdial. Your order is ready to be collected. To talk with an agent, \
                      press 9. To be called no more, press 1.";

/// What the demonstration works on.
pub struct Demonstration {
    pub who: Principal,
    pub tenant: TenantId,
    pub campaign: CampaignId,
    pub group: GroupId,
    pub skill: SkillId,
    pub source: SourceId,
    pub agents: Vec<AgentId>,
    /// The skill in interfaces whose ids are numbers.
    pub skill_number: i64,
    /// The first agent in such interfaces.
    pub agent_number: i64,
    pub api_key: String,
}

/// Makes what is missing.
///
/// # Errors
/// A use case refused, or the list cannot be written.
pub async fn prepare(
    app: &Arc<App>,
    arguments: &Arguments,
    directory: &Path,
) -> anyhow::Result<Demonstration> {
    let tenant = match app.tenant_by_name(NAME).await? {
        Some(tenant) => tenant.id,
        None => app.create_tenant(NAME).await?.id,
    };
    let who = Principal::operator(tenant);
    let skill = SkillId(ensure(app, &who, SkillBody { name: "Sales".to_owned() }).await?.id);
    let apology = message(app, &who, "No agent free", APOLOGY).await?;
    let survey = message(app, &who, "Survey", SURVEY).await?;
    let campaign = campaign(app, &who, apology).await?;
    let group = group(app, &who, campaign, skill, survey, arguments).await?;
    let source: SourceBody = body(json!({"name": NAME, "campaign": campaign, "default_country": "FR"}))?;
    let source = SourceId(ensure(app, &who, source).await?.id);
    let own_map = "external_id=ExternalID,phone1=PhoneNumber,field.first_name=FirstName,field.last_name=LastName,priority=Priority,zone=TimeZone";
    app.set_own_source_map(&who, source, SourceMap::parse_compact(own_map)?).await?;
    let agents = agents(app, &who, skill, arguments).await?;
    if app.contact_counts(campaign).await?.total() == 0 {
        load_list(app, &who, source, arguments.contacts, directory).await?;
    }
    let skill_number = number(app, &who, Numbered::Skill, skill.0).await?;
    let agent_number = number(app, &who, Numbered::Agent, agents[0].0).await?;
    let key = NewKey { name: "demonstration".to_owned(), role: Role::Admin, expires_at: None };
    let (_, secret) = app.create_key(&who, key).await?;
    let api_key = secret.expose().to_owned();
    Ok(Demonstration {
        who,
        tenant,
        campaign,
        group,
        skill,
        source,
        agents,
        skill_number,
        agent_number,
        api_key,
    })
}

async fn number(app: &App, who: &Principal, of: Numbered, id: uuid::Uuid) -> anyhow::Result<i64> {
    let numbers = app.numbers_of(who, of, vec![id]).await?;
    numbers.first().copied().context("an object has no number")
}

/// The definition of this kind and name, made if there is none.
async fn ensure<T: Definition>(app: &App, who: &Principal, wanted: T) -> anyhow::Result<Stored<T>> {
    for stored in all::<T>(app, who).await? {
        if stored.body.name() == wanted.name() {
            return Ok(stored);
        }
    }
    Ok(app.create(who, wanted).await?)
}

async fn all<T: Definition>(app: &App, who: &Principal) -> anyhow::Result<Vec<Stored<T>>> {
    let mut found = Vec::new();
    let mut page = PageRequest { after: None, limit: Some(1000) };
    loop {
        let listing = app.list(who, None, &page).await?;
        found.extend(listing.items);
        match listing.next {
            Some(next) => page.after = Some(next),
            None => return Ok(found),
        }
    }
}

fn body<T: DeserializeOwned>(json: serde_json::Value) -> anyhow::Result<T> {
    serde_json::from_value(json).context("the demonstration's own definitions are wrong")
}

async fn message(app: &App, who: &Principal, name: &str, text: &str) -> anyhow::Result<MessageId> {
    let wanted = MessageBody { name: name.to_owned(), text: text.to_owned(), language: "en".to_owned() };
    for stored in all::<MessageBody>(app, who).await? {
        if stored.body.name == name {
            return Ok(MessageId(stored.id));
        }
    }
    Ok(MessageId(app.create_message(who, wanted).await?.stored.id))
}

async fn campaign(app: &App, who: &Principal, apology: MessageId) -> anyhow::Result<CampaignId> {
    // The people do not exist, so no hour is too late for them, and the demonstration runs whenever it is started.
    let hours = CallingHoursBody { name: "Always".to_owned(), hours: CallingHours::always() };
    let hours = ensure(app, who, hours).await?.id;
    let treatments: TreatmentSetBody = body(json!({"name": "Demo", "treatments": [
        {"when": {"results": ["busy"], "in_a_row_at_least": 3}, "then": {"action": "final"}},
        {"when": {"results": ["busy"]}, "then": {"action": "retry_in", "minutes": 5}},
        {"when": {"results": ["no_answer"]}, "then": {"action": "cycle", "minutes": 15, "increment_minutes": 15, "times": 3}},
        {"when": {"results": ["answering_machine"]}, "then": {"action": "retry_in", "minutes": 20}},
        {"when": {"results": ["sit_invalid_number", "sit_vacant", "fax_detected"]}, "then": {"action": "phone_final"}},
        {"when": {"dispositions": ["callback"]}, "then": {"action": "reschedule", "otherwise_minutes": 10}}
    ]}))?;
    let treatments = ensure(app, who, treatments).await?.id;
    let list = ensure(app, who, SuppressionListBody { name: "Do not call".to_owned() }).await?.id;
    let campaign: CampaignBody = body(json!({
        "name": NAME,
        "description": "A demonstration. Its people do not exist.",
        "fields": [
            {"name": "first_name", "kind": "text", "meaning": "first_name"},
            {"name": "last_name", "kind": "text", "meaning": "last_name"},
            {"name": "Name", "kind": "text", "meaning": "full_name"},
            {"name": "PhoneNumber", "kind": "text", "meaning": "home_phone"}
        ],
        "calling_hours": hours, "treatments": treatments, "suppression_lists": [list], "attempts_max": 5,
        "safe_harbour_message": apology,
        "dispositions": [
            {"code": "sale", "name": "Sale", "value": "positive", "contact_final": true},
            {"code": "not_interested", "name": "Not interested", "value": "negative", "contact_final": true},
            {"code": "callback", "name": "Call back", "callback": true},
            {"code": "wrong_person", "name": "Wrong person", "phone_final": true},
            {"code": "do_not_call", "name": "Does not want to be called", "value": "negative", "suppress": true},
            {"code": "other", "name": "Other", "contact_final": true}
        ]
    }))?;
    Ok(CampaignId(ensure(app, who, campaign).await?.id))
}

async fn group(
    app: &App,
    who: &Principal,
    campaign: CampaignId,
    skill: SkillId,
    survey: MessageId,
    arguments: &Arguments,
) -> anyhow::Result<GroupId> {
    let settings = GroupSettings {
        dial_mode: arguments.mode.into(),
        lines_per_agent: arguments.lines_per_agent,
        lines_max: if arguments.is_real() { 50 } else { 10_000 },
        calls_per_second_max: if arguments.is_real() { 10 } else { 200 },
        wrap_up_seconds_max: 300,
        agentless: Some(AgentlessSettings {
            ports: arguments.ports,
            message: survey,
            transfer_digit: Some('9'),
            leave_on_machine: true,
        }),
        ..GroupSettings::default()
    };
    let wanted =
        CampaignGroupBody { name: NAME.to_owned(), campaign, skill, queue_name: None, feed: None, settings };
    let stored = ensure(app, who, wanted.clone()).await?;
    if stored.body != wanted {
        app.update(who, stored.id, stored.version, wanted).await?;
    }
    Ok(GroupId(stored.id))
}

async fn agents(
    app: &App,
    who: &Principal,
    skill: SkillId,
    arguments: &Arguments,
) -> anyhow::Result<Vec<AgentId>> {
    let known: std::collections::HashMap<String, AgentId> = all::<AgentBody>(app, who)
        .await?
        .into_iter()
        .map(|agent| (agent.body.name, AgentId(agent.id)))
        .collect();
    let mut agents = Vec::new();
    for number in 1..=arguments.agents() {
        let name = format!("Agent {number:03}");
        let agent = match known.get(&name) {
            Some(agent) => *agent,
            None => {
                let phone = arguments.phones.replace("{number}", &(1000 + number).to_string());
                let telephone = arguments.is_real().then(|| json!({"endpoint": phone}));
                let own: AgentBody = body(json!({
                    "name": name, "skills": [AgentSkill { skill, proficiency: 50 }], "telephone": telephone
                }))?;
                AgentId(app.create(who, own).await?.id)
            }
        };
        agents.push(agent);
    }
    Ok(agents)
}

/// Imports the list as anybody's file.
async fn load_list(
    app: &Arc<App>,
    who: &Principal,
    source: SourceId,
    count: u32,
    directory: &Path,
) -> anyhow::Result<()> {
    let file = directory.join("people.csv");
    people::write_list(&file, count)?;
    let upload = app.import_upload_path();
    std::fs::copy(&file, &upload)?;
    let map = "external_id=Customer,phone1=Phone,field.first_name=First name,field.last_name=Last name";
    let map = Some(SourceMap::parse_compact(map)?);
    let new = NewImport { map, file_name: Some("people.csv".to_owned()), ..NewImport::default() };
    let mut import = app.create_import(who, source, new, upload).await?;
    while !import.is_over() {
        tokio::time::sleep(Duration::from_millis(50)).await;
        import = app.import(who, import.id).await?;
    }
    if import.rejected > 0 || import.state != "completed" {
        bail!("the demonstration's list was not taken: {} rejected, {:?}", import.rejected, import.error);
    }
    Ok(())
}
