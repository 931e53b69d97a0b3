//! One contact at a time, with all that may be said of how it is called: for a campaign or one of its groups, before all
//! others, promised at an instant. What it is made of goes through the intake, as everything that becomes a contact.

use std::sync::Arc;
use std::time::Duration;

use contacts::{FieldDefinition, RawContact, RawPhone, RawText, RawWindow};
use engine::{
    AgentId, CallbackId, CallbackState, CampaignId, ContactId, GroupId, PhoneNumber, SourceId, TenantId, Time,
};
use serde_json::json;
use store::Tx;
use store::records::callbacks::{self as callback_rows, Callback};
use store::records::contacts::{self as rows, Contact};
use store::records::definitions::{self as definition_rows, NewDefinition};

use crate::access::{Permission, Principal};
use crate::audit::{self, Action};
use crate::callbacks::{due, tell};
use crate::contacts::ContactView;
use crate::definitions::{load, load_all};
use crate::intake::{Prepared, Record, RecordResult, seal, write_batch};
use crate::model::{CampaignBody, CampaignGroupBody, Definition, SourceBody};
use crate::{App, AppError};

/// How often a change of a contact begins anew because others changed it meanwhile.
const CHANGED_MEANWHILE_MAX: usize = 10;

/// A contact that is to be called.
#[derive(Clone, Debug)]
pub struct NewPlacement {
    /// For which campaign.
    pub campaign: CampaignId,
    /// The only campaign group that may call it; none leaves it to any of the campaign.
    pub group: Option<GroupId>,
    /// What it is kept under; a source of this name is made when it is first needed.
    pub source: &'static str,
    /// Who it is. What the source calls it is made here.
    pub contact: RawContact<'static>,
    /// Not called before this instant.
    pub not_before: Option<Time>,
    /// Not called from this instant on.
    pub expires_at: Option<Time>,
    /// Whether the call is promised: it then has the life of a callback.
    pub is_promised: bool,
    /// Whether it is called before all that is not.
    pub is_urgent: bool,
    /// When it came to be, if not now.
    pub created_at: Option<Time>,
}

/// What became of a contact that was to be called.
#[derive(Clone, Debug)]
pub struct Placed {
    /// The contact.
    pub contact: ContactView,
    /// Whether it is one that was there: the campaign takes requests for a number that come shortly after one another
    /// as one.
    pub is_repetition: bool,
}

/// A contact as it is placed, checked and ready.
pub(crate) struct Placing {
    pub(crate) source: SourceId,
    pub(crate) group: Option<GroupId>,
    pub(crate) raw: RawContact<'static>,
    pub(crate) not_before: Option<Time>,
    pub(crate) expires_at: Option<Time>,
    pub(crate) is_urgent: bool,
    pub(crate) created_at: Option<Time>,
    pub(crate) promise: Option<NewPromise>,
    /// Requests for a number that come within this time are one.
    pub(crate) once_in: Option<Duration>,
}

/// The promise that a contact is placed for.
#[derive(Clone)]
pub(crate) struct NewPromise {
    pub(crate) id: CallbackId,
    /// The group that answers for it.
    pub(crate) group: GroupId,
    pub(crate) first_name: Option<String>,
    pub(crate) last_name: Option<String>,
    pub(crate) agent: Option<AgentId>,
    pub(crate) notes: Option<String>,
    pub(crate) due: Time,
    pub(crate) valid_until: Time,
}

/// What came of placing.
#[derive(Clone)]
pub(crate) enum Outcome {
    /// It is there, with its promise and the other open promises to its number.
    Placed(Box<Contact>, Option<(Callback, Vec<CallbackId>)>),
    /// It was there.
    Repeated(Box<Contact>),
    /// The intake did not take it.
    Refused(Option<RecordResult>),
}

