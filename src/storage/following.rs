//! What a node asks the store while it follows a log that other nodes write, too: where the log ends, and in which epoch.

use std::sync::atomic::Ordering;

use super::Store;
use super::epochs::known;
use super::error::{Error, Failure};
use super::sql::{Row, statements};
use crate::domain::clock::Timestamp;
use crate::domain::ids::Position;

statements! {
    END_OF_LOG = "SELECT head, coalesce(epoch, 0) AS epoch, \
                  (extract(epoch FROM clock_timestamp()) * 1000000)::BIGINT AS now FROM log",
        sqlite "SELECT head, coalesce(epoch, 0) AS epoch, 0 AS now FROM log";
}

impl Store {
    /// Learns of epochs that other nodes have begun. Called before a cursor is read: one of the epoch before may name what is gone.
    pub async fn learn_epochs_of_others(&self) -> Result<(), Error> {
        if self.is_shared() {
            self.end_of_log().await?;
        }
        Ok(())
    }

    /// The end of the log. Notices whether another node has begun an epoch, and whether the database's clock and the one here agree.
    pub async fn end_of_log(&self) -> Result<Position, Error> {
        let end = |row: &Row<'_>| {
            let now = Timestamp::from_micros(row.get("now")?);
            Ok((Position(row.get("head")?), row.get::<i64, _>("epoch")?, now))
        };
        let asked = self.clocks.clock.now();
        let end = self.first(END_OF_LOG.query(), end).await?;
        let answered = self.clocks.clock.now();
        let (head, epoch, told) = end.ok_or_else(|| Failure::fault("the log has no end".into()))?;
        self.clocks.note(asked, told, answered);
        self.meet_epoch(epoch).await?;
        Ok(head)
    }

    /// Whether the clock here is as good as that of the database, as far as is known. A node without a right clock is not ready.
    pub fn clocks_agree(&self) -> bool {
        self.clocks.agree()
    }

    /// Looks whether they agree now. Asked before something is thrown away for its age: a wrong clock would throw away what is new.
    pub async fn clock_is_right(&self) -> Result<bool, Error> {
        if self.is_shared() {
            self.end_of_log().await?;
        }
        Ok(self.clocks_agree())
    }

    /// Learns of the epoch of the log, if it is another one than before.
    pub(super) async fn meet_epoch(&self, epoch: i64) -> Result<(), Error> {
        if i64::from(self.cursors.epoch().0) != epoch {
            self.learn_epochs().await?;
        }
        Ok(())
    }

    /// Notes that the log has reached a position, which this node may have shown to somebody. The journal begins an epoch when it finds
    /// that the log ends before that.
    pub fn saw(&self, position: Position) {
        self.seen.fetch_max(position.0, Ordering::AcqRel);
    }

    /// Has the journal look whether the log has lost what this node has seen of it.
    pub async fn look_for_loss(&self) -> Result<(), Error> {
        self.journal.write(|_| Box::pin(async { Ok(()) })).await
    }

    /// Reads which epochs there are.
    async fn learn_epochs(&self) -> Result<(), Error> {
        let epochs = self.read(|sql| Box::pin(async move { Ok(known(sql).await?) })).await?;
        if self.cursors.learn(epochs) {
            self.meters.met_epoch();
        }
        Ok(())
    }
}
