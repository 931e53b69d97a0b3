//! What the engine knows of groups, agents and calls.

use std::collections::{BTreeMap, BTreeSet};

use crate::agent::AgentState;
use crate::call_result::CallResult;
use crate::change::{ContactPlanned, Evidence, OptOut};
use crate::contact::HopperContact;
use crate::group::{Actor, GroupState};
use crate::hopper::Hopper;
use crate::ids::{AgentId, AttemptId, ContactId, GroupId, SkillId};
use crate::pacing::{Answers, BusyAgents, Forecast, Lines, Pacing, Segment};
use crate::phone::PhoneNumber;
use crate::settings::{AgentlessSettings, DialMode};
use crate::time::Time;

use super::caller_ids::Held;
use super::io::{GroupDefinition, ThirdParty};
use super::turns::Used;

/// What there are thousands of. It has no order: whoever goes through it sorts or counts. The hash has no random seed, as ids
/// are our own and nobody can choose them to collide.
pub(super) type Table<K, V> = rustc_hash::FxHashMap<K, V>;

/// What there are few of, and what is looked up several times at each input; where there is one, it is found without a hash.
pub(super) type Few<K, V> = indexmap::IndexMap<K, V, rustc_hash::FxBuildHasher>;

/// What is to happen once changes are durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AfterStored {
    PlaceCall(AttemptId),
    Record(AttemptId),
    AgentMovesOn(AgentId),
    GroupAtRest(GroupId),
}

pub(super) struct Group {
    pub definition: GroupDefinition,
    pub state: GroupState,
    pub pacing: Box<dyn Pacing>,
    /// Lines that may still be answered by a person.
    pub lines: Lines,
    /// What was learned of its calls and agents.
    pub forecast: Forecast,
    /// Answers that its lines may still bring, as of the last look that groups with common agents took at it.
    pub to_come: Answers,
    /// What its calls have taken of agents' time.
    pub used: Used,
    /// What kind of call was placed last.
    pub segment: Segment,
    /// When pacing looks again by itself.
    pub next_look: Time,
    pub hopper: Hopper,
    /// Contacts that a pre-call script is asked about, by the question.
    pub screening: BTreeMap<u64, Box<HopperContact>>,
    /// Due callbacks that wait for an agent to look at them, the first due first.
    #[expect(clippy::vec_box, reason = "they come boxed from the hopper and go so into calls")]
    pub promised: Vec<Box<HopperContact>>,
    /// Names the latest question for contacts.
    pub fence: u64,
    pub fetching: bool,
    /// Numbers that were suppressed since that question: its answer may have been read before.
    pub suppressed_meanwhile: BTreeSet<PhoneNumber>,
    /// Questions for contacts that are not answered yet; the lease is held until they are.
    pub open_fetches: u32,
    pub fetch_not_before: Time,
    /// The last answer said that nothing is left.
    pub ran_dry: bool,
    /// When the next call may be placed, by the group's limit on calls per second.
    pub next_call_at: Time,
    /// For when the engine was last asked to be woken for that.
    pub next_call_timer: Time,
    /// Every contact in the hopper waits for a number that may be shown.
    pub held: Option<Held>,
    /// At the last look it was to place more calls than its limits let it.
    pub is_limited: bool,
    /// Calls that are not over.
    pub calls_up: u32,
    /// Of those, how many take a line.
    pub on_lines: u32,
    /// Of those, how many are dialling or ringing.
    pub ringing: u32,
    /// For how many of those whose answer or answerer is not known an agent is kept.
    pub kept: u32,
    /// Answered calls that wait for an agent, the oldest first.
    pub waiting: std::collections::VecDeque<AttemptId>,
    /// Who asked for the unload under way.
    pub unload_actor: Actor,
    pub unload_is_forced: bool,
}

impl Group {
    pub fn dial_mode(&self) -> DialMode {
        self.definition.settings.dial_mode
    }

    /// Whether each call that is placed now has an agent of its own, and none is a bet on who will be free.
    pub fn dials_one_to_one(&self) -> bool {
        match self.dial_mode() {
            DialMode::Progressive => true,
            DialMode::Power => self.definition.settings.lines_per_agent <= 1.0,
            DialMode::Predictive => self.pacing.figures().is_held_back,
            DialMode::Preview | DialMode::PushPreview | DialMode::Agentless => false,
        }
    }

    /// How many contacts are claimed and not called.
    pub fn in_hand(&self) -> usize {
        self.hopper.len() + self.screening.len() + self.promised.len()
    }

