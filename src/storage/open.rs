//! Opening the database: takes the folder, checks what durability rests on, recovers, migrates, and begins a new epoch.

use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions};
use sqlx::{ConnectOptions, Row};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Store;
use super::checkpoint::{self, Checkpoints};
use super::error::OpenError;
use super::folder::Folder;
use super::journal::{Committer, Journal, OnCommit};
use super::meters::Meters;
use super::posting::Posting;
use super::settings::{LOCK_WAIT, SETTINGS};
use super::statements::statements;
use super::writing::Writing;
use crate::domain::cursor::{Cursors, Epoch, EpochStart};
use crate::domain::ids::{Ids, Position};

static MIGRATIONS: Migrator = sqlx::migrate!("src/storage/migrations/sqlite");

/// Connections for reading. Each has a thread of its own; two cores are kept busy by fewer.
const READERS: u32 = 4;
/// How long a read waits for one of them. After that it fails as [`super::Error::Overloaded`], so that requests do not pile up
/// behind reads that hang.
const READER_WAIT: Duration = Duration::from_secs(5);
/// Epochs that are read at the start. A cursor of an older epoch leads to a reset, which is always safe.
const EPOCHS: i64 = 10_000;

statements! {
    FIRST_START = "INSERT INTO log (id, head, floor, cursor_key) VALUES (1, 0, 0, $1) ON CONFLICT DO NOTHING";
    BEGIN_EPOCH = "INSERT INTO epochs (epoch, first_position) SELECT $1, head + 1 FROM log";
    CURSOR_KEY = "SELECT cursor_key FROM log";
    KNOWN_EPOCHS = "SELECT epoch, first_position FROM epochs ORDER BY first_position DESC, rowid DESC LIMIT $1";
}

/// What the database is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Serving streams. A new epoch begins, so that cursors of this opening differ from those of a copy of the database.
    Serve,
    /// One command of the command line, which changes accounts and ends.
    Command,
}

impl Store {
    /// Opens `folder/parlor.db`, and makes it if it is missing. `on_commit` is called after each commit, before the requests of
    /// that commit are answered.
    pub async fn open(
        folder: &Path,
        purpose: Purpose,
        ids: Ids,
        on_commit: OnCommit,
    ) -> Result<Self, OpenError> {
        let data = Folder::take(folder)?;
        let file = &data.database;
        let broken = |e: sqlx::Error| OpenError::Database(file.clone(), e.into());
        let options = options(file);

        let mut writer = options.connect().await.map_err(broken)?;
        let posting = posting(file)?;
        // Frames recovered from the log may never have been synced. They must be on the disk before anybody reads them.
        if !checkpoint::truncate(&mut writer).await.map_err(broken)? {
            return Err(OpenError::InUse(folder.to_owned()));
        }
        migrate(&mut writer, file).await?;
        let cursors = begin_epoch(&mut writer, purpose, ids).await.map_err(broken)?;

        let checkpointer = options.clone().busy_timeout(Duration::ZERO).connect().await.map_err(broken)?;
        let readers = readers().connect_with(options.clone().read_only(true)).await.map_err(broken)?;

        let (fatal, closing, tasks) =
            (CancellationToken::new(), CancellationToken::new(), TaskTracker::new());
        let checkpoints = Arc::new(Checkpoints::default());
        let meters = Arc::new(Meters::new(data.log.clone()));
        let (journal, requests) = Journal::new(meters.clone());
        let committer = Committer {
            requests,
            posting,
            writing: Writing::new(writer),
            checkpoints: checkpoints.clone(),
            on_commit,
            fatal: fatal.clone(),
            closing: closing.clone(),
            meters: meters.clone(),
        };
        // The journal waits for the disk, so it has a thread of its own.
        let runtime = Handle::current();
        let writing = tasks.spawn_blocking(move || runtime.block_on(committer.run()));
        let broken = fatal.clone();
        tasks.spawn(async move {
            let broke_down = || {
                tracing::error!("the journal broke down: nothing is written any more");
                broken.cancel();
            };
            let ended = CancellationToken::new();
            let journal = async {
                let is_broken = writing.await.is_err();
                // Nobody writes any more, so the checkpoints end, too.
                ended.cancel();
                if is_broken {
                    broke_down();
                }
            };
            let work = async { tokio::join!(journal, checkpoints.run(checkpointer, &ended)) };
            if AssertUnwindSafe(work).catch_unwind().await.is_err() {
                broke_down();
            }
        });
        tasks.close();
        Ok(Self { options, readers, journal, meters, cursors, fatal, closing, tasks, _folder: data })
    }
}

