//! The Kubernetes binaries: one multi-call binary linked from Go modules, built when it is first needed and kept
//! under a name made of the hash of its sources.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::command::find_program;
use crate::digest;
use crate::error::{IoContext, LabError, Result};
use crate::spec::Mode;

const SOURCES: [(&str, &str); 3] = [
    ("main.go", include_str!("../kubeparts/main.go")),
    ("go.mod", include_str!("../kubeparts/go.mod")),
    ("go.sum", include_str!("../kubeparts/go.sum")),
];

const LINKER_FLAGS: &str = "-s -w -X k8s.io/component-base/version.gitVersion=v1.34.4 \
    -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=34";

/// Where the components' programs come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Binaries {
    /// One binary that is called with the component's name as its first argument.
    Kubeparts(PathBuf),
    /// A folder with one binary per component, such as `$KUBEBUILDER_ASSETS`.
    Folder(PathBuf),
}

impl Binaries {
    /// The programs for a lab of this mode: `$KUBEBUILDER_ASSETS` where it suffices, else the binary built here.
    pub fn ensure(mode: Mode) -> Result<Self> {
        if mode == Mode::ApiOnly
            && let Some(folder) = std::env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from)
        {
            if ["etcd", "kube-apiserver"].iter().all(|program| folder.join(program).is_file()) {
                tracing::info!("using etcd and kube-apiserver of {}", folder.display());
                return Ok(Self::Folder(folder));
            }
            tracing::warn!(
                "$KUBEBUILDER_ASSETS ({}) lacks etcd or kube-apiserver and is not used",
                folder.display()
            );
        }
        ensure().map(Self::Kubeparts)
    }

    /// Whether the programs are still there.
    pub(crate) fn exist(&self) -> bool {
        self.program("kube-apiserver").is_file()
    }

    /// The start of a component's command line; `seen_as` is the binary's path where the component runs.
    pub(crate) fn command(&self, component: &str, seen_as: Option<&str>) -> Vec<String> {
        match self {
            Self::Kubeparts(path) => {
                let path = seen_as.map_or_else(|| path.to_string_lossy().into_owned(), str::to_owned);
                vec![path, component.to_owned()]
            }
            Self::Folder(folder) => vec![folder.join(component).to_string_lossy().into_owned()],
        }
    }

    /// The file that runs when `component` runs.
    pub(crate) fn program(&self, component: &str) -> PathBuf {
        match self {
            Self::Kubeparts(path) => path.clone(),
            Self::Folder(folder) => {
                let path = folder.join(component);
                // What runs is what a link leads to.
                fs::canonicalize(&path).unwrap_or(path)
            }
        }
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

/// The path of the multi-call binary, built if it is not there. The first build takes minutes.
pub(crate) fn ensure() -> Result<PathBuf> {
    let folder = cache_folder()?.join("kubeparts").join(version());
    let binary = folder.join("kubeparts");
    if binary.is_file() {
        return Ok(binary);
    }
    fs::create_dir_all(&folder).context(|| format!("create {}", folder.display()))?;
    let _one_builder = build_lock(&folder)?;
    if !binary.is_file() {
        build(&folder, &binary)?;
    }
    Ok(binary)
}

/// Names what the binary is made of.
pub(crate) fn version() -> String {
    let sources = SOURCES.iter().flat_map(|(name, text)| [*name, *text]);
    digest::version(&sources.chain([LINKER_FLAGS]).collect::<Vec<_>>())
}

fn build_lock(folder: &Path) -> Result<File> {
    let path = folder.join("build.lock");
    let lock = File::create(&path).context(|| format!("create {}", path.display()))?;
    if lock.try_lock().is_err() {
        tracing::info!("waiting for another process that builds kubeparts");
        lock.lock().context(|| format!("lock {}", path.display()))?;
    }
    Ok(lock)
}

fn build(folder: &Path, binary: &Path) -> Result<()> {
    let go = find_program("go").ok_or_else(|| {
        LabError::Missing(
            "Go is needed to build the Kubernetes binaries: install Go 1.25 or newer (https://go.dev/dl/)"
                .to_owned(),
        )
    })?;
    let sources = folder.join("src");
    fs::create_dir_all(&sources).context(|| format!("create {}", sources.display()))?;
    for (name, text) in SOURCES {
        let path = sources.join(name);
        fs::write(&path, text).context(|| format!("write {}", path.display()))?;
    }
    tracing::info!(
        "building kubeparts (Kubernetes, etcd and CoreDNS in one binary): about 5 minutes when Go's cache is cold"
    );
    let draft = folder.join("kubeparts.draft");
    let start = Instant::now();
    let mut child = Command::new(go)
        .args(["build", "-v", "-trimpath", "-ldflags", LINKER_FLAGS, "-o"])
        .arg(&draft)
        .arg(".")
        .current_dir(&sources)
        .env("CGO_ENABLED", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context(|| "start `go build`".to_owned())?;
    let tail = child.stderr.take().map(|output| follow_build(BufReader::new(output), start)).unwrap_or_default();
    let status = child.wait().context(|| "wait for `go build`".to_owned())?;
    if !status.success() {
        return Err(LabError::Command {
            command: "go build (kubeparts)".to_owned(),
            status: status.to_string(),
            stderr: tail,
        });
    }
    fs::rename(&draft, binary).context(|| format!("keep {}", binary.display()))?;
    tracing::info!("kubeparts built in {:.0}s", start.elapsed().as_secs_f32());
    Ok(())
}

/// Tells how far the build is, from the packages that `go build -v` names; returns the last lines.
fn follow_build(output: impl BufRead, start: Instant) -> String {
    let mut tail: Vec<String> = Vec::new();
    let mut told = Instant::now();
    for (count, line) in output.lines().map_while(std::io::Result::ok).enumerate() {
        if told.elapsed() > Duration::from_secs(10) {
            tracing::info!("kubeparts: {count} steps, {:.0}s, now {line}", start.elapsed().as_secs_f32());
            told = Instant::now();
        }
        tail.push(line);
        if tail.len() > 12 {
            tail.remove(0);
        }
    }
    tail.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_is_a_word_or_a_file() {
        let one = Binaries::Kubeparts("/cache/kubeparts".into());
        assert_eq!(one.command("etcd", None), ["/cache/kubeparts", "etcd"]);
        assert_eq!(one.command("etcd", Some("/run/bin/kubeparts")), ["/run/bin/kubeparts", "etcd"]);
        let many = Binaries::Folder("/assets".into());
        assert_eq!(many.command("etcd", None), ["/assets/etcd"]);
    }
}
