//! What goes into the engine and what comes out.

mod agents;
mod hooks;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::call_result::CallResult;
use crate::caller_id::{CallerIdState, ShownSoFar};
use crate::change::ChangeSet;
use crate::contact::HopperContact;
use crate::group::{ActionRefused, Actor, GroupAction, GroupState};
use crate::ids::{AgentId, AttemptId, CampaignId, GroupId, MessageId, SkillId};
use crate::pacing::SlotCount;
use crate::phone::PhoneNumber;
use crate::settings::{CampaignRules, DialMode, GroupSettings};
use crate::time::Time;

pub use agents::{AgentEvent, AgentNotice, CallControl, ConsultationState, PartyEnd, ThirdParty};
pub use hooks::{
    CallOver, EndingChanges, Hook, HookRequest, HookVerdict, NextStep, PickedUp, PreCallVerdict,
};

/// Something the engine is told.
#[derive(Clone, Debug)]
pub enum Input {
    /// A user or the system asks for something.
    Command(Command),
    /// The answer to [`Output::Fetch`].
    Contacts {
        /// Which group asked.
        group: GroupId,
        /// The fence of the question; an answer to an older one is given back.
        fence: u64,
        /// Contacts now claimed for the group.
        contacts: Vec<HopperContact>,
        /// What is left.
        supply: Supply,
    },
    /// [`Output::Fetch`] could not be answered; it is asked again a little later.
    FetchFailed {
        /// Which group asked.
        group: GroupId,
        /// The fence of the question.
        fence: u64,
    },
    /// Contacts were added or became callable: a group that found none need not wait to look again.
    MoreContacts {
        /// Which group.
        group: GroupId,
    },
    /// Attempts that a crash left unfinished, to be settled before the group dials. Told after every
    /// [`Command::PutGroup`] of a group that was not known, also without attempts: a group that was coming to rest
    /// goes on doing so from then on.
    Recovered {
        /// Which group.
        group: GroupId,
        /// The attempts.
        attempts: Vec<Unfinished>,
    },
    /// Something happened to a call.
    Call {
        /// Which.
        attempt: AttemptId,
        /// What.
        event: CallEvent,
    },
    /// An agent did something.
    Agent {
        /// Who.
        agent: AgentId,
        /// What.
        event: AgentEvent,
    },
    /// An agent's line stands or is gone.
    Line {
        /// Whose.
        agent: AgentId,
        /// Whether it stands.
        is_up: bool,
    },
    /// The answer to [`Output::RunHook`].
    Hook {
        /// Which group asked.
        group: GroupId,
        /// The question's number; an answer to a question that is no longer open is ignored.
        question: u64,
        /// What the script said.
        verdict: HookVerdict,
    },
    /// The changes under this ticket are durable.
    Stored {
        /// The set's ticket.
        ticket: u64,
    },
    /// The changes under this ticket were refused for good: the group's lease is another's.
    NotStored {
        /// The set's ticket.
        ticket: u64,
    },
    /// The group's lease is another's, or has to be taken afresh: whatever is held of it is to be let go of.
    LeaseLost {
        /// Which group.
        group: GroupId,
    },
    /// The switch cannot be reached: place no calls.
    LinesLost,
    /// The switch can be reached again.
    LinesBack,
    /// Numbers that were put on a suppression list of this group just now.
    Suppressed {
        /// Which group.
        group: GroupId,
        /// The numbers.
        numbers: BTreeSet<PhoneNumber>,
    },
    /// The instant of [`crate::Engine::next_wake`] has come.
    Woken,
}

/// Something that is asked for.
#[derive(Clone, Debug)]
pub enum Command {
    /// Makes a group known or gives it other settings. Its state is taken only if it was not known.
    PutGroup(Box<GroupDefinition>),
    /// Makes an agent known or gives them other skills.
    PutAgent(AgentDefinition),
    /// Makes all pools of caller ids known as they are now.
    PutCallerIds(CallerIdState),
    /// Tells how often numbers were shown by then, also by calls of other engines.
    CallerIdsShown {
        /// When that was read.
        read_at: Time,
        /// Numbers that were shown on that day.
        shown: Vec<ShownSoFar>,
    },
    /// Forgets an agent, once they are logged out.
    RemoveAgent(AgentId),
    /// Asks something of a group; answered with [`Output::Answer`].
    Act {
        /// Which group.
        group: GroupId,
        /// What.
        action: GroupAction,
        /// The dial mode, with [`GroupAction::SetDialMode`] and [`GroupAction::Start`].
        dial_mode: Option<DialMode>,
        /// Who asks.
        actor: Actor,
        /// Named in the answer.
        reply: u64,
    },
}

