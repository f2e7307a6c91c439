//! A node in a model: its log, the journal that writes it, the feeder that publishes it, its writers, and people who read.
//! What stands in for the store keeps to what the store promises, and to nothing more.

use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use shuttle::future::block_on;
use shuttle::rand::{Rng, thread_rng};
use shuttle::{sync::mpsc, thread};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use super::events::{ADA, HOME, OTHER, SESSION};
use super::events::{event, mark, signed_out};
use super::ground;
use super::pipe::{Pipe, PipeOutlet};
use crate::domain::clock::Clock;
use crate::domain::event::{Audience, Event, EventType};
use crate::domain::ids::{Ids, Position, RoomId};
use crate::domain::session::Caller;
use crate::live::frame::Run;
use crate::live::hub::Hub;
use crate::live::node::LiveNode;
use crate::live::registry::{Registry, SessionCheck};
use crate::live::scope::Scope;
use crate::live::sync::{AtomicI64, Mutex, Ordering};
use crate::live::up_to_date::UpToDate;
use crate::live::writer::adoption::{Adoption, Opened};
use crate::live::writer::log_read::{Found, LogRead, LogReply, Stretch, What, by_reader};
use crate::live::writer::mailbox::Mailbox;
use crate::live::writer::note::Note;
use crate::live::writer::reads::Waiting;
use crate::live::writer::task::Writer;
use crate::storage::{Committed, Error};

/// Events read from the log at once.
const PAGE: usize = 2;
/// How often the store is too busy for a read.
const BUSY: f64 = 0.1;

/// One commit.
pub enum Step {
    /// Events of these rooms.
    Posts(&'static [RoomId]),
    /// Ada's name changes in a room.
    Renames(RoomId),
    /// Ada's read mark in a room moves, which takes the place of the mark before in the log.
    Marks(RoomId),
    Joins(RoomId),
    Leaves(RoomId),
    Deletes(RoomId),
    /// Ada's session ends.
    SignsOut,
}

pub struct Node {
    pub parts: LiveNode,
    log: Mutex<Log>,
    /// The position of the newest removal that the registry was told of.
    knows: AtomicI64,
    /// How many turns each writer lasts that breaks down; the one after them lasts.
    pub lives: &'static [usize],
}

/// What the store would know.
#[derive(Default)]
struct Log {
    events: Vec<Event>,
    /// Ada's rooms, and the position from which on her stream shows each.
    rooms: Vec<(RoomId, Position)>,
    /// Rooms that were Ada's when they were deleted at these positions.
    deleted: Vec<(RoomId, Position)>,
}

impl Node {
    pub fn new(rooms: &[RoomId]) -> Arc<Self> {
        Self::with_writers_that_last(&[], rooms)
    }

    pub fn with_writers_that_last(lives: &'static [usize], rooms: &[RoomId]) -> Arc<Self> {
        let parts = LiveNode {
            store: ground().store.clone(),
            hub: Arc::new(Hub::default()),
            registry: Arc::new(Registry::new(Clock::SYSTEM, Duration::from_mins(15), None)),
            up_to_date: Arc::new(UpToDate::new(false)),
            meters: Arc::default(),
            clock: Clock::SYSTEM,
            ids: Ids::SYSTEM,
            heartbeat: Duration::from_hours(1),
            slow_after: Duration::from_hours(1),
        };
        let rooms = rooms.iter().map(|room| (*room, Position(0))).collect();
        Arc::new(Self {
            parts,
            log: Mutex::new(Log { rooms, ..Log::default() }),
            knows: AtomicI64::new(0),
            lives,
        })
    }

    /// Starts the journal and the feeder: the first commits and tells the registry, the second publishes.
    pub fn commit(self: &Arc<Self>, steps: &'static [Step]) {
        let (feed, batches) = mpsc::channel::<Vec<Event>>();
        let node = self.clone();
        thread::spawn(move || {
            for step in steps {
                let committed = node.log.lock().expect("no task fails").write(step);
                node.parts.registry.committed(&committed);
                if let Some(removed) = committed.events.iter().rev().find_map(Event::removed) {
                    node.knows.store(removed.position.0, Ordering::SeqCst);
                }
                feed.send(committed.events).expect("the feeder outlives the journal");
            }
        });
        let hub = self.parts.hub.clone();
        thread::spawn(move || {
            while let Ok(events) = batches.recv() {
                hub.publish(&events, ground().store.cursors());
            }
        });
    }

