//! Which addresses each cluster of each lab has. Pure: a slot and a cluster's index decide all of them.

use std::fmt;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

/// Most worker clusters in one lab.
pub const MAX_WORKERS: u8 = 16;

/// Most labs side by side.
pub const MAX_SLOTS: u8 = 16;

/// A lab's place in the address space: labs in different slots share no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Slot(pub u8);

/// An IPv4 network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cidr {
    address: Ipv4Addr,
    prefix: u8,
}

impl Cidr {
    /// The network of `address` with `prefix` leading bits (0 to 32).
    pub const fn new(address: Ipv4Addr, prefix: u8) -> Self {
        Self { address, prefix }
    }

    /// The `n`th address of the network.
    pub fn host(self, n: u8) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.address.to_bits() | u32::from(n))
    }

    /// Number of leading bits.
    pub const fn prefix(self) -> u8 {
        self.prefix
    }

    /// Whether the two networks share an address.
    pub fn overlaps(self, other: Self) -> bool {
        let shared = self.prefix.min(other.prefix);
        let mask = u32::MAX.checked_shl(32 - u32::from(shared)).unwrap_or(0);
        self.address.to_bits() & mask == other.address.to_bits() & mask
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl std::str::FromStr for Cidr {
    type Err = String;

    /// Reads `10.0.0.0/8` or a single address.
    fn from_str(text: &str) -> Result<Self, String> {
        let (address, prefix) = text.split_once('/').unwrap_or((text, "32"));
        let address = address.parse().map_err(|e| format!("{text}: {e}"))?;
        match prefix.parse() {
            Ok(prefix @ 0..=32) => Ok(Self { address, prefix }),
            _ => Err(format!("{text}: the prefix is not 0 to 32")),
        }
    }
}

impl Slot {
    /// The network that all nodes of the lab and the host are on.
    pub const fn wan(self) -> Cidr {
        Cidr::new(Ipv4Addr::new(10, 100, self.0, 0), 24)
    }

    /// The host's address on that network.
    pub fn host(self) -> Ipv4Addr {
        self.wan().host(254)
    }

    /// The addresses of the cluster with `index`: 0 is the control cluster, `n` is `vdc<n>`.
    pub fn cluster(self, index: u8) -> ClusterAddresses {
        let pods = Cidr::new(Ipv4Addr::new(10, 110 + self.0, index, 0), 24);
        let services = Cidr::new(Ipv4Addr::new(10, 140 + self.0, index, 0), 24);
        ClusterAddresses {
            node: self.wan().host(if index == 0 { 100 } else { index }),
            wan: self.wan(),
            pods,
            services,
            api_service: services.host(1),
            dns_service: services.host(10),
        }
    }
}

/// The addresses of one cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClusterAddresses {
    /// Its node, and with port 6443 its API server.
    pub node: Ipv4Addr,
    /// The network between the clusters.
    pub wan: Cidr,
    /// Its pods.
    pub pods: Cidr,
    /// Its services.
    pub services: Cidr,
    /// The service `kubernetes`.
    pub api_service: Ipv4Addr,
    /// The service `kube-dns`.
    pub dns_service: Ipv4Addr,
}

impl ClusterAddresses {
    /// A hardware address that stays when the node is made anew, so that neighbours need not learn it again.
    pub fn hardware_address(&self) -> String {
        let [a, b, c, d] = self.node.octets();
        format!("02:00:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_networks_of_any_labs_overlap() {
        let mut networks = Vec::new();
        for slot in (0..MAX_SLOTS).map(Slot) {
            networks.push(slot.wan());
            for index in 0..=MAX_WORKERS {
                let cluster = slot.cluster(index);
                networks.extend([cluster.pods, cluster.services]);
            }
        }
        for (i, a) in networks.iter().enumerate() {
            for b in &networks[i + 1..] {
                assert!(!a.overlaps(*b), "{a} and {b}");
            }
        }
    }

    #[test]
    fn nodes_have_addresses_of_their_own_beside_the_host() {
        let slot = Slot(2);
        let mut seen = vec![slot.host()];
        for index in 0..=MAX_WORKERS {
            let node = slot.cluster(index).node;
            assert!(!seen.contains(&node), "{node}");
            seen.push(node);
        }
    }

    #[test]
    fn networks_are_read_and_compared() -> Result<(), String> {
        let wide: Cidr = "10.0.0.0/8".parse()?;
        assert!(wide.overlaps(Slot(0).wan()));
        assert!(!"192.168.0.0/16".parse::<Cidr>()?.overlaps(wide));
        assert!("0.0.0.0/0".parse::<Cidr>()?.overlaps(wide));
        assert!("10.0.0.0/40".parse::<Cidr>().is_err());
        Ok(())
    }
}
