//! The runner: the task that owns a tenant's engine and does what it wants done.
//!
//! One bounded queue in. It takes what is there, hands each to the engine, drains the outputs and stores all change
//! sets of the round in one transaction (group commit). One write is under way at a time, so sets are stored in the
//! order in which they were decided.

mod caller_ids;
mod definitions;
mod feed;
mod groups;
mod hooks;
mod messages;
mod outputs;

pub(crate) use definitions::for_store;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use engine::caller_id::ShownSoFar;
use engine::{
    Actor, AgentEvent, AgentId, AttemptId, CallEvent, CampaignId, ChangeSet, Command, DialMode, Engine,
    GroupAction, GroupId, GroupState, HookVerdict, HopperContact, Input, PhoneNumber, Supply,
    SuppressionListId, TenantId, Time,
};
use store::StoreError;
use store::changes::HeldGroup;
use telephony::Request;
use tokio::sync::{mpsc, oneshot};

use crate::AppError;
use crate::floor::{AgentLive, Door, GroupLive, LiveView, SessionEnd, Shared};
use definitions::Definitions;
use groups::Held;

/// Messages handled before the outputs are drained and stored: what groups commits.
const BATCH: usize = 256;
/// How long a lease is taken for. A node that is silent for so long has lost its groups.
const LEASE: Duration = Duration::from_secs(15);
/// How often leases are renewed: three chances before one runs out.
const RENEW_EVERY: Duration = Duration::from_secs(4);
/// How long a write that failed for a passing reason waits before it is tried again.
const STORE_AGAIN: Duration = Duration::from_millis(200);

/// What a runner can be told.
pub(crate) enum Message {
    Act {
        group: GroupId,
        action: GroupAction,
        dial_mode: Option<DialMode>,
        actor: Actor,
        reply: oneshot::Sender<Result<GroupState, AppError>>,
    },
    Adopt {
        group: GroupId,
    },
    Call {
        attempt: AttemptId,
        event: CallEvent,
    },
    Lines {
        up: bool,
    },
    /// An agent's line stands or is gone.
    AgentLine {
        agent: AgentId,
        is_up: bool,
    },
    Agent {
        agent: AgentId,
        session: u64,
        event: AgentEvent,
    },
    OpenSession {
        agent: AgentId,
        door: Door,
        reply: oneshot::Sender<Result<u64, AppError>>,
    },
    CloseSession {
        agent: AgentId,
        session: u64,
    },
    /// Contacts that were asked for under an epoch of the group's lease.
    Fetched {
        group: GroupId,
        epoch: i64,
        fence: u64,
        answer: Result<(Vec<HopperContact>, Supply), StoreError>,
    },
    /// The answer of a server script.
    Hook {
        group: GroupId,
        question: u64,
        verdict: HookVerdict,
    },
    Stored {
        sets: Vec<ChangeSet>,
        /// The groups that were held when they were decided.
        held: Arc<[HeldGroup]>,
        outcome: Result<(), StoreError>,
    },
    /// Leases that are not held under these epochs any more.
    Renewed {
        lost: Vec<(GroupId, i64)>,
    },
    DefinitionsChanged,
    /// What was shown to called parties by then, also by other nodes.
    CallerIdsShown {
        read_at: Time,
        shown: Vec<ShownSoFar>,
    },
    ContactsAdded {
        campaign: CampaignId,
    },
    Suppressed {
        list: SuppressionListId,
        numbers: BTreeSet<PhoneNumber>,
    },
    Look {
        reply: oneshot::Sender<LiveView>,
    },
    ShutDown {
        grace: Duration,
        reply: oneshot::Sender<()>,
    },
}

struct Screen {
    session: u64,
    door: Door,
    /// Something could not be told: it is gone, or has to come back.
    is_lost: bool,
}

struct ShuttingDown {
    /// In real time: who asked to stop waits in it.
    deadline: tokio::time::Instant,
    reply: oneshot::Sender<()>,
}

