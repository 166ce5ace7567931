//! What a new cluster needs before it is of use: DNS and storage classes; and when it is ready.

use std::fmt::Debug;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Node, Pod, Service, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{Api, ListParams, Patch, PatchParams};
use kube::{Client, Resource};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::address_plan::ClusterAddresses;
use crate::cluster::Cluster;
use crate::error::{LabError, Result};
use crate::images::COREDNS_IMAGE;
use crate::wait::until;

const SYSTEM: &str = "kube-system";
const FIELD_MANAGER: &str = "kogge-lab";
const PROBE_DEADLINE: Duration = Duration::from_secs(5);

/// Applies DNS and storage classes.
pub(crate) async fn apply(cluster: &Cluster, addresses: &ClusterAddresses) -> Result<()> {
    let client = cluster.client().await?;
    let apply = async {
        for (name, default) in [("standard", true), ("fast", false)] {
            patch(&Api::<StorageClass>::all(client.clone()), name, storage_class(default)).await?;
        }
        patch(&Api::<ServiceAccount>::namespaced(client.clone(), SYSTEM), "coredns", json!({})).await?;
        patch(&Api::<ClusterRole>::all(client.clone()), "lab:coredns", dns_role()).await?;
        patch(&Api::<ClusterRoleBinding>::all(client.clone()), "lab:coredns", dns_role_binding()).await?;
        patch(
            &Api::<ConfigMap>::namespaced(client.clone(), SYSTEM),
            "coredns",
            json!({"data": {"Corefile": COREFILE}}),
        )
        .await?;
        patch(&Api::<Service>::namespaced(client.clone(), SYSTEM), "kube-dns", dns_service(addresses)).await?;
        patch(&Api::<Deployment>::namespaced(client.clone(), SYSTEM), "coredns", dns_deployment()).await
    };
    apply.await.map_err(|e| LabError::kube(cluster.name(), e))
}

/// Waits until node and DNS of a cluster are ready. With `since`, what was reported before that moment does not
/// count: a node that lost its power is still called ready until somebody notices.
pub(crate) async fn wait_ready(cluster: &Cluster, since: Option<Timestamp>, deadline: Duration) -> Result<()> {
    let client = cluster.client().await?;
    until(&format!("{}: node ready", cluster.name()), deadline, || async {
        node_ready(client.clone()).await?;
        if let Some(since) = since { kubelet_reports(client.clone(), cluster.name(), since).await } else { Ok(()) }
    })
    .await?;
    until(&format!("{}: DNS ready", cluster.name()), deadline, || dns_ready(client.clone(), since)).await
}

/// Whether the kubelet has renewed its lease since then.
async fn kubelet_reports(client: Client, node: &str, since: Timestamp) -> Result<(), String> {
    let lease = probe(Api::<Lease>::namespaced(client, "kube-node-lease").get(node)).await?;
    let renewed = lease.spec.and_then(|spec| spec.renew_time).map(|time| time.0);
    if renewed >= Some(since) {
        Ok(())
    } else {
        Err("its kubelet has not reported since the node was powered on".to_owned())
    }
}

/// Whether the API server says that it is ready.
pub(crate) async fn api_ready(client: Client) -> Result<(), String> {
    let request = http::Request::get("/readyz").body(Vec::new()).map_err(|e| e.to_string())?;
    match tokio::time::timeout(PROBE_DEADLINE, client.request_text(request)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(e)) => Err(whole_story(e)),
        Err(_) => Err("no answer".to_owned()),
    }
}

/// Whether all nodes are ready; there must be one.
pub(crate) async fn node_ready(client: Client) -> Result<(), String> {
    let nodes = Api::<Node>::all(client);
    let nodes = probe(nodes.list(&ListParams::default())).await?;
    let conditions = |node: &Node| node.status.as_ref().and_then(|s| s.conditions.clone()).unwrap_or_default();
    for node in &nodes.items {
        let ready = conditions(node).into_iter().find(|c| c.type_ == "Ready");
        match ready {
            Some(condition) if condition.status == "True" => {}
            Some(condition) => return Err(condition.message.unwrap_or(condition.status)),
            None => return Err("its kubelet has not reported yet".to_owned()),
        }
    }
    if nodes.items.is_empty() { Err("the node has not registered yet".to_owned()) } else { Ok(()) }
}

