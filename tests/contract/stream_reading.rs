//! What is unread, at random points of a random life: a list of rooms, with the events after its cursor, is what a fresh list shows. Three
//! people post, mark, join and leave; the reader has two devices, and streams that are cut and resumed.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::support::log::says;
use crate::support::{Frame, Person, Server};

const ROOMS: usize = 2;
/// People; the last one reads.
const PEOPLE: usize = 3;
/// Unread messages are counted up to this.
const MOST: i64 = 100;

/// Something that one of the people does, allowed or not.
#[derive(Debug, Clone)]
enum Deed {
    Join,
    Leave,
    Post(&'static str),
    /// More than are counted.
    PostMany,
    /// Marks a message of the room, by its number.
    Read(u16),
    Unread(u16),
    ReadAll,
    /// The reader lists the rooms.
    Snapshot,
}

fn deeds() -> impl Strategy<Value = Vec<(usize, usize, Deed)>> {
    let deed = prop_oneof![
        2 => Just(Deed::Join),
        1 => Just(Deed::Leave),
        6 => Just(Deed::Post("something")),
        4 => Just(Deed::Post("@cyd, look")),
        2 => Just(Deed::Post("@room and @cyd")),
        1 => Just(Deed::PostMany),
        5 => any::<u16>().prop_map(Deed::Read),
        3 => any::<u16>().prop_map(Deed::Unread),
        1 => Just(Deed::ReadAll),
        2 => Just(Deed::Snapshot),
    ];
    proptest::collection::vec((0..PEOPLE, 0..ROOMS, deed), 20..60)
}

/// A room as a client keeps it.
#[derive(Debug, Clone)]
struct Place {
    read: Value,
    last_message: Value,
    /// Events of the room up to this are in it.
    last_seq: i64,
}

/// The rooms of a client by their ids, and the cursor up to which all is in them.
#[derive(Debug, Clone)]
struct Client {
    rooms: BTreeMap<String, Place>,
    cursor: String,
}

impl Place {
    fn of(room: &Value) -> Self {
        Self {
            read: room["read"].clone(),
            last_message: room["last_message"].clone(),
            last_seq: room["last_seq"].as_i64().unwrap(),
        }
    }

    /// What everybody who has the room has to agree on. Of the version a client knows only what it was told.
    fn shown(&self) -> (Value, &Value) {
        let mut read = self.read.clone();
        read.as_object_mut().unwrap().remove("version");
        (read, &self.last_message)
    }

    fn applies(&mut self, frame: &Frame, reader: &Person) {
        if frame.kind() == "read.updated" {
            if frame.data["read"]["version"].as_i64() > self.read["version"].as_i64() {
                self.read = frame.data["read"].clone();
            }
            return;
        }
        let seq = frame.data["seq"].as_i64().unwrap();
        if seq <= self.last_seq {
            return;
        }
        self.last_seq = seq;
        if frame.kind() != "message.posted" {
            return;
        }
        let message = &frame.data["message"];
        self.last_message = message.clone();
        if message["author"]["id"] == *reader.id {
            self.read["last_read"] = message["id"].clone();
            self.read["last_read_seq"] = message["seq"].clone();
            self.read["unread_count"] = json!(0);
            self.read["mention_count"] = json!(0);
        } else {
            let people = message["mentions"].as_array().map(Vec::as_slice).unwrap_or_default();
            let is_mentioned =
                message["mentions_room"] == true || people.iter().any(|person| person["id"] == *reader.id);
            for (count, counts) in [("unread_count", true), ("mention_count", is_mentioned)] {
                let counted = self.read[count].as_i64().unwrap() + i64::from(counts);
                self.read[count] = json!(counted.min(MOST));
            }
        }
    }
}

impl Client {
    async fn fetched_by(reader: &Person) -> Self {
        let listed = reader.lists_rooms().await;
        let rooms = listed["items"].as_array().unwrap().iter();
        let rooms = rooms.map(|room| (room["id"].as_str().unwrap().to_owned(), Place::of(room)));
        Self { rooms: rooms.collect(), cursor: listed["cursor"].as_str().unwrap().to_owned() }
    }

    async fn applies(&mut self, frame: &Frame, reader: &Person) {
        let id = frame.data["room"].as_str().unwrap().to_owned();
        let is_own = frame.data["member"]["user"]["id"] == *reader.id;
        if is_own && frame.kind() == "member.left" {
            self.rooms.remove(&id);
        } else if is_own && frame.kind() == "member.joined" {
            // The event does not say what the reader has read before.
            let seen = reader.get(&format!("/v1/rooms/{id}")).await.json;
            if seen["role"].is_string() {
                self.rooms.insert(id, Place::of(&seen));
            }
        } else if let Some(place) = self.rooms.get_mut(&id) {
            place.applies(frame, reader);
        }
    }

