//! The Kubernetes binaries: one multi-call binary linked from Go modules.

use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::go_module::{GoModule, Program};
use crate::spec::Mode;

const PROGRAM: &str = "kubeparts";

const KUBEPARTS: GoModule = GoModule {
    name: PROGRAM,
    what: "Kubernetes, etcd and CoreDNS in one binary",
    takes: "about 5 minutes",
    programs: &[Program { name: PROGRAM, package: "." }],
    sources: [
        ("main.go", include_str!("../kubeparts/main.go")),
        ("go.mod", include_str!("../kubeparts/go.mod")),
        ("go.sum", include_str!("../kubeparts/go.sum")),
    ],
    linker_flags: "-s -w -X k8s.io/component-base/version.gitVersion=v1.34.4 \
        -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=34",
};

/// Where the components' programs come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Binaries {
    /// One binary that is called with the component's name as its first argument.
    Kubeparts(PathBuf),
    /// A folder with one binary per component, such as `$KUBEBUILDER_ASSETS`.
    Folder(PathBuf),
}

impl Binaries {
    /// The programs for a lab of this mode: `$KUBEBUILDER_ASSETS` where it suffices, else the binary built here.
    pub fn ensure(mode: Mode) -> Result<Self> {
        if mode == Mode::ApiOnly
            && let Some(folder) = std::env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from)
        {
            if ["etcd", "kube-apiserver"].iter().all(|program| folder.join(program).is_file()) {
                tracing::info!("using etcd and kube-apiserver of {}", folder.display());
                return Ok(Self::Folder(folder));
            }
            tracing::warn!(
                "$KUBEBUILDER_ASSETS ({}) lacks etcd or kube-apiserver and is not used",
                folder.display()
            );
        }
        ensure().map(Self::Kubeparts)
    }

    /// Whether the programs are still there.
    pub(crate) fn exist(&self) -> bool {
        self.program("kube-apiserver").is_file()
    }

    /// The start of a component's command line; `seen_as` is the binary's path where the component runs.
    pub(crate) fn command(&self, component: &str, seen_as: Option<&str>) -> Vec<String> {
        match self {
            Self::Kubeparts(path) => {
                let path = seen_as.map_or_else(|| path.to_string_lossy().into_owned(), str::to_owned);
                vec![path, component.to_owned()]
            }
            Self::Folder(folder) => vec![folder.join(component).to_string_lossy().into_owned()],
        }
    }

    /// The file that runs when `component` runs.
    pub(crate) fn program(&self, component: &str) -> PathBuf {
        match self {
            Self::Kubeparts(path) => path.clone(),
            Self::Folder(folder) => {
                let path = folder.join(component);
                // What runs is what a link leads to.
                fs::canonicalize(&path).unwrap_or(path)
            }
        }
    }
}

/// The path of the multi-call binary, built if it is not there. The first build takes minutes.
pub(crate) fn ensure() -> Result<PathBuf> {
    Ok(KUBEPARTS.ensure()?.join(PROGRAM))
}

/// Names what the binary is made of.
pub(crate) fn version() -> String {
    KUBEPARTS.version()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_is_a_word_or_a_file() {
        let one = Binaries::Kubeparts("/cache/kubeparts".into());
        assert_eq!(one.command("etcd", None), ["/cache/kubeparts", "etcd"]);
        assert_eq!(one.command("etcd", Some("/run/bin/kubeparts")), ["/run/bin/kubeparts", "etcd"]);
        let many = Binaries::Folder("/assets".into());
        assert_eq!(many.command("etcd", None), ["/assets/etcd"]);
    }
}
