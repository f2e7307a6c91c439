//! Order and completeness under load: nothing lost, nothing twice, one order for all rooms, whatever the readers do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::log::{
    assert_dense, assert_rest, assert_same, event, history, messages, now, says, until_said,
};
use crate::support::{DEADLINE, EventStream, Frame, Person, Room, Server, cursor, place, wait_for};

/// People who keep a room busy until they are told to stop.
struct Crowd {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicUsize>,
    people: JoinSet<()>,
}

impl Crowd {
    fn new() -> Self {
        Self { stop: Arc::default(), done: Arc::default(), people: JoinSet::new() }
    }

    fn posts(&mut self, person: &Person, room: &Room) {
        let (person, room, stop, done) = (person.clone(), room.clone(), self.stop.clone(), self.done.clone());
        self.people.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let turn = done.fetch_add(1, Ordering::Relaxed);
                person.posts(&room, &format!("{} {turn}", person.username)).await;
            }
        });
    }

    fn comes_and_goes(&mut self, person: &Person, room: &Room) {
        let (person, room, stop, done) = (person.clone(), room.clone(), self.stop.clone(), self.done.clone());
        self.people.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                person.joins(&room).await;
                person.leaves(&room).await;
                done.fetch_add(1, Ordering::Relaxed);
            }
        });
    }

    /// Waits until they have done more.
    async fn goes_on(&self) {
        let enough = self.done.load(Ordering::Relaxed) + 5;
        wait_for("the crowd goes on", || async { self.done.load(Ordering::Relaxed) >= enough }).await;
    }

    async fn stops(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.people.join_all().await;
    }
}

async fn people(server: &Server, count: usize) -> Vec<Person> {
    let mut all = JoinSet::new();
    for number in 0..count {
        let anonymous = server.anonymous();
        all.spawn(async move { Person::register(anonymous, &format!("person{number}")).await });
    }
    let mut all = all.join_all().await;
    all.sort_by(|a, b| a.username.cmp(&b.username));
    all
}

async fn first_place(server: &Server, stream: &mut EventStream) -> String {
    place(server, &stream.hello().await).await
}

#[tokio::test]
async fn streams_that_open_while_people_post_and_join_miss_nothing_and_double_nothing() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let others = people(&server, 6).await;
    let before = now(&ada).await;
    let first = cursor::of_event(&server, &before).await;
    let room = ada.creates_room("busy").await;
    let mut crowd = Crowd::new();
    for poster in &others[..4] {
        poster.joins(&room).await;
        crowd.posts(poster, &room);
    }
    for visitor in &others[4..] {
        crowd.comes_and_goes(visitor, &room);
    }
    let mut streams = Vec::new();
    for turn in 0..36 {
        let mut stream = match turn % 3 {
            0 => ada.streams(&room).await,
            1 => ada.streams_all().await,
            _ => ada.streams_from(&room, &before).await,
        };
        let cursor = first_place(&server, &mut stream).await;
        streams.push((stream, cursor));
        crowd.goes_on().await;
    }
    crowd.stops().await;
    ada.posts(&room, "the end").await;

    let mut whole = ada.streams_from(&room, &before).await;
    whole.hello().await;
    let whole = until_said(&mut whole, "the end").await;
    assert_dense(&whole, &ada);
    assert_eq!(messages(&whole), history(&ada, &room).await, "the streams and the history tell the same");
    for (mut stream, cursor) in streams {
        let got = until_said(&mut stream, "the end").await;
        if cursor == first {
            assert_same(&whole, &got);
        } else {
            assert_rest(&whole, &cursor, &got);
        }
    }
}

/// A storm in several rooms; gives the frames of live streams of all rooms, and the same read again from the log.
async fn storm(rooms: usize, readers: usize, posts: usize) {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let posters = people(&server, rooms).await;
    let mut places = Vec::new();
    for (number, poster) in posters.iter().enumerate() {
        let room = ada.creates_room(&format!("room-{number}")).await;
        poster.joins(&room).await;
        places.push((poster.clone(), room));
    }
    let before = now(&ada).await;
    let first = cursor::of_event(&server, &before).await;
    let mut streams = Vec::new();
    for _ in 0..readers {
        let mut stream = ada.streams_all().await;
        assert_eq!(first_place(&server, &mut stream).await, first);
        streams.push(tokio::spawn(async move { until_said(&mut stream, "the end").await }));
    }
    let mut posting = JoinSet::new();
    for (poster, room) in &places {
        // Several at once from everybody, so that one batch holds posts to many rooms in turn.
        for hand in 0..3 {
            let (poster, room) = (poster.clone(), room.clone());
            posting.spawn(async move {
                for turn in 0..posts {
                    poster.posts(&room, &format!("{hand} {turn}")).await;
                }
            });
        }
    }
    posting.join_all().await;
    ada.posts(&places[0].1, "the end").await;

    let mut log = ada.streams_after(&before).await;
    log.hello().await;
    let log = until_said(&mut log, "the end").await;
    assert_eq!(log.len(), rooms * 3 * posts + 1);
    assert_dense(&log, &ada);
    for stream in streams {
        assert_same(&log, &stream.await.unwrap());
    }
}

