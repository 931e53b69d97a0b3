//! Routes and their documentation, made together: a route that is not in the OpenAPI document cannot be served.

use std::sync::Arc;

use app::Fault;
use app::paging::PAGE_ITEMS_MAX;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::handler::Handler;
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse;
use axum::routing::{MethodFilter, on};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::extract::refuse_unknown_parameters;
use crate::{Context, idempotency};

/// Bytes of a body that holds many records, at most: ten thousand rows of more than three thousand bytes each.
pub(crate) const LARGE_BODY_BYTES_MAX: usize = 32 * 1024 * 1024;

/// What the paths of the native API begin with.
const NATIVE: &str = "/v1/";

/// What documents one operation.
pub(crate) struct Endpoint {
    method: MethodFilter,
    method_name: &'static str,
    path: String,
    id: String,
    tag: &'static str,
    summary: String,
    parameters: Vec<Value>,
    request: Option<Value>,
    status: u16,
    other_status: Option<u16>,
    response: Option<Value>,
    needs_auth: bool,
    body_bytes_max: Option<usize>,
}

/// A router and its document, growing together.
pub(crate) struct Api {
    router: Router<Context>,
    document: Document,
}

/// The OpenAPI document.
pub(crate) struct Document {
    paths: Map<String, Value>,
    schemas: SchemaGenerator,
}

impl Document {
    fn new() -> Self {
        let settings = SchemaSettings::draft2020_12()
            .with(|settings| settings.definitions_path = "/components/schemas".into());
        Self { paths: Map::new(), schemas: settings.into_generator() }
    }

    fn schema<T: JsonSchema>(&mut self) -> Value {
        self.schemas.subschema_for::<T>().to_value()
    }

    /// The document as it is served.
    pub fn into_json(mut self) -> Value {
        let faults = self.schema::<Fault>();
        let problem = json!({
            "type": "object",
            "required": ["type", "title", "status", "code", "detail"],
            "properties": {
                "type": {"type": "string"}, "title": {"type": "string"}, "status": {"type": "integer"},
                "code": {"type": "string", "description": "Stable; programs may rely on it"},
                "detail": {"type": "string", "description": "What went wrong and what to do"},
                "field": {"type": "string", "description": "The part of the request that is wrong"},
                "errors": {
                    "type": "array", "items": faults,
                    "description": "Everything that is wrong, where several parts are"
                },
                "request_id": {"type": "string"}
            }
        });
        let mut schemas = self.schemas.take_definitions(true);
        schemas.insert("Problem".to_owned(), problem);
        json!({
            "openapi": "3.1.0",
            "info": {
                "title": "Outdial",
                "version": env!("CARGO_PKG_VERSION"),
                "description": "Outbound contact-centre campaign engine.",
                "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"}
            },
            "paths": self.paths,
            "components": {
                "schemas": schemas,
                "securitySchemes": {
                    "key": {"type": "http", "scheme": "bearer", "description": "An API key or a session's token"},
                    "header": {"type": "apiKey", "in": "header", "name": "X-Api-Key", "description": "The same"}
                }
            }
        })
    }
}

/// Starts the documentation of an operation; `id` is its operation id.
macro_rules! methods {
    ($($name:ident, $filter:ident, $status:literal);+ $(;)?) => {$(
        pub(crate) fn $name(path: impl Into<String>, id: impl Into<String>, tag: &'static str, summary: impl Into<String>) -> Endpoint {
            Endpoint {
                method: MethodFilter::$filter,
                method_name: stringify!($name),
                path: path.into(),
                id: id.into(),
                tag,
                summary: summary.into(),
                parameters: Vec::new(),
                request: None,
                status: $status,
                other_status: None,
                response: None,
                needs_auth: true,
                body_bytes_max: None,
            }
        }
    )+};
}

methods! { get, GET, 200; post, POST, 201; put, PUT, 200; delete, DELETE, 204 }

impl Endpoint {
    /// Takes a JSON body.
    pub fn takes<T: JsonSchema>(mut self, api: &mut Api) -> Self {
        let schema = api.document.schema::<T>();
        self.request = Some(json!({"required": true, "content": {"application/json": {"schema": schema}}}));
        self
    }

    /// Takes a body of another kind.
    pub fn takes_raw(mut self, media_type: &str, description: &str) -> Self {
        let schema = json!({"type": "string", "format": "binary"});
        self.request = Some(json!({
            "required": true, "description": description, "content": {media_type: {"schema": schema}}
        }));
        self
    }

    /// Answers with JSON.
    pub fn gives<T: JsonSchema>(mut self, api: &mut Api) -> Self {
        let schema = api.document.schema::<T>();
        self.response = Some(json!({"application/json": {"schema": schema}}));
        self
    }

    /// Answers with something else.
    pub fn gives_raw(mut self, media_type: &str) -> Self {
        self.response = Some(json!({media_type: {"schema": {"type": "string"}}}));
        self
    }

    /// Answers with this status when all is well.
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Has a text as a parameter in the query.
    pub fn query(self, name: &str, description: &str) -> Self {
        self.query_like(name, description, &json!({"type": "string"}))
    }

    /// Has a parameter in the query that is of a type of its own, such as an id.
    pub fn query_of<T: JsonSchema>(self, api: &mut Api, name: &str, description: &str) -> Self {
        let schema = api.document.schema::<T>();
        self.query_like(name, description, &schema)
    }

    /// Has an instant as a parameter in the query.
    pub fn query_instant(self, name: &str, description: &str) -> Self {
        self.query_like(name, description, &json!({"type": "string", "format": "date-time"}))
    }

