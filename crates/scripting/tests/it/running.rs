//! What a script is given, gives back and finds.

use scripting::{ErrorKind, Run};
use serde_json::json;

use crate::support::*;

#[tokio::test]
async fn a_function_gets_its_arguments_and_gives_a_value_back() {
    let pool = pool(1);
    let source = "export async function main(contact, context) { log('for', contact.id); return { ...context, id: contact.id }; }";
    let answer = run(&pool, source, vec![json!({"id": 7}), json!({"phase": "before"})]).await;
    assert_eq!(answer.outcome, Ok(json!({"phase": "before", "id": 7})));
    assert_eq!(answer.logs, ["for 7"]);
    let nothing = run(&pool, "export function main() {}", vec![]).await;
    assert_eq!(nothing.outcome, Ok(json!(null)));
}

#[tokio::test]
async fn an_error_has_its_message_and_its_place() {
    let pool = pool(1);
    let thrown =
        run(&pool, "export function main() {\n  throw new TypeError('no such customer');\n}", vec![]).await;
    let error = thrown.outcome.unwrap_err();
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Threw, "TypeError: no such customer"));
    assert!(error.stack.as_deref().unwrap().contains("test:2"), "{:?}", error.stack);
    let text = run(&pool, "export function main() { throw 'just a text'; }", vec![]).await;
    assert_eq!(text.outcome.unwrap_err().message, "just a text");
    let rejected = run(&pool, "export async function main() { await null; undefined.x; }", vec![]).await;
    assert_eq!(kind(&rejected), ErrorKind::Threw);
}

#[tokio::test]
async fn a_script_is_looked_at_before_it_is_used() {
    let pool = pool(1);
    let exports = pool.check("good", "export function a() {}\nexport const b = 1;").await.unwrap();
    assert_eq!(exports, ["a", "b"]);
    let error = pool.check("bad", "export function a( {").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Syntax);
    assert!(error.stack.is_some_and(|stack| stack.contains("bad:1")), "{}", error.message);
    let error = pool.check("bad", "await new Promise(() => {});").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NeverSettled);
}

#[tokio::test]
async fn what_is_not_exported_cannot_be_run() {
    let pool = pool(1);
    let other = Run { function: "other".to_owned(), ..run_of("export function main() {}", vec![]) };
    assert_eq!(kind(&pool.run(other).await), ErrorKind::NoSuchFunction);
}

#[tokio::test]
async fn there_is_nothing_but_what_is_documented() {
    let pool = pool(1);
    let source = "export function main() {
        const known = Object.getOwnPropertyNames(Object.getPrototypeOf(globalThis)).concat(Object.getOwnPropertyNames(globalThis));
        return ['require', 'process', 'std', 'os', 'Deno', 'XMLHttpRequest', 'WebSocket', 'setTimeout', 'setInterval',
                'Worker', '__natives'].filter((name) => known.includes(name) || name in globalThis);
    }";
    assert_eq!(run(&pool, source, vec![]).await.outcome, Ok(json!([])));
    for import in ["import 'fs';", "import * as os from 'os';", "import x from './other.js';"] {
        let answer = run(&pool, &format!("{import} export function main() {{}}"), vec![]).await;
        assert!(answer.outcome.is_err(), "{import}");
    }
    let dynamic = run(&pool, "export async function main() { await import('fs'); }", vec![]).await;
    assert_eq!(kind(&dynamic), ErrorKind::Threw);
}

#[tokio::test]
async fn one_run_leaves_nothing_for_the_next() {
    let pool = pool(1);
    let source = "export function main() { const before = globalThis.left; globalThis.left = 1; Array.prototype.map = 5; return before ?? 'nothing'; }";
    for _ in 0..3 {
        assert_eq!(run(&pool, source, vec![]).await.outcome, Ok(json!("nothing")));
    }
}
