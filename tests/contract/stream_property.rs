//! Snapshots at random points of a random life: each, with the events after its cursor, is what a fresh fetch gives. Rooms come
//! and go, people join, leave, are added and promoted, and every list is read page by page while things happen.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::support::log::says;
use crate::support::{Frame, Person, Server};

/// Rooms of one life.
const ROOMS: usize = 3;
/// People; the last one reads, and lives as the others do.
const PEOPLE: usize = 3;

/// Something that one of the people does, allowed or not.
#[derive(Debug, Clone)]
enum Deed {
    Join,
    Leave,
    Add(usize),
    Promote(usize),
    Post,
    Retitle(u8),
    Rename(u8),
    Publish(bool),
    Delete,
    /// The reader takes a snapshot of everything.
    Snapshot,
}

fn deeds() -> impl Strategy<Value = Vec<(usize, usize, Deed)>> {
    let deed = prop_oneof![
        4 => Just(Deed::Join),
        2 => Just(Deed::Leave),
        2 => (0..PEOPLE).prop_map(Deed::Add),
        1 => (0..PEOPLE).prop_map(Deed::Promote),
        8 => Just(Deed::Post),
        2 => any::<u8>().prop_map(Deed::Retitle),
        2 => any::<u8>().prop_map(Deed::Rename),
        1 => any::<bool>().prop_map(Deed::Publish),
        1 => Just(Deed::Delete),
        4 => Just(Deed::Snapshot),
    ];
    proptest::collection::vec((0..PEOPLE, 0..ROOMS, deed), 10..40)
}

/// One room as a client keeps it.
#[derive(Debug, Clone, Default, PartialEq)]
struct Place {
    state: Value,
    members: BTreeMap<String, Value>,
    messages: Vec<Value>,
}

/// What a client keeps: its rooms, and the newest that it knows of everybody's name.
#[derive(Debug, Clone, Default, PartialEq)]
struct Client {
    rooms: BTreeMap<String, Place>,
    names: BTreeMap<String, Value>,
}

/// A client and the cursors of what it was fetched from: the rooms, and for each room members and messages.
struct Snapshot {
    client: Client,
    rooms: String,
    members: BTreeMap<String, String>,
    messages: BTreeMap<String, String>,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a text is wanted, not {value}")).to_owned()
}

/// A room as every member has it. What its reader has read is another test's.
fn without_own(room: &Value) -> Value {
    let mut room = room.clone();
    for own in ["cursor", "read", "last_message"] {
        room.as_object_mut().unwrap().remove(own);
    }
    room
}

/// Fetches everything in small pages; `between` happens between two of them.
async fn fetch<F: AsyncFnMut()>(reader: &Person, mut between: F) -> Snapshot {
    let rooms = reader.lists_rooms().await;
    let mut client = Client::default();
    let (mut of_members, mut of_messages) = (BTreeMap::new(), BTreeMap::new());
    for room in rooms["items"].as_array().unwrap() {
        let id = text(&room["id"]);
        let mut place = Place { state: without_own(room), ..Place::default() };
        let mut query = "limit=2".to_owned();
        loop {
            let page = reader.get(&format!("/v1/rooms/{id}/members?{query}")).await;
            // He may have gone, or the room, between two pages.
            if page.status != 200 {
                break;
            }
            of_members.entry(id.clone()).or_insert_with(|| text(&page.json["cursor"]));
            for member in page.json["items"].as_array().unwrap() {
                place.members.entry(text(&member["user"]["id"])).or_insert_with(|| member.clone());
            }
            let Some(next) = page.json["next_page"].as_str() else { break };
            query = format!("limit=2&page={next}");
            between().await;
        }
        let mut query = "limit=3".to_owned();
        loop {
            let page = reader.get(&format!("/v1/rooms/{id}/messages?{query}")).await;
            if page.status != 200 {
                break;
            }
            of_messages.entry(id.clone()).or_insert_with(|| text(&page.json["cursor"]));
            let mut messages = page.json["items"].as_array().unwrap().clone();
            messages.append(&mut place.messages);
            place.messages = messages;
            let Some(prev) = page.json["prev_cursor"].as_str() else { break };
            query = format!("limit=3&before={prev}");
            between().await;
        }
        client.rooms.insert(id, place);
    }
    Snapshot { client, rooms: text(&rooms["cursor"]), members: of_members, messages: of_messages }
}

