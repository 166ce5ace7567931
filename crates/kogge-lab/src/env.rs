//! What a shell needs to look at the lab.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::error::{IoContext, Result};
use crate::kubeconfig::{self, Entry};
use crate::kubeparts::Binaries;
use crate::lab::Lab;

/// Settings for a shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShellEnvironment {
    /// A kubeconfig with one context per cluster, named like it.
    pub kubeconfig: PathBuf,
    /// A folder with `kubectl`; none where the lab has no kubectl of its own.
    pub tools: Option<PathBuf>,
}

impl Lab {
    /// Writes the kubeconfig for all clusters and a folder with `kubectl`, and says where they are.
    pub fn shell_environment(&self) -> Result<ShellEnvironment> {
        let lab = self.own()?;
        let folder = &lab.record.folder;
        let entries: Vec<Entry> = lab
            .clusters()
            .iter()
            .map(|c| Entry::read(&c.certificates(), c.name(), &c.api_url(), "admin"))
            .collect::<Result<_>>()?;
        let kubeconfig = folder.join("kubeconfig");
        write_if_changed(&kubeconfig, &kubeconfig::render(&entries)?)?;
        let program = match &lab.record.binaries {
            Binaries::Kubeparts(path) => Some(path.clone()),
            Binaries::Folder(assets) => Some(assets.join("kubectl")).filter(|kubectl| kubectl.is_file()),
        };
        let tools = program.map(|program| link_kubectl(folder, &program)).transpose()?;
        Ok(ShellEnvironment { kubeconfig, tools })
    }
}

impl ShellEnvironment {
    /// The settings as lines that a POSIX shell evaluates.
    pub fn exports(&self) -> String {
        let mut lines = vec![format!("export KUBECONFIG={}", quote(&self.kubeconfig))];
        if let Some(tools) = &self.tools {
            lines.push(format!("export PATH={}:\"$PATH\"", quote(tools)));
        }
        lines.join("\n")
    }
}

fn quote(path: &Path) -> String {
    format!("'{}'", path.to_string_lossy().replace('\'', r"'\''"))
}

fn write_if_changed(path: &Path, text: &str) -> Result<()> {
    if fs::read_to_string(path).is_ok_and(|there| there == text) {
        return Ok(());
    }
    fs::write(path, text).context(|| format!("write {}", path.display()))
}

fn link_kubectl(folder: &Path, program: &Path) -> Result<PathBuf> {
    let tools = folder.join("bin");
    fs::create_dir_all(&tools).context(|| format!("create {}", tools.display()))?;
    let link = tools.join("kubectl");
    match symlink(program, &link) {
        Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(e).context(|| format!("link {}", link.display()))
        }
        _ => Ok(tools),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_quoted_for_the_shell() {
        let env = ShellEnvironment { kubeconfig: "/a b/it's".into(), tools: Some("/t".into()) };
        assert_eq!(env.exports(), "export KUBECONFIG='/a b/it'\\''s'\nexport PATH='/t':\"$PATH\"");
    }
}
