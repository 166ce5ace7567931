//! The members, asked as the operator asks them.

use std::sync::Arc;

use kogge_database::secrets::{DatabaseSecrets, Login, Users};
use kogge_database::{Prepared, Running};
use kogge_engine::{Engine, Millis, OBSERVATIONS_TO_BELIEVE};
use kogge_engine_client::{
    ClusterAccess, Credentials, Observe, OwnCertificate, Password, PortForward, Target, Trust, User,
};

use super::workers::Workers;

/// Asks every member and router that runs, as often as it takes to believe what costs a vote.
pub(super) async fn ask<C: Observe>(
    prepared: &Prepared<'_, C::Engine>,
    secrets: &DatabaseSecrets,
    workers: &Workers,
) -> <C::Engine as Engine>::Topology {
    let namespace = &prepared.observation.identity.namespace;
    let target = |running: Running<'_>| {
        let (client, connection) = workers.client(running.worker)?;
        Some(Target { client, namespace: namespace.clone(), uid: running.uid.to_owned(), connection })
    };
    let servers = prepared.servers().into_iter();
    let targets = servers.filter_map(|(pod, running)| Some((pod, target(running)?))).collect();
    let mut topology = <C::Engine as Engine>::Topology::default();
    let own = secrets.current.operator_certificate().filter(|_| C::Engine::ASKS_FOR_CERTIFICATES);
    let own = own.map(|leaf| OwnCertificate { chain: leaf.certificate.clone(), key: leaf.key.clone() });
    let Ok(trust) = secrets.operator_trust().map(|bundle| Trust::new(&bundle, own)).transpose() else {
        return topology;
    };
    let reach = Arc::new(PortForward::new(targets));
    let access = ClusterAccess { reach, credentials: credentials(secrets), trust };
    let client = C::default();
    for _ in 0..OBSERVATIONS_TO_BELIEVE {
        topology = client.observe(&access, &prepared.goal, &prepared.pods, Millis::default()).await;
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
