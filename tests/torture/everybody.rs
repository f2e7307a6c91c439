//! Everybody who is there in a torture, what they do in it, the calm moments in which every stream must have caught up by itself,
//! and the end with its verdict. It does not know what is broken.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, timeout};

use super::badge::Badge;
use super::chance::Chance;
use super::deletion::Demolisher;
use super::guest::Guest;
use super::machine::{Nodes, Way};
use super::mover::Mover;
use super::pests;
use super::reader::Reader;
use super::truth::Truth;
use super::verdict::Report;
use super::world::{Weather, World};
use super::writer::Writer;
use crate::support::log::{history, now};
use crate::support::{Person, Room};

const ROOMS: usize = 3;
const POSTERS: usize = 12;
const MOVERS: usize = 4;
/// How long the slowest of all streams may take to catch up when the weather calms down, on a busy machine.
const CATCHES_UP: Duration = Duration::from_secs(30);

/// Everybody, and what they are in the middle of.
pub struct Torture {
    pub nodes: Nodes,
    pub world: Arc<World>,
    pub chance: Chance,
    ada: Badge,
    rooms: Vec<Room>,
    /// A reader who may have left the room is waited for only after the join that brings them back.
    readers: JoinSet<Reader>,
    writers: JoinSet<Writer>,
    movers: JoinSet<Mover>,
    demolisher: JoinHandle<Demolisher>,
    guest: JoinHandle<Guest>,
    pub burster: Writer,
    _pests: JoinSet<()>,
    pub report: Report,
}

impl Torture {
    /// Everybody signs in, and begins to read. Nobody writes before the first round.
    pub async fn begins(nodes: Nodes, world: Arc<World>, mut chance: Chance) -> Self {
        let server = nodes.first();
        let ada = server.register("ada").await;
        let before = now(&ada).await;
        let mut rooms = Vec::new();
        for number in 0..ROOMS {
            rooms.push(ada.creates_room(&format!("room-{number}")).await);
        }
        let straight = nodes.doors(Way::Straight);
        let mut torture = Self {
            demolisher: {
                let badge = {
                    let person = server.register("demolisher").await;
                    comes(person, &nodes, Way::ThroughProxy, &mut chance)
                };
                let guests = (0..MOVERS).map(|number| format!("mover-{number}")).collect();
                tokio::spawn(Demolisher::new(badge, guests, chance.fork()).demolishes(world.clone()))
            },
            guest: {
                let person = server.register("guest").await;
                for room in &rooms {
                    person.joins(room).await;
                }
                tokio::spawn(Guest::new(person, straight.clone(), chance.fork()).visits(world.clone()))
            },
            burster: {
                let person = server.register("burster").await;
                for room in &rooms {
                    person.joins(room).await;
                }
                let badge = Badge::new(person, straight.clone(), chance.fork());
                Writer::new(badge, rooms.clone(), chance.fork(), false)
            },
            _pests: pests::come(&nodes, &world, &mut chance).await,
            ada: Badge::new(ada, straight, chance.fork()),
            nodes,
            world,
            chance,
            rooms,
            readers: JoinSet::new(),
            writers: JoinSet::new(),
            movers: JoinSet::new(),
            report: Report::default(),
        };
        torture.everybody_comes(&before).await;
        torture
    }

    async fn everybody_comes(&mut self, before: &str) {
        let rooms = self.rooms.clone();
        for room in &rooms {
            self.reads("ada", Some(room), before).await;
        }
        self.reads("ada", None, before).await;
        self.reads("ada", None, before).await;
        for number in 0..POSTERS {
            let person = self.nodes.first().register(&format!("poster-{number}")).await;
            for room in &rooms {
                person.joins(room).await;
            }
            let way = if number.is_multiple_of(2) { Way::Straight } else { Way::ThroughProxy };
            let badge = comes(person, &self.nodes, way, &mut self.chance);
            let writer = Writer::new(badge, rooms.clone(), self.chance.fork(), false);
            self.writers.spawn(writer.writes(self.world.clone()));
            if number.is_multiple_of(2) {
                self.reads(&format!("poster-{number}"), None, before).await;
            }
        }
        for number in 0..MOVERS {
            let name = format!("mover-{number}");
            let person = self.nodes.first().register(&name).await;
            let badge = comes(person, &self.nodes, Way::ThroughProxy, &mut self.chance);
            let writer = Writer::new(badge, rooms.clone(), self.chance.fork(), true);
            self.movers.spawn(Mover::new(writer, self.chance.fork()).moves(self.world.clone()));
            self.reads(&name, None, before).await;
            self.reads(&name, Some(&rooms[number % ROOMS]), before).await;
        }
    }

    /// Somebody reads in a session of their own: three of four through the proxy.
    async fn reads(&mut self, username: &str, room: Option<&Room>, before: &str) {
        let person = self.nodes.first().sign_in(username).await;
        let number = self.readers.len();
        let way = if number.is_multiple_of(4) { Way::Straight } else { Way::ThroughProxy };
        let last = end_of(room.unwrap_or(&self.rooms[ROOMS - 1]));
        let badge = comes(person, &self.nodes, way, &mut self.chance);
        let own = (self.world.as_ref(), self.chance.fork());
        let mut reader = Reader::new(badge, number, room.cloned(), (before, last), own);
        reader.comes_and_goes = username.starts_with("mover");
        self.readers.spawn(reader.reads(self.world.clone()));
    }