/// A tenant's runner.
pub(crate) struct Runner {
    shared: Arc<Shared>,
    tenant: TenantId,
    myself: mpsc::Sender<Message>,
    messages: mpsc::Receiver<Message>,
    engine: Engine,
    definitions: Definitions,
    held: HashMap<GroupId, Held>,
    screens: HashMap<AgentId, Screen>,
    next_session: u64,
    replies: HashMap<u64, oneshot::Sender<Result<GroupState, AppError>>>,
    next_reply: u64,
    /// Change sets that wait to be stored.
    waiting: Vec<ChangeSet>,
    is_storing: bool,
    /// Requests that the switch had no room for.
    unsent: VecDeque<Request>,
    times: crate::floor::live::AgentTimes,
    states: HashMap<AgentId, (engine::AgentState, Time)>,
    renew_at: tokio::time::Instant,
    read_caller_ids_at: tokio::time::Instant,
    shutting_down: Option<ShuttingDown>,
}

impl Runner {
    /// A runner that knows the tenant's definitions.
    pub async fn start(
        shared: Arc<Shared>,
        tenant: TenantId,
        myself: mpsc::Sender<Message>,
        messages: mpsc::Receiver<Message>,
    ) -> Result<Self, AppError> {
        let now = shared.clock.now();
        let records = shared.driver.records();
        let definitions = shared
            .store
            .read(move |tx| definitions::for_store(definitions::load(tx, tenant, now, records)))
            .await?;
        let mut runner = Self {
            shared,
            tenant,
            myself,
            messages,
            engine: Engine::new(crate::ids::random_seed()),
            definitions: Definitions::default(),
            held: HashMap::new(),
            screens: HashMap::new(),
            next_session: 1,
            replies: HashMap::new(),
            next_reply: 1,
            waiting: Vec::new(),
            is_storing: false,
            unsent: VecDeque::new(),
            times: crate::floor::live::AgentTimes::default(),
            states: HashMap::new(),
            renew_at: tokio::time::Instant::now() + RENEW_EVERY,
            read_caller_ids_at: tokio::time::Instant::now(),
            shutting_down: None,
        };
        runner.take_definitions(definitions);
        Ok(runner)
    }

    /// Runs until every door to it is closed or it was told to shut down.
    pub async fn run(mut self) {
        loop {
            let wake = self.engine.next_wake().map_or(Time::NEVER, |(at, _)| at);
            let patience = self.shutting_down.as_ref().map(|shutting_down| shutting_down.deadline);
            let sleep = self.shared.clock.sleep_until(wake);
            tokio::select! {
                message = self.messages.recv() => match message {
                    Some(message) => self.take(message).await,
                    None => return,
                },
                () = sleep => self.input(Input::Woken),
                () = tokio::time::sleep_until(self.renew_at) => self.renew(),
                () = tokio::time::sleep_until(patience.unwrap_or(self.renew_at)), if patience.is_some() => {}
                () = tokio::time::sleep(STORE_AGAIN), if !self.unsent.is_empty() => {}
            }
            for _ in 1..BATCH {
                let Ok(message) = self.messages.try_recv() else { break };
                self.take(message).await;
            }
            self.send_unsent();
            self.store();
            if self.is_shut_down() {
                return self.give_up_leases().await;
            }
        }
    }

    async fn take(&mut self, message: Message) {
        match message {
            Message::Act { group, action, dial_mode, actor, reply } => {
                self.act(group, action, dial_mode, actor, reply).await;
            }
            Message::Adopt { group } => {
                if let Err(error) = self.hold(group).await {
                    tracing::warn!(%group, %error, "could not take over a campaign group");
                }
            }
            Message::Call { attempt, event } => self.input(Input::Call { attempt, event }),
            // Lines that come back while it shuts down are not dialled on.
            Message::Lines { up: true } if self.shutting_down.is_some() => {}
            Message::Lines { up } => self.input(if up { Input::LinesBack } else { Input::LinesLost }),
            Message::AgentLine { agent, is_up } => self.input(Input::Line { agent, is_up }),
            Message::Agent { agent, session, event } => {
                if self.screens.get(&agent).is_some_and(|screen| screen.session == session) {
                    self.input(Input::Agent { agent, event });
                }
            }
            Message::OpenSession { agent, door, reply } => self.open_session(agent, door, reply),
            Message::CloseSession { agent, session } => self.close_session(agent, session),
            Message::Fetched { group, epoch, fence, answer } => {
                self.fetched(group, epoch, fence, answer).await;
            }
            Message::Hook { group, question, verdict } => {
                self.input(Input::Hook { group, question, verdict })
            }
            Message::Stored { sets, held, outcome } => self.stored(sets, &held, outcome).await,
            Message::Renewed { lost } => {
                for (group, epoch) in lost {
                    if self.holds(group, epoch) {
                        self.lose(group);
                    }
                }
            }
            Message::DefinitionsChanged => self.reload_definitions().await,
            Message::CallerIdsShown { read_at, shown } => {
                self.command(Command::CallerIdsShown { read_at, shown });
            }
            Message::ContactsAdded { campaign } => self.contacts_added(campaign),
            Message::Suppressed { list, numbers } => self.suppressed(list, &numbers),
            Message::Look { reply } => {
                // A look that nobody waits for any more is no loss.
                let _ = reply.send(self.look());
            }
            Message::ShutDown { grace, reply } => {
                self.input(Input::LinesLost);
                let deadline = tokio::time::Instant::now() + grace;
                self.shutting_down = Some(ShuttingDown { deadline, reply });
            }
        }
    }

