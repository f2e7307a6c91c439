//! What every connection that may write is told. Durability rests on these settings.

use std::time::Duration;

/// How long a statement waits for a lock that another connection holds. A longer wait would hold up the requests of the
/// whole batch.
pub(super) const LOCK_WAIT: Duration = Duration::from_secs(5);

/// Pragmas and their values. Checkpoints are made by `checkpoint` alone. SQLite cuts the file of the write-ahead log to
/// 64 MiB when the log restarts.
pub(super) const SETTINGS: [(&str, &str); 6] = [
    ("synchronous", "FULL"),
    ("foreign_keys", "ON"),
    ("wal_autocheckpoint", "0"),
    ("journal_size_limit", "67108864"),
    // What a savepoint may have to put back is kept in memory: in a file it would cost as much as half of a post.
    ("temp_store", "MEMORY"),
    // What is edited or deleted is overwritten with zeros, so that the file does not keep it in places that are free.
    ("secure_delete", "ON"),
];
