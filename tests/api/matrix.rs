//! Who may do what: every operation of the document tried by everybody, in public and in private rooms. An operation
//! without a row here fails, and so does a row without an operation.

use std::collections::BTreeSet;

use parlor::api::code::Code;
use parlor::api::problem::Problem;
use parlor::domain::membership::Role;
use parlor::domain::rights::{self, Permission};
use parlor::domain::room::Visibility;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Client, PASSWORD, Person, Server, published};

/// What an operation is answered with, by who asks.
enum Row {
    /// Not about a room: without a sign-in, and with one.
    Account(u16, u16),
    /// About a room: a public and a private one, in the order of [`ASKERS`].
    Room { public: [u16; 5], private: [u16; 5] },
}

const ASKERS: [&str; 5] = ["nobody", "an outsider", "somebody who left", "a member", "an owner"];

/// One row an operation. What a private room answers to the first three is what a random id is answered with.
const ROWS: &[(&str, Row)] = &[
    ("getServer", Row::Account(200, 200)),
    ("getLivez", Row::Account(200, 200)),
    ("getReadyz", Row::Account(200, 200)),
    ("registerUser", Row::Account(201, 201)),
    ("login", Row::Account(200, 200)),
    ("refresh", Row::Account(200, 200)),
    ("logout", Row::Account(204, 204)),
    ("getMe", Row::Account(401, 200)),
    ("updateMe", Row::Account(401, 200)),
    ("changePassword", Row::Account(401, 204)),
    ("listMyRooms", Row::Account(401, 200)),
    ("markAllRead", Row::Account(401, 204)),
    ("getUser", Row::Account(401, 200)),
    ("listSessions", Row::Account(401, 200)),
    ("endSession", Row::Account(401, 204)),
    ("listRooms", Row::Account(401, 200)),
    ("createRoom", Row::Account(401, 201)),
    ("streamEvents", Row::Account(401, 200)),
    ("getRoom", Row::Room { public: [401, 200, 200, 200, 200], private: [401, 404, 404, 200, 200] }),
    ("updateRoom", Row::Room { public: [401, 403, 403, 403, 200], private: [401, 404, 404, 403, 200] }),
    ("deleteRoom", Row::Room { public: [401, 403, 403, 403, 204], private: [401, 404, 404, 403, 204] }),
    ("joinRoom", Row::Room { public: [401, 201, 201, 200, 200], private: [401, 404, 404, 200, 200] }),
    ("leaveRoom", Row::Room { public: [401, 204, 204, 204, 409], private: [401, 404, 404, 204, 409] }),
    ("listMembers", Row::Room { public: [401, 403, 403, 200, 200], private: [401, 404, 404, 200, 200] }),
    ("putMember", Row::Room { public: [401, 403, 403, 403, 201], private: [401, 404, 404, 403, 201] }),
    ("postMessage", Row::Room { public: [401, 403, 403, 201, 201], private: [401, 404, 404, 201, 201] }),
    ("listMessages", Row::Room { public: [401, 403, 403, 200, 200], private: [401, 404, 404, 200, 200] }),
    ("getMessage", Row::Room { public: [401, 403, 403, 200, 200], private: [401, 404, 404, 200, 200] }),
    ("markRead", Row::Room { public: [401, 403, 403, 200, 200], private: [401, 404, 404, 200, 200] }),
    ("markUnread", Row::Room { public: [401, 403, 403, 200, 200], private: [401, 404, 404, 200, 200] }),
    ("editMessage", Row::Room { public: [401, 403, 403, 200, 200], private: [401, 404, 404, 200, 200] }),
    ("deleteMessage", Row::Room { public: [401, 403, 403, 403, 204], private: [401, 404, 404, 403, 204] }),
    ("addReaction", Row::Room { public: [401, 403, 403, 200, 200], private: [401, 404, 404, 200, 200] }),
    ("removeReaction", Row::Room { public: [401, 403, 403, 204, 204], private: [401, 404, 404, 204, 204] }),
    ("listReactions", Row::Room { public: [401, 403, 403, 200, 200], private: [401, 404, 404, 200, 200] }),
    ("pinMessage", Row::Room { public: [401, 403, 403, 403, 204], private: [401, 404, 404, 403, 204] }),
    ("unpinMessage", Row::Room { public: [401, 403, 403, 403, 204], private: [401, 404, 404, 403, 204] }),
    ("listPins", Row::Room { public: [401, 403, 403, 200, 200], private: [401, 404, 404, 200, 200] }),
    ("listReplies", Row::Room { public: [401, 403, 403, 200, 200], private: [401, 404, 404, 200, 200] }),
    ("streamRoomEvents", Row::Room { public: [401, 403, 403, 200, 200], private: [401, 404, 404, 200, 200] }),
];

