//! Callbacks: promises to call a person at a time, made by other systems, agents and scripts.

pub(crate) mod due;
mod overdue;
mod place;
mod view;

use std::sync::Arc;

use contacts::{FieldMeaning, RawContact, RawPhone, RawText, read_number};
use engine::{AgentId, CallbackId, CallbackState, ContactId, GroupId, PhoneNumber, SkillId, Time, Zone};
use serde_json::json;
use store::Tx;
use store::events::{self, NewEvent};
use store::records::callbacks::{self as rows, Callback, CallbackFilter};

pub use due::Due;
pub use view::{CallbackMade, CallbackView};

use crate::access::{Permission, Principal};
use crate::audit::{self, Action};
use crate::paging::{Listing, PageRequest};
use crate::placing::{NewPromise, Outcome, Placing, refused};
use crate::{App, AppError, Fault, NUL_REFUSED};
use place::Place;

/// Longest notes, in characters (NICE CXone allows 1 000).
pub const NOTES_LENGTH_MAX: usize = 4000;
/// The source that the contacts of callbacks are kept under, one in each campaign.
const SOURCE: &str = "Callbacks";

/// A callback to be made.
#[derive(Clone, Debug, Default)]
pub struct NewCallback {
    /// The person's given name.
    pub first_name: Option<String>,
    /// The person's family name.
    pub last_name: Option<String>,
    /// The number, in international form or as it is written in the country of the campaign's sources.
    pub number: String,
    /// The skill that it is for; its campaign group calls.
    pub skill: Option<SkillId>,
    /// The campaign group, where several serve the skill, or instead of the skill.
    pub group: Option<GroupId>,
    /// The agent whom it is promised with.
    pub agent: Option<AgentId>,
    /// When to call.
    pub due: Due,
    /// From when on it is of no use; the group's own validity if none.
    pub valid_until: Option<Time>,
    /// Notes for whoever calls.
    pub notes: Option<String>,
    /// Further fields of the contact, by the campaign's names.
    pub fields: Vec<(String, String)>,
}

/// Which callbacks are wanted.
#[derive(Clone, Debug, Default)]
pub struct CallbackQuery {
    /// For this skill.
    pub skill: Option<SkillId>,
    /// Of this campaign group.
    pub group: Option<GroupId>,
    /// Promised with this agent.
    pub agent: Option<AgentId>,
    /// Of this contact.
    pub contact: Option<ContactId>,
    /// To this number.
    pub number: Option<PhoneNumber>,
    /// In this state.
    pub state: Option<CallbackState>,
    /// Due at this instant or later.
    pub since: Option<Time>,
    /// Due before this instant.
    pub until: Option<Time>,
}

/// What is changed of a callback; what is none stays.
#[derive(Clone, Debug, Default)]
pub struct CallbackChanges {
    /// When to call.
    pub due: Option<Due>,
    /// From when on it is of no use.
    pub valid_until: Option<Time>,
    /// The agent whom it is promised with; `Some(None)` leaves it to any.
    pub agent: Option<Option<AgentId>>,
    /// Notes.
    pub notes: Option<String>,
}

