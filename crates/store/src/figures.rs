//! Figures of campaign groups over a span of time, worked out from what is stored, so that they are the same on every
//! node and after every restart.

use std::collections::HashMap;
use std::time::Duration;

use engine::{
    AgentId, AgentState, CallResult, CampaignId, DialMode, GroupId, GroupState, SourceId, TenantId, Time,
};

use crate::{StoreError, Tx, Value, values};

/// Calls that began so long before a span are still looked at: longer than a call with its wrap-up lasts.
const LONGEST_CALL: Duration = Duration::from_secs(2 * 3600);

/// A campaign group that is loaded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LoadedGroup {
    /// Which.
    pub group: GroupId,
    /// Its campaign.
    pub campaign: CampaignId,
    /// Where it is in its life.
    pub state: GroupState,
    /// How it dials.
    pub dial_mode: Option<DialMode>,
    /// The number of what was last asked of it ([`engine::GroupAction::code`]).
    pub last_action: Option<i64>,
    /// The number of who asked ([`engine::Actor::code`]).
    pub last_actor: Option<i64>,
}

/// What came of a group's calls to the contacts of one source in a span.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CallFigures {
    /// The group that called.
    pub group: GroupId,
    /// The source of those called.
    pub source: SourceId,
    /// Attempts that ended.
    pub ended: u64,
    /// Of those, answered by a person.
    pub answered: u64,
    /// Of those, without an agent.
    pub abandoned: u64,
    /// Contacts that were done with.
    pub finished: u64,
}

/// The groups of a tenant that are loaded.
///
/// # Errors
/// Those of the database.
pub fn loaded_groups(tx: &mut Tx<'_>, tenant: TenantId) -> Result<Vec<LoadedGroup>, StoreError> {
    let rows = tx.query(
        "SELECT group_id, campaign_id, state, dial_mode, last_action, last_actor FROM group_runtime
         WHERE tenant_id = $1 AND state <> 0 ORDER BY group_id",
        &values![tenant],
    )?;
    rows.iter()
        .map(|row| {
            let state = GroupState::from_code(row.get(2)?)
                .ok_or_else(|| StoreError::corrupt("a campaign group's state is not known"))?;
            let dial_mode = row.get::<Option<i64>>(3)?.and_then(DialMode::from_code);
            let (last_action, last_actor) = (row.get(4)?, row.get(5)?);
            let (group, campaign) = (row.get(0)?, row.get(1)?);
            Ok(LoadedGroup { group, campaign, state, dial_mode, last_action, last_actor })
        })
        .collect()
}

/// What came of a campaign's calls from `from` to `until`, by group and source. Its cost grows with the calls in that
/// span and not with the list.
///
/// # Errors
/// Those of the database.
pub fn calls(
    tx: &mut Tx<'_>,
    campaign: CampaignId,
    from: Time,
    until: Time,
) -> Result<Vec<CallFigures>, StoreError> {
    let codes = |wanted: fn(CallResult) -> bool| {
        let results = CallResult::ALL.iter().copied().filter(move |result| wanted(*result));
        Value::integers(results.map(CallResult::code))
    };
    let rows = tx.query(
        "SELECT a.group_id, c.source_id,
                SUM(CASE WHEN a.ended_at >= $3 AND a.ended_at <= $4 THEN 1 ELSE 0 END),
                SUM(CASE WHEN a.ended_at >= $3 AND a.ended_at <= $4
                              AND (a.result = ANY($5) OR a.opted_out IS NOT NULL) THEN 1 ELSE 0 END),
                SUM(CASE WHEN a.ended_at >= $3 AND a.ended_at <= $4
                              AND (a.result = ANY($6) OR a.opted_out = 1) THEN 1 ELSE 0 END),
                SUM(CASE WHEN a.settled_at >= $3 AND a.settled_at <= $4 AND c.feed_state = 3
                              AND a.attempt_number = c.attempts THEN 1 ELSE 0 END)
         FROM attempt a JOIN contact c ON c.id = a.contact_id
         WHERE a.campaign_id = $1 AND a.started_at >= $2
         GROUP BY a.group_id, c.source_id ORDER BY a.group_id, c.source_id",
        &[
            campaign.into(),
            (from - LONGEST_CALL).into(),
            from.into(),
            until.into(),
            codes(CallResult::answered_by_person),
            codes(CallResult::is_abandonment),
        ],
    )?;
    rows.iter()
        .map(|row| {
            Ok(CallFigures {
                group: row.get(0)?,
                source: row.get(1)?,
                ended: row.get(2)?,
                answered: row.get(3)?,
                abandoned: row.get(4)?,
                finished: row.get(5)?,
            })
        })
        .collect()
}

/// How many contacts of each source of a campaign are not done with. It looks at every one of them.
///
/// # Errors
/// Those of the database.
pub fn left(tx: &mut Tx<'_>, campaign: CampaignId) -> Result<Vec<(SourceId, u64)>, StoreError> {
    let rows = tx.query(
        "SELECT source_id, COUNT(*) FROM contact WHERE campaign_id = $1 AND feed_state < 3
         GROUP BY source_id ORDER BY source_id",
        &values![campaign],
    )?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// How long agents were there for calls, and how long they were on one or finishing it: `(busy, at work)`, all agents
/// together.
///
/// It looks at those of `agents` who are at work at present, each from when they came (or from `from`) until `until`.
///
/// # Errors
/// Those of the database.
pub fn busy(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    agents: &[AgentId],
    from: Time,
    until: Time,
) -> Result<(Duration, Duration), StoreError> {
    let ids = Value::uuids(agents.iter().map(|agent| agent.0));
    let working = tx.query(
        "SELECT agent_id, state, changed_at, at_work_since FROM agent_runtime
         WHERE tenant_id = $1 AND at_work_since IS NOT NULL AND agent_id = ANY($2)",
        &[tenant.into(), ids.clone()],
    )?;
    let calls = tx.query(
        "SELECT agent_id, connected_at, settled_at FROM attempt
         WHERE tenant_id = $1 AND started_at >= $2 AND connected_at IS NOT NULL AND agent_id = ANY($3)",
        &[tenant.into(), (from - LONGEST_CALL).into(), ids],
    )?;
    let mut calls_of: HashMap<AgentId, Vec<(Time, Option<Time>)>> = HashMap::new();
    for row in &calls {
        calls_of.entry(row.get(0)?).or_default().push((row.get(1)?, row.get(2)?));
    }
    let (mut busy, mut at_work) = (Duration::ZERO, Duration::ZERO);
    for row in &working {
        let (agent, state): (AgentId, i64) = (row.get(0)?, row.get(1)?);
        let (changed_at, since): (Time, Time) = (row.get(2)?, row.get(3)?);
        let since = since.max(from);
        at_work += until.since(since);
        for (connected_at, settled_at) in calls_of.remove(&agent).unwrap_or_default() {
            busy += settled_at.unwrap_or(until).min(until).since(connected_at.max(since));
        }
        // A call under way has no end yet, and says when it was connected only when it has one.
        if state == AgentState::OnCall.code() {
            busy += until.since(changed_at.max(since));
        }
    }
    Ok((busy.min(at_work), at_work))
}
