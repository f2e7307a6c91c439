//! The texts that are published: each carries the moment it was sent at, so that whoever receives it knows how long it
//! took; and frames like Parlor's own for the yardsticks.

use std::sync::OnceLock;
use std::time::Instant;

/// Digits of a moment, so that all texts are equally long.
const DIGITS: usize = 20;
/// What stands before a moment in a frame.
pub const MARK: &[u8] = b"\"body\":\"@";
/// What stands before the count of events of a room in a frame.
pub const SEQ: &[u8] = b"\"seq\":";
/// What stands before the room in a frame.
pub const ROOM: &[u8] = b"\"room\":\"";
/// Characters of a room's id.
pub const ROOM_LENGTH: usize = 36;

/// Nanoseconds since the benches began.
pub fn now() -> u64 {
    static BEGAN: OnceLock<Instant> = OnceLock::new();
    BEGAN.get_or_init(Instant::now).elapsed().as_nanos() as u64
}

/// What a message says, sent now.
pub fn text() -> String {
    format!("@{:0DIGITS$} the quick brown fox jumps over the lazy dog", now())
}

/// A frame of Parlor's, cut where room, count and moment stand.
#[derive(Clone)]
pub struct Template([String; 4]);

impl Template {
    pub fn of(frame: &[u8]) -> Self {
        let frame = std::str::from_utf8(frame).expect("frames are UTF-8");
        let cut = |text: &str, before: &[u8], skip: usize| {
            let before = std::str::from_utf8(before).expect("ASCII");
            let at = text.find(before).expect("a frame of a posted message") + before.len();
            (text[..at].to_owned(), text[at + skip..].to_owned())
        };
        let (head, rest) = cut(frame, ROOM, ROOM_LENGTH);
        let digits = |rest: &str| {
            let (_, after) = cut(rest, SEQ, 0);
            after.bytes().take_while(u8::is_ascii_digit).count()
        };
        let (to_seq, rest) = cut(&rest, SEQ, digits(&rest));
        let (to_stamp, tail) = cut(&rest, MARK, DIGITS);
        Self([head, to_seq, to_stamp, tail])
    }

    /// The same frame of another room, with another count, sent now.
    pub fn frame(&self, room: u64, seq: u64) -> String {
        let [head, to_seq, to_stamp, tail] = &self.0;
        format!("{head}{room:0ROOM_LENGTH$}{to_seq}{seq}{to_stamp}{:0DIGITS$}{tail}\n\n", now())
    }

    /// Only what stands behind `data: ` in the frame.
    pub fn data(&self, room: u64, seq: u64) -> String {
        let frame = self.frame(room, seq);
        let (_, data) = frame.split_once("data: ").expect("a frame with data");
        data.trim_end().to_owned()
    }
}
