//! What the front counts: requests, the time until they were answered, and connections that were turned away or given up.
//! Labels are of closed sets: never a path, an address, a room or a person.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Bounds of the histogram in seconds: from a lookup in memory to the deadline of a request.
const SECONDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];

/// The figures of the front.
#[derive(Debug)]
pub struct Meters {
    requests: Family<Answered, Counter>,
    seconds: Family<Operation, Histogram, fn() -> Histogram>,
    /// Open connections, those of streams too.
    pub(super) open: Gauge,
    /// Connections that were closed at once, because their address had too many.
    pub(super) refused: Counter,
    /// How often the next connection had to wait, because as many were open as may be.
    pub(super) full: Counter,
    /// How often accepting failed.
    pub(super) accept_failures: Counter,
    overdue: Family<Waited, Counter>,
    /// Bytes of answers that wait for their readers.
    pub(super) unread: Gauge,
    /// Answers that were not given because too many bytes waited already.
    pub(super) unread_refused: Counter,
}

/// What a client took too long for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overdue {
    /// The first byte of a connection, or the end of a head.
    Head,
    /// The next request of a connection.
    Request,
    /// Taking what was sent.
    Reader,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    operation: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Operation {
    operation: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Waited {
    waited_for: &'static str,
}

impl Default for Meters {
    fn default() -> Self {
        Self {
            requests: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            open: Gauge::default(),
            refused: Counter::default(),
            full: Counter::default(),
            accept_failures: Counter::default(),
            overdue: Family::default(),
            unread: Gauge::default(),
            unread_refused: Counter::default(),
        }
    }
}

impl Meters {
    /// Hands all figures to the registry. Long because it lists them.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "parlor_http_requests",
            "Answered requests by operation and status; \"none\" is what is no operation of the document",
            self.requests.clone(),
        );
        registry.register_with_unit(
            "parlor_http_request",
            "Time from a request's head to the head of its answer; a stream's goes on after that",
            Unit::Seconds,
            self.seconds.clone(),
        );
        registry.register(
            "parlor_http_connections",
            "Open connections, those of streams too",
            self.open.clone(),
        );
        registry.register(
            "parlor_http_connections_refused",
            "Connections closed at once because their address had too many",
            self.refused.clone(),
        );
        registry.register(
            "parlor_http_connections_full",
            "Times at which as many connections were open as may be, so that the next had to wait",
            self.full.clone(),
        );
        registry.register(
            "parlor_http_accept_failures",
            "Times at which a connection could not be accepted",
            self.accept_failures.clone(),
        );
        registry.register(
            "parlor_http_connections_overdue",
            "Connections given up because a deadline passed, by what was waited for",
            self.overdue.clone(),
        );
        registry.register_with_unit(
            "parlor_http_unread",
            "Bytes of answers that wait for their readers",
            Unit::Bytes,
            self.unread.clone(),
        );
        registry.register(
            "parlor_http_unread_refused",
            "Answers refused with 503 because too many bytes waited for readers already",
            self.unread_refused.clone(),
        );
        // Made at the start, so that each shows 0 before it happens for the first time.
        for overdue in [Overdue::Head, Overdue::Request, Overdue::Reader] {
            drop(self.overdue.get_or_create(&overdue.label()));
        }
    }

    /// The head of an answer is ready.
    pub(super) fn answered(&self, operation: &'static str, status: u16, after: Duration) {
        self.requests.get_or_create(&Answered { operation, status }).inc();
        self.seconds.get_or_create(&Operation { operation }).observe(after.as_secs_f64());
    }

    /// A connection was closed because a deadline passed.
    pub(super) fn gave_up(&self, overdue: Overdue) {
        self.overdue.get_or_create(&overdue.label()).inc();
    }
}

impl Overdue {
    const fn label(self) -> Waited {
        let waited_for = match self {
            Self::Head => "head",
            Self::Request => "request",
            Self::Reader => "reader",
        };
        Waited { waited_for }
    }
}
