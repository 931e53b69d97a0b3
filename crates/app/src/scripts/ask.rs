//! Asking a script about a contact or a call.

use std::sync::Arc;
use std::time::Duration;

use engine::{CampaignId, ContactId, Hook, HookRequest, HookVerdict, HopperContact, TenantId, Time};
use scripting::http_validation::{Validation, validate};
use scripting::verdict::{
    self, DETECTED, Messages, POST_CALL, PRE_CALL, ScriptContact, ScriptPhone, Verdict,
};
use scripting::{Answer, ErrorKind, Limits, Run, ScriptError};
use serde_json::{Value, json};
use store::Store;
use store::records::contacts::{self as contact_rows, Contact};
use store::records::scripts::{self as rows, ScriptFailure};
use uuid::Uuid;

use super::ScriptService;
use super::host::RunHost;
use crate::access::{Principal, Role};
use crate::model::ScriptBody;

/// How often a contact is tried to be checked in, and how long it waits in between.
const CHECK_IN_TRIES: u32 = 3;
const CHECK_IN_AGAIN: Duration = Duration::from_secs(2);

/// A script as the runner knows it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ScriptPlan {
    /// Which.
    pub(crate) id: Uuid,
    /// In which version.
    pub(crate) version: i64,
    /// What it is.
    pub(crate) body: Arc<ScriptBody>,
}

/// Where a question comes from.
#[derive(Clone)]
pub(crate) struct Asking {
    pub(crate) tenant: TenantId,
    pub(crate) tenant_name: String,
    pub(crate) campaign: CampaignId,
    pub(crate) campaign_name: String,
    pub(crate) group_name: String,
    pub(crate) now: Time,
    /// What may be played, where somebody picked up.
    pub(crate) messages: Messages,
}

impl ScriptService {
    /// Asks about a contact or a call. What goes wrong is kept, and told as [`HookVerdict::Failed`] or
    /// [`HookVerdict::TimedOut`].
    pub(crate) async fn ask(
        &self,
        store: &Store,
        plan: &ScriptPlan,
        asking: Asking,
        request: HookRequest,
    ) -> HookVerdict {
        // It is never closed.
        let Ok(_place) = self.places.acquire().await else { return HookVerdict::Failed };
        let (tenant, contact_id) = (asking.tenant, request.contact.contact);
        let stored = store.read(move |tx| contact_rows::get(tx, tenant, contact_id)).await;
        let outcome = match stored {
            Ok(Some(contact)) => self.ask_about(plan, &asking, &request, &contact).await,
            Ok(None) => Err(ScriptError::new(ErrorKind::Threw, "the contact is gone")),
            Err(error) => {
                Err(ScriptError::new(ErrorKind::Threw, format!("the contact cannot be read: {error}")))
            }
        };
        match outcome {
            Ok(Verdict { verdict, fields }) => {
                if !fields.is_empty() {
                    self.change_fields(plan, &asking, contact_id, fields).await;
                }
                verdict
            }
            Err(error) => {
                tracing::warn!(script = %plan.body.name, kind = error.kind.name(), "a server script failed");
                let verdict = match error.kind {
                    ErrorKind::TimedOut => HookVerdict::TimedOut,
                    _ => HookVerdict::Failed,
                };
                self.keep_failure(store, plan, &asking, Some(contact_id), phase(&request.hook), error).await;
                verdict
            }
        }
    }

