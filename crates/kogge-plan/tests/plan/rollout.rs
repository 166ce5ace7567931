use std::collections::BTreeMap;
use std::time::Duration;

use kogge_plan::rollout::{Pace, RolloutPlan, RolloutPod, Share, ShareTarget, UseRevision, plan_rollout};
use proptest::prelude::*;
use rstest::rstest;

use crate::support::{database, id, pod, share_key, silent, view, workload};

/// Config servers, shards, routers.
fn rank(component: &str) -> u32 {
    match component {
        CONFIG => 0,
        MONGOS => 2,
        _ => 1,
    }
}

fn share(component: &str, placement: &str, template: Option<&str>, pods: &[(&str, bool)]) -> Share {
    Share {
        key: share_key(component, placement),
        rank: rank(component),
        vdc: placement.to_owned(),
        reachable: true,
        desired_revision: "new".to_owned(),
        running_revision: template.map(str::to_owned),
        replicas: pods.len() as u32,
        pods: pods
            .iter()
            .enumerate()
            .map(|(n, (revision, ready))| RolloutPod {
                name: format!("{component}-{placement}-{n}"),
                revision: Some((*revision).to_owned()),
                ready: *ready,
            })
            .collect(),
        engine_healthy: true,
    }
}

fn old(component: &str, placement: &str) -> Share {
    share(component, placement, Some("old"), &[("old", true)])
}

fn done(component: &str, placement: &str) -> Share {
    share(component, placement, Some("new"), &[("new", true)])
}

fn soaked() -> Pace {
    Pace::default()
}

fn desired(plan: &RolloutPlan) -> Vec<String> {
    plan.use_revision
        .iter()
        .filter(|(_, revision)| **revision == UseRevision::Desired)
        .map(|(key, _)| key.to_string())
        .collect()
}

fn current(plan: &RolloutPlan) -> Option<String> {
    plan.current.as_ref().map(ToString::to_string)
}

const CONFIG: &str = "config";
const SHARD: &str = "shard-0";
const MONGOS: &str = "mongos";

/// What happens in the world when the plan is carried out, one step at a time.
fn carry_out(shares: &mut [Share], plan: &RolloutPlan) -> bool {
    for share in shares.iter_mut() {
        if plan.use_revision[&share.key] == UseRevision::Desired
            && share.running_revision.as_deref() != Some("new")
        {
            share.running_revision = Some("new".to_owned());
            return true;
        }
        if share.running_revision.as_deref() == Some("new")
            && let Some(pod) = share.pods.iter_mut().find(|pod| pod.revision.as_deref() != Some("new"))
        {
            pod.revision = Some("new".to_owned());
            return true;
        }
    }
    false
}

#[test]
fn the_turns_go_component_by_component_and_placement_by_placement() {
    let mut shares = Vec::new();
    for component in [MONGOS, "shard-10", SHARD, CONFIG] {
        shares.extend(["vdc1", "vdc3", "vdc2"].map(|placement| old(component, placement)));
    }
    let pace = Pace { order: vec!["vdc2".to_owned()], ..soaked() };
    let mut turns = Vec::new();
    loop {
        let plan = plan_rollout(&shares, &pace);
        turns.extend(current(&plan));
        assert_eq!(plan.total, 12);
        if !carry_out(&mut shares, &plan) {
            assert!(!plan.rolling && plan.current.is_none() && plan.waiting.is_none());
            assert_eq!(plan.updated, 12);
            break;
        }
    }
    turns.dedup();
    let expected = ["config", "shard-0", "shard-10", "mongos"]
        .iter()
        .flat_map(|component| ["vdc2", "vdc1", "vdc3"].map(|placement| format!("{component} in {placement}")));
    assert_eq!(turns, expected.collect::<Vec<_>>());
}

