//! The document's examples are one story, and it is true: each request, sent to a server in the order in which people
//! would, gives the answer that stands beside it.

use std::collections::BTreeSet;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::support::event_source::Parser;
use crate::support::{Answer, Client, Server, published};

/// Members whose value no example can know: only their kind is compared.
const UNFORESEEN: &[&str] = &[
    "id",
    "room",
    "last_read",
    "reply_to",
    "session",
    "cursor",
    "access_token",
    "refresh_token",
    "created_at",
    "pinned_at",
    "joined_at",
    "last_used_at",
    "expires_at",
    "at",
    // Counters: they grow between one answer of the story and the next.
    "member_count",
    "version",
    "last_seq",
];
const JSON: &str = "application/json";

/// A person who does what the document shows. `real` holds the true ids and tokens, where an example has made-up ones.
struct Reader {
    client: Client,
    real: Map<String, Value>,
    told: Vec<String>,
}

impl Reader {
    /// Sends the example of an operation, compares the answer with the one beside it, and gives it.
    async fn does(&mut self, id: &str, status: u16) -> Value {
        let (path, method, operation) = operation(id);
        let mut address = path.to_owned();
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap();
            let value = self.real.get(name).unwrap_or(&parameter["example"]);
            let value = utf8_percent_encode(value.as_str().unwrap_or_default(), NON_ALPHANUMERIC);
            address = address.replace(&format!("{{{name}}}"), &value.to_string());
        }
        let mut body = operation["requestBody"]["content"][JSON].get("example").cloned();
        if let Some(token) = body.as_mut().and_then(|body| body.get_mut("refresh_token")) {
            *token = self.real["refresh_token"].clone();
        }
        if let Some(message) = body.as_mut().and_then(|body| body.get_mut("message")) {
            *message = self.real["message"].clone();
        }
        let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
        let answer: Answer =
            self.client.request(method, &address, body, &[("user-agent", "curl/8.14.1")]).await;
        let given = answer.ok(status);
        let content = &operation["responses"][status.to_string()]["content"];
        if let Some(shown) = content.pointer("/application~1json/example") {
            compare(&format!("{id} {status}"), shown, &given);
        }
        self.told.push(id.to_owned());
        given
    }

    /// Opens the example of a stream after a cursor, and compares its first frames with those that are shown.
    async fn follows(&mut self, id: &str, after: &Value) {
        let (path, _, operation) = operation(id);
        let address = format!("{}?after={}", path.replace("{room}", "lobby"), after.as_str().unwrap());
        let shown = operation["responses"]["200"]["content"]["text/event-stream"]["example"].as_str();
        let shown = Parser::default().feed(shown.unwrap().as_bytes());
        assert_eq!(shown.len(), 2, "{id}: the example is a stream of two frames");
        let mut stream = self.client.opening(&address).open().await;
        for shown in shown {
            let given = stream.next().await;
            assert_eq!((&shown.name, shown.id.is_some()), (&given.event, given.id.is_some()), "{id}");
            compare(id, &serde_json::from_str(&shown.data).unwrap(), &given.data);
        }
        self.told.push(id.to_owned());
    }
}

/// The path, the method and what the document says of them.
fn operation(id: &str) -> (&'static str, &'static str, &'static Value) {
    let mut all = published().operations();
    all.find(|(.., operation)| operation["operationId"] == id).expect(id)
}

/// Asserts that an answer is the example, but for what cannot be foreseen.
fn compare(place: &str, shown: &Value, given: &Value) {
    match (shown, given) {
        (Value::Object(shown), Value::Object(given)) => {
            let keys = |object: &Map<String, Value>| object.keys().cloned().collect::<BTreeSet<_>>();
            assert_eq!(keys(shown), keys(given), "{place}");
            for (key, value) in shown {
                let kind = |value: &Value| (value.is_string(), value.is_number());
                if UNFORESEEN.contains(&key.as_str()) {
                    assert_eq!(kind(value), kind(&given[key]), "{place}/{key}");
                } else {
                    compare(&format!("{place}/{key}"), value, &given[key]);
                }
            }
        }
        (Value::Array(shown), Value::Array(given)) => {
            assert_eq!(shown.len(), given.len(), "{place}");
            for (index, (shown, given)) in shown.iter().zip(given).enumerate() {
                compare(&format!("{place}/{index}"), shown, given);
            }
        }
        _ => assert_eq!(shown, given, "{place}"),
    }
}

