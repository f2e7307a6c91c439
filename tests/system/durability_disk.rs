//! A disk that is really full: writes are refused as such, reading and streams go on, and all is well once there is room.

use serde_json::json;

use crate::support::log::{assert_dense, history, messages, now, until_said};
use crate::support::{SmallDisk, wait_for};

#[tokio::test]
async fn a_full_disk_refuses_writes_and_nothing_else_and_needs_no_restart() {
    let folder = tempfile::tempdir().unwrap();
    let Some((disk, server)) = SmallDisk::with_server(folder.path(), &[]).await else { return };
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let room = ada.creates_room("room").await;
    bob.joins(&room).await;
    let before = now(&ada).await;
    let mut stream = bob.streams(&room).await;
    stream.hello().await;
    ada.posts(&room, "before").await;

    disk.fill();
    let path = format!("/v1/rooms/{}/messages", room.id);
    let body = "x".repeat(4_000);
    let mut refused = 0;
    let mut kept = 0;
    // The log's file may have some room inside; then it is full.
    while refused < 20 {
        let id = format!("id-{kept}");
        let answer = ada.post(&path, json!({ "body": body, "client_id": id })).await;
        if answer.status == 201 {
            kept += 1;
            assert!(kept < 2_000, "the disk never fills");
        } else {
            answer.problem(507, "storage_full");
            refused += 1;
        }
    }
    // Reading goes on, and so do streams: the open one and new ones.
    assert_eq!(history(&bob, &room).await.len(), kept + 1);
    let mut late = bob.streams_from(&room, &before).await;
    late.hello().await;
    until_said(&mut late, "before").await;
    // The process lives; but whoever wants to write had better go elsewhere.
    let ready = |wanted: u16| {
        let anybody = server.anonymous();
        move || {
            let anybody = anybody.clone();
            async move { anybody.get("/readyz").await.status == wanted }
        }
    };
    wait_for("it is not ready", ready(503)).await;
    server.anonymous().get("/livez").await.ok(200);

    disk.make_room();
    wait_for("it is ready again by itself", ready(200)).await;
    wait_for("writing goes on", || async {
        ada.post(&path, json!({ "body": "first again" })).await.status == 201
    })
    .await;
    let id = format!("id-{kept}");
    let again = ada.post(&path, json!({ "body": body, "client_id": id })).await;
    again.ok(201);
    ada.posts(&room, "the end").await;
    let frames = until_said(&mut stream, "the end").await;
    assert_dense(&frames, &bob);
    assert_eq!(messages(&frames), history(&bob, &room).await, "what was refused is nowhere");
}
