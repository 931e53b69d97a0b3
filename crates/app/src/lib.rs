//! The use cases of Outdial: the only place where the parts meet.

pub mod access;
pub mod attempts;
mod audit;
pub mod callbacks;
pub mod contacts;
pub mod definitions;
mod error;
mod feeding;
pub mod floor;
mod housekeeping;
mod idempotency;
mod ids;
pub mod imports;
pub mod intake;
pub mod messages;
pub mod model;
mod operations;
pub mod paging;
pub mod placing;
pub mod plans;
pub mod recordings;
pub mod reports;
mod runner;
pub mod scripts;
pub mod short_numbers;
pub mod sinks;
pub mod source_maps;
pub mod suppression;
pub mod telephones;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub use ::sinks::install_tls;
pub use access::{Permission, Principal, Role};
pub use audit::AuditView;
pub use error::{AppError, Fault, NUL_REFUSED};
pub use idempotency::Repetition;
pub use ids::Ids;
pub use operations::{EVENTS_MAX, EventView, GroupStatus};

use floor::Floor;
use store::{Store, StoreError, Tx};
use telephony::{Clock, Driver, Event};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use uuid::Uuid;

/// What an [`App`] has to be told.
#[derive(Clone, Debug)]
pub struct AppSettings {
    /// Names this process among those that share the database; the same over restarts.
    pub node: String,
    /// Where uploaded files are kept.
    pub data_dir: PathBuf,
}

/// Outdial as one process runs it. Every use case starts here.
pub struct App {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Ids,
    pub(crate) passwords: access::Passwords,
    pub(crate) intake: intake::Intake,
    pub(crate) imports: imports::Imports,
    pub(crate) sinks: sinks::Sinks,
    pub(crate) feeding: feeding::Feeding,
    pub(crate) messages: Arc<messages::Messages>,
    pub(crate) recordings: recordings::Recordings,
    /// What runs in the background until the end.
    background: Mutex<Vec<AbortHandle>>,
    /// Campaign groups, agents and calls.
    pub floor: Floor,
}

impl App {
    /// Starts Outdial on a store and a switch: groups that were running go on at once.
    ///
    /// # Errors
    /// The database refused, or the directory for files cannot be made.
    pub async fn start(
        store: Store,
        clock: Arc<dyn Clock>,
        driver: Arc<dyn Driver>,
        events: mpsc::Receiver<Event>,
        settings: AppSettings,
    ) -> Result<Arc<Self>, AppError> {
        let app = Self::start_without_dialling(store, clock, driver, settings)?;
        app.floor.forget_earlier_life().await?;
        let routed = Arc::clone(&app);
        app.keep_running(async move { routed.floor.route(events).await });
        let adopting = Arc::clone(&app);
        app.keep_running(async move { adopting.floor.keep_adopting().await });
        app.keep_running(housekeeping::tidy(Arc::clone(&app)));
        app.keep_running(plans::keep(Arc::clone(&app)));
        app.keep_running(feeding::keep(Arc::clone(&app)));
        app.imports.started(tokio::spawn(imports::work(Arc::clone(&app))));
        Ok(app)
    }

    /// The use cases alone, for a command beside a process that dials: it takes over no group and runs no import.
    ///
    /// # Errors
    /// The directory for files cannot be made.
    pub fn start_without_dialling(
        store: Store,
        clock: Arc<dyn Clock>,
        driver: Arc<dyn Driver>,
        settings: AppSettings,
    ) -> Result<Arc<Self>, AppError> {
        let messages = Arc::new(messages::Messages::new(&settings.data_dir));
        let node = node_id(&settings.node);
        let recordings = recordings::Recordings::new(&settings.data_dir);
        let floor = Floor::new(store.clone(), Arc::clone(&clock), driver, node, Arc::clone(&messages));
        let passwords = access::Passwords::start();
        let intake = intake::Intake::start()?;
        let sinks = sinks::Sinks::new(&settings.data_dir, node_id(&settings.node));
        let imports = imports::Imports::open(&settings.data_dir, node_id(&settings.node))?;
        Ok(Arc::new(Self {
            store,
            clock,
            ids: Ids::random(),
            passwords,
            intake,
            imports,
            sinks,
            feeding: feeding::Feeding::default(),
            messages,
            recordings,
            background: Mutex::default(),
            floor,
        }))
    }

    /// Lets what is under way end, for at most `grace`, and gives up what this node holds.
    pub async fn shut_down(&self, grace: Duration) {
        tokio::join!(self.floor.shut_down(grace), self.imports.stop(grace));
        for task in self.background.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            task.abort();
        }
        self.give_up_sinks().await;
    }

    /// Runs a task until the end; each of them may be cut short at any point.
    fn keep_running(&self, task: impl Future<Output = ()> + Send + 'static) {
        let handle = tokio::spawn(task).abort_handle();
        self.background.lock().unwrap_or_else(PoisonError::into_inner).push(handle);
    }

    /// The present instant, in the time in which calls are made.
    pub fn now(&self) -> engine::Time {
        self.clock.now()
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// It does not.
    pub async fn check_ready(&self) -> Result<(), AppError> {
        Ok(self.store.read(|tx| tx.query_one("SELECT 1", &[]).map(drop)).await?)
    }

    /// Runs a use case's work in one transaction. An error of any kind undoes it all.
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T, AppError>
    where
        T: Send + 'static,
        F: Fn(&mut Tx<'_>) -> Result<T, AppError> + Send + Sync + 'static,
    {
        let refusal = Arc::new(Mutex::new(None));
        let inside = Arc::clone(&refusal);
        let outcome = self.store.write(move |tx| work(tx).map_err(|error| call_off(&inside, error))).await;
        outcome.map_err(|error| refused(&refusal, error))
    }

    /// As [`Self::write`], for work that changes nothing.
    pub(crate) async fn read<T, F>(&self, work: F) -> Result<T, AppError>
    where
        T: Send + 'static,
        F: Fn(&mut Tx<'_>) -> Result<T, AppError> + Send + Sync + 'static,
    {
        let refusal = Arc::new(Mutex::new(None));
        let inside = Arc::clone(&refusal);
        let outcome = self.store.read(move |tx| work(tx).map_err(|error| call_off(&inside, error))).await;
        outcome.map_err(|error| refused(&refusal, error))
    }
}

/// Why a use case called its own transaction off, kept beside the store, which only knows that it was.
type Refusal = Mutex<Option<AppError>>;

fn call_off(refusal: &Refusal, error: AppError) -> StoreError {
    match error {
        // The store itself tries again what only met others.
        AppError::Store(error) => error,
        other => {
            *refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some(other);
            StoreError::CalledOff
        }
    }
}

fn refused(refusal: &Refusal, error: StoreError) -> AppError {
    match refusal.lock().unwrap_or_else(PoisonError::into_inner).take() {
        Some(refusal) if error == StoreError::CalledOff => refusal,
        _ => error.into(),
    }
}

/// A node's id as the holder of leases: the same for the same name.
fn node_id(name: &str) -> Uuid {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(name.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    Uuid::from_bytes(bytes)
}
