//! The children, and who of them runs what.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use crate::frame::{self, FromChild, ToChild};
use crate::{Answer, ErrorKind, Limits, NoHost, Run, ScriptError};

/// How long beyond its time a run may be silent before its child is taken to be stuck: some built-in functions never look
/// whether they should stop.
const STUCK_AFTER: Duration = Duration::from_millis(500);
/// How long a child that could not be started is left alone.
const START_AGAIN: Duration = Duration::from_millis(500);

/// Messages that may wait for a child, and answers that may wait for being told.
const FRAMES_MAX: usize = 8192;
const ANSWERS_MAX: usize = 1024;

/// How scripts are run.
#[derive(Clone, Debug)]
pub struct PoolSettings {
    /// The program that becomes a child: it must call [`crate::worker::run`].
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Children at once.
    pub children: usize,
    /// Runs under way at once; more are refused.
    pub runs_max: usize,
}

/// Runs scripts.
pub struct Scripts {
    children: Vec<mpsc::Sender<Job>>,
    loads: Vec<Arc<AtomicUsize>>,
    runs_max: usize,
    tasks: Mutex<Vec<tokio::task::AbortHandle>>,
}

/// A run that a child is to take.
struct Job {
    run: Run,
    function: Option<String>,
    reply: oneshot::Sender<Answer>,
    /// Whether it was started before, in a child that died.
    is_second_try: bool,
}

impl Scripts {
    /// Starts the children.
    pub fn start(settings: PoolSettings) -> Arc<Self> {
        let mut scripts = Self {
            children: Vec::new(),
            loads: Vec::new(),
            runs_max: settings.runs_max,
            tasks: Mutex::default(),
        };
        for _ in 0..settings.children.max(1) {
            let (jobs, queue) = mpsc::channel(settings.runs_max.max(1));
            let load = Arc::new(AtomicUsize::new(0));
            let task = tokio::spawn(keep_child(settings.clone(), queue, Arc::clone(&load)));
            scripts.tasks.lock().unwrap_or_else(PoisonError::into_inner).push(task.abort_handle());
            scripts.children.push(jobs);
            scripts.loads.push(load);
        }
        Arc::new(scripts)
    }

    /// Ends the children; what is under way is not answered.
    pub fn stop(&self) {
        for task in self.tasks.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            task.abort();
        }
    }

    /// Runs a function of a script.
    pub async fn run(&self, run: Run) -> Answer {
        let function = Some(run.function.clone());
        self.hand_over(run, function).await
    }

    /// Looks at a script without running any of its functions, and tells what it exports.
    ///
    /// # Errors
    /// It cannot be loaded; the message has line and column of a mistake in its syntax.
    pub async fn check(&self, name: &str, source: &str) -> Result<Vec<String>, ScriptError> {
        let run = Run {
            name: name.to_owned(),
            source: source.into(),
            function: String::new(),
            arguments: Vec::new(),
            limits: Limits::default(),
            host: Arc::new(NoHost),
        };
        let exports = self.hand_over(run, None).await.outcome?;
        let names = exports.as_array().map(Vec::as_slice).unwrap_or_default();
        Ok(names.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect())
    }

    async fn hand_over(&self, run: Run, function: Option<String>) -> Answer {
        let loads = self.loads.iter().map(|load| load.load(Ordering::Relaxed));
        let under_way: usize = loads.clone().sum();
        let idlest = loads.enumerate().min_by_key(|(_, load)| *load).map_or(0, |(index, _)| index);
        let failed =
            |kind, message: &str| Answer { outcome: Err(ScriptError::new(kind, message)), logs: Vec::new() };
        if under_way >= self.runs_max {
            return failed(ErrorKind::Overloaded, "too many scripts run at this moment");
        }
        let (reply, answer) = oneshot::channel();
        self.loads[idlest].fetch_add(1, Ordering::Relaxed);
        let job = Job { run, function, reply, is_second_try: false };
        let sent = self.children[idlest].try_send(job);
        let answer = match sent {
            Ok(()) => answer.await.ok(),
            Err(_) => None,
        };
        self.loads[idlest].fetch_sub(1, Ordering::Relaxed);
        answer.unwrap_or_else(|| failed(ErrorKind::WorkerDied, "scripts are not run any more"))
    }
}

