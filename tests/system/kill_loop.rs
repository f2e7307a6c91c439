//! The loop of kills: SIGKILL at random moments while people post, and then the question what of it is there. Every attempt
//! is noted with its outcome; one without an answer is repeated with the same id after the restart.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parlor::domain::ids::Ids;
use reqwest::Method;
use serde_json::json;
use tokio::task::JoinSet;

use crate::support::log::{event, history, messages, now, says, until_said};
use crate::support::{DEADLINE, EventStream, Frame, Person, Room, Server, wait_for};

const WRITERS: usize = 20;
const ROOMS: usize = 3;
/// Streams of one room, beside as many of all rooms.
const READERS: usize = 3;
const ROUNDS: usize = 50;
const EVERYWHERE: &str = "/v1/events";

/// What one writer knows of their own posts, over all rounds.
struct Writer {
    person: Person,
    room: Room,
    number: usize,
    attempted: usize,
    /// Posts whose outcome is unknown: to be repeated.
    unknown: Vec<usize>,
    /// The id and seq of every acknowledged post.
    acknowledged: HashMap<usize, (String, i64)>,
    refused: usize,
}

impl Writer {
    fn body(&self, post: usize) -> String {
        format!("writer {} post {post}", self.number)
    }

    /// Posts until the server is gone, beginning with what has no answer yet.
    async fn writes(mut self, answers: Arc<AtomicUsize>, stop: Arc<AtomicBool>) -> Self {
        let path = format!("/v1/rooms/{}/messages", self.room.id);
        loop {
            let repeat = self.unknown.pop();
            if repeat.is_none() && stop.load(Ordering::Relaxed) {
                return self;
            }
            let post = repeat.unwrap_or(self.attempted);
            self.attempted = self.attempted.max(post + 1);
            let body = json!({ "body": self.body(post), "client_id": format!("post-{post}") });
            match self.person.try_request(Method::POST, &path, Some(body), &[]).await {
                Ok(answer) if matches!(answer.status, 200 | 201) => {
                    let id = answer.json["id"].as_str().unwrap().to_owned();
                    let told = (id, answer.json["seq"].as_i64().unwrap());
                    let before = self.acknowledged.insert(post, told.clone());
                    assert!(before.is_none_or(|before| before == told), "one post, two messages");
                    answers.fetch_add(1, Ordering::Relaxed);
                }
                // Shutting down: nothing is known. Anything else is a refusal, and there is no reason for one.
                Ok(answer) if answer.json["code"] == "outcome_unknown" => self.unknown.push(post),
                Ok(answer) => {
                    self.refused += 1;
                    panic!("refused: {}", answer.text);
                }
                Err(_) => {
                    self.unknown.push(post);
                    return self;
                }
            }
        }
    }
}

/// A reader who resumes after every kill, as a client does.
struct Follower {
    person: Person,
    path: String,
    /// The message after which nothing more comes.
    last: String,
    cursor: String,
    frames: Vec<Frame>,
}

impl Follower {
    async fn resumes(&self) -> EventStream {
        self.person.opening(&self.path).last_event_id(&self.cursor).open().await
    }

