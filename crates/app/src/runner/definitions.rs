//! The tenant's definitions, as the engine needs them.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use engine::{
    AgentDefinition, AgentId, AnsweredCalls, CallerIdRules, CallerIdState, CallingHours, CampaignRules,
    Command, GroupDefinition, GroupId, GroupState, MessageId, SuppressionListId, TenantId, Time, Treatment,
    Zone,
};
use store::records::messages::Sound;
use store::{StoreError, Tx};
use telephony::{AgentPhone, Detection};
use uuid::Uuid;

use super::Runner;
use super::caller_ids;
use super::feed::suppression_lists;
use super::hooks::CampaignScriptPlans;
use super::messages::messages_of;
use crate::AppError;
use crate::callbacks::due::zone_of;
use crate::definitions::load_all;
use crate::messages::belongs;
use crate::model::{
    AgentBody, CallingHoursBody, CampaignBody, CampaignGroupBody, CampaignScripts, DetectionProfileBody,
    MessageBody, PostCallPhase, ScriptBody, Stored, TreatmentSetBody, caller_id_setting,
};
use crate::scripts::{ScriptPlan, tenant_name};

/// Campaign groups and agents of a tenant.
#[derive(Default)]
pub(super) struct Definitions {
    pub messages: HashMap<MessageId, MessagePlan>,
    pub groups: HashMap<GroupId, GroupPlan>,
    pub agents: HashMap<AgentId, AgentPlan>,
    /// The pools of caller ids, and how often their numbers were shown.
    pub caller_ids: Option<CallerIdState>,
}

pub(super) struct GroupPlan {
    pub name: String,
    pub definition: GroupDefinition,
    pub suppression_lists: Vec<SuppressionListId>,
    pub scripts: CampaignScriptPlans,
    /// What tells people from machines.
    pub detection: Detection,
}

/// What a group has of its campaign.
struct CampaignPlan {
    rules: Arc<CampaignRules>,
    suppression_lists: Vec<SuppressionListId>,
    scripts: CampaignScriptPlans,
    detection: Detection,
}

/// A message, with its sound if that is of its present text.
pub(super) struct MessagePlan {
    pub name: String,
    pub text: String,
    pub sound: Option<Sound>,
}

#[derive(PartialEq)]
pub(super) struct AgentPlan {
    pub name: String,
    pub skills: Vec<(engine::SkillId, u8)>,
    pub phone: Option<AgentPhone>,
    /// Whether it is held for the whole of a session.
    pub is_standing: bool,
}