/// Every other problem says no more than its code, and is compared with its example wherever a test meets it.
#[tokio::test]
async fn each_problem_that_says_more_than_its_code_says_what_its_example_does() {
    let server = Server::start().await;
    let linus = server.register("linus").await;
    let (common, nul) = ("passwordpassword", "Linus\0");
    let plain = Server::start_with(&[("PARLOR_SERVER__PUBLIC_URL", "http://chat.example")]).await;
    let cookies = json!({ "username": "linus", "password": common, "transport": "cookie" });
    linus.creates_room("lobby").await;
    let answer = json!({ "body": "Nobody asked", "reply_to": "019ab0c4-7b1e-7cc0-8000-5d1f6b0a7e02" });
    let told = [
        linus.post("/v1/rooms/lobby/messages", answer).await,
        linus.request(Method::GET, "/v1/server", None, &[("host", "linus@parlor")]).await,
        linus.post("/v1/users", json!({ "password": "a stitch in time saves" })).await,
        linus.get("/v1/rooms?limit=0").await,
        linus.patch("/v1/users/me", json!({ "display_name": nul })).await,
        linus.post("/v1/users", json!({ "username": "grace", "password": common })).await,
        plain.anonymous().post("/v1/login", cookies.clone()).await,
        linus
            .request(Method::POST, "/v1/login", Some(cookies), &[("origin", "http://elsewhere.example")])
            .await,
    ];
    let mut examples = published().json["components"]["examples"].as_object().unwrap().clone();
    for answer in told {
        let mut given = answer.json;
        let example = examples.remove(given["code"].as_str().unwrap()).expect("a code of the document");
        // The one member that is another each time.
        given["request_id"] = example["value"]["request_id"].clone();
        assert_eq!(given, example["value"], "{}", answer.what);
    }
    for (code, example) in &examples {
        let says_more = example["value"].get("detail").or(example["value"].get("errors"));
        assert_eq!(says_more, None, "{code}: is its example true?");
    }
}

#[tokio::test]
async fn each_request_of_the_document_gives_the_answer_beside_it() {
    let server = Server::start().await;
    let reader = |client: Client| Reader { client, real: Map::new(), told: Vec::new() };
    let nobody = server.anonymous();
    let account =
        json!({ "username": "grace", "password": "a stitch in time saves", "display_name": "Grace Hopper" });
    nobody.post("/v1/users", account.clone()).await.ok(201);
    let credentials = json!({ "username": account["username"], "password": account["password"] });
    let signed_in = nobody.post("/v1/login", credentials).await.ok(200);
    let mut grace = reader(nobody.bearing(signed_in["access_token"].as_str().unwrap()));

    let mut ada = reader(nobody);
    for id in ["getServer", "getLivez", "getReadyz"] {
        ada.does(id, 200).await;
    }
    ada.does("registerUser", 201).await;
    let tokens = ada.does("login", 200).await;
    ada.real.insert("refresh_token".to_owned(), tokens["refresh_token"].clone());
    let tokens = ada.does("refresh", 200).await;
    ada.real.insert("refresh_token".to_owned(), tokens["refresh_token"].clone());
    ada.client = ada.client.bearing(tokens["access_token"].as_str().unwrap());

    for id in ["getMe", "updateMe", "getUser", "listSessions"] {
        ada.does(id, 200).await;
    }
    ada.does("createRoom", 201).await;
    ada.does("createRoom", 200).await;
    grace.does("joinRoom", 201).await;
    grace.does("joinRoom", 200).await;
    let before = ada.client.get("/v1/users/me/rooms").await.ok(200)["cursor"].clone();
    let message = ada.does("postMessage", 201).await;
    ada.does("postMessage", 200).await;
    ada.real.insert("message".to_owned(), message["id"].clone());
    for id in ["streamRoomEvents", "streamEvents"] {
        ada.follows(id, &before).await;
    }
    grace.real.insert("message".to_owned(), message["id"].clone());
    for id in ["markUnread", "markRead"] {
        grace.does(id, 200).await;
    }
    grace.does("markAllRead", 204).await;
    for id in [
        "listMyRooms",
        "getMessage",
        "listMessages",
        "editMessage",
        "getRoom",
        "updateRoom",
        "listRooms",
        "listMembers",
    ] {
        ada.does(id, 200).await;
    }
    for (id, status) in [("addReaction", 200), ("listReactions", 200), ("pinMessage", 204), ("listPins", 200)]
    {
        ada.does(id, status).await;
    }
    let answer = json!({ "body": "Good morning, Ada!", "reply_to": message["id"] });
    grace.client.post("/v1/rooms/lobby/messages", answer).await.ok(201);
    ada.does("listReplies", 200).await;
    for id in ["removeReaction", "unpinMessage", "deleteMessage"] {
        ada.does(id, 204).await;
    }
    ada.does("putMember", 200).await;
    grace.does("leaveRoom", 204).await;
    ada.does("putMember", 201).await;
    ada.does("deleteRoom", 204).await;

    ada.does("changePassword", 204).await;
    ada.real.insert("session".to_owned(), signed_in["session"].clone());
    grace.real = ada.real.clone();
    grace.does("endSession", 204).await;
    ada.does("logout", 204).await;

    let told: Vec<_> = ada.told.iter().chain(&grace.told).map(String::as_str).collect();
    let missing: Vec<_> = published()
        .operations()
        .filter_map(|(.., operation)| operation["operationId"].as_str())
        .filter(|id| !told.contains(id))
        .collect();
    assert!(missing.is_empty(), "the story leaves out {missing:?}");
}
