//! Ends the streams of a node that does not see the log any more, so that their readers go on at another node.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::registry::Registry;
use super::up_to_date::UpToDate;

/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Ends all streams whenever the node is out of date, until `stop`.
pub async fn end_what_is_out_of_date(
    up_to_date: Arc<UpToDate>,
    registry: Arc<Registry>,
    stop: CancellationToken,
) {
    let mut was_told = false;
    while stop.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await.is_some() {
        let is_out_of_date = !up_to_date.for_streams();
        if is_out_of_date {
            registry.end_all();
        }
        if is_out_of_date && !was_told {
            tracing::error!("the log cannot be followed: all streams end, to go on at another node");
        }
        was_told = is_out_of_date;
    }
}
