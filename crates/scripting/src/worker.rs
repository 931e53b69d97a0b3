//! The child process: it runs scripts and can be killed.
//!
//! One thread takes frames one after another. A run has a runtime of its own; it goes as far as it can, asks its
//! questions and waits in the table while others run. Whatever a script can reach beyond the language is asked of the
//! parent: this process opens no file and no socket.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use cpu_time::ThreadTime;
use rquickjs::function::Func;
use rquickjs::{CatchResultExt, CaughtError, Context, Ctx, Function, Module, Object, Persistent, Runtime};
use serde_json::Value;

use crate::frame::{self, FromChild, ToChild};
use crate::{ErrorKind, Limits, ScriptError};

/// Lines that a run may log, and characters of each.
const LOG_LINES_MAX: usize = 100;
const LOG_LINE_LENGTH_MAX: usize = 1000;
/// Questions that a run may ask in all.
const QUESTIONS_MAX: u64 = 1000;
/// Memory that the whole process may take: many runs wait at once, each within its own limit.
const PROCESS_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;
/// Stack of a run; far below that of the thread.
const STACK_BYTES: usize = 256 * 1024;
/// Stack of the thread that runs scripts.
const THREAD_STACK_BYTES: usize = 8 * 1024 * 1024;

/// Runs until the parent closes the pipe.
///
/// # Errors
/// The pipe broke.
pub fn run() -> io::Result<()> {
    // Whatever is not allowed here fails in this process, which can be replaced.
    let limits = [
        (rlimit::Resource::AS, PROCESS_BYTES_MAX),
        (rlimit::Resource::CORE, 0),
        (rlimit::Resource::FSIZE, 0),
        (rlimit::Resource::NPROC, rlimit::INFINITY),
    ];
    for (resource, most) in limits {
        // A machine may set a lower one that cannot be raised.
        let _ = rlimit::setrlimit(resource, most, most);
    }
    let thread = std::thread::Builder::new().stack_size(THREAD_STACK_BYTES).spawn(serve)?;
    thread.join().map_err(|_| io::Error::other("the thread of scripts ended"))?
}

fn serve() -> io::Result<()> {
    let (mut from, mut to) = (io::stdin().lock(), io::stdout().lock());
    let mut runs: HashMap<u64, Run> = HashMap::new();
    while let Some(message) = frame::read::<ToChild>(&mut from)? {
        let call = match message {
            ToChild::Start { call, name, source, function, arguments, limits } => {
                let run = Run::new(&name, &source, function.as_deref(), &arguments, limits);
                match run {
                    Ok(run) => {
                        runs.insert(call, run);
                    }
                    Err((error, logs)) => {
                        frame::write(&mut to, &FromChild::Over { call, outcome: Err(error), logs })?;
                    }
                }
                call
            }
            ToChild::Answer { call, question, outcome } => {
                if let Some(run) = runs.get(&call) {
                    run.answer(question, outcome);
                }
                call
            }
            ToChild::Cancel { call } => {
                runs.remove(&call);
                let outcome = Err(ScriptError::new(ErrorKind::TimedOut, "it was given up"));
                frame::write(&mut to, &FromChild::Over { call, outcome, logs: Vec::new() })?;
                continue;
            }
        };
        let Some(run) = runs.get(&call) else { continue };
        for (question, function, arguments) in run.state.asked.take() {
            frame::write(&mut to, &FromChild::Ask { call, question, function, arguments })?;
        }
        if let Some(outcome) = run.outcome() {
            let logs = run.state.logs.take();
            runs.remove(&call);
            frame::write(&mut to, &FromChild::Over { call, outcome, logs })?;
        }
    }
    Ok(())
}

/// What the natives of a run leave for the loop.
#[derive(Default)]
struct RunState {
    logs: RefCell<Vec<String>>,
    asked: RefCell<Vec<(u64, String, Value)>>,
    open: Cell<u64>,
    next: Cell<u64>,
    over: RefCell<Option<Result<Value, ScriptError>>>,
    slice: Cell<Option<ThreadTime>>,
    interrupted: Cell<bool>,
}

/// A function of a script on its way.
struct Run {
    // The context's values go before the context, and that before its runtime.
    settle: Option<Persistent<Function<'static>>>,
    context: Context,
    runtime: Runtime,
    state: Rc<RunState>,
    limits: Limits,
}

impl Drop for Run {
    fn drop(&mut self) {
        if let Some(settle) = self.settle.take() {
            self.context.with(|ctx| drop(settle.restore(&ctx)));
        }
    }
}

type Failure = (ScriptError, Vec<String>);

