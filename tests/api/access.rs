//! Private rooms are nothing to outsiders: whatever is tried, the answer is that of a room which does not exist, byte for
//! byte but for the request's own id.

use serde_json::{Value, json};

use crate::support::{Client, Person, Server, published, without_cursor};

/// An id that no room has.
const RANDOM_ID: &str = "01a20000-7b1e-7cc0-8000-0123456789ab";
const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"];
/// What may follow a path; `{message}` is one of the private room.
const QUERIES: &[&str] = &[
    "",
    "?limit=1",
    "?limit=0",
    "?page=x",
    "?before=x",
    "?after=x",
    "?around={message}",
    "?max_replay=0",
    "?x=y",
];
/// Good for one operation or another, and good for none.
const BODIES: &[&str] = &["", "{}", r#"{"body":"hello"}"#, r#"{"title":"Mine"}"#, r#"{"role":"owner"}"#, "{"];

/// Every path of the document that is about a room, and some that are not in it.
fn paths() -> Vec<String> {
    let document = published();
    let mut paths: Vec<String> = document.operations().map(|(path, ..)| path.to_owned()).collect();
    paths.dedup();
    paths.retain(|path| path.contains("{room}"));
    assert!(paths.len() >= 8, "{paths:?}");
    let undocumented = ["/", "/nothing", "/bans", "/messages/x", "/messages/{message}/x", "/members/nobody"];
    paths.extend(undocumented.map(|rest| format!("/v1/rooms/{{room}}{rest}")));
    paths
}

/// The whole answer as it came over the wire, without what every answer has of its own.
async fn answer_to(client: &Client, token: &str, method: &str, target: &str, body: &str) -> String {
    let authorization =
        if token.is_empty() { String::new() } else { format!("Authorization: Bearer {token}\r\n") };
    let length = body.len();
    let request = format!(
        "{method} {target} HTTP/1.1\r\nHost: parlor\r\n{authorization}Content-Type: application/json\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    let answer = client.exchange(request.as_bytes()).await;
    let (head, body) =
        answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{method} {target}: {answer:?}"));
    let lines =
        || head.split("\r\n").map(|line| (line, line.split(':').next().unwrap_or("").to_ascii_lowercase()));
    let id = lines().find(|(_, name)| name == "x-request-id").map_or("", |(line, _)| line[13..].trim());
    let shared = lines().filter(|(_, name)| !["x-request-id", "date"].contains(&name.as_str()));
    let head: Vec<&str> = shared.map(|(line, _)| line).collect();
    assert!(!id.is_empty(), "{method} {target}: {answer}");
    format!("{}\r\n\r\n{}", head.join("\r\n"), body.replace(id, "ID"))
}

#[tokio::test]
async fn a_private_room_answers_outsiders_like_an_id_that_is_none() {
    let server = Server::start().await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let (eve, lee) = (server.register("eve").await, server.register("lee").await);
    let den = ada.creates_private_room("den").await;
    ada.adds(&den, "bob").await;
    ada.adds(&den, "lee").await;
    let message = bob.posts(&den, "secret").await;
    lee.reads(&den).await;
    lee.leaves(&den).await;
    let before = without_cursor(ada.sees(&den).await);

    let anonymous = server.anonymous();
    let mut compared = 0;
    for path in paths() {
        let path = path.replace("{message}", message["id"].as_str().unwrap()).replace("{username}", "bob");
        let path = path.replace("{emoji}", "%F0%9F%91%8D");
        for method in METHODS {
            for (query, body) in variants(method) {
                let target = format!("{path}{query}").replace("{message}", message["id"].as_str().unwrap());
                let there = target.replace("{room}", &den.id);
                let nowhere = target.replace("{room}", RANDOM_ID);
                for token in [eve.token(), lee.token(), ""] {
                    let answer = answer_to(&anonymous, token, method, &there, body).await;
                    let nothing = answer_to(&anonymous, token, method, &nowhere, body).await;
                    assert_eq!(answer, nothing, "{method} {target} {body}");
                    let refused = ["400", "401", "404", "405"].contains(&&answer[9..12]);
                    assert!(refused, "{method} {target} {body}: {answer}");
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 1_000, "{compared}");
    assert_eq!(without_cursor(ada.sees(&den).await), before, "and nothing has come of it");
}

/// Queries with an empty body, and bodies without a query for methods that have one.
fn variants(method: &str) -> Vec<(&'static str, &'static str)> {
    if ["POST", "PUT", "PATCH", "DELETE"].contains(&method) {
        BODIES.iter().map(|body| ("", *body)).collect()
    } else {
        QUERIES.iter().map(|query| (*query, "")).collect()
    }
}

#[tokio::test]
async fn nothing_else_tells_outsiders_of_a_private_room() {
    let server = Server::start().await;
    let (ada, eve) = (server.register("ada").await, server.register("eve").await);
    let lobby = ada.creates_room("lobby").await;
    let mut stream = eve.streams_all().await;
    stream.hello().await;
    let seen = || async {
        let profile = eve.get("/v1/users/ada").await.ok(200);
        let mut directory = eve.get("/v1/rooms?limit=1").await.ok(200);
        // Where the log ends can be seen by all, but not read.
        directory["items"][0]["cursor"].take();
        let search = eve.get("/v1/rooms?q=den").await.ok(200);
        (profile, directory, search, eve.sees(&lobby).await["last_seq"].take())
    };
    let before = seen().await;

    let den = ada.creates_private_room("den").await;
    ada.posts(&den, "secret").await;
    assert_eq!(seen().await, before);
    assert_eq!(eve.lists_rooms().await["items"], json!([]));
    assert_eq!(eve.creates_room("den").await.json["role"], "owner", "its name is free");

    let first = stream.next().await;
    assert_eq!((first.kind(), &first.data["member"]["user"]["username"]), ("member.joined", &json!("eve")));
    assert_ne!(first.data["room"], json!(den.id));
}

#[tokio::test]
async fn who_is_added_finds_the_room_and_who_leaves_loses_it_at_once() {
    let server = Server::start().await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let den = ada.creates_private_room("den").await;
    let path = format!("/v1/rooms/{}", den.id);
    for _ in 0..3 {
        for inside in ["", "/members", "/messages"] {
            bob.get(&format!("{path}{inside}")).await.problem(404, "room_not_found");
        }
        ada.adds(&den, "bob").await;
        for inside in ["", "/members", "/messages"] {
            bob.get(&format!("{path}{inside}")).await.ok(200);
        }
        bob.posts(&den, "here").await;
        bob.leaves(&den).await;
    }
    assert_eq!(count(&ada, &den.id).await, 3);
}

async fn count(person: &Person, room: &str) -> usize {
    person.reads(room).await["items"].as_array().map_or(0, Vec::<Value>::len)
}

#[tokio::test]
async fn a_room_made_private_is_gone_for_outsiders_at_once() {
    let server = Server::start().await;
    let (ada, bob, eve) =
        (server.register("ada").await, server.register("bob").await, server.register("eve").await);
    let room = ada.creates_room("lobby").await;
    bob.joins(&room).await;
    eve.sees(&room).await;
    let path = format!("/v1/rooms/{}", room.id);
    ada.patch(&path, json!({ "visibility": "private" })).await.ok(200);
    eve.get(&path).await.problem(404, "room_not_found");
    eve.get("/v1/rooms/lobby").await.problem(404, "room_not_found");
    eve.post_nothing(&format!("{path}/join")).await.problem(404, "room_not_found");
    eve.post_nothing(&format!("{path}/leave")).await.problem(404, "room_not_found");
    bob.sees(&room).await;
    ada.patch(&path, json!({ "visibility": "public" })).await.ok(200);
    eve.joins("lobby").await;
}
