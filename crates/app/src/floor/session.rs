//! An agent's session: what their screen says and is told.

use engine::{AgentEvent, AgentId, AgentNotice};
use tokio::sync::{mpsc, oneshot};

use crate::AppError;
use crate::runner::Message;

/// Notices that may wait for a screen. One that falls so far behind is taken as gone.
pub(crate) const SCREEN_QUEUE: usize = 256;

/// One agent's screen. Dropping it tells the engine that the screen is gone.
pub struct AgentSession {
    runner: mpsc::Sender<Message>,
    agent: AgentId,
    session: u64,
    notices: mpsc::Receiver<AgentNotice>,
}

impl AgentSession {
    pub(super) async fn open(runner: mpsc::Sender<Message>, agent: AgentId) -> Result<Self, AppError> {
        let (screen, notices) = mpsc::channel(SCREEN_QUEUE);
        let (reply, answer) = oneshot::channel();
        let message = Message::OpenSession { agent, screen, reply };
        runner.send(message).await.map_err(|_| super::stopped())?;
        let session = answer.await.map_err(|_| super::stopped())??;
        Ok(Self { runner, agent, session, notices })
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

    /// The next thing to show; `None` when another session has taken this one's place or the dialler has stopped.
    pub async fn recv(&mut self) -> Option<AgentNotice> {
        self.notices.recv().await
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
