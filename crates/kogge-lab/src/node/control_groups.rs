//! Ending processes for good, with the control groups that their containers leave behind.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::error::Result;
use crate::process::{ProcessIdentity, ProcessTable, kill_and_wait, kill_marked};

/// Ends every process whose marker lies below `runtime` (the runtime folder of a lab or of one of its clusters)
/// with everything they started, pods included, and removes the control groups of their containers.
pub(crate) fn end_processes(runtime: &Path) -> Result<()> {
    let table = ProcessTable::read()?;
    let marked: Vec<_> = table.marked(runtime).iter().map(|p| p.identity).collect();
    let started = marked.iter().flat_map(|root| table.descendants(root.pid));
    let family: BTreeMap<i32, ProcessIdentity> = started.map(|p| (p.identity.pid, p.identity)).collect();
    let family: Vec<_> = family.into_values().collect();

    let mut groups = groups_of_processes(&family);
    let folders = fs::read_dir(runtime).into_iter().flatten().flatten().map(|entry| entry.path());
    for folder in folders.chain([runtime.to_owned()]) {
        groups.extend(groups_of_tasks(&folder));
    }
    kill_marked(runtime)?;
    kill_and_wait(&family)?;
    remove_control_groups(&groups);
    Ok(())
}

/// The control groups of the containers that containerd knows, ended ones too.
fn groups_of_tasks(runtime: &Path) -> BTreeSet<String> {
    let tasks = runtime.join("containerd/io.containerd.runtime.v2.task/k8s.io");
    let entries = fs::read_dir(tasks).into_iter().flatten().flatten();
    entries.map(|task| format!("k8s.io/{}", task.file_name().to_string_lossy())).collect()
}

/// The control groups that containers made of these processes are in.
fn groups_of_processes(processes: &[ProcessIdentity]) -> BTreeSet<String> {
    let lists =
        processes.iter().filter_map(|process| fs::read_to_string(format!("/proc/{}/cgroup", process.pid)).ok());
    lists.flat_map(|text| text.lines().filter_map(container_group).collect::<Vec<_>>()).collect()
}

/// The path of a container's control group out of a line of `/proc/<pid>/cgroup`. The container runtime makes
/// them below `/k8s.io`, one per container.
fn container_group(line: &str) -> Option<String> {
    let path = line.splitn(3, ':').nth(2)?;
    path.starts_with("/k8s.io/").then(|| path.trim_start_matches('/').to_owned())
}

/// Removes control groups in every hierarchy. One that others use again is left to them.
fn remove_control_groups(groups: &BTreeSet<String>) {
    let root = Path::new("/sys/fs/cgroup");
    let controllers = fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path());
    for hierarchy in std::iter::once(root.to_owned()).chain(controllers.filter(|path| path.is_dir())) {
        // Deeper groups sort behind the ones that hold them.
        for group in groups.iter().rev() {
            let _ = fs::remove_dir(hierarchy.join(group));
        }
        // The common parent goes with the last container of the last lab; until then it is not empty.
        let _ = fs::remove_dir(hierarchy.join("k8s.io"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_control_groups_of_containers_are_ours() {
        assert_eq!(container_group("8:pids:/k8s.io/ab12").as_deref(), Some("k8s.io/ab12"));
        assert_eq!(container_group("4:memory:/user.slice"), None);
        assert_eq!(container_group("0::/"), None);
    }
}
