//! Cursors, bodies and tokens that are made up or altered. The answer is a refusal with a reason, never a failure of the server,
//! and only what the server made is accepted.
//!
//! By proptest and not by cargo-fuzz: it runs on stable Rust, on every machine and in every `make test`, and what it finds is
//! a small case by itself. What it tries is drawn anew each time; a case that failed is printed as it is.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parlor::domain::cursor::{Cursors, Epoch, EpochStart};
use parlor::domain::ids::Position;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{PASSWORD, Person, Room, Server};

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() })
}

/// A text altered in one place: a character put in, taken out or exchanged, its end cut off, a part of it twice.
fn altered(text: String) -> impl Strategy<Value = String> {
    let strange = proptest::sample::select(vec![
        'A', 'z', '0', '-', '_', '=', '+', '/', '.', ' ', '%', 'é', '\u{0}', '🙂',
    ]);
    (any::<Index>(), strange, 0..5).prop_map(move |(at, strange, how)| {
        let mut characters: Vec<char> = text.chars().collect();
        let at = at.index(characters.len());
        match how {
            0 => characters.insert(at, strange),
            1 => drop(characters.remove(at)),
            2 => characters[at] = strange,
            3 => characters.truncate(at),
            _ => characters.extend_from_within(at..),
        }
        characters.into_iter().collect()
    })
}

prop_compose! {
    /// Mints of one database: its epochs and the end of its log.
    fn mint()(key: [u8; 16], lengths in proptest::collection::vec((any::<u32>(), 1..1_000_i64), 1..6)) -> (Cursors, i64) {
        let mut first = 1;
        let mut epochs: Vec<EpochStart> = Vec::new();
        for (epoch, length) in lengths {
            if epochs.iter().all(|known| known.epoch != Epoch(epoch)) {
                epochs.push(EpochStart { epoch: Epoch(epoch), first: Position(first) });
                first += length;
            }
        }
        (Cursors::new(&key, epochs, 1), first - 1)
    }
}

#[test]
fn a_cursor_that_was_not_minted_is_never_good() {
    runner(2_000)
        .run(
            &(mint(), ".{0,40}", any::<[u8; 16]>(), any::<[u8; 16]>()),
            |((cursors, head), text, bytes, _)| {
                prop_assert_eq!(cursors.decode(&text, Position(head)), None);
                prop_assert_eq!(cursors.decode(&URL_SAFE_NO_PAD.encode(bytes), Position(head)), None);
                Ok(())
            },
        )
        .unwrap();
    let minted = mint().prop_flat_map(|(cursors, head)| {
        let good = (0..=head).prop_map({
            let cursors = cursors.clone();
            move |position| (position, cursors.of_snapshot(Position(position)))
        });
        let with_altered =
            good.prop_flat_map(|(position, good)| (Just(position), Just(good.clone()), altered(good)));
        (Just(cursors), Just(head), with_altered)
    });
    runner(2_000)
        .run(&minted, |(cursors, head, (position, good, altered))| {
            prop_assert_eq!(cursors.decode(&good, Position(head)), Some(Position(position)));
            // An altered one is the same cursor only if it is the same text: there are no two spellings.
            prop_assert_eq!(cursors.decode(&altered, Position(head)).is_some(), altered == good);
            prop_assert_eq!(cursors.decode(&good, Position(position - 1)), None, "beyond the end of the log");
            Ok(())
        })
        .unwrap();
}

/// What is asked of a running server, case by case.
struct Asking {
    runtime: tokio::runtime::Runtime,
    server: Server,
    ada: Person,
    room: Room,
    message: Value,
}

impl Asking {
    fn begin() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (server, ada, room, message) = runtime.block_on(async {
            let server = Server::start_with(&[("PARLOR_AUTH__ACCESS_TOKEN_SECONDS", "3600")]).await;
            let ada = server.register("ada").await;
            // Signs in again and again, and so out of her oldest sessions.
            server.register("lena").await;
            let room = ada.creates_room("room").await;
            let message = ada.posts(&room, "something to page through").await;
            (server, ada, room, message)
        });
        Self { runtime, server, ada, room, message }
    }

    /// Status and whole answer to bytes as they are.
    fn exchanges(&self, bytes: &[u8]) -> (u16, String) {
        let answer = self.runtime.block_on(self.ada.exchange(bytes));
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        (status, answer)
    }

    /// And all goes on as before.
    fn ends(self) {
        self.runtime.block_on(async {
            self.ada.posts(&self.room, "still here").await;
            self.server.anonymous().get("/livez").await.ok(200);
        });
    }
}

