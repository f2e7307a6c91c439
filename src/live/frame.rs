//! Frames: the bytes of one event or notice as a stream carries them (WHATWG HTML, server-sent events). Every `data` is
//! one line of JSON from serde and every id is a cursor of ours, so nothing a user wrote can end a line.
//!
//! A frame is encoded once for all who get it, as a chunk of HTTP/1.1 (RFC 9112, 7.1): what a socket gets is these bytes.

use std::fmt::Write;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;

use crate::domain::clock::Timestamp;
use crate::domain::cursor::Cursors;
use crate::domain::event::{Audience, Ending, Event, EventType};
use crate::domain::ids::{Position, RoomId, UserId};

/// The end of a body that is sent in chunks.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Most bytes that a chunk adds to its text: eight digits and two line ends.
const FRAMING: usize = 12;
/// Bytes to reserve for a frame beside the event's data and its cursor, which stands in it twice. A few more than needed.
const FIELDS: usize = 32;

/// How the client knows where the body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// HTTP/1.1: in chunks.
    Chunks,
    /// HTTP/1.0: by the end of the connection.
    Plain,
}

/// The bytes of one frame, framed as a chunk.
#[derive(Clone, Debug)]
pub struct Chunk {
    bytes: Bytes,
    /// Bytes of the chunk's size line.
    size_line: u8,
}

impl Chunk {
    fn of(text: &str) -> Self {
        let mut framed = String::new();
        let size_line = push_chunk(&mut framed, text);
        Self { bytes: framed.into(), size_line }
    }

    /// Its bytes in a body of this framing.
    pub fn bytes(&self, framing: Framing) -> &[u8] {
        match framing {
            Framing::Chunks => &self.bytes,
            Framing::Plain => &self.bytes[usize::from(self.size_line)..self.bytes.len() - 2],
        }
    }

    /// The same, shared.
    pub fn to_bytes(&self, framing: Framing) -> Bytes {
        self.bytes.slice_ref(self.bytes(framing))
    }

    /// Its bytes in memory.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }
}

/// Appends a text as a chunk and gives the length of its size line, which a `u8` always holds.
fn push_chunk(bytes: &mut String, text: &str) -> u8 {
    let before = bytes.len();
    bytes.reserve(text.len() + FRAMING);
    // Writing into a String cannot fail.
    let _ = write!(bytes, "{:x}\r\n", text.len());
    let size_line = bytes.len() - before;
    bytes.push_str(text);
    bytes.push_str("\r\n");
    u8::try_from(size_line).unwrap_or(u8::MAX)
}

/// One event of the log, encoded once and shared by all who get it.
#[derive(Clone, Debug)]
pub struct Frame {
    pub position: Position,
    pub room: RoomId,
    pub kind: EventType,
    /// Whom an event about a membership is about, or whom it is for.
    pub person: Option<UserId>,
    /// The message whose text it carries, by the position at which that was posted.
    pub text_of: Option<Position>,
    pub chunk: Chunk,
}

impl Frame {
    /// Whether this tells of somebody's own place in the room, or is for that person alone.
    pub fn is_own(&self, reader: UserId) -> bool {
        self.person == Some(reader)
    }

    /// Whether it is for one person alone.
    pub fn is_personal(&self) -> bool {
        self.kind.audience() == Audience::Person
    }

    /// Whether it carries a text of the same message as another frame.
    pub fn has_text_of(&self, other: &Self) -> bool {
        self.text_of.is_some() && self.text_of == other.text_of
    }

    /// Whether it carries a text of one of these messages.
    pub fn has_text_of_any(&self, messages: &[Position]) -> bool {
        self.text_of.is_some_and(|message| messages.contains(&message))
    }

    /// Whether nothing of the room may reach the reader after this.
    pub fn removes(&self, reader: UserId) -> bool {
        match self.kind.ending() {
            Ending::Room => true,
            Ending::Membership => self.is_own(reader),
            Ending::Session | Ending::Nothing => false,
        }
    }
}

/// Frames that follow each other in the log of one reader or room, in one buffer.
#[derive(Clone, Debug)]
pub struct Run {
    pub frames: Vec<Arc<Frame>>,
    /// All of them, framed.
    pub bytes: Bytes,
    /// Whether it changes for anybody what may be seen of the room.
    pub changes_readers: bool,
}

