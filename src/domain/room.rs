//! Rooms: what they are, who may find them, and how a request names one.

use serde::Serialize;

use super::clock::Timestamp;
use super::ids::{Position, RoomId};
use super::membership::Role;
use super::message::Message;
use super::names::{RoomName, Title, Topic};
use super::read_mark::ReadMark;

/// Public rooms are listed, and anyone who is signed in may join. For people who are not members private rooms do not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    Public,
    Private,
}

impl Visibility {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private => "private",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "public" => Some(Self::Public),
            "private" => Some(Self::Private),
            _ => None,
        }
    }
}

/// A room as every member sees it. Events carry it, so nothing in it depends on the reader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RoomState {
    pub id: RoomId,
    pub name: RoomName,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<Title>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<Topic>,
    pub visibility: Visibility,
    pub created_at: Timestamp,
    pub member_count: i64,
    /// The seq of the room's newest event. Seqs count 1, 2, 3 ...
    pub last_seq: i64,
}

/// A room as one reader fetched it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomView {
    pub state: RoomState,
    /// The reader's own role. None if the reader is not a member.
    pub role: Option<Role>,
    /// How far the reader has read. None if the reader is not a member, and in the directory.
    pub read: Option<ReadMark>,
    /// The newest message that is not deleted, likewise.
    pub last_message: Option<Message>,
    /// The end of the log, read in the same transaction.
    pub head: Position,
}

/// How a request names a room: a text that is written as an id is one, and any other is the unique name of a public room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoomRef {
    Id(RoomId),
    Name(RoomName),
}

impl RoomView {
    /// The room without what is the reader's own.
    pub const fn new(state: RoomState, role: Option<Role>, head: Position) -> Self {
        Self { state, role, read: None, last_message: None, head }
    }
}

impl RoomRef {
    /// None for a text that can be neither an id nor a name: there is no such room.
    pub fn parse(text: &str) -> Option<Self> {
        match RoomId::parse(text) {
            Some(id) => Some(Self::Id(id)),
            None => RoomName::parse(text).ok().map(Self::Name),
        }
    }
}
