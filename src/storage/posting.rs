//! Writing posts, the most frequent write by far: the posts of a batch are written together. It knows what a post writes, not
//! who waits for it.

use std::collections::{HashMap, HashSet};

use super::error::{Error, Failure};
use super::journal::Transaction;
use super::mentions;
use super::posts::{NewMessage, Outcome, Post};
use super::read_marks::STRIDE;
use super::rows::{role_of, user_ref_of, visibility_of};
use super::sql::{Query, Row, statements};
use crate::domain::clock::Timestamp;
use crate::domain::event::NewEvent;
use crate::domain::ids::{Position, RoomId, UserId};
use crate::domain::message::Message;
use crate::domain::names::ClientId;
use crate::domain::refusal::Refusal;
use crate::domain::rights::{self, Permission};
use crate::domain::room::RoomRef;
use crate::domain::user::UserRef;

/// The author (`$1`) and the room with an id (`$2`), or the public one with a name (`$3`).
macro_rules! author_and_room {
    () => {
        "r.id, r.visibility, r.head, r.member_count, m.role, m.posted_seq, g.position, p.position AS answered, u.id AS user_id, u.username, u.display_name \
         FROM users u JOIN rooms r ON r.deleted_at IS NULL AND r.id = coalesce($2, \
         (SELECT p.id FROM rooms p WHERE p.name = $3 AND p.visibility = 'public' AND p.deleted_at IS NULL)) "
    };
}

/// The author's membership, the position of an earlier message under the same client id (`$4`), and that of the message that is
/// answered (`$5`).
macro_rules! membership_and_repeat {
    () => {
        "LEFT JOIN members m ON m.room_id = r.id AND m.user_id = u.id AND m.until IS NULL \
         LEFT JOIN messages g ON g.room_id = r.id AND g.author_id = u.id AND g.client_id = $4 \
         LEFT JOIN messages p ON p.id = $5 AND p.room_id = r.id AND p.deleted_at IS NULL \
         WHERE u.id = $1"
    };
}

statements! {
    /// A room as the author of a post finds it. `position` is that of an earlier message under the same client id.
    LOOK = concat!("SELECT ", author_and_room!(), membership_and_repeat!());
    /// The same if the author's session (`$6`) is live at a time (`$7`).
    LOOK_IN_SESSION = concat!(
        "SELECT ",
        author_and_room!(),
        "JOIN sessions s ON s.id = $6 AND s.user_id = u.id AND s.ended_at IS NULL AND s.ends_at > $7 ",
        membership_and_repeat!()
    );
    MESSAGE = "INSERT INTO messages \
               (position, id, room_id, seq, author_id, body, client_id, client_hash, created_at, mentions, mentions_room, reply_to) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    GAIN_REPLY = "UPDATE messages SET reply_count = reply_count + 1 WHERE position = $1";
    pub(super) ROOM = "UPDATE rooms SET head = $2 WHERE id = $1";
    AUTHOR = "UPDATE members SET posted = $3, posted_seq = $4 WHERE room_id = $1 AND user_id = $2 AND until IS NULL";
}

/// A room as the author of a post finds it.
pub(super) struct Found {
    room: RoomId,
    last_seq: i64,
    /// Whether the author may mention everybody in it.
    may_mention_all: bool,
    author: UserRef,
    /// The seq of the author's message that the membership names.
    posted_seq: Option<i64>,
    /// The author has posted in this room under the same client id before.
    is_repeat: bool,
    /// Where the message that is answered was posted, if it is in this room and not deleted.
    answered: Option<Position>,
}

/// What a look has found: the room, or why its author may not post there.
pub(super) type Looked = Result<Found, Refusal>;

/// What the posts of a batch that are written already mean for the next one.
#[derive(Default)]
struct Written {
    /// The newest seq of each room that was posted to.
    seqs: HashMap<RoomId, i64>,
    client_ids: HashSet<(RoomId, UserId, ClientId)>,
    /// The messages that memberships have to name from now on.
    authors: HashMap<(RoomId, UserId), (Position, i64)>,
    /// Where each of them stands in the log.
    positions: Vec<Position>,
    /// The messages that they answer, each as often as it is answered.
    answered: Vec<Position>,
}

impl Written {
    /// Has the membership of the author name this message, if the one that it names is too far back. Few posts do, so that the others
    /// need not write the membership.
    fn note_author(&mut self, named: Option<i64>, message: &Message, position: Position) {
        let author = (message.room, message.author.id);
        let named = self.authors.get(&author).map(|(_, seq)| *seq).or(named);
        if named.is_none_or(|named| message.seq - named >= STRIDE) {
            self.authors.insert(author, (position, message.seq));
        }
    }
}

/// The questions for the rooms of posts, as their authors find them.
pub(super) fn looks(posts: &[Post]) -> Vec<Query<'_>> {
    posts.iter().map(|post| look_of(&post.new)).collect()
}

