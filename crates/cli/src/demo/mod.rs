//! `outdial demo`: the real thing, with simulated people and agents.

mod agents;
mod best;
mod people;
mod setup;
mod summary;

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use engine::{DialMode, GroupAction, GroupState, Time};
use serde_json::json;
use simulator::World;
use telephony::{Clock, ScaledClock, SystemClock};
use tokio::sync::watch;

use crate::config::{Config, DriverKind};
use crate::serve::{self, Running};
use agents::Team;
use setup::Demonstration;

/// Longest time that calls have to end by themselves at the end of a run, in real time.
const END_PATIENCE: Duration = Duration::from_secs(20);

/// What the demonstration is like.
#[derive(clap::Args)]
pub struct Arguments {
    /// Simulated agents; 10, or 4 with real calls.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=5000))]
    agents: Option<u32>,
    /// People on the list.
    #[arg(long, default_value_t = 5000)]
    contacts: u32,
    /// How much faster than real time the demonstration's time runs: 30; real calls take their time.
    #[arg(long)]
    speed: Option<f64>,
    /// What places the calls. Asterisk needs a configuration with [telephony], and a carrier that leads nowhere.
    #[arg(long, value_enum, default_value = "simulated")]
    telephony: Telephony,
    /// The agents' telephones with real calls; {number} counts from 1001.
    #[arg(long, default_value = "PJSIP/agent-{number}")]
    phones: String,
    /// Real seconds to dial for; 0 only with --serve: no dialling.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Chooses how the people behave: the same seed, number and attempt end in the same way.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How the group dials.
    #[arg(long, value_enum, default_value = "progressive")]
    mode: Mode,
    /// Lines for each ready agent, in power mode.
    #[arg(long, default_value_t = 2.0)]
    lines_per_agent: f64,
    /// Calls at once, in agentless mode.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    ports: u32,
    /// Print one JSON object at the end (and, with --serve, one at the start) instead of text.
    #[arg(long)]
    json: bool,
    /// Keep serving the API on the demonstration's data after the run.
    #[arg(long)]
    serve: bool,
    /// Where to listen; another free port if the default one is taken.
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// A database to keep the data in (SQLite file or postgres://…), taken up again if it has a demonstration;
    /// without it they are gone at the end.
    #[arg(long)]
    db: Option<String>,
}

#[derive(Clone, Copy, PartialEq, clap::ValueEnum)]
enum Telephony {
    Simulated,
    Asterisk,
}

impl Arguments {
    fn is_real(&self) -> bool {
        self.telephony == Telephony::Asterisk
    }

    fn agents(&self) -> u32 {
        self.agents.unwrap_or(if self.is_real() { 4 } else { 10 })
    }

    fn speed(&self) -> f64 {
        self.speed.unwrap_or(if self.is_real() { 1.0 } else { 30.0 })
    }
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Mode {
    Preview,
    PushPreview,
    Progressive,
    Power,
    Predictive,
    Agentless,
}

impl Mode {
    /// Whether pacing decides how busy agents are.
    fn is_paced(self) -> bool {
        matches!(self, Self::Progressive | Self::Power | Self::Predictive)
    }
}

impl From<Mode> for DialMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Preview => Self::Preview,
            Mode::PushPreview => Self::PushPreview,
            Mode::Agentless => Self::Agentless,
            Mode::Progressive => Self::Progressive,
            Mode::Power => Self::Power,
            Mode::Predictive => Self::Predictive,
        }
    }
}

