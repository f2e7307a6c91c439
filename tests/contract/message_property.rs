//! Messages at random: several people post, answer, edit, delete, react and pin. Whoever has fetched the room at any point and applies
//! the events after that has what a fresh fetch gives. Streams resume at random, in the middle of it.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::support::{Frame, Person, Room, Server};

const EMOJI: [&str; 3] = ["%F0%9F%91%8D", "%F0%9F%8E%89", "%E2%9D%A4%EF%B8%8F"];

/// Something that one of the people does to a message, counted from the newest.
#[derive(Debug, Clone)]
enum Deed {
    Post,
    Answer(usize),
    Edit(usize, u8),
    Delete(usize),
    React(usize, usize),
    TakeBack(usize, usize),
    Pin(usize),
    Unpin(usize),
    /// Somebody fetches the room, and follows it from there.
    Fetch,
    /// Those who follow take what there is and go away; they come back at the end.
    Leave,
}

fn deeds() -> impl Strategy<Value = Vec<(usize, Deed)>> {
    let (message, emoji) = (0_usize..6, 0..EMOJI.len());
    let deed = prop_oneof![
        4 => Just(Deed::Post),
        4 => message.clone().prop_map(Deed::Answer),
        4 => (message.clone(), 0_u8..3).prop_map(|(message, text)| Deed::Edit(message, text)),
        2 => message.clone().prop_map(Deed::Delete),
        6 => (message.clone(), emoji.clone()).prop_map(|(message, emoji)| Deed::React(message, emoji)),
        3 => (message.clone(), emoji).prop_map(|(message, emoji)| Deed::TakeBack(message, emoji)),
        2 => message.clone().prop_map(Deed::Pin),
        1 => message.prop_map(Deed::Unpin),
        2 => Just(Deed::Fetch),
        1 => Just(Deed::Leave),
    ];
    proptest::collection::vec((0..3_usize, deed), 20..60)
}

/// What a client has of the room: its messages by their ids, and whose reactions are its own.
#[derive(Debug, Clone)]
struct View {
    reader: usize,
    cursor: String,
    messages: BTreeMap<String, Value>,
}

impl View {
    async fn fetched(people: &[Person], reader: usize, room: &Room) -> Self {
        let mut page = people[reader].reads_page(room, "limit=200").await;
        let by_id = |message: &Value| (message["id"].as_str().unwrap().to_owned(), message.clone());
        let messages = page["items"].as_array().unwrap().iter().map(by_id).collect();
        assert!(page.get("prev_cursor").is_none(), "the page has all of them");
        assert_eq!(page["referenced"].take(), json!([]));
        Self { reader, cursor: page["cursor"].as_str().unwrap().to_owned(), messages }
    }

    /// By the words of the document, and by nothing else.
    fn applies(&mut self, frame: &Frame, people: &[Person]) {
        let (message, reaction) = (&frame.data["message"], &frame.data["reaction"]);
        if let Some(id) = message["id"].as_str() {
            let mut message = message.clone();
            let mine = self.messages.get(id).map(own).unwrap_or_default();
            let reactions = message.get_mut("reactions").and_then(Value::as_array_mut);
            for reaction in reactions.into_iter().flatten() {
                assert!(reaction.get("me").is_none(), "an event has no reader");
                if mine.contains(&reaction["emoji"]) {
                    reaction["me"] = json!(true);
                }
            }
            self.messages.insert(id.to_owned(), message.clone());
            let by = match frame.kind() {
                "message.posted" => 1,
                "message.deleted" => -1,
                _ => 0,
            };
            if let Some(answered) = message["reply_to"].as_str().filter(|_| by != 0) {
                let answered = self.messages.get_mut(answered).expect("the room is known from its beginning");
                let count = answered["reply_count"].as_i64().unwrap_or(0) + by;
                set(answered, "reply_count", Some(json!(count)).filter(|_| count > 0));
            }
        }
        if let Some(id) = reaction["message"].as_str() {
            let is_mine = frame.data["actor"]["id"] == *people[self.reader].id;
            let message = self.messages.get_mut(id).expect("it was posted before");
            let mut all = message["reactions"].as_array().cloned().unwrap_or_default();
            let known = all.iter().position(|known| known["emoji"] == reaction["emoji"]);
            let at = known.unwrap_or_else(|| {
                all.push(json!({ "emoji": reaction["emoji"] }));
                all.len() - 1
            });
            all[at]["count"] = reaction["count"].clone();
            if is_mine {
                set(&mut all[at], "me", Some(json!(true)).filter(|_| frame.kind() == "reaction.added"));
            }
            all.retain(|reaction| reaction["count"] != 0);
            let is_empty = all.is_empty();
            set(message, "reactions", Some(json!(all)).filter(|_| !is_empty));
        }
    }

    /// Applies what comes after its cursor, up to a message that says `end`.
    async fn catches_up(&mut self, people: &[Person], path: &str, room: &Room, end: &str) {
        let mut stream = people[self.reader].opening(&format!("{path}?after={}", self.cursor)).open().await;
        stream.hello().await;
        let frames = stream
            .until(|frame| frame.kind() == "message.posted" && frame.data["message"]["client_id"] == *end)
            .await;
        for frame in frames.iter().filter(|frame| frame.data["room"] == *room.id) {
            self.applies(frame, people);
            frame.cursor().clone_into(&mut self.cursor);
        }
    }
}

/// The reactions of a message that are the reader's own.
fn own(message: &Value) -> Vec<Value> {
    let reactions = message["reactions"].as_array().into_iter().flatten();
    reactions.filter(|reaction| reaction["me"] == true).map(|reaction| reaction["emoji"].clone()).collect()
}

