//! The gate in the pod: what it says of a member's disk at every start of its server, and where that is read.
//!
//! The gate is the first init container of every member, which brings its program into the pod, and the way that the
//! server's own container starts: `gate … -- mongod …` looks at the disk, then becomes the server. So it looks at every
//! start, also where the kubelet restarts the container alone.
//!
//! It speaks through termination messages, which `kubectl describe pod` shows: the init container's, and the one that
//! the server's container leaves when it ends. A start whose report differs from the last one that can be read there
//! ends at once, with [`REPORTED`], so that the kubelet publishes it; the next start finds nothing new to say. So the
//! report of the last container that ended is always that of the server that runs.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The name of the init container.
pub const CONTAINER: &str = "gate";

/// The image of the gate, where the operator is not told another.
pub const IMAGE: &str = "lab.kogge.dev/kogge-agent:dev";

/// Where the init container puts the gate's program in the volume that it shares with the server's container.
pub const PROGRAM: &str = "/kogge/kogge-agent";

/// The program's subcommand: the command of a server's container begins with [`PROGRAM`] and this word.
pub const SUBCOMMAND: &str = "gate";

/// The exit code of a gate that holds: `EX_TEMPFAIL` of `sysexits.h`.
pub const HELD: u8 = 75;

/// The exit code of a start that ended only to report what it saw: `EX_PROTOCOL` of `sysexits.h`.
pub const REPORTED: u8 = 76;

/// What a disk holds that a server may start on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Disk {
    /// Nothing.
    Empty,
    /// What earlier starts of this member left on a disk that was empty when Kogge first saw it; the anchor has never
    /// said since that the member held data.
    Unused,
    /// Data that the member has, or may have, from its group.
    Data,
}

impl Disk {
    const ALL: [Self; 3] = [Self::Empty, Self::Unused, Self::Data];
}

impl fmt::Display for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Why the gate keeps a server from starting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum HoldReason {
    /// The disk is empty, and the member held data: the engine admits it under another ID.
    LostDisk,
    /// The disk holds something, and not what a server of this member needs: somebody must look at it.
    DamagedDisk,
    /// The disk is one that the member had before it was admitted under another ID: somebody must decide.
    OldDisk,
    /// The disk belongs to another member or database: somebody must decide.
    ForeignDisk,
    /// What the worker remembers of the database cannot be read, or is older than the disk.
    NoAnchor,
    /// The gate could not do its work.
    Failed,
}

impl HoldReason {
    const ALL: [Self; 6] =
        [Self::LostDisk, Self::DamagedDisk, Self::OldDisk, Self::ForeignDisk, Self::NoAnchor, Self::Failed];
}

impl fmt::Display for HoldReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A member that is held back. Its text is `<reason>: <message>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Why, in one word.
    pub reason: HoldReason,
    /// Why, and what to do, as a sentence.
    pub message: String,
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason, self.message)
    }
}

/// What the gate saw at one start. Its text is `<disk or reason>: <message>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Report {
    /// The server may start.
    Open {
        /// What is on the disk.
        disk: Disk,
        /// The same as a sentence.
        message: String,
    },
    /// It may not.
    Held(Hold),
}

impl Report {
    /// Reads a report; none where the words are not a gate's.
    pub fn read(words: &str) -> Option<Self> {
        let (word, message) = words.trim().split_once(": ")?;
        let message = message.to_owned();
        if let Some(disk) = Disk::ALL.into_iter().find(|disk| disk.to_string() == word) {
            return Some(Self::Open { disk, message });
        }
        let reason = HoldReason::ALL.into_iter().find(|reason| reason.to_string() == word)?;
        Some(Self::Held(Hold { reason, message }))
    }

    /// Reads what the init container left when it ended. It lets the server start only with exit code 0; words that are
    /// not its own are then no report, and beside any other exit code a failure: nothing unknown is treated as fine.
    pub fn of_init_container(exit_code: i64, words: &str) -> Option<Self> {
        match Self::read(words) {
            Some(report @ Self::Held(_)) => Some(report),
            report if exit_code == 0 => report,
            _ => Some(Self::Held(Hold {
                reason: HoldReason::Failed,
                message: match words.trim() {
                    "" => format!("the gate ended with exit code {exit_code} and without a message"),
                    words => format!("the gate ended with exit code {exit_code}: {words}"),
                },
            })),
        }
    }

    /// Why the server does not start, where it does not.
    pub fn hold(&self) -> Option<&Hold> {
        match self {
            Self::Held(hold) => Some(hold),
            Self::Open { .. } => None,
        }
    }

    /// What is on the disk that the server starts on.
    pub fn disk(&self) -> Option<Disk> {
        match self {
            Self::Open { disk, .. } => Some(*disk),
            Self::Held(_) => None,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { disk, message } => write!(f, "{disk}: {message}"),
            Self::Held(hold) => hold.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reports() -> Vec<Report> {
        let message = "why: what to do".to_owned();
        let open = Disk::ALL.map(|disk| Report::Open { disk, message: message.clone() });
        let held = HoldReason::ALL.map(|reason| Report::Held(Hold { reason, message: message.clone() }));
        open.into_iter().chain(held).collect()
    }

    #[test]
    fn what_the_gate_says_reads_back() {
        for report in reports() {
            assert_eq!(Report::read(&report.to_string()), Some(report.clone()));
            let exit_code = if report.hold().is_some() { HELD.into() } else { 0 };
            assert_eq!(Report::of_init_container(exit_code, &report.to_string()), Some(report));
        }
    }

    #[test]
    fn words_of_others_are_no_report_and_beside_an_exit_code_a_failure() {
        for words in ["", "OOMKilled", "NewReason: from a later version"] {
            assert_eq!(Report::read(words), None);
            assert_eq!(Report::of_init_container(0, words), None);
            let report = Report::of_init_container(137, words).unwrap();
            let hold = report.hold().unwrap();
            assert_eq!(hold.reason, HoldReason::Failed);
            assert!(hold.message.contains("137") && hold.message.contains(words), "{hold}");
        }
    }

    #[test]
    fn an_init_container_that_was_killed_lets_nothing_start() {
        let open = Report::Open { disk: Disk::Empty, message: "the disk is empty".to_owned() };
        let report = Report::of_init_container(137, &open.to_string()).unwrap();
        assert_eq!(report.hold().unwrap().reason, HoldReason::Failed);
    }
}
