//! Spellings that mean the same: null and nothing, an id in upper and in lower case, a cursor in a header and in the query.

use reqwest::Method;
use serde_json::{Value, json};

use super::raw;
use crate::support::log::now;
use crate::support::{PASSWORD, Server, published};

#[tokio::test]
async fn null_means_absent_in_every_field_that_may_be_absent_and_in_no_other() {
    let server = Server::start().await;
    server.register("ada").await.creates_room("lobby").await;
    server.register("grace").await;
    let mut judged = 0;
    for (path, method, operation) in published().operations() {
        let body = &operation["requestBody"]["content"]["application/json"];
        let Some(schema) = body["schema"]["$ref"].as_str() else { continue };
        let schema = &published().schemas()[schema.rsplit('/').next().unwrap()];
        let path = path.replace("{room}", "lobby").replace("{username}", "grace");
        for field in schema["properties"].as_object().unwrap().keys() {
            // Signed in anew for each: one of the operations signs out.
            let ada = server.sign_in("ada").await;
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let mut body = body["example"].clone();
            body[field] = Value::Null;
            let answer = ada.request(method, &path, Some(body), &[]).await;
            let required = schema["required"].as_array();
            if required.is_some_and(|names| names.contains(&json!(field))) {
                let problem = answer.problem(400, "invalid_body");
                assert_eq!(problem["errors"][0]["pointer"], format!("/{field}"), "{path}: {problem}");
            } else {
                assert_ne!(answer.status, 400, "{path} {field}: {}", answer.text);
            }
            judged += 1;
        }
    }
    assert!(judged >= 20, "only {judged} fields");
}

#[tokio::test]
async fn what_is_null_is_as_if_it_were_not_there() {
    let server = Server::start().await;
    let client = server.anonymous();
    let new = json!({ "username": "ada", "password": PASSWORD, "display_name": null });
    assert_eq!(client.post("/v1/users", new).await.ok(201)["display_name"], "ada");
    let login = json!({ "username": "ada", "password": PASSWORD, "transport": null });
    let signed_in = client.post("/v1/login", login).await.ok(200);
    let ada = client.bearing(signed_in["access_token"].as_str().unwrap());
    let room =
        json!({ "name": "lobby", "title": null, "topic": null, "visibility": null, "client_id": null });
    let room = ada.post("/v1/rooms", room).await.ok(201);
    assert_eq!((&room["visibility"], room.get("title"), room.get("topic")), (&json!("public"), None, None));
    for _ in 0..2 {
        let posted = ada.post("/v1/rooms/lobby/messages", json!({ "body": "a", "client_id": null }));
        assert_eq!(posted.await.ok(201).get("client_id"), None, "no repeat of the one before");
    }
    server.register("bob").await;
    let path = "/v1/rooms/lobby/members/bob";
    assert_eq!(ada.put(path, json!({ "role": null })).await.ok(201)["role"], "member");
    ada.put(path, json!({ "role": "owner" })).await.ok(200);
    assert_eq!(ada.put(path, json!({ "role": null })).await.ok(200)["role"], "owner");
    client.post("/v1/refresh", json!({ "refresh_token": null })).await.problem(401, "invalid_refresh_token");
    for body in ["null", " null\n", r#"{"refresh_token":null}"#] {
        let ada = server.sign_in("ada").await;
        assert_eq!(raw::post(&ada, "/v1/logout", body.as_bytes()).await.verdict(), (204, String::new()));
        ada.get("/v1/users/me").await.problem(401, "unauthenticated");
    }
    for (path, body) in [("/v1/refresh", "null"), ("/v1/rooms", "null"), ("/v1/logout", "nul")] {
        let answer = raw::post(&ada, path, body.as_bytes()).await;
        assert_eq!(answer.verdict(), (400, "invalid_body".into()), "{path} {body}");
    }
}

#[tokio::test]
async fn an_id_is_read_in_either_case_and_written_in_lower_case() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("lobby").await;
    let message = ada.posts(&room, "hello").await;
    let id = message["id"].as_str().unwrap();
    let mixed: String =
        room.id.char_indices().map(|(at, c)| if at % 2 == 0 { c.to_ascii_uppercase() } else { c }).collect();
    for spelling in [room.id.to_uppercase(), mixed] {
        let path = format!("/v1/rooms/{spelling}");
        assert_eq!(ada.get(&path).await.ok(200)["id"], room.id);
        let found = ada.get(&format!("{path}/messages/{}", id.to_uppercase())).await.ok(200);
        assert_eq!(found, message);
        let around = ada.get(&format!("{path}/messages?limit=1&around={}", id.to_uppercase())).await.ok(200);
        assert_eq!(around["items"], json!([message]));
        let mut stream = ada.opening(&format!("{path}/events")).open().await;
        stream.hello().await;
        ada.posts(&spelling, "again").await;
        assert_eq!(stream.next().await.data["room"], room.id);
    }
    let other = server.sign_in("ada").await;
    ada.delete(&format!("/v1/sessions/{}", other.session.to_uppercase())).await.ok(204);
    other.get("/v1/users/me").await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn a_cursor_in_the_query_is_as_good_as_one_in_the_header() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("lobby").await;
    let before = now(&ada).await;
    ada.posts(&room, "one").await;
    let between = now(&ada).await;
    ada.posts(&room, "two").await;
    for path in [format!("/v1/rooms/{}/events", room.id), "/v1/events".to_owned()] {
        let resumed = async |query: String| {
            let mut stream = ada.opening(&format!("{path}?{query}")).open().await;
            let hello = stream.hello().await;
            assert_eq!(hello["resumed"], true, "{query}: {hello}");
            stream.next().await.data["message"]["body"].clone()
        };
        assert_eq!(resumed(format!("lastEventId={before}")).await, "one");
        assert_eq!(resumed(format!("lastEventId={between}")).await, "two");
        assert_eq!(resumed(format!("after={before}&lastEventId={between}")).await, "two", "the later");
        assert_eq!(resumed(format!("after=x&lastEventId={before}")).await, "one", "it overrules");
        let both = ada.opening(&format!("{path}?lastEventId={before}")).last_event_id(&between);
        let mut both = both.open().await;
        both.hello().await;
        assert_eq!(both.next().await.data["message"]["body"], "two", "the header is the newer one");
        for unknown in ["x", ""] {
            let mut unknown = ada.opening(&format!("{path}?lastEventId={unknown}")).open().await;
            assert_eq!(unknown.reset().await["reason"], "unknown_cursor");
        }
    }
}
