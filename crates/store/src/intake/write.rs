//! Writes what a batch creates and changes.

use engine::{Band, ContactId, Phone, PhoneStatus, Rank};

use super::existing::{self, Existing};
use super::{IntakeBatch, IntakeRecord, Known};
use crate::{StoreError, Tx, Value, values};

const CONTACT_COLUMNS: [&str; 27] = [
    "id",
    "tenant_id",
    "campaign_id",
    "source_id",
    "external_id",
    "fields",
    "priority",
    "sequence",
    "created_at",
    "updated_at",
    "import_id",
    "fingerprint",
    "feed_state",
    "bucket_id",
    "rank",
    "next_at",
    "expires_at",
    "next_phone",
    "is_callback",
    "preferred_agent",
    "attempts",
    "last_result_in_a_row",
    "last_result",
    "claimed_by",
    "claim_epoch",
    "lane_id",
    "tag",
];
const KEY_COLUMNS: [&str; 3] = ["source_id", "external_id", "contact_id"];
const PHONE_COLUMNS: [&str; 9] = [
    "contact_id",
    "position",
    "number",
    "kind",
    "status",
    "attempts",
    "attempts_max",
    "caller_id",
    "bucket_id",
];

/// Writes new contacts in bulk, in the order of their ids, in which the database keeps them too.
pub(super) fn create(
    tx: &mut Tx<'_>,
    batch: &IntakeBatch,
    known: &Known,
    created: &[(ContactId, usize)],
) -> Result<(), StoreError> {
    let mut created = created.to_vec();
    created.sort_unstable();
    let mut contacts = Vec::with_capacity(created.len());
    let mut keys = Vec::with_capacity(created.len());
    let mut phones = Vec::with_capacity(created.len());
    for (id, place) in &created {
        let record = &batch.records[*place];
        let mut numbers = existing::fresh_phones(record);
        for phone in numbers.iter_mut().filter(|phone| known.is_suppressed(phone.number)) {
            phone.status = PhoneStatus::Suppressed;
        }
        contacts.push(contact_row(batch, *id, *place, record, &numbers));
        keys.push(values![batch.source, &record.external_id, *id]);
        phones.extend(numbers.iter().map(|phone| phone_row(*id, phone)));
    }
    tx.insert_rows("contact", &CONTACT_COLUMNS, &contacts)?;
    tx.insert_rows("contact_key", &KEY_COLUMNS, &keys)?;
    tx.insert_rows("phone", &PHONE_COLUMNS, &phones)?;
    Ok(())
}

fn contact_row(
    batch: &IntakeBatch,
    id: ContactId,
    place: usize,
    record: &IntakeRecord,
    phones: &[Phone],
) -> [Value; 27] {
    let sequence = Rank::sequence(batch.now, place as u64);
    let band = if record.callback || record.urgent { Band::Callback } else { Band::Fresh };
    let next_at = record.not_before.unwrap_or(batch.now);
    let next = existing::first_dialable(phones);
    values![
        id,
        batch.tenant,
        batch.campaign,
        batch.source,
        &record.external_id,
        &record.fields_json,
        record.priority,
        sequence,
        record.created_at.unwrap_or(batch.now),
        batch.now,
        batch.import,
        record.fingerprint,
        next_at <= batch.now,
        next.map(|phone| phone.bucket),
        Rank::new(band, record.priority, batch.order, sequence),
        next_at,
        record.expires_at,
        next.map(|phone| phone.position),
        record.callback,
        record.preferred_agent,
        0,
        0,
        Value::Null,
        Value::Null,
        Value::Null,
        record.group.map_or(batch.campaign.0, |group| group.0),
        record.tag.as_ref(),
    ]
}

fn phone_row(contact: ContactId, phone: &Phone) -> [Value; 9] {
    values![
        contact,
        phone.position,
        phone.number,
        phone.kind.code(),
        phone.status.code(),
        phone.attempts,
        phone.attempts_max,
        phone.caller_id,
        phone.bucket,
    ]
}

/// Writes what changed.
pub(super) fn update(
    tx: &mut Tx<'_>,
    batch: &IntakeBatch,
    known: &Known,
    updated: &[(ContactId, usize)],
) -> Result<(), StoreError> {
    let mut in_feed = Vec::new();
    let mut data_only = Vec::new();
    let mut phones = Vec::new();
    for (id, place) in updated {
        let record = &batch.records[*place];
        let Some(existing) = known.contacts.get(&record.external_id) else { continue };
        if existing.is_in_feed() {
            let numbers = existing.phones(record, |phone| known.is_suppressed(phone.number));
            in_feed.push(update_in_feed(batch, existing, record, &numbers));
            phones.extend(numbers.iter().map(|phone| phone_row(*id, phone)));
        } else {
            // The old fingerprint of one that is in a hopper lets the next import apply what could not be applied now.
            let fingerprint =
                if existing.feed_state == 3 { record.fingerprint } else { existing.fingerprint };
            data_only.push(values![*id, &record.fields_json, batch.now, batch.import, fingerprint]);
        }
    }
    tx.execute_many(
        "UPDATE contact SET fields = $2, updated_at = $3, import_id = COALESCE($4, import_id), fingerprint = $5
         WHERE id = $1",
        &data_only,
    )?;
    tx.execute_many(
        "UPDATE contact SET fields = $2, updated_at = $3, import_id = COALESCE($4, import_id), fingerprint = $5,
                priority = $6, expires_at = $7, preferred_agent = $8, feed_state = $9, next_at = $10, rank = $11,
                is_callback = $12, next_phone = $13, bucket_id = $14, lane_id = COALESCE($15, lane_id),
                tag = COALESCE($16, tag)
         WHERE id = $1",
        &in_feed,
    )?;
    let changed = in_feed.iter().filter_map(|set| if let Value::Uuid(id) = set[0] { Some(id) } else { None });
    tx.execute("DELETE FROM phone WHERE contact_id = ANY($1)", &[Value::uuids(changed)])?;
    tx.insert_rows("phone", &PHONE_COLUMNS, &phones)?;
    Ok(())
}

fn update_in_feed(
    batch: &IntakeBatch,
    existing: &Existing,
    record: &IntakeRecord,
    phones: &[Phone],
) -> [Value; 16] {
    let place = existing.place(record, batch.order, batch.now);
    let next = existing.next_phone(phones);
    values![
        existing.contact,
        &record.fields_json,
        batch.now,
        batch.import,
        record.fingerprint,
        record.priority,
        record.expires_at,
        record.preferred_agent,
        place.feed_state,
        place.next_at,
        place.rank,
        place.is_callback,
        next.map(|phone| phone.position),
        next.map(|phone| phone.bucket),
        record.group,
        record.tag.as_ref(),
    ]
}
