//! What clients find again.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use kogge_api::gate::Disk;
use kogge_lab::Etcd;

use crate::etcd::{Cluster, names};
use crate::pod::Pod;

const KEYS: u64 = 20;

/// Of three servers one is gone, so that each acknowledged write is in both logs that are left; then both are killed right
/// after the last acknowledgment, and the follower's disk is all that is left. It has never heard that its last entries
/// are committed.
fn all_is_there_again(release: Etcd) {
    let mut cluster = Cluster::start(release, 3);
    let (leader, follower) = cluster.leader_and_follower();
    cluster.kill(&[3 - leader - follower]);
    let client = cluster.client(&cluster.servers[leader].client_url);
    for key in 0..KEYS {
        client.try_put(&format!("key/{key}"), "value").unwrap();
    }
    let (_, before) = client.count("key/");
    client.try_put("key/last", "value").unwrap();
    cluster.kill(&[leader, follower]);
    let server = &cluster.servers[follower];
    let original = contents(&server.data());
    let former = crate::etcd::Header { member_id: owner(server), ..before };

    let pod = Pod::on(server, former);
    assert!(pod.init().success());
    let waits = pod.report();
    assert_eq!(waits.disk(), Some(Disk::Data));
    assert!(waits.to_string().contains("is to be restored"), "{waits}");

    assert_eq!(pod.serve(&cluster.programs.etcd).ended(), Some(76), "{}", pod.report());
    let kept = pod.kept().file_name().unwrap().to_string_lossy().into_owned();
    let restored = pod.report().to_string();
    assert!(restored.contains(&format!("member {:x}", pod.member_id)) && restored.contains(&kept), "{restored}");
    assert_eq!(names(&pod.path("volume")), ["data", &kept]);
    assert_eq!(contents(&pod.kept()), original, "what was restored is as it was");

    let client = cluster.client(&server.client_url);
    let serving = pod.serve(&cluster.programs.etcd);
    client.wait();
    let (keys, header) = client.count("key/");
    assert_eq!((keys, header.member_id, header.cluster_id), (KEYS + 1, pod.member_id, pod.cluster_id));
    assert!(header.revision > before.revision, "{header:?} after {before:?}");
    let unseen = client.run(&["get", "first", "--rev", &(before.revision + 1000).to_string()]).unwrap_err();
    assert!(unseen.contains("compacted"), "{unseen}");
    let members = client.run(&["member", "list"]).unwrap();
    assert!(members.lines().count() == 1 && members.contains(&server.peer_url), "{members}");
    client.try_put("after", "value").unwrap();
    serving.kill();

    // From now on it starts as any server; the anchor's record of that comes later.
    for initialized in [false, true] {
        pod.write_anchor(initialized, crate::pod::TOKEN);
        let serving = pod.serve(&cluster.programs.etcd);
        client.wait();
        assert_eq!(client.count("after").0, 1);
        serving.kill();
        assert!(pod.report().to_string().contains(&kept));
    }
    fs::remove_dir_all(pod.kept()).unwrap();
    assert!(pod.init().success());
    assert!(!pod.report().to_string().contains(&kept));
}

#[test]
fn all_that_was_acknowledged_is_there_again_with_etcd_3_5() {
    all_is_there_again(Etcd::V3_5);
}

#[test]
fn all_that_was_acknowledged_is_there_again_with_etcd_3_6() {
    all_is_there_again(Etcd::V3_6);
}

/// The ID of the member that a disk is of: of one URL and the cluster's token, and all URLs' IDs make the cluster's.
fn owner(server: &crate::etcd::Server) -> u64 {
    let url = kogge_etcd::Url::new(server.peer_url.clone());
    kogge_etcd::ids::member_id(&[url], &kogge_etcd::Token::new("abcdefgh-0")).0
}

/// The files below a folder and what is in them.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                files.insert(path.strip_prefix(folder).unwrap().to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    files
}