#[rstest]
#[case::restarting(share(CONFIG, "vdc1", Some("new"), &[("old", true)]), "to be restarted")]
#[case::not_ready(share(CONFIG, "vdc1", Some("new"), &[("new", false)]), "to be ready")]
#[case::missing(Share { replicas: 2, ..done(CONFIG, "vdc1") }, "to be made")]
#[case::orphaned_pods(share(CONFIG, "vdc1", None, &[("new", true)]), "workload to be made")]
#[case::pods_ahead_of_the_template(share(CONFIG, "vdc1", Some("old"), &[("new", true)]), "template to be changed")]
#[case::ill(Share { engine_healthy: false, ..done(CONFIG, "vdc1") }, "to be healthy")]
#[case::one_of_two(share(CONFIG, "vdc1", Some("new"), &[("new", true), ("old", true)]), "config-vdc1-1")]
fn the_next_turn_waits_until_the_one_before_is_done(#[case] first: Share, #[case] says: &str) {
    let plan = plan_rollout(&[first, old(CONFIG, "vdc2")], &soaked());
    assert_eq!(desired(&plan), ["config in vdc1"]);
    assert_eq!(plan.use_revision[&share_key(CONFIG, "vdc2")], UseRevision::Keep("old".to_owned()));
    assert_eq!(current(&plan).as_deref(), Some("config in vdc1"));
    assert!(plan.waiting.as_deref().is_some_and(|waiting| waiting.contains(says)), "{:?}", plan.waiting);
    assert!(plan.rolling && !plan.held);
}

#[test]
fn what_was_updated_soaks_before_the_next_turn() {
    let shares = [done(CONFIG, "vdc1"), old(CONFIG, "vdc2"), old(CONFIG, "vdc3")];
    let plan_after = |healthy_for: Option<u64>| {
        let pace = Pace {
            soak: Duration::from_secs(30),
            healthy_for: healthy_for.map(Duration::from_secs),
            ..Pace::default()
        };
        plan_rollout(&shares, &pace)
    };
    assert_eq!(plan_after(None).soak_left, Some(Duration::from_secs(30)));
    let soaking = plan_after(Some(10));
    assert_eq!(soaking.soak_left, Some(Duration::from_secs(20)));
    assert_eq!(current(&soaking).as_deref(), Some("config in vdc2"));
    assert_eq!(desired(&soaking), ["config in vdc1"]);
    let over = plan_after(Some(30));
    assert_eq!((over.soak_left, desired(&over).len()), (None, 2));
}

#[test]
fn the_first_turn_needs_no_soak() {
    let pace = Pace { soak: Duration::from_secs(30), ..Pace::default() };
    assert_eq!(desired(&plan_rollout(&[old(CONFIG, "vdc1"), old(CONFIG, "vdc2")], &pace)), ["config in vdc1"]);
}

#[test]
fn a_share_that_does_not_stand_is_made_at_once_from_the_new_revision() {
    let fresh = share(SHARD, "vdc4", None, &[]);
    let plan = plan_rollout(&[old(CONFIG, "vdc1"), old(SHARD, "vdc1"), Share { replicas: 1, ..fresh }], &soaked());
    assert_eq!(desired(&plan), ["config in vdc1", "shard-0 in vdc4"]);
}

#[test]
fn a_new_database_is_no_rollout() {
    let make = |c, p| Share { replicas: 1, ..share(c, p, None, &[]) };
    let plan = plan_rollout(&[make(CONFIG, "vdc1"), make(MONGOS, "vdc2")], &soaked());
    assert_eq!(desired(&plan).len(), 2);
    assert!(!plan.rolling && !plan.held);
}

#[test]
fn a_silent_vdc_holds_the_rollout_and_is_named() {
    let silent = Share { reachable: false, ..old(MONGOS, "vdc3") };
    let plan = plan_rollout(&[old(CONFIG, "vdc1"), silent.clone()], &soaked());
    assert_eq!(desired(&plan), [""; 0]);
    assert!(plan.held && plan.waiting.as_deref().is_some_and(|waiting| waiting.contains("vdc3")));
    // In the middle of a turn: what has the template keeps it, and healthy pods are left alone.
    let plan = plan_rollout(&[share(CONFIG, "vdc1", Some("new"), &[("old", true)]), silent], &soaked());
    assert_eq!(desired(&plan), ["config in vdc1"]);
    assert!(plan.held && plan.rolling);
}

