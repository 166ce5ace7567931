//! Running the components of one cluster. Every step looks at what is there and does only what is missing, so that
//! the same steps start a cluster, finish a half-started one and bring one back after a fault.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::future::try_join_all;
use jiff::Timestamp;
use tokio::sync::Semaphore;

use crate::bootstrap;
use crate::cluster::Cluster;
use crate::command::{blocking, succeeds};
use crate::components::{Component, Stage};
use crate::context::ClusterContext;
use crate::error::{IoContext, LabError, Result};
use crate::images;
use crate::node::{self, Node};
use crate::pki;
use crate::process::{Process, ProcessTable, Start, start_detached};
use crate::spec::Mode;
use crate::wait::until;

/// How long a control plane may take to answer. Generous: clusters share few cores when a lab starts.
const API_DEADLINE: Duration = Duration::from_mins(3);
const NODE_DEADLINE: Duration = Duration::from_mins(4);
const CONTAINERD_DEADLINE: Duration = Duration::from_mins(1);

/// Images that every node gets, and how many imports may run at once on this machine.
#[derive(Debug, Clone)]
pub(crate) struct BaseImages {
    pub(crate) files: Arc<Vec<PathBuf>>,
    pub(crate) imports: Arc<Semaphore>,
}

impl BaseImages {
    pub(crate) fn new(files: Vec<PathBuf>) -> Self {
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        Self { files: Arc::new(files), imports: Arc::new(Semaphore::new(cores)) }
    }
}

/// The process of a component, if it runs.
pub(crate) fn find<'a>(
    cluster: &ClusterContext,
    component: Component,
    table: &'a ProcessTable,
) -> Option<&'a Process> {
    table.component(&cluster.marker(component.name()), &component.program(cluster))
}

/// Starts a component unless it runs.
pub(crate) fn start(cluster: &ClusterContext, component: Component) -> Result<()> {
    let table = ProcessTable::read()?;
    if find(cluster, component, &table).is_some() {
        return Ok(());
    }
    for file in component.files(cluster)? {
        let path = cluster.disk().join(&file.path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).context(|| format!("create {}", folder.display()))?;
        }
        fs::write(&path, file.content).context(|| format!("write {}", path.display()))?;
    }
    let prefix = match cluster.mode() {
        Mode::Full => Node::find(cluster, &table).map(Node::enter).ok_or_else(|| {
            LabError::Invalid(format!("{}: its node is down; bring it back before {component}", cluster.name()))
        })?,
        Mode::ApiOnly | Mode::ApiAndControllers => Vec::new(),
    };
    start_detached(&Start {
        marker: &cluster.marker(component.name()),
        argv: &component.command_line(cluster),
        prefix: &prefix,
        log: &cluster.log(component.name()),
    })
}

/// Brings everything of a cluster up and waits until it works.
pub(crate) async fn bring_up(cluster: &ClusterContext, images: &BaseImages) -> Result<Cluster> {
    let context = cluster.clone();
    let before = Timestamp::now();
    let powered_on = blocking(move || {
        context.create_folders()?;
        pki::ensure(&context.certificates(), context.name(), &context.server_names())?;
        if context.mode() == Mode::Full { node::ensure(&context) } else { Ok(false) }
    })
    .await?;
    start_stage(cluster, Stage::AtOnce).await?;
    let handle = Cluster::of_lab(cluster.clone())?;
    let controllers = async {
        tokio::select! {
            ready = wait_for_api(&handle) => ready?,
            ended = first_to_end(cluster, &[Stage::AtOnce]) => return Err(ended),
        }
        start_stage(cluster, Stage::WithApi).await
    };
    tokio::try_join!(controllers, load_images(cluster, images))?;
    start_stage(cluster, Stage::WithImages).await?;
    if cluster.mode() == Mode::Full {
        bootstrap::apply(&handle, &cluster.addresses()).await?;
        tokio::select! {
            ready = bootstrap::wait_ready(&handle, powered_on.then_some(before), NODE_DEADLINE) => ready?,
            ended = first_to_end(cluster, &Stage::ALL) => return Err(ended),
        }
    }
    Ok(handle)
}

/// Comes back when a component of these stages has ended, with its last words. Nothing restarts it: a component
/// that ends while the lab starts will not help the lab by ending again.
async fn first_to_end(cluster: &ClusterContext, stages: &[Stage]) -> LabError {
    // A process that was just started may not have become its program yet.
    const LOOKS: u8 = 3;
    let components: Vec<_> =
        Component::of(cluster.mode()).iter().filter(|c| stages.contains(&c.stage())).collect();
    let mut missed = 0;
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let table = match blocking(ProcessTable::read).await {
            Ok(table) => table,
            Err(e) => return e,
        };
        let Some(ended) = components.iter().find(|c| find(cluster, ***c, &table).is_none()) else {
            missed = 0;
            continue;
        };
        missed += 1;
        if missed == LOOKS {
            return LabError::Ended {
                cluster: cluster.name().to_owned(),
                component: ended.name(),
                log: cluster.log(ended.name()),
                last_words: last_line(&cluster.log(ended.name())),
            };
        }
    }
}

fn last_line(log: &Path) -> String {
    fs::read_to_string(log).unwrap_or_default().lines().last().unwrap_or_default().to_owned()
}

async fn start_stage(cluster: &ClusterContext, stage: Stage) -> Result<()> {
    let context = cluster.clone();
    let components = Component::of(cluster.mode()).iter().filter(move |c| c.stage() == stage);
    blocking(move || components.into_iter().try_for_each(|component| start(&context, *component))).await
}

/// Starts one component and, if others depend on it, waits until it answers.
pub(crate) async fn bring_up_component(cluster: &ClusterContext, component: Component) -> Result<()> {
    let context = cluster.clone();
    blocking(move || start(&context, component)).await?;
    match component {
        Component::Etcd | Component::ApiServer => wait_for_api(&Cluster::of_lab(cluster.clone())?).await,
        Component::Containerd => wait_for_containerd(cluster).await,
        _ => Ok(()),
    }
}

async fn wait_for_api(cluster: &Cluster) -> Result<()> {
    let client = cluster.client().await?;
    until(&format!("{}: API server ready", cluster.name()), API_DEADLINE, || bootstrap::api_ready(client.clone()))
        .await
}

async fn wait_for_containerd(cluster: &ClusterContext) -> Result<()> {
    let socket = cluster.containerd_socket().to_string_lossy().into_owned();
    until(&format!("{}: containerd ready", cluster.name()), CONTAINERD_DEADLINE, || {
        let socket = socket.clone();
        async move {
            let answers = blocking(move || {
                Ok(succeeds(&["ctr", "--address", &socket, "--connect-timeout", "2s", "version"]))
            })
            .await;
            answers
                .map_err(|e| e.to_string())?
                .then_some(())
                .ok_or_else(|| "it does not answer on its socket".to_owned())
        }
    })
    .await
}

async fn load_images(cluster: &ClusterContext, images: &BaseImages) -> Result<()> {
    if cluster.mode() != Mode::Full {
        return Ok(());
    }
    wait_for_containerd(cluster).await?;
    try_join_all(images.files.iter().map(|file| load_image(cluster, file.clone(), &images.imports)))
        .await
        .map(drop)
}

/// Imports an image file into a cluster's node; `imports` bounds how many run at once.
pub(crate) async fn load_image(cluster: &ClusterContext, file: PathBuf, imports: &Semaphore) -> Result<()> {
    let _turn = imports.acquire().await.map_err(|e| LabError::Invalid(e.to_string()))?;
    let context = cluster.clone();
    blocking(move || images::import(&context, &file)).await
}
