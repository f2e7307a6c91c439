//! Known networks in memory: where people signed in from of late. What is not here may still be in the store.

use std::sync::{Mutex, PoisonError};

use hashlink::LruCache;

use crate::domain::network::NetworkTag;

/// Networks of all people together that are remembered: some 6 MiB. The one that was used least recently is forgotten.
pub(super) const REMEMBERED: usize = 100_000;

/// Known networks, asked before anything that costs more than a look into memory.
pub(super) struct KnownNetworks(Mutex<LruCache<NetworkTag, ()>>);

impl Default for KnownNetworks {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(REMEMBERED)))
    }
}

impl KnownNetworks {
    pub fn contains(&self, tag: &NetworkTag) -> bool {
        self.with(|known| known.get(tag).is_some())
    }

    pub fn add(&self, tag: NetworkTag) {
        self.with(|known| known.insert(tag, ()));
    }

    /// The lock is held for one look-up.
    fn with<T>(&self, look: impl FnOnce(&mut LruCache<NetworkTag, ()>) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
