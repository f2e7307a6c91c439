//! A crowd: thousands of open streams, each of which comes back after every end and checks by seq that it missed nothing.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::person::{Person, Room};
use super::server::Server;
use super::stream::{EventStream, NoStream};
use super::wait_for_within;

/// How many people the streams of a crowd belong to.
const PEOPLE: usize = 20;
/// How soon a refused or failed attempt is made again.
const AGAIN_AFTER: Duration = Duration::from_millis(50);

/// When members of the crowd come back after an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comeback {
    /// All at the same moment: the worst case.
    AtOnce,
    /// After the `retry:` that the stream gave, as an `EventSource` does.
    WhenTold,
}

/// What is known of one stream.
#[derive(Debug, Clone, Default)]
pub struct Seat {
    pub is_open: bool,
    pub newest_seq: i64,
    pub resumes: usize,
    /// How often each reason was said, and "" for an end without a word.
    pub ends: BTreeMap<String, usize>,
    /// Each `retry:` of a bye, in milliseconds.
    pub retries: Vec<u64>,
    /// When the last bye was read.
    pub told_at: Option<Instant>,
    /// Faults: gaps, repeats, broken frames.
    pub faults: Vec<String>,
}

impl Seat {
    fn closes(&mut self, stream: &EventStream) {
        self.is_open = false;
        if stream.end().is_some_and(Result::is_err) {
            *self.ends.entry(String::new()).or_default() += 1;
        }
    }
}

pub struct Crowd {
    seats: Vec<Arc<Mutex<Seat>>>,
    /// Ends with the crowd.
    _readers: JoinSet<()>,
}

impl Crowd {
    /// What a server needs for one: tokens that outlive it, and a log that can be read.
    pub const ENV: [(&str, &str); 2] =
        [("PARLOR_AUTH__ACCESS_TOKEN_SECONDS", "3600"), ("PARLOR_LOG", "warn")];

    /// Opens this many streams of a room, of all its people in turn. Every other one is a person's own stream, which must
    /// show nothing but this room. Returns the owner, who has no stream, the room and the crowd when all have said hello.
    pub async fn gathers(server: &Server, count: usize, comeback: Comeback) -> (Person, Room, Self) {
        Self::gathers_at(server, server.address(), count, comeback).await
    }

    /// The same with streams that are opened at another address, such as that of a proxy.
    pub async fn gathers_at(
        server: &Server,
        address: SocketAddr,
        count: usize,
        comeback: Comeback,
    ) -> (Person, Room, Self) {
        make_room_for(2 * count + 1_000);
        let owner = server.register("ada").await;
        let room = owner.creates_room("room").await;
        let mut people = Vec::new();
        for number in 0..PEOPLE {
            people.push(server.register(&format!("reader-{number}")).await);
            people[number].joins(&room).await;
        }
        let cursor = people[0].lists_rooms().await["cursor"].as_str().expect("a cursor").to_owned();
        let (mut seats, mut readers) = (Vec::new(), JoinSet::new());
        for number in 0..count {
            let seat = Arc::<Mutex<Seat>>::default();
            seats.push(seat.clone());
            let own = (number / people.len()).is_multiple_of(2);
            let path = if own { "/v1/events".to_owned() } else { format!("/v1/rooms/{}/events", room.id) };
            let person = people[number % people.len()].through(address);
            readers.spawn(sits(person, path, cursor.clone(), seat, comeback));
        }
        let crowd = Self { seats, _readers: readers };
        crowd.all("is open", Duration::from_mins(1), |seat| seat.is_open).await;
        (owner, room, crowd)
    }

    /// Waits until the condition holds for every seat, and gives how long that took.
    pub async fn all(&self, what: &str, within: Duration, is: impl Fn(&Seat) -> bool) -> Duration {
        let begun = Instant::now();
        let left = || self.seats.iter().filter(|seat| !is(&locked(seat))).count();
        wait_for_within(
            within,
            || format!("{what}: not so for {} of them", left()),
            || async { left() == 0 },
        )
        .await;
        begun.elapsed()
    }

    pub fn seats(&self) -> Vec<Seat> {
        self.seats.iter().map(|seat| locked(seat).clone()).collect()
    }

    /// Fails with the first faults.
    #[track_caller]
    pub fn is_without_fault(&self) {
        let faults: Vec<_> = self.seats().into_iter().flat_map(|seat| seat.faults).collect();
        assert!(faults.is_empty(), "{} faults: {:#?}", faults.len(), &faults[..faults.len().min(10)]);
    }
}

fn locked(seat: &Mutex<Seat>) -> MutexGuard<'_, Seat> {
    seat.lock().expect("nobody panics with it")
}

/// Thousands of sockets are more than most machines grant without being asked.
fn make_room_for(descriptors: usize) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    setrlimit(Resource::Nofile, raised).expect("the soft limit may go up to the hard one");
    assert!(
        limit.maximum.is_none_or(|most| most >= descriptors as u64),
        "{descriptors} descriptors are needed: ulimit -Hn"
    );
}

/// Reads until the crowd ends. Faults are noted instead of thrown, because nobody waits for this task.
async fn sits(reader: Person, path: String, mut cursor: String, seat: Arc<Mutex<Seat>>, comeback: Comeback) {
    for connection in 0.. {
        let mut stream = loop {
            match reader.opening(&path).last_event_id(&cursor).try_open().await {
                Ok(stream) => break stream,
                Err(NoStream::Broken(_) | NoStream::Refused(503, _)) => {}
                Err(other) => return locked(&seat).faults.push(format!("{path}: {other:?}")),
            }
            sleep_until(Instant::now() + AGAIN_AFTER).await;
        };
        locked(&seat).resumes += usize::from(connection > 0);
        reads(&mut stream, &seat, &mut cursor).await;
        locked(&seat).closes(&stream);
        if comeback == Comeback::WhenTold {
            sleep_until(Instant::now() + Duration::from_millis(stream.retry())).await;
        }
    }
}

/// One connection to its end.
async fn reads(stream: &mut EventStream, seat: &Mutex<Seat>, cursor: &mut String) {
    while let Some(frame) = stream.try_next().await {
        if let Some(id) = &frame.id {
            id.clone_into(cursor);
        }
        let retry = stream.retry();
        let mut seat = locked(seat);
        match frame.event.as_str() {
            "" => {
                let seq = frame.data["seq"].as_i64().unwrap_or_default();
                if seat.newest_seq > 0 && seat.newest_seq + 1 != seq {
                    let newest = seat.newest_seq;
                    seat.faults.push(format!("seq {seq} after {newest}: {frame:?}"));
                }
                seat.newest_seq = seq;
            }
            "hello" => seat.is_open = true,
            "ping" => {}
            "bye" => {
                *seat.ends.entry(frame.data["reason"].as_str().unwrap_or_default().into()).or_default() += 1;
                seat.retries.push(retry);
                seat.told_at = Some(Instant::now());
            }
            _ => seat.faults.push(format!("{frame:?}")),
        }
    }
}
