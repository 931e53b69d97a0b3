//! What is tidied up in the background: contacts whose time is over, sessions that are over, answers that nobody
//! repeats a request for any more.

use std::sync::Arc;
use std::time::Duration;

use engine::{CampaignId, TenantId, Time};
use store::records::{Page, Rows, idempotency, tenants, users};
use store::{Tx, feed};

use crate::definitions::load_all;
use crate::idempotency::KEPT;
use crate::model::CampaignBody;
use crate::{App, AppError};

/// How often it is tidied up.
const EVERY: Duration = Duration::from_secs(60);
/// Rows in one transaction: few enough that nobody waits for it.
const ROWS: u32 = 1000;
/// Tenants looked at together.
const TENANTS: u32 = 100;

/// Tidies up every minute. Runs until dropped.
pub(crate) async fn tidy(app: Arc<App>) {
    loop {
        if let Err(error) = app.tidy_up().await {
            tracing::warn!(%error, "could not tidy up; trying again in a minute");
        }
        tokio::time::sleep(EVERY).await;
    }
}

impl App {
    /// Tidies up until nothing is left to be tidied: expired contacts and sessions, answers kept for repetitions,
    /// callbacks whose time has passed, files of sounds that nothing needs, and recordings whose time is over. It happens every minute by itself.
    ///
    /// # Errors
    /// The database failed; what was done before stays done. What fails for one tenant or one kind of thing is in the log,
    /// and keeps no other from being tidied.
    pub async fn tidy_up(&self) -> Result<(), AppError> {
        let now = self.clock.now();
        let rows = move |tx: &mut Tx<'_>| {
            let sessions = users::delete_expired_sessions(tx, now, ROWS)?;
            let answers = idempotency::purge(tx, now - KEPT, ROWS)?;
            Ok(sessions.max(answers))
        };
        while self.write(rows).await? >= u64::from(ROWS) {}
        // Each is done whatever becomes of the others.
        let parts = [
            ("callbacks", self.close_overdue_callbacks(now).await),
            ("errors of scripts", self.forget_script_errors(now).await),
            ("sounds", self.tidy_sounds().await),
            ("recordings", self.tidy_recordings(now).await),
        ];
        for (what, done) in parts {
            if let Err(error) = done {
                tracing::warn!(%error, what, "could not tidy up; trying again in a minute");
            }
        }
        let mut page = Page::first(TENANTS);
        loop {
            let Rows { rows, next } = self.read(move |tx| Ok(tenants::list(tx, &page)?)).await?;
            for tenant in rows {
                if let Err(error) = self.close_expired(tenant.id, now).await {
                    tracing::warn!(tenant = %tenant.id, %error, "could not close expired contacts; trying again");
                }
            }
            match next {
                Some(next) => page = Page::after(next, TENANTS),
                None => return Ok(()),
            }
        }
    }

    async fn close_expired(&self, tenant: TenantId, now: Time) -> Result<(), AppError> {
        for campaign in self.read(move |tx| load_all::<CampaignBody>(tx, tenant)).await? {
            let campaign = CampaignId(campaign.id);
            let close = move |tx: &mut Tx<'_>| Ok(feed::close_expired(tx, tenant, campaign, now, ROWS)?);
            while self.write(close).await? >= u64::from(ROWS) {}
        }
        Ok(())
    }
}
