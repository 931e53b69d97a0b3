//! `outdial bench`: measurements, one JSON line a result.

mod add;
mod calls;
mod engine;
mod feed;
mod intake;
mod pacing;
mod scripts;

use std::path::PathBuf;

use anyhow::bail;
use serde_json::Value;

use crate::config::Config;

/// What to measure, and on what.
#[derive(clap::Args)]
pub struct Arguments {
    /// Which: intake, feed, engine, add, scripts, pacing, calls; all but the last two if none is named.
    names: Vec<String>,
    /// Databases: `sqlite` makes a file in a temporary directory; a `postgres://` address names a server on which a
    /// database is made and dropped. May be given more than once.
    #[arg(long = "db", default_value = "sqlite")]
    databases: Vec<String>,
    /// Rows of the intake bench.
    #[arg(long, default_value_t = 1_000_000)]
    rows: u64,
    /// Contacts in the large list of the feed bench.
    #[arg(long, default_value_t = 5_000_000)]
    contacts: u64,
    /// Days of each scenario of the pacing bench at most.
    #[arg(long)]
    days: Option<u32>,
    /// Calls of the bench of real calls.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1500))]
    calls: u32,
    /// What the lab's carrier notes, to be compared with what Outdial knows of the calls.
    #[arg(long, value_name = "FILE")]
    carrier_log: Option<PathBuf>,
}

const NAMES: [&str; 7] = ["engine", "feed", "intake", "add", "scripts", "pacing", "calls"];

/// Runs the benches that are named.
///
/// # Errors
/// A bench is not known, or one failed.
pub async fn run(config: &Config, arguments: Arguments) -> anyhow::Result<()> {
    if let Some(name) = arguments.names.iter().find(|name| !NAMES.contains(&name.as_str())) {
        bail!("there is no bench '{name}'; there are {}", NAMES.join(", "));
    }
    let wanted = |name: &str| arguments.names.is_empty() || arguments.names.iter().any(|other| other == name);
    if wanted("engine") {
        print(engine::run());
    }
    if wanted("scripts") {
        print(scripts::run().await?);
    }
    // It takes many minutes and rewrites a page, so it is run by name only.
    if arguments.names.iter().any(|name| name == "pacing") {
        print(pacing::run(arguments.days)?);
    }
    // It needs an Asterisk.
    let real_calls = arguments.names.iter().any(|name| name == "calls");
    for database in &arguments.databases {
        if real_calls {
            let carrier_log = arguments.carrier_log.as_deref();
            print(calls::run(config, database, arguments.calls, carrier_log).await?);
        }
        if wanted("feed") {
            print(feed::run(database, arguments.contacts).await?);
        }
        if wanted("intake") {
            print(intake::run(database, arguments.rows).await?);
        }
        if wanted("add") {
            print(add::run(database).await?);
        }
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the results of the command")]
fn print(results: Vec<Value>) {
    for result in results {
        println!("{result}");
    }
}
