//! What the intake needs to know of a source and its campaign.

use std::time::Duration;

use contacts::Rules;
use engine::{CampaignId, FeedOrder, GroupId, SourceId, SuppressionListId, TenantId};
use store::Tx;

use crate::AppError;
use crate::definitions::load;
use crate::model::{CampaignBody, DuplicateScope, SourceBody};

const DAY: Duration = Duration::from_secs(86_400);

/// Under which rules the records of a source become contacts.
///
/// It is read anew for every batch, a look at two rows, so that a changed definition counts from the next batch on,
/// whichever node it was changed on.
#[derive(Clone, Debug)]
pub(crate) struct IntakeContext {
    /// Whose contacts they are.
    pub(crate) tenant: TenantId,
    /// Where they come from.
    pub(crate) source: SourceId,
    /// For which campaign.
    pub(crate) campaign: CampaignId,
    /// The only campaign group that may call them, if they are bound to one.
    pub(crate) group: Option<GroupId>,
    /// What a record must be like.
    pub(crate) rules: Rules,
    /// In which order the campaign calls.
    pub(crate) order: FeedOrder,
    /// Where a number that another contact has already counts as a duplicate.
    pub(crate) duplicates: DuplicateScope,
    /// Who is not called, beside those on the campaign's own list.
    pub(crate) suppression_lists: Vec<SuppressionListId>,
}

impl IntakeContext {
    /// Reads it.
    ///
    /// # Errors
    /// There is no such source, or the database failed.
    pub(crate) fn load(tx: &mut Tx<'_>, tenant: TenantId, source: SourceId) -> Result<Self, AppError> {
        let SourceBody { campaign, default_country, zone_policy, duplicates, expires_after_days, .. } =
            load::<SourceBody>(tx, tenant, source.0)?.body;
        let CampaignBody { fields, feed_order, suppression_lists, .. } =
            load::<CampaignBody>(tx, tenant, campaign.0)?.body;
        let default_expiry = expires_after_days.map(|days| DAY * u32::from(days));
        let rules = Rules { default_country, fields, zone_policy, default_expiry, default_expires_at: None };
        Ok(Self {
            tenant,
            source,
            campaign,
            group: None,
            rules,
            order: feed_order,
            duplicates,
            suppression_lists,
        })
    }
}

impl From<DuplicateScope> for store::intake::DuplicateScope {
    fn from(scope: DuplicateScope) -> Self {
        match scope {
            DuplicateScope::None => Self::None,
            DuplicateScope::Source => Self::Source,
            DuplicateScope::Campaign => Self::Campaign,
            DuplicateScope::Tenant => Self::Tenant,
        }
    }
}
