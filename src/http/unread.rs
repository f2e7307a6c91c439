//! Answers that wait for their readers: how many bytes of them one address and all together may have in memory.
//!
//! Without this bound a client that asks for large pages on many connections, and reads none of them, fills the memory.
//! Streams are not counted: their sockets leave hyper, and `live` bounds what waits for them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::meters::Meters;
use crate::domain::network::network_of;

/// Most bytes of answers that wait for the readers at one address (an IPv6 network of 64 bits counts as one).
const ADDRESS_BYTES: usize = 8 * 1024 * 1024;

/// The same for all addresses together.
const NODE_BYTES: usize = 64 * 1024 * 1024;

/// One address gets at most this part of what is free, so that many greedy ones leave room for the next that comes.
const PART_OF_FREE: usize = 8;

/// Shorter answers are not counted. The kernel's buffer takes them at once, so they hardly ever wait.
pub const COUNTED_FROM: usize = 4 * 1024;

/// Counts the bytes that wait.
pub struct Unread {
    is_per_address: bool,
    /// Held for one look-up, never over an await.
    waiting: Mutex<Waiting>,
    meters: Arc<Meters>,
}

#[derive(Default)]
struct Waiting {
    total: usize,
    of: HashMap<IpAddr, usize>,
}

/// The bytes of one answer; dropped when the socket has taken the last of them.
pub struct Share {
    unread: Arc<Unread>,
    network: IpAddr,
    bytes: usize,
}

/// A body with its share. Both are dropped together.
struct Counted {
    body: Bytes,
    _share: Share,
}

impl Unread {
    /// `is_per_address` is false where the operator has lifted all caps of addresses.
    pub fn new(is_per_address: bool, meters: Arc<Meters>) -> Self {
        Self { is_per_address, waiting: Mutex::default(), meters }
    }

    /// A share for an answer of so many bytes. None if too much waits already, and `may_refuse`.
    pub fn share(self: &Arc<Self>, address: IpAddr, bytes: usize, may_refuse: bool) -> Option<Share> {
        let network = network_of(address);
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let free = NODE_BYTES.saturating_sub(waiting.total);
        let most = if self.is_per_address { ADDRESS_BYTES.min(free / PART_OF_FREE) } else { free };
        let own = waiting.of.get(&network).copied().unwrap_or(0);
        let held = if self.is_per_address { own } else { 0 };
        if may_refuse && held + bytes > most {
            self.meters.unread_refused.inc();
            return None;
        }
        waiting.total += bytes;
        waiting.of.insert(network, own + bytes);
        self.meters.unread.set(i64::try_from(waiting.total).unwrap_or(i64::MAX));
        drop(waiting);
        Some(Share { unread: self.clone(), network, bytes })
    }
}

impl Share {
    /// Keeps the share for as long as anybody keeps the bytes.
    pub fn of(self, body: Bytes) -> Bytes {
        Bytes::from_owner(Counted { body, _share: self })
    }
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut waiting = self.unread.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.total -= self.bytes;
        self.unread.meters.unread.set(i64::try_from(waiting.total).unwrap_or(i64::MAX));
        if let Some(own) = waiting.of.get_mut(&self.network) {
            *own -= self.bytes;
            if *own == 0 {
                waiting.of.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: usize = 256 * 1024;

    fn address(number: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, number])
    }

    /// All shares that an address gets before it is refused.
    fn all_of(unread: &Arc<Unread>, address: IpAddr) -> Vec<Share> {
        std::iter::from_fn(|| unread.share(address, PAGE, true)).collect()
    }

    #[test]
    fn an_address_has_its_bound_and_gets_it_back_with_the_last_byte() {
        let unread = Arc::new(Unread::new(true, Arc::default()));
        let mut shares = all_of(&unread, address(1));
        assert!(
            (ADDRESS_BYTES / PAGE - 4..=ADDRESS_BYTES / PAGE).contains(&shares.len()),
            "{}",
            shares.len()
        );
        assert!(unread.share(address(2), PAGE, true).is_some(), "each has its own");
        assert!(unread.share(address(1), PAGE, false).is_some(), "what was written has to be answered");

        let body = shares.pop().unwrap().of(Bytes::from(vec![0; PAGE]));
        let part = body.slice(PAGE - 1..);
        drop(body);
        assert!(unread.share(address(1), PAGE, true).is_none(), "a part is still there");
        drop(part);
        assert!(unread.share(address(1), PAGE, true).is_some());
        drop(shares);
        let waiting = unread.waiting.lock().unwrap();
        assert_eq!((waiting.total, waiting.of.len()), (0, 0));
    }

    #[test]
    fn many_greedy_addresses_leave_room_for_the_next() {
        let unread = Arc::new(Unread::new(true, Arc::default()));
        let greedy: Vec<_> = (0..100).map(|number| all_of(&unread, address(number))).collect();
        let held: usize = greedy.iter().flatten().map(|share| share.bytes).sum();
        assert!(held < NODE_BYTES, "{held}");
        assert!(unread.share(address(200), PAGE / 2, true).is_some());
    }

    #[test]
    fn the_node_has_a_bound_where_addresses_have_none() {
        let unread = Arc::new(Unread::new(false, Arc::default()));
        assert_eq!(all_of(&unread, address(1)).len(), NODE_BYTES / PAGE);
    }
}
