//! Questions about what the feed holds.

use engine::{Bucket, BucketId, CampaignId, ContactId, FinalReason, GroupId, SourceId, TenantId, Time};

use super::claim::lanes;
use crate::events::{self, NewEvent};
use crate::{StoreError, Tx, Value, values};

/// What is left to call for a campaign group.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Supply {
    /// Buckets that have contacts which are ready; whether they are open now, the caller knows.
    pub ready: Vec<BucketId>,
    /// Whether any contact is in a hopper.
    pub any_claimed: bool,
    /// When the next waiting contact is due; none if none waits.
    pub next_due: Option<Time>,
}

impl Supply {
    /// Whether no contact is left: none is ready, waiting or in a hopper.
    pub fn is_exhausted(&self) -> bool {
        self.ready.is_empty() && !self.any_claimed && self.next_due.is_none()
    }
}

/// What is left to call for a group: what its campaign leaves to any group, and what is bound to it. Costs as much as
/// the campaign has buckets, however many contacts it has.
///
/// # Errors
/// Those of the database.
pub fn supply(tx: &mut Tx<'_>, campaign: CampaignId, group: GroupId) -> Result<Supply, StoreError> {
    let ready = tx.query(
        "SELECT b.bucket_id FROM campaign_bucket b
         WHERE b.campaign_id = $1
               AND (EXISTS (SELECT 1 FROM contact c
                            WHERE c.lane_id = $1 AND c.bucket_id = b.bucket_id AND c.feed_state = 1)
                    OR EXISTS (SELECT 1 FROM contact c
                               WHERE c.lane_id = $2 AND c.bucket_id = b.bucket_id AND c.feed_state = 1))
         ORDER BY b.bucket_id",
        &values![campaign, group],
    )?;
    let claimed = tx.query_one(
        "SELECT 1 FROM contact WHERE feed_state = 2
             AND claimed_by IN (SELECT group_id FROM group_runtime WHERE campaign_id = $1) LIMIT 1",
        &values![campaign],
    )?;
    let mut next_due: Option<Time> = None;
    for lane in lanes(campaign, group) {
        let due = tx.query_one(
            "SELECT next_at FROM contact WHERE lane_id = $1 AND feed_state = 0 ORDER BY next_at LIMIT 1",
            &values![lane],
        )?;
        let due = due.map(|row| row.get(0)).transpose()?;
        next_due = [next_due, due].into_iter().flatten().min();
    }
    Ok(Supply {
        ready: ready.iter().map(|row| row.get(0)).collect::<Result<_, _>>()?,
        any_claimed: claimed.is_some(),
        next_due,
    })
}

/// The buckets that a campaign has, or had, contacts under.
///
/// # Errors
/// Those of the database.
pub fn buckets(tx: &mut Tx<'_>, campaign: CampaignId) -> Result<Vec<(BucketId, Bucket)>, StoreError> {
    let rows = tx.query(
        "SELECT b.id, b.text FROM campaign_bucket c JOIN bucket b ON b.id = c.bucket_id
         WHERE c.campaign_id = $1 ORDER BY b.id",
        &values![campaign],
    )?;
    rows.iter()
        .map(|row| {
            let id: BucketId = row.get(0)?;
            let bucket = Bucket::parse(&row.get::<String>(1)?);
            bucket
                .map(|bucket| (id, bucket))
                .ok_or_else(|| StoreError::corrupt(format!("bucket {} is unreadable", id.0)))
        })
        .collect()
}

/// Ends contacts whose time is over and which are not in a hopper, at most `limit`, each with an event
/// `contact.closed`. Tells how many; call again while it is `limit`.
///
/// # Errors
/// Those of the database.
pub fn close_expired(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    campaign: CampaignId,
    now: Time,
    limit: u32,
) -> Result<u64, StoreError> {
    let expired = tx.query(
        "SELECT id FROM contact
         WHERE campaign_id = $1 AND tenant_id = $2 AND feed_state < 2 AND expires_at IS NOT NULL AND expires_at <= $3
         ORDER BY expires_at LIMIT $4 FOR UPDATE SKIP LOCKED",
        &values![campaign, tenant, now, limit],
    )?;
    let expired = expired.iter().map(|row| row.get(0)).collect::<Result<Vec<ContactId>, _>>()?;
    let closed = tx.execute(
        "UPDATE contact SET feed_state = 3, final_reason = $2 WHERE id = ANY($1)",
        &[Value::uuids(expired.iter().map(|id| id.0)), FinalReason::Expired.code().into()],
    )?;
    let told = expired.iter().map(|contact| {
        let body = serde_json::json!({
            "kind": "contact.closed", "campaign": campaign, "contact": contact, "reason": FinalReason::Expired,
            "at": now.to_rfc3339(),
        });
        NewEvent::new(now, "contact.closed", &body)
    });
    events::append(tx, tenant, &told.collect::<Result<Vec<_>, _>>()?)?;
    Ok(closed)
}

