//! API keys.

use engine::time::{rfc3339, rfc3339_option};
use engine::{TenantId, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::records::definitions;
use store::records::keys::{self as rows, ApiKey};
use store::records::tenants;
use uuid::Uuid;

use super::{Permission, Principal, Role, Secret};
use crate::audit::{self, Action};
use crate::model::check_name;
use crate::paging::{Listing, PageRequest};
use crate::{App, AppError};

/// A key to be made.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// What it is for, for people.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// When it ends to be good; never if not given.
    #[serde(default, with = "rfc3339_option")]
    #[schemars(with = "Option<String>")]
    pub expires_at: Option<Time>,
}

/// A key as lists show it: never the key itself.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct KeyView {
    /// Which.
    pub id: Uuid,
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The first characters of the key.
    pub prefix: String,
    /// When it was made.
    #[serde(with = "rfc3339")]
    #[schemars(with = "String")]
    pub created_at: Time,
    /// When it ends to be good.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<String>")]
    pub expires_at: Option<Time>,
    /// When it was revoked.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<String>")]
    pub revoked_at: Option<Time>,
    /// When it was last used, to the minute.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<String>")]
    pub last_used_at: Option<Time>,
}

/// An organisation.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct TenantView {
    /// Which.
    pub id: TenantId,
    /// Its name.
    pub name: String,
    /// When it came to be.
    #[serde(with = "rfc3339")]
    #[schemars(with = "String")]
    pub created_at: Time,
    /// The zone in which its instants without an offset are read, and whose days and hours limits of caller ids are of (IANA
    /// name); UTC if none.
    pub zone: Option<String>,
}

impl From<tenants::Tenant> for TenantView {
    fn from(tenant: tenants::Tenant) -> Self {
        Self { id: tenant.id, name: tenant.name, created_at: tenant.created_at, zone: tenant.zone }
    }
}

impl TryFrom<ApiKey> for KeyView {
    type Error = AppError;
    fn try_from(key: ApiKey) -> Result<Self, AppError> {
        Ok(Self {
            id: key.id,
            name: key.name,
            role: Role::from_name(&key.role)?,
            prefix: key.prefix,
            created_at: key.created_at,
            expires_at: key.expires_at,
            revoked_at: key.revoked_at,
            last_used_at: key.last_used_at,
        })
    }
}

impl App {
    /// Makes a tenant. For whoever runs the installation.
    ///
    /// # Errors
    /// The name cannot be, or is taken.
    pub async fn create_tenant(&self, name: &str) -> Result<TenantView, AppError> {
        check_name(name)?;
        let now = self.clock.now();
        let id = TenantId(self.ids.next(now));
        let tenant = tenants::Tenant { id, name: name.to_owned(), created_at: now, zone: None };
        self.write(move |tx| match tenants::create(tx, &tenant) {
            Ok(()) => Ok(tenant.clone().into()),
            Err(store::StoreError::Conflict { .. }) => {
                Err(AppError::conflict("name_taken", "another tenant has this name: choose another"))
            }
            Err(error) => Err(error.into()),
        })
        .await
    }

    /// Another system that needs no key because of where it comes from, for the tenant of a configuration object.
    ///
    /// # Errors
    /// The database failed.
    pub async fn integration_without_key(&self, of: Uuid) -> Result<Option<Principal>, AppError> {
        let tenant = self.read(move |tx| Ok(definitions::tenant_of(tx, of)?)).await?;
        Ok(tenant.map(|tenant| Principal {
            tenant,
            actor: "network".to_owned(),
            role: Role::Integration,
            agent: None,
        }))
    }

    /// A tenant by its name.
    ///
    /// # Errors
    /// The database failed.
    pub async fn tenant_by_name(&self, name: &str) -> Result<Option<TenantView>, AppError> {
        let name = name.to_owned();
        self.read(move |tx| Ok(tenants::by_name(tx, &name)?.map(TenantView::from))).await
    }

    /// A tenant.
    ///
    /// # Errors
    /// There is none.
    pub async fn tenant(&self, tenant: TenantId) -> Result<TenantView, AppError> {
        self.read(move |tx| {
            let found = tenants::get(tx, tenant)?.map(TenantView::from);
            found.ok_or_else(|| AppError::not_found("tenant", tenant))
        })
        .await
    }

