//! The database's secrets in the control cluster: made once, completed for new components, and taken from one
//! generation to the next.

use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::jiff::Timestamp;
use kogge_api::federated_cluster::TlsMode;
use kogge_api::{FederatedCluster, names};
use kogge_federated_cluster::report::Problem;
use kogge_federated_cluster::secrets::{DatabaseSecrets, Issuer, UsersStep, Wanted};
use kogge_federated_cluster::{DatabasePlan, Identity, Prepared};
use kogge_mongo::{PodName, Topology};
use kogge_mongo_client::{ClusterAccess, Engine, Told};
use kube::ResourceExt as _;
use kube::runtime::events::EventType;
use tracing::{debug, info, warn};

use super::carry_out::{Carried, is_told};
use super::pass::PassError;
use super::reach;
use crate::certificate::{self, Unfit};
use crate::context::Context;
use crate::mint::OperatorMint;

/// The secrets, as they were read.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) secrets: DatabaseSecrets,
    resource_version: Option<String>,
}

/// Reads them; none where there are none.
pub(super) async fn read(identity: &Identity, context: &Context) -> Result<Option<Held>, PassError> {
    let name = DatabaseSecrets::name(&identity.id);
    let Some(secret) = context.control.get(&context.own::<Secret>(), &name).await? else { return Ok(None) };
    let secrets = DatabaseSecrets::read(&secret)?;
    Ok(Some(Held { secrets, resource_version: secret.metadata.resource_version }))
}

/// What the spec asks of them, with what the Secret that it may name holds.
pub(super) async fn wanted<'a>(
    cluster: &'a FederatedCluster,
    identity: &'a Identity,
    context: &Context,
) -> Result<Result<Wanted<'a>, Problem>, PassError> {
    let tls = &cluster.spec.security.tls;
    let Some(named) = tls.secret_ref.as_ref().filter(|_| tls.mode != TlsMode::Disabled) else {
        return Ok(Ok(Wanted::new(identity, &cluster.spec, None)));
    };
    let invalid = |reason: &str, message: String| Problem::InvalidSpec { reason: reason.to_owned(), message };
    let secrets = context.control.namespaced::<Secret>(&identity.namespace);
    Ok(match context.control.get(&secrets, &named.name).await? {
        Some(secret) => match Issuer::given(&secret) {
            Ok(given) => {
                let wanted = Wanted::new(identity, &cluster.spec, Some(given));
                is_fit(&wanted).map(|()| wanted.clone()).map_err(|unfit| {
                    invalid("TlsSecretUnfit", format!("Secret {}: {unfit}; issue it anew", named.name))
                })
            }
            Err(error) => Err(invalid("TlsSecretIncomplete", error.to_string())),
        },
        None => Err(invalid(
            "TlsSecretMissing",
            format!(
                "spec.security.tls.secretRef names the Secret {}, which is not in namespace {}; make it, with \
                 tls.crt, tls.key and ca.crt",
                named.name, identity.namespace
            ),
        )),
    })
}

fn is_fit(wanted: &Wanted<'_>) -> Result<(), Unfit> {
    let Some(Issuer::Given { authority, leaf }) = &wanted.given else { return Ok(()) };
    certificate::check(authority, leaf, &wanted.called_names())
}

/// Makes the secrets of a database that begins now.
pub(super) async fn begin(wanted: &Wanted<'_>, context: &Context) -> Result<(), PassError> {
    let secrets = DatabaseSecrets::begin(wanted, &mut OperatorMint::new())?;
    let secret = secrets.to_secret(&wanted.identity.id, &context.namespace).map_err(PassError::Secrets)?;
    context.control.create(&context.own(), &secret).await?;
    info!("the database's secrets were made");
    Ok(())
}

/// Makes what components lack that are new; whether anything was written.
pub(super) async fn complete(held: &Held, wanted: &Wanted<'_>, context: &Context) -> Result<bool, PassError> {
    let Some(completed) = held.secrets.completed(wanted, &mut OperatorMint::new())? else { return Ok(false) };
    write(held, &completed, wanted.identity, context).await?;
    info!("a new component has its certificate");
    Ok(true)
}

/// Takes the next step of a rotation, if there is one and every pod runs the present generation; whether anything
/// was written.
pub(super) async fn advance(
    held: &Held,
    wanted: &Wanted<'_>,
    prepared: &Prepared<'_>,
    plan: &DatabasePlan,
    topology: &Topology,
    context: &Context,
) -> Result<bool, PassError> {
    if !plan.has_one_generation(prepared) {
        return Ok(false);
    }
    let mut mint = OperatorMint::new();
    let Some(next) = held.secrets.advanced(wanted, mint.now(), plan.reloads_certificates(topology), &mut mint)?
    else {
        return Ok(false);
    };
    write(held, &next, wanted.identity, context).await?;
    let rotating = next.rotating(wanted.security).unwrap_or_else(|| "done".to_owned());
    info!(generation = next.current.number, rotating, "the secrets' rotation goes on");
    Ok(true)
}

