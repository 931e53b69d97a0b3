//! Simulated agents: they do what people at a screen do, through the sessions that real screens use.

use std::sync::Arc;
use std::time::Duration;

use app::App;
use engine::{AgentEvent, AgentId, AgentNotice, PhoneNumber, TenantId, Time};
use simulator::{AgentModel, World};
use telephony::Clock;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Everything that simulated agents have in common.
pub struct Team {
    /// Where they work.
    pub app: Arc<App>,
    /// For whom.
    pub tenant: TenantId,
    /// What decides how long they take and what they say.
    pub world: World,
    /// The demonstration's time.
    pub clock: Arc<dyn Clock>,
    /// Whether agents end the calls: on real ones the person at the other end is a recording.
    pub hangs_up: bool,
    /// Whether contacts come only to those who ask.
    pub asks: bool,
}

/// How long an agent talks who ends the calls.
const TALK: Duration = Duration::from_secs(5);

/// Sends agents to work; they leave, each after the call, when `working` becomes false.
pub fn send_to_work(team: Team, agents: &[AgentId], working: &watch::Receiver<bool>) -> JoinSet<()> {
    let team = Arc::new(team);
    let mut tasks = JoinSet::new();
    for agent in agents {
        let (team, agent, working) = (Arc::clone(&team), *agent, working.clone());
        tasks.spawn(async move {
            if let Err(error) = work(&team, agent, working).await {
                tracing::warn!(%agent, %error, "a simulated agent stopped working");
            }
        });
    }
    tasks
}

async fn work(team: &Team, agent: AgentId, mut working: watch::Receiver<bool>) -> Result<(), app::AppError> {
    let model = AgentModel::default();
    let mut session = team.app.floor.agent_session(team.tenant, agent).await?;
    session.send(AgentEvent::LogIn).await?;
    session.send(AgentEvent::Ready).await?;
    let mut call: Option<(PhoneNumber, u32)> = None;
    let mut is_leaving = false;
    let mut hang_up_at = Time::NEVER;
    loop {
        let notice = tokio::select! {
            notice = session.recv() => notice,
            () = team.clock.sleep_until(hang_up_at) => {
                hang_up_at = Time::NEVER;
                session.send(AgentEvent::HangUp).await?;
                continue;
            }
            () = work_is_over(&mut working), if !is_leaving => {
                is_leaving = true;
                session.send(AgentEvent::LogOut).await?;
                continue;
            }
        };
        match notice {
            Err(_) => return Ok(()),
            Ok(AgentNotice::State { state: engine::AgentState::LoggedOut, .. }) if is_leaving => {
                return Ok(());
            }
            Ok(AgentNotice::State { state: engine::AgentState::Ready, .. }) if team.asks && !is_leaving => {
                session.send(AgentEvent::Next).await?;
            }
            Ok(AgentNotice::Preview { number, .. }) => {
                pause(team, team.world.agent_conduct(&model, number, 1).preview_response).await;
                session.send(AgentEvent::AcceptPreview).await?;
            }
            Ok(AgentNotice::Call { number, attempt_number, .. }) => {
                call = Some((number, u32::from(attempt_number)))
            }
            Ok(AgentNotice::Connected { .. }) if team.hangs_up => hang_up_at = team.clock.now() + TALK,
            Ok(AgentNotice::CallEnded { wrap_up_until: None, .. }) => hang_up_at = Time::NEVER,
            Ok(AgentNotice::CallEnded { wrap_up_until: Some(_), .. }) => {
                hang_up_at = Time::NEVER;
                let Some((number, attempt)) = call.take() else { continue };
                let wrap = team.world.outcome(number, attempt, None).wrap;
                pause(team, if team.hangs_up { wrap.min(TALK) } else { wrap }).await;
                let conduct = team.world.agent_conduct(&model, number, attempt);
                let disposition = Some(conduct.disposition.to_owned());
                session
                    .send(AgentEvent::Dispose {
                        disposition,
                        notes: None,
                        callback_at: None,
                        callback_is_mine: false,
                    })
                    .await?;
            }
            Ok(_) => {}
        }
    }
}

async fn work_is_over(working: &mut watch::Receiver<bool>) {
    // Whoever could say that work goes on is gone as well when the sender is.
    drop(working.wait_for(|working| !working).await);
}

async fn pause(team: &Team, span: Duration) {
    team.clock.sleep_until(team.clock.now() + span).await;
}