impl Client {
    fn learns(&mut self, frame: &Frame) {
        for person in [&frame.data["actor"], &frame.data["member"]["user"]] {
            if let Some(id) = person["id"].as_str() {
                self.names.insert(id.to_owned(), person.clone());
            }
        }
    }

    /// Whether a room is gone from the list, or its first frame after an own join.
    fn applies_to_rooms(&mut self, frame: &Frame, reader: &Person) {
        let id = text(&frame.data["room"]);
        let is_own = frame.data["member"]["user"]["id"] == *reader.id;
        if frame.kind() == "room.deleted" || (is_own && frame.kind() == "member.left") {
            self.rooms.remove(&id);
            return;
        }
        let place = self.rooms.entry(id).or_default();
        let role = if is_own { frame.data["member"]["role"].clone() } else { place.state["role"].clone() };
        if let Some(state) = frame.data["room_state"].as_object() {
            place.state = Value::Object(state.clone());
            place.state["role"] = role;
        }
        place.state["last_seq"] = frame.data["seq"].clone();
    }

    fn applies_to_members(&mut self, room: &str, frame: &Frame) {
        let place = self.rooms.get_mut(room).expect("it is in the snapshot");
        let Some(id) = frame.data["member"]["user"]["id"].as_str() else { return };
        if frame.kind() == "member.left" {
            place.members.remove(id);
        } else {
            place.members.insert(id.to_owned(), frame.data["member"].clone());
        }
    }

    fn applies_to_messages(&mut self, room: &str, frame: &Frame) {
        let place = self.rooms.get_mut(room).expect("it is in the snapshot");
        if frame.kind() == "message.posted" {
            place.messages.push(frame.data["message"].clone());
        }
    }

    /// The room with everybody under the newest name that is known. Of authors who are no longer members only the id counts:
    /// a new name is an event only of the rooms that they are in.
    fn place(&self, room: &str) -> Place {
        let mut place = self.rooms[room].clone();
        for member in place.members.values_mut() {
            if let Some(known) = self.names.get(&text(&member["user"]["id"])) {
                member["user"] = known.clone();
            }
        }
        for message in &mut place.messages {
            let id = text(&message["author"]["id"]);
            message["author"] = place.members.get(&id).map_or(json!(id), |member| member["user"].clone());
        }
        place
    }
}

/// Everything after a cursor, up to the end of this life.
async fn events(reader: &Person, path: &str, cursor: &str, end: &str) -> Vec<Frame> {
    let mut stream = reader.opening(&format!("{path}?after={cursor}")).open().await;
    stream.hello().await;
    let mut frames = stream.until(|frame| says(frame, end)).await;
    frames.pop();
    frames
}

struct Life {
    people: Vec<Person>,
    rooms: Vec<String>,
    end: String,
    /// Where the end of the life is told: the reader's alone, and never left.
    home: String,
}

impl Life {
    async fn does(&self, who: usize, room: usize, deed: &Deed) {
        let (person, room) = (&self.people[who], format!("/v1/rooms/{}", self.rooms[room]));
        let answer = match deed {
            Deed::Join => person.post_nothing(&format!("{room}/join")).await,
            Deed::Leave => person.post_nothing(&format!("{room}/leave")).await,
            Deed::Add(whom) => {
                person.put(&format!("{room}/members/{}", self.people[*whom].username), json!({})).await
            }
            Deed::Promote(whom) => {
                let path = format!("{room}/members/{}", self.people[*whom].username);
                person.put(&path, json!({ "role": "owner" })).await
            }
            Deed::Post => person.post(&format!("{room}/messages"), json!({ "body": "something" })).await,
            Deed::Retitle(number) => person.patch(&room, json!({ "title": format!("Title {number}") })).await,
            Deed::Rename(number) => {
                person.patch("/v1/users/me", json!({ "display_name": format!("Name {number}") })).await
            }
            Deed::Publish(yes) => {
                person.patch(&room, json!({ "visibility": if *yes { "public" } else { "private" } })).await
            }
            Deed::Delete => person.delete(&room).await,
            Deed::Snapshot => return,
        };
        assert!(answer.status < 500, "{}: {}", answer.what, answer.text);
    }

    fn reader(&self) -> &Person {
        &self.people[PEOPLE - 1]
    }

