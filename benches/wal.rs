//! The write-ahead log over a minute of posts as fast as they go: a third of it undisturbed, a third while another program
//! holds a snapshot, so that nothing of the log may be overwritten, and a third after it has let go.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::json;

use super::client::Client;
use super::fill;
use super::people::messages_of;
use super::posts;
use super::scale;
use super::server::Server;
use super::table::{Row, Table, Target, quantile};

const CLIENTS: usize = 64;
const PHASE_SECONDS: f64 = 20.0;
const SAMPLE: Duration = Duration::from_millis(100);
const MIB: f64 = 1024.0 * 1024.0;

/// One third of the run.
struct Phase {
    until: Instant,
    posts: usize,
    p99: f64,
    wal: Sizes,
}

/// Sizes of the write-ahead log, in MiB.
struct Sizes {
    largest: f64,
    last: f64,
}

pub async fn run(table: &mut Table) {
    let (folder, room, author) = posts::seed().await;
    let server = Server::start(folder.path());

    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..CLIENTS)
        .map(|_| tokio::spawn(post(server.address, author.token.clone(), messages_of(room), stop.clone())))
        .collect();
    let mut sizes = Vec::new();
    let mut ends = Vec::new();
    let began = Instant::now();
    for held in [false, true, false] {
        let snapshot = held.then(|| hold(folder.path()));
        sizes.push(watch(folder.path()).await);
        ends.push(Instant::now());
        drop(snapshot);
    }
    stop.store(true, Ordering::Relaxed);
    let mut posts = Vec::new();
    for writer in writers {
        posts.extend(writer.await.expect("a writer"));
    }
    let mut from = began;
    let phases = ends.into_iter().zip(sizes).map(|(until, wal)| {
        let mut times: Vec<f64> =
            posts.iter().filter(|(at, _)| (from..until).contains(at)).map(|(_, ms)| *ms).collect();
        times.sort_by(f64::total_cmp);
        from = until;
        Phase { until, posts: times.len(), p99: quantile(&times, 0.99), wal }
    });
    let [quiet, held, after] = phases.collect::<Vec<_>>().try_into().ok().expect("three phases");
    let text = |phase: &Phase| {
        let Sizes { largest, last } = phase.wal;
        format!(
            "{} posts, p99 {:.1} ms, log {largest:.0} MiB at most, {last:.0} at the end",
            phase.posts, phase.p99
        )
    };
    println!("snapshot released at {:.0} s", (held.until - began).as_secs_f64());
    let row = Row::figure("write-ahead log under full load", quiet.wal.largest, " MiB", Target::AtMost(80.0));
    table.add(row.parlor(text(&quiet)).yardstick(format!("afterwards {}", text(&after))));
    let row = Row::ratio("posts' p99 while a snapshot is held", held.p99 / quiet.p99, Target::AtMost(2.0));
    table.add(row.parlor(text(&held)).yardstick(text(&quiet)));
}

/// Posts one after the other until told to stop. Gives when each was begun, and how many milliseconds it took.
async fn post(
    address: std::net::SocketAddr,
    token: String,
    path: String,
    stop: Arc<AtomicBool>,
) -> Vec<(Instant, f64)> {
    let mut client = Client::connect(address, &token).await;
    let body = json!({"body": "the quick brown fox jumps over the lazy dog, and nobody minds"}).to_string();
    let mut times = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        client.exchange("POST", &path, &body).await;
        times.push((began, began.elapsed().as_secs_f64() * 1e3));
    }
    times
}

/// The size of the log during one phase.
async fn watch(folder: &Path) -> Sizes {
    let until = Instant::now() + scale::seconds(PHASE_SECONDS);
    let mut sizes = Sizes { largest: 0.0, last: 0.0 };
    while Instant::now() < until {
        tokio::time::sleep(SAMPLE).await;
        sizes.last = std::fs::metadata(folder.join("parlor.db-wal")).expect("the log").len() as f64 / MIB;
        sizes.largest = sizes.largest.max(sizes.last);
    }
    sizes
}

/// A reader that holds its snapshot: the log must keep everything that it saw.
fn hold(folder: &Path) -> Connection {
    let reader = fill::reader(folder);
    reader.execute_batch("BEGIN; SELECT head FROM log").expect("a snapshot");
    reader
}
