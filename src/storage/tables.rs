//! The tables of the schema by their names, for what works on all of them.

/// All tables with something to keep, each after those that it refers to.
pub(super) const KEPT: [&str; 12] = [
    "users",
    "credentials",
    "sessions",
    "known_networks",
    "rooms",
    "members",
    "messages",
    "events",
    "log",
    "epochs",
    "consumers",
    "keys",
];
