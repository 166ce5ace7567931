//! A restore that cannot be.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;

use kogge_api::gate::HoldReason;
use kogge_lab::Etcd;

use crate::etcd::{Cluster, names};
use crate::interrupted::Stopping;
use crate::pod::{Pod, TOKEN};
use crate::wait::until;

/// The pod's gate holds, for a reason that has these words, and the volume is as it was.
fn held(pod: &Pod<'_>, code: Option<i32>, words: &str) {
    let report = pod.report();
    assert_eq!(code, Some(75), "{report}");
    let hold = report.hold().unwrap();
    assert!(hold.reason == HoldReason::Failed && hold.message.contains(words), "{hold}");
    assert!(pod.server.data().exists() && !pod.kept().exists(), "{:?}", names(&pod.path("volume")));
}

#[test]
fn what_stands_against_a_restore_is_told_and_costs_nothing() {
    let mut cluster = Cluster::start(Etcd::V3_6, 1);
    let client = cluster.client(&cluster.servers[0].client_url);
    let (_, former) = client.count("first");
    cluster.kill(&[0]);
    let programs = &cluster.programs;
    let pod = Pod::on(&cluster.servers[0], former);

    // The volume is too full, or the database too large, which is the same.
    let database = pod.server.data().join("member/snap/db");
    let size = fs::metadata(&database).unwrap().len();
    let resize = |size| File::options().write(true).open(&database).unwrap().set_len(size).unwrap();
    resize(1 << 42);
    held(&pod, pod.init().code(), "make the volume larger");
    resize(size);
    assert!(pod.init().success());

    // The image lacks etcdutl.
    let folder = tempfile::tempdir().unwrap();
    let alone = folder.path().join("etcd");
    symlink(&programs.etcd, &alone).unwrap();
    held(&pod, pod.serve(&alone).ended(), "etcdutl cannot be started");

    // etcdutl fails.
    assert!(pod.init().success());
    let fails = Stopping::at(programs, "etcdutl", "echo no luck >&2; exit 3");
    held(&pod, pod.serve(&fails.etcd()).ended(), "no luck");

    // The server does not serve.
    assert!(pod.init().success());
    let fails = Stopping::at(programs, "etcd", "exit 3");
    held(&pod, pod.serve(&fails.etcd()).ended(), "before it served");

    // What it would become is not what the anchor says.
    pod.write_anchor(false, "another-token");
    assert!(pod.init().success());
    held(&pod, pod.serve(&programs.etcd).ended(), "the anchor says member");

    // It is told to end, and its programs end with it.
    pod.write_anchor(false, TOKEN);
    assert!(pod.init().success());
    let stopping = Stopping::at(programs, "etcd", "");
    let container = pod.serve(&stopping.etcd());
    let id = until("a server", || {
        let id = fs::read_to_string(pod.work().join("here")).map_err(|error| error.to_string())?;
        id.trim().parse::<u32>().map_err(|error| error.to_string())
    });
    container.terminate();
    assert_eq!(container.ended(), Some(143));
    let command = Path::new("/proc").join(id.to_string()).join("cmdline");
    until("the end of its server", || match fs::read_to_string(&command) {
        Ok(words) if !words.is_empty() => Err(words),
        _ => Ok(()),
    });

    assert_eq!(pod.serve(&programs.etcd).ended(), Some(76), "{}", pod.report());
}
