//! Where a callback belongs: its group, campaign and source.

use contacts::Country;
use engine::{AgentId, CallbackSettings, CallbackState, CampaignId, GroupId, SkillId, TenantId, Time};
use store::Tx;
use store::records::callbacks::Callback;
use store::records::contacts as contact_rows;
use store::records::definitions as definition_rows;
use store::records::users;

use super::NewCallback;
use crate::definitions::load_all;
use crate::model::{AgentBody, CampaignGroupBody, Definition, SkillBody, Stored};
use crate::placing::model_source;
use crate::{AppError, Fault};

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
