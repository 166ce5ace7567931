//! The way to the members that run now.

use std::collections::BTreeMap;
use std::sync::Arc;

use kogge_federated_cluster::secrets::{ADMIN_USER, DatabaseSecrets, OPERATOR_USER, Passwords};
use kogge_federated_cluster::{PORT, Prepared, Running};
use kogge_fleet::Fleet;
use kogge_mongo::PodName;
use kogge_mongo_client::{ClusterAccess, Credentials, Password, PortForward, Target, Trust, TrustError, User};

/// Who the operator is to the members, and the way to those that run.
pub(super) fn access(prepared: &Prepared<'_>, fleet: &Fleet) -> Result<ClusterAccess, TrustError> {
    let secrets = prepared.observation.secrets;
    let trust = secrets.operator_trust().map(|bundle| Trust::of(&bundle)).transpose()?;
    Ok(ClusterAccess {
        reach: Arc::new(PortForward::new(targets(prepared, fleet)).trusting(trust)),
        credentials: credentials(secrets),
    })
}

fn credentials(secrets: &DatabaseSecrets) -> Credentials {
    let user = |name: &str, password: fn(&Passwords) -> &String| User {
        name: name.to_owned(),
        password: Password::new(password(&secrets.passwords)),
        next: secrets.next_passwords.as_ref().map(|next| Password::new(password(next))),
    };
    Credentials { operator: user(OPERATOR_USER, |p| &p.operator), admin: user(ADMIN_USER, |p| &p.admin) }
}

fn targets(prepared: &Prepared<'_>, fleet: &Fleet) -> BTreeMap<PodName, Target> {
    let namespace = &prepared.observation.identity.namespace;
    let target = |running: Running<'_>| {
        let (client, connection) = fleet.client(running.worker).ok()?;
        Some(Target { client, namespace: namespace.clone(), uid: running.uid.to_owned(), port: PORT, connection })
    };
    prepared.servers().into_iter().filter_map(|(pod, running)| Some((pod, target(running)?))).collect()
}
