//! The sharded cluster of the small world: what a router would do with a command, and what it refuses.

use std::collections::BTreeSet;

use kogge_mongo::{Chunks, MemberAnchor, SetGoal, SetRole, ShardEntry, ShardingAction, Turns};

use crate::support::World;

impl World {
    pub(crate) fn shard_cluster(&mut self, action: &ShardingAction) {
        match action {
            ShardingAction::RecordDrain { role, number } => {
                let set = self.goal_of(*role);
                assert_eq!(set.removals, Turns { begun: number - 1, ended: number - 1 });
                set.removals.begun = *number;
            }
            ShardingAction::RecordRemoval { role, number } => {
                let listed: BTreeSet<String> = self.shards.iter().map(|s| s.set_name().to_owned()).collect();
                let set = self.goal_of(*role);
                assert!(!listed.contains(set.name.as_str()), "{} is still a shard", set.name);
                set.removals = Turns { begun: *number, ended: *number };
                (set.seed, set.next_member_id) = (None, 0);
                set.members.iter_mut().for_each(|member| member.anchor = MemberAnchor::default());
                set.leaving.clear();
                self.goal.sets.retain(|set| set.role != *role || !set.retired);
            }
            ShardingAction::RecordBalancerPause { number } => self.goal.balancer.begun = *number,
            ShardingAction::RecordBalancerResumed { number } => self.goal.balancer.ended = *number,
            ShardingAction::RemoveShard { shard, .. } => self.remove_shard(shard),
            ShardingAction::MovePrimary { database, to, .. } => {
                let from = self.cluster.databases.iter().find(|(_, held)| held.contains(database)).unwrap();
                let from = from.0.clone();
                assert_eq!(
                    self.cluster.chunks.get(&from).copied().unwrap_or_default().total,
                    0,
                    "chunks come first"
                );
                let target = self.shards.iter().find(|shard| shard.name == *to).unwrap();
                assert!(!target.draining, "{to} is being removed itself");
                self.cluster.databases.get_mut(&from).unwrap().remove(database);
                self.cluster.databases.entry(to.clone()).or_default().insert(database.clone());
            }
            ShardingAction::StopBalancer { .. } => {
                assert!(self.goal.balancer.under_way(), "stopped before it was recorded");
                self.cluster.balancer_on = Some(false);
            }
            ShardingAction::StartBalancer { .. } => {
                assert!(self.goal.balancer.under_way(), "started what a person stopped");
                self.cluster.balancer_on = Some(true);
            }
            ShardingAction::SetFeatureCompatibilityVersion { version, .. } => {
                self.cluster.feature_compatibility_version = Some(version.clone());
            }
            ShardingAction::SetDefaultConcerns { read, .. } => {
                assert_eq!(self.cluster.default_write_concern, Some(false), "somebody set one");
                self.cluster.default_write_concern = Some(true);
                if *read {
                    assert_eq!(self.cluster.default_read_concern, Some(false), "somebody set one");
                    self.cluster.default_read_concern = Some(true);
                }
            }
        }
    }

    /// The balancer moves a chunk off a shard that is being removed.
    pub(crate) fn balance(&mut self) {
        if self.cluster.balancer_on == Some(false) {
            return;
        }
        for shard in self.shards.iter().filter(|shard| shard.draining) {
            if let Some(Chunks { total, jumbo }) = self.cluster.chunks.get_mut(&shard.name)
                && *total > *jumbo
            {
                *total -= 1;
            }
        }
    }

    fn remove_shard(&mut self, name: &str) {
        // A server answers 70 for a shard that is gone.
        let Some(at) = self.shards.iter().position(|shard| shard.name == name) else { return };
        let staying = self.shards.iter().filter(|shard| shard.name != name && !shard.draining).count();
        assert!(staying > 0, "the last shard");
        let ShardEntry { draining, .. } = &mut self.shards[at];
        let databases = self.cluster.databases.get(name).map_or(0, BTreeSet::len);
        let chunks = self.cluster.chunks.get(name).map_or(0, |chunks| chunks.total);
        if !std::mem::replace(draining, true) || databases > 0 || chunks > 0 {
            return;
        }
        self.shards.remove(at);
    }

    fn goal_of(&mut self, role: SetRole) -> &mut SetGoal {
        self.goal.sets.iter_mut().find(|set| set.role == role).unwrap()
    }
}
