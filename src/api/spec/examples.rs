//! Examples of bodies for the document, made of the wire types themselves where these can be written.

use serde::Serialize;
use serde_json::{Value, json};

use crate::api::code::Code;
use crate::api::outermost::HOST_RULE;
use crate::api::problem::Problem;
use crate::api::site::{NO_HTTPS, OTHER_ORIGIN};
use crate::api::wire::event::StreamEvent;
use crate::api::wire::member::{Member, MemberPage};
use crate::api::wire::message::{Message, MessagePage, PinList};
use crate::api::wire::reaction::{Reaction, Reactor, ReactorPage};
use crate::api::wire::read_mark::ReadMark;
use crate::api::wire::room::{MyRooms, Room, RoomPage};
use crate::api::wire::server::{Health, ServerFacts};
use crate::api::wire::session::{Session, SessionList, SignIn};
use crate::api::wire::user::{User, UserRef};
use crate::chat;

pub const REQUEST_ID: &str = "019ab0c4-7b1e-7cc0-8000-5d1f6b0a7e01";
pub const MESSAGE_ID: &str = "019ab0c4-7b1e-7cc0-8000-5d1f6b0a7e02";
pub const SESSION_ID: &str = "019ab0c4-7b1e-7cc0-8000-5d1f6b0a7e03";
const CURSOR_BEFORE: &str = "Vw8dE5nHs1uBxQ6fKo3TgA";
/// A heart in red, whose form needs its selector.
pub const EMOJI: &str = "❤️";
pub const CURSOR: &str = "q0b1X9kTj2m4Zc7RwYpL3A";
pub const PAGE: &str = "bG9iYnk";

const ROOM_ID: &str = "019ab0c4-7b1e-7cc0-8000-5d1f6b0a7e04";
const TOPIC: &str = "Everything and nothing";
const REPLY_ID: &str = "019ab0c4-7b1e-7cc0-8000-5d1f6b0a7e07";
const USER_ID: &str = "019ab0c4-7b1e-7cc0-8000-5d1f6b0a7e05";
const OTHER_USER_ID: &str = "019ab0c4-7b1e-7cc0-8000-5d1f6b0a7e06";
const CLIENT_ID: &str = "9f8e7d6c-1";
const TIME: &str = "2026-11-23T09:30:00.000000Z";
const PASSWORD: &str = "correct horse battery staple";
const REFRESH_TOKEN: &str = "mZ1yXb3uTn8kQe5wRs2vCa7pLd0fGh4jKi6oUt9xYqE";

/// The example of a schema by its name.
pub fn of(schema: &str) -> Option<Value> {
    Some(match schema {
        "ServerFacts" => written(&server()),
        "Health" => written(&Health::ok()),
        "User" => written(&user()),
        "SignIn" => written(&sign_in()),
        "SessionList" => written(&SessionList { items: vec![session()] }),
        "Room" => written(&room()),
        "RoomPage" => written(&RoomPage { items: vec![room()], next_page: None }),
        "MyRooms" => written(&MyRooms { items: vec![room_of_mine()], cursor: CURSOR.to_owned() }),
        "Member" => written(&member()),
        "MemberPage" => written(&member_page()),
        "Message" => written(&message()),
        "MessagePage" => written(&message_page()),
        "ReadMark" => written(&read_mark()),
        "Reaction" => written(&Reaction { me: Some(true), ..reaction() }),
        "ReactorPage" => written(&ReactorPage { items: vec![reactor()], next_page: None }),
        "PinList" => written(&PinList { items: vec![pinned()], cursor: CURSOR.to_owned() }),
        other => request(other)?,
    })
}

/// What an operation answers where that differs from the example of its schema.
pub fn of_answer(operation: &str) -> Option<Value> {
    Some(match operation {
        "getRoom" | "updateRoom" => written(&room_of_mine()),
        "createRoom" => written(&Room { read: Some(ReadMark { version: 1, ..nothing_read() }), ..room() }),
        "markUnread" => written(&ReadMark { version: 2, unread_count: 1, ..nothing_read() }),
        "listReplies" => written(&replies()),
        _ => return None,
    })
}