impl Run {
    pub fn of<'e>(events: impl IntoIterator<Item = &'e Event>, cursors: &Cursors) -> Self {
        let (mut bytes, mut text, mut parts) = (String::new(), String::new(), Vec::new());
        for event in events {
            // What is no room's is for nodes alone, and no stream shows it.
            let Some(room) = event.room() else { continue };
            text.clear();
            push_event(&mut text, event, cursors);
            let begin = bytes.len();
            let size_line = push_chunk(&mut bytes, &text);
            parts.push((event, room, begin..bytes.len(), size_line));
        }
        let bytes = Bytes::from(bytes);
        let frame = |(event, room, range, size_line): (&Event, _, _, _)| {
            Arc::new(Frame {
                position: event.position,
                room,
                kind: event.kind,
                person: event.person(),
                text_of: event.text.as_ref().map(|text| text.message),
                chunk: Chunk { bytes: bytes.slice(range), size_line },
            })
        };
        let frames: Vec<_> = parts.into_iter().map(frame).collect();
        let changes_readers = frames.iter().any(|frame| frame.kind.changes_readers());
        Self { frames, bytes, changes_readers }
    }

    /// The same in pieces of at most so many bytes each, or of one frame.
    pub fn cut(run: &Arc<Self>, most: usize) -> Vec<Arc<Self>> {
        if run.bytes.len() <= most {
            return vec![run.clone()];
        }
        let (mut pieces, mut begin, mut offset, mut bytes) = (Vec::new(), 0, 0, 0);
        for (end, frame) in run.frames.iter().enumerate() {
            let length = frame.chunk.len();
            if bytes > 0 && bytes + length > most {
                pieces.push(run.part(begin..end, offset..offset + bytes));
                (begin, offset, bytes) = (end, offset + bytes, 0);
            }
            bytes += length;
        }
        pieces.push(run.part(begin..run.frames.len(), offset..offset + bytes));
        pieces
    }

    fn part(&self, frames: Range<usize>, bytes: Range<usize>) -> Arc<Self> {
        let frames = self.frames[frames].to_vec();
        Arc::new(Self { frames, bytes: self.bytes.slice(bytes), changes_readers: self.changes_readers })
    }

    /// Position of the last frame; an empty run has none.
    pub fn last(&self) -> Option<Position> {
        self.frames.last().map(|frame| frame.position)
    }
}

fn push_event(text: &mut String, event: &Event, cursors: &Cursors) {
    let cursor = cursors.of_event(event.position);
    // The stored object begins with a brace and is never empty: the cursor goes in before its first field.
    let json = event.json();
    let fields = json.get(1..).unwrap_or("}");
    text.reserve(fields.len() + 2 * cursor.len() + FIELDS);
    let _ = write!(text, "id: {cursor}\ndata: {{\"cursor\":\"{cursor}\",{fields}\n\n");
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
    /// The reader stays behind what happens: resume.
    Slow,
    /// The server is going away: resume.
    Shutdown,
    /// The session has ended.
    SignedOut,
    /// The reader is no longer a member of the room.
    Removed,
    /// The room is gone.
    Deleted,
}

impl ByeReason {
    /// As on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Slow => "slow",
            Self::Shutdown => "shutdown",
            Self::SignedOut => "signed_out",
            Self::Removed => "removed",
            Self::Deleted => "deleted",
        }
    }
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
    pub fn chunk(&self) -> Chunk {
        let Self { kind, cursor, .. } = self;
        Chunk::of(&format!("event: {kind}\nid: {cursor}\ndata: {}\n\n", json(self)))
    }
}

/// How long a plain `EventSource` waits before it comes back; proxies flush on it.
pub fn retry(ms: u64) -> Chunk {
    Chunk::of(&format!("retry: {ms}\n\n"))
}

pub fn ping(at: Timestamp) -> Chunk {
    #[derive(Serialize)]
    struct Ping {
        #[serde(rename = "type")]
        kind: &'static str,
        at: Timestamp,
    }
    Chunk::of(&format!("event: ping\ndata: {}\n\n", json(&Ping { kind: "ping", at })))
}

/// The last frame. `retry_ms` says when to come back; without it, not at all.
pub fn bye(reason: ByeReason, retry_ms: Option<u64>) -> Chunk {
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
    Chunk::of(&format!("{retry}event: bye\ndata: {}\n\n", json(&bye)))
}

fn json(notice: &impl Serialize) -> String {
    // Plain structs of strings and numbers: there is no map key or number that serde_json could refuse.
    serde_json::to_string(notice).expect("a notice always encodes")
}
