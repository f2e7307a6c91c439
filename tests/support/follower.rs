//! A reader who comes back: the stream is opened again after each end, at the next of several nodes, from the cursor that came last.
//! Everything that it brought is kept.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

use super::log::says;
use super::person::Person;
use super::stream::{Frame, NoStream};

/// How soon a refused or failed attempt is made at the next node.
const AGAIN_AFTER: Duration = Duration::from_millis(50);
/// How long all of it may take.
const WHOLE: Duration = Duration::from_mins(2);

/// Somebody who follows the log until a message comes.
pub struct Follower {
    followed: Arc<Mutex<Followed>>,
    following: JoinHandle<()>,
}

/// What a follower has seen.
#[derive(Clone, Debug, Default)]
pub struct Followed {
    /// The events, in the order in which they came.
    pub frames: Vec<Frame>,
    /// How often each reason was said, and "" for an end without a word.
    pub ends: BTreeMap<String, usize>,
    /// How many events had come when a stream began with `reset`.
    pub resets: Vec<usize>,
    /// The longest time from an end to the next first frame.
    pub longest_away: Duration,
}

impl Follower {
    /// Follows a path such as `/v1/events` after a cursor until the message with the body `last` has come. The first of the nodes is
    /// where it begins.
    pub fn begins(
        reader: &Person,
        nodes: &[SocketAddr],
        path: &str,
        cursor: &str,
        last: &'static str,
    ) -> Self {
        let at: Vec<Person> = nodes.iter().map(|node| reader.through(*node)).collect();
        let followed = Arc::<Mutex<Followed>>::default();
        let following = tokio::spawn(follow(at, path.to_owned(), cursor.to_owned(), last, followed.clone()));
        Self { followed, following }
    }

    /// What it has seen up to now.
    pub fn follows(&self) -> Followed {
        locked(&self.followed).clone()
    }

    /// What it has seen once the last message has come.
    pub async fn has_followed(mut self) -> Followed {
        let following = timeout(WHOLE, &mut self.following).await;
        let Ok(ended) = following else { panic!("the last message does not come: {:?}", self.follows()) };
        ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        self.follows()
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.following.abort();
    }
}

fn locked(followed: &Mutex<Followed>) -> MutexGuard<'_, Followed> {
    followed.lock().expect("nobody panics with it")
}

async fn follow(
    at: Vec<Person>,
    path: String,
    mut cursor: String,
    last: &str,
    followed: Arc<Mutex<Followed>>,
) {
    let mut gone: Option<Instant> = None;
    for reader in at.iter().cycle() {
        let mut stream = match reader.opening(&path).last_event_id(&cursor).try_open().await {
            Ok(stream) => stream,
            Err(NoStream::Broken(_) | NoStream::Refused(503, _)) => {
                sleep_until(Instant::now() + AGAIN_AFTER).await;
                continue;
            }
            Err(other) => panic!("{path}: {other:?}"),
        };
        while let Some(frame) = stream.try_next().await {
            if let Some(id) = &frame.id {
                id.clone_into(&mut cursor);
            }
            let is_last = says(&frame, last);
            let mut followed = locked(&followed);
            if let Some(gone) = gone.take() {
                followed.longest_away = followed.longest_away.max(gone.elapsed());
            }
            followed.sees(frame);
            if is_last {
                return;
            }
        }
        if stream.end().is_some_and(Result::is_err) {
            *locked(&followed).ends.entry(String::new()).or_default() += 1;
        }
        gone = Some(Instant::now());
    }
}

impl Followed {
    fn sees(&mut self, frame: Frame) {
        match &*frame.event {
            "" => self.frames.push(frame),
            "hello" => assert_eq!(frame.data["resumed"], true, "its cursor is good"),
            "reset" => self.resets.push(self.frames.len()),
            "bye" => {
                let reason = frame.data["reason"].as_str().expect("bye has a reason");
                *self.ends.entry(reason.to_owned()).or_default() += 1;
            }
            "ping" => {}
            _ => panic!("{frame:?}"),
        }
    }
}