/// It is a refusal, and one that a client can read.
fn is_a_refusal(status: u16, answer: &str) -> Result<(), TestCaseError> {
    prop_assert!((400..500).contains(&status), "{}", answer);
    prop_assert!(
        answer.to_ascii_lowercase().contains("content-type: application/problem+json"),
        "{}",
        answer
    );
    Ok(())
}

#[test]
fn a_cursor_that_means_nothing_gets_a_reset_from_streams_and_400_from_pages() {
    let asking = Asking::begin();
    let good = asking.runtime.block_on(async { asking.ada.lists_rooms().await["cursor"].clone() });
    let bad = prop_oneof![altered(good.as_str().unwrap().to_owned()), "[ -~]{1,60}", "\\PC{1,20}"];
    runner(60)
        .run(&bad, |cursor| {
            prop_assume!(good != cursor);
            let escaped = cursor.bytes().fold(String::new(), |text, byte| text + &format!("%{byte:02x}"));
            let (events, page) = (
                format!("/v1/rooms/{}/events?after={escaped}", asking.room.id),
                format!("/v1/rooms/{}/messages?after={escaped}", asking.room.id),
            );
            asking.runtime.block_on(async {
                let mut stream = asking.ada.opening(&events).open().await;
                assert_eq!(stream.reset().await["reason"], "unknown_cursor", "{cursor:?}");
                asking.ada.get(&page).await.problem(400, "bad_cursor");
                if cursor.bytes().all(|byte| (b'!'..=b'~').contains(&byte)) {
                    let mut stream = asking.ada.opening("/v1/events").last_event_id(&cursor).open().await;
                    assert_eq!(stream.reset().await["reason"], "unknown_cursor", "{cursor:?}");
                }
            });
            Ok(())
        })
        .unwrap();
    asking.ends();
}

