//! Answered and abandoned calls of campaigns, by quarter of an hour: what the abandonment budget begins with when a
//! group is taken up.

use std::collections::BTreeMap;
use std::time::Duration;

use engine::change::AttemptEnded;
use engine::pacing::budget::{DAYS_KEPT, SlotCount, slot_of};
use engine::{AnsweredCalls, CampaignId, Time};

use crate::changes::{HeldGroup, held_group};
use crate::records::corrupt;
use crate::{Row, StoreError, Tx, values};

/// Counts attempts that have ended, in the transaction that ends them.
pub(crate) fn count(tx: &mut Tx<'_>, held: &[HeldGroup], ended: &[&AttemptEnded]) -> Result<(), StoreError> {
    let mut counts: BTreeMap<(CampaignId, Time), (i64, i64)> = BTreeMap::new();
    for it in ended.iter().filter(|it| it.answered_by_person()) {
        let campaign = held_group(held, it.group)?.campaign;
        let count = counts.entry((campaign, slot_of(it.at))).or_default();
        count.0 += 1;
        count.1 += i64::from(it.is_abandonment());
    }
    let rows = counts
        .into_iter()
        .map(|((campaign, slot), (answered, abandoned))| values![campaign, slot, answered, abandoned]);
    // In one order everywhere, so that two nodes that count for one campaign wait for each other and no more.
    tx.execute_many(
        "INSERT INTO answered_slot (campaign_id, slot_start, answered, abandoned) VALUES ($1, $2, $3, $4)
         ON CONFLICT (campaign_id, slot_start) DO UPDATE SET
             answered = answered_slot.answered + excluded.answered,
             abandoned = answered_slot.abandoned + excluded.abandoned",
        &rows.collect::<Vec<_>>(),
    )?;
    Ok(())
}

/// What was counted of a campaign: since when, and the slots that still decide anything.
///
/// # Errors
/// The database failed.
pub fn answered_calls(tx: &mut Tx<'_>, campaign: CampaignId, now: Time) -> Result<AnsweredCalls, StoreError> {
    let first = tx.query_one(
        "SELECT slot_start FROM answered_slot WHERE campaign_id = $1 ORDER BY slot_start LIMIT 1",
        &values![campaign],
    )?;
    let oldest = now - Duration::from_secs(DAYS_KEPT * 86_400);
    let rows = tx.query(
        "SELECT slot_start, answered, abandoned FROM answered_slot
         WHERE campaign_id = $1 AND slot_start >= $2 ORDER BY slot_start",
        &values![campaign, oldest],
    )?;
    let read = |row: &Row| {
        let number = |index| {
            row.get::<i64>(index).and_then(|count| u32::try_from(count).map_err(|_| corrupt("answered_slot")))
        };
        Ok(SlotCount { start: row.get(0)?, answered: number(1)?, abandoned: number(2)? })
    };
    let since = first.map(|row| row.get(0)).transpose()?;
    Ok(AnsweredCalls { since, slots: rows.iter().map(read).collect::<Result<_, StoreError>>()? })
}
