//! What is cleared away again and again while the server runs. Knows when, not what or how.

use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::chat::{self, Chat};

/// How often old events and forgotten sessions are cleared away.
const TIDY_EVERY: Duration = Duration::from_mins(1);

/// Clears away what is over, each kind once a minute. One that takes longer keeps no other from its turn.
pub(super) async fn tidy_up(chat: Arc<Chat>, retention: Duration, stop: CancellationToken) {
    let all = async {
        tokio::join!(
            each_minute(|| {
                chat.sweep();
                ready(Ok(()))
            }),
            each_minute(|| chat.purge_sessions()),
            each_minute(|| chat.purge_events(retention)),
            each_minute(|| chat.purge_deleted_rooms()),
        )
    };
    // There may be much to clear away. The server does not wait for it when it stops; the next start goes on.
    stop.run_until_cancelled(all).await;
}

async fn each_minute<F: Future<Output = chat::Result<()>>>(work: impl Fn() -> F) {
    let mut ticks = tokio::time::interval(TIDY_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = work().await {
            tracing::warn!(%error, "what is over could not be cleared away");
        }
    }
}