async fn dns_ready(client: Client, since: Option<Timestamp>) -> Result<(), String> {
    let pods = Api::<Pod>::namespaced(client, SYSTEM);
    let pods = probe(pods.list(&ListParams::default().labels("k8s-app=kube-dns"))).await?.items;
    let conditions = pods.into_iter().filter_map(|pod| pod.status?.conditions).flatten();
    // Conditions tell seconds only.
    let fresh =
        |at: Option<Time>| since.is_none_or(|since| at.is_some_and(|at| at.0.as_second() >= since.as_second()));
    let mut ready = conditions.filter(|c| c.type_ == "Ready" && c.status == "True");
    if ready.any(|c| fresh(c.last_transition_time)) { Ok(()) } else { Err("CoreDNS is not ready yet".to_owned()) }
}

async fn probe<T>(request: impl Future<Output = kube::Result<T>>) -> Result<T, String> {
    match tokio::time::timeout(PROBE_DEADLINE, request).await {
        Ok(answer) => answer.map_err(whole_story),
        Err(_) => Err("the API server does not answer".to_owned()),
    }
}

/// An error with all its causes: a client's own words are too general.
fn whole_story(error: kube::Error) -> String {
    format!("{:#}", anyhow::Error::from(error))
}

async fn patch<K>(api: &Api<K>, name: &str, mut body: Value) -> kube::Result<()>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug,
{
    body["apiVersion"] = K::api_version(&()).into();
    body["kind"] = K::kind(&()).into();
    body["metadata"]["name"] = name.into();
    api.patch(name, &PatchParams::apply(FIELD_MANAGER).force(), &Patch::Apply(&body)).await.map(drop)
}

fn storage_class(default: bool) -> Value {
    json!({
        "metadata": {"annotations": {"storageclass.kubernetes.io/is-default-class": default.to_string()}},
        "provisioner": "kubernetes.io/host-path",
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "Immediate",
        "allowVolumeExpansion": true,
    })
}

/// Short times to live: tests watch names change.
const COREFILE: &str = "\
.:53 {
  errors
  ready
  kubernetes cluster.local in-addr.arpa {
    pods insecure
    ttl 5
  }
  cache 5
}
";

fn dns_role() -> Value {
    json!({"rules": [
        {"apiGroups": [""], "resources": ["services", "pods", "namespaces"], "verbs": ["list", "watch"]},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
    ]})
}

fn dns_role_binding() -> Value {
    json!({
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "lab:coredns"},
        "subjects": [{"kind": "ServiceAccount", "name": "coredns", "namespace": SYSTEM}],
    })
}

fn dns_service(addresses: &ClusterAddresses) -> Value {
    json!({"spec": {
        "clusterIP": addresses.dns_service,
        "selector": {"k8s-app": "kube-dns"},
        "ports": [
            {"name": "dns", "port": 53, "protocol": "UDP"},
            {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
        ],
    }})
}

fn dns_deployment() -> Value {
    let labels = json!({"k8s-app": "kube-dns"});
    json!({"spec": {
        "selector": {"matchLabels": labels},
        "template": {
            "metadata": {"labels": labels},
            "spec": {
                "serviceAccountName": "coredns",
                "dnsPolicy": "Default",
                "terminationGracePeriodSeconds": 1,
                "containers": [{
                    "name": "coredns",
                    "image": COREDNS_IMAGE,
                    "imagePullPolicy": "IfNotPresent",
                    "args": ["-conf", "/etc/coredns/Corefile"],
                    "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}, "periodSeconds": 1},
                    "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns"}],
                }],
                "volumes": [{"name": "config", "configMap": {"name": "coredns"}}],
            },
        },
    }})
}
