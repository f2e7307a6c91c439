//! The bus by NATS. A message carries what was committed, so that other nodes read nothing from the database. NATS keeps nothing:
//! what is said while a node is not connected is lost for it, and it looks at the log.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{
    Client, ClientError, ConnectError, ConnectErrorKind as Kind, Event as Happening, Subscriber,
};
use futures_util::StreamExt;
use thiserror::Error;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::address::NatsServers;
use super::cluster::Cluster;
use super::inbox::Ears;
use super::meters::Meters;
use super::whispers::{Gathered, Whispers, gather};
use super::{Bus, Whisper};
use crate::domain::cursor::Epoch;
use crate::domain::event::Event;

/// Batches that wait to be sent. One that finds no place is left out.
const WAITING: usize = 256;
/// Messages that were received and wait to be read.
const RECEIVED: usize = 1_024;
/// Most bytes of a message of whispers, far below the 1 MiB that a NATS server takes unless it is told otherwise.
const LONGEST: usize = 64 * 1_024;
/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long it may take to send what was committed last when the node stops.
const LAST: Duration = Duration::from_secs(1);
/// How often a silent server is asked for a sign of life. One that owes three answers is given up.
const PING: Duration = Duration::from_secs(5);
/// The longest pause between two tries to connect.
const RETRY: Duration = Duration::from_secs(2);

/// Why a NATS server cannot be used.
#[derive(Debug, Error)]
pub enum NatsError {
    #[error("{0}: {1}")]
    Connect(String, String),
    #[error("{0} does not answer")]
    Silent(String),
}

/// A node's connection to NATS, which comes back by itself whenever it is lost.
pub struct Nats {
    batches: mpsc::Sender<(Epoch, Vec<Event>)>,
    whispers: Whispers,
    meters: Arc<Meters>,
}

/// What the task knows that sends.
struct Sending {
    client: Client,
    subject: String,
    cluster: Cluster,
    meters: Arc<Meters>,
}

impl Nats {
    /// Begins to connect, to listen and to send, until `stop`. A server that cannot be reached is a warning.
    pub async fn start(
        servers: &NatsServers,
        cluster: Cluster,
        ears: Ears,
        meters: Arc<Meters>,
        tasks: &TaskTracker,
        stop: CancellationToken,
    ) -> Result<Self, NatsError> {
        let ears = Arc::new(ears);
        let broken = |error: String| NatsError::Connect(servers.to_string(), error);
        let options = servers
            .options()
            .retry_on_initial_connect()
            .connection_timeout(PATIENCE)
            .ping_interval(PING)
            .subscription_capacity(RECEIVED)
            .reconnect_delay_callback(pause)
            .event_callback(watcher(ears.clone()));
        let client = options.connect(servers.addresses()).await.map_err(|error| broken(error.to_string()))?;
        let subject = format!("parlor.{}", cluster.id());
        let heard = client.subscribe(subject.clone()).await.map_err(|error| broken(error.to_string()))?;
        let (batches, to_send) = mpsc::channel(WAITING);
        let (whispers, gathered) = gather(cluster.clone(), LONGEST, meters.clone());
        let sending = Sending { client, subject, cluster, meters: meters.clone() };
        tasks.spawn(listen(heard, ears, stop.clone()));
        tasks.spawn(sending.run(to_send, gathered, stop));
        Ok(Self { batches, whispers, meters })
    }

    /// Tries whether the servers can be used.
    pub async fn check(servers: &NatsServers) -> Result<String, NatsError> {
        let told = |error: &ConnectError| NatsError::Connect(servers.to_string(), reason(error));
        let silent = |_| NatsError::Silent(servers.to_string());
        let connecting = servers.options().connect(servers.addresses());
        let client = tokio::time::timeout(PATIENCE, connecting)
            .await
            .map_err(silent)?
            .map_err(|error| told(&error))?;
        tokio::time::timeout(PATIENCE, client.flush())
            .await
            .map_err(silent)?
            .map_err(|error| NatsError::Connect(servers.to_string(), error.to_string()))?;
        Ok(format!("{servers}, NATS {}", client.server_info().version))
    }
}

