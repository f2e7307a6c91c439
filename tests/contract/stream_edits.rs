//! What a message said before it was edited or deleted is gone: from history, streams that resume from before, what waits for a
//! slow reader, and the database file.

use std::fs;

use memchr::memmem;
use parlor::domain::clock::Clock;
use parlor::domain::ids::{MessageId, RoomId};
use parlor::domain::message::MessageBody;
use parlor::domain::room::RoomRef;
use parlor::domain::user::User;
use parlor::live::Start;
use parlor::storage::Touch;
use serde_json::{Value, json};

use crate::support::log::now;
use crate::support::pipe::Pipe;
use crate::support::store::{OpenStore, reader};

use crate::support::{Person, Room, Server, Wire, postgres, wait_for};

/// What nobody may find any more, in texts of all lengths.
const GONE: &str = "xyzzy";

fn at(room: &Room, message: &Value) -> String {
    format!("/v1/rooms/{}/messages/{}", room.id, message["id"].as_str().unwrap())
}

/// The text of a length, which is found by `GONE` at its beginning and at its end.
fn secret(length: usize) -> String {
    format!("{GONE} {} {GONE}", "-".repeat(length))
}

/// The bytes of a stream after a cursor, up to a text.
async fn bytes_of(reader: &Person, path: &str, cursor: &str, end: &str) -> Vec<u8> {
    let head = format!(
        "GET {path}?after={cursor} HTTP/1.1\nHost: {}\nAuthorization: Bearer {}\n\n",
        reader.address(),
        reader.token()
    );
    let mut wire = Wire::asks(reader.address(), &head).await;
    wire.until(end).await;
    std::mem::take(&mut wire.seen)
}

/// Everything that was said in the room is edited or deleted; one of the messages is answered, pinned, and has a reaction.
async fn talk(ada: &Person, bob: &Person, room: &Room) {
    for length in [0, 1, 40, 500, 3_000, 3_900] {
        for turn in 0..6 {
            let said = bob.posts(room, &secret(length)).await;
            let path = at(room, &said);
            if turn == 0 {
                let answer = json!({ "body": "what?", "reply_to": said["id"] });
                ada.post(&format!("/v1/rooms/{}/messages", room.id), answer).await.ok(201);
                ada.put_nothing(&format!("{path}/pin")).await.ok(204);
                ada.put_nothing(&format!("{path}/reactions/%F0%9F%91%8D")).await.ok(200);
            }
            match turn % 3 {
                0 => drop(bob.delete(&path).await.ok(204)),
                1 => drop(bob.patch(&path, json!({ "body": "better" })).await.ok(200)),
                _ => {
                    bob.patch(&path, json!({ "body": secret(length + 7) })).await.ok(200);
                    bob.patch(&path, json!({ "body": "best" })).await.ok(200);
                    ada.put_nothing(&format!("{path}/pin")).await.ok(204);
                }
            }
        }
    }
}

#[tokio::test]
async fn an_old_text_is_in_no_answer_no_stream_and_no_file() {
    let mut server = Server::start().await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let room = ada.creates_room("lobby").await;
    bob.joins(&room).await;
    let before = now(&ada).await;
    let probe = bob.posts(&room, &secret(3)).await;
    let path = format!("/v1/rooms/{}/events", room.id);
    let found = bytes_of(&ada, &path, &before, GONE).await;
    assert!(memmem::find(&found, GONE.as_bytes()).is_some(), "until it is edited everybody sees it");
    bob.delete(&at(&room, &probe)).await.ok(204);
    talk(&ada, &bob, &room).await;
    bob.posts(&room, "the end").await;

    for path in [&*path, "/v1/events"] {
        let seen = bytes_of(&ada, path, &before, "the end").await;
        assert!(memmem::find(&seen, b"message.edited").is_some());
        assert!(memmem::find(&seen, GONE.as_bytes()).is_none(), "{path}");
    }
    let room_path = format!("/v1/rooms/{}", room.id);
    for path in [
        format!("{room_path}/messages?limit=200"),
        format!("{room_path}/pins"),
        room_path,
        "/v1/users/me/rooms".to_owned(),
    ] {
        let answer = ada.get(&path).await;
        assert!(!answer.text.contains(GONE), "{path}");
        answer.ok(200);
    }
    assert!(!server.log().contains(GONE));
    if server.database().is_some() {
        for table in ["messages", "events"] {
            let rows = server.queries(&format!("SELECT * FROM {table}")).await;
            assert!(rows.iter().all(|row| !row.contains(GONE)), "{table}");
        }
        return;
    }
    assert!(server.stop().await.success());
    let file = fs::read(server.data().join("parlor.db")).unwrap();
    assert!(memmem::find(&file, b"the end").is_some());
    assert!(memmem::find(&file, GONE.as_bytes()).is_none(), "the file has it in a place that is free");
}

async fn edits(parlor: &OpenStore, room: RoomId, author: &User, message: MessageId, body: &str) {
    let touch = Touch { room: RoomRef::Id(room), person: author.id, message, at: Clock::SYSTEM.now() };
    let body = MessageBody::parse(body).unwrap();
    parlor.store().edit_message(touch, body).await.unwrap();
}

/// A stream of the room, or of its reader, that has come to its hello.
async fn stream(parlor: &OpenStore, ada: &User, room: Option<RoomId>, start: &Start) -> Pipe {
    let opened = match room {
        Some(room) => parlor.live.open_room(reader(ada), &RoomRef::Id(room), start).await,
        None => parlor.live.open_person(reader(ada), start).await,
    };
    let mut stream = Pipe::of(opened.unwrap());
    while !stream.next().await.starts_with("event: hello") {}
    stream
}

#[tokio::test]
async fn what_waits_for_a_slow_reader_has_the_new_text() {
    if postgres::skips("the store is opened in a folder") {
        return;
    }
    let parlor = OpenStore::new().await;
    let ada = parlor.adds_user("ada").await;
    let room = parlor.store().create_room(OpenStore::room(ada.id, "room")).await.unwrap().value.state.id;
    let start = Start::default();
    let mut live =
        vec![stream(&parlor, &ada, Some(room), &start).await, stream(&parlor, &ada, None, &start).await];
    let mut posted = Vec::new();
    for n in 0..20 {
        let message = OpenStore::message(room, ada.id, &format!("{GONE} {n}"), None);
        posted.push(parlor.store().post_message(message, None).await.unwrap().value.id);
    }
    // The first frames are on their way; the others wait.
    for stream in &mut live {
        assert!(stream.next().await.contains(GONE));
    }
    let rereads = &parlor.live.meters().rereads;
    assert_eq!(rereads.get(), 0);
    for (n, message) in posted.iter().enumerate() {
        edits(&parlor, room, &ada, *message, &format!("new {n}")).await;
    }
    wait_for("both streams have heard of it", || async { rereads.get() >= 2 }).await;
    for stream in &mut live {
        // One more may have been begun before.
        let mut kinds = Vec::new();
        for n in 0..39 {
            let frame = stream.next().await;
            assert!(n == 0 || !frame.contains(GONE), "{n}: {frame}");
            kinds.push(frame.contains("message.edited"));
        }
        assert_eq!(kinds.iter().filter(|is_edit| **is_edit).count(), 20, "each event comes once");
    }
}
