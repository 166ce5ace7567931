//! Ending a lab: exactly what carries its marker, its namespaces and its folders; nothing is found by a program's name.

use std::fs;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, umount2};

use crate::context::LabContext;
use crate::error::{IoContext, LabError, Result};
use crate::network;
use crate::node::end_processes;
use crate::record::{LabRecord, base_folder, lock, runtime_folder};
use crate::spec::{LabName, Mode};

/// A file in each lab's folder, without which the folder is never deleted.
const FOLDER_MARK: &str = ".kogge-lab";

/// Ends the lab `name` with everything it started; a lab that is not there is fine.
pub(crate) fn end(name: &LabName) -> Result<()> {
    let _alone = lock(name)?;
    sweep(name)
}

/// As [`end`], for callers that hold the lab's lock.
pub(crate) fn sweep(name: &LabName) -> Result<()> {
    let record = LabRecord::read(name)?;
    let runtime = runtime_folder(name);
    let folder = record.as_ref().map_or_else(|| base_folder().join(name.as_str()), |r| r.folder.clone());
    end_processes(&runtime)?;
    if nix::unistd::geteuid().is_root() {
        // Only a lab with nodes owns the interface that its slot names.
        if let Some(record) = record.filter(|record| record.spec.mode == Mode::Full) {
            network::remove_wan(&*LabContext::new(record)?)?;
        }
        for namespace in namespaces_of(name) {
            network::remove_namespace(&namespace)?;
        }
        for below in [&folder, &runtime] {
            unmount_below(below)?;
        }
    }
    remove_folder(&folder)?;
    match fs::remove_dir_all(&runtime) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(e).context(|| format!("remove {}", runtime.display()))
        }
        _ => Ok(()),
    }
}

/// Makes the lab's folder; one that is there already must be a lab's.
pub(crate) fn create_folder(folder: &Path) -> Result<()> {
    if folder.exists() && !folder.join(FOLDER_MARK).is_file() {
        return Err(LabError::Invalid(format!(
            "{} is there and is no lab's folder: use another --name, or set $KOGGE_LAB_DIR",
            folder.display()
        )));
    }
    fs::create_dir_all(folder).context(|| format!("create {}", folder.display()))?;
    let mark = folder.join(FOLDER_MARK);
    fs::write(&mark, "").context(|| format!("write {}", mark.display()))
}

fn remove_folder(folder: &Path) -> Result<()> {
    if folder.join(FOLDER_MARK).is_file() {
        fs::remove_dir_all(folder).context(|| format!("remove {}", folder.display()))?;
    }
    Ok(())
}

/// The network namespaces with the names of the lab's parts.
fn namespaces_of(name: &LabName) -> Vec<String> {
    let entries = fs::read_dir("/run/netns").into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|entry| is_part_of(entry, name))
        .collect()
}

fn is_part_of(namespace: &str, lab: &LabName) -> bool {
    let Some(part) = namespace.strip_prefix(lab.as_str()).and_then(|rest| rest.strip_prefix('-')) else {
        return false;
    };
    let is_worker =
        part.strip_prefix("vdc").is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    is_worker || part == "wan" || part == crate::spec::CONTROL
}

/// Takes down mounts below a folder. Nodes mount in namespaces of their own, so there are none unless a start was
/// cut short at a bad moment.
fn unmount_below(folder: &Path) -> Result<()> {
    let table = fs::read_to_string("/proc/self/mountinfo").context(|| "read /proc/self/mountinfo".to_owned())?;
    for mount in mounts_below(&table, folder) {
        umount2(&mount, MntFlags::MNT_DETACH)
            .map_err(Into::into)
            .context(|| format!("unmount {}", mount.display()))?;
    }
    Ok(())
}

/// Mount points below a folder out of `/proc/self/mountinfo` (proc_pid_mountinfo(5)), deepest first.
fn mounts_below(table: &str, folder: &Path) -> Vec<PathBuf> {
    let points =
        table.lines().filter_map(|line| line.split(' ').nth(4)).map(|p| PathBuf::from(p.replace("\\040", " ")));
    let mut below: Vec<PathBuf> = points.filter(|point| point.starts_with(folder)).collect();
    below.sort();
    below.reverse();
    below
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_of_a_lab_with_a_longer_name_are_not_ours() -> Result<()> {
        let lab: LabName = "lab".parse()?;
        for ours in ["lab-wan", "lab-control", "lab-vdc12"] {
            assert!(is_part_of(ours, &lab), "{ours}");
        }
        for other in ["lab-2-wan", "lab2-vdc1", "lab-vdc", "lab-vdc1-control", "lab", "wan"] {
            assert!(!is_part_of(other, &lab), "{other}");
        }
        Ok(())
    }

    #[test]
    fn mounts_are_taken_down_from_the_deepest() {
        let table = "1 0 0:1 / / rw - ext4 d rw\n2 1 0:2 / /lab/a rw - tmpfs t rw\n3 2 0:3 / /lab/a/b rw - tmpfs t rw\n4 1 0:4 / /labour rw - tmpfs t rw\n";
        let expected = ["/lab/a/b", "/lab/a"].map(PathBuf::from);
        assert_eq!(mounts_below(table, Path::new("/lab")), expected);
    }

    #[test]
    fn a_folder_that_is_no_labs_is_never_deleted() -> Result<()> {
        let folder = tempfile::tempdir().context(String::new)?;
        let strange = folder.path().join("home");
        fs::create_dir(&strange).context(String::new)?;
        assert!(create_folder(&strange).is_err());
        remove_folder(&strange)?;
        assert!(strange.exists());
        let ours = folder.path().join("lab");
        create_folder(&ours)?;
        remove_folder(&ours)?;
        assert!(!ours.exists());
        Ok(())
    }
}
