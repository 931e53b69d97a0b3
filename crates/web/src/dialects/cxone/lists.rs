//! Calling lists: a source with its map is a list, an import is a job.
//!
//! What the vendor's job lacks is there: how many rows were taken and not, why the job failed, and each rejected row
//! with its reason.

use app::contacts::ContactCounts;
use app::imports::{Import, NewImport, RejectedRow};
use app::model::{CampaignBody, SourceBody, SourceMapBody, Stored};
use app::paging::Listing;
use app::short_numbers::Numbered;
use app::{AppError, Principal};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use base64::Engine as _;
use contacts::{ColumnMapping, SourceMap, Target, ZonePolicy};
use engine::{CampaignId, GroupAction, ImportId, SkillId, SourceId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::prospects::{Results, on_error, remove};
use super::source_maps::{source_named, target};
use super::{BASE, Name, TAG, all, object_in_path};
use crate::auth::Caller;
use crate::endpoint::{Api, delete, get, post};
use crate::extract::{Body, Items, Page};
use crate::{Context, Problem};

pub(super) fn routes(mut api: Api) -> Api {
    let lists = format!("{BASE}/lists/call-lists");
    let jobs = format!("{lists}/jobs");
    let create = post(&lists, "cxone_create_list", TAG, "Create a calling list: a source with its map");
    let create = create.with_status(200).takes::<NewList>(&mut api).gives::<Created>(&mut api);
    let list = get(&lists, "cxone_lists", TAG, "Calling lists").gives::<Lists>(&mut api);
    let upload = post(
        format!("{lists}/{{listId}}/upload"),
        "cxone_upload_list",
        TAG,
        "Import a CSV file, in Base64, into a calling list",
    );
    let upload = upload.with_status(200).large().takes::<Upload>(&mut api).gives::<Uploaded>(&mut api);
    let all_jobs =
        get(&jobs, "cxone_jobs", TAG, "Jobs, the newest first").paged().gives::<Listing<Job>>(&mut api);
    let one =
        get(format!("{jobs}/{{jobId}}"), "cxone_job", TAG, "A job and how far it is").gives::<Job>(&mut api);
    let errors =
        get(format!("{jobs}/{{jobId}}/errors"), "cxone_job_errors", TAG, "Rows that were not taken, and why");
    let errors = errors.paged().gives::<Listing<RejectedRow>>(&mut api);
    let cancel =
        delete(format!("{jobs}/{{jobId}}"), "cxone_cancel_job", TAG, "Stop a job; what was stored stays");
    let cancel = cancel.with_status(200).gives::<Job>(&mut api);
    let remove = delete(
        format!("{lists}/{{listId}}/removeProspects"),
        "cxone_remove_prospects",
        TAG,
        "See to it that prospects of a list are not called any more",
    );
    let remove = remove.with_status(200).takes::<ToRemove>(&mut api).gives::<Results>(&mut api);
    api.route(create, create_list)
        .route(list, list_lists)
        .route(upload, upload_list)
        .route(all_jobs, list_jobs)
        .route(one, get_job)
        .route(errors, job_errors)
        .route(cancel, cancel_job)
        .route(remove, remove_prospects)
}

/// A column of a file and what it becomes.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "CxoneDestination")]
struct Destination {
    /// One of the vendor's fields, such as `PhoneNumber`, or one of the campaign's.
    field_name: String,
    /// The column.
    field_value: String,
}

/// A calling list that is to be created.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "CxoneNewList")]
struct NewList {
    /// Its name.
    list_name: String,
    /// The campaign that it is for, by id; may be left out where there is one only. The vendor's lists have none.
    campaign_id: Option<Uuid>,
    /// The column of the external id.
    external_id_column: String,
    /// When contacts expire that name no expiration: used by uploads that give none.
    list_expiration_date: Option<String>,
    score_column: Option<String>,
    customer1_column: Option<String>,
    customer2_column: Option<String>,
    caller_id_column: Option<String>,
    priority_column: Option<String>,
    first_name_column: Option<String>,
    last_name_column: Option<String>,
    address_column: Option<String>,
    city_column: Option<String>,
    state_column: Option<String>,
    zip_column: Option<String>,
    time_zone_column: Option<String>,
    agent_id_column: Option<String>,
    call_request_time_column: Option<String>,
    notes_column: Option<String>,
    expiration_date_column: Option<String>,
    /// Columns of numbers, in the order in which they are tried.
    destination_mappings: Vec<Destination>,
    /// Columns of the campaign's own fields.
    custom_field_mappings: Vec<Destination>,
}

/// A list that was created.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "CxoneListCreated")]
struct Created {
    /// Its number.
    list_id: i64,
}

/// A file for a list.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "CxoneUpload")]
struct Upload {
    /// The CSV file in Base64.
    list_file: String,
    /// What it is called.
    #[serde(default)]
    file_name: Option<String>,
    /// The skill whose campaign group calls the contacts; any group of the list's campaign without it.
    #[serde(default)]
    skill_id: Option<Name>,
    /// The time zone of contacts whose own cannot be determined; without it they are rejected or the source decides.
    #[serde(default)]
    default_time_zone: Option<String>,
    /// Contacts that are there are updated, always; what the vendor asks here is taken and changes nothing.
    #[serde(default)]
    #[expect(
        dead_code,
        reason = "part of the vendor's request; an update never loses what is known of a contact"
    )]
    force_overwrite: bool,
    /// When contacts expire that name no expiration.
    #[serde(default)]
    expiration_date: Option<String>,
    /// Whether the skill's campaign group is loaded and started.
    #[serde(default)]
    start_skill: bool,
    /// The vendor sends a message when the job ends; Outdial has the job to look at and events to listen to.
    #[serde(default)]
    #[expect(dead_code, reason = "part of the vendor's request; events tell of the end of an import")]
    send_email: bool,
}

