//! The lab as its users hold it: make it, find it, use it, end it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use futures::future::try_join_all;

use crate::cluster::Cluster;
use crate::command::blocking;
use crate::context::LabContext;
use crate::error::{LabError, Result};
use crate::faults::{self, Faults};
use crate::images;
use crate::kubeparts::Binaries;
use crate::network;
use crate::record::{LabRecord, lock, standing_labs};
use crate::runtime::{self, BaseImages};
use crate::setup;
use crate::spec::{CONTROL, LabName, LabSpec, Mode};
use crate::sweep;

/// A standing lab: `control` and its workers. Dropping it leaves it standing.
#[derive(Debug, Clone)]
pub struct Lab {
    clusters: Vec<Cluster>,
    context: Option<Arc<LabContext>>,
}

impl Lab {
    /// Makes the lab, or completes what is missing of one that stands. Installs distribution packages and builds
    /// the Kubernetes binaries where they are missing. A lab that stands is widened, never narrowed.
    pub async fn up(spec: LabSpec) -> Result<Self> {
        let start = Instant::now();
        let name = spec.validate()?;
        let mode = spec.mode;
        let (record, images, _alone) = blocking(move || {
            setup::ensure(mode)?;
            let binaries = Binaries::ensure(mode)?;
            let images = if mode == Mode::Full { images::base_images()? } else { Vec::new() };
            let alone = lock(&name)?;
            Ok((prepare(&name, &spec, binaries)?, images, alone))
        })
        .await?;
        let context = LabContext::new(record)?;
        let lab = Arc::clone(&context);
        blocking(move || {
            if mode == Mode::Full {
                network::ensure_wan(&lab)?;
            }
            faults::lift(&lab)
        })
        .await?;
        let images = BaseImages::new(images);
        let clusters = context.clusters();
        let clusters = try_join_all(clusters.iter().map(|cluster| runtime::bring_up(cluster, &images))).await?;
        let lab = Self::new(clusters, Some(Arc::clone(&context)));
        lab.shell_environment()?;
        tracing::info!("lab {} is up: {:.1}s", context.name, start.elapsed().as_secs_f32());
        Ok(lab)
    }

    /// One API server, or several, without nodes: no root needed, ready in seconds.
    pub async fn api_only(name: impl Into<String>) -> Result<Self> {
        Self::up(LabSpec::api_only(name)).await
    }

    /// The lab that stands under this name.
    pub fn attach(name: &str) -> Result<Self> {
        let parsed: LabName = name.parse()?;
        let record = LabRecord::read(&parsed)?.ok_or_else(|| {
            LabError::Invalid(format!("there is no lab named {name}; make it with `kogge-lab up --name {name}`"))
        })?;
        let context = LabContext::new(record)?;
        let clusters = context.clusters().into_iter().map(Cluster::of_lab).collect::<Result<_>>()?;
        Ok(Self::new(clusters, Some(context)))
    }

    /// Clusters that run already, by name and kubeconfig; `control` must be among them.
    pub fn external(kubeconfigs: &BTreeMap<String, PathBuf>) -> Result<Self> {
        if !kubeconfigs.contains_key(CONTROL) {
            return Err(LabError::Invalid(
                "--kubeconfig control=FILE is missing: Kogge runs in the cluster of that name".to_owned(),
            ));
        }
        let clusters =
            kubeconfigs.iter().map(|(name, file)| Cluster::external(name, file)).collect::<Result<_>>()?;
        Ok(Self::new(clusters, None))
    }

    /// Every constructor brings a control cluster; it goes first.
    fn new(mut clusters: Vec<Cluster>, context: Option<Arc<LabContext>>) -> Self {
        clusters.sort_by_key(|cluster| cluster.name() != CONTROL);
        Self { clusters, context }
    }

    /// Ends the lab with everything it started. Clusters that it did not make are left alone.
    pub async fn down(self) -> Result<()> {
        let Some(context) = self.context else { return Ok(()) };
        let name = context.name.clone();
        blocking(move || sweep::end(&name)).await
    }

    /// Ends the lab of this name, whatever is left of it.
    pub fn end(name: &str) -> Result<()> {
        sweep::end(&name.parse()?)
    }

    /// The names of the labs of this user, standing or left behind.
    pub fn standing() -> Vec<String> {
        standing_labs().into_iter().map(String::from).collect()
    }

    /// The lab's name; none for clusters that ran already.
    pub fn name(&self) -> Option<&str> {
        self.context.as_ref().map(|context| context.name.as_str())
    }

    /// All clusters, control first.
    pub fn clusters(&self) -> &[Cluster] {
        &self.clusters
    }

    /// The cluster where Kogge runs.
    pub fn control(&self) -> &Cluster {
        &self.clusters[0]
    }

    /// The worker clusters, in the order of their names' numbers.
    pub fn workers(&self) -> impl Iterator<Item = &Cluster> {
        self.clusters.iter().filter(|c| c.name() != CONTROL)
    }

    /// The cluster of this name.
    pub fn cluster(&self, name: &str) -> Result<&Cluster> {
        self.clusters.iter().find(|c| c.name() == name).ok_or_else(|| {
            let names: Vec<_> = self.clusters.iter().map(Cluster::name).collect();
            LabError::Invalid(format!("cluster {name:?} is not part of the lab, which has {}", names.join(", ")))
        })
    }

    /// The worker cluster of this name.
    pub fn worker(&self, name: &str) -> Result<&Cluster> {
        if name == CONTROL {
            return Err(LabError::Invalid("control is no worker cluster".to_owned()));
        }
        self.cluster(name)
    }

    /// Imports an image file (OCI layout or docker archive in a tar) into every node.
    pub async fn load_image(&self, file: impl AsRef<Path>) -> Result<()> {
        let file = std::path::absolute(file.as_ref()).unwrap_or_else(|_| file.as_ref().to_owned());
        let limits = BaseImages::new(Vec::new());
        let imports = self.clusters.iter().map(|cluster| {
            let (file, limits) = (file.clone(), &limits);
            async move { runtime::load_image(cluster.own()?, file, &limits.imports).await }
        });
        try_join_all(imports).await.map(drop)
    }

    /// What can be broken in the lab.
    pub fn faults(&self) -> Faults<'_> {
        Faults::new(self)
    }

    /// The parts of a lab that was made here.
    pub(crate) fn own(&self) -> Result<&Arc<LabContext>> {
        self.context.as_ref().ok_or_else(|| {
            LabError::Invalid(
                "these clusters were not made by the lab: it can neither break nor measure them".to_owned(),
            )
        })
    }
}

/// The record of the lab to be: of the one that stands, or a new one after the rest of a lost one is swept.
fn prepare(name: &LabName, spec: &LabSpec, binaries: Binaries) -> Result<LabRecord> {
    let standing = LabRecord::read(name)?.filter(|record| record.folder.is_dir());
    let (mut record, spec) = if let Some(mut record) = standing {
        let spec = spec.widened_by(&record.spec)?;
        if !record.binaries.exist() {
            record.binaries = binaries;
        }
        (record, spec)
    } else {
        sweep::sweep(name)?;
        (LabRecord::create(spec, binaries)?, spec.clone())
    };
    sweep::create_folder(&record.folder)?;
    record.widen(spec)?;
    Ok(record)
}
