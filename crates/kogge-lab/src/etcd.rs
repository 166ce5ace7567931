//! etcd of its own for tests that need no Kubernetes: the server and its tools, for each minor release that Kogge runs.

use std::fmt;
use std::path::PathBuf;

use crate::error::Result;
use crate::go_module::{GoModule, Program};

/// The tools are their own repository's, unmodified; so is the server, whose package has another name.
const PROGRAMS: [Program; 3] = [
    Program { name: "etcd", package: "./etcd" },
    Program { name: "etcdctl", package: "go.etcd.io/etcd/etcdctl/v3" },
    Program { name: "etcdutl", package: "go.etcd.io/etcd/etcdutl/v3" },
];

const V3_5: GoModule = GoModule {
    name: "etcd-3.5",
    what: "etcd 3.5",
    takes: "about two minutes",
    programs: &PROGRAMS,
    sources: [
        ("etcd/main.go", include_str!("../etcd-3.5/etcd/main.go")),
        ("go.mod", include_str!("../etcd-3.5/go.mod")),
        ("go.sum", include_str!("../etcd-3.5/go.sum")),
    ],
    linker_flags: "-s -w",
};

const V3_6: GoModule = GoModule {
    name: "etcd-3.6",
    what: "etcd 3.6",
    takes: "about two minutes",
    programs: &PROGRAMS,
    sources: [
        ("etcd/main.go", include_str!("../etcd-3.6/etcd/main.go")),
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
        Ok(self.programs()?.etcd)
    }

    /// The paths of the programs, which are in one folder as in the official images, built if they are not there.
    pub fn programs(self) -> Result<EtcdPrograms> {
        let folder = match self {
            Self::V3_5 => V3_5.ensure(),
            Self::V3_6 => V3_6.ensure(),
        }?;
        let [etcd, etcdctl, etcdutl] = PROGRAMS.map(|program| folder.join(program.name));
        Ok(EtcdPrograms { etcd, etcdctl, etcdutl })
    }
}

/// The programs of a release.
#[derive(Debug, Clone)]
pub struct EtcdPrograms {
    /// The server.
    pub etcd: PathBuf,
    /// The client.
    pub etcdctl: PathBuf,
    /// The tool for data directories.
    pub etcdutl: PathBuf,
}

impl fmt::Display for Etcd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V3_5 => "3.5",
            Self::V3_6 => "3.6",
        })
    }
}
