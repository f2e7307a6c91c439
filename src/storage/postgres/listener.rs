//! Listening to what other nodes notify, and notifying them, on a connection of its own that is opened again whenever it is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;

use super::server::Server;
use crate::bus::Gathered;
use crate::storage::error::Failure;

/// The pause before a lost connection is opened again.
const PAUSE: Duration = Duration::from_secs(1);
/// How long the server may take to send a notification on.
const PATIENCE: Duration = Duration::from_secs(5);

/// What there is to hear.
#[derive(Debug)]
pub(in crate::storage) enum Notice {
    Notification(String),
    /// The connection is new: whatever was said before it was missed.
    Connected,
}

/// A channel, and what this node has to say on it.
pub(super) struct Channel {
    pub name: String,
    pub whispers: Gathered,
}

/// Hears a channel, and says there what is whispered, until `stop`. Something that `hear` misses is lost. The log is told once when
/// the connection is lost and once when it is back, however often it is tried meanwhile.
pub(super) async fn listen(
    server: Arc<Server>,
    mut channel: Channel,
    stop: CancellationToken,
    hear: impl Fn(Notice) + Send + Sync + 'static,
) {
    let is_lost = AtomicBool::new(false);
    let hear = |notice| {
        if matches!(notice, Notice::Connected) && is_lost.swap(false, Ordering::Relaxed) {
            tracing::info!("other nodes are heard again");
        }
        hear(notice);
    };
    let listening = async {
        loop {
            if let Err(error) = hear_until_lost(&server, &mut channel, &hear).await
                && !is_lost.swap(true, Ordering::Relaxed)
            {
                tracing::warn!(%error, "other nodes are not heard: what they write comes up to a second late");
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    stop.run_until_cancelled(listening).await;
}

async fn hear_until_lost(
    server: &Server,
    channel: &mut Channel,
    hear: &(impl Fn(Notice) + Sync),
) -> Result<(), Failure> {
    let (notify, mut notified) = mpsc::unbounded_channel();
    let client = server.connect_to_listen(notify).await?;
    client.batch_execute(&format!("LISTEN {}", channel.name)).await?;
    hear(Notice::Connected);
    loop {
        tokio::select! {
            // Ends when the connection does, which holds the other end.
            text = notified.recv() => match text {
                Some(text) => hear(Notice::Notification(text)),
                None => return Ok(()),
            },
            Some(messages) = channel.whispers.next() => {
                for message in messages {
                    say(&client, &channel.name, &message).await?;
                }
            }
        }
    }
}

async fn say(client: &Client, channel: &str, message: &str) -> Result<(), Failure> {
    let said = async { client.execute("SELECT pg_notify($1, $2)", &[&channel, &message]).await };
    let said = tokio::time::timeout(PATIENCE, said).await;
    said.map_err(|_| Failure::lost("the database does not answer in time"))??;
    Ok(())
}
