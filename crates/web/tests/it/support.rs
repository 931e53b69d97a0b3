//! A server of its own for each test, and a client that speaks to it.

use std::sync::Arc;
use std::time::Duration;

use app::{App, AppSettings};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use simulator::World;
use store::testing::{TestDatabase, databases};
use telephony::{CarrierSettings, Clock, Driver, Event, ScaledClock, SimulatedCarrier, SystemClock};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use web::WebSettings;

use crate::recorder::{JumpingClock, Recorder};

/// The root key of every test's server.
pub const ROOT_KEY: &str = "the root key of the tests";

/// A server on a database of its own.
pub struct Server {
    /// Where it listens: `127.0.0.1:PORT`.
    pub address: String,
    client: Client,
    app: Arc<App>,
    files: TempDir,
    // The last to go.
    _database: TestDatabase,
}

impl Server {
    /// Starts one on this database.
    pub async fn start(database: TestDatabase, settings: WebSettings) -> Self {
        Self::start_with_clock(database, settings, Arc::new(SystemClock)).await
    }

    /// Starts one in which calls take a sixtieth of their time.
    pub async fn start_sixty_times_as_fast(database: TestDatabase) -> Self {
        let clock = ScaledClock::starting_at(SystemClock.now(), 60.0).unwrap();
        Self::start_with_clock(database, WebSettings::default(), Arc::new(clock)).await
    }

    /// The same with a switch that records and a clock that jumps.
    pub async fn start_that_records(database: TestDatabase) -> (Self, Arc<Recorder>, Arc<JumpingClock>) {
        let clock = Arc::new(JumpingClock::sixty_times_as_fast());
        let (carrier, events) = carrier(Arc::<JumpingClock>::clone(&clock));
        let recorder = Arc::new(Recorder::over(carrier));
        let switch = (Arc::<Recorder>::clone(&recorder) as Arc<dyn Driver>, events);
        let files = TempDir::new().unwrap();
        let in_use = Arc::<JumpingClock>::clone(&clock);
        let server = Self::start_with(database, files, WebSettings::default(), in_use, switch).await;
        (server, recorder, clock)
    }

    async fn start_with_clock(database: TestDatabase, settings: WebSettings, clock: Arc<dyn Clock>) -> Self {
        Self::start_on(database, TempDir::new().unwrap(), settings, clock).await
    }

    async fn start_on(
        database: TestDatabase,
        files: TempDir,
        settings: WebSettings,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (carrier, events) = carrier(Arc::clone(&clock));
        Self::start_with(database, files, settings, clock, (carrier, events)).await
    }

    async fn start_with(
        database: TestDatabase,
        files: TempDir,
        settings: WebSettings,
        clock: Arc<dyn Clock>,
        (driver, events): (Arc<dyn Driver>, mpsc::Receiver<Event>),
    ) -> Self {
        let app_settings = AppSettings { node: "test".to_owned(), data_dir: files.path().to_owned() };
        let app = App::start(database.store.clone(), clock, driver, events, app_settings).await.unwrap();
        app.start_sinks(web::sink_formats()).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let settings = WebSettings { root_key: Some(ROOT_KEY.to_owned()), ..settings };
        let router = web::router(Arc::clone(&app), settings);
        tokio::spawn(web::serve(listener, router, std::future::pending()));
        Self { address, client: Client::new(), app, files, _database: database }
    }

    /// Ends the runtime that it was started in, and with it every task wherever it is, as a kill would. Then starts
    /// another on the same data and files.
    pub async fn killed_and_restarted(self, life: tokio::runtime::Runtime) -> Self {
        life.shutdown_background();
        Self::start_on(self._database, self.files, WebSettings::default(), Arc::new(SystemClock)).await
    }

    /// The node's directory for data.
    pub fn files(&self) -> &std::path::Path {
        self.files.path()
    }

    /// One server on each kind of database.
    pub async fn on_both() -> Vec<Self> {
        let mut servers = Vec::new();
        for database in databases() {
            servers.push(Self::start(database, WebSettings::default()).await);
        }
        servers
    }

