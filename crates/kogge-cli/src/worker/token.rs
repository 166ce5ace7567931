//! The operator's token on a worker: a Secret that the worker's own controller fills.

use std::time::Duration;

use anyhow::{Context as _, bail};
use k8s_openapi::api::authentication::v1::{SelfSubjectReview, TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{ConfigMap, Secret, ServiceAccount};
use kogge_api::rbac::WORKER;
use kogge_fleet::KubeconfigFiles;
use kube::api::{ListParams, PostParams};
use kube::runtime::wait::await_condition;
use kube::{Api, ResourceExt as _};

use super::kubeconfig::Endpoint;
use super::objects;
use crate::cluster::{Cluster, Unreachable, choose};

/// How long the worker may take to fill in a token.
const TOKEN_DEADLINE: Duration = Duration::from_secs(30);
/// The namespace of the ServiceAccount whose token is tried first: every cluster has it.
const SYSTEM: &str = "kube-system";

/// The Secrets that hold tokens of the operator's ServiceAccount, the newest first.
///
/// A name is never used again once its Secret is gone: the token of a Secret of the same name is the same token, and
/// would make a stolen one valid again.
pub(super) async fn present(worker: &Cluster, system_namespace: &str) -> anyhow::Result<Vec<Secret>> {
    let secrets: Api<Secret> = Api::namespaced(worker.client(), system_namespace);
    let of_tokens = ListParams::default().fields(&format!("type={}", objects::TOKEN_TYPE));
    let what = format!("list the Secrets of {system_namespace}");
    let mut found = worker.request(&what, secrets.list(&of_tokens)).await?.items;
    found.retain(|secret| secret.annotations().get(objects::TOKEN_OWNER).is_some_and(|owner| owner == WORKER));
    found.sort_by_key(|secret| std::cmp::Reverse(secret.creation_timestamp().map(|at| at.0)));
    Ok(found)
}

/// The token and the CA that the worker's token controller put into the Secret.
pub(super) async fn wait(
    worker: &Cluster,
    system_namespace: &str,
    name: &str,
) -> anyhow::Result<(String, Vec<u8>)> {
    let filled = |secret: Option<&Secret>| secret.is_some_and(|secret| field(secret, "token").is_some());
    let secrets: Api<Secret> = Api::namespaced(worker.client(), system_namespace);
    let what = format!("Secret {system_namespace}/{name}");
    println!("{}: waiting for a token in {what}", worker.name);
    let waited = tokio::time::timeout(TOKEN_DEADLINE, await_condition(secrets, name, filled)).await;
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

/// Whether a token of the cluster's own ServiceAccounts gets through to the API server at the address that the operator
/// will use. It is asked with a token that is kept nowhere and ends by itself, so that nothing is left where a proxy in
/// between knows only its own users. An address given for the operator alone need not be reachable from here.
pub(super) async fn try_the_way(worker: &Cluster, endpoint: &Endpoint, other_address: bool) -> anyhow::Result<()> {
    let Some(token) = passing_token(worker).await? else { return Ok(()) };
    let ca = if endpoint.names_its_ca() { Vec::new() } else { cluster_ca(worker).await? };
    let cluster = open(&endpoint.kubeconfig("trial", &token, &ca)?)?;
    let reviews: Api<SelfSubjectReview> = Api::all(cluster.client());
    let (params, review) = (PostParams::default(), SelfSubjectReview::default());
    let ask = async {
        match reviews.create(&params, &review).await {
            // Whoever forbids has understood who asks.
            Err(kube::Error::Api(status)) if status.code == 403 => Ok(()),
            answer => answer.map(drop),
        }
    };
    match cluster.request("ask who the token is", ask).await {
        Ok(()) => Ok(()),
        Err(error) if other_address && error.is::<Unreachable>() => {
            println!("{}: not tried: {error:#}", cluster.name);
            Ok(())
        }
        Err(error) => Err(error).with_context(|| {
            format!(
                "{} does not let a token of the cluster's own ServiceAccounts through to the API server; a proxy that \
                 knows only its own users, as Rancher's does, must let such tokens pass, or give the API server's own \
                 address with --worker-server. Nothing was written",
                endpoint.server()
            )
        }),
    }
}

/// A token that ends in ten minutes; none where the user may not ask for one.
async fn passing_token(worker: &Cluster) -> anyhow::Result<Option<String>> {
    let accounts: Api<ServiceAccount> = Api::namespaced(worker.client(), SYSTEM);
    let spec = TokenRequestSpec { expiration_seconds: Some(600), ..TokenRequestSpec::default() };
    let asked = TokenRequest { spec, ..TokenRequest::default() };
    let params = PostParams::default();
    let ask = async {
        match accounts.create_token_request("default", &params, &asked).await {
            Err(kube::Error::Api(status)) if matches!(status.code, 403 | 404) => Ok(None),
            answer => answer.map(Some),
        }
    };
    let answer = worker.request(&format!("ask for a token of ServiceAccount {SYSTEM}/default"), ask).await?;
    Ok(answer.and_then(|request| request.status).map(|status| status.token))
}

/// The CA that the cluster tells its pods.
async fn cluster_ca(worker: &Cluster) -> anyhow::Result<Vec<u8>> {
    let maps: Api<ConfigMap> = Api::namespaced(worker.client(), SYSTEM);
    let map =
        worker.request(&format!("read ConfigMap {SYSTEM}/kube-root-ca.crt"), maps.get("kube-root-ca.crt")).await?;
    let ca = map.data.and_then(|mut data| data.remove("ca.crt"));
    Ok(ca
        .with_context(|| format!("{}: ConfigMap {SYSTEM}/kube-root-ca.crt has no ca.crt", worker.name))?
        .into_bytes())
}

/// The cluster behind a kubeconfig that was made here.
pub(super) fn open(kubeconfig: &str) -> anyhow::Result<Cluster> {
    let files = KubeconfigFiles::parse(kubeconfig.as_bytes()).context("the new kubeconfig cannot be read back")?;
    let role = "worker, by the new kubeconfig";
    Cluster::open(&choose(&files, None, role)?, role)
}
