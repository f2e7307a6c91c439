//! Memberships in the store: joining, leaving, being added, and who is in a room.

use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::access::{Access, access, head};
use super::error::{Error, Stop};
use super::rows::{member_columns, member_of, room_columns, room_of, user_ref_of};
use super::statements::statements;
use super::writing::Writing;
use super::{Made, Removed, Store};
use crate::domain::clock::Timestamp;
use crate::domain::event::{EventType, NewEvent};
use crate::domain::ids::{Position, UserId};
use crate::domain::membership::{Member, Role};
use crate::domain::names::Username;
use crate::domain::refusal::Refusal;
use crate::domain::room::{RoomRef, RoomState};
use crate::domain::user::UserRef;

/// Most rooms that one person can be in: `listMyRooms` answers all of them at once, and one stream follows them.
const MAX_ROOMS: i64 = 1_000;

statements! {
    PAGE = concat!(
        "SELECT ",
        member_columns!(),
        " FROM members m JOIN users u ON u.id = m.user_id \
         WHERE m.room_id = $1 AND m.until IS NULL AND m.username > $2 ORDER BY m.username LIMIT $3"
    );
    ONE = concat!(
        "SELECT ",
        member_columns!(),
        " FROM members m JOIN users u ON u.id = m.user_id \
         WHERE m.room_id = $1 AND m.user_id = $2 AND m.until IS NULL"
    );
    OF_PERSON = concat!(
        "SELECT ",
        room_columns!(),
        ", ",
        member_columns!(),
        " FROM members m JOIN rooms r ON r.id = m.room_id JOIN users u ON u.id = m.user_id \
         WHERE m.user_id = $1 AND m.until IS NULL ORDER BY m.room_id"
    );
    COUNT_OF_PERSON = "SELECT count(*) FROM members WHERE user_id = $1 AND until IS NULL";
    /// Counts the owners of a room up to two.
    OWNERS = "SELECT count(*) FROM (SELECT 1 FROM members \
              WHERE room_id = $1 AND until IS NULL AND role = 'owner' LIMIT 2) AS owners";
    ADD = "INSERT INTO members (room_id, user_id, username, since, role, joined_at) VALUES ($1, $2, $3, $4, $5, $6)";
    CLOSE = "UPDATE members SET until = $3 WHERE room_id = $1 AND user_id = $2 AND until IS NULL";
    SET_ROLE = "UPDATE members SET role = $3 WHERE room_id = $1 AND user_id = $2 AND until IS NULL";
    ADVANCE = "UPDATE rooms SET head = $2, member_count = $3 WHERE id = $1";
    PERSON_BY_NAME = "SELECT id AS user_id, username, display_name FROM users WHERE username = $1";
    PERSON_BY_ID = "SELECT id AS user_id, username, display_name FROM users WHERE id = $1";
}

/// A page of a room's members, by username.
#[derive(Clone, Debug)]
pub struct MembersPage {
    pub members: Vec<Member>,
    pub head: Position,
    pub last_seq: i64,
}

/// A person to add to a room, or a new role of a member.
#[derive(Clone, Debug)]
pub struct NewMember {
    pub room: RoomRef,
    pub actor: UserId,
    pub username: Username,
    /// None keeps the role of a member, and adds others as plain members.
    pub role: Option<Role>,
    pub at: Timestamp,
}

impl Store {
    pub async fn join_room(&self, room: RoomRef, user: UserId, at: Timestamp) -> Result<Made<Member>, Error> {
        self.journal.write(move |w| Box::pin(join(w, room, user, at))).await
    }

    /// Ends a membership. Does nothing for a person who is not in the room if the room is public.
    pub async fn leave_room(&self, room: RoomRef, user: UserId, at: Timestamp) -> Result<(), Error> {
        self.journal.write(move |w| Box::pin(leave(w, room, user, at))).await
    }

    pub async fn put_member(&self, new: NewMember) -> Result<Made<Member>, Error> {
        self.journal.write(move |w| Box::pin(put(w, new))).await
    }

    /// A page of the members of a room, for one of them: by username, after `after`, at most `limit`.
    pub async fn members(
        &self,
        room: &RoomRef,
        user: UserId,
        after: Option<&Username>,
        limit: i64,
    ) -> Result<MembersPage, Error> {
        let mut snapshot = self.readers.begin().await?;
        let head = head(&mut snapshot).await?;
        let room = access(&mut snapshot, room, user).await?.member()?.room;
        let page = PAGE.query().bind(room.id.uuid()).bind(after.map_or("", Username::as_str)).bind(limit);
        let rows = page.fetch_all(&mut *snapshot).await?;
        let members = rows.iter().map(member_of).collect::<Result<_, _>>()?;
        Ok(MembersPage { members, head, last_seq: room.last_seq })
    }
}

async fn join(w: &mut Writing, room: RoomRef, user: UserId, at: Timestamp) -> Result<Made<Member>, Stop> {
    let Access { room, role, person } = access(w.sql(), &room, user).await?;
    if role.is_some() {
        return Ok(Made { value: member(w.sql(), &room, user).await?, new: false });
    }
    let (_, member) = add_member(w, room, &person, &person, Role::Member, at).await?;
    Ok(Made { value: member, new: true })
}

