//! Rooms in the store: the directory, a person's rooms, making, changing and deleting them.

use super::access::{Access, access, head};
use super::error::{Error, Failure, Stop};
use super::journal::Transaction;
use super::members::add_member;
use super::paging::{MAX_PAGE_BYTES, take};
use super::people::person;
use super::rows::{role_of, room_columns, room_of};
use super::sql::{Connection, Query, Row, statements};
use super::{Made, Store, messages, read_marks};
use crate::domain::clock::Timestamp;
use crate::domain::event::{EventType, NewEvent};
use crate::domain::ids::{Position, RoomId, UserId};
use crate::domain::membership::Role;
use crate::domain::names::{ClientId, RoomName, Title, Topic};
use crate::domain::refusal::Refusal;
use crate::domain::rights::Permission;
use crate::domain::room::{RoomRef, RoomState, RoomView, Visibility};
use crate::domain::search::folded;

/// Rooms that one page of a search looks at. A search without this bound would read every public room for a word that
/// no room has.
const LOOKED_AT: i64 = 5_000;
/// Sorts behind every room name.
const BEHIND_ALL_NAMES: &str = "~";

/// A public room beside the membership of the person `$1`.
macro_rules! public_room_for_person {
    () => {
        concat!(
            room_columns!(),
            ", m.role FROM rooms r ",
            "LEFT JOIN members m ON m.room_id = r.id AND m.user_id = $1 AND m.until IS NULL ",
            "WHERE r.visibility = 'public' AND r.deleted_at IS NULL AND r.name > $2 "
        )
    };
}

statements! {
    IS_DELETED = "SELECT 1 FROM rooms WHERE id = $1 AND deleted_at IS NOT NULL";
    DIRECTORY = concat!("SELECT ", public_room_for_person!(), "ORDER BY r.name LIMIT $3");
    SEARCH = concat!(
        "SELECT ",
        public_room_for_person!(),
        "AND r.name <= $4 AND r.search LIKE $5 ESCAPE '\\' ORDER BY r.name LIMIT $3"
    );
    /// The name of the public room that comes `$2` rooms after the first one behind the name `$1`.
    NAME_BEHIND = "SELECT name FROM rooms WHERE visibility = 'public' AND deleted_at IS NULL AND name > $1 \
                   ORDER BY name LIMIT 1 OFFSET $2";
    OF_PERSON = concat!(
        "SELECT ",
        room_columns!(),
        ", m.role FROM members m JOIN rooms r ON r.id = m.room_id ",
        "WHERE m.user_id = $1 AND m.until IS NULL AND r.deleted_at IS NULL"
    );
    CREATED_BEFORE = "SELECT id, client_hash FROM rooms WHERE created_by = $1 AND client_id = $2";
    CREATE = "INSERT INTO rooms (id, name, title, topic, visibility, search, head, member_count, created_at, \
              purged, created_by, client_id, client_hash) VALUES ($1, $2, $3, $4, $5, $6, 1, 0, $7, FALSE, $8, $9, $10)";
    UPDATE = "UPDATE rooms SET name = $2, title = $3, topic = $4, visibility = $5, search = $6, head = $7 WHERE id = $1";
    CLOSE_MEMBERSHIPS = "UPDATE members SET until = $2 WHERE room_id = $1 AND until IS NULL";
    DELETE = "UPDATE rooms SET deleted_at = $2, head = $3 WHERE id = $1";
    OTHER_OF_NAME =
        "SELECT 1 FROM rooms WHERE name = $1 AND visibility = 'public' AND deleted_at IS NULL AND id <> $2";
}

/// A room to make. The person who makes it becomes its owner.
#[derive(Clone, Debug)]
pub struct NewRoom {
    pub id: RoomId,
    pub owner: UserId,
    pub name: RoomName,
    pub title: Option<Title>,
    pub topic: Option<Topic>,
    pub visibility: Visibility,
    /// The id that the client gave to this call, and the keyed hash of its content.
    pub client_id: Option<(ClientId, Vec<u8>)>,
    pub at: Timestamp,
}