/// Lets every server read the certificates of the present generation again, where these changed within it, until each
/// serves its own.
pub(super) async fn reload_certificates(
    held: &Held,
    prepared: &Prepared<'_>,
    plan: &DatabasePlan,
    engine: &Engine,
    access: &ClusterAccess,
    context: &Context,
) -> Result<Carried, PassError> {
    let nothing = Carried::default();
    if !held.secrets.reloading || prepared.observation.paused() || !plan.is_settled() {
        return Ok(nothing);
    }
    let wanted = prepared.certificates();
    let served = engine.reload_certificates(access, &wanted, || context.leadership.is_leader()).await?;
    if let Some(error) = &served.failed {
        return Ok(Carried::failed("reading new certificates", error));
    }
    if !served.missing.is_empty() {
        debug!(missing = ?served.missing, "servers that do not serve their new certificates yet");
        return Ok(nothing);
    }
    write(held, &held.secrets.with_certificates_served(), prepared.observation.identity, context).await?;
    info!(servers = wanted.len(), "every server serves its new certificate");
    Ok(Carried { changed: true, ..nothing })
}

/// Takes the users' next step, if there is one: the next users are made on every replica set, the administrator's
/// Secret has named them for the grace, the previous ones are removed. To be called only after the administrator's
/// Secret was written.
pub(super) async fn change_users(
    cluster: &FederatedCluster,
    held: &Held,
    prepared: &Prepared<'_>,
    plan: &DatabasePlan,
    engine: &Engine,
    access: &ClusterAccess,
    context: &Context,
) -> Result<Carried, PassError> {
    let (nothing, changed) = (Carried::default(), Carried { changed: true, ..Carried::default() });
    let (identity, now) = (prepared.observation.identity, OperatorMint::new().now());
    let grace = cluster.spec.security.rotation.grace.into();
    let Some(step) = held.secrets.users_step(grace, now) else { return Ok(nothing) };
    if prepared.observation.paused() {
        return Ok(nothing);
    }
    let primaries: Option<Vec<&PodName>> = plan.engine.sets.values().map(|set| set.primary.as_ref()).collect();
    let may = || context.leadership.is_leader();
    let (next, outcome) = match (step, primaries) {
        (UsersStep::BeginGrace, _) => {
            let next = held.secrets.with_grace_from(now);
            write(held, &next, identity, context).await?;
            tell_of_previous(cluster, &next, grace, context).await;
            return Ok(changed);
        }
        (UsersStep::Create(users), Some(primaries)) if plan.is_settled() => {
            let users = reach::users(users);
            (held.secrets.with_next_users(), engine.create_users(access, primaries, &users, may).await)
        }
        (UsersStep::Remove(users), Some(primaries)) => {
            let names = [users.admin().user, users.operator().user];
            (held.secrets.without_previous_users(), engine.remove_users(access, primaries, &names, may).await)
        }
        (UsersStep::Create(_) | UsersStep::Remove(_), _) => return Ok(nothing),
    };
    match outcome {
        Ok(Told::All) => {
            write(held, &next, identity, context).await?;
            info!(user = next.users.admin().user, "every replica set has the users of this generation");
            Ok(changed)
        }
        Ok(Told::Stopped) => Ok(nothing),
        Err(error) => {
            if !is_told(cluster, error.reason()) {
                warn!(%error, reason = error.reason(), "not every replica set has the change of users yet; retrying");
            }
            Ok(Carried::failed("changing the users of the administrator and of Kogge", &error))
        }
    }
}

async fn tell_of_previous(
    cluster: &FederatedCluster,
    secrets: &DatabaseSecrets,
    grace: Duration,
    context: &Context,
) {
    let Some((previous, at)) = secrets.previous_admin(grace) else { return };
    let (secret, present) = (names::admin_secret(&cluster.name_any()), secrets.users.admin().user);
    let at = Timestamp::from_second(at).unwrap_or(Timestamp::MAX);
    let note = format!(
        "Secret {secret} names user {present}. The previous user {previous} works until {at}; clients must read the \
         Secret again before then."
    );
    context.tell(cluster, EventType::Normal, "UserReplaced", &note).await;
}

/// Writes over what was read, and over nothing else.
async fn write(
    held: &Held,
    next: &DatabaseSecrets,
    identity: &Identity,
    context: &Context,
) -> Result<(), PassError> {
    let mut secret = next.to_secret(&identity.id, &context.namespace).map_err(PassError::Secrets)?;
    secret.metadata.resource_version.clone_from(&held.resource_version);
    let name = DatabaseSecrets::name(&identity.id);
    context.control.apply::<Secret>(&context.own(), &name, &secret).await?;
    Ok(())
}