/// A stream as it looks on the wire, for tools that show or send an example as it is: how it opens, and an event.
pub fn frames() -> String {
    let hello = StreamEvent {
        kind: "hello".to_owned(),
        cursor: Some(CURSOR_BEFORE.to_owned()),
        heartbeat_seconds: Some(15),
        expires_at: Some("2026-11-23T09:45:00.000000Z".to_owned()),
        resumed: Some(true),
        ..StreamEvent::default()
    };
    let (opening, posted) = (written(&hello), written(&event()));
    format!(
        "retry: 3000\n\nevent: hello\nid: {CURSOR_BEFORE}\ndata: {opening}\n\nid: {CURSOR}\ndata: {posted}\n\n"
    )
}

/// The example of a problem.
pub fn problem(code: Code) -> Value {
    let problem = Problem::new(code);
    let problem = match code {
        Code::InvalidRequest => problem.detail(HOST_RULE),
        Code::InvalidBody => problem.at("/username", "is required"),
        Code::InvalidParameter => problem.at("?limit", "must be a whole number from 1 to 200"),
        Code::CrossOrigin => problem.detail(OTHER_ORIGIN),
        Code::InsecureTransport => problem.detail(NO_HTTPS),
        Code::TextNotAllowed => problem.at("/display_name", "contains a character that is not allowed"),
        _ => problem.of_password("/password").of_reply(),
    };
    written(&problem.body(REQUEST_ID))
}

/// Requests can only be read, so their examples are written out; a test reads them.
fn request(schema: &str) -> Option<Value> {
    Some(match schema {
        "Registration" => {
            json!({ "username": "ada", "password": PASSWORD, "display_name": "Ada Lovelace" })
        }
        "ProfilePatch" => json!({ "display_name": "Ada Lovelace" }),
        "PasswordChange" => {
            json!({ "current_password": PASSWORD, "new_password": "an otter counts to nine" })
        }
        "LoginInput" => json!({ "username": "ada", "password": PASSWORD }),
        "RefreshInput" | "LogoutInput" => json!({ "refresh_token": REFRESH_TOKEN }),
        "RoomInput" => json!({
            "name": "lobby",
            "title": "Lobby",
            "topic": TOPIC,
            "visibility": "public",
            "client_id": CLIENT_ID,
        }),
        "RoomPatch" => json!({ "title": "Lobby", "topic": TOPIC }),
        "MemberInput" => json!({ "role": "member" }),
        "ReadInput" => json!({ "message": MESSAGE_ID }),
        "MessageInput" => json!({ "body": "Good morning!", "client_id": CLIENT_ID }),
        "MessagePatch" => json!({ "body": "Good morning!" }),
        _ => return None,
    })
}

/// The JSON of a wire type, fields in the order of their declaration.
fn written(value: &impl Serialize) -> Value {
    serde_json::to_value(value).expect("wire types have text keys and serialise")
}

fn server() -> ServerFacts {
    chat::ServerFacts {
        name: "Parlor".to_owned(),
        version: env!("CARGO_PKG_VERSION"),
        registration_open: true,
        min_password: 12,
    }
    .into()
}

fn user() -> User {
    let UserRef { id, username, display_name } = user_ref();
    User { id, username, display_name, created_at: TIME.to_owned() }
}

fn user_ref() -> UserRef {
    UserRef { id: USER_ID.to_owned(), username: "ada".to_owned(), display_name: "Ada Lovelace".to_owned() }
}

fn sign_in() -> SignIn {
    SignIn {
        access_token: Some("eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl".to_owned()),
        token_type: "Bearer".to_owned(),
        expires_in: 900,
        refresh_token: Some(REFRESH_TOKEN.to_owned()),
        session: SESSION_ID.to_owned(),
        user: user(),
    }
}