    /// A caller without a key.
    pub fn nobody(&self) -> Caller<'_> {
        Caller { server: self, key: None }
    }

    /// A caller with this key or token.
    pub fn with_key(&self, key: &str) -> Caller<'_> {
        Caller { server: self, key: Some(key.to_owned()) }
    }

    /// Whoever runs the installation.
    pub fn root(&self) -> Caller<'_> {
        self.with_key(ROOT_KEY)
    }

    /// A new tenant's admin.
    pub async fn tenant(&self, name: &str) -> Caller<'_> {
        let made = self.root().post("/v1/tenants", json!({ "name": name })).await.expect(201);
        self.with_key(made.text("api_key"))
    }

    /// Has messages spoken by a program.
    pub async fn speak_with(&self, program: &std::path::Path) {
        let speech = Some(program.to_owned());
        self.app.start_messages(app::messages::MessageSettings { speech }).await;
    }

    /// Has recordings kept in a bucket of a storage at this address.
    pub fn keep_recordings_at(&self, endpoint: String) {
        let s3 = app::recordings::BucketSettings {
            endpoint,
            bucket: "calls".to_owned(),
            region: "us-east-1".to_owned(),
            in_host: false,
            access_key: "key".to_owned(),
            secret_key: "secret".to_owned(),
        };
        let settings = app::recordings::RecordingSettings { directory: None, s3: Some(s3) };
        self.app.keep_recordings_in(settings).unwrap();
    }

    /// Does at once what is due about recordings.
    pub async fn collect(&self) {
        self.app.collect_recordings().await.unwrap();
    }

    /// Tidies up at once.
    pub async fn tidy(&self) {
        self.app.tidy_up().await.unwrap();
    }

    /// Ends what the server runs besides requests.
    pub async fn stop(self) {
        self.app.shut_down(Duration::from_secs(5)).await;
    }
}

fn carrier(clock: Arc<dyn Clock>) -> (Arc<SimulatedCarrier>, mpsc::Receiver<Event>) {
    SimulatedCarrier::start(World::with_default_population(1), clock, CarrierSettings::default())
}

/// Somebody who sends requests.
#[derive(Clone)]
pub struct Caller<'a> {
    server: &'a Server,
    key: Option<String>,
}

impl<'a> Caller<'a> {
    /// Their key or token.
    pub fn key(&self) -> &str {
        self.key.as_deref().unwrap_or_default()
    }

    /// A request that can be completed at will.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.server.client.request(method, format!("http://{}{path}", self.server.address));
        match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        Answer::to(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        Answer::to(self.request(Method::POST, path).json(&body)).await
    }

    pub async fn put(&self, path: &str, tag: &str, body: Value) -> Answer {
        Answer::to(self.request(Method::PUT, path).header("If-Match", tag).json(&body)).await
    }

    pub async fn delete(&self, path: &str, tag: &str) -> Answer {
        Answer::to(self.request(Method::DELETE, path).header("If-Match", tag)).await
    }

    /// Creates something and gives its id.
    pub async fn create(&self, path: &str, body: Value) -> String {
        self.post(path, body).await.expect(201).text("id").to_owned()
    }

    /// A caller of the same tenant with a key of another role.
    pub async fn with_role(&self, role: &str) -> Caller<'a> {
        let made = self.post("/v1/api-keys", json!({ "name": role, "role": role })).await.expect(201);
        self.server.with_key(made.text("api_key"))
    }

    /// A campaign with a text field `first_name`, and a source of it: their ids.
    pub async fn campaign_and_source(&self) -> (String, String) {
        let fields = json!([{ "name": "first_name", "kind": "text" }]);
        let campaign = self.create("/v1/campaigns", json!({ "name": "Winter", "fields": fields })).await;
        let source = self.create("/v1/sources", json!({ "name": "List", "campaign": campaign })).await;
        (campaign, source)
    }
}

/// What a request was answered with.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub bytes: Vec<u8>,
    /// The body, if it is JSON.
    pub body: Value,
}

impl Answer {
    pub async fn to(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await.unwrap().to_vec();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Self { status, headers, bytes, body }
    }

    /// Fails unless the answer has this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.bytes));
        self
    }

    /// Fails unless the answer is a problem with this status and code.
    #[track_caller]
    pub fn expect_problem(self, status: u16, code: &str) -> Self {
        let answer = self.expect(status);
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert_eq!(answer.body["code"], code, "{}", answer.body);
        assert_eq!(answer.body["status"], status);
        assert!(answer.body["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{}", answer.body);
        assert_eq!(
            answer.body["request_id"].as_str(),
            Some(answer.header("x-request-id")),
            "{}",
            answer.body
        );
        answer
    }

    /// A header, empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name.parse::<HeaderName>().unwrap()).map(HeaderValue::to_str);
        value.and_then(Result::ok).unwrap_or_default()
    }

    /// A text of the body.
    #[track_caller]
    pub fn text(&self, name: &str) -> &str {
        self.body[name].as_str().unwrap_or_else(|| panic!("no text '{name}' in {}", self.body))
    }

    /// One text of each item of a listing.
    pub fn items(&self, name: &str) -> Vec<&str> {
        let items = self.body["items"].as_array().expect("a listing");
        items.iter().map(|item| item[name].as_str().unwrap_or_default()).collect()
    }
}

/// Asks until the answer is as wanted; fails after half a minute.
pub async fn until<F: Future<Output = Answer>>(
    ask: impl Fn() -> F,
    wanted: impl Fn(&Answer) -> bool,
) -> Answer {
    for _ in 0..600 {
        let answer = ask().await;
        if wanted(&answer) {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it did not come to be: {}", ask().await.body);
}
