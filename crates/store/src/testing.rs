//! Throw-away databases for tests, of this crate and of those above it (feature `testing`).
//!
//! PostgreSQL is the server at `TEST_PG_URL` if that is set (a user who may create databases); otherwise a cluster
//! under the system's temporary directory, which the first test process to need it starts and which is left running
//! for the next. A test gets a database of its own, copied from one that was migrated once. There is no skipping: a
//! machine without PostgreSQL fails these tests.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio_postgres::config::Host;
use tokio_postgres::{Config, NoTls};

use crate::db::MIGRATIONS;
use crate::{Dialect, Store, StoreOptions, StoreTarget};

/// A database of its own for one test; gone when it is dropped.
#[derive(Debug)]
pub struct TestDatabase {
    /// The store on it.
    pub store: Store,
    /// Where it is, so that it can be opened once more.
    pub target: StoreTarget,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Directory(TempDir),
    Server { admin: Box<Config>, name: String },
}

impl TestDatabase {
    /// Which database it is.
    pub fn dialect(&self) -> Dialect {
        self.store.dialect()
    }

    /// Where it is, in the words that [`StoreTarget::parse`] and the program's configuration take.
    ///
    /// # Panics
    /// The server's address is not of the form that this module makes.
    pub fn address(&self) -> String {
        match &self.target {
            StoreTarget::Sqlite(path) => path.display().to_string(),
            StoreTarget::Postgres(config) => server_address(config),
        }
    }

    /// A fresh SQLite file.
    ///
    /// # Panics
    /// It cannot be made.
    pub fn sqlite() -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let target = StoreTarget::Sqlite(directory.path().join("outdial.db"));
        Self { store: open(&target), target, place: Place::Directory(directory) }
    }

    /// A fresh database on PostgreSQL.
    ///
    /// # Panics
    /// PostgreSQL is not installed or cannot be started.
    pub fn postgres() -> Self {
        let admin = server();
        let template = template_name();
        let name = fresh_name();
        on_own_thread({
            let (admin, name) = (admin.clone(), name.clone());
            move || {
                make_template(&admin, &template);
                run_sql(&admin, &[&format!("CREATE DATABASE {name} TEMPLATE {template}")]);
            }
        });
        let mut config = admin.clone();
        config.dbname(&name);
        let target = StoreTarget::Postgres(Box::new(config));
        Self { store: open(&target), target, place: Place::Server { admin: Box::new(admin), name } }
    }
}

fn server_address(config: &Config) -> String {
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(host)) => host.clone(),
        Some(Host::Unix(path)) => path.display().to_string(),
        None => panic!("the test server has no host"),
    };
    let user = config.get_user().unwrap_or("postgres");
    let password =
        config.get_password().map(|password| format!(":{}", escaped(password))).unwrap_or_default();
    let (port, name) = (config.get_ports().first().unwrap_or(&5432), config.get_dbname().unwrap_or_default());
    format!("postgres://{}{password}@{}:{port}/{name}", escaped(user.as_bytes()), escaped(host.as_bytes()))
}

/// Percent-encoding (RFC 3986 §2.1) of whatever is not plain.
fn escaped(bytes: &[u8]) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    let text = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    bytes.iter().copied().map(text).collect()
}

/// One fresh database of each kind.
///
/// # Panics
/// One of them cannot be made.
pub fn databases() -> Vec<TestDatabase> {
    vec![TestDatabase::sqlite(), TestDatabase::postgres()]
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        match &self.place {
            Place::Directory(directory) => drop(fs::remove_dir_all(directory.path())),
            Place::Server { admin, name } => {
                let (admin, drop_it) =
                    (admin.clone(), format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
                on_own_thread(move || run_sql(&admin, &[&drop_it]));
            }
        }
    }
}

fn open(target: &StoreTarget) -> Store {
    let target = target.clone();
    // Few connections: many tests run at the same time.
    let options = StoreOptions { writers: 3, readers: 1 };
    on_own_thread(move || Store::open_blocking(&target, options)).expect("the test database opens")
}

/// Tests run inside a runtime, where another one may not be driven.
fn on_own_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match std::thread::spawn(work).join() {
        Ok(value) => value,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

fn run_sql(config: &Config, statements: &[&str]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (client, connection) = config.connect(NoTls).await.expect("the test server answers");
        tokio::spawn(connection);
        for statement in statements {
            client.batch_execute(statement).await.unwrap_or_else(|error| panic!("{statement}: {error:?}"));
        }
    });
}

/// The template of this schema: its name changes with the migrations.
fn template_name() -> String {
    let mut hash = Sha256::new();
    MIGRATIONS.iter().for_each(|migration| hash.update(migration.sql));
    let digest = hash.finalize();
    let digits: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("outdial_template_{digits}")
}

