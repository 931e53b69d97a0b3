//! Making an import: the file is looked at before anything is promised.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use contacts::{FieldDefinition, FileFormat, MapError, ReadError, ReadOptions, SourceMap, Target};
use engine::{CampaignId, GroupId, ImportId, SourceId};
use serde_json::json;
use store::StoreError;
use store::records::imports as rows;
use telephony::{Clock, SystemClock};

use super::files::{Files, Sum};
use super::settings::{NewImport, Settings};
use super::{Import, reader};
use crate::access::{Permission, Principal};
use crate::audit::{self, Action};
use crate::definitions::load;
use crate::intake::IntakeContext;
use crate::model::{CampaignGroupBody, SourceMapBody};
use crate::{App, AppError};

impl App {
    /// Queues the import of an uploaded file, which becomes the import's own ([`App::import_upload_path`] says where to
    /// put it) and is removed if this fails.
    ///
    /// # Errors
    /// The caller may not, there is no such source, or the file cannot be read under its map; the message names the
    /// columns.
    pub async fn create_import(
        self: &Arc<Self>,
        who: &Principal,
        source: SourceId,
        new: NewImport,
        uploaded: PathBuf,
    ) -> Result<Import, AppError> {
        let made = self.queue_import(who, source, new, uploaded.clone()).await;
        if made.is_err() {
            // It may have been moved, or never been there.
            let _ = tokio::fs::remove_file(&uploaded).await;
        }
        let id = made?;
        self.imports.wake.notify_one();
        self.import(who, id).await
    }

    async fn queue_import(
        &self,
        who: &Principal,
        source: SourceId,
        new: NewImport,
        uploaded: PathBuf,
    ) -> Result<ImportId, AppError> {
        who.may(Permission::Feed)?;
        let (context, map) = self.import_rules(who, source, &new).await?;
        self.check_group(who, context.campaign, new.group).await?;
        let campaign = context.campaign;
        let id = ImportId(self.ids.next(self.clock.now()));
        let name = Files::name(who.tenant, id);
        let (fields, files, kept) = (context.rules.fields, self.imports.files.clone(), name.clone());
        let looked = tokio::task::spawn_blocking(move || {
            let found = look(&uploaded, new, map, &fields)?;
            files.keep(&uploaded, &kept).map_err(unreadable)?;
            Ok::<_, AppError>(found)
        });
        let (settings, sum) = looked.await.map_err(|error| AppError::Internal(error.to_string()))??;
        let new = rows::NewImport {
            id,
            tenant: who.tenant,
            source,
            campaign,
            settings: settings.to_json()?,
            file_path: name.clone(),
            file_size: sum.size,
            file_sha256: sum.sha256,
            now: SystemClock.now(),
        };
        let (who, audit_id) = (who.clone(), self.ids.next(self.clock.now()));
        let queued = self
            .write(move |tx| {
                rows::insert(tx, &new)?;
                let after =
                    json!({"source": source, "file_size": new.file_size, "file_name": settings.file_name});
                audit::note(
                    tx,
                    &who,
                    audit_id,
                    new.now,
                    Action::Import,
                    "import",
                    Some(id.0),
                    None,
                    Some(after),
                )
            })
            .await;
        // If the answer to the commit is missing the job may be there; a file without a job is swept away later.
        if !matches!(queued, Ok(()) | Err(AppError::Store(StoreError::CommitUnknown))) {
            self.imports.files.remove(&name);
        }
        queued.map(|()| id)
    }

    /// Contacts can be bound to a group of their own campaign only.
    async fn check_group(
        &self,
        who: &Principal,
        campaign: CampaignId,
        group: Option<GroupId>,
    ) -> Result<(), AppError> {
        let Some(group) = group else { return Ok(()) };
        let tenant = who.tenant;
        self.read(move |tx| match load::<CampaignGroupBody>(tx, tenant, group.0) {
            Ok(found) if found.body.campaign == campaign => Ok(()),
            Ok(_) | Err(AppError::NotFound { .. }) => {
                let message = "the campaign of this source has no such campaign group";
                Err(AppError::invalid("unknown_group", "group", message))
            }
            Err(error) => Err(error),
        })
        .await
    }

