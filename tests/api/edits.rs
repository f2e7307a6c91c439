//! Messages after they were posted: they are edited and deleted, and answer each other.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::log::{now, says};
use crate::support::{Frame, Person, Room, Server};

fn at(room: &Room, message: &Value) -> String {
    format!("/v1/rooms/{}/messages/{}", room.id, message["id"].as_str().unwrap())
}

async fn edits(person: &Person, room: &Room, message: &Value, body: &str) -> Value {
    person.patch(&at(room, message), json!({ "body": body })).await.ok(200)
}

async fn answers(person: &Person, room: &Room, message: &Value, body: &str) -> Value {
    let body = json!({ "body": body, "reply_to": message["id"] });
    person.post(&format!("/v1/rooms/{}/messages", room.id), body).await.ok(201)
}

async fn gets(person: &Person, room: &Room, message: &Value) -> Value {
    person.get(&at(room, message)).await.ok(200)
}

fn bodies(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|message| message["body"].as_str().unwrap()).collect()
}

/// Ada's room, in which Bob is.
async fn lobby(server: &Server) -> (Person, Person, Room) {
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let room = ada.creates_room("lobby").await;
    bob.joins(&room).await;
    (ada, bob, room)
}

/// The events of a room after a cursor, up to a message that says the word.
async fn events(reader: &Person, room: &Room, cursor: &str, end: &str) -> Vec<Frame> {
    let mut stream = reader.streams_from(room, cursor).await;
    stream.hello().await;
    let mut frames = stream.until(|frame| says(frame, end)).await;
    frames.pop();
    frames
}

#[tokio::test]
async fn an_author_edits_and_everybody_sees_the_new_text() {
    let server = Server::start().await;
    let (ada, bob, room) = lobby(&server).await;
    let posted = bob.posts(&room, "helo").await;
    let mut live = ada.streams(&room).await;
    live.hello().await;
    let edited = edits(&bob, &room, &posted, "hello\r\nthere").await;
    assert_eq!(edited["body"], "hello\nthere");
    assert!(edited["edited_at"].as_str().unwrap() >= posted["created_at"].as_str().unwrap());
    for same in ["id", "room", "seq", "author", "created_at"] {
        assert_eq!(edited[same], posted[same], "{same}");
    }
    assert_eq!(gets(&ada, &room, &posted).await, edited);
    assert_eq!(ada.reads(&room).await["items"], json!([edited]));
    let event = live.next().await;
    assert_eq!((event.kind(), &event.data["message"]), ("message.edited", &edited));
    assert_eq!(event.data["seq"].as_i64(), posted["seq"].as_i64().map(|seq| seq + 1));
    assert_eq!(event.data["actor"]["username"], "bob");
    assert_eq!(event.data["at"], edited["edited_at"]);
}

#[tokio::test]
async fn the_same_text_again_changes_nothing_and_is_no_event() {
    let server = Server::start().await;
    let (ada, bob, room) = lobby(&server).await;
    let before = now(&ada).await;
    let posted = bob.posts(&room, "a\nb").await;
    assert_eq!(edits(&bob, &room, &posted, "a\r\nb").await, posted);
    ada.posts(&room, "the end").await;
    let kinds: Vec<_> =
        events(&ada, &room, &before, "the end").await.iter().map(|frame| frame.kind().to_owned()).collect();
    assert_eq!(kinds, ["message.posted"]);
}

#[tokio::test]
async fn only_the_author_edits_and_nobody_a_deleted_message() {
    let server = Server::start().await;
    let (ada, bob, room) = lobby(&server).await;
    let posted = bob.posts(&room, "mine").await;
    let (path, other) = (at(&room, &posted), json!({ "body": "yours" }));
    ada.patch(&path, other.clone()).await.problem(403, "not_the_author");
    assert_eq!(gets(&ada, &room, &posted).await, posted);
    bob.patch(&path, json!({ "body": "still mine" })).await.ok(200);
    bob.delete(&path).await.ok(204);
    ada.patch(&path, other.clone()).await.problem(403, "not_the_author");
    bob.patch(&path, other).await.problem(409, "message_deleted");
    let gone = gets(&bob, &room, &posted).await;
    assert_eq!(gone["body"], "");
}

