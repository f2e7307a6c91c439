//! Rules of keys that take a list. Each element is read by itself, so that every wrong one is named and not only the first.

use super::origin::{Network, Origin};
use super::rules::{Raw, Rule};

/// A list of texts that `parse` reads one by one.
pub(super) struct List<T> {
    expects: &'static str,
    parse: fn(&str) -> Option<T>,
}

/// Addresses and blocks of them.
pub(super) const NETWORKS: List<Network> = List {
    expects: "a list of IP addresses and networks in CIDR form (no bits set behind the prefix)",
    parse: Network::parse,
};

/// Origins, written out one by one: there is no wildcard.
pub(super) const ORIGINS: List<Origin> = List {
    expects: "a list of origins, each http:// or https:// with a host and perhaps a port, and no path and no *",
    parse: Origin::parse,
};

impl<T> Rule for List<T> {
    type Value = Vec<T>;

    fn expects(&self) -> String {
        self.expects.into()
    }

    fn read(&self, raw: &Raw) -> Option<Vec<T>> {
        raw.texts()?.into_iter().map(self.parse).collect()
    }

    fn complains(&self, raw: &Raw) -> String {
        let Some(texts) = raw.texts() else { return format!("is {raw}") };
        let wrong = texts.into_iter().filter(|text| (self.parse)(text).is_none());
        format!("has {}", wrong.map(|text| format!("{text:?}")).collect::<Vec<_>>().join(", "))
    }
}
