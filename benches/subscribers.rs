//! Many subscribers on a few threads, each waiting for its sockets with epoll: cheap enough that what is measured is the
//! server.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rustix::event::{Timespec, epoll};

use super::stamp;
use super::subscriber::{Batch, Finders, Subscriber, Subscription};

/// Threads that read: as many as cores, but no more than keep thousands of sockets busy.
const THREADS: std::ops::RangeInclusive<usize> = 2..=8;
/// Streams that were asked for and not greeted yet. As many as a backlog of 4,096 takes: beyond it the kernel drops
/// connections and tries again a second later, and that second would be all that is measured.
const IN_FLIGHT: usize = 4_000;
/// Connections made in one go, before sockets are looked at again.
const BURST: usize = 16;
/// Bytes read at once, and most of one chunk.
const BUFFER: usize = 256 * 1024;
/// How often a thread without events looks whether it should stop.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
/// The deadline of everything that is waited for.
const PATIENCE: Duration = Duration::from_mins(3);

/// Open streams.
pub struct Subscribers {
    threads: Vec<JoinHandle<()>>,
    shared: Arc<Shared>,
    streams: u64,
    /// From the first connection to the last greeting.
    pub opened_after: Duration,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    greeted: AtomicU64,
    deliveries: AtomicU64,
    pinged: AtomicU64,
    gaps: AtomicU64,
    /// When the last delivery came, by `stamp::now`.
    last_at: AtomicU64,
    sample: Mutex<Vec<u8>>,
    latencies: Vec<Mutex<Option<Histogram<u64>>>>,
}

impl Subscribers {
    /// Opens all at once; returns when each was greeted.
    pub async fn open(address: SocketAddr, subscriptions: Vec<Subscription>) -> Self {
        Self::open_resting(address, subscriptions, Duration::ZERO).await
    }

