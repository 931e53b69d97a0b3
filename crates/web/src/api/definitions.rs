//! What users configure: the same five operations for every kind.

use app::model::{
    AgentBody, CallerIdPoolBody, CallingHoursBody, CampaignBody, CampaignGroupBody, Definition,
    DetectionProfileBody, ScheduleBody, ScriptBody, SequenceBody, SinkBody, SkillBody, SourceBody,
    SourceMapBody, Stored, SuppressionListBody, TreatmentSetBody,
};
use app::paging::Listing;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use serde::Deserialize;
use uuid::Uuid;

use crate::auth::Caller;
use crate::endpoint::{Api, delete, get, post, put};
use crate::extract::{Ask, Body, Id, IfMatch, Items, Page, Replacement, versioned};
use crate::{Context, Problem};

/// The operations of one kind under a path.
struct Family {
    path: &'static str,
    /// The kind in operation ids, as in `create_skill`.
    one: &'static str,
    many: &'static str,
    tag: &'static str,
    /// What things of the kind belong to, if to anything: the listing can be narrowed to one of it.
    parent: Option<&'static str>,
}

pub(super) fn all(api: Api) -> Api {
    let family = |path, one, many, tag, parent| Family { path, one, many, tag, parent };
    let api = of::<SkillBody>(api, &family("skills", "skill", "skills", "Agents and skills", None));
    let api = of::<AgentBody>(api, &family("agents", "agent", "agents", "Agents and skills", None));
    let api = of::<CampaignBody>(api, &family("campaigns", "campaign", "campaigns", "Campaigns", None));
    let groups =
        family("campaign-groups", "campaign_group", "campaign_groups", "Campaign groups", Some("campaign"));
    let api = of::<CampaignGroupBody>(api, &groups);
    let api = of::<SourceBody>(api, &family("sources", "source", "sources", "Contacts", Some("campaign")));
    let api = of::<SourceMapBody>(
        api,
        &family("source-maps", "source_map", "source_maps", "Contacts", Some("source")),
    );
    let api = of::<CallingHoursBody>(
        api,
        &family("calling-hours", "calling_hours", "all_calling_hours", "Campaigns", None),
    );
    let api = of::<CallerIdPoolBody>(
        api,
        &family("caller-id-pools", "caller_id_pool", "caller_id_pools", "Campaigns", None),
    );
    let api = of::<DetectionProfileBody>(
        api,
        &family("detection-profiles", "detection_profile", "detection_profiles", "Campaigns", None),
    );
    let api = of::<TreatmentSetBody>(
        api,
        &family("treatment-sets", "treatment_set", "treatment_sets", "Campaigns", None),
    );
    let api = of::<ScheduleBody>(
        api,
        &family("schedules", "schedule", "schedules", "Schedules and sequences", None),
    );
    let api = of::<SequenceBody>(
        api,
        &family("sequences", "sequence", "sequences", "Schedules and sequences", None),
    );
    let api = of::<ScriptBody>(api, &family("scripts", "script", "scripts", "Scripts", None));
    let api = of::<SinkBody>(api, &family("sinks", "sink", "sinks", "Sinks", None));
    let lists = family("suppression-lists", "suppression_list", "suppression_lists", "Suppression", None);
    of::<SuppressionListBody>(api, &lists)
}

fn of<T: Definition>(mut api: Api, family: &Family) -> Api {
    let Family { path, one, many, tag, parent } = *family;
    let (all, each) = (format!("/v1/{path}"), format!("/v1/{path}/{{id}}"));
    let name = with_article(one);
    let create_one = post(&all, format!("create_{one}"), tag, format!("Create {name}"));
    let create_one = create_one.takes::<T>(&mut api).gives::<Stored<T>>(&mut api);
    let list_all = get(
        &all,
        format!("list_{many}"),
        tag,
        format!("List: {}", many.replace("all_", "").replace('_', " ")),
    )
    .paged();
    let list_all = list_all.gives::<Listing<Stored<T>>>(&mut api);
    let list_all = list_all.query("name", "Only what has this name, in capitals or not");
    let list_all = match parent {
        Some(parent) => list_all
            .query_of::<Uuid>(&mut api, "parent", &format!("Only those of this {parent}"))
            .query_of::<Uuid>(&mut api, parent, "The same"),
        None => list_all,
    };
    let get_one = get(&each, format!("get_{one}"), tag, format!("Read {name}")).gives::<Stored<T>>(&mut api);
    let update_one = put(&each, format!("update_{one}"), tag, format!("Change {name}")).if_match();
    let update_one = update_one.takes::<T>(&mut api).gives::<Stored<T>>(&mut api);
    let delete_one =
        delete(&each, format!("delete_{one}"), tag, format!("Delete {name} that nothing needs")).if_match();
    api.route(create_one, create::<T>)
        .route(list_all, list::<T>)
        .route(get_one, read::<T>)
        .route(update_one, update::<T>)
        .route(delete_one, remove::<T>)
}

/// A kind in words: `an agent`, `a set of calling hours`.
fn with_article(one: &str) -> String {
    match one {
        "calling_hours" => "a set of calling hours".to_owned(),
        "agent" => "an agent".to_owned(),
        other => format!("a {}", other.replace('_', " ")),
    }
}

async fn create<T: Definition>(
    State(context): State<Context>,
    Caller(who): Caller,
    uri: Uri,
    Body(body): Body<T>,
) -> Result<Response, Problem> {
    let stored = context.app.create(&who, body).await?;
    let location = format!("{}/{}", uri.path(), stored.id);
    Ok(versioned(StatusCode::CREATED, stored.version, Some(location), &stored))
}

#[derive(Deserialize)]
struct Narrow {
    parent: Option<Uuid>,
    campaign: Option<Uuid>,
    source: Option<Uuid>,
    name: Option<String>,
}

impl Narrow {
    /// The one thing that all shall belong to, under whichever name it was given.
    fn parent(&self) -> Result<Option<Uuid>, Problem> {
        let named = self.campaign.or(self.source);
        if let (Some(parent), Some(named)) = (self.parent, named)
            && parent != named
        {
            let detail = "it names two things that all shall belong to: give one of them";
            return Err(Problem::new(StatusCode::BAD_REQUEST, "bad_query", detail).in_field("parent"));
        }
        Ok(self.parent.or(named))
    }
}

async fn list<T: Definition>(
    State(context): State<Context>,
    Caller(who): Caller,
    Page(page): Page,
    Ask(narrow): Ask<Narrow>,
) -> Result<Items<Stored<T>>, Problem> {
    Ok(Items(context.app.list_named(&who, narrow.parent()?, narrow.name, &page).await?))
}

async fn read<T: Definition>(
    State(context): State<Context>,
    Caller(who): Caller,
    Id(id): Id,
) -> Result<Response, Problem> {
    let stored: Stored<T> = context.app.get(&who, id).await?;
    Ok(versioned(StatusCode::OK, stored.version, None, &stored))
}

async fn update<T: Definition>(
    State(context): State<Context>,
    Caller(who): Caller,
    Id(id): Id,
    IfMatch(version): IfMatch,
    Replacement(body): Replacement<T>,
) -> Result<Response, Problem> {
    let stored = context.app.update(&who, id, version, body).await?;
    Ok(versioned(StatusCode::OK, stored.version, None, &stored))
}

async fn remove<T: Definition>(
    State(context): State<Context>,
    Caller(who): Caller,
    Id(id): Id,
    IfMatch(version): IfMatch,
) -> Result<StatusCode, Problem> {
    context.app.delete::<T>(&who, id, version).await?;
    Ok(StatusCode::NO_CONTENT)
}
