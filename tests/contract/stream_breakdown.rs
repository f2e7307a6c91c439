//! A writer that breaks down in the middle of its work: a real panic, while it gives a frame to one of its streams. It is
//! replaced, its streams are cut and resume, and nobody notices but by that.

use std::io::{self, IoSlice};
use std::panic::panic_any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::thread::available_parallelism;

use parlor::domain::ids::RoomId;
use parlor::domain::room::RoomRef;
use parlor::domain::user::User;
use parlor::live::{EventStream, Framing, Outlet, Start};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use crate::support::http1::Connection;
use crate::support::store::{OpenStore, next_on, on_a_socket, reader};
use crate::support::wait_for;

/// Of each batch: before the break-down, with it, and two after it.
const POSTS: usize = 30;

/// An outlet that takes everything until it is set; then whoever writes to it breaks down.
struct Trap {
    is_set: Arc<AtomicBool>,
    taken: UnboundedSender<String>,
}

impl Outlet for Trap {
    fn framing(&self) -> Framing {
        Framing::Plain
    }

    fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.is_set.load(Ordering::SeqCst) {
            panic_any("a reader that breaks its writer");
        }
        let bytes = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        let text = String::from_utf8(bytes).expect("frames are UTF-8");
        let given = text.len();
        self.taken.send(text).expect("the test reads it");
        Ok(given)
    }

    fn poll_writable(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn is_gone(&mut self, _: &mut Context<'_>) -> bool {
        false
    }

    fn finish(&self) -> bool {
        false
    }
}

/// Somebody who reads on a socket, and resumes.
struct Reading {
    /// Of each event, as its room counts it.
    seqs: Vec<i64>,
    /// How often the stream was cut off.
    cuts: usize,
}

async fn opens(parlor: &OpenStore, user: &User, scope: Option<RoomId>, after: Option<String>) -> EventStream {
    let start = Start { after, ..Start::default() };
    let opened = match scope {
        Some(room) => parlor.live.open_room(reader(user), &RoomRef::Id(room), &start).await,
        None => parlor.live.open_person(reader(user), &start).await,
    };
    opened.expect("the stream opens")
}

fn data_of(frame: &str) -> Option<Value> {
    let data = frame.lines().find_map(|line| line.strip_prefix("data: "))?;
    Some(serde_json::from_str(data).expect("data is JSON"))
}

/// Reads up to a seq, coming back after each cut with the last cursor.
async fn reads(
    parlor: Arc<OpenStore>,
    user: User,
    scope: Option<RoomId>,
    mut client: Connection,
    last: i64,
) -> Reading {
    let (mut seqs, mut cuts, mut cursor) = (Vec::new(), 0, None);
    while seqs.last() != Some(&last) {
        let Ok(frame) = next_on(&mut client).await else {
            cuts += 1;
            client = on_a_socket(opens(&parlor, &user, scope, cursor.clone()).await).await;
            continue;
        };
        let frame = frame.expect("no stream says that it is over");
        let Some(data) = data_of(&frame) else { continue };
        assert!(data["type"] != "reset" && data["type"] != "bye", "{frame}");
        cursor = data["cursor"].as_str().map(str::to_owned).or(cursor);
        seqs.extend(data["seq"].as_i64());
    }
    Reading { seqs, cuts }
}

async fn posts(parlor: &OpenStore, room: RoomId, user: &User) {
    let posts = (0..POSTS).map(|n| OpenStore::message(room, user.id, &format!("post {n}"), None));
    for made in parlor.post_together(posts.collect()).await {
        made.expect("it is written");
    }
}

fn ends(parlor: &OpenStore, reason: &str) -> usize {
    let (mut figures, mut text) = (Registry::default(), String::new());
    parlor.live.meters().register(&mut figures);
    encode(&mut text, &figures).expect("figures can be written down");
    let name = format!("parlor_stream_ends_total{{reason=\"{reason}\"}} ");
    text.lines().find_map(|line| line.strip_prefix(&name)?.parse().ok()).expect("the reason is there")
}

#[tokio::test]
async fn a_writer_that_breaks_down_is_replaced_and_who_resumes_has_missed_nothing() {
    let parlor = Arc::new(OpenStore::new().await);
    let ada = parlor.adds_user("ada").await;
    let room = parlor.store().create_room(OpenStore::room(ada.id, "room")).await.unwrap().value.state;
    let (room, first) = (room.id, room.last_seq + 1);
    let writers = available_parallelism().map_or(1, usize::from);
    let last = first - 1 + i64::try_from(4 * POSTS).unwrap();

    // The writers take streams in turn. The first one's first stream is the trap.
    let (is_set, (taken, mut trapped)) = (Arc::<AtomicBool>::default(), unbounded_channel());
    let trap = Trap { is_set: is_set.clone(), taken };
    opens(&parlor, &ada, Some(room), None).await.write_to(Box::new(trap), Box::new(()));
    while !trapped.recv().await.unwrap().contains("event: hello") {}
    let mut open = 1;
    let mut readings: Vec<(usize, JoinHandle<Reading>)> = Vec::new();
    let mut sits_down = async |readings: &mut Vec<_>, streams: usize| {
        for _ in 0..streams {
            let scope = (open / writers).is_multiple_of(2).then_some(room);
            let mut client = on_a_socket(opens(&parlor, &ada, scope, None).await).await;
            while !next_on(&mut client).await.unwrap().unwrap().starts_with("event: hello") {}
            let reading = reads(parlor.clone(), ada.clone(), scope, client, last);
            readings.push((open % writers, tokio::spawn(reading)));
            open += 1;
        }
    };
    sits_down(&mut readings, 4 * writers).await;
    posts(&parlor, room, &ada).await;
    while !trapped.recv().await.unwrap().contains(&format!("\"post {}\"", POSTS - 1)) {}

    is_set.store(true, Ordering::SeqCst);
    assert_eq!(ends(&parlor, "cut"), 0);
    posts(&parlor, room, &ada).await;
    let cut = 1 + readings.iter().filter(|(writer, _)| *writer == 0).count();
    wait_for("the writer has broken down", || async { ends(&parlor, "cut") > 0 }).await;
    assert_eq!(ends(&parlor, "cut"), cut, "all streams of one writer, and no other");
    let streams = i64::try_from(readings.len()).unwrap();
    wait_for("whoever was cut off is back", || async { parlor.live.meters().open.get() == streams }).await;
    posts(&parlor, room, &ada).await;
    // The one in its place takes new streams, too.
    let before = readings.len();
    sits_down(&mut readings, 2 * writers).await;
    posts(&parlor, room, &ada).await;

    for (index, (writer, reading)) in readings.into_iter().enumerate() {
        let Reading { seqs, cuts } = reading.await.unwrap();
        let first = if index < before { first } else { last + 1 - i64::try_from(POSTS).unwrap() };
        assert_eq!(seqs, (first..=last).collect::<Vec<_>>(), "reader {index} of writer {writer}");
        assert_eq!(cuts, usize::from(writer == 0 && index < before), "reader {index} of writer {writer}");
    }
    assert_eq!(ends(&parlor, "cut"), cut, "nobody was cut off again");
}
