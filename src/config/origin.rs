//! Where requests come from: web origins (RFC 6454) and networks in CIDR form (RFC 4632). Pure values, nothing is resolved.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Scheme, host and port, as a browser compares them and as it writes them in `Origin`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    secure: bool,
    host: String,
    port: u16,
}

impl Origin {
    /// Reads `http://HOST[:PORT]` or `https://HOST[:PORT]`; a path, query, user or trailing slash is refused.
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let secure = match scheme {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let port_at = authority.rfind(':').filter(|colon| !authority[*colon..].contains(']'));
        let (host, port) = match port_at {
            Some(colon) => {
                let digits = &authority[colon + 1..];
                let port = digits.parse().ok().filter(|_| digits.bytes().all(|b| b.is_ascii_digit()))?;
                (&authority[..colon], port)
            }
            None => (authority, default_port(secure)),
        };
        let host = host_of(host).filter(|_| port != 0)?;
        Some(Self { secure, host, port })
    }

    /// Plain http at an address of this machine.
    pub(super) fn plain(address: SocketAddr) -> Self {
        let host = match address.ip() {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        Self { secure: false, host, port: address.port() }
    }

    /// Whether the scheme is https.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Whether the host is this machine: a loopback address, `localhost` or a name under it (RFC 6761).
    pub fn is_loopback(&self) -> bool {
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost"
            || host.ends_with(".localhost")
            || host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
    }

    /// The host in lower case; an IPv6 address is in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, also where it is the scheme's own.
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// As browsers write it: the port only where it is not the scheme's own.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        if self.port == default_port(self.secure) {
            write!(f, "{scheme}://{}", self.host)
        } else {
            write!(f, "{scheme}://{}:{}", self.host, self.port)
        }
    }
}

/// A block of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// Reads `ADDRESS/PREFIX`, or an address, which is a network of one. Bits behind the prefix are refused: whoever wrote
    /// `10.0.0.5/8` meant either more or fewer addresses than that trusts.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, prefix) =
            text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address = address.parse::<IpAddr>().ok()?;
        let prefix = prefix.map_or(Some(width(address)), |prefix| prefix.parse().ok())?;
        let network = Self { address, prefix };
        let clean = prefix <= width(address) && bits(address) == bits(address) & network.mask();
        clean.then_some(network)
    }

    /// Whether an address lies in it. An IPv4 address that came in as IPv6 (`::ffff:a.b.c.d`) counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4() && bits(address) & self.mask() == bits(self.address)
    }

    fn mask(&self) -> u128 {
        let host_bits = u32::from(width(self.address) - self.prefix.min(width(self.address)));
        u128::MAX.checked_shl(host_bits).unwrap_or(0)
    }
}

fn default_port(secure: bool) -> u16 {
    if secure { 443 } else { 80 }
}

/// A DNS name, an IPv4 address, or an IPv6 address in brackets, as browsers write it. A host that ends in a number is an
/// address to them, whatever its form (WHATWG URL), so it must be one.
fn host_of(host: &str) -> Option<String> {
    if let Some(ip) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return Some(format!("[{}]", ip.parse::<Ipv6Addr>().ok()?));
    }
    let is_label = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let is_number = |label: &str| label.bytes().all(|b| b.is_ascii_digit()) || label.starts_with("0x");
    let is_host = (1..=253).contains(&host.len())
        && host.split('.').all(is_label)
        && (!host.rsplit('.').next().is_some_and(is_number) || host.parse::<Ipv4Addr>().is_ok());
    is_host.then(|| host.to_ascii_lowercase())
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(ip) => u32::from(ip).into(),
        IpAddr::V6(ip) => ip.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_browsers_write_it() {
        for (text, written) in [
            ("https://chat.example.org", "https://chat.example.org"),
            ("https://Chat.Example.org:443", "https://chat.example.org"),
            ("http://chat.example.org:443", "http://chat.example.org:443"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://[::1]:8080", "http://[::1]:8080"),
            ("https://[2001:db8::1]", "https://[2001:db8::1]"),
            ("https://[2001:DB8:0::1]", "https://[2001:db8::1]"),
        ] {
            assert_eq!(
                Origin::parse(text).map(|origin| origin.to_string()).as_deref(),
                Some(written),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for text in [
            "chat.example.org",
            "ftp://chat.example.org",
            "https://",
            "https://chat.example.org/",
            "https://chat.example.org/chat",
            "https://chat.example.org?x",
            "https://ada@chat.example.org",
            "https://chat.example.org:",
            "https://chat.example.org:0",
            "https://chat.example.org:+443",
            "https://chat.example.org:99999",
            "https://chat..example.org",
            "https://[::1",
            "https://[chat]",
            "https://127.1",
            "https://chat.0x7f",
            "https://chat.example.org.",
            "https://*.example.org",
            "https:// chat.example.org",
        ] {
            assert_eq!(Origin::parse(text), None, "{text}");
        }
    }

    #[test]
    fn loopback_is_known_by_address_and_by_name() {
        for (text, loopback) in [
            ("http://127.0.0.1:1", true),
            ("http://127.9.9.9", true),
            ("http://[::1]", true),
            ("http://localhost:8080", true),
            ("http://chat.localhost", true),
            ("http://localhost.example.org", false),
            ("http://10.0.0.1", false),
        ] {
            assert_eq!(Origin::parse(text).map(|origin| origin.is_loopback()), Some(loopback), "{text}");
        }
    }

    #[test]
    fn a_network_contains_what_its_prefix_covers() {
        for (network, address, inside) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("::/0", "2001:db8::1", true),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
        ] {
            let found = Network::parse(network).map(|network| network.contains(address.parse().unwrap()));
            assert_eq!(found, Some(inside), "{address} in {network}");
        }
    }

    #[test]
    fn a_network_with_bits_behind_its_prefix_is_refused() {
        for text in
            ["10.0.0.5/8", "10.0.0.0/33", "::1/64", "::/129", "10.0.0/8", "10.0.0.0/", "example.org", ""]
        {
            assert_eq!(Network::parse(text), None, "{text}");
        }
    }
}
