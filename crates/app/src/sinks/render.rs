//! From events to messages.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use engine::{CampaignId, Change, ContactId, GroupId, SkillId, TenantId, Time};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sinks::Message;
use store::Tx;
use store::events::Event;
use store::figures::LoadedGroup;
use store::records::{attempts, contacts};
use uuid::Uuid;

use super::format::{AttemptNotice, Format, GroupFacts, GroupNotice, GroupStatistics, Notice};
use super::statistics::Figures;
use crate::AppError;
use crate::definitions::load;
use crate::model::{AgentBody, CampaignBody, CampaignGroupBody, SinkBody, SkillBody};

/// The kind of message that is sent again and again about groups that are loaded.
pub const ACTIVITY: &str = "group.activity";
/// Figures go with a change that is at most so old: later ones would not be those of that time.
const FRESH: Duration = Duration::from_secs(60);

/// Renders a sink's messages within one transaction.
pub(super) struct Renderer<'a> {
    pub tenant: TenantId,
    pub sink: Uuid,
    pub body: &'a SinkBody,
    /// The words; none for Outdial's own.
    pub format: Option<Arc<dyn Format>>,
    pub figures: Figures,
    /// Now, in the time in which calls are made.
    pub now: Time,
    known: HashMap<GroupId, Known>,
}

/// What is known of a group: its facts, and where its figures come from.
#[derive(Clone)]
struct Known {
    facts: GroupFacts,
    place: Option<(CampaignId, SkillId)>,
}

impl<'a> Renderer<'a> {
    pub fn new(
        (tenant, sink): (TenantId, Uuid),
        body: &'a SinkBody,
        format: Option<Arc<dyn Format>>,
        figures: Figures,
        now: Time,
    ) -> Self {
        Self { tenant, sink, body, format, figures, now, known: HashMap::new() }
    }

    /// The messages of an event.
    pub fn event(&mut self, tx: &mut Tx<'_>, event: &Event) -> Result<Vec<Message>, AppError> {
        let Some(format) = self.format.clone() else { return Ok(self.plain(event)) };
        let Ok(change) = serde_json::from_str::<Change>(event.body.get()) else {
            // Other events are none that the format has words for.
            return Ok(Vec::new());
        };
        let notices = self.notices(tx, change)?;
        let message = |(part, (kind, lane, notice)): (usize, (&str, GroupId, Notice))| Message {
            id: message_id(self.sink, event.seq, part),
            lane: Some(lane.0),
            kind: kind.to_owned(),
            at: event.at,
            body: format.body(&notice).to_string(),
        };
        Ok(notices.into_iter().enumerate().map(message).collect())
    }

    /// An event in Outdial's own words.
    fn plain(&self, event: &Event) -> Vec<Message> {
        if !self.body.wants(&event.kind) {
            return Vec::new();
        }
        let body: Value = serde_json::from_str(event.body.get()).unwrap_or_default();
        let lane = body["group"].as_str().and_then(|id| Uuid::parse_str(id).ok());
        let id = message_id(self.sink, event.seq, 0);
        let told = json!({
            "id": id, "tenant": self.tenant, "seq": event.seq, "at": event.at.to_rfc3339(), "kind": event.kind,
            "body": body,
        });
        vec![Message { id, lane, kind: event.kind.clone(), at: event.at, body: told.to_string() }]
    }

    /// What a format is told of a change.
    fn notices(
        &mut self,
        tx: &mut Tx<'_>,
        change: Change,
    ) -> Result<Vec<(&'static str, GroupId, Notice)>, AppError> {
        let mut notices = Vec::new();
        match change {
            Change::GroupChanged(it) if self.body.wants("group.state") => {
                let statistics = if self.now.since(it.at) <= FRESH {
                    self.statistics(tx, it.group)?
                } else {
                    GroupStatistics::default()
                };
                let notice = GroupNotice {
                    facts: self.facts(tx, it.group)?,
                    state: it.state,
                    dial_mode: Some(it.dial_mode),
                    action: Some(it.action.code()),
                    actor: it.actor.code(),
                    statistics,
                    at: it.at,
                };
                notices.push(("group.state", it.group, Notice::Group(Box::new(notice))));
            }
            Change::AttemptStarted(it) if self.body.wants("attempt.started") => {
                let notice = self.attempt(tx, it.group, Some(it.attempt), it.contact, None, it.at)?;
                notices.push(("attempt.started", it.group, Notice::AttemptStarted(Box::new(notice))));
            }
            Change::ContactPlanned(it) => {
                let (settled, planned) =
                    (self.body.wants("attempt.settled"), self.body.wants("contact.planned"));
                if !settled && !planned {
                    return Ok(notices);
                }
                let notice = self.attempt(tx, it.group, it.attempt, it.contact, Some(it.next), it.at)?;
                if settled && it.attempt.is_some() {
                    let notice = Notice::AttemptSettled(Box::new(notice.clone()));
                    notices.push(("attempt.settled", it.group, notice));
                }
                if planned {
                    notices.push(("contact.planned", it.group, Notice::ContactPlanned(Box::new(notice))));
                }
            }
            _ => {}
        }
        Ok(notices)
    }

