//! A member: its disk, its pod, and whether it answers.

use std::collections::BTreeMap;

use kogge_mongo::{Hold, Host, MemberState, Pod, PodFacts, PodName};

/// What a member's disk holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disk {
    Empty,
    Syncing,
    Synced,
}

#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) host: Host,
    /// Another name that leads to it.
    pub(crate) also: Option<Host>,
    pub(crate) disk: Disk,
    pub(crate) pod: Pod,
    /// Its process answers; the worker's API may not.
    pub(crate) up: bool,
    /// The operator reaches it.
    pub(crate) reachable: bool,
    /// A state that it claims instead of the one that follows from its disk.
    pub(crate) state: Option<MemberState>,
    pub(crate) lag_ms: i64,
}

impl Member {
    pub(crate) fn fresh(host: Host, revision: &str) -> Self {
        Self {
            host,
            also: None,
            disk: Disk::Empty,
            pod: Pod::Present(PodFacts {
                uid: "uid".to_owned(),
                running: true,
                ready: true,
                terminating: false,
                revision: Some(revision.to_owned()),
                target_revision: Some(revision.to_owned()),
                resolves_everywhere: true,
                held: None,
            }),
            up: true,
            reachable: true,
            state: None,
            lag_ms: 0,
        }
    }

    /// Its gate keeps its server from starting: the disk is empty.
    pub(super) fn hold(&mut self) {
        self.up = false;
        let facts = self.facts();
        (facts.running, facts.ready) = (false, false);
        facts.held = Some(Hold { lost_disk: true, message: "LostDisk: the disk is empty".to_owned() });
    }

    pub(super) fn is_at(&self, host: &Host) -> bool {
        &self.host == host || self.also.as_ref() == Some(host)
    }

    pub(crate) fn facts(&mut self) -> &mut PodFacts {
        match &mut self.pod {
            Pod::Present(facts) => facts,
            other => panic!("no pod: {other:?}"),
        }
    }
}

pub(super) fn pod_of(members: &BTreeMap<PodName, Member>, host: &Host) -> PodName {
    let behind = members.iter().find(|(_, m)| m.is_at(host));
    behind.map_or_else(|| PodName::new(host.as_str()), |(pod, _)| pod.clone())
}
