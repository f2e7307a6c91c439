//! Read marks: how far each member has read, the same on all devices, and what is unread after that.

use serde_json::{Value, json};

use crate::support::{Answer, Person, Server};

const NOBODYS: &str = "0190a7c4-7b1e-7cc0-8000-000000000000";

async fn asks(person: &Person, room: impl AsRef<str>, what: &str, message: &Value) -> Answer {
    let path = format!("/v1/rooms/{}/{what}", room.as_ref());
    person.post(&path, json!({ "message": message })).await
}

async fn marks_read(person: &Person, room: impl AsRef<str>, message: &Value) -> Value {
    asks(person, room, "read", &message["id"]).await.ok(200)
}

async fn marks_unread(person: &Person, room: impl AsRef<str>, message: &Value) -> Value {
    asks(person, room, "unread", &message["id"]).await.ok(200)
}

/// The mark as the room shows it, which is what the list of rooms shows.
async fn mark_of(person: &Person, room: impl AsRef<str>) -> Value {
    let seen = person.sees(&room).await;
    let listed = person.lists_rooms().await;
    let listed = listed["items"].as_array().unwrap().iter().find(|listed| listed["id"] == seen["id"]);
    let listed = listed.expect("a member lists the room");
    assert_eq!((&listed["read"], &listed["last_message"]), (&seen["read"], &seen["last_message"]));
    seen["read"].clone()
}

#[track_caller]
fn stands_at(mark: &Value, message: &Value, unread: i64) {
    let seq = message["seq"].as_i64().unwrap_or(0);
    assert_eq!(
        (mark.get("last_read"), &mark["last_read_seq"], &mark["unread_count"]),
        (message.get("id"), &json!(seq), &json!(unread)),
        "{mark}"
    );
}

#[track_caller]
fn is_newer(mark: &Value, before: &Value) {
    assert!(mark["version"].as_i64() > before["version"].as_i64(), "{mark} after {before}");
}

#[tokio::test]
async fn a_mark_moves_forward_by_reading_and_anywhere_by_marking_unread() {
    let server = Server::start().await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let room = ada.creates_room("lobby").await;
    bob.joins(&room).await;
    let first = mark_of(&bob, &room).await;
    stands_at(&first, &json!({}), 0);
    let messages =
        [ada.posts(&room, "one").await, ada.posts(&room, "two").await, ada.posts(&room, "three").await];
    stands_at(&mark_of(&bob, &room).await, &json!({}), 3);

    let second = marks_read(&bob, &room, &messages[1]).await;
    stands_at(&second, &messages[1], 1);
    is_newer(&second, &first);
    assert_eq!(mark_of(&bob, &room).await, second);
    for older in &messages[..2] {
        assert_eq!(marks_read(&bob, &room, older).await, second, "older: unchanged");
    }
    let back = marks_unread(&bob, &room, &messages[1]).await;
    stands_at(&back, &messages[0], 2);
    is_newer(&back, &second);
    assert_eq!(marks_unread(&bob, &room, &messages[1]).await, back);
    let begin = marks_unread(&bob, &room, &messages[0]).await;
    stands_at(&begin, &json!({}), 3);
    stands_at(&marks_unread(&bob, &room, &messages[2]).await, &messages[1], 1);
    stands_at(&mark_of(&ada, &room).await, &messages[2], 0);
}

#[tokio::test]
async fn posting_and_joining_move_the_mark_and_nothing_else_is_told() {
    let server = Server::start().await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let room = ada.creates_room("lobby").await;
    let one = ada.posts(&room, "one").await;
    stands_at(&mark_of(&ada, &room).await, &one, 0);
    let mut stream = bob.streams_all().await;
    stream.hello().await;
    bob.joins(&room).await;
    let joined = mark_of(&bob, &room).await;
    stands_at(&joined, &one, 0);
    let two = ada.posts(&room, "two").await;
    stands_at(&mark_of(&bob, &room).await, &one, 1);
    let three = bob.posts(&room, "three").await;
    let posted = mark_of(&bob, &room).await;
    stands_at(&posted, &three, 0);
    is_newer(&posted, &joined);
    let kinds: Vec<_> = stream
        .until(|frame| frame.data["message"]["body"] == "three")
        .await
        .iter()
        .map(|frame| frame.kind().to_owned())
        .collect();
    assert_eq!(kinds, ["member.joined", "message.posted", "message.posted"]);

    // A mark that is set after an own message counts more than that message, until there is a newer one.
    let back = marks_unread(&bob, &room, &two).await;
    stands_at(&back, &one, 1);
    is_newer(&back, &posted);
    assert_eq!(mark_of(&bob, &room).await, back);
    let four = bob.posts(&room, "four").await;
    let posted = mark_of(&bob, &room).await;
    stands_at(&posted, &four, 0);
    is_newer(&posted, &back);
}

