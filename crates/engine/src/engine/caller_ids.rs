//! The numbers that calls show.

use std::time::Duration;

use crate::contact::HopperContact;
use crate::ids::GroupId;
use crate::phone::PhoneNumber;
use crate::time::Time;

use super::Engine;
use super::dialling::may_be_called;
use super::io::WakeReason;
use super::state::Group;
use crate::caller_id::CallerIdRule;

/// A large hopper in which all contacts wait is not looked through again at every input; what can change before its
/// `until` makes it looked through at once, but for contacts whose hours end.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// That every contact in a hopper waits for a number that may be shown.
#[derive(Clone, Copy)]
pub(super) struct Held {
    /// From when on there is one.
    pub until: Time,
    look_again_at: Time,
    /// Contacts in the hopper, and which state of the pools it was.
    hopper: usize,
    pools: u64,
}

impl Engine {
    /// Takes the first contact from the hopper whom a number can be shown to now. Those who may not be called any more
    /// are taken as well, so that nobody waits in the hopper for a number when their hours are over.
    pub(super) fn first_with_caller_id(&mut self, id: GroupId) -> Option<Box<HopperContact>> {
        let Self { groups, caller_ids, now, .. } = self;
        let Group { definition, hopper, held, .. } = groups.get_mut(&id)?;
        let is_held = |held: &Held| {
            let same = (held.hopper, held.pools) == (hopper.len(), caller_ids.state());
            same && *now < held.until.min(held.look_again_at)
        };
        if held.as_ref().is_some_and(is_held) {
            return None;
        }
        // A rule is looked at once and not for each contact: hoppers are large, and pools, too.
        let mut looked_at: Vec<(CallerIdRule, Option<Time>)> = Vec::new();
        let mut held_until = |contact: &HopperContact| {
            let rule = rule(definition, contact).filter(|rule| matches!(rule, CallerIdRule::Pool { .. }))?;
            if let Some((_, until)) = looked_at.iter().find(|(known, _)| *known == rule) {
                return *until;
            }
            let until = caller_ids.held_until(rule);
            looked_at.push((rule, until));
            until
        };
        let taken =
            hopper.take_first(|contact| !may_be_called(contact, *now) || held_until(contact).is_none());
        let until = looked_at.iter().filter_map(|(_, until)| *until).min();
        *held = until.filter(|_| taken.is_none()).map(|until| Held {
            until,
            look_again_at: *now + LOOK_AGAIN,
            hopper: hopper.len(),
            pools: caller_ids.state(),
        });
        if let Some(Held { until, .. }) = *held {
            self.set_timer(until, WakeReason::CallerIds(id));
        }
        taken
    }

    /// From when on a number may be shown to a contact; none if one may be now.
    pub(super) fn no_caller_id_until(&self, id: GroupId, contact: &HopperContact) -> Option<Time> {
        self.caller_ids.held_until(rule(&self.groups.get(&id)?.definition, contact)?)
    }

    /// Whether a group has contacts, and all of them wait for a number that may be shown.
    pub(super) fn waits_for_caller_ids(&self, id: GroupId) -> bool {
        let Some(group) = self.groups.get(&id) else { return false };
        let (hopper, promised) = (&group.hopper, &group.promised);
        let waits = |contact: &HopperContact| self.no_caller_id_until(id, contact).is_some();
        (!hopper.is_empty() || !promised.is_empty())
            && (hopper.is_empty() || group.held.is_some_and(|held| self.now < held.until))
            && promised.iter().all(|contact| waits(contact))
    }

    /// Chooses the number that a call to this contact shows, and counts it.
    ///
    /// # Errors
    /// None may be shown now: from when on one may be.
    pub(super) fn choose_caller_id(
        &mut self,
        id: GroupId,
        contact: &HopperContact,
    ) -> Result<Option<PhoneNumber>, Time> {
        let rule = self.groups.get(&id).and_then(|group| rule(&group.definition, contact));
        let (Some(rule), Some(phone)) = (rule, contact.current_phone()) else { return Ok(None) };
        let chosen = self.caller_ids.choose(rule, phone.number, contact.last_caller_id)?;
        if let Some(number) = chosen {
            self.caller_ids.shown(number);
        }
        Ok(chosen)
    }
}

fn rule(definition: &super::GroupDefinition, contact: &HopperContact) -> Option<CallerIdRule> {
    let own = contact.current_phone().and_then(|phone| phone.caller_id);
    definition.rules.caller_ids.rule(own, contact.source, definition.settings.caller_ids())
}
