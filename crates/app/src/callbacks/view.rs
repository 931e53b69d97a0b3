//! Callbacks as callers see them.

use engine::time::rfc3339;
use engine::{AgentId, CallbackId, CallbackState, CampaignId, ContactId, GroupId, PhoneNumber, Time};
use schemars::JsonSchema;
use serde::Serialize;
use store::records::callbacks::Callback;

/// A promise to call at a time.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "Callback")]
pub struct CallbackView {
    /// Which.
    pub id: CallbackId,
    /// For which campaign.
    pub campaign: CampaignId,
    /// For which campaign group.
    pub group: GroupId,
    /// Whom to call.
    pub contact: ContactId,
    /// The number as it was agreed on; the contact says which numbers are tried.
    pub number: Option<PhoneNumber>,
    /// The person's given name, as it was agreed on.
    pub first_name: Option<String>,
    /// The person's family name, as it was agreed on.
    pub last_name: Option<String>,
    /// The agent whom it is promised with; null leaves it to any agent of the group.
    pub agent: Option<AgentId>,
    /// When to call.
    #[serde(with = "rfc3339")]
    #[schemars(with = "String")]
    pub due: Time,
    /// From when on it is of no use.
    #[serde(with = "rfc3339")]
    #[schemars(with = "String")]
    pub valid_until: Time,
    /// Where it is in its life.
    pub state: CallbackState,
    /// Why it is there, where that is not plain.
    pub reason: Option<String>,
    /// Notes for whoever calls.
    pub notes: Option<String>,
    /// How often an agent looked at it.
    pub offers: u32,
    /// How often it was dialled.
    pub dials: u32,
    /// The callback whose place it took.
    pub follows: Option<CallbackId>,
    /// When it was made.
    #[serde(with = "rfc3339")]
    #[schemars(with = "String")]
    pub created_at: Time,
    /// When it last changed.
    #[serde(with = "rfc3339")]
    #[schemars(with = "String")]
    pub updated_at: Time,
}

/// A callback that was made.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct CallbackMade {
    /// The callback.
    #[serde(flatten)]
    pub callback: CallbackView,
    /// Other open callbacks of the campaign to the same number.
    pub duplicates: Vec<CallbackId>,
}

impl From<Callback> for CallbackView {
    fn from(callback: Callback) -> Self {
        Self {
            id: callback.id,
            campaign: callback.campaign,
            group: callback.group,
            contact: callback.contact,
            number: callback.number,
            first_name: callback.first_name,
            last_name: callback.last_name,
            agent: callback.agent,
            due: callback.due,
            valid_until: callback.valid_until,
            state: callback.state,
            reason: callback.reason,
            notes: callback.notes,
            offers: callback.offers,
            dials: callback.dials,
            follows: callback.follows,
            created_at: callback.created_at,
            updated_at: callback.updated_at,
        }
    }
}
