//! Configuration: one TOML file, then environment variables over it.

mod wrong;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use app::recordings::{BucketSettings, RecordingSettings};
use serde::Deserialize;
use telephony::{AsteriskSettings, HostSettings, RequestPath, TrunkSettings};

use wrong::Wrong;

/// Everything that can be set. `contrib/outdial.default.toml` has every key with its default.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where and how the API is served.
    pub server: Server,
    /// Where everything is kept.
    pub database: Database,
    /// This process among those that share the database.
    pub node: Node,
    /// The simulated carrier.
    pub carrier: Carrier,
    /// The switch.
    pub telephony: Telephony,
    /// Server scripts.
    pub scripts: Scripts,
    /// Messages that called parties hear.
    pub messages: Messages,
    /// Recordings of conversations.
    pub recordings: Recordings,
    /// What is logged and how.
    pub log: Log,
}

/// `[server]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// Address and port to listen on.
    pub listen: SocketAddr,
    /// The key that creates tenants and their first keys; none forbids both over the API.
    pub root_key: Option<String>,
    /// Seconds that calls and requests under way have to end at shutdown.
    pub shutdown_grace_seconds: u64,
    /// Addresses from which web callbacks (`/data`) are taken without a key, as networks such as `192.0.2.0/24`.
    pub callbacks_without_key_from: Vec<ipnet::IpNet>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            root_key: None,
            shutdown_grace_seconds: 30,
            callbacks_without_key_from: Vec::new(),
        }
    }
}

/// `[database]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    /// A file for SQLite, or `postgres://user:password@host/name`.
    pub url: String,
}

impl Default for Database {
    fn default() -> Self {
        Self { url: "outdial.db".to_owned() }
    }
}

/// `[node]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Node {
    /// Its name, the same over restarts and another for each process that shares the database.
    pub name: String,
    /// Directory for uploaded files.
    pub data_dir: PathBuf,
}

impl Default for Node {
    fn default() -> Self {
        Self { name: "outdial-1".to_owned(), data_dir: PathBuf::from("outdial-data") }
    }
}

/// `[carrier]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Carrier {
    /// Lines of the simulated carrier.
    pub lines_max: u32,
    /// Chooses how called people behave.
    pub seed: u64,
}

impl Default for Carrier {
    fn default() -> Self {
        Self { lines_max: 1000, seed: 1 }
    }
}

/// `[telephony]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Telephony {
    /// What places the calls.
    pub driver: DriverKind,
    /// The Stasis application that calls are handed to; without it `outdial-` and the node's name.
    pub application: Option<String>,
    /// The directory of messages' sounds, as Asterisk sees it.
    pub sounds: String,
    /// The tone that agents alone hear on a line that stands when a call comes to it; 0 for none.
    pub whisper_tone_hz: u32,
    /// The switches.
    pub asterisk: Vec<AsteriskHost>,
    /// The ways out, in the order in which they are tried.
    pub trunks: Vec<Trunk>,
}

impl Default for Telephony {
    fn default() -> Self {
        Self {
            driver: DriverKind::Simulated,
            application: None,
            sounds: "/var/lib/outdial/messages".to_owned(),
            whisper_tone_hz: 880,
            asterisk: Vec::new(),
            trunks: Vec::new(),
        }
    }
}

/// What places calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DriverKind {
    /// The simulated carrier.
    #[default]
    Simulated,
    /// Asterisk, over ARI.
    Asterisk,
}

/// `[[telephony.asterisk]]`
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AsteriskHost {
    /// Its name, for people.
    pub name: String,
    /// Where its HTTP server is.
    pub url: url::Url,
    /// The ARI user.
    #[serde(default = "ari_user")]
    pub user: String,
    /// Their password.
    #[serde(default)]
    pub password: Option<String>,
    /// A file with it.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// A file with the certificates, in PEM, of the authorities that its certificate may be of.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// What that file says.
    #[serde(skip)]
    ca_pem: Option<String>,
    /// Its share of the calls, 1 to 100.
    #[serde(default = "one")]
    pub weight: u32,
    /// Calls at once at most.
    #[serde(default = "lines_default")]
    pub lines_max: u32,
    /// Calls placed in a second at most.
    #[serde(default = "rate_default")]
    pub calls_per_second_max: u32,
    /// How requests reach it.
    #[serde(default)]
    pub requests: Requests,
}

fn ari_user() -> String {
    "outdial".to_owned()
}

fn one() -> u32 {
    1
}

fn lines_default() -> u32 {
    500
}

