//! Whether this node has seen the end of the log within the last seconds. Where other nodes write to the same log, a node that
//! has not may show somebody what that person may no longer see: it must not answer, and after a while not stream either.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};
use tokio::sync::Notify;
use tokio::time::Instant;

/// Requests are answered only by a node that has seen the end of the log within this time.
const FOR_REQUESTS: Duration = Duration::from_secs(5);
/// How long a request waits for that.
const PATIENCE: Duration = Duration::from_secs(2);
/// Streams are ended after this time, so that they go on at another node.
const FOR_STREAMS: Duration = Duration::from_secs(15);

/// When the end of the log was last seen.
#[derive(Debug)]
pub struct UpToDate {
    /// None where no other node writes: then nothing can be missed.
    seen: Option<Mutex<Instant>>,
    noted: Notify,
}

impl UpToDate {
    pub fn new(is_shared: bool) -> Self {
        Self { seen: is_shared.then(|| Mutex::new(Instant::now())), noted: Notify::new() }
    }

    /// The feeder has published everything that was in the log at this time.
    pub(super) fn note(&self, at: Instant) {
        if let Some(seen) = &self.seen {
            // Held for an instruction.
            *seen.lock().unwrap_or_else(PoisonError::into_inner) = at;
            self.noted.notify_waiters();
        }
    }

    /// How long ago the end of the log was seen.
    pub fn age(&self) -> Duration {
        self.seen
            .as_ref()
            .map_or(Duration::ZERO, |seen| seen.lock().unwrap_or_else(PoisonError::into_inner).elapsed())
    }

    /// The metric of its age.
    pub fn register(self: &Arc<Self>, registry: &mut Registry) {
        registry.register_collector(Box::new(Age(self.clone())));
    }

    /// Waits until requests may be answered, for two seconds at most. False if they still may not.
    pub async fn for_requests(&self) -> bool {
        let is_fresh = async {
            loop {
                let noted = self.noted.notified();
                if self.age() < FOR_REQUESTS {
                    return;
                }
                noted.await;
            }
        };
        self.age() < FOR_REQUESTS || tokio::time::timeout(PATIENCE, is_fresh).await.is_ok()
    }

    /// Whether streams may go on.
    pub fn for_streams(&self) -> bool {
        self.age() < FOR_STREAMS
    }
}

/// How old the node's view of the log is, asked at each scrape.
#[derive(Debug)]
struct Age(Arc<UpToDate>);

impl Collector for Age {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let age = ConstGauge::new(self.0.age().as_secs_f64());
        let help = "Time since this node saw the end of the log";
        let unit = Some(&Unit::Seconds);
        age.encode(encoder.encode_descriptor("parlor_log_age", help, unit, age.metric_type())?)
    }
}
