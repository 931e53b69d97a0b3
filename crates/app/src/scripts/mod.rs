//! Server scripts: how they are run, what they reach, and what becomes of their words.

mod ask;
mod host;
mod try_out;
mod versions;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use engine::time::rfc3339;
use engine::{CampaignId, ContactId, TenantId, Time};
use schemars::JsonSchema;
use scripting::fetch::{FetchPolicy, Fetcher};
use scripting::sql::Connections;
use scripting::{PoolSettings, Scripts};
use serde::Serialize;
use store::Tx;
use store::records::scripts::{self as rows, FailureCursor, ScriptFailure};
use tokio::sync::Semaphore;
use uuid::Uuid;

pub(crate) use ask::{Asking, ScriptPlan};
pub use scripting::TYPE_DEFINITIONS;
pub use scripting::worker::run as run_worker;
pub use try_out::{Tried, TryOut};
pub(crate) use versions::keep as keep_version;
pub use versions::{ScriptVersion, ScriptVersionView};

use crate::access::{Permission, Principal};
use crate::definitions::load;
use crate::model::ScriptBody;
use crate::paging::{Listing, PageRequest};
use crate::{App, AppError};

/// Runs under way at once: with more, children would need more memory than helps.
const RUNS_MAX: usize = 500;
/// Bytes of a body that scripts send or receive, at most.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// How long failures are kept.
const FAILURES_KEPT: Duration = Duration::from_secs(7 * 86_400);

/// How scripts are run and what they may reach: what only whoever runs the machine may say.
#[derive(Clone, Debug)]
pub struct ScriptSettings {
    /// The program that becomes a child process for scripts.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Child processes.
    pub children: usize,
    /// Hosts that scripts may reach, by the tenant's name; `*` stands for every tenant, and for every host.
    pub hosts: BTreeMap<String, Vec<String>>,
    /// Whether they may reach private addresses.
    pub allows_private_addresses: bool,
    /// Databases that they may query.
    pub connections: Vec<ScriptConnection>,
}

/// A database that scripts may query.
#[derive(Clone)]
pub struct ScriptConnection {
    /// What scripts call it.
    pub name: String,
    /// The name of the only tenant whose scripts may; none lets every tenant's.
    pub tenant: Option<String>,
    /// Where it is: `postgres://…`, `mysql://…` or `sqlite:///path`.
    pub url: String,
}

impl std::fmt::Debug for ScriptConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ScriptConnection({:?})", self.name)
    }
}

/// Runs scripts; one for the whole process.
pub(crate) struct ScriptService {
    pub(crate) pool: Arc<Scripts>,
    pub(crate) fetcher: Fetcher,
    settings: ScriptSettings,
    /// Connections by tenant's name; those of every tenant are in each.
    connections: BTreeMap<String, Connections>,
    for_all: Connections,
    /// Runs wait here, rather than being refused.
    places: Semaphore,
    pub(crate) app: Weak<App>,
}

impl ScriptService {
    /// Where scripts of a tenant may go.
    pub(crate) fn policy(&self, tenant: &str) -> FetchPolicy {
        let of = |name: &str| self.settings.hosts.get(name).cloned().unwrap_or_default();
        FetchPolicy {
            hosts: [of("*"), of(tenant)].concat(),
            allows_private: self.settings.allows_private_addresses,
            body_bytes_max: BODY_BYTES_MAX,
        }
    }

    /// What scripts of a tenant may query.
    pub(crate) fn connections(&self, tenant: &str) -> Connections {
        self.connections.get(tenant).unwrap_or(&self.for_all).clone()
    }
}

/// Something that went wrong with a script.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ScriptErrorView {
    /// In which version of the script; null of errors from before versions were kept.
    pub version: Option<i64>,
    /// For which campaign.
    pub campaign: Option<CampaignId>,
    /// About whom.
    pub contact: Option<ContactId>,
    /// At which point: `pre_call`, `detected`, `before_reschedule`, `after_reschedule`, `fields`, `feed` or `check_in`.
    pub phase: String,
    /// When.
    #[serde(with = "rfc3339")]
    #[schemars(with = "String")]
    pub at: Time,
    /// What kind of thing, for programs.
    pub kind: String,
    /// What, for people.
    pub message: String,
    /// Where in the script.
    pub stack: Option<String>,
}

