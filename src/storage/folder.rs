//! The data folder: one process at a time uses it, and nobody but its owner can read the files in it, whatever the umask is
//! and whoever made them. Knows the names of the files, not what they hold.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::error::OpenError;

/// Its owner reads and writes a file; nobody else does anything with it.
const PRIVATE: u32 = 0o600;
/// What others may do.
const OTHERS: u32 = 0o077;

/// The data folder while this process is the one that uses it.
pub(super) struct Folder {
    pub database: PathBuf,
    /// The write-ahead log, which is there while the database is open.
    pub log: PathBuf,
    /// The lock is held until this is dropped.
    _lock: File,
}

impl Folder {
    /// Takes the folder, which is made if it is missing, and makes sure that there is a private file for the database.
    /// Others on the machine who can look into the folder are worth a warning: the files that follow are closed to them.
    pub fn take(path: &Path) -> Result<Self, OpenError> {
        let unusable = |error| OpenError::Folder(path.to_owned(), error);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(unusable)?;
        let lock = path.join("parlor.lock");
        let lock_file = open_private(&lock).map_err(unusable)?;
        lock_file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => OpenError::InUse(path.to_owned()),
            TryLockError::Error(error) => unusable(error),
        })?;
        let (database, log) = (path.join("parlor.db"), path.join("parlor.db-wal"));
        // SQLite gives its other files the mode of this one. Only after the lock: to close a file that SQLite has open in
        // this process would give up the locks of SQLite.
        drop(open_private(&database).map_err(unusable)?);
        for file in [&lock, &database, &log, &path.join("parlor.db-shm")] {
            close_to_others(file);
        }
        warn_of_others(path).map_err(unusable)?;
        Ok(Self { database, log, _lock: lock_file })
    }
}

fn open_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(false).mode(PRIVATE).open(path)
}

/// Files of an older version, or that were copied here, may have another mode. So has a new one where the umask takes rights
/// from its owner.
fn close_to_others(path: &Path) {
    let closed = fs::metadata(path).and_then(|file| match file.permissions().mode() & 0o777 {
        PRIVATE => Ok(()),
        _ => fs::set_permissions(path, Permissions::from_mode(PRIVATE)),
    });
    match closed {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            tracing::warn!(file = %path.display(), %error, "the file cannot be closed to others: its mode stays as it is");
        }
        _ => {}
    }
}

fn warn_of_others(folder: &Path) -> io::Result<()> {
    let mode = fs::metadata(folder)?.permissions().mode() & 0o777;
    if mode & OTHERS != 0 {
        tracing::warn!(
            folder = %folder.display(),
            mode = format_args!("{mode:o}"),
            "other users of this machine can look into the data folder; run `chmod 700` on it"
        );
    }
    Ok(())
}
