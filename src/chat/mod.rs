//! The use cases of the chat, one file for each noun: everything that a handler of the API may ask for. Knows the rules, the
//! store and the live streams, and nothing of HTTP.

mod accounts;
mod attempts;
mod error;
mod failures;
mod hashing;
mod known;
mod limits;
mod members;
mod messages;
mod meters;
mod paging;
mod reactions;
mod read_marks;
mod readiness;
mod rooms;
mod sessions;
mod streams;
mod tokens;
mod turns;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::task::TaskTracker;

use self::attempts::Passwords;
use self::known::KnownNetworks;
use self::readiness::Readiness;
use crate::domain::clock::Clock;
use crate::domain::cursor::Cursors;
use crate::domain::ids::Ids;
use crate::live::Live;
use crate::storage::{self, Store};

pub use accounts::NewAccount;
pub use error::{Error, Result};
pub use hashing::Hashing;
pub use limits::Limits;
pub use members::MembersPage;
pub use messages::{HistoryStart, RepliesStart};
pub use meters::Meters;
pub use paging::Paged;
pub use rooms::{MyRooms, NewRoom};
pub use sessions::{Login, SessionEntry};
pub use tokens::{SigningKey, Tokens};

pub use crate::live::{EventStream, Start as StreamStart};
pub use crate::storage::{Made, Pins, Reacting, RoomChanges};

/// After a piece nothing is taken away for this many times the piece's own time. A room of a million messages is gone after about a
/// quarter of an hour, and the p99 of posts stays below twice that of a quiet server (`make bench ROWS=deletion`).
const REST: u32 = 9;

/// What the operator has decided, read from the configuration.
#[derive(Clone, Debug)]
pub struct Policy {
    pub server_name: String,
    pub registration_open: bool,
    /// The fewest code points of a new password.
    pub min_password: usize,
    pub access_token_life: Duration,
    /// A session that is not refreshed for this long is over.
    pub refresh_idle: Duration,
    /// A session is over after this long, refreshed or not.
    pub session_life: Duration,
    pub sessions_per_user: u32,
}

/// What the server tells everybody about itself, signed in or not.
#[derive(Clone, Debug)]
pub struct ServerFacts {
    pub name: String,
    pub version: &'static str,
    pub registration_open: bool,
    pub min_password: usize,
}

/// The chat. Each use case is a method of it.
pub struct Chat {
    store: Arc<Store>,
    live: Live,
    passwords: Arc<Passwords>,
    tokens: Tokens,
    limits: Arc<Limits>,
    known_networks: KnownNetworks,
    readiness: Arc<Readiness>,
    /// What is done to its end although the request that began it may be gone. Each takes a few seconds at most.
    tasks: TaskTracker,
    policy: Policy,
    clock: Clock,
    ids: Ids,
}

impl Chat {
    /// Whoever stops the server waits for `tasks`.
    pub fn new(
        live: Live,
        hashing: Hashing,
        tokens: Tokens,
        limits: Limits,
        policy: Policy,
        tasks: TaskTracker,
    ) -> Self {
        let (clock, ids) = (live.node().clock, live.node().ids);
        let (store, limits) = (live.node().store.clone(), Arc::new(limits));
        Self {
            store,
            live,
            passwords: Arc::new(Passwords::new(hashing, limits.clone(), tasks.clone())),
            tokens,
            limits,
            known_networks: KnownNetworks::default(),
            readiness: Arc::default(),
            tasks,
            policy,
            clock,
            ids,
        }
    }

    pub fn server(&self) -> ServerFacts {
        ServerFacts {
            name: self.policy.server_name.clone(),
            version: env!("CARGO_PKG_VERSION"),
            registration_open: self.policy.registration_open,
            min_password: self.policy.min_password,
        }
    }

    /// What is measured of the limits.
    pub fn meters(&self) -> &Meters {
        self.limits.meters()
    }

    /// Makes the cursors that answers carry.
    pub fn cursors(&self) -> &Cursors {
        self.store.cursors()
    }

    /// Forgets what the memory keeps of sessions, rates and streams that are over.
    pub fn sweep(&self) {
        self.live.registry().sweep();
        self.limits.sweep();
    }

    /// Deletes the sessions that are over. May take long, as the other purges may; each leaves the journal to others in between.
    pub async fn purge_sessions(&self) -> Result<()> {
        if !self.knows_what_is_old().await? {
            return Ok(());
        }
        // An access token may outlive its session by its own life, and until then the session must be found.
        let over = self.clock.now().minus(self.policy.access_token_life);
        in_pieces(|| self.store.purge_sessions(over)).await
    }

    /// Deletes the events that are older than `retention`.
    pub async fn purge_events(&self, retention: Duration) -> Result<()> {
        if !self.knows_what_is_old().await? {
            return Ok(());
        }
        let before = self.clock.now().minus(retention);
        in_pieces(|| self.store.purge_events(before)).await
    }

    async fn knows_what_is_old(&self) -> Result<bool> {
        let knows = self.store.clock_is_right().await?;
        if !knows {
            tracing::warn!("nothing is cleared away for its age by a clock that is wrong");
        }
        Ok(knows)
    }

    /// Deletes the messages of deleted rooms.
    pub async fn purge_deleted_rooms(&self) -> Result<()> {
        in_pieces(|| self.store.purge_deleted_rooms()).await
    }
}

/// Takes piece after piece away until there is none left, and rests in between: posts wait for a piece that is being taken.
async fn in_pieces<F>(take: impl Fn() -> F) -> Result<()>
where
    F: Future<Output = std::result::Result<bool, storage::Error>>,
{
    loop {
        let began = Instant::now();
        if !take().await? {
            return Ok(());
        }
        tokio::time::sleep(began.elapsed() * REST).await;
    }
}