/// A job that was made.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "CxoneUploaded")]
struct Uploaded {
    /// Its number.
    job_id: i64,
}

/// A job.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "CxoneJob")]
struct Job {
    job_id: i64,
    list_id: i64,
    list_name: String,
    submit_date: String,
    start_date: Option<String>,
    completed_date: Option<String>,
    is_complete: bool,
    is_cancelled: bool,
    /// Rows that are dealt with.
    total_records: u64,
    /// Rows that were taken.
    valid_records: u64,
    /// Rows that were not; `…/errors` says why for each.
    invalid_records: u64,
    /// Why it failed as a whole.
    failure_reason: Option<String>,
    /// The import's id in Outdial.
    id: ImportId,
}

/// Calling lists.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "CxoneLists")]
struct Lists {
    call_lists: Vec<List>,
}

/// A calling list.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "CxoneList")]
struct List {
    list_id: i64,
    list_name: String,
    total_records: u64,
    /// Contacts that may still be called.
    prospective_contact_count: u64,
    finalized_records: u64,
    /// `Active` while contacts may still be called.
    status: &'static str,
    /// The source's id in Outdial.
    id: Uuid,
}

impl NewList {
    /// The vendor's fields by the column that each is taken from.
    fn columns(&self) -> Vec<(&'static str, &String)> {
        let named = [
            ("Score", &self.score_column),
            ("CustomerField1", &self.customer1_column),
            ("CustomerField2", &self.customer2_column),
            ("Priority", &self.priority_column),
            ("FirstName", &self.first_name_column),
            ("LastName", &self.last_name_column),
            ("Address", &self.address_column),
            ("City", &self.city_column),
            ("State", &self.state_column),
            ("Zip", &self.zip_column),
            ("TimeZone", &self.time_zone_column),
            ("Agent", &self.agent_id_column),
            ("PreferredCallTime", &self.call_request_time_column),
            ("Notes", &self.notes_column),
            ("ExpirationDate", &self.expiration_date_column),
        ];
        let mut columns = vec![("ExternalID", &self.external_id_column)];
        columns.extend(
            named.into_iter().filter_map(|(name, column)| column.as_ref().map(|column| (name, column))),
        );
        columns
    }

    fn map(&self, campaign: &CampaignBody) -> Result<SourceMap, Problem> {
        let mut columns = Vec::new();
        let mut add = |column: &str, target| {
            columns.push(ColumnMapping { column: column.to_owned(), target, date_format: None });
        };
        for (name, column) in self.columns() {
            add(column, target(name, &campaign.fields)?);
        }
        for custom in &self.custom_field_mappings {
            add(&custom.field_value, target(&custom.field_name, &campaign.fields)?);
        }
        for (order, destination) in (1..=u8::MAX).zip(&self.destination_mappings) {
            add(&destination.field_value, Target::Phone { order, kind: None });
            if let Some(column) = &self.caller_id_column {
                add(column, Target::PhoneCallerId { order });
            }
        }
        Ok(SourceMap { columns, ..SourceMap::default() })
    }
}

fn bad(code: &str, field: &str, detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail).in_field(field)
}