    pub fn is_running(&self) -> bool {
        self.state == GroupState::Running
    }
}

/// The agents of a skill.
#[derive(Default)]
pub(super) struct Team {
    /// Who is ready: best proficiency first, then longest ready.
    pub ready: BTreeSet<(u8, Time, AgentId)>,
    /// How many are logged in and not on a break.
    pub at_work: u32,
    /// Of those, how many have another skill, too.
    pub at_work_with: BTreeMap<SkillId, u32>,
    /// The skills that some of them have; the team's own is among them.
    pub skills: BTreeSet<SkillId>,
    /// Who is not free.
    pub busy: BusyAgents,
}

impl Team {
    /// One without agents.
    pub fn nobody() -> &'static Self {
        static NOBODY: Team = Team {
            ready: BTreeSet::new(),
            at_work: 0,
            at_work_with: BTreeMap::new(),
            skills: BTreeSet::new(),
            busy: BusyAgents::none(),
        };
        &NOBODY
    }
}

pub(super) struct Agent {
    pub id: AgentId,
    pub skills: Vec<(SkillId, u8)>,
    pub state: AgentState,
    pub reason: Option<String>,
    /// Since when they are in this state.
    pub since: Time,
    /// The call they are on, or finishing.
    pub attempt: Option<AttemptId>,
    pub preview: Option<(GroupId, Box<HopperContact>)>,
    /// Whether they asked for a contact to preview.
    pub asked: bool,
    /// The group whose call they finish, or finished last.
    pub finishes_for: Option<GroupId>,
    /// What they do after the call.
    pub afterwards: Afterwards,
    /// When their present state ends by itself.
    pub deadline: Option<Time>,
    /// Wrap-up is over but not yet durable.
    pub is_saving: bool,
    /// Nobody sees what they are shown: their screen is gone.
    pub screen_is_gone: bool,
    /// Their definition is gone: they are forgotten as soon as they are logged out.
    pub is_removed: bool,
    /// Their telephone is held for the whole of a session: without that line they take no calls.
    pub needs_line: bool,
    pub line_is_up: bool,
    /// They said that they are ready, and are once their line stands.
    pub is_ready_with_line: bool,
    /// The call about which another agent consults them, or that was left to them: they get no other meanwhile.
    pub consulted_on: Option<AttemptId>,
    /// They are reserved for that alone.
    pub is_held: bool,
}

