//! A turn of a writer: reads its mail, passes on what was published, sees what time it is, and writes to every stream that
//! has something to say.

use std::cell::OnceCell;
use std::io::IoSlice;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::task::yield_now;
use tokio::time::Instant;

use super::adoption::Adoption;
use super::feeds::{Listeners, Source, Step, Taken};
use super::mailbox::{Key, Note, Stir};
use super::replay::{Answer, Found, What};
use super::stream::{SHARE, SLICES, Stream, Written};
use super::{Owned, Writer, next_timer};
use crate::domain::ids::{Position, RoomId};
use crate::live::frame::{self, Chunk, Frame, ResetReason, Run};
use crate::live::open::{Scope, greeting};
use crate::storage::{Error, Snapshot};

/// Sockets written to before the other tasks of this core have their turn.
const SOCKETS: usize = 64;
/// Frames put into queues before they do.
const OFFERS: usize = 16 * 1024;
/// The least time that a timer is set for.
const SOON: Duration = Duration::from_millis(2);
/// The streams of a node end over so long when it stops, so that not all come back at once ...
const SPREAD: Duration = Duration::from_secs(5);
/// ... and faster when they are few.
const SPREAD_PER_STREAM: Duration = Duration::from_millis(2);

impl Writer {
    pub(super) fn read_mail(&mut self) {
        for note in self.mailbox.take() {
            match note {
                Note::Adopt(adoption) => self.adopt(*adoption),
                Note::Stirred(key) => self.stirred(key),
                Note::Read(key, answer) => self.answered(key, answer),
            }
        }
    }

    /// Passes on what was published since the last turn.
    pub(super) async fn pass_on(&mut self) {
        let Some(Step { before, through, taken }) = self.feeds.take() else { return };
        self.shared.drained = through;
        let reaching = self.shared.live.hub.reaching();
        for source in taken.iter().filter(|taken| taken.runs.is_none()).map(|taken| taken.source) {
            let Listeners { of_room, of_person } = self.feeds.listeners(source).clone();
            for key in of_room.into_iter().chain(of_person) {
                self.streams[key].stream.reread(before, reaching);
                self.shared.tally.rereads += 1;
                self.mark(key);
            }
        }
        for Taken { source, runs } in &taken {
            if let Some(runs) = runs {
                self.spread(*source, runs, through).await;
            }
        }
        // The streams of people take from many channels: in the order of the log, whichever channel a frame came by.
        let mut frames: Vec<(&Arc<Frame>, Source)> = Vec::new();
        for Taken { source, runs } in &taken {
            if self.feeds.listeners(*source).of_person.is_empty() {
                continue;
            }
            let runs = runs.iter().flatten();
            frames.extend(runs.flat_map(|run| &run.frames).map(|frame| (frame, *source)));
        }
        frames.sort_by_key(|(frame, _)| frame.position);
        let mut offers = 0;
        for (frame, source) in frames {
            let listeners = &self.feeds.listeners(source).of_person;
            offers += listeners.len();
            if offers > OFFERS {
                offers = 0;
                yield_now().await;
            }
            for &key in listeners {
                let owned = &mut self.streams[key];
                owned.stream.offer(frame, through, &mut self.shared);
                owned.mark(key, &mut self.dirty);
            }
        }
    }

    /// Gives the runs of one room to its streams: as they are where that is possible, which is nearly always.
    async fn spread(&mut self, source: Source, runs: &[Arc<Run>], through: Position) {
        let bytes: usize = runs.iter().map(|run| run.bytes.len()).sum();
        let is_plain = runs.len() <= SLICES && bytes <= SHARE && runs.iter().all(|run| !run.changes_readers);
        let slices: Vec<_> = runs.iter().take(SLICES).map(|run| IoSlice::new(&run.bytes)).collect();
        for (turn, &key) in self.feeds.listeners(source).of_room.iter().enumerate() {
            if turn % SOCKETS == SOCKETS - 1 {
                yield_now().await;
            }
            let owned = &mut self.streams[key];
            if is_plain && owned.stream.takes_whole(runs, &self.shared) {
                if owned.stream.write_whole(runs, &slices, through, &mut self.shared) {
                    continue;
                }
            } else {
                for frame in runs.iter().flat_map(|run| &run.frames) {
                    owned.stream.offer(frame, through, &mut self.shared);
                }
            }
            owned.mark(key, &mut self.dirty);
        }
    }

