//! Whole days of dialling, faster than time: the engine of production on a simulated floor.
//!
//! A [`Scenario`] says who works when, who is called and what goes wrong; [`run`] lets the engine dial it under one
//! policy and measures. Equal scenarios and seeds give equal results, and every policy meets the same people.

mod floor;
mod measure;
pub mod policies;
pub mod scenario;

pub use measure::{GroupReport, Report, TimeSlice};
pub use policies::Policy;
pub use scenario::{AgentsScenario, GroupScenario, InvalidScenario, Scenario};

/// What a run tells while it goes on, and what it is told of real time, which the simulation itself does not know.
pub trait Watcher {
    /// The share of the days that is done, 0 to 1.
    fn progress(&mut self, share: f64);
    /// Seconds of real time since any fixed instant, by which speed is measured.
    fn seconds(&mut self) -> f64;
}

/// A watcher for whom speed does not matter.
pub struct Nobody;

impl Watcher for Nobody {
    fn progress(&mut self, _: f64) {}
    fn seconds(&mut self) -> f64 {
        0.0
    }
}

/// Runs a scenario under a policy.
///
/// # Errors
/// The scenario cannot be run.
pub fn run(
    scenario: &Scenario,
    policy: &Policy,
    watcher: &mut dyn Watcher,
) -> Result<Report, InvalidScenario> {
    scenario.validate()?;
    Ok(floor::Floor::new(scenario, policy, watcher)?.run())
}

#[cfg(test)]
mod tests;