    /// Hands an input to the engine and does what it wants done.
    fn input(&mut self, input: Input) {
        self.engine.handle(self.shared.clock.now(), input);
        while let Some(output) = self.engine.poll() {
            self.carry_out(output);
        }
    }

    fn open_session(&mut self, agent: AgentId, door: Door, reply: oneshot::Sender<Result<u64, AppError>>) {
        if !self.definitions.agents.contains_key(&agent) {
            let _ = reply.send(Err(AppError::not_found("agent", agent)));
            return;
        }
        let session = self.next_session;
        self.next_session += 1;
        if let Some(before) = self.screens.insert(agent, Screen { session, door, is_lost: false }) {
            // Nobody may listen any more.
            let _ = before.door.end.send(SessionEnd::TakenOver);
        }
        let _ = reply.send(Ok(session));
    }

    fn close_session(&mut self, agent: AgentId, session: u64) {
        if self.screens.get(&agent).is_some_and(|screen| screen.session == session) {
            if let Some(screen) = self.screens.remove(&agent).filter(|screen| screen.is_lost) {
                let _ = screen.door.end.send(SessionEnd::FellBehind);
            }
            self.input(Input::Agent { agent, event: AgentEvent::ConnectionLost });
        }
    }

    fn contacts_added(&mut self, campaign: CampaignId) {
        let groups: Vec<GroupId> = self
            .held
            .iter()
            .filter(|(_, held)| held.row.campaign == campaign)
            .map(|(group, _)| *group)
            .collect();
        for group in groups {
            self.input(Input::MoreContacts { group });
        }
    }

    /// Tells the groups that heed a list what was put on it.
    pub(super) fn suppressed(&mut self, list: SuppressionListId, numbers: &BTreeSet<PhoneNumber>) {
        let heeds = |held: &Held| held.suppression_lists.contains(&list);
        let groups: Vec<GroupId> =
            self.held.iter().filter(|(_, held)| heeds(held)).map(|(group, _)| *group).collect();
        for group in groups {
            self.input(Input::Suppressed { group, numbers: numbers.clone() });
        }
    }

    fn look(&mut self) -> LiveView {
        let now = self.shared.clock.now();
        for (state, since) in self.states.values_mut() {
            self.times.count(*state, now.since(*since));
            *since = now;
        }
        let snapshot = self.engine.snapshot();
        let group = |now: engine::engine::GroupSnapshot| {
            let held = self.held.get(&now.group);
            let figures =
                held.map(|held| held.figures.clone()).unwrap_or_default().with_connected(now.connected);
            let name = self.definitions.groups.get(&now.group).map(|group| group.name.clone());
            GroupLive { name: name.unwrap_or_default(), now, figures }
        };
        let agent = |now: engine::engine::AgentSnapshot| {
            let name = self.definitions.agents.get(&now.agent).map(|agent| agent.name.clone());
            AgentLive { name: name.unwrap_or_default(), now }
        };
        LiveView {
            at: now,
            groups: snapshot.groups.into_iter().map(group).collect(),
            agents: snapshot.agents.into_iter().map(agent).collect(),
            talk_share: self.times.talk_share(),
            busy_share: self.times.busy_share(),
        }
    }

    /// Whether a shutdown can end: nothing is up and all is stored, or time is over.
    fn is_shut_down(&self) -> bool {
        let Some(shutting_down) = &self.shutting_down else { return false };
        let is_quiet = || self.engine.is_quiet() && self.waiting.is_empty() && !self.is_storing;
        shutting_down.deadline <= tokio::time::Instant::now() || is_quiet()
    }

    fn command(&mut self, command: Command) {
        self.input(Input::Command(command));
    }
}
