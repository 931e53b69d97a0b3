//! Users and their sessions.

use std::time::Duration;

use engine::time::{rfc3339, rfc3339_option};
use engine::{AgentId, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::records::users::{self as rows, User, UserChange};
use store::records::{definitions, keys, tenants};
use store::{StoreError, Tx};
use uuid::Uuid;

use super::{Permission, Principal, Role, Secret};
use crate::audit::{self, Action};
use crate::paging::{Listing, PageRequest};
use crate::{App, AppError};

/// How long a session lasts: a long shift.
const SESSION: Duration = Duration::from_secs(12 * 3600);
/// Characters of a login at most.
const LOGIN_LENGTH_MAX: usize = 128;

/// A user to be added.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// What they log in with.
    pub login: String,
    /// Their first password, 10 to 256 characters.
    pub password: String,
    /// What they may do.
    pub role: Role,
    /// The agent they are, if they take calls.
    #[serde(default)]
    pub agent: Option<AgentId>,
}

/// What of a user can be changed.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UserUpdate {
    /// A new password; the old one stays if none is given.
    #[serde(default)]
    pub password: Option<String>,
    /// What they may do.
    pub role: Role,
    /// The agent they are.
    #[serde(default)]
    pub agent: Option<AgentId>,
    /// Whether they are shut out.
    #[serde(default)]
    pub disabled: bool,
}

/// A user as others see them.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct UserView {
    /// Which.
    pub id: Uuid,
    /// Grows by one with every change; the ETag.
    pub version: i64,
    /// What they log in with.
    pub login: String,
    /// What they may do.
    pub role: Role,
    /// The agent they are.
    pub agent: Option<AgentId>,
    /// When they were added.
    #[serde(with = "rfc3339")]
    #[schemars(with = "String")]
    pub created_at: Time,
    /// When they were shut out.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<String>")]
    pub disabled_at: Option<Time>,
}

impl TryFrom<User> for UserView {
    type Error = AppError;
    fn try_from(user: User) -> Result<Self, AppError> {
        Ok(Self {
            id: user.id,
            version: user.version,
            login: user.login,
            role: Role::from_name(&user.role)?,
            agent: user.agent,
            created_at: user.created_at,
            disabled_at: user.disabled_at,
        })
    }
}

/// Who holds a secret, and the key whose last use is to be noted.
pub(super) fn find(
    tx: &mut Tx<'_>,
    hash: &[u8; 32],
    now: Time,
) -> Result<Option<(Principal, Option<Uuid>)>, AppError> {
    if let Some(key) = keys::by_secret(tx, hash, now)? {
        let due = key.is_touch_due(now).then_some(key.id);
        let role = Role::from_name(&key.role)?;
        let actor = format!("key:{}", key.name);
        return Ok(Some((Principal { tenant: key.tenant, actor, role, agent: None }, due)));
    }
    let Some(session) = rows::session(tx, hash, now)? else { return Ok(None) };
    Ok(Some((principal(&session.user)?, None)))
}

fn principal(user: &User) -> Result<Principal, AppError> {
    let role = Role::from_name(&user.role)?;
    Ok(Principal { tenant: user.tenant, actor: format!("user:{}", user.login), role, agent: user.agent })
}

fn check_agent(tx: &mut Tx<'_>, who: &Principal, agent: Option<AgentId>, role: Role) -> Result<(), AppError> {
    match agent {
        Some(agent) if definitions::get(tx, who.tenant, "agent", agent.0)?.is_none() => {
            Err(AppError::invalid("unknown_reference", "agent", format!("there is no agent {agent}")))
        }
        None if role == Role::Agent => {
            Err(AppError::invalid("missing", "agent", "a user with the role agent names the agent they are"))
        }
        _ => Ok(()),
    }
}

impl App {
    /// Adds a user.
    ///
    /// # Errors
    /// The caller may not, the login is taken, or the user cannot be.
    pub async fn create_user(&self, who: &Principal, new: NewUser) -> Result<UserView, AppError> {
        who.may(Permission::Administer)?;
        let is_good =
            |login: &str| !login.is_empty() && !login.chars().any(|c| c.is_whitespace() || c.is_control());
        if !is_good(&new.login) || new.login.chars().count() > LOGIN_LENGTH_MAX {
            let message = "a login has 1 to 128 characters, none of them a space";
            return Err(AppError::invalid("bad_login", "login", message));
        }
        let password_hash = self.passwords.hash(&new.password).await?;
        let (who, now) = (who.clone(), self.clock.now());
        let (id, audit_id) = (self.ids.next(now), self.ids.next(now));
        self.write(move |tx| {
            check_agent(tx, &who, new.agent, new.role)?;
            let user = User {
                id,
                tenant: who.tenant,
                login: new.login.clone(),
                password_hash: password_hash.clone(),
                role: new.role.name().to_owned(),
                agent: new.agent,
                created_at: now,
                disabled_at: None,
                version: 1,
            };
            rows::insert(tx, &user).map_err(|error| match error {
                StoreError::Conflict { .. } => {
                    AppError::conflict("login_taken", "another user has this login: choose another")
                }
                other => other.into(),
            })?;
            let after = serde_json::json!({ "login": new.login, "role": new.role.name() });
            audit::note(tx, &who, audit_id, now, Action::Create, "user", Some(id), None, Some(after))?;
            UserView::try_from(user)
        })
        .await
    }

