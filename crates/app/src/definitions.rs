//! Creating, reading, changing and deleting what users configure.

use engine::{GroupId, GroupState, TenantId};
use store::records::definitions::{self as rows, NewDefinition, Seen};
use store::records::{Page, Rows, contacts as contact_rows};
use store::{StoreError, Tx, lease};
use uuid::Uuid;

use crate::access::{Permission, Principal};
use crate::audit::{self, Action};
use crate::error::in_words;
use crate::model::{
    AgentBody, CampaignBody, CampaignGroupBody, Definition, DetectionProfileBody, MessageBody,
    NamedReference, ScriptBody, SinkBody, SkillBody, Stored, check_name,
};
use crate::paging::{Listing, PageRequest};
use crate::{App, AppError, NUL_REFUSED};

fn typed<T: Definition>(row: rows::Definition) -> Result<Stored<T>, AppError> {
    let body = serde_json::from_value(row.body).map_err(|error| {
        AppError::Internal(format!("the stored {} {} cannot be read: {error}", T::KIND, row.id))
    })?;
    Ok(Stored {
        id: row.id,
        version: row.version,
        created_at: row.created_at,
        updated_at: row.updated_at,
        body,
    })
}

fn json<T: Definition>(body: &T) -> Result<serde_json::Value, AppError> {
    serde_json::to_value(body).map_err(|error| AppError::Internal(error.to_string()))
}

/// A body that is to be stored; refused if PostgreSQL could not hold it.
fn to_store<T: Definition>(body: &T) -> Result<serde_json::Value, AppError> {
    let value = json(body)?;
    if has_nul(&value) {
        return Err(AppError::invalid("bad_text", "", NUL_REFUSED));
    }
    Ok(value)
}

fn has_nul(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::String(text) => text.contains('\0'),
        serde_json::Value::Array(values) => values.iter().any(has_nul),
        serde_json::Value::Object(fields) => {
            fields.iter().any(|(name, value)| name.contains('\0') || has_nul(value))
        }
        _ => false,
    }
}

/// All definitions of a kind.
///
/// # Errors
/// The database failed, or a stored body cannot be read.
pub fn load_all<T: Definition>(tx: &mut Tx<'_>, tenant: TenantId) -> Result<Vec<Stored<T>>, AppError> {
    let mut all = Vec::new();
    let mut page = Page::first(store::records::PAGE_ROWS_MAX);
    loop {
        let Rows { rows, next } = rows::list(tx, tenant, T::KIND, None, &page)?;
        for row in rows {
            all.push(typed(row)?);
        }
        match next {
            Some(next) => page = Page::after(next, store::records::PAGE_ROWS_MAX),
            None => return Ok(all),
        }
    }
}

/// One definition.
///
/// # Errors
/// There is none, or the database failed.
pub fn load<T: Definition>(tx: &mut Tx<'_>, tenant: TenantId, id: Uuid) -> Result<Stored<T>, AppError> {
    rows::get(tx, tenant, T::KIND, id)?.map_or_else(|| Err(AppError::not_found(T::KIND, id)), typed)
}

/// Refuses a body that names what is not there.
fn check_references<T: Definition>(tx: &mut Tx<'_>, tenant: TenantId, body: &T) -> Result<(), AppError> {
    for reference in body.references() {
        if rows::get(tx, tenant, reference.kind, reference.id)?.is_none() {
            let message = format!("there is no {} {}", in_words(reference.kind), reference.id);
            return Err(AppError::invalid("unknown_reference", &reference.field, message));
        }
    }
    for reference in body.named_references() {
        let Some(named) = rows::by_name(tx, tenant, reference.kind, None, &reference.name)? else {
            let message = format!("there is no {} '{}'", in_words(reference.kind), reference.name);
            return Err(AppError::invalid("unknown_reference", reference.field, message));
        };
        if !reference.may_be_service && typed::<ScriptBody>(named)?.body.source.is_none() {
            let message = format!(
                "'{}' is a service over HTTP, which is asked before calls only: name a script with a source",
                reference.name
            );
            return Err(AppError::invalid("bad_script", reference.field, message));
        }
    }
    Ok(())
}

