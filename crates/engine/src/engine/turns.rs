//! How groups that share agents divide their time: whoever has had more of it lately leaves room to those who had less.

use std::time::Duration;

use crate::ids::GroupId;
use crate::pacing::Room;
use crate::settings::DialMode;
use crate::time::Time;

use super::Engine;
use super::state::Group;

/// What is lately: what was used so long ago counts half. Long enough for some tens of calls of a small team, short enough that
/// a group that starts at noon is not owed the morning.
const LATELY: Duration = Duration::from_secs(600);
/// So many seconds more for each group: one that has had a few calls more than another is not ahead yet. Three calls of two
/// minutes.
const TOO_LITTLE_TO_TELL: f64 = 360.0;
/// How strongly a group makes room: for each hundredth that another had less than it, for so many hundredths of an even part of
/// the answers to come. It comes near to "whoever is ahead places nothing", yet nobody who cannot use the room stops the others: where
/// nothing rings any more, nothing is left. Measured: docs/decisions/0044-turns.md.
const ROOM: f64 = 60.0;

/// Agents' time that a group's calls have taken, in seconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Used {
    seconds: f64,
    as_of: Time,
}

impl Used {
    /// How much that is of late.
    fn lately(self, now: Time) -> f64 {
        let halvings = now.since(self.as_of).as_secs_f64() / LATELY.as_secs_f64();
        self.seconds * libm::exp2(-halvings)
    }

    /// An agent has taken a call that will keep them busy for so long.
    fn add(&mut self, now: Time, seconds: f64) {
        *self = Self { seconds: self.lately(now) + seconds, as_of: now };
    }
}

impl Group {
    /// Notes that an agent takes one of its calls. How long it will keep them busy is what such calls have taken so far.
    pub fn uses_agent(&mut self, now: Time) {
        let seconds = self.forecast.talk.mean_seconds() + self.forecast.wrap.mean_seconds();
        self.used.add(now, seconds);
    }

    /// Whether it would place calls for more agents while it runs, if they were left to it.
    fn wants_agents(&self) -> bool {
        let dials =
            matches!(self.dial_mode(), DialMode::Progressive | DialMode::Power | DialMode::Predictive);
        let has_whom_to_call = self.in_hand() > 0 && self.held.is_none();
        let has_a_line = self.on_lines < self.definition.settings.lines_max;
        let is_limited = self.is_limited || !has_a_line || self.pacing.figures().does_enough;
        dials && has_whom_to_call && !is_limited
    }
}

impl Engine {
    /// What a group leaves to those that share agents with it and had less of their time, by weight.
    pub(super) fn room_for_others(&self, id: GroupId) -> Room {
        let mut room = Room::default();
        if self.groups.len() < 2 {
            return room;
        }
        let Some(group) = self.groups.get(&id) else { return room };
        let (now, skill) = (self.now, group.definition.skill);
        let weight = |group: &Group| f64::from(group.definition.settings.weight.max(1));
        let had = |group: &Group| group.used.lately(now) / weight(group) + TOO_LITTLE_TO_TELL;
        let (mut to_come, mut weights) = (group.to_come.expected, weight(group));
        for other in self.sharing_agents_with(id, skill).filter(|other| other.is_running()) {
            let theirs = other.definition.skill;
            to_come += other.to_come.expected * self.share_of_agents(theirs, skill);
            weights += weight(other);
            let behind = 1.0 - had(other) / had(group);
            if behind > 0.0 && other.wants_agents() {
                room.answers += ROOM * behind * weight(other);
                room.part = room.part.max(self.share_of_agents(skill, theirs));
            }
        }
        room.answers *= to_come / weights;
        room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_counts_half_after_ten_minutes() {
        let start = Time::from_micros(1_790_000_000_000_000);
        let mut used = Used::default();
        assert_eq!(used.lately(start), 0.0);
        used.add(start, 120.0);
        used.add(start + LATELY, 120.0);
        assert!((used.lately(start + LATELY) - 180.0).abs() < 1e-9);
        assert!((used.lately(start + 2 * LATELY) - 90.0).abs() < 1e-9);
    }
}
