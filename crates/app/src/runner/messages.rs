//! Messages that called parties hear.

use engine::{AttemptId, GroupDefinition, GroupId, MessageId, Playing};
use telephony::{Message as Audio, Purpose, Request};

use super::{Message, Runner};

/// What the calls of a group may play.
pub(super) fn messages_of(definition: &GroupDefinition) -> impl Iterator<Item = MessageId> + use<> {
    let own = definition.settings.agentless.map(|own| own.message);
    let for_machines = definition.rules.detection.message;
    definition.rules.safe_harbour.into_iter().chain(own).chain(for_machines)
}

impl Runner {
    pub(super) fn play(&mut self, attempt: AttemptId, group: GroupId, what: Playing) {
        let (message, purpose) = match what {
            Playing::SafeHarbour(message) => (message, Purpose::SafeHarbour),
            Playing::Message(message) => (Some(message), Purpose::Campaign),
        };
        let plan = message.and_then(|message| self.definitions.messages.get(&message));
        if message.is_some() && plan.is_none() {
            tracing::warn!(%group, %attempt, "a message is gone that is to be played; the switch's own is");
        }
        let sound = plan.and_then(|plan| plan.sound.as_ref());
        let sound = sound.and_then(|sound| self.shared.messages.playable(sound));
        let text = plan.map(|plan| plan.text.clone()).unwrap_or_default();
        self.send(Request::Play { attempt, message: Audio { purpose, sound, text } });
    }

    /// Has the file of a message on this node soon, beside everything else: a group begins to dial meanwhile, and a call
    /// rings for longer than that takes. Where it does not, the switch says the text by its own means.
    pub(super) fn get_message_ready(&self, message: MessageId) {
        let (shared, tenant, runner) =
            (std::sync::Arc::clone(&self.shared), self.tenant, self.myself.clone());
        tokio::spawn(async move {
            let now = shared.clock.now();
            match shared.messages.get_ready(&shared.store, tenant, message, now).await {
                Ok(true) => drop(runner.send(Message::DefinitionsChanged).await),
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(%message, %error, "the sound of a message could not be made ready");
                }
            }
        });
    }
}
