//! Contacts one by one: looking at them, closing them, and asking why one is not dialled.

mod view;
mod why_not;

use engine::{CampaignId, ContactId, FinalReason, PhoneNumber, SourceId, TenantId, Time};
use store::Tx;
use store::events::{self, NewEvent};
use store::records::contacts::{self as rows, Closing, Contact, ContactFilter, Reopening};
use store::records::{Page, Rows};

pub use view::{ContactState, ContactView, PhoneView};
pub use why_not::{WhyNotReason, WhyNotRule, WhyNotView};

use crate::access::{Permission, Principal, Role};
use crate::audit::{self, Action};
use crate::definitions;
use crate::model::{CampaignBody, SourceBody};
use crate::paging::{Listing, PageRequest};
use crate::{App, AppError};

/// Which contacts are wanted: those of a campaign or source, or those that a number or key leads to.
#[derive(Clone, Debug, Default)]
pub struct ContactQuery {
    /// Of this campaign.
    pub campaign: Option<CampaignId>,
    /// From this source.
    pub source: Option<SourceId>,
    /// That are here on their way.
    pub state: Option<ContactState>,
    /// That can be reached on this number.
    pub number: Option<PhoneNumber>,
    /// With this key in [`Self::source`].
    pub external_id: Option<String>,
    /// Whose fields hold these texts, by the campaign's names.
    pub fields: Vec<(String, String)>,
}

/// How many contacts of a source there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ContactCounts {
    /// Those that may still be called.
    pub open: u64,
    /// Those that may not.
    pub done: u64,
}

/// What became of a contact that was to be removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Removal {
    /// It is not called any more.
    Removed,
    /// It was not to be called any more anyway.
    AlreadyFinal,
    /// A campaign group has it in its hopper or on a call: it stays.
    Claimed,
    /// There is no such contact.
    Unknown,
}

impl ContactQuery {
    /// Whether a contact that was found by one part of the query fits the others.
    fn holds(&self, contact: &Contact) -> bool {
        self.campaign.is_none_or(|campaign| campaign == contact.campaign)
            && self.source.is_none_or(|source| source == contact.source)
            && self.state.is_none_or(|state| state == ContactState::from(contact.feed_state))
            && self.number.is_none_or(|number| contact.phones.iter().any(|phone| phone.number == number))
            && self.external_id.as_ref().is_none_or(|key| *key == contact.external_id)
            && self.fields.iter().all(|(name, text)| contact.fields.get(name).is_some_and(|it| it == text))
    }
}

impl App {
    /// Contacts in the order of their ids, page by page. Where a number is combined with other conditions a
    /// page may hold fewer contacts than asked for although there are more.
    ///
    /// # Errors
    /// The caller may not, or the query names neither campaign, source nor number.
    pub async fn contacts(
        &self,
        who: &Principal,
        query: ContactQuery,
        page: &PageRequest,
    ) -> Result<Listing<ContactView>, AppError> {
        who.may(Permission::Read)?;
        let (tenant, page) = (who.tenant, page.read::<ContactId>()?);
        let found = self.read(move |tx| find(tx, tenant, &query, &page)).await?;
        Ok(Listing::of(found, ContactView::from))
    }

    /// A contact. An agent sees it while it is in a hopper or on a call, and not otherwise.
    ///
    /// # Errors
    /// The caller may not, or there is none.
    pub async fn contact(&self, who: &Principal, contact: ContactId) -> Result<ContactView, AppError> {
        let is_agent = who.role == Role::Agent;
        if !is_agent {
            who.may(Permission::Read)?;
        }
        let tenant = who.tenant;
        let found = self.read(move |tx| get(tx, tenant, contact)).await?;
        let view = ContactView::from(found);
        if is_agent && view.state != ContactState::Claimed {
            return Err(AppError::Forbidden("an agent sees a contact while it is being called".to_owned()));
        }
        Ok(view)
    }

