//! Whose a clusterID is, and whose the names of objects are, among the resources of the control cluster.
//!
//! A clusterID in a spec is a claim and no proof: whoever may write a resource may write any clusterID into it. So the
//! records of the database say whose it is, and where there is none yet, the elder resource has it.

use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kogge_api::{ClusterId, Owner, OwnerRecord, labels, names};
use kogge_engine::{Database, Record};
use kogge_plan::ownership::Verdict;

use crate::problem::Problem;
use crate::secrets::DatabaseSecrets;

/// The reason of a spec whose names are another's.
const NAME_TAKEN: &str = "NameTaken";

/// Another resource, of any kind, as far as a database can meet it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rival {
    owner: Owner,
    created: Option<Time>,
    cluster_id: Option<ClusterId>,
    /// The names that its spec leads to.
    wanted: BTreeSet<Name>,
    /// The names that its objects have already, by its status.
    given: BTreeSet<Name>,
}

/// A name of an object, or what the names of its generations begin with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name {
    kind: &'static str,
    name: String,
}

impl Rival {
    /// A resource as another one meets it.
    pub fn of(database: &Database) -> Self {
        Self {
            owner: database.owner(),
            created: database.metadata.creation_timestamp.clone(),
            cluster_id: database.cluster_id.clone(),
            wanted: wanted(database),
            given: given_by_status(database),
        }
    }

    /// Whether two resources can meet at all, by what is quickly told of them: they name one clusterID, or are of one
    /// namespace, where the name of one is that of the other or begins with it.
    pub fn can_meet(one: Named<'_>, other: Named<'_>) -> bool {
        let extends = |long: &str, short: &str| {
            long.strip_prefix(short).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        };
        let same_id = one.cluster_id.is_some() && one.cluster_id == other.cluster_id;
        let near = extends(one.name, other.name) || extends(other.name, one.name);
        same_id || (one.namespace == other.namespace && near)
    }

    /// Who comes first where no record says more.
    fn age(&self) -> Age<'_> {
        age(self.created.as_ref(), &self.owner)
    }
}

/// What is quickly told of a resource.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    /// Its namespace.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Its clusterID.
    pub cluster_id: Option<&'a ClusterId>,
}

impl<'a> From<&'a Database> for Named<'a> {
    fn from(database: &'a Database) -> Self {
        let (namespace, name) = (database.namespace(), database.name());
        Self { namespace, name, cluster_id: database.cluster_id.as_ref() }
    }
}

type Age<'a> = (bool, Option<Timestamp>, Option<&'a str>);

/// The elder is the lesser; what was never applied is younger than all.
fn age<'a>(created: Option<&Time>, owner: &'a Owner) -> Age<'a> {
    (created.is_none(), created.map(|time| time.0), owner.uid.as_deref())
}

/// Why the clusterID of a resource is another's; none where it is its own, as far as records and resources say.
pub(crate) fn id_of_another(database: &Database, rivals: &[Rival], record: &OwnerRecord) -> Option<Problem> {
    let (id, me) = (database.cluster_id.as_ref()?, database.owner());
    let owner = match record {
        OwnerRecord::Named(owner) => owner.clone(),
        OwnerRecord::Absent | OwnerRecord::Unnamed => {
            let claimants = rivals.iter().filter(|rival| rival.cluster_id.as_ref() == Some(id));
            let eldest = claimants.min_by_key(|rival| rival.age())?;
            if age(database.metadata.creation_timestamp.as_ref(), &me) < eldest.age() {
                return None;
            }
            eldest.owner.clone()
        }
    };
    (!owner.is_same(&me)).then(|| Problem::InvalidSpec {
        reason: "ClusterIDTaken".to_owned(),
        message: format!(
            "clusterID {id} belongs to {owner}, so Kogge reads and writes nothing for this resource; delete it, which \
             removes nothing else, and create it without spec.clusterID for a database of its own"
        ),
    })
}

/// Why the spec's clusterID is not the one of this database; none where it is, or where the spec names none.
pub(crate) fn id_that_changed(database: &Database, in_spec: Option<&ClusterId>) -> Option<Problem> {
    let (id, found) = (database.cluster_id.as_ref()?, in_spec?);
    (id != found).then(|| Problem::InvalidSpec {
        reason: "ClusterIDChanged".to_owned(),
        message: format!(
            "spec.clusterID is {found} and this database is {id}, so Kogge changes nothing; set spec.clusterID to {id}"
        ),
    })
}

