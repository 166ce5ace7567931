//! Refuses a spec before anything is made for it.

use kogge_api::FederatedClusterSpec;
use kogge_api::anchor::mongodb::Record;
use kogge_api::federated_cluster::Component;
use kogge_api::limits::{DATABASE_PODS, DATABASE_SHARES};
use kogge_engine::{GoalInput, Identity, InvalidSpec};

use super::goal::goal;

/// What the definition refuses by its rules is refused here again: it may be an older one, or none of Kogge's.
pub(super) fn check(identity: &Identity, spec: &FederatedClusterSpec) -> Result<(), InvalidSpec> {
    size(spec)?;
    let begun = goal(&GoalInput::unobserved(identity, spec, &Record::default()));
    begun
        .validate()
        .map_err(|error| InvalidSpec { reason: error.reason(), message: format!("spec.placement: {error}") })
}

/// Its components and pods are counted from one shard, before a list of all of them is made.
fn size(spec: &FederatedClusterSpec) -> Result<(), InvalidSpec> {
    let shards = u64::from(spec.shard.shard_count);
    let of =
        |component| spec.placed_component(component).iter().map(|share| u64::from(share.replicas)).sum::<u64>();
    let shares = (shards + 2) * spec.placement.len() as u64;
    if shares > u64::from(DATABASE_SHARES) {
        let message = format!(
            "spec.placement: the components (every shard, the config servers and the routers) times the placements are \
             {shares}, and Kogge holds at most {DATABASE_SHARES} of them; lower spec.shard.shardCount or take placements out"
        );
        return Err(InvalidSpec { reason: "TooManyShares", message });
    }
    let pods = shards * of(Component::Shard(0)) + of(Component::Config) + of(Component::Mongos);
    if pods > u64::from(DATABASE_PODS) {
        let message = format!(
            "spec.placement: the database would have {pods} members and routers, and Kogge holds at most {DATABASE_PODS} \
             of them in one database; lower spec.shard.shardCount, membersPerPlacement or mongos.replicasPerPlacement"
        );
        return Err(InvalidSpec { reason: "TooManyPods", message });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn refusal(spec: &Value) -> Option<InvalidSpec> {
        let identity = Identity {
            name: "db".to_owned(),
            namespace: "databases".to_owned(),
            id: "abcdefgh".parse().unwrap(),
            cluster_domain: "cluster.local".to_owned(),
        };
        check(&identity, &serde_json::from_value(spec.clone()).unwrap()).err()
    }

    fn placements(count: usize, over: &Value) -> Value {
        let one = |n| {
            let mut placement = json!({"name": format!("p{n}"), "vdc": format!("vdc{n}")});
            placement.as_object_mut().unwrap().extend(over.as_object().unwrap().clone());
            placement
        };
        (0..count).map(one).collect()
    }

    #[track_caller]
    fn refused(spec: &Value, reason: &str, says: &str) {
        let found = refusal(spec).unwrap();
        assert_eq!(found.reason, reason);
        assert!(
            found.message.starts_with("spec.placement: ") && found.message.contains(says),
            "{}",
            found.message
        );
    }

    #[test]
    fn field_22_a_replica_set_has_at_most_fifty_members() {
        let with = |component: &str, members: u32, count| json!({component: {"membersPerPlacement": members}, "placement": placements(count, &json!({}))});
        refused(&with("shard", 7, 8), "TooManyMembers", "db-shard-0-abcdefgh would have 56 members");
        refused(&with("config", 6, 9), "TooManyMembers", "db-config-abcdefgh would have 54 members");
        assert_eq!(refusal(&with("shard", 5, 10)), None, "fifty are allowed");
    }

    #[test]
    fn field_23_a_set_without_a_member_that_can_become_primary_is_refused() {
        for (over, reason) in [
            (json!({"priority": 0}), "NoElectableMember"),
            (json!({"role": "ReadOnly"}), "NoElectableMember"),
            (json!({"role": "Standby"}), "NoElectableMember"),
            (json!({"shard": {"membersPerPlacement": 0}}), "NoMember"),
            (json!({"config": {"membersPerPlacement": 0}}), "NoMember"),
        ] {
            let spec = json!({"placement": placements(3, &over)});
            assert_eq!(refusal(&spec).map(|found| found.reason), Some(reason), "{over}");
        }
        let mut mixed = placements(2, &json!({"priority": 0}));
        mixed.as_array_mut().unwrap().push(json!({"name": "q", "vdc": "q", "config": {"membersPerPlacement": 0}}));
        refused(&json!({"placement": mixed}), "NoElectableMember", "db-config-abcdefgh can become primary");
    }

    #[test]
    fn field_42_a_database_is_no_larger_than_the_operator_holds() {
        let of = |shards: u32, members: u32, count| {
            let shard = json!({"shardCount": shards, "membersPerPlacement": members});
            json!({"shard": shard, "placement": placements(count, &json!({}))})
        };
        refused(&of(128, 7, 7), "TooManyPods", "6293 members and routers");
        refused(&of(128, 1, 20), "TooManyShares", "2600");
        assert_eq!(refusal(&of(128, 1, 7)), None, "128 shards of seven members");
        assert_eq!(refusal(&of(128, 7, 1)), None);
    }
}
