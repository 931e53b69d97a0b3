//! What can go wrong in a use case, as callers see it.

use store::StoreError;

/// Why a use case was not done. Nothing of it was done then.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The caller did not say who they are, or the key, password or session is not (or no longer) good.
    #[error("{0}")]
    Unauthenticated(&'static str),
    /// The caller may not do this.
    #[error("{0}")]
    Forbidden(String),
    /// There is no such thing, or it is another tenant's.
    #[error("there is no {} {id}", in_words(.what))]
    NotFound {
        /// The kind of thing, such as `campaign`.
        what: &'static str,
        /// As the caller named it.
        id: String,
    },
    /// What was sent cannot be.
    #[error("{message}")]
    Invalid {
        /// Stable code, such as `bad_field`.
        code: &'static str,
        /// The part of the request, as a path such as `settings.lines_max`.
        field: Option<String>,
        /// What is wrong and what to do.
        message: String,
    },
    /// Several parts of what was sent cannot be; all of them are told.
    #[error("{}", told(.0))]
    InvalidParts(Vec<Fault>),
    /// It collides with what is there.
    #[error("{message}")]
    Conflict {
        /// Stable code, such as `name_taken`.
        code: &'static str,
        /// What is in the way and what to do.
        message: String,
    },
    /// The thing was changed by somebody else since the caller read it.
    #[error("it was changed meanwhile: read it again and repeat the change with its present ETag")]
    StaleVersion,
    /// There is too much to do at the moment; try again a little later.
    #[error("too much is waiting: try again in a moment")]
    Overloaded,
    /// A part is not there at the moment.
    #[error("{0} is not available at the moment")]
    Unavailable(&'static str),
    /// A part gave no answer; whether it did what was asked is not known.
    #[error("{0} is not available at the moment")]
    Unanswered(&'static str),
    /// The database said no.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A defect of ours or of a part; the details are in the log.
    #[error("something went wrong here; the log says what")]
    Internal(String),
}

/// Why a text is refused that PostgreSQL could not hold.
pub const NUL_REFUSED: &str = "a text may not contain the character NUL";

/// A kind of thing as people call it: `caller id pool` for `caller_id_pool`.
pub(crate) fn in_words(kind: &str) -> String {
    match kind {
        "calling_hours" => "set of calling hours".to_owned(),
        kind => kind.replace('_', " "),
    }
}

/// One part of a request that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Fault {
    /// Stable code, such as `unknown_skill`.
    pub code: &'static str,
    /// The part, as a path.
    pub field: &'static str,
    /// What is wrong and what to do.
    pub message: String,
}

fn told(faults: &[Fault]) -> String {
    faults.iter().map(|fault| fault.message.as_str()).collect::<Vec<_>>().join("; ")
}

impl Fault {
    /// A fault in a part.
    pub fn new(code: &'static str, field: &'static str, message: impl Into<String>) -> Self {
        Self { code, field, message: message.into() }
    }
}

impl AppError {
    /// An [`AppError::Invalid`] about one part of the request.
    pub fn invalid(code: &'static str, field: &str, message: impl Into<String>) -> Self {
        let field = if field.is_empty() { None } else { Some(field.to_owned()) };
        Self::Invalid { code, field, message: message.into() }
    }

    /// An [`AppError::Conflict`].
    pub fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::Conflict { code, message: message.into() }
    }

    /// An [`AppError::NotFound`].
    pub fn not_found(what: &'static str, id: impl ToString) -> Self {
        Self::NotFound { what, id: id.to_string() }
    }

    /// Whether it is sure that nothing was done only because it was not possible at the moment, so that the same request
    /// may be sent again. A commit of which nothing is known is not among them.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Overloaded | Self::Unavailable(_) => true,
            Self::Store(error) => error.is_passing(),
            _ => false,
        }
    }

    /// The stable code that callers may rely on.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unauthenticated(_) => "unauthenticated",
            Self::Forbidden(_) => "forbidden",
            Self::NotFound { .. } => "not_found",
            Self::Invalid { code, .. } | Self::Conflict { code, .. } => code,
            Self::InvalidParts(faults) => faults.first().map_or("invalid", |fault| fault.code),
            Self::StaleVersion | Self::Store(StoreError::StaleVersion) => "stale_version",
            Self::Overloaded | Self::Store(StoreError::Overloaded | StoreError::Contended) => "overloaded",
            Self::Unavailable(_)
            | Self::Unanswered(_)
            | Self::Store(StoreError::Unavailable { .. } | StoreError::CommitUnknown) => "unavailable",
            Self::Internal(_) | Self::Store(_) => "internal",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_done_may_be_asked_again_unless_it_may_have_been_done() {
        let unreachable = StoreError::Unavailable { reason: "gone".to_owned() };
        assert!(AppError::from(unreachable).is_passing() && AppError::Overloaded.is_passing());
        assert!(AppError::Unavailable("the disk for uploads").is_passing());
        assert!(!AppError::from(StoreError::CommitUnknown).is_passing());
        assert!(!AppError::Unanswered("the dialler").is_passing(), "its answer may be what was lost");
    }
}