    /// Lets people make so many attempts more, under every fault, and gives how many outcomes are enough.
    pub fn begins_round(&mut self) -> usize {
        let outcomes = self.world.outcomes.load(Ordering::Relaxed);
        let attempts = 10 + self.chance.index(150);
        self.world.turns(Weather::Rough);
        self.world.permits.add_permits(attempts);
        outcomes + self.chance.index(attempts)
    }

    pub fn nobody_fell(&mut self) {
        nobody_fell(&mut self.readers);
        nobody_fell(&mut self.writers);
        nobody_fell(&mut self.movers);
    }

    /// Nothing breaks any more: every stream must get what there is, on the connection that it has or the next one.
    pub async fn calms_down(&mut self, what: &str) {
        self.nodes.are_ready(what).await;
        self.world.turns(Weather::Calm);
        let deadline = Instant::now() + CATCHES_UP;
        while self.world.parked.load(Ordering::SeqCst) < MOVERS {
            nobody_fell(&mut self.movers);
            assert!(Instant::now() < deadline, "{what}: who comes and goes has not come back");
            self.world.a_moment().await;
        }
        for room in &self.rooms {
            self.ada.renews(&self.world).await;
            let said = self.ada.anywhere().posts(room, what).await;
            let seq = said["seq"].as_i64().expect("a message has a seq");
            loop {
                nobody_fell(&mut self.readers);
                let reads = |name: &str| name.contains(&room.id) || name.contains("everything");
                let behind = self.world.behind(&room.id, seq, reads);
                if behind.is_empty() {
                    break;
                }
                assert!(
                    Instant::now() < deadline,
                    "{what}: these streams hang behind seq {seq} of {}: {behind:#?}",
                    room.id
                );
                self.world.a_moment().await;
            }
        }
    }

    pub async fn ends(mut self) -> Report {
        self.calms_down("the last calm").await;
        self.world.turns(Weather::Over);
        let mut writers = self.writers.join_all().await;
        let movers = self.movers.join_all().await;
        let demolisher = self.demolisher.await.expect("the demolisher brings it to an end");
        let guest = self.guest.await.expect("the guest brings it to an end");
        let mut pages = Vec::new();
        for room in &self.rooms {
            self.ada.renews(&self.world).await;
            self.ada.anywhere().posts(room, &end_of(room)).await;
            pages.push((room.id.clone(), history(&self.ada.anywhere(), room).await));
        }
        let readers = timeout(CATCHES_UP, self.readers.join_all()).await.expect("streams get to their end");
        let truth = Truth::read(&self.nodes.stop().await).await;
        let mut report = self.report;
        report.broken.people_cut = self.nodes.cuts();
        report.broken.commits_cut = self.nodes.commits_cut();
        report.seq_holes = truth.holes();
        for (room, history) in &pages {
            let said = truth.entries.iter().filter(|entry| entry.room == *room).filter_map(|entry| {
                entry.said.as_ref().map(|said| (entry.seq, said.id.as_str(), said.body.as_str()))
            });
            let told = history.iter().map(|message| {
                let text = |name: &str| message[name].as_str().expect("a message has it");
                (message["seq"].as_i64().expect("a message has a seq"), text("id"), text("body"))
            });
            assert!(said.eq(told), "the history of {room} is not the log");
        }
        report.judge_movers(&truth, &movers);
        report.judge_deletions(&truth, &demolisher);
        report.judge_guest(&truth, &guest);
        for reader in &readers {
            report.judge_stream(&truth, reader);
        }
        writers.push(self.burster);
        writers.extend(movers.into_iter().map(|mover| mover.writer));
        let others = HashSet::from([self.ada.person.id.clone(), demolisher.badge.person.id.clone()]);
        report.judge_writers(&truth, &writers, &others);
        let badges =
            writers.iter().map(|writer| &writer.badge).chain(readers.iter().map(|reader| &reader.badge));
        for badge in badges.chain([&demolisher.badge]) {
            report.renewals += badge.renewals;
            report.lost_renewals += badge.lost_answers;
        }
        report
    }
}

fn end_of(room: &Room) -> String {
    format!("the end of {}", room.id)
}

/// Somebody who knows ways to all nodes.
fn comes(person: Person, nodes: &Nodes, way: Way, chance: &mut Chance) -> Badge {
    let doors = nodes.doors(way);
    // Whoever comes through a proxy keeps no connection.
    let person = if way == Way::Straight { person } else { person.through(doors[0].address) };
    Badge::new(person, doors, chance.fork())
}

/// Passes on the panic of a task that did not finish.
fn nobody_fell<T: 'static>(people: &mut JoinSet<T>) {
    match people.try_join_next() {
        Some(Err(fell)) => std::panic::resume_unwind(fell.into_panic()),
        Some(Ok(_)) => panic!("somebody left before the end"),
        None => {}
    }
}
