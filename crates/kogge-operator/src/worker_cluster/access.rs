//! The way to a worker's members: which one is in use, and whether it leads anywhere.

use std::net::SocketAddr;

use kogge_api::conditions::{Finding, Status, worker_cluster as types};
use kogge_api::worker_cluster::Access;
use kogge_federated_cluster::PORT;
use kogge_mongo_client::try_address;
use kogge_plan::object::cluster_id;
use kogge_plan::{WorkerView, workload};

/// Tries the way that `spec.access` says. `worker` is the last view of it.
pub(super) async fn reachable(access: Access, worker: Option<&WorkerView>) -> Finding {
    let finding = |status: Status, reason: &str, message: String| {
        Finding::new(types::MEMBERS_REACHABLE, status, reason, message)
    };
    match access {
        Access::PortForward => {
            finding(Status::True, "PortForward", "members are reached through the worker's API server".to_owned())
        }
        Access::Direct => match worker.and_then(a_running_pod) {
            None => finding(
                Status::Unknown,
                "NoMembers",
                "members are to be reached at their pods' addresses; none runs there to try it with".to_owned(),
            ),
            Some((pod, address)) => match try_address(address).await {
                Ok(()) => finding(
                    Status::True,
                    "Direct",
                    format!("members are reached at their pods' addresses; tried with {pod}"),
                ),
                Err(reason) => finding(
                    Status::False,
                    "NoRoute",
                    format!(
                        "{pod} does not answer at {address}: {reason}; route the pods' addresses to the operator, or set spec.access to PortForward"
                    ),
                ),
            },
        },
    }
}

/// The first pod of a database, by name, that is ready and has an address.
fn a_running_pod(worker: &WorkerView) -> Option<(String, SocketAddr)> {
    let pods = worker.objects.iter().filter(|(key, object)| key.kind == "Pod" && cluster_id(object).is_some());
    let mut ready = pods.filter_map(|(_, object)| workload::pod_facts(object)).filter(|pod| pod.ready);
    ready.find_map(|pod| Some((pod.name, (*pod.ips.first()?, PORT).into())))
}