impl Run {
    fn new(
        name: &str,
        source: &str,
        function: Option<&str>,
        arguments: &[Value],
        limits: Limits,
    ) -> Result<Self, Failure> {
        let state = Rc::new(RunState::default());
        let broken = |error: rquickjs::Error| {
            (ScriptError::new(ErrorKind::WorkerDied, format!("no run could be made: {error}")), Vec::new())
        };
        let runtime = Runtime::new().map_err(broken)?;
        runtime.set_memory_limit(limits.memory_bytes);
        runtime.set_max_stack_size(STACK_BYTES);
        let (watched, most) = (Rc::clone(&state), Duration::from_millis(limits.cpu_ms));
        runtime.set_interrupt_handler(Some(Box::new(move || {
            let is_over = watched.slice.get().is_some_and(|since| since.elapsed() > most);
            if is_over {
                watched.interrupted.set(true);
            }
            is_over
        })));
        let context = Context::full(&runtime).map_err(broken)?;
        let mut run = Self { settle: None, context, runtime, state, limits };
        match run.start(name, source, function, arguments) {
            Ok(settle) => {
                run.settle = settle;
                Ok(run)
            }
            Err(error) => {
                let logs = run.state.logs.take();
                Err((error, logs))
            }
        }
    }

    fn start(
        &self,
        name: &str,
        source: &str,
        function: Option<&str>,
        arguments: &[Value],
    ) -> Result<Option<Persistent<Function<'static>>>, ScriptError> {
        self.state.slice.set(Some(ThreadTime::now()));
        let started = self.context.with(|ctx| {
            let prelude = self.prelude(&ctx).catch(&ctx).map_err(|error| self.error_of(&error))?;
            let module = Module::declare(ctx.clone(), name, source);
            let module = module.catch(&ctx).map_err(|error| self.syntax_error(&error))?;
            let (module, loaded) = module.eval().catch(&ctx).map_err(|error| self.error_of(&error))?;
            // A script that waits while it is loaded would not be ready for its call.
            let loaded = loaded.finish::<rquickjs::Value<'_>>().catch(&ctx);
            match loaded {
                Ok(_) => {}
                Err(CaughtError::Error(rquickjs::Error::WouldBlock)) => {
                    let message =
                        "the script waits for something while it is loaded: await within its functions only";
                    return Err(ScriptError::new(ErrorKind::NeverSettled, message));
                }
                Err(error) => return Err(self.error_of(&error)),
            }
            let Some(function) = function else {
                let exports = exports(&module).catch(&ctx).map_err(|error| self.error_of(&error))?;
                *self.state.over.borrow_mut() = Some(Ok(exports));
                return Ok(None);
            };
            let callee = module.get::<_, Function<'_>>(function).map_err(|_| {
                let message = format!("the script exports no function '{function}'");
                ScriptError::new(ErrorKind::NoSuchFunction, message)
            })?;
            let text = Value::Array(arguments.to_vec()).to_string();
            let run = prelude.get::<_, Function<'_>>("run").and_then(|run| run.call::<_, ()>((callee, text)));
            run.catch(&ctx).map_err(|error| self.error_of(&error))?;
            let settle: Function<'_> = prelude.get("settle").map_err(|error| internal(&error))?;
            Ok(Some(Persistent::save(&ctx, settle)))
        });
        let settle = started?;
        self.go_on();
        Ok(settle)
    }

    /// Makes what the prelude needs and gives what it returns.
    fn prelude<'js>(&self, ctx: &Ctx<'js>) -> rquickjs::Result<Object<'js>> {
        let natives = Object::new(ctx.clone())?;
        let state = Rc::clone(&self.state);
        natives
            .set("ask", Func::from(move |name: String, arguments: String| ask(&state, name, &arguments)))?;
        let state = Rc::clone(&self.state);
        natives.set("log", Func::from(move |line: String| log(&state, &line)))?;
        let state = Rc::clone(&self.state);
        natives.set(
            "done",
            Func::from(move |text: String| {
                let value = serde_json::from_str(&text).unwrap_or(Value::Null);
                state.over.borrow_mut().get_or_insert(Ok(value));
            }),
        )?;
        let state = Rc::clone(&self.state);
        natives.set(
            "failed",
            Func::from(move |name: String, message: String, stack: String| {
                let error = thrown(&name, message, stack);
                state.over.borrow_mut().get_or_insert(Err(error));
            }),
        )?;
        ctx.globals().set("__natives", natives)?;
        ctx.eval(include_str!("prelude.js"))
    }

    /// Gives the answer to a question, and goes on.
    fn answer(&self, question: u64, outcome: Result<Value, String>) {
        self.state.slice.set(Some(ThreadTime::now()));
        self.state.open.set(self.state.open.get().saturating_sub(1));
        if let Some(settle) = self.settle.clone() {
            self.context.with(|ctx| {
                let Ok(settle) = settle.restore(&ctx) else { return };
                let (is_good, text) = match outcome {
                    Ok(value) => (true, value.to_string()),
                    Err(reason) => (false, reason),
                };
                if let Err(error) = settle.call::<_, ()>((question as f64, is_good, text)).catch(&ctx) {
                    let error = self.error_of(&error);
                    self.state.over.borrow_mut().get_or_insert(Err(error));
                }
            });
        }
        self.go_on();
    }

    /// Runs what is ready to run.
    fn go_on(&self) {
        loop {
            match self.runtime.execute_pending_job() {
                Ok(true) => {}
                Ok(false) => return,
                Err(failed) => {
                    let error = failed.0.with(|ctx| {
                        let caught = CaughtError::from_error(&ctx, rquickjs::Error::Exception);
                        self.error_of(&caught)
                    });
                    self.state.over.borrow_mut().get_or_insert(Err(error));
                    return;
                }
            }
        }
    }

    /// How it ended, if it did: it also ends when nothing is left that it could wait for.
    fn outcome(&self) -> Option<Result<Value, ScriptError>> {
        if self.state.interrupted.get() {
            return Some(Err(self.too_long()));
        }
        if let Some(outcome) = self.state.over.take() {
            return Some(outcome);
        }
        (self.state.open.get() == 0).then(|| {
            let message = "the function returned a promise that nothing can settle any more";
            Err(ScriptError::new(ErrorKind::NeverSettled, message))
        })
    }

    fn too_long(&self) -> ScriptError {
        let message = format!("more than {} ms of computing between two waits", self.limits.cpu_ms);
        ScriptError::new(ErrorKind::TimedOut, message)
    }

    fn error_of(&self, error: &CaughtError<'_>) -> ScriptError {
        if self.state.interrupted.get() {
            return self.too_long();
        }
        match error {
            CaughtError::Exception(exception) => thrown(
                &exception.get::<_, String>("name").unwrap_or_default(),
                exception.message().unwrap_or_default(),
                exception.stack().unwrap_or_default(),
            ),
            CaughtError::Value(value) => {
                let text = value.as_string().and_then(|text| text.to_string().ok());
                thrown("Thrown", text.unwrap_or_else(|| "a value that is no error".to_owned()), String::new())
            }
            CaughtError::Error(error) => internal(error),
        }
    }

    fn syntax_error(&self, error: &CaughtError<'_>) -> ScriptError {
        let mut error = self.error_of(error);
        if error.kind == ErrorKind::Threw {
            error.kind = ErrorKind::Syntax;
        }
        error
    }
}

