//! The parts of a sharded cluster.

use std::fmt;
use std::str::FromStr;

/// One part of a sharded cluster: the routers, the config servers, or one of the shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Component {
    /// The config servers: a replica set that everything else leans on.
    Config,
    /// A shard: a replica set that holds a share of the data.
    Shard(u16),
    /// The routers, without state.
    Mongos,
}

impl Component {
    /// Every component of a cluster with that many shards, in the order in which changes reach them.
    pub fn all(shard_count: u16) -> impl Iterator<Item = Self> {
        [Self::Config].into_iter().chain((0..shard_count).map(Self::Shard)).chain([Self::Mongos])
    }

    /// The replica sets of a cluster with that many shards, in the order in which changes reach them.
    pub fn replica_sets(shard_count: u16) -> impl Iterator<Item = Self> {
        Self::all(shard_count).filter(|c| c.is_replica_set())
    }

    /// Whether its pods are members of a replica set.
    pub fn is_replica_set(self) -> bool {
        self != Self::Mongos
    }

    /// The name by which a chart knows it: `config`, `shard` or `mongos`.
    pub fn chart_component(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Shard(_) => "shard",
            Self::Mongos => "mongos",
        }
    }
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shard(index) => write!(f, "shard-{index}"),
            other => f.write_str(other.chart_component()),
        }
    }
}

/// A text that names no component.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} names no component: config, mongos or shard-<number>")]
pub struct InvalidComponent(String);

impl FromStr for Component {
    type Err = InvalidComponent;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "config" => Ok(Self::Config),
            "mongos" => Ok(Self::Mongos),
            _ => text
                .strip_prefix("shard-")
                .and_then(|index| index.parse().ok())
                .map(Self::Shard)
                .ok_or_else(|| InvalidComponent(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for component in Component::all(12) {
            assert_eq!(component.to_string().parse(), Ok(component));
        }
        assert!("shard-x".parse::<Component>().is_err());
    }

    #[test]
    fn config_servers_come_first_and_routers_last() {
        let order: Vec<String> = Component::all(2).map(|c| c.to_string()).collect();
        assert_eq!(order, ["config", "shard-0", "shard-1", "mongos"]);
    }
}
