//! The clients that the stand-in is tested with: the shell `mongosh` and Python's driver.

#[path = "../../crates/mongosim/tests/clients/installed.rs"]
mod installed;

use std::path::Path;

use anyhow::Context as _;
use tokio::process::Command;

use crate::command::{command, output, run};
use crate::setup::blocking;
use installed::{Clients, MANIFESTS};

/// Installs them where they are missing: Python's packages by pip, among them a Node.js, and with that the shell by
/// npm. Versions and hashes are those of the manifests beside the tests.
pub(crate) async fn ensure() -> anyhow::Result<()> {
    let clients = Clients::of_this_user()
        .context("neither XDG_CACHE_HOME nor HOME is set, so there is no place to keep the clients in")?;
    if clients.folder().is_dir() {
        return Ok(());
    }
    ensure_python().await?;
    // Made beside its place and moved there when it is whole: a task that is stopped leaves nothing half-made.
    let made = Clients::within(clients.folder().with_extension(format!("{}.partial", std::process::id())));
    let result = install(&made).await;
    let folder = made.folder();
    if result.is_ok() {
        std::fs::rename(folder, clients.folder()).with_context(|| format!("move {}", folder.display()))?;
    } else if folder.exists() {
        std::fs::remove_dir_all(folder).with_context(|| format!("remove {}", folder.display()))?;
    }
    result
}

/// Python with `venv`, from the distribution where it is missing.
async fn ensure_python() -> anyhow::Result<()> {
    let usable = async || output(command("python3", ["-c", "import ensurepip, venv"])).await;
    if usable().await.is_ok() {
        return Ok(());
    }
    blocking(|| kogge_lab::setup::install_packages(&["python3", "python3-venv"])).await?;
    usable()
        .await
        .context("python3 with `venv` and `ensurepip` is needed for the tests with real clients")
        .map(drop)
}

async fn install(clients: &Clients) -> anyhow::Result<()> {
    let folder = clients.folder();
    std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    for (name, content) in MANIFESTS {
        std::fs::write(folder.join(name), content).with_context(|| format!("write {name}"))?;
    }
    run_in(folder, command("python3", ["-m", "venv", "venv"])).await?;
    let mut pip = command(clients.python(), ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    pip.args(["--no-deps", "--require-hashes", "--only-binary", ":all:", "--requirement", "requirements.txt"]);
    pip.arg("--target").arg(clients.python_packages());
    run_in(folder, pip).await?;
    let mut npm = command(clients.node(), [clients.npm()]);
    npm.args(["ci", "--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund", "--loglevel=error"]);
    run_in(folder, npm).await?;
    let mut shell = command(clients.node(), [clients.mongosh()]);
    shell.arg("--version");
    output(shell).await.context("the shell does not start").map(drop)
}

async fn run_in(folder: &Path, mut command: Command) -> anyhow::Result<()> {
    command.current_dir(folder);
    run(command).await
}