impl Drop for Scripts {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Keeps one child alive and hands it its jobs.
async fn keep_child(settings: PoolSettings, mut jobs: mpsc::Receiver<Job>, load: Arc<AtomicUsize>) {
    let mut again = Vec::new();
    loop {
        // A child is started when there is something for it to do.
        let first = match again.pop() {
            Some(job) => job,
            None => match jobs.recv().await {
                Some(job) => job,
                None => return,
            },
        };
        again.push(first);
        match Worker::start(&settings) {
            Ok(worker) => again = worker.serve(&mut jobs, again).await,
            Err(error) => {
                tracing::error!(%error, "a process for scripts cannot be started");
                for job in again.drain(..) {
                    let message = format!("no process for scripts could be started: {error}");
                    answer(job.reply, Err(ScriptError::new(ErrorKind::WorkerDied, message)), Vec::new());
                }
                tokio::time::sleep(START_AGAIN).await;
            }
        }
        if jobs.is_closed() && again.is_empty() && load.load(Ordering::Relaxed) == 0 {
            return;
        }
    }
}

fn answer(reply: oneshot::Sender<Answer>, outcome: Result<Value, ScriptError>, logs: Vec<String>) {
    // Whoever asked may have gone away.
    let _ = reply.send(Answer { outcome, logs });
}

/// A run in a child.
struct Started {
    job: Job,
    ends_at: Instant,
    /// It asked for something that may have changed the world.
    has_asked: bool,
    /// It was told to stop; its child has until then to show that it is alive.
    stuck_at: Option<Instant>,
}

struct Worker {
    child: Child,
    to: mpsc::Sender<Vec<u8>>,
    from: mpsc::Receiver<FromChild>,
    runs: HashMap<u64, Started>,
    /// Runs that nobody waits for any more, and until when the child has to say that it has heard so.
    given_up: HashMap<u64, Instant>,
    questions: mpsc::Sender<ToChild>,
    answers: mpsc::Receiver<ToChild>,
}

impl Worker {
    fn start(settings: &PoolSettings) -> io::Result<Self> {
        let mut child = Command::new(&settings.program)
            .args(&settings.arguments)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (to, out) = pipes.ok_or_else(|| io::Error::other("a child without pipes"))?;
        let (questions, answers) = mpsc::channel(ANSWERS_MAX);
        Ok(Self {
            child,
            to: speak(to),
            from: listen(out),
            runs: HashMap::new(),
            given_up: HashMap::new(),
            questions,
            answers,
        })
    }

    /// Serves until the child is gone; gives back what can be run once more.
    async fn serve(mut self, jobs: &mut mpsc::Receiver<Job>, first: Vec<Job>) -> Vec<Job> {
        for job in first {
            if self.begin(job).is_err() {
                return self.end().await;
            }
        }
        loop {
            let ends = self.runs.values().map(|run| run.stuck_at.unwrap_or(run.ends_at));
            let deadline = ends.chain(self.given_up.values().copied()).min();
            let outcome = tokio::select! {
                message = self.from.recv() => match message {
                    Some(message) => { self.heard(message); Ok(()) }
                    None => return self.end().await,
                },
                job = jobs.recv() => match job {
                    Some(job) => self.begin(job),
                    None => return self.end().await,
                },
                Some(answer) = self.answers.recv() => self.tell(&answer),
                () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                    self.look_at_the_clock()
                }
            };
            if outcome.is_err() {
                return self.end().await;
            }
        }
    }

    /// Queues a message. A child that lets so much pile up is as good as dead.
    fn tell(&mut self, message: &ToChild) -> io::Result<()> {
        self.to.try_send(frame::encode(message)?).map_err(|_| io::Error::other("the child does not listen"))
    }

