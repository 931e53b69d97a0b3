//! Messages that called parties hear.

use std::collections::{BTreeSet, HashMap};

use engine::{AttemptId, GroupDefinition, GroupId, MessageId, Playing};
use telephony::{Control, Message as Audio, Purpose, Request};

use super::definitions::MessagePlan;
use super::{Message, Runner};

/// What the calls of a group may play: any message where a script may choose one.
pub(super) fn messages_of(
    definition: &GroupDefinition,
    all: &HashMap<MessageId, MessagePlan>,
) -> BTreeSet<MessageId> {
    if definition.rules.detection.script.is_some() {
        return all.keys().copied().collect();
    }
    let own = definition.settings.agentless.map(|own| own.message);
    let left = definition.rules.detection.message;
    let consent = definition.rules.recording.as_ref().and_then(|recording| recording.consent_message);
    definition.rules.safe_harbour.into_iter().chain(own).chain(left).chain(consent).collect()
}

impl Runner {
    pub(super) fn play(&mut self, attempt: AttemptId, group: GroupId, what: Playing) {
        let (message, purpose) = match what {
            Playing::SafeHarbour(message) => (message, Purpose::SafeHarbour),
            Playing::Message(message) => (Some(message), Purpose::Campaign),
        };
        if message.is_some_and(|message| !self.definitions.messages.contains_key(&message)) {
            tracing::warn!(%group, %attempt, "a message is gone that is to be played; the switch's own is");
        }
        let message = self.audio(message, purpose);
        self.send(Request::Play { attempt, message });
    }

    /// Plays a message to both parties of a conversation.
    pub(super) fn tell_both(&mut self, attempt: AttemptId, message: MessageId) {
        let message = self.audio(Some(message), Purpose::Campaign);
        self.send(Request::Control { attempt, control: Control::Announce(message) });
    }

    fn audio(&self, message: Option<MessageId>, purpose: Purpose) -> Audio {
        let plan = message.and_then(|message| self.definitions.messages.get(&message));
        let sound = plan.and_then(|plan| plan.sound.as_ref());
        let sound = sound.and_then(|sound| self.shared.messages.playable(sound));
        let text = plan.map(|plan| plan.text.clone()).unwrap_or_default();
        Audio { purpose, sound, text }
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
