//! What a node asks the store while it follows a log that other nodes write, too: where the log ends, and in which epoch.

use super::Store;
use super::epochs::{BEGIN, known};
use super::error::{Error, Failure, Stop};
use super::journal::Transaction;
use super::sql::{Row, statements};
use crate::domain::ids::{Ids, Position};

statements! {
    END_OF_LOG =
        "SELECT head, coalesce((SELECT epoch FROM epochs ORDER BY number DESC LIMIT 1), 0) AS epoch FROM log";
}

impl Store {
    /// Looks whether another node has begun an epoch, if one of these cursors is of an epoch that this node does not know.
    pub async fn meet(&self, cursors: impl IntoIterator<Item = &str>) -> Result<(), Error> {
        let is_new = |cursor| self.cursors.is_of_unknown_epoch(cursor);
        if self.is_shared() && cursors.into_iter().any(is_new) {
            self.learn_epochs().await?;
        }
        Ok(())
    }

    /// The end of the log. Notices whether another node has begun an epoch.
    pub async fn end_of_log(&self) -> Result<Position, Error> {
        let end = |row: &Row<'_>| Ok((Position(row.get("head")?), row.get::<i64, _>("epoch")?));
        let end = self.first(END_OF_LOG.query(), end).await?;
        let (head, epoch) = end.ok_or_else(|| Failure::fault("the log has no end".into()))?;
        if i64::from(self.cursors.epoch().0) != epoch {
            self.learn_epochs().await?;
        }
        Ok(head)
    }

    /// Begins an epoch if the log ends before `published`, which this node has shown to somebody: the database has lost something.
    pub async fn begin_epoch_if_lost(&self, published: Position, ids: Ids) -> Result<(), Error> {
        self.journal.write(move |tx| Box::pin(begin_if_lost(tx, published, ids))).await?;
        self.learn_epochs().await
    }

    /// Reads which epochs there are.
    async fn learn_epochs(&self) -> Result<(), Error> {
        let epochs = self.read(|sql| Box::pin(async move { Ok(known(sql).await?) })).await?;
        self.cursors.learn(epochs);
        Ok(())
    }
}

async fn begin_if_lost(tx: &mut Transaction, published: Position, ids: Ids) -> Result<(), Stop> {
    if tx.head() < published {
        BEGIN.bind(i64::from(u32::from_be_bytes(ids.random_bytes()))).run(tx.sql()).await?;
    }
    Ok(())
}
