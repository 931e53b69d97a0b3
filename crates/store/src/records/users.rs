//! People who use the console, and their sessions.

use engine::{AgentId, TenantId, Time};
use uuid::Uuid;

use super::page::{Page, Rows, Select};
use super::{Sha256, debug_showing, folded};
use crate::{Row, StoreError, Tx, values};

/// A person with a login.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// Which.
    pub id: Uuid,
    /// Whose.
    pub tenant: TenantId,
    /// What they log in with, whatever the case of its ASCII letters; unique within the tenant.
    pub login: String,
    /// Their password's hash, in PHC text form.
    pub password_hash: String,
    /// What they may do.
    pub role: String,
    /// The agent they are, if they take calls.
    pub agent: Option<AgentId>,
    /// When they were added.
    pub created_at: Time,
    /// Since when they may not log in.
    pub disabled_at: Option<Time>,
    /// Grows by one with every change, from 1.
    pub version: i64,
}

debug_showing!(User: id, tenant, role, agent, disabled_at, version);

/// What can be changed about a user: all of it is set.
#[derive(Clone)]
pub struct UserChange<'a> {
    /// See [`User::password_hash`].
    pub password_hash: &'a str,
    /// See [`User::role`].
    pub role: &'a str,
    /// See [`User::agent`].
    pub agent: Option<AgentId>,
    /// See [`User::disabled_at`].
    pub disabled_at: Option<Time>,
}

/// A login that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Who.
    pub user: User,
    /// When they logged in.
    pub created_at: Time,
    /// It ends here.
    pub expires_at: Time,
}

const COLUMNS: &str =
    "u.id, u.tenant_id, u.login, u.password_hash, u.role, u.agent_id, u.created_at, u.disabled_at,
                       u.version";

fn read(row: &Row) -> Result<User, StoreError> {
    Ok(User {
        id: row.get(0)?,
        tenant: row.get(1)?,
        login: row.get(2)?,
        password_hash: row.get(3)?,
        role: row.get(4)?,
        agent: row.get(5)?,
        created_at: row.get(6)?,
        disabled_at: row.get(7)?,
        version: row.get(8)?,
    })
}

/// Stores a new user as version 1, whatever [`User::version`] says.
///
/// # Errors
/// [`StoreError::Conflict`] if the login is taken within the tenant.
pub fn insert(tx: &mut Tx<'_>, user: &User) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO user_account (id, tenant_id, login, password_hash, role, agent_id, created_at, disabled_at,
             version)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1)",
        &values![
            user.id,
            user.tenant,
            user.login.as_str(),
            user.password_hash.as_str(),
            user.role.as_str(),
            user.agent,
            user.created_at,
            user.disabled_at
        ],
    )?;
    Ok(())
}

/// The user with this id.
///
/// # Errors
/// The database failed.
pub fn get(tx: &mut Tx<'_>, tenant: TenantId, user: Uuid) -> Result<Option<User>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM user_account u WHERE u.tenant_id = $1 AND u.id = $2");
    tx.query_one(&sql, &values![tenant, user])?.as_ref().map(read).transpose()
}

/// The user with this login, whatever the case of its ASCII letters; disabled ones too.
///
/// # Errors
/// The database failed.
pub fn by_login(tx: &mut Tx<'_>, tenant: TenantId, login: &str) -> Result<Option<User>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM user_account u WHERE u.tenant_id = $1 AND {} = $2",
        folded(tx, "u.login")
    );
    tx.query_one(&sql, &values![tenant, login.to_ascii_lowercase()])?.as_ref().map(read).transpose()
}

