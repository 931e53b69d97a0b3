//! Whether an Asterisk is ready for Outdial, step by step, and what to do where it is not. Nothing is dialled.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::StreamExt;
use serde_json::Value;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use super::connection::{self, ConnectError, Question, Socket, Way};
use super::protocol::{Ask, Incoming, Response, quoted};
use super::settings::{AsteriskSettings, HostSettings};
use super::switchboard::{KIND, NODE};
use crate::driver::SoundFile;

/// Modules that the driver and the shipped dial plan use, and what for.
const MODULES: [(&str, &str); 12] = [
    ("res_ari_channels.so", "placing calls"),
    ("res_ari_bridges.so", "connecting calls"),
    ("res_ari_playbacks.so", "playing messages"),
    ("res_stasis_snoop.so", "supervisors who listen"),
    ("app_stasis.so", "calls that come back from the dial plan"),
    ("app_amd.so", "detecting answering machines"),
    ("res_tonedetect.so", "detecting faxes"),
    ("res_ari_recordings.so", "recordings"),
    ("chan_bridge_media.so", "announcements to both parties"),
    ("chan_pjsip.so", "SIP"),
    ("codec_alaw.so", "hearing and playing on G.711 A-law calls"),
    ("codec_ulaw.so", "hearing and playing on G.711 µ-law calls"),
];
/// What the shipped dial plan has.
const CONTEXTS: [(&str, &str); 3] = [
    ("outdial-answered", "every call and every agent's line"),
    ("outdial-detect", "detecting who answered"),
    ("outdial-greeting", "messages after a mailbox's greeting"),
];
/// Clocks may differ by so much before times of calls are wrong in a way that matters (the two-second rule).
const CLOCKS_DIFFER_BY: Duration = Duration::from_secs(2);
/// The status with which a refusal to connect is told if it did not come from the switch.
const UNREACHED: u16 = 599;

/// How long the sound of a check may take, which is far shorter.
const SOUND_TAKES: Duration = Duration::from_secs(5);

/// One step of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which host.
    pub host: String,
    /// What was looked at.
    pub step: String,
    /// Whether all is well.
    pub is_good: bool,
    /// What was found, and what to do if it is not well.
    pub what: String,
}

/// Looks at every host, in an order in which the first thing that is wrong is the one to mend. `sound` is a file in the
/// directory of messages' sounds that is there now, for the switch to find; without it that is not looked at.
pub async fn check(settings: &AsteriskSettings, sound: Option<&SoundFile>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for host in &settings.hosts {
        let way = match Way::to(host) {
            Ok(way) => way,
            Err(error) => {
                let (host, step) = (host.name.clone(), "TLS".to_owned());
                findings.push(Finding { host, step, is_good: false, what: error.to_string() });
                continue;
            }
        };
        let mut look = Look { host, way, findings: Vec::new(), socket: None };
        look.at_all(settings, sound).await;
        findings.append(&mut look.findings);
    }
    findings
}

struct Look<'a> {
    host: &'a HostSettings,
    way: Way,
    findings: Vec<Finding>,
    socket: Option<Socket>,
}

