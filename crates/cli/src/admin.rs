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
    /// Look at the switches of a running Outdial, and take one out of use or into use again.
    Switch {
        #[command(subcommand)]
        task: SwitchTask,
        /// Where it runs; the configured address if not given.
        #[arg(long, global = true)]
        url: Option<String>,
    },
}

/// What is to be done with switches.
#[derive(clap::Subcommand)]
pub enum SwitchTask {
    /// Say how each of them is.
    List,
    /// Place no more calls on one, so that it can be serviced once its calls have ended.
    Drain {
        /// Its name in the configuration.
        name: String,
    },
    /// Place calls on it again.
    Use {
        /// Its name in the configuration.
        name: String,
    },
}

/// Does it.
///
/// # Errors
/// The database cannot be opened, the use case refused, or what is stored contradicts itself.
pub async fn run(config: Config, task: Task) -> anyhow::Result<()> {
    if let Task::Switch { task, url } = task {
        return switch(&config, url, task).await;
    }
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
        // It needs no database and was done above.
        Task::Switch { .. } => Ok(()),
    }
}

/// Asks a running Outdial: only its own process knows its switches.
async fn switch(config: &Config, url: Option<String>, task: SwitchTask) -> anyhow::Result<()> {
    let url = url.unwrap_or_else(|| format!("http://{}", config.server.listen));
    let Some(root_key) = &config.server.root_key else {
        bail!("this needs the root key: name the configuration that has server.root_key, with --config FILE")
    };
    let http = reqwest::Client::new();
    let act = |name: String, action: &str| {
        let mut address = reqwest::Url::parse(&url).context("--url is wrong")?;
        // An address that begins with http has a path that can be added to.
        if let Ok(mut path) = address.path_segments_mut() {
            path.extend(["v1", "switches", name.as_str(), "actions"]);
        }
        anyhow::Ok(http.post(address).json(&json!({ "action": action })))
    };
    let request = match task {
        SwitchTask::List => http.get(format!("{url}/v1/switches")),
        SwitchTask::Drain { name } => act(name, "drain")?,
        SwitchTask::Use { name } => act(name, "use")?,
    };
    let answer =
        request.bearer_auth(root_key).send().await.with_context(|| format!("nobody answers at {url}"))?;
    let status = answer.status();
    let body: serde_json::Value = answer.json().await.context("what answers there is not Outdial")?;
    if !status.is_success() {
        bail!("{}", body["detail"].as_str().unwrap_or("it was refused"));
    }
    for state in body["items"].as_array().into_iter().flatten() {
        print(state);
    }
    Ok(())
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

#[expect(clippy::print_stdout, reason = "the result of the command")]
fn print(result: &serde_json::Value) {
    println!("{result}");
}
