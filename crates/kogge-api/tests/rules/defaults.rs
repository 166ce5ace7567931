//! What the API server fills in, and what it must not take away.

use serde_json::{Value, json};

use crate::harness::Resource;

pub(crate) async fn check(
    clusters: &Resource,
    etcds: &Resource,
    workers: &Resource,
) -> anyhow::Result<Vec<String>> {
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
                "security": {
                    "tls": {"mode": "Disabled"},
                    "rotation": {"authority": 0, "certificates": 0, "grace": "1h", "keyfile": 0, "passwords": 0},
                },
            }),
        ),
        (
            etcds.store(&json!({})).await?,
            json!({
                "chart": "etcd",
                "version": "3.6.14",
                "membersPerPlacement": 1,
                "storage": {"size": "10Gi"},
                "maintenance": {},
                "placement": [{"name": "vdc1", "vdc": "vdc1", "role": "Voter"}],
                "rollout": {"soak": "0s", "onFailure": "Pause"},
                "deletion": {"coolOff": "168h", "data": "Retain"},
                "security": {
                    "tls": {"mode": "Disabled"},
                    "rotation": {"authority": 0, "certificates": 0, "grace": "1h", "keyfile": 0, "passwords": 0},
                },
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

/// Chart values are kept as they are given, however deep.
pub(crate) async fn check_values(clusters: &Resource) -> anyhow::Result<Vec<String>> {
    let values =
        json!({"probes": {"liveness": {"tcpSocket": {"port": 1}, "list": [{"a": {"b": null, "c": "x"}}]}}});
    let given = json!({"values": values, "placement": [{"name": "vdc1", "vdc": "vdc1", "values": values}]});
    let spec = &clusters.store(&given).await?.data["spec"];
    let kept = [&spec["values"], &spec["placement"][0]["values"]];
    Ok(kept.into_iter().filter_map(|found| difference(found, &values)).collect())
}

fn difference(found: &Value, expected: &Value) -> Option<String> {
    (found != expected).then(|| format!("stored otherwise:\n    expected {expected}\n    found    {found}"))
}
