//! The members, asked as the operator asks them.

use std::sync::Arc;

use kogge_database::secrets::{DatabaseSecrets, Login, Users};
use kogge_database::{Prepared, Running};
use kogge_engine::{Millis, OBSERVATIONS_TO_BELIEVE};
use kogge_engine_client::{ClusterAccess, Credentials, Password, PortForward, Target, Trust, User};
use kogge_mongo::{MongoDb, Topology};
use kogge_mongo_client::Engine;

use super::workers::Workers;

/// Asks every member and router that runs, as often as it takes to believe what costs a vote.
pub(super) async fn ask(
    prepared: &Prepared<'_, MongoDb>,
    secrets: &DatabaseSecrets,
    workers: &Workers,
) -> Topology {
    let namespace = &prepared.observation.identity.namespace;
    let target = |running: Running<'_>| {
        let (client, connection) = workers.client(running.worker)?;
        Some(Target { client, namespace: namespace.clone(), uid: running.uid.to_owned(), connection })
    };
    let servers = prepared.servers().into_iter();
    let targets = servers.filter_map(|(pod, running)| Some((pod, target(running)?))).collect();
    let Ok(trust) = secrets.operator_trust().map(|bundle| Trust::new(&bundle, None)).transpose() else {
        return Topology::default();
    };
    let reach = Arc::new(PortForward::new(targets));
    let access = ClusterAccess { reach, credentials: credentials(secrets), trust };
    let engine = Engine::new();
    let mut topology = Topology::default();
    for _ in 0..OBSERVATIONS_TO_BELIEVE {
        topology = engine.observe(&access, &prepared.goal, &prepared.pods, Millis::default()).await;
    }
    topology
}

fn credentials(secrets: &DatabaseSecrets) -> Credentials {
    let Credentials { operator, admin } = users(&secrets.users);
    Credentials { operator: operator.or(secrets.fallback_operator().map(user)), admin }
}

fn users(users: &Users) -> Credentials {
    Credentials { operator: user(users.operator()), admin: user(users.admin()) }
}

fn user(login: Login) -> User {
    User::new(login.user, Password::new(login.password))
}
