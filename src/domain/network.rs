//! What counts as one address wherever addresses are counted, and how a network is remembered without its address. Says
//! nothing of what is counted.

use std::net::{IpAddr, Ipv6Addr};

/// The network that an address is counted as: of IPv4 the address itself, of IPv6 its first 64 bits, because one household
/// has all addresses behind them, and counting each alone would count nobody.
pub fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
    }
}

/// A keyed hash of one account together with one network. It says whether somebody signed in from a network before, and
/// names neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NetworkTag([u8; 16]);

impl NetworkTag {
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_household_is_one_address() {
        let of = |text: &str| network_of(text.parse().unwrap()).to_string();
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_ne!(of("10.0.0.1"), of("10.0.0.2"));
        assert_eq!(of("::ffff:10.0.0.1"), "10.0.0.1");
    }
}