fn rate_default() -> u32 {
    50
}

impl AsteriskHost {
    /// Reads the files that it names.
    fn read_files(&mut self, place: usize) -> Result<(), Wrong> {
        let Self { name, password, password_file, ca_file, ca_pem, .. } = self;
        let wrong =
            |setting: &str, what: String| Wrong::new(format!("telephony.asterisk.{place}.{setting}"), what);
        let read = |setting: &str, path: &Path| {
            let failed = |error| format!("of {name}: cannot read {}: {error}", path.display());
            std::fs::read_to_string(path).map_err(|error| wrong(setting, failed(error)))
        };
        if let Some(path) = password_file {
            if password.is_some() {
                return Err(wrong(
                    "password",
                    format!("of {name} is set beside password_file: name one of them"),
                ));
            }
            *password = Some(read("password_file", path)?.trim_end_matches(['\r', '\n']).to_owned());
        }
        if let Some(path) = ca_file {
            *ca_pem = Some(read("ca_file", path)?);
        }
        Ok(())
    }
}

/// The password stays out of logs.
impl std::fmt::Debug for AsteriskHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AsteriskHost").field("name", &self.name).finish_non_exhaustive()
    }
}

/// How requests reach an Asterisk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Requests {
    /// Over the events' WebSocket where Asterisk understands that, else over HTTP.
    #[default]
    Auto,
    /// Over the events' WebSocket.
    WebSocket,
    /// Over HTTP.
    Http,
}

/// `[[telephony.trunks]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trunk {
    /// Its name, for people.
    pub name: String,
    /// What is dialled, with `{number}` or `{digits}` for the number.
    pub dial: String,
    /// Calls at once at most, on each host.
    #[serde(default = "lines_default")]
    pub lines_max: u32,
    /// Calls placed in a second at most, on each host.
    #[serde(default = "rate_default")]
    pub calls_per_second_max: u32,
    /// SIP headers that are added to each call.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
}

/// `[messages]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Messages {
    /// The program that speaks messages without an uploaded sound; empty leaves them unspoken.
    pub speech: PathBuf,
}

impl Default for Messages {
    fn default() -> Self {
        Self { speech: PathBuf::from("espeak-ng") }
    }
}

/// `[recordings]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recordings {
    /// Where they are kept; without it `recordings` in `node.data_dir`.
    pub directory: Option<PathBuf>,
    /// A bucket to which new ones go instead.
    pub s3: Option<S3>,
}

/// `[recordings.s3]`
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3 {
    /// The storage's address.
    pub endpoint: String,
    /// The bucket's name.
    pub bucket: String,
    /// Its region.
    #[serde(default = "region_default")]
    pub region: String,
    /// Whether the bucket's name is part of the host's.
    #[serde(default)]
    pub bucket_in_host: bool,
    /// Who asks.
    pub access_key: String,
    /// Their secret.
    #[serde(default)]
    pub secret_key: String,
}

fn region_default() -> String {
    "us-east-1".to_owned()
}

/// The secret stays out of logs.
impl std::fmt::Debug for S3 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("S3");
        shown.field("endpoint", &self.endpoint).field("bucket", &self.bucket).finish_non_exhaustive()
    }
}

/// `[scripts]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scripts {
    /// Processes that run them.
    pub processes: usize,
    /// Hosts that they may reach, by the tenant's name; `*` stands for every tenant, and for every host.
    pub hosts: BTreeMap<String, Vec<String>>,
    /// Whether they may reach private addresses.
    pub allow_private_addresses: bool,
    /// Databases that they may query.
    pub connections: Vec<ScriptConnection>,
}

impl Default for Scripts {
    fn default() -> Self {
        Self { processes: 2, hosts: BTreeMap::new(), allow_private_addresses: false, connections: Vec::new() }
    }
}

/// `[[scripts.connections]]`
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScriptConnection {
    /// What scripts call it.
    pub name: String,
    /// The name of the only tenant whose scripts may query it; every tenant's without it.
    #[serde(default)]
    pub tenant: Option<String>,
    /// Where it is: `postgres://user:password@host/database`, `mysql://user:password@host/database` or
    /// `sqlite:///path/to/file`.
    pub url: String,
}

/// The address has a password in it.
impl std::fmt::Debug for ScriptConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ScriptConnection").field("name", &self.name).finish_non_exhaustive()
    }
}

/// `[log]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// Which lines, as in `info,outdial=debug`.
    pub filter: String,
    /// One JSON object a line instead of text.
    pub json: bool,
}

