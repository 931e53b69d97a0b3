//! Nixxis' ContextData service: `/data?action=…`, one XML document in, one out.
//!
//! A context is a campaign, an activity a campaign group, a contact a contact; their ids are written as 32 hexadecimal
//! digits. Of several scopes the most specific counts. A record's `Internal__Id__` is the contact's id.

mod record;
pub(crate) mod xml;

use std::net::SocketAddr;

use app::contacts::{ContactQuery, ContactView};
use app::model::{CampaignBody, CampaignGroupBody, Stored};
use app::paging::PageRequest;
use app::{AppError, Principal};
use axum::body::Bytes;
use axum::extract::{ConnectInfo, State};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use engine::{CampaignId, ContactId, GroupId};
use uuid::Uuid;

use crate::auth::Caller;
use crate::endpoint::{Api, get, post};
use crate::{Context, Problem};
use xml::{BadDocument, escaped};

const TAG: &str = "ContextData";
/// Where the service is; the vendor's installations call the application `data` unless told otherwise.
const PATH: &str = "/data";
/// Records that a search gives at most.
const MATCHES_MAX: u32 = 100;

pub(super) fn routes(api: Api) -> Api {
    let scoped = |endpoint: crate::endpoint::Endpoint| {
        endpoint
            .query("context", "The campaign, 32 hexadecimal digits")
            .query("activity", "The campaign group, 32 hexadecimal digits")
            .query("contact", "The contact, 32 hexadecimal digits")
            .gives_raw("application/xml")
    };
    let write = post(PATH, "context_data_write", TAG, "CreateContextData or UpdateContextData")
        .with_status(200)
        .query("action", "CreateContextData or UpdateContextData")
        .takes_raw("application/xml", "A <contextdata> document");
    let read = get(
        PATH,
        "context_data_read",
        TAG,
        "GetContextData, ListMatchingData, ListContexts, ListContextFields",
    )
    .query("action", "GetContextData, ListMatchingData, ListContexts or ListContextFields")
    .query("__FIELD", "With ListMatchingData: what a field of the campaign holds");
    api.route(scoped(write), answer).route(scoped(read), answer)
}

/// An error as XML: the HTTP status, a stable code, the element's path, a message.
struct Refusal {
    status: StatusCode,
    code: String,
    path: String,
    message: String,
}

impl Refusal {
    fn new(status: StatusCode, code: &str, path: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), path: path.to_owned(), message: message.into() }
    }
}

impl From<BadDocument> for Refusal {
    fn from(bad: BadDocument) -> Self {
        let status = match bad.code {
            "too_large" => StatusCode::PAYLOAD_TOO_LARGE,
            "bad_xml" | "bad_encoding" | "doctype_forbidden" => StatusCode::BAD_REQUEST,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Self { status, code: bad.code.to_owned(), path: bad.path, message: bad.message }
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        let path = problem.field().map_or_else(|| "/".to_owned(), record::path_of);
        Self {
            status: problem.status(),
            code: problem.code().to_owned(),
            path,
            message: problem.detail().to_owned(),
        }
    }
}

impl From<AppError> for Refusal {
    fn from(error: AppError) -> Self {
        Problem::from(error).into()
    }
}

fn xml(status: StatusCode, document: &str) -> Response {
    let document = format!("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n{document}\n");
    (status, [(header::CONTENT_TYPE, "application/xml; charset=utf-8")], document).into_response()
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self { status, code, path, message } = self;
        let document = format!(
            "<error><status>{}</status><code>{}</code><path>{}</path><message>{}</message></error>",
            status.as_u16(),
            escaped(&code),
            escaped(&path),
            escaped(&message)
        );
        let mut response = xml(status, &document);
        if status == StatusCode::UNAUTHORIZED
            && let Ok(ways) = "Basic realm=\"Outdial\", Bearer".parse()
        {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, ways);
        }
        response
    }
}

/// A query's parameters; their names are read whatever their case, but for those of fields.
struct Asked(Vec<(String, String)>);

impl Asked {
    fn of(uri: &Uri) -> Result<Self, Refusal> {
        let read = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(uri);
        read.map(|query| Self(query.0))
            .map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, "bad_query", "/", error.body_text()))
    }

    fn text(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, text)| text.trim()).filter(|text| !text.is_empty())
    }

    fn id(&self, name: &str) -> Result<Option<Uuid>, Refusal> {
        self.text(name).map(Uuid::parse_str).transpose().map_err(|_| {
            let message = format!("{name} is not an id: give 32 hexadecimal digits");
            Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_id", "/", message)
        })
    }
}

