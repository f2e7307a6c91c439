//! Announcements between nodes: how far the log reaches, told by each transaction that adds to it. They are hints alone: one that is
//! lost, doubled or late is made good by looking at the log every second.
//!
//! An announcement names the epoch, and carries a code that can only be made with the database's key (HMAC-SHA-256):
//! everybody who may connect to a PostgreSQL database may send notifications in it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::domain::cursor::Epoch;
use crate::domain::ids::Position;

/// Bytes of a code that are sent.
const CODE: usize = 16;

/// Makes and reads the announcements of one database.
#[derive(Clone)]
pub(super) struct Announcements {
    channel: String,
    code: Hmac<Sha256>,
}

/// What an announcement says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Announcement {
    pub epoch: Epoch,
    /// The newest position of the log.
    pub head: Position,
}

impl Announcements {
    /// `key` is the secret of the database.
    pub fn new(key: &[u8]) -> Self {
        let derive = |name: &[u8]| {
            let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("a key of any length is good");
            mac.chain_update(name).finalize().into_bytes()
        };
        let id = derive(b"cluster");
        let channel = id[..8].iter().fold(String::from("parlor_"), |name, byte| format!("{name}{byte:02x}"));
        let code = <Hmac<Sha256> as KeyInit>::new_from_slice(&derive(b"announcements"));
        Self { channel, code: code.expect("a key of any length is good") }
    }

    /// The channel of the cluster.
    pub fn channel(&self) -> &str {
        &self.channel
    }

    pub fn write(&self, Announcement { epoch, head }: Announcement) -> String {
        let said = format!("{} {}", epoch.0, head.0);
        let code = self.code_of(&said).finalize().into_bytes();
        format!("{said} {}", URL_SAFE_NO_PAD.encode(&code[..CODE]))
    }

    /// None for what no node of this cluster has said.
    pub fn read(&self, text: &str) -> Option<Announcement> {
        let (said, code) = text.rsplit_once(' ')?;
        let code = URL_SAFE_NO_PAD.decode(code).ok().filter(|code| code.len() == CODE)?;
        self.code_of(said).verify_truncated_left(&code).ok()?;
        let (epoch, head) = said.split_once(' ')?;
        Some(Announcement { epoch: Epoch(epoch.parse().ok()?), head: Position(head.parse().ok()?) })
    }

    fn code_of(&self, said: &str) -> Hmac<Sha256> {
        self.code.clone().chain_update(said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_node_says_is_understood_and_nothing_else() {
        let ours = Announcements::new(b"a key");
        let said = Announcement { epoch: Epoch(7), head: Position(41) };
        let text = ours.write(said);
        assert_eq!(ours.read(&text), Some(said));
        for altered in [text.replace("41", "42"), text.replace("7 ", "8 "), format!("{text}A"), String::new()]
        {
            assert_eq!(ours.read(&altered), None, "{altered}");
        }
        assert_eq!(Announcements::new(b"another key").read(&text), None);
        assert_ne!(Announcements::new(b"another key").channel(), ours.channel());
    }
}
