//! Objects by small whole numbers, for interfaces whose ids are such. An id of Outdial's own is always taken as well.

use store::records::short_numbers as rows;
use uuid::Uuid;

use crate::access::{Permission, Principal};
use crate::{App, AppError};

/// What has such numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Numbered {
    /// A skill.
    Skill,
    /// An agent.
    Agent,
    /// A source.
    Source,
    /// An import.
    Import,
    /// A callback.
    Callback,
}

impl Numbered {
    fn kind(self) -> &'static str {
        match self {
            Self::Skill => "skill",
            Self::Agent => "agent",
            Self::Source => "source",
            Self::Import => "import",
            Self::Callback => "callback",
        }
    }
}

impl App {
    /// The numbers of objects, in order; those that have none are given one.
    ///
    /// # Errors
    /// The caller may not look things up, or the database failed.
    pub async fn numbers_of(
        &self,
        who: &Principal,
        of: Numbered,
        objects: Vec<Uuid>,
    ) -> Result<Vec<i64>, AppError> {
        who.may(Permission::LookUp)?;
        let tenant = who.tenant;
        self.write(move |tx| {
            objects.iter().map(|object| Ok(rows::of(tx, tenant, of.kind(), *object)?)).collect()
        })
        .await
    }

    /// The id of the object that a text names, by its number or its own id; none if it is neither.
    ///
    /// # Errors
    /// The caller may not look things up, or the database failed.
    pub async fn named_by(
        &self,
        who: &Principal,
        of: Numbered,
        text: &str,
    ) -> Result<Option<Uuid>, AppError> {
        who.may(Permission::LookUp)?;
        let (tenant, text) = (who.tenant, text.trim());
        match text.parse::<i64>() {
            Ok(number) => self.read(move |tx| Ok(rows::find(tx, tenant, of.kind(), number)?)).await,
            Err(_) => Ok(Uuid::parse_str(text).ok()),
        }
    }
}