    /// Has a whole number up to a most as a parameter in the query.
    pub fn query_count(self, name: &str, description: &str, most: u32) -> Self {
        let schema = json!({"type": "integer", "minimum": 1, "maximum": most});
        self.query_like(name, description, &schema)
    }

    fn query_like(mut self, name: &str, description: &str, schema: &Value) -> Self {
        self.parameters.push(json!({
            "name": name, "in": "query", "required": false, "description": description, "schema": schema
        }));
        self
    }

    /// Is a listing, page by page.
    pub fn paged(self) -> Self {
        let limit = "Items in the page, 1 to 1000; 100 if not given";
        self.query("after", "'next' of the page before").query_count("limit", limit, PAGE_ITEMS_MAX)
    }

    /// May be answered with another status as well when all is well.
    pub fn or_status(mut self, status: u16) -> Self {
        self.other_status = Some(status);
        self
    }

    /// Needs the version that the change is based on.
    pub fn if_match(mut self) -> Self {
        self.parameters.push(json!({
            "name": "If-Match", "in": "header", "required": true,
            "description": "The ETag of the version that the change is based on", "schema": {"type": "string"}
        }));
        self
    }

    /// Answers with a sound, or the part of it that is asked for.
    pub fn gives_sound(mut self) -> Self {
        self.parameters.push(json!({
            "name": "Range", "in": "header", "required": false, "schema": {"type": "string"},
            "description": "One part of it, such as bytes=1000-1999: answered with 206, or 416 if it lies outside"
        }));
        self.gives_raw("audio/wav")
    }

    /// Takes bodies up to [`LARGE_BODY_BYTES_MAX`]: many records in one request.
    pub fn large(self) -> Self {
        self.with_body_limit(LARGE_BODY_BYTES_MAX)
    }

    /// Takes bodies of up to so many bytes.
    pub fn with_body_limit(mut self, bytes: usize) -> Self {
        self.body_bytes_max = Some(bytes);
        self
    }

    /// Is open to everybody.
    pub fn open(mut self) -> Self {
        self.needs_auth = false;
        self
    }

    /// The names that its query knows.
    fn query_names(&self) -> Vec<String> {
        let names = self.parameters.iter().filter(|parameter| parameter["in"] == "query");
        names.filter_map(|parameter| parameter["name"].as_str().map(str::to_owned)).collect()
    }

    fn document(&self) -> Value {
        let mut parameters = self.parameters.clone();
        for part in self.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
            // A source map goes by the name of its source as well, as its vendor has it.
            let is_uuid = part == "id" && self.path.starts_with(NATIVE) && !self.path.ends_with("/map");
            let schema =
                if is_uuid { json!({"type": "string", "format": "uuid"}) } else { json!({"type": "string"}) };
            parameters.push(json!({"name": part, "in": "path", "required": true, "schema": schema}));
        }
        if self.method_name == "post" && idempotency::keeps_answers_of(&self.path) {
            parameters.push(json!({
                "name": "Idempotency-Key", "in": "header", "required": false, "schema": {"type": "string"},
                "description": "The request is carried out once, however often it is sent with the same key"
            }));
        }
        let mut good = json!({"description": "Done"});
        if let Some(response) = &self.response {
            good["content"] = response.clone();
        }
        let problem =
            json!({"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}});
        let mut operation = json!({
            "operationId": self.id, "tags": [self.tag], "summary": self.summary,
            "responses": {
                self.status.to_string(): good.clone(),
                "default": {"description": "What went wrong", "content": problem}
            }
        });
        if let Some(status) = self.other_status {
            operation["responses"][status.to_string()] = good;
        }
        if !parameters.is_empty() {
            operation["parameters"] = Value::Array(parameters);
        }
        if let Some(request) = &self.request {
            operation["requestBody"] = request.clone();
        }
        if self.needs_auth {
            operation["security"] = json!([{"key": []}, {"header": []}]);
        }
        operation
    }
}

impl Api {
    /// Without routes.
    pub fn new() -> Self {
        Self { router: Router::new(), document: Document::new() }
    }

    /// Another router whose routes go into the same document.
    pub fn continued(document: Document) -> Self {
        Self { router: Router::new(), document }
    }

    /// Adds a route. In the native API parameters of the query that the document does not name are refused.
    pub fn route<H, T>(mut self, endpoint: Endpoint, handler: H) -> Self
    where
        H: Handler<T, Context>,
        T: 'static,
    {
        let operation = endpoint.document();
        let path = self.document.paths.entry(endpoint.path.clone()).or_insert_with(|| json!({}));
        path[endpoint.method_name] = operation;
        let route = on(endpoint.method, handler);
        let route = match endpoint.body_bytes_max {
            Some(most) => route.layer(DefaultBodyLimit::max(most)),
            None => route,
        };
        // Other vendors' clients send what their vendor passes over.
        let route = if endpoint.path.starts_with(NATIVE) {
            let known: Arc<[String]> = endpoint.query_names().into();
            route.route_layer(from_fn(move |request: Request, next: Next| {
                let refusal = refuse_unknown_parameters(request.uri(), &known);
                async move {
                    match refusal {
                        Ok(()) => next.run(request).await,
                        Err(problem) => problem.into_response(),
                    }
                }
            }))
        } else {
            route
        };
        self.router = self.router.route(&endpoint.path, route);
        self
    }

    /// The router, and the document for the next one.
    pub fn finish(self) -> (Router<Context>, Document) {
        (self.router, self.document)
    }
}
