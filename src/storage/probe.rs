//! Finds out whether posts can be written by writing as much as a post. There is no other way: only the disk knows how much
//! room it has.

use super::Store;
use super::error::{Error, Stop};
use super::statements::statements;
use super::writing::Writing;

/// Bytes that a trial writes: 32 pages. The largest post has 16,000 bytes, is kept as a message and as an event, and touches
/// 18 pages or so; a few more where its six trees have no room left and split a page.
const FILLING: i64 = 32 * 4_096;

statements! {
    FILL = "INSERT INTO trial (id, filling) VALUES (1, randomblob($1)) \
            ON CONFLICT (id) DO UPDATE SET filling = excluded.filling";
}

impl Store {
    /// Commits and syncs a write as large as the largest post, in its turn among all others. It takes the place of the one
    /// before it: the database does not grow.
    pub async fn try_writing(&self) -> Result<(), Error> {
        self.journal.write(|w| Box::pin(fill(w))).await
    }
}

/// The bytes are random, because SQLite does not write a page that has not changed.
async fn fill(w: &mut Writing) -> Result<(), Stop> {
    FILL.query().bind(FILLING).execute(w.sql()).await?;
    Ok(())
}
