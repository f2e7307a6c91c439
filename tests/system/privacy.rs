//! The files in the data folder: no other user of the machine can read them.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::{Server, postgres};

/// What the log says when others can look into the folder.
const WARNING: &str = "can look into the data folder";

/// The mode of each file in the folder, in octal.
fn modes(folder: &Path) -> BTreeMap<String, String> {
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap());
    let mode = |file: &fs::DirEntry| format!("{:o}", file.metadata().unwrap().permissions().mode() & 0o777);
    files.map(|file| (file.file_name().into_string().unwrap(), mode(&file))).collect()
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[track_caller]
fn assert_private(folder: &Path) {
    let modes = modes(folder);
    for file in ["parlor.db", "parlor.db-wal", "parlor.db-shm", "parlor.lock", "secrets.toml"] {
        assert!(modes.contains_key(file), "{file} is missing: {modes:?}");
    }
    assert!(modes.values().all(|mode| mode == "600"), "{modes:?}");
}

#[tokio::test]
async fn every_file_is_private_whatever_the_umask_and_in_a_folder_that_others_can_read() {
    if postgres::skips("the database is no file of the server's") {
        return;
    }
    let mut server = Server::start_without_umask().await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("room").await;
    assert_private(&server.data());
    assert!(!server.log().contains(WARNING), "the server has made the folder, for itself alone");

    // As an older version left them, and as a copy by another program may.
    server.kill().await;
    for file in ["parlor.db", "parlor.db-wal", "parlor.db-shm", "parlor.lock"] {
        set_mode(&server.data().join(file), 0o644);
    }
    set_mode(&server.data(), 0o755);
    server.restart().await;
    let warned = server.log().lines().filter(|line| line.contains(WARNING)).count();
    assert_eq!(warned, 1, "{}", server.log());
    assert_private(&server.data());
    ada.posts(&room, "still there").await;

    // An empty folder that others can read, as a package or a container makes it.
    server.stop().await;
    for file in modes(&server.data()).keys() {
        fs::remove_file(server.data().join(file)).unwrap();
    }
    server.restart().await;
    server.register("ada").await;
    assert_private(&server.data());
}
