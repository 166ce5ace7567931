//! Licences, sources and bans, by cargo-deny.

use std::path::PathBuf;

use anyhow::Context as _;

use crate::cargo::cargo;
use crate::command::{command, run};

/// Checks them with cargo-deny, which is built once where it is missing.
pub(crate) async fn check() -> anyhow::Result<()> {
    let root = tools()?;
    let program = root.join("bin/cargo-deny");
    if !program.is_file() {
        println!("building cargo-deny, once; it takes about a minute");
        let mut install = cargo(&["install", "--locked", "--quiet", "--debug", "--no-default-features", "--root"]);
        install.arg(&root).arg("cargo-deny");
        run(install).await?;
    }
    // Warnings are for whoever asks for them: there, duplicate versions are listed.
    run(command(program, ["--log-level", "error", "check", "bans", "licenses", "sources"])).await
}

/// Where tools are kept between checkouts.
fn tools() -> anyhow::Result<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    Ok(cache
        .context("neither XDG_CACHE_HOME nor HOME is set, so there is no place to keep tools in")?
        .join("kogge/tools"))
}
