//! Values as PostgreSQL's binary protocol carries them.

use std::error::Error;

use bytes::{BufMut, BytesMut};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use uuid::Uuid;

use crate::value::Value;

type Failure = Box<dyn Error + Sync + Send>;

impl ToSql for Value {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Failure> {
        match (self, ty) {
            (Self::Null, _) => return Ok(IsNull::Yes),
            (Self::Integer(integer), _) => put_integer(*integer, ty, out)?,
            (Self::Real(real), &Type::FLOAT8) => out.put_f64(*real),
            (Self::Text(text), &Type::TEXT | &Type::VARCHAR | &Type::NAME | &Type::UNKNOWN | &Type::JSON) => {
                out.put_slice(text.as_bytes());
            }
            (Self::Text(text), &Type::JSONB) => {
                // The version of jsonb's binary form.
                out.put_u8(1);
                out.put_slice(text.as_bytes());
            }
            (Self::Bytes(bytes), &Type::BYTEA) => out.put_slice(bytes),
            (Self::Uuid(uuid), &Type::UUID) => out.put_slice(uuid.as_bytes()),
            (Self::IntegerList(numbers), &Type::INT8_ARRAY) => return numbers.to_sql(ty, out),
            (Self::IntegerList(numbers), &Type::INT4_ARRAY) => {
                return numbers
                    .iter()
                    .map(|it| i32::try_from(*it))
                    .collect::<Result<Vec<_>, _>>()?
                    .to_sql(ty, out);
            }
            (Self::IntegerList(numbers), &Type::INT2_ARRAY) => {
                return numbers
                    .iter()
                    .map(|it| i16::try_from(*it))
                    .collect::<Result<Vec<_>, _>>()?
                    .to_sql(ty, out);
            }
            (Self::TextList(texts), &Type::TEXT_ARRAY) => return texts.to_sql(ty, out),
            (Self::UuidList(ids), &Type::UUID_ARRAY) => {
                return ids.iter().map(|id| UuidElement(*id)).collect::<Vec<_>>().to_sql(ty, out);
            }
            (value, ty) => return Err(format!("{} cannot be a {ty}", value.kind()).into()),
        }
        Ok(IsNull::No)
    }

    /// Which value fits which type is seen when it is written.
    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

fn put_integer(integer: i64, ty: &Type, out: &mut BytesMut) -> Result<(), Failure> {
    match *ty {
        Type::INT8 => out.put_i64(integer),
        Type::INT4 => out.put_i32(i32::try_from(integer)?),
        Type::INT2 => out.put_i16(i16::try_from(integer)?),
        Type::BOOL => out.put_u8(u8::from(integer != 0)),
        _ => return Err(format!("integer cannot be a {ty}").into()),
    }
    Ok(())
}

/// An element of an array of UUIDs.
#[derive(Debug)]
struct UuidElement(Uuid);

impl ToSql for UuidElement {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Failure> {
        out.put_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::UUID
    }

    to_sql_checked!();
}

/// A value as it comes from PostgreSQL.
pub(super) struct Read(pub(super) Value);

impl<'a> FromSql<'a> for Read {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Failure> {
        let value = match *ty {
            Type::INT8 => Value::Integer(i64::from_be_bytes(raw.try_into()?)),
            Type::INT4 => Value::Integer(i64::from(i32::from_be_bytes(raw.try_into()?))),
            Type::INT2 => Value::Integer(i64::from(i16::from_be_bytes(raw.try_into()?))),
            Type::BOOL => Value::Integer(i64::from(raw.first().is_some_and(|byte| *byte != 0))),
            Type::FLOAT8 => Value::Real(f64::from_be_bytes(raw.try_into()?)),
            Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN | Type::JSON => text(raw)?,
            Type::JSONB => text(raw.get(1..).unwrap_or_default())?,
            Type::UUID => Value::Uuid(Uuid::from_slice(raw)?),
            Type::BYTEA => Value::Bytes(raw.to_vec()),
            Type::VOID => Value::Null,
            _ => return Err(format!("a {ty} cannot be read: cast it in the statement").into()),
        };
        Ok(Self(value))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Failure> {
        Ok(Self(Value::Null))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

fn text(raw: &[u8]) -> Result<Value, Failure> {
    Ok(Value::Text(std::str::from_utf8(raw)?.to_owned()))
}
