//! Servers of a cluster, and what its clients see.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use kogge_lab::{Etcd, EtcdPrograms};
use serde_json::Value;
use tempfile::TempDir;

use crate::wait::until;

/// A cluster, each server with a volume of its own.
pub(crate) struct Cluster {
    pub(crate) programs: EtcdPrograms,
    pub(crate) servers: Vec<Server>,
    _folder: TempDir,
}

/// One server.
pub(crate) struct Server {
    pub(crate) name: String,
    /// The folder of its pod.
    pub(crate) folder: PathBuf,
    pub(crate) client_url: String,
    pub(crate) peer_url: String,
    child: Option<Child>,
}

/// What the header of an answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) member_id: u64,
    pub(crate) cluster_id: u64,
    pub(crate) revision: u64,
}

/// URLs of ports that were free when they were looked for, all at once, so that none is found twice.
fn free_urls(count: usize) -> Vec<String> {
    let listeners: Vec<_> = (0..count).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()).collect();
    listeners.iter().map(|listener| format!("http://{}", listener.local_addr().unwrap())).collect()
}

impl Cluster {
    /// A cluster that serves.
    pub(crate) fn start(release: Etcd, size: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let urls = free_urls(2 * size);
        let server = |(number, urls): (usize, &[String])| Server {
            name: format!("orders-etcd-vdc{number}-0"),
            folder: folder.path().join(number.to_string()),
            client_url: urls[0].clone(),
            peer_url: urls[1].clone(),
            child: None,
        };
        let servers = urls.chunks(2).enumerate().map(server).collect();
        let mut cluster = Self { programs: release.programs().unwrap(), servers, _folder: folder };
        let initial: Vec<String> = cluster.servers.iter().map(|s| format!("{}={}", s.name, s.peer_url)).collect();
        let initial = [
            format!("--initial-cluster={}", initial.join(",")),
            "--initial-cluster-token=abcdefgh-0".to_owned(),
            "--initial-cluster-state=new".to_owned(),
        ];
        for server in &mut cluster.servers {
            let mut command = Command::new(&cluster.programs.etcd);
            server.child = Some(command.args(server.flags()).args(&initial).spawn().unwrap());
        }
        let urls: Vec<&str> = cluster.servers.iter().map(|server| server.client_url.as_str()).collect();
        for url in urls {
            until("a cluster that serves", || cluster.client(url).try_put("first", "value"));
        }
        cluster
    }

    /// A client of one server.
    pub(crate) fn client(&self, url: &str) -> Client {
        Client { etcdctl: self.programs.etcdctl.clone(), url: url.to_owned() }
    }

    /// The leader's number, and that of another.
    pub(crate) fn leader_and_follower(&self) -> (usize, usize) {
        let leads = |server: &Server| {
            let status = self.client(&server.client_url).json(&["endpoint", "status"]);
            let status = &status[0]["Status"];
            status["leader"] == status["header"]["member_id"]
        };
        let leader = self.servers.iter().position(leads).unwrap();
        (leader, (leader + 1) % self.servers.len())
    }

    /// kill -9, of all at once.
    pub(crate) fn kill(&mut self, numbers: &[usize]) {
        for number in numbers {
            self.servers[*number].child.as_mut().unwrap().kill().unwrap();
        }
        for number in numbers {
            self.servers[*number].child.take().unwrap().wait().unwrap();
        }
    }
}

impl Server {
    /// Its data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("volume/data")
    }

    /// The flags that it starts with every time.
    pub(crate) fn flags(&self) -> Vec<String> {
        let data = self.data();
        let flags = [
            ("name", self.name.as_str()),
            ("data-dir", &data.to_string_lossy()),
            ("listen-client-urls", &self.client_url),
            ("advertise-client-urls", &self.client_url),
            ("listen-peer-urls", &self.peer_url),
            ("initial-advertise-peer-urls", &self.peer_url),
            ("heartbeat-interval", "50"),
            ("election-timeout", "500"),
            ("log-level", "error"),
        ];
        let flags = flags.map(|(flag, value)| format!("--{flag}={value}"));
        flags.into_iter().chain(["--unsafe-no-fsync".to_owned()]).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().and_then(|()| child.wait()).unwrap();
        }
    }
}

/// A client, which is etcdctl.
pub(crate) struct Client {
    etcdctl: PathBuf,
    url: String,
}

impl Client {
    pub(crate) fn run(&self, words: &[&str]) -> Result<String, String> {
        let mut command = Command::new(&self.etcdctl);
        command.args(["--command-timeout=2s", "--dial-timeout=2s", "--endpoints", &self.url]).args(words);
        let output = command.stdin(Stdio::null()).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    fn json(&self, words: &[&str]) -> Value {
        let words = [words, &["--write-out=json"]].concat();
        serde_json::from_str(&self.run(&words).unwrap()).unwrap()
    }

    pub(crate) fn try_put(&self, key: &str, value: &str) -> Result<(), String> {
        self.run(&["put", key, value]).map(drop)
    }

    /// How many keys begin so, and the header of the answer.
    pub(crate) fn count(&self, prefix: &str) -> (u64, Header) {
        let answer = self.json(&["get", "--prefix", prefix, "--keys-only"]);
        let number = |name: &str| answer["header"][name].as_u64().unwrap();
        let header = Header {
            member_id: number("member_id"),
            cluster_id: number("cluster_id"),
            revision: number("revision"),
        };
        (answer["count"].as_u64().unwrap_or_default(), header)
    }

    /// Until the server answers.
    pub(crate) fn wait(&self) {
        until("a server that serves", || self.run(&["get", "first"]).map(drop));
    }
}

/// The names in a folder.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
