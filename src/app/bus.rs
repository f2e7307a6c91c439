//! The bus to other nodes, by the way that the configuration names.

use std::sync::Arc;

use anyhow::{Context, anyhow};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::bus::{self, Bus, Inbox, Meters, Nats, NatsServers, Whisper};
use crate::config::Config;
use crate::storage::Store;

/// An open way to other nodes, and what arrives by it.
pub(super) struct Opened {
    pub bus: Arc<dyn Bus>,
    pub inbox: Inbox,
    pub whispers: mpsc::Receiver<Whisper>,
    pub meters: Arc<Meters>,
}

/// Opens the bus, which works until `stop`. None where no other node can write to the database.
pub(super) async fn open(
    config: &Config,
    store: &Store,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> anyhow::Result<Option<Opened>> {
    let Some(cluster) = store.cluster() else { return Ok(None) };
    let servers = nats_servers(config)?;
    let meters = Arc::new(Meters::new(if servers.is_some() { "nats" } else { "notify" }));
    let (ears, inbox, whispers) = bus::inbox(cluster.clone(), meters.clone());
    let bus: Arc<dyn Bus> = match servers {
        Some(servers) => {
            let nats = Nats::start(&servers, cluster.clone(), ears, meters.clone(), tasks, stop.clone());
            Arc::new(nats.await.context("cluster.bus cannot be used")?)
        }
        None => Arc::new(store.notify(ears, meters.clone()).context("the store has no notifications")?),
    };
    Ok(Some(Opened { bus, inbox, whispers, meters }))
}

/// Tries whether the bus can be used. None where nodes need none but the database.
pub(super) async fn check(config: &Config) -> anyhow::Result<Option<String>> {
    let Some(servers) = nats_servers(config)? else { return Ok(None) };
    Ok(Some(Nats::check(&servers).await.context("cluster.bus cannot be used")?))
}

fn nats_servers(config: &Config) -> anyhow::Result<Option<NatsServers>> {
    let servers = config.cluster.bus.as_ref().map(|url| NatsServers::parse(url.secret()));
    servers.transpose().map_err(|error| anyhow!("cluster.bus {error}"))
}
