//! A page of history in a room of a hundred messages beside one in a room of a million.

use std::time::Instant;

use serde_json::{Value, json};

use super::client::Client;
use super::fill;
use super::scale;
use super::server::Server;
use super::table::{Row, Table, Target, median};

const MANY: usize = 1_000_000;
const FEW: i64 = 100;
const READS: usize = 1_000;

pub async fn run(table: &mut Table) {
    let many = scale::count(MANY) as i64;
    let folder = tempfile::tempdir().expect("a folder");
    let (small, large) = {
        let server = Server::start(folder.path());
        let mut ada = Client::sign_up(server.address, "ada").await;
        let mut create = async |name: &str| {
            let room = ada.request("POST", "/v1/rooms", &json!({"name": name})).await;
            room["id"].as_str().expect("an id").to_owned()
        };
        (create("small").await, create("large").await)
    };
    // Written while no server runs: a million posts would only measure posting.
    fill::messages(folder.path(), "small", FEW);
    fill::messages(folder.path(), "large", many);

    let server = Server::start(folder.path());
    let mut ada = Client::connect(server.address, "").await;
    let account = json!({"username": "ada", "password": "correct horse battery staple"});
    let token = ada.request("POST", "/v1/login", &account).await["access_token"]
        .as_str()
        .expect("a token")
        .to_owned();
    let mut ada = Client::connect(server.address, &token).await;
    let middle = middle_of(&mut ada, &large, many).await;
    let (mut in_small, mut in_large, mut in_middle) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..READS {
        // In turn, so that a noisy moment disturbs all of them alike.
        in_small.push(timed(&mut ada, &format!("/v1/rooms/{small}/messages")).await);
        in_large.push(timed(&mut ada, &format!("/v1/rooms/{large}/messages")).await);
        in_middle.push(timed(&mut ada, &format!("/v1/rooms/{large}/messages?before={middle}")).await);
    }
    let [small, large, middle] = [in_small, in_large, in_middle].map(|times| median(&times));
    for (place, time) in [("newest", large), ("middle", middle)] {
        let name = format!("history page, {place} of {many} messages, p50");
        let row = Row::ratio(name, time / small, Target::AtMost(1.2));
        table.add(row.parlor(format!("{time:.2} ms")).yardstick(format!("of {FEW} messages: {small:.2} ms")));
    }
}

async fn timed(ada: &mut Client, path: &str) -> f64 {
    let began = Instant::now();
    ada.exchange("GET", path, "").await;
    began.elapsed().as_secs_f64() * 1e3
}

/// A cursor from the middle of the room.
async fn middle_of(ada: &mut Client, room: &str, many: i64) -> String {
    let newest = ada.request("GET", &format!("/v1/rooms/{room}/messages?limit=1"), &Value::Null).await;
    let id = newest["items"][0]["id"].as_str().expect("an id");
    // Ids of the seeded messages end in their number.
    let middle = format!("{}{:012x}", &id[..24], many / 2);
    let around =
        ada.request("GET", &format!("/v1/rooms/{room}/messages?around={middle}"), &Value::Null).await;
    around["next_cursor"].as_str().expect("a cursor").to_owned()
}
