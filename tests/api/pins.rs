//! Pins: what owners keep in sight of a room.

use serde_json::{Value, json};

use crate::support::{Person, Room, Server};

fn at(room: &Room, message: &Value) -> String {
    format!("/v1/rooms/{}/messages/{}", room.id, message["id"].as_str().unwrap())
}

async fn pins(person: &Person, room: &Room, message: &Value) {
    person.put_nothing(&format!("{}/pin", at(room, message))).await.ok(204);
}

async fn unpins(person: &Person, room: &Room, message: &Value) {
    person.delete(&format!("{}/pin", at(room, message))).await.ok(204);
}

async fn pinned(person: &Person, room: &Room) -> Vec<String> {
    let list = person.get(&format!("/v1/rooms/{}/pins", room.id)).await.ok(200);
    list["items"].as_array().unwrap().iter().map(|item| item["body"].as_str().unwrap().to_owned()).collect()
}

async fn lobby(server: &Server) -> (Person, Person, Room) {
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let room = ada.creates_room("lobby").await;
    bob.joins(&room).await;
    (ada, bob, room)
}

#[tokio::test]
async fn owners_pin_and_unpin_and_the_newest_pin_comes_first() {
    let server = Server::start().await;
    let (ada, bob, room) = lobby(&server).await;
    let mut messages = Vec::new();
    for body in ["one", "two", "three"] {
        messages.push(bob.posts(&room, body).await);
    }
    let mut live = bob.streams(&room).await;
    live.hello().await;
    for n in [1, 0, 2] {
        pins(&ada, &room, &messages[n]).await;
    }
    assert_eq!(pinned(&bob, &room).await, ["three", "one", "two"]);
    pins(&ada, &room, &messages[1]).await;
    assert_eq!(pinned(&bob, &room).await, ["three", "one", "two"], "again changes nothing");
    unpins(&ada, &room, &messages[0]).await;
    unpins(&ada, &room, &messages[0]).await;
    pins(&ada, &room, &messages[0]).await;
    assert_eq!(pinned(&bob, &room).await, ["one", "three", "two"]);

    let one = bob.get(&at(&room, &messages[0])).await.ok(200);
    assert!(one["pinned_at"].is_string());
    for (kind, body) in [
        ("message.pinned", "two"),
        ("message.pinned", "one"),
        ("message.pinned", "three"),
        ("message.unpinned", "one"),
        ("message.pinned", "one"),
    ] {
        let event = live.next().await;
        assert_eq!((event.kind(), &event.data["message"]["body"]), (kind, &json!(body)));
        assert_eq!(event.data["message"].get("pinned_at").is_some(), kind == "message.pinned");
        assert_eq!(event.data["actor"]["username"], "ada");
    }
    let list = bob.get(&format!("/v1/rooms/{}/pins", room.id)).await.ok(200);
    assert_eq!(list["items"][0], one);
    ada.posts(&room, "after").await;
    let mut later = bob.streams_from(&room, list["cursor"].as_str().unwrap()).await;
    later.hello().await;
    assert_eq!(later.next().await.data["message"]["body"], "after");
}

#[tokio::test]
async fn members_cannot_pin_and_what_is_deleted_is_not_pinned() {
    let server = Server::start().await;
    let (ada, bob, room) = lobby(&server).await;
    let message = bob.posts(&room, "mine").await;
    let path = format!("{}/pin", at(&room, &message));
    bob.put_nothing(&path).await.problem(403, "role_too_low");
    pins(&ada, &room, &message).await;
    bob.delete(&path).await.problem(403, "role_too_low");
    assert_eq!(pinned(&bob, &room).await, ["mine"]);
    bob.delete(&at(&room, &message)).await.ok(204);
    assert_eq!(pinned(&bob, &room).await.len(), 0);
    assert!(bob.get(&at(&room, &message)).await.ok(200).get("pinned_at").is_none());
    ada.put_nothing(&path).await.problem(409, "message_deleted");
    unpins(&ada, &room, &message).await;
}

#[tokio::test]
async fn a_room_has_fifty_pins() {
    let server = Server::start().await;
    let (ada, bob, room) = lobby(&server).await;
    let mut messages = Vec::new();
    for n in 0..51 {
        messages.push(bob.posts(&room, &n.to_string()).await);
    }
    for message in &messages[..50] {
        pins(&ada, &room, message).await;
    }
    let path = format!("{}/pin", at(&room, &messages[50]));
    ada.put_nothing(&path).await.problem(409, "too_many_pins");
    pins(&ada, &room, &messages[0]).await;
    assert_eq!(pinned(&ada, &room).await.len(), 50);
    let other = ada.creates_room("other").await;
    let elsewhere = ada.posts(&other, "elsewhere").await;
    pins(&ada, &other, &elsewhere).await;
    // A deletion makes room as unpinning does.
    ada.delete(&at(&room, &messages[7])).await.ok(204);
    ada.put_nothing(&path).await.ok(204);
    assert_eq!(pinned(&ada, &room).await[0], "50");
}

#[tokio::test]
async fn messages_of_another_room_are_not_pinned() {
    let server = Server::start().await;
    let (ada, bob, room) = lobby(&server).await;
    let den = ada.creates_private_room("den").await;
    let hidden = ada.posts(&den, "hidden").await;
    for nothing in [hidden["id"].as_str().unwrap(), "x", &den.id] {
        let path = format!("/v1/rooms/{}/messages/{nothing}/pin", room.id);
        ada.put_nothing(&path).await.problem(404, "message_not_found");
        ada.delete(&path).await.problem(404, "message_not_found");
    }
    let path = format!("{}/pin", at(&den, &hidden));
    bob.put_nothing(&path).await.problem(404, "room_not_found");
    bob.delete(&path).await.problem(404, "room_not_found");
    bob.get(&format!("/v1/rooms/{}/pins", den.id)).await.problem(404, "room_not_found");
    assert!(pinned(&ada, &den).await.is_empty() && pinned(&ada, &room).await.is_empty());
}
