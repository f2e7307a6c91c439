//! Rooms in the store: the directory, a person's rooms, making, changing and deleting them.

use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::access::{Access, access, head};
use super::error::{Error, Stop};
use super::members::{self, add_member};
use super::paging::{MAX_PAGE_BYTES, take};
use super::rows::{role_of, room_columns, room_of};
use super::statements::{Query, statements};
use super::writing::Writing;
use super::{Made, Removed, Store};
use crate::domain::clock::Timestamp;
use crate::domain::event::{EventType, NewEvent};
use crate::domain::ids::{Position, RoomId, UserId};
use crate::domain::membership::Role;
use crate::domain::names::{ClientId, RoomName, Title, Topic};
use crate::domain::refusal::Refusal;
use crate::domain::room::{RoomRef, RoomState, RoomView, Visibility};
use crate::domain::search::folded;
use crate::domain::user::UserRef;

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
        let mut snapshot = self.readers.begin().await?;
        let head = head(&mut snapshot).await?;
        let access = access(&mut snapshot, room, user).await?;
        Ok(RoomView { state: access.room, role: access.role, head })
    }

    /// Whether there was a room with this id and it was deleted.
    pub async fn is_deleted(&self, room: RoomId) -> Result<bool, Error> {
        Ok(IS_DELETED.query().bind(room.uuid()).fetch_optional(&self.readers).await?.is_some())
    }

    /// Public rooms by name, after `after`, at most `limit`.
    pub async fn directory(
        &self,
        user: UserId,
        after: Option<&RoomName>,
        limit: i64,
    ) -> Result<DirectoryPage, Error> {
        let mut snapshot = self.readers.begin().await?;
        let head = head(&mut snapshot).await?;
        let page = DIRECTORY.query().bind(user.uuid()).bind(after.map_or("", RoomName::as_str)).bind(limit);
        read_directory(&mut snapshot, page, head).await
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
        let after = after.map_or("", RoomName::as_str);
        let mut snapshot = self.readers.begin().await?;
        let head = head(&mut snapshot).await?;
        let through =
            NAME_BEHIND.query().bind(after).bind(LOOKED_AT - 1).fetch_optional(&mut *snapshot).await?;
        let through = through.map(|row| row.try_get(0).map(RoomName::stored)).transpose()?;
        let search = SEARCH
            .query()
            .bind(user.uuid())
            .bind(after)
            .bind(limit)
            .bind(through.as_ref().map_or(BEHIND_ALL_NAMES, RoomName::as_str))
            .bind(pattern);
        let page = read_directory(&mut snapshot, search, head).await?;
        let is_full = i64::try_from(page.rooms.len()).is_ok_and(|found| found >= limit);
        Ok(DirectoryPage { through: page.through.or(through.filter(|_| !is_full)), ..page })
    }

    /// Every room that a person is in, by name, and the end of the log: the snapshot that the person's stream goes on from.
    pub async fn rooms_of_user(&self, user: UserId) -> Result<(Vec<RoomView>, Position), Error> {
        let mut snapshot = self.readers.begin().await?;
        let head = head(&mut snapshot).await?;
        let rows = OF_PERSON.query().bind(user.uuid()).fetch_all(&mut *snapshot).await?;
        let mut rooms = views(&rows, head)?;
        rooms.sort_by(|a, b| (a.state.name.as_str(), a.state.id).cmp(&(b.state.name.as_str(), b.state.id)));
        Ok((rooms, head))
    }

    pub async fn create_room(&self, room: NewRoom) -> Result<Made<RoomView>, Error> {
        self.journal.write(move |w| Box::pin(create(w, room))).await
    }

    pub async fn update_room(
        &self,
        room: RoomRef,
        user: UserId,
        changes: RoomChanges,
        at: Timestamp,
    ) -> Result<RoomView, Error> {
        self.journal.write(move |w| Box::pin(update(w, room, user, changes, at))).await
    }

    pub async fn delete_room(&self, room: RoomRef, user: UserId, at: Timestamp) -> Result<(), Error> {
        self.journal.write(move |w| Box::pin(delete(w, room, user, at))).await
    }
}

async fn create(w: &mut Writing, new: NewRoom) -> Result<Made<RoomView>, Stop> {
    if let Some(room) = created_before(w, &new).await? {
        return Ok(Made { value: room, new: false });
    }
    let name_is_free = new.visibility == Visibility::Private || is_free(w.sql(), &new.name, new.id).await?;
    if !name_is_free {
        return Err(Refusal::RoomNameTaken.into());
    }
    let room = RoomState {
        id: new.id,
        name: new.name,
        title: new.title,
        topic: new.topic,
        visibility: new.visibility,
        created_at: new.at,
        member_count: 0,
        last_seq: 1,
    };
    let (client_id, client_hash) = new.client_id.unzip();
    let insert = CREATE
        .query()
        .bind(room.id.uuid())
        .bind(room.name.as_str())
        .bind(room.title.as_ref().map(Title::as_str))
        .bind(room.topic.as_ref().map(Topic::as_str))
        .bind(room.visibility.as_str())
        .bind(search_text(&room))
        .bind(new.at.micros())
        .bind(new.owner.uuid())
        .bind(client_id.as_ref().map(ClientId::as_str))
        .bind(client_hash);
    insert.execute(w.sql()).await?;

    let owner = members::person(w.sql(), new.owner).await?;
    w.append(&event(EventType::RoomCreated, &room, &owner, new.at)).await?;
    let (room, _) = add_member(w, room, &owner, &owner, Role::Owner, new.at).await?;
    let head = w.head();
    Ok(Made { value: RoomView { state: room, role: Some(Role::Owner), head }, new: true })
}

