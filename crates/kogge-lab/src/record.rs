//! What is written down about a standing lab: its spec, its slot and where its disks are. Which processes run is
//! not written down; the process table knows ([`crate::process`]).

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::address_plan::{Cidr, MAX_SLOTS, Slot};
use crate::command;
use crate::error::{IoContext, LabError, Result};
use crate::kubeparts::Binaries;
use crate::spec::{LabName, LabSpec, Mode};

/// The record of a lab, kept in its runtime folder.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LabRecord {
    pub(crate) spec: LabSpec,
    pub(crate) slot: Slot,
    /// The folder with the clusters' disks and logs.
    pub(crate) folder: PathBuf,
    pub(crate) binaries: Binaries,
    pub(crate) clusters: Vec<ClusterRecord>,
}

/// What is written down about one cluster.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ClusterRecord {
    pub(crate) name: String,
    pub(crate) index: u8,
    /// Ports on loopback, where the cluster has no network of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ports: Option<LoopbackPorts>,
}

/// Ports of a cluster without a network of its own.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LoopbackPorts {
    pub(crate) api: u16,
    pub(crate) etcd: u16,
    pub(crate) etcd_peer: u16,
    pub(crate) controller_manager: u16,
}

impl LoopbackPorts {
    /// Four ports that are free now.
    fn choose() -> Result<Self> {
        let listeners: Vec<_> = (0..4)
            .map(|_| TcpListener::bind(("127.0.0.1", 0)))
            .collect::<std::io::Result<_>>()
            .context(|| "find free ports on 127.0.0.1".to_owned())?;
        let ports: Vec<u16> = listeners
            .iter()
            .map(|l| l.local_addr().map(|a| a.port()))
            .collect::<std::io::Result<_>>()
            .context(|| "find free ports on 127.0.0.1".to_owned())?;
        match ports[..] {
            [api, etcd, etcd_peer, controller_manager] => Ok(Self { api, etcd, etcd_peer, controller_manager }),
            _ => Err(LabError::Invalid("four ports were asked for".to_owned())),
        }
    }
}

/// The folder that holds the runtime folders of all labs of this user. It does not outlive a boot, as processes
/// do not, and its path is short, as paths of unix sockets must be.
pub(crate) fn runtime_root() -> PathBuf {
    if nix::unistd::geteuid().is_root() {
        return "/run/kogge-lab".into();
    }
    match std::env::var_os("XDG_RUNTIME_DIR") {
        Some(folder) => PathBuf::from(folder).join("kogge-lab"),
        None => format!("/tmp/kogge-lab-{}", nix::unistd::geteuid()).into(),
    }
}

/// The runtime folder of the lab `name`.
pub(crate) fn runtime_folder(name: &LabName) -> PathBuf {
    runtime_root().join(name.as_str())
}

/// The folder for the labs' disks, logs and collected failures: `$KOGGE_LAB_DIR`, or `target/lab` of the workspace.
pub fn base_folder() -> PathBuf {
    if let Some(folder) = std::env::var_os("KOGGE_LAB_DIR") {
        return std::path::absolute(&folder).unwrap_or_else(|_| folder.into());
    }
    let here = std::env::current_dir().unwrap_or_default();
    let workspace = here.ancestors().find(|folder| folder.join("Cargo.lock").is_file()).unwrap_or(&here);
    workspace.join("target/lab")
}

/// Holds the lab of this name for one change at a time; released when dropped.
pub(crate) fn lock(name: &LabName) -> Result<File> {
    lock_file(&format!("{name}.lock"))
}

fn lock_file(file: &str) -> Result<File> {
    let root = runtime_root();
    fs::create_dir_all(&root).context(|| format!("create {}", root.display()))?;
    let path = root.join(file);
    let lock =
        File::options().create(true).append(true).open(&path).context(|| format!("open {}", path.display()))?;
    if lock.try_lock().is_err() {
        tracing::info!("waiting for another process that changes this lab ({})", path.display());
        lock.lock().context(|| format!("lock {}", path.display()))?;
    }
    Ok(lock)
}