/// Refuses one key for two wishes: to talk with an agent, and to be called no more.
fn check_keys<T: Definition>(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    id: Option<Uuid>,
    body: &T,
) -> Result<(), AppError> {
    let body = body as &dyn std::any::Any;
    let transfer = |group: &CampaignGroupBody| group.settings.agentless.and_then(|own| own.transfer_digit);
    if let Some(group) = body.downcast_ref::<CampaignGroupBody>()
        && let Some(key) = transfer(group)
        && load::<CampaignBody>(tx, tenant, group.campaign.0)?.body.opt_out_digit == key
    {
        let message = format!("{key} is the key by which people opt out of the campaign: choose another");
        return Err(AppError::invalid("same_key", "settings.agentless.transfer_digit", message));
    }
    if let (Some(campaign), Some(id)) = (body.downcast_ref::<CampaignBody>(), id) {
        let groups = load_all::<CampaignGroupBody>(tx, tenant)?;
        let taken = groups.iter().find(|group| {
            group.body.campaign.0 == id && transfer(&group.body) == Some(campaign.opt_out_digit)
        });
        if let Some(group) = taken {
            let (key, name) = (campaign.opt_out_digit, &group.body.name);
            let message =
                format!("{key} connects to an agent in the campaign group '{name}': choose another");
            return Err(AppError::invalid("same_key", "opt_out_digit", message));
        }
    }
    Ok(())
}

/// Refuses to take a name away from those who refer to a script by it.
fn refuse_if_named<T: Definition>(tx: &mut Tx<'_>, tenant: TenantId, name: &str) -> Result<(), AppError> {
    if T::KIND != ScriptBody::KIND {
        return Ok(());
    }
    let names_it = |references: Vec<NamedReference>| {
        references.iter().any(|reference| reference.name.eq_ignore_ascii_case(name))
    };
    let campaigns = load_all::<CampaignBody>(tx, tenant)?.into_iter().map(|campaign| campaign.body);
    let campaign = campaigns.into_iter().find(|body| names_it(body.named_references())).map(|body| body.name);
    let groups = load_all::<CampaignGroupBody>(tx, tenant)?.into_iter().map(|group| group.body);
    let group = groups.into_iter().find(|body| names_it(body.named_references())).map(|body| body.name);
    let profiles = load_all::<DetectionProfileBody>(tx, tenant)?.into_iter().map(|profile| profile.body);
    let profile = profiles.into_iter().find(|body| names_it(body.named_references())).map(|body| body.name);
    let group = group.map(|name| ("campaign group", name));
    let profile = profile.map(|name| ("detection profile", name));
    match campaign.map(|name| ("campaign", name)).or(group).or(profile) {
        Some((kind, name)) => {
            let message = format!("the {kind} '{name}' names it: change that first");
            Err(AppError::conflict("in_use", message))
        }
        None => Ok(()),
    }
}

fn name_taken<T: Definition>(error: StoreError) -> AppError {
    match error {
        StoreError::Conflict { .. } => {
            let message = format!("another {} has this name: choose another", in_words(T::KIND));
            AppError::conflict("name_taken", message)
        }
        other => other.into(),
    }
}

/// The kinds of which an agent's screen shows something with a call.
const SHOWN_WITH_CALLS: [&str; 4] =
    [AgentBody::KIND, CampaignBody::KIND, CampaignGroupBody::KIND, SkillBody::KIND];

impl App {
    /// Whether the caller may store this body, as far as that can be told without looking at others.
    async fn check_alone<T: Definition>(&self, who: &Principal, body: &T) -> Result<(), AppError> {
        who.may(Permission::Configure)?;
        check_name(body.name())?;
        body.check()?;
        match body.script() {
            Some(source) => self.check_script(body.name(), source).await,
            None => Ok(()),
        }
    }