/// What a request is about.
struct Scope {
    campaign: Stored<CampaignBody>,
    group: Option<GroupId>,
    contact: Option<ContactView>,
}

impl Scope {
    /// The most specific of contact, activity and context.
    async fn of(context: &Context, who: &Principal, asked: &Asked) -> Result<Self, Refusal> {
        let app = &context.app;
        let contact = match asked.id("contact")? {
            Some(id) => Some(app.contact(who, ContactId(id)).await?),
            None => None,
        };
        let group = match (&contact, asked.id("activity")?) {
            (None, Some(id)) => Some(app.get::<CampaignGroupBody>(who, id).await?),
            _ => None,
        };
        let campaign = match (&contact, &group, asked.id("context")?) {
            (Some(contact), _, _) => contact.campaign,
            (None, Some(group), _) => group.body.campaign,
            (None, None, Some(id)) => CampaignId(id),
            (None, None, None) => {
                let message = "name a context (campaign), an activity (campaign group) or a contact";
                return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "missing", "/", message));
            }
        };
        let campaign = app.get::<CampaignBody>(who, campaign.0).await?;
        Ok(Self { campaign, group: group.map(|group| GroupId(group.id)), contact })
    }

    fn contact(self) -> Result<(ContactView, CampaignBody), Refusal> {
        let missing = || Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "missing", "/", "name the contact");
        Ok((self.contact.ok_or_else(missing)?, self.campaign.body))
    }
}

async fn answer(
    State(context): State<Context>,
    caller: Result<Caller, Problem>,
    method: Method,
    uri: Uri,
    body: Bytes,
) -> Response {
    let act = async {
        let Caller(who) = caller?;
        let asked = Asked::of(&uri)?;
        let action = asked.text("action").unwrap_or_default().to_ascii_lowercase();
        let writes = matches!(action.as_str(), "createcontextdata" | "updatecontextdata");
        if writes != (method == Method::POST) {
            let message =
                "CreateContextData and UpdateContextData are sent with POST, the other actions with GET";
            return Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "/", message));
        }
        match action.as_str() {
            "createcontextdata" => create(&context, &who, &asked, &body).await,
            "updatecontextdata" => update(&context, &who, &asked, &body).await,
            "getcontextdata" => {
                let (contact, campaign) = Scope::of(&context, &who, &asked).await?.contact()?;
                document(&context, &who, &contact, &campaign).await
            }
            "listmatchingdata" => matching(&context, &who, &asked).await,
            "listcontexts" => contexts(&context, &who).await,
            "listcontextfields" => fields(&context, &who, &asked).await,
            other => {
                let message = format!(
                    "there is no action '{other}': it is CreateContextData, GetContextData, UpdateContextData, \
                     ListMatchingData, ListContexts or ListContextFields"
                );
                Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "unknown_action", "/", message))
            }
        }
    };
    match act.await {
        Ok(document) => xml(StatusCode::OK, &document),
        Err(refusal) => refusal.into_response(),
    }
}

async fn create(context: &Context, who: &Principal, asked: &Asked, body: &[u8]) -> Result<String, Refusal> {
    let scope = Scope::of(context, who, asked).await?;
    let data = xml::read(body)?;
    let zone = context.app.zone(who).await?;
    let campaign = CampaignId(scope.campaign.id);
    let mut new = record::placement(&data, campaign, &scope.campaign.body, &zone, context.app.now())?;
    if let Some(named) = new.group {
        record::must_serve(context, who, named, campaign, scope.group).await?;
    }
    new.group = new.group.or(scope.group);
    let placed = context.app.place_contact(who, new).await?;
    document(context, who, &placed.contact, &scope.campaign.body).await
}

async fn update(context: &Context, who: &Principal, asked: &Asked, body: &[u8]) -> Result<String, Refusal> {
    let (contact, campaign) = Scope::of(context, who, asked).await?.contact()?;
    let changes = record::changes(&xml::read(body)?, &campaign)?;
    let changed = context.app.change_contact(who, contact.id, changes).await?;
    document(context, who, &changed, &campaign).await
}

