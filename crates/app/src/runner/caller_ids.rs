//! The tenant's pools of caller ids, and how often their numbers were shown.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use engine::caller_id::{Period, ShownSoFar};
use engine::{
    CallerIdPool, CallerIdPoolId, CallerIdSetting, CallerIdState, CampaignId, PhoneNumber, SourceId,
    TenantId, Time, Zone,
};
use store::records::caller_ids::shown;
use store::{Dialect, StoreError, Tx};

use super::{Message, Runner};
use crate::AppError;
use crate::definitions::load_all;
use crate::model::{CallerIdPoolBody, SourceBody, caller_id_setting};

/// How often it is read what other nodes' calls have shown: what they dial meanwhile may go beyond a limit.
const READ_EVERY: Duration = Duration::from_secs(10);

/// The pools, with what the calls of this hour and day have shown so far.
pub(super) fn load(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    zone: Zone,
    now: Time,
) -> Result<CallerIdState, AppError> {
    let pools: BTreeMap<CallerIdPoolId, CallerIdPool> = load_all::<CallerIdPoolBody>(tx, tenant)?
        .into_iter()
        .map(|stored| (CallerIdPoolId(stored.id), stored.body.pool()))
        .collect();
    let shown = shown_so_far(tx, tenant, &pools, &zone, now)?;
    Ok(CallerIdState { zone, pools, read_at: now, shown })
}

/// How often the numbers of these pools were shown in this hour and on this day.
fn shown_so_far(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    pools: &BTreeMap<CallerIdPoolId, CallerIdPool>,
    zone: &Zone,
    now: Time,
) -> Result<Vec<ShownSoFar>, StoreError> {
    let numbers: BTreeSet<PhoneNumber> =
        pools.values().flat_map(|pool| pool.numbers.iter().map(|own| own.number)).collect();
    let numbers: Vec<PhoneNumber> = numbers.into_iter().collect();
    let period = Period::at(zone, now);
    shown(tx, tenant, &numbers, period.day_from, period.hour_from)
}

/// What sources say of caller ids, those that say anything.
pub(super) fn of_sources(
    tx: &mut Tx<'_>,
    tenant: TenantId,
) -> Result<HashMap<CampaignId, BTreeMap<SourceId, CallerIdSetting>>, AppError> {
    let mut all: HashMap<CampaignId, BTreeMap<SourceId, CallerIdSetting>> = HashMap::new();
    for stored in load_all::<SourceBody>(tx, tenant)? {
        let setting = caller_id_setting(stored.body.caller_id, stored.body.caller_id_pool);
        if setting != CallerIdSetting::default() {
            all.entry(stored.body.campaign).or_default().insert(SourceId(stored.id), setting);
        }
    }
    Ok(all)
}

impl Runner {
    /// Has it read, if it is time, what other nodes' calls have shown. On SQLite there are none.
    pub(super) fn read_caller_ids(&mut self) {
        let now = tokio::time::Instant::now();
        let known = self.definitions.caller_ids.as_ref().filter(|known| !known.pools.is_empty());
        let Some(CallerIdState { zone, pools, .. }) = known else { return };
        if self.read_caller_ids_at > now || self.shared.store.dialect() == Dialect::Sqlite {
            return;
        }
        self.read_caller_ids_at = now + READ_EVERY;
        let (zone, pools) = (zone.clone(), pools.clone());
        let (tenant, read_at) = (self.tenant, self.shared.clock.now());
        let (store, runner) = (self.shared.store.clone(), self.myself.clone());
        tokio::spawn(async move {
            match store.read(move |tx| shown_so_far(tx, tenant, &pools, &zone, read_at)).await {
                Ok(shown) => drop(runner.send(Message::CallerIdsShown { read_at, shown }).await),
                Err(error) => tracing::warn!(%error, "could not read how often caller ids were shown"),
            }
        });
    }
}
