//! The way to the members that run now.

use std::collections::BTreeMap;
use std::sync::Arc;

use kogge_federated_cluster::secrets::{ADMIN_USER, DatabaseSecrets, OPERATOR_USER};
use kogge_federated_cluster::{PORT, Prepared};
use kogge_fleet::Fleet;
use kogge_mongo::{Pod, PodName};
use kogge_mongo_client::{ClusterAccess, Credentials, Password, PortForward, Target, User};
use kogge_plan::Liveness;

/// Who the operator is to the members, and the way to those that run.
pub(super) fn access(prepared: &Prepared<'_>, fleet: &Fleet) -> ClusterAccess {
    ClusterAccess {
        reach: Arc::new(PortForward::new(targets(prepared, fleet))),
        credentials: credentials(prepared.observation.secrets),
    }
}

fn credentials(secrets: &DatabaseSecrets) -> Credentials {
    let user = |name: &str, password: &str| User { name: name.to_owned(), password: Password::new(password) };
    Credentials {
        operator: user(OPERATOR_USER, &secrets.operator_password),
        admin: user(ADMIN_USER, &secrets.admin_password),
    }
}

fn targets(prepared: &Prepared<'_>, fleet: &Fleet) -> BTreeMap<PodName, Target> {
    let running = prepared.pods.iter().filter_map(|(pod, facts)| match facts {
        Pod::Present(facts) if facts.running => Some((pod, facts.uid.as_str())),
        Pod::Present(_) | Pod::Absent | Pod::Unknown { .. } => None,
    });
    let routers = prepared.routers.iter().map(|(pod, uid)| (pod, uid.as_str()));
    running
        .chain(routers)
        .filter_map(|(pod, uid)| Some((pod.clone(), target(prepared, fleet, pod, uid)?)))
        .collect()
}

fn target(prepared: &Prepared<'_>, fleet: &Fleet, pod: &PodName, uid: &str) -> Option<Target> {
    let identity = prepared.observation.identity;
    let placement = prepared.placement_of(pod.as_str())?;
    let (worker, view) = prepared.observation.worker_of(&placement, &prepared.anchor)?;
    if view.liveness != Liveness::Live {
        return None;
    }
    let (client, connection) = fleet.client(worker).ok()?;
    Some(Target { client, namespace: identity.namespace.clone(), uid: uid.to_owned(), port: PORT, connection })
}
