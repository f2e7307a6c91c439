//! Reactions: one emoji each, counted once a person, shown to everybody and marked as one's own to oneself alone.

use serde_json::{Value, json};

use crate::support::log::says;
use crate::support::{Person, Room, Server};

const THUMB: &str = "%F0%9F%91%8D";

fn at(room: &Room, message: &Value) -> String {
    format!("/v1/rooms/{}/messages/{}", room.id, message["id"].as_str().unwrap())
}

fn encoded(emoji: &str) -> String {
    emoji.bytes().fold(String::new(), |text, byte| format!("{text}%{byte:02X}"))
}

async fn reacts(person: &Person, room: &Room, message: &Value, emoji: &str) -> Value {
    person.put_nothing(&format!("{}/reactions/{}", at(room, message), encoded(emoji))).await.ok(200)
}

async fn takes_back(person: &Person, room: &Room, message: &Value, emoji: &str) {
    person.delete(&format!("{}/reactions/{}", at(room, message), encoded(emoji))).await.ok(204);
}

async fn gets(person: &Person, room: &Room, message: &Value) -> Value {
    person.get(&at(room, message)).await.ok(200)
}

/// Ada's room, in which Bob is, and a message of his.
async fn lobby(server: &Server) -> (Person, Person, Room, Value) {
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let room = ada.creates_room("lobby").await;
    bob.joins(&room).await;
    let message = bob.posts(&room, "hello").await;
    (ada, bob, room, message)
}

#[tokio::test]
async fn reactions_are_counted_and_marked_as_ones_own_to_oneself_alone() {
    let server = Server::start().await;
    let (ada, bob, room, message) = lobby(&server).await;
    let mut live = bob.streams(&room).await;
    live.hello().await;
    assert_eq!(reacts(&ada, &room, &message, "👍").await, json!({ "emoji": "👍", "count": 1, "me": true }));
    assert_eq!(reacts(&bob, &room, &message, "👍").await["count"], 2);
    assert_eq!(reacts(&bob, &room, &message, "❤️").await["count"], 1);
    // Again: nothing changes, and nothing is told.
    assert_eq!(reacts(&bob, &room, &message, "❤️").await, json!({ "emoji": "❤️", "count": 1, "me": true }));
    let of_ada = json!([{ "emoji": "👍", "count": 2, "me": true }, { "emoji": "❤️", "count": 1 }]);
    let of_bob =
        json!([{ "emoji": "👍", "count": 2, "me": true }, { "emoji": "❤️", "count": 1, "me": true }]);
    assert_eq!(gets(&ada, &room, &message).await["reactions"], of_ada);
    assert_eq!(ada.reads(&room).await["items"][0]["reactions"], of_ada);
    assert_eq!(bob.reads(&room).await["items"][0]["reactions"], of_bob);

    takes_back(&bob, &room, &message, "❤️").await;
    takes_back(&bob, &room, &message, "❤️").await;
    takes_back(&ada, &room, &message, "🎉").await;
    takes_back(&ada, &room, &message, "👍").await;
    let left = json!([{ "emoji": "👍", "count": 1, "me": true }]);
    assert_eq!(gets(&bob, &room, &message).await["reactions"], left);
    takes_back(&bob, &room, &message, "👍").await;
    assert_eq!(gets(&bob, &room, &message).await, message);

    ada.posts(&room, "the end").await;
    let frames = live.until(|frame| says(frame, "the end")).await;
    let told: Vec<_> = frames[..frames.len() - 1]
        .iter()
        .map(|frame| {
            let reaction = &frame.data["reaction"];
            assert_eq!(reaction["message"], message["id"]);
            assert_eq!(reaction.as_object().unwrap().len(), 3);
            let actor = frame.data["actor"]["username"].as_str().unwrap();
            let emoji = reaction["emoji"].as_str().unwrap();
            (frame.kind().to_owned(), actor, emoji, reaction["count"].as_i64().unwrap())
        })
        .collect();
    let added = |who, emoji, count| ("reaction.added".to_owned(), who, emoji, count);
    let removed = |who, emoji, count| ("reaction.removed".to_owned(), who, emoji, count);
    assert_eq!(
        told,
        [
            added("ada", "👍", 1),
            added("bob", "👍", 2),
            added("bob", "❤️", 1),
            removed("bob", "❤️", 0),
            removed("ada", "👍", 1),
            removed("bob", "👍", 0),
        ]
    );
}