/// Reads them all, in one transaction, so that they fit together.
///
/// Where the switch cannot record, nothing is to be recorded: `records` says whether it can.
pub(super) fn load(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    now: Time,
    records: bool,
) -> Result<Definitions, AppError> {
    let hours: HashMap<Uuid, CallingHours> = load_all::<CallingHoursBody>(tx, tenant)?
        .into_iter()
        .map(|stored| (stored.id, stored.body.hours))
        .collect();
    let treatments: HashMap<Uuid, Vec<Treatment>> = load_all::<TreatmentSetBody>(tx, tenant)?
        .into_iter()
        .map(|stored| (stored.id, stored.body.treatments))
        .collect();
    let zone = zone_of(tx, tenant)?;
    let scripts: HashMap<String, ScriptPlan> = load_all::<ScriptBody>(tx, tenant)?
        .into_iter()
        .map(|stored| {
            let name = stored.body.name.to_ascii_lowercase();
            (name, ScriptPlan { id: stored.id, version: stored.version, body: Arc::new(stored.body) })
        })
        .collect();
    let tenant_name = tenant_name(tx, tenant)?;
    let campaigns = load_all::<CampaignBody>(tx, tenant)?;
    let profiles: HashMap<Uuid, DetectionProfileBody> = load_all::<DetectionProfileBody>(tx, tenant)?
        .into_iter()
        .map(|stored| (stored.id, stored.body))
        .collect();
    let mut sources = caller_ids::of_sources(tx, tenant)?;
    let campaigns: HashMap<Uuid, CampaignPlan> = campaigns
        .into_iter()
        .map(|stored| {
            let lists = suppression_lists(engine::CampaignId(stored.id), &stored.body.suppression_lists);
            let named = |name: &Option<String>| {
                name.as_ref().and_then(|name| scripts.get(&name.to_ascii_lowercase())).cloned()
            };
            let profile = stored.body.detection_profile.and_then(|id| profiles.get(&id));
            let plans = CampaignScriptPlans {
                pre_call: named(&stored.body.scripts.pre_call),
                post_call: named(&stored.body.scripts.post_call),
                detected: profile.and_then(|profile| named(&profile.script)),
                campaign_name: stored.body.name.clone(),
                tenant_name: tenant_name.clone(),
            };
            let detection = profile.map(|profile| profile.parameters).unwrap_or_default();
            let caller_ids = CallerIdRules {
                campaign: caller_id_setting(stored.body.caller_id, stored.body.caller_id_pool),
                sources: sources.remove(&engine::CampaignId(stored.id)).unwrap_or_default(),
            };
            let rules = rules_of(stored.body, &hours, &treatments, profile, zone.clone(), records);
            let rules = CampaignRules { caller_ids, suppression_lists: lists.clone(), ..rules };
            let rules = Arc::new(rules);
            (stored.id, CampaignPlan { rules, suppression_lists: lists, scripts: plans, detection })
        })
        .collect();
    let caller_ids = Some(caller_ids::load(tx, tenant, zone, now)?);
    let messages = messages(tx, tenant)?;
    let mut definitions = Definitions { messages, caller_ids, ..Definitions::default() };
    for stored in load_all::<CampaignGroupBody>(tx, tenant)? {
        // A group whose campaign is gone cannot be loaded.
        let Some(campaign) = campaigns.get(&stored.body.campaign.0) else { continue };
        let definition = GroupDefinition {
            group: GroupId(stored.id),
            campaign: stored.body.campaign,
            skill: stored.body.skill,
            settings: stored.body.settings,
            rules: Arc::clone(&campaign.rules),
            state: GroupState::NotLoaded,
            answered: AnsweredCalls::default(),
        };
        let plan = GroupPlan {
            name: stored.body.name,
            definition,
            suppression_lists: campaign.suppression_lists.clone(),
            scripts: campaign.scripts.clone(),
            detection: campaign.detection,
        };
        definitions.groups.insert(GroupId(stored.id), plan);
    }
    for stored in load_all::<AgentBody>(tx, tenant)? {
        let skills = stored.body.skills.iter().map(|own| (own.skill, own.proficiency)).collect();
        let telephone = stored.body.telephone;
        let is_standing = telephone.as_ref().is_some_and(|telephone| telephone.standing);
        let phone = telephone.and_then(|telephone| telephone.checked("").ok());
        let plan = AgentPlan { name: stored.body.name, skills, phone, is_standing };
        definitions.agents.insert(AgentId(stored.id), plan);
    }
    Ok(definitions)
}

fn messages(tx: &mut Tx<'_>, tenant: TenantId) -> Result<HashMap<MessageId, MessagePlan>, AppError> {
    let sounds = store::records::messages::sounds(tx, tenant)?;
    let mut sounds: HashMap<MessageId, Sound> =
        sounds.into_iter().map(|sound| (sound.message, sound)).collect();
    let plan = |stored: Stored<MessageBody>| {
        let id = MessageId(stored.id);
        let sound = sounds.remove(&id).filter(|sound| belongs(sound, &stored.body));
        (id, MessagePlan { name: stored.body.name, text: stored.body.text, sound })
    };
    Ok(load_all::<MessageBody>(tx, tenant)?.into_iter().map(plan).collect())
}

/// A definition that cannot be read is a contradiction in what is stored.
pub(crate) fn for_store<T>(outcome: Result<T, AppError>) -> Result<T, StoreError> {
    outcome.map_err(|error| match error {
        AppError::Store(error) => error,
        other => StoreError::corrupt(other.to_string()),
    })
}

