//! The data folder: one process at a time uses it, and only its owner can read the files in it. That does not depend on the
//! umask, or on who made the files. Knows the names of the files, not what they hold.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::storage::error::OpenError;

/// The mode of every file: the owner may read and write, nobody else may do anything.
const PRIVATE: u32 = 0o600;
/// The bits of a mode that are for others than the owner.
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
    /// Takes the folder, and makes it if it is missing. Afterwards there is a private file for the database. Warns when other
    /// users can look into the folder, although they cannot read the files.
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
        // SQLite gives its other files the mode of this one. This must come after the lock: if this process had the database
        // open already, closing the file here would release the locks of SQLite.
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

/// Files of an older version and copied files may have another mode. A new file has another one if the umask takes rights from
/// the owner.
fn close_to_others(path: &Path) {
    let closed = fs::metadata(path).and_then(|file| match file.permissions().mode() & 0o777 {
        PRIVATE => Ok(()),
        _ => fs::set_permissions(path, Permissions::from_mode(PRIVATE)),
    });
    match closed {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            tracing::warn!(file = %path.display(), %error, "the mode of the file cannot be changed to 600: other users may be able to read it");
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
