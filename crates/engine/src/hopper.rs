//! The hopper: contacts that passed every check and are ready to dial now, in the feed's order.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashSet;

use crate::contact::{HopperContact, Rank};
use crate::ids::ContactId;
use crate::phone::PhoneNumber;

/// A campaign group's hopper. A contact is in it at most once.
#[derive(Debug, Default)]
pub struct Hopper {
    /// Boxed, as a contact is large, the tree moves what it holds, and a contact goes from here to its call.
    contacts: BTreeMap<(Rank, ContactId), Box<HopperContact>>,
    members: FxHashSet<ContactId>,
}

impl Hopper {
    /// How many contacts wait.
    pub fn len(&self) -> usize {
        self.contacts.len()
    }

    /// Who waits, in order.
    pub fn ids(&self) -> Vec<ContactId> {
        self.contacts.keys().map(|(_, contact)| *contact).collect()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.contacts.is_empty()
    }

    /// Adds a contact; false, and nothing changes, if it is there already.
    pub fn add(&mut self, contact: Box<HopperContact>) -> bool {
        if !self.members.insert(contact.contact) {
            return false;
        }
        self.contacts.insert((contact.rank, contact.contact), contact);
        true
    }

    /// Takes the first contact of which this holds.
    pub fn take_first(
        &mut self,
        mut wanted: impl FnMut(&HopperContact) -> bool,
    ) -> Option<Box<HopperContact>> {
        let (_, contact) = self.contacts.extract_if(.., |_, contact| wanted(contact)).next()?;
        self.members.remove(&contact.contact);
        Some(contact)
    }

    /// Takes every contact.
    pub fn take_all(&mut self) -> Vec<Box<HopperContact>> {
        self.members.clear();
        std::mem::take(&mut self.contacts).into_values().collect()
    }

    /// Takes the contacts of which some number is one of these.
    pub fn take_numbers(&mut self, numbers: &BTreeSet<PhoneNumber>) -> Vec<Box<HopperContact>> {
        let taken: Vec<Box<HopperContact>> = self
            .contacts
            .extract_if(.., |_, contact| contact.has_one_of(numbers))
            .map(|(_, contact)| contact)
            .collect();
        for contact in &taken {
            self.members.remove(&contact.contact);
        }
        taken
    }
}
