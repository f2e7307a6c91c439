//! Somebody who reads a stream and resumes it by the last cursor after every break, for as long as the torture lasts. Notes
//! what each frame was, and what each connection said of itself; the verdict is spoken elsewhere.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use parlor::domain::clock::Clock;
use serde_json::Value;
use tokio::time::timeout;

use super::badge::{Badge, PATIENCE};
use super::chance::Chance;
use super::world::{Progress, World};
use crate::support::log::{event, says};
use crate::support::{EventStream, Frame, NoStream, Room};

/// What is remembered of an event that a stream showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    pub room: String,
    pub seq: i64,
    /// A hash of the whole event without its cursor.
    pub digest: u64,
}

impl Shown {
    pub fn of(frame: &Frame) -> Self {
        let room = frame.data["room"].as_str().expect("an event has a room").to_owned();
        let seq = frame.data["seq"].as_i64().expect("an event has a seq");
        Self { room, seq, digest: digest(&event(frame)) }
    }
}

/// One connection: which events came over it, and since when.
#[derive(Debug)]
pub struct Stretch {
    /// Index of its first event.
    pub from: usize,
    /// The wall clock when `hello` was read: what happened later was not yet history to this connection.
    pub opened_at: String,
    /// The reason of its `bye`.
    pub bye: Option<String>,
}

pub struct Reader {
    pub badge: Badge,
    pub name: String,
    /// The room, or none for the person's own stream.
    pub room: Option<Room>,
    /// Whether the person may be out of the room now and then.
    pub comes_and_goes: bool,
    /// The message after which nothing more comes.
    last: String,
    cursor: String,
    /// The node that was asked last.
    node: usize,
    chance: Chance,
    progress: Progress,
    pub shown: Vec<Shown>,
    pub stretches: Vec<Stretch>,
    pub resets: usize,
    /// Connections that were turned away, by status.
    pub refused: BTreeMap<u16, usize>,
}

/// The name of a stream in reports: who reads what.
fn name_of(badge: &Badge, room: Option<&Room>, number: usize) -> String {
    let what = room.map_or_else(|| "everything".to_owned(), |room| room.id.clone());
    format!("{} reads {what} ({number})", badge.person.username)
}

impl Reader {
    pub fn new(
        badge: Badge,
        number: usize,
        room: Option<Room>,
        (cursor, last): (&str, String),
        (world, chance): (&World, Chance),
    ) -> Self {
        let name = name_of(&badge, room.as_ref(), number);
        Self {
            progress: world.progress_of(&name),
            badge,
            name,
            room,
            comes_and_goes: false,
            last,
            cursor: cursor.to_owned(),
            node: 0,
            chance,
            shown: Vec::new(),
            stretches: Vec::new(),
            resets: 0,
            refused: BTreeMap::new(),
        }
    }

    /// Reads until the last message has come.
    pub async fn reads(mut self, world: Arc<World>) -> Self {
        let room = self.room.as_ref().map(|room| format!("/v1/rooms/{}/events", room.id));
        let path = room.unwrap_or_else(|| "/v1/events".to_owned());
        loop {
            let (node, person) = self.badge.somewhere();
            self.node = node;
            self.does(format!("opens at node {node} after {}", self.cursor));
            let opening = if self.chance.one_in(2) {
                person.opening(&path).last_event_id(&self.cursor)
            } else {
                person.opening(&format!("{path}?after={}", self.cursor))
            };
            match self.in_time(opening.try_open()).await.unwrap_or_else(silence) {
                Ok(stream) => {
                    if self.follows(stream).await {
                        return self;
                    }
                }
                Err(NoStream::Refused(status, code)) => {
                    *self.refused.entry(status).or_default() += 1;
                    match status {
                        401 => {
                            self.does("renews".to_owned());
                            self.badge.renews(&world).await;
                        }
                        403 | 404 if self.comes_and_goes => world.a_moment().await,
                        503 => world.a_moment().await,
                        _ => panic!("{}: {status} {code}", self.name),
                    }
                }
                Err(NoStream::Broken(_)) => world.a_moment().await,
            }
        }
    }

    /// None where somebody impatient has heard nothing for long enough to go to another node.
    async fn in_time<T>(&self, hears: impl Future<Output = T>) -> Option<T> {
        if self.badge.is_impatient { timeout(PATIENCE, hears).await.ok() } else { Some(hears.await) }
    }

    /// Reads one connection to its end; whether the last message has come.
    async fn follows(&mut self, mut stream: EventStream) -> bool {
        // Some connections are hung up on by the reader himself.
        let hangs_up_after = if self.chance.one_in(3) { self.chance.below(100) } else { u64::MAX };
        let mut read = 0;
        while let Some(frame) = self.in_time(stream.try_next()).await.flatten() {
            if !frame.event.is_empty() {
                self.does(format!("reads at node {} after {} {}", self.node, frame.event, frame.data));
            }
            match frame.event.as_str() {
                "" => {
                    assert!(read > 0, "{}: an event before hello", self.name);
                    if self.notes(&frame) {
                        return true;
                    }
                }
                "hello" => {
                    assert_eq!(read, 0, "{}: a second hello", self.name);
                    assert_eq!(frame.data["resumed"], true, "{}", self.name);
                    // The same position with a new cursor: that of the epoch of the server that runs now.
                    frame.cursor().clone_into(&mut self.cursor);
                    let opened_at = serde_json::to_value(Clock::SYSTEM.now()).expect("a time encodes");
                    let opened_at = opened_at.as_str().expect("a time is a text").to_owned();
                    self.stretches.push(Stretch { from: self.shown.len(), opened_at, bye: None });
                }
                "ping" => {}
                "bye" => {
                    let reason = frame.data["reason"].as_str().unwrap_or_default().to_owned();
                    self.says_bye(reason);
                    let more = stream.try_next().await;
                    assert_eq!(more, None, "{}: something behind the bye", self.name);
                    return false;
                }
                _ => {
                    self.resets += 1;
                    println!("{}: {frame:?}", self.name);
                    frame.cursor().clone_into(&mut self.cursor);
                }
            }
            read += 1;
            if read > hangs_up_after {
                return false;
            }
        }
        false
    }

    fn does(&self, what: String) {
        self.progress.lock().expect("nobody panics with it").does(what);
    }

    fn says_bye(&mut self, reason: String) {
        let is_expected = match reason.as_str() {
            "expired" | "shutdown" | "slow" => true,
            "removed" => self.comes_and_goes && self.room.is_some(),
            _ => false,
        };
        assert!(is_expected, "{}: bye {reason}", self.name);
        self.stretches.last_mut().expect("hello came first").bye = Some(reason);
    }

    /// Whether this was the last message.
    fn notes(&mut self, frame: &Frame) -> bool {
        frame.cursor().clone_into(&mut self.cursor);
        let shown = Shown::of(frame);
        let mut reach = self.progress.lock().expect("nobody panics with it");
        reach.newest.insert(shown.room.clone(), shown.seq);
        reach.does(format!("reads at node {}", self.node));
        drop(reach);
        self.shown.push(shown);
        says(frame, &self.last)
    }
}

fn silence() -> Result<EventStream, NoStream> {
    Err(NoStream::Broken("nothing came".into()))
}

/// The same for one event however its members are ordered.
pub fn digest(event: &Value) -> u64 {
    let (mut event, mut hasher) = (event.clone(), DefaultHasher::new());
    event.sort_all_objects();
    event.to_string().hash(&mut hasher);
    hasher.finish()
}
