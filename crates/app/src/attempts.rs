//! The history of attempts.

use engine::change::Evidence;
use engine::time::{rfc3339, rfc3339_option};
use engine::{
    AgentId, AttemptId, CallResult, CampaignId, ContactId, DialMode, GroupId, PhoneNumber, Time,
    TransferOutcome,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::records::attempts::{self as rows, Attempt, AttemptCursor, AttemptFilter, AttemptState};

use crate::access::{Permission, Principal};
use crate::paging::{Listing, PageRequest};
use crate::{App, AppError};

/// How far an attempt is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AttemptStage {
    /// Its call may be up.
    Open,
    /// Its call is over, its contact has no plan yet.
    Ended,
    /// Done with.
    Settled,
}

/// One dial of one phone.
#[derive(Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "Attempt")]
pub struct AttemptView {
    /// Which.
    pub id: AttemptId,
    /// For which campaign.
    pub campaign: CampaignId,
    /// For which campaign group.
    pub group: GroupId,
    /// Who was called.
    pub contact: ContactId,
    /// On which of their numbers, by its position.
    pub phone: u8,
    /// The number itself.
    pub number: PhoneNumber,
    /// Which attempt on the contact it was, from 1.
    pub attempt_number: u16,
    /// How the group dialled.
    pub dial_mode: DialMode,
    /// The number shown.
    pub caller_id: Option<PhoneNumber>,
    /// The agent it was for, or who was connected.
    pub agent: Option<AgentId>,
    /// How far it is.
    pub state: AttemptStage,
    /// When it was decided.
    #[serde(with = "rfc3339")]
    #[schemars(with = "String")]
    pub started_at: Time,
    /// When it began to ring.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<String>")]
    pub ringing_at: Option<Time>,
    /// When it was picked up.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<String>")]
    pub answered_at: Option<Time>,
    /// When the agent was connected.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<String>")]
    pub connected_at: Option<Time>,
    /// When the call was over.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<String>")]
    pub ended_at: Option<Time>,
    /// When the contact had its plan.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<String>")]
    pub settled_at: Option<Time>,
    /// How it ended.
    pub result: Option<CallResult>,
    /// What the agent said it was.
    pub disposition: Option<String>,
    /// The agent's notes.
    pub notes: Option<String>,
    /// Who picked up and what they heard without an agent; told when the call is over.
    pub evidence: Evidence,
    /// What became of the call after its agent left it to somebody else; null if they did not, or before it is known.
    pub transfer: Option<TransferView>,
}

/// What became of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "Transfer")]
pub struct TransferView {
    /// What.
    pub outcome: TransferOutcome,
    /// When that was known.
    #[serde(with = "rfc3339")]
    #[schemars(with = "String")]
    pub at: Time,
}

/// Shows no personal data.
impl std::fmt::Debug for AttemptView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AttemptView")
            .field("id", &self.id)
            .field("result", &self.result)
            .finish_non_exhaustive()
    }
}

impl From<Attempt> for AttemptView {
    fn from(attempt: Attempt) -> Self {
        Self {
            id: attempt.id,
            campaign: attempt.campaign,
            group: attempt.group,
            contact: attempt.contact,
            phone: attempt.phone,
            number: attempt.number,
            attempt_number: attempt.attempt_number,
            dial_mode: attempt.dial_mode,
            caller_id: attempt.caller_id,
            agent: attempt.agent,
            state: match attempt.state {
                AttemptState::Open => AttemptStage::Open,
                AttemptState::Ended => AttemptStage::Ended,
                AttemptState::Settled => AttemptStage::Settled,
            },
            started_at: attempt.started_at,
            ringing_at: attempt.ringing_at,
            answered_at: attempt.answered_at,
            connected_at: attempt.connected_at,
            ended_at: attempt.ended_at,
            settled_at: attempt.settled_at,
            result: attempt.result,
            disposition: attempt.disposition,
            notes: attempt.notes,
            evidence: attempt.evidence,
            transfer: attempt.transfer.map(|(outcome, at)| TransferView { outcome, at }),
        }
    }
}

/// Which attempts are wanted; what is not given does not matter.
#[derive(Clone, Copy, Debug, Default)]
pub struct AttemptQuery {
    /// Of this campaign.
    pub campaign: Option<CampaignId>,
    /// Of this group.
    pub group: Option<GroupId>,
    /// On this contact.
    pub contact: Option<ContactId>,
    /// Of this agent.
    pub agent: Option<AgentId>,
    /// Started at this instant or later.
    pub since: Option<Time>,
    /// Started before this instant.
    pub until: Option<Time>,
    /// That ended like this.
    pub result: Option<CallResult>,
}

impl App {
    /// Attempts, the newest first, page by page.
    ///
    /// # Errors
    /// The caller may not.
    pub async fn attempts(
        &self,
        who: &Principal,
        query: AttemptQuery,
        page: &PageRequest,
    ) -> Result<Listing<AttemptView>, AppError> {
        who.may(Permission::Read)?;
        let (tenant, page) = (who.tenant, page.read::<AttemptCursor>()?);
        let AttemptQuery { campaign, group, contact, agent, since, until, result } = query;
        let filter = AttemptFilter { campaign, group, contact, agent, since, until, result };
        let found = self.read(move |tx| Ok(rows::page(tx, tenant, &filter, &page)?)).await?;
        Ok(Listing::of(found, AttemptView::from))
    }

    /// An attempt.
    ///
    /// # Errors
    /// The caller may not, or there is none.
    pub async fn attempt(&self, who: &Principal, attempt: AttemptId) -> Result<AttemptView, AppError> {
        who.may(Permission::Read)?;
        let tenant = who.tenant;
        let found = self.read(move |tx| Ok(rows::get(tx, tenant, attempt)?)).await?;
        found.map(AttemptView::from).ok_or_else(|| AppError::not_found("attempt", attempt))
    }
}
