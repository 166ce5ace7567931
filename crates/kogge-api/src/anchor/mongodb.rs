//! What the anchors remember of the replica sets of a sharded cluster.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::SeedsDisagree;

/// What a worker remembers of a database's replica sets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// The next unused member ID, by replica set (by component name); IDs are never used twice.
    #[serde(default)]
    pub next_member_id: BTreeMap<String, u32>,
    /// The one member that may be initiated, by replica set (by component name).
    #[serde(default)]
    pub seeds: BTreeMap<String, String>,
    /// What is known of each member, by pod name.
    #[serde(default)]
    pub members: BTreeMap<String, AnchoredMember>,
    /// Members that were declared lost when their set had lost its majority, by pod name, with the ID that they
    /// had then: their data may hold what nobody else has. They come back only empty, under another ID.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fenced: BTreeMap<String, u32>,
    /// Members that lost their disk and were admitted under another ID, by pod name, with the ID that they had until
    /// then: what a disk from that time holds is less than what they acknowledged since.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lost_disks: BTreeMap<String, u32>,
    /// How often a shard of a name was removed, by component name. What was recorded of it before the last time
    /// speaks of a shard that is gone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub shard_removals: BTreeMap<String, Turns>,
    /// How often Kogge stopped the balancer, and how often it runs again as before.
    #[serde(default, skip_serializing_if = "Turns::is_none")]
    pub balancer_pauses: Turns,
}

/// How often something that takes time was begun, and how often it came to its end. Both only rise, so that of
/// two records the higher one is the later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Turns {
    /// How often it was begun.
    pub begun: u32,
    /// How often it ended.
    pub ended: u32,
}

impl Turns {
    /// Whether it was never begun.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// What two records together say.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        Self { begun: self.begun.max(other.begun), ended: self.ended.max(other.ended) }
    }

    fn is_under_way(self) -> bool {
        self.begun > self.ended
    }
}

/// What a worker remembers of a member.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AnchoredMember {
    /// Whether the member has ever been part of its replica set: its disk must not be empty any more.
    pub initialized: bool,
    /// Its `_id` in the replica set's configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member_id: Option<u32>,
}

impl super::Record for Record {
    fn join(&mut self, other: &Self, database: &str) -> Result<(), SeedsDisagree> {
        let mut other = other.clone();
        self.forget_removed(&other.shard_removals, database);
        other.forget_removed(&self.shard_removals, database);
        for (component, turns) in &other.shard_removals {
            let known = self.shard_removals.entry(component.clone()).or_default();
            *known = known.join(*turns);
        }
        self.balancer_pauses = self.balancer_pauses.join(other.balancer_pauses);
        for (component, seed) in &other.seeds {
            let known = self.seeds.entry(component.clone()).or_insert_with(|| seed.clone());
            if known != seed {
                return Err(SeedsDisagree { component: component.clone(), seeds: [known.clone(), seed.clone()] });
            }
        }
        for (component, next) in &other.next_member_id {
            let known = self.next_member_id.entry(component.clone()).or_default();
            *known = (*known).max(*next);
        }
        for (pod, member) in &other.members {
            let known = self.members.entry(pod.clone()).or_default();
            // IDs are never used twice: the higher one was given later, and so was what it says of the disk.
            match member.member_id.cmp(&known.member_id) {
                Ordering::Greater => known.clone_from(member),
                Ordering::Equal => known.initialized |= member.initialized,
                Ordering::Less => {}
            }
        }
        join_latest(&mut self.fenced, &other.fenced);
        join_latest(&mut self.lost_disks, &other.lost_disks);
        Ok(())
    }

    fn members(&self) -> impl Iterator<Item = (&str, bool)> {
        self.members.iter().map(|(pod, member)| (pod.as_str(), member.initialized))
    }

    fn held_data(&self, pod: &str) -> bool {
        self.members.get(pod).is_some_and(|member| member.initialized)
    }

    fn components(&self) -> impl Iterator<Item = &str> {
        let removed = self.shard_removals.iter().filter(|(_, turns)| turns.is_under_way());
        self.seeds.keys().chain(removed.map(|(component, _)| component)).map(String::as_str)
    }
}

impl Record {
    /// Drops what it says of shards that were removed after it was written.
    fn forget_removed(&mut self, removals: &BTreeMap<String, Turns>, database: &str) {
        for (component, later) in removals {
            let known = self.shard_removals.get(component).copied().unwrap_or_default();
            if later.ended <= known.ended {
                continue;
            }
            let members = format!("{database}-{component}-");
            self.seeds.remove(component);
            self.next_member_id.remove(component);
            self.members.retain(|pod, _| !pod.starts_with(&members));
            self.fenced.retain(|pod, _| !pod.starts_with(&members));
            self.lost_disks.retain(|pod, _| !pod.starts_with(&members));
        }
    }
}

/// Keeps the latest ID of each pod.
fn join_latest(ids: &mut BTreeMap<String, u32>, others: &BTreeMap<String, u32>) {
    for (pod, member_id) in others {
        let known = ids.entry(pod.clone()).or_insert(*member_id);
        *known = (*known).max(*member_id);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Record as _;
    use super::*;

    const DATABASE: &str = "ll2022";

    #[test]
    fn of_a_lost_disk_the_latest_id_is_remembered() {
        let pod = "ll2022-config-vdc1-0".to_owned();
        let lost = |id| Record { lost_disks: [(pod.clone(), id)].into(), ..Record::default() };
        let mut known = lost(1);
        for (other, latest) in [(0, 1), (4, 4), (2, 4)] {
            known.join(&lost(other), DATABASE).unwrap();
            assert_eq!(known.lost_disks[&pod], latest);
        }
    }

    fn with_shard(seed: &str, removed: u32) -> Record {
        let pod = format!("{DATABASE}-shard-1-vdc1-0");
        Record {
            seeds: [("shard-1".to_owned(), seed.to_owned())].into(),
            next_member_id: [("shard-1".to_owned(), 3)].into(),
            members: [(pod.clone(), AnchoredMember { initialized: true, member_id: Some(2) })].into(),
            lost_disks: [(pod, 1)].into(),
            shard_removals: [("shard-1".to_owned(), Turns { begun: removed, ended: removed })].into(),
            ..Record::default()
        }
    }

    #[test]
    fn what_was_recorded_of_a_shard_before_it_was_removed_is_forgotten() {
        let removal = [("shard-1".to_owned(), Turns { begun: 1, ended: 1 })].into();
        let removed = Record { shard_removals: removal, ..Record::default() };
        // A worker that was away brings nothing of it back, whichever way round.
        let mut old = with_shard("a", 0);
        old.join(&removed, DATABASE).unwrap();
        assert!(old.seeds.is_empty() && old.members.is_empty() && old.lost_disks.is_empty());
        assert!(!old.next_member_id.contains_key("shard-1"));
        let mut returned = removed.clone();
        returned.join(&with_shard("a", 0), DATABASE).unwrap();
        assert_eq!(returned, removed);
        // Another shard of that name has a seed of its own, and what is recorded of it stays.
        let mut next = with_shard("b", 1);
        next.join(&with_shard("a", 0), DATABASE).unwrap();
        assert_eq!(next, with_shard("b", 1));
    }
}
