//! What a campaign and a campaign group are set to, as far as decisions depend on it.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::callback::CallbackSettings;
use crate::caller_id::{CallerIdRules, CallerIdSetting};
use crate::contact::FeedOrder;
use crate::detection::{DetectionRules, MachineAction};
use crate::hours::CallingHours;
use crate::ids::{CallerIdPoolId, MessageId, SuppressionListId};
use crate::phone::PhoneNumber;
use crate::recording::RecordingSettings;
use crate::treatment::{Disposition, Treatment};
use crate::zones::Zone;

/// Shortest time a phone rings before we give up: 15 s (16 CFR 310.4(b)(4)(ii); 47 CFR 64.1200(a)(6)).
pub const RING_SECONDS_MIN: u16 = 15;
/// Longest ring time that can be set.
pub const RING_SECONDS_MAX: u16 = 120;
/// A person who answers is connected within two seconds or hears a message
/// (16 CFR 310.4(b)(4)(iii); 47 CFR 64.1200(a)(7)).
pub const CONNECT_WITHIN: Duration = Duration::from_secs(2);
/// How much earlier the message is asked for, so that it is heard by then. On one machine an Asterisk took 1 to 3 ms to
/// begin; the rest is for busier ones and for networks.
pub const MESSAGE_TAKES: Duration = Duration::from_millis(100);

/// How a group dials.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DialMode {
    /// An agent asks for a contact, sees it and then dials it.
    Preview,
    /// An agent who is ready is shown a contact without having asked, and then dials it.
    PushPreview,
    /// One line for each ready agent.
    #[default]
    Progressive,
    /// A fixed number of lines for each ready agent.
    Power,
    /// As many lines as keep agents busy without abandoning more calls than is allowed.
    Predictive,
    /// As many lines as the group has ports, without agents: people who answer hear a message.
    Agentless,
}

impl DialMode {
    /// The number stored for it and told to other systems: Genesys' `CfgDialMode` (1 predictive,
    /// 2 progressive, 3 preview, 6 power, 8 push preview, 9 progressive without agents).
    pub fn code(self) -> i64 {
        match self {
            Self::Predictive => 1,
            Self::Progressive => 2,
            Self::Preview => 3,
            Self::Power => 6,
            Self::PushPreview => 8,
            Self::Agentless => 9,
        }
    }

    /// From the stored number.
    pub fn from_code(code: i64) -> Option<Self> {
        Some(match code {
            1 => Self::Predictive,
            2 => Self::Progressive,
            3 => Self::Preview,
            6 => Self::Power,
            8 => Self::PushPreview,
            9 => Self::Agentless,
            _ => return None,
        })
    }
}

/// What happens when an agent lets a preview run out of time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PreviewTimeout {
    /// The contact goes back and the agent is set not ready.
    #[default]
    Reject,
    /// The contact is dialled.
    Accept,
}

/// What predictive dialling aims at; the cap on abandoned calls holds in any case.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OptimizeBy {
    /// As busy as the cap allows.
    #[default]
    AbandonmentRate,
    /// Agents busy for `goal` per cent of their time, and no more.
    AgentBusyFactor,
    /// Agents wait `goal` seconds for a call on average, and no less.
    AverageWait,
    /// People who answered wait at most `goal` seconds for an agent on average.
    AverageDistributionTime,
}

/// How predictive dialling is done.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PredictiveSettings {
    /// Calls answered by a person that may be abandoned, in per cent, in each day, 30-day block and month; 0.1 to 10.
    /// 3 is the limit of 16 CFR 310.4(b)(4)(i) and of common practice elsewhere.
    pub abandon_cap_percent: f64,
    /// The part of the cap that is aimed at, 0.1 to 1: what is left is the distance kept from it.
    pub cap_share_used: f64,
    /// What is aimed at under the cap.
    pub optimize_by: OptimizeBy,
    /// The aim in its unit; not used with `abandonment_rate`.
    pub goal: f64,
    /// Withdraw calls that have rung for 15 s while their answer would too probably find no agent. They are unanswered calls
    /// like those that the ring time-out ends. 15 s or four rings is what a phone has to ring at least by
    /// 16 CFR 310.4(b)(4)(ii).
    pub withdraw_when_short: bool,
    /// Weigh each ringing call by how long it has rung. Off unless you know that you may: the method may be covered by
    /// a patent (US 8,345,856) where you are.
    pub ring_age_conditioning: bool,
    /// People that the detection of machines takes for machines, in per cent of people who answer, 0 to 3: they count
    /// as abandoned (estimate it from recordings).
    pub machine_false_positive_percent: f64,
}