    fn begin(&mut self, job: Job) -> io::Result<()> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let call = NEXT.fetch_add(1, Ordering::Relaxed);
        let start = ToChild::Start {
            call,
            name: job.run.name.clone(),
            source: job.run.source.to_string(),
            function: job.function.clone(),
            arguments: job.run.arguments.clone(),
            limits: job.run.limits,
        };
        let ends_at = Instant::now() + Duration::from_millis(job.run.limits.wall_ms);
        self.runs.insert(call, Started { job, ends_at, has_asked: false, stuck_at: None });
        self.tell(&start)
    }

    fn heard(&mut self, message: FromChild) {
        match message {
            FromChild::Over { call, outcome, logs } => {
                self.given_up.remove(&call);
                if let Some(run) = self.runs.remove(&call) {
                    answer(run.job.reply, outcome, logs);
                }
                // Whoever speaks is not stuck: what waited behind the one that spoke gets its time anew.
                for run in self.runs.values_mut() {
                    run.stuck_at = None;
                }
            }
            FromChild::Ask { call, question, function, arguments } => {
                let Some(run) = self.runs.get_mut(&call) else { return };
                run.has_asked = true;
                let (host, answers) = (Arc::clone(&run.job.run.host), self.questions.clone());
                let ends_at = run.ends_at;
                tokio::spawn(async move {
                    let outcome = tokio::time::timeout_at(ends_at, host.call(&function, arguments)).await;
                    let outcome = outcome
                        .unwrap_or_else(|_| Err(format!("{function} took longer than the script may")));
                    // The child may be gone.
                    let _ = answers.send(ToChild::Answer { call, question, outcome }).await;
                });
            }
        }
    }

    /// Ends runs whose time is over. A child that does not even hear that is killed.
    fn look_at_the_clock(&mut self) -> io::Result<()> {
        let now = Instant::now();
        let is_silent = |at: &Instant| *at <= now;
        if self
            .runs
            .values()
            .filter_map(|run| run.stuck_at.as_ref())
            .chain(self.given_up.values())
            .any(is_silent)
        {
            return Err(io::Error::other("stuck"));
        }
        let late: Vec<u64> = self
            .runs
            .iter()
            .filter(|(_, run)| run.ends_at <= now && run.stuck_at.is_none())
            .map(|(call, _)| *call)
            .collect();
        for call in late {
            let waits = self.runs.get(&call).is_some_and(|run| run.has_asked);
            if waits {
                // It waits for an answer, so the child is free to hear that it is over.
                if let Some(run) = self.runs.remove(&call) {
                    answer(run.job.reply, Err(too_long(run.job.run.limits)), Vec::new());
                }
                self.given_up.insert(call, now + STUCK_AFTER);
                self.tell(&ToChild::Cancel { call })?;
            } else if let Some(run) = self.runs.get_mut(&call) {
                run.stuck_at = Some(now + STUCK_AFTER);
            }
        }
        Ok(())
    }

    /// Kills the child. Runs that asked for nothing yet can be run again by another; the rest is told.
    async fn end(mut self) -> Vec<Job> {
        let _ = self.child.kill().await;
        let now = Instant::now();
        let mut again = Vec::new();
        for (_, run) in self.runs.drain() {
            let is_late = run.ends_at <= now;
            if is_late {
                answer(run.job.reply, Err(too_long(run.job.run.limits)), Vec::new());
            } else if run.has_asked || run.job.is_second_try {
                let message = "the process that ran the script ended before the script did";
                answer(run.job.reply, Err(ScriptError::new(ErrorKind::WorkerDied, message)), Vec::new());
            } else {
                again.push(Job { is_second_try: true, ..run.job });
            }
        }
        again
    }
}

fn too_long(limits: Limits) -> ScriptError {
    ScriptError::new(ErrorKind::TimedOut, format!("it took longer than {} ms", limits.wall_ms))
}

/// Tells a child what is queued for it. It is a task of its own: a child may wait for its own words to be heard before it
/// hears more.
fn speak(mut to: ChildStdin) -> mpsc::Sender<Vec<u8>> {
    let (sender, mut frames) = mpsc::channel::<Vec<u8>>(FRAMES_MAX);
    tokio::spawn(async move {
        while let Some(frame) = frames.recv().await {
            if to.write_all(&frame).await.is_err() {
                return;
            }
        }
    });
    sender
}

/// Hears what a child says, until it says no more.
fn listen(mut out: ChildStdout) -> mpsc::Receiver<FromChild> {
    let (sender, receiver) = mpsc::channel(64);
    tokio::spawn(async move {
        while let Ok(Some(message)) = frame::receive(&mut out).await {
            if sender.send(message).await.is_err() {
                return;
            }
        }
    });
    receiver
}