impl App {
    /// Places a contact, and tells it as it is now.
    ///
    /// # Errors
    /// The caller may not, there is no such campaign or group, nobody calls out for the campaign, or the contact is not
    /// one that can be called. Then nothing was made.
    pub async fn place_contact(
        self: &Arc<Self>,
        who: &Principal,
        new: NewPlacement,
    ) -> Result<Placed, AppError> {
        who.may(Permission::Feed)?;
        let now = self.clock.now();
        let (tenant, campaign, group) = (who.tenant, new.campaign, new.group);
        let (answers, once_in) = self.read(move |tx| answering(tx, tenant, campaign, group)).await?;
        let source = self.source_for(who, campaign, new.source).await?;
        let (not_before, expires_at) = (new.not_before.unwrap_or(now).max(now), new.expires_at);
        let valid_until = expires_at.unwrap_or(answers.body.settings.callbacks.valid_until(not_before));
        if valid_until <= not_before {
            return Err(AppError::invalid(
                "out_of_range",
                "expires_at",
                "it must be later than the time to call",
            ));
        }
        let promise = new.is_promised.then(|| NewPromise {
            id: CallbackId(self.ids.next(now)),
            group: GroupId(answers.id),
            first_name: None,
            last_name: None,
            agent: None,
            notes: None,
            due: not_before,
            valid_until,
        });
        let mut raw = new.contact;
        raw.external_id = Some(RawText::new(self.ids.next(now).simple().to_string()));
        let placing = Placing {
            source,
            group,
            raw,
            not_before: Some(not_before),
            expires_at: if new.is_promised { Some(valid_until) } else { expires_at },
            is_urgent: new.is_urgent,
            created_at: new.created_at,
            promise,
            once_in,
        };
        match self.place(who, placing).await? {
            Outcome::Placed(contact, _) => Ok(Placed { contact: (*contact).into(), is_repetition: false }),
            Outcome::Repeated(contact) => Ok(Placed { contact: (*contact).into(), is_repetition: true }),
            Outcome::Refused(result) => Err(refused(result)),
        }
    }

    /// Changes fields of a contact, and with them its numbers where a field means one. What is not named stays, also when
    /// others change it at the same time.
    ///
    /// # Errors
    /// The caller may not, there is none, or it would not be one that can be called. Then nothing changes.
    pub async fn change_contact(
        self: &Arc<Self>,
        who: &Principal,
        contact: ContactId,
        changes: Vec<(String, String)>,
    ) -> Result<ContactView, AppError> {
        who.may(Permission::Feed)?;
        for _ in 0..CHANGED_MEANWHILE_MAX {
            if let Some(changed) = self.try_to_change(who, contact, changes.clone()).await? {
                return Ok(changed);
            }
        }
        Err(AppError::Overloaded)
    }

    /// As [`Self::change_contact`]; none, and nothing changes, if the contact was changed since it was read.
    async fn try_to_change(
        self: &Arc<Self>,
        who: &Principal,
        contact: ContactId,
        changes: Vec<(String, String)>,
    ) -> Result<Option<ContactView>, AppError> {
        let tenant = who.tenant;
        let (known, raw) = self
            .read(move |tx| {
                let known = rows::get(tx, tenant, contact)?;
                let known = known.ok_or_else(|| AppError::not_found("contact", contact))?;
                let fields = load::<CampaignBody>(tx, tenant, known.campaign.0)?.body.fields;
                let raw = as_raw(tx, &known, &fields, &changes)?;
                Ok((known, raw))
            })
            .await?;
        let mut context = self.intake_context(tenant, known.source).await?;
        context.group = known.group;
        context.duplicates = Default::default();
        let campaign = context.campaign;
        let mut batch =
            self.prepare_records(context, vec![(1, Record::Contact(Box::new(raw)))], None).await?;
        for Prepared { content, .. } in &mut batch.records {
            if let Ok(ready) = content {
                // Its place in the feed stays: nothing is promised anew.
                ready.record.not_before = Some(known.next_at);
                ready.record.expires_at = known.expires_at;
            }
        }
        let agents = self.find_agents(&batch).await?;
        let batch = seal(batch, &agents);
        let (who_in, audit_id) = (who.clone(), self.ids.next(self.clock.now()));
        let outcome = self
            .write(move |tx| {
                store::intake::wait_for_others(tx, known.source)?;
                if rows::get_to_change(tx, tenant, contact)?.as_ref() != Some(&known) {
                    return Ok(None);
                }
                let result = write_batch(tx, &batch)?.into_iter().next();
                let (action, target) = (Action::Update, Some(contact.0));
                audit::note(tx, &who_in, audit_id, batch.now(), action, "contact", target, None, None)?;
                Ok(Some((result, rows::get(tx, tenant, contact)?)))
            })
            .await?;
        match outcome {
            None => Ok(None),
            Some((Some(RecordResult { contact: Some(_), .. }), Some(changed))) => {
                self.floor.contacts_added(tenant, campaign).await;
                Ok(Some(changed.into()))
            }
            Some((result, _)) => Err(refused(result)),
        }
    }

