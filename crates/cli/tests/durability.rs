//! The real program, killed again and again while it dials, imports and takes contacts in: nothing may be lost.

#![expect(clippy::print_stdout, reason = "the counts are a result of the test")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use reqwest::Client;
use serde_json::{Value, json};
use store::testing::TestDatabase;

/// How often the program is killed on each database.
const KILLS: u32 = 50;
/// People on the demonstration's own list.
const PEOPLE: u64 = 2000;
/// Rows of each import.
const ROWS: u64 = 400;
/// An import is sent in every so many lives.
const IMPORT_EVERY: u32 = 8;

#[tokio::test(flavor = "multi_thread")]
async fn kill_nine_at_any_instant_loses_nothing_on_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let database = directory.path().join("outdial.db").display().to_string();
    Ordeal::new(database, directory.path()).go_through("sqlite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_nine_at_any_instant_loses_nothing_on_postgresql() {
    let database = TestDatabase::postgres();
    let directory = tempfile::tempdir().unwrap();
    Ordeal::new(database.address(), directory.path()).go_through("postgresql").await;
}

/// One life of the program.
struct Life {
    child: Child,
    greeting: Value,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Drop for Life {
    fn drop(&mut self) {
        // A failed test must not leave the program behind.
        let _ = self.child.kill();
    }
}

impl Life {
    fn begin(database: &str, directory: &Path, seconds: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_outdial"))
            .args(["demo", "--serve", "--json", "--mode", "power", "--agents", "20", "--speed", "60"])
            .args(["--listen", "127.0.0.1:0", "--contacts", &PEOPLE.to_string()])
            .args(["--seconds", seconds, "--db", database])
            .env("OUTDIAL_NODE_DATA_DIR", directory.join("files"))
            .current_dir(directory)
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let greeting = lines.next().expect("the program greets").unwrap();
        Self { child, greeting: serde_json::from_str(&greeting).unwrap(), lines }
    }

    fn path(&self, path: &str) -> String {
        format!("{}{path}", self.greeting["base_url"].as_str().unwrap())
    }

    fn key(&self) -> &str {
        self.greeting["api_key"].as_str().unwrap()
    }

    fn source(&self) -> &str {
        self.greeting["source"].as_str().unwrap()
    }

    async fn get(&self, client: &Client, path: &str) -> Value {
        let answer = client.get(self.path(path)).bearer_auth(self.key()).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.json().await.unwrap()
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end, and waits until it has.
    fn end(mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success(), "the program did not end well");
    }
}

struct Ordeal {
    database: String,
    directory: std::path::PathBuf,
    client: Client,
    /// External ids of contacts that were answered with 2xx.
    accepted: BTreeSet<String>,
    /// Imports that were answered with 2xx.
    imports: Vec<String>,
    next: u64,
}

impl Ordeal {
    fn new(database: String, directory: &Path) -> Self {
        app::install_tls();
        let client = Client::builder().timeout(Duration::from_secs(20)).build().unwrap();
        let (accepted, imports) = (BTreeSet::new(), Vec::new());
        Self { database, directory: directory.to_owned(), client, accepted, imports, next: 0 }
    }

    async fn go_through(mut self, name: &str) {
        let mut rng = rand::rngs::StdRng::seed_from_u64(20_261_120);
        for kill in 0..KILLS {
            let life = Life::begin(&self.database, &self.directory, "3600");
            let rest = Duration::from_millis(rng.random_range(200..1200));
            if kill % IMPORT_EVERY == 0 {
                self.import(&life, kill).await;
            }
            // Ends at whatever it is at that instant: mostly in the middle of a request.
            let _ = tokio::time::timeout(rest, self.add_contacts(&life)).await;
            life.kill();
        }
        self.look(name).await;
    }

    async fn add_contacts(&mut self, life: &Life) {
        loop {
            self.next += 1;
            let external_id = format!("H{:06}", self.next);
            let contact = json!({"external_id": external_id, "phones": [{"number": number(self.next)}]});
            let request = self.client.post(life.path(&format!("/v1/sources/{}/contacts", life.source())));
            let answer = request.bearer_auth(life.key()).json(&contact).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                self.accepted.insert(external_id);
            }
        }
    }

    async fn import(&mut self, life: &Life, kill: u32) {
        let rows = (0..ROWS)
            .map(|row| format!("I{kill:03}-{row:04},{}\n", number(1_000_000 + u64::from(kill) * ROWS + row)));
        let file = format!("customer,phone\n{}", rows.collect::<String>());
        let request = self.client.post(life.path(&format!("/v1/sources/{}/imports", life.source())));
        let request = request.query(&[("map", "external_id=customer,phone1=phone")]).bearer_auth(life.key());
        let answer =
            request.header("Content-Type", "application/octet-stream").body(file).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
        let import: Value = answer.json().await.unwrap();
        self.imports.push(import["id"].as_str().unwrap().to_owned());
    }

    /// Lets the program recover and come to rest, and counts.
    async fn look(&self, name: &str) {
        let mut life = Life::begin(&self.database, &self.directory, "4");
        for import in &self.imports {
            self.await_import(&life, import).await;
        }
        for external_id in &self.accepted {
            let path = format!("/v1/contacts?source={}&external_id={external_id}", life.source());
            let found = life.get(&self.client, &path).await;
            assert_eq!(found["items"].as_array().map(Vec::len), Some(1), "contact {external_id} is lost");
        }
        let outcome: Value = serde_json::from_str(&life.lines.next().expect("the outcome").unwrap()).unwrap();
        life.end();
        assert!(!self.accepted.is_empty(), "nothing was accepted between two kills");
        let verified = Command::new(env!("CARGO_BIN_EXE_outdial"))
            .args(["admin", "verify"])
            .env("OUTDIAL_DATABASE_URL", &self.database)
            .output()
            .unwrap();
        let verified_text = String::from_utf8_lossy(&verified.stdout).into_owned();
        assert!(verified.status.success(), "{verified_text} {}", String::from_utf8_lossy(&verified.stderr));
        let verified: Value = serde_json::from_str(&verified_text).unwrap();
        assert_eq!(verified["attempts_not_settled"], 0);
        assert_eq!(outcome["dialled_twice"], 0);
        let owed = PEOPLE + self.imports.len() as u64 * ROWS + self.accepted.len() as u64;
        let contacts = verified["contacts"].as_u64().unwrap();
        // A contact whose answer the kill swallowed may be there too.
        assert!((owed..=owed + u64::from(KILLS)).contains(&contacts), "{contacts} contacts, {owed} owed");
        println!(
            "{name}: {KILLS} kills, {contacts} contacts ({} accepted one by one, {} imports of {ROWS} rows), \
             {} attempts, {} events, 0 violations",
            self.accepted.len(),
            self.imports.len(),
            verified["attempts"],
            verified["events"]
        );
    }

    async fn await_import(&self, life: &Life, import: &str) {
        for _ in 0..600 {
            let view = life.get(&self.client, &format!("/v1/imports/{import}")).await;
            match view["state"].as_str() {
                Some("completed") => {
                    assert_eq!(
                        view["created"].as_u64().unwrap() + view["unchanged"].as_u64().unwrap(),
                        ROWS,
                        "{view}"
                    );
                    return;
                }
                Some("failed" | "cancelled") => panic!("an import did not complete: {view}"),
                _ => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
        panic!("an import does not come to its end");
    }
}

/// A number of a block that nobody has: +33 1 99 00 is set aside for films.
fn number(index: u64) -> String {
    format!("+3319900{:04}", index % 10_000)
}
