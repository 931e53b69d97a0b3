//! Contacts as the hopper needs them, read with their numbers.

use std::collections::HashMap;
use std::sync::Arc;

use engine::{
    AgentId, BucketId, CallResult, ContactId, HopperContact, Phone, PhoneKind, PhoneNumber, PhoneStatus,
    Rank, SourceId, Time, ZoneSet,
};
use smallvec::SmallVec;
use uuid::Uuid;

use crate::{Row, StoreError, Tx, Value};

/// A contact that was taken from the feed: everything the hopper needs but what its bucket says.
#[derive(Clone, PartialEq, Debug)]
pub struct ClaimedContact {
    /// Who.
    pub contact: ContactId,
    /// Where they come from.
    pub source: SourceId,
    /// The number that their last call showed.
    pub last_caller_id: Option<PhoneNumber>,
    /// Its place in the feed's order.
    pub rank: Rank,
    /// All its numbers, in order.
    pub phones: SmallVec<[Phone; 2]>,
    /// The position of the number to dial now.
    pub phone: u8,
    /// The bucket of that number: its zones and window.
    pub bucket: BucketId,
    /// Attempts made on all its numbers.
    pub attempts: u16,
    /// How the last attempt ended.
    pub last_result: Option<CallResult>,
    /// How often in a row it ended like that.
    pub last_result_in_a_row: u16,
    /// Whether the call was promised.
    pub is_callback: bool,
    /// The agent who should take it.
    pub preferred_agent: Option<AgentId>,
    /// Not to be dialled from this instant on.
    pub expires_at: Option<Time>,
}

impl ClaimedContact {
    /// The contact for the engine, with what its bucket says.
    pub fn into_hopper(self, zones: Arc<ZoneSet>, dial_until: Time) -> HopperContact {
        HopperContact {
            contact: self.contact,
            source: self.source,
            last_caller_id: self.last_caller_id,
            rank: self.rank,
            phones: self.phones,
            phone: self.phone,
            zones,
            attempts: self.attempts,
            last_result: self.last_result,
            last_result_in_a_row: self.last_result_in_a_row,
            is_callback: self.is_callback,
            promise: None,
            preferred_agent: self.preferred_agent,
            expires_at: self.expires_at,
            dial_until,
        }
    }

    /// The number to dial now.
    pub fn current_phone(&self) -> Option<&Phone> {
        self.phones.iter().find(|phone| phone.position == self.phone)
    }

    /// The number to dial at this moment among those that `may_be_dialled`: the current one, else the next after it
    /// in the contact's order, going round. A promised call keeps its number even if that number's cap is reached.
    pub(crate) fn dialable(&self, may_be_dialled: impl Fn(&Phone) -> bool) -> Option<&Phone> {
        let is_promised = |phone: &Phone| {
            self.is_callback && phone.position == self.phone && phone.status == PhoneStatus::Active
        };
        let from_current = self.phones.iter().filter(|phone| phone.position >= self.phone);
        let before_it = self.phones.iter().filter(|phone| phone.position < self.phone);
        from_current.chain(before_it).find(|it| (is_promised(it) || it.is_dialable()) && may_be_dialled(it))
    }
}

/// The columns that [`read_contact`] reads, in order.
pub(crate) const COLUMNS: &str = "id, rank, next_phone, bucket_id, attempts, last_result, last_result_in_a_row, \
                                  is_callback, preferred_agent, expires_at, source_id, last_caller_id";
/// How many they are.
pub(crate) const COLUMN_COUNT: usize = 12;

/// Reads a row that begins with [`COLUMNS`]; the numbers come from [`add_phones`].
pub(crate) fn read_contact(row: &Row) -> Result<ClaimedContact, StoreError> {
    let result = row.get::<Option<i64>>(5)?;
    Ok(ClaimedContact {
        contact: row.get(0)?,
        source: row.get(10)?,
        last_caller_id: row.get(11)?,
        rank: row.get(1)?,
        phones: SmallVec::new(),
        phone: row.get(2)?,
        bucket: row.get(3)?,
        attempts: row.get(4)?,
        last_result: result.map(call_result).transpose()?,
        last_result_in_a_row: row.get(6)?,
        is_callback: row.get(7)?,
        preferred_agent: row.get(8)?,
        expires_at: row.get(9)?,
    })
}

pub(crate) fn call_result(code: i64) -> Result<CallResult, StoreError> {
    CallResult::from_code(code).ok_or_else(|| StoreError::corrupt(format!("{code} is no call result")))
}

/// Gives contacts their numbers.
pub(crate) fn add_phones<'a>(
    tx: &mut Tx<'_>,
    contacts: impl IntoIterator<Item = &'a mut ClaimedContact>,
) -> Result<(), StoreError> {
    let mut by_id: HashMap<Uuid, &mut ClaimedContact> =
        contacts.into_iter().map(|it| (it.contact.0, it)).collect();
    let rows = tx.query(
        "SELECT contact_id, position, number, kind, status, attempts, attempts_max, caller_id, bucket_id
         FROM phone WHERE contact_id = ANY($1) ORDER BY contact_id, position",
        &[Value::uuids(by_id.keys().copied())],
    )?;
    for row in &rows {
        if let Some(contact) = by_id.get_mut(&row.get::<Uuid>(0)?) {
            contact.phones.push(read_phone(row)?);
        }
    }
    Ok(())
}

fn read_phone(row: &Row) -> Result<Phone, StoreError> {
    Ok(Phone {
        position: row.get(1)?,
        number: row.get(2)?,
        kind: PhoneKind::from_code(row.get(3)?),
        status: PhoneStatus::from_code(row.get(4)?),
        attempts: row.get(5)?,
        attempts_max: row.get(6)?,
        caller_id: row.get(7)?,
        bucket: row.get(8)?,
    })
}
