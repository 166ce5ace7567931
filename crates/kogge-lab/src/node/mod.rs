//! A node: one process id, mount and network namespace. Its first process holds it together; when that one dies,
//! the kernel ends everything in it at once, as a power cut does. Folders on the cluster's disk remain.

mod control_groups;
mod init;

use std::fs::{self, File};
use std::time::Duration;

use crate::command::run;
use crate::context::ClusterContext;
use crate::error::{IoContext, Result};
use crate::network;
use crate::process::{ProcessIdentity, ProcessTable, Start, start_detached};
use crate::wait::until_blocking;

pub(crate) use control_groups::end_processes;
pub(crate) use init::program as init_program;

/// What marks the node's first process.
const INIT: &str = "node";

/// Where the last of the node's own folders is mounted.
const LAST_MOUNT: &str = "/var/lib/cni";

/// A running node.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Node {
    init: ProcessIdentity,
}

impl Node {
    /// The node of a cluster, if it runs.
    pub(crate) fn find(cluster: &ClusterContext, table: &ProcessTable) -> Option<Self> {
        let process = table.component(&cluster.marker(INIT), init::PROGRAM)?;
        Some(Self { init: process.identity })
    }

    /// The node's first process.
    pub(crate) fn init(self) -> ProcessIdentity {
        self.init
    }

    /// Whether [`mount_folders`] came to its end; the lab may have been killed before.
    fn has_all_folders(self) -> bool {
        let mounts = fs::read_to_string(format!("/proc/{}/mountinfo", self.init.pid)).unwrap_or_default();
        mounts.lines().any(|line| line.split(' ').nth(4) == Some(LAST_MOUNT))
    }

    /// Words to put before a command so that it runs in the node.
    pub(crate) fn enter(self) -> Vec<String> {
        let target = self.init.pid.to_string();
        ["nsenter", "--target", &target, "--pid", "--mount", "--net", "--"].map(str::to_owned).to_vec()
    }
}

/// Powers the node on, unless it runs; tells whether it had to.
pub(crate) fn ensure(cluster: &ClusterContext) -> Result<bool> {
    if let Some(node) = Node::find(cluster, &ProcessTable::read()?) {
        if node.has_all_folders() {
            network::ensure_node(cluster)?;
            return Ok(false);
        }
        power_off(cluster)?;
    }
    clear_runtime(cluster)?;
    cluster.create_folders()?;
    network::ensure_node(cluster)?;
    let program = init::program()?;
    let log = cluster.log(INIT);
    let mut argv: Vec<String> =
        ["unshare", "--mount", "--propagation", "slave", "--pid", "--fork", "--mount-proc"]
            .map(str::to_owned)
            .to_vec();
    argv.push(program.to_string_lossy().into_owned());
    start_detached(&Start {
        marker: &cluster.marker(INIT),
        argv: &argv,
        prefix: &network::enter(&cluster.namespace()),
        log: &log,
    })?;
    let node =
        until_blocking(&format!("{}: the node's first process", cluster.name()), Duration::from_secs(10), || {
            let table = ProcessTable::read().map_err(|e| e.to_string())?;
            Node::find(cluster, &table).ok_or_else(|| format!("not there; see {}", log.display()))
        })?;
    mount_folders(cluster, node)?;
    Ok(true)
}

/// Cuts the node's power: all its processes end at once, those of its pods too, and its cable is dead.
pub(crate) fn power_off(cluster: &ClusterContext) -> Result<()> {
    control_groups::end_processes(&cluster.runtime())?;
    network::remove_node(cluster)?;
    clear_runtime(cluster)
}

/// Gives the node its own `/run`, `/tmp`, `/var/log` and `/var/lib/cni`, and the binaries at a fixed path.
fn mount_folders(cluster: &ClusterContext, node: Node) -> Result<()> {
    let runtime = cluster.runtime();
    let binary = runtime.join("bin/kubeparts");
    File::create(&binary).context(|| format!("create {}", binary.display()))?;
    fs::create_dir_all(LAST_MOUNT).context(|| format!("create {LAST_MOUNT}"))?;
    let (runtime, disk) = (runtime.display(), cluster.disk());
    let disk = disk.display();
    let kubeparts = cluster.lab.record.binaries.program("kubeparts");
    // The copies of other namespaces' mounts would keep those namespaces alive after they are deleted.
    let script = format!(
        "umount --recursive --lazy /run/netns 2>/dev/null || true
        mount --bind '{disk}' '{runtime}/disk'
        mount --bind '{}' '{runtime}/bin/kubeparts'
        mount --rbind '{runtime}' /run
        mount --bind /run/disk/tmp /tmp
        mount --bind /run/disk/var-log /var/log
        mount --bind /run/disk/cni/state {LAST_MOUNT}",
        kubeparts.display()
    );
    let target = node.init.pid.to_string();
    run(&["nsenter", "--target", &target, "--mount", "--", "sh", "-ec", &script]).map(drop)
}

/// Empties what does not outlive a power cut.
fn clear_runtime(cluster: &ClusterContext) -> Result<()> {
    let runtime = cluster.runtime();
    match fs::remove_dir_all(&runtime) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(e).context(|| format!("empty {}", runtime.display()))
        }
        _ => Ok(()),
    }
}
