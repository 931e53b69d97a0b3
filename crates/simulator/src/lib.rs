//! The seeded model of the world: how called people, machines, networks and agents behave.
//!
//! It is pure and knows no clock: the same seed, number and attempt number give the same behaviour on every machine
//! and in every run, whatever else happens in between and in whatever order. Two shells use it: the simulated
//! carrier, which lives through the outcomes in (scaled) real time, and the faster-than-time simulator.
//!
//! ```
//! use simulator::{OutcomeKind, Population, World};
//!
//! let world = World::new(7, Population::default())?;
//! let number = "+447700900121".parse()?; // a test number: busy after 4 s, see docs/test-numbers.md
//! assert_eq!(world.outcome(number, 1, None).kind, OutcomeKind::Busy);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod agents;
pub mod digits;
pub mod distribution;
mod draws;
pub mod optimum;
pub mod population;
pub mod simulate;
pub mod world;

pub use agents::{AgentConduct, AgentModel, DispositionWeight, InvalidAgentModel};
pub use distribution::{Distribution, InvalidDistribution, WeightedDistribution};
pub use population::{InvalidPopulation, Population};
pub use world::{Outcome, OutcomeKind, Press, World};