#[test]
fn a_pause_holds_the_rollout() {
    let pace = Pace { paused: true, ..Pace::default() };
    let plan = plan_rollout(&[old(CONFIG, "vdc1")], &pace);
    assert!(plan.held && desired(&plan).is_empty());
}

#[test]
fn a_share_of_nothing_is_done() {
    let nothing = share(CONFIG, "vdc1", Some("old"), &[]);
    let pace = Pace { soak: Duration::from_secs(30), ..Pace::default() };
    let plan = plan_rollout(&[nothing, old(CONFIG, "vdc2")], &pace);
    assert_eq!(desired(&plan), ["config in vdc1", "config in vdc2"]);
    assert_eq!(current(&plan).as_deref(), Some("config in vdc2"));
}

#[test]
fn a_share_is_read_from_the_view() {
    let (id, key) = (id(), share_key(SHARD, "vdc1"));
    let objects = [workload(&key, "r1"), pod(&key, 0, "r1", true), pod(&key, 1, "r0", false)];
    let target = || ShareTarget { rank: 1, vdc: "vdc1".to_owned(), revision: "r1".to_owned(), replicas: 2 };
    let seen = view("u", objects);
    let share = Share::observed(Some(&seen), database(&id), key.clone(), target(), true);
    assert_eq!(share.running_revision.as_deref(), Some("r1"));
    let outdated: Vec<&str> = share.outdated().map(|pod| pod.name.as_str()).collect();
    assert_eq!(outdated, ["ll2022-shard-0-vdc1-1"]);
    assert!(share.reachable);
    assert!(!Share::observed(Some(&silent(seen)), database(&id), key.clone(), target(), true).reachable);
    assert_eq!(Share::observed(None, database(&id), key, target(), true).running_revision, None);
}

fn any_share() -> impl Strategy<Value = Share> {
    let revision = || prop_oneof![Just("old"), Just("new")];
    let key = (0..4_u16, 0..3_u8).prop_map(|(component, placement)| {
        let component = [CONFIG, SHARD, "shard-1", MONGOS][usize::from(component)];
        share_key(component, &format!("vdc{placement}"))
    });
    let pods = prop::collection::vec((revision(), any::<bool>()), 0..3);
    (key, prop::option::of(revision()), pods, prop::bool::weighted(0.9), any::<bool>()).prop_map(
        |(key, template, pods, reachable, engine_healthy)| Share {
            reachable,
            engine_healthy,
            ..share(key.component.as_str(), &key.placement, template, &pods)
        },
    )
}

proptest! {
    /// Whatever the world looks like: at most one share gets a template that restarts its pods, and only when
    /// every earlier one is done; nothing goes back.
    #[test]
    fn at_most_one_share_changes_at_a_time(
        shares in prop::collection::vec(any_share(), 0..12),
        paused in prop::bool::weighted(0.1),
    ) {
        let shares: BTreeMap<_, _> = shares.into_iter().map(|share| (share.key.clone(), share)).collect();
        let shares: Vec<Share> = shares.into_values().collect();
        let plan = plan_rollout(&shares, &Pace { paused, ..Pace::default() });
        let restarts = |share: &&Share| {
            plan.use_revision[&share.key] == UseRevision::Desired
                && share.running_revision.as_deref() == Some("old")
                && share.replicas > 0
        };
        let changing: Vec<&Share> = shares.iter().filter(restarts).collect();
        prop_assert!(changing.len() <= 1);
        if let Some(share) = changing.first() {
            prop_assert_eq!(plan.current.as_ref(), Some(&share.key));
            prop_assert!(!paused && shares.iter().all(|share| share.reachable));
            let earlier = shares.iter().filter(|other| (other.rank, &other.key) < (share.rank, &share.key) && other.replicas > 0);
            for other in earlier {
                prop_assert!(other.running_revision.as_deref() == Some("new") && other.engine_healthy);
                prop_assert!(other.pods.iter().all(|pod| pod.ready && pod.revision.as_deref() == Some("new")));
            }
        }
        for share in shares.iter().filter(|share| share.running_revision.as_deref() == Some("new")) {
            prop_assert_eq!(&plan.use_revision[&share.key], &UseRevision::Desired);
        }
    }
}