impl Look<'_> {
    fn note(&mut self, step: &str, is_good: bool, what: impl Into<String>) {
        let host = self.host.name.clone();
        self.findings.push(Finding { host, step: step.to_owned(), is_good, what: what.into() });
    }

    async fn ask(&self, uri: String) -> Response {
        self.do_it(Ask::get(uri)).await
    }

    async fn do_it(&self, ask: Ask) -> Response {
        connection::over_http(&self.way.client, self.host, Question { id: 0, ask }).await
    }

    async fn at_all(&mut self, settings: &AsteriskSettings, sound: Option<&SoundFile>) {
        if !self.at_ari().await {
            return;
        }
        // An application of its own: the running node's would be taken from it.
        let application = format!("{}-check", settings.application);
        let socket = self.at_events(&application).await;
        self.at_clock().await;
        self.at_modules().await;
        if socket {
            self.at_dial_plan(&application, settings).await;
            if let Some(sound) = sound {
                self.at_sounds(settings, sound).await;
            }
        }
        self.at_trunks(settings).await;
    }

    async fn at_ari(&mut self) -> bool {
        let answer = self.ask("asterisk/info?only=system".to_owned()).await;
        let (is_good, what) = match answer.status_code {
            200 => {
                let version = body(&answer)["system"]["version"].as_str().unwrap_or("?").to_owned();
                (true, format!("Asterisk {version}"))
            }
            401 | 403 => {
                let what = "the user or the password is wrong: compare [[telephony.asterisk]] with ari.conf";
                (false, what.to_owned())
            }
            UNREACHED if answer.message_body.is_some() => {
                (false, format!("{} {}", self.host.url, answer.message_body.unwrap_or_default()))
            }
            UNREACHED => {
                let what = "cannot be reached: is Asterisk running, `enabled = yes` in http.conf, and is the address its bindaddr and bindport?";
                (false, format!("{} {what}", self.host.url))
            }
            404 => (false, "there is no ARI: `enabled = yes` in ari.conf, and load res_ari.so".to_owned()),
            status => (false, format!("HTTP status {status}")),
        };
        self.note("ARI", is_good, what);
        is_good
    }

    async fn at_events(&mut self, application: &str) -> bool {
        let outcome = connection::open(&self.way, application).await;
        let is_good = outcome.is_ok();
        match outcome {
            Ok(socket) => {
                self.note("events", true, "the WebSocket opens");
                // The application lasts as long as its socket, and what follows needs it.
                self.socket = Some(socket);
            }
            Err(ConnectError::WebSocket(error)) => {
                let what = format!(
                    "the WebSocket does not open ({error}): load res_http_websocket.so and res_ari_events.so"
                );
                self.note("events", false, what);
            }
            Err(error) => self.note("events", false, error.to_string()),
        }
        is_good
    }

    async fn at_clock(&mut self) {
        let answer = self.ask("asterisk/ping".to_owned()).await;
        let now = SystemTime::now();
        let said = body(&answer)["timestamp"].as_str().and_then(instant);
        let Some(said) = said else { return self.note("clock", false, "it does not say what time it is") };
        let apart = said.duration_since(now).or_else(|_| now.duration_since(said)).unwrap_or_default();
        let what = format!("{:.1} s from ours", apart.as_secs_f64());
        if apart <= CLOCKS_DIFFER_BY {
            self.note("clock", true, what);
        } else {
            self.note("clock", false, format!("{what}: run a time service on both machines"));
        }
    }

    async fn at_modules(&mut self) {
        let answer = self.ask("asterisk/modules".to_owned()).await;
        let loaded = body(&answer);
        let is_running = |name: &str| {
            let of_name = |module: &Value| module["name"] == name && module["status"] == "Running";
            loaded.as_array().is_some_and(|modules| modules.iter().any(of_name))
        };
        for (name, what_for) in MODULES {
            if is_running(name) {
                self.note(name, true, "runs");
            } else {
                self.note(
                    name,
                    false,
                    format!("does not run, needed for {what_for}: `load = {name}` in modules.conf"),
                );
            }
        }
    }

    /// The dial plan and the variables are read through a channel that leads nowhere: functions need one.
    async fn at_dial_plan(&mut self, application: &str, settings: &AsteriskSettings) {
        let uri = format!("channels/create?endpoint=Local/s@outdial-check/n&app={}", quoted(application));
        let made = self.do_it(Ask::post(uri)).await;
        let Some(channel) = body(&made)["id"].as_str().map(str::to_owned) else {
            let what =
                format!("cannot be looked at: no channel can be made (HTTP status {})", made.status_code);
            return self.note("dial plan", false, what);
        };
        for (context, what_for) in CONTEXTS {
            match self.function(&channel, &format!("DIALPLAN_EXISTS({context},s,1)")).await.as_deref() {
                Some("1") => self.note(context, true, "is in the dial plan"),
                Some("0") => {
                    let what = format!(
                        "is not in the dial plan, needed for {what_for}: take it from contrib/asterisk/extensions.conf"
                    );
                    self.note(context, false, what);
                }
                _ => self.note(context, false, "cannot be asked for: load func_dialplan.so"),
            }
        }
        let found = self.function(&channel, "AST_CONFIG(ari.conf,general,channelvars)").await;
        let names = found.unwrap_or_default();
        let has = |wanted: &str| names.split(',').any(|name| name.trim() == wanted);
        if has(NODE) && has(KIND) {
            self.note("channelvars", true, "calls are known again after a restart");
        } else {
            let what = format!(
                "calls would not be known again after a restart: `channelvars = {NODE},{KIND}` in ari.conf, [general] \
                 (and load func_config.so, by which this is looked up)"
            );
            self.note("channelvars", false, what);
        }
        for trunk in &settings.trunks {
            if let Some(endpoint) = endpoint_of(&trunk.dial) {
                self.at_codecs(&channel, &trunk.name, endpoint).await;
            }
        }
        self.do_it(Ask::delete(format!("channels/{}", quoted(&channel)))).await;
    }

    /// ARI does not list files, but it plays them: in a bridge, to nobody.
    async fn at_sounds(&mut self, settings: &AsteriskSettings, sound: &SoundFile) {
        let media = format!("sound:{}/{}", settings.sounds, sound.stem());
        let bridge = sound.stem();
        let made = self.do_it(Ask::post(format!("bridges/{}?type=mixing", quoted(bridge)))).await;
        let uri = format!("bridges/{}/play/{}?media={}", quoted(bridge), quoted(bridge), quoted(&media));
        let asked = if made.status_code == 200 { self.do_it(Ask::post(uri)).await } else { made };
        let ended = match asked.status_code {
            201 => timeout(SOUND_TAKES, self.playback_ends(bridge)).await.ok().flatten(),
            _ => None,
        };
        self.do_it(Ask::delete(format!("bridges/{}", quoted(bridge)))).await;
        match ended.as_deref() {
            Some("done") => {
                self.note("sounds", true, format!("what is written there is found in {}", settings.sounds))
            }
            Some(_) => {
                let what = format!(
                    "what Outdial writes to `messages` in node.data_dir is not found in {}: set telephony.sounds to that directory \
                     as Asterisk sees it, and let Asterisk's user read it (and load format_wav.so)",
                    settings.sounds
                );
                self.note("sounds", false, what);
            }
            None => {
                self.note("sounds", false, format!("cannot be looked at (HTTP status {})", asked.status_code))
            }
        }
    }

    /// The state in which a playback ends.
    async fn playback_ends(&mut self, id: &str) -> Option<String> {
        let socket = self.socket.as_mut()?;
        loop {
            let Message::Text(text) = socket.next().await?.ok()? else { continue };
            if let Ok(Incoming::PlaybackFinished { playback }) = serde_json::from_str(&text)
                && playback.id == id
            {
                return Some(playback.state);
            }
        }
    }

    /// Every carrier takes G.711, and sounds and detection are of its quality; another codec costs a conversion a call.
    async fn at_codecs(&mut self, channel: &str, trunk: &str, endpoint: &str) {
        let step = format!("codecs of trunk {trunk}");
        let allowed = self.function(channel, &format!("PJSIP_ENDPOINT({endpoint},allow)")).await;
        let Some(allowed) = allowed.filter(|allowed| !allowed.is_empty()) else {
            let what = format!(
                "cannot be asked for: is there an endpoint {endpoint} in pjsip.conf, and does func_pjsip_endpoint.so run?"
            );
            return self.note(&step, false, what);
        };
        let codecs: Vec<&str> =
            allowed.split([',', '|', '(', ')', ' ']).filter(|one| !one.is_empty()).collect();
        let listed = codecs.join(", ");
        if codecs.iter().any(|codec| matches!(*codec, "alaw" | "ulaw")) {
            self.note(&step, true, listed);
        } else {
            let what = format!(
                "only {listed}: carriers take G.711, so `allow = alaw,ulaw` in pjsip.conf, [{endpoint}]"
            );
            self.note(&step, false, what);
        }
    }

    /// The value of a dial plan function, or none if the switch does not know the function.
    async fn function(&self, channel: &str, call: &str) -> Option<String> {
        let answer =
            self.ask(format!("channels/{}/variable?variable={}", quoted(channel), quoted(call))).await;
        (answer.status_code == 200).then(|| body(&answer)["value"].as_str().map(str::to_owned)).flatten()
    }

    async fn at_trunks(&mut self, settings: &AsteriskSettings) {
        for trunk in &settings.trunks {
            let step = format!("trunk {}", trunk.name);
            let Some(endpoint) = endpoint_of(&trunk.dial) else {
                self.note(&step, true, format!("{} is not PJSIP's and was not looked at", trunk.dial));
                continue;
            };
            let answer = self.ask(format!("endpoints/PJSIP/{}", quoted(endpoint))).await;
            match (answer.status_code, body(&answer)["state"].as_str()) {
                (200, Some("offline")) => {
                    let what = format!(
                        "PJSIP's endpoint {endpoint} has no contact that can be reached: look at its aor"
                    );
                    self.note(&step, false, what);
                }
                (200, state) => {
                    self.note(
                        &step,
                        true,
                        format!("PJSIP's endpoint {endpoint} is {}", state.unwrap_or("there")),
                    );
                }
                _ => self.note(&step, false, format!("there is no endpoint {endpoint} in pjsip.conf")),
            }
        }
    }
}

