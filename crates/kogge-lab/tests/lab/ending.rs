//! What is left when a lab ends, by any way. Looks with its own eyes, not with the lab's.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use kogge_lab::{Lab, base_folder, wait};

use crate::LAB;

/// Ids of the containers of a lab, from the folders that containerd keeps for them.
fn container_ids(lab: &str) -> BTreeSet<String> {
    let clusters = fs::read_dir(format!("/run/kogge-lab/{lab}")).into_iter().flatten().flatten();
    let tasks = clusters.map(|c| c.path().join("containerd/io.containerd.runtime.v2.task/k8s.io"));
    let folders = tasks.flat_map(|tasks| fs::read_dir(tasks).into_iter().flatten().flatten());
    folders.map(|f| f.file_name().to_string_lossy().into_owned()).collect()
}

/// Everything on the machine that names the lab.
fn traces(lab: &str, containers: &BTreeSet<String>) -> Vec<String> {
    let mut traces = Vec::new();
    let runtime = format!("/run/kogge-lab/{lab}");
    let disks = base_folder().join(lab);
    for process in fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.path()) {
        let read =
            |file: &str| String::from_utf8_lossy(&fs::read(process.join(file)).unwrap_or_default()).into_owned();
        let in_container = read("cgroup").lines().any(|line| containers.iter().any(|id| line.ends_with(id)));
        if in_container || read("environ").contains(&format!("{runtime}/")) {
            traces.push(format!("process {} {}", process.display(), read("cmdline").replace('\0', " ")));
        }
    }
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let ours = |line: &&str| line.contains(&format!("{runtime}/")) || line.contains(&*disks.to_string_lossy());
    traces.extend(mounts.lines().filter(ours).map(|line| format!("mount {line}")));
    for namespace in fs::read_dir("/run/netns").into_iter().flatten().flatten() {
        let name = namespace.file_name().to_string_lossy().into_owned();
        if name.starts_with(&format!("{lab}-")) {
            traces.push(format!("namespace {name}"));
        }
    }
    for hierarchy in fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten().map(|entry| entry.path()) {
        let groups = containers.iter().map(|id| hierarchy.join("k8s.io").join(id));
        traces.extend(groups.filter(|group| group.exists()).map(|group| format!("cgroup {}", group.display())));
    }
    let folders = [PathBuf::from(runtime), disks];
    traces.extend(
        folders.iter().filter(|folder| folder.exists()).map(|folder| format!("folder {}", folder.display())),
    );
    traces
}

pub(crate) async fn down_leaves_nothing(lab: Lab) -> anyhow::Result<()> {
    let containers = container_ids(LAB);
    anyhow::ensure!(!containers.is_empty(), "no containers ran");
    let seen = traces(LAB, &containers);
    for kind in ["process", "namespace", "cgroup", "folder"] {
        anyhow::ensure!(seen.iter().any(|trace| trace.starts_with(kind)), "no {kind} of a running lab is seen");
    }
    lab.down().await?;
    let left = traces(LAB, &containers);
    anyhow::ensure!(left.is_empty(), "left behind:\n{}", left.join("\n"));
    Ok(())
}

fn kogge_lab(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kogge-lab"));
    command.args(["--name", LAB]).args(words).stdin(Stdio::null());
    command
}

pub(crate) async fn a_lab_killed_half_way_is_completed_by_the_next_up() -> anyhow::Result<()> {
    let mut first = kogge_lab(&["up", "--workers", "1"]).spawn()?;
    let half_way = Path::new("/run/kogge-lab").join(LAB).join("vdc1/containerd/containerd.sock");
    wait::until("a half-started lab", Duration::from_mins(1), || async {
        half_way.exists().then_some(()).ok_or_else(|| "containerd of vdc1 has not started".to_owned())
    })
    .await?;
    first.kill()?;
    first.wait()?;
    anyhow::ensure!(kogge_lab(&["up", "--workers", "1"]).status()?.success(), "`up` after a kill fails");
    let lab = Lab::attach(LAB)?;
    let status = lab.status().await?;
    let ready = |c: &kogge_lab::ClusterStatus| c.api.is_ok() && c.node == Some(Ok(()));
    anyhow::ensure!(status.clusters.len() == 2 && status.clusters.iter().all(ready), "{status}");

    // A lab whose record is lost is swept all the same.
    fs::remove_file(format!("/run/kogge-lab/{LAB}/lab.json"))?;
    let containers = container_ids(LAB);
    anyhow::ensure!(kogge_lab(&["down"]).status()?.success(), "`down` without a record fails");
    let left = traces(LAB, &containers);
    anyhow::ensure!(left.is_empty(), "left behind:\n{}", left.join("\n"));
    Ok(())
}
