//! Stores what the engine decided, with the events that tell of it.

use std::borrow::Cow;
use std::collections::BTreeSet;

use engine::change::{
    AgentChanged, AttemptEnded, AttemptStarted, ContactPlanned, ContactReturned, GroupChanged, Heard, OptOut,
    PlannedNext, RecordingStarted, TransferEnded,
};
use engine::detection::ScriptSaid;
use engine::{BucketId, CampaignId, Change, ChangeSet, ContactId, Detected, GroupId, TenantId, Time};

use crate::abandonment;
use crate::callbacks::{self, CallbackChange};
use crate::events::{self, NewEvent};
use crate::{StoreError, Tx, Value, lease, values};

/// A group that the caller holds the lease of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HeldGroup {
    /// The group.
    pub group: GroupId,
    /// The epoch of the lease.
    pub epoch: i64,
    /// The group's campaign.
    pub campaign: CampaignId,
}

/// Stores change sets and appends one event for each change, all or nothing.
///
/// After [`StoreError::CommitUnknown`] the same sets must not be applied again: the holder gives its groups up and
/// acquires them anew, which begins with what is stored.
///
/// # Errors
/// - [`StoreError::Fenced`]: a group that a change is about is not held under the epoch given.
/// - [`StoreError::NotClaimed`]: an attempt on a contact that is not in the group's hopper.
/// - [`StoreError::Conflict`]: an attempt on a contact that has an unsettled one (`attempt_contact_id_key`).
/// - [`StoreError::Corrupt`]: an attempt ends or is settled that is not under way, or a contact is planned that the
///   group does not have.
pub fn apply(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    held: &[HeldGroup],
    sets: &[ChangeSet],
) -> Result<(), StoreError> {
    let changes: Vec<(Time, &Change)> =
        sets.iter().flat_map(|set| set.changes.iter().map(|change| (set.at, change))).collect();
    let involved: BTreeSet<GroupId> = changes.iter().filter_map(|(_, change)| change.group()).collect();
    let mut leases = Vec::with_capacity(involved.len());
    for group in involved {
        let lease = held.iter().find(|it| it.group == group).ok_or(StoreError::Fenced { group })?;
        leases.push((group, lease.epoch));
    }
    if !leases.is_empty() {
        let will_change = changes.iter().any(|(_, change)| matches!(change, Change::GroupChanged(_)));
        lease::check(tx, &leases, will_change)?;
    }
    write(tx, tenant, held, &changes)
}