/// Runs the demonstration.
///
/// # Errors
/// An argument cannot be, or a part cannot start.
pub async fn run(mut config: Config, arguments: Arguments) -> anyhow::Result<()> {
    if arguments.contacts == 0 || arguments.contacts > people::people_max() {
        bail!("--contacts must be 1 to {}: there are no more numbers that nobody has", people::people_max());
    }
    if arguments.seconds == 0 && !arguments.serve {
        bail!("--seconds 0 does nothing without --serve");
    }
    if arguments.is_real() && arguments.speed() != 1.0 {
        bail!("--speed must be 1 with real calls");
    }
    config.telephony.driver = if arguments.is_real() { DriverKind::Asterisk } else { DriverKind::Simulated };
    if arguments.is_real() {
        config
            .asterisk()
            .check()
            .context("[telephony] is wrong: name it with --config FILE (docs/telephony.md)")?;
    }
    let clock: Arc<dyn Clock> = if arguments.is_real() {
        Arc::new(SystemClock)
    } else {
        Arc::new(ScaledClock::starting_at(SystemClock.now(), arguments.speed()).context("--speed is wrong")?)
    };
    // Gone when the program ends, with everything in it.
    let directory = tempfile::Builder::new().prefix("outdial-demo-").tempdir()?;
    let files = match &arguments.db {
        Some(url) => {
            config.database.url.clone_from(url);
            // Files stay as long as the database that knows of them.
            (!url.contains("://")).then(|| format!("{url}.files").into())
        }
        None => {
            config.database.url = directory.path().join("outdial.db").display().to_string();
            Some(directory.path().join("files"))
        }
    };
    // A real switch plays the messages from where the configuration has them.
    if let Some(files) = files.filter(|_| !arguments.is_real()) {
        config.node.data_dir = files;
    }
    config.carrier.seed = arguments.seed;
    config.carrier.lines_max = 10_000;
    config.server.listen = listen_address(&config, &arguments);
    let running = serve::start(&config, Arc::clone(&clock)).await?;
    let demonstration = setup::prepare(&running.app, &arguments, directory.path()).await?;
    let mut stop = serve::StopSignals::listen()?;
    greet(&running, &demonstration, &arguments)?;
    let outcome = if arguments.seconds > 0 {
        let outcome = dial(&running, &demonstration, &arguments, &clock, &mut stop).await?;
        Some(outcome)
    } else {
        None
    };
    if let Some(outcome) = outcome {
        report(&outcome, arguments.json)?;
    }
    if arguments.serve {
        say(arguments.json, &format!("serving {}/ until interrupted (Ctrl-C)", base_url(&running)));
        stop.heard().await;
    }
    running.shut_down().await;
    Ok(())
}

/// The address asked for; else the configured one, or any free port if that is taken.
fn listen_address(config: &Config, arguments: &Arguments) -> SocketAddr {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    match arguments.listen {
        Some(address) => address,
        None if !arguments.serve => any,
        None if std::net::TcpListener::bind(config.server.listen).is_err() => any,
        None => config.server.listen,
    }
}

fn base_url(running: &Running) -> String {
    format!("http://{}", running.address)
}

#[expect(clippy::print_stdout, reason = "the result of the command")]
fn greet(running: &Running, demonstration: &Demonstration, arguments: &Arguments) -> anyhow::Result<()> {
    let url = base_url(running);
    let key = &demonstration.api_key;
    if arguments.json {
        if arguments.serve {
            let ids = json!({
                "base_url": url, "api_key": key,
                "tenant": demonstration.tenant, "campaign": demonstration.campaign,
                "campaign_guid": demonstration.campaign.0.simple().to_string(),
                "campaign_group": demonstration.group,
                "campaign_group_guid": demonstration.group.0.simple().to_string(),
                "skill": demonstration.skill, "skill_number": demonstration.skill_number,
                "agent": demonstration.agents[0], "agent_number": demonstration.agent_number,
                "source": demonstration.source, "source_name": setup::NAME,
            });
            println!("{ids}");
            std::io::stdout().flush()?;
        }
        return Ok(());
    }
    println!(
        "Outdial demonstration: {} people, {} agents, time runs {}x",
        arguments.contacts,
        arguments.agents(),
        arguments.speed()
    );
    println!("  API          {url}/v1        documentation  {url}/docs/        live page  {url}/#key={key}");
    println!("  API key      {key}");
    println!("  try          curl -H 'Authorization: Bearer {key}' {url}/v1/live");
    println!(
        "               curl -H 'Authorization: Bearer {key}' {url}/v1/campaign-groups/{}/status",
        demonstration.group
    );
    println!("               curl -H 'Authorization: Bearer {key}' '{url}/v1/attempts?limit=5'");
    println!("  import       outdial import FILE.csv --source Demo --url {url} --api-key {key}");
    std::io::stdout().flush()?;
    Ok(())
}