    async fn ask_about(
        &self,
        plan: &ScriptPlan,
        asking: &Asking,
        request: &HookRequest,
        contact: &Contact,
    ) -> Result<Verdict, ScriptError> {
        let seen = as_seen(contact, &request.contact);
        if plan.body.http.is_some() && matches!(request.hook, Hook::Detected(_)) {
            let message = "a service over HTTP is asked before calls only, not about who picked up";
            return Err(ScriptError::new(ErrorKind::NoSuchFunction, message));
        }
        if let Some(http) = &plan.body.http {
            let service = Validation {
                url: http.url.clone(),
                timeout: Duration::from_millis(plan.body.timeout_ms),
                no_answer: http.no_answer_result,
            };
            let policy = self.policy(&asking.tenant_name);
            let said = validate(&self.fetcher, &policy, &service, &seen, &asking.group_name).await?;
            return Ok(Verdict { verdict: HookVerdict::PreCall(said), fields: Vec::new() });
        }
        let host = RunHost::of(self, asking, false);
        let Answer { outcome, .. } = self.run(plan, asking, &request.hook, &seen, Arc::new(host)).await;
        let value = outcome?;
        match &request.hook {
            Hook::PreCall => verdict::pre_call(&value, asking.now),
            Hook::BeforeReschedule(_) => verdict::before_reschedule(&value, asking.now),
            Hook::AfterReschedule(..) => verdict::after_reschedule(&value, asking.now),
            Hook::Detected(_) => verdict::detected(&value, &asking.messages),
        }
    }

    /// Runs the function of a script that is for this point.
    pub(super) async fn run(
        &self,
        plan: &ScriptPlan,
        asking: &Asking,
        hook: &Hook,
        contact: &ScriptContact,
        host: Arc<RunHost>,
    ) -> Answer {
        let contact = serde_json::to_value(contact).unwrap_or_default();
        let context = json!({
            "phase": js_phase(hook), "campaign": {"id": asking.campaign, "name": asking.campaign_name},
            "group": {"name": asking.group_name}, "now": asking.now.to_rfc3339(),
        });
        let (function, arguments) = match hook {
            Hook::PreCall => (PRE_CALL, vec![contact, context]),
            Hook::BeforeReschedule(over) => (POST_CALL, vec![contact, verdict::call(over), context]),
            Hook::AfterReschedule(over, planned) => {
                let mut context = context;
                context["plan"] = serde_json::to_value(&planned.next).unwrap_or(Value::Null);
                (POST_CALL, vec![contact, verdict::call(over), context])
            }
            Hook::Detected(picked_up) => (DETECTED, vec![contact, verdict::picked_up(picked_up), context]),
        };
        let within = match hook {
            // What it says later does nothing.
            Hook::Detected(picked_up) => picked_up.until.since(asking.now),
            _ => Duration::MAX,
        };
        self.run_function(plan, function, arguments, within, host).await
    }

    async fn run_function(
        &self,
        plan: &ScriptPlan,
        function: &str,
        arguments: Vec<Value>,
        within: Duration,
        host: Arc<RunHost>,
    ) -> Answer {
        let within = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
        let run = Run {
            name: plan.body.name.clone(),
            source: plan.body.source.as_deref().unwrap_or_default().into(),
            function: function.to_owned(),
            arguments,
            limits: Limits { wall_ms: plan.body.timeout_ms.min(within), ..Limits::default() },
            host,
        };
        self.pool.run(run).await
    }

    /// Has a script fetch contacts. What goes wrong is kept; whether it went well is told.
    pub(crate) async fn fetch_contacts(
        &self,
        store: &Store,
        plan: &ScriptPlan,
        asking: &Asking,
        context: Value,
    ) -> bool {
        let host = Arc::new(RunHost::of(self, asking, false));
        match self.run_function(plan, "main", vec![context], Duration::MAX, host).await.outcome {
            Ok(_) => true,
            Err(error) => {
                self.keep_failure(store, plan, asking, None, "feed", error).await;
                false
            }
        }
    }

    /// Tells a script of a contact that is not called any more since the event with this number; tries again a few times.
    /// What goes wrong is kept.
    pub(crate) async fn check_in(
        &self,
        store: &Store,
        plan: &ScriptPlan,
        asking: &Asking,
        contact: &Contact,
        event: i64,
    ) {
        let context = json!({
            "phase": "checkIn", "id": format!("{}-{event}", contact.id),
            "campaign": {"id": asking.campaign, "name": asking.campaign_name},
            "now": asking.now.to_rfc3339(), "finalReason": contact.final_reason,
        });
        let seen = serde_json::to_value(as_stored(contact)).unwrap_or_default();
        for left in (0..CHECK_IN_TRIES).rev() {
            // It is never closed.
            let Ok(_place) = self.places.acquire().await else { return };
            let host = Arc::new(RunHost::of(self, asking, false));
            let arguments = vec![seen.clone(), context.clone()];
            let answer = self.run_function(plan, "checkIn", arguments, Duration::MAX, host).await;
            let Err(error) = answer.outcome else { return };
            if left == 0 {
                self.keep_failure(store, plan, asking, Some(contact.id), "check_in", error).await;
            } else {
                tokio::time::sleep(CHECK_IN_AGAIN).await;
            }
        }
    }

