//! `outdial check`: whether the parts that Outdial works with are ready, and what to do where they are not.

use anyhow::bail;
use serde_json::json;
use telephony::asterisk::{Finding, check};

use crate::config::{Config, DriverKind};

/// What is looked at.
#[derive(clap::Subcommand)]
pub enum Task {
    /// Every Asterisk of the configuration, step by step. Nothing is dialled.
    Telephony {
        /// One JSON object a line instead of text.
        #[arg(long)]
        json: bool,
    },
}

/// Looks.
///
/// # Errors
/// Something is not as it has to be; what was found is printed before.
pub async fn run(config: &Config, task: &Task) -> anyhow::Result<()> {
    let Task::Telephony { json } = task;
    if config.telephony.driver != DriverKind::Asterisk {
        bail!("[telephony] driver is \"simulated\": there is no switch to check (docs/telephony.md)");
    }
    let findings = check(&config.asterisk()).await;
    let bad = findings.iter().filter(|finding| !finding.is_good).count();
    findings.iter().for_each(|finding| show(finding, *json));
    if bad > 0 {
        bail!("{bad} of {} steps are not as they have to be", findings.len());
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the result of the command")]
fn show(finding: &Finding, json: bool) {
    let Finding { host, step, is_good, what } = finding;
    if json {
        println!("{}", json!({"host": host, "step": step, "ok": is_good, "what": what}));
    } else {
        println!("{:<4} {host}  {step:<24} {what}", if *is_good { "ok" } else { "BAD" });
    }
}
