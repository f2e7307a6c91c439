//! Posting in the store: once however often it is tried, and many posts with few statements. The most frequent write by
//! far, so those that stand next to each other in a batch are looked up with one statement and written with one text.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use futures_util::future::BoxFuture;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{QueryBuilder, Row};
use tokio::sync::oneshot;

use super::access::refusal_of_outsider;
use super::accounts::user_ref_of;
use super::batch::Request;
use super::error::{Error, Stop};
use super::messages::{message_columns, message_of};
use super::writing::{EventRow, Writing};
use super::{Made, Store};
use crate::domain::clock::Timestamp;
use crate::domain::event::{EventType, NewEvent};
use crate::domain::ids::{MessageId, RoomId, UserId};
use crate::domain::message::{Message, MessageBody};
use crate::domain::names::ClientId;
use crate::domain::refusal::Refusal;
use crate::domain::room::RoomRef;
use crate::domain::user::UserRef;

/// A message to write.
#[derive(Clone, Debug)]
pub struct NewMessage {
    pub id: MessageId,
    pub room: RoomRef,
    pub author: UserId,
    pub body: MessageBody,
    /// The client's own id of this send and the keyed hash of its content.
    pub client_id: Option<(ClientId, Vec<u8>)>,
    pub at: Timestamp,
}

/// Whether a room takes one more post, or else how long to wait. Asked until it says yes, when the post is known to be a new
/// one and by a member. It must not block.
pub type Admission = Box<dyn Fn(RoomId) -> Result<(), Duration> + Send + Sync>;

impl NewMessage {
    fn client_id(&self) -> Option<&str> {
        self.client_id.as_ref().map(|(id, _)| id.as_str())
    }

    fn client_hash(&self) -> Option<&[u8]> {
        self.client_id.as_ref().map(|(_, hash)| &hash[..])
    }
}

impl Store {
    /// Posts a message. A repeat of an earlier post, by room, author and client id, is that message as it is now.
    pub async fn post_message(
        &self,
        new: NewMessage,
        admission: Option<Admission>,
    ) -> Result<Made<Message>, Error> {
        let (reply, answer) = oneshot::channel();
        self.journal.put(Post { new, admission, outcome: Err(Error::OutcomeUnknown), reply }, answer).await
    }
}

/// A post on its way through the journal.
pub(super) struct Post {
    new: NewMessage,
    admission: Option<Admission>,
    outcome: Result<Made<Message>, Error>,
    reply: oneshot::Sender<Result<Made<Message>, Error>>,
}

impl Request for Post {
    fn run<'w>(&'w mut self, writing: &'w mut Writing) -> BoxFuture<'w, Result<(), Stop>> {
        Box::pin(write(writing, vec![self], false))
    }

    fn refuse(&mut self, error: Error) {
        self.outcome = Err(error);
    }

    fn answer(self: Box<Self>) {
        // Nobody listens when the client has hung up; what was written stays written.
        let _ = self.reply.send(self.outcome);
    }

    fn as_post(&mut self) -> Option<&mut Post> {
        Some(self)
    }
}

impl Post {
    /// A post that is written alone after all was counted before.
    fn admit(&mut self, room: RoomId) -> Result<(), Duration> {
        self.admission.as_ref().map_or(Ok(()), |admission| admission(room))?;
        self.admission = None;
        Ok(())
    }
}

/// A room as the author of a post finds it.
struct Found {
    room: RoomId,
    last_seq: i64,
    author: UserRef,
    /// There is a message of this room, author and client id.
    is_repeat: bool,
}

