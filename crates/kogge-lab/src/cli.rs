//! The command line.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::components::Component;
use crate::error::{IoContext, LabError, Result};
use crate::lab::Lab;
use crate::spec::{LabSpec, Mode};

/// Real Kubernetes clusters on one machine, with faults.
#[derive(Debug, Parser)]
#[command(name = "kogge-lab", version)]
pub struct Cli {
    /// Name of the lab; labs with different names stand side by side.
    #[arg(long, global = true, default_value = "lab", env = "KOGGE_LAB")]
    name: String,
    /// Use a cluster that runs already; repeat for each, `control` must be among them.
    #[arg(long = "kubeconfig", global = true, value_name = "NAME=FILE", value_parser = parse_kubeconfig)]
    kubeconfigs: Vec<(String, PathBuf)>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make the lab, or complete what is missing of it.
    Up(Up),
    /// End the lab with everything it started.
    Down,
    /// Show clusters, components, nodes and memory.
    Status,
    /// Print what a shell needs: eval "$(kogge-lab env)".
    Env,
    /// Work with container images.
    #[command(subcommand)]
    Image(Image),
    /// Break something; it stays broken until `fault heal`.
    #[command(subcommand)]
    Fault(FaultCommand),
    /// Install the distribution packages that the lab needs.
    Setup,
}

#[derive(Debug, Args)]
struct Up {
    /// Number of worker clusters: vdc1, vdc2, …
    #[arg(long, default_value_t = 3)]
    workers: u8,
    /// API servers only: no nodes, no root needed.
    #[arg(long)]
    api_only: bool,
    /// Give pods of the control cluster routes to the pods of workers.
    #[arg(long)]
    control_routes: bool,
}