    /// Sees to the timers that have run out.
    pub(super) fn pass_time(&mut self, first: Option<Key>) {
        let ping: OnceCell<Chunk> = OnceCell::new();
        let mut next = first;
        while let Some(key) = next.take().or_else(|| next_timer(&mut self.timers).now_or_never().flatten()) {
            // As of the ring: a timer that has rung since the turn began is over, too.
            self.shared.now = Instant::now();
            let Some(owned) = self.streams.get_mut(key) else { continue };
            owned.timer = None;
            let clock = self.shared.live.clock;
            let shared_ping = || ping.get_or_init(|| frame::ping(clock.now())).clone();
            let written = owned.stream.pass_time(shared_ping, &self.shared);
            self.follow_up(key, written);
            self.rearm(key);
        }
    }

    /// Writes to every stream that may have something to say.
    pub(super) async fn write(&mut self) {
        for (turn, key) in std::mem::take(&mut self.dirty).into_iter().enumerate() {
            if turn % SOCKETS == SOCKETS - 1 {
                yield_now().await;
            }
            let Some(owned) = self.streams.get_mut(key) else { continue };
            owned.is_dirty = false;
            let written = owned.stream.write(&mut self.shared);
            self.follow_up(key, written);
            self.ask(key);
            self.rearm(key);
        }
    }

    /// The server stops: the streams end one after the other.
    pub(super) fn close(&mut self) {
        let open = u32::try_from(self.shared.live.hub.meters().open.get()).unwrap_or(0);
        let spread = SPREAD.min(SPREAD_PER_STREAM * open);
        let (now, ids) = (Instant::now(), self.shared.live.ids);
        let keys: Vec<_> = self.streams.iter().map(|(key, _)| key).collect();
        for key in keys {
            let after = ids.random_below(u64::try_from(spread.as_micros()).unwrap_or(0).max(1));
            self.streams[key].stream.end_at(now + Duration::from_micros(after));
            self.rearm(key);
        }
    }

    fn adopt(&mut self, mut adoption: Adoption) {
        let rooms = std::mem::take(&mut adoption.opened.rooms);
        let settled = adoption.opened.settled;
        let key = self.streams.vacant_key();
        let stir = Arc::new(Stir::new(self.mailbox.clone(), key));
        let mut stream = Stream::new(adoption, stir.clone().into(), &self.shared);
        // Subscribed first; what was sent before lies in the log up to the target.
        let is_of_person = stream.scope() == Scope::Person;
        let mut is_new = false;
        for room in rooms {
            is_new |= stream.follow(room) && self.feeds.follow_room(room, key, is_of_person);
        }
        if is_of_person {
            is_new |= self.feeds.follow_person(stream.reader(), key);
        }
        let hub = &self.shared.live.hub;
        // Never less than what the rooms to follow were read as of: what was committed by then and is not published yet
        // may be the end of a room that is not followed for that reason.
        let sent = if is_new { hub.reaching() } else { self.feeds.drained() };
        stream.read_log(sent.max(settled));
        if self.shared.live.registry.is_closing() {
            stream.end_at(self.shared.now);
        }
        self.streams.insert(Owned { stream, stir, timer: None, is_dirty: false });
        self.rearm(key);
        self.stirred(key);
    }

    /// Its client may be gone, its socket may take more, or there is news for it.
    fn stirred(&mut self, key: Key) {
        let Some(owned) = self.streams.get_mut(key) else { return };
        owned.stir.taken();
        if owned.stream.is_gone() {
            self.follow_up(key, Written::Gone("disconnected"));
        } else {
            self.mark(key);
        }
    }

    /// What the log said.
    fn answered(&mut self, key: Key, answer: Answer) {
        self.reads.answered();
        let Some(owned) = self.streams.get_mut(key) else { return };
        if !owned.stream.awaits(answer.number) {
            return;
        }
        match answer.found {
            Ok(Found::Stretch(stretch)) => {
                if !owned.stream.take_stretch(stretch) {
                    let (reader, scope) = (owned.stream.reader(), owned.stream.scope());
                    let number = self.reads.ask(key, reader, scope, What::Snapshot);
                    owned.stream.asked(number);
                }
            }
            Ok(Found::Snapshot(snapshot)) => self.start_over(key, &snapshot),
            Err(Error::Refused(_)) => {
                owned.stream.lose_access(&self.shared);
            }
            Err(error) => {
                tracing::error!(%error, "a stream could not read the log");
                return self.follow_up(key, Written::Gone("failed"));
            }
        }
        self.mark(key);
    }

