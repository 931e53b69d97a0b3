//! The versions of a script: read, and made the present one again.

use engine::time::rfc3339;
use engine::{TenantId, Time};
use schemars::JsonSchema;
use serde::Serialize;
use store::Tx;
use store::records::definitions::{self as definition_rows};
use store::records::script_versions::{self as rows, NewVersion, VersionHead};
use uuid::Uuid;

use crate::access::{Permission, Principal};
use crate::definitions::load;
use crate::model::{Definition, ScriptBody, Stored};
use crate::paging::{Listing, PageRequest};
use crate::{App, AppError};

/// A version of a script in the list of them.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ScriptVersion {
    /// Its number, from 1.
    pub version: i64,
    /// What the script was called.
    pub name: String,
    /// Who made it: a user, a key, or the operator at the command line; null if that is not known.
    pub made_by: Option<String>,
    /// When.
    #[serde(with = "rfc3339")]
    #[schemars(with = "String")]
    pub made_at: Time,
}

/// A version of a script.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ScriptVersionView {
    /// Which, who made it and when.
    #[serde(flatten)]
    pub head: ScriptVersion,
    /// The script as it was.
    pub script: ScriptBody,
}

impl From<VersionHead> for ScriptVersion {
    fn from(head: VersionHead) -> Self {
        let VersionHead { version, name, actor, made_at } = head;
        Self { version, name, made_by: actor, made_at }
    }
}

impl App {
    /// The versions of a script, the newest first. The script is given by its id or its name.
    ///
    /// # Errors
    /// The caller may not, or there is no such script.
    pub async fn script_versions(
        &self,
        who: &Principal,
        script: &str,
        page: &PageRequest,
    ) -> Result<Listing<ScriptVersion>, AppError> {
        who.may(Permission::Read)?;
        let (tenant, script, page) = (who.tenant, script.to_owned(), page.read::<i64>()?);
        let found = self
            .read(move |tx| {
                let script = by_id_or_name(tx, tenant, &script)?;
                Ok(rows::list(tx, tenant, script.id, &page)?)
            })
            .await?;
        Ok(Listing::of(found, ScriptVersion::from))
    }

    /// One version of a script.
    ///
    /// # Errors
    /// The caller may not, or there is no such script or version.
    pub async fn script_version(
        &self,
        who: &Principal,
        script: &str,
        version: i64,
    ) -> Result<ScriptVersionView, AppError> {
        who.may(Permission::Read)?;
        let (tenant, script) = (who.tenant, script.to_owned());
        self.read(move |tx| {
            let script = by_id_or_name(tx, tenant, &script)?;
            of(tx, tenant, script.id, version)
        })
        .await
    }

    /// Makes a new version of a script that does what an earlier one did, under the name that the script has now. The
    /// caller has seen the script in version `seen`.
    ///
    /// # Errors
    /// As [`Self::update`], or there is no such version.
    pub async fn restore_script(
        &self,
        who: &Principal,
        script: &str,
        version: i64,
        seen: i64,
    ) -> Result<Stored<ScriptBody>, AppError> {
        who.may(Permission::Configure)?;
        let (tenant, script) = (who.tenant, script.to_owned());
        let (id, body) = self
            .read(move |tx| {
                let script = by_id_or_name(tx, tenant, &script)?;
                let earlier = of(tx, tenant, script.id, version)?.script;
                Ok((script.id, ScriptBody { name: script.body.name, ..earlier }))
            })
            .await?;
        self.update(who, id, seen, body).await
    }
}

/// The script with this id or name.
pub(crate) fn by_id_or_name(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    script: &str,
) -> Result<Stored<ScriptBody>, AppError> {
    let id = match Uuid::parse_str(script) {
        Ok(id) => id,
        Err(_) => {
            let found = definition_rows::by_name(tx, tenant, ScriptBody::KIND, None, script)?;
            found.ok_or_else(|| AppError::not_found(ScriptBody::KIND, script))?.id
        }
    };
    load(tx, tenant, id)
}

fn of(tx: &mut Tx<'_>, tenant: TenantId, script: Uuid, version: i64) -> Result<ScriptVersionView, AppError> {
    let (head, body) = rows::get(tx, tenant, script, version)?
        .ok_or_else(|| AppError::not_found("script version", version))?;
    let script = serde_json::from_value(body).map_err(|error| {
        AppError::Internal(format!("version {version} of {script} cannot be read: {error}"))
    })?;
    Ok(ScriptVersionView { head: head.into(), script })
}

/// Keeps what a script has become; other kinds of definitions have no versions to go back to.
pub(crate) fn keep(
    tx: &mut Tx<'_>,
    who: &Principal,
    now: Time,
    row: &definition_rows::Definition,
) -> Result<(), AppError> {
    if row.kind != ScriptBody::KIND {
        return Ok(());
    }
    let (tenant, script, version) = (row.tenant, row.id, row.version);
    let (name, body) = (row.name.as_str(), &row.body);
    let new = NewVersion { tenant, script, version, name, body, actor: &who.actor, made_at: now };
    Ok(rows::keep(tx, &new)?)
}
