//! Somebody who signs in at one node, reads at two, and signs out at another, again and again. Once a node has said that the session
//! is over, that node knows it; and no stream shows what came after it in the log.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::badge::{Badge, Door};
use super::chance::Chance;
use super::reader::Shown;
use super::world::{Weather, World};
use crate::support::{PASSWORD, Person};

/// Streams of each session.
const STREAMS: usize = 2;
/// A stream of a session that is over has ended after this time, also at a node that slept for long.
const ENDS_WITHIN: Duration = Duration::from_secs(30);

pub struct Guest {
    person: Person,
    doors: Vec<Door>,
    chance: Chance,
    pub visits: Vec<Visit>,
    /// Requests of a session that were answered by the node that had said it is over.
    pub answered_after_it: usize,
}

/// A session whose end was acknowledged.
pub struct Visit {
    pub session: String,
    /// What each of its streams has shown; none where one of them went on for too long.
    pub streams: Option<Vec<Vec<Shown>>>,
}

impl Guest {
    pub fn new(person: Person, doors: Vec<Door>, chance: Chance) -> Self {
        Self { person, doors, chance, visits: Vec::new(), answered_after_it: 0 }
    }

    pub async fn visits(mut self, world: Arc<World>) -> Self {
        loop {
            world.until(|weather| *weather != Weather::Calm).await;
            if world.is_over() {
                return self;
            }
            if let Some(person) = self.signs_in().await {
                let visit = self.visits_once(person, &world).await;
                self.visits.extend(visit);
            }
            world.a_moment().await;
        }
    }

    /// None if the node that was asked does not answer.
    async fn signs_in(&mut self) -> Option<Badge> {
        let mut badge = Badge::new(self.person.clone(), self.doors.clone(), self.chance.fork());
        let body = json!({ "username": self.person.username, "password": PASSWORD });
        let answer = badge.anywhere().try_request(Method::POST, "/v1/login", Some(body), &[]).await.ok()?;
        if answer.status == 503 {
            return None;
        }
        let signed_in = answer.ok(200);
        signed_in["session"].as_str().expect("a session has an id").clone_into(&mut badge.person.session);
        badge.person.goes_on_with(&signed_in);
        Some(badge)
    }

    /// None if nobody knows whether the session has ended by the guest's wish.
    async fn visits_once(&mut self, mut badge: Badge, world: &World) -> Option<Visit> {
        let mut streams = JoinSet::new();
        for _ in 0..STREAMS {
            streams.spawn(reads(badge.anywhere()));
        }
        world.lasts(self.chance.micros(100_000..1_500_000)).await;
        if !self.signs_out(&mut badge, world).await {
            return None;
        }
        let streams = timeout(ENDS_WITHIN, streams.join_all()).await.ok();
        Some(Visit { session: badge.person.session, streams })
    }

    /// Whether the end of the session was acknowledged.
    async fn signs_out(&mut self, badge: &mut Badge, world: &World) -> bool {
        loop {
            let person = badge.anywhere();
            match person.try_request(Method::POST, "/v1/logout", None, &[]).await {
                Ok(answer) if answer.status == 204 => {
                    let after = person.try_request(Method::GET, "/v1/users/me", None, &[]).await;
                    let is_answered = after.is_ok_and(|answer| !matches!(answer.status, 401 | 503));
                    self.answered_after_it += usize::from(is_answered);
                    return true;
                }
                // An answer was lost before, or the token has expired.
                Ok(answer) if answer.status == 401 => return false,
                Ok(answer) => assert_eq!(answer.status, 503, "{}: {}", answer.what, answer.text),
                Err(error) => badge.got_none(&error),
            }
            world.a_moment().await;
        }
    }
}

/// Everything that one connection shows.
async fn reads(person: Person) -> Vec<Shown> {
    let mut shown = Vec::new();
    if let Ok(mut stream) = person.opening("/v1/events").try_open().await {
        while let Some(frame) = stream.try_next().await {
            shown.extend(frame.event.is_empty().then(|| Shown::of(&frame)));
        }
    }
    shown
}