impl Default for PredictiveSettings {
    fn default() -> Self {
        Self {
            abandon_cap_percent: 3.0,
            cap_share_used: 0.85,
            optimize_by: OptimizeBy::AbandonmentRate,
            goal: 0.0,
            withdraw_when_short: true,
            ring_age_conditioning: false,
            machine_false_positive_percent: 0.0,
        }
    }
}

impl PredictiveSettings {
    fn check(&self) -> Result<(), BadSetting> {
        let bad = |field, allowed: &str| Err(BadSetting { field, allowed: allowed.to_owned() });
        if !(0.1..=10.0).contains(&self.abandon_cap_percent) {
            return bad("predictive.abandon_cap_percent", "0.1 to 10");
        }
        if !(0.1..=1.0).contains(&self.cap_share_used) {
            return bad("predictive.cap_share_used", "0.1 to 1");
        }
        if !(0.0..=3.0).contains(&self.machine_false_positive_percent) {
            return bad("predictive.machine_false_positive_percent", "0 to 3");
        }
        match self.optimize_by {
            OptimizeBy::AbandonmentRate => Ok(()),
            OptimizeBy::AgentBusyFactor if (1.0..=100.0).contains(&self.goal) => Ok(()),
            OptimizeBy::AgentBusyFactor => bad("predictive.goal", "1 to 100 (per cent of the agents' time)"),
            OptimizeBy::AverageWait | OptimizeBy::AverageDistributionTime
                if (0.1..=600.0).contains(&self.goal) =>
            {
                Ok(())
            }
            _ => bad("predictive.goal", "0.1 to 600 (seconds)"),
        }
    }
}

/// The key that called parties press to be called no more, where a campaign names no other.
pub const OPT_OUT_DIGIT: char = '1';

/// Whether a telephone has this key: `0` to `9`, `*`, `#`, `A` to `D`.
pub fn is_key(key: char) -> bool {
    matches!(key, '0'..='9' | '*' | '#' | 'A'..='D')
}

/// How a group dials without agents.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentlessSettings {
    /// Calls at once, 1 to 10000; `lines_max` holds as well.
    pub ports: u32,
    /// What a person who answers hears.
    pub message: MessageId,
    /// The key that connects them to an agent with the group's skill who is ready: `0` to `9`, `*`, `#`, `A` to `D`.
    /// The campaign's opt-out key goes before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer_digit: Option<char>,
    /// Whether the message is left on answering machines; if not, they are hung up on.
    #[serde(default)]
    pub leave_on_machine: bool,
}

impl AgentlessSettings {
    fn check(&self) -> Result<(), BadSetting> {
        let bad = |field, allowed: &str| Err(BadSetting { field, allowed: allowed.to_owned() });
        if !(1..=10_000).contains(&self.ports) {
            return bad("agentless.ports", "1 to 10000");
        }
        if self.transfer_digit.is_some_and(|key| !is_key(key)) {
            return bad("agentless.transfer_digit", "a key of a telephone: 0 to 9, *, #, A to D");
        }
        Ok(())
    }
}

/// What becomes of a contact whose pre-call script failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields, tag = "action")]
pub enum OnScriptError {
    /// It is dialled all the same.
    Dial,
    /// It goes back for a while.
    Skip {
        /// How long, 1 to 1440.
        minutes: u16,
    },
    /// It is done.
    Close,
}

impl Default for OnScriptError {
    fn default() -> Self {
        Self::Skip { minutes: 10 }
    }
}