#[tokio::test]
async fn two_rooms_come_in_one_global_order_under_load() {
    storm(2, 6, 150).await;
}

#[tokio::test]
async fn twenty_rooms_come_in_one_global_order_under_load() {
    storm(20, 4, 15).await;
}

/// Reads on to the end. On a machine that is slow enough the server has cut the stalled reader off: then it resumes.
async fn catch_up(reader: &Person, path: &str, mut stream: EventStream) -> Vec<Frame> {
    let mut frames = Vec::new();
    loop {
        match tokio::time::timeout(DEADLINE, stream.try_next()).await.expect("a frame comes in time") {
            Some(frame) if frame.event.is_empty() => {
                frames.push(frame);
                if says(&frames[frames.len() - 1], "the end") {
                    return frames;
                }
            }
            Some(frame) => assert_eq!(frame.event, "ping", "{frame:?}"),
            None => {
                let cursor = stream.last_event_id().to_owned();
                stream = reader.opening(path).last_event_id(&cursor).open().await;
                assert_eq!(stream.hello().await["resumed"], true);
            }
        }
    }
}

#[tokio::test]
async fn a_reader_who_stops_reading_loses_nothing_and_holds_nobody_up() {
    const POSTS: usize = 2_400;
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("loud").await;
    let before = now(&ada).await;
    let mut slow = Vec::new();
    for path in [format!("/v1/rooms/{}/events", room.id), "/v1/events".to_owned()] {
        let mut stream = ada.opening(&path).receive_buffer(4_096).open().await;
        stream.hello().await;
        slow.push((path, stream));
    }
    let mut quick = ada.streams(&room).await;
    quick.hello().await;
    let quick = tokio::spawn(async move { until_said(&mut quick, "the end").await });

    let padding = "x".repeat(900);
    let mut posting = JoinSet::new();
    for hand in 0..24 {
        let (ada, room, padding) = (ada.clone(), room.clone(), padding.clone());
        posting.spawn(async move {
            for turn in 0..POSTS / 24 {
                ada.posts(&room, &format!("{hand} {turn} {padding}")).await;
            }
        });
    }
    posting.join_all().await;
    ada.posts(&room, "the end").await;
    // Everybody else has it all while the slow ones have not read a byte.
    let quick = quick.await.unwrap();
    assert_eq!(quick.len(), POSTS + 1);
    assert_dense(&quick, &ada);
    for (path, stream) in slow {
        assert_same(&quick, &catch_up(&ada, &path, stream).await);
    }
    let mut log = ada.streams_from(&room, &before).await;
    log.hello().await;
    assert_same(&quick, &until_said(&mut log, "the end").await);
    assert_eq!(messages(&quick), history(&ada, &room).await);
}

#[tokio::test]
async fn a_new_display_name_is_told_in_every_room_of_the_person() {
    let server = Server::start().await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let (first, second) = (ada.creates_room("first").await, ada.creates_room("second").await);
    let alone = bob.creates_room("alone").await;
    bob.joins(&first).await;
    bob.joins(&second).await;
    let mut all = ada.streams_all().await;
    let mut one = ada.streams(&second).await;
    all.hello().await;
    one.hello().await;
    bob.patch("/v1/users/me", json!({ "display_name": "Bob of Bobs" })).await.ok(200);

    let told = [all.next().await, all.next().await];
    for frame in &told {
        assert_eq!(frame.kind(), "member.updated");
        assert_eq!(frame.data["member"]["user"]["display_name"], "Bob of Bobs");
        assert_eq!(frame.data["actor"]["display_name"], "Bob of Bobs");
        assert_eq!(frame.data["room_state"]["member_count"], 2);
    }
    let rooms = told.each_ref().map(|frame| frame.data["room"].clone());
    assert_eq!(rooms, [json!(first.id), json!(second.id)]);
    assert_eq!(one.next().await, told[1]);
    // The same name again makes no event, and ada gets no event of a room that she may not read.
    bob.patch("/v1/users/me", json!({ "display_name": "Bob of Bobs" })).await.ok(200);
    bob.posts(&alone, "to myself").await;
    bob.posts(&first, "next").await;
    assert!(says(&all.next().await, "next"));
}

#[tokio::test]
async fn a_post_and_its_event_hold_the_same_message() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("talk").await;
    let mut stream = ada.streams(&room).await;
    stream.hello().await;
    let said = ada.posts(&room, "hello").await;
    let frame: Frame = stream.next().await;
    let expected = json!({
        "type": "message.posted", "room": room.id, "seq": said["seq"], "at": said["created_at"],
        "actor": said["author"], "message": said,
    });
    assert_eq!(event(&frame), expected);
    assert_eq!(said["seq"], 3, "after the making and the own join");
    assert_eq!(frame.data["member"], Value::Null);
}