    /// The rules of the source, and the map that the caller gave or named.
    async fn import_rules(
        &self,
        who: &Principal,
        source: SourceId,
        new: &NewImport,
    ) -> Result<(IntakeContext, Option<SourceMap>), AppError> {
        if new.map.is_some() && new.source_map.is_some() {
            return Err(AppError::invalid("bad_map", "source_map", "give either map or source_map"));
        }
        let (tenant, inline, stored) = (who.tenant, new.map.clone(), new.source_map);
        self.read(move |tx| {
            let context = IntakeContext::load(tx, tenant, source)?;
            let Some(id) = stored else { return Ok((context, inline.clone())) };
            let SourceMapBody { source: of, map, .. } = load::<SourceMapBody>(tx, tenant, id)?.body;
            if of != source {
                return Err(AppError::invalid(
                    "bad_map",
                    "source_map",
                    "this source map is another source's",
                ));
            }
            Ok((context, Some(map)))
        })
        .await
    }
}

/// Opens the file, binds its columns and reads it through once for its digest.
fn look(
    path: &Path,
    new: NewImport,
    map: Option<SourceMap>,
    fields: &[FieldDefinition],
) -> Result<(Settings, Sum), AppError> {
    let of_map = map.as_ref().map(SourceMap::read_options).unwrap_or_default();
    let options =
        ReadOptions { format: new.format.or(of_map.format), encoding: new.encoding.or(of_map.encoding) };
    let reader = reader::open(path, options).map_err(bad_file)?;
    let headings = reader.headings().to_vec();
    let map = match (reader.format(), map) {
        (FileFormat::Ndjson, Some(_)) => {
            let message = "the file is made of JSON lines, which need no map: leave it out";
            return Err(AppError::invalid("bad_map", "map", message));
        }
        (FileFormat::Ndjson, None) => None,
        (FileFormat::Csv { .. }, Some(map)) => Some(map),
        (FileFormat::Csv { .. }, None) => Some(SourceMap::guess(&headings, fields)),
    };
    if let Some(map) = &map {
        map.bind(&headings).map_err(|error| bad_map(&error, &headings))?;
        check_fields(map, fields)?;
    }
    let settings = Settings {
        map,
        format: reader.format(),
        encoding: reader.encoding(),
        headings,
        duplicates: new.duplicates,
        zone_policy: new.zone_policy,
        file_name: new.file_name,
        expires_at: new.expires_at,
        group: new.group,
    };
    Ok((settings, Files::sum(path).map_err(unreadable)?))
}

/// A map that names what the campaign does not have, or leaves out what it demands, would have every row rejected.
pub(crate) fn check_fields(map: &SourceMap, fields: &[FieldDefinition]) -> Result<(), AppError> {
    let mapped: Vec<(&str, &str)> = map
        .columns
        .iter()
        .filter_map(|mapping| match &mapping.target {
            Target::Field { name } => Some((mapping.column.as_str(), name.as_str())),
            _ => None,
        })
        .collect();
    let is_known = |name: &str| fields.iter().any(|field| field.name.as_str() == name);
    if let Some((column, name)) = mapped.iter().find(|(_, name)| !is_known(name)) {
        let known: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
        let message = format!(
            "column '{column}' is mapped to field.{name}, but the campaign's fields are: {}",
            known.join(", ")
        );
        return Err(AppError::invalid("unknown_field", "map", message));
    }
    let is_mapped = |field: &FieldDefinition| mapped.iter().any(|(_, name)| *name == field.name.as_str());
    if let Some(field) = fields.iter().find(|field| field.required && !is_mapped(field)) {
        let message = format!("the campaign requires the field {}: map a column to field.{0}", field.name);
        return Err(AppError::invalid("missing_field", "map", message));
    }
    Ok(())
}

fn bad_map(error: &MapError, headings: &[String]) -> AppError {
    let message = match error {
        // This one names them itself.
        MapError::MissingColumns { .. } => error.to_string(),
        _ => format!("{error}; the file's columns are: {}", headings.join(", ")),
    };
    AppError::invalid("bad_map", "map", message)
}

fn bad_file(error: ReadError) -> AppError {
    match error {
        ReadError::Io(error) => unreadable(error),
        error => AppError::invalid("bad_file", "file", error.to_string()),
    }
}

fn unreadable(error: std::io::Error) -> AppError {
    AppError::Internal(format!("an uploaded file cannot be read or kept: {error}"))
}