    /// A part of the log is gone that a stream was still to show: it goes on from now, with the rooms of now.
    fn start_over(&mut self, key: Key, snapshot: &Snapshot) {
        let live = &self.shared.live;
        let stream = &mut self.streams[key].stream;
        let rooms: Vec<RoomId> = snapshot.rooms.iter().map(|membership| membership.room).collect();
        let gone: Vec<RoomId> = stream.rooms().iter().filter(|room| !rooms.contains(room)).copied().collect();
        for room in gone {
            stream.unfollow(room);
            self.feeds.unfollow_room(room, key);
        }
        let is_of_person = stream.scope() == Scope::Person;
        for room in rooms {
            if stream.follow(room) {
                self.feeds.follow_room(room, key, is_of_person);
            }
        }
        let expires_at = stream.expires_at(live.clock.now());
        let reset = greeting(live, snapshot.head, expires_at, false, Some(ResetReason::Retention));
        stream.start_over(snapshot.head, reset);
        stream.read_log(live.hub.reaching());
    }

    fn follow_up(&mut self, key: Key, written: Written) {
        match written {
            Written::Enough => {}
            Written::More => self.mark(key),
            Written::Joined(room, join) => {
                let stream = &mut self.streams[key].stream;
                if stream.follow(room) {
                    self.feeds.follow_room(room, key, true);
                    stream.read_from(join, self.shared.live.hub.reaching());
                }
                self.mark(key);
            }
            Written::Left(room) => {
                if self.streams[key].stream.rooms().contains(&room) {
                    self.streams[key].stream.unfollow(room);
                    self.feeds.unfollow_room(room, key);
                }
                self.mark(key);
            }
            Written::Last(reason) => {
                self.shared.live.hub.meters().ended(reason);
                self.stop_listening(key);
                if !self.streams[key].stream.finish() {
                    self.remove(key);
                }
            }
            Written::Gone(reason) => {
                if !self.streams[key].stream.is_leaving() {
                    self.shared.live.hub.meters().ended(reason);
                    self.stop_listening(key);
                }
                self.remove(key);
            }
        }
    }

    fn stop_listening(&mut self, key: Key) {
        let stream = &self.streams[key].stream;
        for room in stream.rooms() {
            self.feeds.unfollow_room(*room, key);
        }
        if stream.scope() == Scope::Person {
            self.feeds.unfollow_person(stream.reader(), key);
        }
        self.reads.forget(key);
    }

    fn remove(&mut self, key: Key) {
        let owned = self.streams.remove(key);
        if let Some((timer, _)) = owned.timer {
            self.timers.remove(&timer);
        }
    }

    fn mark(&mut self, key: Key) {
        if let Some(owned) = self.streams.get_mut(key) {
            owned.mark(key, &mut self.dirty);
        }
    }

    fn ask(&mut self, key: Key) {
        let Some(owned) = self.streams.get_mut(key) else { return };
        if let Some((from, upto)) = owned.stream.wants() {
            let (reader, scope) = (owned.stream.reader(), owned.stream.scope());
            let number = self.reads.ask(key, reader, scope, What::Page(from, upto));
            owned.stream.asked(number);
        }
    }

    /// Sets the timer of a stream earlier where that is needed; one that rings too early does no harm.
    fn rearm(&mut self, key: Key) {
        let Some(owned) = self.streams.get_mut(key) else { return };
        // Never at once: what is overdue is about to be written in this turn.
        let due = owned.stream.due(&self.shared).max(self.shared.now + SOON);
        match &mut owned.timer {
            None => owned.timer = Some((self.timers.insert_at(key, due), due)),
            Some((timer, at)) if due < *at => {
                self.timers.reset_at(timer, due);
                *at = due;
            }
            Some(_) => {}
        }
    }
}

impl Owned {
    fn mark(&mut self, key: Key, dirty: &mut Vec<Key>) {
        if !self.is_dirty {
            self.is_dirty = true;
            dirty.push(key);
        }
    }
}
