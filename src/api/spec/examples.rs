//! Examples of bodies for the document, made of the wire types themselves where these can be written.

use serde_json::json;

use super::node::Node;
use crate::api::answer::HOST_RULE;
use crate::api::code::Code;
use crate::api::problem::Problem;
use crate::api::wire::event::StreamEvent;
use crate::api::wire::member::{Member, MemberPage};
use crate::api::wire::message::{Message, MessagePage};
use crate::api::wire::room::{MyRooms, Room, RoomPage};
use crate::api::wire::server::{Health, ServerFacts};
use crate::api::wire::session::{Session, SessionList, SignIn};
use crate::api::wire::user::{User, UserRef};
use crate::chat;

pub const REQUEST_ID: &str = "019ab0c4-7b1e-7cc0-8000-5d1f6b0a7e01";
pub const MESSAGE_ID: &str = "019ab0c4-7b1e-7cc0-8000-5d1f6b0a7e02";
pub const SESSION_ID: &str = "019ab0c4-7b1e-7cc0-8000-5d1f6b0a7e03";
pub const CURSOR: &str = "q0b1X9kTj2m4Zc7RwYpL3A";
pub const PAGE: &str = "bG9iYnk";

const ROOM_ID: &str = "019ab0c4-7b1e-7cc0-8000-5d1f6b0a7e04";
const TOPIC: &str = "Everything and nothing";
const USER_ID: &str = "019ab0c4-7b1e-7cc0-8000-5d1f6b0a7e05";
const OTHER_USER_ID: &str = "019ab0c4-7b1e-7cc0-8000-5d1f6b0a7e06";
const CLIENT_ID: &str = "9f8e7d6c-1";
const TIME: &str = "2026-11-23T09:30:00.000000Z";
const PASSWORD: &str = "correct horse battery staple";
const REFRESH_TOKEN: &str = "mZ1yXb3uTn8kQe5wRs2vCa7pLd0fGh4jKi6oUt9xYqE";

/// The example of a schema by its name.
pub fn of(schema: &str) -> Option<Node> {
    Some(match schema {
        "ServerFacts" => Node::of(&server()),
        "Health" => Node::of(&Health::ok()),
        "User" => Node::of(&user()),
        "SignIn" => Node::of(&sign_in()),
        "SessionList" => Node::of(&SessionList { items: vec![session()] }),
        "Room" => Node::of(&room()),
        "RoomPage" => Node::of(&RoomPage { items: vec![room()], next_page: None }),
        "MyRooms" => Node::of(&MyRooms { items: vec![room()], cursor: CURSOR.to_owned() }),
        "Member" => Node::of(&member()),
        "MemberPage" => Node::of(&member_page()),
        "Message" => Node::of(&message()),
        "MessagePage" => Node::of(&message_page()),
        "StreamEvent" => Node::of(&event()),
        other => request(other)?,
    })
}

/// The example of a problem.
pub fn problem(code: Code) -> Node {
    let problem = Problem::new(code);
    let problem = match code {
        Code::InvalidRequest => problem.detail(HOST_RULE),
        Code::InvalidBody => problem.at("/username", "is required"),
        Code::InvalidParameter => problem.at("?limit", "must be a whole number from 1 to 200"),
        Code::TextNotAllowed => problem.at("/display_name", "contains a character that is not allowed"),
        _ => problem.of_password("/password"),
    };
    Node::of(&problem.body(REQUEST_ID))
}

/// Requests can only be read, so their examples are written out; a test reads them.
fn request(schema: &str) -> Option<Node> {
    let text = |pairs: &[(&str, &str)]| {
        Node::Map(pairs.iter().map(|(key, value)| ((*key).to_owned(), Node::Leaf(json!(value)))).collect())
    };
    Some(match schema {
        "Registration" => {
            text(&[("username", "ada"), ("password", PASSWORD), ("display_name", "Ada Lovelace")])
        }
        "ProfilePatch" => text(&[("display_name", "Ada Lovelace")]),
        "PasswordChange" => {
            text(&[("current_password", PASSWORD), ("new_password", "an otter counts to nine")])
        }
        "LoginInput" => text(&[("username", "ada"), ("password", PASSWORD)]),
        "RefreshInput" | "LogoutInput" => text(&[("refresh_token", REFRESH_TOKEN)]),
        "RoomInput" => text(&[
            ("name", "lobby"),
            ("title", "Lobby"),
            ("topic", TOPIC),
            ("visibility", "public"),
            ("client_id", CLIENT_ID),
        ]),
        "RoomPatch" => text(&[("title", "Lobby"), ("topic", TOPIC)]),
        "MemberInput" => text(&[("role", "member")]),
        "MessageInput" => text(&[("body", "Good morning!"), ("client_id", CLIENT_ID)]),
        _ => return None,
    })
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
    }
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
    }
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
        member: None,
        room_state: None,
        heartbeat_seconds: None,
        expires_at: None,
        resumed: None,
        reason: None,
        retry_seconds: None,
    }
}

fn message_page() -> MessagePage {
    MessagePage {
        items: vec![message()],
        prev_cursor: None,
        next_cursor: None,
        cursor: CURSOR.to_owned(),
        last_seq: 4,
    }
}
