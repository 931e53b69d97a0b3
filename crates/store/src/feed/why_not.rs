//! Why a contact is not dialled: the facts.

use engine::{
    Bucket, CampaignId, ContactId, FinalReason, GroupId, PhoneNumber, PhoneStatus, SuppressionListId,
    TenantId, Time,
};

use crate::{StoreError, Tx, Value, values};

/// What decides whether a contact is dialled; the caller turns it into words.
#[derive(Clone, PartialEq, Debug)]
pub struct WhyNot {
    /// Its campaign.
    pub campaign: CampaignId,
    /// 0 waits for `next_at`, 1 ready, 2 claimed, 3 final.
    pub feed_state: u8,
    /// Why it is done.
    pub final_reason: Option<FinalReason>,
    /// Not before this instant.
    pub next_at: Time,
    /// Not from this instant on.
    pub expires_at: Option<Time>,
    /// The zones and window of the number that is next.
    pub bucket: Option<Bucket>,
    /// The position of that number.
    pub next_phone: u8,
    /// Its numbers, in order.
    pub phones: Vec<PhoneFacts>,
    /// The group in whose hopper it is.
    pub claimed_by: Option<GroupId>,
    /// Whether it has an attempt that is not settled.
    pub has_unsettled_attempt: bool,
    /// Its numbers on the lists named, or on the campaign's own.
    pub suppressed_numbers: Vec<SuppressedNumber>,
    /// The lists that it is on as a customer, with the instants until which it is.
    pub suppressed_customer: Vec<(SuppressionListId, Option<Time>)>,
}

/// What is known of a number: its position, its status, attempts made on it, attempts allowed on it.
pub type PhoneFacts = (u8, PhoneStatus, u16, Option<u16>);

/// A number that is on a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SuppressedNumber {
    /// Its position among the contact's numbers.
    pub position: u8,
    /// The number.
    pub number: PhoneNumber,
    /// The list.
    pub list: SuppressionListId,
    /// Until when; none is for ever.
    pub until: Option<Time>,
}

/// What decides whether a contact of a tenant is dialled; `None` if there is no such contact.
///
/// # Errors
/// Those of the database.
pub fn why_not(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    contact: ContactId,
    lists: &[SuppressionListId],
    now: Time,
) -> Result<Option<WhyNot>, StoreError> {
    let found = tx.query_one(
        "SELECT c.campaign_id, c.feed_state, c.final_reason, c.next_at, c.expires_at, b.text, c.next_phone,
                c.claimed_by, c.external_id,
                EXISTS (SELECT 1 FROM attempt a WHERE a.contact_id = c.id AND a.state < 2)
         FROM contact c LEFT JOIN bucket b ON b.id = c.bucket_id WHERE c.id = $1 AND c.tenant_id = $2",
        &values![contact, tenant],
    )?;
    let Some(row) = found else { return Ok(None) };
    let campaign: CampaignId = row.get(0)?;
    let all_lists = lists.iter().map(|list| list.0).chain([campaign.0]);
    let lists = Value::uuids(all_lists);
    Ok(Some(WhyNot {
        campaign,
        feed_state: row.get(1)?,
        final_reason: row.get::<Option<i64>>(2)?.and_then(FinalReason::from_code),
        next_at: row.get(3)?,
        expires_at: row.get(4)?,
        bucket: row.get::<Option<String>>(5)?.and_then(|text| Bucket::parse(&text)),
        next_phone: row.get(6)?,
        phones: phones(tx, contact)?,
        claimed_by: row.get(7)?,
        has_unsettled_attempt: row.get(9)?,
        suppressed_numbers: suppressed_numbers(tx, contact, &lists, now)?,
        suppressed_customer: suppressed_customer(tx, &row.get::<String>(8)?, &lists, now)?,
    }))
}

fn phones(tx: &mut Tx<'_>, contact: ContactId) -> Result<Vec<PhoneFacts>, StoreError> {
    let rows = tx.query(
        "SELECT position, status, attempts, attempts_max FROM phone WHERE contact_id = $1 ORDER BY position",
        &values![contact],
    )?;
    let read =
        |row: &crate::Row| Ok((row.get(0)?, PhoneStatus::from_code(row.get(1)?), row.get(2)?, row.get(3)?));
    rows.iter().map(read).collect()
}

fn suppressed_numbers(
    tx: &mut Tx<'_>,
    contact: ContactId,
    lists: &Value,
    now: Time,
) -> Result<Vec<SuppressedNumber>, StoreError> {
    let rows = tx.query(
        "SELECT p.position, p.number, s.list_id, s.until FROM phone p JOIN suppressed_number s ON s.number = p.number
         WHERE p.contact_id = $1 AND s.list_id = ANY($2) AND (s.until IS NULL OR s.until > $3)
         ORDER BY p.position, s.list_id",
        &[contact.into(), lists.clone(), now.into()],
    )?;
    rows.iter()
        .map(|row| {
            let (position, number) = (row.get(0)?, row.get(1)?);
            Ok(SuppressedNumber { position, number, list: row.get(2)?, until: row.get(3)? })
        })
        .collect()
}

fn suppressed_customer(
    tx: &mut Tx<'_>,
    external_id: &str,
    lists: &Value,
    now: Time,
) -> Result<Vec<(SuppressionListId, Option<Time>)>, StoreError> {
    let rows = tx.query(
        "SELECT list_id, until FROM suppressed_customer
         WHERE external_id = $1 AND list_id = ANY($2) AND (until IS NULL OR until > $3) ORDER BY list_id",
        &[external_id.into(), lists.clone(), now.into()],
    )?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}
