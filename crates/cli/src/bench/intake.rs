//! How fast a file becomes contacts, against what the database does with the same rows by itself.

use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use app::imports::{Import, NewImport};
use app::model::{CampaignBody, SourceBody};
use app::suppression::NewSuppression;
use app::{App, AppSettings, Principal};
use contacts::SourceMap;
use engine::{CampaignId, SourceId, SuppressionListId};
use serde_json::{Value, json};
use simulator::World;
use store::reference::{Scratch, rewrite};
use store::{Store, StoreOptions};
use telephony::{CarrierSettings, SimulatedCarrier, SystemClock};

/// Numbers on the suppression list.
const SUPPRESSED: u64 = 100_000;
/// How often the import is asked how far it is.
const ASK_EVERY: Duration = Duration::from_millis(100);
/// What the columns of the file are.
const MAP: &str =
    "external_id=Customer,phone1:mobile=Mobile,phone2:home=Home,field.first_name=First name,field.city=City";

/// Imports a file of `rows` contacts with two numbers each into a fresh database beside `db`, with a look for
/// duplicates, zones and 100,000 suppressed numbers, and measures the same rows written raw.
///
/// # Errors
/// The database cannot be made, or the import did not take every row.
pub async fn run(db: &str, rows: u64) -> anyhow::Result<Vec<Value>> {
    let (scratch, raw) = (Scratch::create(db).await?, Scratch::create(db).await?);
    let measured = measure(&scratch, &raw, rows).await;
    // A database that cannot be removed is no reason to lose the figures.
    for scratch in [scratch, raw] {
        if let Err(error) = scratch.remove().await {
            tracing::warn!(%error, "a database of the bench could not be removed");
        }
    }
    Ok(vec![measured?])
}

async fn measure(scratch: &Scratch, raw: &Scratch, rows: u64) -> anyhow::Result<Value> {
    let data_dir = std::env::temp_dir().join(format!("outdial_bench_files_{}", std::process::id()));
    let store = Store::open(&scratch.target, StoreOptions::default()).await?;
    let kind = format!("{:?}", store.dialect()).to_lowercase();
    let imported = import(store, &data_dir, rows).await;
    std::fs::remove_dir_all(&data_dir).context("cannot remove the files of the bench")?;
    let (seconds, rss_mib) = imported?;
    // Only to make the tables.
    drop(Store::open(&raw.target, StoreOptions::default()).await?);
    let raw_seconds = rewrite(&scratch.target, &raw.target).await?.as_secs_f64();
    let (value, reference) = (rows as f64 / seconds, rows as f64 / raw_seconds);
    Ok(json!({
        "bench": "intake", "db": kind, "value": value.round(), "unit": "rows/s", "reference": reference.round(),
        "ratio": (1000.0 * value / reference).round() / 1000.0, "rows": rows, "rss_mib": rss_mib,
    }))
}

/// Seconds from the import's start to its end, and the peak of the program's memory in that time in MiB.
async fn import(store: Store, data_dir: &Path, rows: u64) -> anyhow::Result<(f64, Option<u64>)> {
    let clock = Arc::new(SystemClock);
    let (carrier, events) =
        SimulatedCarrier::start(World::with_default_population(1), clock.clone(), CarrierSettings::default());
    let settings = AppSettings { node: "bench".into(), data_dir: data_dir.to_owned() };
    let app = App::start(store, clock, carrier, events, settings).await?;
    let who = Principal::operator(app.create_tenant("Bench").await?.id);
    let source = prepare(&app, &who).await?;
    let path = app.import_upload_path();
    write_file(&path, rows)?;
    forget_peak();
    let new = NewImport { map: Some(SourceMap::parse_compact(MAP)?), ..NewImport::default() };
    let mut import: Import = app.create_import(&who, source, new, path).await?;
    while !import.is_over() {
        tokio::time::sleep(ASK_EVERY).await;
        import = app.import(&who, import.id).await?;
    }
    let peak = peak_mib();
    app.shut_down(Duration::from_secs(5)).await;
    let taken = import.created == rows && import.state == "completed";
    ensure!(taken, "{} of {rows} rows were taken: {} {:?}", import.created, import.state, import.error);
    let (started, finished) =
        import.started_at.zip(import.finished_at).context("an import that is over has no times")?;
    Ok((finished.since(started).as_secs_f64(), peak))
}

/// Makes the campaign, its suppression list and the source.
async fn prepare(app: &Arc<App>, who: &Principal) -> anyhow::Result<SourceId> {
    let campaign: CampaignBody = serde_json::from_value(json!({
        "name": "Bench",
        "fields": [{"name": "first_name", "kind": "text"}, {"name": "city", "kind": "text"}],
    }))?;
    let campaign = CampaignId(app.create(who, campaign).await?.id);
    let source: SourceBody = serde_json::from_value(
        json!({"name": "Bench", "campaign": campaign, "default_country": "FR", "duplicates": "campaign"}),
    )?;
    let source = SourceId(app.create(who, source).await?.id);
    // Every tenth contact has a number on it; those of a larger file than a million have some less.
    let entry = |n: u64| NewSuppression { number: Some(home(10 * n)), ..NewSuppression::default() };
    let entries: Vec<NewSuppression> = (0..SUPPRESSED).map(entry).collect();
    for part in entries.chunks(10_000) {
        app.suppress(who, SuppressionListId(campaign.0), part.to_vec()).await?;
    }
    Ok(source)
}

/// The numbers are in the ranges of real mobile and fixed lines, so that zones and validity are looked up as in
/// production; nothing ever dials them.
fn write_file(path: &Path, rows: u64) -> anyhow::Result<()> {
    let mut out = BufWriter::new(std::fs::File::create(path).context("cannot write the file of the bench")?);
    writeln!(out, "Customer,Mobile,Home,First name,City")?;
    for n in 0..rows {
        // A third is written in the national form of the source's country.
        let mobile = match n % 3 {
            0 => format!(
                "06 {:02} {:02} {:02} {:02}",
                n / 1_000_000 % 100,
                n / 10_000 % 100,
                n / 100 % 100,
                n % 100
            ),
            1 => format!("+49151{:08}", n % 100_000_000),
            _ => format!("+1415{:07}", 2_000_000 + n % 8_000_000),
        };
        writeln!(out, "C{n:09},{mobile},{},Ada {},\"City, {}\"", home(n), n % 977, n % 331)?;
    }
    out.flush()?;
    Ok(())
}

/// A fixed line in France.
fn home(n: u64) -> String {
    format!("+331{:08}", 40_000_000 + n % 50_000_000)
}

/// Makes the kernel forget the highest use of memory so far. Where that cannot be, the figure is that of the whole run.
fn forget_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// The highest use of memory, as Linux tells it.
fn peak_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? / 1024)
}
