//! Tag Rooms: the directory, and rooms themselves.

use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};

use super::auth::Caller;
use super::fail::{Outcome, refusals};
use super::paging::{limit_of, room_ref};
use super::payload::Body;
use super::reply::{CreatedOrFound, Done, Reply};
use super::wire::room::{Room, RoomInput, RoomPage, RoomPatch};
use super::{State, Tag};

#[derive(Default)]
pub struct RoomsApi;

refusals! {
    ListRooms: BadPage;
    CreateRoom: RoomNotFound, RoomNameTaken, ClientIdReused, TooManyRooms, TextNotAllowed;
    GetRoom: RoomNotFound;
    UpdateRoom: RoomNotFound, NotAMember, NotAnOwner, RoomNameTaken, TextNotAllowed;
    DeleteRoom: RoomNotFound, NotAMember, NotAnOwner;
}

#[OpenApi(prefix_path = "/v1", tag = "Tag::Rooms")]
impl RoomsApi {
    /// List public rooms
    ///
    /// The directory, by name. Pages stay stable while rooms come and go. A page has at most 256 KiB of titles and topics, so it
    /// may have fewer rooms than `limit`, and a page of a search none, while there are more: ask for the next one as long as
    /// there is a `next_page`.
    #[oai(path = "/rooms", method = "get", operation_id = "listRooms")]
    async fn list_rooms(
        &self,
        caller: Caller,
        Data(state): Data<&State>,
        /// Only rooms whose name, title or topic contains this, whatever the case: GROSSE finds große.
        #[oai(validator(max_length = 64))]
        q: Query<Option<String>>,
        /// The `next_page` of the page before.
        #[oai(validator(max_length = 512))]
        page: Query<Option<String>>,
        /// Most entries of the page; 50 if absent.
        #[oai(validator(minimum(value = "1"), maximum(value = "200")))]
        limit: Query<Option<i32>>,
    ) -> Outcome<Reply<RoomPage>, ListRooms> {
        let chat = state.chat();
        let rooms = chat.directory(caller.0, q.as_deref(), page.as_deref(), limit_of(limit.0)).await?;
        Ok(Reply(RoomPage::new(rooms, chat.cursors())))
    }

    /// Make a room
    ///
    /// The caller becomes its owner. 200 if the caller made it before under the same `client_id`; 404 if that room is gone.
    #[oai(path = "/rooms", method = "post", operation_id = "createRoom")]
    async fn create_room(
        &self,
        caller: Caller,
        Data(state): Data<&State>,
        body: Body<RoomInput>,
    ) -> Outcome<CreatedOrFound<Room>, CreateRoom> {
        let made = state.chat().create_room(caller.0, body.0.parse()?).await?;
        Ok(CreatedOrFound::from_made(made, |view| Room::new(view, state.chat().cursors())))
    }

    /// Look at a room
    ///
    /// Public rooms can be looked at by anyone signed in, private ones by their members.
    #[oai(path = "/rooms/:room", method = "get", operation_id = "getRoom")]
    async fn get_room(
        &self,
        caller: Caller,
        Data(state): Data<&State>,
        /// UUID of the room, or the name of a public one.
        room: Path<String>,
    ) -> Outcome<Reply<Room>, GetRoom> {
        let view = state.chat().room(caller.0, &room_ref(&room)?).await?;
        Ok(Reply(Room::new(view, state.chat().cursors())))
    }

    /// Change a room
    ///
    /// For owners. What is absent stays as it is; an empty title or topic is removed.
    #[oai(path = "/rooms/:room", method = "patch", operation_id = "updateRoom")]
    async fn update_room(
        &self,
        caller: Caller,
        Data(state): Data<&State>,
        /// UUID of the room, or the name of a public one.
        room: Path<String>,
        body: Body<RoomPatch>,
    ) -> Outcome<Reply<Room>, UpdateRoom> {
        let view = state.chat().update_room(caller.0, &room_ref(&room)?, body.0.parse()?).await?;
        Ok(Reply(Room::new(view, state.chat().cursors())))
    }

    /// Delete a room
    ///
    /// For owners. Its messages go with it, and its streams end.
    #[oai(path = "/rooms/:room", method = "delete", operation_id = "deleteRoom")]
    async fn delete_room(
        &self,
        caller: Caller,
        Data(state): Data<&State>,
        /// UUID of the room, or the name of a public one.
        room: Path<String>,
    ) -> Outcome<Done, DeleteRoom> {
        state.chat().delete_room(caller.0, &room_ref(&room)?).await?;
        Ok(Done)
    }
}
