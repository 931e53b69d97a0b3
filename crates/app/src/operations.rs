//! Running campaign groups, taking calls, and hearing of what happens.

use engine::{Actor, AgentId, DialMode, GroupAction, GroupId, GroupState};
use schemars::JsonSchema;
use serde::Serialize;
use store::{events, lease};

use crate::access::{Permission, Principal, Role};
use crate::audit::{self, Action};
use crate::floor::{AgentSession, GroupLive, LiveView};
use crate::model::{CampaignGroupBody, Definition};
use crate::{App, AppError};

/// Events in a page at most.
pub const EVENTS_MAX: u32 = 1000;

/// A campaign group's state, stored and live.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct GroupStatus {
    /// Which.
    pub group: GroupId,
    /// Where it is in its life.
    pub state: GroupState,
    /// What it does now, if this node runs it.
    pub live: Option<GroupLive>,
}

/// Something that happened, as told to other systems.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct EventView {
    /// Its place in the tenant's sequence, from 1, without gaps.
    pub seq: i64,
    /// When it happened.
    pub at: String,
    /// What happened, such as `attempt.ended`.
    pub kind: String,
    /// The particulars.
    #[schemars(with = "serde_json::Value")]
    pub body: Box<serde_json::value::RawValue>,
}

/// As whom other systems are told of what a caller did.
fn actor_of(who: &Principal) -> Actor {
    match who.role {
        Role::Admin | Role::Supervisor => Actor::Client,
        Role::Integration | Role::Agent => Actor::ThirdParty,
    }
}

/// A dial mode with an action that would pass it over.
pub(crate) fn dial_mode_is_out_of_place(field: &str) -> AppError {
    let message = "a dial_mode goes with the actions start and set_dial_mode: leave it out";
    AppError::invalid("unexpected_field", field, message)
}

impl App {
    /// Asks something of a campaign group.
    ///
    /// # Errors
    /// The caller may not, there is no such group, its state does not allow the action, or a dial mode is missing or does
    /// not go with it.
    pub async fn act_on_group(
        &self,
        who: &Principal,
        group: GroupId,
        action: GroupAction,
        dial_mode: Option<DialMode>,
    ) -> Result<GroupState, AppError> {
        who.may(Permission::Operate)?;
        if action == GroupAction::SetDialMode && dial_mode.is_none() {
            return Err(AppError::invalid("missing", "dial_mode", "set_dial_mode needs a dial_mode"));
        }
        if dial_mode.is_some() && !action.takes_dial_mode() {
            return Err(dial_mode_is_out_of_place("dial_mode"));
        }
        self.get::<CampaignGroupBody>(who, group.0).await?;
        // Noted first: whatever happens in between, nothing is done unseen.
        self.note_act(who, group, serde_json::json!({ "action": action, "dial_mode": dial_mode })).await?;
        let acted = self.floor.act(who.tenant, group, action, dial_mode, actor_of(who)).await;
        if let Err(error) = &acted {
            let refused = serde_json::json!({ "action": action, "refused": error.code() });
            if let Err(error) = self.note_act(who, group, refused).await {
                tracing::warn!(%group, %error, "the audit log does not tell that an action was refused");
            }
        }
        acted
    }

    async fn note_act(
        &self,
        who: &Principal,
        group: GroupId,
        after: serde_json::Value,
    ) -> Result<(), AppError> {
        let (who, now) = (who.clone(), self.clock.now());
        let audit_id = self.ids.next(now);
        self.write(move |tx| {
            let (kind, target) = (CampaignGroupBody::KIND, Some(group.0));
            audit::note(tx, &who, audit_id, now, Action::Act, kind, target, None, Some(after.clone()))
        })
        .await
    }

    /// A campaign group's state.
    ///
    /// # Errors
    /// The caller may not see it, or there is none.
    pub async fn group_status(&self, who: &Principal, group: GroupId) -> Result<GroupStatus, AppError> {
        self.get::<CampaignGroupBody>(who, group.0).await?;
        let stored = self.read(move |tx| Ok(lease::stored_state(tx, group)?)).await?;
        let live = self.floor.live(who.tenant).await?.groups.into_iter().find(|live| live.now.group == group);
        let state = live.as_ref().map_or(stored, |live| live.now.state);
        Ok(GroupStatus { group, state, live })
    }

    /// What the tenant's groups and agents do now.
    ///
    /// # Errors
    /// The caller may not see it.
    pub async fn live(&self, who: &Principal) -> Result<LiveView, AppError> {
        who.may(Permission::Read)?;
        self.floor.live(who.tenant).await
    }

    /// Opens an agent's session.
    ///
    /// # Errors
    /// The caller may not take calls as that agent, or there is none.
    pub async fn agent_session(&self, who: &Principal, agent: AgentId) -> Result<AgentSession, AppError> {
        who.may_be(agent)?;
        self.floor.agent_session(who.tenant, agent).await
    }

    /// The tenant's events after one, in the order in which they became durable.
    ///
    /// # Errors
    /// The caller may not see them.
    pub async fn events_after(
        &self,
        who: &Principal,
        seq: i64,
        limit: u32,
    ) -> Result<Vec<EventView>, AppError> {
        who.may(Permission::Read)?;
        let tenant = who.tenant;
        self.read(move |tx| {
            let events = events::read_after(tx, tenant, seq, limit.clamp(1, EVENTS_MAX))?;
            let view = |event: events::Event| EventView {
                seq: event.seq,
                at: event.at.to_rfc3339(),
                kind: event.kind,
                body: event.body,
            };
            Ok(events.into_iter().map(view).collect())
        })
        .await
    }

    /// The number of the tenant's latest event; 0 before the first.
    ///
    /// # Errors
    /// The caller may not see them.
    pub async fn last_event(&self, who: &Principal) -> Result<i64, AppError> {
        who.may(Permission::Read)?;
        let tenant = who.tenant;
        self.read(move |tx| Ok(events::last(tx, tenant)?)).await
    }
}