/// Decides about posts by what was found for each. Each of them then has its outcome. Gives what has to be written, after which nobody
/// has to look, so it may go out with the commit.
pub(super) fn decide<'p>(
    tx: &mut Transaction,
    posts: &'p mut [Post],
    found: Vec<Option<Looked>>,
) -> Result<Vec<Query<'p>>, Failure> {
    let mut written = Written::default();
    for (post, found) in posts.iter_mut().zip(found) {
        post.outcome = match found.unwrap_or(Err(Refusal::RoomNotFound)) {
            Ok(found) => place(tx, post, found, &mut written)?,
            Err(refusal) => Outcome::Refused(refusal.into()),
        };
    }
    let new = posts.iter().filter_map(|post| match &post.outcome {
        Outcome::Written(message) => Some((message, post.new.client_hash())),
        Outcome::Refused(_) | Outcome::Repeat(_) => None,
    });
    let new = new.zip(&written.positions);
    let mentions: Vec<_> =
        new.clone().flat_map(|((message, _), position)| mentions::added(message, *position)).collect();
    let messages = new.map(|((message, client_hash), position)| {
        MESSAGE
            .bind(*position)
            .bind(message.id)
            .bind(message.room)
            .bind(message.seq)
            .bind(message.author.id)
            .bind(message.body.as_str())
            .bind(message.client_id.as_ref())
            .bind(client_hash)
            .bind(message.created_at)
            .bind(mentions::ids_of(&message.mentions))
            .bind(message.mentions_room.then_some(true))
            .bind(message.reply_to)
    });
    let answered = written.answered.iter().map(|position| GAIN_REPLY.bind(*position));
    let rooms = written.seqs.iter().map(|(room, seq)| ROOM.bind(*room).bind(*seq));
    let authors = written.authors.iter();
    let authors = authors
        .map(|((room, author), (position, seq))| AUTHOR.bind(*room).bind(*author).bind(*position).bind(*seq));
    Ok(messages.chain(mentions).chain(rooms).chain(authors).chain(answered).collect())
}

/// The question for the room of a post, as its author finds it.
fn look_of(new: &NewMessage) -> Query<'_> {
    let (id, name) = match &new.room {
        RoomRef::Id(id) => (Some(*id), None),
        RoomRef::Name(name) => (None, Some(name)),
    };
    let look = if new.session.is_some() { LOOK_IN_SESSION } else { LOOK };
    let query = look.bind(new.author).bind(id).bind(name).bind(new.client_id()).bind(new.reply_to);
    match new.session {
        Some(session) => query.bind(session).bind(new.at),
        None => query,
    }
}

/// Gives a post its place in the log, unless a rule refuses it or it is a repeat.
fn place(
    tx: &mut Transaction,
    post: &mut Post,
    found: Found,
    written: &mut Written,
) -> Result<Outcome, Failure> {
    let room = found.room;
    let client_id = post.new.client_id.as_ref().map(|(id, _)| (room, found.author.id, id.clone()));
    if found.is_repeat || client_id.as_ref().is_some_and(|id| written.client_ids.contains(id)) {
        return Ok(Outcome::Repeat(room));
    }
    if post.new.reply_to.is_some() && found.answered.is_none() {
        return Ok(Outcome::Refused(Refusal::ReplyNotFound.into()));
    }
    if let Err(retry_after) = post.admit(room) {
        return Ok(Outcome::Refused(Error::TooMany { retry_after }));
    }
    written.client_ids.extend(client_id);
    written.answered.extend(found.answered);
    let seq = written.seqs.entry(room).or_insert(found.last_seq);
    *seq += 1;
    let mut message = message_of(post, room, *seq, found.author, tx.time(post.new.at));
    message.mentions_room &= found.may_mention_all;
    let position = tx.append(&NewEvent::posted(message.clone()))?;
    written.positions.push(position);
    written.note_author(found.posted_seq, &message, position);
    Ok(Outcome::Written(message))
}

pub(super) fn found_of(row: &Row<'_>) -> Result<Looked, Failure> {
    if let Err(refusal) = rights::may(role_of(row)?, visibility_of(row)?, Permission::Post) {
        return Ok(Err(refusal));
    }
    Ok(Ok(Found {
        room: RoomId::from_uuid(row.get("id")?),
        last_seq: row.get("head")?,
        may_mention_all: rights::may_mention_all(role_of(row)?, row.get("member_count")?),
        author: user_ref_of(row)?,
        posted_seq: row.get("posted_seq")?,
        is_repeat: row.get::<Option<i64>, _>("position")?.is_some(),
        answered: row.get::<Option<i64>, _>("answered")?.map(Position),
    }))
}

fn message_of(post: &Post, room: RoomId, seq: i64, author: UserRef, at: Timestamp) -> Message {
    let new = &post.new;
    Message {
        id: new.id,
        room,
        seq,
        author,
        body: new.body.clone(),
        client_id: new.client_id.as_ref().map(|(id, _)| id.clone()),
        created_at: at,
        edited_at: None,
        deleted_at: None,
        mentions: post.mentions.clone(),
        mentions_room: post.mentions_room,
        reply_to: new.reply_to,
        reply_count: 0,
        reactions: Vec::new(),
        pinned_at: None,
    }
}