/// A campaign group as the engine knows it.
#[derive(Clone, Debug)]
pub struct GroupDefinition {
    /// Its GUID.
    pub group: GroupId,
    /// What it calls for.
    pub campaign: CampaignId,
    /// The skill of the agents that serve it.
    pub skill: SkillId,
    /// Its settings.
    pub settings: GroupSettings,
    /// Its campaign's rules.
    pub rules: Arc<CampaignRules>,
    /// Where it is in its life.
    pub state: GroupState,
    /// What was counted of its campaign's answered calls so far.
    pub answered: AnsweredCalls,
}

/// The answered calls of a campaign so far, by which the law limits abandoned ones.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AnsweredCalls {
    /// When the campaign's first call was answered; none if none was.
    pub since: Option<Time>,
    /// The counts of the last [`crate::pacing::budget::DAYS_KEPT`] days.
    pub slots: Vec<SlotCount>,
}

/// An agent as the engine knows them.
#[derive(Clone, Debug)]
pub struct AgentDefinition {
    /// Who.
    pub agent: AgentId,
    /// Their skills, each with a proficiency from 1 (least) to 100.
    pub skills: Vec<(SkillId, u8)>,
    /// Whether their telephone is held for the whole of a session, so that they take calls only while it is.
    pub needs_line: bool,
}

/// What is left to call for a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Supply {
    /// Whether any contact of the campaign is not final, those of this group's own hopper and calls left out.
    pub any_left: bool,
    /// When the next contact becomes callable, as far as known: the earliest retry or opening.
    pub next_due: Option<Time>,
}

/// An attempt that a crash left unfinished.
#[derive(Clone, Debug)]
pub struct Unfinished {
    /// The attempt.
    pub attempt: AttemptId,
    /// Its contact, as it was before the attempt.
    pub contact: HopperContact,
    /// How it had ended, if that was known.
    pub result: Option<CallResult>,
    /// Its call, if it is still up on the switch.
    pub live: Option<LiveCall>,
    /// The name of its recording; none if it was not recorded so far.
    pub recording: Option<String>,
}

/// A call that outlived the process that placed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveCall {
    /// Whether it was picked up.
    pub is_answered: bool,
    /// The agent it is connected with.
    pub agent: Option<AgentId>,
}

/// What can happen to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallEvent {
    /// It rings.
    Ringing,
    /// It was picked up.
    Answered,
    /// Who picked it up.
    Detected(Detected),
    /// The agent is connected.
    Connected,
    /// The agent's phone could not be connected.
    AgentFailed,
    /// The message was played to its end.
    MessageEnded,
    /// The message is heard from now on.
    MessageBegan,
    /// The message could not be played: nothing of it was heard.
    MessageFailed,
    /// The agent left it to a third party.
    AgentLeft,
    /// Whoever is consulted under this number has answered.
    ThirdAnswered(u32),
    /// Whoever was consulted under this number is not there any more, or never was.
    ThirdGone(u32, PartyEnd),
    /// Whom the agent left it to is with the called party.
    Transferred,
    /// Whom the agent left it to could not be had; the call ends.
    TransferFailed(PartyEnd),
    /// The called party pressed a key: `0` to `9`, `*`, `#`, `A` to `D`.
    Digit(char),
    /// It is over.
    Ended(CallEnd),
}

/// Who picked a call up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Detected {
    /// A person.
    Person,
    /// Detection came to no conclusion: it could be a person.
    Unsure,
    /// An answering machine.
    Machine,
    /// A fax.
    Fax,
    /// Nobody was heard.
    Silence,
}

impl Detected {
    const ALL: [Self; 5] = [Self::Person, Self::Unsure, Self::Machine, Self::Fax, Self::Silence];

    /// The number stored for it.
    pub fn code(self) -> i64 {
        self as i64
    }

    /// From the stored number.
    pub fn from_code(code: i64) -> Option<Self> {
        Self::ALL.get(usize::try_from(code).ok()?).copied()
    }
}

