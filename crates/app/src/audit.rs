//! Who changed what.

use engine::Time;
use engine::time::rfc3339;
use schemars::JsonSchema;
use serde::Serialize;
use store::Tx;
use store::records::audit::{self as rows, AuditEntry, AuditFilter};
use uuid::Uuid;

use crate::access::{Permission, Principal};
use crate::paging::{Listing, PageRequest};
use crate::{App, AppError};

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Create,
    Update,
    Delete,
    Revoke,
    LogIn,
    LogInFailed,
    Act,
    Add,
    Remove,
    Close,
    Import,
    Cancel,
    Play,
}

impl Action {
    fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Revoke => "revoke",
            Self::LogIn => "log_in",
            Self::LogInFailed => "log_in_failed",
            Self::Act => "act",
            Self::Add => "add",
            Self::Remove => "remove",
            Self::Close => "close",
            Self::Import => "import",
            Self::Cancel => "cancel",
            Self::Play => "play",
        }
    }
}

/// Notes what was done, in the transaction that does it.
#[expect(clippy::too_many_arguments, reason = "each is a column, and every caller has them at hand")]
pub(crate) fn note(
    tx: &mut Tx<'_>,
    who: &Principal,
    id: Uuid,
    at: Time,
    action: Action,
    target_kind: &str,
    target: Option<Uuid>,
    before: Option<serde_json::Value>,
    after: Option<serde_json::Value>,
) -> Result<(), AppError> {
    let entry = AuditEntry {
        id,
        tenant: who.tenant,
        at,
        actor: who.actor.clone(),
        action: action.name().to_owned(),
        target_kind: target_kind.to_owned(),
        target,
        before,
        after,
    };
    Ok(rows::add(tx, &entry)?)
}

/// An entry of the audit log.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct AuditView {
    /// Which.
    pub id: Uuid,
    /// When.
    #[serde(with = "rfc3339")]
    #[schemars(with = "String")]
    pub at: Time,
    /// Who: a user, a key, or the operator at the command line.
    pub actor: String,
    /// What they did.
    pub action: String,
    /// To what kind of thing.
    pub target_kind: String,
    /// To which.
    pub target: Option<Uuid>,
    /// How it was.
    pub before: Option<serde_json::Value>,
    /// How it became.
    pub after: Option<serde_json::Value>,
}

impl From<AuditEntry> for AuditView {
    fn from(entry: AuditEntry) -> Self {
        Self {
            id: entry.id,
            at: entry.at,
            actor: entry.actor,
            action: entry.action,
            target_kind: entry.target_kind,
            target: entry.target,
            before: entry.before,
            after: entry.after,
        }
    }
}

impl App {
    /// Who changed what, the newest first; of one thing alone if `target` names it.
    ///
    /// # Errors
    /// The caller may not see it.
    pub async fn audit(
        &self,
        who: &Principal,
        target: Option<Uuid>,
        page: &PageRequest,
    ) -> Result<Listing<AuditView>, AppError> {
        who.may(Permission::Administer)?;
        let (tenant, page) = (who.tenant, page.read()?);
        self.read(move |tx| {
            let filter = AuditFilter { actor: None, target_kind: None, target };
            Ok(Listing::of(rows::page(tx, tenant, filter, &page)?, AuditView::from))
        })
        .await
    }
}
