//! Figures that are read from what is stored.

use engine::{CampaignId, GroupId, TenantId, Time};
use store::feed::{self, Counts};
use store::records::attempts::{self, GroupResults};

use crate::{App, AppError};

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

    /// A campaign's contacts by state. It reads all of them: for reports, not for every second of a large list.
    ///
    /// # Errors
    /// The database failed.
    pub async fn contact_counts(&self, campaign: CampaignId) -> Result<Counts, AppError> {
        self.read(move |tx| Ok(feed::counts(tx, campaign)?)).await
    }
}
