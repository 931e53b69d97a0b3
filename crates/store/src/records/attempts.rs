//! The history of attempts, and what came of them.

use std::collections::BTreeMap;
use std::time::Duration;

use engine::change::{Evidence, Heard};
use engine::detection::ScriptSaid;
use engine::settings::CONNECT_WITHIN;
use engine::{
    AgentId, AttemptId, CallResult, CampaignId, ContactId, Detected, DialMode, GroupId, PhoneNumber,
    TenantId, Time, TransferOutcome,
};

use super::page::{Page, Rows, Select};
use super::{corrupt, debug_showing};
use crate::{Row, StoreError, Tx, Value, values};

/// How far an attempt is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AttemptState {
    /// Decided on; its call may be up.
    Open,
    /// Its call is over, its contact has no plan yet.
    Ended,
    /// Done with.
    Settled,
}

impl AttemptState {
    /// The number stored for it.
    pub fn code(self) -> i64 {
        match self {
            Self::Open => 0,
            Self::Ended => 1,
            Self::Settled => 2,
        }
    }

    /// From the stored number.
    pub fn from_code(code: i64) -> Option<Self> {
        [Self::Open, Self::Ended, Self::Settled].into_iter().find(|state| state.code() == code)
    }
}

/// One dial of one phone.
#[derive(Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Which.
    pub id: AttemptId,
    /// Whose.
    pub tenant: TenantId,
    /// For which campaign.
    pub campaign: CampaignId,
    /// For which group.
    pub group: GroupId,
    /// Who was called.
    pub contact: ContactId,
    /// On which of their numbers, by its position.
    pub phone: u8,
    /// The number itself.
    pub number: PhoneNumber,
    /// Which attempt on the contact it was, from 1.
    pub attempt_number: u16,
    /// How the group dialled.
    pub dial_mode: DialMode,
    /// The number shown.
    pub caller_id: Option<PhoneNumber>,
    /// The agent it was for, or who was connected.
    pub agent: Option<AgentId>,
    /// How far it is.
    pub state: AttemptState,
    /// When it was decided.
    pub started_at: Time,
    /// When it began to ring.
    pub ringing_at: Option<Time>,
    /// When it was picked up.
    pub answered_at: Option<Time>,
    /// When the agent was connected.
    pub connected_at: Option<Time>,
    /// When the call was over.
    pub ended_at: Option<Time>,
    /// When the contact had its plan.
    pub settled_at: Option<Time>,
    /// How it ended.
    pub result: Option<CallResult>,
    /// What the agent said it was.
    pub disposition: Option<String>,
    /// The agent's notes.
    pub notes: Option<String>,
    /// Who picked up and what they heard.
    pub evidence: Evidence,
    /// What became of the call after its agent left it to somebody else, and when that was known.
    pub transfer: Option<(TransferOutcome, Time)>,
}

debug_showing!(Attempt: id, tenant, campaign, group, contact, phone, number, state, started_at, result);

/// Which attempts are wanted; what is not given does not matter.
#[derive(Clone, Copy, Debug, Default)]
pub struct AttemptFilter {
    /// Of this campaign.
    pub campaign: Option<CampaignId>,
    /// Of this group.
    pub group: Option<GroupId>,
    /// On this contact.
    pub contact: Option<ContactId>,
    /// Of this agent.
    pub agent: Option<AgentId>,
    /// Started at this instant or later.
    pub since: Option<Time>,
    /// Started before this instant.
    pub until: Option<Time>,
    /// That ended like this.
    pub result: Option<CallResult>,
}

/// Where an attempt stands in the history.
pub type AttemptCursor = (Time, AttemptId);

const COLUMNS: &str = "SELECT id, tenant_id, campaign_id, group_id, contact_id, phone, number, attempt_number,
    dial_mode, caller_id, agent_id, state, started_at, ringing_at, answered_at, connected_at, ended_at, settled_at,
    result, disposition, notes, detected, detected_at, message, message_at, message_ended_at,
    script_said, script_said_at, script_message, transfer, transfer_at FROM attempt";