/// What to change. An outer none leaves the value as it is; an inner none clears it.
#[derive(Clone, Debug, Default)]
pub struct RoomChanges {
    pub name: Option<RoomName>,
    pub title: Option<Option<Title>>,
    pub topic: Option<Option<Topic>>,
    pub visibility: Option<Visibility>,
}

/// A page of the directory.
#[derive(Clone, Debug)]
pub struct DirectoryPage {
    pub rooms: Vec<RoomView>,
    /// The last room that was looked at, when it is not the end of the directory: a search looked at `LOOKED_AT` rooms, or
    /// the texts of the next room are too long for the page.
    pub through: Option<RoomName>,
}

impl Store {
    pub async fn room(&self, room: &RoomRef, user: UserId) -> Result<RoomView, Error> {
        let room = room.clone();
        self.snapshot(move |sql| Box::pin(view(sql, room, user))).await
    }

    /// Whether there was a room with this id and it was deleted.
    pub async fn is_deleted(&self, room: RoomId) -> Result<bool, Error> {
        Ok(self.first(IS_DELETED.bind(room), |_| Ok(())).await?.is_some())
    }

    /// Public rooms by name, after `after`, at most `limit`.
    pub async fn directory(
        &self,
        user: UserId,
        after: Option<&RoomName>,
        limit: i64,
    ) -> Result<DirectoryPage, Error> {
        let after = after.cloned();
        self.snapshot(move |sql| Box::pin(directory(sql, user, after, limit))).await
    }

