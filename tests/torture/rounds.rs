//! The rounds: everybody is busy, connections break, the process is stopped, swamped and killed, and in calm moments every
//! stream must have caught up by itself. At the end the verdict.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

use super::badge::Badge;
use super::chance::Chance;
use super::deletion::Demolisher;
use super::mover::Mover;
use super::proxy::Proxy;
use super::reader::Reader;
use super::truth::Truth;
use super::verdict::Report;
use super::world::{Weather, World};
use super::writer::Writer;
use super::{pests, rounds_or};
use crate::support::log::{history, now};
use crate::support::{Room, Server, wait_for};

const ROUNDS: usize = 25;
const ROOMS: usize = 3;
const POSTERS: usize = 12;
const MOVERS: usize = 4;
/// After so many rounds there is a calm moment.
const CALM_EVERY: usize = 5;
/// How long the slowest of all streams may take to catch up when the weather calms down, on a busy machine.
const CATCHES_UP: Duration = Duration::from_secs(30);

/// Everybody, and what they are in the middle of.
struct Torture {
    server: Server,
    world: Arc<World>,
    chance: Chance,
    proxy: Proxy,
    ada: Badge,
    rooms: Vec<Room>,
    /// A reader who may have left the room is waited for only after the join that brings them back.
    readers: JoinSet<Reader>,
    writers: JoinSet<Writer>,
    movers: JoinSet<Mover>,
    demolisher: JoinHandle<Demolisher>,
    burster: Writer,
    _pests: JoinSet<()>,
    report: Report,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_doubled_or_reordered_while_everything_breaks() {
    let rounds = rounds_or(ROUNDS);
    // Short, so that tokens expire in the middle of everything; longer where pages upon pages are read at the end.
    let token_seconds = if rounds > 5 * ROUNDS { "30" } else { "6" };
    let mut torture = Torture::begins(token_seconds).await;
    let begun = Instant::now();
    for round in 1..=rounds {
        torture.round().await;
        if round % CALM_EVERY == 0 {
            torture.calms_down(&format!("calm after round {round}")).await;
        }
        if round % 100 == 0 {
            // What became of it all is looked at in the end.
            println!("round {round} of {rounds}, {} s", begun.elapsed().as_secs());
        }
    }
    let report = torture.ends().await;
    let line = format!("torture, {rounds} rounds in {} s: {report:?}", begun.elapsed().as_secs());
    println!("{line}");
    assert_eq!(report.kills, rounds);
    assert!(report.acknowledged > rounds * 10, "too little was written to prove anything: {line}");
    assert!(report.resumes > rounds * 10, "too little was resumed to prove anything: {line}");
    assert_eq!(report.broken_promises(), 0, "{line}");
}

impl Torture {
    async fn begins(token_seconds: &str) -> Self {
        let mut chance = Chance::printed("torture");
        let env = [
            ("PARLOR_AUTH__ACCESS_TOKEN_SECONDS", token_seconds),
            // Pests never finish a request, so every stop waits for all of it.
            ("PARLOR_SERVER__SHUTDOWN_SECONDS", "2"),
            ("PARLOR_LOG", "warn"),
        ];
        let server = Server::start_with(&env).await;
        let world = World::new();
        let proxy = Proxy::before(server.address(), &world, chance.fork()).await;
        let ada = server.register("ada").await;
        let before = now(&ada).await;
        let mut rooms = Vec::new();
        for number in 0..ROOMS {
            rooms.push(ada.creates_room(&format!("room-{number}")).await);
        }
        let mut torture = Self {
            demolisher: {
                let badge = Badge::new(server.register("demolisher").await.through(proxy.address));
                let guests = (0..MOVERS).map(|number| format!("mover-{number}")).collect();
                tokio::spawn(Demolisher::new(badge, guests, chance.fork()).demolishes(world.clone()))
            },
            burster: {
                let person = server.register("burster").await;
                for room in &rooms {
                    person.joins(room).await;
                }
                Writer::new(Badge::new(person), rooms.clone(), chance.fork(), false)
            },
            _pests: pests::come(&server, &world).await,
            server,
            world,
            chance,
            proxy,
            ada: Badge::new(ada),
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
            let person = self.server.register(&format!("poster-{number}")).await;
            for room in &rooms {
                person.joins(room).await;
            }
            let person = if number.is_multiple_of(2) { person } else { person.through(self.proxy.address) };
            let writer = Writer::new(Badge::new(person), rooms.clone(), self.chance.fork(), false);
            self.writers.spawn(writer.writes(self.world.clone()));
            if number.is_multiple_of(2) {
                self.reads(&format!("poster-{number}"), None, before).await;
            }
        }
        for number in 0..MOVERS {
            let name = format!("mover-{number}");
            let person = self.server.register(&name).await.through(self.proxy.address);
            let writer = Writer::new(Badge::new(person), rooms.clone(), self.chance.fork(), true);
            self.movers.spawn(Mover::new(writer, self.chance.fork()).moves(self.world.clone()));
            self.reads(&name, None, before).await;
            self.reads(&name, Some(&rooms[number % ROOMS]), before).await;
        }
    }