/// How many contacts a group may still call: counted up to a number, so that it costs no more on a long list.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Queue {
    /// Those that were never called.
    pub fresh: u64,
    /// Those that are ready, whatever the hour.
    pub ready: u64,
    /// Those that are ready or wait for an instant.
    pub available: u64,
}

/// How many contacts a group may still call, those counted that its campaign leaves to any group. Each is counted up to
/// `most`; of those never called so many at most are found among the first ten times as many.
///
/// # Errors
/// Those of the database.
pub fn queue(tx: &mut Tx<'_>, campaign: CampaignId, group: GroupId, most: u32) -> Result<Queue, StoreError> {
    let lanes = Value::uuids(lanes(campaign, group));
    let mut count = |sql: &str, limit: u32| -> Result<u64, StoreError> {
        let row = tx.query_one(sql, &[lanes.clone(), limit.into()])?;
        row.map_or(Ok(0), |row| row.get(0))
    };
    let ready =
        "SELECT COUNT(*) FROM (SELECT 1 FROM contact WHERE lane_id = ANY($1) AND feed_state = 1 LIMIT $2) q";
    let waiting =
        "SELECT COUNT(*) FROM (SELECT 1 FROM contact WHERE lane_id = ANY($1) AND feed_state = 0 LIMIT $2) q";
    let fresh = "SELECT COALESCE(SUM(CASE WHEN attempts = 0 THEN 1 ELSE 0 END), 0) FROM
                 (SELECT attempts FROM contact WHERE lane_id = ANY($1) AND feed_state = 1 LIMIT $2) q";
    let ready = count(ready, most)?;
    Ok(Queue {
        fresh: count(fresh, most.saturating_mul(10))?.min(u64::from(most)),
        ready,
        available: (ready + count(waiting, most)?).min(u64::from(most)),
    })
}

/// How many contacts of a source may still be called, and how many may not. It looks at every one of them.
///
/// # Errors
/// Those of the database.
pub fn source_counts(tx: &mut Tx<'_>, tenant: TenantId, source: SourceId) -> Result<(u64, u64), StoreError> {
    let rows = tx.query(
        "SELECT feed_state, COUNT(*) FROM contact
         WHERE id IN (SELECT contact_id FROM contact_key WHERE source_id = $1) AND tenant_id = $2 GROUP BY feed_state",
        &values![source, tenant],
    )?;
    let (mut open, mut done) = (0, 0);
    for row in &rows {
        let count: u64 = row.get(1)?;
        *(if row.get::<i64>(0)? == 3 { &mut done } else { &mut open }) += count;
    }
    Ok((open, done))
}

/// A campaign's contacts by where they are.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Those that wait for an instant.
    pub waiting: u64,
    /// Those that may be called when their bucket is open.
    pub ready: u64,
    /// Those in a hopper or on the phone.
    pub claimed: u64,
    /// Those that are done, by reason.
    pub done: Vec<(FinalReason, u64)>,
}

impl Counts {
    /// All contacts.
    pub fn total(&self) -> u64 {
        self.waiting + self.ready + self.claimed + self.done.iter().map(|(_, count)| count).sum::<u64>()
    }
}

/// Counts a campaign's contacts. It looks at every one of them: for reports, not for the dialling path.
///
/// # Errors
/// Those of the database.
pub fn counts(tx: &mut Tx<'_>, campaign: CampaignId) -> Result<Counts, StoreError> {
    let rows = tx.query(
        "SELECT feed_state, final_reason, COUNT(*) FROM contact WHERE campaign_id = $1
         GROUP BY feed_state, final_reason ORDER BY feed_state, final_reason",
        &values![campaign],
    )?;
    let mut counts = Counts::default();
    for row in &rows {
        let count: u64 = row.get(2)?;
        match (row.get::<i64>(0)?, row.get::<Option<i64>>(1)?.and_then(FinalReason::from_code)) {
            (0, _) => counts.waiting += count,
            (1, _) => counts.ready += count,
            (2, _) => counts.claimed += count,
            (3, Some(reason)) => counts.done.push((reason, count)),
            (state, _) => {
                return Err(StoreError::corrupt(format!("contacts in feed state {state} without a reason")));
            }
        }
    }
    Ok(counts)
}