impl From<ScriptFailure> for ScriptErrorView {
    fn from(failure: ScriptFailure) -> Self {
        let ScriptFailure { version, campaign, contact, phase, at, kind, message, stack, .. } = failure;
        Self { version, campaign, contact, phase, at, kind, message, stack }
    }
}

impl App {
    /// Has server scripts run from now on.
    ///
    /// # Errors
    /// A connection cannot be, or TLS cannot be set up.
    pub fn start_scripts(self: &Arc<Self>, settings: ScriptSettings) -> Result<(), AppError> {
        let pool = Scripts::start(PoolSettings {
            program: settings.program.clone(),
            arguments: settings.arguments.clone(),
            children: settings.children,
            runs_max: RUNS_MAX * 2,
        });
        let of = |wanted: Option<&str>| {
            let mine = settings
                .connections
                .iter()
                .filter(|connection| connection.tenant.is_none() || connection.tenant.as_deref() == wanted);
            Connections::new(mine.map(|it| (it.name.clone(), it.url.clone()))).map_err(|error| {
                AppError::invalid("bad_connection", "scripts.connections", error.to_string())
            })
        };
        let mut connections = BTreeMap::new();
        for tenant in settings.connections.iter().filter_map(|connection| connection.tenant.clone()) {
            let own = of(Some(&tenant))?;
            connections.insert(tenant, own);
        }
        let fetcher = Fetcher::new().map_err(|error| AppError::Internal(error.to_string()))?;
        let service = ScriptService {
            pool,
            fetcher,
            for_all: of(None)?,
            connections,
            settings,
            places: Semaphore::new(RUNS_MAX),
            app: Arc::downgrade(self),
        };
        self.floor.use_scripts(Arc::new(service));
        Ok(())
    }

    /// What went wrong with a script, the newest first.
    ///
    /// # Errors
    /// The caller may not, or there is no such script.
    pub async fn script_errors(
        &self,
        who: &Principal,
        script: Uuid,
        page: &PageRequest,
    ) -> Result<Listing<ScriptErrorView>, AppError> {
        who.may(Permission::Read)?;
        let (tenant, page) = (who.tenant, page.read::<FailureCursor>()?);
        let found = self
            .read(move |tx| {
                load::<ScriptBody>(tx, tenant, script)?;
                Ok(rows::failures(tx, tenant, script, &page)?)
            })
            .await?;
        Ok(Listing::of(found, ScriptErrorView::from))
    }

    /// Refuses a script that cannot be loaded, with line and column.
    pub(crate) async fn check_script(&self, name: &str, source: &str) -> Result<(), AppError> {
        // Where no scripts are run, they are looked at when they are.
        let Some(service) = self.floor.scripts() else { return Ok(()) };
        let exports = service.pool.check(name, source).await.map_err(|error| {
            let place =
                error.stack.as_deref().and_then(|stack| stack.lines().next()).unwrap_or_default().trim();
            AppError::invalid("bad_script", "source", format!("{} {place}", error.message))
        })?;
        use scripting::verdict::{DETECTED, POST_CALL, PRE_CALL};
        let known = [PRE_CALL, POST_CALL, DETECTED, "main", "checkIn"];
        if exports.iter().any(|export| known.contains(&export.as_str())) {
            return Ok(());
        }
        let message =
            format!("the script exports none of {}: what is run must be exported", known.join(", "));
        Err(AppError::invalid("bad_script", "source", message))
    }

    /// Forgets what went wrong long ago.
    pub(crate) async fn forget_script_errors(&self, now: Time) -> Result<(), AppError> {
        self.write(move |tx| Ok(rows::forget_failures(tx, now - FAILURES_KEPT)?)).await.map(drop)
    }
}

/// The name of a tenant.
pub(crate) fn tenant_name(tx: &mut Tx<'_>, tenant: TenantId) -> Result<String, AppError> {
    let found = store::records::tenants::get(tx, tenant)?;
    found.map(|tenant| tenant.name).ok_or_else(|| AppError::not_found("tenant", tenant))
}
