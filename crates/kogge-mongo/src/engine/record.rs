//! What the anchors are to hold, taken from the steps.

use std::collections::BTreeSet;

use kogge_api::anchor::Record as _;
use kogge_api::anchor::mongodb::{AnchoredMember, Record, Turns};
use kogge_engine::{PodName, SeedsDisagree};

use super::goal::of_role;
use crate::data::goal::Goal;
use crate::data::names::MemberId;
use crate::data::sharding_action::ShardingAction;
use crate::data::step::{Action, Step};

/// What the anchors hold once the steps are recorded.
pub(super) fn recorded<'a>(
    goal: &Goal,
    before: &Record,
    steps: impl Iterator<Item = &'a Step>,
) -> Result<Record, SeedsDisagree> {
    let (mut added, forgotten) = added(goal, steps);
    // What is added is as new as what is known.
    for (component, turns) in &before.shard_removals {
        added.shard_removals.entry(component.clone()).or_insert(*turns);
    }
    let mut record = before.clone();
    record.join(&added, &goal.cluster)?;
    record.members.retain(|pod, _| !forgotten.contains(pod));
    Ok(record)
}

/// What the steps add, and the members that are forgotten.
fn added<'a>(goal: &Goal, steps: impl Iterator<Item = &'a Step>) -> (Record, BTreeSet<String>) {
    let mut remember = Record::default();
    let mut forget = BTreeSet::new();
    for step in steps {
        let set = goal.sets.iter().find(|set| set.name == step.set);
        let component = set.map(|set| of_role(set.role).to_string());
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
    (remember, forget)
}

fn remember_sharding(remember: &mut Record, step: &ShardingAction) {
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

fn reserve(remember: &mut Record, component: Option<&str>, pod: &PodName, id: MemberId, initialized: bool) {
    if let Some(component) = component {
        let next = remember.next_member_id.entry(component.to_owned()).or_default();
        *next = (*next).max(id.0 + 1);
    }
    let member = AnchoredMember { initialized, member_id: Some(id.0) };
    remember.members.insert(pod.to_string(), member);
}

#[cfg(test)]
mod tests {
    use kogge_engine::{GoalInput, Identity};

    use super::*;

    fn step(action: Action) -> Step {
        Step { set: "ll2022-shard-0-abcdefgh".into(), action, reason: String::new(), waits_for: String::new() }
    }

    fn noted(before: &Record, steps: &[Step]) -> Record {
        let identity = Identity {
            name: "ll2022".to_owned(),
            namespace: "databases".to_owned(),
            id: "abcdefgh".parse().unwrap(),
            cluster_domain: "cluster.local".to_owned(),
        };
        let spec = serde_json::json!({"placement": [{"name": "vdc1", "vdc": "vdc1"}]});
        let goal = super::super::goal::goal(&GoalInput::unobserved(
            &identity,
            &serde_json::from_value(spec).unwrap(),
            before,
        ));
        recorded(&goal, before, steps.iter()).unwrap()
    }

    #[test]
    fn a_seed_takes_its_member_id_with_it() {
        let pod = PodName::new("ll2022-shard-0-vdc1-0");
        let action = Action::RecordSeed { pod: pod.clone(), member_id: MemberId(0) };
        let record = noted(&Record::default(), &[step(action)]);
        assert_eq!(record.seeds["shard-0"], pod.as_str());
        assert_eq!(record.next_member_id["shard-0"], 1);
        assert!(!record.members[pod.as_str()].initialized);
    }

    #[test]
    fn a_member_id_is_never_given_twice() {
        let reserve = |pod: &str, id| {
            step(Action::ReserveMemberId { pod: pod.into(), member_id: MemberId(id), lost_as: None })
        };
        let steps = [reserve("ll2022-shard-0-vdc2-0", 7), reserve("ll2022-shard-0-vdc3-0", 4)];
        assert_eq!(noted(&Record::default(), &steps).next_member_id["shard-0"], 8);
    }

    #[test]
    fn a_lost_disk_is_recorded_with_the_id_that_comes_after_it() {
        let pod = PodName::new("ll2022-shard-0-vdc2-0");
        let reserve = |lost_as| {
            let action = Action::ReserveMemberId { pod: pod.clone(), member_id: MemberId(7), lost_as };
            noted(&Record::default(), &[step(action)])
        };
        let record = reserve(Some(MemberId(2)));
        assert_eq!(record.lost_disks, [(pod.to_string(), 2)].into());
        assert_eq!(record.members[pod.as_str()].member_id, Some(7));
        assert!(reserve(None).lost_disks.is_empty());
    }

    #[test]
    fn what_is_known_of_a_shard_goes_with_its_removal_and_a_member_when_it_is_forgotten() {
        let pod = PodName::new("ll2022-shard-0-vdc1-0");
        let seeded =
            noted(&Record::default(), &[step(Action::RecordSeed { pod: pod.clone(), member_id: MemberId(0) })]);
        let forgotten = noted(&seeded, &[step(Action::ForgetMember { pod: pod.clone() })]);
        assert!(forgotten.members.is_empty() && forgotten.seeds == seeded.seeds);
        let role = crate::data::goal::SetRole::Shard { index: 0 };
        let removal = |number| step(Action::Sharding { step: ShardingAction::RecordRemoval { role, number } });
        let removed = noted(&seeded, &[removal(1)]);
        assert!(removed.seeds.is_empty() && removed.members.is_empty());
        // Another shard of that name has a seed of its own, which stays.
        let next = noted(&removed, &[step(Action::RecordSeed { pod, member_id: MemberId(3) })]);
        assert!(next.seeds.contains_key("shard-0"));
    }
}
