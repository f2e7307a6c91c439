//! What the journal measures, for the operator's metrics. The figures name no room and no person.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Bounds of the histogram of batch sizes; the last one is the largest batch.
const REQUESTS: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];
/// Bounds in seconds, from the sync of a fast disk to the longest wait for another program's lock.
const SECONDS: [f64; 12] = [0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// The figures of the journal.
#[derive(Debug)]
pub struct Meters {
    batch: Histogram,
    commit: Histogram,
    /// Requests that wait for their batch.
    pub(super) queue: Gauge,
    log: Option<WriteAheadLog>,
    /// None where there can be one node alone.
    of_nodes: Option<OfNodes>,
}

/// What is measured where other nodes write to the same database.
#[derive(Debug)]
struct OfNodes {
    waits: Histogram,
    epochs: Counter,
    connections: Counter,
}

/// The size of the write-ahead log, read from its file at each scrape.
#[derive(Clone, Debug)]
struct WriteAheadLog(PathBuf);

impl Meters {
    /// `connections` counts those to a server that were opened.
    pub(super) fn new(write_ahead_log: Option<PathBuf>, connections: Option<Counter>) -> Self {
        let of_nodes =
            |connections| OfNodes { waits: Histogram::new(SECONDS), epochs: Counter::default(), connections };
        Self {
            batch: Histogram::new(REQUESTS),
            commit: Histogram::new(SECONDS),
            queue: Gauge::default(),
            log: write_ahead_log.map(WriteAheadLog),
            of_nodes: connections.map(of_nodes),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a batch has a few hundred requests at most")]
    pub(super) fn committed(&self, requests: usize, took: Duration) {
        self.batch.observe(requests as f64);
        self.commit.observe(took.as_secs_f64());
    }

    /// A transaction has waited this long for the row of the log.
    pub(super) fn waited(&self, span: Duration) {
        if let Some(of_nodes) = &self.of_nodes {
            of_nodes.waits.observe(span.as_secs_f64());
        }
    }

    /// This node has met a new epoch.
    pub(super) fn met_epoch(&self) {
        if let Some(of_nodes) = &self.of_nodes {
            of_nodes.epochs.inc();
        }
    }

    pub fn register(&self, registry: &mut Registry) {
        let batch = "Requests that shared one transaction";
        registry.register("parlor_journal_batch_requests", batch, self.batch.clone());
        let commit = "Time from the beginning of a transaction to the end of its synced commit";
        registry.register_with_unit("parlor_journal_commit", commit, Unit::Seconds, self.commit.clone());
        let queue = "Writes that wait for their transaction";
        registry.register("parlor_journal_queue", queue, self.queue.clone());
        if let Some(OfNodes { waits, epochs, connections }) = &self.of_nodes {
            let help = "Time that a transaction has waited to be the one that adds to the log";
            registry.register_with_unit("parlor_journal_wait", help, Unit::Seconds, waits.clone());
            let help = "Times that the database was another one than before, or had lost a part of the log";
            registry.register("parlor_log_epochs", help, epochs.clone());
            let help = "Connections to the database that were opened";
            registry.register("parlor_database_connections", help, connections.clone());
        }
        if let Some(log) = &self.log {
            registry.register_collector(Box::new(log.clone()));
        }
    }
}

impl Collector for WriteAheadLog {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        // Without the file there is no figure; the others do not depend on it.
        let Ok(file) = std::fs::metadata(&self.0) else { return Ok(()) };
        let bytes = ConstGauge::new(i64::try_from(file.len()).unwrap_or(i64::MAX));
        let help = "Size of the write-ahead log";
        bytes.encode(encoder.encode_descriptor(
            "parlor_wal",
            help,
            Some(&Unit::Bytes),
            bytes.metric_type(),
        )?)
    }
}
