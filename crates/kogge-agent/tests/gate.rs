//! The gate as the kubelet runs it: its exit code, its termination message, and what it leaves on the disk.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use kogge_api::gate::{Disk, HoldReason, Report};
use serde_json::{Value, json};
use tempfile::TempDir;

const POD: &str = "ll2022-shard-0-vdc1-0";
const DEADLINE: Duration = Duration::from_secs(20);

/// A pod's mounts.
struct Mounts(TempDir);

#[cfg(test)]
impl Mounts {
    fn new() -> Self {
        let mounts = Self(tempfile::tempdir().unwrap());
        for folder in ["data", "anchor", "shared"] {
            fs::create_dir(mounts.path(folder)).unwrap();
        }
        mounts
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    /// Writes the anchor, as the kubelet does: all at once.
    fn anchor(&self, next: u32, member: &Value) {
        let anchor = json!({
            "clusterID": "abcdefgh",
            "name": "ll2022",
            "ownerUID": "owner",
            "epoch": 1,
            "specHash": "",
            "nextMemberId": {"shard-0": next},
            "members": {POD: member},
        });
        self.write_anchor(&anchor);
    }

    fn write_anchor(&self, anchor: &Value) {
        fs::write(self.path("draft"), anchor.to_string()).unwrap();
        fs::rename(self.path("draft"), self.path("anchor/anchor.json")).unwrap();
    }

    /// The init container's command.
    fn start(&self, patience: u32) -> Child {
        self.command(env!("CARGO_BIN_EXE_kogge-agent").as_ref(), patience).spawn().unwrap()
    }

    fn command(&self, program: &Path, patience: u32) -> Command {
        let mut command = Command::new(program);
        command
            .arg("gate")
            .arg("--data")
            .arg(self.path("data"))
            .arg("--anchor")
            .arg(self.path("anchor"))
            .arg("--termination-log")
            .arg(self.path("termination"))
            .arg("--shared")
            .arg(self.path("shared"))
            .args(["--cluster-id=abcdefgh", "--component=shard-0"])
            .args([format!("--pod={POD}"), format!("--patience={patience}")])
            .stdout(Stdio::piped());
        command
    }

    /// The command of the server's container: the gate that the init container has brought, then the server.
    fn serve(&self, server: &[&str]) -> ExitStatus {
        let mut command = self.command(&self.path("shared/kogge-agent"), 0);
        ended(command.arg("--").args(server).spawn().unwrap())
    }

    /// Starts it, and waits until it says that it holds.
    fn start_holding(&self) -> Child {
        let mut gate = self.start(600);
        let mut line = String::new();
        BufReader::new(gate.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains("held back"), "{line}");
        gate
    }

    fn run(&self) -> ExitStatus {
        ended(self.start(0))
    }

    fn report(&self) -> Report {
        Report::read(&fs::read_to_string(self.path("termination")).unwrap()).unwrap()
    }

    fn hold(&self) -> HoldReason {
        self.report().hold().unwrap().reason
    }

    fn marker(&self) -> Value {
        serde_json::from_str(&fs::read_to_string(self.path("data/.kogge")).unwrap()).unwrap()
    }
}

#[cfg(test)]
fn ended(mut gate: Child) -> ExitStatus {
    let begun = Instant::now();
    loop {
        if let Some(status) = gate.try_wait().unwrap() {
            return status;
        }
        assert!(begun.elapsed() < DEADLINE, "the gate does not end");
        sleep(Duration::from_millis(10));
    }
}

#[test]
fn from_the_first_start_to_a_lost_disk_and_back() {
    let mounts = Mounts::new();
    mounts.anchor(1, &json!({"initialized": false}));
    assert!(mounts.run().success());
    assert_eq!(
        mounts.marker(),
        json!({"clusterID": "abcdefgh", "pod": POD, "sinceMemberId": 1, "wasEmpty": true})
    );
    // The server writes its data, and the engine what it knows.
    fs::write(mounts.path("data/mongosim.redb"), "data").unwrap();
    mounts.anchor(2, &json!({"initialized": true, "memberId": 1}));
    assert!(mounts.run().success());
    assert_eq!(mounts.marker()["memberId"], 1);

    // Wiped: held, and nothing is written on the disk.
    fs::remove_file(mounts.path("data/mongosim.redb")).unwrap();
    fs::remove_file(mounts.path("data/.kogge")).unwrap();
    assert_eq!(mounts.run().code(), Some(75));
    assert_eq!(mounts.hold(), HoldReason::LostDisk);
    assert_eq!(fs::read_dir(mounts.path("data")).unwrap().count(), 0);

    // Admitted anew while it looks.
    let waiting = mounts.start_holding();
    mounts.anchor(3, &json!({"initialized": false, "memberId": 2}));
    assert!(ended(waiting).success());
    assert_eq!(
        mounts.marker(),
        json!({"clusterID": "abcdefgh", "pod": POD, "sinceMemberId": 2, "wasEmpty": true})
    );
}

#[test]
fn without_an_anchor_it_holds_until_there_is_one() {
    let mounts = Mounts::new();
    assert_eq!(mounts.run().code(), Some(75));
    assert_eq!(mounts.hold(), HoldReason::NoAnchor);
    fs::write(mounts.path("anchor/anchor.json"), "{").unwrap();
    assert_eq!(mounts.run().code(), Some(75));
    assert_eq!(mounts.hold(), HoldReason::NoAnchor);
    mounts.anchor(0, &json!({"initialized": false}));
    assert!(mounts.run().success());
}

#[test]
fn a_disk_that_is_not_mounted_is_a_failure() {
    let mounts = Mounts::new();
    mounts.anchor(0, &json!({"initialized": false}));
    fs::remove_dir(mounts.path("data")).unwrap();
    assert_eq!(mounts.run().code(), Some(75));
    assert_eq!(mounts.hold(), HoldReason::Failed);
}

#[test]
fn told_to_end_it_ends_at_once_and_lets_nothing_pass() {
    let mounts = Mounts::new();
    mounts.anchor(2, &json!({"initialized": true, "memberId": 1}));
    let gate = mounts.start_holding();
    assert!(Command::new("kill").arg(gate.id().to_string()).status().unwrap().success());
    let told = Instant::now();
    assert_eq!(ended(gate).code(), Some(143));
    assert!(told.elapsed() < Duration::from_secs(2));
    assert_eq!(mounts.hold(), HoldReason::LostDisk);
}

#[test]
fn the_server_starts_through_the_gate_and_every_change_is_reported_first() {
    let mounts = Mounts::new();
    mounts.anchor(1, &json!({"initialized": false}));
    assert!(mounts.run().success());
    assert_eq!(mounts.report().disk(), Some(Disk::Empty));

    // Nothing is new: the gate becomes the server, whose end is the container's.
    let (data, mark) = (mounts.path("data/mongosim.redb"), mounts.path("started"));
    let writes_data = ["sh", "-c", "echo data > \"$0\"; exit 3", data.to_str().unwrap()];
    assert_eq!(mounts.serve(&writes_data).code(), Some(3));
    assert_eq!(mounts.report().disk(), Some(Disk::Empty));

    // The container alone is started again: the disk is another than was reported.
    let starts = ["touch", mark.to_str().unwrap()];
    assert_eq!(mounts.serve(&starts).code(), Some(76));
    assert_eq!(mounts.report().disk(), Some(Disk::Unused));
    assert!(!mark.exists());
    assert!(mounts.serve(&starts).success());
    fs::remove_file(&mark).unwrap();

    // The member holds data, and its disk is wiped under the running server.
    mounts.anchor(2, &json!({"initialized": true, "memberId": 1}));
    assert_eq!(mounts.serve(&starts).code(), Some(76));
    assert_eq!(mounts.report().disk(), Some(Disk::Data));
    fs::remove_dir_all(mounts.path("data")).unwrap();
    fs::create_dir(mounts.path("data")).unwrap();
    assert_eq!(mounts.serve(&starts).code(), Some(75));
    assert_eq!(mounts.hold(), HoldReason::LostDisk);
    assert!(!mark.exists());

    // Admitted under another id, it reports the empty disk before its server starts on it.
    mounts.anchor(3, &json!({"initialized": false, "memberId": 2}));
    assert_eq!(mounts.serve(&starts).code(), Some(76));
    assert_eq!(mounts.report().disk(), Some(Disk::Empty));
    assert!(mounts.serve(&starts).success());
}

#[test]
fn a_report_that_was_not_published_is_reported_again() {
    let mounts = Mounts::new();
    mounts.anchor(1, &json!({"initialized": false}));
    assert!(mounts.run().success());
    fs::remove_file(mounts.path("shared/report")).unwrap();
    assert_eq!(mounts.serve(&["true"]).code(), Some(76));
    assert_eq!(mounts.serve(&["true"]).code(), Some(0));
}

#[test]
fn a_server_that_cannot_be_started_is_named() {
    let mounts = Mounts::new();
    mounts.anchor(1, &json!({"initialized": false}));
    assert!(mounts.run().success());
    assert_eq!(mounts.serve(&["/nonexistent/mongod"]).code(), Some(75));
    let hold = mounts.report().hold().cloned().unwrap();
    assert!(hold.reason == HoldReason::Failed && hold.message.contains("/nonexistent/mongod"), "{hold}");
}

/// An anchor of an etcd cluster that has begun, and that allows the member this start.
#[cfg(test)]
fn anchor_of_etcd(start: &Value) -> Value {
    json!({
        "clusterID": "abcdefgh",
        "name": "orders",
        "ownerUID": "owner",
        "epoch": 1,
        "specHash": "",
        "changes": 2,
        "seed": {"pod": "orders-etcd-vdc9-0", "incarnation": 0, "memberId": "1", "clusterId": "9"},
        "members": {POD: {"change": 2, "memberId": "7", "start": start}},
    })
}

#[test]
fn a_server_of_etcd_waits_for_its_flags_and_a_start_that_left_nothing_is_not_used_again() {
    let mounts = Mounts::new();
    mounts.write_anchor(&anchor_of_etcd(&Value::Null));
    let gate = |program: &Path| {
        let mut command = mounts.command(program, 0);
        command.args(["--engine=etcd", "--pod-uid=uid-1"]);
        command
    };
    assert!(ended(gate(env!("CARGO_BIN_EXE_kogge-agent").as_ref()).spawn().unwrap()).success());
    assert_eq!(mounts.report().disk(), Some(Disk::Empty));

    let program = mounts.path("shared/kogge-agent");
    let mut server = gate(&program).args(["--", "echo", "--name=a"]).spawn().unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.next().unwrap().contains("waits until the anchor says how its server starts"));
    let initial = json!({"http://a:2380": "a", "http://b:2380": "b"});
    let start = json!({"uid": "uid-1", "state": "existing", "token": "t-0", "initialCluster": initial});
    mounts.write_anchor(&anchor_of_etcd(&start));
    assert!(lines.next().unwrap().contains("the server starts"));
    assert_eq!(
        lines.next().unwrap(),
        "--name=a --initial-cluster-state=existing --initial-cluster-token=t-0 \
         --initial-cluster=a=http://a:2380,b=http://b:2380"
    );
    assert!(ended(server).success());

    // The kubelet starts the container again, and the disk is as empty as before.
    assert_eq!(ended(gate(&program).args(["--", "echo"]).spawn().unwrap()).code(), Some(75));
    assert_eq!(mounts.hold(), HoldReason::LostDisk);
}
