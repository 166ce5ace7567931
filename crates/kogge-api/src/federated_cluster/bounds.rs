//! Rules on what a whole sharded cluster amounts to, over all of its placements.

use serde_json::Value;

use crate::limits::{DATABASE_PODS, DATABASE_SHARES, REPLICA_SET_MEMBERS};
use crate::rules::rule;

/// The field of the shards' members.
pub(super) const SHARD: &str = "shard";
/// The field of the config servers.
pub(super) const CONFIG: &str = "config";

/// A member that can become primary must be there: without one, nothing is ever initiated.
pub(super) fn electable(component: &str) -> Value {
    rule(
        &format!(
            "size(self.placement) == 0 || self.placement.exists(p, (!has(p.role) || p.role == 'Voter') && (!has(p.priority) || p.priority > 0) && (!has(p.{component}) || !has(p.{component}.membersPerPlacement) || p.{component}.membersPerPlacement > 0))"
        ),
        &format!(
            "spec.placement: no member of {} can become primary; give one placement with role Voter a priority above 0 and a {component}.membersPerPlacement above 0",
            if component == SHARD { "a shard" } else { called(component) }
        ),
    )
}

/// A replica set is no larger than MongoDB allows.
pub(super) fn members(component: &str) -> Value {
    let (members, called) = (members_of(component), called(component));
    let mend = format!(
        "a replica set of MongoDB has at most {REPLICA_SET_MEMBERS}; lower {component}.membersPerPlacement or take placements out"
    );
    rule(
        &format!("{members} <= {REPLICA_SET_MEMBERS}"),
        &format!("spec.placement: {called} would have more than {REPLICA_SET_MEMBERS} members, and {mend}"),
    )
}

/// Every share is rendered.
pub(super) fn shares() -> Value {
    let (shards, mend) = (
        shards(),
        format!(
            "Kogge holds at most {DATABASE_SHARES} of them; lower spec.shard.shardCount or take placements out"
        ),
    );
    let shares = format!("size(self.placement) * ({shards} + 2)");
    rule(
        &format!("{shares} <= {DATABASE_SHARES}"),
        &format!(
            "spec.placement: the components (every shard, the config servers and the routers) times the placements are more than {DATABASE_SHARES}, and {mend}"
        ),
    )
}

/// Every pod is asked by every pass, and told of in the status.
pub(super) fn pods() -> Value {
    let pods = format!(
        "{} * {} + {} + {}",
        shards(),
        members_of(SHARD),
        members_of(CONFIG),
        count("mongos", "replicas", "replicasPerPlacement", 2)
    );
    let mend = format!(
        "Kogge holds at most {DATABASE_PODS} of them in one database; lower spec.shard.shardCount, membersPerPlacement or mongos.replicasPerPlacement"
    );
    rule(
        &format!("{pods} <= {DATABASE_PODS}"),
        &format!(
            "spec.placement: the database would have more than {DATABASE_PODS} members and routers, and {mend}"
        ),
    )
}

fn called(component: &str) -> &'static str {
    if component == SHARD { "each shard" } else { "the replica set of the config servers" }
}

fn shards() -> &'static str {
    "(has(self.shard) && has(self.shard.shardCount) ? self.shard.shardCount : 1)"
}

fn members_of(component: &str) -> String {
    count(component, "membersPerPlacement", "membersPerPlacement", 1)
}

/// What all placements hold of a component: each its own number, or else that of the whole database.
fn count(component: &str, own: &str, all: &str, default: u32) -> String {
    format!(
        "self.placement.map(p, has(p.{component}) && has(p.{component}.{own}) ? p.{component}.{own} : (has(self.{component}) && has(self.{component}.{all}) ? self.{component}.{all} : {default})).sum()"
    )
}
