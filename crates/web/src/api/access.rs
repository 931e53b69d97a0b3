//! Tenants, API keys, users and sessions.

use std::net::SocketAddr;
use std::sync::Arc;

use app::access::{KeyView, NewKey, NewUser, TenantView, UserUpdate, UserView};
use app::paging::Listing;
use app::{AppError, Principal, Role};
use axum::Json;
use axum::extract::{ConnectInfo, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use engine::TenantId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::auth::{Caller, Root, secret_of};
use crate::endpoint::{Api, delete, get, post, put};
use crate::extract::{Body, Id, IfMatch, Items, Page, versioned};
use crate::{Context, Problem};

const TAG: &str = "Access";

pub(super) fn routes(mut api: Api) -> Api {
    let new_tenant =
        post("/v1/tenants", "create_tenant", TAG, "Create a tenant with its first key (root key)");
    let new_tenant = new_tenant.takes::<NewTenant>(&mut api).gives::<TenantCreated>(&mut api);
    let tenants = get("/v1/tenants", "list_tenants", TAG, "List tenants (root key)").paged();
    let tenants = tenants.gives::<Listing<TenantView>>(&mut api);
    let own = get("/v1/tenant", "get_own_tenant", TAG, "Whose key this is").gives::<TenantView>(&mut api);
    let new_key = post("/v1/api-keys", "create_api_key", TAG, "Create an API key; it is shown this once");
    let new_key = new_key.takes::<NewKey>(&mut api).gives::<KeyCreated>(&mut api);
    let keys = get("/v1/api-keys", "list_api_keys", TAG, "List API keys").paged();
    let keys = keys.gives::<Listing<KeyView>>(&mut api);
    let revoke = delete("/v1/api-keys/{id}", "revoke_api_key", TAG, "Revoke an API key, for good");
    let new_user = post("/v1/users", "create_user", TAG, "Add a user");
    let new_user = new_user.takes::<NewUser>(&mut api).gives::<UserView>(&mut api);
    let users =
        get("/v1/users", "list_users", TAG, "List users").paged().gives::<Listing<UserView>>(&mut api);
    let user = get("/v1/users/{id}", "get_user", TAG, "Read a user").gives::<UserView>(&mut api);
    let change = put("/v1/users/{id}", "update_user", TAG, "Change a user").if_match();
    let change = change.takes::<UserUpdate>(&mut api).gives::<UserView>(&mut api);
    let log_in = post("/v1/sessions", "create_session", TAG, "Log in").open();
    let log_in = log_in.takes::<LogIn>(&mut api).gives::<SessionCreated>(&mut api);
    let log_out = delete("/v1/sessions/current", "delete_session", TAG, "Log out");
    let set_own = put("/v1/tenant", "set_own_tenant", TAG, "Set the zone of instants without an offset");
    let set_own = set_own.takes::<TenantSettings>(&mut api).gives::<TenantView>(&mut api);
    api.route(new_tenant, create_tenant)
        .route(set_own, set_own_tenant)
        .route(tenants, list_tenants)
        .route(own, own_tenant)
        .route(new_key, create_key)
        .route(keys, list_keys)
        .route(revoke, revoke_key)
        .route(new_user, create_user)
        .route(users, list_users)
        .route(user, get_user)
        .route(change, update_user)
        .route(log_in, create_session)
        .route(log_out, delete_session)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewTenant {
    /// Its name.
    name: String,
}

#[derive(Serialize, JsonSchema)]
struct TenantCreated {
    /// The tenant.
    tenant: TenantView,
    /// Its first key, with the role admin; shown this once.
    api_key: String,
}

async fn create_tenant(
    State(context): State<Context>,
    _: Root,
    Body(new): Body<NewTenant>,
) -> Result<(StatusCode, Json<TenantCreated>), Problem> {
    let tenant = context.app.create_tenant(&new.name).await?;
    let key = NewKey { name: "first".to_owned(), role: Role::Admin, expires_at: None };
    let (_, secret) = context.app.create_key(&Principal::operator(tenant.id), key).await?;
    Ok((StatusCode::CREATED, Json(TenantCreated { tenant, api_key: secret.expose().to_owned() })))
}

async fn list_tenants(
    State(context): State<Context>,
    _: Root,
    Page(page): Page,
) -> Result<Items<TenantView>, Problem> {
    Ok(Items(context.app.tenants(&page).await?))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TenantSettings {
    /// The zone in which instants without an offset are read, and whose days and hours limits of caller ids are of (IANA
    /// name); null is UTC.
    zone: Option<String>,
}

async fn set_own_tenant(
    State(context): State<Context>,
    Caller(who): Caller,
    Body(settings): Body<TenantSettings>,
) -> Result<Json<TenantView>, Problem> {
    Ok(Json(context.app.set_tenant_zone(&who, settings.zone).await?))
}

async fn own_tenant(
    State(context): State<Context>,
    Caller(who): Caller,
) -> Result<Json<TenantView>, Problem> {
    let own: TenantId = who.tenant;
    Ok(Json(context.app.tenant(own).await?))
}

#[derive(Serialize, JsonSchema)]
struct KeyCreated {
    /// The key itself; shown this once.
    api_key: String,
    /// What lists show of it.
    #[serde(flatten)]
    view: KeyView,
}

async fn create_key(
    State(context): State<Context>,
    Caller(who): Caller,
    Body(new): Body<NewKey>,
) -> Result<(StatusCode, Json<KeyCreated>), Problem> {
    let (view, secret) = context.app.create_key(&who, new).await?;
    Ok((StatusCode::CREATED, Json(KeyCreated { api_key: secret.expose().to_owned(), view })))
}

async fn list_keys(
    State(context): State<Context>,
    Caller(who): Caller,
    Page(page): Page,
) -> Result<Items<KeyView>, Problem> {
    Ok(Items(context.app.keys(&who, &page).await?))
}

async fn revoke_key(
    State(context): State<Context>,
    Caller(who): Caller,
    Id(id): Id,
) -> Result<StatusCode, Problem> {
    context.app.revoke_key(&who, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn create_user(
    State(context): State<Context>,
    Caller(who): Caller,
    Body(new): Body<NewUser>,
) -> Result<Response, Problem> {
    let user = context.app.create_user(&who, new).await?;
    Ok(versioned(StatusCode::CREATED, user.version, Some(format!("/v1/users/{}", user.id)), &user))
}

async fn list_users(
    State(context): State<Context>,
    Caller(who): Caller,
    Page(page): Page,
) -> Result<Items<UserView>, Problem> {
    Ok(Items(context.app.users(&who, &page).await?))
}

async fn get_user(
    State(context): State<Context>,
    Caller(who): Caller,
    Id(id): Id,
) -> Result<Response, Problem> {
    let user = context.app.user(&who, id).await?;
    Ok(versioned(StatusCode::OK, user.version, None, &user))
}

async fn update_user(
    State(context): State<Context>,
    Caller(who): Caller,
    Id(id): Id,
    IfMatch(version): IfMatch,
    Body(update): Body<UserUpdate>,
) -> Result<Response, Problem> {
    let user = context.app.update_user(&who, id, version, update).await?;
    Ok(versioned(StatusCode::OK, user.version, None, &user))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LogIn {
    /// The tenant's name.
    tenant: String,
    /// The user's login.
    login: String,
    /// Their password.
    password: String,
}

#[derive(Serialize, JsonSchema)]
struct SessionCreated {
    /// To be sent like an API key.
    token: String,
    /// When it ends.
    expires_at: String,
}

async fn create_session(
    State(context): State<Context>,
    parts: Parts,
    Body(LogIn { tenant, login, password }): Body<LogIn>,
) -> Result<(StatusCode, Json<SessionCreated>), Problem> {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
    let guess = context.guesses.begin(&tenant, &login, peer)?;
    let logged_in = context.app.log_in(&tenant, &login, &password).await;
    if let Err(AppError::Unauthenticated(_)) = logged_in {
        context.guesses.failed(&guess);
        // Beside the answer, which must take as long whether there is such a user or not.
        let app = Arc::clone(&context.app);
        tokio::spawn(async move {
            if let Err(error) = app.note_failed_log_in(&tenant, &login).await {
                tracing::warn!(code = error.code(), "could not note a log-in that failed");
            }
        });
    } else {
        context.guesses.forgive(&guess);
    }
    let (secret, until) = logged_in?;
    let session = SessionCreated { token: secret.expose().to_owned(), expires_at: until.to_rfc3339() };
    Ok((StatusCode::CREATED, Json(session)))
}

async fn delete_session(
    State(context): State<Context>,
    _: Caller,
    parts: Parts,
) -> Result<Response, Problem> {
    if let Some(secret) = secret_of(&parts) {
        context.app.log_out(&secret).await?;
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}
