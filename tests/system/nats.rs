//! Two nodes that tell each other by NATS: what it saves, and what people see while it is not there.

use super::nodes::{Cast, Nodes};
use crate::support::log::{assert_dense, until_said};
use crate::support::nats::Nats;
use crate::support::postgres::Database;
use crate::support::{Figures, Server, parlor, wait_for};

const BY_NATS: [(&str, &str); 1] = [("bus", "nats")];
const WARNING: &str = "the bus cannot be used";

async fn figure(server: &Server, name: &str) -> u64 {
    Figures::of(server).await.count(&format!("parlor_bus_{name}_total"), &BY_NATS)
}

async fn nodes_by(nats: &Nats) -> (Nodes, Cast) {
    let nodes = Nodes::by(Database::create().await, &nats.url()).await;
    let cast = nodes.cast().await;
    (nodes, cast)
}

async fn are_connected(nodes: &Nodes, times: u64) {
    for node in nodes.both() {
        let is_connected = async || figure(node, "connected").await == times;
        wait_for("the node is connected to NATS", is_connected).await;
    }
}

#[tokio::test]
async fn what_nats_carries_is_not_read_from_the_database_by_a_node_that_follows() {
    let nats = Nats::start(&[]);
    let (nodes, Cast { ada, bob, room }) = nodes_by(&nats).await;
    are_connected(&nodes, 1).await;
    let mut stream = bob.streams(&room).await;
    stream.hello().await;
    ada.posts(&room, "the first").await;
    until_said(&mut stream, "the first").await;

    let (pages, used) = (figure(&nodes.two, "pages").await, figure(&nodes.two, "used").await);
    for n in 0..50 {
        ada.posts(&room, &format!("number {n}")).await;
    }
    let frames = until_said(&mut stream, "number 49").await;
    assert_eq!(frames.len(), 50);
    assert_dense(&frames, &bob);
    // A look, each second, may find a post before its message has come.
    let (read, used) = (figure(&nodes.two, "pages").await - pages, figure(&nodes.two, "used").await - used);
    assert!(read < 10 && used > 40, "{read} pages and {used} messages for 50 posts");
}

#[tokio::test]
async fn while_nats_is_away_posts_arrive_all_the_same_and_it_is_told_once_and_comes_back_by_itself() {
    let mut nats = Nats::start(&[]);
    let (nodes, Cast { ada, bob, room }) = nodes_by(&nats).await;
    are_connected(&nodes, 1).await;
    let mut stream = bob.streams(&room).await;
    stream.hello().await;
    nats.stops();
    let mut frames = Vec::new();
    for n in 0..3 {
        let body = format!("without NATS {n}");
        ada.posts(&room, &body).await;
        frames.extend(until_said(&mut stream, &body).await);
    }
    for node in nodes.both() {
        node.anonymous().get("/readyz").await.ok(200);
        assert_eq!(node.log().matches(WARNING).count(), 1, "{}", node.log());
    }
    nats.starts();
    are_connected(&nodes, 2).await;
    let used = figure(&nodes.two, "used").await;
    ada.posts(&room, "with NATS").await;
    frames.extend(until_said(&mut stream, "with NATS").await);
    assert_dense(&frames, &bob);
    wait_for("its message is used", async || figure(&nodes.two, "used").await > used).await;
    assert!(nodes.two.log().contains("the bus is back"), "{}", nodes.two.log());
}

#[tokio::test]
async fn nodes_start_and_serve_without_nats_and_find_it_later() {
    let mut nats = Nats::planned();
    let (nodes, Cast { ada, bob, room }) = nodes_by(&nats).await;
    let mut stream = bob.streams(&room).await;
    stream.hello().await;
    ada.posts(&room, "without NATS").await;
    until_said(&mut stream, "without NATS").await;
    wait_for("it is told", async || nodes.one.log().contains(WARNING)).await;
    nats.starts();
    are_connected(&nodes, 1).await;
}

#[tokio::test]
async fn nats_that_wants_another_password_is_told_in_one_line_without_the_password() {
    let nats = Nats::start(&["--user", "ada", "--pass", "right"]);
    let url = |password: &str| nats.url().replace("nats://", &format!("nats://ada:{password}@"));
    let database = Database::create().await;
    let nodes = Nodes::by(database, &url("wr0ng")).await;
    let Cast { ada, bob, room } = nodes.cast().await;
    let mut stream = bob.streams(&room).await;
    stream.hello().await;
    ada.posts(&room, "all the same").await;
    until_said(&mut stream, "all the same").await;
    wait_for("it is told", async || nodes.one.log().contains(WARNING)).await;
    let log = nodes.one.log();
    assert!(log.contains("authorization violation") && !log.contains("wr0ng"), "{log}");
    assert_eq!(log.matches("authorization").count(), 1, "{log}");
    nodes.one.anonymous().get("/readyz").await.ok(200);

    let check = async |url: &str| {
        let database = Database::create().await;
        let env = [("PARLOR_STORAGE__URL", &*database.url()), ("PARLOR_CLUSTER__BUS", url)];
        parlor(&["check"], &env, "", std::path::Path::new("/")).await
    };
    let checked = check(&url("wr0ng")).await;
    assert_eq!(checked.code, Some(1));
    let said = &checked.stderr;
    assert!(said.contains("authorization violation") && said.lines().count() == 1, "{said}");
    assert!(!said.contains("wr0ng") && !checked.stdout.contains("wr0ng"));
    let checked = check(&url("right")).await;
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    assert!(checked.stdout.contains("# the bus can be used: nats://127.0.0.1:"), "{}", checked.stdout);
    let checked = check(&url("right").replace("nats:", "tls:")).await;
    assert!(checked.stderr.contains("no encrypted connection"), "{}", checked.stderr);
    assert_eq!((checked.code, checked.stderr.lines().count()), (Some(1), 1), "{}", checked.stderr);
    let nobody = Nats::planned();
    let checked = check(&nobody.url()).await;
    assert_eq!((checked.code, checked.stderr.lines().count()), (Some(1), 1), "{}", checked.stderr);
}
