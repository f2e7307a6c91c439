//! A person who stays signed in: tokens expire in the middle of everything, and an answer to a refresh
//! may be lost. Asking again with the same refresh token must then give the same pair.

use reqwest::Method;
use serde_json::json;

use super::world::World;
use crate::support::Person;

pub struct Badge {
    pub person: Person,
    /// How often the tokens were renewed, and how often an answer to that got lost.
    pub renewals: usize,
    pub lost_answers: usize,
}

impl Badge {
    pub fn new(person: Person) -> Self {
        Self { person, renewals: 0, lost_answers: 0 }
    }

    /// Gets a new pair of tokens, however often it takes.
    pub async fn renews(&mut self, world: &World) {
        loop {
            let body = json!({ "refresh_token": self.person.refresh_token });
            match self.person.try_request(Method::POST, "/v1/refresh", Some(body), &[]).await {
                Ok(answer) if answer.status == 503 => world.a_moment().await,
                Ok(answer) => {
                    self.person.goes_on_with(&answer.ok(200));
                    self.renewals += 1;
                    return;
                }
                Err(_) => {
                    self.lost_answers += 1;
                    world.a_moment().await;
                }
            }
        }
    }
}
