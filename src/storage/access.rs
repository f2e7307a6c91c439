//! Who may know of a room: the one look at it that every use goes through. Finding is the authorization; what is done
//! with the room stands elsewhere.

use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::accounts::user_ref_of;
use super::error::Stop;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{Position, RoomId, UserId};
use crate::domain::membership::Role;
use crate::domain::names::{RoomName, Title, Topic};
use crate::domain::refusal::Refusal;
use crate::domain::room::{RoomRef, RoomState, Visibility};
use crate::domain::user::UserRef;

/// A room as one person finds it, and who that person is.
#[derive(Clone, Debug)]
pub(super) struct Access {
    pub room: RoomState,
    pub role: Option<Role>,
    pub person: UserRef,
}

impl Access {
    pub fn member(self) -> Result<Self, Refusal> {
        if self.role.is_some() { Ok(self) } else { Err(Refusal::NotAMember) }
    }

    pub fn owner(self) -> Result<Self, Refusal> {
        match self.member()? {
            access if access.role == Some(Role::Owner) => Ok(access),
            _ => Err(Refusal::NotAnOwner),
        }
    }
}

/// The columns of `room_of`.
macro_rules! room_columns {
    () => {
        "r.id, r.name, r.title, r.topic, r.visibility, r.created_at, r.member_count, r.head"
    };
}
pub(super) use room_columns;

/// A room beside the person `$2` and their present membership.
macro_rules! access_where {
    ($condition:literal) => {
        concat!(
            "SELECT ",
            room_columns!(),
            ", m.role, u.id AS user_id, u.username, u.display_name ",
            "FROM rooms r JOIN users u ON u.id = $2 ",
            "LEFT JOIN members m ON m.room_id = r.id AND m.user_id = u.id AND m.until IS NULL ",
            "WHERE r.deleted_at IS NULL AND ",
            $condition
        )
    };
}

/// Finds a room for a person. A private room is found by its members alone.
pub(super) async fn access(sql: &mut SqliteConnection, room: &RoomRef, user: UserId) -> Result<Access, Stop> {
    let query = match room {
        RoomRef::Id(id) => sqlx::query(access_where!("r.id = $1")).bind(id.uuid()),
        RoomRef::Name(name) => {
            sqlx::query(access_where!("r.name = $1 AND r.visibility = 'public'")).bind(name.as_str())
        }
    };
    let row = query.bind(user.uuid()).fetch_optional(sql).await?.ok_or(Refusal::RoomNotFound)?;
    let access = Access { room: room_of(&row)?, role: role_of(&row)?, person: user_ref_of(&row)? };
    if access.role.is_none() && access.room.visibility == Visibility::Private {
        return Err(Refusal::RoomNotFound.into());
    }
    Ok(access)
}

/// What somebody is told who is not in a room of this visibility, but must be.
pub(super) fn refusal_of_outsider(visibility: Visibility) -> Refusal {
    match visibility {
        Visibility::Public => Refusal::NotAMember,
        Visibility::Private => Refusal::RoomNotFound,
    }
}

/// The end of the log. Read first, it also fixes the snapshot of its transaction.
pub(super) async fn head(sql: &mut SqliteConnection) -> Result<Position, sqlx::Error> {
    Ok(Position(sqlx::query("SELECT head FROM log").fetch_one(sql).await?.try_get(0)?))
}

pub(super) fn room_of(row: &SqliteRow) -> Result<RoomState, sqlx::Error> {
    Ok(RoomState {
        id: RoomId::from_uuid(row.try_get("id")?),
        name: RoomName::stored(row.try_get("name")?),
        title: row.try_get::<Option<String>, _>("title")?.map(Title::stored),
        topic: row.try_get::<Option<String>, _>("topic")?.map(Topic::stored),
        visibility: visibility_of(row)?,
        created_at: Timestamp::from_micros(row.try_get("created_at")?),
        member_count: row.try_get("member_count")?,
        last_seq: row.try_get("head")?,
    })
}

pub(super) fn visibility_of(row: &SqliteRow) -> Result<Visibility, sqlx::Error> {
    Visibility::parse(row.try_get("visibility")?).ok_or_else(|| unknown("visibility"))
}

pub(super) fn role_of(row: &SqliteRow) -> Result<Option<Role>, sqlx::Error> {
    let role: Option<&str> = row.try_get("role")?;
    role.map(|text| Role::parse(text).ok_or_else(|| unknown("role"))).transpose()
}

fn unknown(column: &'static str) -> sqlx::Error {
    sqlx::Error::Decode(format!("a {column} that this version does not know").into())
}
