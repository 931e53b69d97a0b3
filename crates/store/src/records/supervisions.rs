//! Supervisors' parts in calls, as long as they are asked for or under way.

use engine::{AgentId, AttemptId, SupervisionId, TenantId};
use uuid::Uuid;

use crate::{Row, StoreError, Tx, values};

/// A supervisor's part in a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Supervision {
    /// Which.
    pub id: SupervisionId,
    /// Whose.
    pub tenant: TenantId,
    /// Whom the supervisor listens to.
    pub agent: AgentId,
    /// In which call.
    pub attempt: AttemptId,
    /// Who asked, as in the audit log.
    pub supervisor: String,
    /// How they take part.
    pub part: String,
    /// Whether they hear the call.
    pub is_started: bool,
}

/// The columns that [`read`] reads.
const COLUMNS: &str = "id, tenant_id, agent_id, attempt_id, supervisor, part, is_started";

fn read(row: &Row) -> Result<Supervision, StoreError> {
    Ok(Supervision {
        id: row.get(0)?,
        tenant: row.get(1)?,
        agent: row.get(2)?,
        attempt: row.get(3)?,
        supervisor: row.get(4)?,
        part: row.get(5)?,
        is_started: row.get(6)?,
    })
}

/// Notes one that is asked for, on this node.
///
/// # Errors
/// Those of the database.
pub fn add(tx: &mut Tx<'_>, node: Uuid, new: &Supervision) -> Result<(), StoreError> {
    let columns =
        ["id", "tenant_id", "node_id", "agent_id", "attempt_id", "supervisor", "part", "is_started"];
    let row =
        values![new.id, new.tenant, node, new.agent, new.attempt, &new.supervisor, &new.part, new.is_started];
    tx.insert_rows("supervision", &columns, &[row])?;
    Ok(())
}

/// Notes that the supervisor hears the call. None if it did not wait for that. It is found under the id that the switch
/// was given, which says whose it is.
///
/// # Errors
/// Those of the database.
pub fn start(tx: &mut Tx<'_>, id: SupervisionId) -> Result<Option<Supervision>, StoreError> {
    let found = "UPDATE supervision SET is_started = 1 WHERE id = $1 AND is_started = 0";
    Ok(told(tx, found, id.0)?.pop())
}

/// Forgets one that is over. None if it was before. It is found as by [`start`].
///
/// # Errors
/// Those of the database.
pub fn end(tx: &mut Tx<'_>, id: SupervisionId) -> Result<Option<Supervision>, StoreError> {
    Ok(told(tx, "DELETE FROM supervision WHERE id = $1", id.0)?.pop())
}

/// Forgets all of a node, of whichever tenant: those of an earlier process are over when another one starts.
///
/// # Errors
/// Those of the database.
pub fn end_all(tx: &mut Tx<'_>, node: Uuid) -> Result<Vec<Supervision>, StoreError> {
    told(tx, "DELETE FROM supervision WHERE node_id = $1", node)
}

/// Changes supervisions and tells which they were.
fn told(tx: &mut Tx<'_>, change: &str, by: Uuid) -> Result<Vec<Supervision>, StoreError> {
    let rows = tx.query(&format!("{change} RETURNING {COLUMNS}"), &values![by])?;
    rows.iter().map(read).collect()
}
