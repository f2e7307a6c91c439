//! What a stream shows as people come and go: nothing of a room after the reader's removal, everything from the join on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use tokio::task::JoinSet;

use crate::support::log::{assert_dense, assert_same, now, says, until_said};
use crate::support::{DEADLINE, Frame, Person, Room, Server};

struct Talk {
    stop: Arc<AtomicBool>,
    posting: JoinSet<()>,
}

/// Keeps a room busy with several posts at once until it is told to stop.
fn talk(person: &Person, room: &Room) -> Talk {
    let stop = Arc::<AtomicBool>::default();
    let mut posting = JoinSet::new();
    for _ in 0..3 {
        let (person, room, stop) = (person.clone(), room.clone(), stop.clone());
        posting.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                person.posts(&room, "on and on").await;
            }
        });
    }
    Talk { stop, posting }
}

impl Talk {
    async fn stops(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.posting.join_all().await;
    }
}

fn of_room<'f>(frames: &'f [Frame], room: &Room) -> Vec<&'f Frame> {
    frames.iter().filter(|frame| frame.data["room"] == *room.id).collect()
}

fn is_own(frame: &Frame, kind: &str, person: &Person) -> bool {
    frame.kind() == kind && frame.data["member"]["user"]["id"] == *person.id
}

#[tokio::test]
async fn a_deleted_room_is_told_and_then_the_rooms_stream_ends() {
    let server = Server::start().await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let (room, other) = (ada.creates_room("doomed").await, ada.creates_room("other").await);
    bob.joins(&room).await;
    bob.joins(&other).await;
    let mut in_room = bob.streams(&room).await;
    let mut everywhere = bob.streams_all().await;
    in_room.hello().await;
    everywhere.hello().await;
    ada.delete(&format!("/v1/rooms/{}", room.id)).await.ok(204);
    ada.posts(&other, "still here").await;

    let last = in_room.next().await;
    assert_eq!((last.kind(), &last.data["room"]), ("room.deleted", &json!(room.id)));
    assert_eq!(in_room.bye().await, "deleted");
    assert_eq!(everywhere.next().await, last);
    assert!(says(&everywhere.next().await, "still here"), "the own stream goes on");
    // A stream that is resumed later tells of the deletion, too; the room's stream is refused.
    let mut later = bob.streams_after(in_room.last_event_id()).await;
    later.hello().await;
    assert!(says(&later.next().await, "still here"));
    bob.get(&format!("/v1/rooms/{}/events", room.id)).await.problem(404, "room_not_found");
}

#[tokio::test]
async fn somebody_who_was_away_learns_that_a_room_was_deleted() {
    let server = Server::start().await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let room = ada.creates_room("doomed").await;
    bob.joins(&room).await;
    let cursor = now(&bob).await;
    ada.posts(&room, "a secret of the last hours").await;
    ada.delete(&format!("/v1/rooms/{}", room.id)).await.ok(204);
    let mut stream = bob.streams_after(&cursor).await;
    stream.hello().await;
    assert_eq!(stream.next().await.kind(), "room.deleted", "and nothing of what was said there");
}

#[tokio::test]
async fn leaving_is_the_last_thing_a_rooms_stream_tells_and_the_own_stream_goes_on() {
    let server = Server::start().await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let (room, other) = (ada.creates_room("left").await, ada.creates_room("other").await);
    bob.joins(&room).await;
    bob.joins(&other).await;
    let mut in_room = bob.streams(&room).await;
    let mut everywhere = bob.streams_all().await;
    let mut adas = ada.streams(&room).await;
    for stream in [&mut in_room, &mut everywhere, &mut adas] {
        stream.hello().await;
    }
    bob.leaves(&room).await;
    ada.posts(&room, "behind his back").await;
    ada.posts(&other, "to his face").await;

    let left = in_room.next().await;
    assert!(is_own(&left, "member.left", &bob), "{left:?}");
    assert_eq!(left.data["room_state"]["member_count"], 1);
    let bye = in_room.next().await;
    assert_eq!(bye.data, json!({ "type": "bye", "reason": "removed" }), "and no word of coming back");
    in_room.ends().await;
    assert_eq!(everywhere.next().await, left);
    assert!(says(&everywhere.next().await, "to his face"));
    assert_eq!(adas.next().await, left);
    assert!(says(&adas.next().await, "behind his back"));
}

