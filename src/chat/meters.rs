//! What the chat measures of its limits, for the operator's metrics. No person and no room is told apart here.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// The figures of the limits.
#[derive(Clone, Debug, Default)]
pub struct Meters {
    /// Buckets that are kept.
    pub(super) buckets: Gauge,
    /// Requests that passed a rate uncounted, because there was no room for another bucket.
    pub(super) uncounted: Counter,
}

impl Meters {
    pub fn register(&self, registry: &mut Registry) {
        let buckets = "Rates in use: people, rooms, sessions and networks that were counted of late";
        registry.register("parlor_limits_buckets", buckets, self.buckets.clone());
        let uncounted = "Requests that passed a rate uncounted, because as many buckets were kept as may be";
        registry.register("parlor_limits_uncounted", uncounted, self.uncounted.clone());
    }
}
