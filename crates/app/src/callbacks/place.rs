//! Where a callback belongs: its group, campaign and source.

use contacts::Country;
use engine::{
    AgentId, CallbackSettings, CallbackState, CampaignId, GroupId, SkillId, SourceId, TenantId, Time,
};
use store::Tx;
use store::records::callbacks::Callback;
use store::records::contacts as contact_rows;
use store::records::definitions::{self as definition_rows, NewDefinition};
use store::records::users;

use super::NewCallback;
use crate::access::Principal;
use crate::definitions::load_all;
use crate::model::{AgentBody, CampaignGroupBody, Definition, SkillBody, SourceBody, Stored};
use crate::{App, AppError, Fault};

/// The source that the contacts of callbacks are kept under, one in each campaign.
const SOURCE: &str = "Callbacks";

/// Where a callback belongs.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub group: GroupId,
    pub campaign: CampaignId,
    pub settings: CallbackSettings,
    /// In which country national numbers are read.
    pub country: Option<Country>,
}

/// The group that a callback is for, or all that is wrong with what names it.
pub(super) fn find(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    new: &NewCallback,
) -> Result<Result<Place, Vec<Fault>>, AppError> {
    let mut faults = Vec::new();
    if let Some(agent) = new.agent
        && !agent_exists(tx, tenant, agent)?
    {
        faults.push(Fault::new("unknown_agent", "agent", "there is no such agent: give an agent's id"));
    }
    let group = match group(tx, tenant, new)? {
        Ok(group) => Some(group),
        Err(fault) => {
            faults.push(fault);
            None
        }
    };
    let Some(group) = group.filter(|_| faults.is_empty()) else { return Ok(Err(faults)) };
    let campaign = group.body.campaign;
    let country = model_source(tx, tenant, campaign)?.and_then(|source| source.default_country);
    Ok(Ok(Place { group: GroupId(group.id), campaign, settings: group.body.settings.callbacks, country }))
}

fn group(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    new: &NewCallback,
) -> Result<Result<Stored<CampaignGroupBody>, Fault>, AppError> {
    let groups = load_all::<CampaignGroupBody>(tx, tenant)?;
    if let Some(id) = new.group {
        let found = groups.into_iter().find(|group| group.id == id.0);
        return Ok(match (found, new.skill) {
            (Some(group), Some(skill)) if group.body.skill != skill => {
                Err(Fault::new("unknown_skill", "skill", "the campaign group serves another skill"))
            }
            (Some(group), _) => Ok(group),
            (None, _) => Err(Fault::new("unknown_group", "group", "there is no such campaign group")),
        });
    }
    let Some(skill) = new.skill else {
        return Ok(Err(Fault::new("missing", "skill", "name the skill that the callback is for")));
    };
    let mut serving: Vec<_> = groups.into_iter().filter(|group| group.body.skill == skill).collect();
    Ok(match (serving.pop(), serving.len()) {
        (Some(group), 0) => Ok(group),
        (Some(_), others) => {
            let message = format!("{} campaign groups serve this skill: name the group", others + 1);
            Err(Fault::new("ambiguous_skill", "skill", message))
        }
        (None, _) if definition_rows::get(tx, tenant, SkillBody::KIND, skill.0)?.is_none() => {
            Err(Fault::new("unknown_skill", "skill", "there is no such skill: give a skill's id"))
        }
        (None, _) => {
            let message = "no campaign group serves this skill, so nobody calls out for it";
            Err(Fault::new("not_outbound_skill", "skill", message))
        }
    })
}

/// The groups that serve a skill.
pub(super) fn groups_of_skill(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    skill: SkillId,
) -> Result<Vec<GroupId>, AppError> {
    let groups = load_all::<CampaignGroupBody>(tx, tenant)?;
    Ok(groups.into_iter().filter(|group| group.body.skill == skill).map(|group| GroupId(group.id)).collect())
}

/// Whether there is such an agent, and one who may log in.
pub(super) fn agent_exists(tx: &mut Tx<'_>, tenant: TenantId, agent: AgentId) -> Result<bool, AppError> {
    Ok(definition_rows::get(tx, tenant, AgentBody::KIND, agent.0)?.is_some()
        && !users::all_disabled(tx, tenant, agent)?)
}

/// The source whose way of reading numbers callbacks share: the campaign's oldest.
fn model_source(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    campaign: CampaignId,
) -> Result<Option<SourceBody>, AppError> {
    let sources = load_all::<SourceBody>(tx, tenant)?;
    let own = sources.into_iter().filter(|source| source.body.campaign == campaign);
    Ok(own.min_by_key(|source| (source.created_at, source.id)).map(|source| source.body))
}

/// Has a callback's contact follow a change of it: called at the new time, or not any more. False if a campaign group
/// has it in hand.
pub(super) fn follow(tx: &mut Tx<'_>, callback: &Callback, now: Time) -> Result<bool, AppError> {
    Ok(if callback.state == CallbackState::Scheduled {
        contact_rows::postpone(
            tx,
            callback.tenant,
            callback.contact,
            callback.due,
            callback.valid_until,
            now,
        )?
    } else if callback.owns_contact {
        let closing = contact_rows::close(tx, callback.tenant, callback.contact, now)?;
        !matches!(closing, Some(contact_rows::Closing::Claimed))
    } else {
        contact_rows::unpromise(tx, callback.tenant, callback.contact, now)?
    })
}

impl App {
    /// The source of a campaign's callbacks; it is made when it is first needed, and reads numbers as the campaign's
    /// oldest source does.
    pub(super) async fn callbacks_source(
        &self,
        who: &Principal,
        place: &Place,
    ) -> Result<SourceId, AppError> {
        let (tenant, campaign, now) = (who.tenant, place.campaign, self.clock.now());
        let id = self.ids.next(now);
        self.write(move |tx| {
            let kind = SourceBody::KIND;
            if let Some(found) = definition_rows::by_name(tx, tenant, kind, Some(campaign.0), SOURCE)? {
                return Ok(SourceId(found.id));
            }
            let model = model_source(tx, tenant, campaign)?;
            let body = SourceBody {
                name: SOURCE.to_owned(),
                campaign,
                default_country: model.as_ref().and_then(|model| model.default_country),
                zone_policy: model.map(|model| model.zone_policy).unwrap_or_default(),
                duplicates: Default::default(),
                expires_after_days: None,
            };
            let value = serde_json::to_value(&body).map_err(|error| AppError::Internal(error.to_string()))?;
            let parent = Some(campaign.0);
            let new = NewDefinition { id, tenant, kind, parent, name: SOURCE, body: &value, now };
            Ok(SourceId(definition_rows::insert(tx, &new)?.id))
        })
        .await
    }
}