/// Writes posts, each of which knows then what it came to. An error is that of all of them. The last ones of a batch are
/// committed with it.
pub(super) async fn write(w: &mut Writing, posts: Vec<&mut Post>, are_last: bool) -> Result<(), Stop> {
    let found = look(w, &posts).await?;
    let (mut fresh, mut repeats) = (Vec::new(), Vec::new());
    let (mut seqs, mut sent) = (HashMap::new(), HashSet::new());
    for (post, found) in posts.into_iter().zip(found) {
        let found = match found {
            Ok(found) => found,
            Err(refusal) => {
                post.outcome = Err(refusal.into());
                continue;
            }
        };
        let key = post.new.client_id().map(|id| (found.room, post.new.author, id.to_owned()));
        if found.is_repeat || key.as_ref().is_some_and(|key| sent.contains(key)) {
            repeats.push((post, found.room));
            continue;
        }
        if let Err(retry_after) = post.admit(found.room) {
            post.outcome = Err(Error::TooMany { retry_after });
            continue;
        }
        sent.extend(key);
        let seq = *seqs.entry(found.room).and_modify(|seq| *seq += 1).or_insert(found.last_seq + 1);
        fresh.push(Fresh::new(w, post, found, seq)?);
    }
    insert(w, &fresh, are_last && repeats.is_empty()).await?;
    for Fresh { post, message, .. } in fresh {
        post.outcome = Ok(Made { value: message, new: true });
    }
    for (post, room) in repeats {
        post.outcome = match posted_before(w.sql(), room, &post.new).await {
            Ok(message) => Ok(Made { value: message, new: false }),
            Err(Stop::Refused(refusal)) => Err(refusal.into()),
            Err(engine) => return Err(engine),
        };
    }
    Ok(())
}

/// Finds the rooms of posts for their authors, all with one statement, which also opens the savepoint.
async fn look(w: &mut Writing, posts: &[&mut Post]) -> Result<Vec<Result<Found, Refusal>>, Stop> {
    let mut query = w.opening();
    query.push("WITH asked (n, room_id, name, author_id, client_id) AS (");
    query.push_values(padded(posts).enumerate(), |mut row, (n, post)| {
        let new = post.map(|post| &post.new);
        let (id, name) = match new.map(|new| &new.room) {
            Some(RoomRef::Id(id)) => (Some(id.uuid()), None),
            Some(RoomRef::Name(name)) => (None, Some(name.as_str())),
            None => (None, None),
        };
        row.push(n).push_bind(id).push_bind(name).push_bind(new.map(|new| new.author.uuid()));
        row.push_bind(new.and_then(NewMessage::client_id));
    });
    query.push(
        ") SELECT a.n, r.id, r.visibility, r.head, m.role, g.position, u.id AS user_id, u.username, u.display_name \
         FROM asked a JOIN users u ON u.id = a.author_id \
         JOIN rooms r ON r.id = coalesce(a.room_id, \
         (SELECT p.id FROM rooms p WHERE p.name = a.name AND p.visibility = 'public' AND p.deleted_at IS NULL)) \
         LEFT JOIN members m ON m.room_id = r.id AND m.user_id = u.id AND m.until IS NULL \
         LEFT JOIN messages g ON g.room_id = r.id AND g.author_id = u.id AND g.client_id = a.client_id \
         WHERE r.deleted_at IS NULL",
    );
    let mut found: Vec<_> = posts.iter().map(|_| Err(Refusal::RoomNotFound)).collect();
    for row in w.open_with(query).await? {
        let n = usize::try_from(row.try_get::<i64, _>("n")?).unwrap_or(usize::MAX);
        if let Some(found) = found.get_mut(n) {
            *found = found_of(&row)?;
        }
    }
    Ok(found)
}

fn found_of(row: &SqliteRow) -> Result<Result<Found, Refusal>, sqlx::Error> {
    if row.try_get::<Option<&str>, _>("role")?.is_none() {
        return Ok(Err(refusal_of_outsider(row)?));
    }
    Ok(Ok(Found {
        room: RoomId::from_uuid(row.try_get("id")?),
        last_seq: row.try_get("head")?,
        author: user_ref_of(row)?,
        is_repeat: row.try_get::<Option<i64>, _>("position")?.is_some(),
    }))
}

/// A message that is about to be written, and its event.
struct Fresh<'p> {
    post: &'p mut Post,
    message: Message,
    row: EventRow,
}

