//! Rooms on the wire.

use poem_openapi::{Enum, Object};
use serde::{Deserialize, Serialize};

use super::message::Message;
use super::read_mark::ReadMark;
use super::{clearable, field, optional};
use crate::api::payload::{Input, UnknownVariant};
use crate::api::problem::Problem;
use crate::chat::{self, NewRoom};
use crate::domain::cursor::Cursors;
use crate::domain::names::{ClientId, RoomName, Title, Topic};
use crate::domain::room::{self, RoomView};

/// Who may find and join a room. `public`: it is listed, and anyone signed in may join. `private`: it is invisible to all
/// but its members. A new room is public unless it says otherwise.
#[derive(Clone, Copy, Debug, Deserialize, Enum)]
#[serde(try_from = "String")]
#[oai(rename_all = "lowercase")]
pub enum RoomVisibility {
    Public,
    Private,
}

/// A new room; its maker becomes its owner.
#[derive(Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct RoomInput {
    /// The name in addresses; unique among public rooms. It must not be written like a UUID (422).
    #[oai(validator(pattern = "^[a-z0-9-]{1,64}$"))]
    pub name: String,
    /// The name to show.
    #[oai(validator(min_length = 1, max_length = 64))]
    pub title: Option<String>,
    /// What the room is about.
    #[oai(validator(min_length = 1, max_length = 500))]
    pub topic: Option<String>,
    pub visibility: Option<RoomVisibility>,
    /// Makes repeating the request harmless: the same id gives the same room.
    #[oai(validator(pattern = "^[A-Za-z0-9_-]{1,64}$"))]
    pub client_id: Option<String>,
}

/// What to change about a room; what is absent stays.
#[derive(Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct RoomPatch {
    /// The name in addresses.
    #[oai(validator(pattern = "^[a-z0-9-]{1,64}$"))]
    pub name: Option<String>,
    /// The name to show; an empty one removes it.
    #[oai(validator(max_length = 64))]
    pub title: Option<String>,
    /// What the room is about; an empty one removes it.
    #[oai(validator(max_length = 500))]
    pub topic: Option<String>,
    pub visibility: Option<RoomVisibility>,
}

/// A room, as the caller sees it at `cursor`.
#[derive(Debug, Serialize, Object)]
pub struct Room {
    /// UUID; never changes.
    pub id: String,
    /// The name in addresses.
    pub name: String,
    /// The name to show.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What the room is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// `public` or `private`; more may come.
    pub visibility: String,
    /// When it was made.
    pub created_at: String,
    /// How many people are in it.
    pub member_count: i64,
    /// The `seq` of the room's newest event.
    pub last_seq: i64,
    /// The place in the log at which all this was so: stream from here.
    pub cursor: String,
    /// What the caller is in the room: `owner` or `member`; absent when not in it; more may come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// How far the caller has read; absent when the caller is not in the room, and in listRooms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read: Option<ReadMark>,
    /// The newest message that is not deleted, likewise; absent, too, when there is none. listMyRooms has at most 2 MiB of their texts and
    /// leaves out what does not fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_message: Option<Message>,
}

/// A room as events tell of it: the same for every reader.
#[derive(Debug, Serialize, Object)]
pub struct RoomState {
    /// UUID; never changes.
    pub id: String,
    /// The name in addresses.
    pub name: String,
    /// The name to show.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What the room is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// `public` or `private`; more may come.
    pub visibility: String,
    /// When it was made.
    pub created_at: String,
    /// How many people are in it.
    pub member_count: i64,
    /// The `seq` of the room's newest event.
    pub last_seq: i64,
}

/// A page of the directory.
#[derive(Debug, Serialize, Object)]
pub struct RoomPage {
    /// By name.
    pub items: Vec<Room>,
    /// Give it as `page` to get the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_page: Option<String>,
}

/// All rooms of the caller: the snapshot for streamEvents.
#[derive(Debug, Serialize, Object)]
pub struct MyRooms {
    /// By name; not paged.
    pub items: Vec<Room>,
    /// The place in the log at which all this was so: stream from here.
    pub cursor: String,
}

impl Input for RoomInput {}
impl Input for RoomPatch {}

impl RoomInput {
    pub fn parse(self) -> Result<NewRoom, Problem> {
        Ok(NewRoom {
            name: field("/name", &self.name, RoomName::parse)?,
            title: optional("/title", self.title.as_ref(), Title::parse)?,
            topic: optional("/topic", self.topic.as_ref(), Topic::parse)?,
            visibility: self.visibility.unwrap_or(RoomVisibility::Public).into(),
            client_id: optional("/client_id", self.client_id.as_ref(), ClientId::parse)?,
        })
    }
}

impl RoomPatch {
    pub fn parse(self) -> Result<chat::RoomChanges, Problem> {
        Ok(chat::RoomChanges {
            name: optional("/name", self.name.as_ref(), RoomName::parse)?,
            title: clearable("/title", self.title.as_ref(), Title::parse)?,
            topic: clearable("/topic", self.topic.as_ref(), Topic::parse)?,
            visibility: self.visibility.map(Into::into),
        })
    }
}

impl TryFrom<String> for RoomVisibility {
    type Error = UnknownVariant;

    fn try_from(text: String) -> Result<Self, UnknownVariant> {
        match text.as_str() {
            "public" => Ok(Self::Public),
            "private" => Ok(Self::Private),
            _ => Err(UnknownVariant),
        }
    }
}

impl From<RoomVisibility> for room::Visibility {
    fn from(visibility: RoomVisibility) -> Self {
        match visibility {
            RoomVisibility::Public => Self::Public,
            RoomVisibility::Private => Self::Private,
        }
    }
}

impl Room {
    pub fn new(view: RoomView, cursors: &Cursors) -> Self {
        let cursor = cursors.of_snapshot(view.head);
        Self::with_cursor(view, cursor)
    }

    fn with_cursor(view: RoomView, cursor: String) -> Self {
        let state = RoomState::from(view.state);
        Self {
            id: state.id,
            name: state.name,
            title: state.title,
            topic: state.topic,
            visibility: state.visibility,
            created_at: state.created_at,
            member_count: state.member_count,
            last_seq: state.last_seq,
            cursor,
            role: view.role.map(|role| role.to_string()),
            read: view.read.map(Into::into),
            last_message: view.last_message.map(Into::into),
        }
    }
}

impl From<room::RoomState> for RoomState {
    fn from(state: room::RoomState) -> Self {
        Self {
            id: state.id.to_string(),
            name: state.name.to_string(),
            title: state.title.map(|title| title.to_string()),
            topic: state.topic.map(|topic| topic.to_string()),
            visibility: state.visibility.as_str().to_owned(),
            created_at: state.created_at.to_string(),
            member_count: state.member_count,
            last_seq: state.last_seq,
        }
    }
}

impl RoomPage {
    pub fn new(page: chat::Paged<RoomView>, cursors: &Cursors) -> Self {
        // The rooms of a page are read in one snapshot, which has one cursor.
        let cursor = page.entries.first().map(|view| cursors.of_snapshot(view.head)).unwrap_or_default();
        let items = page.entries.into_iter().map(|view| Room::with_cursor(view, cursor.clone())).collect();
        Self { items, next_page: page.next_page }
    }
}

impl MyRooms {
    pub fn new(mine: chat::MyRooms, cursors: &Cursors) -> Self {
        let cursor = cursors.of_snapshot(mine.head);
        let items = mine.rooms.into_iter().map(|view| Room::with_cursor(view, cursor.clone())).collect();
        Self { items, cursor }
    }
}
