//! What a stream is opened by: whether its reader may have it, which rooms it shows, and where the log ends. Each is read in one
//! statement, so that all of it is of one moment.

use uuid::Uuid;

use super::Store;
use super::error::{Error, Failure};
use super::rows::{role_of, visibility_of};
use super::sql::{Row, statements};
use crate::domain::ids::{Position, RoomId, UserId};
use crate::domain::refusal::Refusal;
use crate::domain::rights::{self, Permission};
use crate::domain::room::RoomRef;

/// A room as a stream of the person `$2` finds it, beside the ends of the log.
macro_rules! room_for_stream {
    () => {
        "l.head, l.floor, r.visibility, m.role, m.room_id, m.since FROM log l CROSS JOIN rooms r \
         LEFT JOIN members m ON m.room_id = r.id AND m.user_id = $2 AND m.until IS NULL \
         WHERE r.deleted_at IS NULL AND "
    };
}

statements! {
    OPEN_ROOM_BY_ID = concat!("SELECT ", room_for_stream!(), "r.id = $1");
    OPEN_ROOM_BY_NAME = concat!("SELECT ", room_for_stream!(), "r.name = $1 AND r.visibility = 'public'");
    OPEN_PERSON = "SELECT l.head, l.floor, m.room_id, m.since \
                   FROM log l LEFT JOIN members m ON m.user_id = $1 AND m.until IS NULL";
}

/// A present membership and the position at which it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Membership {
    pub room: RoomId,
    pub since: Position,
}

/// What a stream is opened by: who is in what, as of `head`. Nothing at or below `floor` is in the log any more.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub head: Position,
    pub floor: Position,
    pub rooms: Vec<Membership>,
}

impl Store {
    /// The snapshot of one room's stream: refuses people who may not follow it.
    pub async fn open_room_events(&self, room: &RoomRef, user: UserId) -> Result<Snapshot, Error> {
        let query = match room {
            RoomRef::Id(id) => OPEN_ROOM_BY_ID.bind(*id),
            RoomRef::Name(name) => OPEN_ROOM_BY_NAME.bind(name.as_str().to_owned()),
        };
        let open = |row: &Row<'_>| {
            let rooms = membership_of(row)?.into_iter().collect::<Vec<_>>();
            let right = rights::may(role_of(row)?, visibility_of(row)?, Permission::Stream);
            let snapshot = Snapshot { head: head_of(row)?, floor: floor_of(row)?, rooms };
            Ok(right.map(|()| snapshot))
        };
        let found = self.first(query.bind(user), open).await?;
        Ok(found.ok_or(Refusal::RoomNotFound)??)
    }

    /// The snapshot of a person's stream.
    pub async fn open_user_events(&self, user: UserId) -> Result<Snapshot, Error> {
        let open = |row: &Row<'_>| Ok((head_of(row)?, floor_of(row)?, membership_of(row)?));
        let rows = self.all(OPEN_PERSON.bind(user), open).await?;
        let &(head, floor, _) = rows.first().ok_or_else(|| Failure::fault("the log has no head".into()))?;
        Ok(Snapshot { head, floor, rooms: rows.into_iter().filter_map(|(.., room)| room).collect() })
    }
}

/// The newest position.
fn head_of(row: &Row<'_>) -> Result<Position, Failure> {
    Ok(Position(row.get("head")?))
}

/// The newest position that is purged.
fn floor_of(row: &Row<'_>) -> Result<Position, Failure> {
    Ok(Position(row.get("floor")?))
}

fn membership_of(row: &Row<'_>) -> Result<Option<Membership>, Failure> {
    let (room, since): (Option<Uuid>, Option<i64>) = (row.get("room_id")?, row.get("since")?);
    Ok(room
        .zip(since)
        .map(|(room, since)| Membership { room: RoomId::from_uuid(room), since: Position(since) }))
}