async fn create_list(
    State(context): State<Context>,
    Caller(who): Caller,
    Body(new): Body<NewList>,
) -> Result<Json<Created>, Problem> {
    let campaign = campaign_of(&context, &who, new.campaign_id).await?;
    let map = new.map(&campaign.body)?;
    // Before anything is made: a list without a map would take no file.
    let bound = map.bind(&map.headings());
    bound.map_err(|error| bad("bad_source_map", "destinationMappings", error.to_string()))?;
    if let Some(text) = &new.list_expiration_date {
        context.app.read_expiry(&who, "listExpirationDate", text).await?;
    }
    // The vendor's lists say nothing of it, so numbers are read as in the campaign's oldest source.
    let sources = all::<SourceBody>(&context, &who).await?;
    let model = sources.into_iter().find(|source| source.body.campaign.0 == campaign.id);
    let country = model.and_then(|model| model.body.default_country);
    let source = SourceBody {
        name: new.list_name.clone(),
        campaign: CampaignId(campaign.id),
        default_country: country,
        zone_policy: ZonePolicy::default(),
        duplicates: Default::default(),
        expires_after_days: None,
        caller_id: None,
        caller_id_pool: None,
    };
    let source = context.app.create(&who, source).await?;
    context.app.set_own_source_map(&who, SourceId(source.id), map).await?;
    let numbers = context.app.numbers_of(&who, Numbered::Source, vec![source.id]).await?;
    Ok(Json(Created { list_id: numbers.first().copied().unwrap_or_default() }))
}

/// The campaign that is named, or the only one that there is.
async fn campaign_of(
    context: &Context,
    who: &Principal,
    named: Option<Uuid>,
) -> Result<Stored<CampaignBody>, Problem> {
    if let Some(id) = named {
        return Ok(context.app.get::<CampaignBody>(who, id).await?);
    }
    let mut campaigns = all::<CampaignBody>(context, who).await?;
    match (campaigns.pop(), campaigns.is_empty()) {
        (Some(campaign), true) => Ok(campaign),
        (Some(_), false) => {
            Err(bad("missing", "campaignId", "there are several campaigns: name one by its id"))
        }
        (None, _) => Err(bad("missing", "campaignId", "there is no campaign: create one first")),
    }
}

async fn list_lists(State(context): State<Context>, Caller(who): Caller) -> Result<Json<Lists>, Problem> {
    let sources = all::<SourceBody>(&context, &who).await?;
    let ids = sources.iter().map(|source| source.id).collect();
    let numbers = context.app.numbers_of(&who, Numbered::Source, ids).await?;
    let mut call_lists = Vec::new();
    for (source, list_id) in sources.into_iter().zip(numbers) {
        let counts: ContactCounts = context.app.source_counts(&who, SourceId(source.id)).await?;
        call_lists.push(List {
            list_id,
            list_name: source.body.name,
            total_records: counts.open + counts.done,
            prospective_contact_count: counts.open,
            finalized_records: counts.done,
            status: if counts.open > 0 { "Active" } else { "Inactive" },
            id: source.id,
        });
    }
    Ok(Json(Lists { call_lists }))
}

#[derive(Deserialize)]
struct ListInPath {
    #[serde(rename = "listId")]
    list: String,
}

#[derive(Deserialize)]
struct JobInPath {
    #[serde(rename = "jobId")]
    job: String,
}

async fn upload_list(
    State(context): State<Context>,
    Caller(who): Caller,
    Path(ListInPath { list }): Path<ListInPath>,
    Body(asked): Body<Upload>,
) -> Result<Json<Uploaded>, Problem> {
    let source = SourceId(object_in_path(&context, &who, Numbered::Source, &list).await?);
    let source_body = context.app.get::<SourceBody>(&who, source.0).await?.body;
    let map: Option<Stored<SourceMapBody>> = context.app.own_source_map(&who, source).await?;
    let Some(map) = map else {
        let detail =
            "Missing External ID: the list has no source map; give it one with PUT /v1/sources/{id}/map";
        return Err(bad("missing_external_id", "listId", detail));
    };
    let file = base64::engine::general_purpose::STANDARD
        .decode(asked.list_file.split_ascii_whitespace().collect::<String>())
        .map_err(|_| bad("bad_base64", "listFile", "listFile is not Base64"))?;
    let zone = asked.default_time_zone.as_deref().map(str::parse).transpose();
    let zone = zone.map_err(|error: engine::zones::UnknownZone| {
        bad("unknown_zone", "defaultTimeZone", error.to_string())
    })?;
    let expires_at = match &asked.expiration_date {
        Some(text) => Some(context.app.read_expiry(&who, "expirationDate", text).await?),
        None => None,
    };
    let group = match &asked.skill_id {
        Some(skill) => {
            let skill = SkillId(super::named(&context, &who, Numbered::Skill, &skill.text()).await?);
            Some(context.app.place_for_rows(&who, skill, &source_body.name).await?.group)
        }
        None => None,
    };
    let path = context.app.import_upload_path();
    tokio::fs::write(&path, file)
        .await
        .map_err(|error| AppError::Internal(format!("an uploaded file cannot be kept: {error}")))?;
    let new = NewImport {
        source_map: Some(map.id),
        zone_policy: zone.map(ZonePolicy::Default),
        file_name: asked.file_name,
        expires_at,
        group,
        ..NewImport::default()
    };
    let import = context.app.create_import(&who, source, new, path).await?;
    if let (true, Some(group)) = (asked.start_skill, group) {
        start(&context, &who, group).await?;
    }
    let numbers = context.app.numbers_of(&who, Numbered::Import, vec![import.id.0]).await?;
    Ok(Json(Uploaded { job_id: numbers.first().copied().unwrap_or_default() }))
}

