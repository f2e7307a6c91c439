//! What a node counts of the bus, for the operator's metrics.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

/// Counters of one way of the bus, which is their label.
#[derive(Debug)]
pub struct Meters {
    way: &'static str,
    pub(super) heard: Counter,
    pub(super) foreign: Counter,
    pub(super) not_understood: Counter,
    pub(super) connected: Counter,
    pub(super) unsent: Counter,
    /// Messages that brought something new of the log.
    pub used: Counter,
    /// Looks at the log that found what no message had told, even a second later.
    pub missed: Counter,
    /// Pages of the log that were read from the store because no message brought them.
    pub pages: Counter,
}

impl Meters {
    /// `way` is `notify` or `nats`.
    pub fn new(way: &'static str) -> Self {
        let [heard, foreign, not_understood, connected, unsent, used, missed, pages] = Default::default();
        Self { way, heard, foreign, not_understood, connected, unsent, used, missed, pages }
    }

    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_label(("bus".into(), self.way.into()));
        for (name, help, counter) in [
            ("parlor_bus_heard", "Messages of other nodes", &self.heard),
            ("parlor_bus_foreign", "Messages that no node of this cluster has made", &self.foreign),
            (
                "parlor_bus_not_understood",
                "Messages of another epoch or of a newer version",
                &self.not_understood,
            ),
            ("parlor_bus_connected", "Times that the connection to the bus was opened", &self.connected),
            ("parlor_bus_unsent", "Messages of this node that were left out", &self.unsent),
            ("parlor_bus_used", "Messages that told of something new in the log", &self.used),
            ("parlor_bus_missed", "Looks at the log that found what no message had told of", &self.missed),
            ("parlor_bus_pages", "Pages of the log read because no message brought them", &self.pages),
        ] {
            registry.register(name, help, counter.clone());
        }
    }
}
