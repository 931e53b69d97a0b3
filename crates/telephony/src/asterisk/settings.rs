//! What the driver is told about the switches and the ways out of them.

use std::collections::BTreeSet;
use std::time::Duration;

use url::Url;

/// How the driver works with its Asterisk hosts.
#[derive(Clone, Debug)]
pub struct AsteriskSettings {
    /// This node's name. Calls on the switch carry it, so that a restarted node finds its own.
    pub node: String,
    /// The Stasis application that calls are handed to; each node needs one of its own on a switch.
    pub application: String,
    /// The switches.
    pub hosts: Vec<HostSettings>,
    /// The ways out, in the order in which they are tried.
    pub trunks: Vec<TrunkSettings>,
    /// Where the sounds of messages are, as the switch sees them: a directory, without a slash at the end.
    pub sounds: String,
    /// The tone (Hz, 200 to 3000) that agents alone hear on a line that stands when a call comes to it; 0 for none.
    pub whisper_tone_hz: u32,
    /// How many requests may wait (at least 1); one more is refused as `Overloaded`.
    pub requests_max: usize,
    /// How many events may wait (at least 1); then the switches wait.
    pub events_max: usize,
}

impl AsteriskSettings {
    /// Default of `requests_max`.
    pub const REQUESTS_MAX: usize = 8192;
    /// Default of `events_max`.
    pub const EVENTS_MAX: usize = 4096;
}

/// One Asterisk.
#[derive(Clone)]
pub struct HostSettings {
    /// Its name, for people.
    pub name: String,
    /// Where its HTTP server is, such as `http://10.0.0.5:8088`; `https://` is with TLS, for the WebSocket too.
    pub url: Url,
    /// The ARI user.
    pub user: String,
    /// Their password.
    pub password: String,
    /// Certificates of the authorities that its certificate may be of, in PEM, instead of those that this machine knows.
    pub ca_pem: Option<String>,
    /// Its share of the calls, compared with the other hosts'; 1 to 100.
    pub weight: u32,
    /// Calls at once at most, agents' lines left out.
    pub lines_max: u32,
    /// Calls placed in a second at most.
    pub calls_per_second_max: u32,
    /// How requests reach it.
    pub requests: RequestPath,
}

impl HostSettings {
    /// Whether what goes over the connection is encrypted.
    pub(super) fn is_encrypted(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// A setting of it, the host of this number, that makes no sense.
    pub(super) fn bad(&self, place: usize, setting: &str, what: &str) -> BadSetting {
        BadSetting {
            setting: format!("asterisk.{place}.{setting}"),
            what: format!("of {} {what}", self.name),
        }
    }
}

/// The password stays out of logs.
impl std::fmt::Debug for HostSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HostSettings").field("name", &self.name).finish_non_exhaustive()
    }
}

/// How requests reach an Asterisk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RequestPath {
    /// Over the events' WebSocket if the Asterisk understands that (20.14, 21.9, 22.4 and later), else over HTTP.
    #[default]
    Auto,
    /// Over the events' WebSocket.
    WebSocket,
    /// Over HTTP.
    Http,
}

/// One way out.
#[derive(Clone, Debug)]
pub struct TrunkSettings {
    /// Its name, for people.
    pub name: String,
    /// The endpoint to dial, with `{number}` for the number in E.164 with its plus sign and `{digits}` for the number
    /// without it: `PJSIP/{number}@carrier`.
    pub dial: String,
    /// Calls at once at most, on each host.
    pub lines_max: u32,
    /// Calls placed in a second at most, on each host.
    pub calls_per_second_max: u32,
    /// SIP headers that are added to each call.
    pub headers: Vec<(String, String)>,
}

/// Longest time without a sign of life after which a connection counts as lost. Asterisk is asked for one every five
/// seconds.
pub(super) const SILENCE_MAX: Duration = Duration::from_secs(15);

/// A setting that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting} {what}")]
pub struct BadSetting {
    /// Which, as in `whisper_tone_hz`; of a host or a trunk by its number, as in `asterisk.0.weight`, `trunks.1.dial`.
    pub setting: String,
    /// What is wrong with it, and what to do.
    pub what: String,
}

impl AsteriskSettings {
    /// Checks what can be checked without a switch.
    ///
    /// # Errors
    /// The first setting that makes no sense.
    pub fn check(&self) -> Result<(), BadSetting> {
        let bad = |setting: &str, what: &str| {
            Err(BadSetting { setting: setting.to_owned(), what: what.to_owned() })
        };
        if self.hosts.is_empty() {
            return bad("asterisk", "is missing: name at least one Asterisk");
        }
        if self.trunks.is_empty() {
            return bad("trunks", "are missing: name at least one way out, such as PJSIP/{number}@carrier");
        }
        if self.whisper_tone_hz != 0 && !(200..=3000).contains(&self.whisper_tone_hz) {
            return bad("whisper_tone_hz", "must be 200 to 3000, or 0 for none");
        }
        let mut names = BTreeSet::new();
        for (place, host) in self.hosts.iter().enumerate() {
            let bad = |setting: &str, what: &str| Err(host.bad(place, setting, what));
            if !names.insert(&host.name) {
                return bad("name", "is that of another one, too");
            }
            if !matches!(host.url.scheme(), "http" | "https") || host.url.host_str().is_none() {
                return bad("url", "must be http://host:port, or https://host:port for TLS");
            }
            if host.ca_pem.is_some() && !host.is_encrypted() {
                return bad("ca_file", "is for TLS: the url must begin with https://");
            }
            if let Err(error) = super::tls::configuration(host) {
                return bad("ca_file", &error.to_string());
            }
            if !(1..=100).contains(&host.weight) {
                return bad("weight", "must be 1 to 100");
            }
            for (setting, value) in
                [("lines_max", host.lines_max), ("calls_per_second_max", host.calls_per_second_max)]
            {
                if value == 0 {
                    return bad(setting, "must be at least 1");
                }
            }
        }
        for (place, trunk) in self.trunks.iter().enumerate() {
            let bad = |setting: &str, what: &str| {
                let setting = format!("trunks.{place}.{setting}");
                Err(BadSetting { setting, what: format!("of {} {what}", trunk.name) })
            };
            if !trunk.dial.contains("{number}") && !trunk.dial.contains("{digits}") {
                return bad("dial", "must contain {number} or {digits}, such as PJSIP/{number}@carrier");
            }
            for (setting, value) in
                [("lines_max", trunk.lines_max), ("calls_per_second_max", trunk.calls_per_second_max)]
            {
                if value == 0 {
                    return bad(setting, "must be at least 1");
                }
            }
        }
        Ok(())
    }
}
