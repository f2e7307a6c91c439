//! A disk that is really full: writes are refused as such, reading and streams go on, and all is well once there is room.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::support::log::{assert_dense, history, messages, now, until_said};
use crate::support::{Server, wait_for};

/// A small file system in memory, gone at the end of the test.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path) -> Self {
        fs::create_dir_all(at).unwrap();
        let options = "size=4m,mode=700";
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(at).status().unwrap();
        assert!(mounted.success(), "root can mount a tmpfs");
        Self(at.to_owned())
    }

    /// Takes all room that is left.
    fn fill(&self) {
        let piece = vec![0_u8; 4096];
        let mut file = fs::File::create(self.0.join("filler")).unwrap();
        while std::io::Write::write_all(&mut file, &piece).is_ok() {}
    }

    fn make_room(&self) {
        fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test]
async fn a_full_disk_refuses_writes_and_nothing_else_and_needs_no_restart() {
    if !rustix::process::getuid().is_root() {
        println!("skipped: only root can mount the small file system that this test fills");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let disk = SmallDisk::mount(&folder.path().join("small"));
    let mut server = Server::start().await;
    server.stop().await;
    fs::remove_dir_all(server.data()).unwrap();
    std::os::unix::fs::symlink(&disk.0, server.data()).unwrap();
    server.restart().await;
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