#[tokio::test]
async fn answers_to_a_caller_say_which_reactions_are_theirs_and_events_do_not() {
    let server = Server::start().await;
    let (ada, bob, room, message) = lobby(&server).await;
    reacts(&bob, &room, &message, "👍").await;
    let mut live = ada.streams(&room).await;
    live.hello().await;
    let edited = bob.patch(&at(&room, &message), json!({ "body": "hello again" })).await.ok(200);
    assert_eq!(edited["reactions"], json!([{ "emoji": "👍", "count": 1, "me": true }]));
    ada.put_nothing(&format!("{}/pin", at(&room, &message))).await.ok(204);
    for kind in ["message.edited", "message.pinned"] {
        let event = live.next().await;
        assert_eq!(event.kind(), kind);
        assert_eq!(event.data["message"]["reactions"], json!([{ "emoji": "👍", "count": 1 }]), "{kind}");
    }
    let pins = bob.get(&format!("/v1/rooms/{}/pins", room.id)).await.ok(200);
    assert_eq!(pins["items"][0]["reactions"], edited["reactions"]);
}

#[tokio::test]
async fn what_is_not_one_emoji_is_refused() {
    let server = Server::start().await;
    let (ada, _, room, message) = lobby(&server).await;
    let before = ada.sees(&room).await["last_seq"].clone();
    for bad in ["a", "1", ":+1:", "👍👍", "\u{2764}", "👩\u{200d}", "👩‍👩‍👧\u{200d}", "🇨", "\u{1f3fd}", " ", "\0"]
    {
        let path = format!("{}/reactions/{}", at(&room, &message), encoded(bad));
        ada.put_nothing(&path).await.problem(422, "not_an_emoji");
        ada.delete(&path).await.problem(422, "not_an_emoji");
        let path = format!("{}/reactions?emoji={}", at(&room, &message), encoded(bad));
        ada.get(&path).await.problem(422, "not_an_emoji");
    }
    ada.put_nothing(&format!("{}/reactions/%FF", at(&room, &message))).await.problem(404, "not_found");
    assert_eq!(gets(&ada, &room, &message).await, message);
    assert_eq!(ada.sees(&room).await["last_seq"], before);
    for good in ["👩‍👩‍👧‍👦", "1️⃣", "🏴󠁧󠁢󠁳󠁣󠁴󠁿"] {
        reacts(&ada, &room, &message, good).await;
    }
}

#[tokio::test]
async fn a_message_takes_twenty_kinds_and_any_number_of_people_for_each() {
    let server = Server::start().await;
    let (ada, bob, room, message) = lobby(&server).await;
    let kinds: Vec<String> = ('🐀'..='🐓').map(String::from).collect();
    assert_eq!(kinds.len(), 20);
    for emoji in &kinds {
        reacts(&ada, &room, &message, emoji).await;
    }
    let path = format!("{}/reactions/{THUMB}", at(&room, &message));
    for person in [&ada, &bob] {
        person.put_nothing(&path).await.problem(409, "too_many_kinds");
    }
    assert_eq!(reacts(&bob, &room, &message, &kinds[0]).await["count"], 2);
    takes_back(&ada, &room, &message, &kinds[1]).await;
    reacts(&bob, &room, &message, "👍").await;
    let reactions = gets(&ada, &room, &message).await["reactions"].clone();
    let shown: Vec<_> =
        reactions.as_array().unwrap().iter().map(|reaction| reaction["emoji"].as_str().unwrap()).collect();
    let expected: Vec<_> = [0].into_iter().chain(2..20).map(|n| kinds[n].as_str()).chain(["👍"]).collect();
    assert_eq!(shown, expected);
}