    /// The message about a group that is loaded, in a period of activity.
    pub fn activity(
        &mut self,
        tx: &mut Tx<'_>,
        group: &LoadedGroup,
        period: i64,
    ) -> Result<Message, AppError> {
        let statistics = self.statistics(tx, group.group)?;
        let body = match &self.format.clone() {
            Some(format) => format.body(&Notice::Group(Box::new(GroupNotice {
                facts: self.facts(tx, group.group)?,
                state: group.state,
                dial_mode: group.dial_mode,
                action: group.last_action,
                actor: group.last_actor.unwrap_or_default(),
                statistics,
                at: self.now,
            }))),
            None => json!({
                "tenant": self.tenant, "at": self.now.to_rfc3339(), "kind": ACTIVITY,
                "body": {
                    "group": group.group, "campaign": group.campaign, "state": group.state,
                    "dial_mode": group.dial_mode, "statistics": statistics,
                },
            }),
        };
        let id = activity_id(self.sink, group.group, period);
        let (lane, kind) = (Some(group.group.0), ACTIVITY.to_owned());
        Ok(Message { id, lane, kind, at: self.now, body: body.to_string() })
    }

    fn attempt(
        &mut self,
        tx: &mut Tx<'_>,
        group: GroupId,
        attempt: Option<engine::AttemptId>,
        contact: ContactId,
        next: Option<engine::change::PlannedNext>,
        at: Time,
    ) -> Result<AttemptNotice, AppError> {
        let facts = self.facts(tx, group)?;
        let attempt = match attempt {
            Some(id) => attempts::get(tx, self.tenant, id)?,
            None => None,
        };
        let contact = contacts::get(tx, self.tenant, contact)?;
        let source = match &contact {
            Some(contact) => self.figures.source_name(tx, contact.source)?,
            None => None,
        };
        let agent = attempt.as_ref().and_then(|attempt| attempt.agent);
        let agent = match agent {
            Some(agent) => found(load::<AgentBody>(tx, self.tenant, agent.0))?.map(|it| it.body.name),
            None => None,
        };
        Ok(AttemptNotice { facts, attempt, contact, source, agent, next, at })
    }

    fn statistics(&mut self, tx: &mut Tx<'_>, group: GroupId) -> Result<GroupStatistics, AppError> {
        match self.known(tx, group)?.place {
            Some((campaign, skill)) => self.figures.of(tx, group, campaign, skill),
            None => Ok(GroupStatistics::default()),
        }
    }

    fn facts(&mut self, tx: &mut Tx<'_>, group: GroupId) -> Result<GroupFacts, AppError> {
        Ok(self.known(tx, group)?.facts)
    }

    fn known(&mut self, tx: &mut Tx<'_>, group: GroupId) -> Result<Known, AppError> {
        if let Some(known) = self.known.get(&group) {
            return Ok(known.clone());
        }
        let mut facts = GroupFacts {
            tenant_name: self.body.tenant_name.clone(),
            tenant_id: self.body.tenant_id.clone().unwrap_or_else(|| self.tenant.0.simple().to_string()),
            group,
            name: String::new(),
            skill: String::new(),
            campaign: None,
            template: None,
            queue: None,
            settings: Value::Null,
        };
        let mut place = None;
        if let Some(stored) = found(load::<CampaignGroupBody>(tx, self.tenant, group.0))? {
            let body = stored.body;
            let skill = found(load::<SkillBody>(tx, self.tenant, body.skill.0))?;
            let campaign = found(load::<CampaignBody>(tx, self.tenant, body.campaign.0))?;
            place = Some((body.campaign, body.skill));
            facts.name = body.name;
            facts.queue = body.queue_name;
            facts.settings = serde_json::to_value(&body.settings).unwrap_or_default();
            facts.skill = skill.map(|it| it.body.name).unwrap_or_default();
            facts.template = campaign.as_ref().and_then(|it| it.body.template_name.clone());
            facts.campaign = campaign.map(|it| it.body.name);
        }
        let known = Known { facts, place };
        self.known.insert(group, known.clone());
        Ok(known)
    }
}

/// What is not there any more is none, not an error: events outlive what they tell of.
fn found<T>(loaded: Result<T, AppError>) -> Result<Option<T>, AppError> {
    match loaded {
        Ok(it) => Ok(Some(it)),
        Err(AppError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The id of a message of an event: the same whenever and wherever it is rendered.
fn message_id(sink: Uuid, seq: i64, part: usize) -> Uuid {
    let place = format!("event {seq} {part}");
    derived(sink, place.as_bytes())
}

fn activity_id(sink: Uuid, group: GroupId, period: i64) -> Uuid {
    derived(sink, format!("activity {group} {period}").as_bytes())
}

fn derived(sink: Uuid, place: &[u8]) -> Uuid {
    let digest = Sha256::new().chain_update(sink.as_bytes()).chain_update(place).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    // A UUID of version 8, whose bits are the maker's own (RFC 9562 §5.8).
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}
