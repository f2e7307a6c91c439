//! Opening the store: brings the database up to date, begins a new epoch, and starts the journal.

use std::path::Path;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::Store;
use super::error::{Failure, OpenError};
use super::journal::{AfterBatch, Committer, Journal, OnCommit, Transaction};
use super::meters::Meters;
use super::readers::Readers;
use super::sql::{Connection, Row, statements};
use super::{migrations, sqlite};
use crate::domain::cursor::{Cursors, Epoch, EpochStart};
use crate::domain::ids::{Ids, Position};

/// Epochs that are read at the start. A cursor of an older epoch leads to a reset, which is always safe.
const EPOCHS: i64 = 10_000;

statements! {
    FIRST_START = "INSERT INTO log (id, head, floor, cursor_key) VALUES (1, 0, 0, $1) ON CONFLICT DO NOTHING";
    BEGIN_EPOCH = "INSERT INTO epochs (number, epoch, first_position) \
                   SELECT coalesce((SELECT max(number) FROM epochs), 0) + 1, $1, head + 1 FROM log";
    CURSOR_KEY = "SELECT cursor_key FROM log";
    KNOWN_EPOCHS = "SELECT epoch, first_position FROM epochs ORDER BY number DESC LIMIT $1";
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
        let (mut database, writer) = sqlite::Database::open(folder)?;
        let name = database.name();
        let mut writer = Connection::Sqlite(writer);
        migrations::run(&mut writer, &name).await?;
        let broken = |failure| OpenError::Database(name.clone(), failure);
        let cursors = begin_epoch(&mut writer, purpose, ids).await.map_err(broken)?;
        let readers = database.readers().map_err(broken)?;

        let (fatal, closing) = (CancellationToken::new(), CancellationToken::new());
        let meters = Arc::new(Meters::new(database.log_file()));
        let (journal, requests) = Journal::new(meters.clone());
        let committer = Committer {
            requests,
            transaction: Transaction::new(writer),
            after_batch: after_batch(&database),
            on_commit,
            fatal: fatal.clone(),
            closing: closing.clone(),
            meters: meters.clone(),
        };
        database.start(committer.run(), fatal.clone()).map_err(broken)?;
        let readers = Readers::new(readers.into_iter().map(Connection::Sqlite).collect());
        Ok(Self { database, readers, journal, meters, cursors, fatal, closing })
    }
}

fn after_batch(database: &sqlite::Database) -> AfterBatch {
    let mut after_batch = database.after_batch();
    Box::new(move |connection, writes| match connection {
        Connection::Sqlite(sqlite) => after_batch(sqlite, writes),
    })
}

/// Reads the key of the cursors, which is made with the database. Begins a new epoch when the database is opened for serving.
async fn begin_epoch(sql: &mut Connection, purpose: Purpose, ids: Ids) -> Result<Cursors, Failure> {
    FIRST_START.bind(ids.random_bytes::<16>().to_vec()).run(sql).await?;
    let epoch = i64::from(u32::from_be_bytes(ids.random_bytes()));
    // A number that was drawn before breaks the constraint, and the start fails: two epochs must not look like one. The next
    // start draws another number.
    if purpose == Purpose::Serve {
        BEGIN_EPOCH.bind(epoch).run(sql).await?;
    }

    let key = CURSOR_KEY.query().one(sql, |row| row.get::<Vec<u8>, _>("cursor_key")).await?;
    let key =
        <[u8; 16]>::try_from(key).map_err(|_| Failure::fault("the cursor key has not 16 bytes".into()))?;
    let mut epochs = KNOWN_EPOCHS.bind(EPOCHS).all(sql, epoch_of).await?;
    epochs.reverse();
    if epochs.is_empty() {
        epochs.push(EpochStart { epoch: Epoch(0), first: Position(1) });
    }
    Ok(Cursors::new(&key, epochs))
}

fn epoch_of(row: &Row<'_>) -> Result<EpochStart, Failure> {
    let epoch = u32::try_from(row.get::<i64, _>("epoch")?)
        .map_err(|_| Failure::fault("an epoch is no number of 32 bits".into()))?;
    Ok(EpochStart { epoch: Epoch(epoch), first: Position(row.get("first_position")?) })
}
