//! Rooms that are made, filled with people and words, and deleted again while everything breaks.

use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};

use super::badge::Badge;
use super::chance::Chance;
use super::world::{Weather, World};

/// Somebody who makes such rooms and deletes them.
pub struct Demolisher {
    pub badge: Badge,
    /// Usernames of the members that each room gets.
    guests: Vec<String>,
    chance: Chance,
    /// Rooms that were made.
    pub rooms: usize,
    /// Deletions that were acknowledged.
    pub deleted: Vec<String>,
}

impl Demolisher {
    pub fn new(badge: Badge, guests: Vec<String>, chance: Chance) -> Self {
        Self { badge, guests, chance, rooms: 0, deleted: Vec::new() }
    }

    pub async fn demolishes(mut self, world: Arc<World>) -> Self {
        loop {
            world.until(|weather| *weather != Weather::Calm).await;
            if world.is_over() {
                return self;
            }
            self.makes_and_deletes(&world).await;
            let pause = self.chance.micros(10_000..300_000);
            world.lasts(pause).await;
        }
    }

    async fn makes_and_deletes(&mut self, world: &World) {
        self.rooms += 1;
        let body = json!({
            "name": format!("doomed-{}", self.rooms),
            "visibility": "private",
            "client_id": format!("room-{}", self.rooms),
        });
        let made = self.insists(world, Method::POST, "/v1/rooms", Some(body)).await;
        let room = made["id"].as_str().expect("a room has an id").to_owned();
        for guest in 0..self.guests.len() {
            let path = format!("/v1/rooms/{room}/members/{}", self.guests[guest]);
            self.insists(world, Method::PUT, &path, Some(json!({}))).await;
            let said = json!({ "body": format!("welcome {guest}"), "client_id": format!("welcome-{guest}") });
            self.insists(world, Method::POST, &format!("/v1/rooms/{room}/messages"), Some(said)).await;
        }
        let path = format!("/v1/rooms/{room}");
        self.insists(world, Method::DELETE, &path, None).await;
        self.deleted.push(room);
    }

    /// Asks until there is an answer. A deletion whose answer was lost is not found the next time.
    async fn insists(&mut self, world: &World, method: Method, path: &str, body: Option<Value>) -> Value {
        let mut was_in_doubt = false;
        loop {
            match self.badge.anywhere().try_request(method.clone(), path, body.clone(), &[]).await {
                Ok(answer) if answer.status == 401 => self.badge.renews(world).await,
                Ok(answer) if answer.status == 503 => {
                    was_in_doubt = true;
                    world.a_moment().await;
                }
                Ok(answer) if answer.status == 404 && method == Method::DELETE && was_in_doubt => {
                    return Value::Null;
                }
                Ok(answer) => {
                    assert!(answer.status < 300, "{}: {} {}", answer.what, answer.status, answer.text);
                    return answer.json;
                }
                Err(error) => {
                    self.badge.got_none(&error);
                    was_in_doubt = true;
                    world.a_moment().await;
                }
            }
        }
    }
}
