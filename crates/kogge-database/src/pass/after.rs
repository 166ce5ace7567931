//! What follows the plan: users and certificates on the members, the status, and the next step of a rotation.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use kogge_api::conditions::database::PROGRESSING;
use kogge_api::{Owner, names};
use kogge_engine::{Database, Engine, PodName};

use super::carried::Carried;
use super::error::PassError;
use super::known::{Asked, Known};
use super::look::{Again, Event, Look, MembersAnswer, MembersWork, Read, Then, Write};
use super::pace::{BLOCKED, BUSY};
use crate::missing_pods::{MissingPods, missing};
use crate::plan::DatabasePlan;
use crate::problem::Problem;
use crate::report::{Observed, report};
use crate::secrets::{DatabaseSecrets, Mint, UsersStep, holds, taken_by};

/// How often the members are asked while something is waited for.
const WAITING: Again = Again::After(Duration::from_secs(1));
/// How often the servers are asked for the certificates that they serve, while the kubelets bring new ones into pods.
const RELOADING: Again = Again::After(Duration::from_secs(5));
/// How often to look while no server runs that could be asked: the watches tell of the first one at once.
const NOBODY_THERE: Again = Again::After(Duration::from_secs(10));
/// How often the members of a settled database are asked.
const SETTLED: Again = Again::After(Duration::from_secs(10));

pub(super) fn next<'a, E: Engine>(
    known: &Known<'a, E>,
    asked: &Asked<'a, E>,
    plan: &DatabasePlan<E>,
    carried: &Carried,
    mint: &mut dyn Mint,
) -> Result<Look<'a, E>, PassError> {
    let database = known.start.database;
    let after = After { known, asked, plan };
    let mut carried = carried.clone();
    // A namespace that is being deleted takes no new Secret.
    if database.metadata.deletion_timestamp.is_none() {
        let published = match after.admin_secret() {
            Step::Look(look) => return Ok(look),
            Step::Past(more) => {
                let published = more.problem.is_none();
                carried = carried.and(more);
                published
            }
        };
        // The secrets take one step in a pass: the next one rests on what is read again.
        carried.changed |= asked.secrets_written;
        // Users who are told nowhere are not replaced.
        if published && !asked.secrets_written {
            match after.users() {
                Step::Look(look) => return Ok(look),
                Step::Past(more) => carried = carried.and(more),
            }
        }
        if !carried.changed {
            match after.certificates() {
                Step::Look(look) => return Ok(look),
                Step::Past(more) => carried = carried.and(more),
            }
        }
    }
    let ready = &asked.ready;
    if !asked.explained {
        let missing: Vec<MissingPods> = missing(&ready.prepared).into_iter().map(|(_, missing)| missing).collect();
        if !missing.is_empty() {
            return Ok(Look::Explain(missing));
        }
    }
    let unfit = ready.given.as_ref().err().cloned();
    let problem = Problem::most_pressing([ready.problem.clone(), carried.problem, unfit].into_iter().flatten());
    if !asked.reported {
        let observed =
            Observed { prepared: &ready.prepared, plan, problem: problem.as_ref(), now: known.start.now };
        if let Some(write) = Write::status(database, report(&observed)) {
            return Ok(Look::Write(Box::new(write), Then::GoOn));
        }
    }
    if problem.is_none() && !carried.changed {
        if let Some(secrets) = after.next_secrets(mint)? {
            return Ok(Look::Write(Box::new(after.over(secrets, Vec::new())), Then::End(BUSY)));
        }
        if let Some(write) = after.surplus_revisions() {
            return Ok(Look::Write(Box::new(write), Then::GoOn));
        }
    }
    Ok(Look::Done(match problem {
        _ if carried.changed => BUSY,
        Some(problem) if carried.soon && !is_reported(database, problem.reason()) => BUSY,
        Some(_) if carried.soon => WAITING,
        Some(_) => BLOCKED,
        None if ready.held.secrets.reloading => RELOADING,
        None if plan.is_settled() => SETTLED,
        None if ready.prepared.servers().is_empty() => NOBODY_THERE,
        None => WAITING,
    }))
}

/// Whether the status says already that this is in the way.
pub fn is_reported(database: &Database, reason: &str) -> bool {
    let mut conditions = database.status.iter().flat_map(|status| &status.conditions);
    conditions.any(|condition| condition.type_ == PROGRESSING && condition.reason == reason)
}

/// One of the things that follow a plan.
enum Step<'a, E: Engine> {
    /// It needs this first.
    Look(Look<'a, E>),
    /// It is behind us, with that.
    Past(Carried),
}

struct After<'k, 'a, E: Engine> {
    known: &'k Known<'a, E>,
    asked: &'k Asked<'a, E>,
    plan: &'k DatabasePlan<E>,
}

