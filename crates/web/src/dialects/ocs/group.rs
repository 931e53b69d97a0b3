//! Campaign group status reporting.

use app::sinks::format::GroupNotice;
use engine::{GroupAction, GroupState};
use serde_json::{Map, Value, json};

use super::{date_time, names, put_dial_mode};

/// `CMMessageType` of an action that nobody knows: `CM_UnknownMessage`.
const UNKNOWN_MESSAGE: i64 = 5;

/// The body of a change of state, and of the periodic message.
pub(super) fn status(notice: &GroupNotice) -> Map<String, Value> {
    let mut body = names(&notice.facts);
    // "Defined only for running Campaign Groups".
    if let (GroupState::Running, Some(mode)) = (notice.state, notice.dial_mode) {
        put_dial_mode(&mut body, mode, &notice.facts.settings);
    }
    body.insert("GSW_CAMPAIGN_GROUP_STATE".into(), json!(notice.state.code()));
    body.insert("GSW_CAMPAIGN_GROUP_ACTION".into(), json!(action(notice.action)));
    body.insert("GSW_CAMPAIGN_GROUP_ACTOR".into(), json!(notice.actor));
    body.insert("GSW_DATE_TIME".into(), json!(date_time(notice.at)));
    let statistics = &notice.statistics;
    body.insert("GSW_STAT_BUSY_FACTOR".into(), json!(statistics.busy_factor));
    body.insert("GSW_STAT_OVERDIAL_RATE".into(), json!(statistics.overdial_rate));
    body.insert("GSW_STAT_HIT_RATIO".into(), json!(statistics.hit_ratio));
    body.insert("GSW_STAT_TIME_TO_COMPLETE".into(), json!(statistics.time_to_complete_seconds));
    let lists = statistics.sources.iter().map(|source| {
        json!({
            "GSW_CALLING_LIST": source.source,
            "GSW_STAT_HIT_RATIO": source.hit_ratio,
            "GSW_STAT_TIME_TO_COMPLETE": source.time_to_complete_seconds,
        })
    });
    body.insert("GSW_CALLING_LISTS".into(), lists.collect());
    body
}

/// The table of the vendor names five actions; an unload at once is an unload.
fn action(code: Option<i64>) -> i64 {
    match code {
        Some(code) if code == GroupAction::ForceUnload.code() => GroupAction::Unload.code(),
        Some(code) => code,
        None => UNKNOWN_MESSAGE,
    }
}