    /// The position of the newest removal that the node knows of.
    pub fn knows(&self) -> i64 {
        self.knows.load(Ordering::SeqCst)
    }

    /// Starts a writer.
    pub fn writer(
        self: &Arc<Self>,
        finish: &CancellationToken,
    ) -> (Arc<Mailbox<Note>>, thread::JoinHandle<()>) {
        let mailbox = Arc::<Mailbox<Note>>::default();
        let (node, own, finish) = (self.clone(), mailbox.clone(), finish.clone());
        (mailbox, thread::spawn(move || node.work(&own, &finish)))
    }

    /// What [`Writer::run`] does without time, with the log's answers given here. Its length is that of the turn that it
    /// follows step by step.
    fn work(self: &Arc<Self>, mailbox: &Arc<Mailbox<Note>>, finish: &CancellationToken) {
        let anew = || {
            let mut writer = Writer::new(self.parts.clone(), mailbox.clone(), TaskTracker::new());
            writer.reads.hold();
            writer
        };
        let (mut writer, mut is_finishing) = (anew(), false);
        let (mut lives, mut turns) = (self.lives.iter(), 0);
        let mut last = lives.next();
        while !(is_finishing && writer.streams.is_empty()) {
            block_on(async {
                tokio::select! {
                    biased;
                    () = mailbox.arrived() => {}
                    () = writer.subscriptions.moved() => {}
                    () = async {}, if !(writer.dirty.is_empty() && writer.line.is_empty()) => {}
                    () = finish.cancelled(), if !is_finishing => is_finishing = true,
                }
                writer.read_mail();
                writer.pass_on().await;
                writer.write().await;
                // When those in the line have their turn is a matter of time: here of chance.
                if thread_rng().gen_bool(0.5)
                    && let Some(key) = writer.line.first()
                {
                    writer.serve(key);
                }
            });
            turns += 1;
            if last == Some(&turns) {
                // Its questions may be under way: their answers come to the one in its place.
                writer = anew();
                (last, turns) = (lives.next(), 0);
            }
            while let Some(Waiting { keys, read, .. }) = writer.reads.held() {
                let (node, mailbox) = (self.clone(), mailbox.clone());
                thread::spawn(move || {
                    let ((events, own), through) = node.log.lock().expect("no task fails").find(&read);
                    let cursors = node.parts.store.cursors();
                    let (run, own) = (Run::of(&events, cursors), by_reader(&own, cursors));
                    let found = if thread_rng().gen_bool(BUSY) {
                        Err(Error::Overloaded)
                    } else {
                        Ok(Found::Stretch(Stretch { run, own, through, floor: Position(0) }))
                    };
                    mailbox.put(Note::Read(keys, LogReply { number: read.number, found }));
                });
            }
        }
    }

    /// Opens a stream for Ada as `Live` does, in the same order. None when she may not have it.
    pub fn open(
        self: &Arc<Self>,
        scope: Scope,
        after: Option<Position>,
        mailbox: &Mailbox<Note>,
    ) -> Option<Reading> {
        let (registry, deadline) = (&self.parts.registry, Instant::now() + Duration::from_mins(15));
        let caller = Caller {
            user: ADA,
            session: SESSION,
            expires_at: Clock::SYSTEM.now().plus(Duration::from_mins(15)),
        };
        let registration =
            registry.register(caller, IpAddr::V4(Ipv4Addr::LOCALHOST)).expect("there are no limits");
        if registry.check(SESSION) == SessionCheck::Ended {
            return None;
        }
        let (settled, rooms) = {
            let log = self.log.lock().expect("no task fails");
            let rooms: Vec<_> = log.rooms.iter().map(|(room, _)| *room).collect();
            (log.head(), rooms)
        };
        let rooms = match scope {
            Scope::Person => rooms,
            Scope::Room(room) if rooms.contains(&room) => vec![room],
            Scope::Room(_) => return None,
        };
        let (from, pipe) = (after.unwrap_or(settled), Arc::<Pipe>::default());
        let greeting = Vec::new();
        let opened = Opened { registration, reader: ADA, scope, rooms, from, settled, deadline, greeting };
        let outlet = Box::new(PipeOutlet(pipe.clone()));
        mailbox.put(Note::Adopt(Box::new(Adoption { opened, outlet, pass: Box::new(()) })));
        Some(Reading { from, pipe })
    }
}

impl Log {
    fn head(&self) -> Position {
        self.events.last().map_or(Position(0), |event| event.position)
    }