impl Default for Log {
    fn default() -> Self {
        Self { filter: "info".to_owned(), json: false }
    }
}

/// Variables of the command line, which are no settings: where the configuration file is, and what `import` is told.
const OF_COMMANDS: [&str; 3] = ["OUTDIAL_CONFIG", "OUTDIAL_URL", "OUTDIAL_API_KEY"];

/// Sets one key from a variable's text.
type Setter = fn(&mut Config, &str) -> anyhow::Result<()>;

/// The variables that are heard, each over the key it is named after.
const VARIABLES: &[(&str, Setter)] = &[
    ("OUTDIAL_SERVER_LISTEN", |config, text| set(&mut config.server.listen, text)),
    ("OUTDIAL_SERVER_ROOT_KEY", |config, text| {
        config.server.root_key = Some(text.to_owned());
        Ok(())
    }),
    ("OUTDIAL_SERVER_SHUTDOWN_GRACE_SECONDS", |config, text| {
        set(&mut config.server.shutdown_grace_seconds, text)
    }),
    ("OUTDIAL_DATABASE_URL", |config, text| set(&mut config.database.url, text)),
    ("OUTDIAL_NODE_NAME", |config, text| set(&mut config.node.name, text)),
    ("OUTDIAL_NODE_DATA_DIR", |config, text| set(&mut config.node.data_dir, text)),
    ("OUTDIAL_CARRIER_LINES_MAX", |config, text| set(&mut config.carrier.lines_max, text)),
    ("OUTDIAL_CARRIER_SEED", |config, text| set(&mut config.carrier.seed, text)),
    ("OUTDIAL_TELEPHONY_ASTERISK_PASSWORD", |config, text| {
        let hosts = &mut config.telephony.asterisk;
        if hosts.is_empty() {
            bail!("there is no [[telephony.asterisk]] in the configuration file");
        }
        for host in hosts.iter_mut().filter(|host| host.password_file.is_none()) {
            host.password = Some(text.to_owned());
        }
        Ok(())
    }),
    ("OUTDIAL_MESSAGES_SPEECH", |config, text| set(&mut config.messages.speech, text)),
    ("OUTDIAL_RECORDINGS_DIRECTORY", |config, text| {
        config.recordings.directory = Some(PathBuf::from(text));
        Ok(())
    }),
    ("OUTDIAL_RECORDINGS_S3_SECRET_KEY", |config, text| {
        let s3 =
            config.recordings.s3.as_mut().context("there is no [recordings.s3] in the configuration file")?;
        text.clone_into(&mut s3.secret_key);
        Ok(())
    }),
    ("OUTDIAL_LOG_FILTER", |config, text| set(&mut config.log.filter, text)),
    ("OUTDIAL_LOG_JSON", |config, text| set(&mut config.log.json, text)),
];

fn set<T: std::str::FromStr>(key: &mut T, text: &str) -> anyhow::Result<()>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    *key = text.parse()?;
    Ok(())
}

impl Config {
    /// Reads the file, if one is named, then the environment.
    ///
    /// # Errors
    /// What is wrong, with the file's line or the variable's name.
    pub fn read(
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
    ) -> anyhow::Result<Self> {
        let text = file
            .map(|path| {
                std::fs::read_to_string(path)
                    .with_context(|| format!("cannot read the configuration file {}", path.display()))
            })
            .transpose()?;
        let file = file.zip(text.as_deref());
        let mut config = match file {
            Some((path, text)) => toml::from_str(text)
                .with_context(|| format!("the configuration file {} is wrong", path.display()))?,
            None => Self::default(),
        };
        let mut variables = BTreeSet::new();
        let is_setting = |name: &str| name.starts_with("OUTDIAL_") && !OF_COMMANDS.contains(&name);
        for (name, value) in environment.filter(|(name, _)| is_setting(name)) {
            let Some((_, setter)) = VARIABLES.iter().find(|(known, _)| *known == name) else {
                let known: Vec<&str> = VARIABLES.iter().map(|(name, _)| *name).collect();
                bail!("the environment variable {name} is not known; known are {}", known.join(", "));
            };
            setter(&mut config, &value)
                .with_context(|| format!("the environment variable {name} is wrong"))?;
            variables.insert(name);
        }
        let mut hosts = config.telephony.asterisk.iter_mut().enumerate();
        let checked =
            hosts.try_for_each(|(place, host)| host.read_files(place)).and_then(|()| config.check());
        checked.map_err(|wrong| wrong.told(file, &variables))?;
        Ok(config)
    }

