//! A disk that can be filled: a small file system in memory, which only root can mount. Knows no paths of the API.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Server, postgres};

/// Unmounted at the end of the test.
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// A fresh server whose data is on it; `env` as in [`Server::start_with`]. None, and a line that says so, for users other than root.
    pub async fn with_server(folder: &Path, env: &[(&str, &str)]) -> Option<(Self, Server)> {
        if postgres::skips("the database is not on the disk that is filled") {
            return None;
        }
        let disk = Self::within(folder)?;
        let mut server = Server::start_with(env).await;
        server.stop().await;
        fs::remove_dir_all(server.data()).expect("nobody uses it any more");
        std::os::unix::fs::symlink(&disk.0, server.data()).expect("a link can be made");
        server.restart().await;
        Some((disk, server))
    }

    /// The disk alone. None, and a line that says so, for users other than root.
    pub fn within(folder: &Path) -> Option<Self> {
        Self::of_size(folder, "4m")
    }

    /// The same with so many bytes, as `mount` reads them.
    pub fn of_size(folder: &Path, size: &str) -> Option<Self> {
        if !rustix::process::getuid().is_root() {
            println!("skipped: only root can mount the small file system that this test fills");
            return None;
        }
        Some(Self::mount(&folder.join("small"), size))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    fn mount(at: &Path, size: &str) -> Self {
        fs::create_dir_all(at).expect("a folder for the test");
        let options = format!("size={size},mode=711");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(at).status();
        assert!(mount.expect("mount runs").success(), "root can mount a tmpfs");
        Self(at.to_owned())
    }

    /// Takes all room that is left.
    pub fn fill(&self) {
        let piece = vec![0_u8; 4096];
        let mut file = fs::File::create(self.0.join("filler")).expect("a file has a name's room");
        while std::io::Write::write_all(&mut file, &piece).is_ok() {}
    }

    /// Gives some of the room back.
    pub fn free(&self, bytes: u64) {
        let file = fs::File::options().write(true).open(self.0.join("filler")).expect("it was filled");
        let size = file.metadata().expect("it has a size").len();
        file.set_len(size.saturating_sub(bytes)).expect("a file can be cut");
    }

    pub fn make_room(&self) {
        fs::remove_file(self.0.join("filler")).expect("it was filled");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
