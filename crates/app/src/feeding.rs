//! Scripts that fetch contacts when a campaign group runs low, and that are told of those who are done with.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use engine::change::PlannedNext;
use engine::{CampaignId, ContactId, GroupId, GroupState, TenantId};
use futures_util::future::join_all;
use serde::Deserialize;
use serde_json::json;
use store::events::{self, Event};
use store::feed;
use store::records::contacts::{self as contact_rows, Contact, FeedState};
use store::records::scripts as rows;

use crate::definitions::load_all;
use crate::model::{CampaignBody, CampaignGroupBody, ScriptBody, Stored};
use crate::scripts::{Asking, ScriptPlan, ScriptService, tenant_name};
use crate::{App, AppError};

/// How often it is looked, in real time.
const EVERY: Duration = Duration::from_secs(1);
/// How long a group is left alone whose script brought nothing or failed.
const AFTER_NOTHING: Duration = Duration::from_secs(30);
/// Events looked at together; as many contacts at most are checked in again, under the same ids, if the process dies.
const EVENTS: u32 = 200;
/// How often in one turn of a tenant; after that it is the next one's.
const ROUNDS: usize = 10;
/// How long a node that is silent stays the one that checks in.
const OWNED: Duration = Duration::from_secs(30);

/// Groups whose script runs, and those that are left alone until an instant.
#[derive(Default)]
pub(crate) struct Feeding {
    running: Mutex<HashSet<GroupId>>,
    quiet: Mutex<HashMap<GroupId, tokio::time::Instant>>,
}

impl Feeding {
    /// Takes a group on; false if its script runs or it is to be left alone.
    fn begin(&self, group: GroupId) -> bool {
        let now = tokio::time::Instant::now();
        let mut quiet = self.quiet.lock().unwrap_or_else(PoisonError::into_inner);
        quiet.retain(|_, until| *until > now);
        !quiet.contains_key(&group)
            && self.running.lock().unwrap_or_else(PoisonError::into_inner).insert(group)
    }

    fn end(&self, group: GroupId, brought_any: bool) {
        if !brought_any {
            let until = tokio::time::Instant::now() + AFTER_NOTHING;
            self.quiet.lock().unwrap_or_else(PoisonError::into_inner).insert(group, until);
        }
        self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&group);
    }
}

/// Looks every second. Runs until dropped.
pub(crate) async fn keep(app: Arc<App>) {
    loop {
        tokio::time::sleep(EVERY).await;
        let Some(service) = app.floor.scripts() else { continue };
        if let Err(error) = look(&app, &service).await {
            tracing::warn!(%error, "scripts that fetch contacts or check them in could not be asked; trying again");
        }
    }
}

/// What is known of a tenant.
struct Known {
    name: String,
    campaigns: HashMap<CampaignId, CampaignBody>,
    groups: Vec<Stored<CampaignGroupBody>>,
    scripts: HashMap<String, ScriptPlan>,
}

async fn look(app: &Arc<App>, service: &Arc<ScriptService>) -> Result<(), AppError> {
    let tenants = app.read(|tx| Ok(store::records::definitions::tenants_with(tx, "script")?)).await?;
    for tenant in tenants {
        if let Err(error) = look_at(app, service, tenant).await {
            tracing::warn!(%tenant, %error, "a tenant's scripts could not be asked for contacts or told of them; trying again");
        }
    }
    Ok(())
}

async fn look_at(app: &Arc<App>, service: &Arc<ScriptService>, tenant: TenantId) -> Result<(), AppError> {
    let known = app
        .read(move |tx| {
            let script = |stored: Stored<ScriptBody>| {
                let name = stored.body.name.to_ascii_lowercase();
                (name, ScriptPlan { id: stored.id, version: stored.version, body: Arc::new(stored.body) })
            };
            let campaign = |stored: Stored<CampaignBody>| (CampaignId(stored.id), stored.body);
            Ok(Known {
                name: tenant_name(tx, tenant)?,
                campaigns: load_all::<CampaignBody>(tx, tenant)?.into_iter().map(campaign).collect(),
                groups: load_all::<CampaignGroupBody>(tx, tenant)?,
                scripts: load_all::<ScriptBody>(tx, tenant)?.into_iter().map(script).collect(),
            })
        })
        .await?;
    // The one is done whatever becomes of the other.
    let fed = feed_groups(app, service, tenant, &known).await;
    check_in(app, service, tenant, &known).await?;
    fed
}

fn asking(app: &App, tenant: TenantId, known: &Known, campaign: CampaignId, group_name: &str) -> Asking {
    Asking {
        messages: Default::default(),
        tenant,
        tenant_name: known.name.clone(),
        campaign,
        campaign_name: known.campaigns.get(&campaign).map(|body| body.name.clone()).unwrap_or_default(),
        group_name: group_name.to_owned(),
        now: app.clock.now(),
    }
}

