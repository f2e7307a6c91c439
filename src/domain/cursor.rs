//! Cursors: opaque names of a place in the log, the same for streams and for paging through messages.
//!
//! A cursor is one AES-128 block under a key that is kept in the database: position (6 bytes), epoch (4), reading (4), zeros
//! (2) as check. It is good when its epoch is one that this database has lived through and its position does not lie beyond
//! that epoch's last: so a restored copy notices the cursors of the time that it has lost.
//!
//! Six bytes are enough for 2^48 positions: 30,000 events a second for 297 years.
//!
//! **Readings.** Two cursors of one position differ unless they have the same reading. The cursor of an event has reading 0, so
//! it is the same wherever the event is sent. Each snapshot has a reading of its own. If its cursor stayed the same while the
//! log does not grow, the snapshot of a quiet room would show whether anybody has posted anywhere. A counter is as good as a
//! random number, because the cipher hides both. It begins at a random number, because other nodes count for the same key and the
//! same epoch, and returns to a number after 2^32 snapshots.
//!
//! **Forgeries.** A block that somebody makes up is decrypted to 16 random bytes. It passes the check with the chance 2^-16,
//! its epoch is one of `e` known ones with the chance `e` / 2^32, and its position lies in a log of `n` events with the
//! chance `n` / 2^48. With 10,000 epochs and 10^9 events that is 2^-53: at a thousand tries a second one is good in 250,000 years.
//! It would show nothing that its reader may not see: a cursor says where to read, not what.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use aes::Aes128;
use aes::cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::ids::Position;

/// A stretch of time in which the database has lost nothing; drawn at random.
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
    cipher: Arc<Aes128>,
    /// In the order of their beginnings; the last one is now. Locked for a few instructions.
    epochs: Arc<RwLock<Vec<EpochStart>>>,
    /// The reading of the next snapshot.
    readings: Arc<AtomicU32>,
    /// The epoch of all cursors that are made; none for whichever is the present one.
    pinned: Option<Epoch>,
}

impl fmt::Debug for Cursors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cursors(..)")
    }
}

impl Cursors {
    /// `epochs` in the order of their beginnings, the present one last; it must not be empty. `reading` is random.
    pub fn new(key: &[u8; 16], epochs: Vec<EpochStart>, reading: u32) -> Self {
        assert!(!epochs.is_empty(), "a database that is served has an epoch");
        Self {
            cipher: Arc::new(Aes128::new(&Array::from(*key))),
            epochs: Arc::new(RwLock::new(epochs)),
            readings: Arc::new(AtomicU32::new(reading)),
            pinned: None,
        }
    }

    /// The same, and every cursor that is made is of the present epoch. Taken before something is read: if another epoch begins
    /// meanwhile, what was read may be lost, and its cursors must not look like those of the newer epoch.
    #[must_use]
    pub fn pinned(&self) -> Self {
        Self { pinned: Some(self.epoch()), ..self.clone() }
    }

    /// The cursor of an event: the same each time in one epoch.
    pub fn of_event(&self, position: Position) -> String {
        self.encode(position, 0)
    }

    /// The cursor of a snapshot that was read when the log ended at a position: another one each time.
    pub fn of_snapshot(&self, head: Position) -> String {
        let next = || self.readings.fetch_add(1, Ordering::Relaxed);
        // 0 is that of events.
        let reading = match next() {
            0 => next(),
            reading => reading,
        };
        self.encode(head, reading)
    }

    /// The present epoch, or the pinned one.
    pub fn epoch(&self) -> Epoch {
        self.pinned.unwrap_or_else(|| present(&self.epochs()))
    }

    /// Pinned to the present epoch. None if an epoch that has begun after the pinned one does not go on from `published`: then what
    /// was published is lost in part.
    pub fn going_on_from(&self, published: Position) -> Option<Self> {
        let (since, epochs) = (self.epoch(), self.epochs());
        let mut later = epochs.iter().rev().take_while(|start| start.epoch != since);
        let go_on = later.all(|start| start.first > published);
        go_on.then(|| Self { pinned: Some(present(&epochs)), ..self.clone() })
    }

    /// Takes over the epochs that were read, in the same order. A list that was read before the present one is passed over: two reads
    /// may end in another order than they began. Tells whether there is another present epoch.
    pub fn learn(&self, read: Vec<EpochStart>) -> bool {
        let newest = read.last().expect("an epoch that has begun stays").epoch;
        let mut known = self.epochs.write().unwrap_or_else(PoisonError::into_inner);
        let present = known.last().map(|start| start.epoch);
        let is_older = Some(newest) != present && known.iter().any(|start| start.epoch == newest);
        if !is_older {
            *known = read;
        }
        !is_older && Some(newest) != present
    }

    fn epochs(&self) -> RwLockReadGuard<'_, Vec<EpochStart>> {
        self.epochs.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn encode(&self, Position(position): Position, reading: u32) -> String {
        let Epoch(epoch) = self.epoch();
        let mut block = [0; 16];
        block[..6].copy_from_slice(&position.to_be_bytes()[2..]);
        block[6..10].copy_from_slice(&epoch.to_be_bytes());
        block[10..14].copy_from_slice(&reading.to_be_bytes());
        let mut block = Array::from(block);
        self.cipher.encrypt_block(&mut block);
        URL_SAFE_NO_PAD.encode(block)
    }

