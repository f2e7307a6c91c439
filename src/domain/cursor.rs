//! Cursors: opaque names of a place in the log, the same for streams and for paging through messages.
//!
//! One AES-128 block under a key kept in the database: position (8 bytes), epoch (4), zeros (4) as check. A cursor is
//! good when its epoch is one that this database has lived through and its position lies not beyond that epoch's last:
//! so a restored copy notices the cursors of the time that it has lost.

use std::fmt;

use aes::Aes128;
use aes::cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::ids::Position;

/// One opening of the database for serving; drawn at random.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch(pub u32);

/// An epoch this database has lived through, and where it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochStart {
    pub epoch: Epoch,
    pub first: Position,
}

/// The mint of cursors of one opened database.
#[derive(Clone)]
pub struct Cursors {
    cipher: Aes128,
    /// In the order of their beginnings; the last one is now.
    epochs: Vec<EpochStart>,
}

impl fmt::Debug for Cursors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cursors(..)")
    }
}

impl Cursors {
    /// `epochs` in the order of their beginnings, the present one last; it must not be empty.
    pub fn new(key: &[u8; 16], epochs: Vec<EpochStart>) -> Self {
        assert!(!epochs.is_empty(), "opening the database begins an epoch");
        Self { cipher: Aes128::new(&Array::from(*key)), epochs }
    }

    /// The cursor of a position, in the present epoch.
    pub fn encode(&self, position: Position) -> String {
        let Epoch(epoch) = self.epochs[self.epochs.len() - 1].epoch;
        let mut block = [0; 16];
        block[..8].copy_from_slice(&position.0.to_be_bytes());
        block[8..12].copy_from_slice(&epoch.to_be_bytes());
        let mut block = Array::from(block);
        self.cipher.encrypt_block(&mut block);
        URL_SAFE_NO_PAD.encode(block)
    }

    /// The position that a cursor names; none when it is malformed, forged, foreign, or beyond `head`.
    pub fn decode(&self, cursor: &str, head: Position) -> Option<Position> {
        let bytes: [u8; 16] = URL_SAFE_NO_PAD.decode(cursor).ok()?.try_into().ok()?;
        let mut block = Array::from(bytes);
        self.cipher.decrypt_block(&mut block);
        let (position, rest) = block.split_at(8);
        let (epoch, check) = rest.split_at(4);
        if check != [0; 4] {
            return None;
        }
        let position = Position(i64::from_be_bytes(position.try_into().ok()?));
        let epoch = Epoch(u32::from_be_bytes(epoch.try_into().ok()?));
        let at = self.epochs.iter().position(|start| start.epoch == epoch)?;
        let last = self.epochs.get(at + 1).map_or(head, |next| Position(next.first.0 - 1));
        (Position(0) <= position && position <= last).then_some(position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &[u8; 16] = b"sixteen bytes ok";

    fn epochs(starts: &[(u32, i64)]) -> Vec<EpochStart> {
        starts.iter().map(|&(e, p)| EpochStart { epoch: Epoch(e), first: Position(p) }).collect()
    }

    #[test]
    fn a_cursor_comes_back_as_its_position() {
        let cursors = Cursors::new(KEY, epochs(&[(7, 1)]));
        let cursor = cursors.encode(Position(41));
        assert_eq!(cursor.len(), 22);
        assert_eq!(cursors.decode(&cursor, Position(41)), Some(Position(41)));
        assert_eq!(cursors.decode(&cursor, Position(40)), None, "beyond the head");
    }

    #[test]
    fn a_cursor_of_lost_time_is_noticed() {
        let lived_on = Cursors::new(KEY, epochs(&[(7, 1)]));
        let lost = lived_on.encode(Position(50));
        let kept = lived_on.encode(Position(30));
        let restored = Cursors::new(KEY, epochs(&[(7, 1), (9, 41)]));
        assert_eq!(restored.decode(&lost, Position(1_000)), None);
        assert_eq!(restored.decode(&kept, Position(1_000)), Some(Position(30)));
    }

    #[test]
    fn forged_and_foreign_cursors_are_refused() {
        let cursors = Cursors::new(KEY, epochs(&[(7, 1)]));
        let foreign = Cursors::new(b"another key 1234", epochs(&[(7, 1)])).encode(Position(3));
        for bad in ["", "x", "AAAAAAAAAAAAAAAAAAAAAA", "ÄÖÜ", foreign.as_str()] {
            assert_eq!(cursors.decode(bad, Position(100)), None, "{bad}");
        }
    }
}
