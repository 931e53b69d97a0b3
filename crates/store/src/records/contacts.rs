//! Contacts as people look at them, and what people do to them one by one. How they go through the feed and the
//! hopper is elsewhere.

use std::collections::BTreeMap;

use engine::{
    AgentId, Band, Bucket, BucketId, CallResult, CampaignId, ContactId, FinalReason, GroupId, ImportId,
    Phone, PhoneKind, PhoneNumber, PhoneStatus, Rank, SourceId, TenantId, Time,
};

use super::page::{Page, Rows, Select};
use super::{corrupt, debug_showing, json};
use crate::{Row, StoreError, Tx, Value, values};

/// Where a contact is on its way.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FeedState {
    /// Not to be called before an instant.
    Waiting,
    /// To be called as soon as hours and agents allow.
    Ready,
    /// In a group's hopper or on a call.
    Claimed,
    /// Not to be called any more.
    Final,
}

impl FeedState {
    /// The number stored for it.
    pub fn code(self) -> i64 {
        match self {
            Self::Waiting => 0,
            Self::Ready => 1,
            Self::Claimed => 2,
            Self::Final => 3,
        }
    }

    /// From the stored number.
    pub fn from_code(code: i64) -> Option<Self> {
        [Self::Waiting, Self::Ready, Self::Claimed, Self::Final]
            .into_iter()
            .find(|state| state.code() == code)
    }
}

/// A contact with its numbers, as stored.
#[derive(Clone, PartialEq)]
pub struct Contact {
    /// Which.
    pub id: ContactId,
    /// Whose.
    pub tenant: TenantId,
    /// For which campaign.
    pub campaign: CampaignId,
    /// The only group that may call it; none leaves it to any of the campaign.
    pub group: Option<GroupId>,
    /// Where it came from.
    pub source: SourceId,
    /// Its key there.
    pub external_id: String,
    /// The batch that its source says it came with.
    pub tag: Option<String>,
    /// The campaign's fields.
    pub fields: serde_json::Value,
    /// 0 is called last, 100 first.
    pub priority: u8,
    /// When it came to be.
    pub created_at: Time,
    /// When it was last changed.
    pub updated_at: Time,
    /// The import that brought it, if one did.
    pub import: Option<ImportId>,
    /// Where it is on its way.
    pub feed_state: FeedState,
    /// Hours of the number to dial next.
    pub bucket: BucketId,
    /// Its place in the order.
    pub rank: Rank,
    /// Not to be called before this instant.
    pub next_at: Time,
    /// Not to be called from this instant on.
    pub expires_at: Option<Time>,
    /// The position of the number to dial next.
    pub next_phone: u8,
    /// Whether the next call was promised.
    pub is_callback: bool,
    /// The agent who should take it.
    pub preferred_agent: Option<AgentId>,
    /// Attempts made on all its numbers.
    pub attempts: u16,
    /// How the last one ended.
    pub last_result: Option<CallResult>,
    /// How often in a row it ended like that.
    pub last_result_in_a_row: u16,
    /// When it was made.
    pub last_attempt_at: Option<Time>,
    /// Why it is not called any more.
    pub final_reason: Option<FinalReason>,
    /// The group that has it.
    pub claimed_by: Option<GroupId>,
    /// Its numbers, in order.
    pub phones: Vec<Phone>,
}

debug_showing!(Contact: id, tenant, campaign, source, feed_state, next_at, attempts, last_result, final_reason, phones);

const COLUMNS: &str = "SELECT id, tenant_id, campaign_id, source_id, external_id, fields, priority, created_at,
    updated_at, import_id, feed_state, bucket_id, rank, next_at, expires_at, next_phone, is_callback, preferred_agent,
    attempts, last_result, last_result_in_a_row, last_attempt_at, final_reason, claimed_by,
    lane_id, tag FROM contact";