    /// Creates a definition.
    ///
    /// # Errors
    /// The caller may not, the body cannot be, names what is not there, or its name is taken.
    pub async fn create<T: Definition>(&self, who: &Principal, body: T) -> Result<Stored<T>, AppError> {
        self.check_alone(who, &body).await?;
        let (who_in, now) = (who.clone(), self.clock.now());
        let (id, audit_id) = (self.ids.next(now), self.ids.next(now));
        let stored = self
            .write(move |tx| {
                check_references(tx, who_in.tenant, &body)?;
                check_keys(tx, who_in.tenant, None, &body)?;
                let value = to_store(&body)?;
                let (tenant, kind, parent) = (who_in.tenant, T::KIND, body.parent());
                let new = NewDefinition { id, tenant, kind, parent, name: body.name(), body: &value, now };
                let row = rows::insert(tx, &new).map_err(name_taken::<T>)?;
                crate::sinks::after_create(tx, tenant, id, &body)?;
                crate::scripts::keep_version(tx, &who_in, now, &row)?;
                audit::note(tx, &who_in, audit_id, now, Action::Create, kind, Some(id), None, Some(value))?;
                typed(row)
            })
            .await?;
        self.floor.definitions_changed(who.tenant).await;
        Ok(stored)
    }

    /// Reads a definition. An agent reads those that their screen shows with a call, and no scripts, sinks or the like.
    ///
    /// # Errors
    /// The caller may not, or there is none.
    pub async fn get<T: Definition>(&self, who: &Principal, id: Uuid) -> Result<Stored<T>, AppError> {
        let is_shown_with_calls = SHOWN_WITH_CALLS.contains(&T::KIND);
        who.may(if is_shown_with_calls { Permission::LookUp } else { Permission::Read })?;
        let tenant = who.tenant;
        self.read(move |tx| load(tx, tenant, id)).await
    }

    /// Lists definitions in the order of their ids.
    ///
    /// # Errors
    /// The caller may not.
    pub async fn list<T: Definition>(
        &self,
        who: &Principal,
        parent: Option<Uuid>,
        page: &PageRequest,
    ) -> Result<Listing<Stored<T>>, AppError> {
        self.list_named(who, parent, None, page).await
    }

    /// The same, of those with a name if one is given, whatever the case of its ASCII letters.
    ///
    /// # Errors
    /// The caller may not.
    pub async fn list_named<T: Definition>(
        &self,
        who: &Principal,
        parent: Option<Uuid>,
        name: Option<String>,
        page: &PageRequest,
    ) -> Result<Listing<Stored<T>>, AppError> {
        who.may(Permission::Read)?;
        let (tenant, page) = (who.tenant, page.read()?);
        self.read(move |tx| {
            let found = rows::list_named(tx, tenant, T::KIND, parent, name.as_deref(), &page)?;
            Listing::try_of(found, typed)
        })
        .await
    }

    /// Changes a definition that the caller has seen in `version`.
    ///
    /// # Errors
    /// As [`Self::create`]; there is none; or it was changed meanwhile.
    pub async fn update<T: Definition>(
        &self,
        who: &Principal,
        id: Uuid,
        version: i64,
        body: T,
    ) -> Result<Stored<T>, AppError> {
        self.check_alone(who, &body).await?;
        let (who_in, now) = (who.clone(), self.clock.now());
        let audit_id = self.ids.next(now);
        let stored = self
            .write(move |tx| {
                let tenant = who_in.tenant;
                let before: Stored<T> = load(tx, tenant, id)?;
                if !before.body.name().eq_ignore_ascii_case(body.name()) {
                    refuse_if_named::<T>(tx, tenant, before.body.name())?;
                }
                check_references(tx, tenant, &body)?;
                check_keys(tx, tenant, Some(id), &body)?;
                check_change(tx, tenant, id, &before.body, &body)?;
                let value = to_store(&body)?;
                let seen = Seen { tenant, kind: T::KIND, id, version };
                let row = rows::update(tx, seen, body.name(), &value, now).map_err(name_taken::<T>)?;
                let row = row.ok_or_else(|| AppError::not_found(T::KIND, id))?;
                crate::scripts::keep_version(tx, &who_in, now, &row)?;
                let before = Some(json(&before.body)?);
                audit::note(
                    tx,
                    &who_in,
                    audit_id,
                    now,
                    Action::Update,
                    T::KIND,
                    Some(id),
                    before,
                    Some(value),
                )?;
                typed(row)
            })
            .await?;
        self.floor.definitions_changed(who.tenant).await;
        Ok(stored)
    }