/// Has the scripts of running groups fetch contacts where few are left. Never two at once for one group.
async fn feed_groups(
    app: &Arc<App>,
    service: &Arc<ScriptService>,
    tenant: TenantId,
    known: &Known,
) -> Result<(), AppError> {
    let hungry = known.groups.iter().filter_map(|group| Some((group, group.body.feed.as_ref()?)));
    let hungry: Vec<_> = hungry.collect();
    if hungry.is_empty() {
        return Ok(());
    }
    // The node that runs a group feeds it.
    let live = app.floor.live(tenant).await?.groups;
    for (group, feed_script) in hungry {
        let (id, campaign) = (GroupId(group.id), group.body.campaign);
        let runs = live.iter().any(|live| live.now.group == id && live.now.state == GroupState::Running);
        let plan = known.scripts.get(&feed_script.script.to_ascii_lowercase());
        let (Some(plan), true) = (plan, runs) else { continue };
        let most = feed_script.fresh_below.max(feed_script.ready_below).max(feed_script.available_below);
        let queue = match app.read(move |tx| Ok(feed::queue(tx, campaign, id, most)?)).await {
            Ok(queue) => queue,
            Err(error) => {
                tracing::warn!(group = %id, %error, "could not tell how many contacts are left; trying again");
                continue;
            }
        };
        let is_low = queue.fresh < u64::from(feed_script.fresh_below)
            || queue.ready < u64::from(feed_script.ready_below)
            || queue.available < u64::from(feed_script.available_below);
        if !is_low || !app.feeding.begin(id) {
            continue;
        }
        let asking = asking(app, tenant, known, campaign, &group.body.name);
        let context = json!({
            "phase": "feed", "campaign": {"id": campaign, "name": asking.campaign_name},
            "group": {"id": id, "name": group.body.name}, "skill": group.body.skill,
            "fresh": queue.fresh, "ready": queue.ready, "available": queue.available,
            "retrieve": feed_script.retrieve, "now": asking.now.to_rfc3339(),
        });
        let (app, service, plan) = (Arc::clone(app), Arc::clone(service), plan.clone());
        tokio::spawn(async move {
            let went_well = service.fetch_contacts(&app.store, &plan, &asking, context).await;
            let after =
                app.read(move |tx| Ok(feed::queue(tx, campaign, id, most)?)).await.unwrap_or_default();
            app.feeding.end(id, went_well && after.available > queue.available);
        });
    }
    Ok(())
}

/// What is looked at of an event.
#[derive(Deserialize)]
struct About {
    contact: ContactId,
    /// Only a plan has it.
    next: Option<PlannedNext>,
}

/// The contact that is not called any more with this event. One that is planned to be called again has an event of its
/// own when that is over, so that each is told of once, however late it is looked at.
fn done_with(event: &Event) -> Option<ContactId> {
    let about: About = match event.kind.as_str() {
        "contact.planned" | "contact.closed" => serde_json::from_str(event.body.get()).ok()?,
        _ => return None,
    };
    matches!(about.next, None | Some(PlannedNext::Final { .. })).then_some(about.contact)
}

/// Tells scripts of contacts that are not called any more.
async fn check_in(
    app: &Arc<App>,
    service: &Arc<ScriptService>,
    tenant: TenantId,
    known: &Known,
) -> Result<(), AppError> {
    let plan_of = |campaign: CampaignId| {
        let name = known.campaigns.get(&campaign)?.scripts.check_in.as_ref()?;
        known.scripts.get(&name.to_ascii_lowercase())
    };
    if !known.campaigns.keys().any(|campaign| plan_of(*campaign).is_some()) {
        return Ok(());
    }
    let node = app.sinks.node;
    for _ in 0..ROUNDS {
        let now = telephony::Clock::now(&telephony::SystemClock);
        let seen = app.write(move |tx| Ok(rows::own_check_in(tx, tenant, node, now, now + OWNED)?)).await?;
        let Some(seen) = seen else { return Ok(()) };
        let (last, contacts) = app
            .read(move |tx| {
                let told = events::read_after(tx, tenant, seen, EVENTS)?;
                let mut contacts: Vec<(i64, Contact)> = Vec::new();
                for event in &told {
                    let Some(contact) = done_with(event) else { continue };
                    let found = contact_rows::get(tx, tenant, contact)?;
                    let is_new = contacts.iter().all(|(_, other)| other.id != contact);
                    let found = found.filter(|found| is_new && found.feed_state == FeedState::Final);
                    contacts.extend(found.map(|found| (event.seq, found)));
                }
                Ok((told.last().map(|event| event.seq), contacts))
            })
            .await?;
        let Some(last) = last else { return Ok(()) };
        let told = contacts.iter().filter_map(|(seq, contact)| {
            let plan = plan_of(contact.campaign)?;
            let asking = asking(app, tenant, known, contact.campaign, "");
            Some(async move { service.check_in(&app.store, plan, &asking, contact, *seq).await })
        });
        join_all(told).await;
        app.write(move |tx| Ok(rows::checked_in_until(tx, tenant, node, last)?)).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use engine::Time;
    use serde_json::value::RawValue;

    use super::*;

    const CONTACT: &str = "00000000-0000-0000-0000-000000000001";

    fn told(kind: &str, next: &str) -> Option<ContactId> {
        let body = format!(
            r#"{{"kind": "{kind}", "attempt": null, "group": "{CONTACT}", "contact": "{CONTACT}"{next}}}"#
        );
        let body = RawValue::from_string(body).unwrap();
        done_with(&Event { seq: 1, at: Time::EPOCH, kind: kind.to_owned(), body })
    }

    #[test]
    fn a_contact_is_checked_in_with_the_event_that_ends_it_and_with_no_other() {
        let contact = Some(ContactId(CONTACT.parse().unwrap()));
        assert_eq!(told("contact.planned", r#", "next": {"final": {"reason": "treated"}}"#), contact);
        assert_eq!(told("contact.closed", r#", "reason": "closed""#), contact);
        let again = r#", "next": {"dial": {"phone": 1, "at": "2026-01-01T00:00:00Z", "callback": false}}"#;
        assert_eq!(told("contact.planned", again), None);
        assert_eq!(told("contact.returned", ""), None);
    }
}