fn read(row: &Row) -> Result<Contact, StoreError> {
    let last_result: Option<i64> = row.get(19)?;
    let final_reason: Option<i64> = row.get(22)?;
    let (campaign, lane): (CampaignId, GroupId) = (row.get(2)?, row.get(24)?);
    Ok(Contact {
        id: row.get(0)?,
        tenant: row.get(1)?,
        campaign,
        group: (lane.0 != campaign.0).then_some(lane),
        tag: row.get(25)?,
        source: row.get(3)?,
        external_id: row.get(4)?,
        fields: json(row, 5, "contact.fields")?,
        priority: row.get(6)?,
        created_at: row.get(7)?,
        updated_at: row.get(8)?,
        import: row.get(9)?,
        feed_state: FeedState::from_code(row.get(10)?).ok_or_else(|| corrupt("contact.feed_state"))?,
        bucket: row.get(11)?,
        rank: row.get(12)?,
        next_at: row.get(13)?,
        expires_at: row.get(14)?,
        next_phone: row.get(15)?,
        is_callback: row.get(16)?,
        preferred_agent: row.get(17)?,
        attempts: row.get(18)?,
        last_result: last_result
            .map(|code| CallResult::from_code(code).ok_or_else(|| corrupt("contact.last_result")))
            .transpose()?,
        last_result_in_a_row: row.get(20)?,
        last_attempt_at: row.get(21)?,
        final_reason: final_reason
            .map(|code| FinalReason::from_code(code).ok_or_else(|| corrupt("contact.final_reason")))
            .transpose()?,
        claimed_by: row.get(23)?,
        phones: vec![],
    })
}

/// Gives contacts their numbers with one query.
fn add_phones(tx: &mut Tx<'_>, contacts: &mut [Contact]) -> Result<(), StoreError> {
    if contacts.is_empty() {
        return Ok(());
    }
    let places: BTreeMap<ContactId, usize> =
        contacts.iter().enumerate().map(|(at, contact)| (contact.id, at)).collect();
    let rows = tx.query(
        "SELECT contact_id, position, number, kind, status, attempts, attempts_max, caller_id, bucket_id
         FROM phone WHERE contact_id = ANY($1) ORDER BY contact_id, position",
        &[Value::uuids(places.keys().map(|contact| contact.0))],
    )?;
    for row in &rows {
        let phone = Phone {
            position: row.get(1)?,
            number: row.get(2)?,
            kind: PhoneKind::from_code(row.get(3)?),
            status: PhoneStatus::from_code(row.get(4)?),
            attempts: row.get(5)?,
            attempts_max: row.get(6)?,
            caller_id: row.get(7)?,
            bucket: row.get(8)?,
        };
        if let Some(contact) = places.get(&row.get(0)?).and_then(|at| contacts.get_mut(*at)) {
            contact.phones.push(phone);
        }
    }
    Ok(())
}

fn one(tx: &mut Tx<'_>, condition: &str, values: &[Value]) -> Result<Option<Contact>, StoreError> {
    let Some(row) = tx.query_one(&format!("{COLUMNS} WHERE {condition}"), values)? else { return Ok(None) };
    let mut contacts = [read(&row)?];
    add_phones(tx, &mut contacts)?;
    let [contact] = contacts;
    Ok(Some(contact))
}

/// The contact with this id.
///
/// # Errors
/// The database failed.
pub fn get(tx: &mut Tx<'_>, tenant: TenantId, contact: ContactId) -> Result<Option<Contact>, StoreError> {
    one(tx, "tenant_id = $1 AND id = $2", &values![tenant, contact])
}

/// The contact with this id, which nobody else changes until the end of the transaction.
///
/// # Errors
/// The database failed.
pub fn get_to_change(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    contact: ContactId,
) -> Result<Option<Contact>, StoreError> {
    tx.query("SELECT 1 FROM contact WHERE tenant_id = $1 AND id = $2 FOR UPDATE", &values![tenant, contact])?;
    get(tx, tenant, contact)
}

/// The newest contact of a source that came to be since an instant and has one of these numbers.
///
/// # Errors
/// The database failed.
pub fn recent(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    source: SourceId,
    numbers: &[PhoneNumber],
    since: Time,
) -> Result<Option<Contact>, StoreError> {
    let found = tx.query_one(
        "SELECT c.id FROM phone p CROSS JOIN contact c
         WHERE c.id = p.contact_id AND p.number = ANY($1) AND c.source_id = $2 AND c.tenant_id = $3
               AND c.updated_at >= $4
         ORDER BY c.created_at DESC LIMIT 1",
        &[
            Value::integers(numbers.iter().map(|number| number.as_i64())),
            source.into(),
            tenant.into(),
            since.into(),
        ],
    )?;
    match found {
        Some(row) => get(tx, tenant, row.get(0)?),
        None => Ok(None),
    }
}

