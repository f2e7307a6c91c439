//! Rules of keys that take a list. Each element is read by itself, so that every wrong one is named.

use std::net::IpAddr;

use ipnet::IpNet;

use super::origin::Origin;
use super::rules::{Raw, Rule};

/// A list of texts that `parse` reads one by one.
pub(super) struct List<T> {
    expects: &'static str,
    parse: fn(&str) -> Option<T>,
}

/// Addresses and blocks of them.
pub(super) const NETWORKS: List<IpNet> = List {
    expects: "a list of IP addresses and networks in CIDR form (no bits set behind the prefix)",
    parse: network,
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

/// Reads `ADDRESS/PREFIX`, or an address, which is a network of one. Bits behind the prefix are refused: it is
/// not clear whether `10.0.0.5/8` means one address or all of `10.0.0.0/8`.
fn network(text: &str) -> Option<IpNet> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address.into());
    }
    text.parse().ok().filter(|network: &IpNet| network.trunc() == *network)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_contains_what_its_prefix_covers() {
        for (network, address, inside) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", false),
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("::/0", "2001:db8::1", true),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
        ] {
            let found =
                super::network(network).map(|network| network.contains(&address.parse::<IpAddr>().unwrap()));
            assert_eq!(found, Some(inside), "{address} in {network}");
        }
    }

    #[test]
    fn a_network_with_bits_behind_its_prefix_is_refused() {
        for text in
            ["10.0.0.5/8", "10.0.0.0/33", "::1/64", "::/129", "10.0.0/8", "10.0.0.0/", "example.org", ""]
        {
            assert_eq!(network(text), None, "{text}");
        }
    }
}
