//! What can go wrong with a script.

use serde::{Deserialize, Serialize};

/// What kind of thing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// It threw.
    Threw,
    /// It is no ES module.
    Syntax,
    /// It took longer than it may.
    TimedOut,
    /// It took more memory than it may.
    OutOfMemory,
    /// It called itself too deeply.
    Stack,
    /// It waits for what cannot come.
    NeverSettled,
    /// It does not export what was to be run.
    NoSuchFunction,
    /// What it returned cannot be used.
    BadVerdict,
    /// Too many runs wait already.
    Overloaded,
    /// The process that ran it died, and running it again could do twice what is to be done once.
    WorkerDied,
}

impl ErrorKind {
    /// The name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Threw => "threw",
            Self::Syntax => "syntax",
            Self::TimedOut => "timed_out",
            Self::OutOfMemory => "out_of_memory",
            Self::Stack => "stack",
            Self::NeverSettled => "never_settled",
            Self::NoSuchFunction => "no_such_function",
            Self::BadVerdict => "bad_verdict",
            Self::Overloaded => "overloaded",
            Self::WorkerDied => "worker_died",
        }
    }
}

/// Why a run came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{}: {message}", kind.name())]
pub struct ScriptError {
    /// What kind of thing went wrong.
    pub kind: ErrorKind,
    /// What went wrong, for people.
    pub message: String,
    /// Where, as the language tells it.
    pub stack: Option<String>,
}

impl ScriptError {
    /// An error without a stack.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), stack: None }
    }
}
