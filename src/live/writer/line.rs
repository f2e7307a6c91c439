//! The line of a writer's streams whose readers have just come back and have to catch up. Thousands of them come at once when
//! a server was restarted. Those in the line are written to in turns that take a tenth of the writer's time, so that
//! whoever posts meanwhile hardly notices them.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::note::Key;

/// How long a stream may be put in the line after its start. After that it is written to at once: a busy room may grow faster
/// than the line moves.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a turn of the line lasts.
const TURN: Duration = Duration::from_micros(500);
/// How long the line rests after a turn in which not all of it was served.
const REST: Duration = Duration::from_millis(4);
/// When this many streams are in the line, each with a page of the log in its queue, the writer reads no more pages. This
/// holds up all its streams that need one, also those that are not in the line; a page that many share goes out quickly.
const FULL: usize = 64;

/// Streams that wait for their turn.
pub struct Line {
    waiting: VecDeque<Key>,
    /// When the next turn begins.
    next_turn: Instant,
}

/// What a stream has of the line.
pub struct Ticket {
    /// Until when the stream may be put in the line.
    patient_until: Instant,
    is_in_line: bool,
}

/// A turn of the line that has begun.
#[derive(Clone, Copy)]
pub struct Turn {
    began: Instant,
}

impl Ticket {
    /// The ticket of a stream that starts now.
    pub fn new(now: Instant) -> Self {
        Self { patient_until: now + PATIENCE, is_in_line: false }
    }

    /// To be called when the stream leaves the line.
    pub fn served(&mut self) {
        self.is_in_line = false;
    }
}

impl Line {
    pub fn new() -> Self {
        Self { waiting: VecDeque::new(), next_turn: Instant::now() }
    }

    /// Puts a stream that is catching up at the end of the line, unless it is in the line already or has been patient for long
    /// enough. False if it may be written to at once.
    pub fn takes(&mut self, key: Key, ticket: &mut Ticket, is_catching_up: bool, now: Instant) -> bool {
        let waits = is_catching_up && now < ticket.patient_until;
        if waits && !ticket.is_in_line {
            ticket.is_in_line = true;
            self.waiting.push_back(key);
        }
        waits
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether no more pages of the log should be read.
    pub fn is_full(&self) -> bool {
        self.waiting.len() >= FULL
    }

    /// Waits until the next turn may begin.
    pub async fn rests(&self) {
        tokio::time::sleep_until(self.next_turn).await;
    }

    /// Begins a turn. None while the line rests or is empty.
    pub fn begin_turn(&self) -> Option<Turn> {
        if self.is_empty() {
            return None;
        }
        let began = Instant::now();
        (self.next_turn <= began).then_some(Turn { began })
    }

    /// The next stream of this turn. None when the line is empty or the turn is over.
    pub fn next(&mut self, turn: Turn) -> Option<Key> {
        let now = Instant::now();
        if now >= turn.began + TURN && !self.is_empty() {
            self.next_turn = now + REST;
            return None;
        }
        self.first()
    }

    /// Takes the first stream out of the line.
    pub fn first(&mut self) -> Option<Key> {
        self.waiting.pop_front()
    }
}
