//! The log as it is in the database after everything: what verdicts are spoken by. Read through the store, not through any
//! stream, so that no fault of streams can hide itself.

use std::collections::{HashMap, HashSet};

use parlor::domain::event::{Event, Place};
use parlor::domain::ids::{Ids, Position, RoomId};
use parlor::storage::{Location, Purpose, Store};
use serde_json::Value;

use super::reader::digest;

/// Events that are read at once.
const PAGE: i64 = 5_000;

/// One event of the log.
#[derive(Debug)]
pub struct Entry {
    pub room: String,
    pub seq: i64,
    pub kind: String,
    /// Whom a membership event is about.
    pub person: Option<String>,
    pub at: String,
    pub digest: u64,
    pub said: Option<Said>,
}

/// The message of a `message.posted`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub id: String,
    pub author: String,
    pub body: String,
}

pub struct Truth {
    pub entries: Vec<Entry>,
    /// Where an event is, by room and seq.
    pub places: HashMap<(String, i64), usize>,
    /// Rooms that are no more: what was said in them is taken out of the log.
    pub deleted: HashSet<String>,
    /// Sessions that have ended, by their id: how many entries came before that.
    pub ended: HashMap<String, usize>,
}

impl Truth {
    /// Reads the log of servers that are stopped.
    pub async fn read(location: &Location) -> Self {
        let store = Store::open(location, Purpose::Command, Ids::SYSTEM, Box::new(|_| {}));
        let store = store.await.expect("the store opens");
        let (mut entries, mut places, mut deleted) = (Vec::new(), HashMap::new(), HashSet::new());
        let mut ended = HashMap::new();
        let mut last = Position(0);
        let mut seqs: HashMap<RoomId, i64> = HashMap::new();
        loop {
            let page = store.log_events(last, PAGE).await.expect("the log can be read").1;
            if page.is_empty() {
                return Self { entries, places, deleted, ended };
            }
            for event in &page {
                assert!(event.position > last, "the log is in order");
                last = event.position;
                // What was said in a room that is gone is taken out of the log, its seq too.
                // What no stream shows is for nodes.
                if let Some(session) = event.ended() {
                    let before = ended.insert(session.to_string(), entries.len());
                    assert_eq!(before, None, "a session ends once");
                }
                // What is for one person alone has no seq, and goes when a newer one takes its place.
                let Some(Place { room, seq: Some(_) }) = event.place else { continue };
                let next = seqs.entry(room).or_insert(0);
                let entry = Entry::of(event, room, *next + 1);
                *next = entry.seq;
                if entry.kind == "room.deleted" {
                    deleted.insert(entry.room.clone());
                }
                let before = places.insert((entry.room.clone(), entry.seq), entries.len());
                assert_eq!(before, None, "two events of one seq: {entry:?}");
                entries.push(entry);
            }
        }
    }

    /// A log made up of these events, whose seqs go up by one in each room.
    pub fn made_up(events: &[(&str, &str, Option<&str>)]) -> Self {
        let (entries, places, deleted, ended) = Default::default();
        let mut truth = Self { entries, places, deleted, ended };
        for (number, (room, kind, person)) in (0_u64..).zip(events) {
            let seq = truth.entries.iter().filter(|entry| entry.room == *room).count() + 1;
            let seq = i64::try_from(seq).expect("a handful");
            let person = person.map(str::to_owned);
            let (room, kind, at) = ((*room).to_owned(), (*kind).to_owned(), format!("{number:04}"));
            truth.places.insert((room.clone(), seq), truth.entries.len());
            truth.entries.push(Entry { room, seq, kind, person, at, digest: number, said: None });
        }
        truth
    }

    pub fn at(&self, room: &str, seq: i64) -> Option<(usize, &Entry)> {
        let place = *self.places.get(&(room.to_owned(), seq))?;
        Some((place, &self.entries[place]))
    }

    /// Events whose seq is not the one after their room's last.
    pub fn holes(&self) -> usize {
        let mut last: HashMap<&str, i64> = HashMap::new();
        let before = self.entries.iter().map(|entry| last.insert(&entry.room, entry.seq).unwrap_or(0));
        before.zip(&self.entries).filter(|(before, entry)| before + 1 != entry.seq).count()
    }
}

impl Entry {
    fn of(event: &Event, room: RoomId, next_seq: i64) -> Self {
        let data: Value = serde_json::from_str(&event.json()).expect("events are JSON");
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let message = &data["message"];
        let said = text(&message["id"]).map(|id| Said {
            id,
            author: text(&message["author"]["id"]).expect("a message has an author"),
            body: text(&message["body"]).expect("a message has a body"),
        });
        Self {
            room: room.to_string(),
            seq: data["seq"].as_i64().unwrap_or(next_seq),
            kind: event.kind.as_str().to_owned(),
            person: event.person().map(|person| person.to_string()),
            at: text(&data["at"]).unwrap_or_default(),
            digest: digest(&data),
            said,
        }
    }

    /// Whether this tells of that person's own place in the room.
    pub fn is_own(&self, reader: &str) -> bool {
        self.kind.starts_with("member.") && self.person.as_deref() == Some(reader)
    }
}