fn read(row: &Row) -> Result<Attempt, StoreError> {
    let result: Option<i64> = row.get(18)?;
    let transfer = read_code(row.get(29)?, TransferOutcome::from_code, "attempt.transfer")?;
    Ok(Attempt {
        id: row.get(0)?,
        tenant: row.get(1)?,
        campaign: row.get(2)?,
        group: row.get(3)?,
        contact: row.get(4)?,
        phone: row.get(5)?,
        number: row.get(6)?,
        attempt_number: row.get(7)?,
        dial_mode: DialMode::from_code(row.get(8)?).ok_or_else(|| corrupt("attempt.dial_mode"))?,
        caller_id: row.get(9)?,
        agent: row.get(10)?,
        state: AttemptState::from_code(row.get(11)?).ok_or_else(|| corrupt("attempt.state"))?,
        started_at: row.get(12)?,
        ringing_at: row.get(13)?,
        answered_at: row.get(14)?,
        connected_at: row.get(15)?,
        ended_at: row.get(16)?,
        settled_at: row.get(17)?,
        result: result.map(read_result).transpose()?,
        disposition: row.get(19)?,
        notes: row.get(20)?,
        evidence: Evidence {
            detected: read_code(row.get(21)?, Detected::from_code, "attempt.detected")?,
            detected_at: row.get(22)?,
            message: read_code(row.get(23)?, Heard::from_code, "attempt.message")?,
            message_at: row.get(24)?,
            message_ended_at: row.get(25)?,
            script: read_code(row.get(26)?, ScriptSaid::from_code, "attempt.script_said")?,
            script_at: row.get(27)?,
            script_message: row.get(28)?,
        },
        transfer: transfer.zip(row.get(30)?),
    })
}

fn read_code<T>(
    code: Option<i64>,
    from: fn(i64) -> Option<T>,
    what: &'static str,
) -> Result<Option<T>, StoreError> {
    code.map(|code| from(code).ok_or_else(|| corrupt(what))).transpose()
}

fn read_result(code: i64) -> Result<CallResult, StoreError> {
    CallResult::from_code(code).ok_or_else(|| corrupt("attempt.result"))
}

/// The attempt with this id.
///
/// # Errors
/// The database failed.
pub fn get(tx: &mut Tx<'_>, tenant: TenantId, attempt: AttemptId) -> Result<Option<Attempt>, StoreError> {
    let sql = format!("{COLUMNS} WHERE tenant_id = $1 AND id = $2");
    tx.query_one(&sql, &values![tenant, attempt])?.as_ref().map(read).transpose()
}

/// The tenant's attempts, the newest first.
///
/// # Errors
/// The database failed.
pub fn page(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    filter: &AttemptFilter,
    page: &Page<AttemptCursor>,
) -> Result<Rows<Attempt, AttemptCursor>, StoreError> {
    let mut select = Select::new(format!("{COLUMNS} WHERE tenant_id = $1"), values![tenant])
        .and_if("campaign_id = ?", filter.campaign)
        .and_if("group_id = ?", filter.group)
        .and_if("contact_id = ?", filter.contact)
        .and_if("agent_id = ?", filter.agent)
        .and_if("started_at >= ?", filter.since)
        .and_if("started_at < ?", filter.until)
        .and_if("result = ?", filter.result.map(CallResult::code));
    if let Some((started_at, id)) = page.after {
        select = select.and("(started_at, id) < (?, ?)", [started_at.into(), id.into()]);
    }
    select.page(tx, "started_at DESC, id DESC", page, read, |attempt| (attempt.started_at, attempt.id))
}

/// What came of a group's attempts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupResults {
    /// Attempts that have ended, by how.
    pub by_result: BTreeMap<CallResult, u64>,
    /// Attempts that have not ended.
    pub open: u64,
    /// Of those that ended by the key to be called no more: all, and those who heard that no agent is free.
    pub opted_out: (u64, u64),
    /// Attempts that have ended and that an agent was connected with.
    pub connected: u64,
    /// Of those, with a person who had waited for longer than the law lets them
    /// ([`connected_late`](engine::change::AttemptEnded::connected_late)).
    pub connected_late: u64,
    /// Time that agents were connected with called parties.
    pub talk_time: Duration,
}

impl GroupResults {
    /// All attempts, open ones too.
    pub fn attempts(&self) -> u64 {
        self.open + self.by_result.values().sum::<u64>()
    }

