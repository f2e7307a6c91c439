//! The log as readers see it: what their streams brought, compared with the history and with each other. Knows no paths.

use std::collections::HashMap;

use serde_json::Value;

use super::person::{Person, Room};
use super::server::Server;
use super::stream::{EventStream, Frame};

/// The cursor of the log's present end.
pub async fn now(reader: &Person) -> String {
    reader.lists_rooms().await["cursor"].as_str().expect("the snapshot has a cursor").to_owned()
}

/// All messages of a room, oldest first; read by paging back from the newest.
pub async fn history(reader: &Person, room: impl AsRef<str>) -> Vec<Value> {
    let mut messages: Vec<Value> = Vec::new();
    let mut query = "limit=200".to_owned();
    loop {
        let page = reader.reads_page(&room, &query).await;
        let mut items = page["items"].as_array().expect("a page has items").clone();
        items.append(&mut messages);
        messages = items;
        match page["prev_cursor"].as_str() {
            Some(cursor) => query = format!("limit=200&before={cursor}"),
            None => return messages,
        }
    }
}

/// A room in which Ada posts and Bob reads, for tests that break something.
pub struct Watched {
    pub ada: Person,
    pub bob: Person,
    pub room: Room,
    /// A cursor from before the first message.
    pub before: String,
    /// Bob's stream, which has shown the first message, "before".
    pub stream: EventStream,
}

impl Watched {
    pub async fn begins(server: &Server) -> Self {
        let (ada, bob) = (server.register("ada").await, server.register("bob").await);
        let room = ada.creates_room("room").await;
        bob.joins(&room).await;
        let before = now(&bob).await;
        let mut stream = bob.streams(&room).await;
        stream.hello().await;
        ada.posts_with_id(&room, "before", "before").await;
        until_said(&mut stream, "before").await;
        Self { ada, bob, room, before, stream }
    }
}

/// The event without its cursor, which differs after each start of the server.
pub fn event(frame: &Frame) -> Value {
    let mut event = frame.data.clone();
    event.as_object_mut().expect("an event is an object").remove("cursor");
    event
}

/// The messages that these frames posted.
pub fn messages(frames: &[Frame]) -> Vec<Value> {
    frames.iter().filter(|f| f.kind() == "message.posted").map(|f| f.data["message"].clone()).collect()
}

/// Their bodies in the order of the alphabet.
pub fn sorted_bodies(messages: &[Value]) -> Vec<&str> {
    let mut bodies: Vec<_> = messages.iter().map(|message| message["body"].as_str().unwrap()).collect();
    bodies.sort_unstable();
    bodies
}

/// Whether this is the post of that body.
pub fn says(frame: &Frame, body: &str) -> bool {
    frame.data["message"]["body"] == body
}

/// The frames up to the post of that body, including it.
pub async fn until_said(stream: &mut EventStream, body: &str) -> Vec<Frame> {
    stream.until(|frame| says(frame, body)).await
}

/// Checks that the seq of each room goes up by one from frame to frame. The reader's own join begins a new count.
#[track_caller]
pub fn assert_dense(frames: &[Frame], reader: &Person) {
    let mut last: HashMap<&str, i64> = HashMap::new();
    for frame in frames.iter().filter(|frame| frame.event.is_empty()) {
        let room = frame.data["room"].as_str().expect("an event has a room");
        // What is for the reader alone is not counted.
        if frame.kind() == "read.updated" {
            assert_eq!(frame.data["seq"], Value::Null);
            continue;
        }
        let seq = frame.data["seq"].as_i64().expect("an event has a seq");
        let own_join = frame.kind() == "member.joined" && frame.data["member"]["user"]["id"] == *reader.id;
        if let Some(before) = last.insert(room, seq).filter(|_| !own_join) {
            assert_eq!(seq, before + 1, "a gap or a repeat at {frame:?}");
        }
    }
}

/// Checks that a stream brought exactly what the whole log has after the stream's cursor.
#[track_caller]
pub fn assert_rest(whole: &[Frame], cursor: &str, got: &[Frame]) {
    let start = whole.iter().position(|frame| frame.id.as_deref() == Some(cursor));
    let rest = &whole[start.expect("the cursor is in the log") + 1..];
    assert_same(rest, got);
}

/// Checks that the frames are the same, and shows only the first difference.
#[track_caller]
pub fn assert_same(expected: &[Frame], got: &[Frame]) {
    for (index, (expected, got)) in expected.iter().zip(got).enumerate() {
        assert_eq!(expected, got, "frame {index} differs");
    }
    assert_eq!(
        expected.len(),
        got.len(),
        "one of them goes on: {:?}",
        expected.get(got.len()).or(got.get(expected.len()))
    );
}
