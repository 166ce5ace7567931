//! What all cases share: the lab with Kogge installed in it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use futures::future::try_join_all;
use kogge_lab::products::{self, Programs};
use kogge_lab::{CONTROL, Lab, LabSpec, wait};
use kube::Client;
use serde_json::json;

use crate::{OperatorProcess, probe, workers};

/// The namespace of the examples.
pub const DATABASES: &str = "databases";
/// The namespace of databases that are made for one case.
pub const SCRATCH: &str = "scratch";
/// The data centres.
pub const VDCS: [&str; 4] = ["vdc1", "vdc2", "vdc3", "vdc4"];

/// How long another run of the suite may take.
const OTHER_RUN: Duration = Duration::from_mins(30);

/// A lab of five clusters, in which the operator runs and four workers have joined.
pub struct Harness {
    /// The clusters.
    pub lab: Lab,
    /// The operator.
    pub operator: OperatorProcess,
    /// The control cluster, with its administrator's rights.
    pub control: Client,
    pub(crate) kogge: PathBuf,
    pub(crate) history: PathBuf,
    pub(crate) folder: PathBuf,
    _alone: File,
}

impl Harness {
    /// Builds Kogge, makes the lab, installs and joins. With `keep`, a lab that stands is taken as it is.
    pub async fn up(name: &str, keep: bool) -> anyhow::Result<Self> {
        let _already_installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
        show_progress();
        let programs = blocking(build).await?;
        let alone = wait_to_be_alone(name).await?;
        let folder = root().join("target/e2e");
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        if !keep {
            let name = name.to_owned();
            blocking(move || Lab::end(&name)).await?;
        }
        let lab = Lab::up(LabSpec::full(name, u8::try_from(VDCS.len())?)).await?;
        for image in images(&programs).await? {
            lab.load_image(image).await?;
        }
        for cluster in lab.clusters() {
            let file = folder.join(format!("{}.kubeconfig", cluster.name()));
            fs::write(&file, cluster.kubeconfig()).with_context(|| format!("cannot write {}", file.display()))?;
        }
        let harness = Self {
            control: lab.control().client().await?,
            operator: OperatorProcess::of(own(&programs, "kogge-operator", &folder)?, &folder),
            kogge: own(&programs, "kogge", &folder)?,
            history: own(&programs, "kogge-history", &folder)?,
            folder,
            lab,
            _alone: alone,
        };
        harness.install().await?;
        try_join_all(VDCS.map(|vdc| workers::join(&harness, vdc))).await?;
        try_join_all(VDCS.map(|vdc| workers::wait_ready(&harness, vdc))).await?;
        try_join_all(VDCS.map(|vdc| probe::start(&harness, vdc))).await?;
        Ok(harness)
    }

    /// Everything of `config` but the Deployment: the operator is a process of its own here.
    async fn install(&self) -> anyhow::Result<()> {
        self.kubectl(CONTROL, &["apply", "-f", "config/namespace.yaml"]).await?;
        self.kubectl(CONTROL, &["apply", "-k", "config/crd"]).await?;
        self.kubectl(CONTROL, &["apply", "-k", "config/rbac"]).await?;
        for namespace in [DATABASES, SCRATCH] {
            let manifest = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
            self.kubectl_apply(CONTROL, &manifest).await?;
        }
        wait::until("the definitions served", Duration::from_secs(30), || async {
            let listed =
                self.kubectl(CONTROL, &["get", "federatedclusters,federatedetcds,workerclusters", "-A"]).await;
            listed.map(drop).map_err(|error| format!("{error:#}"))
        })
        .await?;
        self.operator.log_in(self.lab.control()).await?;
        self.operator.start(self.lab.control()).await
    }

    /// What must hold after every case; a case that failed leaves no fault behind.
    pub(crate) async fn after_case(&self, shown: anyhow::Result<()>) -> anyhow::Result<()> {
        if shown.is_err() {
            self.lab.faults().heal_all().await?;
        }
        let runs = self.operator.ensure(self.lab.control()).await;
        shown.and(runs)
    }

    /// The file that leads to a cluster.
    pub fn kubeconfig(&self, cluster: &str) -> PathBuf {
        self.folder.join(format!("{cluster}.kubeconfig"))
    }
}

/// The root of the checkout.
pub(crate) fn root() -> &'static Path {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests)
}

fn build() -> kogge_lab::Result<Programs> {
    // As `cargo xtask test` builds: fewer packages, or no test, would be other features, and everything built once
    // more. Of the tests this one alone: the others need not compile.
    products::build(root(), &["--workspace", "--bins", "--test", "e2e"])
}

/// Holds the lab of this name for this run, whichever checkout it is of: two runs would end each other's.
async fn wait_to_be_alone(name: &str) -> anyhow::Result<File> {
    let path = std::env::temp_dir().join(format!("kogge-{name}.lock"));
    let lock = File::options().create(true).append(true).open(&path);
    let lock = lock.with_context(|| format!("cannot open {}", path.display()))?;
    wait::until(&format!("the lab {name} for this run alone"), OTHER_RUN, || async {
        lock.try_lock().map_err(|_| format!("another run holds {}", path.display()))
    })
    .await?;
    Ok(lock)
}

/// A copy of a program, which a build during the run does not replace.
fn own(programs: &Programs, name: &str, folder: &Path) -> anyhow::Result<PathBuf> {
    let copy = folder.join(name);
    // What still runs keeps the file that it was started from.
    let draft = copy.with_extension("draft");
    fs::copy(products::find(programs, name)?, &draft).with_context(|| format!("cannot copy {name}"))?;
    fs::rename(&draft, &copy).with_context(|| format!("cannot keep {}", copy.display()))?;
    Ok(copy)
}

async fn images(programs: &Programs) -> anyhow::Result<Vec<PathBuf>> {
    let programs = programs.clone();
    blocking(move || Ok([products::pack_all(root(), &programs)?, products::pack_etcd(root())?].concat())).await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> kogge_lab::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    Ok(tokio::task::spawn_blocking(work).await??)
}

fn show_progress() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env();
    let _already_set = tracing_subscriber::fmt()
        .with_env_filter(filter.unwrap_or_else(|_| "kogge_lab=info".into()))
        .with_timer(tracing_subscriber::fmt::time::uptime())
        .with_ansi(false)
        .with_target(false)
        .with_level(false)
        .with_writer(std::io::stderr)
        .try_init();
}
