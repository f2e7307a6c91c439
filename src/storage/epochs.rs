//! Epochs: stretches of time in which the database has lost nothing. A cursor of an epoch that another one has followed is good up
//! to where that one began. So a database that was put back to an earlier state notices the cursors of the time that it has lost.
//!
//! SQLite begins an epoch whenever it is opened for serving: the file may be a copy. PostgreSQL, which many nodes share, begins one
//! when the database is another one than before, or when it lacks entries that a node has seen.

use super::error::Failure;
use super::sql::{Connection, Row, statements};
use crate::domain::cursor::{Epoch, EpochStart};
use crate::domain::ids::{Ids, Position};

/// Epochs that are kept in memory. A cursor of an older epoch leads to a reset, which is always safe.
const EPOCHS: i64 = 10_000;

statements! {
    FIRST_START = "INSERT INTO log (id, head, at, floor, cursor_key) VALUES (1, 0, 0, 0, $1) ON CONFLICT DO NOTHING";
    LOG = "SELECT head, cursor_key, identity FROM log FOR UPDATE", sqlite "SELECT head, cursor_key, identity FROM log";
    BEGIN = "INSERT INTO epochs (number, epoch, first_position) \
             SELECT coalesce((SELECT max(number) FROM epochs), 0) + 1, $1, head + 1 FROM log";
    NOTE = "UPDATE log SET epoch = $1, identity = $2";
    KNOWN = "SELECT epoch, first_position FROM epochs ORDER BY number DESC LIMIT $1";
}

/// What cursors are made of.
pub(super) struct Begun {
    /// The secret of the database, which is made with it.
    pub key: [u8; 16],
    /// In the order in which they began, the present one last; at least one.
    pub epochs: Vec<EpochStart>,
    /// Where the log ended.
    pub head: Position,
}

/// Reads what cursors are made of. Begins a new epoch where one has to begin, if the database is opened for serving: also if the
/// log ends before `seen`, a position that was in it.
pub(super) async fn begin(
    sql: &mut Connection,
    serves: bool,
    seen: Position,
    ids: Ids,
) -> Result<Begun, Failure> {
    let begin = async |sql: &mut Connection| begin_in_transaction(sql, serves, seen, ids).await;
    let (key, head) = sql.in_transaction(begin).await?;
    sql.outside_transaction();
    sql.stay();
    Ok(Begun { key, epochs: known(sql).await?, head })
}

/// Two epochs must not have the same number. If one is drawn a second time, it breaks the constraint and the start fails; the next
/// start draws another one.
async fn begin_in_transaction(
    sql: &mut Connection,
    serves: bool,
    seen: Position,
    ids: Ids,
) -> Result<([u8; 16], Position), Failure> {
    FIRST_START.bind(ids.random_bytes::<16>().to_vec()).run(sql).await?;
    let log = |row: &Row<'_>| {
        let head = Position(row.get("head")?);
        Ok((head, row.get::<Vec<u8>, _>("cursor_key")?, row.get::<Option<String>, _>("identity")?))
    };
    let (head, key, identity) = LOG.query().one(sql, log).await?;
    let now = sql.identity().await?;
    let is_same = now.is_some() && now == identity && head >= seen;
    if serves && !is_same {
        let epoch = i64::from(u32::from_be_bytes(ids.random_bytes()));
        BEGIN.bind(epoch).run(sql).await?;
        NOTE.bind(epoch).bind(now).run(sql).await?;
    }
    let key = key.try_into().map_err(|_| Failure::fault("the cursor key has not 16 bytes".into()))?;
    Ok((key, head))
}

/// In the order in which they began.
pub(super) async fn known(sql: &mut Connection) -> Result<Vec<EpochStart>, Failure> {
    let mut epochs = KNOWN.bind(EPOCHS).all(sql, epoch_of).await?;
    epochs.reverse();
    if epochs.is_empty() {
        epochs.push(EpochStart { epoch: Epoch(0), first: Position(1) });
    }
    Ok(epochs)
}

fn epoch_of(row: &Row<'_>) -> Result<EpochStart, Failure> {
    let epoch = u32::try_from(row.get::<i64, _>("epoch")?)
        .map_err(|_| Failure::fault("an epoch is no number of 32 bits".into()))?;
    Ok(EpochStart { epoch: Epoch(epoch), first: Position(row.get("first_position")?) })
}
