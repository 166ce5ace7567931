//! The gate: it looks at the disk and at the anchor before a member's server starts, at every start.
//!
//! As the init container it brings its program into a volume that the pod's containers share, looks, and ends: with 0
//! where the server may start, else with [`gate::HELD`], upon which the kubelet starts it again. Before a server, given
//! as the words after `--`, it looks again and becomes the server. It looks for a short while, for mounts that are
//! still settling. Before etcd it also restores what is left of a cluster that lost its majority. What it saw is its
//! termination message; see [`kogge_api::gate`] for who reads it.

mod disk_error;
mod etcd;
mod look;
mod me;
mod mongodb;
mod program;

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use kogge_api::ClusterId;
use kogge_api::anchor::{Anchor, AnchorError, DATA_KEY, Record};
use kogge_api::gate::{HELD, Hold, REPORTED, Report};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep};

use look::{Look, Next, failed};
use me::Me;

/// The exit code of a gate that was told to end: it did not let anything pass.
const TERMINATED: u8 = 143;
/// How often it looks.
const INTERVAL: Duration = Duration::from_millis(500);

/// An engine whose servers the gate knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Engine {
    /// mongod
    Mongodb,
    /// etcd
    Etcd,
}

/// What the gate is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Whose server it stands before
    #[arg(long, value_enum, default_value_t = Engine::Mongodb)]
    engine: Engine,
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
    /// The pod's UID; etcd's servers are let start by it for the first time.
    #[arg(long)]
    pod_uid: Option<String>,
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
    let look = match arguments.look_patiently(&mut terminate).await {
        Ok(look) => look,
        Err(Ended { report, code }) => return arguments.end(&report, code),
    };
    if arguments.server.is_empty() {
        return arguments.end(&look.report, 0);
    }
    if program::last_report(&arguments.shared).as_ref() != Some(&look.report) {
        return arguments.end(&look.report, REPORTED);
    }
    match arguments.wait_for_start(look, &mut terminate).await {
        Ok((report, start)) => arguments.become_server(&report, &start),
        Err(Ended { report, code }) => arguments.end(&report, code),
    }
}

/// A gate that ends without a server: what it saw last, and its exit code.
struct Ended {
    report: Report,
    code: u8,
}

impl Arguments {
    /// Looks until the server may start, now or later. A gate that holds ends when its patience does, or when it is told
    /// to.
    async fn look_patiently(&self, terminate: &mut Signal) -> Result<Look, Ended> {
        let patience = Instant::now() + Duration::from_secs(self.patience);
        let mut logged = None;
        loop {
            let hold = match self.look() {
                Ok(look) => return Ok(look),
                Err(hold) => hold,
            };
            if logged.as_ref() != Some(&hold) {
                println!("{}: held back. {hold}", self.pod);
                logged = Some(hold.clone());
            }
            if Instant::now() >= patience {
                return Err(Ended { report: Report::Held(hold), code: HELD });
            }
            tokio::select! {
                () = sleep(INTERVAL) => {}
                _ = terminate.recv() => return Err(Ended { report: Report::Held(hold), code: TERMINATED }),
            }
        }
    }

    /// Waits until the anchor says how the server starts, however long that takes, and does what comes before. What it sees
    /// meanwhile that it has not reported ends it.
    async fn wait_for_start(
        &self,
        mut look: Look,
        terminate: &mut Signal,
    ) -> Result<(Report, look::Start), Ended> {
        let reported = look.report.clone();
        if look.next == Next::Wait {
            println!("{}: waits until the anchor says how its server starts. {reported}", self.pod);
            self.log_termination(&reported);
        }
        loop {
            if look.report != reported {
                return Err(Ended { report: look.report, code: REPORTED });
            }
            let before = async {
                match &look.next {
                    Next::Wait => sleep(INTERVAL).await,
                    Next::Restore(restore) => self.restore(restore).await?,
                    Next::Start(_) => {}
                }
                Ok(())
            };
            tokio::select! {
                done = before => done.map_err(|hold| Ended { report: Report::Held(hold), code: HELD })?,
                _ = terminate.recv() => return Err(Ended { report: reported, code: TERMINATED }),
            }
            if let Next::Start(start) = look.next {
                return Ok((look.report, start));
            }
            look = self.look().map_err(|hold| Ended { report: Report::Held(hold), code: HELD })?;
        }
    }

    async fn restore(&self, restore: &etcd::Restore) -> Result<(), Hold> {
        let server = self.server.first().map(OsString::as_os_str).unwrap_or_default();
        etcd::restore(restore, &self.data, server).await
    }

    fn me(&self) -> Me<'_> {
        Me {
            cluster_id: &self.cluster_id,
            component: &self.component,
            pod: &self.pod,
            uid: self.pod_uid.as_deref(),
        }
    }

    /// One look.
    fn look(&self) -> Result<Look, Hold> {
        match self.engine {
            Engine::Mongodb => {
                let anchor = self.anchor();
                mongodb::look(&self.me(), &self.data, anchor.as_ref().map_err(String::as_str))
            }
            Engine::Etcd => {
                let anchor = self.anchor();
                etcd::look(&self.me(), &self.data, &self.shared, anchor.as_ref().map_err(String::as_str))
            }
        }
    }

    fn anchor<R: Record>(&self) -> Result<Anchor<R>, String> {
        let file = self.anchor.join(DATA_KEY);
        match fs::read_to_string(&file) {
            Ok(text) => serde_json::from_str(&text).map_err(|e| AnchorError::from(e).to_string()),
            Err(error) => Err(format!("{} cannot be read: {error}", file.display())),
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
    fn become_server(&self, report: &Report, start: &look::Start) -> ExitCode {
        if let Some(start) = &start.good_once
            && let Err(error) = program::keep_used_start(&self.shared, start)
        {
            return self.end(&Report::Held(failed(error.to_string())), HELD);
        }
        self.log_termination(report);
        println!("{}: the server starts. {report}", self.pod);
        let error = program::become_server(&self.server, &start.flags);
        self.end(&Report::Held(failed(error.to_string())), HELD)
    }

    fn log_termination(&self, report: &Report) {
        if let Err(error) = fs::write(&self.termination_log, report.to_string()) {
            println!("{}: {} cannot be written: {error}", self.pod, self.termination_log.display());
        }
    }
}