impl LabRecord {
    /// The record of a standing lab, if there is one.
    pub(crate) fn read(name: &LabName) -> Result<Option<Self>> {
        read_file(&record_path(name))
    }

    /// Writes the record in one step.
    pub(crate) fn write(&self) -> Result<()> {
        let name = self.spec.validate()?;
        let path = record_path(&name);
        let folder = runtime_folder(&name);
        fs::create_dir_all(&folder).context(|| format!("create {}", folder.display()))?;
        let text = serde_json::to_string_pretty(self).map_err(|e| LabError::document("lab record", e))?;
        let draft = path.with_extension("draft");
        fs::write(&draft, text).context(|| format!("write {}", draft.display()))?;
        fs::rename(&draft, &path).context(|| format!("write {}", path.display()))
    }

    /// A new record in a free slot, written down before anything is made in that slot.
    pub(crate) fn create(spec: &LabSpec, binaries: Binaries) -> Result<Self> {
        let name = spec.validate()?;
        let _slots = lock_file("slots.lock")?;
        let slot = if spec.mode == Mode::Full { free_slot()? } else { Slot(0) };
        let record = Self {
            spec: spec.clone(),
            slot,
            folder: base_folder().join(name.as_str()),
            binaries,
            clusters: Vec::new(),
        };
        record.write()?;
        Ok(record)
    }

    /// Brings the list of clusters up to the spec.
    pub(crate) fn widen(&mut self, spec: LabSpec) -> Result<()> {
        self.spec = spec;
        for (index, name) in self.spec.cluster_names() {
            if self.clusters.iter().all(|c| c.name != name) {
                let ports = if self.spec.mode == Mode::Full { None } else { Some(LoopbackPorts::choose()?) };
                self.clusters.push(ClusterRecord { name, index, ports });
            }
        }
        self.write()
    }
}

fn record_path(name: &LabName) -> PathBuf {
    runtime_folder(name).join("lab.json")
}

fn read_file(path: &Path) -> Result<Option<LabRecord>> {
    match fs::read_to_string(path) {
        // A record of another version of the lab cannot be used; the lab is swept as if it were lost.
        Ok(text) => Ok(serde_json::from_str(&text)
            .inspect_err(|e| tracing::warn!("{} is not readable ({e}); the lab is swept", path.display()))
            .ok()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(LabError::Io { what: format!("read {}", path.display()), source }),
    }
}

/// The names of all labs that have a runtime folder.
pub(crate) fn standing_labs() -> Vec<LabName> {
    let Ok(entries) = fs::read_dir(runtime_root()) else { return Vec::new() };
    let mut names: Vec<LabName> = entries
        .flatten()
        .filter(|entry| entry.path().is_dir())
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    names.sort();
    names
}

fn free_slot() -> Result<Slot> {
    let mut taken = BTreeSet::new();
    for name in standing_labs() {
        taken.extend(LabRecord::read(&name)?.filter(|r| r.spec.mode == Mode::Full).map(|r| r.slot));
    }
    let routes = host_routes()?;
    (0..MAX_SLOTS)
        .map(Slot)
        .find(|slot| !taken.contains(slot) && !routes.iter().any(|route| route.overlaps(slot.wan())))
        .ok_or_else(|| {
            LabError::Missing(
                "no network is free for the lab: 10.100.0.0/24 to 10.100.15.0/24 are taken by other labs or routes of the host".to_owned(),
            )
        })
}

/// The networks that the host routes elsewhere; default routes are none.
fn host_routes() -> Result<Vec<Cidr>> {
    let text = command::run(&["ip", "-4", "-json", "route", "show", "table", "main"])?;
    let routes: Vec<serde_json::Value> =
        serde_json::from_str(&text).map_err(|e| LabError::document("`ip route`", e))?;
    Ok(routes.iter().filter_map(|route| route.get("dst")?.as_str()?.parse().ok()).collect())
}
