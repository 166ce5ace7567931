//! The acceptance of a spec: rendered as a whole, kept, and under an epoch, before any worker is written.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;
use kogge_api::federated_cluster::TlsMode;
use kogge_api::{OwnerRecord, names};
use kogge_engine::{Database, Engine, Identity};
use kogge_plan::epoch::Epoch;
use kogge_plan::ownership::Verdict;

use super::error::PassError;
use super::known::{Known, Start};
use super::look::{Look, Read, Then, Write};
use super::pace::{BLOCKED, WRITTEN, blocked};
use super::ready::{Ready, RenderInput, wanted};
use super::title::is_up_to_date;
use crate::acceptance::{ChartName, Rendered};
use crate::observation::Observation;
use crate::problem::Problem;
use crate::report::unchanged;
use crate::revisions::Rollout;
use crate::rivals::{given, id_that_changed, name_of_another, unproven};
use crate::secrets::{DatabaseSecrets, IncompleteSecret, Issuer, Mint, Mounted, Wanted, lost, taken_by};
use crate::sighting::{Sighting, accepted_epoch};

pub(super) fn next<'a, E: Engine>(
    known: &Known<'a, E>,
    identity: Identity,
    sighting: &Sighting<'a, E::Record>,
    mint: &mut dyn Mint,
) -> Result<Look<'a, E>, PassError> {
    let (start, control) = (known.start, &known.control);
    let database = start.database;
    let refused = |problem: &Problem| Ok(blocked(start, problem, BLOCKED));
    let write = |write: Write| Ok(Look::Write(Box::new(write), Then::End(WRITTEN)));
    let verdict = &sighting.ownership.overall;
    let owner = database.owner();
    if control.owner == Some(OwnerRecord::Unnamed) && !sighting.is_proven(start.fleet) {
        return refused(&unproven(&identity.id, &owner, start.system_namespace));
    }
    let changed = id_that_changed(database, E::cluster_id(start.spec));
    let taken = name_of_another(database, start.rivals, &given(database, verdict));
    let foreign = changed.or(taken);
    if let (Verdict::New, Some(problem)) = (verdict, &foreign) {
        return refused(problem);
    }
    let Some(revisions) = &control.revisions else {
        return Ok(Look::Read(Read::Revisions(identity.id)));
    };
    let kept = match &revisions.kept {
        Ok(kept) => Arc::clone(kept),
        Err(problem) => return refused(problem),
    };
    let Some(held) = &control.secrets else {
        return Ok(Look::Read(Read::Secrets(identity.id)));
    };
    if held.is_none() && *verdict != Verdict::New {
        return refused(&lost(&identity.id, start.system_namespace));
    }
    if held.is_none() {
        let name = names::admin_secret(database.name());
        match &control.admin_secret {
            None => return Ok(Look::Read(Read::AdminSecret(name))),
            Some(secret) => {
                if let Some(problem) = secret.as_ref().and_then(|found| taken_by(found, &identity.id, &owner)) {
                    return refused(&problem);
                }
            }
        }
    }
    let given = match named_secret(database) {
        None => Ok(None),
        Some(name) => match &control.named_secret {
            None => return Ok(Look::Read(Read::NamedSecret(name.to_owned()))),
            Some(secret) => given_certificate(database, &identity, name, secret.as_ref(), mint),
        },
    };
    let Some(rendered) = &known.rendered else {
        let mounted = match held {
            Some(held) => held.secrets.mounted(),
            None => Mounted::first(database.security.tls.mode),
        };
        return Ok(Look::Render(Box::new(RenderInput { identity, chart: ChartName::of(database), mounted })));
    };
    let Rendered { rollout, problem, notice } = match rendered {
        Ok(rendered) => rendered,
        Err(problem) => return refused(problem),
    };
    // While its names are another's, or its clusterID is, what was accepted last goes on.
    let rollout = if foreign.is_some() { kept.newest().unwrap_or(rollout) } else { rollout };
    let problem = foreign.as_ref().or(problem.as_ref());
    let Some(epoch) = accepted_epoch(database, known.spec_hash()?, verdict, problem.is_some()) else {
        return refused(&Problem::Failed {
            reason: "EpochMissing".to_owned(),
            message: "no spec of this database was ever accepted, and the present one cannot be".to_owned(),
        });
    };
    if problem.is_none() && !kept.holds(rollout) {
        return match kept.object(rollout, &identity.id, start.system_namespace, &owner) {
            Ok(object) => write(Write::Revision(Box::new(object))),
            Err(error) => refused(&error.into()),
        };
    }
    let wanted = given.clone().map(|given| wanted::<E>(&identity, database, given));
    let held = match (held, wanted) {
        (Some(held), wanted) => {
            let completed = match &wanted {
                Ok(wanted) => held.secrets.completed(wanted, mint)?,
                Err(_) => None,
            };
            let outdated = !is_up_to_date(control.owner.as_ref(), &owner);
            if let Some(completed) = completed.or_else(|| outdated.then(|| (*held.secrets).clone())) {
                let resource_version = held.resource_version.clone();
                return write(Write::UpdateSecrets {
                    secrets: Box::new(completed),
                    resource_version,
                    events: Vec::new(),
                });
            }
            held.clone()
        }
        (None, Ok(wanted)) => {
            return write(Write::CreateSecrets(Box::new(DatabaseSecrets::begin(&wanted, mint)?)));
        }
        (None, Err(problem)) => return refused(&problem),
    };
    let status = database.status.as_ref();
    if !epoch.is_recorded(status.and_then(|s| s.epoch), status.and_then(|s| s.spec_hash.as_deref())) {
        return write(recording(start, &identity, epoch, rollout));
    }
    let (rollout, problem, notice) = (Arc::clone(rollout), problem.cloned(), notice.clone());
    let prepared = Observation {
        database,
        spec: start.spec,
        control_uid: start.control_uid,
        fleet: start.fleet,
        identity,
        epoch,
        placements: sighting.placements.clone(),
        ownership: sighting.ownership.clone(),
        rollout,
        kept,
        secrets: Arc::clone(&held.secrets),
        held: problem.is_some(),
        notice,
        now: start.now.0.as_second(),
    }
    .prepare()
    .until_approved();
    Ok(Look::Ask(Box::new(Ready { prepared, held, given, problem })))
}