#[tokio::test]
async fn nothing_of_a_room_comes_after_the_own_removal_while_others_post_at_full_speed() {
    let server = Server::start().await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let (room, other) = (ada.creates_room("busy").await, ada.creates_room("other").await);
    bob.joins(&other).await;
    let before = now(&ada).await;
    let talk = talk(&ada, &room);
    let mut seen = 0;
    let mut stretches = Vec::new();
    for turn in 0..12 {
        bob.joins(&room).await;
        let mut in_room = bob.streams(&room).await;
        let mut everywhere = bob.streams_all().await;
        in_room.hello().await;
        everywhere.hello().await;
        let mut before_leaving = in_room.until(|frame| frame.kind() == "message.posted").await;
        bob.leaves(&room).await;
        let marker = format!("turn {turn}");
        ada.posts(&other, &marker).await;

        // The room never falls silent: without a bye this would go on for ever.
        let ending = tokio::time::timeout(DEADLINE, in_room.until(|frame| frame.event == "bye"));
        let frames = ending.await.expect("the stream ends in time");
        in_room.ends().await;
        assert_eq!(frames[frames.len() - 1].data["reason"], "removed");
        before_leaving.extend_from_slice(&frames[..frames.len() - 1]);
        let left = before_leaving.iter().position(|frame| is_own(frame, "member.left", &bob));
        assert!(left.is_none_or(|at| at + 1 == before_leaving.len()), "something behind the removal");
        stretches.push(before_leaving);

        let mut all = until_said(&mut everywhere, &marker).await;
        let of_room = of_room(&all, &room);
        assert!(is_own(of_room[of_room.len() - 1], "member.left", &bob), "the own stream always tells of it");
        assert_eq!(of_room.iter().filter(|frame| is_own(frame, "member.left", &bob)).count(), 1);
        seen += of_room.len();
        all.retain(|frame| frame.data["room"] == *room.id && frame.kind() == "message.posted");
        stretches.push(all);
    }
    talk.stops().await;
    assert!(seen > 24, "only {seen} events reached him: the room was too quiet to prove anything");
    ada.posts(&room, "the end").await;
    let mut log = ada.streams_from(&room, &before).await;
    log.hello().await;
    let log = until_said(&mut log, "the end").await;
    for stretch in stretches.iter().filter(|stretch| !stretch.is_empty()) {
        let start = log.iter().position(|frame| frame.id == stretch[0].id).expect("it is in the log");
        assert_same(&log[start..start + stretch.len()], stretch);
    }
}

#[tokio::test]
async fn what_a_slow_reader_has_not_been_given_is_withheld_once_he_has_left() {
    let server = Server::start().await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let (room, other) = (ada.creates_room("loud").await, ada.creates_room("other").await);
    bob.joins(&room).await;
    bob.joins(&other).await;
    let mut in_room =
        bob.opening(&format!("/v1/rooms/{}/events", room.id)).receive_buffer(4_096).open().await;
    let mut everywhere = bob.opening("/v1/events").receive_buffer(4_096).open().await;
    in_room.hello().await;
    everywhere.hello().await;
    let padding = "x".repeat(3_900);
    let mut posting = JoinSet::new();
    for _ in 0..16 {
        let (ada, room, padding) = (ada.clone(), room.clone(), padding.clone());
        posting.spawn(async move {
            for _ in 0..20 {
                ada.posts(&room, &padding).await;
            }
        });
    }
    posting.join_all().await;
    bob.leaves(&room).await;
    ada.posts(&other, "the end").await;

    let frames = in_room.until(|frame| frame.event == "bye").await;
    assert_eq!(frames[frames.len() - 1].data["reason"], "removed");
    assert!(frames.iter().all(|frame| frame.kind() != "member.left"), "it withheld something: only bye");
    assert!(frames.len() < 250, "{} frames were already in buffers", frames.len());
    let frames = until_said(&mut everywhere, "the end").await;
    let [said @ .., left, _] = frames.as_slice() else { panic!("{frames:?}") };
    assert!(is_own(left, "member.left", &bob), "the removal stands in its place");
    assert!(said.len() < 250, "{} frames were already in buffers", said.len());
    assert_dense(said, &bob);
}

