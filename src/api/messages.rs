//! Tag Messages: posting, reading history, and what happens to a message afterwards.

use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};

use super::auth::{Author, Caller};
use super::fail::{Outcome, refusals};
use super::paging::{history_start, limit_of, message_id, replies_start, room_ref};
use super::payload::Body;
use super::problem::Problem;
use super::reply::{CreatedOrFound, Done, Reply};
use super::wire::message::{Message, MessageInput, MessagePage, MessagePatch, PinList};
use super::{State, Tag};

#[derive(Default)]
pub struct MessagesApi;

refusals! {
    PostMessage: RoomNotFound, NotAMember, ClientIdReused, TextNotAllowed, ReplyNotFound;
    ListMessages: RoomNotFound, NotAMember, MessageNotFound, BadCursor;
    GetMessage: RoomNotFound, NotAMember, MessageNotFound;
    EditMessage: RoomNotFound, NotAMember, MessageNotFound, NotTheAuthor, MessageDeleted, TextNotAllowed;
    DeleteMessage: RoomNotFound, NotAMember, MessageNotFound, RoleTooLow;
    PinMessage: RoomNotFound, NotAMember, RoleTooLow, MessageNotFound, MessageDeleted, TooManyPins;
    UnpinMessage: RoomNotFound, NotAMember, RoleTooLow, MessageNotFound;
    ListPins: RoomNotFound, NotAMember;
    ListReplies: RoomNotFound, NotAMember, MessageNotFound, BadCursor;
}

#[OpenApi(prefix_path = "/v1", tag = "Tag::Messages")]
impl MessagesApi {
    /// Post a message
    ///
    /// Answered once the message is safely on disk. 200 if the caller posted it before under the same `client_id`: send
    /// one, and repeating after a lost answer is harmless.
    #[oai(path = "/rooms/:room/messages", method = "post", operation_id = "postMessage")]
    async fn post_message(
        &self,
        author: Author,
        Data(state): Data<&State>,
        /// UUID of the room, or the name of a public one.
        room: Path<String>,
        body: Body<MessageInput>,
    ) -> Outcome<CreatedOrFound<Message>, PostMessage> {
        let (text, reply_to, client_id) = body.0.parse()?;
        let posted = state.chat().post_message(author.0, &room_ref(&room)?, text, reply_to, client_id).await;
        let made = posted.map_err(|error| Problem::from(error).of_reply())?;
        Ok(CreatedOrFound::from_made(made, Message::from))
    }

    /// Read the history of a room
    ///
    /// The newest page, or with one of `before`, `after`, `around` another. The oldest message of a page comes first.
    /// A page has at most 256 KiB of text, so it may have fewer messages than `limit`: its cursors tell whether there are more.
    #[oai(path = "/rooms/:room/messages", method = "get", operation_id = "listMessages")]
    #[allow(clippy::too_many_arguments, reason = "each is a documented part of the request")]
    async fn list_messages(
        &self,
        caller: Caller,
        Data(state): Data<&State>,
        /// UUID of the room, or the name of a public one.
        room: Path<String>,
        /// Only messages before this cursor.
        before: Query<Option<String>>,
        /// Only messages after this cursor.
        after: Query<Option<String>>,
        /// UUID of a message: it, and the messages on both sides of it.
        around: Query<Option<String>>,
        /// Most messages of the page; 50 if absent.
        #[oai(validator(minimum(value = "1"), maximum(value = "200")))]
        limit: Query<Option<i32>>,
    ) -> Outcome<Reply<MessagePage>, ListMessages> {
        let start = history_start(before.0, after.0, around.0)?;
        let chat = state.chat();
        let page = chat.history(caller.0, &room_ref(&room)?, start, limit_of(limit.0)).await?;
        Ok(Reply(MessagePage::new(page, chat.cursors())))
    }

    /// Read one message
    ///
    /// As it is now: edited, or deleted with an empty body.
    #[oai(path = "/rooms/:room/messages/:message", method = "get", operation_id = "getMessage")]
    async fn get_message(
        &self,
        caller: Caller,
        Data(state): Data<&State>,
        /// UUID of the room, or the name of a public one.
        room: Path<String>,
        /// UUID of the message.
        message: Path<String>,
    ) -> Outcome<Reply<Message>, GetMessage> {
        let (room, message) = (room_ref(&room)?, message_id(&message)?);
        Ok(Reply(state.chat().message(caller.0, &room, message).await?.into()))
    }