/// The room that an earlier call with the same client id has made, as it is now.
async fn created_before(w: &mut Writing, new: &NewRoom) -> Result<Option<RoomView>, Stop> {
    let Some((client_id, hash)) = &new.client_id else { return Ok(None) };
    let query = CREATED_BEFORE.query().bind(new.owner.uuid()).bind(client_id.as_str());
    let Some(row) = query.fetch_optional(w.sql()).await? else { return Ok(None) };
    let id = RoomId::from_uuid(row.try_get(0)?);
    let access = access(w.sql(), &RoomRef::Id(id), new.owner).await?;
    if row.try_get::<&[u8], _>(1)? != hash {
        return Err(Refusal::ClientIdReused.into());
    }
    let head = w.head();
    Ok(Some(RoomView { state: access.room, role: access.role, head }))
}

async fn update(
    w: &mut Writing,
    room: RoomRef,
    user: UserId,
    changes: RoomChanges,
    at: Timestamp,
) -> Result<RoomView, Stop> {
    let Access { room: before, role, person } = access(w.sql(), &room, user).await?.owner()?;
    let after = RoomState {
        name: changes.name.unwrap_or_else(|| before.name.clone()),
        title: changes.title.unwrap_or_else(|| before.title.clone()),
        topic: changes.topic.unwrap_or_else(|| before.topic.clone()),
        visibility: changes.visibility.unwrap_or(before.visibility),
        last_seq: before.last_seq + 1,
        ..before.clone()
    };
    if (RoomState { last_seq: before.last_seq, ..after.clone() }) == before {
        let head = w.head();
        return Ok(RoomView { state: before, role, head });
    }
    if after.visibility == Visibility::Public && !is_free(w.sql(), &after.name, after.id).await? {
        return Err(Refusal::RoomNameTaken.into());
    }
    let query = UPDATE
        .query()
        .bind(after.id.uuid())
        .bind(after.name.as_str())
        .bind(after.title.as_ref().map(Title::as_str))
        .bind(after.topic.as_ref().map(Topic::as_str))
        .bind(after.visibility.as_str())
        .bind(search_text(&after))
        .bind(after.last_seq);
    query.execute(w.sql()).await?;
    let head = w.append(&event(EventType::RoomUpdated, &after, &person, at)).await?;
    Ok(RoomView { state: after, role, head })
}

/// The room is gone for everybody at once. The purge takes its messages away later, in pieces.
async fn delete(w: &mut Writing, room: RoomRef, user: UserId, at: Timestamp) -> Result<(), Stop> {
    let Access { room: before, person, .. } = access(w.sql(), &room, user).await?.owner()?;
    let after = RoomState { last_seq: before.last_seq + 1, ..before };
    let position = w.next_position();
    CLOSE_MEMBERSHIPS.query().bind(after.id.uuid()).bind(position.0).execute(w.sql()).await?;
    let deletion = DELETE.query().bind(after.id.uuid()).bind(at.micros()).bind(after.last_seq);
    deletion.execute(w.sql()).await?;
    w.append(&event(EventType::RoomDeleted, &after, &person, at)).await?;
    w.afterwards().removed.push(Removed { room: after.id, user: None, position });
    Ok(())
}

async fn is_free(sql: &mut SqliteConnection, name: &RoomName, but: RoomId) -> Result<bool, sqlx::Error> {
    let other = OTHER_OF_NAME.query().bind(name.as_str()).bind(but.uuid());
    Ok(other.fetch_optional(sql).await?.is_none())
}

fn event(kind: EventType, room: &RoomState, actor: &UserRef, at: Timestamp) -> NewEvent {
    NewEvent {
        kind,
        room: room.id,
        seq: room.last_seq,
        at,
        actor: actor.clone(),
        message: None,
        member: None,
        room_state: Some(room.clone()),
    }
}

/// The text of a room that the directory searches.
fn search_text(room: &RoomState) -> String {
    let title = room.title.as_ref().map_or("", Title::as_str);
    let topic = room.topic.as_ref().map_or("", Topic::as_str);
    folded(&format!("{}\n{title}\n{topic}", room.name))
}

/// Reads the rooms of a page, as far as their texts have room on it.
async fn read_directory(
    sql: &mut SqliteConnection,
    query: Query<'_>,
    head: Position,
) -> Result<DirectoryPage, Error> {
    let bytes_of = |room: &RoomView| {
        let (title, topic) = (room.state.title.as_ref(), room.state.topic.as_ref());
        title.map_or(0, |title| title.as_str().len()) + topic.map_or(0, |topic| topic.as_str().len())
    };
    let mut left = MAX_PAGE_BYTES;
    let taken = take(sql, query, &mut left, |row| view_of(row, head), bytes_of).await?;
    let through = taken.items.last().filter(|_| taken.is_cut).map(|room| room.state.name.clone());
    Ok(DirectoryPage { rooms: taken.items, through })
}

fn views(rows: &[SqliteRow], head: Position) -> Result<Vec<RoomView>, Error> {
    Ok(rows.iter().map(|row| view_of(row, head)).collect::<Result<_, _>>()?)
}

fn view_of(row: &SqliteRow, head: Position) -> Result<RoomView, sqlx::Error> {
    Ok(RoomView { state: room_of(row)?, role: role_of(row)?, head })
}
