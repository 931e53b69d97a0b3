//! Who may do what: keys, users, sessions, roles.

mod keys;
mod passwords;
mod secret;
mod users;

use engine::{AgentId, TenantId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use keys::{KeyView, NewKey, TenantView};
pub use passwords::Passwords;
pub use secret::Secret;
pub use users::{NewUser, UserUpdate, UserView};

use crate::AppError;

/// What a user or key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything within the tenant.
    Admin,
    /// Runs campaigns: everything but users, keys and the audit log.
    Supervisor,
    /// Takes calls.
    Agent,
    /// Another system: contacts, imports, events, running campaign groups; no configuration.
    Integration,
}

/// Something that can be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Users, keys, the audit log.
    Administer,
    /// Change what is configured.
    Configure,
    /// Load, start, stop and unload campaign groups.
    Operate,
    /// Add and change contacts, imports, suppression entries.
    Feed,
    /// See configuration, contacts, attempts, events and live views.
    Read,
    /// Read one contact or one thing that is configured, by its id: what an agent's screen shows with a call.
    LookUp,
    /// Hear and delete recordings of conversations.
    Listen,
    /// Take part in the calls of agents.
    Supervise,
    /// Take calls as any agent; agents themselves may as their own only.
    TakeCalls,
}

impl Role {
    /// The one table of what each role may do.
    pub fn may(self, permission: Permission) -> bool {
        use Permission as P;
        match self {
            Self::Admin => true,
            Self::Supervisor => permission != P::Administer,
            Self::Integration => {
                matches!(permission, P::Operate | P::Feed | P::Read | P::LookUp | P::Listen | P::TakeCalls)
            }
            Self::Agent => permission == P::LookUp,
        }
    }

    /// Its name in the database and the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Supervisor => "supervisor",
            Self::Agent => "agent",
            Self::Integration => "integration",
        }
    }

    fn from_name(name: &str) -> Result<Self, AppError> {
        [Self::Admin, Self::Supervisor, Self::Agent, Self::Integration]
            .into_iter()
            .find(|role| role.name() == name)
            .ok_or_else(|| AppError::Internal("a stored role is not known".to_owned()))
    }
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// For which organisation.
    pub tenant: TenantId,
    /// As the audit log names them: `key:NAME` or `user:LOGIN`.
    pub actor: String,
    /// What they are for.
    pub role: Role,
    /// The agent they are, if they take calls.
    pub agent: Option<AgentId>,
}

impl Principal {
    /// The program itself, at the command line of whoever runs the machine.
    pub fn operator(tenant: TenantId) -> Self {
        Self { tenant, actor: "operator".to_owned(), role: Role::Admin, agent: None }
    }

    /// Checks a permission.
    ///
    /// # Errors
    /// The role does not have it.
    pub fn may(&self, permission: Permission) -> Result<(), AppError> {
        if self.role.may(permission) {
            return Ok(());
        }
        Err(AppError::Forbidden(format!("the role {} may not do this", self.role.name())))
    }

    /// Checks that calls may be taken as this agent.
    ///
    /// # Errors
    /// They may not.
    pub fn may_be(&self, agent: AgentId) -> Result<(), AppError> {
        if self.agent == Some(agent) { Ok(()) } else { self.may(Permission::TakeCalls) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_may_be_themselves_and_nobody_else() {
        let own = AgentId(uuid::Uuid::from_u128(1));
        let tenant = TenantId(uuid::Uuid::from_u128(9));
        let principal = Principal { tenant, actor: "user:a".into(), role: Role::Agent, agent: Some(own) };
        assert!(principal.may_be(own).is_ok());
        assert!(principal.may_be(AgentId(uuid::Uuid::from_u128(2))).is_err());
        assert!(principal.may(Permission::LookUp).is_ok());
        assert!(principal.may(Permission::Read).is_err());
    }

    #[test]
    fn only_people_who_lead_agents_take_part_in_their_calls() {
        assert!(Role::Admin.may(Permission::Supervise) && Role::Supervisor.may(Permission::Supervise));
        assert!(!Role::Integration.may(Permission::Supervise) && !Role::Agent.may(Permission::Supervise));
    }

    #[test]
    fn agents_hear_no_recordings() {
        assert!(!Role::Agent.may(Permission::Listen));
        for role in [Role::Admin, Role::Supervisor, Role::Integration] {
            assert!(role.may(Permission::Listen));
        }
    }

    #[test]
    fn only_an_admin_administers() {
        assert!(Role::Admin.may(Permission::Administer));
        for role in [Role::Supervisor, Role::Integration, Role::Agent] {
            assert!(!role.may(Permission::Administer));
        }
    }
}
