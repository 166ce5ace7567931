//! The program that is a node's and a pod's first process: it sleeps and reaps orphans.

use std::fs;
use std::path::PathBuf;

use crate::command::{find_program, run};
use crate::digest;
use crate::error::{IoContext, LabError, Result};
use crate::go_module::cache_folder;

/// File name of the program.
pub(crate) const PROGRAM: &str = "pause";

const SOURCE: &str = include_str!("pause.c");

/// The path of the program, compiled if it is not there: static where the machine has a static C library.
pub(crate) fn program() -> Result<PathBuf> {
    let version = digest::version(&[SOURCE]);
    let folder = cache_folder()?.join(PROGRAM).join(version);
    let program = folder.join(PROGRAM);
    if program.is_file() {
        return Ok(program);
    }
    if find_program("cc").is_none() {
        return Err(LabError::Missing(
            "a C compiler is needed: install gcc or clang (on Debian and Ubuntu: build-essential)".to_owned(),
        ));
    }
    fs::create_dir_all(&folder).context(|| format!("create {}", folder.display()))?;
    let source = folder.join("pause.c");
    fs::write(&source, SOURCE).context(|| format!("write {}", source.display()))?;
    let draft = folder.join(format!("{PROGRAM}.{}", std::process::id()));
    let (source, draft_path) = (source.to_string_lossy().into_owned(), draft.to_string_lossy().into_owned());
    run(&["cc", "-static", "-O2", "-o", &draft_path, &source])
        .or_else(|_| run(&["cc", "-O2", "-o", &draft_path, &source]))?;
    fs::rename(&draft, &program).context(|| format!("keep {}", program.display()))?;
    Ok(program)
}
