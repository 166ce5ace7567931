//! The way to the members that run now.

use std::collections::BTreeMap;
use std::sync::Arc;

use kogge_federated_cluster::secrets::{ADMIN_USER, DatabaseSecrets, OPERATOR_USER};
use kogge_federated_cluster::{PORT, Prepared, Running};
use kogge_fleet::Fleet;
use kogge_mongo::PodName;
use kogge_mongo_client::{ClusterAccess, Credentials, Password, PortForward, Target, User};

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
    let namespace = &prepared.observation.identity.namespace;
    let target = |running: Running<'_>| {
        let (client, connection) = fleet.client(running.worker).ok()?;
        Some(Target { client, namespace: namespace.clone(), uid: running.uid.to_owned(), port: PORT, connection })
    };
    prepared.servers().into_iter().filter_map(|(pod, running)| Some((pod, target(running)?))).collect()
}
