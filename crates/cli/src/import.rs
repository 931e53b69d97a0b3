//! `outdial import`: sends a file to a running Outdial and shows how it is getting on.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use contacts::SourceMap;
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use reqwest::{Client, Response, StatusCode};
use serde::Deserialize;
use serde_json::Value;

/// How often progress is asked for.
const ASK_EVERY: Duration = Duration::from_millis(250);

/// What to import, and where to.
#[derive(clap::Args)]
pub struct Arguments {
    /// The CSV or NDJSON file.
    file: PathBuf,
    /// The source, by its name or id.
    #[arg(long)]
    source: String,
    /// Which column is what: `external_id=CustomerNo,phone1=Mobile,field.first_name=Vorname`. Without it the headings
    /// are guessed, and refused if that is not certain.
    #[arg(long)]
    map: Option<String>,
    /// What becomes of a number whose time zone nobody knows: `reject`, or a zone such as Europe/Paris; without it what
    /// the source says.
    #[arg(long, value_name = "ZONE")]
    no_zone: Option<String>,
    /// Where Outdial listens.
    #[arg(long, env = "OUTDIAL_URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// An API key with the role admin, supervisor or integration.
    #[arg(long, env = "OUTDIAL_API_KEY", hide_env_values = true)]
    api_key: String,
    /// Where rejected rows are written, ready to be corrected and sent again [default: FILE.rejects.csv].
    #[arg(long)]
    rejects: Option<PathBuf>,
    /// Print the final state as one JSON object instead of a progress bar.
    #[arg(long)]
    json: bool,
}

#[derive(Deserialize)]
struct Import {
    id: String,
    state: String,
    rows_done: u64,
    bytes_done: u64,
    file_size: u64,
    created: u64,
    updated: u64,
    unchanged: u64,
    rejected: u64,
    error: Option<String>,
}

impl Import {
    fn is_over(&self) -> bool {
        matches!(self.state.as_str(), "completed" | "failed" | "cancelled")
    }
}

struct Api {
    client: Client,
    url: String,
    key: String,
}

/// Imports the file.
///
/// # Errors
/// The file cannot be read, Outdial cannot be reached or refuses, or the import failed; the message says which.
pub async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let url = arguments.url.trim_end_matches('/').to_owned();
    let api = Api { client: Client::new(), url, key: arguments.api_key.clone() };
    let source = api.source(&arguments.source).await?;
    let map = arguments.map.as_deref().map(SourceMap::parse_compact).transpose().context("--map is wrong")?;
    let started = api.start(&source, &arguments, map.as_ref()).await?;
    let bar = if arguments.json { ProgressBar::hidden() } else { progress_bar(started.file_size) };
    let over = api.follow(started, &bar).await?;
    bar.finish_and_clear();
    if over.rejected > 0 {
        let path = arguments.rejects.clone().unwrap_or_else(|| rejects_path(&arguments.file));
        api.save_rejects(&over.id, &path).await?;
        say(arguments.json, &format!("rejected rows, with the reason of each, are in {}", path.display()));
    }
    report(&over, arguments.json)?;
    match over.state.as_str() {
        "completed" => Ok(()),
        state => {
            bail!("the import {} is {state}: {}", over.id, over.error.as_deref().unwrap_or("see its log"))
        }
    }
}

fn progress_bar(bytes: u64) -> ProgressBar {
    let bar = ProgressBar::new(bytes);
    let style = ProgressStyle::with_template("{bar:30} {percent:>3} %  {msg}  {elapsed_precise}, {eta} left");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

fn rejects_path(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".rejects.csv");
    PathBuf::from(name)
}

#[expect(clippy::print_stderr, reason = "what the person at the terminal is told")]
fn say(is_json: bool, text: &str) {
    if !is_json {
        eprintln!("{text}");
    }
}

#[expect(clippy::print_stdout, reason = "the result of the command")]
fn report(over: &Import, is_json: bool) -> anyhow::Result<()> {
    if is_json {
        let result = serde_json::json!({
            "id": over.id, "state": over.state, "rows": over.rows_done, "created": over.created,
            "updated": over.updated, "unchanged": over.unchanged, "rejected": over.rejected, "error": over.error,
        });
        println!("{}", serde_json::to_string(&result)?);
    } else {
        let count = HumanCount;
        println!(
            "{} rows: {} created, {} updated, {} unchanged, {} rejected",
            count(over.rows_done),
            count(over.created),
            count(over.updated),
            count(over.unchanged),
            count(over.rejected)
        );
    }
    Ok(())
}