#[tokio::test]
async fn a_bad_text_is_no_edit() {
    let server = Server::start().await;
    let (_, bob, room) = lobby(&server).await;
    let posted = bob.posts(&room, "good").await;
    let path = at(&room, &posted);
    for (body, status, code) in [
        (json!({ "body": "" }), 400, "invalid_body"),
        (json!({}), 400, "invalid_body"),
        (json!({ "body": null }), 400, "invalid_body"),
        (json!({ "body": "x".repeat(4_001) }), 400, "invalid_body"),
        (json!({ "body": "x", "reply_to": posted["id"] }), 400, "invalid_body"),
        (json!({ "body": " \u{200b}" }), 422, "text_not_allowed"),
        (json!({ "body": "a\u{0}" }), 422, "text_not_allowed"),
    ] {
        let place = if body.get("reply_to").is_some() { "" } else { "/body" };
        let problem = bob.patch(&path, body).await.problem(status, code);
        assert_eq!(problem["errors"][0]["pointer"], place);
    }
    assert_eq!(gets(&bob, &room, &posted).await, posted);
}

#[tokio::test]
async fn a_message_is_deleted_by_its_author_and_by_owners_and_leaves_a_mark() {
    let server = Server::start().await;
    let (ada, bob, room) = lobby(&server).await;
    let cyd = server.register("cyd").await;
    cyd.joins(&room).await;
    let mut live = ada.streams(&room).await;
    live.hello().await;
    for deleter in [&bob, &ada] {
        let posted = bob.posts_with_id(&room, "away", &format!("by-{}", deleter.username)).await;
        let path = at(&room, &posted);
        cyd.delete(&path).await.problem(403, "role_too_low");
        deleter.delete(&path).await.ok(204);
        let gone = gets(&cyd, &room, &posted).await;
        let mut expected = posted.clone();
        expected["body"] = json!("");
        expected["deleted_at"] = gone["deleted_at"].clone();
        assert!(gone["deleted_at"].is_string());
        assert_eq!(gone, expected);
        assert!(ada.reads(&room).await["items"].as_array().unwrap().contains(&gone), "it keeps its place");

        assert_eq!(live.next().await.kind(), "message.posted");
        let event = live.next().await;
        assert_eq!((event.kind(), &event.data["message"]), ("message.deleted", &gone));
        assert_eq!(event.data["actor"]["username"], *deleter.username);
        // Again: it is done, and no event tells of it. For somebody who could not do it, it stays so.
        for again in [&bob, &ada] {
            again.delete(&path).await.ok(204);
        }
        cyd.delete(&path).await.problem(403, "role_too_low");
        // The repeat of the post gives what it is now.
        let again = json!({ "body": "away", "client_id": posted["client_id"] });
        let path = format!("/v1/rooms/{}/messages", room.id);
        assert_eq!(bob.post(&path, again).await.ok(200), gone);
    }
    ada.posts(&room, "the end").await;
    assert!(says(&live.next().await, "the end"));
}

#[tokio::test]
async fn answers_are_counted_shown_with_what_they_answer_and_listed() {
    let server = Server::start().await;
    let (ada, bob, room) = lobby(&server).await;
    let question = ada.posts(&room, "how are you?").await;
    assert!(question.get("reply_count").is_none() && question.get("reply_to").is_none());
    let mut said = Vec::new();
    for n in 1..=5 {
        let answer = answers(&bob, &room, &question, &format!("answer {n}")).await;
        assert_eq!(answer["reply_to"], question["id"]);
        said.push(answer);
    }
    assert_eq!(gets(&bob, &room, &question).await["reply_count"], 5);
    let page = ada.reads_page(&room, "limit=2").await;
    assert_eq!(bodies(&page["items"]), ["answer 4", "answer 5"]);
    assert_eq!(page["referenced"], json!([gets(&bob, &room, &question).await]));
    assert_eq!(ada.reads(&room).await["referenced"], json!([]), "the question is an item");

    ada.delete(&at(&room, &said[1])).await.ok(204);
    assert_eq!(gets(&bob, &room, &question).await["reply_count"], 4);
    let path = format!("{}/replies", at(&room, &question));
    let first = ada.get(&format!("{path}?limit=2")).await.ok(200);
    assert_eq!(bodies(&first["items"]), ["answer 1", "answer 3"]);
    assert_eq!(bodies(&first["referenced"]), ["how are you?"]);
    assert!(first.get("prev_cursor").is_none());
    let next = first["next_cursor"].as_str().unwrap();
    let second = ada.get(&format!("{path}?limit=2&after={next}")).await.ok(200);
    assert_eq!(bodies(&second["items"]), ["answer 4", "answer 5"]);
    assert!(second.get("next_cursor").is_none());
    let prev = second["prev_cursor"].as_str().unwrap();
    let back = ada.get(&format!("{path}?limit=1&before={prev}")).await.ok(200);
    assert_eq!(bodies(&back["items"]), ["answer 3"]);
    assert_eq!(bodies(&ada.get(&path).await.ok(200)["items"]).len(), 4);

    ada.delete(&at(&room, &question)).await.ok(204);
    let kept = gets(&ada, &room, &said[0]).await;
    assert_eq!(kept["reply_to"], question["id"], "it still says what it answered");
    let page = ada.reads_page(&room, "limit=1").await;
    assert_eq!(page["referenced"][0]["body"], "");
    assert_eq!(page["referenced"][0]["reply_count"], 4);
    assert_eq!(bodies(&ada.get(&path).await.ok(200)["items"]).len(), 4);
    let none = ada.get(&format!("{}/replies", at(&room, &said[0]))).await.ok(200);
    assert_eq!((&none["items"], &none["referenced"]), (&json!([]), &json!([])));
}