    async fn change_fields(
        &self,
        plan: &ScriptPlan,
        asking: &Asking,
        contact: ContactId,
        fields: Vec<(String, String)>,
    ) {
        let Some(app) = self.app.upgrade() else { return };
        let who = script_principal(asking.tenant, &plan.body.name);
        if let Err(error) = app.change_contact(&who, contact, fields).await {
            let message = format!("the fields that the script set were not taken: {error}");
            let error = ScriptError::new(ErrorKind::BadVerdict, message);
            self.keep_failure(&app.store, plan, asking, Some(contact), "fields", error).await;
        }
    }

    async fn keep_failure(
        &self,
        store: &Store,
        plan: &ScriptPlan,
        asking: &Asking,
        contact: Option<ContactId>,
        phase: &str,
        error: ScriptError,
    ) {
        let Some(app) = self.app.upgrade() else { return };
        let failure = ScriptFailure {
            id: app.ids.next(asking.now),
            tenant: asking.tenant,
            script: plan.id,
            version: Some(plan.version),
            campaign: Some(asking.campaign),
            contact,
            phase: phase.to_owned(),
            at: asking.now,
            kind: error.kind.name().to_owned(),
            message: error.message,
            stack: error.stack,
        };
        let kept = store.write(move |tx| rows::keep_failure(tx, &failure)).await;
        if let Err(error) = kept {
            tracing::error!(%error, "a failure of a server script cannot be kept");
        }
    }
}

/// Who acts when a script does.
pub(super) fn script_principal(tenant: TenantId, name: &str) -> Principal {
    Principal { tenant, actor: format!("script:{name}"), role: Role::Integration, agent: None }
}

fn phase(hook: &Hook) -> &'static str {
    match hook {
        Hook::PreCall => "pre_call",
        Hook::BeforeReschedule(_) => "before_reschedule",
        Hook::AfterReschedule(..) => "after_reschedule",
        Hook::Detected(_) => "detected",
    }
}

/// The phase as scripts know it.
fn js_phase(hook: &Hook) -> &'static str {
    match hook {
        Hook::PreCall => "preCall",
        Hook::BeforeReschedule(_) => "beforeReschedule",
        Hook::AfterReschedule(..) => "afterReschedule",
        Hook::Detected(_) => "detected",
    }
}

/// A contact as a script sees it: what is stored, with what the hopper knows.
fn as_seen(stored: &Contact, hopper: &HopperContact) -> ScriptContact {
    ScriptContact {
        phones: hopper.phones.iter().map(seen_phone).collect(),
        phone: hopper.phone,
        attempts: hopper.attempts,
        last_result: hopper.last_result.map(engine::CallResult::name),
        is_callback: hopper.is_callback,
        ..as_stored(stored)
    }
}

fn seen_phone(phone: &engine::Phone) -> ScriptPhone {
    ScriptPhone {
        position: phone.position,
        number: phone.number.to_string(),
        attempts: phone.attempts,
        is_dialable: phone.is_dialable(),
    }
}

/// A contact as a script would see it if it were asked now.
pub(super) fn as_stored(stored: &Contact) -> ScriptContact {
    ScriptContact {
        id: stored.id.to_string(),
        external_id: stored.external_id.clone(),
        fields: stored.fields.as_object().cloned().unwrap_or_default(),
        phones: stored.phones.iter().map(seen_phone).collect(),
        phone: stored.next_phone,
        priority: stored.priority,
        attempts: stored.attempts,
        last_result: stored.last_result.map(engine::CallResult::name),
        is_callback: stored.is_callback,
    }
}
