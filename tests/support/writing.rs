//! Writing that does not give up: messages that are posted under a client id until a node has acknowledged them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::answer::Answer;
use super::person::{Person, Room};

/// How soon a post that was refused is sent again.
const AGAIN_AFTER: Duration = Duration::from_millis(20);

/// Posts once, with the body as its client id. None where the connection broke.
pub async fn tries_to_post(person: &Person, room: &Room, body: &str) -> Option<Answer> {
    let path = format!("/v1/rooms/{}/messages", room.id);
    let posted = json!({ "body": body, "client_id": body.replace(' ', "-") });
    person.try_request(Method::POST, &path, Some(posted), &[]).await.ok()
}

/// Posts under a client id of its own until a node has acknowledged it, at each of them in turn.
pub async fn posts_until_acknowledged(whom: &[Person], room: &Room, body: &str) {
    for person in whom.iter().cycle() {
        match tries_to_post(person, room, body).await {
            Some(answer) if matches!(answer.status, 200 | 201) => return,
            Some(answer) => assert_eq!(answer.status, 503, "{}", answer.text),
            None => {}
        }
        sleep_until(Instant::now() + AGAIN_AFTER).await;
    }
}

/// Posts without a pause, on all nodes, until it is told to stop; gives the bodies that were acknowledged.
pub struct Writing {
    stop: Arc<AtomicBool>,
    writers: JoinSet<Vec<String>>,
}

impl Writing {
    /// Each writer begins at one of these and goes on at the next when a post fails.
    pub fn begins(whom: &[Person], room: &Room) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let stop = Arc::<AtomicBool>::default();
        let mut writers = JoinSet::new();
        for writer in 0..whom.len() {
            let (stop, room, mut whom) = (stop.clone(), room.clone(), whom.to_vec());
            whom.rotate_left(writer);
            writers.spawn(async move {
                let mut acknowledged = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let body = format!("post {}", NUMBER.fetch_add(1, Ordering::Relaxed));
                    posts_until_acknowledged(&whom, &room, &body).await;
                    acknowledged.push(body);
                }
                acknowledged
            });
        }
        Self { stop, writers }
    }

    pub async fn stops(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        self.writers.join_all().await.concat()
    }
}
