//! What the anchors remember of an etcd cluster.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::SeedsDisagree;

/// The one group of a database, by the name of its component.
const GROUP: &str = "etcd";

/// What a worker remembers of an etcd cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Counts the changes of the members' records. Each keeps the number of the change that made it, so that of two
    /// records of one member the later one is known.
    #[serde(default)]
    pub changes: u64,
    /// How the cluster began, or began again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<Seed>,
    /// What is known of each member, by pod name.
    #[serde(default)]
    pub members: BTreeMap<String, AnchoredMember>,
}

/// An ID of etcd's, which shows it in hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub u64);

/// How a cluster begins: exactly one member starts it, under IDs that are known before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Seed {
    /// The pod that alone may start a new cluster.
    pub pod: String,
    /// Counts the clusters that the database has had.
    pub incarnation: u32,
    /// The member ID that the seed gets.
    pub member_id: Id,
    /// The cluster's ID.
    pub cluster_id: Id,
    /// The ID of the cluster whose data its disk holds, which its gate restores under the IDs above; none where it starts
    /// empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored_from: Option<Id>,
}

/// What a worker remembers of a member.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AnchoredMember {
    /// The change that made it as it is.
    pub change: u64,
    /// The ID that it has in the cluster; none until it was added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member_id: Option<Id>,
    /// Its server has run under that ID: its disk must not be empty any more.
    #[serde(default)]
    pub initialized: bool,
    /// How its gate may start its server for the first time under that ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Start>,
    /// The last ID that it had and that was removed: a disk with it is an old one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<Id>,
    /// The ID that it had when the cluster went on without it, having lost its majority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fenced: Option<Id>,
}

/// How a server starts that has no data yet, or whose data are restored first: in one pod, once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Start {
    /// The UID of the pod whose gate found the empty disk.
    pub uid: String,
    /// `--initial-cluster-state`.
    pub state: StartState,
    /// `--initial-cluster-token`.
    pub token: String,
    /// `--initial-cluster`: the members' names by their URLs for peers.
    pub initial_cluster: BTreeMap<String, String>,
}

/// `--initial-cluster-state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StartState {
    /// It begins a cluster: only ever the seed.
    New,
    /// It joins one.
    Existing,
}

impl fmt::Display for StartState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::New => "new",
            Self::Existing => "existing",
        })
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        u64::from_str_radix(&text, 16).map(Self).map_err(serde::de::Error::custom)
    }
}

impl super::Record for Record {
    fn join(&mut self, other: &Self, _: &str) -> Result<(), SeedsDisagree> {
        self.changes = self.changes.max(other.changes);
        if let Some(theirs) = &other.seed {
            let known = self.seed.get_or_insert_with(|| theirs.clone());
            match theirs.incarnation.cmp(&known.incarnation) {
                Ordering::Greater => known.clone_from(theirs),
                Ordering::Equal if known != theirs => {
                    let seeds = [known.pod.clone(), theirs.pod.clone()];
                    return Err(SeedsDisagree { component: GROUP.to_owned(), seeds });
                }
                Ordering::Equal | Ordering::Less => {}
            }
        }
        for (pod, member) in &other.members {
            let known = self.members.entry(pod.clone()).or_default();
            match member.change.cmp(&known.change) {
                Ordering::Greater => known.clone_from(member),
                // What either knows to hold data never starts empty.
                Ordering::Equal => known.initialized |= member.initialized,
                Ordering::Less => {}
            }
        }
        Ok(())
    }

    fn members(&self) -> impl Iterator<Item = (&str, bool)> {
        self.members.iter().map(|(pod, member)| (pod.as_str(), member.initialized))
    }

    fn held_data(&self, pod: &str) -> bool {
        self.members.get(pod).is_some_and(|member| member.initialized)
    }

    fn components(&self) -> impl Iterator<Item = &str> {
        self.seed.iter().map(|_| GROUP)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Anchor, Record as _};
    use super::*;

    fn seed(pod: &str, incarnation: u32) -> Seed {
        Seed { pod: pod.to_owned(), incarnation, member_id: Id(7), cluster_id: Id(u64::MAX), restored_from: None }
    }

    fn member(change: u64, member_id: u64, initialized: bool) -> AnchoredMember {
        AnchoredMember { change, member_id: Some(Id(member_id)), initialized, ..AnchoredMember::default() }
    }

    fn record(changes: u64, members: &[(&str, AnchoredMember)]) -> Record {
        let members = members.iter().map(|(pod, member)| ((*pod).to_owned(), member.clone())).collect();
        Record { changes, seed: Some(seed("a", 0)), members }
    }

    #[test]
    fn of_two_records_of_a_member_the_later_one_holds_whichever_way_round() {
        let old = record(3, &[("a", member(1, 9, true)), ("b", member(3, 4, true))]);
        let new = record(5, &[("a", member(5, 2, false)), ("b", member(3, 4, false)), ("c", member(4, 1, false))]);
        for (one, other) in [(&old, &new), (&new, &old)] {
            let mut joined = one.clone();
            joined.join(other, "orders").unwrap();
            assert_eq!(joined.changes, 5);
            assert_eq!(joined.members["a"], member(5, 2, false));
            assert!(joined.members["b"].initialized);
            assert_eq!(joined.members.len(), 3);
        }
    }

    #[test]
    fn a_later_incarnation_has_a_seed_of_its_own_and_two_seeds_of_one_stop_everything() {
        let begun = |pod: &str, incarnation| Record { seed: Some(seed(pod, incarnation)), ..Record::default() };
        let mut known = begun("a", 0);
        known.join(&begun("b", 1), "orders").unwrap();
        known.join(&begun("a", 0), "orders").unwrap();
        assert_eq!(known.seed, Some(seed("b", 1)));
        let disagree = known.join(&begun("c", 1), "orders").unwrap_err();
        assert_eq!(disagree.seeds, ["b".to_owned(), "c".to_owned()]);
    }

    #[test]
    fn ids_are_text_beside_the_common_fields_and_read_back() {
        let start = Start {
            uid: "u".to_owned(),
            state: StartState::Existing,
            token: "t".to_owned(),
            initial_cluster: [("http://a:2380".to_owned(), "a".to_owned())].into(),
        };
        let mut record = record(1, &[("a", AnchoredMember { start: Some(start), ..member(1, 255, false) })]);
        record.seed = Some(Seed { restored_from: Some(Id(1)), ..seed("a", 2) });
        let anchor = Anchor {
            cluster_id: "abcdefgh".parse().unwrap(),
            name: "orders".to_owned(),
            resource: None,
            owner_uid: "owner".to_owned(),
            epoch: 1,
            spec_hash: String::new(),
            worker_uids: BTreeMap::new(),
            record,
        };
        let data = anchor.to_data().unwrap();
        assert!(data["anchor.json"].contains(r#""memberId": "ff""#), "{}", data["anchor.json"]);
        assert!(data["anchor.json"].contains(r#""clusterId": "ffffffffffffffff""#));
        assert_eq!(Anchor::from_data(Some(&data)).unwrap(), anchor);
    }
}
