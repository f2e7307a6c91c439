//! Mentions: who is named by a message, who may name everybody, and how many a member has not read. How names are found in a text is a
//! test of the rule itself.

use serde_json::{Value, json};

use crate::support::log::until_said;
use crate::support::{PASSWORD, Person, Server};

fn names(message: &Value) -> Vec<&str> {
    let people = message["mentions"].as_array().map(Vec::as_slice).unwrap_or_default();
    people.iter().map(|person| person["username"].as_str().unwrap()).collect()
}

async fn counts(person: &Person, room: impl AsRef<str>) -> (i64, i64) {
    let read = &person.sees(room).await["read"];
    (read["unread_count"].as_i64().unwrap(), read["mention_count"].as_i64().unwrap())
}

#[tokio::test]
async fn present_members_are_mentioned_and_every_answer_says_whom() {
    let server = Server::start().await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let (cyd, _eve) = (server.register("cyd").await, server.register("eve").await);
    let room = ada.creates_room("lobby").await;
    for person in [&bob, &cyd] {
        person.joins(&room).await;
    }
    cyd.leaves(&room).await;
    let mut stream = bob.streams(&room).await;
    stream.hello().await;

    let body = "@BOB, @cyd has left, @eve was never here, nor @nobody; `@ada` is code. @ada- and @bob again";
    let posted = ada.posts_with_id("lobby", body, "one").await;
    assert_eq!(names(&posted), ["bob", "ada"]);
    assert_eq!(posted["mentions"][0], json!({ "id": bob.id, "username": "bob", "display_name": "bob" }));
    assert!(posted.get("mentions_room").is_none());
    let path = format!("/v1/rooms/{}/messages", room.id);
    let one = format!("{path}/{}", posted["id"].as_str().unwrap());
    let again = json!({ "body": body, "client_id": "one" });
    let told = until_said(&mut stream, body).await.pop().unwrap().data["message"].clone();
    for (answer, message) in [
        ("the event", told),
        ("the repeat", ada.post(&path, again).await.ok(200)),
        ("the message", bob.get(&one).await.ok(200)),
        ("the history", bob.reads(&room).await["items"][0].clone()),
        ("the room", bob.sees(&room).await["last_message"].clone()),
        ("the list of rooms", bob.lists_rooms().await["items"][0]["last_message"].clone()),
    ] {
        assert_eq!(message, posted, "{answer}");
    }
    bob.patch("/v1/users/me", json!({ "display_name": "Bobby" })).await.ok(200);
    assert_eq!(bob.get(&one).await.ok(200)["mentions"][0]["display_name"], "Bobby");
    let plain = ada.posts(&room, "nobody at all").await;
    assert!(plain.get("mentions").is_none(), "absent, never empty");
}

#[tokio::test]
async fn a_member_counts_the_unread_messages_of_others_that_mention_them() {
    let server = Server::start().await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let room = ada.creates_room("lobby").await;
    bob.joins(&room).await;
    assert_eq!(counts(&bob, &room).await, (0, 0));
    let first = ada.posts(&room, "@bob").await;
    ada.posts(&room, "nobody").await;
    ada.posts(&room, "@bob @room").await;
    let last = ada.posts(&room, "@ada @room").await;
    assert_eq!(counts(&bob, &room).await, (4, 3), "a message counts once");
    assert_eq!(counts(&ada, &room).await, (0, 0));
    let read = |what: &str| format!("/v1/rooms/{}/{what}", room.id);
    let mark = bob.post(&read("read"), json!({ "message": first["id"] })).await.ok(200);
    assert_eq!((&mark["unread_count"], &mark["mention_count"]), (&json!(3), &json!(2)));
    bob.post(&read("read"), json!({ "message": last["id"] })).await.ok(200);
    assert_eq!(counts(&bob, &room).await, (0, 0));
    bob.post(&read("unread"), json!({ "message": last["id"] })).await.ok(200);
    assert_eq!(counts(&bob, &room).await, (1, 1));
    let own = ada.post(&read("unread"), json!({ "message": last["id"] })).await.ok(200);
    assert_eq!(own["mention_count"], 0, "one's own message mentions nobody anew");

    server.runs_sql("UPDATE messages SET deleted_at = 1 WHERE body = '@ada @room'").await;
    assert_eq!(counts(&bob, &room).await, (0, 0));
    for _ in 0..101 {
        ada.posts(&room, "@bob @room").await;
    }
    assert_eq!(counts(&bob, &room).await, (100, 100));
}

#[tokio::test]
async fn in_a_large_room_only_its_owner_mentions_everybody() {
    let server = Server::start().await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let room = ada.creates_room("lobby").await;
    bob.joins(&room).await;
    for count in [100, 101] {
        server.runs_sql(&format!("UPDATE rooms SET member_count = {count}")).await;
        let posted = bob.posts(&room, "@Room!").await;
        assert_eq!(posted.get("mentions_room"), (count == 100).then_some(&json!(true)), "{count} people");
        assert_eq!(ada.posts(&room, "hello @room").await["mentions_room"], true);
    }
    assert_eq!(counts(&ada, &room).await, (0, 0));
    assert_eq!(counts(&bob, &room).await, (1, 1));
}

#[tokio::test]
async fn nobody_gets_a_name_that_means_everybody() {
    let server = Server::start().await;
    for name in ["room", "all", "here", "everyone", "Room"] {
        let body = json!({ "username": name, "password": PASSWORD });
        server.anonymous().post("/v1/users", body).await.problem(422, "text_not_allowed");
    }
    server.register("rooms").await;
}
