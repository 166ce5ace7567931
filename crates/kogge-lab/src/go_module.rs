//! Programs linked from Go modules: built when they are first needed, and kept under a name made of the hash of their
//! sources.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::command::find_program;
use crate::digest;
use crate::error::{IoContext, LabError, Result};

/// A module whose packages are built to programs, and what it is made of.
pub(crate) struct GoModule {
    /// The name of its folder in the cache.
    pub(crate) name: &'static str,
    /// What its programs are, for whoever waits for them.
    pub(crate) what: &'static str,
    /// How long it takes to build when Go's cache is cold.
    pub(crate) takes: &'static str,
    /// Its programs, by the packages of which `go build` makes them under these names.
    pub(crate) programs: &'static [Program],
    /// Its own mains, the modules and their checksums.
    pub(crate) sources: [(&'static str, &'static str); 3],
    /// What the linker is told.
    pub(crate) linker_flags: &'static str,
}

/// A program of a module.
pub(crate) struct Program {
    /// Its file name.
    pub(crate) name: &'static str,
    /// Its package.
    pub(crate) package: &'static str,
}

impl GoModule {
    /// The folder of the programs, built if they are not there.
    pub(crate) fn ensure(&self) -> Result<PathBuf> {
        let folder = cache_folder()?.join(self.name).join(self.version());
        if self.is_built(&folder) {
            return Ok(folder);
        }
        fs::create_dir_all(&folder).context(|| format!("create {}", folder.display()))?;
        let _one_builder = self.build_lock(&folder)?;
        if !self.is_built(&folder) {
            self.build(&folder)?;
        }
        Ok(folder)
    }

    fn is_built(&self, folder: &Path) -> bool {
        self.programs.iter().all(|program| folder.join(program.name).is_file())
    }

    /// Names what the programs are made of.
    pub(crate) fn version(&self) -> String {
        let sources = self.sources.iter().flat_map(|(name, text)| [*name, *text]);
        digest::version(&sources.chain([self.linker_flags]).collect::<Vec<_>>())
    }

    fn build_lock(&self, folder: &Path) -> Result<File> {
        let path = folder.join("build.lock");
        let lock = File::create(&path).context(|| format!("create {}", path.display()))?;
        if lock.try_lock().is_err() {
            tracing::info!("waiting for another process that builds {}", self.name);
            lock.lock().context(|| format!("lock {}", path.display()))?;
        }
        Ok(lock)
    }

    fn build(&self, folder: &Path) -> Result<()> {
        let name = self.name;
        let go = find_program("go").ok_or_else(|| {
            LabError::Missing(format!(
                "Go is needed to build {name} ({}): install Go 1.26 or newer (https://go.dev/dl/)",
                self.what
            ))
        })?;
        let sources = folder.join("src");
        let draft = folder.join("draft");
        fs::create_dir_all(&draft).context(|| format!("create {}", draft.display()))?;
        for (file, text) in self.sources {
            let path = sources.join(file);
            let parent = path.parent().unwrap_or(&sources);
            fs::create_dir_all(parent).context(|| format!("create {}", parent.display()))?;
            fs::write(&path, text).context(|| format!("write {}", path.display()))?;
        }
        tracing::info!("building {name} ({}): {} when Go's cache is cold", self.what, self.takes);
        let start = Instant::now();
        let mut child = Command::new(go)
            .args(["build", "-v", "-trimpath", "-ldflags", self.linker_flags, "-o"])
            // A folder that is there takes all programs.
            .arg(&draft)
            .args(self.programs.iter().map(|program| program.package))
            .current_dir(&sources)
            .env("CGO_ENABLED", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context(|| "start `go build`".to_owned())?;
        let output = child.stderr.take();
        let tail = output.map(|output| follow_build(name, BufReader::new(output), start)).unwrap_or_default();
        let status = child.wait().context(|| "wait for `go build`".to_owned())?;
        if !status.success() {
            return Err(LabError::Command {
                command: format!("go build ({name})"),
                status: status.to_string(),
                stderr: tail,
            });
        }
        for program in self.programs {
            let binary = folder.join(program.name);
            fs::rename(draft.join(program.name), &binary).context(|| format!("keep {}", binary.display()))?;
        }
        fs::remove_dir(&draft).context(|| format!("remove {}", draft.display()))?;
        tracing::info!("{name} built in {:.0}s", start.elapsed().as_secs_f32());
        Ok(())
    }
}

/// The folder for what is built once and used by all labs of this user.
pub(crate) fn cache_folder() -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os("XDG_CACHE_HOME").filter(|f| !f.is_empty()) {
        return Ok(PathBuf::from(folder).join("kogge"));
    }
    match std::env::var_os("HOME").filter(|f| !f.is_empty()) {
        Some(home) => Ok(PathBuf::from(home).join(".cache/kogge")),
        None => Err(LabError::Missing(
            "neither $HOME nor $XDG_CACHE_HOME is set: the lab has no place for its binaries".to_owned(),
        )),
    }
}

/// Tells how far the build is, from the packages that `go build -v` names; returns the last lines.
fn follow_build(name: &str, output: impl BufRead, start: Instant) -> String {
    let mut tail: Vec<String> = Vec::new();
    let mut told = Instant::now();
    for (count, line) in output.lines().map_while(std::io::Result::ok).enumerate() {
        if told.elapsed() > Duration::from_secs(10) {
            tracing::info!("{name}: {count} steps, {:.0}s, now {line}", start.elapsed().as_secs_f32());
            told = Instant::now();
        }
        tail.push(line);
        if tail.len() > 12 {
            tail.remove(0);
        }
    }
    tail.join("\n")
}
