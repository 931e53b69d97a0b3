//! Taking contacts for a group's hopper, and giving back what a crash left taken.

use std::collections::{HashMap, HashSet};

use engine::contact::PRIORITY_MAX;
use engine::{
    Band, BucketId, CampaignId, Change, ContactId, FeedOrder, GroupId, Rank, SuppressionListId, TenantId,
    Time,
};

use super::merge::Merge;
use super::screen::{self, Suppressed, Verdict};
use crate::changes::{self, HeldGroup};
use crate::hopper::{self, ClaimedContact};
use crate::{StoreError, Tx, Value, lease, values};

/// Contacts looked at in one claim at most, beyond four times as many as are wanted: so many may turn out to be
/// suppressed or expired before the claim ends with what it has.
const LOOKED_AT_MIN: usize = 1000;
/// Contacts that become due in one claim at most, beyond twice as many as are wanted.
const DUE_MIN: u32 = 1000;

/// What a group asks the feed for.
#[derive(Clone, Debug)]
pub struct ClaimRequest {
    /// The group's tenant.
    pub tenant: TenantId,
    /// The group's campaign.
    pub campaign: CampaignId,
    /// The group.
    pub group: GroupId,
    /// The epoch of its lease.
    pub epoch: i64,
    /// The present.
    pub now: Time,
    /// How many contacts it wants.
    pub wanted: u32,
    /// The buckets of the campaign that may be called now.
    pub open: Vec<BucketId>,
    /// Whether it wants only contacts to whom a call was promised.
    pub callbacks_only: bool,
    /// The lists that the campaign keeps to. Its own list is always kept to.
    pub suppression_lists: Vec<SuppressionListId>,
}

impl ClaimRequest {
    /// What the group takes from: its campaign's lane and its own.
    fn lanes(&self) -> [uuid::Uuid; 2] {
        lanes(self.campaign, self.group)
    }

    /// The rank at which it stops: callbacks come before all others.
    fn ranks_below(&self) -> Rank {
        if self.callbacks_only {
            Rank::new(Band::TimedRetry, PRIORITY_MAX, FeedOrder::OldestFirst, 0)
        } else {
            Rank(i64::MAX)
        }
    }
}

/// The lanes that a group takes contacts from: its campaign's, and its own.
pub(super) fn lanes(campaign: CampaignId, group: GroupId) -> [uuid::Uuid; 2] {
    [campaign.0, group.0]
}

/// What the feed gave.
#[derive(Clone, Debug, Default)]
pub struct Claimed {
    /// Contacts for the hopper, in order. They are the group's until they are planned or returned.
    pub contacts: Vec<ClaimedContact>,
    /// Contacts that were found to be done: suppressed, expired, or without a number that may be dialled.
    pub finished: u32,
    /// Contacts put back because the only numbers left to them are suppressed for a time, or because their next
    /// number is not to be called at this hour.
    pub put_back: u32,
}

/// Takes contacts that may be called now, lowest rank first, and marks them as the group's.
///
/// # Errors
/// [`StoreError::Fenced`] if the lease is not held under that epoch; otherwise those of the database. If lists cannot
/// be read, nothing is given.
pub fn claim(tx: &mut Tx<'_>, request: &ClaimRequest) -> Result<Claimed, StoreError> {
    lease::check(tx, &[(request.group, request.epoch)], false)?;
    promote_due(tx, request)?;
    let mut claimed = Claimed::default();
    if request.wanted == 0 || request.open.is_empty() {
        return Ok(claimed);
    }
    let wanted = request.wanted as usize;
    let mut merge = Merge::begin(tx, &request.lanes(), &request.open, wanted, request.ranks_below())?;
    let mut changes = Vec::new();
    let mut looked_at = 0;
    while claimed.contacts.len() < wanted && looked_at < 4 * wanted + LOOKED_AT_MIN {
        let batch = merge.take(tx, wanted - claimed.contacts.len())?;
        if batch.is_empty() {
            break;
        }
        looked_at += batch.len();
        let (contacts, external_ids) = take(tx, request, &batch)?;
        sort_out(tx, request, contacts, &external_ids, &mut claimed, &mut changes)?;
    }
    let told: Vec<(Time, &Change)> = changes.iter().map(|change| (request.now, change)).collect();
    let held = HeldGroup { group: request.group, epoch: request.epoch, campaign: request.campaign };
    changes::write(tx, request.tenant, &[held], &told)?;
    Ok(claimed)
}

/// Contacts whose time has come become ready.
fn promote_due(tx: &mut Tx<'_>, request: &ClaimRequest) -> Result<(), StoreError> {
    let limit = request.wanted.saturating_mul(2).saturating_add(DUE_MIN);
    let mut due = Vec::new();
    for lane in request.lanes() {
        let rows = tx.query(
            "SELECT id FROM contact WHERE lane_id = $1 AND feed_state = 0 AND next_at <= $2
             ORDER BY next_at LIMIT $3 FOR UPDATE SKIP LOCKED",
            &values![lane, request.now, limit],
        )?;
        for row in &rows {
            due.push(row.get::<uuid::Uuid>(0)?);
        }
    }
    if due.is_empty() {
        return Ok(());
    }
    tx.execute(
        "UPDATE contact SET feed_state = 1 WHERE id = ANY($1) AND feed_state = 0",
        &[Value::UuidList(due)],
    )?;
    Ok(())
}

