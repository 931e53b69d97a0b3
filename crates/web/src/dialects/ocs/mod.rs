//! The notifications of Genesys Outbound Contact Server: campaign group status, call reports, processed contacts.
//!
//! Names of attributes are the vendor's; which are present when is what its documentation says
//! (`docs/interfaces/campaign-group-status.md`). Numbers of states, actions, actors, dial modes and call results are the
//! ones that Outdial stores, which are the vendor's own.

mod group;
mod record;
#[cfg(test)]
mod tests;

use app::sinks::Format;
use app::sinks::format::{GroupFacts, Notice};
use engine::settings::OptimizeBy;
use engine::{DialMode, GroupSettings, Time};
use serde_json::{Map, Value, json};

/// What `GSW_TENANT_NAME` says if nothing is configured.
const UNDEFINED: &str = "undefined";
/// `CfgDialMode` of the predictive modes: predictive, predictive with seizing, predictive for voice treatments.
const PREDICTIVE_MODES: [i64; 3] = [1, 5, 10];

/// Tells notices in the vendor's words.
#[derive(Debug)]
pub(crate) struct Ocs;

impl Format for Ocs {
    fn body(&self, notice: &Notice) -> Value {
        let body = match notice {
            Notice::Group(notice) => group::status(notice),
            Notice::AttemptStarted(notice) => record::call_report(notice, record::STARTED),
            Notice::AttemptSettled(notice) => record::call_report(notice, record::FINAL),
            Notice::ContactPlanned(notice) => record::contact_processed(notice),
        };
        Value::Object(body)
    }
}

/// The attributes that every notification begins with.
fn names(facts: &GroupFacts) -> Map<String, Value> {
    let mut body = Map::new();
    body.insert("GSW_TENANT_NAME".into(), json!(facts.tenant_name.as_deref().unwrap_or(UNDEFINED)));
    body.insert("GSW_TENANT_CCID".into(), json!(facts.tenant_id));
    body.insert("GSW_CAMPAIGN_GROUP_NAME".into(), json!(facts.name));
    body.insert("GSW_CAMPAIGN_GROUP_GUID".into(), json!(facts.group.0.simple().to_string()));
    body.insert("GSW_GROUP_NAME".into(), json!(facts.skill));
    for (name, text) in [
        ("GSW_CAMPAIGN_NAME", &facts.campaign),
        ("GSW_CAMPAIGN_TEMPLATE_NAME", &facts.template),
        ("GSW_QUEUE_NAME", &facts.queue),
    ] {
        if let Some(text) = text {
            body.insert(name.into(), json!(text));
        }
    }
    body
}

/// `GSW_DIAL_MODE`, and what a predictive mode optimises.
fn put_dial_mode(body: &mut Map<String, Value>, mode: DialMode, settings: &Value) {
    body.insert("GSW_DIAL_MODE".into(), json!(mode.code()));
    if PREDICTIVE_MODES.contains(&mode.code()) {
        let (by, goal) = optimisation(settings);
        body.insert("GSW_OPTIMIZE_BY".into(), json!(by));
        body.insert("GSW_OPTIMIZE_GOAL".into(), json!(goal));
    }
}

/// `CfgOptimizationMethod` and its goal as a whole number, from a group's settings: (1, busy per cent), (2, the cap on
/// abandoned calls in per cent), (3, seconds that agents wait), (4, seconds that people wait).
fn optimisation(settings: &Value) -> (i64, i64) {
    let Ok(settings) = serde_json::from_value::<GroupSettings>(settings.clone()) else { return (0, 0) };
    let predictive = settings.predictive;
    let (by, goal) = match predictive.optimize_by {
        OptimizeBy::AgentBusyFactor => (1, predictive.goal),
        OptimizeBy::AbandonmentRate => (2, predictive.abandon_cap_percent),
        OptimizeBy::AverageWait => (3, predictive.goal),
        OptimizeBy::AverageDistributionTime => (4, predictive.goal),
    };
    (by, goal.round() as i64)
}

/// `GSW_DATE_TIME`: UTC as seconds since 1970, with milliseconds, as a text.
fn date_time(at: Time) -> String {
    let millis = at.as_micros().div_euclid(1000);
    format!("{}.{:03}", millis.div_euclid(1000), millis.rem_euclid(1000))
}
