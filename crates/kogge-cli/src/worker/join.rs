//! `kogge worker join`

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::rbac::v1::RoleBinding;
use k8s_openapi::jiff::Timestamp;
use kogge_api::WorkerCluster;
use kogge_api::rbac::WORKER;
use kogge_api::worker_cluster::AllowedNamespaces;
use kogge_fleet::WorkerCredentials;
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};

use super::belonging::Belonging;
use super::kubeconfig::Endpoint;
use super::made::Made;
use super::names::Names;
use super::{WorkerAccess, charts, objects, token};
use crate::ControlArgs;
use crate::cluster::{Cluster, Manifest, Unreachable};

/// What the dry run shows in the place of the token.
const TOKEN_TO_COME: &str = "<filled-in-from-the-token-Secret-on-the-worker>";

/// What the dry run shows in the place of the control cluster's UID where it cannot ask for it.
const CONTROL_UID_TO_COME: &str = "<the UID of kube-system in the control cluster>";

#[derive(clap::Args)]
#[command(after_help = "Example:
  kogge worker join worker-vdc4 --vdc vdc4 --allow-namespace databases --worker-kubeconfig vdc4.kubeconfig")]
pub(crate) struct Args {
    /// The name of the WorkerCluster, and of the Secret with its kubeconfig
    name: String,
    /// The virtual data centre that the cluster represents
    #[arg(long)]
    vdc: String,
    #[command(flatten)]
    access: WorkerAccess,
    /// A namespace in which databases may be placed; may be repeated. It is made where it is missing
    #[arg(long = "allow-namespace", value_name = "NAMESPACE", required_unless_present = "all_namespaces")]
    allow_namespaces: Vec<String>,
    /// Databases may be placed in every namespace
    #[arg(long, conflicts_with = "allow_namespaces")]
    all_namespaces: bool,
    /// A label of the WorkerCluster; may be repeated
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,
    /// A folder of charts; the Roles on the worker are made from what they render. May be repeated
    #[arg(
        long = "chart-dir",
        value_name = "FOLDER",
        env = "KOGGE_CHART_DIR",
        value_delimiter = ':',
        default_value = "charts"
    )]
    chart_dirs: Vec<PathBuf>,
    /// Prints what would be applied, and asks the clusters only whose the worker is
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn run(args: Args, control: &ControlArgs) -> anyhow::Result<()> {
    args.check_names(control)?;
    let rendered = charts::rendered_kinds(&args.chart_dirs)?;
    let access = args.access.choose()?;
    let endpoint = Endpoint::of(&access.server, args.access.worker_server.clone())?;
    if endpoint.names_its_ca() {
        accepted(&endpoint.kubeconfig(&args.name, TOKEN_TO_COME, b"")?)?;
    }
    let manifests = |token_secret: &str, control_uid: &str| {
        objects::on_worker(&control.system_namespace, &args.allowed(), &rendered, token_secret, control_uid)
    };
    let worker = Cluster::open(&access, "worker")?;
    if args.dry_run {
        let control_uid = control_uid_seen(control, &worker).await?;
        let control_uid = control_uid.as_deref().unwrap_or(CONTROL_UID_TO_COME);
        return dry_run(&args, control, &endpoint, &manifests(objects::TOKEN_SECRET, control_uid)?);
    }

    let home = Cluster::control(control)?;
    let (control_uid, uid) = (identity(&home).await?, identity(&worker).await?);
    let belonging = Belonging {
        home: &home,
        worker: &worker,
        system_namespace: &control.system_namespace,
        control_uid: &control_uid,
        worker_uid: &uid,
    };
    if let Some(refusal) = belonging.refusal().await? {
        bail!(refusal);
    }
    refuse_second_registration(&home, &args.name, &uid).await?;
    rehearse(&args, control, &endpoint, &home).await?;
    token::try_the_way(&worker, &endpoint, args.access.worker_server.is_some()).await?;

    remark_former_namespaces(&worker, &control.system_namespace, &args).await?;
    let present = token::present(&worker, &control.system_namespace).await?;
    let token_secret =
        present.first().map_or_else(|| objects::TOKEN_SECRET.to_owned(), kube::ResourceExt::name_any);
    let mut made = Made::default();
    let clusters = Clusters { worker: &worker, home: &home, uid: &uid };
    match clusters
        .register(&mut made, &args, control, &endpoint, &manifests(&token_secret, &control_uid)?, &token_secret)
        .await
    {
        Ok(()) => {
            let Args { name, vdc, .. } = args;
            println!("{name} is registered as {vdc}; watch it with: kubectl get workercluster {name} -o wide");
            Ok(())
        }
        Err(error) => {
            made.undo().await;
            Err(error)
        }
    }
}

