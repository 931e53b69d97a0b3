//! When people may be called, and what happens after attempts.

use std::collections::BTreeSet;

use engine::treatment::Action;
use engine::{CallingHours, Treatment};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Definition;
use crate::AppError;

/// Treatments of a set at most.
const TREATMENTS_MAX: usize = 200;
/// Dated exceptions of calling hours at most: more days than a year has.
const EXCEPTIONS_MAX: usize = 400;
/// Longest delay before a retry: a year.
const MINUTES_MAX: u32 = 365 * 24 * 60;

/// When people may be called.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CallingHoursBody {
    /// Its name.
    pub name: String,
    /// The hours, in the called party's own local time.
    pub hours: CallingHours,
}

impl Definition for CallingHoursBody {
    const KIND: &'static str = "calling_hours";
    fn name(&self) -> &str {
        &self.name
    }
    fn check(&self) -> Result<(), AppError> {
        let exceptions = &self.hours.exceptions;
        if exceptions.len() > EXCEPTIONS_MAX {
            return Err(AppError::invalid(
                "too_many",
                "hours.exceptions",
                "there are at most 400 dated exceptions",
            ));
        }
        let mut dates = BTreeSet::new();
        match exceptions.iter().position(|exception| !dates.insert(exception.date)) {
            Some(index) => {
                let field = format!("hours.exceptions[{index}].date");
                Err(AppError::invalid("named_twice", &field, "this date has two exceptions: keep one"))
            }
            None => Ok(()),
        }
    }
}

/// What happens after attempts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TreatmentSetBody {
    /// Its name.
    pub name: String,
    /// The rules, tried in order; the first that matches wins.
    pub treatments: Vec<Treatment>,
}

impl Definition for TreatmentSetBody {
    const KIND: &'static str = "treatment_set";
    fn name(&self) -> &str {
        &self.name
    }
    fn check(&self) -> Result<(), AppError> {
        if self.treatments.len() > TREATMENTS_MAX {
            return Err(AppError::invalid("too_many", "treatments", "a set has at most 200 treatments"));
        }
        let mut treatments = self.treatments.iter().enumerate();
        treatments.try_for_each(|(index, treatment)| check_action(&treatment.then, index))
    }
}

/// Checks the ranges of what a treatment does.
fn check_action(action: &Action, index: usize) -> Result<(), AppError> {
    let bad = |name: &str, message: &str| {
        Err(AppError::invalid("out_of_range", &format!("treatments[{index}].then.{name}"), message))
    };
    let a_year = |name: &str, minutes: u32| {
        if minutes > MINUTES_MAX { bad(name, "it is at most 525600, a year") } else { Ok(()) }
    };
    match action {
        Action::RetryIn { minutes } | Action::NextPhone { minutes } => a_year("minutes", *minutes),
        Action::Cycle { times: 0, .. } => bad("times", "it is at least 1"),
        Action::Cycle { minutes, increment_minutes, .. } => {
            a_year("minutes", *minutes)?;
            a_year("increment_minutes", *increment_minutes)
        }
        Action::Reschedule { otherwise_minutes } => a_year("otherwise_minutes", *otherwise_minutes),
        Action::RetryAt { days, .. } if *days > 365 => bad("days", "it is 0 to 365"),
        Action::RetryAt { .. } | Action::PhoneFinal | Action::Final | Action::Suppress => Ok(()),
    }
}
