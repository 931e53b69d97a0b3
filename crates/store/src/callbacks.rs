//! Callbacks as the engine moves them, and as the hopper needs them.

use std::collections::HashMap;

use engine::callback::{CallbackState, Promise};
use engine::change::{CallbackMade, CallbackMoved};
use engine::{ContactId, TenantId};

use crate::changes::{HeldGroup, held_group};
use crate::{StoreError, Tx, Value, values};

/// A change of a callback, in the order in which it was decided.
pub(crate) enum CallbackChange<'a> {
    Made(&'a CallbackMade),
    Moved(&'a CallbackMoved),
}

/// Stores changes of callbacks of groups whose leases have been checked.
pub(crate) fn apply(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    held: &[HeldGroup],
    changes: &[CallbackChange<'_>],
) -> Result<(), StoreError> {
    for change in changes {
        match change {
            CallbackChange::Made(made) => {
                let campaign = held_group(held, made.group)?.campaign;
                replace_open(tx, made.contact, made.at)?;
                tx.execute(
                    "INSERT INTO callback (id, tenant_id, campaign_id, group_id, contact_id, agent_id, due_at,
                                           valid_until, state, reason, notes, offers, dials, follows, owns_contact,
                                           created_at, updated_at, number)
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, NULL, $9, 0, 0, $10, 0, $11, $11,
                             (SELECT number FROM phone WHERE contact_id = $5 AND position = $12))",
                    &values![
                        made.callback,
                        tenant,
                        campaign,
                        made.group,
                        made.contact,
                        made.agent,
                        made.due,
                        made.valid_until,
                        made.notes.as_ref(),
                        made.follows,
                        made.at,
                        made.phone
                    ],
                )?;
            }
            CallbackChange::Moved(moved) => move_on(tx, moved)?,
        }
    }
    Ok(())
}

/// A callback that a user ended meanwhile stays ended: the call that kept it is told of by its attempt.
fn move_on(tx: &mut Tx<'_>, moved: &CallbackMoved) -> Result<(), StoreError> {
    let offered = i64::from(moved.state == CallbackState::Offered);
    let dialled = i64::from(moved.state == CallbackState::Dialled);
    // While an agent looks at it or talks, it is still promised with whom it was.
    let keeps_agent = i64::from(offered + dialled > 0 || moved.state.is_final());
    tx.execute(
        "UPDATE callback SET state = $2, agent_id = CASE WHEN $3 = 1 THEN agent_id ELSE $4 END,
                             due_at = COALESCE($5, due_at), reason = $6, offers = offers + $7, dials = dials + $8,
                             updated_at = $9, group_id = $10
         WHERE id = $1 AND state < 3",
        &values![
            moved.callback,
            moved.state.code(),
            keeps_agent,
            moved.agent,
            moved.due,
            moved.reason.as_ref(),
            offered,
            dialled,
            moved.at,
            moved.group
        ],
    )?;
    Ok(())
}

/// A contact has one promise at a time: an older one gives way.
pub(crate) fn replace_open(tx: &mut Tx<'_>, contact: ContactId, at: engine::Time) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE callback SET state = $2, reason = 'replaced', updated_at = $3 WHERE contact_id = $1 AND state < 3",
        &values![contact, CallbackState::Cancelled.code(), at],
    )?;
    Ok(())
}

/// The open promises of these contacts.
///
/// # Errors
/// The database failed.
pub fn promises(
    tx: &mut Tx<'_>,
    contacts: impl IntoIterator<Item = ContactId>,
) -> Result<HashMap<ContactId, Promise>, StoreError> {
    let contacts: Vec<_> = contacts.into_iter().map(|contact| contact.0).collect();
    if contacts.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = tx.query(
        "SELECT contact_id, id, agent_id, due_at, valid_until FROM callback
         WHERE contact_id = ANY($1) AND state < 3",
        &[Value::uuids(contacts)],
    )?;
    let read = |row: &crate::Row| {
        let promise = Promise {
            callback: row.get(1)?,
            agent: row.get(2)?,
            due: row.get(3)?,
            valid_until: row.get(4)?,
            refused_by: Default::default(),
        };
        Ok((row.get(0)?, promise))
    };
    rows.iter().map(read).collect()
}
