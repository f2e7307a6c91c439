//! What a node counts of its streams, for the operator's metrics. No room and no person is told apart here.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::frame::ByeReason;

/// Counters of the live path; cheap to bump from every writer.
#[derive(Debug)]
pub struct Meters {
    /// Streams that are open.
    pub open: Gauge,
    /// Frames given to sockets, pings and other notices too.
    pub frames: Counter,
    /// Of these, the ones that went out in one write with a frame before them.
    pub joined: Counter,
    pub bytes: Counter,
    /// How often a stream went back to the log because its queue or its room's channel ran over.
    pub rereads: Counter,
    ends: Family<EndLabels, Counter>,
}

/// Why a stream has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It said so.
    Bye(ByeReason),
    /// Its client has gone.
    Disconnected,
    /// Its client took nothing for too long.
    Stalled,
    /// The log could not be read.
    Failed,
    /// In the middle, without a word: its writer broke down, or the process ended before it.
    Cut,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndLabels {
    reason: &'static str,
}

impl End {
    const ALL: [Self; 10] = [
        Self::Bye(ByeReason::Expired),
        Self::Bye(ByeReason::Slow),
        Self::Bye(ByeReason::Shutdown),
        Self::Bye(ByeReason::SignedOut),
        Self::Bye(ByeReason::Removed),
        Self::Bye(ByeReason::Deleted),
        Self::Disconnected,
        Self::Stalled,
        Self::Failed,
        Self::Cut,
    ];

    const fn labels(self) -> EndLabels {
        let reason = match self {
            Self::Bye(reason) => reason.as_str(),
            Self::Disconnected => "disconnected",
            Self::Stalled => "stalled",
            Self::Failed => "failed",
            Self::Cut => "cut",
        };
        EndLabels { reason }
    }
}

impl Default for Meters {
    fn default() -> Self {
        let ends = Family::<EndLabels, Counter>::default();
        // Every reason starts at 0: Prometheus sees no increase in a series that begins with its first event.
        for end in End::ALL {
            drop(ends.get_or_create(&end.labels()));
        }
        let (open, [frames, joined, bytes, rereads]) = Default::default();
        Self { open, frames, joined, bytes, rereads, ends }
    }
}

impl Meters {
    pub fn ended(&self, end: End) {
        self.ends.get_or_create(&end.labels()).inc();
    }

    pub fn register(&self, registry: &mut Registry) {
        registry.register("parlor_streams_open", "Streams that are open", self.open.clone());
        registry.register("parlor_stream_frames", "Frames given to sockets", self.frames.clone());
        let joined = "Frames that shared a write with a frame before them";
        registry.register("parlor_stream_frames_joined", joined, self.joined.clone());
        let bytes = "Bytes given to the sockets of streams";
        registry.register_with_unit("parlor_stream", bytes, Unit::Bytes, self.bytes.clone());
        let rereads = "Times a stream went back to the log as a queue ran over";
        registry.register("parlor_stream_rereads", rereads, self.rereads.clone());
        registry.register("parlor_stream_ends", "Streams that ended, by reason", self.ends.clone());
    }
}