/// At which points of a contact's way the runner asks server scripts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ScriptRules {
    /// Before a contact reaches the hopper; what to do if the script fails.
    pub pre_call: Option<OnScriptError>,
    /// After a call, before the treatments decide.
    pub before_reschedule: bool,
    /// After a call, when the treatments have decided.
    pub after_reschedule: bool,
}

/// What decides about a campaign's contacts.
#[derive(Clone, PartialEq, Debug)]
pub struct CampaignRules {
    /// When people may be called.
    pub hours: CallingHours,
    /// What happens after each attempt; first match wins.
    pub treatments: Vec<Treatment>,
    /// The answers agents can give.
    pub dispositions: Vec<Disposition>,
    /// Attempts on one contact, all numbers together.
    pub attempts_max: u16,
    /// In which order contacts are called.
    pub feed_order: FeedOrder,
    /// Which server scripts are asked.
    pub scripts: ScriptRules,
    /// Where the days and months begin in which abandoned calls are counted.
    pub zone: Zone,
    /// What a person hears for whom no agent is free in time; none leaves it to the switch.
    pub safe_harbour: Option<MessageId>,
    /// The key by which whoever hears a message is called no more.
    pub opt_out_digit: char,
    /// Which numbers are shown.
    pub caller_ids: CallerIdRules,
    /// Which calls are recorded, and under which name; none where the switch cannot record.
    pub recording: Option<RecordingSettings>,
    /// What is done with what detection found out.
    pub detection: DetectionRules,
    /// The lists that contacts are scrubbed against when they are claimed. The engine does not read them: it sees by them
    /// that contacts were claimed against others.
    pub suppression_lists: Vec<SuppressionListId>,
}

impl CampaignRules {
    /// Rules with these hours and this many attempts on one contact, and nothing else: what happens after an attempt is
    /// the default, days begin by UTC.
    pub fn plain(hours: CallingHours, attempts_max: u16) -> Self {
        Self {
            hours,
            treatments: Vec::new(),
            dispositions: Vec::new(),
            attempts_max,
            feed_order: FeedOrder::OldestFirst,
            scripts: ScriptRules::default(),
            zone: Zone::utc(),
            safe_harbour: None,
            opt_out_digit: OPT_OUT_DIGIT,
            caller_ids: CallerIdRules::default(),
            recording: Some(RecordingSettings::default()),
            detection: DetectionRules::default(),
            suppression_lists: Vec::new(),
        }
    }

    /// The disposition with this code.
    pub fn disposition(&self, code: &str) -> Option<&Disposition> {
        self.dispositions.iter().find(|disposition| disposition.code == code)
    }
}

/// What a campaign group is set to.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GroupSettings {
    /// How it dials.
    pub dial_mode: DialMode,
    /// Lines for each ready agent in power mode, 1 to 10.
    pub lines_per_agent: f64,
    /// Its part of the agents whom it shares with other groups, against theirs: a group of weight 2 gets twice as much of their
    /// time as one of 1, as far as it can use it. 1 to 100.
    pub weight: u32,
    /// Calls at once, ringing and connected, at most.
    pub lines_max: u32,
    /// Calls placed in a second at most.
    pub calls_per_second_max: u32,
    /// Seconds a phone rings before we give up, 15 to 120.
    pub ring_timeout_seconds: u16,
    /// Seconds an agent has after a call before the group sets them ready; 0 is without limit.
    pub wrap_up_seconds_max: u32,
    /// Seconds an agent has to look at a previewed contact.
    pub preview_seconds_max: u32,
    /// What happens after that.
    pub preview_timeout: PreviewTimeout,
    /// Whether an agent who rejects a preview has to say why. Without it: with `push_preview`, and not with `preview`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reject_needs_reason: Option<bool>,
    /// What is done with an answering machine.
    pub machine_action: MachineAction,
    /// The number shown to called parties of whom neither their number nor their source says another.
    pub caller_id: Option<PhoneNumber>,
    /// The pool that it is chosen from; goes before `caller_id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller_id_pool: Option<CallerIdPoolId>,
    /// Stop and unload by itself when no contact is left to call.
    pub auto_complete: bool,
    /// What is done with callbacks.
    pub callbacks: CallbackSettings,
    /// How predictive dialling is done.
    pub predictive: PredictiveSettings,
    /// How it dials without agents; needed with `agentless`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agentless: Option<AgentlessSettings>,
    /// Call nobody but those to whom a call was promised, in any dial mode.
    pub callbacks_only: bool,
}

