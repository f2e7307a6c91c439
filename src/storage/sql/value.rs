//! Values on their way into a statement: what each type of the domain is stored as.

use std::borrow::Cow;
use std::error::Error;

use bytes::BytesMut;
use rusqlite::types::{Null, ToSqlOutput, ValueRef};
use tokio_postgres::types::{IsNull, ToSql, Type};
use uuid::Uuid;

use crate::domain::clock::Timestamp;
use crate::domain::ids::{MessageId, Position, RoomId, SessionId, UserId};
use crate::domain::membership::Role;
use crate::domain::names::{ClientId, DisplayName, RoomName, Title, Topic, Username};
use crate::domain::room::Visibility;

/// A value for a parameter.
#[derive(Clone, Debug)]
pub(in crate::storage) enum Value<'v> {
    Null,
    Bool(bool),
    Int(i64),
    Uuid(Uuid),
    Text(Cow<'v, str>),
    Bytes(Cow<'v, [u8]>),
}

impl rusqlite::ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match self {
            Self::Null => rusqlite::ToSql::to_sql(&Null),
            Self::Bool(value) => rusqlite::ToSql::to_sql(value),
            Self::Int(value) => rusqlite::ToSql::to_sql(value),
            Self::Uuid(value) => Ok(ToSqlOutput::Borrowed(ValueRef::Blob(value.as_bytes()))),
            Self::Text(value) => Ok(ToSqlOutput::Borrowed(ValueRef::Text(value.as_bytes()))),
            Self::Bytes(value) => Ok(ToSqlOutput::Borrowed(ValueRef::Blob(value))),
        }
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Bool(value) => value.to_sql(kind, out),
            Self::Int(value) => value.to_sql(kind, out),
            Self::Uuid(value) => value.to_sql(kind, out),
            Self::Text(value) => (&**value).to_sql(kind, out),
            Self::Bytes(value) => (&**value).to_sql(kind, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    /// The server says by the statement what type a parameter has, and a value of another type must not be sent as if it were.
    fn to_sql_checked(
        &self,
        kind: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        let fits = match self {
            Self::Null => true,
            Self::Bool(_) => *kind == Type::BOOL,
            Self::Int(_) => *kind == Type::INT8,
            Self::Uuid(_) => *kind == Type::UUID,
            Self::Text(_) => *kind == Type::TEXT,
            Self::Bytes(_) => *kind == Type::BYTEA,
        };
        if fits { self.to_sql(kind, out) } else { Err(format!("a value that is no {kind}").into()) }
    }
}

impl<'v, T: Into<Value<'v>>> From<Option<T>> for Value<'v> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, T::into)
    }
}

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<Position> for Value<'_> {
    fn from(Position(value): Position) -> Self {
        Self::Int(value)
    }
}

/// Microseconds since 1970.
impl From<Timestamp> for Value<'_> {
    fn from(value: Timestamp) -> Self {
        Self::Int(value.micros())
    }
}

impl From<Uuid> for Value<'_> {
    fn from(value: Uuid) -> Self {
        Self::Uuid(value)
    }
}

impl From<String> for Value<'_> {
    fn from(value: String) -> Self {
        Self::Text(value.into())
    }
}

impl<'v> From<&'v str> for Value<'v> {
    fn from(value: &'v str) -> Self {
        Self::Text(value.into())
    }
}

impl<'v> From<&'v String> for Value<'v> {
    fn from(value: &'v String) -> Self {
        Self::Text(value.into())
    }
}

impl From<Vec<u8>> for Value<'_> {
    fn from(value: Vec<u8>) -> Self {
        Self::Bytes(value.into())
    }
}

impl<'v> From<&'v [u8]> for Value<'v> {
    fn from(value: &'v [u8]) -> Self {
        Self::Bytes(value.into())
    }
}

macro_rules! ids {
    ($($id:ty),+) => {$(
        impl From<$id> for Value<'_> {
            fn from(value: $id) -> Self {
                Self::Uuid(value.uuid())
            }
        }
    )+};
}
ids!(UserId, RoomId, MessageId, SessionId);

macro_rules! texts {
    ($($text:ty),+) => {$(
        impl<'v> From<&'v $text> for Value<'v> {
            fn from(value: &'v $text) -> Self {
                value.as_str().into()
            }
        }
    )+};
}
texts!(ClientId, DisplayName, RoomName, Title, Topic, Username);

impl From<Role> for Value<'_> {
    fn from(value: Role) -> Self {
        value.as_str().into()
    }
}

impl From<Visibility> for Value<'_> {
    fn from(value: Visibility) -> Self {
        value.as_str().into()
    }
}
