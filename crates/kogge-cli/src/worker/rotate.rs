//! `kogge worker rotate`

use anyhow::{Context as _, bail};
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use k8s_openapi::jiff::Timestamp;
use kogge_api::WorkerCluster;
use kogge_api::rbac::WORKER;
use kogge_fleet::kubeconfig::Server;
use kube::{Api, ResourceExt as _};

use super::join::{identity, try_out};
use super::kubeconfig::Endpoint;
use super::made::Made;
use super::{WorkerAccess, objects, token};
use crate::ControlArgs;
use crate::cluster::{Cluster, Manifest};

#[derive(clap::Args)]
#[command(after_help = "Example:
  kogge worker rotate worker-vdc4 --worker-kubeconfig vdc4.kubeconfig")]
pub(crate) struct Args {
    /// The name of the WorkerCluster
    name: String,
    #[command(flatten)]
    access: WorkerAccess,
}

pub(super) async fn run(args: Args, control: &ControlArgs) -> anyhow::Result<()> {
    let system = control.system_namespace.as_str();
    let access = args.access.choose()?;
    let worker = Cluster::open(&access, "worker")?;
    let home = Cluster::control(control)?;
    let joined = Joined::read(&home, &args.name, system).await?;
    let uid = identity(&worker).await?;
    if joined.uid.as_ref().is_some_and(|pinned| *pinned != uid) {
        bail!(
            "the WorkerCluster {} is the cluster {}, and --worker-kubeconfig leads to {uid}: give the kubeconfig of the \
             former",
            args.name,
            joined.uid.unwrap_or_default()
        );
    }
    let accounts: Api<ServiceAccount> = Api::namespaced(worker.client(), system);
    let what = format!("read ServiceAccount {system}/{WORKER}");
    if worker.request(&what, accounts.get_opt(WORKER)).await?.is_none() {
        bail!(
            "{}: there is no ServiceAccount {system}/{WORKER}; run `kogge worker join` for {}",
            worker.name,
            args.name
        );
    }
    // The operator's address may not be reachable from here; join asked for it then.
    let endpoint = joined.endpoint(args.access.worker_server)?;
    token::try_the_way(&worker, &endpoint, true).await?;

    let former = token::present(&worker, system).await?;
    let mut made = Made::default();
    let renewed = async {
        let name = format!("{}-{}", objects::TOKEN_SECRET, Timestamp::now().as_millisecond());
        made.apply(&worker, &Manifest::of(&objects::token_secret(&name, system))?, true).await?;
        let (token, ca) = token::wait(&worker, system, &name).await?;
        let text = endpoint.kubeconfig(&args.name, &token, &ca)?;
        let tried = try_out(&text, &uid, true).await?;
        let secret = objects::kubeconfig_secret(&joined.secret, &joined.key, system, &text);
        home.apply(&Manifest::of(&secret)?, false).await?;
        anyhow::Ok(tried)
    };
    match renewed.await {
        Ok(true) => {}
        Ok(false) => {
            let names: Vec<String> = former.iter().map(Secret::name_any).collect();
            println!(
                "{} has a new token, which could not be tried from here, so the former ones are still valid; once \
                 CredentialsValid is True: kubectl delete -n {system} secret {} (on the worker)",
                args.name,
                names.join(" ")
            );
            return Ok(());
        }
        Err(error) => {
            made.undo().await;
            return Err(error);
        }
    }
    for secret in former {
        let (name, uid) = (secret.name_any(), secret.uid().unwrap_or_default());
        let manifest = Manifest::of(&objects::token_secret(&name, system))?;
        worker.delete(&manifest, &uid).await.with_context(|| {
            format!("the operator has a new token, and the one in {system}/{name} on the worker is still valid; delete it")
        })?;
    }
    println!("{} has a new token, and the ones before are revoked", args.name);
    Ok(())
}

/// What a join left in the control cluster.
struct Joined {
    secret: String,
    key: String,
    kubeconfig: Vec<u8>,
    /// The identity of the worker, where the operator has pinned it.
    uid: Option<String>,
}

impl Joined {
    async fn read(home: &Cluster, name: &str, system: &str) -> anyhow::Result<Self> {
        let workers: Api<WorkerCluster> = Api::all(home.client());
        let found = home.request(&format!("read WorkerCluster {name}"), workers.get_opt(name)).await?;
        let found = found.with_context(|| format!("there is no WorkerCluster {name}: see `kubectl get wc`"))?;
        let reference = &found.spec.kubeconfig.secret_ref;
        let (secret, key) = (reference.name.clone(), reference.key.clone());
        let what = format!("read Secret {system}/{secret}");
        let secrets: Api<Secret> = Api::namespaced(home.client(), system);
        let held = home.request(&what, secrets.get_opt(&secret)).await?;
        let kubeconfig = held.and_then(|held| held.data).and_then(|mut data| data.remove(&key));
        let kubeconfig = kubeconfig.with_context(|| {
            format!("Secret {system}/{secret} holds no {key}: run `kogge worker join` for {name}, which makes it")
        })?;
        Ok(Self { secret, key, kubeconfig: kubeconfig.0, uid: found.status.and_then(|status| status.uid) })
    }

    /// The address that the operator has now, with another one where that is asked for.
    fn endpoint(&self, other: Option<String>) -> anyhow::Result<Endpoint> {
        let place = || format!("the kubeconfig in Secret {}, key {}", self.secret, self.key);
        let server = Server::parse(&self.kubeconfig).with_context(place)?;
        Endpoint::of(&server, other).with_context(place)
    }
}
