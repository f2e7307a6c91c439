//! The other nodes, as far as this one tells them anything: the bus by the way that the configuration names.

use std::sync::{Arc, OnceLock};

use anyhow::{Context, anyhow};
use prometheus_client::registry::Registry as Figures;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::bus::{self, Bus, Inbox, Meters, Nats, NatsServers, Whisper};
use crate::config::Config;
use crate::live::{self, Registry};
use crate::storage::{Committed, Store};

/// The bus, once it is open, and what works for it.
#[derive(Default)]
pub(super) struct Others {
    open: OnceLock<(Arc<dyn Bus>, Arc<Meters>)>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Others {
    /// Opens the bus, and gives where others are heard. None where no other node can write to the database.
    pub async fn open(
        &self,
        config: &Config,
        store: &Store,
        registry: Arc<Registry>,
    ) -> anyhow::Result<Option<Inbox>> {
        let Some(cluster) = store.cluster() else { return Ok(None) };
        let servers = nats_servers(config)?;
        let meters = Arc::new(Meters::new(if servers.is_some() { "nats" } else { "notify" }));
        let (ears, inbox, whispers) = bus::inbox(cluster.clone(), meters.clone());
        let bus: Arc<dyn Bus> = match servers {
            Some(servers) => {
                let (cluster, meters) = (cluster.clone(), meters.clone());
                let nats = Nats::start(&servers, cluster, ears, meters, &self.tasks, self.stop.clone());
                Arc::new(nats.await.context("cluster.bus cannot be used")?)
            }
            None => Arc::new(store.notify(ears, meters.clone()).context("the store has no notifications")?),
        };
        let hearing = live::hear_whispers(whispers, registry);
        self.tasks.spawn(self.stop.clone().run_until_cancelled_owned(hearing));
        let _ = self.open.set((bus, meters));
        Ok(Some(inbox))
    }

    /// Tells what a transaction of this node means for them. Does not wait.
    pub fn tell(&self, committed: &Committed) {
        let Some((bus, _)) = self.open.get() else { return };
        if let Some(epoch) = committed.epoch.filter(|_| !committed.events.is_empty()) {
            bus.announce(epoch, &committed.events);
        }
        for &(session, expires_at) in &committed.extended {
            bus.whisper(Whisper::Extended { session, expires_at });
        }
    }

    pub fn register(&self, figures: &mut Figures) {
        if let Some((_, meters)) = self.open.get() {
            meters.register(figures);
        }
    }

    /// Ends what works for the bus. What was told last is still sent.
    pub async fn end(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Tries whether the bus can be used. None where nodes need none but the database.
pub async fn check_bus(config: &Config) -> anyhow::Result<Option<String>> {
    let Some(servers) = nats_servers(config)? else { return Ok(None) };
    Ok(Some(Nats::check(&servers).await.context("cluster.bus cannot be used")?))
}

fn nats_servers(config: &Config) -> anyhow::Result<Option<NatsServers>> {
    let servers = config.cluster.bus.as_ref().map(|url| NatsServers::parse(url.secret()));
    servers.transpose().map_err(|error| anyhow!("cluster.bus {error}"))
}