#[derive(Debug, Subcommand)]
enum Image {
    /// Import image files (OCI layout or docker archive in a tar) into every node.
    Load {
        /// The files.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
enum FaultCommand {
    /// Let packets of a cluster vanish: all of them, or as narrowed by the options.
    Partition(Partition),
    /// Kill a component.
    Kill(Target),
    /// Stop a component where it is (SIGSTOP).
    Stop(Target),
    /// Kill a component and start it again.
    Restart(Target),
    /// Kill all processes of a pod.
    KillPod {
        /// The cluster.
        cluster: String,
        /// The pod, as namespace/name.
        pod: String,
    },
    /// Wipe the volumes that a pod claims, for good.
    Wipe {
        /// The cluster.
        cluster: String,
        /// The pod, as namespace/name.
        pod: String,
    },
    /// Cut a cluster's power: everything in it ends at once; its disks remain.
    Crash {
        /// The cluster.
        cluster: String,
    },
    /// Heal all faults.
    Heal,
}

#[derive(Debug, Args)]
struct Partition {
    /// The cluster.
    cluster: String,
    /// Only between this cluster and the other one.
    #[arg(long, value_name = "CLUSTER", conflicts_with_all = ["api_only", "pods_only"])]
    from: Option<String>,
    /// Only what the other one sends.
    #[arg(long, requires = "from")]
    one_way: bool,
    /// Only its API server.
    #[arg(long, conflicts_with = "pods_only")]
    api_only: bool,
    /// Only its pods.
    #[arg(long)]
    pods_only: bool,
}

#[derive(Debug, Args)]
struct Target {
    /// The cluster.
    cluster: String,
    /// The component: etcd, kube-apiserver, kubelet, …
    component: Component,
}

impl Cli {
    /// Does what the command line says.
    pub async fn run(self) -> Result<()> {
        match self.command {
            Command::Up(ref up) => {
                let mode = if up.api_only { Mode::ApiOnly } else { Mode::Full };
                if !self.kubeconfigs.is_empty() {
                    return Err(LabError::Invalid(
                        "clusters given by --kubeconfig run already; `up` makes none".to_owned(),
                    ));
                }
                let spec = LabSpec {
                    name: self.name.clone(),
                    workers: up.workers,
                    mode,
                    control_routes: up.control_routes,
                };
                let lab = tokio::select! {
                    lab = Lab::up(spec) => lab?,
                    _ = tokio::signal::ctrl_c() => return Err(interrupted(&self.name)),
                };
                eprintln!("{}", lab.status().await?);
                eprintln!(
                    "look at it: eval \"$(kogge-lab env --name {0})\"; end it: kogge-lab down --name {0}",
                    self.name
                );
                Ok(())
            }
            Command::Down if self.kubeconfigs.is_empty() => {
                let name = self.name;
                crate::command::blocking(move || Lab::end(&name)).await
            }
            Command::Down => {
                Err(LabError::Invalid("clusters given by --kubeconfig are not the lab's to end".to_owned()))
            }
            Command::Status => print(&self.lab()?.status().await?.to_string()),
            Command::Env => {
                let exports = self.lab()?.shell_environment()?.exports();
                print(&format!("{exports}\nexport KOGGE_LAB='{}'", self.name))
            }
            Command::Image(Image::Load { ref files }) => {
                let lab = self.lab()?;
                for file in files {
                    lab.load_image(file).await?;
                }
                Ok(())
            }
            Command::Fault(ref fault) => fault.run(&self.lab()?).await,
            Command::Setup => crate::command::blocking(|| crate::setup::ensure(Mode::Full)).await,
        }
    }

    fn lab(&self) -> Result<Lab> {
        if self.kubeconfigs.is_empty() {
            return Lab::attach(&self.name);
        }
        Lab::external(&self.kubeconfigs.iter().cloned().collect::<BTreeMap<_, _>>())
    }
}

impl FaultCommand {
    async fn run(&self, lab: &Lab) -> Result<()> {
        let faults = lab.faults();
        let fault = match self {
            Self::Partition(Partition { cluster, from: Some(from), one_way: true, .. }) => {
                faults.partition_one_way(from, cluster).await?
            }
            Self::Partition(Partition { cluster, from: Some(from), .. }) => {
                faults.partition_between(from, cluster).await?
            }
            Self::Partition(Partition { cluster, api_only: true, .. }) => faults.cut_api(cluster).await?,
            Self::Partition(Partition { cluster, pods_only: true, .. }) => faults.cut_pods(cluster).await?,
            Self::Partition(Partition { cluster, .. }) => faults.partition(cluster).await?,
            Self::Kill(Target { cluster, component }) => faults.kill(cluster, *component).await?,
            Self::Stop(Target { cluster, component }) => faults.stop(cluster, *component).await?,
            Self::Crash { cluster } => faults.crash(cluster).await?,
            Self::Restart(Target { cluster, component }) => return faults.restart(cluster, *component).await,
            Self::KillPod { cluster, pod } => {
                let (namespace, name) = namespaced(pod);
                return faults.kill_pod(cluster, namespace, name).await;
            }
            Self::Wipe { cluster, pod } => {
                let (namespace, name) = namespaced(pod);
                return faults.wipe_volumes(cluster, namespace, name).await;
            }
            Self::Heal => return faults.heal_all().await,
        };
        fault.keep();
        Ok(())
    }
}

fn interrupted(name: &str) -> LabError {
    LabError::Invalid(format!(
        "interrupted; what was started stays: `kogge-lab up --name {name}` completes it, `kogge-lab down --name {name}` ends it"
    ))
}

/// Writes to standard output; a reader that has had enough is no failure.
fn print(text: &str) -> Result<()> {
    match writeln!(std::io::stdout(), "{text}") {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(e).context(|| "write to standard output".to_owned())
        }
        _ => Ok(()),
    }
}

fn parse_kubeconfig(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, file)) if !name.is_empty() && !file.is_empty() => Ok((name.to_owned(), file.into())),
        _ => Err("expected NAME=FILE, such as vdc1=/path/to/kubeconfig".to_owned()),
    }
}

/// The namespace and name of a pod that is given as `namespace/name`, or by its name alone.
fn namespaced(pod: &str) -> (&str, &str) {
    pod.split_once('/').unwrap_or(("default", pod))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn contradicting_faults_are_refused() {
        let parse = |words: &str| Cli::try_parse_from(words.split(' '));
        assert!(parse("kogge-lab fault partition vdc2").is_ok());
        assert!(parse("kogge-lab fault partition vdc2 --from vdc1 --one-way").is_ok());
        assert!(parse("kogge-lab fault partition vdc2 --one-way").is_err());
        assert!(parse("kogge-lab fault partition vdc2 --api-only --pods-only").is_err());
        assert!(parse("kogge-lab fault kill vdc2 kubelets").is_err());
        assert!(parse("kogge-lab --kubeconfig vdc1 status").is_err());
    }
}
