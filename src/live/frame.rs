//! Frames: the bytes of one event or notice as a stream carries them (WHATWG HTML, server-sent events). Every `data` is
//! one line of JSON from serde and every id is a cursor of ours, so nothing a user wrote can end a line.

use bytes::Bytes;
use serde::Serialize;

use crate::domain::clock::Timestamp;
use crate::domain::cursor::Cursors;
use crate::domain::event::{Event, EventType};
use crate::domain::ids::{Position, RoomId, UserId};

/// One event of the log, encoded once and shared by all who get it.
#[derive(Clone, Debug)]
pub struct Frame {
    pub position: Position,
    pub room: RoomId,
    pub kind: EventType,
    /// Whom a membership event is about.
    pub person: Option<UserId>,
    pub bytes: Bytes,
}

impl Frame {
    pub fn of(event: &Event, cursors: &Cursors) -> Self {
        let cursor = cursors.encode(event.position);
        // The stored object begins with a brace and is never empty: the cursor goes in before its first field.
        let fields = event.data.get(1..).unwrap_or("}");
        let bytes = format!("id: {cursor}\ndata: {{\"cursor\":\"{cursor}\",{fields}\n\n").into();
        Self { position: event.position, room: event.room, kind: event.kind, person: event.person, bytes }
    }

    /// Whether this tells of somebody's own place in the room.
    pub fn is_own(&self, reader: UserId) -> bool {
        self.person == Some(reader)
    }

    /// Whether nothing of the room may reach the reader after this.
    pub fn removes(&self, reader: UserId) -> bool {
        match self.kind {
            EventType::RoomDeleted => true,
            EventType::MemberLeft => self.is_own(reader),
            _ => false,
        }
    }
}

/// Why a cursor could not be honoured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ResetReason {
    /// Malformed, forged, or of a time that this database has not lived through.
    UnknownCursor,
    /// Older than what the log keeps.
    Retention,
    /// More events were missed than `max_replay` allows.
    MaxReplay,
}

/// Why a stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ByeReason {
    /// The session's newest access token has expired: refresh and resume.
    Expired,
    /// The server is going away: resume.
    Shutdown,
    /// The session has ended.
    SignedOut,
    /// The reader is no longer a member of the room.
    Removed,
    /// The room is gone.
    Deleted,
}

/// What the first frame with data says.
#[derive(Clone, Debug, Serialize)]
pub struct Hello {
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub cursor: String,
    pub heartbeat_seconds: u64,
    pub expires_at: Timestamp,
    pub resumed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<ResetReason>,
}

impl Hello {
    pub fn frame(&self) -> Bytes {
        let Self { kind, cursor, .. } = self;
        format!("event: {kind}\nid: {cursor}\ndata: {}\n\n", json(self)).into()
    }
}

/// How long a plain `EventSource` waits before it comes back; proxies flush on it.
pub fn retry(ms: u64) -> Bytes {
    format!("retry: {ms}\n\n").into()
}

pub fn ping(at: Timestamp) -> Bytes {
    #[derive(Serialize)]
    struct Ping {
        #[serde(rename = "type")]
        kind: &'static str,
        at: Timestamp,
    }
    format!("event: ping\ndata: {}\n\n", json(&Ping { kind: "ping", at })).into()
}

/// The last frame. `retry_ms` says when to come back; without it, not at all.
pub fn bye(reason: ByeReason, retry_ms: Option<u64>) -> Bytes {
    #[derive(Serialize)]
    struct Bye {
        #[serde(rename = "type")]
        kind: &'static str,
        reason: ByeReason,
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_seconds: Option<u64>,
    }
    let retry = retry_ms.map(|ms| format!("retry: {ms}\n")).unwrap_or_default();
    let bye = Bye { kind: "bye", reason, retry_seconds: retry_ms.map(|ms| ms.div_ceil(1_000)) };
    format!("{retry}event: bye\ndata: {}\n\n", json(&bye)).into()
}

fn json(notice: &impl Serialize) -> String {
    // Plain structs of strings and numbers: there is no map key or number that serde_json could refuse.
    serde_json::to_string(notice).expect("a notice always encodes")
}
