//! Somebody who posts, notes every attempt with its outcome, and repeats most of those that had none with the same id.

use std::collections::HashMap;
use std::sync::Arc;

use reqwest::Method;
use serde_json::json;
use tokio::task::JoinSet;

use super::badge::Badge;
use super::chance::Chance;
use super::world::{Weather, World};
use crate::support::Room;

/// Padding of a long post. Enough long posts fill every buffer between the server and a reader who does not read.
const LONG: usize = 3_000;

/// What came of an attempt in the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Acknowledged: the message's id and seq.
    Ok(String, i64),
    /// Refused, so it must not be there.
    Refused,
    /// There was no answer, or one that says nothing is known: it is there once or not at all.
    Unknown,
}

/// What one person knows of their own posts.
pub struct Writer {
    pub badge: Badge,
    pub rooms: Vec<Room>,
    pub attempts: Vec<Attempt>,
    /// Attempts that are to be made again.
    again: Vec<usize>,
    chance: Chance,
    /// Whether a refusal may be right, as the person comes and goes.
    comes_and_goes: bool,
    is_expired: bool,
    is_cut_off: bool,
}

#[derive(Debug, Clone)]
pub struct Attempt {
    pub room: String,
    pub body: String,
    pub outcome: Outcome,
    /// Whether an answer was lost: then a later refusal says nothing of the first try.
    was_in_doubt: bool,
}

impl Writer {
    pub fn new(badge: Badge, rooms: Vec<Room>, chance: Chance, comes_and_goes: bool) -> Self {
        let (attempts, again) = (Vec::new(), Vec::new());
        Self { badge, rooms, attempts, again, chance, comes_and_goes, is_expired: false, is_cut_off: false }
    }

    /// Posts until it is over, then once more what is still to be repeated.
    pub async fn writes(mut self, world: Arc<World>) -> Self {
        while !world.is_over() || !self.again.is_empty() {
            if !world.is_over() {
                tokio::select! {
                    permit = world.permits.acquire() => permit.expect("the semaphore is never closed").forget(),
                    () = world.until(|weather| *weather == Weather::Over) => continue,
                }
            }
            self.posts(&world, false).await;
            world.had_an_outcome();
        }
        self
    }

    /// One post, new or repeated.
    pub async fn posts(&mut self, world: &World, is_long: bool) {
        let index = self.again.pop().unwrap_or_else(|| self.begins(is_long));
        let answered = self.request(index).await;
        self.notes(index, answered);
        self.settles(world).await;
    }

    /// So many new posts, all at once: more than a queue or a channel holds.
    pub async fn bursts(&mut self, world: &World, count: usize) {
        let mut asking = JoinSet::new();
        for _ in 0..count {
            let is_long = self.chance.one_in(2);
            let index = self.begins(is_long);
            let request = self.request(index);
            asking.spawn(async move { (index, request.await) });
        }
        for (index, answered) in asking.join_all().await {
            self.notes(index, answered);
        }
        self.settles(world).await;
    }

    fn begins(&mut self, is_long: bool) -> usize {
        let number = self.attempts.len();
        let room = self.rooms[self.chance.index(self.rooms.len())].id.clone();
        let padding = "x".repeat(if is_long { LONG } else { 0 });
        let body = format!("{} {number} {padding}", self.badge.person.username);
        self.attempts.push(Attempt { room, body, outcome: Outcome::Unknown, was_in_doubt: false });
        number
    }

    fn request(&mut self, index: usize) -> impl Future<Output = Answered> + use<> {
        let person = self.badge.anywhere();
        let is_impatient = self.badge.is_impatient;
        let Attempt { room, body, .. } = &self.attempts[index];
        let path = format!("/v1/rooms/{room}/messages");
        let body = json!({ "body": body, "client_id": format!("post-{index}") });
        async move {
            match person.try_request(Method::POST, &path, Some(body), &[]).await {
                Ok(answer) if matches!(answer.status, 200 | 201) => {
                    let id = answer.json["id"].as_str().expect("a message has an id").to_owned();
                    Answered::Ok(id, answer.json["seq"].as_i64().expect("a message has a seq"))
                }
                Ok(answer) => {
                    Answered::Not(answer.status, answer.json["code"].as_str().unwrap_or_default().to_owned())
                }
                Err(error) => {
                    assert!(is_impatient || !error.is_timeout(), "no answer in all that time: {error}");
                    Answered::Lost
                }
            }
        }
    }

    fn notes(&mut self, index: usize, answered: Answered) {
        let attempt = &mut self.attempts[index];
        match answered {
            Answered::Ok(id, seq) => attempt.outcome = Outcome::Ok(id, seq),
            Answered::Not(401, _) => {
                self.is_expired = true;
                self.again.push(index);
            }
            Answered::Not(403 | 404, _) if self.comes_and_goes => {
                attempt.outcome = if attempt.was_in_doubt { Outcome::Unknown } else { Outcome::Refused };
            }
            // Nothing was done; the same is asked again later.
            Answered::Not(503, code) if code != "outcome_unknown" => self.again.push(index),
            Answered::Not(503, _) | Answered::Lost => {
                attempt.was_in_doubt = true;
                self.is_cut_off = true;
                // Some are never repeated, as by people who give up: nobody learns whether they were stored.
                if !self.chance.one_in(3) {
                    self.again.push(index);
                }
            }
            Answered::Not(status, code) => panic!("refused without a reason: {status} {code}"),
        }
    }

    /// What has to be done before the next attempt can succeed.
    async fn settles(&mut self, world: &World) {
        if std::mem::take(&mut self.is_expired) {
            self.badge.renews(world).await;
        }
        if std::mem::take(&mut self.is_cut_off) {
            world.a_moment().await;
        }
    }
}

/// What came back from one request.
enum Answered {
    Ok(String, i64),
    Not(u16, String),
    Lost,
}

/// Acknowledged posts by author and body.
pub fn by_author_and_body(writers: &[Writer]) -> HashMap<(String, String), &Attempt> {
    let attempts = writers.iter().flat_map(|writer| {
        let author = &writer.badge.person.id;
        writer.attempts.iter().map(move |attempt| ((author.clone(), attempt.body.clone()), attempt))
    });
    attempts.collect()
}