impl Bus for Nats {
    fn announce(&self, epoch: Epoch, events: &[Event]) {
        if self.batches.try_send((epoch, events.to_vec())).is_err() {
            self.meters.unsent.inc();
        }
    }

    fn whisper(&self, whisper: Whisper) {
        self.whispers.add(whisper);
    }
}

impl Sending {
    async fn run(
        self,
        mut batches: mpsc::Receiver<(Epoch, Vec<Event>)>,
        mut gathered: Gathered,
        stop: CancellationToken,
    ) {
        let said = async {
            loop {
                tokio::select! {
                    Some((epoch, events)) = batches.recv() => self.announce(epoch, &events).await,
                    Some(messages) = gathered.next() => {
                        for message in messages {
                            self.send(message).await;
                        }
                    }
                    else => break,
                }
            }
        };
        // A server that stands still takes nothing more, and would keep the node from ending.
        stop.run_until_cancelled(said).await;
        let last = async {
            while let Ok((epoch, events)) = batches.try_recv() {
                self.announce(epoch, &events).await;
            }
            self.client.flush().await
        };
        let _ = tokio::time::timeout(LAST, last).await;
    }

    async fn announce(&self, epoch: Epoch, events: &[Event]) {
        let Some(last) = events.last() else { return };
        let message = self.cluster.committed(epoch, events);
        if message.len() <= self.client.max_payload() {
            self.send(message).await;
        } else {
            self.send(self.cluster.reaches(epoch, last.position)).await;
        }
    }

    /// While there is no connection nothing is kept for later: the others have looked at the log by then.
    async fn send(&self, message: String) {
        let is_connected = self.client.connection_state() == State::Connected;
        if !is_connected || self.client.publish(self.subject.clone(), message.into()).await.is_err() {
            self.meters.unsent.inc();
        }
    }
}

async fn listen(mut heard: Subscriber, ears: Arc<Ears>, stop: CancellationToken) {
    while let Some(Some(message)) = stop.run_until_cancelled(heard.next()).await {
        // What is no text was said by no node.
        ears.hear(std::str::from_utf8(&message.payload).unwrap_or_default());
    }
}

/// Says once when the bus is lost and once when it is back, however often it is tried meanwhile.
fn watcher(ears: Arc<Ears>) -> impl Fn(Happening) -> std::future::Ready<()> + Send + Sync + 'static {
    let is_lost = AtomicBool::new(false);
    move |happening| {
        match happening {
            Happening::Connected => {
                if is_lost.swap(false, Ordering::Relaxed) {
                    tracing::info!("the bus is back");
                }
                ears.connected();
            }
            // More has arrived than was read.
            Happening::SlowConsumer(_) => ears.look(),
            Happening::Disconnected
            | Happening::ServerError(_)
            | Happening::ClientError(ClientError::Other(_))
                if !is_lost.swap(true, Ordering::Relaxed) =>
            {
                let what = happening.to_string();
                tracing::warn!(
                    what,
                    "the bus cannot be used: what other nodes write comes up to a second late"
                );
            }
            _ => {}
        }
        std::future::ready(())
    }
}

fn pause(tries: usize) -> Duration {
    let steps = u32::try_from(tries.saturating_sub(1)).unwrap_or(u32::MAX);
    RETRY.min(Duration::from_millis(50).saturating_mul(steps))
}

/// What went wrong, once: the library names a cause again in each error around it.
fn reason(error: &ConnectError) -> String {
    match error.kind() {
        Kind::AuthorizationViolation | Kind::Authentication => {
            "authorization violation: it wants another user, password or token".to_owned()
        }
        Kind::TimedOut => "it does not answer".to_owned(),
        _ if !is_tls(error) => root(error).to_string(),
        _ => format!("no encrypted connection, which `tls` in the URL asks for: {}", root(error)),
    }
}

fn is_tls(error: &ConnectError) -> bool {
    causes(error).any(|cause| {
        let io = cause.downcast_ref::<std::io::Error>();
        io.and_then(std::io::Error::get_ref)
            .is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>)
    })
}

fn root(error: &ConnectError) -> &(dyn Error + 'static) {
    causes(error).last().unwrap_or(error)
}

/// The error, and what it was caused by, in turn.
fn causes(error: &ConnectError) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(Some(error as &(dyn Error + 'static)), |&error| error.source())
}