    /// Deletes a definition that the caller has seen in `version`.
    ///
    /// # Errors
    /// The caller may not; there is none; it was changed meanwhile; or something needs it.
    pub async fn delete<T: Definition>(
        &self,
        who: &Principal,
        id: Uuid,
        version: i64,
    ) -> Result<(), AppError> {
        who.may(Permission::Configure)?;
        let (who_in, now) = (who.clone(), self.clock.now());
        let audit_id = self.ids.next(now);
        self.write(move |tx| {
            let tenant = who_in.tenant;
            let before: Stored<T> = load(tx, tenant, id)?;
            refuse_if_needed::<T>(tx, tenant, id)?;
            refuse_if_named::<T>(tx, tenant, before.body.name())?;
            let seen = Seen { tenant, kind: T::KIND, id, version };
            if !rows::delete(tx, seen)? {
                return Err(AppError::not_found(T::KIND, id));
            }
            if T::KIND == SinkBody::KIND {
                store::sinks::forget(tx, tenant, id)?;
            }
            if T::KIND == MessageBody::KIND {
                store::records::messages::forget_sound(tx, tenant, engine::MessageId(id))?;
            }
            if T::KIND == ScriptBody::KIND {
                store::records::script_versions::forget(tx, tenant, id)?;
            }
            let before = Some(json(&before.body)?);
            audit::note(tx, &who_in, audit_id, now, Action::Delete, T::KIND, Some(id), before, None)
        })
        .await?;
        self.floor.definitions_changed(who.tenant).await;
        Ok(())
    }
}

/// Refuses changes that would make stored contacts or running groups untrue.
fn check_change<T: Definition>(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    id: Uuid,
    before: &T,
    after: &T,
) -> Result<(), AppError> {
    if before.parent() != after.parent() {
        let message = format!("a {} stays where it was made: make another one there", in_words(T::KIND));
        return Err(AppError::conflict("parent_is_fixed", message));
    }
    let (before, after) = (before as &dyn std::any::Any, after as &dyn std::any::Any);
    if let (Some(before), Some(after)) =
        (before.downcast_ref::<CampaignBody>(), after.downcast_ref::<CampaignBody>())
        && before.feed_order != after.feed_order
        && contact_rows::any_of_campaign(tx, tenant, engine::CampaignId(id))?
    {
        let message = "the campaign has contacts, whose order is fixed: make another campaign";
        return Err(AppError::conflict("feed_order_is_fixed", message));
    }
    Ok(())
}

fn refuse_if_needed<T: Definition>(tx: &mut Tx<'_>, tenant: TenantId, id: Uuid) -> Result<(), AppError> {
    let needed = rows::references(tx, tenant, id)?;
    if !needed.is_empty() {
        let names: Vec<String> =
            needed.iter().map(|other| format!("{} '{}'", in_words(&other.kind), other.name)).collect();
        let message = format!("it is needed by {}: change or delete that first", names.join(", "));
        return Err(AppError::conflict("in_use", message));
    }
    if T::KIND == "campaign_group" && lease::stored_state(tx, GroupId(id))? != GroupState::NotLoaded {
        return Err(AppError::conflict("in_use", "the campaign group is loaded: unload it first"));
    }
    let has_contacts = match T::KIND {
        "campaign" => contact_rows::any_of_campaign(tx, tenant, engine::CampaignId(id))?,
        "source" => contact_rows::any_of_source(tx, tenant, engine::SourceId(id))?,
        _ => false,
    };
    if has_contacts {
        return Err(AppError::conflict(
            "in_use",
            format!("the {} has contacts, which must stay accounted for", in_words(T::KIND)),
        ));
    }
    Ok(())
}