/// Whether an agent has users and all of them are disabled.
///
/// # Errors
/// The database failed.
pub fn all_disabled(tx: &mut Tx<'_>, tenant: TenantId, agent: AgentId) -> Result<bool, StoreError> {
    let rows = tx.query(
        "SELECT disabled_at FROM user_account WHERE tenant_id = $1 AND agent_id = $2",
        &values![tenant, agent],
    )?;
    let disabled = rows.iter().map(|row| row.get::<Option<Time>>(0)).collect::<Result<Vec<_>, _>>()?;
    Ok(!disabled.is_empty() && disabled.iter().all(Option::is_some))
}

/// The tenant's users in the order of their ids.
///
/// # Errors
/// The database failed.
pub fn list(tx: &mut Tx<'_>, tenant: TenantId, page: &Page<Uuid>) -> Result<Rows<User, Uuid>, StoreError> {
    Select::new(format!("SELECT {COLUMNS} FROM user_account u WHERE u.tenant_id = $1"), values![tenant])
        .and_if("u.id > ?", page.after)
        .page(tx, "u.id", page, read, |user| user.id)
}

/// Changes a user and gives them the next version; `None` if there is none. A new password and disabling end all
/// their sessions, so that whoever held one is out at once.
///
/// # Errors
/// [`StoreError::StaleVersion`] if the user has changed since `if_version`.
pub fn update(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    user: Uuid,
    if_version: i64,
    change: &UserChange<'_>,
) -> Result<Option<User>, StoreError> {
    let Some(before) = get(tx, tenant, user)? else { return Ok(None) };
    let changed = tx.execute(
        "UPDATE user_account SET password_hash = $4, role = $5, agent_id = $6, disabled_at = $7, version = version + 1
         WHERE tenant_id = $1 AND id = $2 AND version = $3",
        &values![tenant, user, if_version, change.password_hash, change.role, change.agent, change.disabled_at],
    )?;
    if changed == 0 {
        return Err(StoreError::StaleVersion);
    }
    if change.disabled_at.is_some() || change.password_hash != before.password_hash {
        tx.execute("DELETE FROM session WHERE tenant_id = $1 AND user_id = $2", &values![tenant, user])?;
    }
    get(tx, tenant, user)
}

/// Stores a new session under its token's hash.
///
/// # Errors
/// [`StoreError::Conflict`] if the token is already known.
pub fn create_session(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    user: Uuid,
    token: &Sha256,
    now: Time,
    expires_at: Time,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO session (token_sha256, tenant_id, user_id, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)",
        &values![token.to_vec(), tenant, user, now, expires_at],
    )?;
    Ok(())
}

/// The session with this token, if it holds now and its user is not disabled. The hash says which tenant it
/// belongs to.
///
/// # Errors
/// The database failed.
pub fn session(tx: &mut Tx<'_>, token: &Sha256, now: Time) -> Result<Option<Session>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS}, s.created_at, s.expires_at
         FROM session s JOIN user_account u ON u.id = s.user_id AND u.tenant_id = s.tenant_id
         WHERE s.token_sha256 = $1 AND s.expires_at > $2 AND u.disabled_at IS NULL"
    );
    tx.query_one(&sql, &values![token.to_vec(), now])?
        .map(|row| Ok(Session { user: read(&row)?, created_at: row.get(9)?, expires_at: row.get(10)? }))
        .transpose()
}

/// Ends a session; `false` if there is none.
///
/// # Errors
/// The database failed.
pub fn delete_session(tx: &mut Tx<'_>, token: &Sha256) -> Result<bool, StoreError> {
    Ok(tx.execute("DELETE FROM session WHERE token_sha256 = $1", &values![token.to_vec()])? > 0)
}

/// Deletes sessions of all tenants that are over, `limit` at most; call it again while it deletes as many.
///
/// # Errors
/// The database failed.
pub fn delete_expired_sessions(tx: &mut Tx<'_>, now: Time, limit: u32) -> Result<u64, StoreError> {
    tx.execute(
        "DELETE FROM session WHERE token_sha256 IN
             (SELECT token_sha256 FROM session WHERE expires_at <= $1 LIMIT $2)",
        &values![now, limit],
    )
}
