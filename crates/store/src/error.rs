//! What can go wrong with stored state.

use engine::{ContactId, GroupId};

/// Why something was not stored or read.
///
/// No variant holds a stored value: what ends up in a log names tables and constraints, never people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached. Nothing was changed.
    #[error("the database cannot be reached: {reason}")]
    Unavailable {
        /// What the driver said.
        reason: String,
    },
    /// The connection was lost while the change was being committed: it may or may not be stored. Only what is safe to
    /// do twice may be tried again without looking.
    #[error("the connection to the database was lost during a commit: the change may or may not be stored")]
    CommitUnknown,
    /// Too much work is waiting; try again later. Nothing was changed.
    #[error("too much work is waiting for the database")]
    Overloaded,
    /// What was asked for does not exist.
    #[error("there is no such {what}")]
    NotFound {
        /// What kind of thing.
        what: &'static str,
    },
    /// It would have been the second of its kind.
    #[error("it conflicts with what is stored ({constraint})")]
    Conflict {
        /// The unique constraint or index, by the name PostgreSQL gives it (`tenant_name_key`, `contact_pkey`), on
        /// both databases.
        constraint: String,
    },
    /// It was changed by somebody else since it was read.
    #[error("it was changed since it was read")]
    StaleVersion,
    /// The group's lease is not held under this epoch: another node runs the group.
    #[error("the lease of campaign group {group} is not held any more")]
    Fenced {
        /// The group.
        group: GroupId,
    },
    /// The contact is not in the group's hopper, so the group may not dial it.
    #[error("contact {contact} is not claimed by the campaign group that wants to dial it")]
    NotClaimed {
        /// The contact.
        contact: ContactId,
    },
    /// What is stored contradicts itself or the change; a defect, or a hand in the database.
    #[error("stored state is not as it must be: {what}")]
    Corrupt {
        /// What was found.
        what: String,
    },
    /// The transaction met others again and again (deadlock, serialisation failure). Nothing was changed.
    #[error("the change met others in the database again and again")]
    Contended,
    /// The database refused a statement: a defect.
    #[error("the database refused a statement: {0}")]
    Database(String),
    /// The file, address or schema cannot be used by this program.
    #[error("the database cannot be opened: {0}")]
    Unusable(String),
    /// The caller's own work said no; it knows why. Nothing was changed.
    #[error("the change was called off")]
    CalledOff,
    /// The work panicked. Nothing was changed.
    #[error("the work on the database panicked")]
    Panicked,
}

impl StoreError {
    /// Whether nothing was changed, and the database may do it if asked again.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Overloaded | Self::Contended)
    }

    /// Whether it may be done if asked again, for what is safe to do twice.
    pub fn is_passing_or_unknown(&self) -> bool {
        self.is_passing() || matches!(self, Self::CommitUnknown)
    }

    /// A contradiction in stored state.
    pub fn corrupt(what: impl Into<String>) -> Self {
        Self::Corrupt { what: what.into() }
    }
}
