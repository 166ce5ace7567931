//! The gate's program and its last report in the volume that the pod's containers share, and the step from the gate to
//! the server.

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use kogge_api::gate::{PROGRAM, Report};

/// The file with the last report.
const REPORT: &str = "report";
/// The file with the start that was used, where it is good for one time.
const START: &str = "start";

/// What the gate cannot do with its own files, or with the server's program.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProgramError {
    /// A file in the shared folder.
    #[error(
        "{path} cannot be written: {source}; the volume that holds it is an emptyDir which the gate and the server share"
    )]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The server.
    #[error("{program} cannot be started: {source}; correct the command of the server's container after `--`")]
    Start {
        /// The program's name.
        program: String,
        /// The system's reason.
        source: io::Error,
    },
}

/// Copies the running program to where the server's container finds it.
pub(super) fn install(shared: &Path) -> Result<(), ProgramError> {
    let name = Path::new(PROGRAM).file_name().unwrap_or(PROGRAM.as_ref());
    let program = shared.join(name);
    let bytes = fs::read("/proc/self/exe").map_err(|source| write_error(&program, source))?;
    replace(&program, &bytes, 0o755)
}

/// What the last start of this pod reported; none where there was none, or it cannot be read.
pub(super) fn last_report(shared: &Path) -> Option<Report> {
    Report::read(&fs::read_to_string(shared.join(REPORT)).ok()?)
}

/// Keeps a report for the next start.
pub(super) fn keep_report(shared: &Path, report: &Report) -> Result<(), ProgramError> {
    replace(&shared.join(REPORT), report.to_string().as_bytes(), 0o644)
}

/// The start, good for one time, that this pod's gate has used; none where it has used none.
pub(super) fn used_start(shared: &Path) -> Option<String> {
    fs::read_to_string(shared.join(START)).ok()
}

/// Notes that a start is used.
pub(super) fn keep_used_start(shared: &Path, start: &str) -> Result<(), ProgramError> {
    replace(&shared.join(START), start.as_bytes(), 0o644)
}

/// Becomes the server, with these flags beside its own words: its program takes this process over. Returns only where it
/// cannot be started.
pub(super) fn become_server(words: &[OsString], flags: &[String]) -> ProgramError {
    let (program, arguments) = words.split_first().map_or((OsString::new(), words), |(p, rest)| (p.clone(), rest));
    let source = Command::new(&program).args(arguments).args(flags).exec();
    ProgramError::Start { program: program.to_string_lossy().into_owned(), source }
}

/// Writes beside the file first: a program that runs cannot be written over, and a crash leaves the one before.
fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<(), ProgramError> {
    let draft = path.with_extension("new");
    fs::write(&draft, bytes)
        .and_then(|()| fs::set_permissions(&draft, Permissions::from_mode(mode)))
        .and_then(|()| fs::rename(&draft, path))
        .map_err(|source| write_error(path, source))
}

fn write_error(path: &Path, source: io::Error) -> ProgramError {
    ProgramError::Write { path: path.to_owned(), source }
}
