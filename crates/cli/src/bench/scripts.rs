//! Server scripts: trivial pre-call decisions a second of one child process, and what five hundred that wait cost.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures_util::StreamExt;
use futures_util::future::{BoxFuture, join_all};
use futures_util::stream::FuturesUnordered;
use scripting::{Host, Limits, NoHost, PoolSettings, Run, Scripts};
use serde_json::{Value, json};

/// Decisions that are measured, and how many are under way at once.
const DECISIONS: usize = 20_000;
const AT_ONCE: usize = 64;
/// Scripts that wait at once, and for how long.
const WAITING: usize = 500;
const WAIT: Duration = Duration::from_secs(2);

const TRIVIAL: &str = "export function executePreCallScript(contact) {
    return contact.attempts > 3 ? { action: 'close' } : { action: 'dial' };
}";
const WAITS: &str = "export async function executePreCallScript(contact) {
    const answer = await fetch('https://crm.example.com/' + contact.id);
    return { action: answer.ok ? 'dial' : 'close' };
}";

/// Answers a fetch after a while.
struct Slow;

impl Host for Slow {
    fn call<'a>(&'a self, _: &'a str, _: Value) -> BoxFuture<'a, Result<Value, String>> {
        Box::pin(async {
            tokio::time::sleep(WAIT).await;
            Ok(json!({"status": 200, "url": "", "headers": {}, "body": ""}))
        })
    }
}

/// Runs both.
///
/// # Errors
/// A child cannot be started, or a script failed.
pub async fn run() -> anyhow::Result<Vec<Value>> {
    let pool = Scripts::start(PoolSettings {
        program: std::env::current_exe().context("the program's own file cannot be found")?,
        arguments: vec!["script-worker".to_owned()],
        children: 1,
        runs_max: WAITING * 2,
    });
    let one = |source: &str, host: Arc<dyn Host>| Run {
        name: "bench".to_owned(),
        source: source.into(),
        function: "executePreCallScript".to_owned(),
        arguments: vec![
            json!({"id": "0192", "attempts": 1, "phones": [{"number": "+33123456789"}]}),
            json!({}),
        ],
        limits: Limits { wall_ms: 30_000, ..Limits::default() },
        host,
    };
    // The child is started by the first.
    let nothing: Arc<dyn Host> = Arc::new(NoHost);
    pool.run(one(TRIVIAL, Arc::clone(&nothing))).await.outcome?;
    let began = Instant::now();
    let mut under_way = FuturesUnordered::new();
    let mut started = 0;
    while started < DECISIONS || !under_way.is_empty() {
        while started < DECISIONS && under_way.len() < AT_ONCE {
            under_way.push(pool.run(one(TRIVIAL, Arc::clone(&nothing))));
            started += 1;
        }
        if let Some(answer) = under_way.next().await {
            ensure!(answer.outcome? == json!({"action": "dial"}), "a decision went wrong");
        }
    }
    let decisions = DECISIONS as f64 / began.elapsed().as_secs_f64();
    drop(under_way);
    let slow: Arc<dyn Host> = Arc::new(Slow);
    let waits = join_all((0..WAITING).map(|_| pool.run(one(WAITS, Arc::clone(&slow)))));
    let look = async {
        tokio::time::sleep(WAIT * 3 / 4).await;
        children_rss_mib()
    };
    let (answers, rss) = tokio::join!(waits, look);
    for answer in answers {
        answer.outcome?;
    }
    Ok(vec![
        json!({"bench": "scripts", "db": null, "what": "trivial decisions, one process", "value": decisions.round(), "unit": "runs/s"}),
        json!({"bench": "scripts", "db": null, "what": format!("{WAITING} waiting at once, one process"),
               "value": rss?, "unit": "MiB"}),
    ])
}

/// Resident memory of this process' children.
fn children_rss_mib() -> anyhow::Result<f64> {
    let own = std::process::id().to_string();
    let mut pages = 0.0;
    for entry in std::fs::read_dir("/proc")?.filter_map(Result::ok) {
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
        // The name in parentheses may have anything in it; the parent is the second field after it.
        let Some((_, fields)) = stat.rsplit_once(") ") else { continue };
        if fields.split(' ').nth(1) == Some(own.as_str()) {
            let pages_of_child = fields.split(' ').nth(21).and_then(|pages| pages.parse::<f64>().ok());
            pages += pages_of_child.unwrap_or_default();
        }
    }
    Ok((pages * 4096.0 / 1_048_576.0).round())
}
