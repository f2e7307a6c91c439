//! What rows mean: the columns that several nouns select, and the domain types that they become.

use uuid::Uuid;

use super::error::Failure;
use super::sql::Row;
use crate::domain::clock::Timestamp;
use crate::domain::emoji::{Emoji, Reaction};
use crate::domain::ids::{MessageId, Position, RoomId, UserId};
use crate::domain::membership::{Member, Role};
use crate::domain::message::{Message, MessageBody};
use crate::domain::names::{ClientId, DisplayName, RoomName, Title, Topic, Username};
use crate::domain::room::{RoomState, Visibility};
use crate::domain::user::{User, UserRef};

/// The columns of `room_of`, of the table `rooms r`.
macro_rules! room_columns {
    () => {
        "r.id, r.name, r.title, r.topic, r.visibility, r.created_at, r.member_count, r.head"
    };
}
pub(super) use room_columns;

/// The columns of `member_of`, of the tables `members m` and `users u`.
macro_rules! member_columns {
    () => {
        "m.role, m.joined_at, u.id AS user_id, u.username, u.display_name"
    };
}
pub(super) use member_columns;

/// The columns of `message_of` and the tables that they are in: `messages g` and its author `users u`. The parameter is the person
/// who reads it.
macro_rules! message_columns {
    ($reader:literal) => {
        concat!(
            "CASE WHEN g.reactions IS NOT NULL THEN (SELECT string_agg(mine.emoji, ' ') FROM reactions mine \
             WHERE mine.message = g.position AND mine.user_id = ",
            $reader,
            ") END AS mine, g.position, g.id, g.room_id, g.seq, g.body, g.client_id, g.client_hash, g.created_at, \
             g.edited_at, g.deleted_at, g.reply_to, g.reply_count, g.reactions, g.pinned_at, g.mentions, g.mentions_room, \
             u.id AS user_id, u.username, u.display_name FROM messages g JOIN users u ON u.id = g.author_id "
        )
    };
}
pub(super) use message_columns;

pub(super) fn room_of(row: &Row<'_>) -> Result<RoomState, Failure> {
    Ok(RoomState {
        id: RoomId::from_uuid(row.get("id")?),
        name: RoomName::stored(row.get("name")?),
        title: row.get::<Option<String>, _>("title")?.map(Title::stored),
        topic: row.get::<Option<String>, _>("topic")?.map(Topic::stored),
        visibility: visibility_of(row)?,
        created_at: Timestamp::from_micros(row.get("created_at")?),
        member_count: row.get("member_count")?,
        last_seq: row.get("head")?,
    })
}

pub(super) fn visibility_of(row: &Row<'_>) -> Result<Visibility, Failure> {
    Visibility::parse(&row.get::<String, _>("visibility")?).ok_or_else(|| unknown("visibility"))
}

/// None where the row has no member.
pub(super) fn role_of(row: &Row<'_>) -> Result<Option<Role>, Failure> {
    let role: Option<String> = row.get("role")?;
    role.map(|text| Role::parse(&text).ok_or_else(|| unknown("role"))).transpose()
}

pub(super) fn member_of(row: &Row<'_>) -> Result<Member, Failure> {
    let role = role_of(row)?.ok_or_else(|| unknown("role"))?;
    let joined_at = Timestamp::from_micros(row.get("joined_at")?);
    Ok(Member { user: user_ref_of(row)?, role, joined_at })
}

/// The people of the ids in a message's row, which have no names yet: see `storage::mentions`.
fn nameless_of(ids: Option<&str>) -> Vec<UserRef> {
    let ids = ids.unwrap_or_default().split(' ').filter_map(|id| Uuid::parse_str(id).ok());
    let nobody = |id| UserRef {
        id: UserId::from_uuid(id),
        username: Username::stored(String::new()),
        display_name: DisplayName::stored(String::new()),
    };
    ids.map(nobody).collect()
}

/// The person of a row with `id`, `username`, `display_name`, `created_at`.
pub(super) fn user_of(row: &Row<'_>) -> Result<User, Failure> {
    Ok(User {
        id: UserId::from_uuid(row.get("id")?),
        username: Username::stored(row.get("username")?),
        display_name: DisplayName::stored(row.get("display_name")?),
        created_at: Timestamp::from_micros(row.get("created_at")?),
    })
}

/// The person of a row with `user_id`, `username`, `display_name`.
pub(super) fn user_ref_of(row: &Row<'_>) -> Result<UserRef, Failure> {
    Ok(UserRef {
        id: UserId::from_uuid(row.get("user_id")?),
        username: Username::stored(row.get("username")?),
        display_name: DisplayName::stored(row.get("display_name")?),
    })
}

/// A message and the position of its first event. Those whom it mentions have no names yet.
pub(super) fn message_of(row: &Row<'_>) -> Result<(Position, Message), Failure> {
    let time = |micros: Option<i64>| micros.map(Timestamp::from_micros);
    let message = Message {
        id: MessageId::from_uuid(row.get("id")?),
        room: RoomId::from_uuid(row.get("room_id")?),
        seq: row.get("seq")?,
        author: user_ref_of(row)?,
        body: MessageBody::stored(row.get("body")?),
        client_id: row.get::<Option<String>, _>("client_id")?.map(ClientId::stored),
        created_at: Timestamp::from_micros(row.get("created_at")?),
        edited_at: time(row.get("edited_at")?),
        deleted_at: time(row.get("deleted_at")?),
        mentions: nameless_of(row.get::<Option<String>, _>("mentions")?.as_deref()),
        mentions_room: row.get::<Option<bool>, _>("mentions_room")?.is_some(),
        reply_to: row.get::<Option<Uuid>, _>("reply_to")?.map(MessageId::from_uuid),
        reply_count: row.get("reply_count")?,
        reactions: reactions_of(row)?,
        pinned_at: time(row.get("pinned_at")?),
    };
    Ok((Position(row.get("position")?), message))
}

fn reactions_of(row: &Row<'_>) -> Result<Vec<Reaction>, Failure> {
    let Some(all) = row.get::<Option<String>, _>("reactions")? else { return Ok(Vec::new()) };
    let mine: Option<String> = row.get("mine")?;
    let is_mine = |emoji: &str| mine.as_ref().is_some_and(|mine| mine.split(' ').any(|mine| mine == emoji));
    let all: Vec<(String, i64)> = serde_json::from_str(&all)?;
    let of = |(emoji, count): (String, i64)| {
        let me = is_mine(&emoji);
        Reaction { emoji: Emoji::stored(emoji), count, me }
    };
    Ok(all.into_iter().map(of).collect())
}

/// A value that this version cannot read.
pub(super) fn unknown(column: &'static str) -> Failure {
    Failure::fault(format!("a {column} that this version does not know"))
}