    /// Takes a contact in together with its promise, or neither.
    pub(crate) async fn place(
        self: &Arc<Self>,
        who: &Principal,
        placing: Placing,
    ) -> Result<Outcome, AppError> {
        let mut context = self.intake_context(who.tenant, placing.source).await?;
        context.group = placing.group;
        let campaign = context.campaign;
        let mut batch =
            self.prepare_records(context, vec![(1, Record::Contact(Box::new(placing.raw)))], None).await?;
        let mut numbers: Vec<PhoneNumber> = Vec::new();
        for Prepared { content, .. } in &mut batch.records {
            if let Ok(ready) = content {
                ready.record.callback = placing.promise.is_some();
                ready.record.urgent = placing.is_urgent;
                ready.record.not_before = placing.not_before;
                ready.record.expires_at = placing.expires_at.or(ready.record.expires_at);
                ready.record.created_at = placing.created_at;
                numbers.extend(ready.record.phones.iter().map(|phone| phone.number));
            }
        }
        let agents = self.find_agents(&batch).await?;
        let batch = seal(batch, &agents);
        let (who_in, tenant, now) = (who.clone(), who.tenant, batch.now());
        let (source, promise, once_in) = (placing.source, placing.promise, placing.once_in);
        let audit_id = self.ids.next(now);
        let outcome = self
            .write(move |tx| {
                if let Some(span) = once_in {
                    store::intake::wait_for_others(tx, source)?;
                    if let Some(found) = rows::recent(tx, tenant, source, &numbers, now - span)? {
                        return Ok(Outcome::Repeated(Box::new(found)));
                    }
                }
                let result = write_batch(tx, &batch)?.into_iter().next();
                let Some(contact) = result.as_ref().and_then(|result| result.contact) else {
                    return Ok(Outcome::Refused(result));
                };
                let promised = match &promise {
                    Some(promise) => {
                        let number = numbers.first().copied();
                        Some(add_promise(tx, tenant, campaign, contact, number, promise, now)?)
                    }
                    None => None,
                };
                let (action, kind, target, after) = match &promise {
                    Some(it) => {
                        let after = json!({"due": it.due.to_rfc3339(), "group": it.group, "agent": it.agent});
                        (Action::Create, "callback", it.id.0, Some(after))
                    }
                    None => (Action::Add, "contact", contact.0, None),
                };
                audit::note(tx, &who_in, audit_id, now, action, kind, Some(target), None, after)?;
                let contact = rows::get(tx, tenant, contact)?
                    .ok_or_else(|| AppError::Internal("a contact that was just added is gone".to_owned()))?;
                Ok(Outcome::Placed(Box::new(contact), promised))
            })
            .await?;
        if matches!(outcome, Outcome::Placed(..)) {
            self.floor.contacts_added(tenant, campaign).await;
        }
        Ok(outcome)
    }

