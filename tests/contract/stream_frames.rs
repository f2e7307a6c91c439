//! Frames byte for byte: whatever people write into names, titles, topics and messages, a strict reader gets exactly the
//! events that happened, however the bytes are cut and however the connection frames them.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::{Value, json};

use crate::support::{EventStream, Person, Room, Server, Wire};

/// Text that tries to be more than text: line ends, field names, ends of JSON and of chunks.
fn text() -> impl Strategy<Value = String> {
    let parts = proptest::sample::select(vec![
        "\n",
        "\r",
        "\r\n",
        "\n\n",
        "\u{2028}",
        "\u{2029}",
        "\u{feff}",
        "\u{0}",
        "\u{85}",
        "data: ",
        "id: ",
        "event: bye",
        "retry: 1",
        ":",
        "\"}",
        "\\",
        "\\n",
        "0\r\n\r\n",
        "</script>",
        "\u{202e}",
        "\t",
        " ",
    ]);
    let part = prop_oneof![parts.prop_map(str::to_owned), any::<char>().prop_map(String::from)];
    proptest::collection::vec(part, 1..12).prop_map(|parts| parts.concat())
}

/// Somebody does something with this text; gives what the answer says is so now, if it was allowed.
async fn writes(ada: &Person, room: &Room, what: usize, text: &str) -> Option<Value> {
    let path = format!("/v1/rooms/{}", room.id);
    let answer = match what {
        0 => ada.post(&format!("{path}/messages"), json!({ "body": text })).await,
        1 => ada.patch(&path, json!({ "title": text })).await,
        2 => ada.patch(&path, json!({ "topic": text })).await,
        _ => ada.patch("/v1/users/me", json!({ "display_name": text })).await,
    };
    assert!(answer.status < 500, "{}", answer.text);
    (answer.status < 300).then_some(answer.json)
}

/// A stream over HTTP/1.0, where the body is nothing but frames.
async fn opens_plain(ada: &Person, room: &Room) -> Wire {
    let (path, token) = (format!("/v1/rooms/{}/events", room.id), ada.token());
    let head = format!("GET {path} HTTP/1.0\nHost: parlor\nAuthorization: Bearer {token}\n\n");
    let mut wire = Wire::asks(ada.address(), &head).await;
    wire.until("event: hello\n").await;
    wire
}

/// Everything that was written is in the stream, once and in order, and nothing else.
async fn holds(
    ada: &Person,
    room: &Room,
    stream: &mut EventStream,
    wire: &mut Wire,
    texts: &[(usize, String)],
) -> Result<(), TestCaseError> {
    let mut written = Vec::new();
    let mut last = ada.sees(room).await;
    for (what, text) in texts {
        let Some(now) = writes(ada, room, *what, text).await else { continue };
        // What changes nothing is no event.
        let is_news = *what == 0 || ada.sees(room).await["last_seq"] != last["last_seq"];
        last = ada.sees(room).await;
        if is_news {
            written.push((*what, now));
        }
    }
    let marker = ada.posts(room, "the end").await;
    written.push((0, marker.clone()));
    for (what, now) in written {
        let frame = stream.next().await;
        match what {
            0 => prop_assert_eq!(&frame.data["message"], &now),
            1 | 2 => {
                let state = &frame.data["room_state"];
                for part in ["title", "topic", "name", "visibility"] {
                    prop_assert_eq!(state.get(part), now.get(part), "{}", part);
                }
            }
            _ => prop_assert_eq!(&frame.data["member"]["user"]["display_name"], &now["display_name"]),
        }
    }
    // By the byte: LF alone ends lines, and every line is a field that means something, or ends its frame.
    wire.until(marker["id"].as_str().unwrap()).await;
    let text = wire.text();
    let (_, frames) = text.split_once("\r\n\r\n").unwrap();
    prop_assert!(!frames.contains('\r'));
    let known = |line: &str| {
        line.is_empty()
            || ["id: ", "data: {", "event: ", "retry: "].iter().any(|field| line.starts_with(field))
    };
    for line in frames.split('\n') {
        prop_assert!(known(line) || frames.ends_with(line), "{:?}", line);
    }
    let named = frames.split('\n').filter(|line| line.starts_with("event: ") && *line != "event: ping");
    prop_assert_eq!(named.collect::<Vec<_>>(), ["event: hello"]);
    Ok(())
}

#[test]
fn whatever_people_write_a_frame_stays_a_frame() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (_server, ada, room, stream, wire) = runtime.block_on(async {
        let server = Server::start_with(&[("PARLOR_AUTH__ACCESS_TOKEN_SECONDS", "3600")]).await;
        let ada = server.register("ada").await;
        let room = ada.creates_room("room").await;
        let mut stream = ada.streams(&room).await;
        stream.hello().await;
        let wire = opens_plain(&ada, &room).await;
        (server, ada, room, stream, wire)
    });
    let ends = std::cell::RefCell::new((stream, wire));
    let mut runner = TestRunner::new(Config { cases: 40, failure_persistence: None, ..Config::default() });
    runner
        .run(&proptest::collection::vec((0..4_usize, text()), 1..8), |texts| {
            let (stream, wire) = &mut *ends.borrow_mut();
            runtime.block_on(holds(&ada, &room, stream, wire, &texts))
        })
        .unwrap();
}
