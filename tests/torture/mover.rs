//! Somebody who comes and goes, changes their name, and posts wherever they happen to be.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::chance::Chance;
use super::world::{Weather, World};
use super::writer::Writer;

/// How often somebody who stays where they are makes sure of it.
const COMES_BACK_AFTER: Duration = Duration::from_secs(1);

pub struct Mover {
    pub writer: Writer,
    chance: Chance,
    /// Joins that made a member, and those of which nothing is known.
    pub joined: usize,
    pub joins_in_doubt: usize,
    pub left: usize,
    names: usize,
}

impl Mover {
    pub fn new(writer: Writer, chance: Chance) -> Self {
        Self { writer, chance, joined: 0, joins_in_doubt: 0, left: 0, names: 0 }
    }

    /// Moves while the weather is rough. When it calms down: joins everything, says so, and stays.
    pub async fn moves(mut self, world: Arc<World>) -> Self {
        loop {
            while world.is_rough() {
                self.does_something(&world).await;
            }
            for room in 0..self.writer.rooms.len() {
                while !self.joins(&world, room).await {}
            }
            world.parked.fetch_add(1, Ordering::SeqCst);
            while world.weather() == Weather::Calm {
                // A node may do only now what was asked of it before: leave.
                let again = World::passes(COMES_BACK_AFTER);
                tokio::select! {
                    () = world.until(|weather| *weather != Weather::Calm) => {}
                    () = again => for room in 0..self.writer.rooms.len() {
                        self.joins(&world, room).await;
                    }
                }
            }
            if world.is_over() {
                let writer = self.writer.writes(world).await;
                return Self { writer, ..self };
            }
            world.parked.fetch_sub(1, Ordering::SeqCst);
        }
    }

    async fn does_something(&mut self, world: &World) {
        let room = self.chance.index(self.writer.rooms.len());
        match self.chance.below(8) {
            0 | 1 => drop(self.joins(world, room).await),
            2 => self.leaves(world, room).await,
            3 => self.renames(world).await,
            _ => self.writer.posts(world, false).await,
        }
        // A break now and then, so that there are stretches of membership with something in them.
        let pause = self.chance.micros(0..20_000);
        world.lasts(pause).await;
    }

    /// Whether the person is a member now.
    async fn joins(&mut self, world: &World, room: usize) -> bool {
        let path = format!("/v1/rooms/{}/join", self.writer.rooms[room].id);
        let answer = self.asks(world, Method::POST, &path, None).await;
        match answer {
            Some(201) => self.joined += 1,
            None => self.joins_in_doubt += 1,
            Some(_) => {}
        }
        matches!(answer, Some(200 | 201))
    }

    async fn leaves(&mut self, world: &World, room: usize) {
        let path = format!("/v1/rooms/{}/leave", self.writer.rooms[room].id);
        self.left += usize::from(self.asks(world, Method::POST, &path, None).await == Some(204));
    }

    async fn renames(&mut self, world: &World) {
        self.names += 1;
        let name = format!("{} {}", self.writer.badge.person.username, self.names);
        self.asks(world, Method::PATCH, "/v1/users/me", Some(json!({ "display_name": name }))).await;
    }

    /// The status; none where there was no answer, or one that says nothing is known.
    async fn asks(&mut self, world: &World, method: Method, path: &str, body: Option<Value>) -> Option<u16> {
        let answer = self.writer.badge.anywhere().try_request(method, path, body, &[]).await;
        match answer {
            Ok(answer) if answer.status == 401 => self.writer.badge.renews(world).await,
            Ok(answer) if answer.status == 503 => {}
            Ok(answer) => {
                assert!(answer.status < 300, "{}: {} {}", answer.what, answer.status, answer.text);
                return Some(answer.status);
            }
            Err(error) => {
                self.writer.badge.got_none(&error);
                world.a_moment().await;
            }
        }
        None
    }
}