    /// Somebody reads in a session of their own: three of four through the proxy.
    async fn reads(&mut self, username: &str, room: Option<&Room>, before: &str) {
        let person = self.server.sign_in(username).await;
        let number = self.readers.len();
        let person = if number.is_multiple_of(4) { person } else { person.through(self.proxy.address) };
        let last = end_of(room.unwrap_or(&self.rooms[ROOMS - 1]));
        let (badge, own) = (Badge::new(person), (self.world.as_ref(), self.chance.fork()));
        let mut reader = Reader::new(badge, number, room.cloned(), (before, last), own);
        reader.comes_and_goes = username.starts_with("mover");
        self.readers.spawn(reader.reads(self.world.clone()));
    }

    /// Some hundred attempts under every fault that is drawn, then the kill and the next start.
    async fn round(&mut self) {
        let outcomes = self.world.outcomes.load(Ordering::Relaxed);
        let attempts = 10 + self.chance.index(150);
        self.world.turns(Weather::Rough);
        self.world.permits.add_permits(attempts);
        let enough = outcomes + self.chance.index(attempts);
        let had = || async { self.world.outcomes.load(Ordering::Relaxed) >= enough };
        if self.chance.one_in(8) {
            let posts = 100 + self.chance.index(300);
            let world = self.world.clone();
            // The kill comes anywhere in the middle of them.
            let bursting = self.burster.bursts(&world, posts);
            let kill = async {
                wait_for("people have their answers", had).await;
                sleep_until(Instant::now() + self.chance.micros(0..300_000)).await;
                self.server.restart().await;
            };
            tokio::join!(bursting, kill);
        } else {
            if self.chance.one_in(4) {
                self.server.pause();
                sleep_until(Instant::now() + self.chance.micros(2_000..300_000)).await;
                self.server.go_on();
                self.report.pauses += 1;
            }
            wait_for("people have their answers", had).await;
            sleep_until(Instant::now() + self.chance.micros(0..30_000)).await;
            if self.chance.one_in(60) {
                assert!(self.server.stop().await.success());
                self.report.stops += 1;
                self.server.restart().await;
            }
            self.server.restart().await;
        }
        self.report.kills += 1;
        nobody_fell(&mut self.readers);
        nobody_fell(&mut self.writers);
        nobody_fell(&mut self.movers);
    }

    /// Nothing breaks any more: every stream must get what there is, on the connection that it has or the next one.
    async fn calms_down(&mut self, what: &str) {
        self.world.turns(Weather::Calm);
        let deadline = Instant::now() + CATCHES_UP;
        while self.world.parked.load(Ordering::SeqCst) < MOVERS {
            nobody_fell(&mut self.movers);
            assert!(Instant::now() < deadline, "{what}: who comes and goes has not come back");
            self.world.a_moment().await;
        }
        for room in &self.rooms {
            self.ada.renews(&self.world).await;
            let said = self.ada.person.posts(room, what).await;
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

    async fn ends(mut self) -> Report {
        self.calms_down("the last calm").await;
        self.world.turns(Weather::Over);
        let mut writers = self.writers.join_all().await;
        let movers = self.movers.join_all().await;
        let demolisher = self.demolisher.await.expect("the demolisher brings it to an end");
        let mut pages = Vec::new();
        for room in &self.rooms {
            self.ada.renews(&self.world).await;
            self.ada.person.posts(room, &end_of(room)).await;
            pages.push((room.id.clone(), history(&self.ada.person, room).await));
        }
        let readers = timeout(CATCHES_UP, self.readers.join_all()).await.expect("streams get to their end");
        assert!(self.server.stop().await.success());

        let truth = Truth::read(&self.server.data()).await;
        let mut report = self.report;
        report.cuts = self.proxy.cuts.load(Ordering::Relaxed);
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

/// Passes on the panic of a task that did not finish.
fn nobody_fell<T: 'static>(people: &mut JoinSet<T>) {
    match people.try_join_next() {
        Some(Err(fell)) => std::panic::resume_unwind(fell.into_panic()),
        Some(Ok(_)) => panic!("somebody left before the end"),
        None => {}
    }
}