    /// A user.
    ///
    /// # Errors
    /// The caller may not, or there is none.
    pub async fn user(&self, who: &Principal, id: Uuid) -> Result<UserView, AppError> {
        who.may(Permission::Administer)?;
        let tenant = who.tenant;
        self.read(move |tx| {
            rows::get(tx, tenant, id)?
                .map_or_else(|| Err(AppError::not_found("user", id)), UserView::try_from)
        })
        .await
    }

    /// Lists users.
    ///
    /// # Errors
    /// The caller may not.
    pub async fn users(&self, who: &Principal, page: &PageRequest) -> Result<Listing<UserView>, AppError> {
        who.may(Permission::Administer)?;
        let (tenant, page) = (who.tenant, page.read()?);
        self.read(move |tx| Listing::try_of(rows::list(tx, tenant, &page)?, UserView::try_from)).await
    }

    /// Changes a user. A new password or being shut out ends their sessions.
    ///
    /// # Errors
    /// The caller may not, there is none, or they were changed meanwhile.
    pub async fn update_user(
        &self,
        who: &Principal,
        id: Uuid,
        version: i64,
        update: UserUpdate,
    ) -> Result<UserView, AppError> {
        who.may(Permission::Administer)?;
        let password_hash = match &update.password {
            Some(password) => Some(self.passwords.hash(password).await?),
            None => None,
        };
        let (who, now) = (who.clone(), self.clock.now());
        let audit_id = self.ids.next(now);
        self.write(move |tx| {
            check_agent(tx, &who, update.agent, update.role)?;
            let before = rows::get(tx, who.tenant, id)?.ok_or_else(|| AppError::not_found("user", id))?;
            let change = UserChange {
                password_hash: password_hash.as_deref().unwrap_or(&before.password_hash),
                role: update.role.name(),
                agent: update.agent,
                disabled_at: update.disabled.then(|| before.disabled_at.unwrap_or(now)),
            };
            let user = rows::update(tx, who.tenant, id, version, &change)?;
            let user = user.ok_or_else(|| AppError::not_found("user", id))?;
            let was = serde_json::json!({ "role": before.role, "disabled": before.disabled_at.is_some() });
            let is = serde_json::json!({ "role": user.role, "disabled": user.disabled_at.is_some() });
            audit::note(tx, &who, audit_id, now, Action::Update, "user", Some(id), Some(was), Some(is))?;
            UserView::try_from(user)
        })
        .await
    }

    /// Logs a user in. Whatever is wrong, the answer is the same and takes as long.
    ///
    /// # Errors
    /// Tenant, login or password is wrong, or the user is shut out.
    pub async fn log_in(
        &self,
        tenant: &str,
        login: &str,
        password: &str,
    ) -> Result<(Secret, Time), AppError> {
        let (tenant, login) = (tenant.to_owned(), login.to_owned());
        let user = self
            .read(move |tx| {
                let Some(tenant) = tenants::by_name(tx, &tenant)? else { return Ok(None) };
                Ok(rows::by_login(tx, tenant.id, &login)?.filter(|user| user.disabled_at.is_none()))
            })
            .await?;
        let hash = user.as_ref().map(|user| user.password_hash.as_str());
        let matches = self.passwords.verify(password, hash).await?;
        let (Some(user), true) = (user, matches) else {
            return Err(AppError::Unauthenticated("tenant, login or password is wrong"));
        };
        let (secret, now) = (Secret::random(), self.clock.now());
        let (hash, until, audit_id) = (secret.sha256(), now + SESSION, self.ids.next(now));
        self.write(move |tx| {
            rows::create_session(tx, user.tenant, user.id, &hash, now, until)?;
            let who = principal(&user)?;
            audit::note(tx, &who, audit_id, now, Action::LogIn, "user", Some(user.id), None, None)
        })
        .await?;
        Ok((secret, until))
    }

    /// Notes that somebody failed to log in as a user; of no effect if there is no such user, whose name may be anything.
    ///
    /// # Errors
    /// The database failed.
    pub async fn note_failed_log_in(&self, tenant: &str, login: &str) -> Result<(), AppError> {
        let (tenant, login, now) = (tenant.to_owned(), login.to_owned(), self.clock.now());
        let audit_id = self.ids.next(now);
        self.write(move |tx| {
            let Some(tenant) = tenants::by_name(tx, &tenant)? else { return Ok(()) };
            let Some(user) = rows::by_login(tx, tenant.id, &login)? else { return Ok(()) };
            let who = principal(&user)?;
            audit::note(tx, &who, audit_id, now, Action::LogInFailed, "user", Some(user.id), None, None)
        })
        .await
    }

    /// Ends a session; of no effect on a key.
    ///
    /// # Errors
    /// The database failed.
    pub async fn log_out(&self, secret: &Secret) -> Result<(), AppError> {
        let hash = secret.sha256();
        self.write(move |tx| {
            rows::delete_session(tx, &hash)?;
            Ok(())
        })
        .await
    }
}
