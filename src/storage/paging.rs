//! How much of a list one page holds. A page that waits for a slow reader stays in memory, so bytes count beside items.

use futures_util::TryStreamExt;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::error::Error;
use super::statements::Query;
use crate::domain::message::MAX_BODY_BYTES;

/// Most bytes of text on a page, in UTF-8. In JSON they are twice as many at most, and each item has a few hundred more.
pub(super) const MAX_PAGE_BYTES: usize = 256 * 1024;

// A page that could not hold one message would be the end of every history.
const _: () = assert!(MAX_PAGE_BYTES >= MAX_BODY_BYTES);

/// What a page took of a list.
pub(super) struct Taken<T> {
    pub items: Vec<T>,
    /// Whether the first item that was left out had too many bytes for the page.
    pub is_cut: bool,
}

/// Reads rows until there are none, or the next one has more bytes than are `left` of the page.
pub(super) async fn take<T>(
    sql: &mut SqliteConnection,
    query: Query<'_>,
    left: &mut usize,
    item_of: impl Fn(&SqliteRow) -> Result<T, sqlx::Error>,
    bytes_of: impl Fn(&T) -> usize,
) -> Result<Taken<T>, Error> {
    let mut rows = query.fetch(sql);
    let mut items = Vec::new();
    while let Some(row) = rows.try_next().await? {
        let item = item_of(&row)?;
        let Some(rest) = left.checked_sub(bytes_of(&item)) else {
            return Ok(Taken { items, is_cut: true });
        };
        *left = rest;
        items.push(item);
    }
    Ok(Taken { items, is_cut: false })
}
