//! Who may use a room: every use of a room for a person finds it here first, and names the permission that it needs. That is the
//! authorization. The table of rights is `domain::rights`; what is done with the room stands elsewhere.

use super::error::{Failure, Stop};
use super::rows::{role_of, room_columns, room_of, user_ref_of};
use super::sql::{Connection, Row, statements};
use crate::domain::ids::{Position, UserId};
use crate::domain::membership::Role;
use crate::domain::refusal::Refusal;
use crate::domain::rights::{self, Permission};
use crate::domain::room::{RoomRef, RoomState};
use crate::domain::user::UserRef;

/// A room beside the person `$2` and their present membership.
macro_rules! room_for_person {
    () => {
        concat!(
            room_columns!(),
            ", m.role, u.id AS user_id, u.username, u.display_name ",
            "FROM rooms r JOIN users u ON u.id = $2 ",
            "LEFT JOIN members m ON m.room_id = r.id AND m.user_id = u.id AND m.until IS NULL ",
            "WHERE r.deleted_at IS NULL AND "
        )
    };
}

statements! {
    BY_ID = concat!("SELECT ", room_for_person!(), "r.id = $1");
    BY_NAME = concat!("SELECT ", room_for_person!(), "r.name = $1 AND r.visibility = 'public'");
    pub(super) HEAD = "SELECT head FROM log";
}

/// A room as one person finds it, and who that person is.
#[derive(Clone, Debug)]
pub(super) struct Access {
    pub room: RoomState,
    pub role: Option<Role>,
    pub person: UserRef,
}

impl Access {
    fn may(self, permission: Permission) -> Result<Self, Refusal> {
        rights::may(self.role, self.room.visibility, permission).map(|()| self)
    }
}

/// Finds a room for a person who wants to do something in it. Refuses those who may not.
pub(super) async fn access(
    sql: &mut Connection,
    room: &RoomRef,
    user: UserId,
    permission: Permission,
) -> Result<Access, Stop> {
    let query = match room {
        RoomRef::Id(id) => BY_ID.bind(*id),
        RoomRef::Name(name) => BY_NAME.bind(name),
    };
    let access = query.bind(user).first(sql, access_of).await?.ok_or(Refusal::RoomNotFound)?;
    Ok(access.may(permission)?)
}

/// The end of the log. Where it is the first read of a transaction it also fixes the transaction's snapshot.
pub(super) async fn head(sql: &mut Connection) -> Result<Position, Failure> {
    HEAD.query().one(sql, |row| Ok(Position(row.get(0)?))).await
}

fn access_of(row: &Row<'_>) -> Result<Access, Failure> {
    Ok(Access { room: room_of(row)?, role: role_of(row)?, person: user_ref_of(row)? })
}
