//! A running Outdial on a fresh database of each kind.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use app::contacts::{ContactQuery, ContactView};
use app::imports::{Import, NewImport};
use app::intake::RecordResult;
use app::model::{CampaignBody, SourceBody};
use app::paging::PageRequest;
use app::{App, AppError, AppSettings, Principal};
use contacts::RawContact;
use engine::{CampaignId, ImportId, SourceId};
use serde_json::json;
use simulator::World;
use store::testing::TestDatabase;
use store::{Store, StoreOptions, StoreTarget};
use telephony::{CarrierSettings, SimulatedCarrier, SystemClock};
use tempfile::TempDir;

/// Runs a test on a fresh database of each kind.
pub fn on_both_databases(test: impl AsyncFn(Outdial)) {
    for database in store::testing::databases() {
        runtime().block_on(async {
            test(Outdial::start(database).await).await;
        });
    }
}

/// What one process runs on.
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Runtime::new().unwrap()
}

/// Starts Outdial as a process does.
pub async fn start(target: &StoreTarget, data_dir: &Path) -> Arc<App> {
    let store = Store::open(target, StoreOptions { writers: 3, readers: 1 }).await.unwrap();
    let clock = Arc::new(SystemClock);
    let (carrier, events) =
        SimulatedCarrier::start(World::with_default_population(1), clock.clone(), CarrierSettings::default());
    let settings = AppSettings { node: "test".into(), data_dir: data_dir.to_owned() };
    App::start(store, clock, carrier, events, settings).await.unwrap()
}

/// A running Outdial with a tenant, a campaign and a source.
pub struct Outdial {
    pub app: Arc<App>,
    pub who: Principal,
    pub campaign: CampaignId,
    pub source: SourceId,
    pub data_dir: TempDir,
    pub database: TestDatabase,
}

/// A campaign with three fields, one of them a date.
pub fn campaign() -> CampaignBody {
    body(json!({
        "name": "Spring",
        "fields": [
            {"name": "first_name", "kind": "text"},
            {"name": "city", "kind": "text"},
            {"name": "born", "kind": "date"},
        ],
    }))
}

/// A source whose national numbers are French.
pub fn source(name: &str, campaign: CampaignId) -> SourceBody {
    body(json!({"name": name, "campaign": campaign, "default_country": "FR"}))
}

/// A body as a caller of the API writes it.
pub fn body<T: serde::de::DeserializeOwned>(value: serde_json::Value) -> T {
    serde_json::from_value(value).unwrap()
}

/// A French mobile number by its last digits.
pub fn number(n: u64) -> String {
    format!("+33612{n:06}")
}

/// A contact as a caller of the API writes it.
pub fn contact(external_id: &str, number: &str) -> RawContact<'static> {
    body(json!({"external_id": external_id, "phones": [{"number": number}]}))
}

impl Outdial {
    async fn start(database: TestDatabase) -> Self {
        let data_dir = tempfile::tempdir().unwrap();
        let app = start(&database.target, data_dir.path()).await;
        let who = Principal::operator(app.create_tenant("Acme").await.unwrap().id);
        let campaign = CampaignId(app.create(&who, campaign()).await.unwrap().id);
        let source = SourceId(app.create(&who, self::source("List", campaign)).await.unwrap().id);
        Self { app, who, campaign, source, data_dir, database }
    }

    /// Adds contacts to the source.
    pub async fn add(&self, contacts: Vec<RawContact<'static>>) -> Vec<RecordResult> {
        self.app.add_contacts(&self.who, self.source, contacts).await.unwrap()
    }

    /// Puts a file where uploads go.
    pub fn upload(&self, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.app.import_upload_path();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Asks for an import of a file with this content.
    pub async fn try_import(&self, content: impl AsRef<[u8]>, new: NewImport) -> Result<Import, AppError> {
        self.app.create_import(&self.who, self.source, new, self.upload(content)).await
    }

    /// Imports a file with this content and waits for the end.
    pub async fn import(&self, content: impl AsRef<[u8]>, new: NewImport) -> Import {
        let import = self.try_import(content, new).await.unwrap();
        wait_for(&self.app, &self.who, import.id, Import::is_over).await
    }

    /// The source's contact of this name.
    pub async fn contact(&self, external_id: &str) -> Option<ContactView> {
        let query = ContactQuery {
            source: Some(self.source),
            external_id: Some(external_id.into()),
            ..ContactQuery::default()
        };
        self.app.contacts(&self.who, query, &PageRequest::default()).await.unwrap().items.pop()
    }

    /// Every contact of the campaign.
    pub async fn contacts(&self) -> Vec<ContactView> {
        all_contacts(&self.app, &self.who, self.campaign).await
    }

    /// The file of rejected rows of an import.
    pub async fn rejects(&self, import: ImportId) -> String {
        let mut file = self.app.import_rejects_file(&self.who, import).await.unwrap();
        let mut bytes = Vec::new();
        while let Some(piece) = file.pieces.recv().await {
            bytes.extend(piece.unwrap());
        }
        String::from_utf8(bytes).unwrap()
    }
}

/// Every contact of a campaign.
pub async fn all_contacts(app: &App, who: &Principal, campaign: CampaignId) -> Vec<ContactView> {
    let query = ContactQuery { campaign: Some(campaign), ..ContactQuery::default() };
    let (mut all, mut page) = (Vec::new(), PageRequest { after: None, limit: Some(1000) });
    loop {
        let listing = app.contacts(who, query.clone(), &page).await.unwrap();
        all.extend(listing.items);
        match listing.next {
            Some(next) => page.after = Some(next),
            None => return all,
        }
    }
}

/// Waits until an import is as wanted; fails if it takes minutes.
pub async fn wait_for(
    app: &App,
    who: &Principal,
    import: ImportId,
    is_as_wanted: impl Fn(&Import) -> bool,
) -> Import {
    for _ in 0..60_000 {
        let import = app.import(who, import).await.unwrap();
        if is_as_wanted(&import) {
            return import;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the import does not come to what it should");
}
