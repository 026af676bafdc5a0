//! Where requests may go whose address somebody else wrote: a state machine that calls an URL must not become a way to what only
//! this machine can reach, its own metadata service above all.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, ToSocketAddrs};
use std::sync::Arc;

use aws_smithy_runtime_api::client::dns::{DnsFuture, ResolveDns, ResolveDnsError};
use http::Uri;

/// What is allowed besides public hosts by HTTPS. Link-local addresses (169.254.169.254), multicast and reserved ones never are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Destinations {
    /// This machine itself, by HTTP too.
    pub loopback: bool,
    /// Private networks (10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10, fc00::/7), by HTTPS.
    pub private: bool,
}

/// A destination that is not allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Denied(pub String);

impl fmt::Display for Denied {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Denied {}

impl Destinations {
    /// What the URL itself tells; what its host resolves to is looked at when it is connected to.
    pub(super) fn check(self, uri: &Uri) -> Result<(), Denied> {
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let address = host.parse::<IpAddr>().ok();
        if let Some(address) = address {
            self.check_address(host, address)?;
        }
        let is_loopback = address.map_or(is_localhost(host), |address| kind(address) == Kind::Loopback);
        match uri.scheme_str() {
            Some("https") => Ok(()),
            Some("http") if is_loopback && self.loopback => Ok(()),
            _ => Err(Denied(format!("{host} can be called by https:// only"))),
        }
    }

    fn check_address(self, host: &str, address: IpAddr) -> Result<(), Denied> {
        let what = match kind(address) {
            Kind::Public => return Ok(()),
            Kind::Loopback if self.loopback => return Ok(()),
            Kind::Private if self.private => return Ok(()),
            Kind::Loopback => "this machine itself",
            Kind::Private => "in a private network",
            Kind::Reserved => "link-local or reserved",
        };
        let at = if host == address.to_string() { String::new() } else { format!(" ({address})") };
        Err(Denied(format!("{host}{at} is {what}, which can't be called from here")))
    }
}

fn is_localhost(host: &str) -> bool {
    host == "localhost" || host.ends_with(".localhost")
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Public,
    Loopback,
    Private,
    Reserved,
}

/// By <https://www.iana.org/assignments/iana-ipv4-special-registry> and its sister for IPv6.
fn kind(address: IpAddr) -> Kind {
    match address.to_canonical() {
        IpAddr::V4(address) => kind_of_v4(address),
        IpAddr::V6(address) => kind_of_v6(address),
    }
}

fn kind_of_v4(address: Ipv4Addr) -> Kind {
    let [a, b, c, _] = address.octets();
    match (a, b, c) {
        (127, _, _) => Kind::Loopback,
        (10, _, _) | (172, 16..=31, _) | (192, 168, _) | (100, 64..=127, _) => Kind::Private,
        (0 | 224..=255, _, _)
        | (169, 254, _)
        | (192, 0, 0 | 2)
        | (198, 18 | 19, _)
        | (198, 51, 100)
        | (203, 0, 113) => Kind::Reserved,
        _ => Kind::Public,
    }
}

fn kind_of_v6(address: Ipv6Addr) -> Kind {
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        kind_of_v4(Ipv4Addr::new(a, b, c, d))
    };
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] => Kind::Loopback,
        // The metadata service of an instance.
        [0xfd00, 0x0ec2, ..] => Kind::Reserved,
        [0xfc00..=0xfdff, ..] => Kind::Private,
        // IPv4 behind a translator, and 6to4.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => embedded(high, low),
        [0x2001, 0 | 0xdb8, ..] => Kind::Reserved,
        [0x2000..=0x3fff, ..] => Kind::Public,
        _ => Kind::Reserved,
    }
}

/// The system's resolver, less what is not allowed. A name with one such address is refused whole: the next question might be
/// answered with that one alone.
#[derive(Clone, Debug)]
pub(super) struct Resolver {
    destinations: Destinations,
    /// Names that are resolved to whatever they are: those of proxies.
    trusted: Arc<Vec<String>>,
}

impl Resolver {
    pub fn new(destinations: Destinations, trusted: Vec<String>) -> Resolver {
        Resolver { destinations, trusted: Arc::new(trusted) }
    }
}

impl ResolveDns for Resolver {
    fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
        DnsFuture::new(async move {
            let host = name.to_owned();
            let found = tokio::task::spawn_blocking(move || (host.as_str(), 0).to_socket_addrs()).await;
            let found = found.map_err(ResolveDnsError::new)?.map_err(ResolveDnsError::new)?;
            let addresses: Vec<IpAddr> = found.map(|address| address.ip()).collect();
            if !self.trusted.iter().any(|trusted| trusted == name) {
                for address in &addresses {
                    self.destinations.check_address(name, *address).map_err(ResolveDnsError::new)?;
                }
            }
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Destinations = Destinations { loopback: false, private: false };
    const LOOPBACK: Destinations = Destinations { loopback: true, private: false };
    const PRIVATE: Destinations = Destinations { loopback: false, private: true };

    #[test]
    fn only_public_hosts_by_https_unless_told() {
        for (url, allowed) in [
            ("https://api.example.com/x", [true, true, true]),
            ("http://api.example.com/x", [false, false, false]),
            ("https://93.184.216.34", [true, true, true]),
            ("https://[2606:2800:21f::1]/", [true, true, true]),
            ("http://127.0.0.1:8080/", [false, true, false]),
            ("http://localhost:8080/", [false, true, false]),
            ("https://127.0.0.1/", [false, true, false]),
            ("http://[::1]/", [false, true, false]),
            ("https://[::ffff:127.0.0.1]/", [false, true, false]),
            ("https://10.1.2.3/", [false, false, true]),
            ("http://10.1.2.3/", [false, false, false]),
            ("https://172.31.0.1/", [false, false, true]),
            ("https://192.168.1.1/", [false, false, true]),
            ("https://100.64.0.1/", [false, false, true]),
            ("https://[fd12::1]/", [false, false, true]),
            ("https://169.254.169.254/latest/meta-data", [false, false, false]),
            ("https://[fd00:ec2::254]/", [false, false, false]),
            ("https://[fe80::1]/", [false, false, false]),
            ("https://[::]/", [false, false, false]),
            ("https://0.0.0.0/", [false, false, false]),
            ("https://224.0.0.1/", [false, false, false]),
            ("https://[64:ff9b::a9fe:a9fe]/", [false, false, false]),
            ("https://[2002:a9fe:a9fe::]/", [false, false, false]),
        ] {
            let uri: Uri = url.parse().unwrap();
            let found = [NONE, LOOPBACK, PRIVATE].map(|destinations| destinations.check(&uri).is_ok());
            assert_eq!(found, allowed, "{url}");
        }
    }

    #[tokio::test]
    async fn names_are_judged_by_their_addresses() {
        let resolver = |destinations, trusted: &[&str]| {
            Resolver::new(destinations, trusted.iter().map(|name| (*name).to_owned()).collect())
        };
        assert!(resolver(LOOPBACK, &[]).resolve_dns("localhost").await.is_ok());
        assert!(resolver(NONE, &["localhost"]).resolve_dns("localhost").await.is_ok());
        let refused = resolver(NONE, &[]).resolve_dns("localhost").await.unwrap_err();
        let source = std::error::Error::source(&refused).unwrap();
        assert!(source.downcast_ref::<Denied>().is_some_and(|denied| denied.0.contains("this machine itself")));
    }
}
