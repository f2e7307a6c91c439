//! How much of a list one page holds. A page that waits for a slow reader stays in memory, so bytes count beside items.

use std::ops::ControlFlow;

use super::error::Failure;
use super::sql::{Connection, Query, Row};
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
pub(super) async fn take<T: Send>(
    sql: &mut Connection,
    query: Query<'_>,
    left: &mut usize,
    mut item_of: impl FnMut(&Row<'_>) -> Result<T, Failure> + Send,
    mut bytes_of: impl FnMut(&T) -> usize + Send,
) -> Result<Taken<T>, Failure> {
    let (mut items, mut is_cut) = (Vec::new(), false);
    let take = |row: &Row<'_>| {
        let item = item_of(row)?;
        let Some(rest) = left.checked_sub(bytes_of(&item)) else {
            is_cut = true;
            return Ok(ControlFlow::Break(()));
        };
        *left = rest;
        items.push(item);
        Ok(ControlFlow::Continue(()))
    };
    query.each(sql, take).await?;
    Ok(Taken { items, is_cut })
}
