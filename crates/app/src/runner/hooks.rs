//! Asking server scripts.

use std::sync::Arc;

use engine::{Hook, HookRequest, HookVerdict};

use super::{Message, Runner};
use crate::scripts::{Asking, ScriptPlan};

/// The scripts that decide about a campaign's contacts.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct CampaignScriptPlans {
    pub pre_call: Option<ScriptPlan>,
    pub post_call: Option<ScriptPlan>,
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
        });
        let asking = plan.map(|plan| Asking {
            tenant: self.tenant,
            tenant_name: plan.scripts.tenant_name.clone(),
            campaign: plan.definition.campaign,
            campaign_name: plan.scripts.campaign_name.clone(),
            group_name: plan.name.clone(),
            now: self.shared.clock.now(),
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
}
