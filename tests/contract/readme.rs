//! The README's tour works as it stands: its blocks are taken from the page and run one after the other.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::Server;

/// Where the page says that the server runs.
const ADDRESS: &str = "PARLOR=http://127.0.0.1:8080\n";

fn readme() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap()
}

/// The `sh` blocks in their order.
fn blocks(page: &str) -> Vec<&str> {
    page.split("\n```sh\n")
        .skip(1)
        .map(|rest| rest.split_once("```").expect("a block has an end").0)
        .collect()
}

/// The messages that a stream's raw bytes tell of, in order.
fn posted(stream: &str) -> Vec<String> {
    let events = stream.lines().filter_map(|line| line.strip_prefix("data:"));
    let events = events.map(|data| serde_json::from_str::<serde_json::Value>(data).unwrap());
    let posted = events.filter(|event| event["type"] == "message.posted");
    posted.map(|event| event["message"]["body"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tour_runs_as_it_is_written() {
    // Limits are on: the tour must not run into them.
    let server = Server::start_with(&[("PARLOR_LIMITS__ENABLED", "true")]).await;
    let page = readme();
    let blocks = blocks(&page);
    assert_eq!(blocks.first(), Some(&ADDRESS), "the first block says where the server is");
    let script = blocks.concat().replace(ADDRESS, &format!("PARLOR={}\n", server.url()));
    let place = tempfile::tempdir().unwrap();

    let tour = Command::new("bash")
        .args(["-e", "-o", "pipefail", "-c", &script])
        .current_dir(place.path())
        .stdin(Stdio::null())
        .output()
        .expect("bash runs");

    let (said, complained) = (String::from_utf8_lossy(&tour.stdout), String::from_utf8_lossy(&tour.stderr));
    assert!(tour.status.success(), "{}\n{said}\n{complained}", tour.status);
    let file = |name: &str| fs::read_to_string(place.path().join(name)).unwrap();
    let (kettle, ready) = ("The kettle is on.", "It is ready. 茶が入りました 🫖");
    assert_eq!(posted(&file("heard.txt")), [kettle], "{said}");
    assert_eq!(posted(&file("resumed.txt")), [ready], "{said}");
    assert!(
        said.contains("} 201\n") && said.contains("} 200\n"),
        "the first post is 201, its repeat 200:\n{said}"
    );
    let last: Vec<&str> = said.trim_end().lines().rev().take(2).collect();
    assert!(
        last[0].ends_with(&format!("ada: {ready}")) && last[1].ends_with(&format!("ada: {kettle}")),
        "{said}"
    );
}
