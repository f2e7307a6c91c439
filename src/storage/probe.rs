//! Finds out whether posts can be written by writing as much as a post. There is no other way: only the disk knows how much
//! room it has.

use super::Store;
use super::error::{Error, Stop};
use super::journal::Transaction;
use super::sql::statements;
use crate::domain::ids::Ids;

/// Bytes that a trial writes: 32 pages. The largest post has 16,000 bytes, is kept as a message and as an event, and touches
/// 18 pages or so; a few more where its six trees have no room left and split a page.
const FILLING: usize = 32 * 4_096;

statements! {
    FILL = "INSERT INTO trial (id, filling) VALUES (1, $1) \
            ON CONFLICT (id) DO UPDATE SET filling = excluded.filling";
}

impl Store {
    /// Commits and syncs a write as large as the largest post, in its turn among all others. It takes the place of the one
    /// before it: the database does not grow.
    pub async fn try_writing(&self) -> Result<(), Error> {
        self.journal.write(|tx| Box::pin(fill(tx))).await
    }
}

/// The bytes are others each time, because SQLite does not write a page that has not changed, and PostgreSQL would compress
/// bytes that are all alike.
async fn fill(tx: &mut Transaction) -> Result<(), Stop> {
    let filling = Ids::SYSTEM.random_bytes::<FILLING>().to_vec();
    FILL.bind(filling).run(tx.sql()).await?;
    Ok(())
}
