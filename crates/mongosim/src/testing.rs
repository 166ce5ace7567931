//! Servers inside a test's process: each on a thread of its own, to be killed, started again and
//! cut off.

use std::{
    collections::BTreeSet,
    io,
    net::TcpListener,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::{
    net::Faults,
    node::{Node, StartError},
    options::{Options, OptionsError, ServerArgs},
};

/// Why a test's server does not start.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// Wrong options.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// The server refused to start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// No thread, no port, or no runtime.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The server's thread ended before it was up.
    #[error("the server ended while it started")]
    Ended,
}

/// One server; killed when dropped.
#[derive(Debug)]
pub struct Member {
    args: ServerArgs,
    port: u16,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    faults: Arc<Faults>,
    end: watch::Sender<End>,
    thread: thread::JoinHandle<()>,
}

/// What a server is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    NotYet,
    Cleanly,
    AtOnce,
}

/// Parameters under which a start and an end do not take as long as on a real server. They shorten what there is, and
/// leave nothing out.
pub const SHORT_TIMES: [&str; 2] = ["configLoadMillis=100", "shutdownTimeoutMillisForSignaledShutdown=250"];

/// A port of 127.0.0.1 that nobody uses now, and that this process has not given away before: whoever got it may not
/// listen yet, or be down for a restart.
pub fn free_port() -> io::Result<u16> {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    loop {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        if GIVEN.lock().insert(port) {
            return Ok(port);
        }
    }
}

/// Arguments of a set's member with its data in `dir`, with [`SHORT_TIMES`].
pub fn member_args(set: &str, dir: &Path) -> ServerArgs {
    let set_parameter = SHORT_TIMES.map(str::to_owned).to_vec();
    ServerArgs {
        repl_set: Some(set.to_owned()),
        dbpath: Some(dir.to_owned()),
        set_parameter,
        ..ServerArgs::default()
    }
}

/// Arguments of a mongos.
pub fn mongos_args(config_db: &str) -> ServerArgs {
    ServerArgs { configdb: Some(config_db.to_owned()), ..ServerArgs::default() }
}

/// Writes a keyfile with the permissions that servers ask for.
pub fn write_key_file(path: &Path, key: &str) -> io::Result<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, key)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o400))?;
    Ok(path.to_owned())
}

impl Member {
    /// Starts a server on 127.0.0.1; without a port in `args`, on a free one.
    pub fn spawn(mut args: ServerArgs) -> Result<Self, SpawnError> {
        let port = match args.port {
            Some(port) => port,
            None => free_port()?,
        };
        args.port = Some(port);
        let mut member = Self { args, port, running: None };
        member.start()?;
        Ok(member)
    }

    /// Starts it again, with the same port and data.
    pub fn start(&mut self) -> Result<(), SpawnError> {
        if self.running.is_some() {
            return Ok(());
        }
        let options = Options::resolve(self.args.clone())?;
        let (end, ended) = watch::channel(End::NotYet);
        let (up_tx, up) = std::sync::mpsc::channel();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let thread = thread::Builder::new().name(format!("mongosim-{}", self.port)).spawn(move || {
            runtime.block_on(async {
                match start_patiently(options).await {
                    Ok(node) => {
                        drop(up_tx.send(Ok(node.faults())));
                        run_until(&node, ended).await;
                    }
                    Err(e) => drop(up_tx.send(Err(e))),
                }
            });
            runtime.shutdown_timeout(Duration::from_secs(5));
        })?;
        let faults = up.recv().map_err(|_| SpawnError::Ended)??;
        self.running = Some(Running { faults, end, thread });
        Ok(())
    }

    /// Changes the flags for its next start.
    pub fn set_args(&mut self, change: impl FnOnce(&mut ServerArgs)) {
        change(&mut self.args);
    }

    /// `127.0.0.1:port`.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// A connection string that speaks to this server alone.
    pub fn uri(&self) -> String {
        format!("mongodb://{}/?directConnection=true", self.host())
    }

    /// Ends it between two instructions, as a kill does: no step-down, no goodbye.
    pub fn kill(&mut self) {
        self.end(End::AtOnce);
    }

    /// Ends it cleanly, and waits until it has ended.
    pub fn stop(&mut self) {
        self.end(End::Cleanly);
    }

    /// Tells it to end cleanly, as SIGTERM does.
    pub fn begin_stop(&self) {
        if let Some(running) = &self.running {
            running.end.send_replace(End::Cleanly);
        }
    }

    /// Whether it has ended, by itself or because it was told to.
    pub fn has_ended(&self) -> bool {
        self.running.as_ref().is_none_or(|running| running.thread.is_finished())
    }

    fn end(&mut self, how: End) {
        let Some(running) = self.running.take() else { return };
        running.end.send_replace(how);
        if running.thread.join().is_err() {
            tracing::warn!(port = self.port, "the server had panicked");
        }
    }

    /// Its faults, while it runs.
    pub fn faults(&self) -> Option<Arc<Faults>> {
        self.running.as_ref().map(|running| running.faults.clone())
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs a node until it has ended. A test that has gone away kills it.
async fn run_until(node: &Node, mut told: watch::Receiver<End>) {
    let mut killed = told.clone();
    let cleanly = async {
        if told.wait_for(|end| *end != End::NotYet).await.is_ok_and(|end| *end == End::Cleanly) {
            node.stop().await;
        }
    };
    tokio::select! {
        () = cleanly => {}
        _ = killed.wait_for(|end| *end == End::AtOnce) => {}
        () = node.stopped() => {}
        () = node.failed() => {}
    }
}

/// Starts a node; after a kill the store's lock is let go a moment later than the thread ends.
async fn start_patiently(options: Options) -> Result<Node, StartError> {
    const PATIENCE: Duration = Duration::from_secs(5);
    let began = Instant::now();
    loop {
        match Node::start(options.clone()) {
            Err(StartError::Storage(_) | StartError::Listen { .. }) if began.elapsed() < PATIENCE => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            other => return other,
        }
    }
}

/// Cuts two groups of members off from each other; clients still reach all of them.
pub fn partition(left: &[&Member], right: &[&Member]) {
    for (from, to) in left.iter().flat_map(|l| right.iter().map(move |r| (l, r))) {
        if let Some(faults) = from.faults() {
            faults.block(&to.host());
        }
        if let Some(faults) = to.faults() {
            faults.block(&from.host());
        }
    }
}

/// Ends all partitions among `members`.
pub fn heal(members: &[&Member]) {
    for faults in members.iter().filter_map(|m| m.faults()) {
        faults.heal();
    }
}
