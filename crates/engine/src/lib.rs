//! All decisions of Outdial, and nothing else.
//!
//! This crate knows no async runtime, database, socket, clock or random source. `now` and a seed are handed in,
//! effects go out as data.

pub mod agent;
pub mod call_result;
pub mod callback;
pub mod caller_id;
pub mod change;
pub mod contact;
pub mod detection;
pub mod engine;
pub mod group;
pub mod hopper;
pub mod hours;
pub mod ids;
pub mod pacing;
pub mod phone;
pub mod recording;
pub mod schedule;
pub mod settings;
pub mod time;
pub mod treatment;
pub mod zones;

pub use agent::AgentState;
pub use call_result::CallResult;
pub use callback::{CallbackSettings, CallbackState, Promise};
pub use caller_id::{CallerIdPool, CallerIdRules, CallerIdSetting, CallerIdState, PoolNumber};
pub use change::{Change, ChangeSet, TransferOutcome};
pub use contact::{Band, Bucket, BucketId, FeedOrder, HopperContact, Phone, PhoneKind, PhoneStatus, Rank};
pub use engine::{
    AgentDefinition, AgentEvent, AgentNotice, AnsweredCalls, CallControl, CallEnd, CallEvent, CallOver,
    Command, ConsultationState, Detected, DialRequest, EndingChanges, Engine, GroupDefinition, Hook,
    HookRequest, HookVerdict, Input, LiveCall, NextStep, Output, PartyEnd, PickedUp, Playing, PreCallVerdict,
    Snapshot, Supply, ThirdParty, Unfinished, WakeReason,
};
pub use group::{Actor, GroupAction, GroupState};
pub use hours::{CallingHours, DayWindow, Openness};
pub use ids::{
    AgentId, AttemptId, CallbackId, CallerIdPoolId, CampaignId, ContactId, GroupId, IdSource, ImportId,
    MessageId, SkillId, SourceId, SupervisionId, SuppressionListId, TenantId,
};
pub use phone::PhoneNumber;
pub use recording::{RecordingMode, RecordingSettings};
pub use settings::{AgentlessSettings, CampaignRules, DialMode, GroupSettings, OnScriptError, ScriptRules};
pub use time::Time;
pub use treatment::{Disposition, FinalReason, Treatment};
pub use zones::{Zone, ZoneSet};
