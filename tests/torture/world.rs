//! What everybody in a torture shares: the weather, how much has happened, how far each reader got, when it is over.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep_until};

/// Pause between two attempts while the server is not there.
const AGAIN_AFTER: Duration = Duration::from_millis(10);

/// Whether connections break.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    Rough,
    /// Nothing breaks, what was held up goes on, and nobody joins or leaves. So every reader catches up.
    Calm,
    /// Calm for good: everybody brings what they began to its end.
    Over,
}

#[derive(Debug)]
pub struct World {
    weather: watch::Sender<Weather>,
    /// Attempts that writers may make; each takes one.
    pub permits: Semaphore,
    /// Attempts that have an outcome, whatever it was.
    pub outcomes: AtomicUsize,
    /// Movers that stay where they are.
    pub parked: AtomicUsize,
    progress: Mutex<HashMap<String, Progress>>,
    sleep: Mutex<Sleep>,
}

/// The node that sleeps for long, and how many renewals each node is asked for now.
#[derive(Debug, Default)]
struct Sleep {
    asleep: Option<usize>,
    asked: HashMap<usize, usize>,
}

/// Keeps a node from being put to sleep for long.
pub struct Awake<'w> {
    world: &'w World,
    node: usize,
}

impl Drop for Awake<'_> {
    fn drop(&mut self) {
        let mut sleep = self.world.sleep.lock().expect("nobody panics with it");
        *sleep.asked.get_mut(&self.node).expect("it was asked") -= 1;
    }
}

/// How far a reader got, and what they are in the middle of.
#[derive(Debug)]
pub struct Reach {
    /// The newest seq that was shown of each room.
    pub newest: HashMap<String, i64>,
    doing: String,
    since: Instant,
}

pub type Progress = Arc<Mutex<Reach>>;

impl Reach {
    pub fn does(&mut self, doing: impl Into<String>) {
        (self.doing, self.since) = (doing.into(), Instant::now());
    }
}

impl World {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            weather: watch::Sender::new(Weather::Calm),
            permits: Semaphore::new(0),
            outcomes: AtomicUsize::new(0),
            parked: AtomicUsize::new(0),
            progress: Mutex::default(),
            sleep: Mutex::default(),
        })
    }

    pub fn turns(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }

    pub fn weather(&self) -> Weather {
        *self.weather.borrow()
    }

    pub fn is_rough(&self) -> bool {
        self.weather() == Weather::Rough
    }

    pub fn is_over(&self) -> bool {
        self.weather() == Weather::Over
    }

    /// Returns when the weather is such, and at once if it is.
    pub async fn until(&self, is: impl FnMut(&Weather) -> bool) {
        let mut weather = self.weather.subscribe();
        let _ = weather.wait_for(is).await.expect("the sender is part of the world");
    }

    /// How long a fault lasts, or until the weather calms down.
    pub async fn lasts(&self, how_long: Duration) {
        let end = Self::passes(how_long);
        tokio::select! {
            () = end => {}
            () = self.until(|weather| *weather != Weather::Rough) => {}
        }
    }

    /// So much time goes by.
    pub async fn passes(how_long: Duration) {
        sleep_until(Instant::now() + how_long).await;
    }

    /// The moment until the next attempt at a closed door.
    pub async fn a_moment(&self) {
        Self::passes(AGAIN_AFTER).await;
    }

    /// Keeps a node awake until it is dropped; none if the node sleeps.
    pub fn stays_awake(&self, node: usize) -> Option<Awake<'_>> {
        let mut sleep = self.sleep.lock().expect("nobody panics with it");
        if sleep.asleep == Some(node) {
            return None;
        }
        *sleep.asked.entry(node).or_default() += 1;
        Some(Awake { world: self, node })
    }

    /// Waits until nothing keeps the node awake; from then on nothing does, until it wakes up.
    pub async fn dozes_off(&self, node: usize) {
        self.sleep.lock().expect("nobody panics with it").asleep = Some(node);
        let is_asked = || {
            let sleep = self.sleep.lock().expect("nobody panics with it");
            sleep.asked.get(&node).is_some_and(|asked| *asked > 0)
        };
        while is_asked() {
            self.a_moment().await;
        }
    }

    pub fn wakes_up(&self) {
        self.sleep.lock().expect("nobody panics with it").asleep = None;
    }

    pub fn had_an_outcome(&self) {
        self.outcomes.fetch_add(1, Ordering::Relaxed);
    }

    /// The place where a reader notes how far they got.
    pub fn progress_of(&self, reader: &str) -> Progress {
        let mut all = self.progress.lock().expect("nobody panics with it");
        let new = || Reach { newest: HashMap::new(), doing: "nothing yet".into(), since: Instant::now() };
        all.entry(reader.to_owned()).or_insert_with(|| Arc::new(Mutex::new(new()))).clone()
    }

    /// Readers who have been shown less of the room than this, and what each has been doing for how long.
    pub fn behind(&self, room: &str, seq: i64, reads: impl Fn(&str) -> bool) -> Vec<String> {
        let all = self.progress.lock().expect("nobody panics with it");
        let readers = all.iter().filter(|(name, _)| reads(name));
        let behind = readers.filter_map(|(name, progress)| {
            let reach = progress.lock().expect("nobody panics with it");
            let newest = reach.newest.get(room).copied().unwrap_or(0);
            (newest < seq)
                .then(|| format!("{name}: at {newest}, {} for {:?}", reach.doing, reach.since.elapsed()))
        });
        behind.collect()
    }
}