impl Api {
    async fn get(&self, path: &str) -> anyhow::Result<Response> {
        let request = self.client.get(format!("{}{path}", self.url)).bearer_auth(&self.key);
        let answer = request.send().await.with_context(|| format!("cannot reach Outdial at {}", self.url))?;
        accepted(answer).await
    }

    /// The id of a source that was given by id or by name.
    async fn source(&self, name: &str) -> anyhow::Result<String> {
        let mut after = String::new();
        let mut names = Vec::new();
        loop {
            let page: Value = self.get(&format!("/v1/sources?limit=200{after}")).await?.json().await?;
            for item in page["items"].as_array().into_iter().flatten() {
                let (id, own) = (item["id"].as_str().unwrap_or(""), item["name"].as_str().unwrap_or(""));
                if id == name || own.eq_ignore_ascii_case(name) {
                    return Ok(id.to_owned());
                }
                names.push(own.to_owned());
            }
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => bail!("there is no source '{name}'; there are: {}", names.join(", ")),
            }
        }
    }

    async fn start(
        &self,
        source: &str,
        arguments: &Arguments,
        map: Option<&SourceMap>,
    ) -> anyhow::Result<Import> {
        let file = &arguments.file;
        let opened =
            tokio::fs::File::open(file).await.with_context(|| format!("cannot read {}", file.display()))?;
        let size = opened.metadata().await?.len();
        let mut request = self
            .client
            .post(format!("{}/v1/sources/{source}/imports", self.url))
            .bearer_auth(&self.key)
            .header("Content-Type", "application/octet-stream")
            .header("Content-Length", size);
        if let Some(map) = map {
            request = request.query(&[("map", serde_json::to_string(map)?)]);
        }
        if let Some(zone) = &arguments.no_zone {
            request = request.query(&[("no_zone", zone)]);
        }
        if let Some(name) = file.file_name().and_then(|name| name.to_str()) {
            request = request.query(&[("file_name", name)]);
        }
        let body = reqwest::Body::from(opened);
        let answer = request
            .body(body)
            .send()
            .await
            .with_context(|| format!("cannot reach Outdial at {}", self.url))?;
        Ok(accepted(answer).await?.json().await?)
    }

    async fn follow(&self, mut import: Import, bar: &ProgressBar) -> anyhow::Result<Import> {
        while !import.is_over() {
            tokio::time::sleep(ASK_EVERY).await;
            import = self.get(&format!("/v1/imports/{}", import.id)).await?.json().await?;
            bar.set_position(import.bytes_done);
            bar.set_message(format!(
                "{} rows, {} rejected",
                HumanCount(import.rows_done),
                HumanCount(import.rejected)
            ));
        }
        Ok(import)
    }

    async fn save_rejects(&self, import: &str, path: &Path) -> anyhow::Result<()> {
        use futures_util::StreamExt;
        use tokio::io::AsyncWriteExt;
        let answer = self.get(&format!("/v1/imports/{import}/rejects.csv")).await?;
        let mut file = tokio::fs::File::create(path)
            .await
            .with_context(|| format!("cannot write {}", path.display()))?;
        let mut parts = answer.bytes_stream();
        while let Some(part) = parts.next().await {
            file.write_all(&part?).await?;
        }
        file.flush().await?;
        Ok(())
    }
}

/// The answer, or the problem that it tells of in the words of the API.
async fn accepted(answer: Response) -> anyhow::Result<Response> {
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let problem: Value = answer.json().await.unwrap_or(Value::Null);
    let detail = problem["detail"].as_str().unwrap_or("no reason was given");
    let hint = if status == StatusCode::UNAUTHORIZED {
        " (give a key with --api-key or OUTDIAL_API_KEY)"
    } else {
        ""
    };
    match problem["field"].as_str() {
        Some(field) => bail!("Outdial refused ({status}): {field}: {detail}{hint}"),
        None => bail!("Outdial refused ({status}): {detail}{hint}"),
    }
}
