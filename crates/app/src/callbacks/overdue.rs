//! Callbacks whose time has passed: they say so, and why.

use engine::{CallbackState, GroupState, Time};
use store::records::callbacks::{self as rows, Callback};
use store::records::contacts as contact_rows;
use store::{Tx, lease};

use crate::{App, AppError};

/// Callbacks ended in one transaction.
const ROWS: u32 = 200;

impl App {
    /// Ends every callback whose time has passed and that no call keeps: missed if nobody tried, expired if somebody
    /// did.
    pub(crate) async fn close_overdue_callbacks(&self, now: Time) -> Result<(), AppError> {
        while self.write(move |tx| close_some(tx, now)).await? >= ROWS as usize {}
        Ok(())
    }
}

fn close_some(tx: &mut Tx<'_>, now: Time) -> Result<usize, AppError> {
    let overdue = rows::overdue(tx, now, ROWS)?;
    for callback in &overdue {
        let state =
            if callback.offers + callback.dials > 0 { CallbackState::Expired } else { CallbackState::Missed };
        let reason = reason(tx, callback)?;
        if !rows::close(tx, callback.id, state, reason, now)? {
            continue;
        }
        // A contact in hand is given back or called within its hours; its own expiry ends it then.
        if callback.owns_contact {
            contact_rows::close(tx, callback.tenant, callback.contact, now)?;
        } else {
            contact_rows::unpromise(tx, callback.tenant, callback.contact, now)?;
        }
        let reason = Some(reason.to_owned());
        super::tell(tx, "callback.state", &Callback { state, reason, ..callback.clone() }, now)?;
    }
    Ok(overdue.len())
}

/// Why nobody kept a callback, as far as can be told afterwards.
fn reason(tx: &mut Tx<'_>, callback: &Callback) -> Result<&'static str, AppError> {
    Ok(match lease::stored_state(tx, callback.group)? {
        GroupState::NotLoaded => "group_not_loaded",
        GroupState::Running if callback.dials > 0 => "not_reached",
        GroupState::Running if callback.offers > 0 => "not_taken",
        GroupState::Running => "no_agent_in_time",
        _ => "group_not_running",
    })
}