#[tokio::test]
async fn the_own_newest_message_is_found_however_many_come_after_it() {
    let server = Server::start().await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let room = ada.creates_room("lobby").await;
    bob.joins(&room).await;
    let mut last = Value::Null;
    // Memberships name the newest message of their member only now and then.
    for n in 0..140 {
        last = bob.posts(&room, &format!("mine {n}")).await;
    }
    stands_at(&mark_of(&bob, &room).await, &last, 0);
    for n in 0..130 {
        ada.posts(&room, &format!("hers {n}")).await;
    }
    stands_at(&mark_of(&bob, &room).await, &last, 100);
    let newest = bob.posts(&room, "mine again").await;
    stands_at(&mark_of(&bob, &room).await, &newest, 0);
    stands_at(&mark_of(&ada, &room).await, &ada.reads_page(&room, "limit=2").await["items"][0], 1);
}

#[tokio::test]
async fn versions_go_on_over_leaving_and_coming_back() {
    let server = Server::start().await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let room = ada.creates_room("lobby").await;
    let mut newest = ada.posts(&room, "before").await;
    let mut before = json!({ "version": 0 });
    for n in 0..3 {
        bob.joins(&room).await;
        let joined = mark_of(&bob, &room).await;
        stands_at(&joined, &newest, 0);
        is_newer(&joined, &before);
        bob.posts(&room, "mine").await;
        bob.posts(&room, "mine again").await;
        let posted = mark_of(&bob, &room).await;
        is_newer(&posted, &joined);
        before = marks_unread(&bob, &room, &newest).await;
        is_newer(&before, &posted);
        if n == 1 {
            newest = bob.posts(&room, "goodbye").await;
            before = mark_of(&bob, &room).await;
        }
        bob.leaves(&room).await;
        asks(&bob, &room, "read", &newest["id"]).await.problem(403, "not_a_member");
        newest = ada.posts(&room, "alone").await;
    }
}

#[tokio::test]
async fn deleted_messages_are_not_unread_and_can_be_marked() {
    let server = Server::start().await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let room = ada.creates_room("lobby").await;
    bob.joins(&room).await;
    let mut messages = Vec::new();
    for n in 0..105 {
        messages.push(ada.posts(&room, &format!("message {n}")).await);
    }
    stands_at(&mark_of(&bob, &room).await, &json!({}), 100);
    let seqs: Vec<_> = messages[95..].iter().map(|message| message["seq"].to_string()).collect();
    let delete = format!("UPDATE messages SET body = '', deleted_at = 1 WHERE seq IN ({})", seqs.join(","));
    server.runs_sql(&delete).await;
    stands_at(&mark_of(&bob, &room).await, &json!({}), 95);
    assert_eq!(bob.sees(&room).await["last_message"]["id"], messages[94]["id"]);
    stands_at(&marks_read(&bob, &room, &messages[90]).await, &messages[90], 4);
    stands_at(&marks_unread(&bob, &room, &messages[98]).await, &messages[97], 0);
    stands_at(&marks_read(&bob, &room, &messages[104]).await, &messages[104], 0);
}

#[tokio::test]
async fn messages_of_other_rooms_and_of_none_cannot_be_marked() {
    let server = Server::start().await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let (room, other) = (ada.creates_room("lobby").await, ada.creates_private_room("den").await);
    bob.joins(&room).await;
    let (here, elsewhere) = (ada.posts(&room, "here").await, ada.posts(&other, "elsewhere").await);
    let before = mark_of(&bob, &room).await;
    let mut stream = bob.streams_all().await;
    stream.hello().await;
    for what in ["read", "unread"] {
        for message in [&elsewhere["id"], &json!(NOBODYS), &json!("nonsense"), &json!("")] {
            asks(&bob, &room, what, message).await.problem(404, "message_not_found");
        }
        asks(&bob, &other, what, &elsewhere["id"]).await.problem(404, "room_not_found");
        asks(&bob, &room, what, &json!(7)).await.problem(400, "invalid_body");
    }
    assert_eq!(mark_of(&bob, &room).await, before);
    let after = marks_read(&bob, &room, &here).await;
    assert_eq!(stream.next().await.data["read"], after, "nothing was told of what was refused");
}

