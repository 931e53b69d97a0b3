//! Values that go into statements and come out of rows, the same on both databases.

use std::fmt;

use engine::{
    AgentId, AttemptId, BucketId, CallbackId, CampaignId, ContactId, GroupId, ImportId, MessageId,
    PhoneNumber, Rank, SkillId, SourceId, SupervisionId, SuppressionListId, TenantId, Time,
};
use uuid::Uuid;

use crate::error::StoreError;

/// A value of a statement or a row.
///
/// On PostgreSQL an integer fits `smallint`, `integer`, `bigint` and `boolean`, a text also `json` and `jsonb`. On
/// SQLite a UUID is a blob of 16 bytes.
#[derive(Clone, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// A whole number, an instant, a flag.
    Integer(i64),
    /// A number with a fraction.
    Real(f64),
    /// A text or JSON document.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// An identifier.
    Uuid(Uuid),
    /// For `= ANY($n)` and `<> ALL($n)`.
    IntegerList(Vec<i64>),
    /// For `= ANY($n)` and `<> ALL($n)`.
    UuidList(Vec<Uuid>),
    /// For `= ANY($n)` and `<> ALL($n)`.
    TextList(Vec<String>),
}

/// Shows the kind alone: a value may be a person's.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())
    }
}

impl Value {
    /// What kind of value it is.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Integer(_) => "integer",
            Self::Real(_) => "real",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytes",
            Self::Uuid(_) => "uuid",
            Self::IntegerList(_) => "integer list",
            Self::UuidList(_) => "uuid list",
            Self::TextList(_) => "text list",
        }
    }

    /// A list of identifiers for `= ANY($n)`.
    pub fn uuids(ids: impl IntoIterator<Item = Uuid>) -> Self {
        Self::UuidList(ids.into_iter().collect())
    }

    /// A list of whole numbers for `= ANY($n)`.
    pub fn integers(numbers: impl IntoIterator<Item = i64>) -> Self {
        Self::IntegerList(numbers.into_iter().collect())
    }

    /// A list of texts for `= ANY($n)`.
    pub fn texts<S: Into<String>>(texts: impl IntoIterator<Item = S>) -> Self {
        Self::TextList(texts.into_iter().map(Into::into).collect())
    }
}

/// An array of [`Value`]s from anything that becomes one: `tx.execute(sql, &values![id, now])`.
#[macro_export]
macro_rules! values {
    ($($value:expr),* $(,)?) => { [$($crate::Value::from($value)),*] };
}

/// What can be read from a row.
pub trait FromValue: Sized {
    /// Reads it; `None` if the value is of another kind or out of range.
    fn from_value(value: &Value) -> Option<Self>;
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            value => T::from_value(value).map(Some),
        }
    }
}

macro_rules! integers {
    ($($type:ty),+) => {$(
        impl From<$type> for Value {
            fn from(value: $type) -> Self {
                // Counts above i64::MAX do not occur; the databases have no larger integer.
                Self::Integer(i64::try_from(value).unwrap_or(i64::MAX))
            }
        }

        impl FromValue for $type {
            fn from_value(value: &Value) -> Option<Self> {
                match value {
                    Value::Integer(integer) => Self::try_from(*integer).ok(),
                    _ => None,
                }
            }
        }
    )+};
}

integers!(i64, i32, i16, u8, u16, u32, u64, usize);

macro_rules! ids {
    ($($type:ident),+) => {$(
        impl From<$type> for Value {
            fn from(id: $type) -> Self {
                Self::Uuid(id.0)
            }
        }

        impl FromValue for $type {
            fn from_value(value: &Value) -> Option<Self> {
                Uuid::from_value(value).map(Self)
            }
        }
    )+};
}

ids!(
    AgentId,
    AttemptId,
    CallbackId,
    CampaignId,
    ContactId,
    GroupId,
    ImportId,
    MessageId,
    SkillId,
    SourceId,
    SupervisionId,
    SuppressionListId,
    TenantId
);

macro_rules! plain {
    ($($type:ty: $value:ident => $into:expr, $pattern:pat => $from:expr;)+) => {$(
        impl From<$type> for Value {
            fn from($value: $type) -> Self {
                $into
            }
        }

        impl FromValue for $type {
            fn from_value(value: &Value) -> Option<Self> {
                match value { $pattern => $from, _ => None }
            }
        }
    )+};
}

plain! {
    bool: value => Self::Integer(i64::from(value)), Value::Integer(integer) => Some(*integer != 0);
    f64: value => Self::Real(value), Value::Real(real) => Some(*real);
    String: value => Self::Text(value), Value::Text(text) => Some(text.clone());
    Vec<u8>: value => Self::Bytes(value), Value::Bytes(bytes) => Some(bytes.clone());
    Time: value => Self::Integer(value.as_micros()), Value::Integer(micros) => Some(Time::from_micros(*micros));
    BucketId: value => Self::Integer(value.0), Value::Integer(id) => Some(BucketId(*id));
    Rank: value => Self::Integer(value.0), Value::Integer(rank) => Some(Rank(*rank));
}

impl From<Uuid> for Value {
    fn from(uuid: Uuid) -> Self {
        Self::Uuid(uuid)
    }
}

impl FromValue for Uuid {
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Uuid(uuid) => Some(*uuid),
            Value::Bytes(bytes) => Self::from_slice(bytes).ok(),
            _ => None,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.to_vec())
    }
}

impl From<PhoneNumber> for Value {
    fn from(number: PhoneNumber) -> Self {
        Self::Integer(number.as_i64())
    }
}

impl FromValue for PhoneNumber {
    fn from_value(value: &Value) -> Option<Self> {
        u64::from_value(value).and_then(|digits| Self::from_digits(digits).ok())
    }
}

/// A row that a query gave.
#[derive(Clone, Debug)]
pub struct Row {
    values: Vec<Value>,
}

impl Row {
    pub(crate) fn new(values: Vec<Value>) -> Self {
        Self { values }
    }

    /// The value of a column, counted from 0.
    ///
    /// # Errors
    /// There is no such column, or its value is of another kind or out of range: [`StoreError::Corrupt`].
    pub fn get<T: FromValue>(&self, index: usize) -> Result<T, StoreError> {
        let value =
            self.values.get(index).ok_or_else(|| StoreError::corrupt(format!("no column {index}")))?;
        T::from_value(value).ok_or_else(|| {
            let wanted = std::any::type_name::<T>();
            StoreError::corrupt(format!("column {index} holds {} where {wanted} is wanted", value.kind()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out() {
        let number: PhoneNumber = "+14155550100".parse().unwrap();
        let row =
            Row::new(values![7_u8, "text", Some(number), None::<i64>, Time::from_micros(5), true].to_vec());
        assert_eq!(row.get::<u8>(0), Ok(7));
        assert_eq!(row.get::<String>(1).as_deref(), Ok("text"));
        assert_eq!(row.get::<PhoneNumber>(2), Ok(number));
        assert_eq!(row.get::<Option<i64>>(3), Ok(None));
        assert_eq!(row.get::<Time>(4), Ok(Time::from_micros(5)));
        assert_eq!(row.get::<bool>(5), Ok(true));
    }

    #[test]
    fn a_value_of_another_kind_is_refused_without_being_shown() {
        let error = Row::new(values!["secret"].to_vec()).get::<i64>(0).unwrap_err().to_string();
        assert!(error.contains("text") && !error.contains("secret"), "{error}");
        assert!(Row::new(values![300].to_vec()).get::<u8>(0).is_err());
    }
}