async fn leave(w: &mut Writing, room: RoomRef, user: UserId, at: Timestamp) -> Result<(), Stop> {
    let Access { room, role, person } = access(w.sql(), &room, user).await?;
    let Some(role) = role else { return Ok(()) };
    if role == Role::Owner && is_last_owner(w.sql(), &room).await? {
        return Err(Refusal::LastOwner.into());
    }
    let left = member(w.sql(), &room, user).await?;
    let position = w.next_position();
    CLOSE.query().bind(room.id.uuid()).bind(user.uuid()).bind(position.0).execute(w.sql()).await?;
    let room = advance(w, room, -1).await?;
    w.append(&event(EventType::MemberLeft, room.clone(), &person, left, at)).await?;
    w.afterwards().removed.push(Removed { room: room.id, user: Some(user), position });
    Ok(())
}

async fn put(w: &mut Writing, new: NewMember) -> Result<Made<Member>, Stop> {
    let Access { room, person: actor, .. } = access(w.sql(), &new.room, new.actor).await?.owner()?;
    let row = PERSON_BY_NAME.query().bind(new.username.as_str()).fetch_optional(w.sql()).await?;
    let person = user_ref_of(&row.ok_or(Refusal::UserNotFound)?)?;
    let Some(present) = find_member(w.sql(), &room, person.id).await? else {
        let role = new.role.unwrap_or(Role::Member);
        let (_, member) = add_member(w, room, &actor, &person, role, new.at).await?;
        return Ok(Made { value: member, new: true });
    };
    let role = new.role.unwrap_or(present.role);
    if role == present.role {
        return Ok(Made { value: present, new: false });
    }
    if present.role == Role::Owner && is_last_owner(w.sql(), &room).await? {
        return Err(Refusal::LastOwner.into());
    }
    SET_ROLE.query().bind(room.id.uuid()).bind(person.id.uuid()).bind(role.as_str()).execute(w.sql()).await?;
    let room = advance(w, room, 0).await?;
    let member = Member { role, ..present };
    w.append(&event(EventType::MemberUpdated, room, &actor, member.clone(), new.at)).await?;
    Ok(Made { value: member, new: false })
}

/// Begins a membership at the position of its event. Returns the room as it is after that event.
pub(super) async fn add_member(
    w: &mut Writing,
    room: RoomState,
    actor: &UserRef,
    person: &UserRef,
    role: Role,
    at: Timestamp,
) -> Result<(RoomState, Member), Stop> {
    let rooms: i64 = COUNT_OF_PERSON.query().bind(person.id.uuid()).fetch_one(w.sql()).await?.try_get(0)?;
    if rooms >= MAX_ROOMS {
        return Err(Refusal::TooManyRooms.into());
    }
    let since = w.next_position();
    ADD.query()
        .bind(room.id.uuid())
        .bind(person.id.uuid())
        .bind(person.username.as_str())
        .bind(since.0)
        .bind(role.as_str())
        .bind(at.micros())
        .execute(w.sql())
        .await?;
    let room = advance(w, room, 1).await?;
    let member = Member { user: person.clone(), role, joined_at: at };
    w.append(&event(EventType::MemberJoined, room.clone(), actor, member.clone(), at)).await?;
    Ok((room, member))
}

/// Takes the next seq of a room, and adds `joined` to its count of members.
async fn advance(w: &mut Writing, room: RoomState, joined: i64) -> Result<RoomState, sqlx::Error> {
    let room = RoomState { last_seq: room.last_seq + 1, member_count: room.member_count + joined, ..room };
    let update = ADVANCE.query().bind(room.id.uuid()).bind(room.last_seq).bind(room.member_count);
    update.execute(w.sql()).await?;
    Ok(room)
}

fn event(kind: EventType, room: RoomState, actor: &UserRef, member: Member, at: Timestamp) -> NewEvent {
    NewEvent {
        kind,
        room: room.id,
        seq: room.last_seq,
        at,
        actor: actor.clone(),
        message: None,
        member: Some(member),
        room_state: Some(room),
    }
}

async fn is_last_owner(sql: &mut SqliteConnection, room: &RoomState) -> Result<bool, sqlx::Error> {
    let owners: i64 = OWNERS.query().bind(room.id.uuid()).fetch_one(sql).await?.try_get(0)?;
    Ok(owners <= 1)
}

async fn member(sql: &mut SqliteConnection, room: &RoomState, user: UserId) -> Result<Member, Stop> {
    find_member(sql, room, user).await?.ok_or_else(|| Refusal::NotAMember.into())
}

async fn find_member(
    sql: &mut SqliteConnection,
    room: &RoomState,
    user: UserId,
) -> Result<Option<Member>, sqlx::Error> {
    let row = ONE.query().bind(room.id.uuid()).bind(user.uuid()).fetch_optional(sql).await?;
    row.as_ref().map(member_of).transpose()
}

/// Every room of a person, with the membership.
pub(super) async fn rooms_of(
    sql: &mut SqliteConnection,
    user: UserId,
) -> Result<Vec<(RoomState, Member)>, sqlx::Error> {
    let rows = OF_PERSON.query().bind(user.uuid()).fetch_all(sql).await?;
    rows.iter().map(|row| Ok((room_of(row)?, member_of(row)?))).collect()
}

/// A person as events name them.
pub(super) async fn person(sql: &mut SqliteConnection, user: UserId) -> Result<UserRef, Stop> {
    let row = PERSON_BY_ID.query().bind(user.uuid()).fetch_optional(sql).await?;
    Ok(user_ref_of(&row.ok_or(Refusal::UserNotFound)?)?)
}