/// Marks those that no other group has taken meanwhile, and reads them with their numbers, in order.
fn take(
    tx: &mut Tx<'_>,
    request: &ClaimRequest,
    batch: &[ContactId],
) -> Result<(Vec<ClaimedContact>, HashMap<ContactId, String>), StoreError> {
    let free = tx.query(
        "SELECT id FROM contact WHERE id = ANY($1) AND feed_state = 1 FOR UPDATE SKIP LOCKED",
        &[Value::uuids(batch.iter().map(|contact| contact.0))],
    )?;
    let free = free.iter().map(|row| row.get(0)).collect::<Result<Vec<uuid::Uuid>, _>>()?;
    let columns = hopper::COLUMNS;
    let rows = tx.query(
        &format!(
            "UPDATE contact SET feed_state = 2, claimed_by = $2, claim_epoch = $3
             WHERE id = ANY($1) AND feed_state = 1 RETURNING {columns}, external_id"
        ),
        &[Value::UuidList(free), request.group.into(), request.epoch.into()],
    )?;
    let mut contacts = rows.iter().map(hopper::read_contact).collect::<Result<Vec<_>, _>>()?;
    let external_ids = rows
        .iter()
        .map(|row| Ok((row.get(0)?, row.get(hopper::COLUMN_COUNT)?)))
        .collect::<Result<HashMap<_, _>, StoreError>>()?;
    contacts.sort_by_key(|contact| (contact.rank, contact.contact));
    hopper::add_phones(tx, &mut contacts)?;
    Ok((contacts, external_ids))
}

/// Sorts a batch into what goes into the hopper, what is done and what is put back.
fn sort_out(
    tx: &mut Tx<'_>,
    request: &ClaimRequest,
    mut contacts: Vec<ClaimedContact>,
    external_ids: &HashMap<ContactId, String>,
    claimed: &mut Claimed,
    changes: &mut Vec<Change>,
) -> Result<(), StoreError> {
    let mut lists = request.suppression_lists.clone();
    lists.push(SuppressionListId(request.campaign.0));
    let numbers: HashSet<_> =
        contacts.iter().flat_map(|it| it.phones.iter().map(|phone| phone.number)).collect();
    let customers: HashSet<&str> = external_ids.values().map(String::as_str).collect();
    let lists = Suppressed::look_up(tx, &lists, &numbers, &customers, request.now)?;
    let verdicts: Vec<Verdict> = contacts
        .iter_mut()
        .map(|contact| {
            let external_id = external_ids.get(&contact.contact).map_or("", String::as_str);
            screen::screen(contact, external_id, &lists, request.now)
        })
        .collect();
    screen::store_suppressed_phones(tx, &contacts)?;
    let open: HashSet<BucketId> = request.open.iter().copied().collect();
    let mut moved = Vec::new();
    for (mut contact, verdict) in contacts.into_iter().zip(verdicts) {
        match verdict {
            Verdict::Final(reason) => {
                claimed.finished += 1;
                changes.push(screen::finished(request.group, &contact, reason, request.now));
            }
            Verdict::NotBefore(until) => {
                claimed.put_back += 1;
                changes.push(screen::put_back(request.group, contact.contact, until));
            }
            Verdict::Dial { phone, bucket } => {
                let stays = open.contains(&bucket);
                if (contact.phone, contact.bucket) != (phone, bucket) {
                    moved.push(values![contact.contact, phone, bucket, stays]);
                }
                if stays {
                    (contact.phone, contact.bucket) = (phone, bucket);
                    claimed.contacts.push(contact);
                } else {
                    claimed.put_back += 1;
                }
            }
        }
    }
    move_to_next_phone(tx, request.campaign, &moved)
}

/// Stores that contacts are dialled on another number than was planned; those whose new number may not be called at
/// this hour are ready under its bucket.
fn move_to_next_phone(tx: &mut Tx<'_>, campaign: CampaignId, moved: &[[Value; 4]]) -> Result<(), StoreError> {
    tx.execute_many(
        "UPDATE contact SET next_phone = $2, bucket_id = $3,
                feed_state = CASE WHEN $4 = 1 THEN feed_state ELSE 1 END,
                claimed_by = CASE WHEN $4 = 1 THEN claimed_by ELSE NULL END,
                claim_epoch = CASE WHEN $4 = 1 THEN claim_epoch ELSE NULL END
         WHERE id = $1 AND feed_state = 2",
        moved,
    )?;
    let buckets = moved.iter().filter_map(|set| match &set[2] {
        Value::Integer(bucket) => Some((campaign, BucketId(*bucket))),
        _ => None,
    });
    changes::register(tx, buckets.collect::<std::collections::BTreeSet<_>>())
}

/// Makes ready what earlier holders of a group's lease had taken and not dialled, and tells how many contacts that
/// were. Those with an unsettled attempt stay taken until it is settled: see [`crate::recovery::unfinished`].
///
/// # Errors
/// [`StoreError::Fenced`] if the lease is not held under `epoch`.
pub fn return_claims(tx: &mut Tx<'_>, group: GroupId, epoch: i64) -> Result<u64, StoreError> {
    lease::check(tx, &[(group, epoch)], false)?;
    tx.execute(
        "UPDATE contact SET feed_state = 1, claimed_by = NULL, claim_epoch = NULL
         WHERE feed_state = 2 AND claimed_by = $1 AND claim_epoch < $2
               AND NOT EXISTS (SELECT 1 FROM attempt a WHERE a.contact_id = contact.id AND a.state < 2)",
        &values![group, epoch],
    )
}