impl<'p> Fresh<'p> {
    fn new(w: &mut Writing, post: &'p mut Post, found: Found, seq: i64) -> Result<Self, Stop> {
        let new = &post.new;
        let message = Message {
            id: new.id,
            room: found.room,
            seq,
            author: found.author,
            body: new.body.clone(),
            client_id: new.client_id.as_ref().map(|(id, _)| id.clone()),
            created_at: new.at,
            edited_at: None,
            deleted_at: None,
        };
        let event = NewEvent {
            kind: EventType::MessagePosted,
            room: message.room,
            seq,
            at: message.created_at,
            actor: message.author.clone(),
            message: Some(message.clone()),
            member: None,
            room_state: None,
        };
        let row = w.number(&event)?;
        Ok(Self { post, message, row })
    }
}

/// Writes new messages with one text, which also commits if it is the last of its batch.
async fn insert(w: &mut Writing, fresh: &[Fresh<'_>], and_commit: bool) -> Result<(), Stop> {
    let Some(first) = fresh.first() else { return Ok(()) };
    let mut query = QueryBuilder::new(
        "INSERT INTO messages (position, id, room_id, seq, author_id, body, client_id, client_hash, created_at) \
         SELECT * FROM (",
    );
    query.push_values(padded(fresh), |mut row, fresh| {
        let (message, new) = (fresh.map(|fresh| &fresh.message), fresh.map(|fresh| &fresh.post.new));
        row.push_bind(fresh.map(|fresh| fresh.row.position.0)).push_bind(message.map(|g| g.id.uuid()));
        row.push_bind(message.map(|g| g.room.uuid())).push_bind(message.map(|g| g.seq));
        row.push_bind(message.map(|g| g.author.id.uuid())).push_bind(message.map(|g| g.body.as_str()));
        row.push_bind(new.and_then(NewMessage::client_id)).push_bind(new.and_then(NewMessage::client_hash));
        row.push_bind(message.map(|g| g.created_at.micros()));
    });
    query.push(
        ") AS new WHERE column1 IS NOT NULL; \
         INSERT INTO events (position, room_id, seq, type, ref, data, at) \
         SELECT g.position, g.room_id, g.seq, 'message.posted', g.id, new.column2, g.created_at FROM (",
    );
    query.push_values(padded(fresh), |mut row, fresh| {
        row.push_bind(fresh.map(|fresh| fresh.row.position.0));
        row.push_bind(fresh.map(|fresh| fresh.row.data.as_str()));
    });
    query.push(
        ") AS new JOIN messages g ON g.position = new.column1; \
         UPDATE rooms SET head = \
         (SELECT g.seq FROM messages g WHERE g.room_id = rooms.id ORDER BY g.position DESC LIMIT 1) \
         WHERE id IN (SELECT g.room_id FROM messages g WHERE g.position >= ",
    );
    query.push_bind(first.row.position.0).push(")");
    if and_commit {
        w.commit_with(query, 3).await?;
    } else {
        query.build().execute(w.sql()).await?;
    }
    Ok(())
}

/// What was posted under the client id, as it is now.
async fn posted_before(sql: &mut SqliteConnection, room: RoomId, new: &NewMessage) -> Result<Message, Stop> {
    let select = concat!(
        "SELECT ",
        message_columns!(),
        "WHERE g.room_id = $1 AND g.author_id = $2 AND g.client_id = $3"
    );
    let query = sqlx::query(select).bind(room.uuid()).bind(new.author.uuid()).bind(new.client_id());
    let row = query.fetch_one(sql).await?;
    if row.try_get::<Option<&[u8]>, _>("client_hash")? != new.client_hash() {
        return Err(Refusal::ClientIdReused.into());
    }
    Ok(message_of(&row)?.1)
}

/// The rows of a VALUES list, with empty ones up to a round number, so that few texts have to be prepared.
fn padded<T>(rows: &[T]) -> impl Iterator<Item = Option<&T>> {
    rows.iter().map(Some).chain(std::iter::repeat(None)).take(rows.len().next_power_of_two())
}
