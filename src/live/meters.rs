//! What a node counts of its streams, for the operator's metrics. No room and no person is told apart here.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

/// Counters of the live path; cheap to bump from every writer.
#[derive(Debug, Default)]
pub struct Meters {
    /// Streams that are open.
    pub open: Gauge,
    /// Frames given to sockets, pings and other notices too.
    pub frames: Counter,
    /// Of these, the ones that went out in one write with a frame before them.
    pub joined: Counter,
    pub bytes: Counter,
    /// Times a stream went back to the log: its queue or its room's channel ran over.
    pub rereads: Counter,
    ends: Family<EndLabels, Counter>,
}

/// Why a stream has ended: the reason that its `bye` gave, or what happened to its connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndLabels {
    reason: &'static str,
}

impl Meters {
    pub fn ended(&self, reason: &'static str) {
        self.ends.get_or_create(&EndLabels { reason }).inc();
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
