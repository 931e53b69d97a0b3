//! What a message tells, before it is put into anybody's words.

use engine::change::PlannedNext;
use engine::{DialMode, GroupId, GroupState, Time};
use schemars::JsonSchema;
use serde::Serialize;
use store::records::attempts::Attempt;
use store::records::contacts::Contact;

/// Puts notices into the words of one receiver's world.
pub trait Format: Send + Sync {
    /// The notice as a JSON object.
    fn body(&self, notice: &Notice) -> serde_json::Value;
}

/// Something to be told.
#[derive(Clone, Debug)]
pub enum Notice {
    /// A campaign group changed (`group.state`), or is active (`group.activity`).
    Group(Box<GroupNotice>),
    /// An attempt was started (`attempt.started`).
    AttemptStarted(Box<AttemptNotice>),
    /// An attempt is done with, wrap-up included (`attempt.settled`).
    AttemptSettled(Box<AttemptNotice>),
    /// A contact has its plan (`contact.planned`).
    ContactPlanned(Box<AttemptNotice>),
}

/// Whose group it is about, and which.
#[derive(Clone, Debug)]
pub struct GroupFacts {
    /// The name by which the receiver knows the tenant, if it was set.
    pub tenant_name: Option<String>,
    /// The id by which the receiver knows the tenant.
    pub tenant_id: String,
    /// The campaign group.
    pub group: GroupId,
    /// Its name; empty if it is gone.
    pub name: String,
    /// The name of its agents' skill; empty if it is gone.
    pub skill: String,
    /// The name of its campaign, if that is still there.
    pub campaign: Option<String>,
    /// The template that its campaign was made from, if one is named.
    pub template: Option<String>,
    /// The queue that its calls go through, if one is named.
    pub queue: Option<String>,
    /// Its settings, as the API shows them.
    pub settings: serde_json::Value,
}

/// A campaign group changed, or is active.
#[derive(Clone, Debug)]
pub struct GroupNotice {
    /// Which.
    pub facts: GroupFacts,
    /// Where it is in its life.
    pub state: GroupState,
    /// How it dials.
    pub dial_mode: Option<DialMode>,
    /// The number of what was last asked of it ([`engine::GroupAction::code`]), if it is known.
    pub action: Option<i64>,
    /// The number of who asked ([`engine::Actor::code`]).
    pub actor: i64,
    /// What comes of its calls.
    pub statistics: GroupStatistics,
    /// When.
    pub at: Time,
}

/// What comes of a group's calls, over the sink's span of time. Whatever cannot be told is none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct GroupStatistics {
    /// Share of their time at work that agents are on calls or finishing them.
    pub busy_factor: Option<f64>,
    /// Calls without an agent among those that a person answered.
    pub overdial_rate: Option<f64>,
    /// Calls that a person answered among all that ended.
    pub hit_ratio: Option<f64>,
    /// Seconds until no contact of the campaign is left, at the present pace.
    pub time_to_complete_seconds: Option<u64>,
    /// The same for each source of the campaign.
    pub sources: Vec<SourceStatistics>,
}

/// What comes of calls to the contacts of one source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct SourceStatistics {
    /// The source's name.
    pub source: String,
    /// Calls that a person answered among all that ended.
    pub hit_ratio: Option<f64>,
    /// Seconds until none of its contacts is left, at the present pace.
    pub time_to_complete_seconds: Option<u64>,
}

/// An attempt, and the contact it is about.
#[derive(Clone, Debug)]
pub struct AttemptNotice {
    /// For which group.
    pub facts: GroupFacts,
    /// The attempt as stored; none if a contact was closed without one.
    pub attempt: Option<Attempt>,
    /// The contact as stored.
    pub contact: Option<Contact>,
    /// The name of the contact's source.
    pub source: Option<String>,
    /// The name of the agent who was connected.
    pub agent: Option<String>,
    /// What is next, once that is known.
    pub next: Option<PlannedNext>,
    /// When.
    pub at: Time,
}
