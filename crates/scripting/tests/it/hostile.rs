//! Scripts that mean harm: each ends with the right error, and others go on being served.

use scripting::{ErrorKind, Limits, Run};
use serde_json::json;

use crate::support::*;

/// A script with the limits that a campaign has.
fn limited(body: &str) -> Run {
    let source = format!("export async function main() {{ {body} }}");
    Run { limits: Limits { wall_ms: 3000, ..Limits::default() }, ..run_of(&source, vec![]) }
}

const HARMLESS: &str = "export function main() { return 'served'; }";

#[tokio::test]
async fn what_never_ends_is_ended() {
    let pool = pool(1);
    for body in [
        "while (true) {}",
        "for (;;) { try { while (true) {} } catch {} }",
        "const f = () => Promise.resolve().then(f); await f();",
        "/(a+)+$/.test('a'.repeat(60) + 'b');",
        "await null; while (true) {}",
    ] {
        assert_eq!(kind(&pool.run(limited(body)).await), ErrorKind::TimedOut, "{body}");
        assert_eq!(run(&pool, HARMLESS, vec![]).await.outcome, Ok(json!("served")));
    }
}

#[tokio::test]
async fn what_cannot_be_interrupted_is_killed_and_those_beside_it_run_again() {
    let pool = pool(1);
    for body in [
        "return new Array(1e9) + '';",
        "return new Array(2 ** 31).join('');",
        "Array.prototype.reverse.call({ length: 2 ** 53 - 1 });",
    ] {
        let (stuck, beside) = tokio::join!(pool.run(limited(body)), run(&pool, HARMLESS, vec![]));
        let stuck = kind(&stuck);
        assert!(matches!(stuck, ErrorKind::TimedOut | ErrorKind::OutOfMemory), "{body}: {stuck:?}");
        assert_eq!(beside.outcome, Ok(json!("served")), "{body}");
    }
}

#[tokio::test]
async fn memory_and_depth_have_their_ends() {
    let pool = pool(1);
    for body in
        ["const a = []; while (true) a.push(new Array(1000).fill('x'));", "let s = 'x'; while (true) s += s;"]
    {
        let run =
            Run { limits: Limits { cpu_ms: 20_000, wall_ms: 30_000, ..Limits::default() }, ..limited(body) };
        let error = pool.run(run).await.outcome.unwrap_err();
        assert!(matches!(error.kind, ErrorKind::OutOfMemory | ErrorKind::Threw), "{body}: {error}");
    }
    let deep = "const f = () => f() + 1; return f();";
    assert_eq!(kind(&pool.run(limited(deep)).await), ErrorKind::Stack);
    assert_eq!(run(&pool, HARMLESS, vec![]).await.outcome, Ok(json!("served")));
}

#[tokio::test]
async fn a_promise_that_nothing_can_settle_is_told_at_once() {
    let pool = pool(1);
    assert_eq!(kind(&pool.run(limited("await new Promise(() => {});")).await), ErrorKind::NeverSettled);
}

#[tokio::test]
async fn a_flood_of_lines_is_cut() {
    let pool = pool(1);
    let answer = pool.run(limited("for (let i = 0; i < 1000; i++) log('x'.repeat(5000)); return 1;")).await;
    assert_eq!(answer.logs.len(), 100);
    assert!(answer.logs.iter().all(|line| line.len() == 1000));
}

#[tokio::test]
async fn tampering_with_the_language_does_not_reach_the_natives() {
    let pool = pool(1);
    let body = "JSON.stringify = () => '\"forged\"'; Promise.prototype.then = () => {}; Map.prototype.get = () => [() => {}, () => {}];
                Error.prototype.name = 'x'; return 'true';";
    let source = format!("export function main() {{ {body} }}");
    assert_eq!(run(&pool, &source, vec![]).await.outcome, Ok(json!("true")));
}

#[tokio::test]
async fn a_child_that_dies_is_replaced() {
    let pool = pool(1);
    assert_eq!(run(&pool, HARMLESS, vec![]).await.outcome, Ok(json!("served")));
    pool.run(limited("Array.prototype.reverse.call({ length: 2 ** 53 - 1 });")).await.outcome.unwrap_err();
    for _ in 0..10 {
        assert_eq!(run(&pool, HARMLESS, vec![]).await.outcome, Ok(json!("served")));
    }
}
