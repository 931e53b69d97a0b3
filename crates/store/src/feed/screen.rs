//! The last look at contacts before they go into the hopper: expiry and suppression lists.

use std::collections::{HashMap, HashSet};

use engine::change::{ContactPlanned, ContactReturned, PlannedNext};
use engine::{
    BucketId, Change, ContactId, FinalReason, GroupId, PhoneNumber, PhoneStatus, SuppressionListId, Time,
};

use crate::hopper::ClaimedContact;
use crate::{StoreError, Tx, Value, values};

/// What is on the lists that concern a batch of contacts. An instant is the one until which it is suppressed; none is
/// for ever.
pub(crate) struct Suppressed {
    numbers: HashMap<PhoneNumber, Option<Time>>,
    customers: HashMap<String, Option<Time>>,
}

impl Suppressed {
    /// Looks up these numbers and customers.
    pub(crate) fn look_up(
        tx: &mut Tx<'_>,
        lists: &[SuppressionListId],
        numbers: &HashSet<PhoneNumber>,
        customers: &HashSet<&str>,
        now: Time,
    ) -> Result<Self, StoreError> {
        let lists = Value::uuids(lists.iter().map(|list| list.0));
        let rows = tx.query(
            "SELECT number, until FROM suppressed_number
             WHERE list_id = ANY($1) AND number = ANY($2) AND (until IS NULL OR until > $3)",
            &[lists.clone(), Value::integers(numbers.iter().map(|number| number.as_i64())), now.into()],
        )?;
        let mut found = Self { numbers: HashMap::new(), customers: HashMap::new() };
        for row in &rows {
            keep_longest(&mut found.numbers, row.get(0)?, row.get(1)?);
        }
        let rows = tx.query(
            "SELECT external_id, until FROM suppressed_customer
             WHERE list_id = ANY($1) AND external_id = ANY($2) AND (until IS NULL OR until > $3)",
            &[lists, Value::texts(customers.iter().copied()), now.into()],
        )?;
        for row in &rows {
            keep_longest(&mut found.customers, row.get(0)?, row.get(1)?);
        }
        Ok(found)
    }

    /// Until when a number is suppressed: not at all (`None`), until an instant, or for ever (`Some(None)`).
    pub(crate) fn number(&self, number: PhoneNumber) -> Option<Option<Time>> {
        self.numbers.get(&number).copied()
    }

    /// Until when a customer is suppressed, likewise.
    pub(crate) fn customer(&self, external_id: &str) -> Option<Option<Time>> {
        self.customers.get(external_id).copied()
    }
}

fn keep_longest<K: std::hash::Hash + Eq>(map: &mut HashMap<K, Option<Time>>, key: K, until: Option<Time>) {
    let kept = map.entry(key).or_insert(until);
    *kept = kept.zip(until).map(|(one, other)| one.max(other));
}

/// What becomes of a contact that was taken.
pub(super) enum Verdict {
    /// It goes into the hopper, on this number (position) of this bucket.
    Dial { phone: u8, bucket: BucketId },
    /// It is done.
    Final(FinalReason),
    /// All that is left of it is suppressed until this instant.
    NotBefore(Time),
}

/// Decides about one contact, and marks its numbers that are suppressed for ever.
pub(super) fn screen(
    contact: &mut ClaimedContact,
    external_id: &str,
    lists: &Suppressed,
    now: Time,
) -> Verdict {
    if contact.expires_at.is_some_and(|expires_at| expires_at <= now) {
        return Verdict::Final(FinalReason::Expired);
    }
    match lists.customer(external_id) {
        Some(None) => return Verdict::Final(FinalReason::Suppressed),
        Some(Some(until)) => return Verdict::NotBefore(until),
        None => {}
    }
    for phone in &mut contact.phones {
        if lists.number(phone.number) == Some(None) && phone.status == PhoneStatus::Active {
            phone.status = PhoneStatus::Suppressed;
        }
    }
    let is_free = |phone: &engine::Phone| lists.number(phone.number).is_none();
    if let Some(phone) = contact.dialable(is_free) {
        return Verdict::Dial { phone: phone.position, bucket: phone.bucket };
    }
    let dialable_later = contact.phones.iter().filter(|phone| phone.is_dialable());
    let soonest = dialable_later.filter_map(|phone| lists.number(phone.number).flatten()).min();
    if let Some(until) = soonest {
        return Verdict::NotBefore(until);
    }
    let any_suppressed = contact.phones.iter().any(|phone| phone.status == PhoneStatus::Suppressed);
    Verdict::Final(if any_suppressed { FinalReason::Suppressed } else { FinalReason::NoPhoneLeft })
}

/// The change that ends a contact without an attempt.
pub(super) fn finished(group: GroupId, contact: &ClaimedContact, reason: FinalReason, at: Time) -> Change {
    let status = contact.current_phone().map_or(PhoneStatus::Active, |phone| phone.status);
    Change::ContactPlanned(ContactPlanned {
        attempt: None,
        group,
        contact: contact.contact,
        phone: contact.phone,
        phone_status: status,
        result: None,
        result_in_a_row: 0,
        disposition: None,
        notes: None,
        at,
        suppress: None,
        next: PlannedNext::Final { reason },
    })
}

/// The change that puts a contact back until an instant.
pub(super) fn put_back(group: GroupId, contact: ContactId, until: Time) -> Change {
    Change::ContactReturned(ContactReturned { group, contact, not_before: Some(until), rejected: None })
}

/// Stores that numbers of these contacts are suppressed for ever.
pub(super) fn store_suppressed_phones(
    tx: &mut Tx<'_>,
    contacts: &[ClaimedContact],
) -> Result<(), StoreError> {
    let mut sets = Vec::new();
    for contact in contacts {
        for phone in contact.phones.iter().filter(|phone| phone.status == PhoneStatus::Suppressed) {
            sets.push(values![contact.contact, phone.position]);
        }
    }
    tx.execute_many(
        "UPDATE phone SET status = 2 WHERE contact_id = $1 AND position = $2 AND status <> 2",
        &sets,
    )?;
    Ok(())
}