    /// Sets the zone in which the caller's tenant's instants without an offset are read, and whose days and hours limits
    /// of caller ids are of; none is UTC.
    ///
    /// # Errors
    /// The caller may not, or it is no zone of the IANA database.
    pub async fn set_tenant_zone(
        &self,
        who: &Principal,
        zone: Option<String>,
    ) -> Result<TenantView, AppError> {
        who.may(Permission::Administer)?;
        if let Some(name) = &zone
            && name.parse::<engine::Zone>().is_err()
        {
            let message = "give a name of the IANA time zone database, such as Europe/Paris";
            return Err(AppError::invalid("unknown_zone", "zone", message));
        }
        let (tenant, who, now) = (who.tenant, who.clone(), self.clock.now());
        let audit_id = self.ids.next(now);
        let write = self.write(move |tx| {
            let before = tenants::get(tx, who.tenant)?.and_then(|tenant| tenant.zone);
            tenants::set_zone(tx, who.tenant, zone.as_deref())?;
            let (before, after) = (serde_json::json!({"zone": before}), serde_json::json!({"zone": zone}));
            let (id, target) = (audit_id, Some(who.tenant.0));
            audit::note(tx, &who, id, now, Action::Update, "tenant", target, Some(before), Some(after))?;
            let tenant = tenants::get(tx, who.tenant)?.map(TenantView::from);
            tenant.ok_or_else(|| AppError::not_found("tenant", who.tenant))
        });
        let view = write.await?;
        self.floor.definitions_changed(tenant).await;
        Ok(view)
    }

    /// All tenants. For whoever runs the installation.
    ///
    /// # Errors
    /// The database failed.
    pub async fn tenants(&self, page: &PageRequest) -> Result<Listing<TenantView>, AppError> {
        let page = page.read()?;
        self.read(move |tx| Ok(Listing::of(tenants::list(tx, &page)?, TenantView::from))).await
    }

    /// Makes a key. The secret is given this once and cannot be had again.
    ///
    /// # Errors
    /// The caller may not, or the key cannot be.
    pub async fn create_key(&self, who: &Principal, new: NewKey) -> Result<(KeyView, Secret), AppError> {
        who.may(Permission::Administer)?;
        check_name(&new.name)?;
        let (who, now, secret) = (who.clone(), self.clock.now(), Secret::random());
        if new.expires_at.is_some_and(|at| at <= now) {
            return Err(AppError::invalid(
                "already_expired",
                "expires_at",
                "expires_at must be in the future",
            ));
        }
        let (id, audit_id) = (self.ids.next(now), self.ids.next(now));
        let stored = secret.clone();
        let view = self
            .write(move |tx| {
                let key = ApiKey {
                    id,
                    tenant: who.tenant,
                    name: new.name.clone(),
                    role: new.role.name().to_owned(),
                    prefix: stored.prefix(),
                    created_at: now,
                    expires_at: new.expires_at,
                    revoked_at: None,
                    last_used_at: None,
                };
                rows::insert(tx, &key, &stored.sha256())?;
                let after = serde_json::json!({ "name": new.name, "role": new.role.name() });
                audit::note(tx, &who, audit_id, now, Action::Create, "api_key", Some(id), None, Some(after))?;
                KeyView::try_from(key)
            })
            .await?;
        Ok((view, secret))
    }

    /// Lists keys.
    ///
    /// # Errors
    /// The caller may not.
    pub async fn keys(&self, who: &Principal, page: &PageRequest) -> Result<Listing<KeyView>, AppError> {
        who.may(Permission::Administer)?;
        let (tenant, page) = (who.tenant, page.read()?);
        self.read(move |tx| Listing::try_of(rows::list(tx, tenant, &page)?, KeyView::try_from)).await
    }

    /// Revokes a key, for good and at once.
    ///
    /// # Errors
    /// The caller may not, or there is none.
    pub async fn revoke_key(&self, who: &Principal, key: Uuid) -> Result<(), AppError> {
        who.may(Permission::Administer)?;
        let (who, now) = (who.clone(), self.clock.now());
        let audit_id = self.ids.next(now);
        self.write(move |tx| {
            if !rows::revoke(tx, who.tenant, key, now)? {
                return Err(AppError::not_found("API key", key));
            }
            audit::note(tx, &who, audit_id, now, Action::Revoke, "api_key", Some(key), None, None)
        })
        .await
    }

    /// Who holds this key or session token.
    ///
    /// # Errors
    /// Nobody, or not any more.
    pub async fn authenticate(&self, secret: &Secret) -> Result<Principal, AppError> {
        let (hash, now) = (secret.sha256(), self.clock.now());
        let found = self.read(move |tx| super::users::find(tx, &hash, now)).await?;
        let Some((principal, due)) = found else {
            return Err(AppError::Unauthenticated("the API key or session is not (or no longer) good"));
        };
        if let Some(key) = due {
            let tenant = principal.tenant;
            self.write(move |tx| Ok(rows::touch(tx, tenant, key, now)?)).await?;
        }
        Ok(principal)
    }
}
