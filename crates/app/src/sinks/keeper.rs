//! Which node delivers to which sink.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use engine::Time;
use store::sinks::{self as rows, SinkLease};
use telephony::{Clock, SystemClock};
use tokio::task::{AbortHandle, JoinSet};
use uuid::Uuid;

use super::pump::Pump;
use crate::{App, AppError};

/// How long a lease is taken for. A node that is silent for so long has lost its sinks.
const LEASE: Duration = Duration::from_secs(15);
/// How often leases are renewed.
const RENEW_EVERY: Duration = Duration::from_secs(4);
/// How often it is looked for sinks that nobody delivers to.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Takes up sinks that nobody delivers to and runs a pump for each. Runs until dropped, and all pumps with it.
pub(super) async fn keep(app: Arc<App>) {
    let mut pumps: JoinSet<()> = JoinSet::new();
    let mut held: HashMap<Uuid, (SinkLease, AbortHandle)> = HashMap::new();
    let mut renew_at = Time::EPOCH;
    loop {
        let now = SystemClock.now();
        while pumps.try_join_next().is_some() {}
        held.retain(|_, (_, pump)| !pump.is_finished());
        match app.look_for_sinks(now, !held.is_empty() && now >= renew_at).await {
            Ok((kept, taken)) => {
                if let Some(kept) = kept {
                    renew_at = now + RENEW_EVERY;
                    held.retain(|_, (lease, pump)| {
                        let stays = kept.contains(lease);
                        if !stays {
                            pump.abort();
                        }
                        stays
                    });
                }
                for lease in taken {
                    let pump = pumps.spawn(Pump::new(Arc::clone(&app), lease).run());
                    if let Some((_, before)) = held.insert(lease.sink, (lease, pump)) {
                        before.abort();
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "could not look for sinks without a node"),
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Leases that this node still has, if it was asked, and those that it took.
type Leases = (Option<Vec<SinkLease>>, Vec<SinkLease>);

impl App {
    async fn look_for_sinks(&self, now: Time, renew: bool) -> Result<Leases, AppError> {
        let (node, until) = (self.sinks.node, now + LEASE);
        let kept =
            if renew { Some(self.write(move |tx| Ok(rows::renew(tx, node, until)?)).await?) } else { None };
        // Looking takes no lock; taking does, and is seldom needed.
        let taken = if self.read(move |tx| Ok(rows::any_free(tx, now)?)).await? {
            self.write(move |tx| Ok(rows::take_free(tx, node, now, until)?)).await?
        } else {
            Vec::new()
        };
        Ok((kept, taken))
    }

    /// Gives the sinks back that this node delivers to.
    pub(crate) async fn give_up_sinks(&self) {
        let node = self.sinks.node;
        if let Err(error) = self.write(move |tx| Ok(rows::release_all(tx, node)?)).await {
            tracing::warn!(%error, "could not give sinks up; their leases run out by themselves");
        }
    }
}
