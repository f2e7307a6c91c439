//! Read marks on the wire.

use poem_openapi::Object;
use serde::{Deserialize, Serialize};

use crate::api::payload::Input;
use crate::domain::ids::MessageId;
use crate::domain::read_mark;

/// The message that a read mark is moved to.
#[derive(Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct ReadInput {
    /// UUID of a message of the room. It may be a deleted one.
    pub message: String,
}

/// How far the caller has read a room. It is the same on all devices.
#[derive(Debug, Serialize, Object)]
pub struct ReadMark {
    /// UUID of the room.
    pub room: String,
    /// Grows with every change of the caller's mark in this room, also over leaving and coming back: drop a mark that is older than the
    /// one you have.
    pub version: i64,
    /// UUID of the newest message read; absent when none is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_read: Option<String>,
    /// Its `seq`; 0 when there is none.
    pub last_read_seq: i64,
    /// Messages of others after the mark that are not deleted. It is exact below 100, and 100 means 100 or more.
    pub unread_count: i64,
    /// Those of them that mention the caller, counted likewise.
    pub mention_count: i64,
}

impl Input for ReadInput {}

impl ReadInput {
    /// None for what is written like no id: there is no such message.
    pub fn parse(&self) -> Option<MessageId> {
        MessageId::parse(&self.message)
    }
}

impl From<read_mark::ReadMark> for ReadMark {
    fn from(mark: read_mark::ReadMark) -> Self {
        Self {
            room: mark.room.to_string(),
            version: mark.version,
            last_read: mark.last_read.map(|message| message.to_string()),
            last_read_seq: mark.last_read_seq,
            unread_count: mark.unread_count,
            mention_count: mark.mention_count,
        }
    }
}