fn options(file: &Path) -> SqliteConnectOptions {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .busy_timeout(LOCK_WAIT)
        .disable_statement_logging();
    SETTINGS.iter().fold(options, |options, &(name, value)| options.pragma(name, value))
}

/// All connections are opened at the start and kept, so that a process without a free descriptor can still read. They are not
/// tested before use: a connection to a file does not break, and a test would cost as much as a read.
fn readers() -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .min_connections(READERS)
        .max_connections(READERS)
        .max_lifetime(None)
        .idle_timeout(None)
        .test_before_acquire(false)
        .acquire_timeout(READER_WAIT)
        // Without this, each wait of two seconds would be a line in the log.
        .acquire_slow_threshold(READER_WAIT)
}

/// Opens the connection for posts. Fails where the file system does not support what makes posts durable.
fn posting(file: &Path) -> Result<Posting, OpenError> {
    let broken = |e: rusqlite::Error| OpenError::Database(file.to_owned(), e.into());
    let posting = Posting::open(file).map_err(broken)?;
    match posting.lacks().map_err(broken)? {
        Some(lacking) => Err(OpenError::NotDurable(file.to_owned(), lacking)),
        None => Ok(posting),
    }
}

async fn migrate(writer: &mut SqliteConnection, file: &Path) -> Result<(), OpenError> {
    MIGRATIONS.run(writer).await.map_err(|e| match e {
        MigrateError::VersionMissing(version) => OpenError::NewerSchema(file.to_owned(), version),
        other => OpenError::Migration(file.to_owned(), other),
    })
}

/// Reads the key of the cursors, which is made with the database. Begins a new epoch when the database is opened for serving.
async fn begin_epoch(
    writer: &mut SqliteConnection,
    purpose: Purpose,
    ids: Ids,
) -> Result<Cursors, sqlx::Error> {
    let key = ids.random_bytes::<16>();
    FIRST_START.query().bind(&key[..]).execute(&mut *writer).await?;
    let epoch = i64::from(u32::from_be_bytes(ids.random_bytes()));
    // A number that was drawn before breaks the constraint, and the start fails: two epochs must not look like one. The next
    // start draws another number.
    if purpose == Purpose::Serve {
        BEGIN_EPOCH.query().bind(epoch).execute(&mut *writer).await?;
    }

    let key: Vec<u8> = CURSOR_KEY.query().fetch_one(&mut *writer).await?.try_get(0)?;
    let key =
        <[u8; 16]>::try_from(key).map_err(|_| sqlx::Error::Decode("the cursor key has 16 bytes".into()))?;
    // The rowid gives the order in which they began: several epochs may begin at one position.
    let rows = KNOWN_EPOCHS.query().bind(EPOCHS).fetch_all(writer).await?;
    let mut epochs = Vec::with_capacity(rows.len());
    for row in rows.iter().rev() {
        let epoch = u32::try_from(row.try_get::<i64, _>(0)?).map_err(|e| sqlx::Error::Decode(e.into()))?;
        epochs.push(EpochStart { epoch: Epoch(epoch), first: Position(row.try_get(1)?) });
    }
    if epochs.is_empty() {
        epochs.push(EpochStart { epoch: Epoch(0), first: Position(1) });
    }
    Ok(Cursors::new(&key, epochs))
}