/// Writes changes of groups whose leases have been checked, and their events.
///
/// Statements of a kind are run together, which lets PostgreSQL take them in one go. The order between kinds is the
/// one in which things happen to a contact while it is claimed; after its claim ends, nothing more can happen to it
/// in the same sets.
pub(crate) fn write(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    held: &[HeldGroup],
    changes: &[(Time, &Change)],
) -> Result<(), StoreError> {
    let mut kinds = Kinds::default();
    let mut told = Vec::with_capacity(changes.len());
    let mut written: Vec<(Time, Cow<'_, Change>)> = Vec::with_capacity(changes.len());
    for (at, change) in changes {
        let mut event = NewEvent::new(*at, change.kind(), change)?;
        let mut change = Cow::Borrowed(*change);
        if event.body.contains(NUL_IN_JSON) {
            change = Cow::Owned(storable(change.into_owned()));
            event = NewEvent::new(*at, change.kind(), change.as_ref())?;
        }
        told.push(event);
        written.push((*at, change));
    }
    for (at, change) in &written {
        kinds.add(*at, change);
    }
    start_attempts(tx, tenant, held, &kinds.started)?;
    end_attempts(tx, &kinds.ended)?;
    end_transfers(tx, tenant, &kinds.transfers)?;
    abandonment::count(tx, held, &kinds.ended)?;
    plan_contacts(tx, tenant, held, &kinds.planned)?;
    return_contacts(tx, &kinds.returned)?;
    callbacks::apply(tx, tenant, held, &kinds.callbacks)?;
    start_recordings(tx, tenant, held, &kinds.recordings)?;
    change_groups(tx, &kinds.groups)?;
    change_agents(tx, tenant, &kinds.agents)?;
    events::append(tx, tenant, &told)
}

/// How a text of an event's body has the character NUL.
const NUL_IN_JSON: &str = "\\u0000";

/// The change with U+FFFD for NUL, which PostgreSQL has in no text: it would refuse the whole transaction, and with it
/// the calls of everybody who has a part in it.
fn storable(mut change: Change) -> Change {
    let texts = match &mut change {
        Change::ContactPlanned(change) => [change.disposition.as_mut(), change.notes.as_mut()],
        Change::ContactReturned(change) => {
            [change.rejected.as_mut().and_then(|rejected| rejected.reason.as_mut()), None]
        }
        Change::CallbackMade(change) => [change.notes.as_mut(), None],
        Change::CallbackMoved(change) => [change.reason.as_mut(), None],
        Change::RecordingStarted(change) => [Some(&mut change.name), None],
        Change::AgentChanged(change) => [change.reason.as_mut(), None],
        Change::AttemptStarted(_)
        | Change::AttemptEnded(_)
        | Change::GroupChanged(_)
        | Change::TransferEnded(_) => [None, None],
    };
    for text in texts.into_iter().flatten() {
        *text = crate::without_nul(text);
    }
    change
}

#[derive(Default)]
struct Kinds<'a> {
    started: Vec<&'a AttemptStarted>,
    ended: Vec<&'a AttemptEnded>,
    planned: Vec<&'a ContactPlanned>,
    returned: Vec<(Time, &'a ContactReturned)>,
    callbacks: Vec<CallbackChange<'a>>,
    recordings: Vec<&'a RecordingStarted>,
    groups: Vec<&'a GroupChanged>,
    transfers: Vec<&'a TransferEnded>,
    agents: Vec<&'a AgentChanged>,
}

impl<'a> Kinds<'a> {
    fn add(&mut self, at: Time, change: &'a Change) {
        match change {
            Change::AttemptStarted(change) => self.started.push(change),
            Change::AttemptEnded(change) => self.ended.push(change),
            Change::ContactPlanned(change) => self.planned.push(change),
            Change::ContactReturned(change) => self.returned.push((at, change)),
            Change::CallbackMade(change) => self.callbacks.push(CallbackChange::Made(change)),
            Change::CallbackMoved(change) => self.callbacks.push(CallbackChange::Moved(change)),
            Change::RecordingStarted(change) => self.recordings.push(change),
            Change::GroupChanged(change) => self.groups.push(change),
            Change::TransferEnded(change) => self.transfers.push(change),
            Change::AgentChanged(change) => self.agents.push(change),
        }
    }
}

pub(crate) fn held_group(held: &[HeldGroup], group: GroupId) -> Result<HeldGroup, StoreError> {
    held.iter().find(|it| it.group == group).copied().ok_or(StoreError::Fenced { group })
}

fn start_attempts(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    held: &[HeldGroup],
    started: &[&AttemptStarted],
) -> Result<(), StoreError> {
    if started.is_empty() {
        return Ok(());
    }
    let claims = tx.query(
        "SELECT id, claimed_by, claim_epoch FROM contact WHERE id = ANY($1) AND feed_state = 2",
        &[Value::uuids(started.iter().map(|it| it.contact.0))],
    )?;
    let claims = claims
        .iter()
        .map(|row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))
        .collect::<Result<std::collections::HashMap<ContactId, (GroupId, i64)>, StoreError>>()?;
    let mut rows = Vec::with_capacity(started.len());
    for it in started {
        let group = held_group(held, it.group)?;
        if claims.get(&it.contact) != Some(&(group.group, group.epoch)) {
            return Err(StoreError::NotClaimed { contact: it.contact });
        }
        rows.push(values![
            it.attempt,
            tenant,
            group.campaign,
            it.group,
            it.contact,
            it.phone,
            it.number,
            it.attempt_number,
            it.dial_mode.code(),
            it.caller_id,
            it.agent,
            group.epoch,
            0,
            it.at,
        ]);
    }
    let columns = [
        "id",
        "tenant_id",
        "campaign_id",
        "group_id",
        "contact_id",
        "phone",
        "number",
        "attempt_number",
        "dial_mode",
        "caller_id",
        "agent_id",
        "epoch",
        "state",
        "started_at",
    ];
    tx.insert_rows("attempt", &columns, &rows)?;
    Ok(())
}

