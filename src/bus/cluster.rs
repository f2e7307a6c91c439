//! The nodes of one database, and how they know each other's messages: each message has a code that can only be made with the
//! database's key (HMAC-SHA-256). Everybody who may connect to a PostgreSQL database can send notifications in it, and everybody who
//! may connect to a NATS server can publish there.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::Whisper;
use super::message::{Message, Said, Saying};
use crate::domain::cursor::{Cursors, Epoch};
use crate::domain::event::Event;
use crate::domain::ids::Position;

/// Bytes of a code that are sent.
const CODE: usize = 16;
/// Characters of it in base64.
const CODE_TEXT: usize = 22;

/// Writes the messages of one node, and reads those of the others.
#[derive(Clone)]
pub struct Cluster {
    id: String,
    code: Hmac<Sha256>,
    /// Drawn at each start, so that a node leaves out what it has said itself.
    node: u64,
    /// They know the present epoch.
    cursors: Cursors,
}

/// What a text turned out to be.
pub(super) enum Heard {
    /// A message of another node, of this epoch.
    Message(Epoch, Said),
    /// A message of this node.
    Own,
    /// No node of this cluster has said it.
    Foreign,
    /// A node said it, and this version does not understand it.
    Unknown,
}

impl Cluster {
    /// `key` is the secret of the database, `node` a number that no other node has.
    pub fn new(key: &[u8], node: u64, cursors: Cursors) -> Self {
        let derive = |name: &[u8]| {
            let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("a key of any length is good");
            mac.chain_update(name).finalize().into_bytes()
        };
        let id = derive(b"cluster")[..8].iter().fold(String::new(), |id, byte| format!("{id}{byte:02x}"));
        let code = <Hmac<Sha256> as KeyInit>::new_from_slice(&derive(b"announcements"));
        Self { id, code: code.expect("a key of any length is good"), node, cursors }
    }

    /// Names the cluster in channels and subjects: 16 hexadecimal digits.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The present epoch.
    pub(super) fn epoch(&self) -> Epoch {
        self.cursors.epoch()
    }

    /// Says that the log reaches this far.
    pub fn reaches(&self, epoch: Epoch, head: Position) -> String {
        self.write(epoch, Saying::Reaches(head.0))
    }

    /// Says which events were committed.
    pub(super) fn committed(&self, epoch: Epoch, events: &[Event]) -> String {
        self.write(epoch, Saying::events(events))
    }

    pub(super) fn whispers(&self, whispers: &[Whisper]) -> String {
        self.write(self.epoch(), Saying::whispers(whispers))
    }

    fn write(&self, epoch: Epoch, said: Saying<'_>) -> String {
        let text = Message { node: self.node, epoch: epoch.0, said }.to_text();
        let code = self.code_of(&text).finalize().into_bytes();
        format!("{}{text}", URL_SAFE_NO_PAD.encode(&code[..CODE]))
    }

    pub(super) fn read(&self, text: &str) -> Heard {
        let Some(text) = self.unsealed(text) else { return Heard::Foreign };
        let Some(message) = Message::parse(text) else { return Heard::Unknown };
        if message.node == self.node {
            return Heard::Own;
        }
        let epoch = Epoch(message.epoch);
        message.said.into_said().map_or(Heard::Unknown, |said| Heard::Message(epoch, said))
    }

    /// The text behind a good code.
    fn unsealed<'t>(&self, text: &'t str) -> Option<&'t str> {
        let (code, text) = text.split_at_checked(CODE_TEXT)?;
        let code = URL_SAFE_NO_PAD.decode(code).ok()?;
        self.code_of(text).verify_truncated_left(&code).ok().map(|()| text)
    }

    fn code_of(&self, text: &str) -> Hmac<Sha256> {
        self.code.clone().chain_update(text)
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::Timestamp;
    use crate::domain::cursor::EpochStart;
    use crate::domain::event::{EventType, MessageText, Place, Subject};
    use crate::domain::ids::{Ids, SessionId};
    use crate::domain::message::MessageBody;

    fn cluster(key: &[u8], node: u64) -> Cluster {
        let epochs = vec![EpochStart { epoch: Epoch(7), first: Position(1) }];
        Cluster::new(key, node, Cursors::new(b"sixteen bytes ok", epochs, 1))
    }

    fn said(heard: Heard) -> Option<Said> {
        match heard {
            Heard::Message(Epoch(7), said) => Some(said),
            _ => None,
        }
    }

    #[test]
    fn what_a_node_says_is_understood_and_nothing_else() {
        let (here, there) = (cluster(b"a key", 1), cluster(b"a key", 2));
        let text = here.reaches(Epoch(7), Position(41));
        assert!(matches!(said(there.read(&text)), Some(Said::Reaches(Position(41)))));
        assert!(matches!(here.read(&text), Heard::Own));
        for altered in [text.replace("41", "42"), text.replace(":7", ":8"), format!("{text} "), String::new()]
        {
            assert!(matches!(there.read(&altered), Heard::Foreign), "{altered}");
        }
        assert!(matches!(cluster(b"another key", 2).read(&text), Heard::Foreign));
        assert_ne!(cluster(b"another key", 2).id(), here.id());
    }

    #[test]
    fn a_code_that_is_cut_short_is_not_taken_for_a_good_one() {
        let (here, there) = (cluster(b"a key", 1), cluster(b"a key", 2));
        let text = here.reaches(Epoch(7), Position(41));
        for kept in [0, 2, 4, 20] {
            let cut = format!("{}{}", &text[..kept], &text[CODE_TEXT..]);
            assert!(matches!(there.read(&cut), Heard::Foreign), "{cut}");
        }
    }

    #[test]
    fn events_and_whispers_arrive_as_they_were() {
        let (here, there) = (cluster(b"a key", 1), cluster(b"a key", 2));
        let ids = Ids::SYSTEM;
        let (room, at) = (ids.room(), Timestamp::from_micros(1_700_000_000_000_001));
        let posted = Event {
            position: Position(8),
            kind: EventType::MessagePosted,
            place: Some(Place { room, seq: Some(3) }),
            subject: None,
            at,
            data: "{\"text\":\"a \\\" and \\u0000 and ü\"}".into(),
            text: Some(MessageText { message: Position(3), body: MessageBody::stored("\"ü\"\n".into()) }),
        };
        let session = ids.session();
        let ended = Event {
            position: Position(9),
            kind: EventType::SessionEnded,
            place: None,
            subject: Some(Subject::Session(session)),
            text: None,
            ..posted.clone()
        };
        let events = [posted, ended];
        let Some(Said::Events(heard)) = said(there.read(&here.committed(Epoch(7), &events))) else {
            panic!("events")
        };
        assert_eq!(format!("{heard:?}"), format!("{events:?}"));

        let whispers = [
            Whisper::Extended { session, expires_at: at },
            Whisper::Frame { room, data: "{\"type\":\"typing\"}".into() },
        ];
        let Some(Said::Whispers(heard)) = said(there.read(&here.whispers(&whispers))) else {
            panic!("whispers")
        };
        assert_eq!(heard, whispers);
        let _: SessionId = session;
    }

    #[test]
    fn what_a_newer_version_says_is_known_to_be_of_the_cluster() {
        let here = cluster(b"a key", 1);
        for text in ["{\"node\":2,\"epoch\":7,\"said\":{\"sings\":1}}", "song"] {
            let code = here.code_of(text).finalize().into_bytes();
            let sealed = format!("{}{text}", URL_SAFE_NO_PAD.encode(&code[..CODE]));
            assert!(matches!(here.read(&sealed), Heard::Unknown), "{text}");
        }
    }
}
