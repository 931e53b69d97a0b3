//! How far sinks have been told, and what did not arrive.
//!
//! One node delivers to a sink at a time: it holds the sink's lease, and names the lease's epoch with everything it
//! notes. Taking up leases looks at all tenants; everything else names its tenant.

use engine::{TenantId, Time};
use uuid::Uuid;

use crate::records::{Page, Rows};
use crate::{Row, StoreError, Tx, Value, values};

/// The right to deliver to a sink.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SinkLease {
    /// The sink.
    pub sink: Uuid,
    /// Its tenant.
    pub tenant: TenantId,
    /// The fence.
    pub epoch: i64,
}

/// How far a sink has been told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SinkCursor {
    /// The last event that was taken up.
    pub seq: i64,
    /// The place of the next message.
    pub next_place: i64,
    /// The last period about which activity was told.
    pub activity_period: i64,
    /// Messages delivered since it was made.
    pub delivered: i64,
    /// Messages that did not arrive and were forgotten.
    pub lost: i64,
    /// When one last arrived.
    pub last_delivered_at: Option<Time>,
    /// Why one last did not arrive, and when.
    pub last_error: Option<(String, Time)>,
    /// Who delivers.
    pub lease_owner: Option<Uuid>,
    /// The fence.
    pub lease_epoch: i64,
}

/// A message that did not arrive at once, or waits behind one.
#[derive(Clone, PartialEq, Eq)]
pub struct SinkMessage {
    /// The same at every try.
    pub id: Uuid,
    /// Its place in the order.
    pub place: i64,
    /// What it must stay in order with.
    pub lane: Option<Uuid>,
    /// What it tells of.
    pub kind: String,
    /// When that happened.
    pub at: Time,
    /// As it is delivered: a JSON object.
    pub body: String,
    /// Whether it was given up.
    pub is_dead: bool,
    /// How often it was tried.
    pub tries: u32,
    /// Not before this instant, in real time.
    pub next_try_at: Time,
    /// Why it did not arrive.
    pub error: Option<String>,
}

crate::records::debug_showing!(SinkMessage: id, place, kind, is_dead, tries);

/// What is known of a waiting message without its body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Waiting {
    /// Which.
    pub id: Uuid,
    /// What it must stay in order with.
    pub lane: Option<Uuid>,
    /// Not before this instant, in real time.
    pub next_try_at: Time,
}

/// What a turn of delivering came to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Progress {
    /// The last event that was taken up.
    pub seq: i64,
    /// The place of the next message.
    pub next_place: i64,
    /// The last period about which activity was told.
    pub activity_period: i64,
    /// How many arrived.
    pub delivered: i64,
    /// How many were forgotten.
    pub lost: i64,
    /// When, in real time.
    pub at: Time,
    /// Why one did not arrive.
    pub error: Option<String>,
    /// Messages to be kept that were not kept before.
    pub keep: Vec<SinkMessage>,
    /// Kept messages that arrived.
    pub remove: Vec<Uuid>,
    /// Kept messages that did not, as they are now.
    pub change: Vec<SinkMessage>,
}

/// Begins to tell a new sink, of what comes after `seq`.
///
/// # Errors
/// Those of the database.
pub fn begin(tx: &mut Tx<'_>, tenant: TenantId, sink: Uuid, seq: i64) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO sink_cursor (sink_id, tenant_id, seq, next_place, activity_period, delivered, lost,
                                  lease_owner, lease_epoch, lease_until)
         VALUES ($1, $2, $3, 1, 0, 0, 0, NULL, 0, 0)",
        &values![sink, tenant, seq],
    )?;
    Ok(())
}

/// Removes all that is kept of a sink besides its definition.
///
/// # Errors
/// Those of the database.
pub fn forget(tx: &mut Tx<'_>, tenant: TenantId, sink: Uuid) -> Result<(), StoreError> {
    for sql in [
        "DELETE FROM sink_cursor WHERE sink_id = $1 AND tenant_id = $2",
        "DELETE FROM sink_message WHERE sink_id = $1 AND tenant_id = $2",
        "DELETE FROM sink_credentials WHERE sink_id = $1 AND tenant_id = $2",
    ] {
        tx.execute(sql, &values![sink, tenant])?;
    }
    Ok(())
}

