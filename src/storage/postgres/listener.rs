//! Listening to what other nodes notify, on a connection of its own that is opened again whenever it is lost.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::server::Server;

/// The pause before a lost connection is opened again.
const PAUSE: Duration = Duration::from_secs(1);

/// What there is to hear.
#[derive(Debug)]
pub(in crate::storage) enum Notice {
    Notification(String),
    /// The connection is new: whatever was said before it was missed.
    Connected,
}

/// Hears a channel until `stop`. Something that `hear` misses is lost.
pub(in crate::storage) async fn listen(
    server: Arc<Server>,
    channel: String,
    stop: CancellationToken,
    hear: impl Fn(Notice) + Send + Sync + 'static,
) {
    let listening = async {
        loop {
            if let Err(error) = hear_until_lost(&server, &channel, &hear).await {
                tracing::warn!(%error, "nothing is heard from other nodes for a moment");
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    stop.run_until_cancelled(listening).await;
}

async fn hear_until_lost(
    server: &Server,
    channel: &str,
    hear: &(impl Fn(Notice) + Sync),
) -> Result<(), crate::storage::error::Failure> {
    let (notify, mut notified) = mpsc::unbounded_channel();
    let client = server.connect_to_listen(notify).await?;
    client.batch_execute(&format!("LISTEN {channel}")).await?;
    hear(Notice::Connected);
    // Ends when the connection does, which holds the other end.
    while let Some(text) = notified.recv().await {
        hear(Notice::Notification(text));
    }
    Ok(())
}
