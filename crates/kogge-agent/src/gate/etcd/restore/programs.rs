//! etcd and etcdutl, as a restore needs them.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use super::Restore;
use super::folders::Folders;

/// The socket for clients, in the folder that the server runs in: nobody else hears it.
const CLIENTS: &str = "client:0";
/// How often the server is asked.
const INTERVAL: Duration = Duration::from_millis(100);
/// How long it may take to answer.
const ANSWER: Duration = Duration::from_secs(2);
/// How long it may take to end.
const END: Duration = Duration::from_mins(1);
/// etcd's advice. Whatever a client of the former cluster may have seen is far below.
const REVISIONS: &str = "1000000000";
const BUMP: &str = "--bump-revision";

/// What goes wrong with a program.
#[derive(Debug, thiserror::Error)]
pub(in crate::gate) enum ProgramError {
    #[error("{} cannot be started: {source}; use an image that has etcd and etcdutl in one folder, as etcd's own have", .program.display())]
    Start { program: PathBuf, source: io::Error },
    #[error("{} cannot be waited for: {source}", .program.display())]
    Wait { program: PathBuf, source: io::Error },
    #[error("{} ended on the copy of the data before it served ({status}); the log of this container says why", .program.display())]
    Ended { program: PathBuf, status: ExitStatus },
    #[error("{} did not end on the copy of the data within {} s", .program.display(), END.as_secs())]
    Stuck { program: PathBuf },
    #[error("`etcdutl snapshot restore` failed ({status}): {words}")]
    Restore { status: ExitStatus, words: String },
}

/// The programs of one release.
pub(super) struct Programs {
    etcd: PathBuf,
    etcdutl: PathBuf,
}

impl Programs {
    /// The server's program, and etcdutl in the same folder.
    pub(super) fn beside(server: &OsStr) -> Self {
        let etcd = PathBuf::from(server);
        Self { etcdutl: etcd.with_file_name("etcdutl"), etcd }
    }

    /// Runs the server on the copy until its database holds all that is committed in its log. Without the others it leads
    /// alone; it hears nobody, and answers on a socket that nobody else has.
    pub(super) async fn run_alone(&self, name: &str, folders: &Folders) -> Result<(), ProgramError> {
        let mut command = command(&self.etcd, folders);
        command.arg("--force-new-cluster").args([format!("--name={name}"), data_dir(&folders.copy)]);
        for flag in ["listen-client-urls", "advertise-client-urls"] {
            command.arg(format!("--{flag}=unix://{CLIENTS}"));
        }
        // An alarm that it raises here would be restored.
        command.args(["--listen-peer-urls=unix://peer:0", "--quota-backend-bytes=-1", "--log-level=error"]);
        let mut server = command.spawn().map_err(|source| start_error(&self.etcd, source))?;
        loop {
            tokio::select! {
                status = server.wait() => {
                    let status = status.map_err(|source| self.wait_error(source))?;
                    return Err(ProgramError::Ended { program: self.etcd.clone(), status });
                }
                () = sleep(INTERVAL) => {}
            }
            if serves(&folders.work.join(CLIENTS)).await {
                return self.end(server).await;
            }
        }
    }

    /// Ends the server as the kubelet would: it writes its database.
    async fn end(&self, mut server: Child) -> Result<(), ProgramError> {
        let pid = server.id().and_then(|id| i32::try_from(id).ok());
        if let Some(pid) = pid {
            kill(Pid::from_raw(pid), Signal::SIGTERM).map_err(|error| self.wait_error(error.into()))?;
        }
        let stuck = || ProgramError::Stuck { program: self.etcd.clone() };
        timeout(END, server.wait()).await.map_err(|_| stuck())?.map_err(|source| self.wait_error(source))?;
        Ok(())
    }

    /// Makes a member of a new cluster from the copy's database. Clients of the former one find that revisions went on, and
    /// that those which they do not know are compacted, so that they read again what they watch.
    pub(super) async fn restore(&self, restore: &Restore, folders: &Folders) -> Result<(), ProgramError> {
        let not_started = |source| start_error(&self.etcdutl, source);
        let mut help = command(&self.etcdutl, folders);
        let help = help.args(["snapshot", "restore", "--help"]).output().await.map_err(not_started)?;
        let mut command = command(&self.etcdutl, folders);
        command.args(["snapshot", "restore"]).arg(folders.copy.join("member/snap/db")).args([
            // No snapshot that etcd sent, so it has no hash at its end.
            "--skip-hash-check".to_owned(),
            data_dir(&folders.new),
            format!("--name={}", restore.name),
            format!("--initial-cluster={}={}", restore.name, restore.peer_url),
            format!("--initial-advertise-peer-urls={}", restore.peer_url),
            format!("--initial-cluster-token={}", restore.token),
        ]);
        if String::from_utf8_lossy(&help.stdout).contains(BUMP) {
            command.args([BUMP, REVISIONS, "--mark-compacted"]);
        }
        let output = command.stderr(Stdio::piped()).output().await.map_err(not_started)?;
        let words = String::from_utf8_lossy(&output.stderr);
        print!("{words}");
        if output.status.success() {
            return Ok(());
        }
        let words = words.lines().last().unwrap_or("it said nothing").to_owned();
        Err(ProgramError::Restore { status: output.status, words })
    }

    fn wait_error(&self, source: io::Error) -> ProgramError {
        ProgramError::Wait { program: self.etcd.clone(), source }
    }
}

/// A program in the work folder, which ends with the gate. What the container's environment says to the server is not for
/// it.
fn command(program: &Path, folders: &Folders) -> Command {
    let mut command = Command::new(program);
    let path: Option<OsString> = std::env::var_os("PATH");
    command.env_clear().envs(path.map(|path| ("PATH", path))).current_dir(&folders.work);
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

fn start_error(program: &Path, source: io::Error) -> ProgramError {
    ProgramError::Start { program: program.to_owned(), source }
}

fn data_dir(folder: &Path) -> String {
    format!("--data-dir={}", folder.display())
}

/// Whether the server answers its clients: it does once its own first entry was applied, and so all before it.
async fn serves(socket: &Path) -> bool {
    let ask = async {
        let mut stream = UnixStream::connect(socket).await?;
        stream.write_all(b"GET /version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await?;
        io::Result::Ok(answer)
    };
    matches!(timeout(ANSWER, ask).await, Ok(Ok(answer)) if answer.ends_with(b" 200"))
}
