//! Tag Messages: posting, and reading history.

use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};

use super::auth::{Author, Caller};
use super::fail::{Outcome, refusals};
use super::paging::{history_start, limit_of, room_ref};
use super::payload::Body;
use super::problem::Problem;
use super::reply::{CreatedOrFound, Reply};
use super::wire::message::{Message, MessageInput, MessagePage};
use super::{State, Tag};
use crate::domain::ids::MessageId;
use crate::domain::refusal::Refusal;

#[derive(Default)]
pub struct MessagesApi;

refusals! {
    PostMessage: RoomNotFound, NotAMember, ClientIdReused, TextNotAllowed;
    ListMessages: RoomNotFound, NotAMember, MessageNotFound, BadCursor;
    GetMessage: RoomNotFound, NotAMember, MessageNotFound;
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
        let (text, client_id) = body.0.parse()?;
        let made = state.chat().post_message(author.0, &room_ref(&room)?, text, client_id).await?;
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
        let room = room_ref(&room)?;
        let message = MessageId::parse(&message).ok_or(Problem::from(Refusal::MessageNotFound))?;
        Ok(Reply(state.chat().message(caller.0, &room, message).await?.into()))
    }
}
