//! Rooms: the directory, the rooms of the caller, and making, changing and deleting rooms.

use super::limits::Counted;
use super::paging::{cut, name_in, token_of};
use super::{Chat, Made, Paged, Result, RoomChanges};
use crate::domain::ids::Position;
use crate::domain::names::{ClientId, RoomName, Title, Topic};
use crate::domain::refusal::Refusal;
use crate::domain::room::{RoomRef, RoomView, Visibility};
use crate::domain::search::folded;
use crate::domain::session::Caller;
use crate::storage;

/// A room to make. The caller becomes its owner.
#[derive(Clone, Debug)]
pub struct NewRoom {
    pub name: RoomName,
    pub title: Option<Title>,
    pub topic: Option<Topic>,
    pub visibility: Visibility,
    /// Makes repeats harmless: the same id gives the same room.
    pub client_id: Option<ClientId>,
}

/// All rooms of a person, and the position in the log at which they were read: their stream continues from there.
#[derive(Clone, Debug)]
pub struct MyRooms {
    pub rooms: Vec<RoomView>,
    pub head: Position,
}

impl Chat {
    /// A page of the public rooms, by name. `query` is looked for in name, title and topic. A page is bounded by the
    /// bytes of its texts, too: it may have fewer rooms than `limit`, and a page of a search none, and still be followed by others.
    pub async fn directory(
        &self,
        caller: Caller,
        query: Option<&str>,
        page: Option<&str>,
        limit: u32,
    ) -> Result<Paged<RoomView>> {
        self.limits.take(Counted::Read(caller.user))?;
        let after = page.map(room_name_in).transpose()?;
        let one_more = i64::from(limit) + 1;
        let found = match query.map(folded).filter(|text| !text.is_empty()) {
            Some(text) => self.store.search_directory(caller.user, &text, after.as_ref(), one_more).await?,
            None => self.store.directory(caller.user, after.as_ref(), one_more).await?,
        };
        let mut entries = found.rooms;
        let next_page = cut(&mut entries, limit, |room| room.state.name.as_str())
            .or_else(|| found.through.map(|name| token_of(name.as_str())));
        Ok(Paged { entries, next_page })
    }

    pub async fn my_rooms(&self, caller: Caller) -> Result<MyRooms> {
        self.limits.take(Counted::Read(caller.user))?;
        let (rooms, head) = self.store.rooms_of_user(caller.user).await?;
        Ok(MyRooms { rooms, head })
    }

    pub async fn create_room(&self, caller: Caller, room: NewRoom) -> Result<Made<RoomView>> {
        self.limits.take(Counted::Join(caller.user))?;
        let counted = Counted::CreateRoom(caller.user);
        self.limits.take(counted.clone())?;
        let hash = self.tokens.content_hash(&content_of(&room));
        let new = storage::NewRoom {
            id: self.ids.room(),
            owner: caller.user,
            name: room.name,
            title: room.title,
            topic: room.topic,
            visibility: room.visibility,
            client_id: room.client_id.map(|id| (id, hash)),
            at: self.clock.now(),
        };
        let made = self.store.create_room(new).await;
        // Only a new room counts for the rooms of a day: refusals and repeats do not. The journal makes the room also for a client
        // that hangs up, so nothing is given back where this point is not reached.
        if !made.as_ref().is_ok_and(|made| made.new) {
            self.limits.give_back(&counted);
        }
        Ok(made?)
    }

    pub async fn room(&self, caller: Caller, room: &RoomRef) -> Result<RoomView> {
        self.limits.take(Counted::Read(caller.user))?;
        Ok(self.store.room(room, caller.user).await?)
    }

    pub async fn update_room(
        &self,
        caller: Caller,
        room: &RoomRef,
        changes: RoomChanges,
    ) -> Result<RoomView> {
        self.limits.take(Counted::Post(caller.user))?;
        Ok(self.store.update_room(room.clone(), caller.user, changes, self.clock.now()).await?)
    }

    pub async fn delete_room(&self, caller: Caller, room: &RoomRef) -> Result<()> {
        self.limits.take(Counted::Post(caller.user))?;
        Ok(self.store.delete_room(room.clone(), caller.user, self.clock.now()).await?)
    }
}

fn room_name_in(page: &str) -> Result<RoomName> {
    Ok(RoomName::parse(&name_in(page)?).map_err(|_| Refusal::BadPage)?)
}

/// The text that is equal for two calls exactly when they ask for the same room. No part can contain the separator.
fn content_of(room: &NewRoom) -> String {
    let title = room.title.as_ref().map_or("", Title::as_str);
    let topic = room.topic.as_ref().map_or("", Topic::as_str);
    [room.name.as_str(), title, topic, room.visibility.as_str()].join("\n")
}
