//! The members, asked as the operator asks them.

use std::sync::Arc;

use kogge_federated_cluster::secrets::{ADMIN_USER, DatabaseSecrets, OPERATOR_USER};
use kogge_federated_cluster::{PORT, Prepared, Running};
use kogge_mongo::{Millis, Topology};
use kogge_mongo_client::{ClusterAccess, Credentials, Engine, Password, PortForward, Target, User};

use super::workers::Workers;

/// Asks every member and router that runs, once.
pub(super) async fn ask(prepared: &Prepared<'_>, secrets: &DatabaseSecrets, workers: &Workers) -> Topology {
    let namespace = &prepared.observation.identity.namespace;
    let target = |running: Running<'_>| {
        let (client, connection) = workers.client(running.worker)?;
        Some(Target { client, namespace: namespace.clone(), uid: running.uid.to_owned(), port: PORT, connection })
    };
    let servers = prepared.servers().into_iter();
    let targets = servers.filter_map(|(pod, running)| Some((pod, target(running)?))).collect();
    let access = ClusterAccess { reach: Arc::new(PortForward::new(targets)), credentials: credentials(secrets) };
    Engine::new().observe(&access, &prepared.goal, &prepared.pods, Millis::default()).await
}

fn credentials(secrets: &DatabaseSecrets) -> Credentials {
    let user = |name: &str, password: &str| User { name: name.to_owned(), password: Password::new(password) };
    Credentials {
        operator: user(OPERATOR_USER, &secrets.operator_password),
        admin: user(ADMIN_USER, &secrets.admin_password),
    }
}
