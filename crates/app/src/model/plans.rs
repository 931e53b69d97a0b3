//! Schedules and sequences as they are configured.

use engine::schedule::{Recurrence, Timetable};
use engine::{DialMode, GroupAction, GroupId, Zone};
use jiff::civil::{Date, Time as CivilTime};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CampaignGroupBody, Definition, Reference};
use crate::AppError;
use crate::operations::dial_mode_is_out_of_place;

/// Steps of a schedule, groups of a step or of a sequence, and holidays at most.
const STEPS_MAX: usize = 50;
const GROUPS_MAX: usize = 100;
const HOLIDAYS_MAX: usize = 400;

/// What a schedule asks of campaign groups.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScheduledAction {
    /// Load, if need be.
    Load,
    /// Load if need be, and start.
    Start,
    /// Dial in another way.
    SetDialMode,
    /// Stop.
    Stop,
    /// Stop if need be, and come to rest when the calls that are up have ended.
    Complete,
    /// Come to rest when the calls that are up have ended.
    Unload,
    /// Come to rest now: end the calls.
    ForceUnload,
}

impl ScheduledAction {
    /// What is asked of the campaign group, in order.
    pub(crate) fn of_group(self) -> &'static [GroupAction] {
        match self {
            Self::Load => &[GroupAction::Load],
            Self::Start => &[GroupAction::Load, GroupAction::Start],
            Self::SetDialMode => &[GroupAction::SetDialMode],
            Self::Stop => &[GroupAction::Stop],
            Self::Complete => &[GroupAction::Stop, GroupAction::Unload],
            Self::Unload => &[GroupAction::Unload],
            Self::ForceUnload => &[GroupAction::ForceUnload],
        }
    }

    /// Its name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Start => "start",
            Self::SetDialMode => "set_dial_mode",
            Self::Stop => "stop",
            Self::Complete => "complete",
            Self::Unload => "unload",
            Self::ForceUnload => "force_unload",
        }
    }
}

/// One thing that a schedule does on its days.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScheduleStep {
    /// At which time of day, `HH:MM` or `HH:MM:SS`.
    #[schemars(with = "String")]
    pub time: CivilTime,
    /// What.
    pub action: ScheduledAction,
    /// With which campaign groups.
    pub groups: Vec<GroupId>,
    /// With `start` and `set_dial_mode`: how they dial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dial_mode: Option<DialMode>,
}

/// What happens to campaign groups at certain times.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScheduleBody {
    /// Its name.
    pub name: String,
    /// Whether it does anything.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// The zone of its dates and times (IANA name); the tenant's without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<Zone>,
    /// On which dates.
    pub on: Recurrence,
    /// But not on these.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub holidays: Vec<Date>,
    /// What.
    pub steps: Vec<ScheduleStep>,
    /// Minutes that a step may be late, as when the program did not run, 0 to 1440; later than that it is missed.
    #[serde(default = "late_default")]
    pub late_minutes: u32,
}

fn yes() -> bool {
    true
}

fn late_default() -> u32 {
    15
}

impl ScheduleBody {
    /// The times of its steps.
    pub(crate) fn times(&self) -> Vec<CivilTime> {
        self.steps.iter().map(|step| step.time).collect()
    }

    /// When its steps happen.
    pub(crate) fn timetable<'a>(&'a self, times: &'a [CivilTime], zone: &'a Zone) -> Timetable<'a> {
        Timetable { recurrence: &self.on, holidays: &self.holidays, times, zone }
    }
}

impl Definition for ScheduleBody {
    const KIND: &'static str = "schedule";
    fn name(&self) -> &str {
        &self.name
    }
    fn references(&self) -> Vec<Reference> {
        let of_step = |(index, step): (usize, &ScheduleStep)| {
            let group = move |(place, group): (usize, &GroupId)| {
                let field = format!("steps[{index}].groups[{place}]");
                Reference::new(CampaignGroupBody::KIND, group.0, field)
            };
            step.groups.iter().enumerate().map(group).collect::<Vec<_>>()
        };
        self.steps.iter().enumerate().flat_map(of_step).collect()
    }
    fn check(&self) -> Result<(), AppError> {
        if !self.on.is_possible() {
            let message = "steps are at least 1, a week names its days, a month either its day or a weekday";
            return Err(AppError::invalid("out_of_range", "on", message));
        }
        if self.late_minutes > 1440 {
            return Err(AppError::invalid("out_of_range", "late_minutes", "late_minutes is 0 to 1440"));
        }
        if !(1..=STEPS_MAX).contains(&self.steps.len()) {
            return Err(AppError::invalid("out_of_range", "steps", "a schedule has 1 to 50 steps"));
        }
        if self.holidays.len() > HOLIDAYS_MAX {
            return Err(AppError::invalid("too_many", "holidays", "a schedule has at most 400 holidays"));
        }
        for (index, step) in self.steps.iter().enumerate() {
            let field = |name: &str| format!("steps[{index}].{name}");
            if !(1..=GROUPS_MAX).contains(&step.groups.len()) {
                return Err(AppError::invalid(
                    "out_of_range",
                    &field("groups"),
                    "a step has 1 to 100 groups",
                ));
            }
            if step.action == ScheduledAction::SetDialMode && step.dial_mode.is_none() {
                return Err(AppError::invalid(
                    "missing",
                    &field("dial_mode"),
                    "set_dial_mode needs a dial_mode",
                ));
            }
            let takes_dial_mode = step.action.of_group().iter().any(|action| action.takes_dial_mode());
            if step.dial_mode.is_some() && !takes_dial_mode {
                return Err(dial_mode_is_out_of_place(&field("dial_mode")));
            }
        }
        Ok(())
    }
}

/// A campaign group of a sequence, and when the next one's turn is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SequenceStep {
    /// Which.
    pub group: GroupId,
    /// How it dials; as it is set to without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dial_mode: Option<DialMode>,
    /// Until so many of its calls were answered by a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<u64>,
    /// For so many minutes at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minutes: Option<u32>,
}

/// What becomes of a sequence when a group cannot be started.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhenRefused {
    /// It goes on with the next.
    #[default]
    Skip,
    /// It ends.
    End,
}

/// Campaign groups that run one after another, each until it has no contact left, or as its step says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SequenceBody {
    /// Its name.
    pub name: String,
    /// The groups, in order.
    pub steps: Vec<SequenceStep>,
    /// What becomes of it when a group cannot be started.
    #[serde(default)]
    pub when_refused: WhenRefused,
    /// Whether it begins anew after the last.
    #[serde(default)]
    pub repeat: bool,
}

impl Definition for SequenceBody {
    const KIND: &'static str = "sequence";
    fn name(&self) -> &str {
        &self.name
    }
    fn references(&self) -> Vec<Reference> {
        let group = |(index, step): (usize, &SequenceStep)| {
            Reference::new(CampaignGroupBody::KIND, step.group.0, format!("steps[{index}].group"))
        };
        self.steps.iter().enumerate().map(group).collect()
    }
    fn check(&self) -> Result<(), AppError> {
        if !(1..=GROUPS_MAX).contains(&self.steps.len()) {
            return Err(AppError::invalid("out_of_range", "steps", "a sequence has 1 to 100 groups"));
        }
        for (index, step) in self.steps.iter().enumerate() {
            if step.answered == Some(0)
                || step.minutes.is_some_and(|minutes| !(1..=10_080).contains(&minutes))
            {
                let field = format!("steps[{index}]");
                return Err(AppError::invalid(
                    "out_of_range",
                    &field,
                    "answered is at least 1, minutes 1 to 10080",
                ));
            }
        }
        Ok(())
    }
}