impl App {
    /// Makes a callback, and the contact that it is about.
    ///
    /// # Errors
    /// The caller may not, or parts of it cannot be: all of them are told. Then nothing was made.
    pub async fn make_callback(
        self: &Arc<Self>,
        who: &Principal,
        new: NewCallback,
    ) -> Result<CallbackMade, AppError> {
        who.may(Permission::Feed)?;
        let now = self.clock.now();
        let (place, zone) = {
            let (tenant, new) = (who.tenant, new.clone());
            self.read(move |tx| Ok((place::find(tx, tenant, &new)?, due::zone_of(tx, tenant)?))).await?
        };
        let (place, due, valid_until) = check(place, &zone, &new, now)?;
        let source = self.source_for(who, place.campaign, SOURCE).await?;
        let fields = self.intake_context(who.tenant, source).await?.rules.fields;
        let id = CallbackId(self.ids.next(now));
        let promise = NewPromise {
            id,
            group: place.group,
            first_name: new.first_name.clone(),
            last_name: new.last_name.clone(),
            agent: new.agent,
            notes: new.notes.clone(),
            due,
            valid_until,
        };
        let placing = Placing {
            source,
            group: Some(place.group),
            raw: raw_contact(id, &new, &fields),
            not_before: Some(due),
            expires_at: Some(valid_until),
            is_urgent: false,
            created_at: None,
            promise: Some(promise),
            once_in: None,
        };
        match self.place(who, placing).await? {
            Outcome::Placed(_, Some((callback, duplicates))) => {
                Ok(CallbackMade { callback: callback.into(), duplicates })
            }
            Outcome::Refused(result) => Err(refused(result)),
            Outcome::Placed(_, None) | Outcome::Repeated(_) => {
                Err(AppError::Internal("a callback was placed without its promise".to_owned()))
            }
        }
    }

    /// A callback. An agent sees their own, and those to contacts that are being called.
    ///
    /// # Errors
    /// The caller may not see it, or there is none.
    pub async fn callback(&self, who: &Principal, id: CallbackId) -> Result<CallbackView, AppError> {
        who.may(Permission::LookUp)?;
        let tenant = who.tenant;
        let callback = self.read(move |tx| get(tx, tenant, id)).await.map(CallbackView::from)?;
        let is_own = callback.agent.is_some() && callback.agent == who.agent;
        if !is_own && who.may(Permission::Read).is_err() {
            self.contact(who, callback.contact).await?;
        }
        Ok(callback)
    }

    /// Callbacks, the first due first, page by page. An agent may list their own.
    ///
    /// # Errors
    /// The caller may not.
    pub async fn callbacks(
        &self,
        who: &Principal,
        query: CallbackQuery,
        page: &PageRequest,
    ) -> Result<Listing<CallbackView>, AppError> {
        match query.agent {
            Some(agent) if who.may_be(agent).is_ok() => {}
            _ => who.may(Permission::Read)?,
        }
        let (tenant, page) = (who.tenant, page.read::<rows::CallbackCursor>()?);
        let found = self
            .read(move |tx| {
                let groups =
                    query.skill.map(|skill| place::groups_of_skill(tx, tenant, skill)).transpose()?;
                let filter = CallbackFilter {
                    group: query.group,
                    groups,
                    agent: query.agent,
                    contact: query.contact,
                    state: query.state,
                    number: query.number,
                    since: query.since,
                    until: query.until,
                };
                Ok(rows::page(tx, tenant, &filter, &page)?)
            })
            .await?;
        Ok(Listing::of(found, CallbackView::from))
    }

    /// Changes a callback that nobody looks at or talks to.
    ///
    /// # Errors
    /// The caller may not, there is none, it is offered, dialled or over, or what is asked cannot be.
    pub async fn change_callback(
        &self,
        who: &Principal,
        id: CallbackId,
        changes: CallbackChanges,
    ) -> Result<CallbackView, AppError> {
        who.may(Permission::Feed)?;
        let now = self.clock.now();
        let tenant = who.tenant;
        let zone = self.read(move |tx| due::zone_of(tx, tenant)).await?;
        let mut faults = Vec::new();
        let new_due = changes.due.as_ref().and_then(|due| due.read(&zone, now, &mut faults));
        check_notes(changes.notes.as_deref(), &mut faults);
        none_or_refuse(faults)?;
        self.move_callback(who, id, Action::Update, move |callback, tx| {
            if let Some(Some(agent)) = changes.agent
                && !place::agent_exists(tx, callback.tenant, agent)?
            {
                return Err(AppError::invalid("unknown_agent", "agent", "there is no such agent"));
            }
            let validity = callback.valid_until.since(callback.due);
            if let Some(due) = new_due {
                callback.due = due;
                callback.valid_until = callback.due + validity;
            }
            callback.valid_until = changes.valid_until.unwrap_or(callback.valid_until);
            if callback.valid_until <= callback.due {
                let message = "it must be later than the time to call";
                return Err(AppError::invalid("out_of_range", "valid_until", message));
            }
            callback.agent = changes.agent.unwrap_or(callback.agent);
            callback.notes = changes.notes.clone().or(callback.notes.take());
            Ok("callback.changed")
        })
        .await
    }

