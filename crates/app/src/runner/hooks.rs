//! Asking server scripts.

use std::sync::Arc;

use engine::{GroupId, Hook, HookRequest, HookVerdict};
use scripting::verdict::Messages;

use super::{Message, Runner};
use crate::scripts::{Asking, ScriptPlan};

/// The scripts that decide about a campaign's contacts.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct CampaignScriptPlans {
    pub pre_call: Option<ScriptPlan>,
    pub post_call: Option<ScriptPlan>,
    /// Its detection profile's.
    pub detected: Option<ScriptPlan>,
    pub campaign_name: String,
    pub tenant_name: String,
}

impl Runner {
    /// Has a question to a server script answered. Where nobody can be asked, the campaign's policy for that decides.
    pub(super) fn run_hook(&mut self, request: HookRequest) {
        let (group, question) = (request.group, request.question);
        let plan = self.definitions.groups.get(&group);
        let script = plan.and_then(|plan| match request.hook {
            Hook::PreCall => plan.scripts.pre_call.clone(),
            Hook::BeforeReschedule(_) | Hook::AfterReschedule(..) => plan.scripts.post_call.clone(),
            Hook::Detected(_) => plan.scripts.detected.clone(),
        });
        let messages = match request.hook {
            Hook::Detected(_) => self.messages_for_scripts(group),
            _ => Messages::default(),
        };
        let asking = plan.map(|plan| Asking {
            tenant: self.tenant,
            tenant_name: plan.scripts.tenant_name.clone(),
            campaign: plan.definition.campaign,
            campaign_name: plan.scripts.campaign_name.clone(),
            group_name: plan.name.clone(),
            now: self.shared.clock.now(),
            messages,
        });
        let (shared, runner) = (Arc::clone(&self.shared), self.myself.clone());
        tokio::spawn(async move {
            let verdict = match (shared.scripts.get(), script, asking) {
                (Some(service), Some(script), Some(asking)) => {
                    service.ask(&shared.store, &script, asking, request).await
                }
                _ => HookVerdict::Failed,
            };
            // The runner may be gone.
            let _ = runner.send(Message::Hook { group, question, verdict }).await;
        });
    }

    /// The messages that a script may have played to whoever picked up.
    fn messages_for_scripts(&self, group: GroupId) -> Messages {
        let definition = self.definitions.groups.get(&group).map(|plan| &plan.definition);
        let has_own = definition.is_some_and(|definition| {
            definition.rules.detection.message.is_some() || definition.settings.agentless.is_some()
        });
        let messages = self.definitions.messages.iter();
        let by_name = messages.map(|(id, plan)| (plan.name.to_ascii_lowercase(), *id)).collect();
        Messages { by_name, has_own }
    }
}