/// The hours of a contact's numbers, by their positions.
///
/// # Errors
/// The database failed.
pub fn buckets_of(tx: &mut Tx<'_>, contact: ContactId) -> Result<BTreeMap<u8, Bucket>, StoreError> {
    let rows = tx.query(
        "SELECT p.position, b.text FROM phone p JOIN bucket b ON b.id = p.bucket_id WHERE p.contact_id = $1",
        &values![contact],
    )?;
    let read = |row: &Row| {
        let bucket = Bucket::parse(&row.get::<String>(1)?).ok_or_else(|| corrupt("bucket.text"))?;
        Ok((row.get(0)?, bucket))
    };
    rows.iter().map(read).collect()
}

/// The contact with this key in its source.
///
/// # Errors
/// The database failed.
pub fn by_external_id(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    source: SourceId,
    external_id: &str,
) -> Result<Option<Contact>, StoreError> {
    let condition = "tenant_id = $1 AND id = (SELECT contact_id FROM contact_key
                                              WHERE source_id = $2 AND external_id = $3)";
    one(tx, condition, &values![tenant, source, external_id])
}

/// Which of a campaign's contacts are wanted; what is not given does not matter.
#[derive(Clone, Default)]
pub struct ContactFilter {
    /// From this source.
    pub source: Option<SourceId>,
    /// That are here on their way.
    pub feed_state: Option<FeedState>,
    /// Whose fields hold these texts; numbers and truth values as they are written in JSON.
    pub fields: Vec<(String, String)>,
}

debug_showing!(ContactFilter: source, feed_state);

/// A campaign's contacts in the order of their ids.
///
/// # Errors
/// The database failed.
pub fn page(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    campaign: CampaignId,
    filter: &ContactFilter,
    page: &Page<ContactId>,
) -> Result<Rows<Contact, ContactId>, StoreError> {
    let sql = format!("{COLUMNS} WHERE tenant_id = $1 AND campaign_id = $2");
    let mut select = Select::new(sql, values![tenant, campaign])
        .and_if("source_id = ?", filter.source)
        .and_if("feed_state = ?", filter.feed_state.map(FeedState::code))
        .and_if("id > ?", page.after);
    for (name, text) in &filter.fields {
        let holds = "CAST(fields ->> CAST(? AS TEXT) AS TEXT) = ?";
        select = select.and(holds, [name.as_str().into(), text.as_str().into()]);
    }
    let mut contacts = select.page(tx, "id", page, read, |contact| contact.id)?;
    add_phones(tx, &mut contacts.rows)?;
    Ok(contacts)
}

/// The contacts, of all campaigns, that can be reached on a number, in the order of their ids.
///
/// # Errors
/// The database failed.
pub fn by_number(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    number: PhoneNumber,
    page: &Page<ContactId>,
) -> Result<Rows<Contact, ContactId>, StoreError> {
    let sql =
        format!("{COLUMNS} WHERE tenant_id = $1 AND id IN (SELECT contact_id FROM phone WHERE number = $2)");
    let mut contacts = Select::new(sql, values![tenant, number]).and_if("id > ?", page.after).page(
        tx,
        "id",
        page,
        read,
        |contact| contact.id,
    )?;
    add_phones(tx, &mut contacts.rows)?;
    Ok(contacts)
}

/// What came of closing a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// It is not called any more.
    Closed,
    /// A group has it in its hopper or on a call: ask that group's engine instead.
    Claimed,
    /// It was not to be called any more anyway; its reason stays.
    AlreadyFinal,
}

/// Sees to it that a contact is not called any more; `None` if there is none. The caller appends the event in the
/// same transaction.
///
/// # Errors
/// The database failed.
pub fn close(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    contact: ContactId,
    now: Time,
) -> Result<Option<Closing>, StoreError> {
    let closed = tx.execute(
        "UPDATE contact SET feed_state = $3, final_reason = $4, is_callback = 0, preferred_agent = NULL,
             updated_at = $5
         WHERE tenant_id = $1 AND id = $2 AND feed_state < $6",
        &values![
            tenant,
            contact,
            FeedState::Final.code(),
            FinalReason::Closed.code(),
            now,
            FeedState::Claimed.code()
        ],
    )?;
    if closed > 0 {
        return Ok(Some(Closing::Closed));
    }
    let row = tx.query_one(
        "SELECT feed_state FROM contact WHERE tenant_id = $1 AND id = $2",
        &values![tenant, contact],
    )?;
    let state = row.map(|row| row.get::<i64>(0)).transpose()?;
    Ok(state
        .map(|code| if code == FeedState::Final.code() { Closing::AlreadyFinal } else { Closing::Claimed }))
}

