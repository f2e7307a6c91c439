//! Models: the writers, hub, registry, mailboxes and pipes of a node as they are, under a scheduler that decides at each
//! touch of what two tasks share whose turn it is, and the promises that have to hold whatever it decides. A task that is
//! never woken again ends a model as a deadlock.
//!
//! Weaker orders of atomics than sequential consistency are not tried. Tokio's channels and wakers are taken for granted;
//! time stands still, and a log in memory answers for the store.

mod events;
mod node;
mod pipe;
mod pipes;
mod places;
mod streams;
mod subscriptions;
mod wakes;

use std::sync::{Arc, OnceLock};

use shuttle::scheduler::{DfsScheduler, PctScheduler, RandomScheduler};
use shuttle::{Config, Runner};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::domain::ids::Ids;
use crate::storage::{Location, NodeKeys, Purpose, Store};

/// Changes of task at the worst places, in half of the orders that are tried.
const CHANGES: usize = 4;
/// Orders of a model that is small enough to try them all.
const MOST: usize = 50_000;
/// The same orders each time.
const SEED: u64 = 0x5eed;

/// Tries a model in random orders, so many of each of two kinds.
fn explore(orders: usize, model: fn()) {
    let _time = ground().runtime.enter();
    Runner::new(RandomScheduler::new_from_seed(SEED, orders), config()).run(model);
    Runner::new(PctScheduler::new_from_seed(SEED, CHANGES, orders), config()).run(model);
}

/// Tries a model in every order.
fn exhaust(model: fn()) {
    let _time = ground().runtime.enter();
    let orders = Runner::new(DfsScheduler::new(Some(MOST), false), config()).run(model);
    assert!(orders < MOST, "there are more orders than were tried");
}

fn config() -> Config {
    let mut config = Config::new();
    config.stack_size = 512 * 1024;
    config.silence_warnings = true;
    config
}

/// What all models stand on, and none of them uses: timers want a runtime, and the node a store.
struct Ground {
    runtime: Runtime,
    store: Arc<Store>,
    _folder: TempDir,
}

fn ground() -> &'static Ground {
    static GROUND: OnceLock<Ground> = OnceLock::new();
    GROUND.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let runtime = Runtime::new().expect("a runtime can be started");
        let place = Location::Folder(folder.path().into());
        let open = Store::open(&place, Purpose::Serve(NodeKeys::default()), Ids::SYSTEM, Box::new(drop));
        let store = runtime.block_on(open).expect("an empty folder can be opened");
        Ground { runtime, store: Arc::new(store), _folder: folder }
    })
}