    /// The position that a cursor names; none when it is malformed, forged, foreign, or beyond `head`.
    pub fn decode(&self, cursor: &str, head: Position) -> Option<Position> {
        let (epoch, position) = self.read(cursor)?;
        let epochs = self.epochs();
        let at = epochs.iter().position(|start| start.epoch == epoch)?;
        let last = epochs.get(at + 1).map_or(head, |next| Position(next.first.0 - 1));
        (position <= last).then_some(position)
    }

    fn read(&self, cursor: &str) -> Option<(Epoch, Position)> {
        let bytes: [u8; 16] = URL_SAFE_NO_PAD.decode(cursor).ok()?.try_into().ok()?;
        let mut block = Array::from(bytes);
        self.cipher.decrypt_block(&mut block);
        let [p0, p1, p2, p3, p4, p5, e0, e1, e2, e3, _, _, _, _, 0, 0] = block.0 else { return None };
        let position = Position(i64::from_be_bytes([0, 0, p0, p1, p2, p3, p4, p5]));
        Some((Epoch(u32::from_be_bytes([e0, e1, e2, e3])), position))
    }
}

fn present(epochs: &[EpochStart]) -> Epoch {
    epochs.last().map_or(Epoch(0), |start| start.epoch)
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
        let cursors = Cursors::new(KEY, epochs(&[(7, 1)]), 1);
        for position in [0, 1, 41, 0xffff_ffff_ffff].map(Position) {
            for cursor in [cursors.of_event(position), cursors.of_snapshot(position)] {
                assert_eq!(cursor.len(), 22);
                assert_eq!(cursors.decode(&cursor, position), Some(position));
                assert_eq!(cursors.decode(&cursor, position.previous()), None, "beyond the head");
            }
        }
    }

    #[test]
    fn an_event_has_one_cursor_and_each_snapshot_its_own() {
        let cursors = Cursors::new(KEY, epochs(&[(7, 1)]), u32::MAX - 500);
        assert_eq!(cursors.of_event(Position(41)), cursors.of_event(Position(41)));
        let snapshots = (0..1_000).map(|_| cursors.clone().of_snapshot(Position(41)));
        let mut all: Vec<String> = snapshots.chain([cursors.of_event(Position(41))]).collect();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 1_001);
    }

    #[test]
    fn a_cursor_of_lost_time_is_noticed() {
        let lived_on = Cursors::new(KEY, epochs(&[(7, 1)]), 1);
        let lost = lived_on.of_event(Position(50));
        let kept = lived_on.of_snapshot(Position(30));
        let restored = Cursors::new(KEY, epochs(&[(7, 1), (9, 41)]), 1);
        assert_eq!(restored.decode(&lost, Position(1_000)), None);
        assert_eq!(restored.decode(&kept, Position(1_000)), Some(Position(30)));
    }

    #[test]
    fn what_was_read_before_another_epoch_has_its_cursors_of_the_one_before() {
        let cursors = Cursors::new(KEY, epochs(&[(7, 1)]), 1);
        let pinned = cursors.pinned();
        assert!(cursors.learn(epochs(&[(7, 1), (9, 41)])));
        let (kept, lost) = (Position(40), Position(41));
        for cursor in [pinned.of_event(lost), pinned.of_snapshot(lost)] {
            assert_eq!(cursors.decode(&cursor, Position(99)), None);
        }
        assert_eq!(cursors.decode(&pinned.of_event(kept), Position(99)), Some(kept));
        assert_eq!(cursors.decode(&cursors.of_event(lost), Position(99)), Some(lost));
        assert!(pinned.going_on_from(lost).is_none());
        let going_on = pinned.going_on_from(kept).expect("it is not lost");
        assert_eq!(going_on.of_event(kept), cursors.of_event(kept));
    }

    #[test]
    fn an_older_list_of_epochs_does_not_take_the_place_of_a_newer_one() {
        let (older, newer) = (epochs(&[(7, 1)]), epochs(&[(7, 1), (9, 41)]));
        let cursors = Cursors::new(KEY, older.clone(), 1);
        assert!(cursors.learn(newer));
        let of_now = cursors.of_event(Position(50));
        assert!(!cursors.learn(older));
        assert_eq!(cursors.epoch(), Epoch(9));
        assert_eq!(cursors.decode(&of_now, Position(50)), Some(Position(50)));
        // A database that was put back begins an epoch that is not known yet.
        assert!(cursors.learn(epochs(&[(7, 1), (4, 30)])));
        assert_eq!(cursors.epoch(), Epoch(4));
        assert_eq!(cursors.decode(&of_now, Position(50)), None);
    }

    #[test]
    fn forged_and_foreign_cursors_are_refused() {
        let cursors = Cursors::new(KEY, epochs(&[(7, 1)]), 1);
        let foreign = Cursors::new(b"another key 1234", epochs(&[(7, 1)]), 1).of_event(Position(3));
        for bad in ["", "x", "AAAAAAAAAAAAAAAAAAAAAA", "ÄÖÜ", foreign.as_str()] {
            assert_eq!(cursors.decode(bad, Position(100)), None, "{bad}");
        }
    }
}
