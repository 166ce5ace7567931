//! A member: its disk, its pod, and whether it answers.

use std::collections::BTreeMap;

use kogge_api::gate::{self, Hold, HoldReason, Report};
use kogge_mongo::{Host, MemberState, Pod, PodFacts, PodName};

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
    /// Its server has just started and has not loaded its config: it answers 94, whatever is on its disk.
    pub(crate) starting: bool,
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
                gate: Some(open(gate::Disk::Empty)),
            }),
            up: true,
            starting: false,
            reachable: true,
            state: None,
            lag_ms: 0,
        }
    }

    /// The gate looks at the disk, and the server starts unless its disk is empty although it held data.
    pub(super) fn start(&mut self, held_data: bool) {
        match self.disk {
            Disk::Empty if held_data => self.hold(HoldReason::LostDisk, "the disk is empty"),
            Disk::Empty => self.starts_on(gate::Disk::Empty),
            Disk::Syncing | Disk::Synced => self.starts_on(gate::Disk::Data),
        }
    }

    /// Its gate keeps its server from starting.
    pub(crate) fn hold(&mut self, reason: HoldReason, message: &str) {
        self.up = false;
        let facts = self.facts();
        (facts.running, facts.ready) = (false, false);
        facts.gate = Some(Report::Held(Hold { reason, message: message.to_owned() }));
    }

    /// Its gate reports this, and its server starts.
    pub(crate) fn starts_on(&mut self, disk: gate::Disk) {
        (self.up, self.starting) = (true, true);
        let facts = self.facts();
        (facts.running, facts.ready) = (true, true);
        facts.gate = Some(open(disk));
    }

    /// It holds the data and its config is loaded.
    pub(super) fn serves(&self) -> bool {
        self.up && !self.starting && self.disk == Disk::Synced
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

fn open(disk: gate::Disk) -> Report {
    Report::Open { disk, message: "as the test says".to_owned() }
}

pub(super) fn pod_of(members: &BTreeMap<PodName, Member>, host: &Host) -> PodName {
    let behind = members.iter().find(|(_, m)| m.is_at(host));
    behind.map_or_else(|| PodName::new(host.as_str()), |(pod, _)| pod.clone())
}
