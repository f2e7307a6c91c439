//! How long a message takes to readers on the node that it was posted to, and to those on another node. Each post is received on
//! both, and the nodes take turns.

use super::bus::Bus;
use super::pair::Pair;
use super::postgres::Postgres;
use crate::scale;
use crate::subscribers::Subscribers;
use crate::table::{Row, Table, Target, median};

/// Streams on each node: few, so that it is not the writing of frames that is waited for.
const STREAMS: usize = 20;
const POSTS_PER_SECOND: u32 = 100;
const SECONDS: f64 = 5.0;
/// An even number: each node writes in every other one.
const ROUNDS: usize = 6;
/// Short rounds before them, one through each node.
const WARM_UP: usize = 2;

/// The p50 and p99 of each round, in ms.
#[derive(Default)]
struct Times([Vec<f64>; 2]);

pub async fn run(table: &mut Table) {
    let postgres = Postgres::start().await;
    for bus in Bus::all().await {
        by(table, &postgres, &bus).await;
    }
}

async fn by(table: &mut Table, postgres: &Postgres, bus: &Bus) {
    let pair = Pair::start(postgres, bus, STREAMS).await;
    let subscribers = pair.subscribers().await;
    let posts = (scale::seconds(SECONDS).as_secs_f64() * f64::from(POSTS_PER_SECOND)) as u64;
    let (mut same, mut other) = (Times::default(), Times::default());
    for round in 0..WARM_UP + ROUNDS {
        let writer = round % 2;
        let is_counted = round >= WARM_UP;
        let posts = if is_counted { posts } else { u64::from(POSTS_PER_SECOND) };
        let before = subscribers.each_ref().map(Subscribers::deliveries);
        pair.post(writer, pair.room, POSTS_PER_SECOND, posts).await;
        for (subscribers, before) in subscribers.iter().zip(before) {
            subscribers.wait_for(before + posts * subscribers.streams()).await;
        }
        let latencies = subscribers.each_ref().map(Subscribers::take_latencies);
        for (node, latencies) in latencies.iter().enumerate().filter(|_| is_counted) {
            let times = if node == writer { &mut same } else { &mut other };
            for (times, share) in times.0.iter_mut().zip([0.5, 0.99]) {
                times.push(latencies.value_at_quantile(share) as f64 / 1e6);
            }
        }
    }
    let both = same.0.iter().zip(&other.0).map(|(same, other)| (median(same), median(other)));
    for ((same, other), what) in both.zip(["p50", "p99"]) {
        let name = format!("PostgreSQL: delivery {what}, how much later on another node by {}", bus.name());
        let row = Row::figure(name, other - same, " ms", Target::AtMost(3.0));
        table.add(row.parlor(format!("{other:.2} ms")).yardstick(format!("on the same node: {same:.2} ms")));
    }
}
