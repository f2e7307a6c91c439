//! A disk that fails in the middle of a commit: no post is acknowledged, no stream shows what may be lost, and the next start
//! finds out what is there.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::log::{Watched, assert_dense, event, history, messages, until_said};
use crate::support::strace::Strace;
use crate::support::{DEADLINE, Server, postgres};

/// Makes every sync fail, as if the disk had lost what was written.
const FAILING_SYNCS: &str = "inject=fdatasync,fsync:error=EIO";

#[tokio::test]
async fn an_io_error_at_a_commit_ends_the_process_and_nothing_unsure_is_shown_or_acknowledged() {
    if postgres::skips("the server does not sync the database's files itself") {
        return;
    }
    let mut server = Server::start().await;
    let Watched { ada, bob, room, before, mut stream } = Watched::begins(&server).await;

    let trace = server.folder().join("trace");
    let args = ["-e", "trace=fdatasync,fsync", "-e", FAILING_SYNCS];
    let Some(strace) = Strace::attach(&server, &args, &trace).await else { return };
    let path = format!("/v1/rooms/{}/messages", room.id);
    let unsure = ["one", "two", "three", "four"];
    let body = |id: &str| json!({ "body": id, "client_id": id });
    let tries = unsure.map(|id| ada.try_request(Method::POST, &path, Some(body(id)), &[]));
    // A request that comes while the process ends may get no answer.
    let answers: Vec<_> = join_all(tries).await.into_iter().flatten().collect();
    let codes: Vec<_> = answers.iter().map(|answer| (answer.status, answer.json["code"].clone())).collect();
    assert!(codes.contains(&(503, json!("outcome_unknown"))), "{codes:?}");
    // Requests after the failed batch find the journal's queue closed.
    for code in &codes {
        assert!([(503, json!("outcome_unknown")), (503, json!("overloaded"))].contains(code), "{codes:?}");
    }
    let rest = async {
        let mut frames = Vec::new();
        while let Some(frame) = stream.try_next().await {
            frames.push(frame);
        }
        frames
    };
    let rest = tokio::time::timeout(DEADLINE, rest).await.expect("the stream ends with the process");
    assert!(messages(&rest).is_empty(), "shown, but perhaps not on the disk: {rest:?}");
    let status = server.ends_by_itself().await;
    assert!(status.code().is_some_and(|code| code != 0), "{status:?}");
    let text = std::fs::read_to_string(&trace).expect("a trace");
    assert!(text.contains("EIO"), "no sync failed: {text}");
    strace.stop();

    server.restart().await;
    let kept = bodies(&history(&bob, &room).await);
    assert_eq!(kept["before"], 1);
    let post = |id: &'static str| ada.post(&path, body(id));
    // Sent again, each is there once: either the first try was written after all, or the second one is new.
    for (id, answer) in unsure.into_iter().zip(join_all(unsure.map(post)).await) {
        assert_eq!(answer.status, if kept.contains_key(id) { 200 } else { 201 }, "{id}: {kept:?}");
    }
    ada.posts(&room, "the end").await;
    let mut log = bob.streams_from(&room, &before).await;
    assert_eq!(log.hello().await["resumed"], true);
    let frames = until_said(&mut log, "the end").await;
    assert_dense(&frames, &bob);
    let all = history(&bob, &room).await;
    assert_eq!(messages(&frames), all, "stream and history are the same: {:?}", frames.iter().map(event));
    assert!(bodies(&all).values().all(|count| *count == 1), "{all:?}");
    assert_eq!(all.len(), unsure.len() + 2);
}

/// How often each body is there.
fn bodies(messages: &[Value]) -> BTreeMap<String, usize> {
    let mut count = BTreeMap::new();
    for message in messages {
        *count.entry(message["body"].as_str().expect("a body").to_owned()).or_default() += 1;
    }
    count
}
