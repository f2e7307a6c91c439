//! Where a request comes from: the peer of its connection, or the address that a trusted proxy names.

use std::net::IpAddr;

use ipnet::IpNet;
use poem::http::{HeaderMap, HeaderName};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The proxies whose `X-Forwarded-For` counts. There are none by default, because anybody can send the header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies(Vec<IpNet>);

impl Proxies {
    /// Whether an address is one of theirs. An IPv4 address that came in as IPv6 (`::ffff:a.b.c.d`) counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// The client's address: the last one in the header that is not a trusted proxy. If the header cannot be read, it is
    /// the peer's address.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        if !self.contains(peer) {
            return peer;
        }
        let mut client = peer;
        for value in headers.get_all(&X_FORWARDED_FOR).iter().rev() {
            let Ok(value) = value.to_str() else { return peer };
            for hop in value.rsplit(',') {
                let Ok(hop) = hop.trim().parse::<IpAddr>() else { return peer };
                client = hop.to_canonical();
                if !self.contains(client) {
                    return client;
                }
            }
        }
        client
    }
}

impl From<Vec<IpNet>> for Proxies {
    fn from(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Option<IpNet> {
        let text = text.trim();
        text.parse::<IpAddr>().map(IpNet::from).or_else(|_| text.parse()).ok()
    }

    fn client(proxies: &str, peer: &str, headers: &[&str]) -> String {
        let mut map = HeaderMap::new();
        for header in headers {
            map.append(X_FORWARDED_FOR, poem::http::HeaderValue::from_bytes(header.as_bytes()).unwrap());
        }
        let proxies = proxies.split(',').filter_map(network).collect::<Vec<_>>();
        Proxies::from(proxies).client(peer.parse().unwrap(), &map).to_string()
    }

    #[test]
    fn nobody_is_believed_by_default() {
        assert_eq!(client("", "10.0.0.1", &["1.2.3.4"]), "10.0.0.1");
        assert_eq!(client("10.0.0.0/8", "11.0.0.1", &["1.2.3.4"]), "11.0.0.1");
    }

    #[test]
    fn the_walk_ends_at_the_first_hop_that_is_not_trusted() {
        assert_eq!(client("10.0.0.0/8", "10.0.0.1", &["1.2.3.4"]), "1.2.3.4");
        assert_eq!(client("10.0.0.0/8", "10.0.0.1", &["6.6.6.6, 1.2.3.4, 10.9.9.9"]), "1.2.3.4");
        assert_eq!(client("10.0.0.0/8", "10.0.0.1", &["6.6.6.6", "1.2.3.4", "10.9.9.9"]), "1.2.3.4");
        assert_eq!(client("10.0.0.0/8", "10.0.0.1", &["10.1.1.1, 10.2.2.2"]), "10.1.1.1");
        assert_eq!(client("10.0.0.0/8", "10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(client("::1, fd00::/8", "fd12::3", &["2001:db8::7"]), "2001:db8::7");
        assert_eq!(client("127.0.0.0/8", "::ffff:127.0.0.1", &["::ffff:1.2.3.4"]), "1.2.3.4");
        assert_eq!(client("127.0.0.1", "::ffff:127.0.0.1", &["::ffff:1.2.3.4"]), "1.2.3.4");
    }

    #[test]
    fn what_cannot_be_read_means_the_peer() {
        for bad in ["unknown", "1.2.3.4:80", "1.2.3.4, x", "", "ä"] {
            assert_eq!(client("10.0.0.0/8", "10.0.0.1", &[bad]), "10.0.0.1", "{bad}");
        }
        assert_eq!(
            client("10.0.0.0/8", "10.0.0.1", &["x, 1.2.3.4"]),
            "1.2.3.4",
            "the walk does not get so far"
        );
    }
}
