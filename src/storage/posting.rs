//! The transaction of posts, the most frequent write by far. It calls the engine directly on the journal's own thread: a
//! statement through sqlx would cost two changes of threads. It knows what a post writes, not who waits for it.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use rusqlite::types::Type;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, params};

use super::access::{HEAD, refusal_of_outsider};
use super::committed::Committed;
use super::error::{BatchFailure, Error, Failure};
use super::posts::{NewMessage, Outcome, Post};
use super::settings::{LOCK_WAIT, SETTINGS};
use super::statements::statements;
use super::tail::{INSERT_EVENT, Tail};
use crate::domain::event::{EventType, NewEvent};
use crate::domain::ids::{Position, RoomId, UserId};
use crate::domain::message::Message;
use crate::domain::names::{DisplayName, Username};
use crate::domain::refusal::Refusal;
use crate::domain::room::{RoomRef, Visibility};
use crate::domain::user::UserRef;

statements! {
    /// The author (`?1`) in the room with an id (`?2`), or in the public one with a name (`?3`). `position` is that of an
    /// earlier message under the same client id (`?4`).
    LOOK = "SELECT r.id, r.visibility, r.head, m.role, g.position, u.username, u.display_name \
            FROM users u JOIN rooms r ON r.id = coalesce(?2, \
            (SELECT p.id FROM rooms p WHERE p.name = ?3 AND p.visibility = 'public' AND p.deleted_at IS NULL)) \
            LEFT JOIN members m ON m.room_id = r.id AND m.user_id = u.id AND m.until IS NULL \
            LEFT JOIN messages g ON g.room_id = r.id AND g.author_id = u.id AND g.client_id = ?4 \
            WHERE u.id = ?1 AND r.deleted_at IS NULL";
    MESSAGE = "INSERT INTO messages \
               (position, id, room_id, seq, author_id, body, client_id, client_hash, created_at) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    ROOM = "UPDATE rooms SET head = ?2 WHERE id = ?1";
    LOG = "UPDATE log SET head = ?1";
}

/// The connection through which posts are written.
pub(super) struct Posting {
    connection: Connection,
}

/// A room as the author of a post finds it.
struct Found {
    room: RoomId,
    last_seq: i64,
    author: UserRef,
    /// The author has posted in this room under the same client id before.
    is_repeat: bool,
}

