//! Contacts as callers see them.

use engine::time::{rfc3339, rfc3339_option};
use engine::{
    AgentId, CallResult, CampaignId, ContactId, FinalReason, GroupId, ImportId, Phone, PhoneKind,
    PhoneNumber, PhoneStatus, SourceId, Time,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::records::contacts::{Contact, FeedState};

/// Where a contact is on its way.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ContactState {
    /// Not to be called before an instant.
    Waiting,
    /// To be called as soon as hours and agents allow.
    Ready,
    /// In a group's hopper or on a call.
    Claimed,
    /// Not to be called any more.
    Final,
}

impl From<FeedState> for ContactState {
    fn from(state: FeedState) -> Self {
        match state {
            FeedState::Waiting => Self::Waiting,
            FeedState::Ready => Self::Ready,
            FeedState::Claimed => Self::Claimed,
            FeedState::Final => Self::Final,
        }
    }
}

impl From<ContactState> for FeedState {
    fn from(state: ContactState) -> Self {
        match state {
            ContactState::Waiting => Self::Waiting,
            ContactState::Ready => Self::Ready,
            ContactState::Claimed => Self::Claimed,
            ContactState::Final => Self::Final,
        }
    }
}

/// A contact.
#[derive(Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "Contact")]
pub struct ContactView {
    /// Which.
    pub id: ContactId,
    /// For which campaign.
    pub campaign: CampaignId,
    /// The only campaign group that may call it; null leaves it to any of the campaign.
    pub group: Option<GroupId>,
    /// Where it came from.
    pub source: SourceId,
    /// Its key there.
    pub external_id: String,
    /// The batch that its source says it came with.
    pub tag: Option<String>,
    /// The campaign's fields.
    pub fields: serde_json::Map<String, serde_json::Value>,
    /// 0 is called last, 100 first.
    pub priority: u8,
    /// Where it is on its way.
    pub state: ContactState,
    /// Why it is not called any more.
    pub final_reason: Option<FinalReason>,
    /// Not to be called before this instant.
    #[serde(with = "rfc3339")]
    #[schemars(with = "String")]
    pub next_at: Time,
    /// The position of the number that is dialled next.
    pub next_phone: u8,
    /// Whether the next call was promised.
    pub is_callback: bool,
    /// The agent who should take it.
    pub preferred_agent: Option<AgentId>,
    /// Not to be called from this instant on.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<String>")]
    pub expires_at: Option<Time>,
    /// Attempts made on all its numbers.
    pub attempts: u16,
    /// How the last one ended.
    pub last_result: Option<CallResult>,
    /// How often in a row it ended like that.
    pub last_result_in_a_row: u16,
    /// When the last one was made.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<String>")]
    pub last_attempt_at: Option<Time>,
    /// The campaign group that has it.
    pub claimed_by: Option<GroupId>,
    /// The import that brought it.
    pub import: Option<ImportId>,
    /// When it came to be.
    #[serde(with = "rfc3339")]
    #[schemars(with = "String")]
    pub created_at: Time,
    /// When it was last changed.
    #[serde(with = "rfc3339")]
    #[schemars(with = "String")]
    pub updated_at: Time,
    /// Its numbers, in order.
    pub phones: Vec<PhoneView>,
}

/// A number of a contact.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Phone")]
pub struct PhoneView {
    /// Its place in the contact's order, from 0.
    pub position: u8,
    /// The number.
    pub number: PhoneNumber,
    /// What kind of line it is.
    pub kind: PhoneKind,
    /// Whether it may still be dialled.
    pub status: PhoneStatus,
    /// Attempts made on it.
    pub attempts: u16,
    /// Attempts allowed on it; null leaves it to the campaign.
    pub attempts_max: Option<u16>,
    /// The number shown when it is called, instead of the group's.
    pub caller_id: Option<PhoneNumber>,
}

/// Shows no personal data.
impl std::fmt::Debug for ContactView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ContactView")
            .field("id", &self.id)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl From<Phone> for PhoneView {
    fn from(phone: Phone) -> Self {
        Self {
            position: phone.position,
            number: phone.number,
            kind: phone.kind,
            status: phone.status,
            attempts: phone.attempts,
            attempts_max: phone.attempts_max,
            caller_id: phone.caller_id,
        }
    }
}

impl From<Contact> for ContactView {
    fn from(contact: Contact) -> Self {
        let fields = match contact.fields {
            serde_json::Value::Object(fields) => fields,
            // The intake stores objects and nothing else.
            _ => serde_json::Map::new(),
        };
        Self {
            id: contact.id,
            campaign: contact.campaign,
            group: contact.group,
            tag: contact.tag,
            source: contact.source,
            external_id: contact.external_id,
            fields,
            priority: contact.priority,
            state: contact.feed_state.into(),
            final_reason: contact.final_reason,
            next_at: contact.next_at,
            next_phone: contact.next_phone,
            is_callback: contact.is_callback,
            preferred_agent: contact.preferred_agent,
            expires_at: contact.expires_at,
            attempts: contact.attempts,
            last_result: contact.last_result,
            last_result_in_a_row: contact.last_result_in_a_row,
            last_attempt_at: contact.last_attempt_at,
            claimed_by: contact.claimed_by,
            import: contact.import,
            created_at: contact.created_at,
            updated_at: contact.updated_at,
            phones: contact.phones.into_iter().map(PhoneView::from).collect(),
        }
    }
}