    /// The same of the rooms that have `text`, as `folded` gives it, in name, title or topic. Looks at `LOOKED_AT` rooms
    /// at most, so it may find fewer than `limit` where there are more: they follow `through`.
    pub async fn search_directory(
        &self,
        user: UserId,
        text: &str,
        after: Option<&RoomName>,
        limit: i64,
    ) -> Result<DirectoryPage, Error> {
        let pattern = format!("%{}%", text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"));
        let after = after.cloned();
        self.snapshot(move |sql| Box::pin(search(sql, user, pattern, after, limit))).await
    }

    /// Every room that a person is in, by name, and the end of the log: the snapshot that the person's stream goes on from.
    pub async fn rooms_of_user(&self, user: UserId) -> Result<(Vec<RoomView>, Position), Error> {
        self.snapshot(move |sql| Box::pin(of_user(sql, user))).await
    }

    pub async fn create_room(&self, room: NewRoom) -> Result<Made<RoomView>, Error> {
        self.journal.write(move |tx| Box::pin(create(tx, room.clone()))).await
    }

    pub async fn update_room(
        &self,
        room: RoomRef,
        user: UserId,
        changes: RoomChanges,
        at: Timestamp,
    ) -> Result<RoomView, Error> {
        self.journal.write(move |tx| Box::pin(update(tx, room.clone(), user, changes.clone(), at))).await
    }

    pub async fn delete_room(&self, room: RoomRef, user: UserId, at: Timestamp) -> Result<(), Error> {
        self.journal.write(move |tx| Box::pin(delete(tx, room.clone(), user, at))).await
    }
}

async fn view(sql: &mut Connection, room: RoomRef, user: UserId) -> Result<RoomView, Stop> {
    let head = head(sql).await?;
    let access = access(sql, &room, user, Permission::See).await?;
    Ok(seen_by(sql, user, RoomView::new(access.room, access.role, head)).await?)
}

/// The room with what a member sees of it.
async fn seen_by(sql: &mut Connection, user: UserId, mut view: RoomView) -> Result<RoomView, Failure> {
    if view.role.is_some() {
        view.read = read_marks::in_room(sql, user, view.state.id).await?;
        view.last_message = messages::last_of_room(sql, view.state.id, user).await?;
    }
    Ok(view)
}

async fn directory(
    sql: &mut Connection,
    user: UserId,
    after: Option<RoomName>,
    limit: i64,
) -> Result<DirectoryPage, Stop> {
    let head = head(sql).await?;
    let page = DIRECTORY.bind(user).bind(after.as_ref().map_or("", RoomName::as_str)).bind(limit);
    Ok(read_directory(sql, page, head).await?)
}

async fn search(
    sql: &mut Connection,
    user: UserId,
    pattern: String,
    after: Option<RoomName>,
    limit: i64,
) -> Result<DirectoryPage, Stop> {
    let head = head(sql).await?;
    let after = after.as_ref().map_or("", RoomName::as_str);
    let behind = NAME_BEHIND.bind(after).bind(LOOKED_AT - 1);
    let through = behind.first(sql, |row| Ok(RoomName::stored(row.get("name")?))).await?;
    let last = through.as_ref().map_or(BEHIND_ALL_NAMES, RoomName::as_str);
    let search = SEARCH.bind(user).bind(after).bind(limit).bind(last).bind(pattern);
    let page = read_directory(sql, search, head).await?;
    let is_full = i64::try_from(page.rooms.len()).is_ok_and(|found| found >= limit);
    Ok(DirectoryPage { through: page.through.or(through.filter(|_| !is_full)), ..page })
}

async fn of_user(sql: &mut Connection, user: UserId) -> Result<(Vec<RoomView>, Position), Stop> {
    let head = head(sql).await?;
    let mut rooms = OF_PERSON.bind(user).all(sql, |row| view_of(row, head)).await?;
    let mut marks = read_marks::of_person(sql, user).await?;
    let mut last_messages = messages::last_of_rooms(sql, user).await?;
    for room in &mut rooms {
        room.read = marks.remove(&room.state.id);
        room.last_message = last_messages.remove(&room.state.id);
    }
    rooms.sort_by(|a, b| (a.state.name.as_str(), a.state.id).cmp(&(b.state.name.as_str(), b.state.id)));
    Ok((rooms, head))
}

async fn create(tx: &mut Transaction, new: NewRoom) -> Result<Made<RoomView>, Stop> {
    if let Some(room) = created_before(tx, &new).await? {
        return Ok(Made { value: room, new: false });
    }
    let name_is_free = new.visibility == Visibility::Private || is_free(tx.sql(), &new.name, new.id).await?;
    if !name_is_free {
        return Err(Refusal::RoomNameTaken.into());
    }
    let at = tx.time(new.at);
    let room = RoomState {
        id: new.id,
        name: new.name,
        title: new.title,
        topic: new.topic,
        visibility: new.visibility,
        created_at: at,
        member_count: 0,
        last_seq: 1,
    };
    let (client_id, client_hash) = new.client_id.unzip();
    CREATE
        .bind(room.id)
        .bind(&room.name)
        .bind(room.title.as_ref())
        .bind(room.topic.as_ref())
        .bind(room.visibility)
        .bind(search_text(&room))
        .bind(at)
        .bind(new.owner)
        .bind(client_id.as_ref())
        .bind(client_hash)
        .run(tx.sql())
        .await?;

    let owner = person(tx.sql(), new.owner).await?;
    tx.append(&NewEvent::of_room(EventType::RoomCreated, room.clone(), owner.clone(), at))?;
    let (room, _) = add_member(tx, room, &owner, &owner, Role::Owner, at).await?;
    let view = RoomView::new(room, Some(Role::Owner), tx.head());
    Ok(Made { value: seen_by(tx.sql(), new.owner, view).await?, new: true })
}

/// The room that an earlier call with the same client id has made, as it is now.
async fn created_before(tx: &mut Transaction, new: &NewRoom) -> Result<Option<RoomView>, Stop> {
    let Some((client_id, hash)) = &new.client_id else { return Ok(None) };
    let before = CREATED_BEFORE.bind(new.owner).bind(client_id);
    let before = before.first(tx.sql(), |row| {
        Ok((RoomId::from_uuid(row.get("id")?), row.get::<Vec<u8>, _>("client_hash")?))
    });
    let Some((id, hash_before)) = before.await? else { return Ok(None) };
    let access = access(tx.sql(), &RoomRef::Id(id), new.owner, Permission::See).await?;
    if hash_before != *hash {
        return Err(Refusal::ClientIdReused.into());
    }
    let view = RoomView::new(access.room, access.role, tx.head());
    Ok(Some(seen_by(tx.sql(), new.owner, view).await?))
}

async fn update(
    tx: &mut Transaction,
    room: RoomRef,
    user: UserId,
    changes: RoomChanges,
    at: Timestamp,
) -> Result<RoomView, Stop> {
    let Access { room: before, role, person } = access(tx.sql(), &room, user, Permission::ChangeRoom).await?;
    let after = RoomState {
        name: changes.name.unwrap_or_else(|| before.name.clone()),
        title: changes.title.unwrap_or_else(|| before.title.clone()),
        topic: changes.topic.unwrap_or_else(|| before.topic.clone()),
        visibility: changes.visibility.unwrap_or(before.visibility),
        last_seq: before.last_seq + 1,
        ..before.clone()
    };
    if (RoomState { last_seq: before.last_seq, ..after.clone() }) == before {
        let view = RoomView::new(before, role, tx.head());
        return Ok(seen_by(tx.sql(), user, view).await?);
    }
    if after.visibility == Visibility::Public && !is_free(tx.sql(), &after.name, after.id).await? {
        return Err(Refusal::RoomNameTaken.into());
    }
    UPDATE
        .bind(after.id)
        .bind(&after.name)
        .bind(after.title.as_ref())
        .bind(after.topic.as_ref())
        .bind(after.visibility)
        .bind(search_text(&after))
        .bind(after.last_seq)
        .run(tx.sql())
        .await?;
    let at = tx.time(at);
    let head = tx.append(&NewEvent::of_room(EventType::RoomUpdated, after.clone(), person, at))?;
    Ok(seen_by(tx.sql(), user, RoomView::new(after, role, head)).await?)
}

/// The room is gone for everybody at once. The purge takes its messages away later, in pieces.
async fn delete(tx: &mut Transaction, room: RoomRef, user: UserId, at: Timestamp) -> Result<(), Stop> {
    let Access { room: before, person, .. } = access(tx.sql(), &room, user, Permission::DeleteRoom).await?;
    let after = RoomState { last_seq: before.last_seq + 1, ..before };
    let (position, at) = (tx.next_position(), tx.time(at));
    CLOSE_MEMBERSHIPS.bind(after.id).bind(position).run(tx.sql()).await?;
    DELETE.bind(after.id).bind(at).bind(after.last_seq).run(tx.sql()).await?;
    tx.append(&NewEvent::of_room(EventType::RoomDeleted, after, person, at))?;
    Ok(())
}

async fn is_free(sql: &mut Connection, name: &RoomName, but: RoomId) -> Result<bool, Failure> {
    Ok(!OTHER_OF_NAME.bind(name).bind(but).any(sql).await?)
}

/// The text of a room that the directory searches.
fn search_text(room: &RoomState) -> String {
    let title = room.title.as_ref().map_or("", Title::as_str);
    let topic = room.topic.as_ref().map_or("", Topic::as_str);
    folded(&format!("{}\n{title}\n{topic}", room.name))
}

/// Reads the rooms of a page, as far as their texts have room on it.
async fn read_directory(
    sql: &mut Connection,
    query: Query<'_>,
    head: Position,
) -> Result<DirectoryPage, Failure> {
    let bytes_of = |room: &RoomView| {
        let (title, topic) = (room.state.title.as_ref(), room.state.topic.as_ref());
        title.map_or(0, |title| title.as_str().len()) + topic.map_or(0, |topic| topic.as_str().len())
    };
    let mut left = MAX_PAGE_BYTES;
    let taken = take(sql, query, &mut left, |row| view_of(row, head), bytes_of).await?;
    let through = taken.items.last().filter(|_| taken.is_cut).map(|room| room.state.name.clone());
    Ok(DirectoryPage { rooms: taken.items, through })
}

fn view_of(row: &Row<'_>, head: Position) -> Result<RoomView, Failure> {
    Ok(RoomView::new(room_of(row)?, role_of(row)?, head))
}
