//! Schedules and sequences: what happens to campaign groups by itself.

mod schedules;
mod sequences;

use std::sync::Arc;
use std::time::Duration;

use engine::time::rfc3339;
use engine::{Actor, DialMode, GroupAction, GroupId, GroupState, TenantId, Time};
use schemars::JsonSchema;
use serde::Serialize;
use store::lease;
use store::records::schedules::{self as rows, PlannedRun, RunCursor};
use uuid::Uuid;

pub use schedules::NextRun;
pub use sequences::SequenceView;

use crate::access::{Permission, Principal};
use crate::paging::{Listing, PageRequest};
use crate::{App, AppError};

/// How often it is looked what is to be done, in real time.
const EVERY: Duration = Duration::from_secs(1);

/// Something that a schedule or sequence did or left.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PlannedRunView {
    /// When it was due.
    #[serde(with = "rfc3339")]
    #[schemars(with = "String")]
    pub due: Time,
    /// Which of its steps, from 0.
    pub step: u32,
    /// With which campaign group.
    pub group: GroupId,
    /// What was asked of it.
    pub action: String,
    /// `started`, `done`, `refused` or `missed`.
    pub outcome: String,
    /// Why it was refused or missed.
    pub detail: Option<String>,
    /// When.
    #[serde(with = "rfc3339")]
    #[schemars(with = "String")]
    pub at: Time,
}

impl From<PlannedRun> for PlannedRunView {
    fn from(run: PlannedRun) -> Self {
        let PlannedRun { due, step, group, action, outcome, detail, at, .. } = run;
        Self { due, step, group, action, outcome, detail, at }
    }
}

/// Does what schedules and sequences want done. Runs until dropped.
pub(crate) async fn keep(app: Arc<App>) {
    loop {
        if let Err(error) = app.follow_plans().await {
            tracing::warn!(%error, "schedules and sequences could not be followed; trying again");
        }
        tokio::time::sleep(EVERY).await;
    }
}

impl App {
    /// Does what schedules and sequences want done at this moment. It happens every second by itself.
    ///
    /// # Errors
    /// The tenants cannot be read. What fails for one of them is in the log, and keeps no other from its plans.
    pub async fn follow_plans(&self) -> Result<(), AppError> {
        for tenant in self.read(|tx| Ok(rows::tenants(tx)?)).await? {
            if let Err(error) = self.follow_schedules(tenant).await {
                tracing::warn!(%tenant, %error, "a tenant's schedules could not be followed; trying again");
            }
            if let Err(error) = self.follow_sequences(tenant).await {
                tracing::warn!(%tenant, %error, "a tenant's sequences could not be followed; trying again");
            }
        }
        Ok(())
    }

    /// What a schedule or sequence did, the newest first.
    ///
    /// # Errors
    /// The caller may not.
    pub async fn planned_runs(
        &self,
        who: &Principal,
        plan: Uuid,
        page: &PageRequest,
    ) -> Result<Listing<PlannedRunView>, AppError> {
        who.may(Permission::Read)?;
        let (tenant, page) = (who.tenant, page.read::<RunCursor>()?);
        let found = self.read(move |tx| Ok(rows::runs(tx, tenant, plan, &page)?)).await?;
        Ok(Listing::of(found, PlannedRunView::from))
    }

    async fn stored_group_state(&self, group: GroupId) -> Result<GroupState, AppError> {
        self.read(move |tx| Ok(lease::stored_state(tx, group)?)).await
    }

    /// Whether this node may ask something of a group: a loaded one heeds the node alone that holds its lease.
    async fn is_ours_to_ask(&self, group: GroupId) -> Result<bool, AppError> {
        let (state, holder) = self.read(move |tx| Ok(lease::stored_holder(tx, group)?)).await?;
        Ok(state == GroupState::NotLoaded || holder == Some(self.floor.node()))
    }

    /// Asks something of a group on behalf of a plan; where it is that already, nothing.
    async fn ask_group(
        &self,
        tenant: TenantId,
        group: GroupId,
        action: GroupAction,
        dial_mode: Option<DialMode>,
        actor: Actor,
    ) -> Result<(), AppError> {
        let state = self.stored_group_state(group).await?;
        let is_so = match action {
            GroupAction::Load => state != GroupState::NotLoaded,
            GroupAction::Start => state == GroupState::Running && dial_mode.is_none(),
            GroupAction::Stop => matches!(state, GroupState::NotLoaded | GroupState::Active),
            GroupAction::Unload | GroupAction::ForceUnload => state == GroupState::NotLoaded,
            GroupAction::SetDialMode => false,
        };
        if is_so {
            return Ok(());
        }
        self.floor.act(tenant, group, action, dial_mode, actor).await.map(drop)
    }
}

/// Whether what was refused may be done if it is asked for again, here or by another node.
fn passes(error: &AppError) -> bool {
    match error {
        AppError::Unanswered(_) | AppError::Store(store::StoreError::CommitUnknown) => true,
        AppError::Conflict { code, .. } => *code == "held_elsewhere",
        other => other.is_passing(),
    }
}
