//! `cidr`, and addresses that are equal though written differently.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Fault;

/// Addresses from one to another, both included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AddressRange {
    first: IpAddr,
    last: IpAddr,
}

impl AddressRange {
    /// The one address that a text is; `None` where it is none.
    pub(super) fn exactly(text: &str) -> Option<AddressRange> {
        address(text).map(|address| AddressRange { first: address, last: address })
    }

    /// Parses a block; any address of it will do before the slash.
    pub(super) fn parse(text: &str) -> Result<AddressRange, Fault> {
        let Some((network, bits)) = text.split_once('/').filter(|(_, bits)| !bits.contains('/')) else {
            return Err(Fault::nowhere("Malformed CIDR, one '/' required"));
        };
        let Ok(bits) = bits.parse::<i32>() else {
            return Err(Fault::nowhere("Malformed CIDR, mask bits must be an integer"));
        };
        let Ok(bits) = u32::try_from(bits) else {
            return Err(Fault::nowhere("Malformed CIDR, mask bits must not be negative"));
        };
        let Some(address) = address(network) else {
            return Err(Fault::nowhere(format!("Nonstandard IP address: {network}")));
        };
        let (first, last) = match address {
            IpAddr::V4(address) if bits < 32 => {
                let (address, host) = (address.to_bits(), u32::MAX >> bits);
                (Ipv4Addr::from_bits(address & !host).into(), Ipv4Addr::from_bits(address | host).into())
            }
            IpAddr::V6(address) if bits < 128 => {
                let (address, host) = (address.to_bits(), u128::MAX >> bits);
                (Ipv6Addr::from_bits(address & !host).into(), Ipv6Addr::from_bits(address | host).into())
            }
            IpAddr::V4(_) => return Err(Fault::nowhere("IPv4 mask bits must be < 32")),
            IpAddr::V6(_) => return Err(Fault::nowhere("IPv6 mask bits must be < 128")),
        };
        Ok(AddressRange { first, last })
    }

    /// A block as Sigma has it: whole addresses (`/32`, `/128`, no slash) are blocks too. `None` where it is none.
    pub fn block(text: &str) -> Option<AddressRange> {
        let Some((network, bits)) = text.split_once('/') else {
            return AddressRange::exactly(text);
        };
        let whole = if network.contains(':') { "128" } else { "32" };
        if bits == whole { AddressRange::exactly(network) } else { AddressRange::parse(text).ok() }
    }

    pub fn matches(&self, text: &str) -> bool {
        address(text).is_some_and(|address| {
            address.is_ipv4() == self.first.is_ipv4() && self.first <= address && address <= self.last
        })
    }
}

/// Reads an address as AWS does: leading zeros are allowed in IPv4, and an IPv4 address in IPv6 is that IPv4 address.
fn address(text: &str) -> Option<IpAddr> {
    if text.contains(':') {
        let hexadecimal = text.chars().all(|character| character.is_ascii_hexdigit() || character == ':');
        let address: Ipv6Addr = text.parse().ok().filter(|_| hexadecimal)?;
        return Some(address.to_ipv4_mapped().map_or(IpAddr::V6(address), IpAddr::V4));
    }
    let mut octets = text
        .split('.')
        .map(|part| part.parse::<u8>().ok().filter(|_| part.chars().all(|character| character.is_ascii_digit())));
    let address = Ipv4Addr::new(octets.next()??, octets.next()??, octets.next()??, octets.next()??);
    octets.next().is_none().then_some(IpAddr::V4(address))
}
