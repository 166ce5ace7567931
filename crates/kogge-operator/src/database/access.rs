//! The way to the members that run now.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kogge_api::worker_cluster::Access;
use kogge_database::Prepared;
use kogge_database::secrets::{DatabaseSecrets, Login, Users};
use kogge_engine::Engine;
use kogge_engine_client::{
    Address, ClusterAccess, Credentials, OwnCertificate, Password, PortForward, Target, Trust, TrustError, User,
    Ways,
};
use kube::ResourceExt as _;

use crate::context::Context;

/// Who the operator is to the members, and the way to those that run.
pub(super) fn access<E: Engine>(
    prepared: &Prepared<'_, E>,
    context: &Context,
) -> Result<ClusterAccess, TrustError> {
    let secrets = &prepared.observation.secrets;
    let own = secrets.current.operator_certificate().filter(|_| E::ASKS_FOR_CERTIFICATES);
    let own = own.map(|leaf| OwnCertificate { chain: leaf.certificate.clone(), key: leaf.key.clone() });
    let trust = secrets.operator_trust().map(|bundle| Trust::new(&bundle, own)).transpose()?;
    Ok(ClusterAccess { reach: Arc::new(ways(prepared, context)), credentials: credentials(secrets), trust })
}

fn credentials(secrets: &DatabaseSecrets) -> Credentials {
    let Credentials { operator, admin } = users(&secrets.users);
    Credentials { operator: operator.or(secrets.fallback_operator().map(user)), admin }
}

/// The users of one generation, as the servers know them.
pub(super) fn users(users: &Users) -> Credentials {
    Credentials { operator: user(users.operator()), admin: user(users.admin()) }
}

fn user(login: Login) -> User {
    User::new(login.user, Password::new(login.password))
}

/// Each pod by the way that its worker's `spec.access` says. What does not answer by that way does not answer.
fn ways<E: Engine>(prepared: &Prepared<'_, E>, context: &Context) -> Ways {
    let direct_workers: BTreeSet<String> = context
        .workers
        .state()
        .iter()
        .filter(|worker| worker.spec.access == Access::Direct)
        .map(|worker| worker.name_any())
        .collect();
    let namespace = &prepared.observation.identity.namespace;
    let (mut direct, mut through) = (BTreeMap::new(), BTreeMap::new());
    for (pod, running) in prepared.servers() {
        if direct_workers.contains(&running.worker.0) && prepared.has_users(&pod) {
            if let Some(ip) = prepared.address(&pod, running) {
                direct.insert(pod, Address { ip, uid: running.uid.to_owned() });
            }
        } else if let Ok((client, connection)) = context.fleet.client(running.worker) {
            let uid = running.uid.to_owned();
            through.insert(pod, Target { client, namespace: namespace.clone(), uid, connection });
        }
    }
    Ways::new(direct, PortForward::new(through))
}
