//! What the anchors are to hold, taken from the steps.

use std::collections::BTreeSet;

use kogge_api::anchor::{AnchoredMember, Turns};
use kogge_engine::{Notes, PodName, Remember};

use super::goal::of_role;
use crate::data::names::{MemberId, SetName};
use crate::data::sharding_action::ShardingAction;
use crate::data::step::{Action, Step};

/// What the steps ask to be recorded, and the members to be forgotten. `component` names the component behind a set.
pub(super) fn notes(steps: &[Step], component: impl Fn(&SetName) -> Option<String>) -> Notes {
    let mut remember = Remember::default();
    let mut forget = BTreeSet::new();
    for step in steps {
        let component = component(&step.set);
        let component = component.as_deref();
        match &step.action {
            Action::RecordSeed { pod, member_id } => {
                if let Some(component) = component {
                    remember.seeds.insert(component.to_owned(), pod.to_string());
                }
                reserve(&mut remember, component, pod, *member_id, false);
            }
            Action::ReserveMemberId { pod, member_id, lost_as } => {
                reserve(&mut remember, component, pod, *member_id, false);
                remember.lost_disks.extend(lost_as.map(|lost| (pod.to_string(), lost.0)));
            }
            Action::MarkInitialized { pod, member_id } => {
                reserve(&mut remember, component, pod, *member_id, true);
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
    Notes { remember, forget }
}

fn remember_sharding(remember: &mut Remember, step: &ShardingAction) {
    match step {
        ShardingAction::RecordDrain { role, number } => {
            let turns = Turns { begun: *number, ended: number.saturating_sub(1) };
            remember.shard_removals.insert(of_role(*role).to_string(), turns);
        }
        ShardingAction::RecordRemoval { role, number } => {
            let turns = Turns { begun: *number, ended: *number };
            remember.shard_removals.insert(of_role(*role).to_string(), turns);
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

fn reserve(remember: &mut Remember, component: Option<&str>, pod: &PodName, id: MemberId, initialized: bool) {
    if let Some(component) = component {
        let next = remember.next_member_id.entry(component.to_owned()).or_default();
        *next = (*next).max(id.0 + 1);
    }
    let member = AnchoredMember { initialized, member_id: Some(id.0) };
    remember.members.insert(pod.to_string(), member);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(action: Action) -> Step {
        Step { set: "s".into(), action, reason: String::new(), waits_for: String::new() }
    }

    fn noted(steps: &[Step]) -> Notes {
        notes(steps, |_| Some("shard-0".to_owned()))
    }

    #[test]
    fn a_seed_takes_its_member_id_with_it() {
        let pod = PodName::new("ll2022-shard-0-vdc1-0");
        let action = Action::RecordSeed { pod: pod.clone(), member_id: MemberId(0) };
        let Notes { remember, forget } = noted(&[step(action)]);
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
        assert_eq!(noted(&steps).remember.next_member_id["shard-0"], 8);
    }

    #[test]
    fn a_lost_disk_is_recorded_with_the_id_that_comes_after_it() {
        let pod = PodName::new("ll2022-shard-0-vdc2-0");
        let reserve = |lost_as| {
            let action = Action::ReserveMemberId { pod: pod.clone(), member_id: MemberId(7), lost_as };
            noted(&[step(action)]).remember
        };
        let remember = reserve(Some(MemberId(2)));
        assert_eq!(remember.lost_disks, [(pod.to_string(), 2)].into());
        assert_eq!(remember.members[pod.as_str()].member_id, Some(7));
        assert!(reserve(None).lost_disks.is_empty());
    }
}
