//! Refuses a spec before anything is made for it.

use kogge_api::FederatedEtcdSpec;
use kogge_api::anchor::etcd::Record;
use kogge_api::limits::ETCD_VOTERS;
use kogge_engine::{GoalInput, Identity, InvalidSpec};

use super::goal::goal;
use crate::goal::MemberRole;

/// What the definition refuses by its rules is refused here again: it may be an older one, or none of Kogge's.
pub(super) fn check(identity: &Identity, spec: &FederatedEtcdSpec) -> Result<(), InvalidSpec> {
    let begun = goal(&GoalInput::unobserved(identity, spec, &Record::default()));
    begun
        .validate()
        .map_err(|error| InvalidSpec { reason: error.reason(), message: format!("spec.placement: {error}") })?;
    let voters = begun.members.iter().filter(|member| member.role == MemberRole::Voter).count();
    if voters > ETCD_VOTERS as usize {
        let message = format!(
            "spec.placement: the cluster would have {voters} members with role Voter, and Kogge lets at most \
             {ETCD_VOTERS} of them vote; lower membersPerPlacement or take placements out"
        );
        return Err(InvalidSpec { reason: "TooManyVoters", message });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn refusal(placement: &Value) -> Option<InvalidSpec> {
        let identity = Identity {
            name: "orders".to_owned(),
            namespace: "databases".to_owned(),
            id: "abcdefgh".parse().unwrap(),
            cluster_domain: "cluster.local".to_owned(),
        };
        let spec = json!({"version": "3.6.14", "placement": placement});
        check(&identity, &serde_json::from_value(spec).unwrap()).err()
    }

    #[test]
    fn field_22_at_most_seven_members_are_voters() {
        let of = |members: u32| json!([{"name": "a", "vdc": "a", "membersPerPlacement": members}, {"name": "b", "vdc": "b"}]);
        let found = refusal(&of(7)).unwrap();
        assert_eq!(found.reason, "TooManyVoters");
        assert!(
            found.message.contains("8 members with role Voter") && found.message.contains("lower"),
            "{}",
            found.message
        );
        assert_eq!(refusal(&of(6)), None);
    }

    #[test]
    fn field_23_a_cluster_without_a_voter_is_refused() {
        for placement in [
            json!([{"name": "a", "vdc": "a", "role": "Learner"}]),
            json!([{"name": "a", "vdc": "a", "membersPerPlacement": 0}, {"name": "b", "vdc": "b", "role": "Learner"}]),
        ] {
            assert_eq!(refusal(&placement).map(|found| found.reason), Some("NoVoter"), "{placement}");
        }
    }
}
