//! `outdial admin`: what whoever runs the installation does at its command line.

use std::sync::Arc;

use anyhow::{Context, bail};
use app::access::NewKey;
use app::{App, AppSettings, Principal, Role};
use serde_json::json;
use simulator::World;
use store::{Store, StoreOptions, StoreTarget};
use telephony::{CarrierSettings, Clock, SimulatedCarrier, SystemClock};

use crate::config::Config;
use crate::serve::target_name;

/// What is to be done.
#[derive(clap::Subcommand)]
pub enum Task {
    /// Create a tenant with a first key, which is printed this once.
    CreateTenant {
        /// Its name.
        name: String,
    },
    /// Make another admin key for a tenant, such as after the last one was lost.
    CreateKey {
        /// The tenant's name.
        tenant: String,
    },
    /// Bring the database's schema up to date; `serve` does so by itself.
    Migrate,
    /// Check that what is stored does not contradict itself; prints counts, and fails if it does.
    Verify,
}

/// Does it.
///
/// # Errors
/// The database cannot be opened, the use case refused, or what is stored contradicts itself.
pub async fn run(config: Config, task: Task) -> anyhow::Result<()> {
    let target = StoreTarget::parse(&config.database.url).context("database.url is wrong")?;
    let store = Store::open(&target, StoreOptions::default())
        .await
        .with_context(|| format!("cannot open the database {}", target_name(&config.database.url)))?;
    match task {
        Task::CreateTenant { name } => {
            let app = open_app(&config, store).await?;
            let tenant = app.create_tenant(&name).await?.id;
            print_key(&app, tenant).await
        }
        Task::CreateKey { tenant } => {
            let app = open_app(&config, store).await?;
            let Some(tenant) = app.tenant_by_name(&tenant).await? else {
                bail!("there is no tenant '{tenant}'")
            };
            print_key(&app, tenant.id).await
        }
        Task::Migrate => {
            print(&json!({"database": target_name(&config.database.url), "schema": "up to date"}));
            Ok(())
        }
        Task::Verify => verify(&store).await,
    }
}

/// The use cases without a dialler: nothing is adopted, because nothing is loaded through it.
pub async fn open_app(config: &Config, store: Store) -> anyhow::Result<Arc<App>> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let world = World::with_default_population(config.carrier.seed);
    let (driver, _events) = SimulatedCarrier::start(world, Arc::clone(&clock), CarrierSettings::default());
    let settings = AppSettings { node: config.node.name.clone(), data_dir: config.node.data_dir.clone() };
    Ok(App::start_without_dialling(store, clock, driver, settings)?)
}

async fn print_key(app: &App, tenant: engine::TenantId) -> anyhow::Result<()> {
    let key = NewKey { name: "command line".to_owned(), role: Role::Admin, expires_at: None };
    let (_, secret) = app.create_key(&Principal::operator(tenant), key).await?;
    print(&json!({"tenant": tenant, "api_key": secret.expose()}));
    Ok(())
}

async fn verify(store: &Store) -> anyhow::Result<()> {
    let now = SystemClock.now();
    let findings = store.read(move |tx| store::verify::verify(tx, now)).await?;
    let violations = findings.violations();
    print(&json!({
        "contacts": findings.contacts, "attempts": findings.attempts, "events": findings.events,
        "attempts_not_settled": findings.attempts_not_settled, "violations": violations,
    }));
    if violations.is_empty() {
        Ok(())
    } else {
        bail!("what is stored contradicts itself: {}", violations.join("; "))
    }
}

/// Says what the configuration comes to.
///
/// # Errors
/// None: a wrong configuration was refused before.
pub fn check_config(config: &Config) -> anyhow::Result<()> {
    let root_key = if config.server.root_key.is_some() { "set" } else { "none" };
    print(&json!({
        "server": {"listen": config.server.listen, "root_key": root_key,
                   "shutdown_grace_seconds": config.server.shutdown_grace_seconds},
        "database": {"url": target_name(&config.database.url)},
        "node": {"name": config.node.name, "data_dir": config.node.data_dir},
        "carrier": {"lines_max": config.carrier.lines_max, "seed": config.carrier.seed},
        "log": {"filter": config.log.filter, "json": config.log.json},
    }));
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the result of the command")]
fn print(result: &serde_json::Value) {
    println!("{result}");
}
