//! A person who stays signed in, and who asks any node at any time. Tokens expire in the middle of everything, and an answer to a
//! refresh may be lost. Asking again with the same refresh token, at whatever node, must then give the same pair.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use super::chance::Chance;
use super::world::World;
use crate::support::Person;

/// After this time somebody impatient gives up at one node and asks another.
pub const PATIENCE: Duration = Duration::from_secs(3);

/// A way to a node.
#[derive(Debug, Clone, Copy)]
pub struct Door {
    /// The number of the node.
    pub node: usize,
    pub address: SocketAddr,
}

pub struct Badge {
    pub person: Person,
    doors: Vec<Door>,
    chance: Chance,
    /// Whether the person gives up where there is no answer for [`PATIENCE`].
    pub is_impatient: bool,
    /// How often the tokens were renewed, and how often an answer to that got lost.
    pub renewals: usize,
    pub lost_answers: usize,
}

impl Badge {
    pub fn new(person: Person, doors: Vec<Door>, mut chance: Chance) -> Self {
        // Where there is one node, nothing else can be asked meanwhile.
        let is_impatient = doors.len() > 1 && chance.one_in(2);
        Self { person, doors, chance, is_impatient, renewals: 0, lost_answers: 0 }
    }

    /// The person at a node that chance chooses.
    pub fn anywhere(&mut self) -> Person {
        self.somewhere().1
    }

    /// The same, and which node it is.
    pub fn somewhere(&mut self) -> (usize, Person) {
        let Door { node, address } = self.door();
        let person = self.person.at(address);
        (node, if self.is_impatient { person.patient_for(PATIENCE) } else { person })
    }

    fn door(&mut self) -> Door {
        self.doors[self.chance.index(self.doors.len())]
    }

    /// Notes that a request has no answer. A node that was asked by somebody patient must not hang for that long.
    pub fn got_none(&self, error: &reqwest::Error) {
        assert!(self.is_impatient || !error.is_timeout(), "no answer in all that time: {error}");
    }

    /// Gets a new pair of tokens, however often it takes.
    pub async fn renews(&mut self, world: &World) {
        loop {
            let body = json!({ "refresh_token": self.person.refresh_token });
            let Door { node, address } = self.door();
            // With patience: a request that was given up may be read long after the next one was answered, and would then be taken
            // for one with a stolen token.
            let person = self.person.at(address);
            // A node that sleeps for long would take the old token for a stolen one when it wakes up.
            let Some(_awake) = world.stays_awake(node) else {
                world.a_moment().await;
                continue;
            };
            match person.try_request(Method::POST, "/v1/refresh", Some(body), &[]).await {
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