impl<'a, E: Engine> After<'_, 'a, E> {
    fn secrets(&self) -> &DatabaseSecrets {
        &self.asked.ready.held.secrets
    }

    /// The secrets, written over those that were read.
    fn over(&self, secrets: DatabaseSecrets, events: Vec<Event>) -> Write {
        let resource_version = self.asked.ready.held.resource_version.clone();
        Write::UpdateSecrets { secrets: Box::new(secrets), resource_version, events }
    }

    /// Keeps the administrator's Secret beside the resource.
    fn admin_secret(&self) -> Step<'a, E> {
        let identity = &self.asked.ready.prepared.observation.identity;
        let Some(present) = &self.known.control.admin_secret else {
            return Step::Look(Look::Read(Read::AdminSecret(names::admin_secret(&identity.name))));
        };
        let owner = self.known.start.database.owner();
        let taken = present.as_ref().and_then(|found| taken_by(found, &identity.id, &owner));
        if taken.is_some() {
            return Step::Past(Carried { problem: taken, ..Carried::default() });
        }
        let uri = E::uri(identity, self.secrets().speaks_tls());
        let mut wanted = self.secrets().admin_secret(&identity.id, &owner, uri);
        if let Some(present) = present {
            if holds(present, &wanted) && Owner::of(&present.metadata).as_ref() == Some(&owner) {
                return Step::Past(Carried::default());
            }
            wanted.metadata.uid.clone_from(&present.metadata.uid);
            wanted.metadata.resource_version.clone_from(&present.metadata.resource_version);
        }
        Step::Look(Look::Write(Box::new(Write::Admin(Box::new(wanted))), Then::GoOn))
    }

    /// The users' next step: the next users are made in every group, the administrator's Secret has named them
    /// for the grace, the previous ones are removed. It comes after the administrator's Secret was written.
    fn users(&self) -> Step<'a, E> {
        let nothing = Carried::default();
        let observation = &self.asked.ready.prepared.observation;
        let (now, grace) = (self.now(), observation.database.security.rotation.grace.into());
        let Some(step) = self.secrets().users_step(grace, now) else { return Step::Past(nothing) };
        if observation.paused() {
            return Step::Past(nothing);
        }
        let leaders: Option<Vec<PodName>> = self.plan.engine.leaders();
        let (work, next) = match (step, leaders) {
            (UsersStep::BeginGrace, _) => {
                let next = self.secrets().with_grace_from(now);
                let events = replaced(observation.database, &next, grace).into_iter().collect();
                return Step::Look(Look::Write(Box::new(self.over(next, events)), Then::GoOn));
            }
            (UsersStep::Create(users), Some(leaders)) if self.plan.is_settled() => {
                (MembersWork::CreateUsers { leaders, users: users.clone() }, self.secrets().with_next_users())
            }
            (UsersStep::Remove(users), Some(leaders)) => {
                let names = vec![users.admin().user, users.operator().user];
                (MembersWork::RemoveUsers { leaders, names }, self.secrets().without_previous_users())
            }
            (UsersStep::Create(_) | UsersStep::Remove(_), _) => return Step::Past(nothing),
        };
        match &self.asked.users {
            None => Step::Look(Look::Members(work)),
            Some(MembersAnswer::Done) => {
                Step::Look(Look::Write(Box::new(self.over(next, Vec::new())), Then::GoOn))
            }
            Some(MembersAnswer::NotYet) => Step::Past(nothing),
            Some(MembersAnswer::Failed(carried)) => Step::Past(carried.clone()),
        }
    }

    /// Lets every server read the certificates of the present generation again, where these changed within it, until
    /// each serves its own.
    fn certificates(&self) -> Step<'a, E> {
        let nothing = Carried::default();
        let paused = self.asked.ready.prepared.observation.paused();
        if !self.secrets().reloading || paused || !self.plan.is_settled() {
            return Step::Past(nothing);
        }
        match &self.asked.certificates {
            None => Step::Look(Look::Members(MembersWork::ReloadCertificates)),
            Some(MembersAnswer::Done) => {
                let served = self.over(self.secrets().with_certificates_served(), Vec::new());
                Step::Look(Look::Write(Box::new(served), Then::GoOn))
            }
            Some(MembersAnswer::NotYet) => Step::Past(nothing),
            Some(MembersAnswer::Failed(carried)) => Step::Past(carried.clone()),
        }
    }

    /// The next step of a rotation, if there is one and every pod runs the present generation.
    fn next_secrets(&self, mint: &mut dyn Mint) -> Result<Option<DatabaseSecrets>, PassError> {
        let ready = &self.asked.ready;
        let Some(wanted) = ready.wanted().filter(|_| self.plan.has_one_generation(&ready.prepared)) else {
            return Ok(None);
        };
        let reloads = self.plan.engine.reloads_certificates;
        Ok(self.secrets().advanced(&wanted, self.now(), reloads, mint)?)
    }

    /// The ControllerRevisions that nothing runs any more, beyond those that are kept to go back to.
    fn surplus_revisions(&self) -> Option<Write> {
        let prepared = &self.asked.ready.prepared;
        if self.asked.revisions_removed || !self.plan.has_one_generation(prepared) {
            return None;
        }
        let names = prepared.observation.kept.surplus(&prepared.revisions_in_use());
        (!names.is_empty()).then_some(Write::RemoveRevisions(names))
    }

    /// Now, in seconds since 1970.
    fn now(&self) -> i64 {
        self.known.start.now.0.as_second()
    }
}

fn replaced(database: &Database, secrets: &DatabaseSecrets, grace: Duration) -> Option<Event> {
    let (previous, at) = secrets.previous_admin(grace)?;
    let secret = names::admin_secret(database.name());
    let (present, at) = (secrets.users.admin().user, Timestamp::from_second(at).unwrap_or(Timestamp::MAX));
    let note = format!(
        "Secret {secret} names user {present}. The previous user {previous} works until {at}; clients must read the \
         Secret again before then."
    );
    Some(Event::normal("UserReplaced", note))
}
