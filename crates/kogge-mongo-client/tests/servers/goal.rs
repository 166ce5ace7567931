//! The goal of the tests about single servers.

use std::collections::BTreeMap;

use kogge_mongo::{Goal, MemberAnchor, MemberGoal, MemberRole, Recovery, RouterGoal, SetGoal, SetRole};

fn member(pod: &str) -> MemberGoal {
    MemberGoal {
        pod: pod.into(),
        host: format!("{pod}:27017").into(),
        placement: "vdc1".into(),
        vdc: "vdc1".into(),
        priority: 1,
        role: MemberRole::Voter,
        anchor: MemberAnchor::default(),
    }
}

/// A set of config servers, of which nothing stands yet, and a router.
pub(crate) fn goal(pods: &[&str]) -> Goal {
    Goal {
        cluster: "ll".to_owned(),
        sets: vec![SetGoal {
            name: "ll-config-1".into(),
            role: SetRole::Config,
            members: pods.iter().map(|pod| member(pod)).collect(),
            leaving: Vec::new(),
            seed: None,
            next_member_id: 0,
            recovery: Recovery::default(),
            retired: false,
            removals: kogge_mongo::Turns::default(),
        }],
        routers: vec![RouterGoal { pod: "router".into(), placement: "vdc1".into() }],
        unseen: BTreeMap::new(),
        rollout_order: Vec::new(),
        away_from: std::collections::BTreeSet::default(),
        rolling: false,
        balancer: kogge_mongo::Turns::default(),
        feature_compatibility_version: None,
        paused: false,
    }
}
