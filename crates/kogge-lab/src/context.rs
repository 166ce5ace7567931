//! Where things of one cluster are: folders on the host, the same folders as the cluster's processes see them,
//! and its endpoints.

use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::address_plan::ClusterAddresses;
use crate::error::{IoContext, Result};
use crate::pki::ServerNames;
use crate::record::{ClusterRecord, LabRecord, runtime_folder};
use crate::spec::{CONTROL, LabName, Mode};

/// Port of the API server in a cluster that has a network of its own.
pub(crate) const API_PORT: u16 = 6443;

/// A lab as its parts see it.
#[derive(Debug)]
pub(crate) struct LabContext {
    pub(crate) name: LabName,
    pub(crate) record: LabRecord,
}

impl LabContext {
    pub(crate) fn new(record: LabRecord) -> Result<Arc<Self>> {
        Ok(Arc::new(Self { name: record.spec.validate()?, record }))
    }

    /// The folder for sockets and other things that end with the lab's processes.
    pub(crate) fn runtime(&self) -> PathBuf {
        runtime_folder(&self.name)
    }

    /// The clusters of the lab, control first.
    pub(crate) fn clusters(self: &Arc<Self>) -> Vec<ClusterContext> {
        self.record
            .clusters
            .iter()
            .map(|record| ClusterContext { lab: Arc::clone(self), record: record.clone() })
            .collect()
    }

    /// The network namespace that stands for the network between the data centres.
    pub(crate) fn wan_namespace(&self) -> String {
        format!("{}-wan", self.name)
    }

    /// The host's interface on that network.
    pub(crate) fn host_interface(&self) -> String {
        format!("kogge{}", self.record.slot.0)
    }
}

/// One cluster as its parts see it.
#[derive(Debug, Clone)]
pub(crate) struct ClusterContext {
    pub(crate) lab: Arc<LabContext>,
    pub(crate) record: ClusterRecord,
}

/// Ports and addresses of the control plane.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Endpoints {
    /// Where the API server is reached.
    pub(crate) api: Ipv4Addr,
    /// Where it listens.
    pub(crate) api_bind: Ipv4Addr,
    pub(crate) api_port: u16,
    pub(crate) etcd_port: u16,
    pub(crate) etcd_peer_port: u16,
    pub(crate) controller_manager_port: u16,
}

impl ClusterContext {
    pub(crate) fn name(&self) -> &str {
        &self.record.name
    }

    pub(crate) fn mode(&self) -> Mode {
        self.lab.record.spec.mode
    }

    pub(crate) fn is_control(&self) -> bool {
        self.name() == CONTROL
    }

    /// What outlives a crash, on the host.
    pub(crate) fn disk(&self) -> PathBuf {
        self.lab.record.folder.join(self.name())
    }

    /// What does not outlive a crash, on the host. Inside a node it is `/run`.
    pub(crate) fn runtime(&self) -> PathBuf {
        self.lab.runtime().join(self.name())
    }

    /// A file of [`Self::disk`] as the cluster's processes see it.
    pub(crate) fn inside(&self, file: &str) -> String {
        let disk = if self.mode() == Mode::Full { PathBuf::from("/run/disk") } else { self.disk() };
        disk.join(file).to_string_lossy().into_owned()
    }

    /// The log file of a component.
    pub(crate) fn log(&self, component: &str) -> PathBuf {
        self.disk().join("log").join(format!("{component}.log"))
    }

    /// What marks a component's process.
    pub(crate) fn marker(&self, component: &str) -> PathBuf {
        self.runtime().join(component)
    }

    pub(crate) fn certificates(&self) -> PathBuf {
        self.disk().join("pki")
    }

    pub(crate) fn audit_log(&self) -> PathBuf {
        self.disk().join("log/audit.log")
    }

    pub(crate) fn addresses(&self) -> ClusterAddresses {
        self.lab.record.slot.cluster(self.record.index)
    }

    /// The node's network namespace.
    pub(crate) fn namespace(&self) -> String {
        format!("{}-{}", self.lab.name, self.name())
    }

    /// The socket of the node's containerd, on the host.
    pub(crate) fn containerd_socket(&self) -> PathBuf {
        self.runtime().join("containerd/containerd.sock")
    }

    pub(crate) fn endpoints(&self) -> Endpoints {
        match self.record.ports {
            Some(ports) => Endpoints {
                api: Ipv4Addr::LOCALHOST,
                api_bind: Ipv4Addr::LOCALHOST,
                api_port: ports.api,
                etcd_port: ports.etcd,
                etcd_peer_port: ports.etcd_peer,
                controller_manager_port: ports.controller_manager,
            },
            None => Endpoints {
                api: self.addresses().node,
                api_bind: Ipv4Addr::UNSPECIFIED,
                api_port: API_PORT,
                etcd_port: 2379,
                etcd_peer_port: 2380,
                controller_manager_port: 10257,
            },
        }
    }

    pub(crate) fn api_url(&self) -> String {
        let endpoints = self.endpoints();
        format!("https://{}:{}", endpoints.api, endpoints.api_port)
    }

    pub(crate) fn server_names(&self) -> ServerNames {
        let addresses = [self.endpoints().api, Ipv4Addr::LOCALHOST, self.addresses().api_service];
        ServerNames {
            addresses: addresses.map(IpAddr::V4).to_vec(),
            names: [
                "localhost",
                "kubernetes",
                "kubernetes.default",
                "kubernetes.default.svc",
                "kubernetes.default.svc.cluster.local",
            ]
            .map(str::to_owned)
            .to_vec(),
        }
    }

    /// Whether this cluster's node has routes to the pods of `other`, and the other way round.
    pub(crate) fn routes_pods_to(&self, other: &Self) -> bool {
        self.name() != other.name()
            && (self.lab.record.spec.control_routes || !(self.is_control() || other.is_control()))
    }

    /// Makes the folders that the cluster's processes expect.
    pub(crate) fn create_folders(&self) -> Result<()> {
        let create =
            |folder: &Path| std::fs::create_dir_all(folder).context(|| format!("create {}", folder.display()));
        for folder in
            ["pki", "conf", "log", "etcd", "tmp", "cni/net.d", "cni/state", "containerd", "kubelet", "var-log"]
        {
            create(&self.disk().join(folder))?;
        }
        for folder in ["disk", "bin", "containerd"] {
            create(&self.runtime().join(folder))?;
        }
        let store = self.disk().join("etcd");
        std::fs::set_permissions(&store, std::fs::Permissions::from_mode(0o700))
            .context(|| format!("protect {}", store.display()))
    }
}