    /// Sees to it that a contact is not called any more. One that is not called anyway stays as it is.
    ///
    /// # Errors
    /// The caller may not, there is none, or a campaign group has it in its hopper or on a call.
    pub async fn close_contact(&self, who: &Principal, contact: ContactId) -> Result<ContactView, AppError> {
        who.may(Permission::Feed)?;
        let (who, now) = (who.clone(), self.clock.now());
        let audit_id = self.ids.next(now);
        let closed = self
            .write(move |tx| {
                let closing = rows::close(tx, who.tenant, contact, now)?;
                match closing.ok_or_else(|| AppError::not_found("contact", contact))? {
                    Closing::AlreadyFinal => return get(tx, who.tenant, contact),
                    Closing::Claimed => {
                        let message =
                            "a campaign group has it in its hopper or on a call: wait, or stop the group";
                        return Err(AppError::conflict("contact_claimed", message));
                    }
                    Closing::Closed => {}
                }
                let closed = get(tx, who.tenant, contact)?;
                audit::note(tx, &who, audit_id, now, Action::Close, "contact", Some(contact.0), None, None)?;
                append(tx, &closed, "contact.closed", Some(FinalReason::Closed), now)?;
                Ok(closed)
            })
            .await?;
        Ok(closed.into())
    }

    /// How many contacts of a source there are. It counts them: for reports.
    ///
    /// # Errors
    /// The caller may not.
    pub async fn source_counts(&self, who: &Principal, source: SourceId) -> Result<ContactCounts, AppError> {
        who.may(Permission::Read)?;
        let tenant = who.tenant;
        let (open, done) = self.read(move |tx| Ok(store::feed::source_counts(tx, tenant, source)?)).await?;
        Ok(ContactCounts { open, done })
    }

    /// Sees to it that contacts of a source are not called any more, and tells of each, in order, whether that is so.
    ///
    /// # Errors
    /// The caller may not, there is no such source, or too many are named.
    pub async fn remove_contacts(
        &self,
        who: &Principal,
        source: SourceId,
        external_ids: Vec<String>,
    ) -> Result<Vec<Removal>, AppError> {
        who.may(Permission::Feed)?;
        if external_ids.len() > crate::intake::ROWS_MAX {
            let message = format!("a request names at most {} contacts", crate::intake::ROWS_MAX);
            return Err(AppError::invalid("too_many", "external_ids", message));
        }
        let (who, now) = (who.clone(), self.clock.now());
        let audit_id = self.ids.next(now);
        self.write(move |tx| {
            definitions::load::<SourceBody>(tx, who.tenant, source.0)?;
            let (mut removals, mut told) = (Vec::new(), Vec::new());
            for external_id in &external_ids {
                let found = rows::by_external_id(tx, who.tenant, source, external_id)?;
                let closing = match &found {
                    Some(contact) => rows::close(tx, who.tenant, contact.id, now)?,
                    None => None,
                };
                removals.push(match closing {
                    None => Removal::Unknown,
                    Some(Closing::Closed) => Removal::Removed,
                    Some(Closing::AlreadyFinal) => Removal::AlreadyFinal,
                    Some(Closing::Claimed) => Removal::Claimed,
                });
                if let (Some(contact), Some(Closing::Closed)) = (found, closing) {
                    told.push(event_about(&contact, "contact.closed", Some(FinalReason::Closed), now)?);
                }
            }
            let after = Some(serde_json::json!({ "removed": told.len() }));
            audit::note(tx, &who, audit_id, now, Action::Close, "source", Some(source.0), None, after)?;
            events::append(tx, who.tenant, &told)?;
            Ok(removals)
        })
        .await
    }

