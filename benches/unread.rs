//! What is unread: the list of a thousand rooms of a thousand messages each, with nothing unread and with a hundred and more in each; and
//! read marks that many people move at once, beside as many posts.

use std::time::Instant;

use serde_json::{Value, json};

use super::client::Client;
use super::fill;
use super::people::{Person, Seeding};
use super::scale;
use super::server::Server;
use super::table::{Row, Table, Target, median};

const ROOMS: usize = 1_000;
const MESSAGES: usize = 1_000;
/// Lists that are measured.
const LISTS: usize = 100;
/// People who move marks at once.
const READERS: usize = 64;
/// Marks that each of them moves.
const MARKS: usize = 100;

pub async fn run(table: &mut Table) {
    let seeding = Seeding::begin().await;
    let (owner, readers) = (seeding.people("owner", 1).await, seeding.people("reader", READERS).await);
    let rooms = seeding.rooms("room", &vec![&owner[0]; scale::count(ROOMS)]).await;
    seeding.join(rooms.iter().map(|room| (*room, readers[0].id))).await;
    seeding.join(readers[1..].iter().map(|reader| (rooms[0], reader.id))).await;
    let folder = seeding.done().await;
    let messages = scale::count(MESSAGES) as i64;
    fill::messages_everywhere(folder.path(), messages);
    let server = Server::start(folder.path());
    let mut reader = Client::connect(server.address, &readers[0].token).await;

    let unread = lists(&mut reader, scale::count(LISTS)).await;
    reader.exchange("POST", "/v1/users/me/read", "").await;
    let read = lists(&mut reader, scale::count(LISTS)).await;
    for (what, time) in [("100 and more unread in each", unread), ("nothing unread", read)] {
        let name = format!("list of {} rooms of {messages} messages, {what}, p50", rooms.len());
        table.add(Row::figure(name, time, "ms", Target::AtMost(50.0)));
    }
    let path = format!("/v1/rooms/{}", rooms[0]);
    let page = reader.request("GET", &format!("{path}/messages?limit=200"), &Value::Null).await;
    let bodies: Vec<String> = page["items"]
        .as_array()
        .expect("messages")
        .iter()
        .map(|message| json!({ "message": message["id"] }).to_string())
        .collect();
    let (marks, posts) =
        (moves(&server, &readers, &path, &bodies).await, posts(&server, &readers, &path).await);
    let row = Row::figure(
        format!("read marks by {READERS} people at once"),
        marks,
        "marks/s",
        Target::AtLeast(1_000.0),
    );
    table.add(row.yardstick(format!("posts by them: {posts:.0}/s")));
}

/// How long a list takes, in ms.
async fn lists(reader: &mut Client, count: usize) -> f64 {
    let mut times = Vec::new();
    for _ in 0..count {
        let began = Instant::now();
        reader.exchange("GET", "/v1/users/me/rooms", "").await;
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    median(&times)
}

/// Marks that are moved in a second: each of them moves, since they go back and forth.
async fn moves(server: &Server, readers: &[Person], path: &str, bodies: &[String]) -> f64 {
    at_once(server, readers, |n| {
        let what = if n % 2 == 0 { "unread" } else { "read" };
        (format!("{path}/{what}"), bodies[n % 2 * (bodies.len() - 1)].clone())
    })
    .await
}

async fn posts(server: &Server, readers: &[Person], path: &str) -> f64 {
    at_once(server, readers, |n| {
        (format!("{path}/messages"), json!({ "body": format!("post {n}") }).to_string())
    })
    .await
}

/// Requests of all of them in a second.
async fn at_once(server: &Server, readers: &[Person], request: impl Fn(usize) -> (String, String)) -> f64 {
    let mut clients = Vec::new();
    for reader in readers {
        clients.push(Client::connect(server.address, &reader.token).await);
    }
    let (count, began) = (scale::count(MARKS), Instant::now());
    let request = &request;
    let all = clients.iter_mut().map(|client| async move {
        for n in 0..count {
            let (path, body) = request(n);
            client.exchange("POST", &path, &body).await;
        }
    });
    futures_util::future::join_all(all).await;
    (count * readers.len()) as f64 / began.elapsed().as_secs_f64()
}