fn internal(error: &rquickjs::Error) -> ScriptError {
    let kind =
        if matches!(error, rquickjs::Error::Allocation) { ErrorKind::OutOfMemory } else { ErrorKind::Threw };
    ScriptError::new(kind, error.to_string())
}

/// An error as the language has it.
fn thrown(name: &str, message: String, stack: String) -> ScriptError {
    let kind = match (name, message.as_str()) {
        ("SyntaxError", _) => ErrorKind::Syntax,
        (_, "out of memory") => ErrorKind::OutOfMemory,
        ("RangeError" | "InternalError", text) if text.contains("stack") => ErrorKind::Stack,
        _ => ErrorKind::Threw,
    };
    let message = if name.is_empty() || name == "Thrown" { message } else { format!("{name}: {message}") };
    ScriptError { kind, message, stack: Some(stack.trim_end().to_owned()).filter(|stack| !stack.is_empty()) }
}

fn exports<'js>(module: &Module<'js, rquickjs::module::Evaluated>) -> rquickjs::Result<Value> {
    let names = module.namespace()?.keys::<String>().collect::<rquickjs::Result<Vec<_>>>()?;
    Ok(Value::from(names))
}

fn ask(state: &RunState, name: String, arguments: &str) -> f64 {
    let question = state.next.get();
    state.next.set(question + 1);
    // A run that asks without end is left waiting for answers that do not come, until its time is over.
    if question < QUESTIONS_MAX {
        state.open.set(state.open.get() + 1);
        let arguments = serde_json::from_str(arguments).unwrap_or(Value::Null);
        state.asked.borrow_mut().push((question, name, arguments));
    }
    question as f64
}

fn log(state: &RunState, line: &str) {
    let mut logs = state.logs.borrow_mut();
    if logs.len() < LOG_LINES_MAX {
        logs.push(line.chars().take(LOG_LINE_LENGTH_MAX).collect());
    }
}