    /// A source of a campaign that is made when it is first needed; it reads numbers as the campaign's oldest does.
    pub(crate) async fn source_for(
        &self,
        who: &Principal,
        campaign: CampaignId,
        name: &'static str,
    ) -> Result<SourceId, AppError> {
        let (tenant, now) = (who.tenant, self.clock.now());
        let id = self.ids.next(now);
        self.write(move |tx| {
            let kind = SourceBody::KIND;
            if let Some(found) = definition_rows::by_name(tx, tenant, kind, Some(campaign.0), name)? {
                return Ok(SourceId(found.id));
            }
            let model = model_source(tx, tenant, campaign)?;
            let body = SourceBody {
                name: name.to_owned(),
                campaign,
                default_country: model.as_ref().and_then(|model| model.default_country),
                zone_policy: model.map(|model| model.zone_policy).unwrap_or_default(),
                duplicates: Default::default(),
                expires_after_days: None,
                caller_id: None,
                caller_id_pool: None,
            };
            let value = serde_json::to_value(&body).map_err(|error| AppError::Internal(error.to_string()))?;
            let parent = Some(campaign.0);
            let new = NewDefinition { id, tenant, kind, parent, name, body: &value, now };
            Ok(SourceId(definition_rows::insert(tx, &new)?.id))
        })
        .await
    }

    /// The zone in which a tenant's local times are read.
    ///
    /// # Errors
    /// The caller may not look things up.
    pub async fn zone(&self, who: &Principal) -> Result<engine::Zone, AppError> {
        who.may(Permission::LookUp)?;
        let tenant = who.tenant;
        self.read(move |tx| due::zone_of(tx, tenant)).await
    }
}

/// The source whose way of reading numbers others of its campaign share: the oldest.
pub(crate) fn model_source(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    campaign: CampaignId,
) -> Result<Option<SourceBody>, AppError> {
    let sources = load_all::<SourceBody>(tx, tenant)?;
    let own = sources.into_iter().filter(|source| source.body.campaign == campaign);
    Ok(own.min_by_key(|source| (source.created_at, source.id)).map(|source| source.body))
}

/// The group that answers for what is promised for a campaign: the one that is named, else the oldest. And within what
/// time requests for one number are one.
fn answering(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    campaign: CampaignId,
    group: Option<GroupId>,
) -> Result<(crate::model::Stored<CampaignGroupBody>, Option<Duration>), AppError> {
    let body = load::<CampaignBody>(tx, tenant, campaign.0)?.body;
    let mut groups = load_all::<CampaignGroupBody>(tx, tenant)?;
    groups.retain(|it| it.body.campaign == campaign && group.is_none_or(|group| group.0 == it.id));
    let answers = groups.into_iter().min_by_key(|group| (group.created_at, group.id));
    let once_in = body.repeat_minutes.map(|minutes| Duration::from_secs(u64::from(minutes) * 60));
    match (answers, group) {
        (Some(answers), _) => Ok((answers, once_in)),
        (None, Some(group)) => Err(AppError::not_found(CampaignGroupBody::KIND, group)),
        (None, None) => {
            let message = "no campaign group calls for this campaign: create one first";
            Err(AppError::conflict("no_campaign_group", message))
        }
    }
}

fn add_promise(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    campaign: CampaignId,
    contact: ContactId,
    number: Option<PhoneNumber>,
    promise: &NewPromise,
    now: Time,
) -> Result<(Callback, Vec<CallbackId>), AppError> {
    let duplicates = match number {
        Some(number) => callback_rows::open_to(tx, tenant, campaign, number)?,
        None => Vec::new(),
    };
    let callback = Callback {
        id: promise.id,
        tenant,
        campaign,
        group: promise.group,
        contact,
        number,
        first_name: promise.first_name.clone(),
        last_name: promise.last_name.clone(),
        agent: promise.agent,
        due: promise.due,
        valid_until: promise.valid_until,
        state: CallbackState::Scheduled,
        reason: None,
        notes: promise.notes.clone(),
        offers: 0,
        dials: 0,
        follows: None,
        owns_contact: true,
        created_at: now,
        updated_at: now,
    };
    callback_rows::insert(tx, &callback)?;
    tell(tx, "callback.made", &callback, now)?;
    Ok((callback, duplicates))
}

