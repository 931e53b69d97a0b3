//! Figures that are read from what is stored.

use engine::{CallingHours, CampaignId, GroupId, TenantId, Time, Zone};
use store::feed::{self, Counts};
use store::records::attempts::{self, GroupResults};
use store::records::definitions;

pub use store::records::attempts::RecordedCall;

use crate::callbacks::due::zone_of;
use crate::definitions::{load, load_all};
use crate::model::{CallingHoursBody, CampaignBody, CampaignGroupBody, Definition};
use crate::scripts::tenant_name;
use crate::{App, AppError};

/// Calls that are learned from at most, the newest.
const CALLS_LEARNED_FROM: u32 = 50_000;
/// Contacts of a list that are counted at most.
const LIST_MAX: u32 = 10_000_000;

/// What a campaign group has to go by.
#[derive(Clone, Debug)]
pub struct GroupRecord {
    /// Its settings.
    pub group: CampaignGroupBody,
    /// When it may call.
    pub hours: CallingHours,
    /// The tenant's zone.
    pub zone: Zone,
    /// Contacts that are left to call.
    pub left: u64,
    /// Its campaign's latest calls.
    pub calls: Vec<RecordedCall>,
}

impl App {
    /// What came of a group's attempts since an instant.
    ///
    /// # Errors
    /// The database failed.
    pub async fn results_of_group(
        &self,
        tenant: TenantId,
        group: GroupId,
        since: Time,
    ) -> Result<GroupResults, AppError> {
        self.read(move |tx| Ok(attempts::results_of_group(tx, tenant, group, since)?)).await
    }

    /// What a campaign group of this name has to go by, for simulating it: of any tenant if none is named.
    ///
    /// # Errors
    /// There is no such group, or several tenants have one.
    pub async fn group_to_simulate(&self, name: &str, tenant: Option<&str>) -> Result<GroupRecord, AppError> {
        let (name, tenant) = (name.to_owned(), tenant.map(str::to_owned));
        self.read(move |tx| {
            let mut found = Vec::new();
            for id in definitions::tenants_with(tx, CampaignGroupBody::KIND)? {
                let own = tenant_name(tx, id)?;
                if tenant.as_ref().is_some_and(|wanted| *wanted != own) {
                    continue;
                }
                let groups = load_all::<CampaignGroupBody>(tx, id)?;
                found.extend(
                    groups.into_iter().filter(|group| group.body.name == name).map(|group| (id, group)),
                );
            }
            let (tenant, group) = match (found.pop(), found.is_empty()) {
                (Some(only), true) => only,
                (Some(_), false) => {
                    let message = "several campaign groups have this name: name the tenant, or rename one";
                    return Err(AppError::conflict("ambiguous_group", message));
                }
                (None, _) => return Err(AppError::not_found(CampaignGroupBody::KIND, &name)),
            };
            let campaign = load::<CampaignBody>(tx, tenant, group.body.campaign.0)?.body;
            let hours = match campaign.calling_hours {
                Some(id) => load::<CallingHoursBody>(tx, tenant, id)?.body.hours,
                None => CallingHours::cautious(),
            };
            let left = feed::queue(tx, group.body.campaign, GroupId(group.id), LIST_MAX)?.available;
            let calls = attempts::recorded(tx, tenant, group.body.campaign, CALLS_LEARNED_FROM)?;
            Ok(GroupRecord { group: group.body, hours, zone: zone_of(tx, tenant)?, left, calls })
        })
        .await
    }

    /// A campaign's contacts by state. It reads all of them: for reports, not for every second of a large list.
    ///
    /// # Errors
    /// The database failed.
    pub async fn contact_counts(&self, campaign: CampaignId) -> Result<Counts, AppError> {
        self.read(move |tx| Ok(feed::counts(tx, campaign)?)).await
    }
}
