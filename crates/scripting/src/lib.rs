//! Server scripts: JavaScript of the customer's own, run in child processes that can be killed.
//!
//! [`Scripts`] hands runs to children ([`worker`]) and serves what scripts ask for: each question goes to the [`Host`]
//! of its run, which decides what there is to reach. Nothing is reached from within a child.

mod error;
pub mod fetch;
mod frame;
pub mod http_validation;
mod pool;
pub mod sql;
pub mod verdict;
pub mod worker;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use error::{ErrorKind, ScriptError};
pub use pool::{PoolSettings, Scripts};

/// Type definitions for those who write scripts, `outdial.d.ts`.
pub const TYPE_DEFINITIONS: &str = include_str!("../types/outdial.d.ts");

/// Bytes of a script at most.
pub const SOURCE_BYTES_MAX: usize = 256 * 1024;

/// How far a run may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Milliseconds from start to end, waits included.
    pub wall_ms: u64,
    /// Milliseconds of computing between two waits.
    pub cpu_ms: u64,
    /// Bytes of memory.
    pub memory_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { wall_ms: 2000, cpu_ms: 50, memory_bytes: 16 * 1024 * 1024 }
    }
}

/// A function of a script that is to be run.
#[derive(Clone)]
pub struct Run {
    /// What the script is called, in errors and stacks.
    pub name: String,
    /// The script, an ES module.
    pub source: Arc<str>,
    /// Which of its exports.
    pub function: String,
    /// What the function is given.
    pub arguments: Vec<Value>,
    /// How far it may go.
    pub limits: Limits,
    /// What it can reach.
    pub host: Arc<dyn Host>,
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// What the function returned, or what went wrong.
    pub outcome: Result<Value, ScriptError>,
    /// What it logged: at most 100 lines of 1000 characters.
    pub logs: Vec<String>,
}

/// What a run can reach.
pub trait Host: Send + Sync + 'static {
    /// Does what a script asks for, or says in its own words why not.
    fn call<'a>(&'a self, function: &'a str, arguments: Value) -> BoxFuture<'a, Result<Value, String>>;
}

/// A host with nothing to reach.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHost;

impl Host for NoHost {
    fn call<'a>(&'a self, function: &'a str, _: Value) -> BoxFuture<'a, Result<Value, String>> {
        Box::pin(async move { Err(format!("{function} cannot be reached from here")) })
    }
}
