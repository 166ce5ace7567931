//! What runs, and how it is.

use std::fmt;

use crate::bootstrap;
use crate::command::blocking;
use crate::components::Component;
use crate::context::ClusterContext;
use crate::error::Result;
use crate::lab::Lab;
use crate::node::Node;
use crate::process::{Process, ProcessTable};
use crate::runtime;
use crate::spec::Mode;

/// How a lab is.
#[derive(Debug, Clone)]
pub struct Status {
    /// Per cluster, control first.
    pub clusters: Vec<ClusterStatus>,
}

/// How a cluster is.
#[derive(Debug, Clone)]
pub struct ClusterStatus {
    /// The cluster's name.
    pub name: String,
    /// URL of its API server.
    pub api_server: String,
    /// Whether the API server says that it is ready; what is missing if not.
    pub api: Result<(), String>,
    /// Whether its node is ready; none where there is no node by design.
    pub node: Option<Result<(), String>>,
    /// Its processes; empty for clusters that the lab did not make.
    pub components: Vec<ComponentStatus>,
    /// Memory of all its processes, its pods included, in bytes; shared pages are counted once over all processes.
    pub memory_bytes: u64,
}

/// How a component is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComponentStatus {
    /// Which one.
    pub component: Component,
    /// What its process does.
    pub state: ComponentState,
    /// Its process id on the host, if it runs.
    pub pid: Option<i32>,
    /// Its memory in bytes.
    pub memory_bytes: u64,
}

/// What a component's process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ComponentState {
    /// It runs.
    Running,
    /// It was stopped by a signal.
    Stopped,
    /// It is not there.
    Missing,
}

impl Lab {
    /// Looks at every cluster.
    pub async fn status(&self) -> Result<Status> {
        let mut clusters = Vec::new();
        for cluster in self.clusters() {
            let (client, own) = (cluster.client().await?, cluster.own().ok().cloned());
            let node = match own.as_ref().map_or(Mode::Full, ClusterContext::mode) {
                Mode::Full => Some(bootstrap::node_ready(client.clone()).await),
                Mode::ApiOnly | Mode::ApiAndControllers => None,
            };
            let (components, memory_bytes) = match own {
                Some(context) => blocking(move || look_at_processes(&context)).await?,
                None => (Vec::new(), 0),
            };
            let api = bootstrap::api_ready(client).await;
            clusters.push(ClusterStatus {
                name: cluster.name().to_owned(),
                api_server: cluster.api_server(),
                api,
                node,
                components,
                memory_bytes,
            });
        }
        Ok(Status { clusters })
    }
}

fn look_at_processes(cluster: &ClusterContext) -> Result<(Vec<ComponentStatus>, u64)> {
    let table = ProcessTable::read()?;
    let components = Component::of(cluster.mode()).iter().map(|c| component_status(cluster, *c, &table)).collect();
    let memory = match Node::find(cluster, &table) {
        Some(node) => total(&table.descendants(node.init().pid)),
        None => total(&table.marked(&cluster.runtime())),
    };
    Ok((components, memory))
}

fn total(processes: &[&Process]) -> u64 {
    processes.iter().map(|p| p.memory_bytes()).sum()
}

fn component_status(cluster: &ClusterContext, component: Component, table: &ProcessTable) -> ComponentStatus {
    let process = runtime::find(cluster, component, table);
    ComponentStatus {
        component,
        state: match process.map(|p| p.state) {
            None => ComponentState::Missing,
            Some('T') => ComponentState::Stopped,
            Some(_) => ComponentState::Running,
        },
        pid: process.map(|p| p.identity.pid),
        memory_bytes: process.map_or(0, Process::memory_bytes),
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mebibytes = |bytes: u64| bytes / (1024 * 1024);
        let said = |state: &Result<(), String>| match state {
            Ok(()) => "ready".to_owned(),
            Err(missing) => format!("NOT READY: {missing}"),
        };
        for cluster in &self.clusters {
            writeln!(f, "{} {}", cluster.name, cluster.api_server)?;
            writeln!(f, "  API {}", said(&cluster.api))?;
            if let Some(node) = &cluster.node {
                writeln!(f, "  node {}", said(node))?;
            }
            for c in &cluster.components {
                let pid = c.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
                let state = format!("{:?}", c.state).to_lowercase();
                writeln!(
                    f,
                    "  {:<24} {:<8} pid {pid:<8} {:>5} MiB",
                    c.component,
                    state,
                    mebibytes(c.memory_bytes)
                )?;
            }
            if !cluster.components.is_empty() {
                writeln!(f, "  {:<24} {:>27} MiB", "with all its pods", mebibytes(cluster.memory_bytes))?;
            }
        }
        let all: u64 = self.clusters.iter().map(|c| c.memory_bytes).sum();
        write!(f, "memory of all clusters: {} MiB", mebibytes(all))
    }
}