    /// Change what a message says
    ///
    /// For its author. The old text is gone from history and streams, also from those that resume from before. The same text again
    /// changes nothing, and is no event.
    #[oai(path = "/rooms/:room/messages/:message", method = "patch", operation_id = "editMessage")]
    async fn edit_message(
        &self,
        caller: Caller,
        Data(state): Data<&State>,
        /// UUID of the room, or the name of a public one.
        room: Path<String>,
        /// UUID of the message.
        message: Path<String>,
        body: Body<MessagePatch>,
    ) -> Outcome<Reply<Message>, EditMessage> {
        let (room, message) = (room_ref(&room)?, message_id(&message)?);
        Ok(Reply(state.chat().edit_message(caller.0, &room, message, body.0.parse()?).await?.into()))
    }

    /// Delete a message
    ///
    /// For its author, and for owners of the room. The message stays in its place with an empty body, and what answers it keeps its
    /// `reply_to`. 204 also for a message that is deleted already.
    #[oai(path = "/rooms/:room/messages/:message", method = "delete", operation_id = "deleteMessage")]
    async fn delete_message(
        &self,
        caller: Caller,
        Data(state): Data<&State>,
        /// UUID of the room, or the name of a public one.
        room: Path<String>,
        /// UUID of the message.
        message: Path<String>,
    ) -> Outcome<Done, DeleteMessage> {
        let (room, message) = (room_ref(&room)?, message_id(&message)?);
        state.chat().delete_message(caller.0, &room, message).await?;
        Ok(Done)
    }

    /// Read the answers to a message
    ///
    /// Those that are not deleted, the oldest first: the first page, or with one of `before` and `after` another. A page has at most
    /// 256 KiB of text.
    #[oai(path = "/rooms/:room/messages/:message/replies", method = "get", operation_id = "listReplies")]
    #[allow(clippy::too_many_arguments, reason = "each is a documented part of the request")]
    async fn list_replies(
        &self,
        caller: Caller,
        Data(state): Data<&State>,
        /// UUID of the room, or the name of a public one.
        room: Path<String>,
        /// UUID of the message.
        message: Path<String>,
        /// Only answers before this cursor.
        before: Query<Option<String>>,
        /// Only answers after this cursor.
        after: Query<Option<String>>,
        /// Most messages of the page; 50 if absent.
        #[oai(validator(minimum(value = "1"), maximum(value = "200")))]
        limit: Query<Option<i32>>,
    ) -> Outcome<Reply<MessagePage>, ListReplies> {
        let start = replies_start(before.0, after.0)?;
        let (room, message, chat) = (room_ref(&room)?, message_id(&message)?, state.chat());
        let page = chat.replies(caller.0, &room, message, start, limit_of(limit.0)).await?;
        Ok(Reply(MessagePage::new(page, chat.cursors())))
    }

    /// Pin a message
    ///
    /// For owners of the room. Needs no body. A room keeps at most 50 messages in sight like this. 204 also for one that is pinned
    /// already.
    #[oai(path = "/rooms/:room/messages/:message/pin", method = "put", operation_id = "pinMessage")]
    async fn pin_message(
        &self,
        caller: Caller,
        Data(state): Data<&State>,
        /// UUID of the room, or the name of a public one.
        room: Path<String>,
        /// UUID of the message.
        message: Path<String>,
    ) -> Outcome<Done, PinMessage> {
        let (room, message) = (room_ref(&room)?, message_id(&message)?);
        state.chat().pin_message(caller.0, &room, message).await?;
        Ok(Done)
    }

    /// Unpin a message
    ///
    /// For owners of the room. 204 also for one that is not pinned.
    #[oai(path = "/rooms/:room/messages/:message/pin", method = "delete", operation_id = "unpinMessage")]
    async fn unpin_message(
        &self,
        caller: Caller,
        Data(state): Data<&State>,
        /// UUID of the room, or the name of a public one.
        room: Path<String>,
        /// UUID of the message.
        message: Path<String>,
    ) -> Outcome<Done, UnpinMessage> {
        let (room, message) = (room_ref(&room)?, message_id(&message)?);
        state.chat().unpin_message(caller.0, &room, message).await?;
        Ok(Done)
    }

    /// List the pinned messages of a room
    ///
    /// All of them, the newest pin first.
    #[oai(path = "/rooms/:room/pins", method = "get", operation_id = "listPins")]
    async fn list_pins(
        &self,
        caller: Caller,
        Data(state): Data<&State>,
        /// UUID of the room, or the name of a public one.
        room: Path<String>,
    ) -> Outcome<Reply<PinList>, ListPins> {
        let pins = state.chat().pins(caller.0, &room_ref(&room)?).await?;
        Ok(Reply(PinList::new(pins, state.chat().cursors())))
    }
}
