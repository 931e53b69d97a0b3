//! The floor: campaign groups, agents and calls as they are now.
//!
//! Each tenant has a runner, a task that owns the tenant's engine; this module is the door to them.

pub(crate) mod live;
mod router;
mod session;
pub(crate) mod supervisions;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use engine::{
    Actor, AgentId, CampaignId, DialMode, GroupAction, GroupId, GroupState, PhoneNumber, SuppressionListId,
    TenantId,
};
use store::lease::{self, GroupRow};
use store::{Store, Tx};
use telephony::{Clock, Driver, Event, Request, SendError, SwitchState, SystemClock};
use tokio::sync::{Mutex, Notify, mpsc, oneshot};
use uuid::Uuid;

pub use live::{AgentLive, GroupFigures, GroupLive, LiveView};
pub(crate) use session::Door;
pub use session::{AgentSession, SessionEnd};

use crate::AppError;
use crate::messages::Messages;
use crate::runner::{Message, Runner};
use crate::scripts::ScriptService;
use router::Routes;

/// Messages that may wait for a runner. At 1,000 agents some 200 arrive a second, so this is several seconds' worth.
const RUNNER_QUEUE: usize = 4096;
/// How often the floor looks for loaded groups that nobody runs.
const ADOPT_EVERY: Duration = Duration::from_secs(5);

/// What every runner shares.
pub(crate) struct Shared {
    pub store: Store,
    /// The time in which calls are made; runs faster than real time in demonstrations.
    pub clock: Arc<dyn Clock>,
    /// Real time, by which leases run.
    pub wall: SystemClock,
    pub driver: Arc<dyn Driver>,
    /// This node, as the holder of leases.
    pub node: Uuid,
    pub routes: Routes,
    /// What called parties hear.
    pub messages: Arc<Messages>,
    /// Told when something is to be done about a recording.
    pub recording_due: Notify,
    /// Runs server scripts, once it was told how.
    pub scripts: OnceLock<Arc<ScriptService>>,
}

/// The door to campaign groups, agents and calls.
pub struct Floor {
    shared: Arc<Shared>,
    /// None once the floor closes: nothing is taken up any more.
    runners: Mutex<Option<HashMap<TenantId, Place>>>,
}

/// Where a tenant's runner is or will be; who starts it has this alone, so that one slow start keeps up no other tenant.
type Place = Arc<Mutex<Option<mpsc::Sender<Message>>>>;

impl Floor {
    /// A floor on this store and switch. `node` names this process among those that share the database; it must stay
    /// the same over restarts, so that a restarted node has its groups back at once.
    pub(crate) fn new(
        store: Store,
        clock: Arc<dyn Clock>,
        driver: Arc<dyn Driver>,
        node: Uuid,
        messages: Arc<Messages>,
    ) -> Self {
        let shared = Shared {
            store,
            clock,
            wall: SystemClock,
            routes: Routes::new(driver.is_connected()),
            driver,
            node,
            messages,
            recording_due: Notify::new(),
            scripts: OnceLock::new(),
        };
        Self { shared: Arc::new(shared), runners: Mutex::new(Some(HashMap::new())) }
    }

    /// Has server scripts run by this from now on; what was told first stays.
    pub(crate) fn use_scripts(&self, service: Arc<ScriptService>) {
        let _ = self.shared.scripts.set(service);
    }

    /// What runs server scripts.
    pub(crate) fn scripts(&self) -> Option<Arc<ScriptService>> {
        self.shared.scripts.get().cloned()
    }

    /// The switch.
    pub(crate) fn driver(&self) -> &dyn Driver {
        &*self.shared.driver
    }

    /// Waits until something is to be done about a recording.
    pub(crate) async fn recording_is_due(&self) {
        self.shared.recording_due.notified().await;
    }

    /// Something is to be done about a recording.
    pub(crate) fn look_at_recordings(&self) {
        self.shared.recording_due.notify_one();
    }

    /// Hands the switch's events to the runners until the driver stops.
    pub async fn route(&self, events: mpsc::Receiver<Event>) {
        router::route(Arc::clone(&self.shared), events).await;
    }