impl Agent {
    pub fn has_skill(&self, skill: SkillId) -> bool {
        self.skills.iter().any(|(own, _)| *own == skill)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Afterwards {
    Ready,
    NotReady(Option<String>),
    LogOut,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its attempt is not yet durable; nothing was placed.
    Recording,
    Dialling,
    Ringing,
    /// Picked up; it is not known by whom.
    Answered,
    /// It is known who picked up; a script is asked what to do.
    Deciding,
    /// Picked up by a person who waits for an agent.
    Waiting,
    /// An agent is being connected.
    Connecting,
    Talking,
    /// Hears the message for people whom no agent is free for.
    Message,
    /// Hears what the call is for.
    Announcement,
    /// We asked for its end.
    Ending,
    /// Over; the agent is finishing.
    WrapUp,
    /// Over and wrapped up; a post-call script is asked.
    Script,
}

impl Stage {
    pub fn rings(self) -> bool {
        matches!(self, Self::Recording | Self::Dialling | Self::Ringing)
    }

    /// Whether nobody knows yet whether an agent will be wanted.
    pub fn may_want_agent(self) -> bool {
        self.rings() || matches!(self, Self::Answered | Self::Deciding)
    }

    pub fn takes_a_line(self) -> bool {
        !matches!(self, Self::WrapUp | Self::Script)
    }
}

pub(super) struct Call {
    pub group: GroupId,
    pub contact: Box<HopperContact>,
    pub stage: Stage,
    /// When it was decided on.
    pub placed_at: Time,
    /// The number that it shows.
    pub caller_id: Option<PhoneNumber>,
    /// What kind of call it is.
    pub segment: Segment,
    pub agent: Option<AgentId>,
    /// When its stage ends by itself.
    pub deadline: Option<Time>,
    pub ringing_at: Option<Time>,
    pub answered_at: Option<Time>,
    pub connected_at: Option<Time>,
    pub detected: Option<super::io::Detected>,
    /// Whether it is to be found out who answers.
    pub detects: bool,
    /// It was dialled for an agent who was ready and whom nothing else counted on: one is kept for it while its stage
    /// [may want one](Stage::may_want_agent), and it may take one who is kept for another. So may a call whose agent's phone
    /// failed, and one whose called party asked for an agent.
    pub has_agent: bool,
    /// The result that it gets if we end it; known before the end.
    pub verdict: Option<CallResult>,
    /// Its number was suppressed before anybody picked up: the feed says whether and on which number its contact may be
    /// called.
    pub is_suppressed: bool,
    /// Pacing has not learned yet whether a person answers it.
    pub is_open: bool,
    /// Said by the agent before the call was over.
    pub disposal: Option<Disposal>,
    /// The result it ended with, during wrap-up.
    pub result: Option<CallResult>,
    /// When it ended.
    pub ended_at: Option<Time>,
    /// What a call without an agent is for.
    pub agentless: Option<AgentlessSettings>,
    /// Who picked up and what they heard.
    pub evidence: Evidence,
    /// When it was taken over from an earlier process; when what went before happened is not known.
    pub adopted_at: Option<Time>,
    /// When its message began.
    pub message_at: Option<Time>,
    /// The message was played to its end.
    pub message_ended: bool,
    /// The called party pressed the key for an agent.
    pub asked_for_agent: bool,
    /// The called party pressed the key to be called no more.
    pub opted_out: Option<OptOut>,
    /// The agent whom a callback that a script made is for.
    pub callback_with: Option<AgentId>,
    /// The open question to a post-call script, and the plan that it sees if there is one already.
    pub hook: Option<(u64, Option<Box<ContactPlanned>>)>,
    /// The open question about who picked up.
    pub deciding: Option<(u64, super::io::Detected)>,
    /// The name of its recording; none if it was not recorded so far.
    pub recording: Option<String>,
    /// Whether it is recorded now, or as soon as that is stored.
    pub is_recording: bool,
    /// Whom its agent consults.
    pub third: Option<Consultation>,
    /// How many were consulted so far.
    pub consultations: u32,
}

impl Call {
    /// A call to somebody of whom nothing is known but who it is for.
    pub fn new(
        group: GroupId,
        contact: Box<HopperContact>,
        stage: Stage,
        segment: Segment,
        placed_at: Time,
    ) -> Self {
        Self {
            group,
            contact,
            stage,
            placed_at,
            caller_id: None,
            segment,
            agent: None,
            deadline: None,
            ringing_at: None,
            answered_at: None,
            connected_at: None,
            detected: None,
            detects: true,
            has_agent: false,
            verdict: None,
            is_suppressed: false,
            is_open: true,
            disposal: None,
            result: None,
            ended_at: None,
            agentless: None,
            evidence: Evidence::default(),
            adopted_at: None,
            message_at: None,
            message_ended: false,
            asked_for_agent: false,
            opted_out: None,
            callback_with: None,
            hook: None,
            deciding: None,
            recording: None,
            is_recording: false,
            third: None,
            consultations: 0,
        }
    }
}

/// A third party whom an agent consults.
pub(super) struct Consultation {
    /// Which one of the call, from 1: the fence of what is heard of it.
    pub number: u32,
    pub whom: ThirdParty,
    pub is_answered: bool,
}

impl Consultation {
    /// The agent who is consulted, if it is one.
    pub fn agent(&self) -> Option<AgentId> {
        if let ThirdParty::Agent(agent) = self.whom { Some(agent) } else { None }
    }
}

/// A call that its agent left to a third party.
pub(super) struct Left {
    pub group: GroupId,
    pub contact: ContactId,
    /// Who left it.
    pub by: Option<AgentId>,
    /// The agent whom it was left to, if it is one.
    pub to: Option<AgentId>,
    /// What became of the transfer was told.
    pub is_told: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Disposal {
    pub disposition: Option<String>,
    pub notes: Option<String>,
    pub callback_at: Option<Time>,
    /// Whether the agent wants to make that call themselves.
    pub callback_is_mine: bool,
}

impl Disposal {
    /// What was said now on top of what was said before: another disposition replaces the one before with its callback,
    /// and notes stay unless there are others.
    pub fn added_to(self, before: &Self) -> Self {
        let keeps_callback = self.disposition.is_none() && self.callback_at.is_none();
        let (callback_at, callback_is_mine) = if keeps_callback {
            (before.callback_at, before.callback_is_mine)
        } else {
            (self.callback_at, self.callback_is_mine)
        };
        Self {
            disposition: self.disposition.or_else(|| before.disposition.clone()),
            notes: self.notes.or_else(|| before.notes.clone()),
            callback_at,
            callback_is_mine,
        }
    }
}
