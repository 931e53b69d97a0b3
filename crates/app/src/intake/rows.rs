//! Rows of a table that come in a request: the same as a file's, under a source map, but with an answer for each.

use std::sync::Arc;

use contacts::{BrokenRow, ReadRow, SourceMap, ZonePolicy};
use engine::{GroupId, SourceId, Time};
use serde_json::{Map, Value};

use super::FileOrigin;
use super::collector::{counted, refuse_repeated};
use super::prepare::Record;
use super::result::RecordResult;
use super::write::seal;
use crate::access::{Permission, Principal};
use crate::audit::{self, Action};
use crate::{App, AppError};

/// Rows in one request at most.
pub const ROWS_MAX: usize = 10_000;

/// Rows that are to become contacts.
#[derive(Clone, Debug)]
pub struct NewRows {
    /// Whose rows they are.
    pub source: SourceId,
    /// What their columns are.
    pub map: SourceMap,
    /// The rows.
    pub rows: Vec<Map<String, Value>>,
    /// The only campaign group that may call them; none leaves them to any of the campaign.
    pub group: Option<GroupId>,
    /// What becomes of a number whose time zone nobody knows, if not what the source says.
    pub zone_policy: Option<ZonePolicy>,
    /// From when on those are not called that name no expiry.
    pub expires_at: Option<Time>,
}

impl App {
    /// Adds or updates a contact for each row, and tells what became of each, in order. They are stored, all in one
    /// transaction, when this answers.
    ///
    /// # Errors
    /// The caller may not, there is no such source, there are too many rows, or the map cannot be used. Then nothing was
    /// stored.
    pub async fn add_rows(
        self: &Arc<Self>,
        who: &Principal,
        new: NewRows,
    ) -> Result<Vec<RecordResult>, AppError> {
        who.may(Permission::Feed)?;
        if new.rows.len() > ROWS_MAX {
            let message =
                format!("a request has at most {ROWS_MAX} rows: send more requests or import a file");
            return Err(AppError::invalid("too_many", "data", message));
        }
        let bound = new.map.bind(&new.map.headings());
        let bound = bound.map_err(|error| AppError::invalid("bad_source_map", "map", error.to_string()))?;
        let mut context = self.intake_context(who.tenant, new.source).await?;
        context.group = new.group;
        context.rules.default_expires_at = new.expires_at;
        if let Some(policy) = new.zone_policy {
            context.rules.zone_policy = policy;
        }
        let rows = (1..).zip(&new.rows).map(|(number, object)| {
            let row = match new.map.row_of(number, object) {
                Ok(row) => ReadRow::Whole(row),
                Err(error) => ReadRow::Broken(BrokenRow { number, text: String::new(), error }),
            };
            (number, Record::Row(row))
        });
        let file = FileOrigin { import: None, map: Some(Arc::new(bound)) };
        let mut batch = self.prepare_records(context, rows.collect(), Some(file)).await?;
        refuse_repeated(&mut batch.records);
        let agents = self.find_agents(&batch).await?;
        let batch = Arc::new(seal(batch, &agents));
        let (who, source, audit_id) = (who.clone(), new.source, self.ids.next(batch.now()));
        let stored = self.store_records(batch, move |tx, batch, results| {
            let after = Some(counted(results));
            audit::note(tx, &who, audit_id, batch.now(), Action::Add, "source", Some(source.0), None, after)
        });
        stored.await.map(|(results, ())| results)
    }
}