#[tokio::test]
async fn a_mark_is_told_to_all_streams_of_its_person_and_to_nobody_else() {
    let server = Server::start().await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let phone = server.sign_in("bob").await;
    let (room, other) = (ada.creates_room("lobby").await, ada.creates_room("den").await);
    for room in [&room, &other] {
        bob.joins(room).await;
    }
    let mut streams = vec![
        bob.streams_all().await,
        phone.streams_all().await,
        phone.streams(&room).await,
        bob.streams(&other).await,
        ada.streams_all().await,
        ada.streams(&room).await,
    ];
    for stream in &mut streams {
        stream.hello().await;
    }
    let message = ada.posts(&room, "hello").await;
    let mark = marks_read(&bob, &room, &message).await;
    let last = ada.posts(&room, "the end").await;
    ada.posts(&other, "the end").await;
    let mut told = Vec::new();
    for stream in &mut streams {
        let frames = stream.until(|frame| frame.data["message"]["body"] == "the end").await;
        let marks: Vec<_> = frames.iter().filter(|frame| frame.kind() == "read.updated").cloned().collect();
        told.push(marks.len());
        for frame in marks {
            assert_eq!(frame.data["read"], mark);
            assert_eq!((&frame.data["room"], frame.data.get("seq")), (&json!(room.id), None));
            assert_eq!(frame.data["actor"]["username"], "bob");
        }
    }
    assert_eq!(told, [1, 1, 1, 0, 0, 0]);
    assert_eq!(last["room"], json!(room.id));
}

#[tokio::test]
async fn the_log_keeps_the_newest_mark_alone_and_replays_it_in_its_place() {
    let server = Server::start().await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let room = ada.creates_room("lobby").await;
    bob.joins(&room).await;
    let before = bob.lists_rooms().await["cursor"].as_str().unwrap().to_owned();
    let mut mark = Value::Null;
    for n in 0..20 {
        let message = ada.posts(&room, &format!("message {n}")).await;
        mark = marks_read(&bob, &room, &message).await;
    }
    ada.posts(&room, "the end").await;
    assert_eq!(server.queries("SELECT count(*) FROM events WHERE audience = 'person'").await, ["1"]);
    for mut stream in [bob.streams_from(&room, &before).await, bob.streams_after(&before).await] {
        stream.hello().await;
        let frames = stream.until(|frame| frame.data["message"]["body"] == "the end").await;
        assert_eq!(frames.len(), 22);
        assert_eq!((frames[20].kind(), &frames[20].data["read"]), ("read.updated", &mark));
    }
    let mut stream = ada.streams_from(&room, &before).await;
    stream.hello().await;
    assert_eq!(stream.until(|frame| frame.data["message"]["body"] == "the end").await.len(), 21);
    let all = format!("/v1/rooms/{}/events?after={before}&max_replay=21", room.id);
    for (person, is_whole) in [(&ada, true), (&bob, false)] {
        let mut stream = person.opening(&all).open().await;
        if is_whole {
            stream.hello().await
        } else {
            stream.reset().await
        };
    }
}

#[tokio::test]
async fn marking_all_rooms_read_tells_of_each_that_had_something_unread() {
    let server = Server::start().await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let mut rooms = Vec::new();
    for name in ["one", "two", "three"] {
        let room = ada.creates_room(name).await;
        bob.joins(&room).await;
        rooms.push(room);
    }
    ada.posts(&rooms[0], "unread").await;
    bob.posts(&rooms[0], "read").await;
    let newest = [ada.posts(&rooms[0], "unread").await, ada.posts(&rooms[2], "unread").await];
    let mut stream = bob.streams_all().await;
    stream.hello().await;
    bob.post_nothing("/v1/users/me/read").await.ok(204);
    bob.post_nothing("/v1/users/me/read").await.ok(204);
    ada.posts(&rooms[1], "the end").await;
    let mut told = stream.until(|frame| frame.data["message"]["body"] == "the end").await;
    told.pop();
    assert_eq!(told.len(), 2, "once for each room");
    for (room, newest) in [&rooms[0], &rooms[2]].into_iter().zip(newest) {
        let mark = mark_of(&bob, room).await;
        stands_at(&mark, &newest, 0);
        assert!(told.iter().any(|frame| frame.data["read"] == mark), "{mark}");
    }
}

#[tokio::test]
async fn marks_of_many_at_once_end_at_the_newest() {
    let server = Server::start().await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let room = ada.creates_room("lobby").await;
    bob.joins(&room).await;
    let mut messages = Vec::new();
    for n in 0..100 {
        messages.push(ada.posts(&room, &format!("message {n}")).await);
    }
    let mut stream = bob.streams(&room).await;
    stream.hello().await;
    let marks = messages.iter().rev().map(|message| marks_read(&bob, &room, message));
    futures_util::future::join_all(marks).await;
    let mark = mark_of(&bob, &room).await;
    stands_at(&mark, &messages[99], 0);
    ada.posts(&room, "the end").await;
    let told = stream.until(|frame| frame.data["message"]["body"] == "the end").await;
    let versions: Vec<_> = told.iter().filter_map(|frame| frame.data["read"]["version"].as_i64()).collect();
    assert!(versions.is_sorted(), "{versions:?}");
    assert_eq!(versions.last(), mark["version"].as_i64().as_ref());
    assert_eq!(server.queries("SELECT count(*) FROM events WHERE audience = 'person'").await, ["1"]);
}