/// How a call was ended on the network's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallEnd {
    /// The called party hung up.
    ByCalledParty,
    /// We hung up.
    ByUs,
    /// It was never answered, or could not be placed; with the network's reason.
    NotAnswered(CallResult),
}

/// Something the engine wants done.
#[derive(Clone, Debug)]
pub enum Output {
    /// Store these changes, in this order with other sets, then say [`Input::Stored`].
    Persist(ChangeSet),
    /// Claim contacts for a group, then say [`Input::Contacts`].
    Fetch {
        /// For which group.
        group: GroupId,
        /// To be named in the answer.
        fence: u64,
        /// How many at most.
        wanted: u32,
        /// Only contacts to whom a call was promised.
        callbacks_only: bool,
    },
    /// Ask a server script, then say [`Input::Hook`]. It is answered in any case: a script that cannot be run or does
    /// not answer in time has failed.
    RunHook(HookRequest),
    /// Place a call. Its attempt is durable.
    Dial(DialRequest),
    /// Withdraw or end a call.
    HangUp(AttemptId),
    /// Connect an answered call to an agent.
    Connect {
        /// The call.
        attempt: AttemptId,
        /// The agent.
        agent: AgentId,
    },
    /// Ring an agent's telephone and hold the line; then say [`Input::Line`].
    OpenLine(AgentId),
    /// Hang an agent's line up.
    CloseLine(AgentId),
    /// Ring a third party for the agent of a call, while the called party waits; then say
    /// [`CallEvent::ThirdAnswered`] or [`CallEvent::ThirdGone`].
    Consult {
        /// The call.
        attempt: AttemptId,
        /// Which consultation of the call it is, to be named in the answers.
        number: u32,
        /// Who is rung.
        whom: ThirdParty,
    },
    /// Do something on a connected call; not `Record` and `StopRecording`, which are [`Output::Record`], and not
    /// `Consult`.
    Control {
        /// The call.
        attempt: AttemptId,
        /// What.
        control: CallControl,
    },
    /// Record a connected call from now on, or pause.
    Record {
        /// The call.
        attempt: AttemptId,
        /// Under which name.
        name: String,
        /// Whether to record or to pause. Recorded again after a pause, it goes on under the same name.
        is_on: bool,
    },
    /// Play a message to both parties of a connected call, beside what they say.
    Announce {
        /// The call.
        attempt: AttemptId,
        /// What to play.
        message: MessageId,
    },
    /// Play a message on an answered call, in place of one that plays.
    Play {
        /// The call.
        attempt: AttemptId,
        /// For which group.
        group: GroupId,
        /// What.
        what: Playing,
    },
    /// Tell an agent's screen.
    Tell {
        /// Whose.
        agent: AgentId,
        /// What.
        notice: AgentNotice,
    },
    /// The answer to [`Command::Act`].
    Answer {
        /// As named in the command.
        reply: u64,
        /// The group's state now, or why not.
        outcome: Result<GroupState, ActionRefused>,
    },
    /// The group is at rest: its lease can be given up.
    AtRest(GroupId),
}

/// What is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Playing {
    /// What people hear whom no agent is free for; without a message of the campaign it is the switch's own.
    SafeHarbour(Option<MessageId>),
    /// What the call is for.
    Message(MessageId),
}

/// A call to be placed.
#[derive(Clone, Debug, PartialEq)]
pub struct DialRequest {
    /// The attempt; also the channel's id on the switch.
    pub attempt: AttemptId,
    /// For which group.
    pub group: GroupId,
    /// The number to call.
    pub number: PhoneNumber,
    /// The number to show.
    pub caller_id: Option<PhoneNumber>,
    /// How long it may ring.
    pub ring_timeout: Duration,
    /// Which attempt on the contact it is, from 1.
    pub attempt_number: u16,
    /// Whether to find out who answers; if not, every answer counts as a person's.
    pub detects: bool,
}

/// Why the engine wants to be woken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum WakeReason {
    /// A call has been in its stage for as long as it may.
    CallDeadline(AttemptId),
    /// An agent has been in their state for as long as they may.
    AgentDeadline(AgentId),
    /// A group may find contacts now.
    Feed(GroupId),
    /// A group may place its next call.
    CallRate(GroupId),
    /// A callback has waited for its agent for as long as it may.
    Promises(GroupId),
    /// Agents who were busy may be free soon: pacing looks again.
    Pacing(GroupId),
    /// A number that a group may show is free again.
    CallerIds(GroupId),
}