fn set(object: &mut Value, key: &str, value: Option<Value>) {
    let object = object.as_object_mut().expect("an object");
    match value {
        Some(value) => drop(object.insert(key.to_owned(), value)),
        None => drop(object.remove(key)),
    }
}

struct Life<'l> {
    people: &'l [Person],
    room: Room,
    posted: Vec<String>,
    marks: usize,
}

impl Life<'_> {
    async fn does(&mut self, who: usize, deed: &Deed) {
        let person = &self.people[who];
        let path = format!("/v1/rooms/{}/messages", self.room.id);
        let nth = |n: usize| self.posted.iter().rev().nth(n).or(self.posted.first());
        let of = |n: usize| nth(n).map(|id| format!("{path}/{id}"));
        let answer = match deed {
            Deed::Post => person.post(&path, json!({ "body": "said" })).await,
            Deed::Answer(n) => {
                let Some(id) = nth(*n) else { return };
                person.post(&path, json!({ "body": "answered", "reply_to": id })).await
            }
            Deed::Edit(n, text) => {
                let Some(path) = of(*n) else { return };
                person.patch(&path, json!({ "body": format!("text {text}") })).await
            }
            Deed::Delete(n) => {
                let Some(path) = of(*n) else { return };
                person.delete(&path).await
            }
            Deed::React(n, emoji) => {
                let Some(path) = of(*n) else { return };
                person.put_nothing(&format!("{path}/reactions/{}", EMOJI[*emoji])).await
            }
            Deed::TakeBack(n, emoji) => {
                let Some(path) = of(*n) else { return };
                person.delete(&format!("{path}/reactions/{}", EMOJI[*emoji])).await
            }
            Deed::Pin(n) => {
                let Some(path) = of(*n) else { return };
                person.put_nothing(&format!("{path}/pin")).await
            }
            Deed::Unpin(n) => {
                let Some(path) = of(*n) else { return };
                person.delete(&format!("{path}/pin")).await
            }
            Deed::Fetch | Deed::Leave => return,
        };
        assert!(answer.status < 500, "{}: {}", answer.what, answer.text);
        if answer.status == 201 {
            self.posted.push(answer.json["id"].as_str().unwrap().to_owned());
        }
    }

    /// A post by which a stream can be told to have come this far.
    async fn marks(&mut self) -> String {
        self.marks += 1;
        let mark = format!("mark-{}", self.marks);
        let said = self.people[0].posts_with_id(&self.room, "mark", &mark).await;
        self.posted.push(said["id"].as_str().unwrap().to_owned());
        mark
    }

    async fn passes(&mut self, deeds: &[(usize, Deed)]) {
        let mut views = vec![View::fetched(self.people, 1, &self.room).await];
        for (who, deed) in deeds {
            match deed {
                Deed::Fetch => views.push(View::fetched(self.people, *who, &self.room).await),
                Deed::Leave => {
                    let mark = self.marks().await;
                    for view in &mut views {
                        view.catches_up(self.people, "/v1/events", &self.room, &mark).await;
                    }
                }
                deed => self.does(*who, deed).await,
            }
        }
        let mark = self.marks().await;
        let of_room = format!("/v1/rooms/{}/events", self.room.id);
        for view in views {
            let fresh = View::fetched(self.people, view.reader, &self.room).await;
            for path in [&*of_room, "/v1/events"] {
                let mut view = view.clone();
                view.catches_up(self.people, path, &self.room, &mark).await;
                assert_eq!(view.messages, fresh.messages, "by {path}");
            }
            self.agrees(&fresh).await;
        }
    }

    /// What stands beside the messages says the same as they do.
    async fn agrees(&self, fresh: &View) {
        let reader = &self.people[fresh.reader];
        let path = format!("/v1/rooms/{}", self.room.id);
        let pins = reader.get(&format!("{path}/pins")).await.ok(200);
        let mut pinned: Vec<_> =
            fresh.messages.values().filter(|message| message.get("pinned_at").is_some()).collect();
        pinned.sort_by(|one, other| other["pinned_at"].as_str().cmp(&one["pinned_at"].as_str()));
        assert_eq!(pins["items"].as_array().unwrap().iter().collect::<Vec<_>>(), pinned);
        for (id, message) in &fresh.messages {
            let reactions = reader.get(&format!("{path}/messages/{id}/reactions?limit=200")).await.ok(200);
            let mut counted: BTreeMap<&str, i64> = BTreeMap::new();
            for item in reactions["items"].as_array().unwrap() {
                *counted.entry(item["emoji"].as_str().unwrap()).or_default() += 1;
            }
            let shown = message["reactions"].as_array().into_iter().flatten();
            let shown = shown
                .map(|reaction| (reaction["emoji"].as_str().unwrap(), reaction["count"].as_i64().unwrap()));
            assert_eq!(counted, shown.collect(), "{id}");
            let replies = reader.get(&format!("{path}/messages/{id}/replies?limit=200")).await.ok(200);
            let count = i64::try_from(replies["items"].as_array().unwrap().len()).unwrap();
            assert_eq!(count, message["reply_count"].as_i64().unwrap_or(0), "{id}");
        }
    }
}

#[test]
fn messages_fetched_at_any_point_and_the_events_after_that_are_a_fresh_fetch() {
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
    let config = Config { cases: 6, failure_persistence: None, max_shrink_iters: 32, ..Config::default() };
    TestRunner::new(config)
        .run(&deeds(), |deeds| {
            lives.set(lives.get() + 1);
            runtime.block_on(async {
                let room = people[0].creates_room(&format!("room-{}", lives.get())).await;
                for person in &people[1..] {
                    person.joins(&room).await;
                }
                let mut life = Life { people: &people, room, posted: Vec::new(), marks: 0 };
                life.passes(&deeds).await;
            });
            Ok(())
        })
        .unwrap();
}
