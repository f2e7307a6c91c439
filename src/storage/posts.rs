//! Posting in the store: once however often it is tried, and many posts with few statements. The most frequent write by
//! far, so those that stand next to each other in a batch are looked up with one statement and written with one text.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::time::Duration;

use futures_util::future::BoxFuture;
use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqliteRow};
use sqlx::{Arguments, AssertSqlSafe, Encode, Row, Sqlite, Type};
use tokio::sync::oneshot;

use super::access::refusal_of_outsider;
use super::accounts::user_ref_of;
use super::batch::{Request, Writing};
use super::error::{Error, Stop};
use super::messages::{message_columns, message_of};
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

/// Asked once whether a room takes one more post, when it is known to be a new one and by a member; says else how long to
/// wait. It must not block.
pub type Admission = Box<dyn FnOnce(RoomId) -> Result<(), Duration> + Send + Sync>;

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
    let (mut rows, mut repeats) = (Rows::default(), Vec::new());
    let (mut seqs, mut sent) = (HashMap::new(), HashSet::new());
    for (post, found) in posts.into_iter().zip(found) {
        let found = match found {
            Ok(found) => found,
            Err(refusal) => {
                post.outcome = Err(refusal.into());
                continue;
            }
        };
        let key = post.new.client_id.as_ref().map(|(id, _)| (found.room, post.new.author, id.clone()));
        if found.is_repeat || key.as_ref().is_some_and(|key| sent.contains(key)) {
            repeats.push((post, found.room));
            continue;
        }
        if let Some(Err(retry_after)) = post.admission.take().map(|admission| admission(found.room)) {
            post.outcome = Err(Error::TooMany { retry_after });
            continue;
        }
        sent.extend(key);
        let seq = *seqs.entry(found.room).and_modify(|seq| *seq += 1).or_insert(found.last_seq + 1);
        let message = message(&post.new, found, seq);
        rows.add(w, &message, post.new.client_id.as_ref().map(|(_, hash)| &hash[..]))?;
        post.outcome = Ok(Made { value: message, new: true });
    }
    rows.write(w, are_last && repeats.is_empty()).await?;
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
    const COLUMNS: usize = 4;
    let asked = values(posts.len(), |text, row| {
        let [room, name, author, client_id] = std::array::from_fn(|n| row * COLUMNS + n + 1);
        write!(text, "({row}, ${room}, ${name}, ${author}, ${client_id})")
    });
    let select = format!(
        "WITH asked (n, room_id, name, author_id, client_id) AS (VALUES {asked}) \
         SELECT a.n, r.id, r.visibility, r.head, m.role, g.position, u.id AS user_id, u.username, u.display_name \
         FROM asked a JOIN users u ON u.id = a.author_id \
         JOIN rooms r ON r.id = coalesce(a.room_id, \
         (SELECT p.id FROM rooms p WHERE p.name = a.name AND p.visibility = 'public' AND p.deleted_at IS NULL)) \
         LEFT JOIN members m ON m.room_id = r.id AND m.user_id = u.id AND m.until IS NULL \
         LEFT JOIN messages g ON g.room_id = r.id AND g.author_id = u.id AND g.client_id = a.client_id \
         WHERE r.deleted_at IS NULL"
    );
    let mut arguments = SqliteArguments::default();
    for Post { new, .. } in posts.iter().map(|post| &**post) {
        let (id, name) = match &new.room {
            RoomRef::Id(id) => (Some(id.uuid()), None),
            RoomRef::Name(name) => (None, Some(name.as_str().to_owned())),
        };
        bind(&mut arguments, id)?;
        bind(&mut arguments, name)?;
        bind(&mut arguments, new.author.uuid())?;
        bind(&mut arguments, new.client_id.as_ref().map(|(id, _)| id.as_str().to_owned()))?;
    }
    let mut found: Vec<_> = posts.iter().map(|_| Err(Refusal::RoomNotFound)).collect();
    for row in w.open_with(&select, arguments).await? {
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

fn message(new: &NewMessage, found: Found, seq: i64) -> Message {
    Message {
        id: new.id,
        room: found.room,
        seq,
        author: found.author,
        body: new.body.clone(),
        client_id: new.client_id.as_ref().map(|(id, _)| id.clone()),
        created_at: new.at,
        edited_at: None,
        deleted_at: None,
    }
}

/// New messages beside their events, to be written with one text.
#[derive(Default)]
struct Rows {
    count: usize,
    arguments: SqliteArguments,
}

impl Rows {
    /// Parameters of one row.
    const COLUMNS: usize = 10;

    fn add(&mut self, w: &mut Writing, message: &Message, client_hash: Option<&[u8]>) -> Result<(), Stop> {
        let event = NewEvent {
            kind: EventType::MessagePosted,
            room: message.room,
            seq: message.seq,
            at: message.created_at,
            actor: message.author.clone(),
            message: Some(message.clone()),
            member: None,
            room_state: None,
        };
        let row = w.number(&event)?;
        let arguments = &mut self.arguments;
        bind(arguments, row.position.0)?;
        bind(arguments, message.id.uuid())?;
        bind(arguments, message.room.uuid())?;
        bind(arguments, message.seq)?;
        bind(arguments, message.author.id.uuid())?;
        bind(arguments, message.body.as_str().to_owned())?;
        bind(arguments, message.client_id.as_ref().map(|id| id.as_str().to_owned()))?;
        bind(arguments, client_hash.map(<[u8]>::to_vec))?;
        bind(arguments, message.created_at.micros())?;
        bind(arguments, row.data)?;
        self.count += 1;
        Ok(())
    }

    async fn write(self, w: &mut Writing, and_commit: bool) -> Result<(), Stop> {
        if self.count == 0 {
            return Ok(());
        }
        let place = |row: usize, column: usize| row * Self::COLUMNS + column;
        let messages = values(self.count, |text, row| {
            let [p, id, room, seq, author, body, client, hash, at] =
                std::array::from_fn(|n| place(row, n + 1));
            write!(text, "(${p}, ${id}, ${room}, ${seq}, ${author}, ${body}, ${client}, ${hash}, ${at})")
        });
        let events = values(self.count, |text, row| {
            let [p, id, room, seq] = std::array::from_fn(|n| place(row, n + 1));
            let [at, data] = std::array::from_fn(|n| place(row, n + 9));
            write!(text, "(${p}, ${room}, ${seq}, 'message.posted', ${id}, ${data}, ${at})")
        });
        let rooms = values(self.count, |text, row| write!(text, "(${}, ${})", place(row, 3), place(row, 4)));
        let text = format!(
            "INSERT INTO messages (position, id, room_id, seq, author_id, body, client_id, client_hash, created_at) \
             SELECT * FROM (VALUES {messages}) AS new WHERE column1 IS NOT NULL; \
             INSERT INTO events (position, room_id, seq, type, ref, data, at) \
             SELECT * FROM (VALUES {events}) AS new WHERE column1 IS NOT NULL; \
             UPDATE rooms SET head = told.seq FROM \
             (SELECT column1 AS room_id, max(column2) AS seq FROM (VALUES {rooms}) AS new GROUP BY column1) AS told \
             WHERE rooms.id = told.room_id; "
        );
        if and_commit {
            w.commit_with(&text, self.arguments).await?;
        } else {
            sqlx::query_with(AssertSqlSafe(text), self.arguments).execute(w.sql()).await?;
        }
        Ok(())
    }
}

/// What was posted under the client id, as it is now.
async fn posted_before(sql: &mut SqliteConnection, room: RoomId, new: &NewMessage) -> Result<Message, Stop> {
    let select = concat!(
        "SELECT ",
        message_columns!(),
        "WHERE g.room_id = $1 AND g.author_id = $2 AND g.client_id = $3"
    );
    let (client_id, hash) = new.client_id.as_ref().ok_or(sqlx::Error::RowNotFound)?;
    let query = sqlx::query(select).bind(room.uuid()).bind(new.author.uuid()).bind(client_id.as_str());
    let row = query.fetch_one(sql).await?;
    if row.try_get::<Option<&[u8]>, _>("client_hash")? != Some(hash) {
        return Err(Refusal::ClientIdReused.into());
    }
    Ok(message_of(&row)?.1)
}

/// The rows of a VALUES list for so many posts. Their number is rounded up, so that few texts have to be prepared; the
/// parameters of rows too many are not bound, which makes them NULL.
fn values(count: usize, row: impl Fn(&mut String, usize) -> std::fmt::Result) -> String {
    let mut text = String::new();
    for n in 0..count.next_power_of_two() {
        if n > 0 {
            text.push_str(", ");
        }
        // Writing into a string cannot fail.
        let _ = row(&mut text, n);
    }
    text
}

fn bind<T>(arguments: &mut SqliteArguments, value: T) -> Result<(), sqlx::Error>
where
    T: for<'q> Encode<'q, Sqlite> + Type<Sqlite>,
{
    arguments.add(value).map_err(sqlx::Error::Encode)
}
