//! What one delivery costs on a node that only follows, beside the node that the messages are posted to. Each has so many streams
//! that deliveries are most of the work. What the posts themselves cost is taken off where they are written, and what following
//! costs is left in where it is done.

use std::time::Instant;

use parlor::domain::ids::RoomId;

use super::bus::Bus;
use super::pair::Pair;
use super::postgres::Postgres;
use crate::scale;
use crate::subscribers::Subscribers;
use crate::table::{Row, Table, Target, median};

/// Streams on each node.
const STREAMS: usize = 1_000;
const POSTS_PER_SECOND: u32 = 20;
const SECONDS: f64 = 4.0;
/// An even number: each node writes in every other one.
const ROUNDS: usize = 6;

pub async fn run(table: &mut Table) {
    let postgres = Postgres::start().await;
    let pair = Pair::start(&postgres, &Bus::Notify, scale::count(STREAMS)).await;
    let subscribers = pair.subscribers().await;
    let posts = (scale::seconds(SECONDS).as_secs_f64() * f64::from(POSTS_PER_SECOND)) as u64;
    let deliveries = (posts * subscribers[0].streams()) as f64;
    let idle = idle(&pair).await;
    let (mut writer, mut follower, mut alone) = (vec![], vec![], vec![]);
    for round in 0..scale::rounds(ROUNDS) {
        let (here, there) = (round % 2, (round + 1) % 2);
        let own = measure(&pair, &idle, here, pair.empty, posts, async || {}).await[here];
        let before = subscribers.each_ref().map(Subscribers::deliveries);
        let used = measure(&pair, &idle, here, pair.room, posts, async || {
            for (subscribers, before) in subscribers.iter().zip(before) {
                subscribers.wait_for(before + posts * subscribers.streams()).await;
            }
        });
        let used = used.await;
        let micros = |seconds: f64| seconds * 1e6 / deliveries;
        writer.push(micros(used[here] - own));
        follower.push(micros(used[there]));
        alone.push(micros(own));
    }
    let (writer, follower) = (median(&writer), median(&follower));
    println!(
        "  where the posts are written they cost another {:.2} us a delivery; idle nodes used {:.2} % and {:.2} % of a core",
        median(&alone),
        idle[0] * 100.0,
        idle[1] * 100.0
    );
    let name = format!(
        "PostgreSQL: fan-out to {} streams on a node that only follows, CPU a delivery",
        subscribers[0].streams()
    );
    let row = Row::ratio(name, follower / writer, Target::AtMost(1.15));
    table.add(
        row.parlor(format!("{follower:.2} us")).yardstick(format!("where it is written: {writer:.2} us")),
    );
}

/// The share of a core that each node uses while nothing happens.
async fn idle(pair: &Pair) -> [f64; 2] {
    let (before, began) = (pair.used(), Instant::now());
    tokio::time::sleep(scale::seconds(3.0)).await;
    let after = pair.used();
    std::array::from_fn(|node| (after[node] - before[node]) / began.elapsed().as_secs_f64())
}

/// Seconds on the CPU that each node uses for posts to a room, without what it uses when idle.
async fn measure(
    pair: &Pair,
    idle: &[f64; 2],
    writer: usize,
    room: RoomId,
    posts: u64,
    delivered: impl AsyncFnOnce(),
) -> [f64; 2] {
    let (before, began) = (pair.used(), Instant::now());
    pair.post(writer, room, POSTS_PER_SECOND, posts).await;
    delivered().await;
    let (after, took) = (pair.used(), began.elapsed().as_secs_f64());
    std::array::from_fn(|node| after[node] - before[node] - idle[node] * took)
}
