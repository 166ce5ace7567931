//! `NO_PROXY`: the servers that are asked directly, by the rules of Go's `golang.org/x/net/http/httpproxy`.

use std::net::IpAddr;

use http::Uri;
use http::uri::Scheme;

/// The servers that are asked directly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct NoProxy {
    everything: bool,
    entries: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Entry {
    /// `10.0.0.0/8`
    Network { address: IpAddr, prefix: u8 },
    /// `10.1.2.3`, `10.1.2.3:6443`, `[fd00::1]:6443`
    Address { address: IpAddr, port: Option<u16> },
    /// `example.com`, `.example.com`, `*.example.com`, each with a port or without. `suffix` begins with a dot;
    /// `itself` where the name without the dot counts as well.
    Domain { suffix: String, itself: bool, port: Option<u16> },
}

impl NoProxy {
    /// Reads the list. What is no entry is passed over, as Go does.
    pub(super) fn parse(list: &str) -> Self {
        let parts = || list.split(',').map(|part| part.trim().to_ascii_lowercase());
        Self {
            everything: parts().any(|part| part == "*"),
            entries: parts().filter_map(|p| Entry::parse(&p)).collect(),
        }
    }

    /// Whether the server is asked directly. This machine always is.
    pub(super) fn covers(&self, server: &Uri) -> bool {
        let Some(host) = server.host() else { return true };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        let default = if server.scheme() == Some(&Scheme::HTTP) { 80 } else { 443 };
        let port = server.port_u16().unwrap_or(default);
        let address = host.parse::<IpAddr>().ok().map(|address| address.to_canonical());
        host == "localhost"
            || address.is_some_and(|address| address.is_loopback())
            || self.everything
            || self.entries.iter().any(|entry| entry.covers(&host, address, port))
    }
}

impl Entry {
    fn parse(text: &str) -> Option<Self> {
        if let Some((address, prefix)) = text.split_once('/')
            && let (Ok(address), Ok(prefix)) = (address.parse::<IpAddr>(), prefix.parse::<u8>())
            && prefix <= if address.is_ipv4() { 32 } else { 128 }
        {
            return Some(Self::Network { address, prefix });
        }
        let (host, port) = split(text)?;
        if let Ok(address) = host.parse::<IpAddr>() {
            return Some(Self::Address { address: address.to_canonical(), port });
        }
        let host = host.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(host);
        match host {
            "" => None,
            suffix if suffix.starts_with('.') => {
                Some(Self::Domain { suffix: suffix.to_owned(), itself: false, port })
            }
            name => Some(Self::Domain { suffix: format!(".{name}"), itself: true, port }),
        }
    }

    fn covers(&self, host: &str, address: Option<IpAddr>, port: u16) -> bool {
        match self {
            Self::Network { address: network, prefix } => {
                address.is_some_and(|address| within(address, *network, *prefix))
            }
            Self::Address { address: other, port: only } => {
                address == Some(*other) && only.is_none_or(|only| only == port)
            }
            Self::Domain { suffix, itself, port: only } => {
                let named = host.ends_with(suffix.as_str()) || *itself && Some(host) == suffix.strip_prefix('.');
                named && only.is_none_or(|only| only == port)
            }
        }
    }
}

/// Host and port of an entry; none where it is malformed.
fn split(text: &str) -> Option<(&str, Option<u16>)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        return match rest.strip_prefix(':') {
            Some(port) => Some((host, Some(port.parse().ok()?))),
            None => rest.is_empty().then_some((host, None)),
        };
    }
    match text.split_once(':') {
        // More than one colon: an IPv6 address without brackets.
        Some((_, rest)) if rest.contains(':') => Some((text, None)),
        Some((host, port)) => Some((host, Some(port.parse().ok()?))),
        None => Some((text, None)),
    }
}

fn within(address: IpAddr, network: IpAddr, prefix: u8) -> bool {
    let equal = |a: u128, b: u128, width: u8| {
        let rest = u32::from(width - prefix.min(width));
        a.checked_shr(rest).unwrap_or(0) == b.checked_shr(rest).unwrap_or(0)
    };
    match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(b)) => equal(u128::from(a.to_bits()), u128::from(b.to_bits()), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => equal(a.to_bits(), b.to_bits(), 128),
        _ => false,
    }
}