/// Whether there is a sink that nobody delivers to.
///
/// # Errors
/// Those of the database.
pub fn any_free(tx: &mut Tx<'_>, now: Time) -> Result<bool, StoreError> {
    let row = tx.query_one(
        "SELECT 1 FROM sink_cursor WHERE lease_owner IS NULL OR lease_until <= $1 LIMIT 1",
        &values![now],
    )?;
    Ok(row.is_some())
}

/// Takes the leases of all sinks that nobody delivers to.
///
/// # Errors
/// Those of the database.
pub fn take_free(tx: &mut Tx<'_>, owner: Uuid, now: Time, until: Time) -> Result<Vec<SinkLease>, StoreError> {
    let rows = tx.query(
        "UPDATE sink_cursor SET lease_owner = $1, lease_epoch = lease_epoch + 1, lease_until = $3
         WHERE lease_owner IS NULL OR lease_until <= $2 RETURNING sink_id, tenant_id, lease_epoch",
        &values![owner, now, until],
    )?;
    leases(&rows)
}

/// Prolongs an owner's leases and tells which it still has.
///
/// # Errors
/// Those of the database.
pub fn renew(tx: &mut Tx<'_>, owner: Uuid, until: Time) -> Result<Vec<SinkLease>, StoreError> {
    let rows = tx.query(
        "UPDATE sink_cursor SET lease_until = $2 WHERE lease_owner = $1
         RETURNING sink_id, tenant_id, lease_epoch",
        &values![owner, until],
    )?;
    leases(&rows)
}

/// Gives an owner's leases back: at its end, and at its start for what it held in an earlier life.
///
/// # Errors
/// Those of the database.
pub fn release_all(tx: &mut Tx<'_>, owner: Uuid) -> Result<u64, StoreError> {
    tx.execute(
        "UPDATE sink_cursor SET lease_owner = NULL, lease_until = 0 WHERE lease_owner = $1",
        &values![owner],
    )
}

fn leases(rows: &[Row]) -> Result<Vec<SinkLease>, StoreError> {
    rows.iter()
        .map(|row| Ok(SinkLease { sink: row.get(0)?, tenant: row.get(1)?, epoch: row.get(2)? }))
        .collect()
}

/// How far a sink has been told; none if there is no such sink.
///
/// # Errors
/// Those of the database.
pub fn cursor(tx: &mut Tx<'_>, tenant: TenantId, sink: Uuid) -> Result<Option<SinkCursor>, StoreError> {
    let row = tx.query_one(
        "SELECT seq, next_place, activity_period, delivered, lost, last_delivered_at, last_error, last_error_at,
                lease_owner, lease_epoch
         FROM sink_cursor WHERE sink_id = $1 AND tenant_id = $2",
        &values![sink, tenant],
    )?;
    row.map(|row| {
        let error: Option<String> = row.get(6)?;
        Ok(SinkCursor {
            seq: row.get(0)?,
            next_place: row.get(1)?,
            activity_period: row.get(2)?,
            delivered: row.get(3)?,
            lost: row.get(4)?,
            last_delivered_at: row.get(5)?,
            last_error: error.zip(row.get(7)?),
            lease_owner: row.get(8)?,
            lease_epoch: row.get(9)?,
        })
    })
    .transpose()
}