/// Starts a group unless it runs already.
async fn start(context: &Context, who: &Principal, group: engine::GroupId) -> Result<(), AppError> {
    for action in [GroupAction::Load, GroupAction::Start] {
        match context.app.act_on_group(who, group, action, None).await {
            // It is where the action would bring it.
            Ok(_) | Err(AppError::Conflict { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn in_words(context: &Context, who: &Principal, import: Import) -> Result<Job, AppError> {
    let job_id = context.app.numbers_of(who, Numbered::Import, vec![import.id.0]).await?;
    let list_id = context.app.numbers_of(who, Numbered::Source, vec![import.source.0]).await?;
    let list_name = match context.app.get::<SourceBody>(who, import.source.0).await {
        Ok(source) => source.body.name,
        // The list of an old job may be gone.
        Err(AppError::NotFound { .. }) => String::new(),
        Err(error) => return Err(error),
    };
    Ok(Job {
        job_id: job_id.first().copied().unwrap_or_default(),
        list_id: list_id.first().copied().unwrap_or_default(),
        list_name,
        submit_date: import.created_at.to_rfc3339(),
        start_date: import.started_at.map(|at| at.to_rfc3339()),
        completed_date: import.finished_at.map(|at| at.to_rfc3339()),
        is_complete: import.state == "completed",
        is_cancelled: import.state == "cancelled",
        total_records: import.rows_done,
        valid_records: import.created + import.updated + import.unchanged,
        invalid_records: import.rejected,
        failure_reason: import.error,
        id: import.id,
    })
}

async fn list_jobs(
    State(context): State<Context>,
    Caller(who): Caller,
    Page(page): Page,
) -> Result<Items<Job>, Problem> {
    let listing = context.app.imports(&who, &page).await?;
    let mut items = Vec::new();
    for import in listing.items {
        items.push(in_words(&context, &who, import).await?);
    }
    Ok(Items(Listing { items, next: listing.next }))
}

async fn get_job(
    State(context): State<Context>,
    Caller(who): Caller,
    Path(JobInPath { job }): Path<JobInPath>,
) -> Result<Json<Job>, Problem> {
    let id = ImportId(object_in_path(&context, &who, Numbered::Import, &job).await?);
    let import = context.app.import(&who, id).await?;
    Ok(Json(in_words(&context, &who, import).await?))
}

async fn job_errors(
    State(context): State<Context>,
    Caller(who): Caller,
    Path(JobInPath { job }): Path<JobInPath>,
    Page(page): Page,
) -> Result<Items<RejectedRow>, Problem> {
    let id = ImportId(object_in_path(&context, &who, Numbered::Import, &job).await?);
    Ok(Items(context.app.import_rejects(&who, id, &page).await?))
}

async fn cancel_job(
    State(context): State<Context>,
    Caller(who): Caller,
    Path(JobInPath { job }): Path<JobInPath>,
) -> Result<Json<Job>, Problem> {
    let id = ImportId(object_in_path(&context, &who, Numbered::Import, &job).await?);
    let import = context.app.cancel_import(&who, id).await?;
    Ok(Json(in_words(&context, &who, import).await?))
}

/// Prospects that are to be removed.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "CxoneRemoval")]
struct ToRemove {
    /// The prospects; of each only `externalId` is looked at.
    prospects_to_remove: Vec<Map<String, Value>>,
}

async fn remove_prospects(
    State(context): State<Context>,
    Caller(who): Caller,
    Path(ListInPath { list }): Path<ListInPath>,
    asked: Result<Body<ToRemove>, Problem>,
) -> Result<Json<Results>, Problem> {
    let Body(asked) = asked.map_err(on_error)?;
    // The vendor names the source here, where its other paths have a number.
    let by_number = context.app.named_by(&who, Numbered::Source, &list).await.map_err(on_error)?;
    let source = match by_number {
        Some(id) => id,
        None => source_named(&context, &who, &list).await.map_err(on_error)?.id,
    };
    Ok(Json(remove(&context, &who, SourceId(source), asked.prospects_to_remove).await.map_err(on_error)?))
}
