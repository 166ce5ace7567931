//! A restore that is killed, at any moment.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use kogge_lab::{Etcd, EtcdPrograms};
use tempfile::TempDir;

use crate::etcd::{Cluster, names};
use crate::pod::Pod;
use crate::wait::until;

/// etcd and etcdutl in a folder, one of them a script that says in the work folder that it has come so far, and waits.
pub(crate) struct Stopping {
    folder: TempDir,
}

impl Stopping {
    /// `before` says what the script does first.
    pub(crate) fn at(programs: &EtcdPrograms, name: &str, before: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for program in [&programs.etcd, &programs.etcdutl] {
            let link = folder.path().join(program.file_name().unwrap());
            if link.file_name().is_some_and(|file| file != name) {
                symlink(program, link).unwrap();
            }
        }
        let script = folder.path().join(name);
        let real = programs.etcd.with_file_name(name);
        let text = format!("#!/bin/sh\nREAL={}\n{before}\necho $$ > here\nexec sleep 600\n", real.display());
        fs::write(&script, text).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        Self { folder }
    }

    pub(crate) fn etcd(&self) -> PathBuf {
        self.folder.path().join("etcd")
    }
}

fn exists(path: &Path) -> Result<(), String> {
    if path.exists() { Ok(()) } else { Err(format!("{} is not there", path.display())) }
}

fn goes_on_wherever_it_was_killed(release: Etcd) {
    let mut cluster = Cluster::start(release, 1);
    let client = cluster.client(&cluster.servers[0].client_url);
    for key in 0..5 {
        client.try_put(&format!("key/{key}"), "value").unwrap();
    }
    let (_, former) = client.count("key/");
    cluster.kill(&[0]);
    let programs = &cluster.programs;
    let pod = Pod::on(&cluster.servers[0], former);
    assert!(pod.init().success());

    // While it copies.
    let container = pod.serve(&programs.etcd);
    until("a copy", || exists(&pod.work().join("copy")));
    container.kill();
    assert!(!pod.kept().exists(), "too late to be killed while it copies");
    let help = "case \"$*\" in *--help*) exec $REAL \"$@\";; esac";
    let phases = [
        // Before the server serves on the copy, and when it has ended.
        ("etcd", String::new()),
        ("etcdutl", help.to_owned()),
        // Amid what etcdutl makes, and when that is complete.
        ("etcdutl", format!("{help}\nmkdir -p new/member/wal\ntouch new/member/wal/0.tmp")),
        ("etcdutl", format!("{help}\n$REAL \"$@\"")),
    ];
    for (name, before) in phases {
        let stopping = Stopping::at(programs, name, &before);
        let container = pod.serve(&stopping.etcd());
        until("a phase", || exists(&pod.work().join("here")));
        container.kill();
        assert!(exists(&pod.server.data()).is_ok() && !pod.kept().exists(), "the original is in its place");
        assert!(pod.init().success(), "{}: {}", name, pod.report());
        assert!(pod.report().to_string().contains("is to be restored"), "{}", pod.report());
    }
    assert_eq!(pod.serve(&programs.etcd).ended(), Some(76), "{}", pod.report());
    let restored = pod.report();

    // It is complete, and has not taken its place.
    let (data, complete) = (pod.server.data(), pod.work().join("restored"));
    let apart = || {
        fs::create_dir_all(pod.work().join("copy")).unwrap();
        fs::rename(&data, &complete).unwrap();
    };
    apart();
    fs::rename(pod.kept(), &data).unwrap();
    assert!(pod.init().success());
    let nothing = Stopping::at(programs, "etcdutl", "exit 1");
    assert_eq!(pod.serve(&nothing.etcd()).ended(), Some(76), "{}", pod.report());
    assert_eq!(pod.report(), restored);
    // Between the two renames.
    apart();
    let kept = pod.kept().file_name().unwrap().to_string_lossy().into_owned();
    assert_eq!(pod.serve("true".as_ref()).ended(), Some(0), "{}", pod.report());
    assert_eq!(names(&pod.path("volume")), ["data", &kept]);
    // Only what is left is to be removed.
    fs::create_dir_all(pod.work().join("copy")).unwrap();
    assert_eq!(pod.serve("true".as_ref()).ended(), Some(0), "{}", pod.report());
    assert_eq!(names(&pod.path("volume")), ["data", &kept]);

    let serving = pod.serve(&programs.etcd);
    client.wait();
    let (keys, header) = client.count("key/");
    assert_eq!((keys, header.cluster_id), (5, pod.cluster_id));
    serving.kill();

    // The former data are brought back: what was written since is not on them.
    fs::rename(&data, pod.path("volume/other")).unwrap();
    fs::rename(pod.kept(), &data).unwrap();
    assert_eq!(pod.serve(&programs.etcd).ended(), Some(75));
    assert!(pod.report().to_string().starts_with("OldDisk: "), "{}", pod.report());
}

#[test]
fn a_restore_goes_on_wherever_it_was_killed_with_etcd_3_5() {
    goes_on_wherever_it_was_killed(Etcd::V3_5);
}

#[test]
fn a_restore_goes_on_wherever_it_was_killed_with_etcd_3_6() {
    goes_on_wherever_it_was_killed(Etcd::V3_6);
}
