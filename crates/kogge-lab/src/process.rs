//! Processes of a lab. Every process is started with a marker in its environment that names lab, cluster and
//! component, and the process table itself is the record: nothing is lost when the lab is killed between starting
//! a process and writing it down, and no recycled process id is ever taken for ours.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::command::find_program;
use crate::error::{IoContext, LabError, Result};
use crate::wait::until_blocking;

pub(crate) const MARKER: &str = "KOGGE_LAB_PROCESS";
const KILL_DEADLINE: Duration = Duration::from_secs(20);

/// A process, named so that a recycled id is not mistaken for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ProcessIdentity {
    /// Process id in the host's numbering.
    pub(crate) pid: i32,
    /// Start time in clock ticks since boot.
    pub(crate) started: u64,
}

/// One row of the process table.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    pub(crate) identity: ProcessIdentity,
    pub(crate) parent: i32,
    /// The kernel's state letter: `R`, `S`, `T` (stopped), `Z` (ended), …
    pub(crate) state: char,
    ended: bool,
    marker: Option<PathBuf>,
}

impl Process {
    /// File name of the program that runs.
    pub(crate) fn program(&self) -> Option<String> {
        let link = fs::read_link(format!("/proc/{}/exe", self.identity.pid)).ok()?;
        // A binary that was replaced while it runs shows up as "name (deleted)".
        Some(link.file_name()?.to_string_lossy().trim_end_matches(" (deleted)").to_owned())
    }

    /// Memory in bytes, where pages that several processes share count in part for each (the kernel's PSS), so
    /// that sums are true: all clusters run the same binary.
    pub(crate) fn memory_bytes(&self) -> u64 {
        let usage = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.identity.pid)).unwrap_or_default();
        let kib = usage
            .lines()
            .find_map(|line| line.strip_prefix("Pss:"))
            .and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
        kib.unwrap_or(0) * 1024
    }

    /// The part of the marker below `folder`: `vdc1/etcd` for the marker `<folder>/vdc1/etcd`.
    pub(crate) fn marked_below(&self, folder: &Path) -> Option<&Path> {
        self.marker.as_deref()?.strip_prefix(folder).ok()
    }
}

/// A look at all processes of the machine.
#[derive(Debug, Default)]
pub(crate) struct ProcessTable(BTreeMap<i32, Process>);

impl ProcessTable {
    /// Reads the process table. Processes that end meanwhile are left out.
    pub(crate) fn read() -> Result<Self> {
        let mut table = BTreeMap::new();
        for entry in fs::read_dir("/proc").context(|| "read /proc".to_owned())?.flatten() {
            let pid = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok());
            if let Some(process) = pid.and_then(read_process) {
                table.insert(process.identity.pid, process);
            }
        }
        Ok(Self(table))
    }

    /// Living processes whose marker lies below `folder`.
    pub(crate) fn marked(&self, folder: &Path) -> Vec<&Process> {
        self.0.values().filter(|p| !p.ended && p.marked_below(folder).is_some()).collect()
    }

    /// The process with `marker` that runs the program named `program`.
    pub(crate) fn component(&self, marker: &Path, program: &str) -> Option<&Process> {
        self.0
            .values()
            .find(|p| !p.ended && p.marker.as_deref() == Some(marker) && p.program().as_deref() == Some(program))
    }

    /// Every process of the machine.
    pub(crate) fn all(&self) -> impl Iterator<Item = ProcessIdentity> {
        self.0.values().map(|process| process.identity)
    }

    /// All processes that descend from `root`, without it.
    pub(crate) fn descendants(&self, root: i32) -> Vec<&Process> {
        let mut family = BTreeSet::from([root]);
        // Children may have smaller ids than their parents, so look until nobody new is found.
        loop {
            let before = family.len();
            family.extend(
                self.0.values().filter(|p| family.contains(&p.parent)).map(|p| p.identity.pid).collect::<Vec<_>>(),
            );
            if family.len() == before {
                break;
            }
        }
        family.remove(&root);
        family.iter().filter_map(|pid| self.0.get(pid)).collect()
    }
}

fn read_process(pid: i32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let stat = Stat::parse(&stat)?;
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    Some(Process {
        identity: ProcessIdentity { pid, started: stat.started },
        parent: stat.parent,
        state: stat.state,
        ended: stat.has_ended(),
        marker: find_marker(&environment),
    })
}

/// What `/proc/<pid>/stat` tells of a process (proc_pid_stat(5)).
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    state: char,
    parent: i32,
    threads: u64,
    started: u64,
}

impl Stat {
    fn parse(stat: &str) -> Option<Self> {
        // The second field, the program's name in parentheses, may hold anything, so fields count from its end.
        let (_, rest) = stat.rsplit_once(')')?;
        let fields: Vec<_> = rest.split_whitespace().collect();
        Some(Self {
            state: fields.first()?.chars().next()?,
            parent: fields.get(1)?.parse().ok()?,
            threads: fields.get(17)?.parse().ok()?,
            started: fields.get(19)?.parse().ok()?,
        })
    }

    /// Whether nothing of the process runs any more. The first thread of a killed process may be gone while
    /// others still hold its sockets.
    fn has_ended(&self) -> bool {
        self.state == 'Z' && self.threads <= 1
    }
}

fn find_marker(environment: &[u8]) -> Option<PathBuf> {
    environment.split(|b| *b == 0).find_map(|variable| {
        let value = variable.strip_prefix(MARKER.as_bytes())?.strip_prefix(b"=")?;
        Some(PathBuf::from(OsStr::from_bytes(value)))
    })
}