/// Why the intake did not take a contact.
pub(crate) fn refused(result: Option<RecordResult>) -> AppError {
    let Some(result) = result else {
        return AppError::Internal("a contact that was placed has no result".to_owned());
    };
    let message = result.message.unwrap_or_else(|| "the contact cannot be taken".to_owned());
    let code = result.code.map_or("contact_rejected", contacts::RecordErrorCode::as_str);
    AppError::invalid(code, result.field.as_deref().unwrap_or("number"), message)
}

/// A stored contact as it would have to be sent to be as it is, with changes of its fields.
fn as_raw(
    tx: &mut Tx<'_>,
    known: &Contact,
    definitions: &[FieldDefinition],
    changes: &[(String, String)],
) -> Result<RawContact<'static>, AppError> {
    let mut fields: Vec<(String, String)> = Vec::new();
    if let Some(stored) = known.fields.as_object() {
        for (name, value) in stored {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            fields.push((name.clone(), text));
        }
    }
    for (name, text) in changes {
        fields.retain(|(known, _)| known != name);
        fields.push((name.clone(), text.clone()));
    }
    let buckets = rows::buckets_of(tx, known.id)?;
    let own_zone = buckets.values().next().and_then(|bucket| match bucket.zones.zones() {
        [zone] => Some(RawText::new(zone.name().to_owned())),
        _ => None,
    });
    let changes_numbers = definitions
        .iter()
        .any(|field| field.meaning.is_phone() && changes.iter().any(|(name, _)| name == field.name.as_str()));
    let phones = if changes_numbers {
        phones_of(definitions, &fields)
    } else {
        let text = |text: String| Some(RawText::new(text));
        known
            .phones
            .iter()
            .map(|phone| RawPhone {
                number: RawText::new(phone.number.to_string()),
                kind: serde_json::to_value(phone.kind).ok().and_then(|kind| text(kind.as_str()?.to_owned())),
                attempts_max: phone.attempts_max.and_then(|most| text(most.to_string())),
                caller_id: phone.caller_id.and_then(|number| text(number.to_string())),
                window: buckets.get(&phone.position).and_then(|bucket| bucket.window).map(|window| {
                    RawWindow {
                        from: text(minute(window.from_minute())),
                        until: text(minute(window.until_minute())),
                    }
                }),
                order: 0,
            })
            .collect()
    };
    Ok(RawContact {
        external_id: Some(RawText::new(known.external_id.clone())),
        phones,
        zone: own_zone.filter(|_| !changes_numbers),
        priority: Some(RawText::new(known.priority.to_string())),
        not_before: None,
        expires_at: None,
        preferred_agent: known.preferred_agent.map(|agent| RawText::new(agent.to_string())),
        tag: known.tag.clone().map(RawText::new),
        fields: fields.into_iter().map(|(name, text)| (name.into(), RawText::new(text))).collect(),
    })
}

fn minute(of_day: u16) -> String {
    format!("{:02}:{:02}", of_day / 60, of_day % 60)
}

/// The numbers that fields hold whose meaning is one, in the order of the campaign's fields.
pub fn phones_of(definitions: &[FieldDefinition], fields: &[(String, String)]) -> Vec<RawPhone<'static>> {
    let of = |field: &FieldDefinition| {
        let kind = field.meaning.phone_kind()?;
        let (_, number) =
            fields.iter().find(|(name, text)| name == field.name.as_str() && !text.trim().is_empty())?;
        Some(RawPhone {
            number: RawText::new(number.clone()),
            kind: Some(RawText::new(kind)),
            ..RawPhone::default()
        })
    };
    definitions.iter().filter_map(of).collect()
}
