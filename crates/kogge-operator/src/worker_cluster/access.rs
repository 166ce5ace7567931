//! The way to a worker's members: which one is in use, and whether it leads anywhere.

use std::net::IpAddr;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kogge_api::conditions::{Finding, Status, worker_cluster as types};
use kogge_api::worker_cluster::Access;
use kogge_engine_client::try_address;
use kogge_plan::object::cluster_id;
use kogge_plan::{WorkerView, workload};
use kube::{Api, Client};
use tokio::time::timeout;

/// The worker's API and the kubelet behind it must open a stream within this.
const OPEN_DEADLINE: Duration = Duration::from_secs(4);

/// A pod of a database to try a way with.
struct Tried {
    namespace: String,
    name: String,
    address: IpAddr,
    port: u16,
}

/// Tries the way that `spec.access` says. `worker` is what is seen of it now, and a client for it; none where it does
/// not answer.
pub(super) async fn reachable(access: Access, worker: Option<(&WorkerView, Client)>) -> Finding {
    let finding = |status: Status, reason: &str, message: String| {
        Finding::new(types::MEMBERS_REACHABLE, status, reason, message)
    };
    let way = match access {
        Access::PortForward => "through the worker's API server",
        Access::Direct => {
            "at their pods' addresses (one that has no users yet: through the worker's API server, for it takes \
             commands from its own loopback only)"
        }
    };
    let Some((view, client)) = worker else {
        let message = format!("members are to be reached {way}; the worker is not seen, so it was not tried");
        return finding(Status::Unknown, "WorkerNotSeen", message);
    };
    let Some(pod) = a_ready_pod(view) else {
        let message = format!("members are to be reached {way}; none is ready there to try it with");
        return finding(Status::Unknown, "NoMembers", message);
    };
    let (tried, reason, mend) = match access {
        Access::PortForward => (
            try_port_forward(client, &pod).await,
            "NoPortForward",
            "let the kubeconfig's user create pods/portforward there, or set spec.access to Direct",
        ),
        Access::Direct => (
            try_address((pod.address, pod.port).into()).await.map_err(|why| format!("{}: {why}", pod.address)),
            "NoRoute",
            "route the pods' addresses to the operator, or set spec.access to PortForward",
        ),
    };
    match tried {
        Ok(()) => {
            let message = format!("members are reached {way}; tried with {}", pod.name);
            finding(Status::True, access_reason(access), message)
        }
        Err(why) => {
            let message =
                format!("members are to be reached {way}; {} does not answer so: {why}; {mend}", pod.name);
            finding(Status::False, reason, message)
        }
    }
}

fn access_reason(access: Access) -> &'static str {
    match access {
        Access::PortForward => "PortForward",
        Access::Direct => "Direct",
    }
}

/// Opens one stream to a pod; the error says why there is none.
async fn try_port_forward(client: Client, pod: &Tried) -> Result<(), String> {
    let pods: Api<Pod> = Api::namespaced(client, &pod.namespace);
    match timeout(OPEN_DEADLINE, pods.portforward(&pod.name, &[pod.port])).await {
        Ok(Ok(forwarder)) => {
            forwarder.abort();
            Ok(())
        }
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no stream within {} s", OPEN_DEADLINE.as_secs())),
    }
}

/// The first pod of a database, by name, that is ready and has an address.
fn a_ready_pod(worker: &WorkerView) -> Option<Tried> {
    let mut pods = worker.objects.iter().filter(|(key, object)| key.kind == "Pod" && cluster_id(object).is_some());
    pods.find_map(|(key, object)| {
        let pod = workload::pod_facts(object).filter(|pod| pod.ready && !pod.terminating)?;
        let (namespace, port) = (key.namespace.clone()?, workload::port(object)?);
        Some(Tried { namespace, address: *pod.ips.first()?, port, name: pod.name })
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use kogge_api::labels;
    use kogge_plan::{Liveness, Object, ObjectKey};
    use kube::Config;
    use serde_json::json;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    fn view(pods: impl IntoIterator<Item = Object>) -> WorkerView {
        WorkerView {
            vdc: "vdc1".to_owned(),
            uid: Some("uid".to_owned()),
            cluster_domain: "cluster.local".to_owned(),
            liveness: Liveness::Live,
            complete: true,
            suspended: false,
            objects: pods.into_iter().map(|pod| (ObjectKey::of(&pod).unwrap(), Arc::new(pod))).collect(),
        }
    }

    fn pod() -> Object {
        serde_json::from_value(json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": "ll-config-vdc1-0", "namespace": "databases", "uid": "u",
                "labels": { labels::CLUSTER_ID: "abcdefgh" },
            },
            "spec": { "containers": [{ "name": "server", "ports": [{ "containerPort": 7 }] }] },
            "status": {
                "phase": "Running",
                "podIP": "127.0.0.1",
                "conditions": [{ "type": "Ready", "status": "True" }],
            },
        }))
        .unwrap()
    }

    /// A client for an API server that answers everything with a status line.
    async fn answering(status: &'static str) -> Client {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}", server.local_addr().unwrap()).parse().unwrap();
        tokio::spawn(async move {
            while let Ok((mut connection, _)) = server.accept().await {
                let mut request = [0; 4096];
                let _ = connection.read(&mut request).await;
                let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                connection.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Client::try_from(Config::new(uri)).unwrap()
    }

    #[tokio::test]
    async fn a_worker_that_refuses_port_forwards_is_told_with_its_answer() {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = answering("403 Forbidden").await;
        let finding = reachable(Access::PortForward, Some((&view([pod()]), client))).await;
        assert_eq!((finding.status, finding.reason.as_str()), (Status::False, "NoPortForward"));
        let message = finding.message;
        assert!(message.contains("ll-config-vdc1-0") && message.contains("403"), "{message}");
    }

    #[tokio::test]
    async fn what_was_not_tried_is_unknown() {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        for access in [Access::PortForward, Access::Direct] {
            let finding = reachable(access, None).await;
            assert_eq!((finding.status, finding.reason.as_str()), (Status::Unknown, "WorkerNotSeen"));
            let client = answering("403 Forbidden").await;
            let finding = reachable(access, Some((&view([]), client))).await;
            assert_eq!((finding.status, finding.reason.as_str()), (Status::Unknown, "NoMembers"));
        }
    }
}