/// What came of reopening a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reopening {
    /// It is called again.
    Reopened,
    /// It was never closed.
    NotFinal,
    /// None of its numbers may be dialled.
    NoPhoneLeft,
    /// Its time is over; give it a new one first.
    Expired,
}

/// Has a contact called again that was not to be called any more, on its first number that may be dialled; `None` if
/// there is none. Its count of attempts stays, so where the campaign's cap is reached it gets one more attempt. The
/// caller appends the event in the same transaction.
///
/// # Errors
/// The database failed.
pub fn reopen(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    contact: ContactId,
    now: Time,
) -> Result<Option<Reopening>, StoreError> {
    let Some(contact) = get(tx, tenant, contact)? else { return Ok(None) };
    if contact.feed_state != FeedState::Final {
        return Ok(Some(Reopening::NotFinal));
    }
    if contact.expires_at.is_some_and(|at| at <= now) {
        return Ok(Some(Reopening::Expired));
    }
    let Some(phone) = contact.phones.iter().find(|phone| phone.is_dialable()) else {
        return Ok(Some(Reopening::NoPhoneLeft));
    };
    let band = if contact.attempts == 0 { Band::Fresh } else { Band::Retry };
    let reopened = tx.execute(
        "UPDATE contact SET feed_state = $3, final_reason = NULL, next_at = $4, next_phone = $5, bucket_id = $6,
             rank = $7, is_callback = 0, preferred_agent = NULL, updated_at = $4
         WHERE tenant_id = $1 AND id = $2 AND feed_state = $8",
        &values![
            tenant,
            contact.id,
            FeedState::Waiting.code(),
            now,
            phone.position,
            phone.bucket,
            contact.rank.in_band(band),
            FeedState::Final.code()
        ],
    )?;
    tx.execute(
        "INSERT INTO campaign_bucket (campaign_id, bucket_id) VALUES ($1, $2)
         ON CONFLICT (campaign_id, bucket_id) DO NOTHING",
        &values![contact.campaign, phone.bucket],
    )?;
    Ok(Some(if reopened > 0 { Reopening::Reopened } else { Reopening::NotFinal }))
}

/// Whether a campaign has any contact.
///
/// # Errors
/// The database failed.
pub fn any_of_campaign(tx: &mut Tx<'_>, tenant: TenantId, campaign: CampaignId) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM contact WHERE campaign_id = $1 AND tenant_id = $2 LIMIT 1";
    Ok(tx.query_one(sql, &values![campaign, tenant])?.is_some())
}

/// Whether a source has any contact.
///
/// # Errors
/// The database failed.
pub fn any_of_source(tx: &mut Tx<'_>, tenant: TenantId, source: SourceId) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM contact_key k JOIN contact c ON c.id = k.contact_id
               WHERE k.source_id = $1 AND c.tenant_id = $2 LIMIT 1";
    Ok(tx.query_one(sql, &values![source, tenant])?.is_some())
}

/// Has a promised contact called at another time, and of no use after another; false if a group has it in its hopper
/// or on a call, or it is done.
///
/// # Errors
/// The database failed.
pub fn postpone(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    contact: ContactId,
    due: Time,
    expires_at: Time,
    now: Time,
) -> Result<bool, StoreError> {
    let postponed = tx.execute(
        "UPDATE contact SET feed_state = $7, next_at = $3,
             expires_at = CASE WHEN expires_at IS NULL THEN expires_at ELSE $4 END, updated_at = $5
         WHERE tenant_id = $1 AND id = $2 AND feed_state < $6",
        &values![tenant, contact, due, expires_at, now, FeedState::Claimed.code(), i64::from(due <= now)],
    )?;
    Ok(postponed == 1)
}

/// Has a contact called as any other again, whose promise was taken back; false if a group has it in its hopper or on
/// a call, or it is done.
///
/// # Errors
/// The database failed.
pub fn unpromise(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    contact: ContactId,
    now: Time,
) -> Result<bool, StoreError> {
    let Some(found) = get(tx, tenant, contact)? else { return Ok(false) };
    let rank = found.rank.in_band(engine::Band::TimedRetry);
    let freed = tx.execute(
        "UPDATE contact SET is_callback = 0, preferred_agent = NULL, rank = $3, updated_at = $4
         WHERE tenant_id = $1 AND id = $2 AND feed_state < $5",
        &values![tenant, contact, rank, now, FeedState::Claimed.code()],
    )?;
    Ok(freed == 1)
}
