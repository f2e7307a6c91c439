//! A turn of a writer: reads its mail, passes on what was published, sees what time it is, and writes to every stream that
//! has something to say.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::io::IoSlice;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use slab::Slab;
use tokio::task::yield_now;
use tokio::time::Instant;

use super::note::{Key, Note};
use super::owned::Owned;
use super::queue::FRAMES;
use super::shared::Shared;
use super::stream::{SHARE, SLICES};
use super::subscriptions::{Listeners, Source, Step, Subscriptions, Taken};
use super::task::{Writer, next_timer};
use crate::domain::ids::{Position, RoomId};
use crate::live::frame::{self, Chunk, Frame, Run};
use crate::live::scope::Scope;

/// After writing to this many outlets the writer lets the other tasks of its core run.
const SOCKETS: usize = 64;
/// After putting this many frames into queues it does the same.
const OFFERS: usize = 16 * 1024;
/// Most time over which the ends of a node's streams are spread when it stops, so that not all readers come back at once.
const SPREAD: Duration = Duration::from_secs(5);
/// The same for each open stream: a few streams end sooner.
const SPREAD_PER_STREAM: Duration = Duration::from_millis(2);

impl Writer {
    /// One turn. `due` is the stream whose timer has ended the wait.
    pub(super) async fn turn(&mut self, due: Option<Key>) {
        self.shared.now = Instant::now();
        if let Some(owned) = due.and_then(|key| self.streams.get_mut(key)) {
            owned.timer = None;
        }
        self.read_mail();
        self.hear_deletions();
        // Its slot may have been taken by another stream, which has a timer of its own.
        let due = due.filter(|key| self.streams.get(*key).is_some_and(|owned| owned.timer.is_none()));
        self.pass_on().await;
        self.pass_time(due);
        self.write().await;
        self.catch_up();
        self.read_on();
        self.shared.publish();
    }

    pub(super) fn read_mail(&mut self) {
        for note in self.mailbox.take() {
            match note {
                Note::Adopt(adoption) => self.adopt(*adoption),
                Note::Stirred(key) => self.stirred(key),
                Note::Read(keys, reply) => self.answered(&keys, &reply),
            }
        }
    }

    /// Hears of the rooms that were deleted. To be done before anything is given.
    fn hear_deletions(&mut self) {
        tell_deletions(&mut self.shared, &self.subscriptions, &mut self.streams, &mut self.dirty);
    }

    /// Passes on what was published since the last turn.
    pub(super) async fn pass_on(&mut self) {
        let step = self.subscriptions.take();
        self.shared.drain(self.subscriptions.drained());
        let Some(Step { before, through, taken }) = step else { return };
        let reaching = self.shared.node.hub.reaching();
        for source in taken.iter().filter(|taken| taken.runs.is_none()).map(|taken| taken.source) {
            let Listeners { of_room, of_person } = self.subscriptions.listeners(source).clone();
            for key in of_room.into_iter().chain(of_person) {
                self.streams[key].stream.reread(before, reaching);
                self.shared.tally.rereads += 1;
                self.mark(key);
            }
        }
        let apart = self.apart(&taken);
        for Taken { source, runs, .. } in &taken {
            let (Source::Room(room), Some(runs)) = (*source, runs) else { continue };
            if fit_one_write(runs) {
                self.spread(room, runs, through, &apart).await;
                continue;
            }
            // In pieces that go out in one write each: a quick reader takes the first while the others get theirs.
            for piece in pieces(runs) {
                self.spread(room, &piece, through, &apart).await;
            }
        }
        self.offer_apart(apart, &taken, through).await;
        self.offer_to_people(&taken, through).await;
    }

