//! Where contacts come from, and who is not called.

use contacts::{Country, SourceMap, ZonePolicy};
use engine::{CallerIdPoolId, CampaignId, PhoneNumber, SourceId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{CampaignBody, Definition, Reference, caller_ids};
use crate::AppError;

/// Where a number that another contact has already counts as a duplicate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DuplicateScope {
    /// Nowhere.
    #[default]
    None,
    /// In the same source.
    Source,
    /// In any source of the campaign.
    Campaign,
    /// In any campaign of the tenant.
    Tenant,
}

/// Where contacts come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceBody {
    /// Its name.
    pub name: String,
    /// Which campaign its contacts are for.
    pub campaign: CampaignId,
    /// The country in which national numbers are read.
    #[serde(default)]
    pub default_country: Option<Country>,
    /// What becomes of a number whose time zone nobody knows.
    #[serde(default)]
    pub zone_policy: ZonePolicy,
    /// Where a number that another contact has already counts as a duplicate.
    #[serde(default)]
    pub duplicates: DuplicateScope,
    /// Days after which a contact that names no expiry is not called any more, 1 to 3650.
    #[serde(default)]
    pub expires_after_days: Option<u16>,
    /// The number shown to its contacts, but for those whose own number says another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller_id: Option<PhoneNumber>,
    /// The pool that it is chosen from; goes before `caller_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller_id_pool: Option<CallerIdPoolId>,
}

impl Definition for SourceBody {
    const KIND: &'static str = "source";
    fn name(&self) -> &str {
        &self.name
    }
    fn parent(&self) -> Option<Uuid> {
        Some(self.campaign.0)
    }
    fn references(&self) -> Vec<Reference> {
        let campaign = Reference::new(CampaignBody::KIND, self.campaign.0, "campaign");
        std::iter::once(campaign)
            .chain(caller_ids::reference(self.caller_id_pool, "caller_id_pool"))
            .collect()
    }
    fn check(&self) -> Result<(), AppError> {
        if self.expires_after_days.is_some_and(|days| !(1..=3650).contains(&days)) {
            return Err(AppError::invalid(
                "out_of_range",
                "expires_after_days",
                "expires_after_days is 1 to 3650",
            ));
        }
        Ok(())
    }
}

/// How a source's columns become contact fields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceMapBody {
    /// Its name.
    pub name: String,
    /// Whose columns.
    pub source: SourceId,
    /// Which column is what.
    pub map: SourceMap,
}

impl Definition for SourceMapBody {
    const KIND: &'static str = "source_map";
    fn name(&self) -> &str {
        &self.name
    }
    fn parent(&self) -> Option<Uuid> {
        Some(self.source.0)
    }
    fn references(&self) -> Vec<Reference> {
        vec![Reference::new(SourceBody::KIND, self.source.0, "source")]
    }
    /// A map must fit a file that has just the columns it names.
    fn check(&self) -> Result<(), AppError> {
        let bound = self.map.bind(&self.map.headings());
        bound.map(drop).map_err(|error| AppError::invalid("bad_source_map", "map", error.to_string()))
    }
}

/// A list of numbers and customers that are not called.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SuppressionListBody {
    /// Its name.
    pub name: String,
}

impl Definition for SuppressionListBody {
    const KIND: &'static str = "suppression_list";
    fn name(&self) -> &str {
        &self.name
    }
}