    /// Has a contact called again that was not to be called any more. Its attempts still count.
    ///
    /// # Errors
    /// The caller may not, there is none, it is called anyway, or it cannot be called.
    pub async fn reopen_contact(&self, who: &Principal, contact: ContactId) -> Result<ContactView, AppError> {
        who.may(Permission::Feed)?;
        let (who, now) = (who.clone(), self.clock.now());
        let (tenant, audit_id) = (who.tenant, self.ids.next(now));
        let reopened = self
            .write(move |tx| {
                let reopening = rows::reopen(tx, tenant, contact, now)?;
                refuse_reopening(reopening.ok_or_else(|| AppError::not_found("contact", contact))?)?;
                let reopened = get(tx, tenant, contact)?;
                audit::note(tx, &who, audit_id, now, Action::Update, "contact", Some(contact.0), None, None)?;
                append(tx, &reopened, "contact.reopened", None, now)?;
                Ok(reopened)
            })
            .await?;
        self.floor.contacts_added(tenant, reopened.campaign).await;
        Ok(reopened.into())
    }
}

fn get(tx: &mut Tx<'_>, tenant: TenantId, contact: ContactId) -> Result<Contact, AppError> {
    rows::get(tx, tenant, contact)?.ok_or_else(|| AppError::not_found("contact", contact))
}

fn find(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    query: &ContactQuery,
    page: &Page<ContactId>,
) -> Result<Rows<Contact, ContactId>, AppError> {
    if let Some(external_id) = &query.external_id {
        let Some(source) = query.source else {
            let message = "name the source too: an external id is unique within its source only";
            return Err(AppError::invalid("missing", "source", message));
        };
        let found = rows::by_external_id(tx, tenant, source, external_id)?;
        let found = found.filter(|contact| query.holds(contact) && page.after.is_none());
        return Ok(Rows { rows: found.into_iter().collect(), next: None });
    }
    if let Some(number) = query.number {
        let mut found = rows::by_number(tx, tenant, number, page)?;
        found.rows.retain(|contact| query.holds(contact));
        return Ok(found);
    }
    let campaign = match (query.campaign, query.source) {
        (Some(campaign), _) => {
            definitions::load::<CampaignBody>(tx, tenant, campaign.0)?;
            campaign
        }
        (None, Some(source)) => definitions::load::<SourceBody>(tx, tenant, source.0)?.body.campaign,
        (None, None) => {
            let message = "name a campaign, a source or a number: contacts are listed for one of them";
            return Err(AppError::invalid("missing", "campaign", message));
        }
    };
    let (feed_state, fields) = (query.state.map(Into::into), query.fields.clone());
    let filter = ContactFilter { source: query.source, feed_state, fields };
    Ok(rows::page(tx, tenant, campaign, &filter, page)?)
}

fn refuse_reopening(reopening: Reopening) -> Result<(), AppError> {
    let (code, message) = match reopening {
        Reopening::Reopened => return Ok(()),
        Reopening::NotFinal => ("contact_not_closed", "it is to be called anyway"),
        Reopening::NoPhoneLeft => ("no_phone_left", "none of its numbers may be dialled: add one first"),
        Reopening::Expired => ("contact_expired", "its time is over: give it a later expires_at first"),
    };
    Err(AppError::conflict(code, message))
}

/// Tells other systems; the last act of its transaction.
fn append(
    tx: &mut Tx<'_>,
    contact: &Contact,
    kind: &'static str,
    reason: Option<FinalReason>,
    now: Time,
) -> Result<(), AppError> {
    Ok(events::append(tx, contact.tenant, &[event_about(contact, kind, reason, now)?])?)
}

fn event_about(
    contact: &Contact,
    kind: &'static str,
    reason: Option<FinalReason>,
    now: Time,
) -> Result<NewEvent, AppError> {
    let mut body = serde_json::json!({
        "kind": kind, "campaign": contact.campaign, "contact": contact.id, "at": now.to_rfc3339(),
    });
    if let (Some(reason), Some(object)) = (reason, body.as_object_mut()) {
        object.insert("reason".to_owned(), serde_json::json!(reason));
    }
    Ok(NewEvent::new(now, kind, &body)?)
}
