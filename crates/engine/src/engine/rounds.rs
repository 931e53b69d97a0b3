//! Changes on their way into the database, and what waits for them.

use crate::change::{Change, ChangeSet};
use crate::ids::GroupId;

use super::Engine;
use super::io::Output;
use super::state::AfterStored;

/// What was decided between two polls under one group's lease, or under none.
pub(super) struct Round {
    pub group: Option<GroupId>,
    pub changes: Vec<Change>,
    /// What is to happen once they are durable.
    pub after: Vec<AfterStored>,
}

impl Engine {
    /// Notes a change to be stored with the others of this round.
    pub(super) fn change(&mut self, change: Change) {
        self.round(change.group()).changes.push(change);
    }

    /// Notes what is to happen once the changes of this round under `group` are durable.
    pub(super) fn once_stored(&mut self, group: Option<GroupId>, what: AfterStored) {
        self.round(group).after.push(what);
    }

    fn round(&mut self, group: Option<GroupId>) -> &mut Round {
        // One input seldom touches more than one group and its agents.
        let known = self.rounds.iter().position(|round| round.group == group);
        let index = known.unwrap_or_else(|| {
            self.rounds.push(Round { group, changes: Vec::new(), after: Vec::new() });
            self.rounds.len() - 1
        });
        &mut self.rounds[index]
    }

    pub(super) fn hand_out_changes(&mut self) {
        for Round { group, changes, after } in self.rounds.drain(..) {
            debug_assert!(!changes.is_empty(), "something waits for a change that was never noted");
            let ticket = self.next_ticket;
            self.next_ticket += 1;
            self.after_stored.insert(ticket, (group, after));
            self.outputs.push_back(Output::Persist(ChangeSet { ticket, at: self.now, changes }));
        }
    }

    pub(super) fn stored(&mut self, ticket: u64) {
        let Some((_, after)) = self.after_stored.remove(&ticket) else { return };
        for what in after {
            match what {
                AfterStored::PlaceCall(attempt) => self.place_call(attempt),
                AfterStored::Record(attempt) => self.begin_recording(attempt),
                AfterStored::AgentMovesOn(agent) => self.agent_moves_on(agent),
                AfterStored::GroupAtRest(group) => self.group_at_rest(group),
            }
        }
    }

    /// The changes were refused, because another node holds the group now: whatever we hold of it is not ours.
    pub(super) fn not_stored(&mut self, ticket: u64) {
        if let Some(&(Some(group), _)) = self.after_stored.get(&ticket) {
            self.forget_group(group);
        }
    }

    /// Drops what was decided under a group's lease and not stored yet, and tells what waited for it.
    pub(super) fn drop_changes(&mut self, group: GroupId) -> Vec<AfterStored> {
        let group = Some(group);
        let mut waiting: Vec<_> = self.after_stored.extract_if(|_, (of, _)| *of == group).collect();
        waiting.sort_unstable_by_key(|(ticket, _)| *ticket);
        let waiting = waiting.into_iter().flat_map(|(_, (_, after))| after);
        let open = self.rounds.extract_if(.., |round| round.group == group);
        waiting.chain(open.flat_map(|round| round.after)).collect()
    }
}