    async fn passes(&self, deeds: &[(usize, usize, Deed)]) {
        let mut snapshots = Vec::new();
        for (at, (who, room, deed)) in deeds.iter().enumerate() {
            if let Deed::Snapshot = deed {
                // What happens while pages are turned is taken from further on in the same life.
                let mut meanwhile = deeds[at..].iter().filter(|(.., deed)| !matches!(deed, Deed::Snapshot));
                let snapshot = fetch(self.reader(), async || {
                    if let Some((who, room, deed)) = meanwhile.next() {
                        self.does(*who, *room, deed).await;
                    }
                });
                snapshots.push(snapshot.await);
            } else {
                self.does(*who, *room, deed).await;
            }
        }
        let fresh = fetch(self.reader(), async || {}).await.client;
        self.reader().posts(&self.home, &self.end).await;
        for snapshot in snapshots {
            self.holds(snapshot, &fresh).await;
        }
    }

    /// Each part of the snapshot by itself, from its own cursor on.
    async fn holds(&self, snapshot: Snapshot, fresh: &Client) {
        let (reader, id) = (self.reader(), |frame: &Frame| text(&frame.data["room"]));
        let after_rooms = events(reader, "/v1/events", &snapshot.rooms, &self.end).await;
        let mut client = snapshot.client.clone();
        for frame in &after_rooms {
            client.applies_to_rooms(frame, reader);
        }
        let states = |client: &Client| {
            let states = client.rooms.iter().map(|(id, place)| (id.clone(), place.state.clone()));
            states.collect::<BTreeMap<_, _>>()
        };
        assert_eq!(states(&client), states(fresh), "rooms");

        // A client that joins a room again starts afresh: it fetches the room's pages.
        let is_own_end = |frame: &&Frame| {
            frame.kind() == "room.deleted"
                || (frame.kind() == "member.left" && frame.data["member"]["user"]["id"] == *reader.id)
        };
        let left: BTreeSet<_> = after_rooms.iter().filter(is_own_end).map(id).collect();
        for room in fresh.rooms.keys() {
            if left.contains(room) || !snapshot.client.rooms.contains_key(room) {
                continue;
            }
            let of_room = format!("/v1/rooms/{room}/events");
            for path in [of_room.as_str(), "/v1/events"] {
                // A room's own stream does not carry the end, unless it is told there.
                let is_elsewhere = path == of_room && *room != self.home;
                let end = if is_elsewhere { self.last_word(room).await } else { self.end.clone() };
                let mut client = snapshot.client.clone();
                let in_room = |frame: &&Frame| id(frame) == *room;
                let of_members = events(reader, path, &snapshot.members[room], &end).await;
                for frame in &of_members {
                    client.learns(frame);
                }
                for frame in of_members.iter().filter(in_room) {
                    client.applies_to_members(room, frame);
                }
                let of_messages = events(reader, path, &snapshot.messages[room], &end).await;
                for frame in of_messages.iter().filter(in_room) {
                    client.applies_to_messages(room, frame);
                }
                let (got, wanted) = (client.place(room), fresh.place(room));
                assert_eq!(got.members, wanted.members, "members by {path}");
                assert_eq!(got.messages, wanted.messages, "messages by {path}");
            }
        }
    }

    async fn last_word(&self, room: &str) -> String {
        let word = format!("{} of {room}", self.end);
        self.reader().posts(room, &word).await;
        word
    }
}

#[test]
fn a_snapshot_at_any_point_of_any_life_and_the_events_after_it_are_a_fresh_fetch() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (_server, people) = runtime.block_on(async {
        let server = Server::start_with(&[("PARLOR_AUTH__ACCESS_TOKEN_SECONDS", "3600")]).await;
        let mut people = Vec::new();
        for name in ["ada", "bob", "cyd"] {
            people.push(server.register(name).await);
        }
        (server, people)
    });
    let lives = std::cell::Cell::new(0);
    let config = Config { cases: 4, failure_persistence: None, max_shrink_iters: 64, ..Config::default() };
    TestRunner::new(config)
        .run(&deeds(), |deeds| {
            let number = lives.replace(lives.get() + 1);
            runtime.block_on(async {
                let mut rooms = Vec::new();
                for room in 0..ROOMS {
                    // Each belongs to somebody else.
                    rooms.push(people[room % PEOPLE].creates_room(&format!("room-{number}-{room}")).await.id);
                }
                let home = people[PEOPLE - 1].creates_private_room(&format!("home-{number}")).await.id;
                let life = Life { people: people.clone(), rooms, end: format!("the end {number}"), home };
                life.passes(&deeds).await;
            });
            Ok(())
        })
        .unwrap();
}
