//! The groups' lists.

use std::sync::Arc;

use engine::contact::{Phone, PhoneKind, PhoneStatus, Rank};
use engine::{BucketId, ContactId, GroupId, HopperContact, Input, PhoneNumber, Supply, Time, ZoneSet};
use uuid::Uuid;

use super::Floor;

impl Floor<'_> {
    pub(super) fn fetch(&mut self, group: GroupId, fence: u64, wanted: u32) {
        let index = (group.0.as_u128() - 0x6000) as usize;
        let state = &mut self.groups[index];
        let endless = state.scenario.list == 0;
        let count = if endless { u64::from(wanted) } else { u64::from(wanted).min(state.left) };
        state.left -= if endless { 0 } else { count };
        state.taken += count;
        let first = state.next_contact;
        state.next_contact += count;
        let any_left = endless || state.left > 0;
        let contacts =
            (first..first + count).filter_map(|contact| person(index, contact, &self.zones)).collect();
        let supply = Supply { any_left, next_due: None };
        self.inbox.push_back(Input::Contacts { group, fence, contacts, supply });
    }
}

/// A person on a group's list, by their place on it.
fn person(group: usize, place: u64, zones: &Arc<ZoneSet>) -> Option<HopperContact> {
    let number = PhoneNumber::from_digits(300_000_000_000 + group as u64 * 10_000_000_000 + place).ok()?;
    let phone = Phone {
        position: 0,
        number,
        kind: PhoneKind::Unknown,
        status: PhoneStatus::Active,
        attempts: 0,
        attempts_max: None,
        caller_id: None,
        bucket: BucketId(1),
    };
    Some(HopperContact {
        contact: ContactId(Uuid::from_u128(u128::from(number.digits()))),
        source: engine::SourceId(Uuid::nil()),
        last_caller_id: None,
        rank: Rank(place as i64),
        phones: std::iter::once(phone).collect(),
        phone: 0,
        zones: Arc::clone(zones),
        attempts: 0,
        last_result: None,
        last_result_in_a_row: 0,
        is_callback: false,
        promise: None,
        preferred_agent: None,
        expires_at: None,
        dial_until: Time::NEVER,
    })
}
