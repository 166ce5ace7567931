//! The gate: an init container that looks at the disk and at the anchor before a member's server starts.
//!
//! It looks for a short while, for mounts that are still settling, and then ends: with 0 where the server may
//! start, else with [`HELD`] and its reason as the termination message, upon which the kubelet starts it again.

mod decision;
mod disk;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use kogge_api::ClusterId;
use kogge_api::anchor::{Anchor, AnchorError, DATA_KEY};
use kogge_api::gate::{Hold, HoldReason};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep};

use decision::{Me, Verdict, decide};
use disk::Disk;

/// The exit code of a gate that holds: `EX_TEMPFAIL`.
const HELD: u8 = 75;
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
}

/// Looks until the server may start, patience ends, or it is told to end.
pub(crate) async fn run(arguments: &Arguments) -> ExitCode {
    let mut terminate = match signal(SignalKind::terminate()) {
        Ok(terminate) => terminate,
        Err(error) => return end(arguments, &failed(format!("no signal can be heard: {error}")), HELD),
    };
    let patience = Instant::now() + Duration::from_secs(arguments.patience);
    let mut told = None;
    loop {
        let hold = match look(arguments) {
            Ok(words) => {
                println!("{}: the server may start: {words}", arguments.pod);
                return ExitCode::SUCCESS;
            }
            Err(hold) => hold,
        };
        if told.as_ref() != Some(&hold) {
            println!("{}: held back. {hold}", arguments.pod);
            told = Some(hold.clone());
        }
        if Instant::now() >= patience {
            return end(arguments, &hold, HELD);
        }
        tokio::select! {
            () = sleep(INTERVAL) => {}
            _ = terminate.recv() => return end(arguments, &hold, TERMINATED),
        }
    }
}

/// One look. Where the server may start, the disk is marked first, and the answer says why.
fn look(arguments: &Arguments) -> Result<String, Hold> {
    let Arguments { data, anchor, cluster_id, component, pod, .. } = arguments;
    let disk = Disk::read(data).map_err(|e| failed(e.to_string()))?;
    let file = anchor.join(DATA_KEY);
    let anchor = match fs::read_to_string(&file) {
        Ok(text) => serde_json::from_str::<Anchor>(&text).map_err(|e| AnchorError::from(e).to_string()),
        Err(error) => Err(format!("{} cannot be read: {error}", file.display())),
    };
    let me = Me { cluster_id, component, pod };
    match decide(&me, anchor.as_ref().map_err(String::as_str), &disk) {
        Verdict::Hold(hold) => Err(hold),
        Verdict::Open { marker, why } => {
            if disk.marker.as_ref().ok().and_then(Option::as_ref) != Some(&marker) {
                disk::mark(data, &marker).map_err(|e| failed(e.to_string()))?;
            }
            Ok(why)
        }
    }
}

fn failed(message: String) -> Hold {
    Hold { reason: HoldReason::Failed, message }
}

fn end(arguments: &Arguments, hold: &Hold, code: u8) -> ExitCode {
    if let Err(error) = fs::write(&arguments.termination_log, hold.to_string()) {
        println!("{}: {} cannot be written: {error}", arguments.pod, arguments.termination_log.display());
    }
    println!("{}: looks again when its container is started again", arguments.pod);
    ExitCode::from(code)
}
