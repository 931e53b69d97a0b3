//! The outbox: what happened, in the order in which it was committed.

use engine::{TenantId, Time};
use serde_json::value::RawValue;

use crate::{StoreError, Tx, values};

/// Events read at once at most.
pub const EVENTS_MAX: u32 = 10_000;

/// An event that is to be appended.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// When it happened.
    pub at: Time,
    /// What kind of event it is (`attempt.started`).
    pub kind: &'static str,
    /// What happened, a JSON object.
    pub body: String,
}

/// An event as stored.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its place among the tenant's events: 1, 2, 3 … without gaps, in order of commit.
    pub seq: i64,
    /// When it happened.
    pub at: Time,
    /// What kind of event it is.
    pub kind: String,
    /// What happened, a JSON object.
    pub body: Box<RawValue>,
}

impl NewEvent {
    /// An event whose body is this value.
    ///
    /// # Errors
    /// The value cannot be written as JSON: a defect.
    pub fn new(at: Time, kind: &'static str, body: &impl serde::Serialize) -> Result<Self, StoreError> {
        let body =
            serde_json::to_string(body).map_err(|_| StoreError::corrupt(format!("{kind} is no JSON")))?;
        Ok(Self { at, kind, body })
    }
}

/// Appends events to a tenant's outbox. To be called as the last act of a transaction: from here on, transactions of
/// the same tenant that append wait for this one, which is what makes the order of `seq` the order of commit.
///
/// # Errors
/// Those of the database.
pub fn append(tx: &mut Tx<'_>, tenant: TenantId, events: &[NewEvent]) -> Result<(), StoreError> {
    if events.is_empty() {
        return Ok(());
    }
    let counter = tx.query_one(
        "INSERT INTO event_counter (tenant_id, last) VALUES ($1, $2)
         ON CONFLICT (tenant_id) DO UPDATE SET last = event_counter.last + excluded.last RETURNING last",
        &values![tenant, events.len()],
    )?;
    let last: i64 = counter.ok_or_else(|| StoreError::corrupt("the event counter gave no number"))?.get(0)?;
    let count = i64::try_from(events.len()).unwrap_or(i64::MAX);
    let rows =
        (last - count + 1..).zip(events).map(|(seq, it)| values![tenant, seq, it.at, it.kind, &it.body]);
    tx.insert_rows("event", &["tenant_id", "seq", "at", "kind", "body"], &rows.collect::<Vec<_>>())?;
    Ok(())
}

/// A tenant's events after `seq`, in order, at most `limit` and [`EVENTS_MAX`].
///
/// # Errors
/// Those of the database.
pub fn read_after(tx: &mut Tx<'_>, tenant: TenantId, seq: i64, limit: u32) -> Result<Vec<Event>, StoreError> {
    let rows = tx.query(
        "SELECT seq, at, kind, body FROM event WHERE tenant_id = $1 AND seq > $2 ORDER BY seq LIMIT $3",
        &values![tenant, seq, limit.min(EVENTS_MAX)],
    )?;
    rows.iter()
        .map(|row| {
            let body =
                RawValue::from_string(row.get(3)?).map_err(|_| StoreError::corrupt("an event is no JSON"))?;
            Ok(Event { seq: row.get(0)?, at: row.get(1)?, kind: row.get(2)?, body })
        })
        .collect()
}

/// The `seq` of a tenant's last event; 0 if there is none.
///
/// # Errors
/// Those of the database.
pub fn last(tx: &mut Tx<'_>, tenant: TenantId) -> Result<i64, StoreError> {
    let row = tx.query_one("SELECT last FROM event_counter WHERE tenant_id = $1", &values![tenant])?;
    row.map_or(Ok(0), |row| row.get(0))
}
