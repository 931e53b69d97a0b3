//! Trying a script on a contact: nothing that it wants done is done.

use std::sync::Arc;

use engine::detection::AskScript;
use engine::{AgentId, AttemptId, CallOver, CallResult, ContactId, Detected, Hook, PickedUp, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::records::contacts as contact_rows;
use uuid::Uuid;

use super::ask::{Asking, ScriptPlan, as_stored};
use super::host::RunHost;
use super::tenant_name;
use super::versions::by_id_or_name;
use crate::access::{Permission, Principal};
use crate::definitions::load;
use crate::model::{CampaignBody, Stored};
use crate::{App, AppError};

/// What a script is tried with.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ScriptTrial")]
pub struct TryOut {
    /// The contact.
    pub contact: ContactId,
    /// As if a call on it had ended like this; without it and `detected` the pre-call function is run.
    #[serde(default)]
    pub result: Option<CallResult>,
    /// As if detection had found this out about a call on it that was picked up just now: `onDetected` is run, within the
    /// longest time that a detection profile can give it; `milliseconds` tells what it needed.
    #[serde(default)]
    pub detected: Option<Detected>,
    /// With this disposition.
    #[serde(default)]
    pub disposition: Option<String>,
    /// By this agent.
    #[serde(default)]
    pub agent: Option<AgentId>,
}

/// What came of it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "ScriptTrialResult")]
pub struct Tried {
    /// Which version of the script was tried.
    pub version: i64,
    /// What the function returned; null if it failed.
    pub returned: Value,
    /// What went wrong, for programs.
    pub error: Option<String>,
    /// What went wrong, for people.
    pub message: Option<String>,
    /// Where in the script.
    pub stack: Option<String>,
    /// What it logged.
    pub logs: Vec<String>,
    /// What it would have done, had it been more than a try.
    pub would_do: Vec<Value>,
    /// Milliseconds that it took.
    pub milliseconds: u64,
}

impl App {
    /// Runs a script on a contact as it would be run, but for what changes something: that is told and not done.
    ///
    /// # Errors
    /// The caller may not, there is no such script or contact, or no scripts are run here.
    pub async fn try_script(&self, who: &Principal, script: &str, with: TryOut) -> Result<Tried, AppError> {
        who.may(Permission::Configure)?;
        let service = self.floor.scripts().ok_or(AppError::Unavailable("the running of scripts"))?;
        let (tenant, name, contact, now) = (who.tenant, script.to_owned(), with.contact, self.clock.now());
        let (plan, asking, contact) = self
            .read(move |tx| {
                let Stored { id, version, body, .. } = by_id_or_name(tx, tenant, &name)?;
                let contact = contact_rows::get(tx, tenant, contact)?
                    .ok_or_else(|| AppError::not_found("contact", contact))?;
                let campaign = load::<CampaignBody>(tx, tenant, contact.campaign.0)?;
                let asking = Asking {
                    tenant,
                    tenant_name: tenant_name(tx, tenant)?,
                    campaign: contact.campaign,
                    campaign_name: campaign.body.name,
                    group_name: String::new(),
                    now,
                    messages: Default::default(),
                };
                Ok((ScriptPlan { id, version, body: Arc::new(body) }, asking, contact))
            })
            .await?;
        if plan.body.source.is_none() {
            return Err(AppError::conflict(
                "not_a_source",
                "a service over HTTP cannot be tried without asking it",
            ));
        }
        let hook = match (with.result, with.detected) {
            (Some(_), Some(_)) => {
                let message = "a call is over or was picked up just now: give either result or detected";
                return Err(AppError::invalid("result_and_detected", "detected", message));
            }
            (None, None) => Hook::PreCall,
            (Some(result), None) => Hook::BeforeReschedule(Box::new(over(&with, result, now))),
            (None, Some(detected)) => Hook::Detected(PickedUp {
                attempt: AttemptId(Uuid::nil()),
                attempt_number: contact.attempts.saturating_add(1),
                detected,
                ringing_at: None,
                answered_at: Some(now),
                until: now + AskScript::WITHIN_MAX,
            }),
        };
        let host = Arc::new(RunHost::of(&service, &asking, true));
        let started = std::time::Instant::now();
        let answer = service.run(&plan, &asking, &hook, &as_stored(&contact), Arc::clone(&host)).await;
        let milliseconds = started.elapsed().as_millis().try_into().unwrap_or(u64::MAX);
        let (returned, error) = match answer.outcome {
            Ok(value) => (value, None),
            Err(error) => (Value::Null, Some(error)),
        };
        Ok(Tried {
            version: plan.version,
            returned,
            error: error.as_ref().map(|error| error.kind.name().to_owned()),
            message: error.as_ref().map(|error| error.message.clone()),
            stack: error.and_then(|error| error.stack),
            logs: answer.logs,
            would_do: host.would_do(),
            milliseconds,
        })
    }
}

fn over(with: &TryOut, result: CallResult, now: Time) -> CallOver {
    CallOver {
        attempt: AttemptId(Uuid::nil()),
        result,
        agent: with.agent,
        disposition: with.disposition.clone(),
        notes: None,
        callback_at: None,
        ringing_at: None,
        answered_at: None,
        connected_at: None,
        ended_at: Some(now),
    }
}