/// Every operation that takes a body, with one that is right. What would end ada's own session has a token that is none.
fn operations(room: &Room, message: &Value) -> Vec<(Method, String, Value)> {
    let at = |rest: &str| format!("/v1/rooms/{}{rest}", room.id);
    vec![
        (
            Method::POST,
            "/v1/users".into(),
            json!({ "username": "bob", "password": PASSWORD, "display_name": "Bob" }),
        ),
        (Method::PATCH, "/v1/users/me".into(), json!({ "display_name": "Ada" })),
        (
            Method::PUT,
            "/v1/users/me/password".into(),
            json!({ "current_password": "not the right one", "new_password": "another horse battery" }),
        ),
        (
            Method::POST,
            "/v1/login".into(),
            json!({ "username": "lena", "password": PASSWORD, "transport": "bearer" }),
        ),
        (Method::POST, "/v1/refresh".into(), json!({ "refresh_token": "not-a-token" })),
        (Method::POST, "/v1/logout".into(), json!({ "refresh_token": "not-a-token" })),
        (
            Method::POST,
            "/v1/rooms".into(),
            json!({ "name": "r", "title": "T", "topic": "t", "visibility": "private", "client_id": "c" }),
        ),
        (Method::PATCH, at(""), json!({ "title": "T", "topic": "t", "visibility": "public" })),
        (Method::PUT, at("/members/ada"), json!({ "role": "owner" })),
        (Method::POST, at("/messages"), json!({ "body": "hello", "client_id": "c-1" })),
        (
            Method::PATCH,
            at(&format!("/messages/{}", message["id"].as_str().unwrap())),
            json!({ "body": "again" }),
        ),
        (Method::POST, at("/read"), json!({ "message": message["id"] })),
        (Method::POST, at("/unread"), json!({ "message": message["id"] })),
    ]
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,30}".prop_map(Value::from),
        any::<char>().prop_map(|character| json!(character.to_string().repeat(5_000))),
        proptest::sample::select(vec![
            "",
            "\u{0}",
            "\u{202e}x",
            "\u{feff}",
            "\r\n\r\n",
            "bearer",
            "owner",
            "public"
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::btree_map("\\PC{0,8}", inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

#[test]
fn a_body_that_is_altered_is_refused_or_right_whatever_the_operation() {
    let asking = Asking::begin();
    let operations = operations(&asking.room, &asking.message);
    let documented = crate::support::published();
    let with_body = documented.operations().filter(|(_, _, operation)| operation["requestBody"].is_object());
    assert_eq!(with_body.count(), operations.len(), "one of them is not tried here");
    let which = 0..operations.len();
    let change = (any::<Index>(), any_json(), 0..5, any::<Index>(), any::<u8>());
    runner(400)
        .run(&(which, change), |(which, (field, value, how, at, byte))| {
            let (method, path, mut body) = operations[which].clone();
            let fields = body.as_object_mut().unwrap();
            let name = fields.keys().nth(field.index(fields.len())).unwrap().clone();
            let text = match how {
                0 => value.to_string(),
                1 => {
                    fields.insert(name, value);
                    body.to_string()
                }
                2 => {
                    fields.remove(&name);
                    fields.insert(format!("{name}2"), value);
                    body.to_string()
                }
                3 => format!("{{\"{name}\":{value},{}", &body.to_string()[1..]),
                _ => body.to_string(),
            };
            let mut bytes = text.into_bytes();
            if how == 4 {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            // An empty body signs out whoever asks.
            let who = match path.as_str() {
                "/v1/logout" => String::new(),
                _ => format!("Authorization: Bearer {}\r\n", asking.ada.token()),
            };
            let head = format!(
                "{method} {path} HTTP/1.1\r\nHost: parlor\r\nConnection: close\r\n{who}\
                 Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                bytes.len()
            );
            let (status, answer) = asking.exchanges(&[head.as_bytes(), &bytes].concat());
            // Some alterations leave the body valid, and then the request succeeds.
            if (200..300).contains(&status) {
                return Ok(());
            }
            is_a_refusal(status, &answer)
        })
        .unwrap();
    asking.ends();
}

#[test]
fn a_token_that_is_altered_is_no_token() {
    let asking = Asking::begin();
    let token = asking.ada.token().to_owned();
    let parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(&parts[1]).unwrap()).unwrap();
    let names: Vec<String> = claims.as_object().unwrap().keys().cloned().collect();
    let other_claims = (proptest::sample::select(names), any_json()).prop_map({
        let parts = parts.clone();
        move |(name, value)| {
            let mut claims = claims.clone();
            claims[name] = value;
            format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode(claims.to_string()), parts[2])
        }
    });
    let other_head = any_json().prop_map({
        let parts = parts.clone();
        move |head| format!("{}.{}.{}", URL_SAFE_NO_PAD.encode(head.to_string()), parts[1], parts[2])
    });
    let turned = Just(parts).prop_shuffle().prop_map(|parts| parts.join("."));
    let altered = prop_oneof![4 => altered(token.clone()), 2 => other_claims, 1 => other_head, 1 => turned];
    // As bytes: what a header may hold is more than text.
    let bytes = prop_oneof![
        4 => altered.prop_map(|token| format!("Bearer {token}").into_bytes()),
        1 => proptest::collection::vec(prop_oneof![0x20..0x7f_u8, 0x80..=0xff_u8, Just(b'\t')], 0..200),
        1 => "(bearer|BEARER|Basic|Digest|) ?[!-~]{0,80}".prop_map(String::into_bytes),
    ];
    let right = format!("Bearer {token}").into_bytes();
    runner(400)
        .run(&bytes, |value| {
            // The scheme has no case, and space around a value is not part of it.
            prop_assume!(!value.trim_ascii().eq_ignore_ascii_case(&right) || value == right);
            let head = b"GET /v1/users/me HTTP/1.1\r\nHost: parlor\r\nConnection: close\r\nAuthorization: ";
            let (status, answer) = asking.exchanges(&[head, value.as_slice(), b"\r\n\r\n"].concat());
            if value == right {
                prop_assert_eq!(status, 200);
                return Ok(());
            }
            // What is no header at all, or too long for one, never gets to anybody who would write a problem.
            if matches!(status, 400 | 431) && answer.contains("content-length: 0") {
                return Ok(());
            }
            prop_assert!(matches!(status, 400 | 401), "{}", answer);
            is_a_refusal(status, &answer)
        })
        .unwrap();
    asking.ends();
}