/// Dials for the time asked for, then lets everything end.
async fn dial(
    running: &Running,
    demonstration: &Demonstration,
    arguments: &Arguments,
    clock: &Arc<dyn Clock>,
    stop: &mut serve::StopSignals,
) -> anyhow::Result<summary::Outcome> {
    let app = &running.app;
    let who = &demonstration.who;
    let (working, work_ends) = watch::channel(true);
    let team = Team {
        app: Arc::clone(app),
        tenant: who.tenant,
        world: World::with_default_population(arguments.seed),
        clock: Arc::clone(clock),
        hangs_up: arguments.is_real(),
        asks: arguments.mode == Mode::Preview,
    };
    let agents = agents::send_to_work(team, &demonstration.agents, &work_ends);
    app.act_on_group(who, demonstration.group, GroupAction::Load, None).await?;
    app.act_on_group(who, demonstration.group, GroupAction::Start, Some(arguments.mode.into())).await?;
    let best = (arguments.mode.is_paced() && !arguments.is_real())
        .then(|| best::utilisation(arguments.seed, arguments.agents()));
    watch_until_over(running, demonstration, arguments, best, stop).await?;
    // Talk share is that of the dialling itself, not of the time in which the last calls are waited for.
    let live = app.live(who).await?;
    app.act_on_group(who, demonstration.group, GroupAction::Stop, None).await?;
    wait_while(running, demonstration, |group| {
        group.now.ringing + group.now.waiting + group.now.connected + group.now.announcing > 0
    })
    .await?;
    // A receiver is held by each agent, so this cannot fail while they work.
    let _ = working.send(false);
    let _ = tokio::time::timeout(END_PATIENCE, agents.join_all()).await;
    app.act_on_group(who, demonstration.group, GroupAction::Unload, None).await?;
    if !wait_while(running, demonstration, |_| true).await? {
        app.act_on_group(who, demonstration.group, GroupAction::ForceUnload, None).await?;
        wait_while(running, demonstration, |_| true).await?;
    }
    let twice = running.carrier_statistics().duplicate_places;
    let mut outcome = summary::outcome(app, demonstration.campaign, who, demonstration.group, twice).await?;
    outcome.talk_share = summary::round(live.talk_share.unwrap_or(0.0));
    outcome.busy_share = summary::round(live.busy_share.unwrap_or(0.0));
    outcome.u_star = best.map(summary::round);
    Ok(outcome)
}

/// Shows how it is going until time is up, the list is used up or somebody interrupts.
async fn watch_until_over(
    running: &Running,
    demonstration: &Demonstration,
    arguments: &Arguments,
    best: Option<f64>,
    stop: &mut serve::StopSignals,
) -> anyhow::Result<()> {
    let started = Instant::now();
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    let mut shown = 0;
    ticks.tick().await;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stop.heard() => return Ok(()),
        }
        let seconds = started.elapsed().as_secs();
        let who = &demonstration.who;
        let (lines, left) = summary::lines(&running.app, who, demonstration.campaign, seconds, best).await?;
        if !arguments.json {
            show(&lines, seconds, &mut shown);
        }
        if left == 0 {
            return Ok(());
        }
        if seconds >= arguments.seconds {
            return Ok(());
        }
    }
}

/// Waits while the group is loaded and this holds of it; whether it ended before patience did.
async fn wait_while(
    running: &Running,
    demonstration: &Demonstration,
    holds: impl Fn(&app::floor::GroupLive) -> bool,
) -> anyhow::Result<bool> {
    let until = Instant::now() + END_PATIENCE;
    while Instant::now() < until {
        let status = running.app.group_status(&demonstration.who, demonstration.group).await?;
        match &status.live {
            Some(live) if status.state != GroupState::NotLoaded && holds(live) => {}
            _ => return Ok(true),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(false)
}

/// Lines that stay in their place on a terminal; elsewhere they come every five seconds.
#[expect(clippy::print_stderr, reason = "what the person at the terminal watches")]
fn show(lines: &[String], seconds: u64, shown: &mut usize) {
    if std::io::stderr().is_terminal() {
        if *shown > 0 {
            eprint!("\x1b[{shown}A");
        }
        lines.iter().for_each(|line| eprintln!("\x1b[2K{line}"));
        *shown = lines.len();
    } else if seconds.is_multiple_of(5) {
        lines.iter().for_each(|line| eprintln!("{line}"));
    }
}

#[expect(clippy::print_stderr, reason = "what the person at the terminal is told")]
fn say(is_json: bool, text: &str) {
    if !is_json {
        eprintln!("{text}");
    }
}

#[expect(clippy::print_stdout, reason = "the result of the command")]
fn report(outcome: &summary::Outcome, is_json: bool) -> anyhow::Result<()> {
    if is_json {
        println!("{}", serde_json::to_string(outcome)?);
        std::io::stdout().flush()?;
        return Ok(());
    }
    println!();
    let best =
        outcome.u_star.map(|best| format!(" (the best possible at a cap of 3 %: {:.0} %)", best * 100.0));
    println!(
        "dialled {}: answered by a person {}, of them {} opted out by a key; connected to an agent {}; abandoned {} \
         ({:.1} %); agents talked {:.0} % of their time and were busy {:.0} %{}",
        outcome.dialled,
        outcome.answered,
        outcome.opted_out,
        outcome.connected,
        outcome.abandoned,
        outcome.abandon_rate * 100.0,
        outcome.talk_share * 100.0,
        outcome.busy_share * 100.0,
        best.unwrap_or_default()
    );
    for (result, count) in &outcome.results {
        println!("  {result:<22} {count:>7}");
    }
    println!("contacts");
    for (state, count) in &outcome.contacts {
        println!("  {state:<22} {count:>7}");
    }
    Ok(())
}

/// The instant from which results are counted: all of them.
const SINCE: Time = Time::EPOCH;
