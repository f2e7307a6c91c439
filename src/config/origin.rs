//! Web origins (RFC 6454): the sites whose pages use the API. Pure values, nothing is resolved.

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
}
