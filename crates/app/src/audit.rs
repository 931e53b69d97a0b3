//! Who changed what.

use engine::Time;
use store::Tx;
use store::records::audit::{self as rows, AuditCursor, AuditEntry, AuditFilter};
use store::records::{Page, Rows};
use uuid::Uuid;

use crate::access::{Permission, Principal};
use crate::{App, AppError};

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Create,
    Update,
    Delete,
    Revoke,
    LogIn,
    Act,
    Add,
    Remove,
    Close,
    Import,
    Cancel,
}

impl Action {
    fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Revoke => "revoke",
            Self::LogIn => "log_in",
            Self::Act => "act",
            Self::Add => "add",
            Self::Remove => "remove",
            Self::Close => "close",
            Self::Import => "import",
            Self::Cancel => "cancel",
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

impl App {
    /// Who changed what, the newest first.
    ///
    /// # Errors
    /// The caller may not see it.
    pub async fn audit(
        &self,
        who: &Principal,
        actor: Option<String>,
        target: Option<Uuid>,
        page: Page<AuditCursor>,
    ) -> Result<Rows<AuditEntry, AuditCursor>, AppError> {
        who.may(Permission::Administer)?;
        let tenant = who.tenant;
        self.read(move |tx| {
            let filter = AuditFilter { actor: actor.as_deref(), target_kind: None, target };
            Ok(rows::page(tx, tenant, filter, &page)?)
        })
        .await
    }
}