    /// The same, but each thread rests after it has read events. Waking a reader for every event would cost the server, which
    /// shares its cores, as much as the event, and how often that happens is up to the scheduler.
    pub async fn open_resting(address: SocketAddr, subscriptions: Vec<Subscription>, rest: Duration) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let count = cores.clamp(*THREADS.start(), *THREADS.end());
        let latencies = (0..count).map(|_| Mutex::default()).collect();
        let shared = Arc::new(Shared { latencies, ..Shared::default() });
        let streams = subscriptions.len();
        let mut parts: Vec<Vec<_>> = (0..count).map(|_| Vec::new()).collect();
        for (n, subscription) in subscriptions.into_iter().enumerate() {
            parts[n % count].push(subscription);
        }
        let began = Instant::now();
        let start = |(n, share)| {
            let shared = shared.clone();
            std::thread::spawn(move || follow(n, address, share, rest, &shared))
        };
        let threads = parts.into_iter().enumerate().map(start).collect();
        let mut subscribers =
            Self { threads, shared: shared.clone(), streams: streams as u64, opened_after: Duration::ZERO };
        let all = streams as u64;
        subscribers.wait("greetings", || shared.greeted.load(Ordering::Relaxed) == all).await;
        subscribers.opened_after = began.elapsed();
        subscribers
    }

    pub fn streams(&self) -> u64 {
        self.streams
    }

    /// Events received by all streams together.
    pub fn deliveries(&self) -> u64 {
        self.shared.deliveries.load(Ordering::Relaxed)
    }

    pub fn gaps(&self) -> u64 {
        self.shared.gaps.load(Ordering::Relaxed)
    }

    /// Streams that have had a `ping`.
    pub fn pinged(&self) -> u64 {
        self.shared.pinged.load(Ordering::Relaxed)
    }

    /// When the last delivery came, by `stamp::now`.
    pub fn last_at(&self) -> u64 {
        self.shared.last_at.load(Ordering::Relaxed)
    }

    /// One event as it came, whole.
    pub fn sample(&self) -> Vec<u8> {
        self.shared.sample.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The time from sending to receiving, in nanoseconds, of everything received since this was last asked.
    pub fn take_latencies(&self) -> Histogram<u64> {
        let mut all = new_histogram();
        for one in &self.shared.latencies {
            let one = one.lock().unwrap_or_else(PoisonError::into_inner).take();
            all.add(one.unwrap_or_else(new_histogram)).expect("histograms of one kind");
        }
        all
    }

    /// Waits until exactly so many events have come.
    pub async fn wait_for(&self, deliveries: u64) {
        self.wait("deliveries", || self.deliveries() >= deliveries).await;
        assert_eq!(self.deliveries(), deliveries, "more came than was sent");
    }

    /// Waits until a state is reached, or a subscriber has panicked.
    pub async fn wait(&self, what: &str, is_reached: impl Fn() -> bool) {
        let began = Instant::now();
        while !is_reached() {
            assert!(!self.threads.iter().any(JoinHandle::is_finished), "a subscriber has broken down");
            assert!(began.elapsed() < PATIENCE, "{what} are missing; {} came", self.deliveries());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

impl Drop for Subscribers {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // Its panic was printed, and whoever waited for the subscriber has failed.
            let _ = thread.join();
        }
    }
}

pub fn new_histogram() -> Histogram<u64> {
    Histogram::new(3).expect("three digits")
}

fn follow(
    thread: usize,
    address: SocketAddr,
    subscriptions: Vec<Subscription>,
    rest: Duration,
    shared: &Shared,
) {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).expect("epoll");
    let mut subscribers: Vec<Subscriber> = Vec::with_capacity(subscriptions.len());
    let mut waiting = subscriptions.into_iter().peekable();
    let (finders, mut buffer, mut batch) = (Finders::new(), vec![0; BUFFER], Batch::default());
    let mut events = Vec::with_capacity(1_024);
    let mut greeted = 0;
    let most = IN_FLIGHT / shared.latencies.len();
    while !shared.stop.load(Ordering::Relaxed) {
        let in_flight = subscribers.len() - greeted;
        for subscription in waiting.by_ref().take(BURST.min(most - in_flight)) {
            let subscriber = connect(address, &subscription);
            let data = epoll::EventData::new_u64(subscribers.len() as u64);
            epoll::add(&epoll, &subscriber.socket, data, epoll::EventFlags::IN).expect("epoll");
            subscribers.push(subscriber);
        }
        let can_open = waiting.peek().is_some() && in_flight + BURST < most;
        let timeout = if can_open { Timespec::default() } else { LOOK };
        events.clear();
        epoll::wait(&epoll, rustix::buffer::spare_capacity(&mut events), Some(&timeout)).expect("epoll");
        for event in &events {
            subscribers[event.data.u64() as usize].read(&mut buffer, &finders, &mut batch);
        }
        greeted += batch.greeted as usize;
        let has_heard = batch.deliveries > 0;
        shared.add(thread, &mut batch);
        if has_heard {
            std::thread::sleep(rest);
        }
    }
}

fn connect(address: SocketAddr, subscription: &Subscription) -> Subscriber {
    let mut socket = TcpStream::connect(address).expect("the server listens");
    socket.write_all(subscription.request.as_bytes()).expect("the server reads");
    socket.set_nonblocking(true).expect("a socket");
    Subscriber::new(socket, subscription)
}

impl Shared {
    fn add(&self, thread: usize, batch: &mut Batch) {
        self.greeted.fetch_add(batch.greeted, Ordering::Relaxed);
        self.pinged.fetch_add(batch.pinged, Ordering::Relaxed);
        if batch.deliveries > 0 {
            self.gaps.fetch_add(batch.gaps, Ordering::Relaxed);
            self.last_at.store(stamp::now(), Ordering::Relaxed);
            let mut histogram = self.latencies[thread].lock().unwrap_or_else(PoisonError::into_inner);
            let histogram = histogram.get_or_insert_with(new_histogram);
            for latency in batch.latencies.drain(..) {
                histogram.record(latency).expect("a histogram that grows");
            }
            let mut sample = self.sample.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::swap(&mut *sample, &mut batch.sample);
            // The count is raised last: whoever sees it finds the other figures up to date.
            self.deliveries.fetch_add(batch.deliveries, Ordering::Relaxed);
        }
        let (latencies, mut sample) =
            (std::mem::take(&mut batch.latencies), std::mem::take(&mut batch.sample));
        sample.clear();
        *batch = Batch { latencies, sample, ..Batch::default() };
    }
}