fn body(response: &Response) -> Value {
    serde_json::from_str(response.message_body.as_deref().unwrap_or("")).unwrap_or_default()
}

/// PJSIP's endpoint in a way out: `PJSIP/{number}@carrier` or `PJSIP/carrier/sip:{number}@host`.
fn endpoint_of(dial: &str) -> Option<&str> {
    let rest = dial.strip_prefix("PJSIP/")?;
    match rest.split_once('/') {
        Some((endpoint, _)) => Some(endpoint),
        None => Some(rest.rsplit_once('@').map_or(rest, |(_, endpoint)| endpoint)),
    }
}

/// Reads `2026-11-21T07:56:32.367+0000`.
fn instant(text: &str) -> Option<SystemTime> {
    let zoned = jiff::fmt::strtime::parse("%Y-%m-%dT%H:%M:%S%.f%z", text).ok()?.to_timestamp().ok()?;
    let micros = u64::try_from(zoned.as_microsecond()).ok()?;
    Some(UNIX_EPOCH + Duration::from_micros(micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_endpoint_is_found_in_both_forms_of_a_way_out() {
        assert_eq!(endpoint_of("PJSIP/{number}@carrier"), Some("carrier"));
        assert_eq!(endpoint_of("PJSIP/carrier/sip:{digits}@10.0.0.1"), Some("carrier"));
        assert_eq!(endpoint_of("IAX2/{number}"), None);
    }

    #[test]
    fn asterisk_s_way_to_write_a_time_is_read() {
        let at = instant("1970-01-01T01:00:01.500+0100").expect("read");
        assert_eq!(at, UNIX_EPOCH + Duration::from_millis(1500));
    }
}
