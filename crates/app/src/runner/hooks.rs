//! Asking server scripts.

use engine::{HookRequest, HookVerdict};

use super::{Message, Runner};

impl Runner {
    /// Answers a question to a server script. Nobody can be asked, so the campaign's policy for that decides.
    pub(super) fn run_hook(&mut self, request: HookRequest) {
        let (group, question) = (request.group, request.question);
        let runner = self.myself.clone();
        tokio::spawn(async move {
            let _ = runner.send(Message::Hook { group, question, verdict: HookVerdict::Failed }).await;
        });
    }
}
