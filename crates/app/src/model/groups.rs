//! Campaign groups.

use engine::{CampaignId, GroupSettings, SkillId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    CampaignBody, Definition, MessageBody, NamedReference, Reference, ScriptBody, SkillBody, caller_ids,
};
use crate::AppError;

/// The runnable pairing of a campaign with the agents that serve it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CampaignGroupBody {
    /// Its name.
    pub name: String,
    /// What it calls for.
    pub campaign: CampaignId,
    /// The skill of the agents that serve it.
    pub skill: SkillId,
    /// The queue that its calls go through, as other systems are told; of no effect on calls.
    #[serde(default)]
    pub queue_name: Option<String>,
    /// The script that fetches contacts when few are left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feed: Option<FeedScript>,
    /// How it dials.
    #[serde(default)]
    pub settings: GroupSettings,
}

/// A script that fetches contacts, and when it is run. The defaults are those of a vendor's sample (NICE CXone's
/// `xs-settings`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FeedScript {
    /// The script, by its name; it exports `main`.
    pub script: String,
    /// Run when fewer contacts than this were never called.
    #[serde(default = "fresh_default")]
    pub fresh_below: u32,
    /// Run when fewer than this are ready.
    #[serde(default = "ready_default")]
    pub ready_below: u32,
    /// Run when fewer than this are ready or wait for their time.
    #[serde(default = "available_default")]
    pub available_below: u32,
    /// How many it is to fetch, 1 to 10 000.
    #[serde(default = "fresh_default")]
    pub retrieve: u32,
}

fn fresh_default() -> u32 {
    50
}

fn ready_default() -> u32 {
    100
}

fn available_default() -> u32 {
    150
}

impl Definition for CampaignGroupBody {
    const KIND: &'static str = "campaign_group";
    fn name(&self) -> &str {
        &self.name
    }
    fn parent(&self) -> Option<Uuid> {
        Some(self.campaign.0)
    }
    fn references(&self) -> Vec<Reference> {
        let campaign = Reference::new(CampaignBody::KIND, self.campaign.0, "campaign");
        let skill = Reference::new(SkillBody::KIND, self.skill.0, "skill");
        let message = |own: &engine::AgentlessSettings| {
            Reference::new(MessageBody::KIND, own.message.0, "settings.agentless.message")
        };
        let message = self.settings.agentless.as_ref().map(message);
        let pool = caller_ids::reference(self.settings.caller_id_pool, "settings.caller_id_pool");
        [campaign, skill].into_iter().chain(message).chain(pool).collect()
    }
    fn named_references(&self) -> Vec<NamedReference> {
        let script = |feed: &FeedScript| NamedReference {
            kind: ScriptBody::KIND,
            name: feed.script.clone(),
            field: "feed.script",
            may_be_service: true,
        };
        self.feed.iter().map(script).collect()
    }
    fn check(&self) -> Result<(), AppError> {
        if self.feed.as_ref().is_some_and(|feed| !(1..=10_000).contains(&feed.retrieve)) {
            return Err(AppError::invalid("out_of_range", "feed.retrieve", "it is 1 to 10000"));
        }
        let bad = |bad: engine::settings::BadSetting| {
            AppError::invalid("out_of_range", &format!("settings.{}", bad.field), bad.to_string())
        };
        self.settings.check().map_err(bad)
    }
}