fn end_attempts(tx: &mut Tx<'_>, ended: &[&AttemptEnded]) -> Result<(), StoreError> {
    let sets = ended.iter().map(|it| {
        values![
            it.attempt,
            it.result.code(),
            it.agent,
            it.ringing_at,
            it.answered_at,
            it.connected_at,
            it.at,
            it.group,
            it.evidence.detected.map(Detected::code),
            it.evidence.detected_at,
            it.evidence.message.map(Heard::code),
            it.evidence.message_at,
            it.evidence.message_ended_at,
            it.opted_out.map(OptOut::code),
            it.evidence.script.map(ScriptSaid::code),
            it.evidence.script_at,
            it.evidence.script_message
        ]
    });
    let counts = tx.execute_each(
        "UPDATE attempt SET state = 1, result = $2, agent_id = COALESCE($3, agent_id), ringing_at = $4,
                            answered_at = $5, connected_at = $6, ended_at = $7, detected = $9, detected_at = $10,
                            message = $11, message_at = $12, message_ended_at = $13, opted_out = $14,
                            script_said = $15, script_said_at = $16, script_message = $17
         WHERE id = $1 AND group_id = $8 AND state = 0",
        &sets.collect::<Vec<_>>(),
    )?;
    match counts.iter().zip(ended).find(|(count, _)| **count != 1) {
        Some((_, it)) => Err(StoreError::corrupt(format!("attempt {} ends but is not open", it.attempt))),
        None => Ok(()),
    }
}

/// What is known first stays.
fn end_transfers(tx: &mut Tx<'_>, tenant: TenantId, ended: &[&TransferEnded]) -> Result<(), StoreError> {
    let sets = ended.iter().map(|it| values![it.attempt, tenant, it.outcome.code(), it.at]);
    tx.execute_many(
        "UPDATE attempt SET transfer = $3, transfer_at = $4
         WHERE id = $1 AND tenant_id = $2 AND transfer IS NULL",
        &sets.collect::<Vec<_>>(),
    )?;
    Ok(())
}

fn plan_contacts(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    held: &[HeldGroup],
    planned: &[&ContactPlanned],
) -> Result<(), StoreError> {
    if planned.is_empty() {
        return Ok(());
    }
    settle_attempts(tx, planned)?;
    // First the numbers: a plan's bucket may be read from them.
    let phones = planned
        .iter()
        .map(|it| values![it.contact, it.phone, it.phone_status.code(), i64::from(it.attempt.is_some())]);
    // A status that somebody else set meanwhile is not undone by "still active".
    tx.execute_many(
        "UPDATE phone SET status = CASE WHEN $3 = 0 THEN status ELSE $3 END, attempts = attempts + $4
         WHERE contact_id = $1 AND position = $2",
        &phones.collect::<Vec<_>>(),
    )?;
    let left = dial_again(tx, planned)?;
    finish(tx, planned, left)?;
    register_buckets(tx, held, planned)?;
    suppress(tx, tenant, held, planned)
}

fn settle_attempts(tx: &mut Tx<'_>, planned: &[&ContactPlanned]) -> Result<(), StoreError> {
    let settled: Vec<_> = planned.iter().filter_map(|it| it.attempt.map(|attempt| (attempt, it))).collect();
    let sets = settled.iter().map(|(attempt, it)| {
        let result = it.result.map(engine::CallResult::code);
        values![*attempt, it.disposition.as_ref(), it.notes.as_ref(), it.at, result, it.group]
    });
    let counts = tx.execute_each(
        "UPDATE attempt SET state = 2, disposition = $2, notes = $3, settled_at = $4, result = COALESCE(result, $5),
                            ended_at = COALESCE(ended_at, $4)
         WHERE id = $1 AND group_id = $6 AND state < 2",
        &sets.collect::<Vec<_>>(),
    )?;
    match counts.iter().zip(&settled).find(|(count, _)| **count != 1) {
        Some((_, (attempt, _))) => {
            Err(StoreError::corrupt(format!("attempt {attempt} is settled but is not under way")))
        }
        None => Ok(()),
    }
}

/// What a plan says about the last attempt: `$3` to `$6` of the statements below.
fn history(it: &ContactPlanned) -> [Value; 4] {
    let result = it.result.map(engine::CallResult::code);
    values![i64::from(it.attempt.is_some()), result, it.result_in_a_row, it.at]
}