/// An operation of the document, ready to be asked for.
struct Operation {
    id: String,
    method: Method,
    path: String,
}

fn operations() -> Vec<Operation> {
    let document = published();
    let operation = |(path, method, operation): (&str, &str, &Value)| Operation {
        id: operation["operationId"].as_str().unwrap().to_owned(),
        method: method.to_uppercase().parse().unwrap(),
        path: path.to_owned(),
    };
    document.operations().map(operation).collect()
}

impl Operation {
    fn row(&self) -> &'static Row {
        let row = ROWS.iter().find(|(id, _)| *id == self.id);
        &row.unwrap_or_else(|| panic!("{} has no row: who may do it?", self.id)).1
    }

    /// Asks with a body that is good, and gives the status.
    async fn asked_by(&self, asker: &Client, path: &str, body: Option<Value>, expected: u16) -> u16 {
        if self.id.starts_with("stream") && expected == 200 {
            let mut stream = asker.opening(path).open().await;
            stream.hello().await;
            return 200;
        }
        asker.request(self.method.clone(), path, body, &[]).await.status
    }
}

#[test]
fn every_operation_has_a_row_and_every_row_an_operation() {
    let known: BTreeSet<&str> = ROWS.iter().map(|(id, _)| *id).collect();
    let operations = operations();
    let documented: BTreeSet<&str> = operations.iter().map(|operation| operation.id.as_str()).collect();
    assert_eq!(known, documented);
    for operation in &operations {
        let is_about_a_room = matches!(operation.row(), Row::Room { .. });
        assert_eq!(is_about_a_room, operation.path.contains("{room}"), "{}", operation.id);
    }
}

/// The cells of each row of the table of rights in docs/architecture.md, without their marks.
fn rights_of_the_docs() -> Vec<Vec<String>> {
    let page = include_str!("../../docs/architecture.md");
    let (_, rights) = page.split_once("\n## Rights\n").expect("a section about rights");
    let rows =
        rights.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let cells = |row: &str| {
        row.trim_matches('|').split('|').map(|cell| cell.replace('`', "").trim().to_owned()).collect()
    };
    rows.skip(2).map(cells).collect()
}

/// What the code says in the order of the columns: an outsider of a private and of a public room, a member and an owner.
fn rights_of_the_code(permission: Permission) -> [Result<(), Code>; 4] {
    let askers = [
        (None, Visibility::Private),
        (None, Visibility::Public),
        (Some(Role::Member), Visibility::Public),
        (Some(Role::Owner), Visibility::Public),
    ];
    askers.map(|(role, visibility)| {
        let right = rights::may(role, visibility, permission);
        if role.is_some() {
            assert_eq!(
                right,
                rights::may(role, Visibility::Private, permission),
                "it is for public rooms, too"
            );
        }
        right.map_err(|refusal| Problem::from(refusal).code)
    })
}

#[test]
fn the_table_of_rights_in_the_docs_is_that_of_the_code_and_of_the_operations() {
    let mut documented = rights_of_the_docs();
    let mut operations = BTreeSet::new();
    for permission in Permission::ALL {
        let name = format!("{permission:?}");
        let at = documented.iter().position(|row| row[0] == name);
        let row =
            documented.remove(at.unwrap_or_else(|| panic!("{name} has no row in docs/architecture.md")));
        let rights = rights_of_the_code(*permission);
        let cells = rights.map(|right| right.err().map_or("yes", Code::as_str));
        assert_eq!(row[2..], cells, "{name}");

        for operation in row[1].split(' ') {
            assert!(operations.insert(operation.to_owned()), "{operation} is there twice");
            let (_, asked) = ROWS.iter().find(|(id, _)| *id == operation).expect("an operation");
            let Row::Room { public, private } = asked else { panic!("{operation} is not about a room") };
            let answered = [private[1], public[1], public[3], public[4]];
            for (right, status) in rights.into_iter().zip(answered) {
                // The owner of the rooms here is the last one, who may leave no room.
                let is_refused = matches!(status, 403 | 404);
                let refused_by = right.err().map(|code| code.status().as_u16());
                assert_eq!(is_refused.then_some(status), refused_by, "{operation}");
            }
        }
    }
    assert!(documented.is_empty(), "rows without a permission: {documented:?}");
    let of_rooms = ROWS.iter().filter(|(_, row)| matches!(row, Row::Room { .. }));
    assert_eq!(operations, of_rooms.map(|(id, _)| (*id).to_owned()).collect());
}

