//! Checks of the whole store: what must hold after any crash. It reads everything; for tests and for a doubtful hour.

use std::collections::HashMap;

use engine::{AttemptId, TenantId, Time};

use crate::{StoreError, Tx, values};

/// What was counted, and what is not as it must be.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Findings {
    /// All contacts.
    pub contacts: u64,
    /// All attempts.
    pub attempts: u64,
    /// All events.
    pub events: u64,
    /// Attempts that are not settled. Right after a crash there may be some; after recovery there are none.
    pub attempts_not_settled: u64,
    /// Contacts in the hopper of a group whose lease nobody holds. Right after a crash there may be some.
    pub claimed_without_lease: u64,
    /// Contacts that were attempted more than once at the same time.
    pub contacts_attempted_twice_at_once: u64,
    /// Attempts under way on contacts that are not in the hopper of the attempt's group and not closed.
    pub attempts_without_claim: u64,
    /// Contacts whose count of attempts is not that of their settled attempts.
    pub contacts_miscounted: u64,
    /// Numbers with a higher count of attempts than there are settled attempts on them. (A lower one can be: a number
    /// that an import took away and brought back begins anew.)
    pub phones_miscounted: u64,
    /// Contacts in an impossible state: claimed by nobody, done without a reason, without the number that is
    /// next, or not to be found by what its source calls it.
    pub contacts_impossible: u64,
    /// Attempts of which no event, or more than one, told that they began.
    pub attempts_without_one_start: u64,
    /// Tenants whose events have gaps: how many events there are, and the number of the last.
    pub event_gaps: Vec<(TenantId, u64, u64)>,
}

impl Findings {
    /// What may never be, not even right after a crash: one line each, with how often.
    pub fn violations(&self) -> Vec<String> {
        let counts = [
            ("contacts were attempted twice at once", self.contacts_attempted_twice_at_once),
            ("attempts are under way on contacts that are not claimed", self.attempts_without_claim),
            ("contacts have a wrong count of attempts", self.contacts_miscounted),
            ("numbers have too high a count of attempts", self.phones_miscounted),
            ("contacts are in an impossible state", self.contacts_impossible),
            ("attempts have not exactly one event of their start", self.attempts_without_one_start),
            ("tenants have gaps in their events", self.event_gaps.len() as u64),
        ];
        let broken = counts.iter().filter(|(_, count)| *count > 0);
        broken.map(|(what, count)| format!("{count} {what}")).collect()
    }
}

/// Looks at everything.
///
/// # Errors
/// Those of the database.
pub fn verify(tx: &mut Tx<'_>, now: Time) -> Result<Findings, StoreError> {
    Ok(Findings {
        contacts: count(tx, "SELECT COUNT(*) FROM contact")?,
        attempts: count(tx, "SELECT COUNT(*) FROM attempt")?,
        events: count(tx, "SELECT COUNT(*) FROM event")?,
        attempts_not_settled: count(tx, "SELECT COUNT(*) FROM attempt WHERE state < 2")?,
        claimed_without_lease: claimed_without_lease(tx, now)?,
        contacts_attempted_twice_at_once: count(
            tx,
            "SELECT COUNT(DISTINCT a.contact_id) FROM attempt a JOIN attempt b ON b.contact_id = a.contact_id
             WHERE a.id <> b.id AND a.started_at <= b.started_at
                   AND (a.settled_at IS NULL OR a.settled_at > b.started_at)",
        )?,
        attempts_without_claim: count(
            tx,
            "SELECT COUNT(*) FROM attempt a JOIN contact c ON c.id = a.contact_id
             WHERE a.state < 2 AND c.feed_state <> 3
                   AND (c.feed_state <> 2 OR c.claimed_by IS NULL OR c.claimed_by <> a.group_id)",
        )?,
        contacts_miscounted: count(
            tx,
            "SELECT COUNT(*) FROM contact c
             WHERE c.attempts <> (SELECT COUNT(*) FROM attempt a WHERE a.contact_id = c.id AND a.state = 2)",
        )?,
        phones_miscounted: count(
            tx,
            "SELECT COUNT(*) FROM phone p
             WHERE p.attempts > (SELECT COUNT(*) FROM attempt a WHERE a.contact_id = p.contact_id
                                                                      AND a.number = p.number AND a.state = 2)",
        )?,
        contacts_impossible: count(
            tx,
            "SELECT COUNT(*) FROM contact c
             WHERE (c.feed_state = 2 AND (c.claimed_by IS NULL OR c.claim_epoch IS NULL))
                   OR (c.feed_state = 3 AND c.final_reason IS NULL) OR c.feed_state NOT IN (0, 1, 2, 3)
                   OR (c.feed_state <> 2 AND c.claimed_by IS NOT NULL)
                   OR NOT EXISTS (SELECT 1 FROM phone p WHERE p.contact_id = c.id AND p.position = c.next_phone)
                   OR NOT EXISTS (SELECT 1 FROM contact_key k WHERE k.source_id = c.source_id
                                      AND k.external_id = c.external_id AND k.contact_id = c.id)",
        )?,
        attempts_without_one_start: attempts_without_one_start(tx)?,
        event_gaps: event_gaps(tx)?,
    })
}

fn count(tx: &mut Tx<'_>, sql: &str) -> Result<u64, StoreError> {
    tx.query_one(sql, &[])?.ok_or_else(|| StoreError::corrupt("a count gave no row"))?.get(0)
}

fn claimed_without_lease(tx: &mut Tx<'_>, now: Time) -> Result<u64, StoreError> {
    let row = tx.query_one(
        "SELECT COUNT(*) FROM contact c LEFT JOIN group_runtime g ON g.group_id = c.claimed_by
         WHERE c.feed_state = 2 AND (g.lease_owner IS NULL OR g.lease_until <= $1)",
        &values![now],
    )?;
    row.ok_or_else(|| StoreError::corrupt("a count gave no row"))?.get(0)
}

fn attempts_without_one_start(tx: &mut Tx<'_>) -> Result<u64, StoreError> {
    let mut starts: HashMap<AttemptId, u64> = HashMap::new();
    for row in tx.query("SELECT id FROM attempt", &[])? {
        starts.insert(row.get(0)?, 0);
    }
    for row in tx.query("SELECT body ->> 'attempt' FROM event WHERE kind = 'attempt.started'", &[])? {
        let attempt = AttemptId::parse(&row.get::<String>(0)?);
        let attempt = attempt.map_err(|_| StoreError::corrupt("an event names no attempt"))?;
        *starts.entry(attempt).or_default() += 1;
    }
    Ok(starts.values().filter(|count| **count != 1).count() as u64)
}

fn event_gaps(tx: &mut Tx<'_>) -> Result<Vec<(TenantId, u64, u64)>, StoreError> {
    let rows = tx.query(
        "SELECT c.tenant_id, (SELECT COUNT(*) FROM event e WHERE e.tenant_id = c.tenant_id AND e.seq >= 1
                                                                 AND e.seq <= c.last), c.last
         FROM event_counter c ORDER BY c.tenant_id",
        &[],
    )?;
    let counts = rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    let counts = counts.collect::<Result<Vec<(TenantId, u64, u64)>, StoreError>>()?;
    Ok(counts.into_iter().filter(|(_, count, last)| count != last).collect())
}
