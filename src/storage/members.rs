//! Memberships in the store: joining, leaving, being added, and who is in a room.

use super::access::{Access, access, head};
use super::error::{Error, Failure, Stop};
use super::journal::Transaction;
use super::rows::{member_columns, member_of, room_columns, room_of, user_ref_of};
use super::sql::{Connection, statements};
use super::{Made, Store, read_marks};
use crate::domain::clock::Timestamp;
use crate::domain::event::{EventType, NewEvent};
use crate::domain::ids::{Position, UserId};
use crate::domain::membership::{Member, Role};
use crate::domain::names::Username;
use crate::domain::refusal::Refusal;
use crate::domain::rights::Permission;
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
        self.journal.write(move |tx| Box::pin(join(tx, room.clone(), user, at))).await
    }

    /// Ends a membership. Does nothing for a person who is not in the room if the room is public.
    pub async fn leave_room(&self, room: RoomRef, user: UserId, at: Timestamp) -> Result<(), Error> {
        self.journal.write(move |tx| Box::pin(leave(tx, room.clone(), user, at))).await
    }

    pub async fn put_member(&self, new: NewMember) -> Result<Made<Member>, Error> {
        self.journal.write(move |tx| Box::pin(put(tx, new.clone()))).await
    }

    /// A page of the members of a room, for one of them: by username, after `after`, at most `limit`.
    pub async fn members(
        &self,
        room: &RoomRef,
        user: UserId,
        after: Option<&Username>,
        limit: i64,
    ) -> Result<MembersPage, Error> {
        let (room, after) = (room.clone(), after.cloned());
        self.snapshot(move |sql| Box::pin(page(sql, room, user, after, limit))).await
    }
}

async fn page(
    sql: &mut Connection,
    room: RoomRef,
    user: UserId,
    after: Option<Username>,
    limit: i64,
) -> Result<MembersPage, Stop> {
    let head = head(sql).await?;
    let room = access(sql, &room, user, Permission::ListMembers).await?.room;
    let page = PAGE.bind(room.id).bind(after.as_ref().map_or("", Username::as_str)).bind(limit);
    let members = page.all(sql, member_of).await?;
    Ok(MembersPage { members, head, last_seq: room.last_seq })
}

async fn join(
    tx: &mut Transaction,
    room: RoomRef,
    user: UserId,
    at: Timestamp,
) -> Result<Made<Member>, Stop> {
    let Access { room, role, person } = access(tx.sql(), &room, user, Permission::Join).await?;
    if role.is_some() {
        return Ok(Made { value: member(tx.sql(), &room, user).await?, new: false });
    }
    let (_, member) = add_member(tx, room, &person, &person, Role::Member, at).await?;
    Ok(Made { value: member, new: true })
}

async fn leave(tx: &mut Transaction, room: RoomRef, user: UserId, at: Timestamp) -> Result<(), Stop> {
    let Access { room, role, person } = access(tx.sql(), &room, user, Permission::Leave).await?;
    let Some(role) = role else { return Ok(()) };
    if role == Role::Owner && is_last_owner(tx.sql(), &room).await? {
        return Err(Refusal::LastOwner.into());
    }
    let left = member(tx.sql(), &room, user).await?;
    let position = tx.next_position();
    CLOSE.bind(room.id).bind(user).bind(position).run(tx.sql()).await?;
    let room = advance(tx, room, -1).await?;
    let at = tx.time(at);
    tx.append(&NewEvent::of_member(EventType::MemberLeft, room, person, left, at))?;
    Ok(())
}

async fn put(tx: &mut Transaction, new: NewMember) -> Result<Made<Member>, Stop> {
    let Access { room, person: actor, .. } =
        access(tx.sql(), &new.room, new.actor, Permission::PutMembers).await?;
    let person = PERSON_BY_NAME.bind(&new.username).first(tx.sql(), user_ref_of).await?;
    let person = person.ok_or(Refusal::UserNotFound)?;
    let Some(present) = find_member(tx.sql(), &room, person.id).await? else {
        let role = new.role.unwrap_or(Role::Member);
        let (_, member) = add_member(tx, room, &actor, &person, role, new.at).await?;
        return Ok(Made { value: member, new: true });
    };
    let role = new.role.unwrap_or(present.role);
    if role == present.role {
        return Ok(Made { value: present, new: false });
    }
    if present.role == Role::Owner && is_last_owner(tx.sql(), &room).await? {
        return Err(Refusal::LastOwner.into());
    }
    SET_ROLE.bind(room.id).bind(person.id).bind(role.as_str()).run(tx.sql()).await?;
    let room = advance(tx, room, 0).await?;
    let member = Member { role, ..present };
    let at = tx.time(new.at);
    tx.append(&NewEvent::of_member(EventType::MemberUpdated, room, actor, member.clone(), at))?;
    Ok(Made { value: member, new: false })
}

/// Begins a membership at the position of its event. Returns the room as it is after that event.
pub(super) async fn add_member(
    tx: &mut Transaction,
    room: RoomState,
    actor: &UserRef,
    person: &UserRef,
    role: Role,
    at: Timestamp,
) -> Result<(RoomState, Member), Stop> {
    let rooms: i64 = COUNT_OF_PERSON.bind(person.id).one(tx.sql(), |row| row.get(0)).await?;
    if rooms >= MAX_ROOMS {
        return Err(Refusal::TooManyRooms.into());
    }
    let (since, at) = (tx.next_position(), tx.time(at));
    ADD.bind(room.id)
        .bind(person.id)
        .bind(person.username.as_str())
        .bind(since)
        .bind(role.as_str())
        .bind(at)
        .run(tx.sql())
        .await?;
    let room = advance(tx, room, 1).await?;
    read_marks::begin(tx, &room, person.id).await?;
    let member = Member { user: person.clone(), role, joined_at: at };
    let (joined, actor) = (member.clone(), actor.clone());
    tx.append(&NewEvent::of_member(EventType::MemberJoined, room.clone(), actor, joined, at))?;
    Ok((room, member))
}

/// Takes the next seq of a room, and adds `joined` to its count of members.
async fn advance(tx: &mut Transaction, room: RoomState, joined: i64) -> Result<RoomState, Failure> {
    let room = RoomState { last_seq: room.last_seq + 1, member_count: room.member_count + joined, ..room };
    let update = ADVANCE.bind(room.id).bind(room.last_seq).bind(room.member_count);
    update.run(tx.sql()).await?;
    Ok(room)
}

async fn is_last_owner(sql: &mut Connection, room: &RoomState) -> Result<bool, Failure> {
    let owners: i64 = OWNERS.bind(room.id).one(sql, |row| row.get(0)).await?;
    Ok(owners <= 1)
}

async fn member(sql: &mut Connection, room: &RoomState, user: UserId) -> Result<Member, Stop> {
    find_member(sql, room, user).await?.ok_or_else(|| Refusal::NotAMember.into())
}

async fn find_member(
    sql: &mut Connection,
    room: &RoomState,
    user: UserId,
) -> Result<Option<Member>, Failure> {
    ONE.bind(room.id).bind(user).first(sql, member_of).await
}

/// Every room of a person, with the membership.
pub(super) async fn rooms_of(
    sql: &mut Connection,
    user: UserId,
) -> Result<Vec<(RoomState, Member)>, Failure> {
    OF_PERSON.bind(user).all(sql, |row| Ok((room_of(row)?, member_of(row)?))).await
}
