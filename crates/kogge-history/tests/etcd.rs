//! The clients of etcd on a real server that is killed under them.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use kogge_lab::Etcd;

const HISTORY: &str = env!("CARGO_BIN_EXE_kogge-history");
const DEADLINE: Duration = Duration::from_mins(1);

/// A process that ends with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _killed = self.0.kill();
        let _waited = self.0.wait();
    }
}

fn start(command: &mut Command) -> anyhow::Result<Process> {
    let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Ok(Process(command.spawn()?))
}

fn server(release: Etcd, data: &Path, [client, peer]: [u16; 2]) -> anyhow::Result<Process> {
    let (client, peer) = (format!("http://127.0.0.1:{client}"), format!("http://127.0.0.1:{peer}"));
    let flags = [
        ("data-dir", data.to_string_lossy().into_owned()),
        ("listen-client-urls", client.clone()),
        ("advertise-client-urls", client),
        ("listen-peer-urls", peer.clone()),
        ("initial-advertise-peer-urls", peer.clone()),
        ("initial-cluster", format!("default={peer}")),
    ];
    start(Command::new(release.ensure()?).args(flags.map(|(flag, value)| format!("--{flag}={value}"))))
}

fn free_ports() -> anyhow::Result<[u16; 2]> {
    let (one, other) =
        (TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?, TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?);
    Ok([one.local_addr()?.port(), other.local_addr()?.port()])
}

/// Waits until the record has so many more answers than before.
fn answered(record: &Path, more: usize) -> anyhow::Result<()> {
    let count = || {
        let files = std::fs::read_dir(record).into_iter().flatten().flatten();
        let texts = files.filter_map(|file| std::fs::read_to_string(file.path()).ok());
        texts.map(|text| text.matches(r#""outcome":{"ok""#).count()).sum::<usize>()
    };
    let (before, begun) = (count(), Instant::now());
    while count() < before + more {
        ensure!(begun.elapsed() < DEADLINE, "{} answers, {before} were before", count());
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn output(arguments: &[&str]) -> anyhow::Result<Output> {
    Command::new(HISTORY).args(arguments).output().context("kogge-history cannot be run")
}

#[test]
fn answers_of_a_server_that_is_killed_under_its_clients_are_linearizable() -> anyhow::Result<()> {
    for release in Etcd::ALL {
        let folder = tempfile::tempdir()?;
        let (data, record) = (folder.path().join("data"), folder.path().join("record"));
        std::fs::create_dir(&record)?;
        let ports = free_ports()?;
        let endpoint = SocketAddr::from((Ipv4Addr::LOCALHOST, ports[0])).to_string();
        let first = server(release, &data, ports)?;
        let record_path = record.to_string_lossy().into_owned();
        let mut work = Command::new(HISTORY);
        work.args(["etcd", "work", "--pause=2", "--endpoint", &endpoint, "--record", &record_path]);
        let _clients = start(&mut work)?;
        answered(&record, 200)?;
        drop(first);
        let _second = server(release, &data, ports)?;
        answered(&record, 200)?;

        let history = output(&["etcd", "end", "--record", &record_path])?;
        ensure!(history.status.success(), "{history:?}");
        let file = folder.path().join("history.jsonl");
        std::fs::write(&file, &history.stdout)?;
        let verdict = output(&["verify", &file.to_string_lossy()])?;
        let said = String::from_utf8_lossy(&verdict.stdout);
        ensure!(verdict.status.success() && said.contains("verdict: linearizable"), "etcd {release}: {verdict:?}");
        // What the server was doing when it was killed has no certain outcome.
        ensure!(!said.contains("failed: 0, unknown: 0"), "nothing was cut short: {said}");
    }
    Ok(())
}
