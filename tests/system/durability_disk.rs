//! A disk that is really full: writes are answered 507, reads and streams go on, and writes go on once there is room.

use parlor::storage::Error;
use serde_json::json;

use crate::support::log::{assert_dense, history, messages, now, until_said};
use crate::support::store::OpenStore;
use crate::support::{SmallDisk, Sql, wait_for};

/// A page of the database, and of the disk.
const PAGE: u64 = 4_096;

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
    // The file of the log may have some room inside, so a few writes may still succeed.
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
    // Reads go on, and so do streams: the open one and new ones.
    assert_eq!(history(&bob, &room).await.len(), kept + 1);
    let mut late = bob.streams_from(&room, &before).await;
    late.hello().await;
    until_said(&mut late, "before").await;
    // The process lives, but says that it cannot take writes.
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

#[tokio::test]
async fn a_disk_without_room_for_a_post_has_none_for_the_trial_of_readiness() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::within(folder.path()) else { return };
    let parlor = OpenStore::within(tempfile::tempdir_in(disk.path()).unwrap()).await;
    let ada = parlor.adds_user("ada").await;
    let room = parlor.store().create_room(OpenStore::room(ada.id, "room")).await.unwrap().value.state.id;
    // The largest body that there is.
    let body = "\u{1f600}".repeat(4_000);
    let largest = || OpenStore::message(room, ada.id, &body, Some("x"));
    parlor.store().try_writing().await.unwrap();

    disk.fill();
    let mut refused = 0;
    // One page more each time, until there is room for the post.
    loop {
        match parlor.store().post_message(largest(), None).await {
            Ok(_) => break,
            Err(error) => assert!(matches!(error, Error::Full), "{error:?}"),
        }
        let tried = parlor.store().try_writing().await;
        assert!(
            matches!(tried, Err(Error::Full)),
            "the post was refused with {refused} pages left, the trial: {tried:?}"
        );
        refused += 1;
        disk.free(PAGE);
    }
    assert!(refused > 10, "so large a post needs more room than {refused} pages");
    disk.make_room();
    parlor.store().try_writing().await.unwrap();
}

#[tokio::test]
async fn trials_of_readiness_make_the_database_no_larger() {
    let parlor = OpenStore::new().await;
    let pages = || Sql::open(&parlor.folder).value::<i64>("PRAGMA page_count");
    parlor.store().try_writing().await.unwrap();
    let before = pages();
    for _ in 0..20 {
        parlor.store().try_writing().await.unwrap();
    }
    assert_eq!(pages(), before);
}
