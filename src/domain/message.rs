//! Messages: the rule for a body, and what a stored message is.

use serde::Serialize;

use super::clock::Timestamp;
use super::emoji::Reaction;
use super::ids::{MessageId, Position, RoomId};
use super::names::ClientId;
use super::text::{TextError, is_noncharacter, is_visible};
use super::user::UserRef;

/// Most code points in a body.
pub const MAX_BODY_POINTS: usize = 4_000;
/// Most bytes of UTF-8 in a body.
pub const MAX_BODY_BYTES: usize = 16 * 1024;
/// Most lines of a body: more of them push everything else of a room off the screen.
pub const MAX_BODY_LINES: usize = 200;

/// Most messages that a room has pinned at a time: all of them are read at once.
pub const MAX_PINS: i64 = 50;

/// What somebody said: 1 to 4,000 code points, at most 16 KiB, on at most 200 lines, with something visible among them. Line
/// ends are LF, and there is no control character but LF and TAB.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct MessageBody(String);

impl MessageBody {
    /// CR LF and CR become LF before anything is counted.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        if text.is_empty() {
            return Err(TextError::Empty);
        }
        if text.len() > MAX_BODY_BYTES || text.chars().count() > MAX_BODY_POINTS {
            return Err(TextError::TooLong { most: MAX_BODY_POINTS });
        }
        if text.chars().any(|c| (c.is_control() && c != '\n' && c != '\t') || is_noncharacter(c)) {
            return Err(TextError::Forbidden);
        }
        if text.chars().filter(|c| matches!(c, '\n' | '\u{2028}' | '\u{2029}')).count() >= MAX_BODY_LINES {
            return Err(TextError::TooManyLines { most: MAX_BODY_LINES });
        }
        if !text.chars().any(is_visible) {
            return Err(TextError::Invisible);
        }
        Ok(Self(text))
    }

    /// A body that was checked when it was stored; empty for a deleted message.
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A message as it is now. In JSON, as events carry it, the body is left out: see [`MessageText`](super::event::MessageText).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Message {
    pub id: MessageId,
    pub room: RoomId,
    pub seq: i64,
    pub author: UserRef,
    #[serde(skip)]
    pub body: MessageBody,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<ClientId>,
    pub created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edited_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
    /// Whom it mentions, in the order of the text.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<UserRef>,
    /// Whether it mentions everybody in the room.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub mentions_room: bool,
    /// The message of the same room that this one answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<MessageId>,
    /// How many answers it has that are not deleted.
    #[serde(skip_serializing_if = "is_zero")]
    pub reply_count: i64,
    /// In the order in which they were first used.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reactions: Vec<Reaction>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pinned_at: Option<Timestamp>,
}

impl Message {
    pub fn is_deleted(&self) -> bool {
        self.deleted_at.is_some()
    }

    /// What is left of it: its place, its author, and what it answers.
    #[must_use]
    pub fn deleted(self, at: Timestamp) -> Self {
        let body = MessageBody::stored(String::new());
        Self {
            body,
            deleted_at: Some(at),
            reactions: Vec::new(),
            pinned_at: None,
            mentions: Vec::new(),
            mentions_room: false,
            ..self
        }
    }
}

/// A page of messages of a room, oldest first.
#[derive(Clone, Debug)]
pub struct MessagePage {
    pub messages: Vec<Message>,
    /// What they answer and what is not on the page itself, oldest first.
    pub referenced: Vec<Message>,
    /// The position before which the page of older messages ends. None at the start of the room.
    pub prev: Option<Position>,
    /// The position after which the page of newer messages begins. None at the newest message.
    pub next: Option<Position>,
    /// The end of the log, read in the same transaction as the messages.
    pub head: Position,
    pub last_seq: i64,
}

/// Which page of the history is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageStart {
    Newest,
    Before(Position),
    After(Position),
    Around(MessageId),
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(count: &i64) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_become_lf_and_controls_are_refused() {
        assert_eq!(MessageBody::parse("a\r\nb\rc").map(|b| b.0), Ok("a\nb\nc".into()));
        for bad in ["\0", "a\u{7f}", "\u{85}", "\u{fdd0}", "\u{1b}[31m"] {
            assert_eq!(MessageBody::parse(bad), Err(TextError::Forbidden), "{bad:?}");
        }
        assert!(MessageBody::parse("tab\tand\nline, עברית, देवनागरी, 👩‍👩‍👧‍👦").is_ok());
    }

    #[test]
    fn a_body_has_something_visible_on_at_most_200_lines() {
        for invisible in [" ", "\t\n ", "\u{2800}\u{3164}", "\u{200b}\u{feff}", "\u{e0041}", "\u{301}"] {
            assert_eq!(MessageBody::parse(invisible), Err(TextError::Invisible), "{invisible:?}");
        }
        assert!(MessageBody::parse(&("\r\n".repeat(199) + ".")).is_ok());
        for end in ["\n", "\r\n", "\r", "\u{2028}", "\u{2029}"] {
            let long = end.repeat(200) + ".";
            assert_eq!(MessageBody::parse(&long), Err(TextError::TooManyLines { most: 200 }), "{end:?}");
        }
    }

    #[test]
    fn length_is_counted_in_code_points_and_bounded_in_bytes() {
        assert!(MessageBody::parse(&"字".repeat(4_000)).is_ok());
        assert!(MessageBody::parse(&"𝄞".repeat(4_000)).is_ok());
        assert_eq!(MessageBody::parse(&"a".repeat(4_001)), Err(TextError::TooLong { most: 4_000 }));
        assert_eq!(MessageBody::parse(""), Err(TextError::Empty));
    }
}
