//! What the API server fills in.

use serde_json::{Value, json};

use crate::harness::Resource;

pub(crate) async fn check(clusters: &Resource, workers: &Resource) -> anyhow::Result<Vec<String>> {
    let filled = [
        (
            clusters.store(&json!({})).await?,
            json!({
                "global": {"chart": "bytedoc"},
                "mongos": {"replicasPerPlacement": 2},
                "shard": {"shardCount": 1, "membersPerPlacement": 1, "storage": {"size": "10Gi"}},
                "config": {"membersPerPlacement": 1, "storage": {"size": "10Gi"}},
                "placement": [{"name": "vdc1", "vdc": "vdc1", "role": "Voter"}],
                "rollout": {"soak": "0s", "onFailure": "Pause"},
                "deletion": {"coolOff": "168h", "data": "Retain"},
            }),
        ),
        (
            workers.store(&json!({})).await?,
            json!({
                "vdc": "vdc1",
                "kubeconfig": {"secretRef": {"name": "worker-vdc1", "key": "kubeconfig"}},
                "access": "PortForward",
                "network": {"mode": "Underlay", "clusterDomain": "cluster.local"},
                "allowedNamespaces": {"names": ["databases"]},
                "limits": {"concurrency": 16, "requestTimeout": "10s"},
                "suspend": false,
            }),
        ),
    ];
    Ok(filled.into_iter().filter_map(|(object, expected)| difference(&object.data["spec"], &expected)).collect())
}

fn difference(found: &Value, expected: &Value) -> Option<String> {
    (found != expected).then(|| format!("defaults:\n    expected {expected}\n    found    {found}"))
}
