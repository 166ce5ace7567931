//! etcd of its own for tests that need no Kubernetes: one small binary for each minor release that Kogge runs.

use std::fmt;
use std::path::PathBuf;

use crate::error::Result;
use crate::go_program::GoProgram;

const V3_5: GoProgram = GoProgram {
    name: "etcd-3.5",
    what: "etcd 3.5",
    takes: "about a minute",
    sources: [
        ("main.go", include_str!("../etcd-3.5/main.go")),
        ("go.mod", include_str!("../etcd-3.5/go.mod")),
        ("go.sum", include_str!("../etcd-3.5/go.sum")),
    ],
    linker_flags: "-s -w",
};

const V3_6: GoProgram = GoProgram {
    name: "etcd-3.6",
    what: "etcd 3.6",
    takes: "about a minute",
    sources: [
        ("main.go", include_str!("../etcd-3.6/main.go")),
        ("go.mod", include_str!("../etcd-3.6/go.mod")),
        ("go.sum", include_str!("../etcd-3.6/go.sum")),
    ],
    linker_flags: "-s -w",
};

/// A minor release of etcd that Kogge runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Etcd {
    /// 3.5.
    V3_5,
    /// 3.6.
    V3_6,
}

impl Etcd {
    /// All of them, oldest first.
    pub const ALL: [Self; 2] = [Self::V3_5, Self::V3_6];

    /// The path of the server, built if it is not there.
    pub fn ensure(self) -> Result<PathBuf> {
        match self {
            Self::V3_5 => V3_5.ensure(),
            Self::V3_6 => V3_6.ensure(),
        }
    }
}

impl fmt::Display for Etcd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V3_5 => "3.5",
            Self::V3_6 => "3.6",
        })
    }
}