/// Sets those that are dialled again; gives those that are not in the group's hopper any more.
fn dial_again<'a>(
    tx: &mut Tx<'_>,
    planned: &[&'a ContactPlanned],
) -> Result<Vec<&'a ContactPlanned>, StoreError> {
    let mut dialled = Vec::new();
    let mut sets: Vec<Vec<Value>> = Vec::new();
    for it in planned {
        let PlannedNext::Dial { phone, bucket, at, rank, callback } = &it.next else { continue };
        let mut set = values![it.contact, it.group].to_vec();
        set.extend(history(it));
        set.extend(values![i64::from(*at <= it.at), *at, *phone, *bucket, *rank, *callback, it.attempt]);
        dialled.push(*it);
        sets.push(set);
    }
    let counts = tx.execute_each(
        "UPDATE contact SET attempts = attempts + $3,
                last_result = CASE WHEN $3 = 1 THEN $4 ELSE last_result END,
                last_result_in_a_row = CASE WHEN $3 = 1 THEN $5 ELSE last_result_in_a_row END,
                last_attempt_at = CASE WHEN $3 = 1 THEN $6 ELSE last_attempt_at END,
                feed_state = $7, next_at = $8, next_phone = $9,
                bucket_id = COALESCE($10, (SELECT p.bucket_id FROM phone p
                                           WHERE p.contact_id = contact.id AND p.position = $9), bucket_id),
                rank = COALESCE($11, rank), is_callback = $12, claimed_by = NULL, claim_epoch = NULL,
                last_caller_id = COALESCE((SELECT a.caller_id FROM attempt a WHERE a.id = $13), last_caller_id)
         WHERE id = $1 AND claimed_by = $2 AND feed_state = 2",
        &sets,
    )?;
    Ok(counts.iter().zip(dialled).filter(|(count, _)| **count == 0).map(|(_, it)| it).collect())
}

/// Sets those that are done. `left` are those that were to be dialled again but were closed by a user meanwhile:
/// they stay closed, and only what the attempt brought is noted.
fn finish(
    tx: &mut Tx<'_>,
    planned: &[&ContactPlanned],
    left: Vec<&ContactPlanned>,
) -> Result<(), StoreError> {
    let finals: Vec<_> = planned
        .iter()
        .filter_map(|it| match it.next {
            PlannedNext::Final { reason } => Some((*it, Some(reason.code()))),
            PlannedNext::Dial { .. } => None,
        })
        .chain(left.into_iter().map(|it| (it, None)))
        .collect();
    let sets = finals.iter().map(|(it, reason)| {
        let mut set = values![it.contact, it.group].to_vec();
        set.extend(history(it));
        set.extend(values![*reason]);
        set
    });
    let counts = tx.execute_each(
        "UPDATE contact SET attempts = attempts + $3,
                last_result = CASE WHEN $3 = 1 THEN $4 ELSE last_result END,
                last_result_in_a_row = CASE WHEN $3 = 1 THEN $5 ELSE last_result_in_a_row END,
                last_attempt_at = CASE WHEN $3 = 1 THEN $6 ELSE last_attempt_at END,
                feed_state = 3, final_reason = COALESCE(final_reason, $7), claimed_by = NULL, claim_epoch = NULL
         WHERE id = $1 AND (feed_state = 3 OR (claimed_by = $2 AND feed_state = 2 AND CAST($7 AS SMALLINT) IS NOT NULL))",
        &sets.collect::<Vec<_>>(),
    )?;
    match counts.iter().zip(&finals).find(|(count, _)| **count != 1) {
        Some((_, (it, _))) => Err(StoreError::NotClaimed { contact: it.contact }),
        None => Ok(()),
    }
}

fn register_buckets(
    tx: &mut Tx<'_>,
    held: &[HeldGroup],
    planned: &[&ContactPlanned],
) -> Result<(), StoreError> {
    let mut used: BTreeSet<(CampaignId, BucketId)> = BTreeSet::new();
    for it in planned {
        if let PlannedNext::Dial { bucket: Some(bucket), .. } = it.next {
            used.insert((held_group(held, it.group)?.campaign, bucket));
        }
    }
    register(tx, used)
}