/// A process to be started in a session of its own.
#[derive(Debug)]
pub(crate) struct Start<'a> {
    /// Names lab, cluster and component.
    pub(crate) marker: &'a Path,
    /// The command line.
    pub(crate) argv: &'a [String],
    /// Commands such as `nsenter … --` put before it.
    pub(crate) prefix: &'a [String],
    /// Where its output is appended.
    pub(crate) log: &'a Path,
}

/// Starts a process that outlives this one and is nobody's child here, so that it leaves no zombie behind.
pub(crate) fn start_detached(start: &Start<'_>) -> Result<()> {
    let log = File::options()
        .create(true)
        .append(true)
        .open(start.log)
        .context(|| format!("open {}", start.log.display()))?;
    let errors = log.try_clone().context(|| format!("open {}", start.log.display()))?;
    let words = ["setsid".to_owned(), "--fork".to_owned()];
    let mut line = start.prefix.iter().chain(&words).chain(start.argv);
    let program = line.next().and_then(|p| find_program(p).or_else(|| Some(p.into()))).unwrap_or_default();
    let status = Command::new(program)
        .args(line)
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env("HOME", "/")
        .env(MARKER, start.marker)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors)
        .status()
        .context(|| format!("start {}", start.argv.join(" ")))?;
    if status.success() {
        Ok(())
    } else {
        Err(LabError::Command {
            command: start.argv.join(" "),
            status: status.to_string(),
            stderr: format!("see {}", start.log.display()),
        })
    }
}

/// Sends a signal, unless the process has ended meanwhile.
pub(crate) fn signal(identity: ProcessIdentity, signal: Signal) -> Result<()> {
    if !is_alive(identity) {
        return Ok(());
    }
    match kill(Pid::from_raw(identity.pid), signal) {
        Ok(()) | Err(nix::errno::Errno::ESRCH) => Ok(()),
        Err(e) => {
            Err(LabError::Io { what: format!("send {signal} to process {}", identity.pid), source: e.into() })
        }
    }
}

/// Whether the process still runs (an ended one that nobody waited for does not).
pub(crate) fn is_alive(identity: ProcessIdentity) -> bool {
    read_process(identity.pid).is_some_and(|p| p.identity == identity && !p.ended)
}

/// Kills processes and waits until they have ended.
pub(crate) fn kill_and_wait(processes: &[ProcessIdentity]) -> Result<()> {
    for process in processes {
        signal(*process, Signal::SIGKILL)?;
    }
    until_blocking("the end of killed processes", KILL_DEADLINE, || {
        let alive: Vec<_> = processes.iter().filter(|p| is_alive(**p)).map(|p| p.pid.to_string()).collect();
        if alive.is_empty() { Ok(()) } else { Err(format!("still there: {}", alive.join(", "))) }
    })
}

/// Kills every process whose marker lies below `folder`, and what they start meanwhile.
pub(crate) fn kill_marked(folder: &Path) -> Result<()> {
    until_blocking("the end of the lab's processes", KILL_DEADLINE, || {
        let table = ProcessTable::read().map_err(|e| e.to_string())?;
        let ours: Vec<_> = table.marked(folder).iter().map(|p| p.identity).collect();
        if ours.is_empty() {
            return Ok(());
        }
        kill_and_wait(&ours).map_err(|e| e.to_string())?;
        Err(format!("{} were running", ours.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_name_with_parentheses_does_not_shift_the_fields() {
        let stat = "42 (a) b) (c) S 7 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 998877 1000 10";
        assert_eq!(Stat::parse(stat), Some(Stat { state: 'S', parent: 7, threads: 1, started: 998_877 }));
        assert_eq!(Stat::parse("42 (a"), None);
    }

    #[test]
    fn a_process_whose_other_threads_still_run_has_not_ended() {
        let stat = |state, threads| Stat { state, parent: 1, threads, started: 1 };
        assert!(stat('Z', 1).has_ended() && stat('Z', 0).has_ended());
        assert!(!stat('Z', 2).has_ended() && !stat('S', 1).has_ended());
    }

    #[test]
    fn the_marker_is_read_from_the_environment() {
        let environment = b"PATH=/bin\0KOGGE_LAB_PROCESS=/run/kogge-lab/lab/vdc1/etcd\0HOME=/\0";
        assert_eq!(find_marker(environment), Some("/run/kogge-lab/lab/vdc1/etcd".into()));
        assert_eq!(find_marker(b"XKOGGE_LAB_PROCESS=/x\0KOGGE_LAB_PROCESSES=/y"), None);
    }

    #[test]
    fn a_started_process_is_found_by_its_marker_and_killed() -> Result<()> {
        let folder = tempfile::tempdir().context(String::new)?;
        let marker = folder.path().join("vdc1/sleeper");
        let log = folder.path().join("log");
        let argv = ["sleep".to_owned(), "1000".to_owned()];
        start_detached(&Start { marker: &marker, argv: &argv, prefix: &[], log: &log })?;
        let found = until_blocking("the sleeper", Duration::from_secs(5), || {
            let table = ProcessTable::read().map_err(|e| e.to_string())?;
            table.component(&marker, "sleep").map(|p| p.identity).ok_or_else(|| "not there".to_owned())
        })?;
        let other = ProcessIdentity { started: found.started + 1, ..found };
        assert!(is_alive(found) && !is_alive(other));
        kill_marked(folder.path())?;
        assert!(!is_alive(found));
        Ok(())
    }
}