/// The clusters of a join.
struct Clusters<'a> {
    worker: &'a Cluster,
    home: &'a Cluster,
    /// The worker's identity.
    uid: &'a str,
}

impl<'a> Clusters<'a> {
    /// Makes everything, the WorkerCluster last.
    async fn register(
        &self,
        made: &mut Made<'a>,
        args: &Args,
        control: &ControlArgs,
        endpoint: &Endpoint,
        on_worker: &[Manifest],
        token_secret: &str,
    ) -> anyhow::Result<()> {
        for manifest in on_worker {
            made.apply(self.worker, manifest, true).await?;
        }
        let (token, ca) = token::wait(self.worker, &control.system_namespace, token_secret).await?;
        let text = endpoint.kubeconfig(&args.name, &token, &ca)?;
        try_out(&text, self.uid, args.access.worker_server.is_some()).await?;
        let secret =
            objects::kubeconfig_secret(&args.name, objects::KUBECONFIG_KEY, &control.system_namespace, &text);
        made.apply(self.home, &Manifest::of(&secret)?, false).await?;
        made.apply(self.home, &args.worker_cluster()?, false).await
    }
}

impl Args {
    fn check_names(&self, control: &ControlArgs) -> anyhow::Result<()> {
        let names = Names {
            worker: &self.name,
            vdc: &self.vdc,
            system_namespace: &control.system_namespace,
            namespaces: &self.allow_namespaces,
            labels: &self.labels,
        };
        names.check()
    }

    fn allowed(&self) -> AllowedNamespaces {
        if self.all_namespaces {
            return AllowedNamespaces { names: None, all: Some(true) };
        }
        let names: BTreeSet<String> = self.allow_namespaces.iter().cloned().collect();
        AllowedNamespaces { names: Some(names.into_iter().collect()), all: None }
    }

    fn worker_cluster(&self) -> anyhow::Result<Manifest> {
        let labels: BTreeMap<String, String> = self.labels.iter().cloned().collect();
        objects::worker_cluster(&self.name, &self.vdc, &self.allowed(), &labels)
    }
}

fn dry_run(args: &Args, control: &ControlArgs, endpoint: &Endpoint, manifests: &[Manifest]) -> anyhow::Result<()> {
    println!("# On the worker {}", endpoint.server());
    for manifest in manifests {
        print!("---\n{}", manifest.to_yaml()?);
    }
    println!("---\n# In the control cluster");
    let text = endpoint.kubeconfig(&args.name, TOKEN_TO_COME, b"")?;
    let secret = objects::kubeconfig_secret(&args.name, objects::KUBECONFIG_KEY, &control.system_namespace, &text);
    print!("{}", Manifest::of(&secret)?.to_yaml()?);
    print!("---\n{}", args.worker_cluster()?.to_yaml()?);
    Ok(())
}

/// The control cluster's UID, for a dry run, which refuses what the run itself would; none where it cannot be asked. What
/// could not be asked is noted and refuses nothing.
async fn control_uid_seen(control: &ControlArgs, worker: &Cluster) -> anyhow::Result<Option<String>> {
    let not_checked = |error: &anyhow::Error| println!("# Not checked, whose the worker is: {error:#}");
    let home = Cluster::control(control)?;
    let (control_uid, worker_uid) = match tokio::join!(identity(&home), identity(worker)) {
        (Ok(control_uid), Ok(worker_uid)) => (control_uid, worker_uid),
        (control_uid, worker_uid) => {
            [control_uid.as_ref().err(), worker_uid.as_ref().err()].into_iter().flatten().for_each(not_checked);
            return Ok(control_uid.ok());
        }
    };
    let belonging = Belonging {
        home: &home,
        worker,
        system_namespace: &control.system_namespace,
        control_uid: &control_uid,
        worker_uid: &worker_uid,
    };
    match belonging.refusal().await {
        Ok(None) => {}
        Ok(Some(refusal)) => bail!(refusal),
        Err(error) => not_checked(&error),
    }
    Ok(Some(control_uid))
}

