//! A pool of real children.

use std::sync::Arc;

use scripting::{Answer, ErrorKind, Host, Limits, NoHost, PoolSettings, Run, Scripts};
use serde_json::Value;

pub fn pool(children: usize) -> Arc<Scripts> {
    Scripts::start(PoolSettings {
        program: env!("CARGO_BIN_EXE_script-worker").into(),
        arguments: Vec::new(),
        children,
        runs_max: 2000,
    })
}

/// Limits that a slow machine does not run into by itself.
pub fn generous() -> Limits {
    Limits { wall_ms: 30_000, cpu_ms: 10_000, ..Limits::default() }
}

pub fn run_of(source: &str, arguments: Vec<Value>) -> Run {
    Run {
        name: "test".to_owned(),
        source: source.into(),
        function: "main".to_owned(),
        arguments,
        limits: generous(),
        host: Arc::new(NoHost),
    }
}

pub async fn run(pool: &Scripts, source: &str, arguments: Vec<Value>) -> Answer {
    pool.run(run_of(source, arguments)).await
}

pub async fn run_with(pool: &Scripts, source: &str, host: impl Host) -> Answer {
    pool.run(Run { host: Arc::new(host), ..run_of(source, Vec::new()) }).await
}

#[track_caller]
pub fn kind(answer: &Answer) -> ErrorKind {
    answer.outcome.as_ref().expect_err("it fails").kind
}