    /// Takes a callback back. Its contact is not called any more if it was made for it.
    ///
    /// # Errors
    /// The caller may not, there is none, or it is offered, dialled or over.
    pub async fn cancel_callback(
        &self,
        who: &Principal,
        id: CallbackId,
        reason: Option<String>,
    ) -> Result<CallbackView, AppError> {
        who.may(Permission::Feed)?;
        self.move_callback(who, id, Action::Delete, move |callback, _| {
            callback.state = CallbackState::Cancelled;
            callback.reason = Some(reason.clone().unwrap_or_else(|| "cancelled".to_owned()));
            Ok("callback.state")
        })
        .await
    }

    async fn move_callback(
        &self,
        who: &Principal,
        id: CallbackId,
        action: Action,
        change: impl Fn(&mut Callback, &mut Tx<'_>) -> Result<&'static str, AppError> + Send + Sync + 'static,
    ) -> Result<CallbackView, AppError> {
        let (who_in, now) = (who.clone(), self.clock.now());
        let audit_id = self.ids.next(now);
        let callback = self
            .write(move |tx| {
                let mut callback = get(tx, who_in.tenant, id)?;
                if callback.state != CallbackState::Scheduled {
                    let message =
                        format!("it is {}: only one that waits can be changed", callback.state.name());
                    return Err(AppError::conflict("callback_not_waiting", message));
                }
                let before = json!({"due": callback.due.to_rfc3339(), "agent": callback.agent});
                let kind = change(&mut callback, tx)?;
                callback.updated_at = now;
                let held = !rows::change(tx, &callback)? || !place::follow(tx, &callback, now)?;
                if held {
                    let message = "a campaign group has it in hand at this moment: try again in a minute";
                    return Err(AppError::conflict("callback_claimed", message));
                }
                tell(tx, kind, &callback, now)?;
                let after = json!({"due": callback.due.to_rfc3339(), "agent": callback.agent,
                                   "state": callback.state});
                let target = Some(id.0);
                audit::note(
                    tx,
                    &who_in,
                    audit_id,
                    now,
                    action,
                    "callback",
                    target,
                    Some(before),
                    Some(after),
                )?;
                Ok(callback)
            })
            .await?;
        self.floor.contacts_added(who.tenant, callback.campaign).await;
        Ok(callback.into())
    }
}

fn get(tx: &mut Tx<'_>, tenant: engine::TenantId, id: CallbackId) -> Result<Callback, AppError> {
    rows::get(tx, tenant, id)?.ok_or_else(|| AppError::not_found("callback", id))
}

/// Tells the other systems of a callback that a user made or changed.
pub(crate) fn tell(
    tx: &mut Tx<'_>,
    kind: &'static str,
    callback: &Callback,
    now: Time,
) -> Result<(), AppError> {
    let body = json!({
        "kind": kind, "callback": callback.id, "group": callback.group, "contact": callback.contact,
        "agent": callback.agent, "due": callback.due.to_rfc3339(),
        "valid_until": callback.valid_until.to_rfc3339(), "state": callback.state, "reason": callback.reason,
        "at": now.to_rfc3339(),
    });
    Ok(events::append(tx, callback.tenant, &[NewEvent::new(now, kind, &body)?])?)
}

/// Everything that is wrong with a callback is told at once.
fn check(
    place: Result<Place, Vec<Fault>>,
    zone: &Zone,
    new: &NewCallback,
    now: Time,
) -> Result<(Place, Time, Time), AppError> {
    let (place, mut faults) = match place {
        Ok(place) => (Some(place), Vec::new()),
        Err(faults) => (None, faults),
    };
    let country = place.as_ref().and_then(|place| place.country);
    let number = match read_number(&new.number, country) {
        Ok(number) => Some(number),
        // Where the country is not known for want of a skill, a national number may be right.
        Err(_) if place.is_none() && new.number.trim().starts_with(|first: char| first.is_ascii_digit()) => {
            None
        }
        Err(error) => {
            faults.push(Fault::new("bad_number", "number", error.to_string()));
            None
        }
    };
    let due = new.due.read(zone, now, &mut faults);
    check_notes(new.notes.as_deref(), &mut faults);
    for (field, name) in [("first_name", &new.first_name), ("last_name", &new.last_name)] {
        check_nul(field, name.as_deref(), &mut faults);
    }
    let own_validity = place.as_ref().zip(due).map(|(place, due)| place.settings.valid_until(due));
    let valid_until = new.valid_until.or(own_validity);
    if valid_until.zip(due).is_some_and(|(until, due)| until <= due) {
        let message = "it must be later than the time to call";
        faults.push(Fault::new("out_of_range", "valid_until", message));
    }
    none_or_refuse(faults)?;
    match (place, number, due, valid_until) {
        (Some(place), Some(_), Some(due), Some(valid_until)) => Ok((place, due, valid_until)),
        _ => Err(AppError::Internal("a callback without a place has no fault".to_owned())),
    }
}

fn check_notes(notes: Option<&str>, faults: &mut Vec<Fault>) {
    if notes.is_some_and(|notes| notes.chars().count() > NOTES_LENGTH_MAX) {
        let message = format!("notes have at most {NOTES_LENGTH_MAX} characters");
        faults.push(Fault::new("too_long", "notes", message));
    }
    check_nul("notes", notes, faults);
}

/// PostgreSQL has no NUL in texts.
fn check_nul(field: &'static str, text: Option<&str>, faults: &mut Vec<Fault>) {
    if text.is_some_and(|text| text.contains('\0')) {
        faults.push(Fault::new("bad_text", field, NUL_REFUSED));
    }
}

fn none_or_refuse(faults: Vec<Fault>) -> Result<(), AppError> {
    if faults.is_empty() { Ok(()) } else { Err(AppError::InvalidParts(faults)) }
}

/// The contact of a callback: names and notes go into the campaign's fields of that meaning.
fn raw_contact(
    id: CallbackId,
    new: &NewCallback,
    fields: &[contacts::FieldDefinition],
) -> RawContact<'static> {
    let by_meaning = |meaning: FieldMeaning| fields.iter().find(|field| field.meaning == meaning);
    let whole_name = match (&new.first_name, &new.last_name) {
        (Some(first), Some(last)) => Some(format!("{first} {last}")),
        (first, last) => first.clone().or(last.clone()),
    };
    let known = [
        (FieldMeaning::FirstName, new.first_name.clone()),
        (FieldMeaning::LastName, new.last_name.clone()),
        (FieldMeaning::FullName, whole_name),
        (FieldMeaning::Notes, new.notes.clone()),
    ];
    let mut given: Vec<_> =
        new.fields.iter().map(|(name, value)| (name.clone().into(), RawText::new(value.clone()))).collect();
    for (meaning, value) in known {
        if let (Some(field), Some(value)) = (by_meaning(meaning), value)
            && !given.iter().any(|(name, _): &(std::borrow::Cow<'_, str>, _)| *name == field.name.as_str())
        {
            given.push((field.name.as_str().to_owned().into(), RawText::new(value)));
        }
    }
    RawContact {
        external_id: Some(RawText::new(id.0.simple().to_string())),
        phones: vec![RawPhone { number: RawText::new(new.number.clone()), ..RawPhone::default() }],
        fields: given,
        ..RawContact::default()
    }
}
