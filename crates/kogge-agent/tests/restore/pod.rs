//! The pod of a member whose cluster lost its majority.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use kogge_api::gate::Report;
use kogge_etcd::{Token, Url, ids};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::etcd::{Header, Server};
use crate::wait::until;

/// A pod on the volume of a server that was killed.
pub(crate) struct Pod<'a> {
    pub(crate) server: &'a Server,
    /// What the cluster was that its disk holds.
    pub(crate) former: Header,
    /// What it is restored as.
    pub(crate) member_id: u64,
    pub(crate) cluster_id: u64,
}

/// The UID of the pod, and the token of the cluster that is restored.
pub(crate) const UID: &str = "uid-1";
pub(crate) const TOKEN: &str = "abcdefgh-1";

impl<'a> Pod<'a> {
    /// The pod, with the anchor that allows the restore.
    pub(crate) fn on(server: &'a Server, former: Header) -> Self {
        for folder in ["anchor", "shared"] {
            fs::create_dir(server.folder.join(folder)).unwrap();
        }
        let member_id = ids::member_id(&[Url::new(server.peer_url.clone())], &Token::new(TOKEN));
        let cluster_id = ids::cluster_id(&[member_id]).0;
        let pod = Self { server, former, member_id: member_id.0, cluster_id };
        pod.write_anchor(false, TOKEN);
        pod
    }

    /// Writes the anchor; once the server has run, there is no start any more.
    pub(crate) fn write_anchor(&self, initialized: bool, token: &str) {
        let id = |id: u64| format!("{id:x}");
        let Server { name, peer_url, .. } = self.server;
        let start = json!({"uid": UID, "state": "new", "token": token, "initialCluster": {peer_url: name}});
        let member = json!({
            "change": 9,
            "memberId": id(self.member_id),
            "removed": id(self.former.member_id),
            "initialized": initialized,
            "start": if initialized { Value::Null } else { start },
        });
        let anchor = json!({
            "clusterID": "abcdefgh",
            "name": "orders",
            "ownerUID": "owner",
            "epoch": 1,
            "specHash": "",
            "changes": 9,
            "seed": {
                "pod": name,
                "incarnation": 1,
                "memberId": id(self.member_id),
                "clusterId": id(self.cluster_id),
                "restoredFrom": id(self.former.cluster_id),
            },
            "members": {name: member},
        });
        let draft = self.path("draft");
        fs::write(&draft, anchor.to_string()).unwrap();
        fs::rename(draft, self.path("anchor/anchor.json")).unwrap();
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.server.folder.join(file)
    }

    /// The folder that everything is made in.
    pub(crate) fn work(&self) -> PathBuf {
        self.path("volume/data.restoring")
    }

    /// The folder that keeps what was restored.
    pub(crate) fn kept(&self) -> PathBuf {
        self.path(&format!("volume/data.cluster-{:x}", self.former.cluster_id))
    }

    fn gate(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.args(["gate", "--engine=etcd", "--cluster-id=abcdefgh", "--component=etcd", "--patience=0"]);
        command.args([format!("--pod={}", self.server.name), format!("--pod-uid={UID}")]);
        for (flag, file) in [
            ("--data", "volume/data"),
            ("--anchor", "anchor"),
            ("--shared", "shared"),
            ("--termination-log", "termination"),
        ] {
            command.arg(flag).arg(self.path(file));
        }
        // Its programs end with it, as in a container.
        command.process_group(0).stdin(Stdio::null());
        command
    }

    /// The init container.
    pub(crate) fn init(&self) -> ExitStatus {
        self.gate(env!("CARGO_BIN_EXE_kogge-agent").as_ref()).status().unwrap()
    }

    /// The server's container, which starts as the gate.
    pub(crate) fn serve(&self, program: &Path) -> Container {
        let mut command = self.gate(&self.path("shared/kogge-agent"));
        command.arg("--").arg(program).args(self.server.flags());
        Container(Some(command.spawn().unwrap()))
    }

    /// What the gate reported last.
    pub(crate) fn report(&self) -> Report {
        Report::read(&fs::read_to_string(self.path("termination")).unwrap()).unwrap()
    }
}

/// A container that runs.
pub(crate) struct Container(Option<Child>);

impl Container {
    /// Its exit code, once it has ended by itself.
    pub(crate) fn ended(mut self) -> Option<i32> {
        let mut child = self.0.take().unwrap();
        until("a container that ends", || child.try_wait().unwrap().ok_or_else(|| "it runs".to_owned())).code()
    }

    /// As the kubelet tells it to end.
    pub(crate) fn terminate(&self) {
        let id = i32::try_from(self.0.as_ref().unwrap().id()).unwrap();
        nix::sys::signal::kill(Pid::from_raw(id), Signal::SIGTERM).unwrap();
    }

    /// kill -9, of all that runs in it.
    pub(crate) fn kill(self) {
        drop(self);
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            // It may have ended by itself.
            let _ = killpg(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGKILL);
            child.wait().unwrap();
        }
    }
}