impl Default for GroupSettings {
    fn default() -> Self {
        Self {
            dial_mode: DialMode::Progressive,
            lines_per_agent: 1.5,
            weight: 1,
            lines_max: 500,
            calls_per_second_max: 50,
            ring_timeout_seconds: 24,
            wrap_up_seconds_max: 60,
            preview_seconds_max: 60,
            preview_timeout: PreviewTimeout::Reject,
            reject_needs_reason: None,
            machine_action: MachineAction::HangUp,
            caller_id: None,
            caller_id_pool: None,
            auto_complete: false,
            callbacks: CallbackSettings::default(),
            predictive: PredictiveSettings::default(),
            agentless: None,
            callbacks_only: false,
        }
    }
}

/// A setting that is out of range.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{field} must be {allowed}")]
pub struct BadSetting {
    /// Which.
    pub field: &'static str,
    /// What it may be.
    pub allowed: String,
}

impl GroupSettings {
    /// Checks every range.
    ///
    /// # Errors
    /// The first setting that is out of its range, with the range.
    pub fn check(&self) -> Result<(), BadSetting> {
        let bad = |field, allowed: String| Err(BadSetting { field, allowed });
        if !(1.0..=10.0).contains(&self.lines_per_agent) {
            return bad("lines_per_agent", "1 to 10".into());
        }
        if !(1..=100).contains(&self.weight) {
            return bad("weight", "1 to 100".into());
        }
        if !(1..=100_000).contains(&self.lines_max) {
            return bad("lines_max", "1 to 100000".into());
        }
        if !(1..=10_000).contains(&self.calls_per_second_max) {
            return bad("calls_per_second_max", "1 to 10000".into());
        }
        if !(RING_SECONDS_MIN..=RING_SECONDS_MAX).contains(&self.ring_timeout_seconds) {
            return bad("ring_timeout_seconds", format!("{RING_SECONDS_MIN} to {RING_SECONDS_MAX}"));
        }
        if self.machine_action == MachineAction::LeaveMessage {
            let allowed = "hang_up or connect; what is left on machines, and that it is, says the campaign's detection profile";
            return bad("machine_action", allowed.into());
        }
        if self.wrap_up_seconds_max > 3600 {
            return bad("wrap_up_seconds_max", "0 (no limit) to 3600".into());
        }
        if !(5..=900).contains(&self.preview_seconds_max) {
            return bad("preview_seconds_max", "5 to 900".into());
        }
        if self.callbacks.agent_wait_minutes > 10_080 {
            return bad("callbacks.agent_wait_minutes", "0 to 10080 (a week)".into());
        }
        if !(1..=43_200).contains(&self.callbacks.validity_minutes) {
            return bad("callbacks.validity_minutes", "1 to 43200 (30 days)".into());
        }
        if self.dial_mode == DialMode::Agentless && self.agentless.is_none() {
            return bad("agentless", "given with dial_mode agentless: ports and a message".into());
        }
        self.agentless.iter().try_for_each(AgentlessSettings::check)?;
        self.predictive.check()?;
        Ok(())
    }

    /// What the group says of the numbers that are shown.
    pub fn caller_ids(&self) -> CallerIdSetting {
        CallerIdSetting { number: self.caller_id, pool: self.caller_id_pool }
    }

    /// Whether an agent who rejects a preview has to say why.
    pub fn wants_reason(&self) -> bool {
        self.reject_needs_reason.unwrap_or(self.dial_mode == DialMode::PushPreview)
    }
}
