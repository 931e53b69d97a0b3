//! An agent's session: what their screen says and is told.

use engine::{AgentEvent, AgentId, AgentNotice};
use tokio::sync::{mpsc, oneshot};

use crate::AppError;
use crate::runner::Message;

/// Notices that may wait for a screen. One that falls so far behind is taken as gone.
pub(crate) const SCREEN_QUEUE: usize = 256;

/// Why a session is over that its screen did not end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionEnd {
    /// Another session of the same agent was opened.
    TakenOver,
    /// The screen did not take what it was told, and shows what is no longer so.
    FellBehind,
    /// The dialler has stopped.
    Stopped,
}

/// The dialler's side of a session.
pub(crate) struct Door {
    pub notices: mpsc::Sender<AgentNotice>,
    /// Told at the end, unless the dialler just stops.
    pub end: oneshot::Sender<SessionEnd>,
}

/// One agent's screen. Dropping it tells the engine that the screen is gone.
pub struct AgentSession {
    runner: mpsc::Sender<Message>,
    agent: AgentId,
    session: u64,
    notices: mpsc::Receiver<AgentNotice>,
    end: oneshot::Receiver<SessionEnd>,
}

impl AgentSession {
    pub(super) async fn open(runner: mpsc::Sender<Message>, agent: AgentId) -> Result<Self, AppError> {
        let (told, notices) = mpsc::channel(SCREEN_QUEUE);
        let (ended, end) = oneshot::channel();
        let (reply, answer) = oneshot::channel();
        let message = Message::OpenSession { agent, door: Door { notices: told, end: ended }, reply };
        runner.send(message).await.map_err(|_| super::stopped())?;
        let session = answer.await.map_err(|_| super::stopped())??;
        Ok(Self { runner, agent, session, notices, end })
    }

    /// Whose session it is.
    pub fn agent(&self) -> AgentId {
        self.agent
    }

    /// Says what the agent did.
    ///
    /// # Errors
    /// The dialler has stopped.
    pub async fn send(&self, event: AgentEvent) -> Result<(), AppError> {
        let message = Message::Agent { agent: self.agent, session: self.session, event };
        self.runner.send(message).await.map_err(|_| super::stopped())
    }

    /// The next thing to show.
    ///
    /// # Errors
    /// The session is over, once all that it was told before is shown.
    pub async fn recv(&mut self) -> Result<AgentNotice, SessionEnd> {
        match self.notices.recv().await {
            Some(notice) => Ok(notice),
            None => Err(self.end.try_recv().unwrap_or(SessionEnd::Stopped)),
        }
    }
}

impl Drop for AgentSession {
    fn drop(&mut self) {
        let message = Message::CloseSession { agent: self.agent, session: self.session };
        if let Err(mpsc::error::TrySendError::Full(message)) = self.runner.try_send(message) {
            let runner = self.runner.clone();
            tokio::spawn(async move { runner.send(message).await });
        }
    }
}
