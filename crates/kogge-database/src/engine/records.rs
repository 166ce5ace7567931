//! What the engine must not forget, taken from its steps into the anchors.

use std::collections::BTreeSet;

use kogge_api::anchor::{AnchoredMember, Turns};
use kogge_mongo::{Action, MemberId, PodName, ShardingAction, Step};
use kogge_plan::epoch::Remember;

use crate::identity::Identity;
use crate::shares::component_of;

/// What the steps ask to be recorded, and the members to be forgotten.
pub fn records(identity: &Identity, steps: &[Step]) -> (Remember, BTreeSet<String>) {
    let mut remember = Remember::default();
    let mut forget = BTreeSet::new();
    for step in steps {
        match &step.action {
            Action::RecordSeed { pod, member_id } => {
                if let Some(component) = identity.component_of(pod.as_str()) {
                    remember.seeds.insert(component.to_string(), pod.to_string());
                }
                reserve(identity, &mut remember, pod, *member_id, false);
            }
            Action::ReserveMemberId { pod, member_id, lost_as } => {
                reserve(identity, &mut remember, pod, *member_id, false);
                remember.lost_disks.extend(lost_as.map(|lost| (pod.to_string(), lost.0)));
            }
            Action::MarkInitialized { pod, member_id } => {
                reserve(identity, &mut remember, pod, *member_id, true);
            }
            Action::FenceMember { pod, member_id } => {
                remember.fenced.insert(pod.to_string(), member_id.0);
            }
            Action::ForgetMember { pod } => {
                forget.insert(pod.to_string());
            }
            Action::Initiate { .. }
            | Action::CreateUsers { .. }
            | Action::AddMember { .. }
            | Action::Promote { .. }
            | Action::SetPriority { .. }
            | Action::LowerPriority { .. }
            | Action::SetTags { .. }
            | Action::SetHidden { .. }
            | Action::SetHost { .. }
            | Action::Demote { .. }
            | Action::RemoveMember { .. }
            | Action::ForceReconfig { .. }
            | Action::StepDown { .. }
            | Action::RestartPod { .. }
            | Action::AddShard { .. } => {}
            Action::Sharding { step } => remember_sharding(&mut remember, step),
        }
    }
    (remember, forget)
}

fn remember_sharding(remember: &mut Remember, step: &ShardingAction) {
    match step {
        ShardingAction::RecordDrain { role, number } => {
            let turns = Turns { begun: *number, ended: number.saturating_sub(1) };
            remember.shard_removals.insert(component_of(*role).to_string(), turns);
        }
        ShardingAction::RecordRemoval { role, number } => {
            let turns = Turns { begun: *number, ended: *number };
            remember.shard_removals.insert(component_of(*role).to_string(), turns);
        }
        ShardingAction::RecordBalancerPause { number } => {
            remember.balancer_pauses = Turns { begun: *number, ended: number.saturating_sub(1) };
        }
        ShardingAction::RecordBalancerResumed { number } => {
            remember.balancer_pauses = Turns { begun: *number, ended: *number };
        }
        ShardingAction::RemoveShard { .. }
        | ShardingAction::MovePrimary { .. }
        | ShardingAction::StopBalancer { .. }
        | ShardingAction::StartBalancer { .. }
        | ShardingAction::SetFeatureCompatibilityVersion { .. }
        | ShardingAction::SetDefaultConcerns { .. } => {}
    }
}

fn reserve(identity: &Identity, remember: &mut Remember, pod: &PodName, id: MemberId, initialized: bool) {
    if let Some(component) = identity.component_of(pod.as_str()) {
        let next = remember.next_member_id.entry(component.to_string()).or_default();
        *next = (*next).max(id.0 + 1);
    }
    let member = AnchoredMember { initialized, member_id: Some(id.0) };
    remember.members.insert(pod.to_string(), member);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::fixtures::identity;

    fn step(action: Action) -> Step {
        Step { set: "s".into(), action, reason: String::new(), waits_for: String::new() }
    }

    #[test]
    fn a_seed_takes_its_member_id_with_it() {
        let pod = PodName::new("ll2022-shard-0-vdc1-0");
        let (remember, forget) =
            records(&identity(), &[step(Action::RecordSeed { pod: pod.clone(), member_id: MemberId(0) })]);
        assert_eq!(remember.seeds["shard-0"], pod.as_str());
        assert_eq!(remember.next_member_id["shard-0"], 1);
        assert!(!remember.members[pod.as_str()].initialized);
        assert!(forget.is_empty());
    }

    #[test]
    fn a_member_id_is_never_given_twice() {
        let reserve = |pod: &str, id| {
            step(Action::ReserveMemberId { pod: pod.into(), member_id: MemberId(id), lost_as: None })
        };
        let steps = [reserve("ll2022-shard-0-vdc2-0", 7), reserve("ll2022-shard-0-vdc3-0", 4)];
        assert_eq!(records(&identity(), &steps).0.next_member_id["shard-0"], 8);
    }

    #[test]
    fn a_lost_disk_is_recorded_with_the_id_that_comes_after_it() {
        let pod = PodName::new("ll2022-shard-0-vdc2-0");
        let reserve = |lost_as| {
            let action = Action::ReserveMemberId { pod: pod.clone(), member_id: MemberId(7), lost_as };
            records(&identity(), &[step(action)]).0
        };
        let remember = reserve(Some(MemberId(2)));
        assert_eq!(remember.lost_disks, [(pod.to_string(), 2)].into());
        assert_eq!(remember.members[pod.as_str()].member_id, Some(7));
        assert!(reserve(None).lost_disks.is_empty());
    }
}