fn fresh_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    format!("outdial_test_{}_{nanos}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Makes the template unless it is there. The lock on the server keeps two processes from doing it at once.
fn make_template(admin: &Config, template: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (client, connection) = runtime.block_on(admin.connect(NoTls)).expect("the test server answers");
    let connection = runtime.spawn(connection);
    let exists = runtime.block_on(async {
        client.batch_execute("SELECT pg_advisory_lock(7811)").await.expect("the lock for the template");
        let found = client.query("SELECT 1 FROM pg_database WHERE datname = $1", &[&template]).await;
        !found.expect("the list of databases").is_empty()
    });
    if !exists {
        let draft = format!("{template}_draft");
        runtime.block_on(async {
            for statement in [format!("DROP DATABASE IF EXISTS {draft}"), format!("CREATE DATABASE {draft}")]
            {
                client.batch_execute(&statement).await.expect("a database for the template");
            }
        });
        let mut config = admin.clone();
        config.dbname(&draft);
        crate::db::migrate_postgres(&config).expect("the migrations run");
        // Only a whole template gets the name under which it is looked for.
        let rename = format!("ALTER DATABASE {draft} RENAME TO {template}");
        runtime.block_on(client.batch_execute(&rename)).expect("the template");
    }
    drop(client);
    drop(runtime.block_on(connection));
}

/// The server: the one that is named, or our own.
fn server() -> Config {
    if let Ok(url) = std::env::var("TEST_PG_URL") {
        return url.parse().expect("TEST_PG_URL is a PostgreSQL address");
    }
    let directory = std::env::temp_dir().join("outdial-test-postgres");
    start_cluster(&directory);
    let mut config = Config::new();
    config.host_path(&directory).user("postgres").dbname("postgres");
    config
}

/// Starts the cluster unless it runs. The lock lasts as long as the file is open.
fn start_cluster(directory: &Path) {
    let lock = File::create(directory.with_extension("lock")).expect("the lock file of the test cluster");
    lock.lock().expect("the lock of the test cluster");
    let (socket, data) = (directory.display().to_string(), directory.join("data").display().to_string());
    if !directory.join("data/PG_VERSION").exists() {
        as_server(&["mkdir", "-p", &socket]);
        as_server(&[
            &tool("initdb"),
            "-D",
            &data,
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-sync",
        ]);
    }
    let pg_ctl = tool("pg_ctl");
    let runs = server_command(&[&pg_ctl, "status", "-D", &data])
        .output()
        .is_ok_and(|output| output.status.success());
    if !runs {
        // No TCP port is taken: it listens on its socket alone. Nothing in it is worth a sync.
        let options = format!(
            "-c listen_addresses='' -c unix_socket_directories='{socket}' -c fsync=off -c synchronous_commit=off \
             -c full_page_writes=off -c max_connections=300"
        );
        let log = directory.join("log").display().to_string();
        as_server(&[&pg_ctl, "start", "-w", "-D", &data, "-l", &log, "-o", &options]);
    }
}

/// A program of PostgreSQL: in the PATH, or where Debian keeps them.
fn tool(name: &str) -> String {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut candidates: Vec<PathBuf> =
        versions.map(|version| version.path().join("bin").join(name)).collect();
    candidates.sort();
    candidates.reverse();
    let path = std::env::var_os("PATH").unwrap_or_default();
    candidates.extend(std::env::split_paths(&path).map(|directory| directory.join(name)));
    match candidates.iter().find(|candidate| candidate.exists()) {
        Some(found) => found.display().to_string(),
        None => panic!(
            "PostgreSQL is needed for the tests: install it, or set TEST_PG_URL ('{name}' was not found)"
        ),
    }
}

/// PostgreSQL refuses to run as root; then it runs as the user `postgres`.
fn server_command(command: &[&str]) -> Command {
    let is_root = fs::metadata("/proc/self").is_ok_and(|metadata| {
        use std::os::unix::fs::MetadataExt;
        metadata.uid() == 0
    });
    let words: Vec<&str> = if is_root {
        ["runuser", "-u", "postgres", "--"].iter().chain(command).copied().collect()
    } else {
        command.to_vec()
    };
    let mut process = Command::new(words[0]);
    process.args(&words[1..]).current_dir("/");
    process
}

fn as_server(command: &[&str]) {
    let status = server_command(command)
        .stdin(std::process::Stdio::null())
        // A pipe would be held open by the server for as long as it runs.
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status();
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => panic!("{command:?} failed ({status}); see the log in the test cluster's directory"),
        Err(error) => panic!("{command:?} could not be started: {error}"),
    }
}