impl Posting {
    /// Opens a database that exists already and is in write-ahead mode.
    pub fn open(file: &Path) -> Result<Self, rusqlite::Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(file, flags)?;
        connection.busy_timeout(LOCK_WAIT)?;
        for (name, value) in SETTINGS {
            connection.pragma_update(None, name, value)?;
        }
        Ok(Self { connection })
    }

    /// What is missing here to make a commit durable. Some file systems accept the settings without an error and ignore them.
    pub fn lacks(&self) -> Result<Option<&'static str>, rusqlite::Error> {
        let mode: String = self.connection.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
        let level: i64 = self.connection.query_row("PRAGMA synchronous", [], |row| row.get(0))?;
        Ok(match (&*mode, level) {
            ("wal", 2) => None,
            ("wal", _) => Some("full synchronisation is not available"),
            _ => Some("write-ahead logging is not available"),
        })
    }

    /// The length of the write-ahead log in frames, whether they were folded back or not. Asking takes no lock and reads no file.
    pub fn frames_in_log(&self) -> Result<i64, rusqlite::Error> {
        self.connection.prepare_cached("PRAGMA wal_checkpoint(NOOP)")?.query_row([], |row| row.get(1))
    }

    /// Writes posts in one transaction and returns what it has changed, or none when there was nothing to write. Each post then
    /// has its outcome.
    pub fn write(&mut self, posts: &mut [Post]) -> Result<Option<Committed>, BatchFailure> {
        let written = catch_unwind(AssertUnwindSafe(|| self.write_all(posts)));
        let failure = match written {
            Ok(Ok(tail)) if tail.committed.events.is_empty() => {
                return self.roll_back().map(|()| None);
            }
            Ok(Ok(tail)) => match self.connection.execute_batch("COMMIT") {
                Ok(()) => return Ok(Some(tail.committed)),
                Err(error) => BatchFailure::of_commit(error.into()),
            },
            Ok(Err(failure)) if failure.is_constraint() => BatchFailure::UndoneForOne(failure),
            Ok(Err(failure)) => BatchFailure::Undone(failure),
            Err(_) => BatchFailure::UndoneForPanic,
        };
        if !matches!(failure, BatchFailure::AtCommit(_)) {
            self.roll_back()?;
        }
        Err(failure)
    }

    /// Everything except the commit. Stops at the first failure, because `SQLite` may have rolled back by itself.
    fn write_all(&self, posts: &mut [Post]) -> Result<Tail, Failure> {
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let head = self.connection.prepare_cached(HEAD.sql)?.query_row([], |row| row.get(0))?;
        let mut tail = Tail::after(Position(head));
        let mut seqs = HashMap::new();
        for post in posts {
            post.outcome = self.write_one(post, &mut tail, &mut seqs)?;
        }
        for (room, seq) in seqs {
            self.connection.prepare_cached(ROOM.sql)?.execute(params![room.uuid(), seq])?;
        }
        self.connection.prepare_cached(LOG.sql)?.execute([tail.head().0])?;
        Ok(tail)
    }

    /// Writes a post unless a rule refuses it. `seqs` has the newest seq of each room that this transaction has posted to.
    fn write_one(
        &self,
        post: &mut Post,
        tail: &mut Tail,
        seqs: &mut HashMap<RoomId, i64>,
    ) -> Result<Outcome, Failure> {
        let found = match self.look(&post.new)? {
            Ok(found) => found,
            Err(refusal) => return Ok(Outcome::Refused(refusal.into())),
        };
        if found.is_repeat {
            return Ok(Outcome::Repeat(found.room));
        }
        if let Err(retry_after) = post.admit(found.room) {
            return Ok(Outcome::Refused(Error::TooMany { retry_after }));
        }
        let seq = seqs.entry(found.room).or_insert(found.last_seq);
        *seq += 1;
        let message = message_of(&post.new, found.room, *seq, found.author);
        self.insert(tail, &post.new, &message)?;
        Ok(Outcome::Written(message))
    }

    /// Finds the room of a post for its author.
    fn look(&self, new: &NewMessage) -> Result<Result<Found, Refusal>, rusqlite::Error> {
        let (id, name) = match &new.room {
            RoomRef::Id(id) => (Some(id.uuid()), None),
            RoomRef::Name(name) => (None, Some(name.as_str())),
        };
        let mut look = self.connection.prepare_cached(LOOK.sql)?;
        let asked = params![new.author.uuid(), id, name, new.client_id()];
        let found = look.query_row(asked, |row| found_of(row, new.author)).optional()?;
        Ok(found.unwrap_or(Err(Refusal::RoomNotFound)))
    }

    /// Writes a message and its event. All rules have been checked.
    fn insert(&self, tail: &mut Tail, new: &NewMessage, message: &Message) -> Result<(), Failure> {
        let event = event_of(message);
        let row = tail.number(&event)?;
        let (position, room, at) = (row.position.0, message.room.uuid(), message.created_at.micros());
        self.connection.prepare_cached(MESSAGE.sql)?.execute(params![
            position,
            message.id.uuid(),
            room,
            message.seq,
            message.author.id.uuid(),
            message.body.as_str(),
            new.client_id(),
            new.client_hash(),
            at,
        ])?;
        let (kind, seq) = (event.kind.as_str(), message.seq);
        let mut insert = self.connection.prepare_cached(INSERT_EVENT.sql)?;
        insert.execute(params![position, room, seq, kind, row.subject, row.data, at])?;
        Ok(())
    }

    /// Ends the transaction, unless `SQLite` has ended it already.
    fn roll_back(&self) -> Result<(), BatchFailure> {
        if self.connection.is_autocommit() {
            return Ok(());
        }
        self.connection.execute_batch("ROLLBACK").map_err(|error| BatchFailure::AtCommit(error.into()))
    }
}

fn found_of(row: &Row<'_>, author: UserId) -> Result<Result<Found, Refusal>, rusqlite::Error> {
    if row.get_ref("role")?.data_type() == Type::Null {
        let visibility: String = row.get("visibility")?;
        let parsed = Visibility::parse(&visibility).ok_or_else(|| unknown(&visibility))?;
        return Ok(Err(refusal_of_outsider(parsed)));
    }
    Ok(Ok(Found {
        room: RoomId::from_uuid(row.get("id")?),
        last_seq: row.get("head")?,
        author: UserRef {
            id: author,
            username: Username::stored(row.get("username")?),
            display_name: DisplayName::stored(row.get("display_name")?),
        },
        is_repeat: row.get_ref("position")?.data_type() != Type::Null,
    }))
}

/// The database has a visibility that this version does not know.
fn unknown(visibility: &str) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(1, Type::Text, format!("visibility {visibility:?}").into())
}

fn message_of(new: &NewMessage, room: RoomId, seq: i64, author: UserRef) -> Message {
    Message {
        id: new.id,
        room,
        seq,
        author,
        body: new.body.clone(),
        client_id: new.client_id.as_ref().map(|(id, _)| id.clone()),
        created_at: new.at,
        edited_at: None,
        deleted_at: None,
    }
}

fn event_of(message: &Message) -> NewEvent {
    NewEvent {
        kind: EventType::MessagePosted,
        room: message.room,
        seq: message.seq,
        at: message.created_at,
        actor: message.author.clone(),
        message: Some(message.clone()),
        member: None,
        room_state: None,
    }
}
