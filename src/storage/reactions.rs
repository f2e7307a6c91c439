//! Reactions in the store: adding one, taking it back, and who reacts with what. The message keeps how many there are, so that
//! reading it costs the same however many people react.

use super::Store;
use super::access::access;
use super::edits::{Touch, advance, touched};
use super::error::{Error, Failure, Stop};
use super::journal::Transaction;
use super::messages::find;
use super::rows::user_ref_of;
use super::sql::{Connection, Row, statements};
use crate::domain::clock::Timestamp;
use crate::domain::emoji::{Emoji, MAX_KINDS, Reaction};
use crate::domain::event::{EventType, NewEvent, ReactionChange};
use crate::domain::ids::{MessageId, Position, UserId};
use crate::domain::refusal::Refusal;
use crate::domain::rights::Permission;
use crate::domain::room::RoomRef;
use crate::domain::user::UserRef;

statements! {
    ADD = "INSERT INTO reactions (message, user_id, emoji, position, created_at) VALUES ($1, $2, $3, $4, $5)";
    REMOVE = "DELETE FROM reactions WHERE message = $1 AND user_id = $2 AND emoji = $3";
    COUNT = "UPDATE messages SET reactions = $2 WHERE position = $1";
    ALL = "SELECT x.emoji, x.position, x.created_at, u.id AS user_id, u.username, u.display_name \
           FROM reactions x JOIN users u ON u.id = x.user_id \
           WHERE x.message = $1 AND (x.emoji, x.position) > ($2, $3) ORDER BY x.emoji, x.position LIMIT $4";
    OF_EMOJI = "SELECT x.emoji, x.position, x.created_at, u.id AS user_id, u.username, u.display_name \
                FROM reactions x JOIN users u ON u.id = x.user_id \
                WHERE x.message = $1 AND x.emoji = $2 AND x.position > $3 ORDER BY x.position LIMIT $4";
}

/// That somebody reacts with an emoji, and since when.
#[derive(Clone, Debug)]
pub struct Reacting {
    pub emoji: Emoji,
    pub user: UserRef,
    pub since: Timestamp,
    /// The position of the event that told of it.
    pub position: Position,
}

/// Where a page of the people who react begins: after this emoji and position. The emoji is empty at the beginning.
#[derive(Clone, Debug)]
pub struct ReactingFrom {
    pub emoji: String,
    pub position: Position,
}

impl Store {
    /// Adds a reaction of a person. One that is there already stays as it is.
    pub async fn add_reaction(&self, touch: Touch, emoji: Emoji) -> Result<Reaction, Error> {
        self.journal.write(move |tx| Box::pin(add(tx, touch.clone(), emoji.clone()))).await
    }

    /// Takes a reaction of a person back. Does nothing where there is none.
    pub async fn remove_reaction(&self, touch: Touch, emoji: Emoji) -> Result<(), Error> {
        self.journal.write(move |tx| Box::pin(remove(tx, touch.clone(), emoji.clone()))).await
    }

    /// Who reacts to a message, for a member of its room: by emoji, and of each the oldest first. At most `limit`, with one emoji alone
    /// or with all of them.
    pub async fn reactions(
        &self,
        room: &RoomRef,
        user: UserId,
        message: MessageId,
        only: Option<Emoji>,
        from: ReactingFrom,
        limit: i64,
    ) -> Result<Vec<Reacting>, Error> {
        let room = room.clone();
        self.snapshot(move |sql| Box::pin(list(sql, room, user, message, only, from, limit))).await
    }
}

async fn add(tx: &mut Transaction, touch: Touch, emoji: Emoji) -> Result<Reaction, Stop> {
    let (access, at, message) = touched(tx, &touch, Permission::React).await?;
    if message.is_deleted() {
        return Err(Refusal::MessageDeleted.into());
    }
    let mut all = message.reactions;
    let known = all.iter().position(|reaction| reaction.emoji == emoji);
    if known.is_none() && all.len() >= MAX_KINDS {
        return Err(Refusal::TooManyKinds.into());
    }
    let known = known.unwrap_or_else(|| {
        all.push(Reaction { emoji: emoji.clone(), count: 0, me: false });
        all.len() - 1
    });
    if all[known].me {
        return Ok(all.swap_remove(known));
    }
    (all[known].me, all[known].count) = (true, all[known].count + 1);
    let now = tx.time(touch.at);
    ADD.bind(at)
        .bind(touch.person)
        .bind(emoji.as_str())
        .bind(tx.next_position())
        .bind(now)
        .run(tx.sql())
        .await?;
    count(tx, at, &all).await?;
    let reaction = all.swap_remove(known);
    let change = ReactionChange { message: touch.message, emoji, count: reaction.count };
    let place = (access.room.id, advance(tx, &access).await?);
    tx.append(&NewEvent::of_reaction(EventType::ReactionAdded, place, access.person, change, now))?;
    Ok(reaction)
}

async fn remove(tx: &mut Transaction, touch: Touch, emoji: Emoji) -> Result<(), Stop> {
    let (access, at, message) = touched(tx, &touch, Permission::React).await?;
    let mut all = message.reactions;
    let Some(mine) = all.iter_mut().find(|reaction| reaction.me && reaction.emoji == emoji) else {
        return Ok(());
    };
    mine.count -= 1;
    let left = mine.count;
    all.retain(|reaction| reaction.count > 0);
    REMOVE.bind(at).bind(touch.person).bind(emoji.as_str()).run(tx.sql()).await?;
    count(tx, at, &all).await?;
    let now = tx.time(touch.at);
    let change = ReactionChange { message: touch.message, emoji, count: left };
    let place = (access.room.id, advance(tx, &access).await?);
    tx.append(&NewEvent::of_reaction(EventType::ReactionRemoved, place, access.person, change, now))?;
    Ok(())
}

/// Notes how many react with what to the message that was posted at a position.
async fn count(tx: &mut Transaction, at: Position, all: &[Reaction]) -> Result<(), Failure> {
    let all: Vec<_> = all.iter().map(|reaction| (reaction.emoji.as_str(), reaction.count)).collect();
    let text = if all.is_empty() { None } else { Some(serde_json::to_string(&all)?) };
    COUNT.bind(at).bind(text).run(tx.sql()).await?;
    Ok(())
}

async fn list(
    sql: &mut Connection,
    room: RoomRef,
    user: UserId,
    message: MessageId,
    only: Option<Emoji>,
    from: ReactingFrom,
    limit: i64,
) -> Result<Vec<Reacting>, Stop> {
    let room = access(sql, &room, user, Permission::ReadMessages).await?.room;
    let (at, _) = find(sql, room.id, user, message).await?;
    let query = match &only {
        None => ALL.bind(at).bind(from.emoji.as_str()),
        Some(emoji) => OF_EMOJI.bind(at).bind(emoji.as_str()),
    };
    let reacting = |row: &Row<'_>| {
        Ok(Reacting {
            emoji: Emoji::stored(row.get("emoji")?),
            user: user_ref_of(row)?,
            since: Timestamp::from_micros(row.get("created_at")?),
            position: Position(row.get("position")?),
        })
    };
    Ok(query.bind(from.position).bind(limit).all(sql, reacting).await?)
}