    /// Follows everything up to the end of this life by streams that each end after a few events.
    async fn follows(&mut self, reader: &Person, patience: usize, end: &str) {
        loop {
            let mut stream = reader.streams_after(&self.cursor).await;
            stream.hello().await;
            for _ in 0..patience {
                let frame = stream.next().await;
                frame.cursor().clone_into(&mut self.cursor);
                if says(&frame, end) {
                    return;
                }
                self.applies(&frame, reader).await;
            }
        }
    }

    fn shown(&self) -> BTreeMap<&String, (Value, &Value)> {
        self.rooms.iter().map(|(id, place)| (id, place.shown())).collect()
    }
}

struct Life {
    people: Vec<Person>,
    /// The reader's other device.
    phone: Person,
    rooms: Vec<String>,
    home: String,
    end: String,
}

impl Life {
    /// `messages` are those of the rooms, in the order in which they came.
    async fn does(&self, (who, room, deed): &(usize, usize, Deed), messages: &mut [Vec<Value>]) {
        let person = if *who == PEOPLE - 1 && messages[*room].len().is_multiple_of(2) {
            &self.phone
        } else {
            &self.people[*who]
        };
        let path = format!("/v1/rooms/{}", self.rooms[*room]);
        let some = |number: u16| {
            let known = &messages[*room];
            known.get(usize::from(number) % known.len().max(1)).cloned().unwrap_or_else(|| json!("none"))
        };
        let answer = match deed {
            Deed::Join => person.post_nothing(&format!("{path}/join")).await,
            Deed::Leave => person.post_nothing(&format!("{path}/leave")).await,
            Deed::Read(number) => {
                person.post(&format!("{path}/read"), json!({ "message": some(*number) })).await
            }
            Deed::Unread(number) => {
                person.post(&format!("{path}/unread"), json!({ "message": some(*number) })).await
            }
            Deed::ReadAll => person.post_nothing("/v1/users/me/read").await,
            Deed::Post(_) | Deed::PostMany => {
                let (count, body) = if let Deed::Post(body) = deed { (1, *body) } else { (MOST + 5, "@cyd") };
                let path = format!("{path}/messages");
                let posts = (0..count).map(|_| person.post(&path, json!({ "body": body })));
                let mut answers = futures_util::future::join_all(posts).await;
                let posted = answers.iter().filter(|answer| answer.status == 201);
                messages[*room].extend(posted.map(|answer| answer.json["id"].clone()));
                answers.pop().unwrap()
            }
            Deed::Snapshot => return,
        };
        assert!(answer.status < 500, "{}: {}", answer.what, answer.text);
    }

    async fn passes(&self, deeds: &[(usize, usize, Deed)]) {
        let reader = &self.people[PEOPLE - 1];
        let mut live = Client::fetched_by(reader).await;
        let mut stream = reader.streams_after(&live.cursor).await;
        stream.hello().await;
        let (mut snapshots, mut messages) = (Vec::new(), vec![Vec::new(); ROOMS]);
        for deed in deeds {
            if let Deed::Snapshot = deed.2 {
                snapshots.push(Client::fetched_by(&self.phone).await);
            } else {
                self.does(deed, &mut messages).await;
            }
        }
        let fresh = Client::fetched_by(reader).await;
        reader.posts(&self.home, &self.end).await;
        for frame in stream.until(|frame| says(frame, &self.end)).await {
            if !says(&frame, &self.end) {
                live.applies(&frame, reader).await;
            }
        }
        assert_eq!(live.shown(), fresh.shown(), "by a stream that was there all the time");
        for (patience, mut snapshot) in [1, 3, 7].into_iter().cycle().zip(snapshots) {
            snapshot.follows(&self.phone, patience, &self.end).await;
            assert_eq!(snapshot.shown(), fresh.shown(), "by streams of {patience} events");
        }
    }
}

#[test]
fn a_list_of_rooms_and_the_events_after_it_say_what_is_unread() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (_server, people, phone) = runtime.block_on(async {
        let server = Server::start_with(&[("PARLOR_AUTH__ACCESS_TOKEN_SECONDS", "3600")]).await;
        let mut people = Vec::new();
        for name in ["ada", "bob", "cyd"] {
            people.push(server.register(name).await);
        }
        let phone = server.sign_in("cyd").await;
        (server, people, phone)
    });
    let lives = std::cell::Cell::new(0);
    let config = Config { cases: 4, failure_persistence: None, max_shrink_iters: 32, ..Config::default() };
    TestRunner::new(config)
        .run(&deeds(), |deeds| {
            let number = lives.replace(lives.get() + 1);
            runtime.block_on(async {
                let mut rooms = Vec::new();
                for room in 0..ROOMS {
                    let made = people[room].creates_room(&format!("room-{number}-{room}")).await.id;
                    people[PEOPLE - 1].joins(&made).await;
                    rooms.push(made);
                }
                let home = people[PEOPLE - 1].creates_private_room(&format!("home-{number}")).await.id;
                let end = format!("the end {number}");
                let life = Life { people: people.clone(), phone: phone.clone(), rooms, home, end };
                life.passes(&deeds).await;
            });
            Ok(())
        })
        .unwrap();
}
