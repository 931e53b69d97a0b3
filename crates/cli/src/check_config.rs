//! `outdial check-config`: what the configuration comes to, and whether its directories can be written.

use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

use anyhow::bail;
use serde_json::{Value, json};

use crate::config::{Config, DriverKind};
use crate::serve::target_name;

/// Says what the configuration comes to, without secrets.
///
/// # Errors
/// A directory cannot be written. A configuration that is wrong by itself was refused before.
pub fn run(config: &Config) -> anyhow::Result<()> {
    let root_key = if config.server.root_key.is_some() { "set" } else { "none" };
    let directories = [
        ("node.data_dir", config.node.data_dir.clone()),
        ("node.data_dir", config.messages_directory()),
        (
            if config.recordings.directory.is_some() { "recordings.directory" } else { "node.data_dir" },
            config.recordings_directory(),
        ),
    ];
    let troubles = directories.map(|(setting, directory)| trouble(setting, &directory));
    let [data, messages, recordings] = troubles.each_ref().map(Option::is_none);
    print(&json!({
        "server": {"listen": config.server.listen, "root_key": root_key,
                   "shutdown_grace_seconds": config.server.shutdown_grace_seconds},
        "database": {"url": target_name(&config.database.url)},
        "node": {"name": config.node.name, "data_dir": config.node.data_dir, "writable": data},
        "telephony": telephony(config),
        "carrier": {"lines_max": config.carrier.lines_max, "seed": config.carrier.seed},
        "messages": {"directory": config.messages_directory(), "writable": messages, "speech": config.messages.speech},
        "recordings": {"directory": config.recordings_directory(), "writable": recordings, "s3": bucket(config)},
        "scripts": scripts(config),
        "log": {"filter": config.log.filter, "json": config.log.json},
    }));
    let troubles: Vec<String> = troubles.into_iter().flatten().collect();
    if troubles.is_empty() { Ok(()) } else { bail!("{}", troubles.join("; ")) }
}

/// What places the calls, without passwords.
fn telephony(config: &Config) -> Value {
    let settings = config.asterisk();
    let host = |host: &telephony::HostSettings| {
        json!({"name": host.name, "url": host.url.origin().ascii_serialization(), "user": host.user, "weight": host.weight,
               "lines_max": host.lines_max, "calls_per_second_max": host.calls_per_second_max,
               "own_authorities": host.ca_pem.is_some()})
    };
    let trunk = |trunk: &telephony::TrunkSettings| {
        json!({"name": trunk.name, "dial": trunk.dial, "lines_max": trunk.lines_max,
               "calls_per_second_max": trunk.calls_per_second_max})
    };
    match config.telephony.driver {
        DriverKind::Simulated => json!({"driver": "simulated"}),
        DriverKind::Asterisk => json!({
            "driver": "asterisk", "application": settings.application, "sounds": settings.sounds,
            "whisper_tone_hz": settings.whisper_tone_hz,
            "asterisk": settings.hosts.iter().map(host).collect::<Vec<_>>(),
            "trunks": settings.trunks.iter().map(trunk).collect::<Vec<_>>(),
        }),
    }
}

/// Where new recordings go instead of the directory; whether the storage takes them is not asked.
fn bucket(config: &Config) -> Value {
    let s3 = config.recordings.s3.as_ref();
    s3.map_or(Value::Null, |s3| {
        json!({"endpoint": s3.endpoint, "bucket": s3.bucket, "region": s3.region,
               "bucket_in_host": s3.bucket_in_host})
    })
}

fn scripts(config: &Config) -> Value {
    let connections = config
        .scripts
        .connections
        .iter()
        .map(|it| json!({"name": it.name, "tenant": it.tenant, "url": target_name(&it.url)}));
    json!({
        "processes": config.scripts.processes, "hosts": config.scripts.hosts,
        "allow_private_addresses": config.scripts.allow_private_addresses,
        "connections": connections.collect::<Vec<_>>(),
    })
}

/// Why nothing could be written there, with the setting and what to do; none if all is well.
fn trouble(setting: &str, directory: &Path) -> Option<String> {
    let error = try_to_write(directory).err()?;
    let shown = directory.display();
    Some(match error.kind() {
        ErrorKind::PermissionDenied => format!(
            "{setting}: {shown} cannot be written by the user that this runs as: give it to the user that Outdial runs as, and check as that user"
        ),
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
            format!("{setting}: {shown} is or lies in a file: name a directory")
        }
        kind => format!("{setting}: {shown} cannot be written ({kind})"),
    })
}

/// Writes a file and removes it again. A directory that is not there is made at the start: what counts is the nearest that
/// is.
fn try_to_write(directory: &Path) -> Result<(), Error> {
    let present = nearest(directory);
    if !std::fs::metadata(&present)?.is_dir() {
        return Err(ErrorKind::NotADirectory.into());
    }
    tempfile::tempfile_in(present).map(drop)
}

/// The directory, or the nearest above it that is there.
fn nearest(directory: &Path) -> PathBuf {
    let above = directory.ancestors().find(|above| above.symlink_metadata().is_ok());
    match above {
        Some(found) => found.to_owned(),
        None => PathBuf::from("."),
    }
}

#[expect(clippy::print_stdout, reason = "the result of the command")]
fn print(result: &Value) {
    println!("{result}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_is_not_there_yet_counts_as_the_nearest_that_is() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(trouble("node.data_dir", directory.path()), None);
        assert_eq!(trouble("node.data_dir", &directory.path().join("a/b")), None);
        assert!(!directory.path().join("a").exists(), "looking makes nothing");
    }

    #[test]
    fn a_file_where_a_directory_is_to_be_is_named_with_its_setting() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for place in [file.path().to_owned(), file.path().join("messages")] {
            let said = trouble("recordings.directory", &place).unwrap();
            assert!(
                said.starts_with("recordings.directory: ") && said.contains("name a directory"),
                "{said}"
            );
        }
    }
}