/// Notes what a turn came to. False, and nothing is noted, if the lease is another's now.
///
/// # Errors
/// Those of the database.
pub fn note(tx: &mut Tx<'_>, lease: SinkLease, progress: &Progress) -> Result<bool, StoreError> {
    let SinkLease { sink, tenant, epoch } = lease;
    let delivered_at = (progress.delivered > 0).then_some(progress.at);
    let error_at = progress.error.is_some().then_some(progress.at);
    let noted = tx.execute(
        "UPDATE sink_cursor
         SET seq = $4, next_place = $5, activity_period = $6, delivered = delivered + $7, lost = lost + $8,
             last_delivered_at = COALESCE($9, last_delivered_at), last_error = COALESCE($10, last_error),
             last_error_at = COALESCE($11, last_error_at)
         WHERE sink_id = $1 AND tenant_id = $2 AND lease_epoch = $3 AND lease_owner IS NOT NULL",
        &values![
            sink,
            tenant,
            epoch,
            progress.seq,
            progress.next_place,
            progress.activity_period,
            progress.delivered,
            progress.lost,
            delivered_at,
            progress.error.as_ref(),
            error_at
        ],
    )?;
    if noted == 0 {
        return Ok(false);
    }
    let kept: Vec<Vec<Value>> = progress
        .keep
        .iter()
        .map(|it| {
            values![
                sink,
                it.id,
                tenant,
                it.place,
                it.lane,
                &it.kind,
                it.at,
                &it.body,
                it.is_dead,
                it.tries,
                it.next_try_at,
                it.error.as_ref()
            ]
            .to_vec()
        })
        .collect();
    let columns = [
        "sink_id",
        "id",
        "tenant_id",
        "place",
        "lane",
        "kind",
        "at",
        "body",
        "state",
        "tries",
        "next_try_at",
        "error",
    ];
    tx.insert_rows("sink_message", &columns, &kept)?;
    tx.execute(
        "DELETE FROM sink_message WHERE sink_id = $1 AND tenant_id = $2 AND state = 0 AND id = ANY($3)",
        &[sink.into(), tenant.into(), Value::uuids(progress.remove.iter().copied())],
    )?;
    let changed: Vec<_> = progress
        .change
        .iter()
        .map(|it| values![sink, tenant, it.id, it.is_dead, it.tries, it.next_try_at, it.error.as_ref()])
        .collect();
    tx.execute_many(
        "UPDATE sink_message SET state = $4, tries = $5, next_try_at = $6, error = $7
         WHERE sink_id = $1 AND tenant_id = $2 AND id = $3 AND state = 0",
        &changed,
    )?;
    Ok(true)
}

/// The messages that wait, in order, at most `limit`, without their bodies.
///
/// # Errors
/// Those of the database.
pub fn waiting(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    sink: Uuid,
    limit: u32,
) -> Result<Vec<Waiting>, StoreError> {
    let rows = tx.query(
        "SELECT id, lane, next_try_at FROM sink_message
         WHERE sink_id = $1 AND tenant_id = $2 AND state = 0 ORDER BY place LIMIT $3",
        &values![sink, tenant, limit],
    )?;
    rows.iter()
        .map(|row| Ok(Waiting { id: row.get(0)?, lane: row.get(1)?, next_try_at: row.get(2)? }))
        .collect()
}

const MESSAGE: &str =
    "SELECT id, place, lane, kind, at, body, state, tries, next_try_at, error FROM sink_message";

/// Kept messages by their ids, in order.
///
/// # Errors
/// Those of the database.
pub fn messages(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    sink: Uuid,
    ids: &[Uuid],
) -> Result<Vec<SinkMessage>, StoreError> {
    let rows = tx.query(
        &format!("{MESSAGE} WHERE sink_id = $1 AND tenant_id = $2 AND id = ANY($3) ORDER BY place"),
        &[sink.into(), tenant.into(), Value::uuids(ids.iter().copied())],
    )?;
    rows.iter().map(message).collect()
}

/// Messages that were given up, in order; the cursor is the place of the last one.
///
/// # Errors
/// Those of the database.
pub fn dead(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    sink: Uuid,
    page: &Page<i64>,
) -> Result<Rows<SinkMessage, i64>, StoreError> {
    let limit = page.limit.clamp(1, crate::records::PAGE_ROWS_MAX);
    let rows = tx.query(
        &format!(
            "{MESSAGE} WHERE sink_id = $1 AND tenant_id = $2 AND state = 1 AND place > $3 ORDER BY place LIMIT $4"
        ),
        &values![sink, tenant, page.after.unwrap_or(0), limit + 1],
    )?;
    let mut rows = rows.iter().map(message).collect::<Result<Vec<_>, _>>()?;
    let is_more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next = rows.last().filter(|_| is_more).map(|last| last.place);
    Ok(Rows { rows, next })
}

