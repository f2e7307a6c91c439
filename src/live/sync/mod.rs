//! Where what two tasks share takes its locks, atomics, maps and channels from: the ones of the standard library, `dashmap`
//! and tokio. In this crate's unit tests they belong to a scheduler, which decides at each use whose turn it is. The
//! models of the writers run on it; other unit tests cannot use these types.

#[cfg(not(test))]
pub use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
#[cfg(not(test))]
pub use std::sync::{Mutex, MutexGuard, PoisonError};

#[cfg(not(test))]
pub use dashmap::{DashMap, Entry};
#[cfg(not(test))]
pub use tokio::sync::{Notify, broadcast, watch};

#[cfg(test)]
pub use self::touched::*;

#[cfg(test)]
mod touched;
