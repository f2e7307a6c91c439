//! One subscriber's socket: takes the framing of HTTP and of event streams apart just far enough to count every event, and
//! to see that none is lost, doubled or out of order.

use std::collections::HashMap;
use std::io::{ErrorKind, Read};
use std::net::TcpStream;

use memchr::memmem::Finder;

use super::stamp;

/// What a reading thread looks for; made once.
pub struct Finders {
    blank_line: Finder<'static>,
    seq: Finder<'static>,
    room: Finder<'static>,
    mark: Finder<'static>,
}

impl Finders {
    pub fn new() -> Self {
        Self {
            blank_line: Finder::new(b"\n\n"),
            seq: Finder::new(stamp::SEQ),
            room: Finder::new(stamp::ROOM),
            mark: Finder::new(stamp::MARK),
        }
    }
}

/// What the sockets of one thread have brought since it was last told.
#[derive(Default)]
pub struct Batch {
    pub greeted: u64,
    pub deliveries: u64,
    pub pinged: u64,
    /// Breaks in a count, of subscribers for whom they do not end the run.
    pub gaps: u64,
    /// Nanoseconds from sending to receiving.
    pub latencies: Vec<u64>,
    /// One of the events, whole.
    pub sample: Vec<u8>,
}

/// How a stream begins and what is wrong with it.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// The head of the request, with its blank line.
    pub request: String,
    /// The `seq` of the last event that came before, when the stream resumes.
    pub last: Option<i64>,
    /// Whether a break in a count ends the run. If not, it is counted.
    pub strict: bool,
}

#[derive(PartialEq, Eq)]
enum Framing {
    Head,
    Chunked,
    Plain,
}

pub struct Subscriber {
    pub socket: TcpStream,
    strict: bool,
    framing: Framing,
    greeted: bool,
    pinged: bool,
    /// Bytes that were read and could not be taken apart yet.
    tail: Vec<u8>,
    /// The beginning of an event whose rest is in the next chunk.
    open: Vec<u8>,
    /// The count so far of each room; a stream of one room has one.
    seqs: HashMap<[u8; stamp::ROOM_LENGTH], i64>,
    last: Option<i64>,
}

impl Subscriber {
    pub fn new(socket: TcpStream, subscription: &Subscription) -> Self {
        Self {
            socket,
            strict: subscription.strict,
            framing: Framing::Head,
            greeted: false,
            pinged: false,
            tail: Vec::new(),
            open: Vec::new(),
            seqs: HashMap::new(),
            last: subscription.last,
        }
    }

    /// Reads once. `buffer` is any scratch space.
    pub fn read(&mut self, buffer: &mut [u8], finders: &Finders, batch: &mut Batch) {
        let kept = self.tail.len();
        buffer[..kept].copy_from_slice(&self.tail);
        let read = match self.socket.read(&mut buffer[kept..]) {
            Ok(0) => panic!("a stream ended: {}", String::from_utf8_lossy(&self.tail)),
            Ok(read) => read,
            Err(e) if e.kind() == ErrorKind::WouldBlock => return,
            Err(e) => panic!("a stream broke: {e}"),
        };
        let bytes = &buffer[..kept + read];
        self.tail.clear();
        let used = self.unwrap_framing(bytes, finders, batch);
        assert!(used > 0 || bytes.len() < buffer.len(), "a chunk is larger than {} bytes", buffer.len());
        self.tail.extend_from_slice(&bytes[used..]);
    }