    /// Reads until the connection breaks or the end is told. What was read whole counts, and nothing else.
    async fn reads(mut self, mut stream: EventStream) -> Self {
        while let Some(frame) = stream.try_next().await {
            match frame.event.as_str() {
                "" => {
                    frame.cursor().clone_into(&mut self.cursor);
                    let ends = says(&frame, &self.last);
                    self.frames.push(frame);
                    if ends {
                        return self;
                    }
                }
                "hello" => assert_eq!(frame.data["resumed"], true),
                "ping" => {}
                other => panic!("{other} in a stream that should resume: {frame:?}"),
            }
        }
        self
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_or_doubled_by_kill_9_while_twenty_people_post() {
    let rounds =
        std::env::var("PARLOR_TEST_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(ROUNDS);
    let mut server = Server::start_with(&[("PARLOR_AUTH__ACCESS_TOKEN_SECONDS", "3600")]).await;
    let ada = server.register("ada").await;
    let before = now(&ada).await;
    let mut rooms = Vec::new();
    for number in 0..ROOMS {
        rooms.push(ada.creates_room(&format!("room-{number}")).await);
    }
    let mut writers = Vec::new();
    for number in 0..WRITERS {
        let person = server.register(&format!("writer-{number}")).await;
        let room = rooms[number % ROOMS].clone();
        person.joins(&room).await;
        let (unknown, acknowledged) = (Vec::new(), HashMap::new());
        writers.push(Writer { person, room, number, attempted: 0, unknown, acknowledged, refused: 0 });
    }
    let follower = |path: String, room: &Room| Follower {
        person: ada.clone(),
        path,
        last: end_of(room),
        cursor: before.clone(),
        frames: Vec::new(),
    };
    let in_rooms = rooms.iter().map(|room| follower(format!("/v1/rooms/{}/events", room.id), room));
    let mut followers: Vec<_> =
        in_rooms.chain((0..READERS).map(|_| follower(EVERYWHERE.to_owned(), &rooms[ROOMS - 1]))).collect();

    for _ in 0..rounds {
        let (answers, stop) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let mut writing = JoinSet::new();
        let mut reading = JoinSet::new();
        for writer in writers {
            writing.spawn(writer.writes(answers.clone(), stop.clone()));
        }
        for follower in followers {
            let stream = follower.resumes().await;
            reading.spawn(follower.reads(stream));
        }
        // The moment is drawn twice over: after so many answers, and then any instant of the next milliseconds.
        let enough = usize::try_from(Ids.random_below(150)).unwrap();
        wait_for("people are answered", || async { answers.load(Ordering::Relaxed) >= enough }).await;
        let moment = Instant::now() + Duration::from_micros(Ids.random_below(30_000));
        while Instant::now() < moment {
            tokio::task::yield_now().await;
        }
        server.kill().await;
        writers = writing.join_all().await;
        followers = reading.join_all().await;
        server.restart().await;
    }

    // What had no answer gets one now.
    let mut settling = JoinSet::new();
    for writer in writers {
        settling.spawn(writer.writes(Arc::default(), Arc::new(AtomicBool::new(true))));
    }
    let writers = settling.join_all().await;
    for room in &rooms {
        ada.posts(room, &end_of(room)).await;
    }
    let mut ends = JoinSet::new();
    for follower in followers {
        let stream = follower.resumes().await;
        ends.spawn(follower.reads(stream));
    }
    let followers =
        tokio::time::timeout(DEADLINE, ends.join_all()).await.expect("every stream gets to its end");
    let report = check(&ada, &rooms, &writers, &followers, &before).await;
    let line = format!("kill -9, {rounds} rounds: {report:?}");
    println!("{line}");
    assert!(report.acknowledged > rounds * 20, "too little was written to prove anything: {line}");
    let Report { lost, doubled, never_attempted, gaps, wrong_streams, refused, .. } = report;
    assert_eq!([lost, doubled, never_attempted, gaps, wrong_streams, refused], [0; 6], "{line}");
}

fn end_of(room: &Room) -> String {
    format!("the end of {}", room.id)
}

/// What is said at the end; every field is read by its name in the printed line.
#[derive(Debug, Default)]
#[allow(dead_code, reason = "printed as a whole")]
struct Report {
    attempted: usize,
    acknowledged: usize,
    stored: usize,
    lost: usize,
    doubled: usize,
    never_attempted: usize,
    gaps: usize,
    streams: usize,
    wrong_streams: usize,
    refused: usize,
}

async fn check(
    ada: &Person,
    rooms: &[Room],
    writers: &[Writer],
    followers: &[Follower],
    before: &str,
) -> Report {
    let mut report = Report { streams: followers.len(), ..Report::default() };
    let mut attempted = HashSet::new();
    let mut stored: HashMap<(String, String), Vec<(String, i64)>> = HashMap::new();
    for room in rooms {
        let mut stream = ada.streams_from(room, before).await;
        stream.hello().await;
        let log = until_said(&mut stream, &end_of(room)).await;
        let seqs = log.iter().map(|frame| frame.data["seq"].as_i64().unwrap());
        report.gaps += seqs.zip(1..).filter(|(seq, wanted)| seq != wanted).count();
        let messages_of_log = messages(&log);
        let history = history(ada, room).await;
        report.gaps += usize::from(messages_of_log != history);
        for message in &history {
            let key = (message["author"]["id"].to_string(), message["body"].to_string());
            let told = (message["id"].as_str().unwrap().to_owned(), message["seq"].as_i64().unwrap());
            stored.entry(key).or_default().push(told);
        }
        report.stored += history.len();
        let log: Vec<_> = log.iter().map(event).collect();
        for follower in followers.iter().filter(|follower| follower.path.contains(&room.id)) {
            let got: Vec<_> = follower.frames.iter().map(event).collect();
            report.wrong_streams += usize::from(got != log);
        }
    }
    let mut stream = ada.streams_after(before).await;
    stream.hello().await;
    let log: Vec<_> = until_said(&mut stream, &end_of(&rooms[ROOMS - 1])).await.iter().map(event).collect();
    for follower in followers.iter().filter(|follower| follower.path == EVERYWHERE) {
        let got: Vec<_> = follower.frames.iter().map(event).collect();
        report.wrong_streams += usize::from(got != log);
    }
    for writer in writers {
        assert!(writer.unknown.is_empty(), "everything has an outcome at the end");
        report.attempted += writer.attempted;
        report.acknowledged += writer.acknowledged.len();
        report.refused += writer.refused;
        for post in 0..writer.attempted {
            let key = (json!(writer.person.id).to_string(), json!(writer.body(post)).to_string());
            attempted.insert(key.clone());
            let found = stored.get(&key).map_or(&[][..], Vec::as_slice);
            report.doubled += found.len().saturating_sub(1);
            if let Some(told) = writer.acknowledged.get(&post) {
                report.lost += usize::from(!found.contains(told));
            }
        }
    }
    let own = json!(ada.id).to_string();
    report.never_attempted = stored.keys().filter(|key| key.0 != own && !attempted.contains(*key)).count();
    report
}