fn rules_of(
    campaign: CampaignBody,
    hours: &HashMap<Uuid, CallingHours>,
    treatments: &HashMap<Uuid, Vec<Treatment>>,
    profile: Option<&DetectionProfileBody>,
    zone: Zone,
    records: bool,
) -> CampaignRules {
    // Hours that are gone must not widen what is allowed: the cautious ones hold then.
    let hours = campaign.calling_hours.and_then(|id| hours.get(&id).cloned());
    let treatments = campaign.treatments.and_then(|id| treatments.get(&id).cloned());
    let recording = campaign.recording.of_campaign(&campaign.name);
    CampaignRules {
        hours: hours.unwrap_or_else(CallingHours::cautious),
        treatments: treatments.unwrap_or_default(),
        dispositions: campaign.dispositions,
        attempts_max: campaign.attempts_max,
        feed_order: campaign.feed_order,
        scripts: script_rules(&campaign.scripts),
        zone,
        safe_harbour: campaign.safe_harbour_message,
        opt_out_digit: campaign.opt_out_digit,
        caller_ids: CallerIdRules::default(),
        recording: records.then_some(recording),
        detection: profile.map(DetectionProfileBody::rules).unwrap_or_default(),
        suppression_lists: Vec::new(),
    }
}

/// When the engine asks scripts.
fn script_rules(scripts: &CampaignScripts) -> engine::ScriptRules {
    let (has_post_call, phase) = (scripts.post_call.is_some(), scripts.post_call_phase);
    engine::ScriptRules {
        pre_call: scripts.pre_call.as_ref().map(|_| scripts.on_error),
        before_reschedule: has_post_call && phase != PostCallPhase::AfterReschedule,
        after_reschedule: has_post_call && phase != PostCallPhase::BeforeReschedule,
    }
}

impl Runner {
    /// Reads the definitions again and tells the engine what is new.
    pub(super) async fn reload_definitions(&mut self) {
        let (tenant, now, records) = (self.tenant, self.shared.clock.now(), self.shared.driver.records());
        match self.shared.store.read(move |tx| for_store(load(tx, tenant, now, records))).await {
            Ok(definitions) => self.take_definitions(definitions),
            Err(error) => tracing::error!(%error, "definitions cannot be read; the ones before hold"),
        }
    }

    pub(super) fn take_definitions(&mut self, definitions: Definitions) {
        let before = std::mem::replace(&mut self.definitions, definitions);
        if let Some(state) = self.definitions.caller_ids.clone() {
            self.command(Command::PutCallerIds(state));
        }
        let gone: Vec<AgentId> = before
            .agents
            .keys()
            .filter(|agent| !self.definitions.agents.contains_key(agent))
            .copied()
            .collect();
        for agent in gone {
            // Their screen is told of the log-out before it goes.
            self.command(Command::RemoveAgent(agent));
            self.screens.remove(&agent);
        }
        let is_new = |(agent, plan): &(&AgentId, &AgentPlan)| before.agents.get(agent) != Some(*plan);
        let agents: Vec<AgentDefinition> = self
            .definitions
            .agents
            .iter()
            .filter(is_new)
            .map(|(agent, plan)| AgentDefinition {
                agent: *agent,
                skills: plan.skills.clone(),
                needs_line: plan.is_standing,
            })
            .collect();
        for agent in agents {
            self.command(Command::PutAgent(agent));
        }
        let modes: HashMap<GroupId, engine::DialMode> =
            self.engine.snapshot().groups.into_iter().map(|group| (group.group, group.dial_mode)).collect();
        let mut groups = Vec::new();
        for (group, held) in &mut self.held {
            let Some(plan) = self.definitions.groups.get(group) else { continue };
            let mut definition = plan.definition.clone();
            held.rules = Arc::clone(&definition.rules);
            held.suppression_lists.clone_from(&plan.suppression_lists);
            // A mode that was set while running stays, unless the definition's own was changed.
            let mode_before = before.groups.get(group).map(|plan| plan.definition.settings.dial_mode);
            if let (Some(mode), true) = (modes.get(group), mode_before == Some(definition.settings.dial_mode))
            {
                definition.settings.dial_mode = *mode;
            }
            groups.push(definition);
        }
        let played: BTreeSet<MessageId> =
            groups.iter().flat_map(|group| messages_of(group, &self.definitions.messages)).collect();
        for message in played {
            self.get_message_ready(message);
        }
        for definition in groups {
            self.command(Command::PutGroup(Box::new(definition)));
        }
    }
}
