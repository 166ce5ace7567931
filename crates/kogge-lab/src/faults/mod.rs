//! What can be broken. Every fault is a guard that heals when it is dropped; [`Fault::heal`] heals and says when
//! that failed, [`Fault::keep`] leaves the fault until [`Faults::heal_all`].

mod guard;
mod pods;
mod volumes;

use nix::sys::signal::Signal;

pub use guard::Fault;

use crate::cluster::Cluster;
use crate::command::blocking;
use crate::components::Component;
use crate::context::{ClusterContext, LabContext};
use crate::error::{LabError, Result};
use crate::lab::Lab;
use crate::network::{self, PacketFault};
use crate::node;
use crate::process::{ProcessTable, kill_and_wait, signal};
use crate::runtime::{self, BaseImages};
use crate::spec::Mode;
use guard::Undo;

/// The faults of a lab.
#[derive(Debug, Clone, Copy)]
pub struct Faults<'a> {
    lab: &'a Lab,
}

impl<'a> Faults<'a> {
    pub(crate) fn new(lab: &'a Lab) -> Self {
        Self { lab }
    }

    /// Cuts a cluster off from everything, the host included: its cable is pulled, packets vanish.
    pub async fn partition(self, cluster: &str) -> Result<Fault> {
        let context = self.networked(cluster)?;
        let target = context.clone();
        blocking(move || network::set_port(&target.lab, target.name(), false)).await?;
        Ok(Fault::new(format!("partition {cluster}"), Undo::Plug(Box::new(context))))
    }

    /// Lets everything vanish between two clusters.
    pub async fn partition_between(self, one: &str, other: &str) -> Result<Fault> {
        self.networked(other)?;
        self.drop_packets(one, PacketFault::Between { one: one.to_owned(), other: other.to_owned() }).await
    }

    /// Lets what `from` sends to `to` vanish; the other way stays open.
    pub async fn partition_one_way(self, from: &str, to: &str) -> Result<Fault> {
        self.networked(to)?;
        self.drop_packets(from, PacketFault::OneWay { from: from.to_owned(), to: to.to_owned() }).await
    }

    /// Cuts a cluster's API server off; its pods go on talking to others.
    pub async fn cut_api(self, cluster: &str) -> Result<Fault> {
        let context = self.networked(cluster)?;
        self.drop_packets(cluster, PacketFault::Api(Box::new(context))).await
    }

    /// Cuts a cluster's pods off; its API server goes on answering.
    pub async fn cut_pods(self, cluster: &str) -> Result<Fault> {
        let context = self.networked(cluster)?;
        self.drop_packets(cluster, PacketFault::Pods(Box::new(context))).await
    }

    /// Kills a component at once. Healing starts it again.
    pub async fn kill(self, cluster: &str, component: Component) -> Result<Fault> {
        let context = self.lab.cluster(cluster)?.own()?.clone();
        let target = context.clone();
        blocking(move || kill_and_wait(&[process_of(&target, component)?])).await?;
        Ok(Fault::new(format!("kill {cluster}/{component}"), Undo::Start(Box::new(context), component)))
    }

    /// Stops a component where it stands (SIGSTOP): its connections stay and nothing answers.
    pub async fn stop(self, cluster: &str, component: Component) -> Result<Fault> {
        let context = self.lab.cluster(cluster)?.own()?.clone();
        let process = blocking(move || {
            let process = process_of(&context, component)?;
            signal(process, Signal::SIGSTOP)?;
            Ok(process)
        })
        .await?;
        Ok(Fault::new(format!("stop {cluster}/{component}"), Undo::Continue(process)))
    }

    /// Kills a component and starts it again.
    pub async fn restart(self, cluster: &str, component: Component) -> Result<()> {
        self.kill(cluster, component).await?.heal().await
    }

    /// Cuts a cluster's power: every process of it and of its pods ends at once. Healing brings it back with its disks.
    pub async fn crash(self, cluster: &str) -> Result<Fault> {
        let context = self.lab.cluster(cluster)?.own()?.clone();
        let target = context.clone();
        blocking(move || match target.mode() {
            Mode::Full => node::power_off(&target),
            Mode::ApiOnly | Mode::ApiAndControllers => node::end_processes(&target.runtime()),
        })
        .await?;
        Ok(Fault::new(format!("crash {cluster}"), Undo::PowerOn(Box::new(context))))
    }

    /// Kills all processes of a pod at once (SIGKILL), as its node's kernel may. The kubelet restarts its
    /// containers by its own rules.
    pub async fn kill_pod(self, cluster: &str, namespace: &str, pod: &str) -> Result<()> {
        let cluster = self.lab.cluster(cluster)?;
        cluster.own()?;
        pods::kill(cluster, namespace, pod).await
    }

    /// Wipes the volumes that a pod claims, under its running processes if there are any. Nothing brings back what was
    /// on them.
    pub async fn wipe_volumes(self, cluster: &str, namespace: &str, pod: &str) -> Result<()> {
        let cluster = self.lab.cluster(cluster)?;
        volumes::wipe(cluster, cluster.own()?, namespace, pod).await
    }

    /// Heals everything: cables, packet filters, stopped, killed and crashed parts.
    pub async fn heal_all(&self) -> Result<()> {
        let lab = self.lab.own()?.clone();
        let context = lab.clone();
        blocking(move || lift(&context)).await?;
        let images = BaseImages::new(Vec::new());
        let clusters = lab.clusters();
        futures::future::try_join_all(clusters.iter().map(|c| runtime::bring_up(c, &images))).await.map(drop)
    }

    async fn drop_packets(self, cluster: &str, fault: PacketFault) -> Result<Fault> {
        let lab = self.networked(cluster)?.lab;
        let target = lab.clone();
        let what = format!("{fault}");
        let table = blocking(move || network::add_fault(&target, &fault)).await?;
        Ok(Fault::new(what, Undo::RemoveTable(lab, table)))
    }

    /// A cluster that has a network of its own.
    fn networked(self, cluster: &str) -> Result<ClusterContext> {
        let context = self.lab.cluster(cluster).and_then(Cluster::own)?;
        if context.mode() == Mode::Full {
            Ok(context.clone())
        } else {
            Err(LabError::Invalid(format!("cluster {cluster} has API servers only: there is no network to break")))
        }
    }
}

/// Takes back what keeps running parts from working: pulled cables, packet filters, stop signals.
pub(crate) fn lift(lab: &LabContext) -> Result<()> {
    if lab.record.spec.mode == Mode::Full {
        network::heal_faults(lab)?;
    }
    for process in ProcessTable::read()?.marked(&lab.runtime()).iter().filter(|p| p.state == 'T') {
        signal(process.identity, Signal::SIGCONT)?;
    }
    Ok(())
}

fn process_of(cluster: &ClusterContext, component: Component) -> Result<crate::process::ProcessIdentity> {
    let table = ProcessTable::read()?;
    let process = runtime::find(cluster, component, &table);
    process
        .map(|p| p.identity)
        .ok_or_else(|| LabError::Invalid(format!("{}: {component} does not run", cluster.name())))
}