#[tokio::test]
async fn what_cannot_be_answered_is_refused_and_nothing_is_posted() {
    let server = Server::start().await;
    let (ada, bob, room) = lobby(&server).await;
    let den = ada.creates_private_room("den").await;
    let (mine, elsewhere) = (bob.posts(&room, "mine").await, ada.posts(&den, "elsewhere").await);
    bob.delete(&at(&room, &mine)).await.ok(204);
    let before = ada.sees(&room).await["last_seq"].clone();
    let path = format!("/v1/rooms/{}/messages", room.id);
    let nowhere = json!("0190a7c4-7b1e-7cc0-8000-000000000000");
    for bad in [&mine["id"], &elsewhere["id"], &nowhere, &json!("x"), &json!(""), &json!(room.id)] {
        for person in [&ada, &bob] {
            let answer = person.post(&path, json!({ "body": "no", "reply_to": bad })).await;
            assert_eq!(answer.problem(422, "reply_not_found")["errors"][0]["pointer"], "/reply_to");
        }
    }
    bob.post(&path, json!({ "body": "no", "reply_to": 7 })).await.problem(400, "invalid_body");
    assert_eq!(ada.sees(&room).await["last_seq"], before);
    let null = bob.post(&path, json!({ "body": "null is absent", "reply_to": null })).await.ok(201);
    assert!(null.get("reply_to").is_none());
}

#[tokio::test]
async fn a_repeat_has_the_same_text_and_answers_the_same_message() {
    let server = Server::start().await;
    let (ada, bob, room) = lobby(&server).await;
    let (one, other) = (ada.posts(&room, "one").await, ada.posts(&room, "other").await);
    let path = format!("/v1/rooms/{}/messages", room.id);
    let post = |reply_to: &Value| json!({ "body": "yes", "client_id": "1", "reply_to": reply_to });
    let posted = bob.post(&path, post(&one["id"])).await.ok(201);
    assert_eq!(bob.post(&path, post(&one["id"])).await.ok(200), posted);
    for differs in [&other["id"], &Value::Null] {
        bob.post(&path, post(differs)).await.problem(409, "client_id_reused");
    }
    edits(&bob, &room, &posted, "no").await;
    ada.delete(&at(&room, &one)).await.ok(204);
    let repeated = bob.post(&path, post(&one["id"])).await.ok(200);
    assert_eq!(repeated["body"], "no", "it is compared with what was posted first, and given as it is now");
    assert_eq!(gets(&ada, &room, &one).await["reply_count"], 1);
}

#[tokio::test]
async fn a_page_counts_the_texts_that_its_messages_answer() {
    let server = Server::start().await;
    let (ada, bob, room) = lobby(&server).await;
    // Of four bytes each, so that a text has nearly 16 KiB.
    let long = "𝄞".repeat(4_000);
    for n in 0..30 {
        let question = ada.posts(&room, &format!("{n}{}", &long[4 * 16..])).await;
        answers(&bob, &room, &question, "short").await;
    }
    // The newest page of answers alone: every second message.
    let mut query = "limit=200".to_owned();
    let mut seen = 0;
    loop {
        let answer = ada.get(&format!("/v1/rooms/{}/messages?{query}", room.id)).await;
        let page = answer.ok(200);
        let bytes: usize =
            ["items", "referenced"].iter().flat_map(|list| bodies(&page[list])).map(str::len).sum();
        assert!(bytes <= 256 * 1024, "{bytes}");
        seen += page["items"].as_array().unwrap().len();
        let Some(prev) = page["prev_cursor"].as_str() else { break };
        query = format!("limit=200&before={prev}");
    }
    assert_eq!(seen, 60);
}