/// Notes that campaigns have contacts under these buckets.
pub(crate) fn register(
    tx: &mut Tx<'_>,
    used: impl IntoIterator<Item = (CampaignId, BucketId)>,
) -> Result<(), StoreError> {
    let sets: Vec<_> = used.into_iter().map(|(campaign, bucket)| values![campaign, bucket]).collect();
    tx.execute_many(
        "INSERT INTO campaign_bucket (campaign_id, bucket_id) VALUES ($1, $2)
         ON CONFLICT (campaign_id, bucket_id) DO NOTHING",
        &sets,
    )?;
    Ok(())
}

fn suppress(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    held: &[HeldGroup],
    planned: &[&ContactPlanned],
) -> Result<(), StoreError> {
    let mut sets = Vec::new();
    for it in planned {
        if let Some(number) = it.suppress {
            let own_list = held_group(held, it.group)?.campaign;
            sets.push(values![own_list, number, tenant, it.at]);
        }
    }
    tx.execute_many(
        "INSERT INTO suppressed_number (list_id, number, tenant_id, until, added_at) VALUES ($1, $2, $3, NULL, $4)
         ON CONFLICT (list_id, number) DO UPDATE SET until = NULL",
        &sets,
    )?;
    Ok(())
}

/// A contact that is not in the group's hopper any more, such as one that a user closed, stays as it is.
fn return_contacts(tx: &mut Tx<'_>, returned: &[(Time, &ContactReturned)]) -> Result<(), StoreError> {
    let sets = returned.iter().map(|(at, it)| {
        let is_ready = it.not_before.is_none_or(|not_before| not_before <= *at);
        values![it.contact, it.group, is_ready, it.not_before]
    });
    tx.execute_many(
        "UPDATE contact SET feed_state = $3, next_at = COALESCE($4, next_at), claimed_by = NULL, claim_epoch = NULL
         WHERE id = $1 AND claimed_by = $2 AND feed_state = 2",
        &sets.collect::<Vec<_>>(),
    )?;
    Ok(())
}

/// A recording that is known already stays as it is.
fn start_recordings(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    held: &[HeldGroup],
    started: &[&RecordingStarted],
) -> Result<(), StoreError> {
    let mut sets = Vec::with_capacity(started.len());
    for it in started {
        let campaign = held_group(held, it.group)?.campaign;
        let name = it.name.as_str();
        sets.push(values![
            it.attempt,
            tenant,
            campaign,
            it.group,
            it.contact,
            it.agent,
            name,
            it.at,
            it.expires_at
        ]);
    }
    tx.execute_many(
        "INSERT INTO recording (attempt_id, tenant_id, campaign_id, group_id, contact_id, agent_id, name, state,
             started_at, expires_at, on_switch, due_at, tries)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $9, 1, $8, 0)
         ON CONFLICT (attempt_id) DO NOTHING",
        &sets,
    )?;
    Ok(())
}

fn change_groups(tx: &mut Tx<'_>, changed: &[&GroupChanged]) -> Result<(), StoreError> {
    let sets = changed.iter().map(|it| {
        let (state, dial_mode) = (it.state.code(), it.dial_mode.code());
        values![it.group, state, dial_mode, it.at, it.action.code(), it.actor.code()]
    });
    tx.execute_many(
        "UPDATE group_runtime SET state = $2, dial_mode = $3, changed_at = $4, last_action = $5, last_actor = $6
         WHERE group_id = $1",
        &sets.collect::<Vec<_>>(),
    )?;
    Ok(())
}

fn change_agents(tx: &mut Tx<'_>, tenant: TenantId, changed: &[&AgentChanged]) -> Result<(), StoreError> {
    let sets = changed.iter().map(|it| {
        let at_work_since = it.state.is_at_work().then_some(it.at);
        values![it.agent, tenant, it.state.code(), it.reason.as_ref(), it.at, at_work_since]
    });
    // Whoever was at work before goes on being at work since then.
    tx.execute_many(
        "INSERT INTO agent_runtime (agent_id, tenant_id, state, reason, changed_at, at_work_since)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (agent_id) DO UPDATE
         SET state = excluded.state, reason = excluded.reason, changed_at = excluded.changed_at,
             at_work_since = CASE WHEN excluded.at_work_since IS NULL THEN NULL
                                  ELSE COALESCE(agent_runtime.at_work_since, excluded.at_work_since) END",
        &sets.collect::<Vec<_>>(),
    )?;
    Ok(())
}