#[tokio::test]
async fn an_open_stream_follows_a_leave_and_a_rejoin() {
    let server = Server::start().await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let room = ada.creates_room("revolving").await;
    bob.joins(&room).await;
    let mut stream = bob.streams_all().await;
    stream.hello().await;
    for turn in 0..5 {
        ada.posts(&room, &format!("with {turn}")).await;
        bob.leaves(&room).await;
        ada.posts(&room, "without him").await;
        bob.joins(&room).await;
        ada.posts(&room, &format!("again {turn}")).await;
        let frames = until_said(&mut stream, &format!("again {turn}")).await;
        // What was said just before he left may have been withheld; the rest is exact.
        let tail: Vec<_> = frames.iter().filter(|frame| !says(frame, &format!("with {turn}"))).collect();
        assert!(is_own(tail[0], "member.left", &bob), "{tail:?}");
        assert!(is_own(tail[1], "member.joined", &bob), "{tail:?}");
        assert_eq!(tail.len(), 3, "{tail:?}");
        assert_eq!(tail[2].data["seq"].as_i64(), tail[1].data["seq"].as_i64().map(|seq| seq + 1));
    }
}

#[tokio::test]
async fn who_left_and_rejoined_while_away_sees_the_own_comings_and_goings_and_the_room_since() {
    let server = Server::start().await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let room = ada.creates_room("revolving").await;
    bob.joins(&room).await;
    let cursor = now(&bob).await;
    ada.posts(&room, "with him").await;
    bob.leaves(&room).await;
    ada.posts(&room, "without him").await;
    let mut outside = bob.streams_after(&cursor).await;
    outside.hello().await;
    assert!(is_own(&outside.next().await, "member.left", &bob));
    bob.joins(&room).await;
    ada.posts(&room, "again").await;

    let mut stream = bob.streams_after(&cursor).await;
    stream.hello().await;
    let frames = until_said(&mut stream, "again").await;
    assert_eq!(
        frames.iter().map(Frame::kind).collect::<Vec<_>>(),
        ["member.left", "member.joined", "message.posted"]
    );
    assert_same(&frames[1..], &until_said(&mut outside, "again").await);
    // A member sees the room's whole history; its own stream shows it.
    let mut in_room = bob.streams_from(&room, &cursor).await;
    in_room.hello().await;
    let frames = until_said(&mut in_room, "again").await;
    assert_eq!(frames.len(), 5);
    assert_dense(&frames, &bob);
}

#[tokio::test]
async fn an_own_join_is_followed_at_once_by_what_others_post() {
    let server = Server::start().await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let before = now(&bob).await;
    let mut stream = bob.streams_all().await;
    stream.hello().await;
    let mut talks = Vec::new();
    for number in 0..8 {
        let room = ada.creates_room(&format!("room-{number}")).await;
        talks.push((talk(&ada, &room), room));
    }
    for (number, (_, room)) in talks.iter().enumerate() {
        if number % 2 == 0 {
            bob.joins(room).await;
        } else {
            ada.adds(room, "bob").await;
        }
    }
    let last = talks[7].1.clone();
    for (talk, _) in talks {
        talk.stops().await;
    }
    ada.posts(&last, "the end").await;
    let live = until_said(&mut stream, "the end").await;
    assert_dense(&live, &bob);
    assert_eq!(live.iter().filter(|frame| is_own(frame, "member.joined", &bob)).count(), 8);
    let mut log = bob.streams_after(&before).await;
    log.hello().await;
    assert_same(&until_said(&mut log, "the end").await, &live);
}