#[tokio::test]
async fn operations_on_accounts_ask_for_a_sign_in_where_the_table_says_so() {
    let server = Server::start().await;
    server.register("ada").await;
    let mut made = 0;
    for operation in operations() {
        let Row::Account(nobody, somebody) = *operation.row() else { continue };
        for (who, expected) in [("nobody", nobody), ("somebody", somebody)] {
            made += 1;
            // Each time a session of its own, since some operations end it.
            let person = server.sign_in("ada").await;
            let asker = if who == "nobody" { &server.anonymous() } else { &*person };
            let path = operation.path.replace("{username}", "ada").replace("{session}", &person.session);
            let body = body_of(&operation.id, made, &person);
            let status = operation.asked_by(asker, &path, body, expected).await;
            assert_eq!(status, expected, "{} by {who}", operation.id);
        }
    }
    assert!(made > 30);
}

#[tokio::test]
async fn operations_on_public_rooms_are_for_whom_the_table_says() {
    let server = Server::start().await;
    let people = People::gather(&server).await;
    for operation in operations() {
        let Row::Room { public, .. } = operation.row() else { continue };
        people.try_all(&operation, "public", public, false).await;
        people.try_all(&operation, "public", public, true).await;
    }
}

#[tokio::test]
async fn operations_on_private_rooms_are_for_whom_the_table_says() {
    let server = Server::start().await;
    let people = People::gather(&server).await;
    for operation in operations() {
        let Row::Room { private, .. } = operation.row() else { continue };
        people.try_all(&operation, "private", private, false).await;
    }
}

/// One person for each of [`ASKERS`].
struct People {
    nobody: Client,
    eve: Person,
    lee: Person,
    bob: Person,
    ada: Person,
    /// Somebody whom nobody has added yet.
    newcomer: Person,
    rooms: std::sync::atomic::AtomicUsize,
}

impl People {
    async fn gather(server: &Server) -> Self {
        Self {
            nobody: server.anonymous(),
            eve: server.register("eve").await,
            lee: server.register("lee").await,
            bob: server.register("bob").await,
            ada: server.register("ada").await,
            newcomer: server.register("newcomer").await,
            rooms: std::sync::atomic::AtomicUsize::default(),
        }
    }

    /// Everybody asks, each about a fresh room.
    async fn try_all(&self, operation: &Operation, visibility: &str, expected: &[u16; 5], by_name: bool) {
        let askers = [&self.nobody, &*self.eve, &*self.lee, &*self.bob, &*self.ada];
        for ((asker, who), expected) in askers.into_iter().zip(ASKERS).zip(*expected) {
            let made = self.rooms.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let name = format!("room-{made}");
            let body = json!({ "name": name, "visibility": visibility });
            let room = self.ada.post("/v1/rooms", body).await.ok(201);
            let id = room["id"].as_str().unwrap();
            for person in ["bob", "lee"] {
                self.ada.adds(id, person).await;
            }
            // Messages of others are changed by nobody, so that everybody who can has one.
            let author = match who {
                "a member" if operation.id == "editMessage" => &self.bob,
                "an owner" if operation.id == "editMessage" => &self.ada,
                _ => &self.lee,
            };
            let message = author.posts(id, "hello").await;
            self.lee.leaves(id).await;

            let path = operation.path.replace("{room}", if by_name { &name } else { id });
            let path = path.replace("{message}", message["id"].as_str().unwrap());
            let path = path.replace("{emoji}", "%F0%9F%91%8D");
            let path = path.replace("{username}", &self.newcomer.username);
            let mut body = body_of(&operation.id, made, &self.ada);
            if operation.id.starts_with("mark") {
                body = Some(json!({ "message": message["id"] }));
            }
            let status = operation.asked_by(asker, &path, body, expected).await;
            assert_eq!(status, expected, "{} of a {visibility} room by {who}", operation.id);
        }
    }
}

/// A body with which the operation succeeds, for those that take one; `n` is another number each time.
fn body_of(operation: &str, n: usize, person: &Person) -> Option<Value> {
    Some(match operation {
        "registerUser" => json!({ "username": format!("person-{n}"), "password": PASSWORD }),
        "login" => json!({ "username": person.username, "password": PASSWORD }),
        "refresh" => json!({ "refresh_token": person.refresh_token }),
        "updateMe" => json!({ "display_name": format!("Ada {n}") }),
        "changePassword" => json!({ "current_password": PASSWORD, "new_password": PASSWORD }),
        "createRoom" => json!({ "name": format!("made-{n}") }),
        "updateRoom" => json!({ "title": "Another title" }),
        "putMember" => json!({}),
        "editMessage" => json!({ "body": "hello again" }),
        "postMessage" => json!({ "body": "hello" }),
        _ => return None,
    })
}