/// The epoch in the status, by compare and swap, before any worker sees it.
fn recording<E: Engine>(start: Start<'_, E>, identity: &Identity, epoch: Epoch, rollout: &Rollout) -> Write {
    let mut status = unchanged(start.database, start.now);
    status.cluster_id = Some(identity.id.clone());
    status.epoch = Some(epoch.number);
    status.spec_hash = Some(epoch.spec_hash);
    status.chart_version.get_or_insert_with(|| rollout.chart_version.clone());
    Write::Status { status: Box::new(status), events: Vec::new() }
}

/// The Secret with the user's certificate, where the spec names one and TLS is on.
fn named_secret(database: &Database) -> Option<&str> {
    let tls = &database.security.tls;
    let named = tls.secret_ref.as_ref().filter(|_| tls.mode != TlsMode::Disabled)?;
    Some(named.name.as_str())
}

/// What that Secret holds, where servers can work with it.
fn given_certificate(
    database: &Database,
    identity: &Identity,
    name: &str,
    secret: Option<&Secret>,
    mint: &dyn Mint,
) -> Result<Option<Issuer>, Problem> {
    let invalid = |reason: &str, message: String| Problem::InvalidSpec { reason: reason.to_owned(), message };
    let Some(secret) = secret else {
        let message = format!(
            "spec.security.tls.secretRef names the Secret {name}, which is not in namespace {}; make it, with \
             tls.crt, tls.key and ca.crt",
            identity.namespace
        );
        return Err(invalid("TlsSecretMissing", message));
    };
    let issuer = Issuer::given(secret).map_err(|error| {
        let IncompleteSecret { key, .. } = error;
        let mend = match key {
            "ca.crt" => {
                "add the certificate of the authority that issued tls.crt (cert-manager adds it where the issuer is an \
                 authority of your own, and not for ACME)"
            }
            "tls.key" => "add the private key of tls.crt as PEM",
            _ => "add the certificate of the servers as PEM, and the intermediate certificates after it",
        };
        invalid("TlsSecretIncomplete", format!("Secret {name}: the key {key} is missing, empty or no text; {mend}"))
    })?;
    if let Issuer::Given { authority, leaf } = &issuer {
        let names = Wanted::new(identity, database, None).called_names();
        mint.check(authority, leaf, &names)
            .map_err(|unfit| invalid("TlsSecretUnfit", format!("Secret {name}: {unfit}")))?;
    }
    Ok(Some(issuer))
}