fn session() -> Session {
    Session {
        id: SESSION_ID.to_owned(),
        created_at: TIME.to_owned(),
        last_used_at: TIME.to_owned(),
        expires_at: "2026-12-07T09:30:00.000000Z".to_owned(),
        current: true,
        user_agent: Some("curl/8.14.1".to_owned()),
    }
}

fn room() -> Room {
    Room {
        id: ROOM_ID.to_owned(),
        name: "lobby".to_owned(),
        title: Some("Lobby".to_owned()),
        topic: Some(TOPIC.to_owned()),
        visibility: "public".to_owned(),
        created_at: TIME.to_owned(),
        member_count: 2,
        last_seq: 4,
        cursor: CURSOR.to_owned(),
        role: Some("owner".to_owned()),
        read: None,
        last_message: None,
    }
}

/// The room as its members find it.
fn room_of_mine() -> Room {
    Room { read: Some(read_mark()), last_message: Some(message()), ..room() }
}

fn read_mark() -> ReadMark {
    ReadMark {
        room: ROOM_ID.to_owned(),
        version: 3,
        last_read: Some(MESSAGE_ID.to_owned()),
        last_read_seq: 4,
        unread_count: 0,
        mention_count: 0,
    }
}

fn nothing_read() -> ReadMark {
    ReadMark { last_read: None, last_read_seq: 0, ..read_mark() }
}

fn member() -> Member {
    let user = UserRef {
        id: OTHER_USER_ID.to_owned(),
        username: "grace".to_owned(),
        display_name: "Grace Hopper".to_owned(),
    };
    Member { user, role: "member".to_owned(), joined_at: TIME.to_owned() }
}

fn member_page() -> MemberPage {
    let owner = Member { user: user_ref(), role: "owner".to_owned(), joined_at: TIME.to_owned() };
    MemberPage { items: vec![owner, member()], next_page: None, cursor: CURSOR.to_owned(), last_seq: 4 }
}

fn message() -> Message {
    Message {
        id: MESSAGE_ID.to_owned(),
        room: ROOM_ID.to_owned(),
        seq: 4,
        author: user_ref(),
        body: "Good morning!".to_owned(),
        client_id: Some(CLIENT_ID.to_owned()),
        created_at: TIME.to_owned(),
        edited_at: None,
        deleted_at: None,
        mentions: None,
        mentions_room: None,
        reply_to: None,
        reply_count: None,
        reactions: None,
        pinned_at: None,
    }
}

fn reaction() -> Reaction {
    Reaction { emoji: EMOJI.to_owned(), count: 1, me: None }
}

fn reactor() -> Reactor {
    Reactor { emoji: EMOJI.to_owned(), user: user_ref(), created_at: TIME.to_owned() }
}

fn pinned() -> Message {
    let reaction = Reaction { me: Some(true), ..reaction() };
    Message { reactions: Some(vec![reaction]), pinned_at: Some(TIME.to_owned()), ..message() }
}

fn reply() -> Message {
    Message {
        id: REPLY_ID.to_owned(),
        author: member().user,
        body: "Good morning, Ada!".to_owned(),
        client_id: None,
        // After the reaction and the pin.
        seq: 7,
        reply_to: Some(MESSAGE_ID.to_owned()),
        ..message()
    }
}

fn replies() -> MessagePage {
    let answered = Message { reply_count: Some(1), ..pinned() };
    MessagePage { items: vec![reply()], referenced: vec![answered], ..message_page() }
}

fn event() -> StreamEvent {
    StreamEvent {
        kind: "message.posted".to_owned(),
        cursor: Some(CURSOR.to_owned()),
        seq: Some(4),
        room: Some(ROOM_ID.to_owned()),
        at: Some(TIME.to_owned()),
        actor: Some(user_ref()),
        message: Some(message()),
        ..StreamEvent::default()
    }
}

fn message_page() -> MessagePage {
    MessagePage {
        items: vec![message()],
        referenced: vec![],
        prev_cursor: None,
        next_cursor: None,
        cursor: CURSOR.to_owned(),
        last_seq: 4,
    }
}
