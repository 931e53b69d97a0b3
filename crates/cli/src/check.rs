//! `outdial check`: whether the parts that Outdial works with are ready, and what to do where they are not.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::bail;
use serde_json::json;
use telephony::SoundFile;
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
    let directory = config.messages_directory();
    let sound = Sound::write(&directory);
    let mut findings = check(&config.asterisk(), sound.as_ref().ok().map(|sound| &sound.name)).await;
    if let Err(error) = sound {
        findings.push(unwritten(&config.node.name, &directory, &error));
    }
    let bad = findings.iter().filter(|finding| !finding.is_good).count();
    findings.iter().for_each(|finding| show(finding, *json));
    if bad > 0 {
        bail!("{bad} of {} steps are not as they have to be", findings.len());
    }
    Ok(())
}

/// Whether Asterisk finds messages was not looked at.
fn unwritten(node: &str, directory: &Path, error: &std::io::Error) -> Finding {
    let is_good = error.kind() == ErrorKind::NotFound;
    let shown = directory.display();
    let what = if is_good {
        format!(
            "{shown} is made for the first message: check again then whether Asterisk finds what is there"
        )
    } else {
        format!(
            "{shown} cannot be written ({}), so it was not looked at whether Asterisk finds what is there: run this as the user that Outdial runs as",
            error.kind()
        )
    };
    Finding { host: node.to_owned(), step: "messages".to_owned(), is_good, what }
}

/// A file where messages' sounds are, for as long as it is looked for.
struct Sound {
    name: SoundFile,
    path: PathBuf,
}

impl Sound {
    /// 50 ms of silence.
    fn write(directory: &Path) -> std::io::Result<Self> {
        let name = format!("outdial-check-{}.wav", std::process::id());
        let path = directory.join(&name);
        let name = SoundFile::new(name).map_err(std::io::Error::other)?;
        let form = hound::WavSpec {
            channels: 1,
            sample_rate: 8000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let written = hound::WavWriter::create(&path, form).and_then(|mut file| {
            (0..400).try_for_each(|_| file.write_sample(0_i16))?;
            file.finalize()
        });
        // Removed even if it was written in part.
        let sound = Self { name, path };
        match written {
            Ok(()) => Ok(sound),
            Err(hound::Error::IoError(error)) => Err(error),
            Err(error) => Err(std::io::Error::other(error)),
        }
    }
}

impl Drop for Sound {
    fn drop(&mut self) {
        // It may never have come to be.
        let _ = std::fs::remove_file(&self.path);
    }
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
