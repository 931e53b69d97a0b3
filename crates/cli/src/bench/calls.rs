//! Real calls: how many a second go through the whole of Outdial on one Asterisk, and how soon an agent is there.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use app::attempts::{AttemptQuery, AttemptStage, AttemptView};
use app::intake::RecordOutcome;
use app::model::{
    AgentBody, CallingHoursBody, CampaignBody, CampaignGroupBody, DetectionProfileBody, SkillBody, SourceBody,
};
use app::paging::PageRequest;
use app::{App, Principal};
use engine::{
    AgentEvent, AgentId, AgentNotice, AgentState, CallResult, CallingHours, GroupAction, GroupId, SourceId,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use store::reference::Scratch;
use store::{Store, StoreOptions};
use telephony::SystemClock;
use tokio::task::JoinSet;

use crate::config::{Config, DriverKind};
use crate::serve::{self, Running};

/// Rates that are tried, in calls a second, until one is not held.
const RATES: [u32; 8] = [5, 10, 20, 30, 40, 60, 80, 100];
/// How long a rate is tried.
const TRIED: Duration = Duration::from_secs(15);
/// A rate is held if at least this share of it was placed, and everybody was connected.
const HELD: f64 = 0.95;
/// An agent is there within this time of the answer, for 99 of 100 calls: what a line that stands is for.
const BRIDGE_MAX: Duration = Duration::from_millis(100);
/// How long agents talk before they hang up.
const TALK: Duration = Duration::from_secs(2);
/// Agents for each call a second: a call rings for 1, 2 or 4 s and is talked on for 2.
const AGENTS_PER_RATE: f64 = 5.5;
/// Longest wait for telephones, and for the end of a round beside the time that its calls take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Numbers set aside for films (Arcep décision 2018-0881), of people who answer after 1, 2 or 4 s and say hello, as the
/// lab's carrier reads them.
const AREAS: [&str; 6] = ["+3319900", "+3326191", "+3335301", "+3346571", "+3353649", "+3363998"];

/// What went through.
struct Round {
    asked: u32,
    attempts: Vec<AttemptView>,
    /// Processor time that this program used.
    busy: Duration,
}

struct Floor {
    running: Running,
    who: Principal,
    skill: uuid::Uuid,
    hours: uuid::Uuid,
    profile: uuid::Uuid,
    agents: JoinSet<anyhow::Result<()>>,
    rounds: u32,
}

/// Finds the highest rate that is held and places `calls` at it.
///
/// # Errors
/// There is no Asterisk, the database cannot be made, or a call got lost.
pub async fn run(
    config: &Config,
    db: &str,
    calls: u32,
    carrier_log: Option<&Path>,
) -> anyhow::Result<Vec<Value>> {
    if config.telephony.driver != DriverKind::Asterisk {
        bail!("the bench calls needs a configuration with an Asterisk: `make bench BENCH=calls` starts one");
    }
    let scratch = Scratch::create(db).await?;
    let directory = tempfile::tempdir()?;
    let measured = measure(config, &scratch, directory.path(), calls, carrier_log).await;
    // What cannot be removed is no reason to lose the figures.
    if let Err(error) = scratch.remove().await {
        tracing::warn!(%error, "the database of the bench could not be removed");
    }
    measured
}

async fn measure(
    config: &Config,
    scratch: &Scratch,
    directory: &Path,
    calls: u32,
    carrier_log: Option<&Path>,
) -> anyhow::Result<Vec<Value>> {
    let mut config = config.clone();
    config.node.data_dir = directory.to_owned();
    config.server.listen = ([127, 0, 0, 1], 0).into();
    let store = Store::open(&scratch.target, StoreOptions::default()).await?;
    let kind = format!("{:?}", store.dialect()).to_lowercase();
    let mut floor = Floor::open(&config, store).await?;
    let mut held = 0;
    for rate in RATES {
        let round = floor.dial(rate, (f64::from(rate) * TRIED.as_secs_f64()) as u32).await?;
        tracing::warn!("{}", round.in_words());
        if !round.is_held() {
            break;
        }
        held = rate;
    }
    ensure!(held > 0, "not even {} calls a second are held here", RATES[0]);
    let before = carrier_log.map(Carrier::read).transpose()?;
    let round = floor.dial(held, calls).await?;
    tracing::warn!("{}", round.in_words());
    let after = carrier_log.map(Carrier::read).transpose()?;
    floor.close().await?;
    let mut results = round.report(&kind);
    if let (Some(before), Some(after)) = (before, after) {
        results.push(round.compared(&kind, &before, &after));
    }
    Ok(results)
}

impl Floor {
    async fn open(config: &Config, store: Store) -> anyhow::Result<Self> {
        let running = serve::start_on(config, store, Arc::new(SystemClock)).await?;
        let app = &running.app;
        let who = Principal::operator(app.create_tenant("Bench").await?.id);
        let skill = app.create(&who, SkillBody { name: "Bench".to_owned() }).await?.id;
        let hours = CallingHoursBody { name: "Always".to_owned(), hours: CallingHours::always() };
        let hours = app.create(&who, hours).await?.id;
        // Detection listens for seconds before it says a word: without it the answer counts.
        let profile: DetectionProfileBody = body(json!({"name": "Off", "off_from_attempt": 1}))?;
        let profile = app.create(&who, profile).await?.id;
        Ok(Self { running, who, skill, hours, profile, agents: JoinSet::new(), rounds: 0 })
    }

    /// Has this many agents at work, with their telephones off the hook.
    async fn staff(&mut self, count: usize) -> anyhow::Result<()> {
        for number in self.agents.len()..count {
            let agent: AgentBody = body(json!({
                "name": format!("Agent {number:04}"), "skills": [{"skill": self.skill, "proficiency": 50}],
                "telephone": {"endpoint": format!("PJSIP/agent-{}", 1001 + number % 4)},
            }))?;
            let agent = AgentId(self.running.app.create(&self.who, agent).await?.id);
            self.agents.spawn(work(Arc::clone(&self.running.app), self.who.clone(), agent));
            // Telephones that all ring at one instant are not what is measured.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let until = Instant::now() + PATIENCE;
        loop {
            let live = self.running.app.live(&self.who).await?;
            let ready = live.agents.iter().filter(|agent| agent.now.state == AgentState::Ready).count();
            if ready >= count {
                return Ok(());
            }
            ensure!(
                Instant::now() < until,
                "{ready} of {count} agents are ready: the others' telephones fail"
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Dials people at this many a second.
    async fn dial(&mut self, rate: u32, calls: u32) -> anyhow::Result<Round> {
        self.staff((f64::from(rate) * AGENTS_PER_RATE).ceil() as usize).await?;
        let (app, who) = (Arc::clone(&self.running.app), self.who.clone());
        self.rounds += 1;
        let name = format!("Round {}", self.rounds);
        let campaign: CampaignBody = body(json!({
            "name": name, "calling_hours": self.hours, "attempts_max": 1, "detection_profile": self.profile,
            "dispositions": [{"code": "done", "name": "Done", "contact_final": true}],
        }))?;
        let campaign = app.create(&who, campaign).await?.id;
        let source: SourceBody = body(json!({"name": name, "campaign": campaign, "default_country": "FR"}))?;
        let source = SourceId(app.create(&who, source).await?.id);
        let people: Vec<Value> = numbers()
            .take(calls as usize)
            .map(|number| json!({"external_id": number, "phones": [{"number": number}]}))
            .collect();
        ensure!(people.len() == calls as usize, "there are numbers for {} calls at most", people.len());
        for part in people.chunks(500) {
            let results = app.add_contacts(&who, source, body(json!(part))?).await?;
            let taken = results.iter().filter(|result| result.outcome == RecordOutcome::Created).count();
            ensure!(taken == part.len(), "{taken} of {} people were taken", part.len());
        }
        let group: CampaignGroupBody = body(json!({
            "name": name, "campaign": campaign, "skill": self.skill, "settings": {
                "dial_mode": "power", "lines_per_agent": 1.0, "calls_per_second_max": rate, "lines_max": 1000,
                "wrap_up_seconds_max": 30,
            },
        }))?;
        let group = GroupId(app.create(&who, group).await?.id);
        let busy = processor_time()?;
        app.act_on_group(&who, group, GroupAction::Load, None).await?;
        app.act_on_group(&who, group, GroupAction::Start, None).await?;
        let until = Instant::now() + Duration::from_secs(u64::from(2 * calls / rate)) + PATIENCE;
        let attempts = loop {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let attempts = attempts_of(&app, &who, group).await?;
            let settled = attempts.iter().filter(|attempt| attempt.state == AttemptStage::Settled).count();
            if settled == calls as usize || Instant::now() > until {
                break attempts;
            }
        };
        let busy = processor_time()?.saturating_sub(busy);
        app.act_on_group(&who, group, GroupAction::ForceUnload, None).await?;
        Ok(Round { asked: rate, attempts, busy })
    }

    async fn close(mut self) -> anyhow::Result<()> {
        self.agents.abort_all();
        while self.agents.join_next().await.is_some() {}
        self.running.shut_down().await;
        Ok(())
    }
}

/// An agent who takes every call, talks for [`TALK`] and is ready again.
async fn work(app: Arc<App>, who: Principal, agent: AgentId) -> anyhow::Result<()> {
    let mut session = app.floor.agent_session(who.tenant, agent).await?;
    session.send(AgentEvent::LogIn).await?;
    session.send(AgentEvent::Ready).await?;
    while let Ok(notice) = session.recv().await {
        match notice {
            AgentNotice::Connected { .. } => {
                tokio::time::sleep(TALK).await;
                session.send(AgentEvent::HangUp).await?;
            }
            AgentNotice::CallEnded { wrap_up_until: Some(_), .. } => {
                let disposition = Some("done".to_owned());
                session
                    .send(AgentEvent::Dispose {
                        disposition,
                        notes: None,
                        callback_at: None,
                        callback_is_mine: false,
                    })
                    .await?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn numbers() -> impl Iterator<Item = String> {
    // The last digit is how they answer, the last but one when.
    let endings = (0..100).flat_map(|hundred| [0, 1, 2].map(|ring| format!("{hundred:02}{ring}0")));
    let numbers = endings.flat_map(|ending| AREAS.map(|area| format!("{area}{ending}")));
    // The same checks as everybody's.
    numbers.filter(|number| contacts::read_number(number, None).is_ok())
}

async fn attempts_of(app: &App, who: &Principal, group: GroupId) -> anyhow::Result<Vec<AttemptView>> {
    let query = AttemptQuery { group: Some(group), ..AttemptQuery::default() };
    let mut page = PageRequest { after: None, limit: Some(1000) };
    let mut attempts = Vec::new();
    loop {
        let listing = app.attempts(who, query, &page).await?;
        attempts.extend(listing.items);
        match listing.next {
            Some(next) => page.after = Some(next),
            None => return Ok(attempts),
        }
    }
}

fn body<T: DeserializeOwned>(json: Value) -> anyhow::Result<T> {
    serde_json::from_value(json).context("the bench' own definitions are wrong")
}

/// What the threads of this program used of the processors so far.
fn processor_time() -> anyhow::Result<Duration> {
    let mut nanos = 0;
    for task in std::fs::read_dir("/proc/self/task")? {
        // A thread may have ended meanwhile.
        let Ok(text) = std::fs::read_to_string(task?.path().join("schedstat")) else { continue };
        nanos += text.split(' ').next().and_then(|first| first.parse::<u64>().ok()).unwrap_or(0);
    }
    Ok(Duration::from_nanos(nanos))
}

impl Round {
    fn connected(&self) -> usize {
        let is_good = |attempt: &&AttemptView| {
            attempt.connected_at.is_some() && attempt.result == Some(CallResult::Answer)
        };
        self.attempts.iter().filter(is_good).count()
    }

    /// Attempts that began, a second.
    fn rate(&self) -> f64 {
        let starts = self.attempts.iter().map(|attempt| attempt.started_at);
        let (Some(first), Some(last)) = (starts.clone().min(), starts.max()) else { return 0.0 };
        (self.attempts.len() as f64 - 1.0) / last.since(first).as_secs_f64().max(0.001)
    }

    /// From the answer to the agent, of this share of the calls at most.
    fn bridge(&self, share: usize) -> Duration {
        let mut times: Vec<Duration> = self
            .attempts
            .iter()
            .filter_map(|attempt| Some(attempt.connected_at?.since(attempt.answered_at?)))
            .collect();
        times.sort();
        times.get((times.len().max(1) - 1) * share / 100).copied().unwrap_or(Duration::MAX)
    }

    fn is_held(&self) -> bool {
        self.connected() == self.attempts.len()
            && self.rate() >= HELD * f64::from(self.asked)
            && self.bridge(99) <= BRIDGE_MAX
    }

    fn in_words(&self) -> String {
        let mut results: HashMap<&str, usize> = HashMap::new();
        for attempt in &self.attempts {
            *results.entry(attempt.result.map_or("none", CallResult::name)).or_default() += 1;
        }
        format!(
            "{} a second asked, {:.1} placed; {} calls, {} connected ({results:?}); answer to agent {:.1} ms (p50), \
             {:.1} ms (p99)",
            self.asked,
            self.rate(),
            self.attempts.len(),
            self.connected(),
            millis(self.bridge(50)),
            millis(self.bridge(99)),
        )
    }

    fn report(&self, db: &str) -> Vec<Value> {
        let calls = self.attempts.len();
        let what = format!("{calls} calls");
        let line = |what: String, value: f64, unit: &str| {
            let value = (value * 100.0).round() / 100.0;
            json!({"bench": "calls", "what": what, "db": db, "value": value, "unit": unit})
        };
        vec![
            line(format!("{what}, placed"), self.rate(), "calls/s"),
            line(format!("{what}, connected with an agent"), self.connected() as f64, "calls"),
            line(format!("{what}, answer to agent, median"), millis(self.bridge(50)), "ms"),
            line(format!("{what}, answer to agent, p99"), millis(self.bridge(99)), "ms"),
            line(format!("{what}, processor time of Outdial a call"), millis(self.busy) / calls as f64, "ms"),
        ]
    }

    /// What the carrier saw of this round against what Outdial knows of it.
    fn compared(&self, db: &str, before: &Carrier, after: &Carrier) -> Value {
        let rung = after.rung - before.rung;
        let answered = after.answered - before.answered;
        let ended = after.ended - before.ended;
        let ours = |has: fn(&AttemptView) -> bool| self.attempts.iter().filter(|one| has(one)).count() as i64;
        // A call that the switch itself could not place has no events to be lost; the counts show it.
        let lost = (answered - ours(|attempt| attempt.answered_at.is_some())).abs()
            + (ended - ours(|attempt| attempt.answered_at.and(attempt.ended_at).is_some())).abs();
        json!({
            "bench": "calls", "what": format!("{} calls, events lost", self.attempts.len()), "db": db,
            "value": lost, "unit": "events", "carrier": {"rung": rung, "answered": answered, "ended": ended},
        })
    }
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1000.0
}

/// What the lab's carrier noted so far.
struct Carrier {
    rung: i64,
    answered: i64,
    ended: i64,
}

impl Carrier {
    fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("the carrier's log {} cannot be read", path.display()))?;
        let count =
            |word: &str| text.lines().filter(|line| line.split(' ').next() == Some(word)).count() as i64;
        Ok(Self { rung: count("INVITE"), answered: count("ANSWER"), ended: count("BYE") + count("HANGUP") })
    }
}