/// Why nothing is adopted: a record of the database is there, and neither it nor an anchor says whose it is.
pub(crate) fn unproven(id: &ClusterId, me: &Owner, namespace: &str) -> Problem {
    let secret = DatabaseSecrets::name(id);
    let (annotation, value) = Owner { uid: None, ..me.clone() }.annotation();
    Problem::Refused {
        reason: "OwnerUnknown".to_owned(),
        message: format!(
            "nothing proves that clusterID {id} belongs to {me}: no anchor in its namespace names it, and Secret \
             {namespace}/{secret} has no annotation {}; to approve the adoption: kubectl -n {namespace} annotate secret \
             {secret} {annotation}={value}",
            labels::OWNER
        ),
    }
}

/// Why names that the spec leads to are another's. `given` are those that this database's objects have already, and so
/// keep.
pub(crate) fn name_of_another(database: &Database, rivals: &[Rival], given: &BTreeSet<Name>) -> Option<Problem> {
    let me = database.owner();
    let mut near = rivals.iter().filter(|rival| rival.owner.namespace == me.namespace).peekable();
    near.peek()?;
    let wanted = wanted(database);
    let is_older = |rival: &Rival| rival.age() < age(database.metadata.creation_timestamp.as_ref(), &me);
    near.find_map(|rival| {
        let theirs = |name: &&Name| rival.given.contains(*name) || rival.wanted.contains(*name) && is_older(rival);
        let Name { kind, name } = wanted.difference(given).find(theirs)?;
        Some(Problem::InvalidSpec {
            reason: NAME_TAKEN.to_owned(),
            message: format!(
                "the {kind} {name} of this database would have the name of one of {}; give the database, or the \
                 placement, another name",
                rival.owner
            ),
        })
    })
}

/// The names that the objects of a database have already, by its anchors.
pub(crate) fn given<R: Record>(database: &Database, verdict: &Verdict<R>) -> BTreeSet<Name> {
    let Verdict::Ours { anchor } = verdict else { return BTreeSet::new() };
    let routers = database.components.iter().filter(|component| !component.is_group);
    let workloads = routers.flat_map(|component| {
        anchor.worker_uids.keys().map(move |placement| names::workload(database.name(), &component.key, placement))
    });
    let sets = anchor.record.members().filter_map(|(pod, _)| Some(pod.rsplit_once('-')?.0.to_owned()));
    common(database).into_iter().chain(workloads.chain(sets).map(Name::workload)).collect()
}

/// The names that the objects of a database have already, by its status. A spec that is refused for its names stands in
/// the status as well, and gives none.
fn given_by_status(database: &Database) -> BTreeSet<Name> {
    let Some(status) = &database.status else { return BTreeSet::new() };
    if status.placement.is_empty() || status.conditions.iter().any(|condition| condition.reason == NAME_TAKEN) {
        return BTreeSet::new();
    }
    with_workloads(database, status.placement.keys().map(String::as_str))
}

fn wanted(database: &Database) -> BTreeSet<Name> {
    with_workloads(database, database.placements.iter().map(|placement| placement.name.as_str()))
}

fn with_workloads<'a>(database: &Database, placements: impl Iterator<Item = &'a str>) -> BTreeSet<Name> {
    let mut all = common(database);
    for placement in placements {
        let components = database.components.iter().map(|component| &component.key);
        all.extend(
            components.map(|component| Name::workload(names::workload(database.name(), component, placement))),
        );
    }
    all
}

/// The names that rest on no placement.
fn common(database: &Database) -> BTreeSet<Name> {
    let cluster = database.name();
    let of_components = database.components.iter().flat_map(|component| {
        [
            Name::new("Service", names::service(cluster, &component.key)),
            Name::new("Secret", names::tls_secrets(cluster, &component.key)),
        ]
    });
    let of_all = [
        Name::new("ConfigMap", names::anchor(cluster)),
        Name::new("Secret", names::admin_secret(cluster)),
        Name::new("Secret", names::keyfile_secrets(cluster)),
    ];
    of_all.into_iter().chain(of_components).collect()
}

impl Name {
    fn new(kind: &'static str, name: String) -> Self {
        Self { kind, name }
    }

    /// A StatefulSet or a Deployment: pods of both meet.
    fn workload(name: String) -> Self {
        Self::new("workload", name)
    }
}

#[cfg(test)]
#[path = "rivals_tests.rs"]
mod tests;
