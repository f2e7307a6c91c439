//! What the deletion of a large room does to the posts of others: their p99 while its messages are taken away, beside quiet.

use std::time::Duration;

use serde_json::json;

use super::client::Client;
use super::fill;
use super::load::{Load, Request};
use super::people::{Seeding, messages_of};
use super::scale;
use super::server::Server;
use super::table::{Row, Table, Target, quantile};

/// Messages of the room that is deleted.
const MESSAGES: usize = 1_000_000;
const POSTS_PER_SECOND: u32 = 100;
/// A p99 is stable with two thousand posts.
const SECONDS: f64 = 21.0;
/// The server has answered its first requests, and has begun to take away what it found at its start.
const SETTLE: Duration = Duration::from_secs(1);

pub async fn run(table: &mut Table) {
    let messages = scale::count(MESSAGES);
    let seeding = Seeding::begin().await;
    let owner = seeding.people("owner", 1).await.remove(0);
    let rooms = seeding.rooms("room", &[&owner, &owner]).await;
    let folder = seeding.done().await;
    // Written while no server runs: a million posts would only measure posting.
    fill::posts(folder.path(), "room-1", messages as i64);

    let quiet = {
        let server = Server::start(folder.path());
        let mut owner = Client::connect(server.address, &owner.token).await;
        tokio::time::sleep(SETTLE).await;
        let quiet = measure(&owner, &messages_of(rooms[0])).await;
        owner = owner.again().await;
        owner.exchange("DELETE", &format!("/v1/rooms/{}", rooms[1]), "").await;
        quiet
    };
    // A server takes away what is to go when it starts, and once a minute.
    let server = Server::start(folder.path());
    let owner = Client::connect(server.address, &owner.token).await;
    tokio::time::sleep(SETTLE).await;
    let before = fill::count_messages(folder.path(), rooms[1]);
    let busy = measure(&owner, &messages_of(rooms[0])).await;
    let after = fill::count_messages(folder.path(), rooms[1]);
    println!("  {} messages of {messages} were taken away meanwhile", before - after);
    let name = format!("post p99 while a room of {messages} messages is deleted");
    let row = Row::ratio(name, busy / quiet, Target::AtMost(2.0));
    table.add(row.parlor(format!("{busy:.2} ms")).yardstick(format!("quiet: {quiet:.2} ms")));
}

/// The p99 of posts at a steady rate, in ms.
async fn measure(owner: &Client, path: &str) -> f64 {
    let posts = (scale::seconds(SECONDS).as_secs_f64() * f64::from(POSTS_PER_SECOND)) as u64;
    let path = path.to_owned();
    let request = move |n| {
        let body = json!({"body": format!("said while something else goes on, number {n}")}).to_string();
        Request { method: "POST", path: path.clone(), body }
    };
    let owner = [owner.again().await];
    let mut times = Load::send(&owner, POSTS_PER_SECOND, posts, request).await;
    times.sort_by(f64::total_cmp);
    quantile(&times, 0.99)
}