/// Whether the control cluster takes the Secret and the WorkerCluster: what it refuses is told before the worker is
/// touched.
async fn rehearse(args: &Args, control: &ControlArgs, endpoint: &Endpoint, home: &Cluster) -> anyhow::Result<()> {
    let text = endpoint.kubeconfig(&args.name, TOKEN_TO_COME, b"")?;
    let secret = objects::kubeconfig_secret(&args.name, objects::KUBECONFIG_KEY, &control.system_namespace, &text);
    home.rehearse(&Manifest::of(&secret)?).await?;
    home.rehearse(&args.worker_cluster()?).await
}

/// The UID of `kube-system`: the identity of the cluster.
pub(super) async fn identity(cluster: &Cluster) -> anyhow::Result<String> {
    let namespaces: Api<Namespace> = Api::all(cluster.client());
    let namespace = cluster.request("read the namespace kube-system", namespaces.get("kube-system")).await?;
    namespace.uid().with_context(|| format!("{}: kube-system has no UID", cluster.name))
}

/// One cluster under two names would count as two data centres, and its outage take both.
async fn refuse_second_registration(home: &Cluster, name: &str, uid: &str) -> anyhow::Result<()> {
    let (clusters, _undecodable) =
        home.worker_clusters().await.context("Kogge may not be installed yet (kubectl apply -k config)")?;
    let same = |cluster: &&WorkerCluster| cluster.status.as_ref().is_some_and(|s| s.uid.as_deref() == Some(uid));
    match clusters.iter().filter(|cluster| cluster.name_any() != name).find(same) {
        Some(other) => bail!(
            "the cluster behind this kubeconfig is registered already as the WorkerCluster {}: one cluster is one \
             failure domain; use another cluster, or delete that WorkerCluster first",
            other.name_any()
        ),
        None => Ok(()),
    }
}

/// Rights in namespaces that are allowed no more are named, not taken: databases may still be there.
async fn remark_former_namespaces(worker: &Cluster, system_namespace: &str, args: &Args) -> anyhow::Result<()> {
    let bindings: Api<RoleBinding> = Api::all(worker.client());
    let ours = ListParams::default().fields(&format!("metadata.name={WORKER}"));
    let bindings = worker.request("list RoleBindings", bindings.list(&ours)).await?;
    let allowed = args.allowed();
    for namespace in bindings.items.iter().filter_map(kube::ResourceExt::namespace) {
        let listed = allowed.names.iter().flatten().any(|name| *name == namespace);
        if namespace != system_namespace && !listed {
            println!(
                "{}: Kogge keeps its rights in the namespace {namespace}, which is not in the list any more; once \
                 no database is there: kubectl delete -n {namespace} rolebinding,role {WORKER}",
                worker.name
            );
        }
    }
    Ok(())
}

/// Whether the operator's reader takes the new kubeconfig, and when its token ends.
fn accepted(text: &str) -> anyhow::Result<()> {
    let now = Timestamp::now();
    let credentials = WorkerCredentials::parse(text.as_bytes(), now)
        .context("the operator could not use the new kubeconfig; correct the worker's, or give --worker-server")?;
    if let Some(ending) = credentials.ending(now) {
        println!("{ending}");
    }
    Ok(())
}

/// Whether the new kubeconfig opens the cluster that it was made for; false where that cannot be tried, because an
/// address that was given for the operator alone is not reachable from here.
pub(super) async fn try_out(text: &str, uid: &str, other_address: bool) -> anyhow::Result<bool> {
    accepted(text)?;
    let cluster = token::open(text)?;
    match identity(&cluster).await {
        Ok(found) if found == uid => {
            println!("{}: works; the cluster is {uid}", cluster.name);
            Ok(true)
        }
        Ok(found) => bail!(
            "{} leads to another cluster ({found}) than yours ({uid}); correct --worker-server",
            cluster.server()
        ),
        Err(error) if other_address && error.is::<Unreachable>() => {
            println!("{}: not tried: {error:#}", cluster.name);
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("a label is KEY=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests;
