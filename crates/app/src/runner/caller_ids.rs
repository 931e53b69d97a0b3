//! The tenant's pools of caller ids, and how often their numbers were shown.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use engine::caller_id::Period;
use engine::{
    CallerIdPoolId, CallerIdSetting, CallerIdState, CampaignId, PhoneNumber, SourceId, TenantId, Time, Zone,
};
use store::Tx;
use store::records::caller_ids::shown;

use crate::AppError;
use crate::definitions::load_all;
use crate::model::{CallerIdPoolBody, SourceBody, caller_id_setting};

/// The pools, with what the calls of this hour and day have shown so far.
pub(super) fn load(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    zone: Zone,
    now: Time,
) -> Result<CallerIdState, AppError> {
    let pools: BTreeMap<CallerIdPoolId, _> = load_all::<CallerIdPoolBody>(tx, tenant)?
        .into_iter()
        .map(|stored| (CallerIdPoolId(stored.id), stored.body.pool()))
        .collect();
    let numbers: BTreeSet<PhoneNumber> =
        pools.values().flat_map(|pool| pool.numbers.iter().map(|own| own.number)).collect();
    let numbers: Vec<PhoneNumber> = numbers.into_iter().collect();
    let period = Period::at(&zone, now);
    let shown = shown(tx, tenant, &numbers, period.day_from, period.hour_from)?;
    Ok(CallerIdState { zone, pools, read_at: now, shown })
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
