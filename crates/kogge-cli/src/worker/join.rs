//! `kogge worker join`

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use k8s_openapi::api::rbac::v1::RoleBinding;
use kogge_api::WorkerCluster;
use kogge_api::rbac::WORKER;
use kogge_api::worker_cluster::AllowedNamespaces;
use kube::api::ListParams;
use kube::config::Kubeconfig;
use kube::runtime::wait::await_condition;
use kube::{Api, ResourceExt as _};

use super::belonging::Belonging;
use super::kubeconfig::Endpoint;
use super::{charts, objects};
use crate::ControlArgs;
use crate::cluster::{self, Cluster, Manifest};

/// How long the worker may take to fill in a token.
const TOKEN_DEADLINE: Duration = Duration::from_secs(30);

/// What the dry run shows in the place of the token.
const TOKEN_TO_COME: &str = "<filled in from the worker's Secret kogge-worker-token>";

/// What the dry run shows in the place of the control cluster's UID where it cannot ask for it.
const CONTROL_UID_TO_COME: &str = "<the UID of kube-system in the control cluster>";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The name of the WorkerCluster, and of the Secret with its kubeconfig
    name: String,
    /// The virtual data centre that the cluster represents
    #[arg(long)]
    vdc: String,
    /// A kubeconfig with administrator's rights on the worker; it is used here and now, and kept nowhere
    #[arg(long, value_name = "FILE")]
    worker_kubeconfig: PathBuf,
    /// Its context; by default the current one
    #[arg(long, value_name = "NAME")]
    worker_context: Option<String>,
    /// The address of the worker's API server as the operator reaches it, where it differs from yours
    #[arg(long, value_name = "URL")]
    worker_server: Option<String>,
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
    let rendered = charts::rendered_kinds(&args.chart_dirs)?;
    let kubeconfig = cluster::kubeconfig(Some(&args.worker_kubeconfig))?;
    let worker = Cluster::open(kubeconfig, args.worker_context.as_deref(), "worker").await?;
    let endpoint = Endpoint::of(&worker.entry, args.worker_server.clone())?;
    let manifests =
        |control_uid: &str| objects::on_worker(&control.system_namespace, &args.allowed(), &rendered, control_uid);
    if args.dry_run {
        let control_uid = control_uid_seen(control, &worker).await?;
        let control_uid = control_uid.as_deref().unwrap_or(CONTROL_UID_TO_COME);
        return dry_run(&args, control, &endpoint, &manifests(control_uid)?);
    }

    let home = Cluster::control(control).await?;
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
    let manifests = manifests(&control_uid)?;
    refuse_second_registration(&home, &args.name, &uid).await?;

    for manifest in &manifests {
        worker.apply(manifest, true).await?;
    }
    remark_former_namespaces(&worker, &control.system_namespace, &args).await?;
    let (token, ca) = token(&worker, &control.system_namespace).await?;
    let text = endpoint.kubeconfig(&args.name, &token, &ca)?;
    try_out(&text, &uid, args.worker_server.is_some()).await?;

    let secret = objects::kubeconfig_secret(&args.name, &control.system_namespace, &text);
    home.apply(&Manifest::of(&secret)?, false).await?;
    home.apply(&args.worker_cluster()?, false).await?;
    println!("{} is registered as {}; watch it with: kubectl get workercluster {0} -o wide", args.name, args.vdc);
    Ok(())
}

impl Args {
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
    let secret = objects::kubeconfig_secret(&args.name, &control.system_namespace, &text);
    print!("{}", Manifest::of(&secret)?.to_yaml()?);
    print!("---\n{}", args.worker_cluster()?.to_yaml()?);
    Ok(())
}

/// The control cluster's UID, for a dry run, which refuses what the run itself would; none where it cannot be asked. What
/// could not be asked is noted and refuses nothing.
async fn control_uid_seen(control: &ControlArgs, worker: &Cluster) -> anyhow::Result<Option<String>> {
    let not_checked = |error: &anyhow::Error| println!("# Not checked, whose the worker is: {error:#}");
    let home = Cluster::control(control).await?;
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

/// The UID of `kube-system`: the identity of the cluster.
async fn identity(cluster: &Cluster) -> anyhow::Result<String> {
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

/// The token and the CA that the worker's token controller put into the Secret.
async fn token(worker: &Cluster, system_namespace: &str) -> anyhow::Result<(String, Vec<u8>)> {
    let filled = |secret: Option<&Secret>| secret.is_some_and(|secret| field(secret, "token").is_some());
    let secrets: Api<Secret> = Api::namespaced(worker.client(), system_namespace);
    let what = format!("Secret {system_namespace}/{}", objects::TOKEN_SECRET);
    println!("{}: waiting for a token in {what}", worker.name);
    let waited =
        tokio::time::timeout(TOKEN_DEADLINE, await_condition(secrets, objects::TOKEN_SECRET, filled)).await;
    let secret = match waited {
        Ok(secret) => secret.with_context(|| format!("{}: cannot watch {what}", worker.name))?,
        Err(_) => bail!(
            "{}: {what} has been without a token for {} s; is the worker's kube-controller-manager running?",
            worker.name,
            TOKEN_DEADLINE.as_secs()
        ),
    };
    let secret = secret.with_context(|| format!("{}: {what} is gone; run the command again", worker.name))?;
    let token = field(&secret, "token").with_context(|| format!("{}: {what} has no token", worker.name))?;
    let token = String::from_utf8(token.to_vec()).context("the worker gave a token that is no text")?;
    Ok((token, field(&secret, "ca.crt").unwrap_or_default().to_vec()))
}

fn field<'a>(secret: &'a Secret, key: &str) -> Option<&'a [u8]> {
    secret.data.as_ref()?.get(key).map(|bytes| bytes.0.as_slice()).filter(|bytes| !bytes.is_empty())
}

/// Whether the new kubeconfig opens the cluster that it was made for. An address given for the operator alone
/// need not be reachable from here.
async fn try_out(text: &str, uid: &str, other_address: bool) -> anyhow::Result<()> {
    let kubeconfig = Kubeconfig::from_yaml(text).context("the new kubeconfig cannot be read back")?;
    let cluster = Cluster::open(kubeconfig, None, "worker, by the new kubeconfig").await?;
    match identity(&cluster).await {
        Ok(found) if found == uid => {
            println!("{}: works; the cluster is {uid}", cluster.name);
            Ok(())
        }
        Ok(found) => bail!(
            "{} leads to another cluster ({found}) than yours ({uid}); correct --worker-server",
            cluster.server()
        ),
        Err(error) if other_address => {
            println!("{}: not tried: {error:#}", cluster.name);
            Ok(())
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
