//! Contacts that a batch meets again.

use std::collections::{HashMap, HashSet};

use engine::{Band, ContactId, FeedOrder, Phone, PhoneStatus, Rank, SourceId, Time};

use super::IntakeRecord;
use crate::hopper::{self, ClaimedContact};
use crate::{StoreError, Tx, Value};

/// A contact as it is stored.
pub(super) struct Existing {
    pub(super) contact: ContactId,
    pub(super) fingerprint: i64,
    /// 0 waits for `next_at`, 1 ready, 2 claimed, 3 final.
    pub(super) feed_state: i64,
    pub(super) next_at: Time,
    sequence: u64,
    stored: ClaimedContact,
}

/// Finds a source's contacts by their external ids and keeps them from being changed by others until the end of the
/// transaction.
pub(super) fn look_up(
    tx: &mut Tx<'_>,
    source: SourceId,
    external_ids: &HashSet<&str>,
) -> Result<HashMap<String, Existing>, StoreError> {
    let keys = tx.query(
        "SELECT contact_id FROM contact_key WHERE source_id = $1 AND external_id = ANY($2)",
        &[source.into(), Value::texts(external_ids.iter().copied())],
    )?;
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let contacts = keys.iter().map(|row| row.get(0)).collect::<Result<Vec<uuid::Uuid>, _>>()?;
    let columns = hopper::COLUMNS;
    let rows = tx.query(
        &format!(
            "SELECT {columns}, external_id, fingerprint, feed_state, next_at, sequence FROM contact
             WHERE id = ANY($1) ORDER BY id FOR UPDATE"
        ),
        &[Value::UuidList(contacts)],
    )?;
    let at = |offset: usize| hopper::COLUMN_COUNT + offset;
    let mut found = HashMap::with_capacity(rows.len());
    for row in &rows {
        let stored = hopper::read_contact(row)?;
        let existing = Existing {
            contact: stored.contact,
            fingerprint: row.get(at(1))?,
            feed_state: row.get(at(2))?,
            next_at: row.get(at(3))?,
            sequence: row.get(at(4))?,
            stored,
        };
        found.insert(row.get(at(0))?, existing);
    }
    hopper::add_phones(tx, found.values_mut().map(|existing: &mut Existing| &mut existing.stored))?;
    Ok(found)
}

/// Where a contact stands in the feed after an update.
pub(super) struct Place {
    pub(super) feed_state: i64,
    pub(super) next_at: Time,
    pub(super) rank: Rank,
    pub(super) is_callback: bool,
}

impl Existing {
    /// Whether the feed may be told anew about it: it is neither in a hopper nor done.
    pub(super) fn is_in_feed(&self) -> bool {
        self.feed_state < 2
    }

    /// Its place after the update. A new promise or a new earliest instant moves it; but once it has been called, only
    /// a promise outdoes what a treatment planned.
    pub(super) fn place(&self, record: &IntakeRecord, order: FeedOrder, now: Time) -> Place {
        let is_callback = self.stored.is_callback || record.callback;
        let band = if record.callback || record.urgent { Band::Callback } else { band(self.stored.rank) };
        let moves = record.callback || self.stored.attempts == 0;
        let next_at = if moves { record.not_before.unwrap_or(now) } else { self.next_at };
        let feed_state = match moves {
            true => i64::from(next_at <= now),
            false => self.feed_state,
        };
        let rank = Rank::new(band, record.priority, order, self.sequence);
        Place { feed_state, next_at, rank, is_callback }
    }

    /// Its numbers after the update: a number that stays keeps what is known of it.
    pub(super) fn phones(&self, record: &IntakeRecord, is_suppressed: impl Fn(&Phone) -> bool) -> Vec<Phone> {
        let mut phones = fresh_phones(record);
        for phone in &mut phones {
            if let Some(before) = self.stored.phones.iter().find(|it| it.number == phone.number) {
                phone.status = before.status;
                phone.attempts = before.attempts;
                // A higher cap opens a number again that had reached the lower one.
                if before.status == PhoneStatus::Exhausted
                    && phone.attempts_max.is_none_or(|max| phone.attempts < max)
                {
                    phone.status = PhoneStatus::Active;
                }
            }
            if is_suppressed(phone) {
                phone.status = PhoneStatus::Suppressed;
            }
        }
        phones
    }

    /// Which of the numbers is next: the one that was, if it is still there and may be dialled.
    pub(super) fn next_phone<'a>(&self, phones: &'a [Phone]) -> Option<&'a Phone> {
        let was_next = self.stored.current_phone().map(|phone| phone.number);
        let stays = phones.iter().find(|phone| Some(phone.number) == was_next && phone.is_dialable());
        stays.or_else(|| first_dialable(phones))
    }
}

/// A record's numbers as new ones.
pub(super) fn fresh_phones(record: &IntakeRecord) -> Vec<Phone> {
    (0_u8..)
        .zip(&record.phones)
        .map(|(position, phone)| Phone {
            position,
            number: phone.number,
            kind: phone.kind,
            status: PhoneStatus::Active,
            attempts: 0,
            attempts_max: phone.attempts_max,
            caller_id: phone.caller_id,
            bucket: phone.bucket,
        })
        .collect()
}

/// The first that may be dialled; the first of all if none may, which the feed then finds out.
pub(super) fn first_dialable(phones: &[Phone]) -> Option<&Phone> {
    phones.iter().find(|phone| phone.is_dialable()).or(phones.first())
}

/// The band of a rank: its highest byte (see [`Rank`]).
fn band(rank: Rank) -> Band {
    match rank.0 >> 56 {
        0 => Band::Callback,
        1 => Band::TimedRetry,
        2 => Band::Fresh,
        _ => Band::Retry,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_band_reads_back_from_a_rank() {
        for wanted in [Band::Callback, Band::TimedRetry, Band::Fresh, Band::Retry] {
            assert_eq!(band(Rank::new(wanted, 50, FeedOrder::Shuffled, 12_345)), wanted);
        }
    }
}
