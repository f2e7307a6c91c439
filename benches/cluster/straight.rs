//! The yardstick of posts on PostgreSQL: the rows of posts written straight into Parlor's tables by one connection and nothing
//! else. Each batch is one transaction, and nothing in it waits for the answer to what came before.

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, try_join_all};
use parlor::domain::clock::Clock;
use parlor::domain::ids::Ids;
use tokio_postgres::{Client, Error, Statement};
use uuid::Uuid;

use super::postgres::Database;
use crate::burst::BODY;
use crate::people::Seeding;
use crate::posts::event_of;

/// The rows of a post.
const MESSAGE: &str = "INSERT INTO messages \
    (position, id, room_id, seq, author_id, body, client_id, client_hash, created_at) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, '\\x00112233445566778899aabbccddeeff', $8)";
const EVENT: &str = "INSERT INTO events (position, audience, room_id, seq, type, ref, data, at) \
    VALUES ($1, 'room', $2, $3, 'message.posted', $4, $5, $6)";
const ROOM: &str = "UPDATE rooms SET head = $2 WHERE id = $1";
const LOG: &str = "UPDATE log SET head = $1";
/// The same rows of a whole batch at once.
const MESSAGES: &str = "INSERT INTO messages \
    (position, id, room_id, seq, author_id, body, client_id, client_hash, created_at) \
    SELECT n.position, n.id, $1, n.seq, $2, $3, n.client_id, '\\x00112233445566778899aabbccddeeff', $4 \
    FROM unnest($5::BIGINT[], $6::UUID[], $7::BIGINT[], $8::TEXT[]) AS n (position, id, seq, client_id)";
const EVENTS: &str = "INSERT INTO events (position, audience, room_id, seq, type, ref, data, at) \
    SELECT n.position, 'room', $1, n.seq, 'message.posted', n.id, n.data, $2 \
    FROM unnest($3::BIGINT[], $4::BIGINT[], $5::UUID[], $6::TEXT[]) AS n (position, seq, id, data)";

pub struct Straight {
    client: Client,
    statements: Statements,
    room: Uuid,
    author: Uuid,
    /// The last position, and what the room has counted.
    last: i64,
    seq: i64,
}

struct Statements {
    message: Statement,
    event: Statement,
    room: Statement,
    log: Statement,
    messages: Statement,
    events: Statement,
}

/// How the rows of a batch are handed over.
#[derive(Clone, Copy)]
pub enum Way {
    /// A statement for each row, as Parlor does.
    Rows,
    /// A statement for each table.
    Arrays,
}

/// What differs between the posts of a batch.
struct Post {
    position: i64,
    id: Uuid,
    seq: i64,
    client_id: String,
    data: String,
}

impl Straight {
    /// Makes the tables and a room in an empty database.
    pub async fn open(database: &Database) -> Self {
        let seeding = Seeding::begin_in(&database.url).await;
        let (people, room) = seeding.hall(1).await;
        seeding.done().await;
        let client = database.connect().await;
        let heads = client.query_one("SELECT log.head, rooms.head FROM log, rooms", &[]).await;
        let heads = heads.expect("heads");
        let prepare = async |sql| client.prepare(sql).await.expect("a statement");
        let statements = Statements {
            message: prepare(MESSAGE).await,
            event: prepare(EVENT).await,
            room: prepare(ROOM).await,
            log: prepare(LOG).await,
            messages: prepare(MESSAGES).await,
            events: prepare(EVENTS).await,
        };
        let (room, author) = (room.uuid(), people[0].id.uuid());
        Self { statements, room, author, last: heads.get(0), seq: heads.get(1), client }
    }

    /// Writes one batch.
    pub async fn commit(&mut self, posts: usize, way: Way) {
        let posts: Vec<_> = (0..posts).map(|_| self.next()).collect();
        let at = Clock::SYSTEM.now().micros();
        let rows = match way {
            Way::Rows => self.rows(&posts, at),
            Way::Arrays => vec![self.messages(&posts, at).boxed(), self.events(&posts, at).boxed()],
        };
        let begin = self.client.batch_execute("BEGIN").boxed();
        let commit = self.client.batch_execute("COMMIT").boxed();
        let all = std::iter::once(begin).chain(rows).chain([
            self.room_head().boxed(),
            self.log_head().boxed(),
            commit,
        ]);
        try_join_all(all).await.expect("a commit");
    }

    async fn room_head(&self) -> Result<(), Error> {
        self.client.execute(&self.statements.room, &[&self.room, &self.seq]).await.map(drop)
    }

    async fn log_head(&self) -> Result<(), Error> {
        self.client.execute(&self.statements.log, &[&self.last]).await.map(drop)
    }

    fn next(&mut self) -> Post {
        self.last += 1;
        self.seq += 1;
        let (id, client_id) = (Ids::SYSTEM.message().uuid(), format!("straight-{}", self.last));
        Post { position: self.last, id, seq: self.seq, client_id, data: event_of(&id) }
    }

    fn rows<'s>(&'s self, posts: &'s [Post], at: i64) -> Vec<BoxFuture<'s, Result<(), Error>>> {
        let Self { client, statements, room, author, .. } = self;
        let message = move |post: &'s Post| async move {
            let Post { position, id, seq, client_id, .. } = post;
            let values = [
                position as _,
                id as _,
                room as _,
                seq as _,
                author as _,
                &BODY as _,
                client_id as _,
                &at as _,
            ];
            client.execute(&statements.message, &values).await.map(drop)
        };
        let event = move |post: &'s Post| async move {
            let Post { position, id, seq, data, .. } = post;
            let values = [position as _, room as _, seq as _, id as _, data as _, &at as _];
            client.execute(&statements.event, &values).await.map(drop)
        };
        let messages = posts.iter().map(|post| message(post).boxed());
        messages.chain(posts.iter().map(|post| event(post).boxed())).collect()
    }

    async fn messages(&self, posts: &[Post], at: i64) -> Result<(), Error> {
        let (positions, ids, seqs) = columns(posts);
        let client_ids: Vec<_> = posts.iter().map(|post| &*post.client_id).collect();
        let (messages, room, author) = (&self.statements.messages, &self.room, &self.author);
        let values = [
            room as _,
            author as _,
            &BODY as _,
            &at as _,
            &positions as _,
            &ids as _,
            &seqs as _,
            &client_ids as _,
        ];
        self.client.execute(messages, &values).await.map(drop)
    }

    async fn events(&self, posts: &[Post], at: i64) -> Result<(), Error> {
        let (positions, ids, seqs) = columns(posts);
        let data: Vec<_> = posts.iter().map(|post| &*post.data).collect();
        let events = &self.statements.events;
        self.client.execute(events, &[&self.room, &at, &positions, &seqs, &ids, &data]).await.map(drop)
    }
}

fn columns(posts: &[Post]) -> (Vec<i64>, Vec<Uuid>, Vec<i64>) {
    let positions = posts.iter().map(|post| post.position).collect();
    let ids = posts.iter().map(|post| post.id).collect();
    (positions, ids, posts.iter().map(|post| post.seq).collect())
}