    /// The streams of one room to which something comes by their reader's channel, and that. What comes by the channel of the room has
    /// to be put in order with it.
    fn apart<'t>(&self, taken: &'t [Taken]) -> HashMap<Key, Vec<&'t Arc<Frame>>> {
        let mut apart: HashMap<Key, Vec<&Arc<Frame>>> = HashMap::new();
        for Taken { source, runs, .. } in
            taken.iter().filter(|taken| matches!(taken.source, Source::Person(_)))
        {
            for &key in &self.subscriptions.listeners(*source).of_room {
                let scope = self.streams[key].stream.scope();
                let frames = runs.iter().flatten().flat_map(|run| &run.frames);
                let own = frames.filter(|frame| frame.is_personal() && scope == Scope::Room(frame.room));
                let own: Vec<_> = own.collect();
                if !own.is_empty() {
                    apart.insert(key, own);
                }
            }
        }
        apart
    }

    /// Offers what came to these streams: in the order of the log, whether by the channel of the room or of the reader.
    async fn offer_apart(
        &mut self,
        apart: HashMap<Key, Vec<&Arc<Frame>>>,
        taken: &[Taken],
        through: Position,
    ) {
        for (turn, (key, mut frames)) in apart.into_iter().enumerate() {
            if turn % SOCKETS == SOCKETS - 1 {
                yield_now().await;
            }
            let owned = &mut self.streams[key];
            let scope = owned.stream.scope();
            let of_room =
                |taken: &&Taken| matches!(taken.source, Source::Room(room) if scope == Scope::Room(room));
            let runs = taken.iter().filter(of_room).flat_map(|taken| &taken.runs).flatten();
            frames.extend(runs.flat_map(|run| &run.frames));
            frames.sort_by_key(|frame| frame.position);
            for frame in frames {
                owned.stream.offer(frame, through, &mut self.shared);
            }
            owned.mark(key, &mut self.dirty);
        }
    }

    /// Offers what came to the streams of people, who listen to many channels: in the order of the log, whichever channel a
    /// frame came by.
    async fn offer_to_people(&mut self, taken: &[Taken], through: Position) {
        let mut frames: Vec<(&Arc<Frame>, Source)> = Vec::new();
        for Taken { source, runs, .. } in taken.iter().filter(|taken| taken.is_for_people) {
            let runs = runs.iter().flatten();
            frames.extend(runs.flat_map(|run| &run.frames).map(|frame| (frame, *source)));
        }
        frames.sort_by_key(|(frame, _)| frame.position);
        let mut offers = 0;
        for (frame, source) in frames {
            let listeners = &self.subscriptions.listeners(source).of_person;
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

    /// Gives the runs of one room to its streams, but not to those that are served apart: as they are where that is possible, which is
    /// nearly always.
    async fn spread(
        &mut self,
        room: RoomId,
        runs: &[Arc<Run>],
        through: Position,
        apart: &HashMap<Key, Vec<&Arc<Frame>>>,
    ) {
        let is_plain = runs.iter().all(|run| !run.changes_readers);
        let slices: Vec<_> = runs.iter().map(|run| IoSlice::new(&run.bytes)).collect();
        for (turn, &key) in self.subscriptions.listeners(Source::Room(room)).of_room.iter().enumerate() {
            if !apart.is_empty() && apart.contains_key(&key) {
                continue;
            }
            if turn % SOCKETS == SOCKETS - 1 {
                yield_now().await;
            }
            if self.shared.has_news() {
                tell_deletions(&mut self.shared, &self.subscriptions, &mut self.streams, &mut self.dirty);
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

    /// Does what is due at the timers that have run out.
    fn pass_time(&mut self, first: Option<Key>) {
        let ping: OnceCell<Chunk> = OnceCell::new();
        let mut next = first;
        while let Some(key) = next.take().or_else(|| next_timer(&mut self.timers).now_or_never().flatten()) {
            // The time has gone on since the turn began, and this timer may have run out in between.
            self.shared.now = Instant::now();
            let Some(owned) = self.streams.get_mut(key) else { continue };
            owned.timer = None;
            let clock = self.shared.node.clock;
            let shared_ping = || ping.get_or_init(|| frame::ping(clock.now())).clone();
            let written = owned.stream.pass_time(shared_ping, &self.shared);
            self.follow_up(key, written);
            self.rearm(key);
        }
    }

    /// Writes to every dirty stream. A stream that is catching up is put in the line instead.
    pub(super) async fn write(&mut self) {
        for (turn, key) in std::mem::take(&mut self.dirty).into_iter().enumerate() {
            if turn % SOCKETS == SOCKETS - 1 {
                yield_now().await;
            }
            let Some(owned) = self.streams.get_mut(key) else { continue };
            owned.is_dirty = false;
            owned.stream.look(&self.shared);
            let (ticket, is_catching_up) = (&mut owned.ticket, owned.stream.is_catching_up());
            if self.line.takes(key, ticket, is_catching_up, self.shared.now) {
                self.rearm(key);
            } else {
                self.write_to(key);
            }
        }
    }

    /// Writes to the streams in the line whose turn it is.
    fn catch_up(&mut self) {
        let Some(turn) = self.line.begin_turn() else { return };
        while let Some(key) = self.line.next(turn) {
            self.serve(key);
        }
    }

    /// Writes to a stream that was first in the line.
    pub(super) fn serve(&mut self, key: Key) {
        // Another stream may have its slot by now: that one is written to a little early.
        if let Some(owned) = self.streams.get_mut(key) {
            owned.ticket.served();
            self.write_to(key);
        }
    }

    /// Reads the log for streams that ask, but not faster than it is written to outlets.
    fn read_on(&mut self) {
        if !self.line.is_full() {
            self.reads.go_on();
        }
    }

    fn write_to(&mut self, key: Key) {
        self.hear_deletions();
        let written = self.streams[key].stream.write(&mut self.shared);
        self.follow_up(key, written);
        self.ask(key);
        self.rearm(key);
    }

    /// The server stops: the streams end one after the other.
    pub(super) fn close(&mut self) {
        let open = u32::try_from(self.shared.node.meters.open.get()).unwrap_or(0);
        let spread = SPREAD.min(SPREAD_PER_STREAM * open);
        let (now, ids) = (Instant::now(), self.shared.node.ids);
        let keys: Vec<_> = self.streams.iter().map(|(key, _)| key).collect();
        for key in keys {
            let after = ids.random_below(u64::try_from(spread.as_micros()).unwrap_or(0).max(1));
            self.streams[key].stream.end_at(now + Duration::from_micros(after));
            self.rearm(key);
        }
    }
}

/// Tells the streams that follow a room that it was deleted.
fn tell_deletions(
    shared: &mut Shared,
    subscriptions: &Subscriptions,
    streams: &mut Slab<Owned>,
    dirty: &mut Vec<Key>,
) {
    while let Some(removed) = shared.next_deletion() {
        let Listeners { of_room, of_person } = subscriptions.listeners(Source::Room(removed.room));
        for &key in of_room.iter().chain(of_person) {
            let owned = &mut streams[key];
            owned.stream.note_removal(removed);
            owned.mark(key, dirty);
        }
    }
}

/// Whether one write takes all runs, by the bounds of `pieces`. Nearly always it does, and nothing has to be cut.
fn fit_one_write(runs: &[Arc<Run>]) -> bool {
    let (bytes, frames) =
        runs.iter().fold((0, 0), |(bytes, frames), run| (bytes + run.bytes.len(), frames + run.frames.len()));
    runs.len() <= SLICES && bytes <= SHARE && frames <= FRAMES
}

/// Cuts runs into pieces of as much as one write takes.
fn pieces(runs: &[Arc<Run>]) -> Vec<Vec<Arc<Run>>> {
    let mut pieces = vec![Vec::new()];
    let (mut bytes, mut frames) = (0, 0);
    for run in runs.iter().flat_map(|run| Run::cut(run, SHARE)) {
        let (of_run, last) = (run.frames.len(), pieces.len() - 1);
        let is_full =
            pieces[last].len() == SLICES || bytes + run.bytes.len() > SHARE || frames + of_run > FRAMES;
        if is_full && !pieces[last].is_empty() {
            (bytes, frames) = (0, 0);
            pieces.push(Vec::new());
        }
        (bytes, frames) = (bytes + run.bytes.len(), frames + of_run);
        pieces.last_mut().expect("there is always one").push(run);
    }
    pieces
}
