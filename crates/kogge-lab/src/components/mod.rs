//! The processes of a cluster: how each is called and configured. Pure: rendering needs no machine.

mod apiserver;
mod containerd;
mod controller_manager;
mod etcd;
mod kube_proxy;
mod kubelet;
mod scheduler;

use std::fmt;
use std::str::FromStr;

use serde_json::Value;

use crate::context::ClusterContext;
use crate::error::{LabError, Result};
use crate::kubeconfig::{self, Entry};
use crate::spec::Mode;

pub(crate) use containerd::{SANDBOX_IMAGE, plugin_folder};

/// A process of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Component {
    /// The cluster's store.
    Etcd,
    /// The API server.
    ApiServer,
    /// The controllers of Kubernetes' own kinds.
    ControllerManager,
    /// Assigns pods to the node.
    Scheduler,
    /// The container runtime.
    Containerd,
    /// The node's agent.
    Kubelet,
    /// Service addresses on the node.
    KubeProxy,
}

/// What a component waits for before it is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Nothing.
    AtOnce,
    /// An API server that answers: some give up when there is none.
    WithApi,
    /// The images of the first pods, so that none backs off for the lack of one.
    WithImages,
}

impl Stage {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::AtOnce, Self::WithApi, Self::WithImages];
}

/// A file that a component reads, relative to the cluster's disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConfigFile {
    pub(crate) path: String,
    pub(crate) content: String,
}

impl ConfigFile {
    fn new(path: &str, content: impl Into<String>) -> Self {
        Self { path: path.to_owned(), content: content.into() }
    }

    fn yaml(path: &str, document: &Value) -> Result<Self> {
        let content = serde_saphyr::to_string(document).map_err(|e| LabError::document(path, e))?;
        Ok(Self::new(path, content))
    }

    /// A kubeconfig for the client certificate `user`.
    fn kubeconfig(cluster: &ClusterContext, user: &str) -> Result<Self> {
        let entry = Entry::read(&cluster.certificates(), cluster.name(), &cluster.api_url(), user)?;
        Ok(Self::new(&format!("conf/{user}.kubeconfig"), kubeconfig::render(&[entry])?))
    }
}

impl Component {
    /// All components, in the order in which they are started.
    pub const ALL: [Self; 7] = [
        Self::Etcd,
        Self::ApiServer,
        Self::Containerd,
        Self::ControllerManager,
        Self::Scheduler,
        Self::Kubelet,
        Self::KubeProxy,
    ];

    /// The components of a cluster of this mode, in the order in which they are started.
    pub fn of(mode: Mode) -> &'static [Self] {
        match mode {
            Mode::Full => &Self::ALL,
            Mode::ApiOnly => &[Self::Etcd, Self::ApiServer],
            Mode::ApiAndControllers => &[Self::Etcd, Self::ApiServer, Self::ControllerManager],
        }
    }

    /// The component's usual name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::ApiServer => "kube-apiserver",
            Self::ControllerManager => "kube-controller-manager",
            Self::Scheduler => "kube-scheduler",
            Self::Containerd => "containerd",
            Self::Kubelet => "kubelet",
            Self::KubeProxy => "kube-proxy",
        }
    }

    /// When it can start.
    pub(crate) const fn stage(self) -> Stage {
        match self {
            Self::Etcd | Self::ApiServer | Self::Containerd => Stage::AtOnce,
            Self::ControllerManager | Self::Scheduler | Self::KubeProxy => Stage::WithApi,
            Self::Kubelet => Stage::WithImages,
        }
    }

    /// File name of the program that runs.
    pub(crate) fn program(self, cluster: &ClusterContext) -> String {
        if self == Self::Containerd {
            return self.name().to_owned();
        }
        let program = cluster.lab.record.binaries.program(self.name());
        program.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// The whole command line.
    pub(crate) fn command_line(self, cluster: &ClusterContext) -> Vec<String> {
        let mut line = if self == Self::Containerd {
            vec![self.name().to_owned()]
        } else {
            let seen_as = (cluster.mode() == Mode::Full).then_some("/run/bin/kubeparts");
            cluster.lab.record.binaries.command(self.name(), seen_as)
        };
        line.extend(match self {
            Self::Etcd => etcd::flags(cluster),
            Self::ApiServer => apiserver::flags(cluster),
            Self::ControllerManager => controller_manager::flags(cluster),
            Self::Scheduler => scheduler::flags(cluster),
            Self::Containerd => containerd::flags(cluster),
            Self::Kubelet => kubelet::flags(cluster),
            Self::KubeProxy => kube_proxy::flags(cluster),
        });
        line
    }

    /// The files it reads.
    pub(crate) fn files(self, cluster: &ClusterContext) -> Result<Vec<ConfigFile>> {
        match self {
            Self::Etcd => Ok(Vec::new()),
            Self::ApiServer => apiserver::files(),
            Self::Containerd => containerd::files(cluster),
            Self::Kubelet => kubelet::files(cluster),
            Self::ControllerManager | Self::Scheduler | Self::KubeProxy => {
                Ok(vec![ConfigFile::kubeconfig(cluster, self.name())?])
            }
        }
    }
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Component {
    type Err = LabError;

    fn from_str(text: &str) -> Result<Self, LabError> {
        Self::ALL.into_iter().find(|c| c.name() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            LabError::Invalid(format!("component {text:?} is not known; known are {names}"))
        })
    }
}

/// `--key value` pairs as one word each.
fn flags<const N: usize>(pairs: [(&str, String); N]) -> Vec<String> {
    pairs.into_iter().map(|(key, value)| format!("--{key}={value}")).collect()
}

#[cfg(test)]
mod tests;