#[tokio::test]
async fn who_reacts_is_listed_by_emoji_page_by_page() {
    let server = Server::start().await;
    let (ada, bob, room, message) = lobby(&server).await;
    let cyd = server.register("cyd").await;
    cyd.joins(&room).await;
    for (person, emoji) in [(&cyd, "👍"), (&ada, "👍"), (&bob, "❤️"), (&bob, "👍"), (&ada, "🎉")]
    {
        reacts(person, &room, &message, emoji).await;
    }
    let path = format!("{}/reactions", at(&room, &message));
    let names = |page: &Value| -> Vec<(String, String)> {
        let items = page["items"].as_array().unwrap().iter();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        items.map(|item| (text(&item["emoji"]), text(&item["user"]["username"]))).collect()
    };
    let all = bob.get(&path).await.ok(200);
    let expected = [("❤️", "bob"), ("🎉", "ada"), ("👍", "cyd"), ("👍", "ada"), ("👍", "bob")];
    let expected: Vec<_> = expected.map(|(emoji, name)| (emoji.to_owned(), name.to_owned())).into();
    assert_eq!(names(&all), expected);
    assert!(all.get("next_page").is_none());
    for (query, expected) in [("", &expected[..]), (&*format!("&emoji={THUMB}"), &expected[2..])] {
        let (mut seen, mut page) = (Vec::new(), String::new());
        loop {
            let found = bob.get(&format!("{path}?limit=2{query}{page}")).await.ok(200);
            seen.extend(names(&found));
            let Some(next) = found["next_page"].as_str() else { break };
            page = format!("&page={next}");
        }
        assert_eq!(seen, expected);
    }
    for bad in ["page=x", "page=", "page=bG9iYnk", "page=bG9iYnkK8J-RjQ"] {
        bob.get(&format!("{path}?{bad}")).await.problem(400, "bad_page");
    }
    for bad in ["limit=0", "limit=201", "after=x"] {
        bob.get(&format!("{path}?{bad}")).await.problem(400, "invalid_parameter");
    }
}

#[tokio::test]
async fn a_deleted_message_has_no_reactions_and_takes_none() {
    let server = Server::start().await;
    let (ada, bob, room, message) = lobby(&server).await;
    reacts(&ada, &room, &message, "👍").await;
    bob.delete(&at(&room, &message)).await.ok(204);
    assert!(gets(&ada, &room, &message).await.get("reactions").is_none());
    let path = format!("{}/reactions", at(&room, &message));
    ada.put_nothing(&format!("{path}/{THUMB}")).await.problem(409, "message_deleted");
    ada.delete(&format!("{path}/{THUMB}")).await.ok(204);
    assert_eq!(ada.get(&path).await.ok(200)["items"], json!([]));
}

#[tokio::test]
async fn nobody_reacts_to_messages_of_another_room() {
    let server = Server::start().await;
    let (ada, bob, room, _) = lobby(&server).await;
    let den = ada.creates_private_room("den").await;
    let hidden = ada.posts(&den, "hidden").await;
    reacts(&ada, &den, &hidden, "👍").await;
    let path = |room: &Room, id: &str| format!("/v1/rooms/{}/messages/{id}/reactions", room.id);
    let hidden_id = hidden["id"].as_str().unwrap();
    let mut tries = vec![(&bob, path(&den, hidden_id), "room_not_found")];
    for nothing in [hidden_id, "x", &den.id] {
        tries.extend([&ada, &bob].map(|person| (person, path(&room, nothing), "message_not_found")));
    }
    for (person, path, code) in tries {
        person.put_nothing(&format!("{path}/{THUMB}")).await.problem(404, code);
        person.delete(&format!("{path}/{THUMB}")).await.problem(404, code);
        person.get(&path).await.problem(404, code);
    }
    assert_eq!(gets(&ada, &den, &hidden).await["reactions"][0]["count"], 1);
}
