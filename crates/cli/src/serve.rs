//! `outdial serve`, and the assembly of the parts that the demonstration uses too.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use app::messages::MessageSettings;
use app::scripts::{ScriptConnection, ScriptSettings};
use app::{App, AppSettings};
use simulator::World;
use store::{Store, StoreOptions, StoreTarget};
use telephony::{
    AsteriskDriver, CarrierSettings, CarrierStatistics, Clock, Driver, SimulatedCarrier, SystemClock,
};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use web::WebSettings;

use crate::config::{Config, DriverKind, Messages, Scripts};

/// Outdial, running.
pub struct Running {
    /// The use cases.
    pub app: Arc<App>,
    /// Where the API listens.
    pub address: SocketAddr,
    /// The simulated carrier, for its figures, if that is what places the calls.
    pub carrier: Option<Arc<SimulatedCarrier>>,
    server: JoinHandle<std::io::Result<()>>,
    stop_serving: tokio::sync::oneshot::Sender<()>,
    grace: Duration,
}

/// Opens the database, starts carrier, engine and API.
///
/// # Errors
/// The database cannot be opened or the address is taken; the message says which and why.
pub async fn start(config: &Config, clock: Arc<dyn Clock>) -> anyhow::Result<Running> {
    let target = StoreTarget::parse(&config.database.url).context("database.url is wrong")?;
    let store = Store::open(&target, StoreOptions::default())
        .await
        .with_context(|| format!("cannot open the database {}", target_name(&config.database.url)))?;
    start_on(config, store, clock).await
}

/// As [`start`], on a database that is open.
///
/// # Errors
/// The address is taken, or a part cannot start.
pub async fn start_on(config: &Config, store: Store, clock: Arc<dyn Clock>) -> anyhow::Result<Running> {
    let (driver, carrier, events) = start_driver(config, &clock)?;
    let settings = AppSettings { node: config.node.name.clone(), data_dir: config.node.data_dir.clone() };
    let app = App::start(store, clock, driver, events, settings).await?;
    app.start_sinks(web::sink_formats()).await?;
    app.start_scripts(script_settings(&config.scripts)?)?;
    app.start_messages(message_settings(&config.messages)).await;
    app.start_recordings(config.recordings())?;
    let listener = TcpListener::bind(config.server.listen)
        .await
        .with_context(|| format!("cannot listen on {} (server.listen)", config.server.listen))?;
    let address = listener.local_addr()?;
    let web = WebSettings {
        root_key: config.server.root_key.clone(),
        callbacks_without_key_from: config.server.callbacks_without_key_from.clone(),
        ..WebSettings::default()
    };
    let router = web::router(Arc::clone(&app), web);
    let (stop_serving, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(async move {
        web::serve(listener, router, async {
            // A sender that is gone stops the server as well.
            let _ = stopped.await;
        })
        .await
    });
    let grace = Duration::from_secs(config.server.shutdown_grace_seconds);
    Ok(Running { app, address, carrier, server, stop_serving, grace })
}

type Switch = (Arc<dyn Driver>, Option<Arc<SimulatedCarrier>>, mpsc::Receiver<telephony::Event>);

/// What places the calls, by the configuration.
fn start_driver(config: &Config, clock: &Arc<dyn Clock>) -> anyhow::Result<Switch> {
    Ok(match config.telephony.driver {
        DriverKind::Simulated => {
            let world = World::with_default_population(config.carrier.seed);
            let settings =
                CarrierSettings { lines_max: config.carrier.lines_max, ..CarrierSettings::default() };
            let (carrier, events) = SimulatedCarrier::start(world, Arc::clone(clock), settings);
            (Arc::<SimulatedCarrier>::clone(&carrier), Some(carrier), events)
        }
        DriverKind::Asterisk => {
            let (driver, events) = AsteriskDriver::start(config.asterisk(), Arc::clone(clock))?;
            (driver, None, events)
        }
    })
}

fn message_settings(messages: &Messages) -> MessageSettings {
    let speech = Some(messages.speech.clone()).filter(|program| !program.as_os_str().is_empty());
    MessageSettings { speech }
}

/// Scripts run in this very program, started anew with a command of its own.
fn script_settings(scripts: &Scripts) -> anyhow::Result<ScriptSettings> {
    let connection = |it: &crate::config::ScriptConnection| ScriptConnection {
        name: it.name.clone(),
        tenant: it.tenant.clone(),
        url: it.url.clone(),
    };
    Ok(ScriptSettings {
        program: std::env::current_exe().context("the program's own file cannot be found")?,
        arguments: vec!["script-worker".to_owned()],
        children: scripts.processes,
        hosts: scripts.hosts.clone(),
        allows_private_addresses: scripts.allow_private_addresses,
        connections: scripts.connections.iter().map(connection).collect(),
    })
}

impl Running {
    /// What the simulated carrier did; nothing if the calls are real.
    pub fn carrier_statistics(&self) -> CarrierStatistics {
        self.carrier.as_ref().map(|carrier| carrier.statistics()).unwrap_or_default()
    }

    /// Takes no more requests, places no more calls, lets what is under way end and gives the leases up.
    pub async fn shut_down(self) {
        // The server may have stopped by itself.
        let _ = self.stop_serving.send(());
        self.app.shut_down(self.grace).await;
        if tokio::time::timeout(Duration::from_secs(5), self.server).await.is_err() {
            tracing::warn!("some requests did not end in time");
        }
    }
}

/// Runs until asked to stop.
///
/// # Errors
/// Those of [`start`].
pub async fn run(config: Config) -> anyhow::Result<()> {
    let running = start(&config, Arc::new(SystemClock)).await?;
    let mut stop = StopSignals::listen()?;
    tracing::info!(address = %running.address, "outdial serves its API");
    stop.heard().await;
    tracing::info!("stopping: calls that are up have {} s to end", config.server.shutdown_grace_seconds);
    running.shut_down().await;
    Ok(())
}

/// Interrupts and requests to terminate. From [`Self::listen`] on none of them is lost: one that comes while nobody waits
/// is heard by the next who does.
pub struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignals {
    /// Listens from now on.
    ///
    /// # Errors
    /// Signals cannot be heard.
    pub fn listen() -> anyhow::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits for one.
    pub async fn heard(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// The database's name without its password.
pub fn target_name(url: &str) -> String {
    match url.rsplit_once('@') {
        Some((_, host)) if url.contains("://") => format!("…@{host}"),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_request_to_stop_that_comes_while_nobody_waits_is_heard_by_the_next_who_does() {
        let mut stop = StopSignals::listen().unwrap();
        let to_us = ["-TERM".to_owned(), std::process::id().to_string()];
        assert!(std::process::Command::new("kill").args(to_us).status().unwrap().success());
        tokio::time::sleep(Duration::from_millis(50)).await;
        tokio::time::timeout(Duration::from_secs(5), stop.heard()).await.expect("it is heard");
    }
}
