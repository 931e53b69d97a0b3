//! All decisions of Outdial, and nothing else.
//!
//! This crate knows no async runtime, database, socket, clock or random source. `now` and a seed are handed in,
//! effects go out as data.

pub mod call_result;
pub mod hours;
pub mod ids;
pub mod phone;
pub mod time;
pub mod zones;

pub use call_result::CallResult;
pub use hours::{CallingHours, DayWindow, Openness};
pub use ids::{
    AgentId, AttemptId, CampaignId, ContactId, GroupId, IdSource, ImportId, SkillId, SourceId, SuppressionListId,
    TenantId,
};
pub use phone::PhoneNumber;
pub use time::Time;
pub use zones::{Zone, ZoneSet};
