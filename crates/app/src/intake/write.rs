//! A prepared batch as the store takes it, and what the store says of it.

use std::collections::{HashMap, HashSet};

use contacts::{ReadRow, RecordError, RecordErrorCode};
use engine::{AgentId, TenantId, Time};
use store::Tx;
use store::intake::{self, IntakeBatch, Outcome};
use store::records::definitions;
use uuid::Uuid;

use super::Batch;
use super::context::IntakeContext;
use super::prepare::{Prepared, Ready};
use super::result::{RecordOutcome, RecordResult};
use crate::AppError;
use crate::model::{AgentBody, Definition};

/// A batch that only waits to be written.
pub(crate) struct Sealed {
    batch: IntakeBatch,
    records: Vec<SealedRecord>,
}

/// What is told or kept of a record of a [`Sealed`] batch.
pub(crate) struct SealedRecord {
    /// As [`Prepared::row`].
    row: u64,
    /// As [`Prepared::read`].
    pub(crate) read: Option<ReadRow>,
    verdict: Verdict,
}

enum Verdict {
    Taken { warnings: Vec<RecordError> },
    Rejected { external_id: Option<String>, error: RecordError },
}

impl Sealed {
    /// When its records came.
    pub(crate) fn now(&self) -> Time {
        self.batch.now
    }

    /// Its records, in order.
    pub(crate) fn records(&self) -> &[SealedRecord] {
        &self.records
    }

    /// Whose campaign it is for.
    pub(super) fn campaign(&self) -> (TenantId, engine::CampaignId) {
        (self.batch.tenant, self.batch.campaign)
    }
}

/// Agents by the names or ids that records give; those that there are not are left out.
pub(crate) type Agents = HashMap<String, AgentId>;

/// The agents that records name.
pub(super) fn named_agents(records: &[Prepared]) -> HashSet<String> {
    records
        .iter()
        .filter_map(|record| record.content.as_ref().ok())
        .filter_map(|ready| ready.preferred_agent.clone())
        .collect()
}

/// Finds agents by name or id.
pub(super) fn find_agents(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    names: &HashSet<String>,
) -> Result<Agents, AppError> {
    let mut agents = Agents::new();
    for name in names {
        let by_id = match Uuid::parse_str(name) {
            Ok(id) => definitions::get(tx, tenant, AgentBody::KIND, id)?,
            Err(_) => None,
        };
        let found = match by_id {
            Some(agent) => Some(agent),
            None => definitions::by_name(tx, tenant, AgentBody::KIND, None, name)?,
        };
        if let Some(agent) = found {
            agents.insert(name.clone(), AgentId(agent.id));
        }
    }
    Ok(agents)
}

/// Puts the good records of a batch into the store's form.
pub(crate) fn seal(batch: Batch, agents: &Agents) -> Sealed {
    let Batch { context, records, buckets, import, now } = batch;
    let IntakeContext { tenant, source, campaign, order, duplicates, suppression_lists, .. } = context;
    let mut taken = Vec::with_capacity(records.len());
    let records = records
        .into_iter()
        .map(|Prepared { row, read, external_id, content }| {
            let verdict = match content {
                Err(error) => Verdict::Rejected { external_id, error },
                Ok(Ready { mut record, preferred_agent, mut warnings }) => {
                    if let Some(name) = preferred_agent {
                        record.preferred_agent = agents.get(&name).copied();
                        warnings.extend(record.preferred_agent.is_none().then(unknown_agent));
                    }
                    taken.push(record);
                    Verdict::Taken { warnings }
                }
            };
            SealedRecord { row, read, verdict }
        })
        .collect();
    let mut batch = IntakeBatch {
        tenant,
        campaign,
        source,
        import,
        now,
        order,
        duplicate_scope: duplicates.into(),
        suppression_lists,
        buckets,
        records: taken,
    };
    intake::make_neighbours(&mut batch);
    Sealed { batch, records }
}

/// Writes a batch and tells what became of each of its records.
pub(crate) fn write(tx: &mut Tx<'_>, sealed: &Sealed) -> Result<Vec<RecordResult>, AppError> {
    let outcomes = intake::apply_batch(tx, &sealed.batch)?;
    let mut taken = sealed.batch.records.iter().zip(outcomes);
    let mut results = Vec::with_capacity(sealed.records.len());
    for record in &sealed.records {
        let row = record.row;
        let result = match &record.verdict {
            Verdict::Rejected { external_id, error } => {
                RecordResult::rejected(row, external_id.clone(), error)
            }
            Verdict::Taken { warnings } => {
                let (own, outcome) =
                    taken.next().ok_or_else(|| AppError::Internal("a record has no outcome".to_owned()))?;
                let taken = |outcome, contact| {
                    RecordResult::taken(row, &own.external_id, outcome, contact, warnings.clone())
                };
                let rejected =
                    |error: &RecordError| RecordResult::rejected(row, Some(own.external_id.clone()), error);
                match outcome.outcome {
                    Outcome::Created(contact) => taken(RecordOutcome::Created, contact),
                    Outcome::Updated(contact) => taken(RecordOutcome::Updated, contact),
                    Outcome::Unchanged(contact) => taken(RecordOutcome::Unchanged, contact),
                    Outcome::Duplicate { of } => rejected(&duplicate(&of.to_string())),
                    Outcome::Suppressed => rejected(&suppressed()),
                }
            }
        };
        results.push(result);
    }
    Ok(results)
}

fn unknown_agent() -> RecordError {
    let message = "there is no such agent: the contact goes to any; give an agent's name or id";
    RecordError::in_field(RecordErrorCode::BadFieldValue, "preferred_agent", message)
}

fn duplicate(of: &str) -> RecordError {
    let message = format!(
        "contact {of} has one of its numbers already: leave it out, or narrow the source's duplicates"
    );
    RecordError::new(RecordErrorCode::Duplicate, message)
}

fn suppressed() -> RecordError {
    let message = "the customer, or every number, is on a suppression list: it must not be called";
    RecordError::new(RecordErrorCode::Suppressed, message)
}
