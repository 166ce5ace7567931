//! Files that are generated from the types and committed, so that a reader and a diff see them.

mod manifests;
mod rbac_reference;
mod reference;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};

use crate::workspace;

/// Folders in which every file is generated, but for [`BY_HAND`].
const FOLDERS: [&str; 3] = ["config/crd", "config/rbac", "docs/reference"];

/// Files in these folders that are written by hand; a test of the operator holds `metrics.md` to its metrics.
const BY_HAND: [&str; 3] = ["kustomization.yaml", "metrics.md", "protection.md"];

/// Generated files: their contents, by path from the root of the checkout.
type Files = BTreeMap<String, String>;

/// Writes every generated file, and removes those that are generated no more.
pub(crate) fn write() -> anyhow::Result<()> {
    let root = workspace::root();
    for (path, drift) in drift(&root)? {
        let file = root.join(&path);
        match drift {
            Drift::Differs(content) => {
                if let Some(folder) = file.parent() {
                    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
                }
                fs::write(&file, content).with_context(|| format!("cannot write {path}"))?;
                println!("wrote {path}");
            }
            Drift::Stale => {
                fs::remove_file(&file).with_context(|| format!("cannot remove {path}"))?;
                println!("removed {path}");
            }
        }
    }
    Ok(())
}

/// Fails where a committed file differs from what the types say.
pub(crate) fn check() -> anyhow::Result<()> {
    let drift = drift(&workspace::root())?;
    if !drift.is_empty() {
        let paths: Vec<_> = drift.into_keys().collect();
        bail!("not as the types say: {}; run `cargo xtask gen` and commit the result", paths.join(", "));
    }
    Ok(())
}

/// How a file in the checkout differs from what is generated.
enum Drift {
    /// It is missing or has other content than this.
    Differs(String),
    /// Nothing generates it.
    Stale,
}

fn drift(root: &Path) -> anyhow::Result<BTreeMap<String, Drift>> {
    let files = files()?;
    let mut drift: BTreeMap<String, Drift> =
        present(root)?.into_iter().filter(|path| !files.contains_key(path)).map(|p| (p, Drift::Stale)).collect();
    for (path, content) in files {
        if fs::read_to_string(root.join(&path)).ok().as_ref() != Some(&content) {
            drift.insert(path, Drift::Differs(content));
        }
    }
    Ok(drift)
}

fn files() -> anyhow::Result<Files> {
    let mut files = manifests::files()?;
    files.extend(reference::files()?);
    files.extend(rbac_reference::files());
    Ok(files)
}

fn present(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut paths = Vec::new();
    for folder in FOLDERS {
        let Ok(entries) = fs::read_dir(root.join(folder)) else { continue };
        for entry in entries {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if !BY_HAND.contains(&name.as_str()) {
                paths.push(format!("{folder}/{name}"));
            }
        }
    }
    Ok(paths)
}

#[cfg(test)]
mod tests {
    #[test]
    fn committed_files_are_as_generated() {
        super::check().unwrap();
    }
}
