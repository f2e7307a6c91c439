//! The tables of the schema by their names, for what works on all of them.

/// All tables with something to keep, each after those that it refers to.
pub(super) const KEPT: [&str; 15] = [
    "users",
    "credentials",
    "sessions",
    "known_networks",
    "rooms",
    "members",
    "messages",
    "mentions",
    "read_marks",
    "reactions",
    "events",
    "log",
    "epochs",
    "consumers",
    "keys",
];
