//! What a crash left unfinished.

use engine::{AgentId, AttemptId, CallResult, DialMode, GroupId, PhoneNumber, Time};

use crate::hopper::{self, ClaimedContact};
use crate::{Row, StoreError, Tx, values};

/// An attempt that was stored as begun and is not settled.
#[derive(Clone, PartialEq, Debug)]
pub struct UnfinishedAttempt {
    /// The attempt; also the channel's id on the switch, if its call was placed.
    pub attempt: AttemptId,
    /// Who is or was called, as they were before the attempt.
    pub contact: ClaimedContact,
    /// The position of the number dialled.
    pub phone: u8,
    /// The number dialled.
    pub number: PhoneNumber,
    /// Which attempt on the contact it is, from 1.
    pub attempt_number: u16,
    /// How the group dialled.
    pub dial_mode: DialMode,
    /// The number shown.
    pub caller_id: Option<PhoneNumber>,
    /// The agent it was for or was connected to.
    pub agent: Option<AgentId>,
    /// When it was decided.
    pub started_at: Time,
    /// When it was picked up, if it ended.
    pub answered_at: Option<Time>,
    /// When it was over on the network's side; none if that is not known.
    pub ended_at: Option<Time>,
    /// How it ended; none if that is not known.
    pub result: Option<CallResult>,
    /// The name of its recording; none if it was not recorded so far.
    pub recording: Option<String>,
}

/// The group's attempts that are not settled, oldest first, so that whoever takes the group over can settle them.
///
/// # Errors
/// Those of the database; [`StoreError::Corrupt`] if an attempt's contact is gone.
pub fn unfinished(tx: &mut Tx<'_>, group: GroupId) -> Result<Vec<UnfinishedAttempt>, StoreError> {
    let columns =
        hopper::COLUMNS.split(", ").map(|column| format!("c.{column}")).collect::<Vec<_>>().join(", ");
    let rows = tx.query(
        &format!(
            "SELECT {columns}, a.id, a.phone, a.number, a.attempt_number, a.dial_mode, a.caller_id, a.agent_id,
                    a.started_at, a.answered_at, a.ended_at, a.result, r.name
             FROM attempt a JOIN contact c ON c.id = a.contact_id LEFT JOIN recording r ON r.attempt_id = a.id
             WHERE a.group_id = $1 AND a.state < 2 ORDER BY a.started_at, a.id"
        ),
        &values![group],
    )?;
    let mut attempts = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    hopper::add_phones(tx, attempts.iter_mut().map(|attempt| &mut attempt.contact))?;
    Ok(attempts)
}

fn read(row: &Row) -> Result<UnfinishedAttempt, StoreError> {
    let at = |offset: usize| hopper::COLUMN_COUNT + offset;
    let dial_mode = DialMode::from_code(row.get(at(4))?);
    let phone = row.get(at(1))?;
    Ok(UnfinishedAttempt {
        attempt: row.get(at(0))?,
        contact: ClaimedContact { phone, ..hopper::read_contact(row)? },
        phone,
        number: row.get(at(2))?,
        attempt_number: row.get(at(3))?,
        dial_mode: dial_mode.ok_or_else(|| StoreError::corrupt("an attempt's dial mode is not known"))?,
        caller_id: row.get(at(5))?,
        agent: row.get(at(6))?,
        started_at: row.get(at(7))?,
        answered_at: row.get(at(8))?,
        ended_at: row.get(at(9))?,
        result: row.get::<Option<i64>>(at(10))?.map(hopper::call_result).transpose()?,
        recording: row.get(at(11))?,
    })
}
