//! Who changed what.

use app::AuditView;
use app::paging::Listing;
use axum::extract::State;
use serde::Deserialize;
use uuid::Uuid;

use crate::auth::Caller;
use crate::endpoint::{Api, get};
use crate::extract::{Ask, Items, Page};
use crate::{Context, Problem};

pub(super) fn routes(mut api: Api) -> Api {
    let list = get("/v1/audit", "list_audit", "Access", "Who changed what, the newest first").paged();
    let list = list
        .query_of::<Uuid>(&mut api, "target", "Only what was done to this")
        .gives::<Listing<AuditView>>(&mut api);
    api.route(list, entries)
}

#[derive(Deserialize)]
struct About {
    target: Option<Uuid>,
}

async fn entries(
    State(context): State<Context>,
    Caller(who): Caller,
    Page(page): Page,
    Ask(about): Ask<About>,
) -> Result<Items<AuditView>, Problem> {
    Ok(Items(context.app.audit(&who, about.target, &page).await?))
}
