//! A snapshot and the events after its cursor give what a fresh fetch gives, at any moment.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::log::until_said;
use crate::support::{Frame, Person, Room, Server};

/// What a client keeps: rooms, and of one room the members and the newest messages.
#[derive(Debug, Clone, Default, PartialEq)]
struct Client {
    rooms: BTreeMap<String, Value>,
    members: BTreeMap<String, Value>,
    messages: Vec<Value>,
    /// The newest that is known of each person.
    people: BTreeMap<String, Value>,
}

/// The same three fetches that a client makes when it starts, and for each the cursor that it goes on from.
async fn fetch(reader: &Person, room: &Room) -> (Client, [String; 3]) {
    let (rooms, members, messages) =
        (reader.lists_rooms().await, reader.lists_members(room).await, reader.reads(room).await);
    let cursors = [&rooms, &members, &messages].map(|page| page["cursor"].as_str().unwrap().to_owned());
    let mut client = Client::default();
    for mut fetched in rooms["items"].as_array().unwrap().clone() {
        // What the reader has read is another test's.
        for own in ["cursor", "read", "last_message"] {
            fetched.as_object_mut().unwrap().remove(own);
        }
        client.rooms.insert(fetched["id"].as_str().unwrap().to_owned(), fetched);
    }
    for member in members["items"].as_array().unwrap() {
        client.members.insert(member["user"]["id"].as_str().unwrap().to_owned(), member.clone());
    }
    client.messages.clone_from(messages["items"].as_array().unwrap());
    (client, cursors)
}

impl Client {
    fn apply_to_rooms(&mut self, frame: &Frame, reader: &Person) {
        let id = frame.data["room"].as_str().unwrap().to_owned();
        let own = frame.data["member"]["user"]["id"] == *reader.id;
        if frame.kind() == "room.deleted" || (own && frame.kind() == "member.left") {
            self.rooms.remove(&id);
            return;
        }
        let role = if own { Some(frame.data["member"]["role"].clone()) } else { None };
        if let Some(state) = frame.data["room_state"].as_object() {
            let role = role.or_else(|| Some(self.rooms.get(&id)?["role"].clone()));
            let mut state = state.clone();
            state.insert("role".into(), role.expect("the own join comes first"));
            self.rooms.insert(id.clone(), Value::Object(state));
        }
        self.rooms.get_mut(&id).expect("the own join comes first")["last_seq"] = frame.data["seq"].clone();
    }

    fn apply_to_room(&mut self, frame: &Frame, room: &Room, take: [bool; 2]) {
        if frame.data["room"] != *room.id {
            return;
        }
        if let Some(id) = frame.data["member"]["user"]["id"].as_str().filter(|_| take[0]) {
            if frame.kind() == "member.left" {
                self.members.remove(id);
            } else {
                self.members.insert(id.to_owned(), frame.data["member"].clone());
            }
        }
        if frame.kind() == "message.posted" && take[1] {
            self.messages.push(frame.data["message"].clone());
        }
    }

    fn learn_names(&mut self, frame: &Frame) {
        for person in [&frame.data["actor"], &frame.data["member"]["user"]] {
            if let Some(id) = person["id"].as_str() {
                self.people.insert(id.to_owned(), person.clone());
            }
        }
    }

    /// Names come from the newest that is known of a person.
    fn with_newest_names(mut self) -> Self {
        for message in &mut self.messages {
            if let Some(person) = self.people.get(message["author"]["id"].as_str().unwrap()) {
                message["author"] = person.clone();
            }
        }
        self.people.clear();
        self
    }
}

async fn live(turns: Arc<AtomicBool>, person: Person, room: Room, own: bool) {
    let mut turn = 0;
    while !turns.load(Ordering::Relaxed) {
        person.posts(&room, &format!("turn {turn}")).await;
        match turn % 4 {
            0 if own => {
                let topic = json!({ "topic": format!("turn {turn}"), "title": "A title" });
                person.patch(&format!("/v1/rooms/{}", room.id), topic).await.ok(200);
            }
            1 => {
                let name = json!({ "display_name": format!("{} {turn}", person.username) });
                person.patch("/v1/users/me", name).await.ok(200);
            }
            2 if !own => {
                person.leaves(&room).await;
                person.joins(&room).await;
            }
            _ => {}
        }
        turn += 1;
    }
}

#[tokio::test]
async fn a_snapshot_and_the_events_after_it_are_a_fresh_fetch() {
    let server = Server::start().await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let (cyd, dan) = (server.register("cyd").await, server.register("dan").await);
    let room = ada.creates_room("room").await;
    for person in [&bob, &cyd, &dan] {
        person.joins(&room).await;
    }
    let stop = Arc::<AtomicBool>::default();
    let mut crowd = JoinSet::new();
    for (person, own) in [(&ada, true), (&cyd, false), (&dan, false)] {
        crowd.spawn(live(stop.clone(), person.clone(), room.clone(), own));
    }
    let mut snapshots = Vec::new();
    for turn in 0..16 {
        // Rooms come and go for the reader, too.
        let passing = ada.creates_room(&format!("passing-{turn}")).await;
        bob.joins(&passing).await;
        snapshots.push(fetch(&bob, &room).await);
        match turn % 3 {
            0 => bob.leaves(&passing).await,
            1 => drop(ada.delete(&format!("/v1/rooms/{}", passing.id)).await.ok(204)),
            _ => {}
        }
        snapshots.push(fetch(&bob, &room).await);
    }
    stop.store(true, Ordering::Relaxed);
    crowd.join_all().await;
    ada.posts(&room, "the end").await;

    let (fresh, _) = fetch(&bob, &room).await;
    for (mut client, cursors) in snapshots {
        for (part, cursor) in cursors.iter().enumerate() {
            let mut stream = bob.streams_after(cursor).await;
            stream.hello().await;
            for frame in until_said(&mut stream, "the end").await {
                match part {
                    0 => client.apply_to_rooms(&frame, &bob),
                    part => client.apply_to_room(&frame, &room, [part == 1, part == 2]),
                }
                client.learn_names(&frame);
            }
        }
        // The client holds on to more messages than one page.
        let surplus = client.messages.len() - fresh.messages.len();
        client.messages.drain(..surplus);
        assert_eq!(client.with_newest_names(), fresh);
    }
}
