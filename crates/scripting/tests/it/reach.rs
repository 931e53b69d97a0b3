//! What scripts reach through their host.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use scripting::{ErrorKind, Host, Limits, Run};
use serde_json::{Value, json};

use crate::support::*;

/// Answers after a while with what it was asked.
struct Echo {
    after: Duration,
    asked: Arc<AtomicUsize>,
}

impl Host for Echo {
    fn call<'a>(&'a self, function: &'a str, arguments: Value) -> BoxFuture<'a, Result<Value, String>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            tokio::time::sleep(self.after).await;
            match function {
                "kv.delete" => Err("may not".to_owned()),
                _ => Ok(json!({"function": function, "arguments": arguments})),
            }
        })
    }
}

fn echo(after: Duration) -> Echo {
    Echo { after, asked: Arc::default() }
}

#[tokio::test]
async fn a_question_goes_to_the_host_and_its_answer_comes_back() {
    let pool = pool(1);
    let source = "export async function main() {
        const [a, b] = await Promise.all([sql.query('crm', 'select $1', [5]), kv.get('x')]);
        let refused; try { await kv.delete('x'); } catch (error) { refused = error.message; }
        return [a, b, refused];
    }";
    let answer = run_with(&pool, source, echo(Duration::ZERO)).await;
    assert_eq!(
        answer.outcome,
        Ok(json!([
            {"function": "sql.query", "arguments": ["crm", "select $1", [5]]},
            {"function": "kv.get", "arguments": ["x"]},
            "may not"
        ]))
    );
}

#[tokio::test]
async fn scripts_that_wait_do_not_stand_in_each_others_way() {
    let pool = pool(1);
    let asked = Arc::new(AtomicUsize::new(0));
    let source = "export async function main() { await kv.get('a'); await kv.get('b'); return 1; }";
    let host = Arc::new(Echo { after: Duration::from_millis(200), asked: Arc::clone(&asked) });
    let runs = (0..500).map(|_| pool.run(Run { host: host.clone(), ..run_of(source, vec![]) }));
    let answers = join_all(runs).await;
    assert!(answers.iter().all(|answer| answer.outcome == Ok(json!(1))));
    assert_eq!(asked.load(Ordering::Relaxed), 1000);
}

#[tokio::test]
async fn a_wait_that_is_too_long_ends_the_run_and_no_other() {
    let pool = pool(1);
    let slow = "export async function main() { await kv.get('a'); return 1; }";
    let limits = Limits { wall_ms: 300, ..generous() };
    let host = Arc::new(echo(Duration::from_secs(60)));
    let late = pool.run(Run { limits, host, ..run_of(slow, vec![]) });
    let (late, other) = tokio::join!(late, run_with(&pool, slow, echo(Duration::from_millis(600))));
    assert_eq!(kind(&late), ErrorKind::TimedOut);
    assert_eq!(other.outcome, Ok(json!(1)));
}

#[tokio::test]
async fn without_a_host_there_is_nothing_to_reach() {
    let pool = pool(1);
    let answer = run(&pool, "export async function main() { await fetch('http://a/'); }", vec![]).await;
    let error = answer.outcome.unwrap_err();
    assert_eq!(
        (error.kind, error.message.as_str()),
        (ErrorKind::Threw, "Error: fetch cannot be reached from here")
    );
}