/// The whole record as it is now.
async fn document(
    context: &Context,
    who: &Principal,
    contact: &ContactView,
    campaign: &CampaignBody,
) -> Result<String, Refusal> {
    let zone = context.app.zone(who).await?;
    Ok(xml::write(&record::data_of(contact, campaign, &zone)))
}

async fn matching(context: &Context, who: &Principal, asked: &Asked) -> Result<String, Refusal> {
    let scope = Scope::of(context, who, asked).await?;
    let campaign = &scope.campaign.body;
    let mut wanted = Vec::new();
    for (name, text) in &asked.0 {
        let Some(name) = name.strip_prefix("__") else { continue };
        record::known_field(campaign, name, &format!("__{name}"))?;
        wanted.push((name.to_owned(), text.clone()));
    }
    if wanted.is_empty() {
        let message = "say what to look for: __FIELD=value, with a field of the campaign";
        return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "missing", "/", message));
    }
    let query = ContactQuery {
        campaign: Some(CampaignId(scope.campaign.id)),
        fields: wanted,
        ..ContactQuery::default()
    };
    let page = PageRequest { after: None, limit: Some(MATCHES_MAX) };
    let listing = context.app.contacts(who, query, &page).await?;
    let zone = context.app.zone(who).await?;
    let records: String =
        listing.items.iter().map(|contact| xml::write(&record::data_of(contact, campaign, &zone))).collect();
    let more = if listing.next.is_some() { " truncated=\"true\"" } else { "" };
    Ok(format!("<contextdatalist{more}>{records}</contextdatalist>"))
}

async fn contexts(context: &Context, who: &Principal) -> Result<String, Refusal> {
    let page = PageRequest { after: None, limit: Some(1000) };
    let campaigns = context.app.list::<CampaignBody>(who, None, &page).await?.items;
    let groups = context.app.list::<CampaignGroupBody>(who, None, &page).await?.items;
    let mut out = String::from("<contexts>");
    for campaign in campaigns {
        out.push_str(&named("context", campaign.id, &campaign.body.name, false));
        for group in groups.iter().filter(|group| group.body.campaign.0 == campaign.id) {
            out.push_str(&named("activity", group.id, &group.body.name, true));
        }
        out.push_str("</context>");
    }
    Ok(out + "</contexts>")
}

fn named(element: &str, id: Uuid, name: &str, is_empty: bool) -> String {
    let end = if is_empty { " />" } else { ">" };
    format!("<{element} id=\"{}\" name=\"{}\"{end}", id.simple(), escaped(name))
}

async fn fields(context: &Context, who: &Principal, asked: &Asked) -> Result<String, Refusal> {
    let scope = Scope::of(context, who, asked).await?;
    let mut out = String::from("<fields>");
    for field in &scope.campaign.body.fields {
        let word = |value: serde_json::Result<serde_json::Value>| {
            value.ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
        };
        out.push_str(&format!(
            "<field name=\"{}\" type=\"{}\" meaning=\"{}\" required=\"{}\" />",
            field.name,
            word(serde_json::to_value(field.kind)),
            word(serde_json::to_value(field.meaning)),
            field.required
        ));
    }
    Ok(out + "</fields>")
}

/// Who sends a web callback from an address for which the operator has turned authentication off: nobody else, and for
/// nothing else.
pub(crate) async fn caller_without_key(
    parts: &Parts,
    context: &Context,
) -> Result<Option<Principal>, AppError> {
    let networks = &context.settings.callbacks_without_key_from;
    if networks.is_empty() || parts.uri.path() != PATH || parts.method != Method::POST {
        return Ok(None);
    }
    let Some(ConnectInfo(peer)) = parts.extensions.get::<ConnectInfo<SocketAddr>>() else { return Ok(None) };
    let address = peer.ip().to_canonical();
    let Ok(asked) = Asked::of(&parts.uri) else { return Ok(None) };
    let creates = asked.text("action").is_some_and(|action| action.eq_ignore_ascii_case("CreateContextData"));
    if !creates || !networks.iter().any(|network| network.contains(&address)) {
        return Ok(None);
    }
    let scope = ["activity", "context"].into_iter().find_map(|name| asked.id(name).ok().flatten());
    match scope {
        Some(id) => context.app.integration_without_key(id).await,
        None => Ok(None),
    }
}
