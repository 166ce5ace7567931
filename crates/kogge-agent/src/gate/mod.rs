//! The gate: it looks at the disk and at the anchor before a member's server starts, at every start.
//!
//! As the init container it brings its program into a volume that the pod's containers share, looks, and ends: with 0
//! where the server may start, else with [`gate::HELD`], upon which the kubelet starts it again. Before a server, given
//! as the words after `--`, it looks again and becomes the server. It looks for a short while, for mounts that are
//! still settling. What it saw is its termination message; see [`kogge_api::gate`] for who reads it.

mod decision;
mod disk;
mod program;

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use kogge_api::ClusterId;
use kogge_api::anchor::{Anchor, AnchorError, DATA_KEY};
use kogge_api::gate::{HELD, Hold, HoldReason, REPORTED, Report};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep};

use decision::{Me, Verdict, decide};
use disk::Disk;

/// The exit code of a gate that was told to end: it did not let anything pass.
const TERMINATED: u8 = 143;
/// How often it looks.
const INTERVAL: Duration = Duration::from_millis(500);

/// What the gate is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The data directory of the server.
    #[arg(long)]
    data: PathBuf,
    /// Where the anchor's ConfigMap is mounted.
    #[arg(long)]
    anchor: PathBuf,
    /// The folder that the pod's containers share: the gate's program, and what it reported last.
    #[arg(long)]
    shared: PathBuf,
    /// The database's identity.
    #[arg(long)]
    cluster_id: ClusterId,
    /// The component, such as shard-0.
    #[arg(long)]
    component: String,
    /// The pod's name.
    #[arg(long)]
    pod: String,
    /// How many seconds it looks before it ends and tells.
    #[arg(long, default_value_t = 5)]
    patience: u64,
    /// Where the kubelet reads why it ended.
    #[arg(long, default_value = "/dev/termination-log")]
    termination_log: PathBuf,
    /// The server that it becomes, with its arguments; without it, it is the init container.
    #[arg(last = true)]
    server: Vec<OsString>,
}

/// Looks until the server may start, patience ends, or it is told to end.
pub(crate) async fn run(arguments: &Arguments) -> ExitCode {
    let mut terminate = match signal(SignalKind::terminate()) {
        Ok(terminate) => terminate,
        Err(error) => {
            return arguments.end(&Report::Held(failed(format!("no signal can be heard: {error}"))), HELD);
        }
    };
    if arguments.server.is_empty()
        && let Err(error) = program::install(&arguments.shared)
    {
        return arguments.end(&Report::Held(failed(error.to_string())), HELD);
    }
    match arguments.look_patiently(&mut terminate).await {
        (report @ Report::Held(_), true) => arguments.end(&report, TERMINATED),
        (report @ Report::Held(_), false) => arguments.end(&report, HELD),
        (report, _) if arguments.server.is_empty() => arguments.end(&report, 0),
        (report, _) if program::last_report(&arguments.shared).as_ref() != Some(&report) => {
            arguments.end(&report, REPORTED)
        }
        (report, _) => arguments.become_server(&report),
    }
}

impl Arguments {
    /// Looks until the server may start, patience ends, or it is told to end, which the second answer says.
    async fn look_patiently(&self, terminate: &mut Signal) -> (Report, bool) {
        let patience = Instant::now() + Duration::from_secs(self.patience);
        let mut logged = None;
        loop {
            let report = self.look().unwrap_or_else(Report::Held);
            if report.hold().is_none() {
                return (report, false);
            }
            if logged.as_ref() != Some(&report) {
                println!("{}: held back. {report}", self.pod);
                logged = Some(report.clone());
            }
            if Instant::now() >= patience {
                return (report, false);
            }
            tokio::select! {
                () = sleep(INTERVAL) => {}
                _ = terminate.recv() => return (report, true),
            }
        }
    }

    /// One look. Where the server may start, the disk is marked first.
    fn look(&self) -> Result<Report, Hold> {
        let disk = Disk::read(&self.data).map_err(|e| failed(e.to_string()))?;
        let file = self.anchor.join(DATA_KEY);
        let anchor = match fs::read_to_string(&file) {
            Ok(text) => serde_json::from_str::<Anchor>(&text).map_err(|e| AnchorError::from(e).to_string()),
            Err(error) => Err(format!("{} cannot be read: {error}", file.display())),
        };
        let me = Me { cluster_id: &self.cluster_id, component: &self.component, pod: &self.pod };
        match decide(&me, anchor.as_ref().map_err(String::as_str), &disk) {
            Verdict::Hold(hold) => Err(hold),
            Verdict::Open { marker, disk: found, message } => {
                if disk.marker.as_ref().ok().and_then(Option::as_ref) != Some(&marker) {
                    disk::mark(&self.data, &marker).map_err(|e| failed(e.to_string()))?;
                }
                Ok(Report::Open { disk: found, message })
            }
        }
    }

    /// Writes the report where the kubelet reads it, then where the next start compares it with what it sees: killed in
    /// between, that one reports again.
    fn end(&self, report: &Report, code: u8) -> ExitCode {
        self.log_termination(report);
        if let Err(error) = program::keep_report(&self.shared, report) {
            println!("{}: {error}", self.pod);
        }
        match code {
            0 => println!("{}: the server may start. {report}", self.pod),
            REPORTED => println!("{}: reported, the server starts next. {report}", self.pod),
            _ => println!("{}: looks again when its container is started again", self.pod),
        }
        ExitCode::from(code)
    }

    /// The message that this container leaves is the report of this start, whatever ends the server.
    fn become_server(&self, report: &Report) -> ExitCode {
        self.log_termination(report);
        println!("{}: the server starts. {report}", self.pod);
        let error = program::become_server(&self.server);
        self.end(&Report::Held(failed(error.to_string())), HELD)
    }

    fn log_termination(&self, report: &Report) {
        if let Err(error) = fs::write(&self.termination_log, report.to_string()) {
            println!("{}: {} cannot be written: {error}", self.pod, self.termination_log.display());
        }
    }
}

fn failed(message: String) -> Hold {
    Hold { reason: HoldReason::Failed, message }
}