    /// What the driver for Asterisk is told.
    pub fn asterisk(&self) -> AsteriskSettings {
        let telephony = &self.telephony;
        let host = |host: &AsteriskHost| HostSettings {
            name: host.name.clone(),
            url: host.url.clone(),
            user: host.user.clone(),
            password: host.password.clone().unwrap_or_default(),
            ca_pem: host.ca_pem.clone(),
            weight: host.weight,
            lines_max: host.lines_max,
            calls_per_second_max: host.calls_per_second_max,
            requests: match host.requests {
                Requests::Auto => RequestPath::Auto,
                Requests::WebSocket => RequestPath::WebSocket,
                Requests::Http => RequestPath::Http,
            },
        };
        let trunk = |trunk: &Trunk| TrunkSettings {
            name: trunk.name.clone(),
            dial: trunk.dial.clone(),
            lines_max: trunk.lines_max,
            calls_per_second_max: trunk.calls_per_second_max,
            headers: trunk.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        };
        let of_node = || format!("outdial-{}", self.node.name);
        AsteriskSettings {
            node: self.node.name.clone(),
            application: telephony.application.clone().unwrap_or_else(of_node),
            hosts: telephony.asterisk.iter().map(host).collect(),
            trunks: telephony.trunks.iter().map(trunk).collect(),
            sounds: telephony.sounds.trim_end_matches('/').to_owned(),
            whisper_tone_hz: telephony.whisper_tone_hz,
            requests_max: AsteriskSettings::REQUESTS_MAX,
            events_max: AsteriskSettings::EVENTS_MAX,
        }
    }

    /// Where the sounds of messages are written to.
    pub fn messages_directory(&self) -> PathBuf {
        app::messages::directory(&self.node.data_dir)
    }

    /// The directory of recordings; on their way to a bucket they pass through it, too.
    pub fn recordings_directory(&self) -> PathBuf {
        let own = self.recordings.directory.clone();
        own.unwrap_or_else(|| app::recordings::directory(&self.node.data_dir))
    }

    /// Where recordings are kept.
    pub fn recordings(&self) -> RecordingSettings {
        let bucket = |s3: &S3| BucketSettings {
            endpoint: s3.endpoint.clone(),
            bucket: s3.bucket.clone(),
            region: s3.region.clone(),
            in_host: s3.bucket_in_host,
            access_key: s3.access_key.clone(),
            secret_key: s3.secret_key.clone(),
        };
        let s3 = self.recordings.s3.as_ref().map(bucket);
        RecordingSettings { directory: self.recordings.directory.clone(), s3 }
    }

    fn check(&self) -> Result<(), Wrong> {
        let wrong = |key: &str, what: &str| Err(Wrong::new(key, what));
        self.recordings()
            .check()
            .map_err(|error| Wrong::new("recordings.s3", format!("is wrong: {error}")))?;
        if self.recordings.s3.as_ref().is_some_and(|s3| s3.access_key.is_empty()) {
            return wrong("recordings.s3.access_key", "must be set");
        }
        if self.recordings.s3.as_ref().is_some_and(|s3| s3.secret_key.is_empty()) {
            return wrong(
                "recordings.s3.secret_key",
                "must be set, there or as OUTDIAL_RECORDINGS_S3_SECRET_KEY",
            );
        }
        if self.server.root_key.as_ref().is_some_and(|key| key.len() < 24) {
            return wrong(
                "server.root_key",
                "must have at least 24 characters: whoever guesses it owns every tenant",
            );
        }
        if self.carrier.lines_max == 0 {
            return wrong("carrier.lines_max", "must be at least 1");
        }
        if self.telephony.driver == DriverKind::Asterisk {
            let checked = self.asterisk().check();
            checked.map_err(|bad| Wrong::new(format!("telephony.{}", bad.setting), bad.what))?;
            for (place, host) in self.telephony.asterisk.iter().enumerate() {
                if host.password.as_deref().unwrap_or_default().is_empty() {
                    let what = format!(
                        "of {} is missing: set password or password_file, or OUTDIAL_TELEPHONY_ASTERISK_PASSWORD",
                        host.name
                    );
                    return Err(Wrong::new(format!("telephony.asterisk.{place}.password"), what));
                }
            }
        }
        if !(1..=64).contains(&self.scripts.processes) {
            return wrong("scripts.processes", "must be 1 to 64");
        }
        if self.node.name.trim().is_empty() {
            return wrong("node.name", "must not be empty");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