    fn write(&mut self, step: &Step) -> Committed {
        let at = self.head().next();
        let own = |room, kind| vec![event(room, kind, Some(ADA), at)];
        let mut committed = Committed::default();
        match *step {
            Step::Posts(rooms) => {
                let posts = rooms.iter().zip(at.0..);
                let post =
                    |(room, at): (&RoomId, i64)| event(*room, EventType::MessagePosted, None, Position(at));
                committed.events = posts.map(post).collect();
            }
            Step::Renames(room) => committed.events = own(room, EventType::MemberUpdated),
            Step::Marks(room) => {
                committed.events = vec![mark(room, at)];
                self.events
                    .retain(|event| event.kind != EventType::ReadUpdated || event.room() != Some(room));
            }
            Step::Joins(room) => {
                committed.events = own(room, EventType::MemberJoined);
                self.rooms.push((room, at));
            }
            Step::Leaves(room) => {
                committed.events = own(room, EventType::MemberLeft);
                self.rooms.retain(|(other, _)| *other != room);
            }
            Step::Deletes(room) => {
                committed.events = vec![event(room, EventType::RoomDeleted, None, at)];
                self.rooms.retain(|(other, _)| *other != room);
                self.deleted.push((room, at));
            }
            Step::SignsOut => committed.events = vec![signed_out(at)],
        }
        self.events.extend(committed.events.iter().cloned());
        committed
    }

    /// What is for Ada alone comes beside the page of a room.
    fn find(&self, read: &LogRead) -> ((Vec<Event>, Vec<Event>), Position) {
        let What::Page(after, upto) = read.what else { unreachable!("nothing is purged") };
        assert!(upto <= self.head(), "asked for what is not committed");
        let is_shown = |event: &&Event| match read.scope {
            Scope::Room(room) => event.room() == Some(room) && event.kind.audience() == Audience::Room,
            Scope::Person => event.room().is_some_and(|in_room| {
                let since = self.rooms.iter().find(|(room, _)| *room == in_room);
                event.person() == Some(ADA)
                    || since.is_some_and(|(_, since)| event.position >= *since)
                    || self.deleted.contains(&(in_room, event.position))
            }),
        };
        let asked = self.events.iter().filter(|event| after < event.position && event.position <= upto);
        let own = |event: &&Event| match read.scope {
            Scope::Room(room) => event.room() == Some(room) && event.kind.audience() == Audience::Person,
            Scope::Person => false,
        };
        let own = asked.clone().filter(own).cloned().collect();
        let mut events: Vec<_> = asked.filter(is_shown).take(PAGE + 1).cloned().collect();
        let is_cut = events.len() > PAGE;
        events.truncate(PAGE);
        let last = events.last().map(|event| event.position).filter(|_| is_cut);
        ((events, own), last.unwrap_or(upto))
    }
}

/// One open stream, as its reader has it.
pub struct Reading {
    /// Everything after this is to be read.
    pub from: Position,
    pipe: Arc<Pipe>,
}

impl Reading {
    /// The position of the next event. None when the stream has ended, which it has to say before.
    pub fn next(&self) -> Option<Position> {
        let next = || block_on(poll_fn(|context| self.pipe.poll_next(context)));
        let frame = String::from_utf8(next()?.to_vec()).expect("frames are text");
        let Some(rest) = frame.strip_prefix("id: ") else {
            assert!(frame.starts_with("event: bye\n"), "{frame}");
            assert_eq!(next(), None, "nothing comes after bye");
            return None;
        };
        let cursor = rest.lines().next().unwrap_or_default();
        Some(ground().store.cursors().decode(cursor, Position(i64::MAX)).expect("our own cursor is good"))
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.pipe.leave();
    }
}
