//! `outdial`: one program that serves, demonstrates, imports, measures and administers.

mod admin;
mod bench;
mod check;
mod check_config;
mod config;
mod demo;
mod import;
mod serve;
mod simulate;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use config::Config;
use tracing_subscriber::EnvFilter;

/// Outbound contact-centre campaign engine.
#[derive(Parser)]
#[command(version, about, arg_required_else_help = true)]
struct Arguments {
    /// The configuration file (TOML).
    #[arg(long, global = true, env = "OUTDIAL_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run the engine and its API.
    Serve,
    /// Dial a demonstration list with simulated people and agents.
    Demo(demo::Arguments),
    /// Import contacts from a CSV or NDJSON file into a running Outdial.
    Import(import::Arguments),
    /// Create tenants and keys, check the stored data.
    #[command(subcommand)]
    Admin(admin::Task),
    /// Check the configuration and say what it comes to.
    CheckConfig,
    /// Check the parts that Outdial works with, and say what to do where they are not ready.
    #[command(subcommand)]
    Check(check::Task),
    /// Dial whole days on a simulated floor, faster than time, and compare pacing policies.
    Simulate(simulate::Arguments),
    /// Measure; one JSON line a result.
    Bench(bench::Arguments),
    /// Run server scripts for the process that started this one.
    #[command(hide = true)]
    ScriptWorker,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "the last word of a program that failed")]
fn complain(error: &anyhow::Error) {
    eprintln!("outdial: {error:#}");
}

fn run(arguments: Arguments) -> anyhow::Result<()> {
    if matches!(arguments.command, Task::ScriptWorker) {
        // It reads nothing and reaches nothing but its parent.
        return Ok(app::scripts::run_worker()?);
    }
    let config = Config::read(arguments.config.as_deref(), std::env::vars())?;
    let quiet = matches!(
        arguments.command,
        Task::Demo(_)
            | Task::Import(_)
            | Task::Admin(_)
            | Task::Check(_)
            | Task::Simulate(_)
            | Task::Bench(_)
    );
    log_to_stderr(&config, quiet)?;
    app::install_tls();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match arguments.command {
            Task::Serve => serve::run(config).await,
            Task::Demo(arguments) => demo::run(config, arguments).await,
            Task::Import(arguments) => import::run(arguments).await,
            Task::Admin(task) => admin::run(config, task).await,
            Task::CheckConfig => check_config::run(&config),
            Task::Check(task) => check::run(&config, &task).await,
            Task::Simulate(arguments) => simulate::run(&config, &arguments).await,
            Task::Bench(arguments) => bench::run(&config, arguments).await,
            // It was started above, without a runtime.
            Task::ScriptWorker => Ok(()),
        }
    })
}

/// Logs go to standard error: standard output belongs to results. Commands that a person watches log warnings only.
fn log_to_stderr(config: &Config, quiet: bool) -> anyhow::Result<()> {
    let filter = if quiet && config.log.filter == "info" { "warn" } else { config.log.filter.as_str() };
    let filter =
        EnvFilter::try_new(filter).map_err(|error| anyhow::anyhow!("log.filter is wrong: {error}"))?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let lines = lines.with_ansi(std::io::stderr().is_terminal());
    let set = if config.log.json { lines.json().try_init() } else { lines.try_init() };
    set.map_err(|error| anyhow::anyhow!("cannot start the log: {error}"))
}