#[tokio::test]
async fn ids_of_another_room_name_nothing() {
    let server = Server::start().await;
    let (ada, bob, room) = lobby(&server).await;
    let den = ada.creates_private_room("den").await;
    let hidden = ada.posts(&den, "hidden").await;
    assert_eq!(edits(&ada, &den, &hidden, "still hidden").await["body"], "still hidden");
    let id = hidden["id"].as_str().unwrap();
    let body = Some(json!({ "body": "found" }));
    for nothing in [id, &den.id, "x", "0190a7c4-7b1e-7cc0-8000-000000000000"] {
        let path = format!("/v1/rooms/{}/messages/{nothing}", room.id);
        for person in [&ada, &bob] {
            let edit = person.request(Method::PATCH, &path, body.clone(), &[]).await;
            edit.problem(404, "message_not_found");
            person.delete(&path).await.problem(404, "message_not_found");
            person.get(&format!("{path}/replies")).await.problem(404, "message_not_found");
        }
    }
    let path = at(&den, &hidden);
    bob.request(Method::PATCH, &path, body, &[]).await.problem(404, "room_not_found");
    bob.delete(&path).await.problem(404, "room_not_found");
    bob.get(&format!("{path}/replies")).await.problem(404, "room_not_found");
    assert_eq!(gets(&ada, &den, &hidden).await["body"], "still hidden");
}

#[tokio::test]
async fn pages_of_answers_that_make_no_sense_are_refused() {
    let server = Server::start().await;
    let (ada, _, room) = lobby(&server).await;
    let question = ada.posts(&room, "?").await;
    let good = ada.reads(&room).await["cursor"].as_str().unwrap().to_owned();
    let path = format!("{}/replies", at(&room, &question));
    ada.get(&format!("{path}?before={good}&limit=200")).await.ok(200);
    for bad in [&format!("before={good}&after={good}"), "limit=0", "limit=201", "around=x", "page=x"] {
        ada.get(&format!("{path}?{bad}")).await.problem(400, "invalid_parameter");
    }
    for bad in ["before=", "after=x", "before=%00"] {
        ada.get(&format!("{path}?{bad}")).await.problem(400, "bad_cursor");
    }
}

#[tokio::test]
async fn an_edit_and_a_deletion_change_whom_a_message_mentions_and_tell_of_it() {
    let server = Server::start().await;
    let (ada, bob, room) = lobby(&server).await;
    let cyd = server.register("cyd").await;
    cyd.joins(&room).await;
    let mentions = async |person: &Person| person.sees(&room).await["read"]["mention_count"].as_i64();
    let mut live = ada.streams(&room).await;
    live.hello().await;
    let posted = ada.posts(&room, "@bob and @room").await;
    assert_eq!((mentions(&bob).await, mentions(&cyd).await), (Some(1), Some(1)));
    let edited = edits(&ada, &room, &posted, "@cyd").await;
    assert_eq!(edited["mentions"][0]["username"], "cyd");
    assert!(edited.get("mentions_room").is_none());
    assert_eq!((mentions(&bob).await, mentions(&cyd).await), (Some(0), Some(1)));
    edits(&ada, &room, &posted, "@cyd and @bob").await;
    assert_eq!((mentions(&bob).await, mentions(&cyd).await), (Some(1), Some(1)));
    ada.delete(&at(&room, &posted)).await.ok(204);
    assert_eq!((mentions(&bob).await, mentions(&cyd).await), (Some(0), Some(0)));

    assert_eq!(live.next().await.data["message"], posted);
    let change =
        |frame: &Frame| ["mentioned", "unmentioned", "unmentioned_room"].map(|key| frame.data[key].clone());
    let first = live.next().await;
    assert_eq!(first.data["message"], edited);
    assert_eq!(change(&first), [json!([cyd.id]), json!([bob.id]), json!(true)]);
    assert_eq!(change(&live.next().await), [json!([bob.id]), Value::Null, Value::Null]);
    let last = live.next().await;
    assert_eq!((last.kind(), last.data["message"].get("mentions")), ("message.deleted", None));
    assert_eq!(change(&last), [Value::Null, json!([cyd.id, bob.id]), Value::Null]);
}
