//! Server processes.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use kogge_engine_client::Listening;
use kogge_etcd::Url;
use kogge_etcd_client::{CLIENT, METRICS, PEER};
use kogge_lab::Etcd;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::wait::until;

/// The members' election timeout. etcd's own default makes every start of a group a second longer.
pub(crate) const ELECTION_MILLIS: u64 = 500;

/// Ports that were free when they were looked for, all at once, so that none is found twice.
pub(crate) fn free_ports(count: usize) -> Result<Vec<u16>> {
    let listeners: Vec<TcpListener> =
        (0..count).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).collect::<Result<_, _>>()?;
    listeners.iter().map(|listener| Ok(listener.local_addr()?.port())).collect()
}

/// A server with its flags and its data: it can be killed and started again. Ended on drop.
pub(crate) struct Server {
    pub(crate) name: String,
    scheme: &'static str,
    binary: PathBuf,
    folder: PathBuf,
    ports: [u16; 3],
    flags: Vec<String>,
    child: Option<Child>,
}

impl Server {
    /// A server that was not started yet.
    pub(crate) fn new(
        release: Etcd,
        dir: &Path,
        name: &str,
        scheme: &'static str,
        ports: [u16; 3],
    ) -> Result<Self> {
        Ok(Self {
            name: name.to_owned(),
            scheme,
            binary: release.ensure()?,
            folder: dir.to_owned(),
            ports,
            flags: Vec::new(),
            child: None,
        })
    }

    /// The addresses of the ports for clients, peers and metrics.
    pub(crate) fn addresses(&self) -> [SocketAddr; 3] {
        self.ports.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    }

    pub(crate) fn listening(&self) -> Listening {
        let [client, peer, metrics] = self.addresses();
        let ports = [(CLIENT.name, client), (PEER.name, peer), (METRICS.name, metrics)];
        Listening { uid: "uid".to_owned(), ports: ports.into() }
    }

    pub(crate) fn client_url(&self) -> Url {
        Url::new(format!("{}://{}", self.scheme, self.addresses()[0]))
    }

    pub(crate) fn peer_url(&self) -> Url {
        Url::new(format!("{}://{}", self.scheme, self.addresses()[1]))
    }

    /// Starts it for the first time. `initial` is the value of `--initial-cluster`.
    pub(crate) fn start_as(&mut self, state: &str, initial: &str, more: &[String]) -> Result<()> {
        let data = self.folder.join(&self.name);
        let (client, peer) = (self.client_url().to_string(), self.peer_url().to_string());
        let [_, _, metrics] = self.ports;
        let flags = [
            ("name", self.name.clone()),
            ("data-dir", data.to_string_lossy().into_owned()),
            ("listen-client-urls", client.clone()),
            ("advertise-client-urls", client),
            ("listen-peer-urls", peer.clone()),
            ("initial-advertise-peer-urls", peer),
            ("listen-metrics-urls", format!("http://127.0.0.1:{metrics}")),
            ("initial-cluster", initial.to_owned()),
            ("initial-cluster-state", state.to_owned()),
            ("initial-cluster-token", TOKEN.to_owned()),
            ("heartbeat-interval", (ELECTION_MILLIS / 10).to_string()),
            ("election-timeout", ELECTION_MILLIS.to_string()),
            ("log-level", "warn".to_owned()),
        ];
        self.flags = flags.map(|(flag, value)| format!("--{flag}={value}")).to_vec();
        self.flags.push("--unsafe-no-fsync".to_owned());
        self.flags.extend_from_slice(more);
        self.start()
    }

    /// Starts it, or starts it again.
    pub(crate) fn start(&mut self) -> Result<()> {
        ensure!(self.child.is_none(), "{} is started twice", self.name);
        let log = File::options().create(true).append(true).open(self.log())?;
        let mut command = Command::new(&self.binary);
        command.args(&self.flags).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        self.child = Some(command.spawn().with_context(|| format!("{}", self.binary.display()))?);
        Ok(())
    }

    /// kill -9, and wait until it is gone.
    pub(crate) fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Its exit code, if it ended by itself.
    pub(crate) fn exit_code(&mut self) -> Result<Option<i32>> {
        let child = self.child.as_mut().context("it was not started")?;
        Ok(child.try_wait()?.and_then(|status| status.code()))
    }

    /// Freezes it: its connections stay, and nothing answers. The signal stops one thread after the other, and whichever
    /// still runs answers; so all are waited for.
    pub(crate) async fn freeze(&self) -> Result<()> {
        self.signal(Signal::SIGSTOP)?;
        let pid = self.child.as_ref().context("it was not started")?.id();
        until("all its threads to stop", async || {
            let threads = fs::read_dir(format!("/proc/{pid}/task")).map_err(|e| e.to_string())?;
            for thread in threads.flatten() {
                let stat = fs::read_to_string(thread.path().join("stat")).map_err(|e| e.to_string())?;
                if !stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" T")) {
                    return Err(stat);
                }
            }
            Ok(())
        })
        .await
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) -> Result<()> {
        self.signal(Signal::SIGCONT)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let child = self.child.as_ref().context("it was not started")?;
        Ok(kill(Pid::from_raw(i32::try_from(child.id())?), signal)?)
    }

    /// The end of its log.
    pub(crate) fn last_words(&self) -> String {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(5)..].join("\n")
    }

    fn log(&self) -> PathBuf {
        self.folder.join(format!("{}.log", self.name))
    }
}

/// The token of every group of the tests.
pub(crate) const TOKEN: &str = "uid-0";

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = self.kill() {
            eprintln!("{}: {error}", self.name);
        }
    }
}
