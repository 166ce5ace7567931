//! What the machine must have, and installing what it lacks where that is possible.

use std::path::Path;

use crate::command::{find_program, run};
use crate::components::plugin_folder;
use crate::error::{IoContext, LabError, Result};
use crate::spec::Mode;

/// A program of a distribution package.
struct Tool {
    program: &'static str,
    package: &'static str,
}

const TOOLS: [Tool; 8] = [
    Tool { program: "containerd", package: "containerd" },
    Tool { program: "ctr", package: "containerd" },
    Tool { program: "runc", package: "runc" },
    Tool { program: "iptables", package: "iptables" },
    Tool { program: "ip", package: "iproute2" },
    Tool { program: "nft", package: "nftables" },
    Tool { program: "busybox", package: "busybox" },
    Tool { program: "nsenter", package: "util-linux" },
];

const NETWORK_PLUGINS: &str = "containernetworking-plugins";

/// Checks what a lab of this mode needs, and installs missing distribution packages on Debian and Ubuntu.
pub fn ensure(mode: Mode) -> Result<()> {
    if mode != Mode::Full {
        return Ok(());
    }
    if !nix::unistd::geteuid().is_root() {
        return Err(LabError::Missing(
            "the lab needs root: each cluster runs in network, mount and process namespaces of its own, with containers. \
             Run the same command with sudo, or use clusters that run already: \
             --kubeconfig control=FILE --kubeconfig vdc1=FILE …; tests that need API servers only run without root"
                .to_owned(),
        ));
    }
    require("cc", "a C linker: on Debian and Ubuntu `apt-get install build-essential`")?;
    require("go", "Go 1.25 or newer to build the Kubernetes binaries: https://go.dev/dl/")?;
    let missing = missing_packages();
    if !missing.is_empty() {
        install(&missing)?;
    }
    KERNEL_LIMITS.iter().try_for_each(raise_limit)
}

/// A limit of the kernel that is counted per user over the whole machine.
struct KernelLimit {
    key: &'static str,
    least: u64,
}

/// Every kubelet, containerd and API server watches files; the usual 128 instances last for three nodes.
const KERNEL_LIMITS: [KernelLimit; 2] = [
    KernelLimit { key: "fs/inotify/max_user_instances", least: 8192 },
    KernelLimit { key: "fs/inotify/max_user_watches", least: 524_288 },
];

/// Raises a limit until the next boot; never lowers it.
fn raise_limit(limit: &KernelLimit) -> Result<()> {
    let path = Path::new("/proc/sys").join(limit.key);
    let text = std::fs::read_to_string(&path).context(|| format!("read {}", path.display()))?;
    let now: u64 = text.trim().parse().map_err(|e| LabError::document(path.display().to_string(), e))?;
    if now >= limit.least {
        return Ok(());
    }
    tracing::info!(
        "raising {} from {now} to {}: nodes watch many files",
        limit.key.replace('/', "."),
        limit.least
    );
    std::fs::write(&path, limit.least.to_string()).context(|| format!("write {}", path.display()))
}

fn require(program: &str, what: &str) -> Result<()> {
    if find_program(program).is_some() {
        return Ok(());
    }
    Err(LabError::Missing(format!("`{program}` was not found; the lab needs {what}")))
}

fn missing_packages() -> Vec<&'static str> {
    let mut packages: Vec<_> =
        TOOLS.iter().filter(|t| find_program(t.program).is_none()).map(|t| t.package).collect();
    if !["ptp", "host-local", "portmap", "loopback"]
        .iter()
        .all(|plugin| Path::new(plugin_folder()).join(plugin).is_file())
    {
        packages.push(NETWORK_PLUGINS);
    }
    packages.dedup();
    packages
}

fn install(packages: &[&'static str]) -> Result<()> {
    install_packages(packages)?;
    let missing = missing_packages();
    if missing.is_empty() {
        return Ok(());
    }
    Err(LabError::Missing(format!(
        "after their installation, programs of these packages are still missing: {}",
        missing.join(" ")
    )))
}

/// Installs packages of Debian and Ubuntu. On other distributions it only names them.
pub fn install_packages(packages: &[&'static str]) -> Result<()> {
    let list = packages.join(" ");
    if find_program("apt-get").is_none() {
        return Err(LabError::Missing(format!(
            "these packages are missing: {list}. Install them with your distribution's package manager (the names are Debian's)"
        )));
    }
    tracing::info!("installing distribution packages: {list}");
    let install: Vec<&str> =
        ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "--yes", "--no-install-recommends"]
            .into_iter()
            .chain(packages.iter().copied())
            .collect();
    // A fresh machine has no package lists yet.
    run(&install).or_else(|_| run(&["apt-get", "update"]).and_then(|_| run(&install))).map(drop)
}