    /// Gives back what this node held before it was restarted: it is nobody's now. Supervisors hear nothing any more.
    ///
    /// # Errors
    /// The database refused.
    pub async fn forget_earlier_life(&self) -> Result<(), AppError> {
        let node = self.shared.node;
        let now = self.shared.clock.now();
        let forget = move |tx: &mut Tx<'_>| {
            lease::release_all(tx, node)?;
            supervisions::end_those_of_before(tx, node, now)
        };
        Ok(self.shared.store.write(forget).await?)
    }

    /// Takes over loaded groups that nobody runs, now and every few seconds. Runs until dropped.
    pub async fn keep_adopting(&self) {
        loop {
            if let Err(error) = self.adopt().await {
                tracing::warn!(%error, "could not look for groups without a node");
            }
            tokio::time::sleep(ADOPT_EVERY).await;
        }
    }

    async fn adopt(&self) -> Result<(), AppError> {
        if self.runners.lock().await.is_none() {
            return Ok(());
        }
        let now = self.shared.wall.now();
        let orphans = self.shared.store.read(move |tx| lease::groups_to_adopt(tx, now)).await?;
        for orphan in orphans {
            let GroupRow { group, tenant, .. } = orphan.group;
            tracing::info!(%group, state = ?orphan.state, "taking over a campaign group that nobody runs");
            // One tenant whose runner cannot start, or has its hands full, keeps no other from going on.
            let adopted = match self.runner(tenant).await {
                Ok(runner) => runner.try_send(Message::Adopt { group }).map_err(|_| AppError::Overloaded),
                Err(error) => Err(error),
            };
            if let Err(error) = adopted {
                tracing::warn!(%tenant, %group, %error, "could not take over a campaign group; trying again");
            }
        }
        Ok(())
    }

    /// Asks something of a campaign group.
    ///
    /// # Errors
    /// There is no such group, its state does not allow the action, or another node runs it.
    pub async fn act(
        &self,
        tenant: TenantId,
        group: GroupId,
        action: GroupAction,
        dial_mode: Option<DialMode>,
        actor: Actor,
    ) -> Result<GroupState, AppError> {
        let runner = self.runner(tenant).await?;
        let (reply, answer) = oneshot::channel();
        let message = Message::Act { group, action, dial_mode, actor, reply };
        runner.try_send(message).map_err(|_| AppError::Overloaded)?;
        answer.await.map_err(|_| stopped())?
    }

    /// What a tenant's groups and agents do now.
    ///
    /// # Errors
    /// The runner has stopped.
    pub async fn live(&self, tenant: TenantId) -> Result<LiveView, AppError> {
        let runner = self.runner(tenant).await?;
        let (reply, answer) = oneshot::channel();
        runner.try_send(Message::Look { reply }).map_err(|_| AppError::Overloaded)?;
        answer.await.map_err(|_| stopped())
    }

    /// Opens an agent's session. An earlier one of the same agent ends.
    ///
    /// # Errors
    /// There is no such agent.
    pub async fn agent_session(&self, tenant: TenantId, agent: AgentId) -> Result<AgentSession, AppError> {
        AgentSession::open(self.runner(tenant).await?, agent).await
    }

    /// Asks the switch for something that no engine needs to know of.
    ///
    /// # Errors
    /// The driver has too much to do, or the switch cannot be reached.
    pub(crate) fn ask_switch(&self, request: Request) -> Result<(), AppError> {
        self.shared.driver.send(request).map_err(not_taken)
    }

    /// This node, as the holder of leases.
    pub(crate) fn node(&self) -> Uuid {
        self.shared.node
    }

    /// The switches that calls are placed on.
    pub(crate) fn switches(&self) -> Vec<SwitchState> {
        self.shared.driver.switches()
    }

    /// Places no more calls on a switch, or does again. Whether there is one of this name.
    pub(crate) fn drain_switch(&self, name: &str, drained: bool) -> bool {
        self.shared.driver.drain(name, drained)
    }

    /// Definitions of the tenant were changed: running groups and agents take them up.
    pub async fn definitions_changed(&self, tenant: TenantId) {
        self.tell(tenant, Message::DefinitionsChanged).await;
    }

    /// Contacts were added to a campaign or became callable: its groups look again at once.
    pub async fn contacts_added(&self, tenant: TenantId, campaign: CampaignId) {
        self.tell(tenant, Message::ContactsAdded { campaign }).await;
    }

    /// Numbers were put on a suppression list: they leave the hoppers of the groups that heed it, and ringing calls
    /// to them are withdrawn.
    pub async fn suppressed(
        &self,
        tenant: TenantId,
        list: SuppressionListId,
        numbers: BTreeSet<PhoneNumber>,
    ) {
        self.tell(tenant, Message::Suppressed { list, numbers }).await;
    }

    /// Places no more calls, lets those that are up end for at most `grace`, and gives the leases up. Groups keep
    /// their state: the next start goes on with them. From now on nothing is taken up any more.
    pub async fn shut_down(&self, grace: Duration) {
        let places = self.runners.lock().await.take().unwrap_or_default();
        let mut waits = Vec::new();
        for place in places.into_values() {
            // One that is being started is waited for.
            let Some(runner) = place.lock().await.take() else { continue };
            let (reply, done) = oneshot::channel();
            if runner.send(Message::ShutDown { grace, reply }).await.is_ok() {
                waits.push(done);
            }
        }
        for done in waits {
            // A runner that is gone has nothing left to give up.
            let _ = done.await;
        }
    }

    /// Tells a runner, if the tenant has one; one that is not running reads everything afresh when it starts.
    async fn tell(&self, tenant: TenantId, message: Message) {
        let place = self.runners.lock().await.as_ref().and_then(|places| places.get(&tenant).cloned());
        let Some(place) = place else { return };
        let runner = place.lock().await.clone();
        if let Some(runner) = runner {
            // A runner that has stopped needs no telling.
            let _ = runner.send(message).await;
        }
    }

    async fn runner(&self, tenant: TenantId) -> Result<mpsc::Sender<Message>, AppError> {
        let place = match self.runners.lock().await.as_mut() {
            Some(places) => Arc::clone(places.entry(tenant).or_default()),
            None => return Err(stopped()),
        };
        let mut place = place.lock().await;
        if let Some(runner) = place.as_ref().filter(|runner| !runner.is_closed()) {
            return Ok(runner.clone());
        }
        // It may have closed while the place was waited for.
        if self.runners.lock().await.is_none() {
            return Err(stopped());
        }
        let (sender, receiver) = mpsc::channel(RUNNER_QUEUE);
        let runner = Runner::start(Arc::clone(&self.shared), tenant, sender.clone(), receiver).await?;
        self.shared.routes.add_runner(sender.clone());
        tokio::spawn(runner.run());
        *place = Some(sender.clone());
        Ok(sender)
    }
}

fn stopped() -> AppError {
    AppError::Unanswered("the dialler")
}

fn not_taken(error: SendError) -> AppError {
    match error {
        SendError::Overloaded => AppError::Overloaded,
        SendError::NotConnected | SendError::Stopped => {
            AppError::conflict("switch_away", "the switch cannot be reached now: try again when it is back")
        }
    }
}