    /// Attempts that a person answered: the denominator of the abandonment rate.
    pub fn answered_by_person(&self) -> u64 {
        self.count(CallResult::answered_by_person) + self.opted_out.0
    }

    /// Attempts that a person answered and no agent took in time: the numerator of the abandonment rate.
    pub fn abandoned(&self) -> u64 {
        self.count(CallResult::is_abandonment) + self.opted_out.1 + self.connected_late
    }

    fn count(&self, counts: fn(CallResult) -> bool) -> u64 {
        self.by_result.iter().filter(|(result, _)| counts(**result)).map(|(_, count)| count).sum()
    }
}

/// What came of the attempts that a group has started since an instant. It reads all of them.
///
/// # Errors
/// The database failed.
pub fn results_of_group(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    group: GroupId,
    since: Time,
) -> Result<GroupResults, StoreError> {
    // See `AttemptEnded::connected_late`.
    let answered_by_person = CallResult::ALL.iter().copied().filter(|result| result.answered_by_person());
    // PostgreSQL's sum of BIGINT is NUMERIC.
    let rows = tx.query(
        "SELECT result, COUNT(*),
             CAST(COALESCE(SUM(CASE WHEN ended_at > connected_at THEN ended_at - connected_at END), 0) AS BIGINT),
             COUNT(opted_out), CAST(COALESCE(SUM(opted_out), 0) AS BIGINT), COUNT(connected_at),
             SUM(CASE WHEN connected_at - COALESCE(detected_at, answered_at) > $4 AND COALESCE(message, -1) <> $5
                           AND result = ANY($6) THEN 1 ELSE 0 END)
         FROM attempt WHERE tenant_id = $1 AND group_id = $2 AND started_at >= $3 GROUP BY result",
        &[
            tenant.into(),
            group.into(),
            since.into(),
            (CONNECT_WITHIN.as_micros() as i64).into(),
            Heard::Campaign.code().into(),
            Value::integers(answered_by_person.map(CallResult::code)),
        ],
    )?;
    let mut results = GroupResults::default();
    for row in &rows {
        let count = u64::try_from(row.get::<i64>(1)?).map_err(|_| corrupt("attempt count"))?;
        match row.get::<Option<i64>>(0)? {
            Some(code) => {
                results.by_result.insert(read_result(code)?, count);
            }
            None => results.open += count,
        }
        let talk_micros = u64::try_from(row.get::<i64>(2)?).map_err(|_| corrupt("attempt talk time"))?;
        results.talk_time += Duration::from_micros(talk_micros);
        results.connected += row.get::<u64>(5)?;
        results.connected_late += row.get::<u64>(6)?;
        let (all, unheard): (u64, u64) = (row.get(3)?, row.get(4)?);
        results.opted_out = (results.opted_out.0 + all, results.opted_out.1 + unheard);
    }
    Ok(results)
}

/// What a settled attempt was like, for learning from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordedCall {
    /// When it began.
    pub started_at: Time,
    /// How it ended.
    pub result: CallResult,
    /// When it was picked up.
    pub answered_at: Option<Time>,
    /// When the agent was connected.
    pub connected_at: Option<Time>,
    /// When the call was over.
    pub ended_at: Time,
    /// When the agent was done with it.
    pub settled_at: Time,
}

/// The latest settled attempts of a campaign, at most `limit`, the newest first.
///
/// # Errors
/// The database failed.
pub fn recorded(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    campaign: CampaignId,
    limit: u32,
) -> Result<Vec<RecordedCall>, StoreError> {
    let rows = tx.query(
        "SELECT started_at, result, answered_at, connected_at, ended_at, settled_at FROM attempt
         WHERE tenant_id = $1 AND campaign_id = $2 AND state = 2 ORDER BY started_at DESC LIMIT $3",
        &values![tenant, campaign, limit],
    )?;
    rows.iter()
        .map(|row| {
            Ok(RecordedCall {
                started_at: row.get(0)?,
                result: read_result(row.get(1)?)?,
                answered_at: row.get(2)?,
                connected_at: row.get(3)?,
                ended_at: row.get(4)?,
                settled_at: row.get(5)?,
            })
        })
        .collect()
}