    /// Takes whole chunks, and says how many bytes that were.
    fn unwrap_framing(&mut self, bytes: &[u8], finders: &Finders, batch: &mut Batch) -> usize {
        let mut used = 0;
        if self.framing == Framing::Head {
            let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n") else { return 0 };
            let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
            let all = String::from_utf8_lossy(bytes);
            assert!(head.starts_with("http/1.1 200"), "a stream was refused: {all}");
            let is_chunked = head.contains("transfer-encoding: chunked");
            self.framing = if is_chunked { Framing::Chunked } else { Framing::Plain };
            used = end + 4;
        }
        if self.framing == Framing::Plain {
            self.unwrap_events(&bytes[used..], finders, batch);
            return bytes.len();
        }
        while let Some(line) = memchr::memchr(b'\n', &bytes[used..]) {
            let size = std::str::from_utf8(&bytes[used..used + line]).expect("a chunk's size").trim();
            let size = usize::from_str_radix(size, 16).expect("a chunk's size");
            assert!(size > 0, "a stream ended");
            let (begin, end) = (used + line + 1, used + line + 1 + size);
            if bytes.len() < end + 2 {
                break;
            }
            assert_eq!(&bytes[end..end + 2], b"\r\n", "a chunk's end");
            self.unwrap_events(&bytes[begin..end], finders, batch);
            used = end + 2;
        }
        used
    }

    fn unwrap_events(&mut self, body: &[u8], finders: &Finders, batch: &mut Batch) {
        if self.open.is_empty() {
            let used = self.whole_events(body, finders, batch);
            self.open.extend_from_slice(&body[used..]);
        } else {
            let mut open = std::mem::take(&mut self.open);
            open.extend_from_slice(body);
            let used = self.whole_events(&open, finders, batch);
            open.drain(..used);
            self.open = open;
        }
    }

    fn whole_events(&mut self, body: &[u8], finders: &Finders, batch: &mut Batch) -> usize {
        let mut used = 0;
        while let Some(length) = finders.blank_line.find(&body[used..]) {
            self.event(&body[used..used + length], finders, batch);
            used += length + 2;
        }
        used
    }

    fn event(&mut self, event: &[u8], finders: &Finders, batch: &mut Batch) {
        if !event.starts_with(b"id: ") {
            return self.notice(event, batch);
        }
        assert!(self.greeted, "an event came before hello");
        let seq = finders.seq.find(event).map(|at| number(&event[at + stamp::SEQ.len()..]));
        let room = finders.room.find(event).map(|at| &event[at + stamp::ROOM.len()..]);
        let room =
            room.and_then(|room| <[u8; stamp::ROOM_LENGTH]>::try_from(&room[..stamp::ROOM_LENGTH]).ok());
        let (Some(seq), Some(room)) = (seq, room) else {
            panic!("not an event: {}", String::from_utf8_lossy(event))
        };
        let seq = seq as i64;
        let first = self.last.unwrap_or(seq - 1);
        let before = self.seqs.insert(room, seq).unwrap_or(first);
        if seq != before + 1 {
            assert!(!self.strict, "after event {before} of a room came {seq}: lost, doubled or out of order");
            batch.gaps += 1;
        }
        batch.deliveries += 1;
        if let Some(at) = finders.mark.find(event) {
            batch.latencies.push(stamp::now().saturating_sub(number(&event[at + stamp::MARK.len()..])));
        }
        if batch.sample.is_empty() {
            batch.sample.extend_from_slice(event);
        }
    }

    fn notice(&mut self, event: &[u8], batch: &mut Batch) {
        let text = std::str::from_utf8(event).expect("UTF-8");
        let name = text.lines().find_map(|line| line.strip_prefix("event: "));
        match name {
            // nchan greets by a comment, Parlor by hello after its retry.
            None if !text.starts_with(':') => {}
            None | Some("hello") => {
                assert!(!self.greeted, "greeted twice");
                self.greeted = true;
                batch.greeted += 1;
            }
            Some("ping") => {
                batch.pinged += u64::from(!self.pinged);
                self.pinged = true;
            }
            Some(_) => panic!("a stream said: {text}"),
        }
    }
}

fn number(digits: &[u8]) -> u64 {
    let digits = digits.iter().take_while(|digit| digit.is_ascii_digit());
    digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
}