/// How many messages wait, and how many were given up.
///
/// # Errors
/// Those of the database.
pub fn kept(tx: &mut Tx<'_>, tenant: TenantId, sink: Uuid) -> Result<(u64, u64), StoreError> {
    let rows = tx.query(
        "SELECT state, COUNT(*) FROM sink_message WHERE sink_id = $1 AND tenant_id = $2 GROUP BY state",
        &values![sink, tenant],
    )?;
    let mut kept = (0, 0);
    for row in &rows {
        if row.get::<bool>(0)? { kept.1 = row.get(1)? } else { kept.0 = row.get(1)? }
    }
    Ok(kept)
}

/// Which of the messages that were given up.
#[derive(Clone, Debug)]
pub enum Which {
    /// All of them.
    All,
    /// These.
    These(Vec<Uuid>),
}

/// Lets messages that were given up be tried again, at their old places, as if for the first time. Tells how many.
///
/// # Errors
/// Those of the database.
pub fn revive(tx: &mut Tx<'_>, tenant: TenantId, sink: Uuid, which: &Which) -> Result<u64, StoreError> {
    let set = "UPDATE sink_message SET state = 0, tries = 0, next_try_at = 0
               WHERE sink_id = $1 AND tenant_id = $2 AND state = 1";
    on_dead(tx, set, tenant, sink, which)
}

/// Removes messages that were given up. Tells how many.
///
/// # Errors
/// Those of the database.
pub fn discard(tx: &mut Tx<'_>, tenant: TenantId, sink: Uuid, which: &Which) -> Result<u64, StoreError> {
    let delete = "DELETE FROM sink_message WHERE sink_id = $1 AND tenant_id = $2 AND state = 1";
    on_dead(tx, delete, tenant, sink, which)
}

fn on_dead(
    tx: &mut Tx<'_>,
    sql: &str,
    tenant: TenantId,
    sink: Uuid,
    which: &Which,
) -> Result<u64, StoreError> {
    match which {
        Which::All => tx.execute(sql, &values![sink, tenant]),
        Which::These(ids) => {
            let ids = Value::uuids(ids.iter().copied());
            tx.execute(&format!("{sql} AND id = ANY($3)"), &[sink.into(), tenant.into(), ids])
        }
    }
}

/// Sets what a sink needs to be let in; an empty text removes it.
///
/// # Errors
/// Those of the database.
pub fn set_credentials(tx: &mut Tx<'_>, tenant: TenantId, sink: Uuid, body: &str) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO sink_credentials (sink_id, tenant_id, body) VALUES ($1, $2, $3)
         ON CONFLICT (sink_id) DO UPDATE SET body = excluded.body",
        &values![sink, tenant, body],
    )?;
    Ok(())
}

/// What a sink needs to be let in.
///
/// # Errors
/// Those of the database.
pub fn credentials(tx: &mut Tx<'_>, tenant: TenantId, sink: Uuid) -> Result<Option<String>, StoreError> {
    let row = tx.query_one(
        "SELECT body FROM sink_credentials WHERE sink_id = $1 AND tenant_id = $2",
        &values![sink, tenant],
    )?;
    row.map(|row| row.get(0)).transpose()
}

fn message(row: &Row) -> Result<SinkMessage, StoreError> {
    Ok(SinkMessage {
        id: row.get(0)?,
        place: row.get(1)?,
        lane: row.get(2)?,
        kind: row.get(3)?,
        at: row.get(4)?,
        body: row.get(5)?,
        is_dead: row.get(6)?,
        tries: row.get(7)?,
        next_try_at: row.get(8)?,
        error: row.get(9)?,
    })
}
