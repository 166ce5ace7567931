//! One pod with its disk, its gate and its server.

use std::collections::BTreeSet;

use kogge_api::gate::{Disk as GateDisk, Hold, HoldReason, Report};
use kogge_etcd::{
    ClusterId, MemberAnchor, MemberId, Millis, Pod, PodFacts, RefusedPeer, Seed, SeedSource, Start, Url, Version,
};

/// What is on a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Disk {
    Empty,
    /// What a start left that ended before a log was written.
    Litter,
    Data(Data),
}

/// A log: whose it is, how far it goes, and how far it was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Data {
    pub(crate) cluster: ClusterId,
    pub(crate) id: MemberId,
    pub(crate) logged: u64,
    pub(crate) applied: u64,
}

/// A server that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) since: Millis,
    /// Its own publish was applied: only then its client port answers.
    pub(crate) published: bool,
    pub(crate) version: Version,
}

#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) url: Url,
    pub(crate) pod: Pod,
    pub(crate) disk: Disk,
    pub(crate) process: Option<Process>,
    /// This pod's gate has used the start that the anchor allowed.
    used: Option<Start>,
    /// The operator reaches the server.
    pub(crate) reachable: bool,
    /// The operator sees the worker.
    pub(crate) seen: bool,
    /// Nothing runs here, and nothing is made again: its vdc is lost.
    pub(crate) lost: bool,
    /// Its server ends whenever it starts: its template is broken.
    pub(crate) crashes: bool,
    /// Members reach each other on one side only.
    pub(crate) side: u8,
    /// Entries that a learner fetches per tick.
    pub(crate) sync_rate: u64,
    /// Its database's size, and how much of it is in use.
    pub(crate) sizes: (u64, u64),
    pub(crate) refused_peers: BTreeSet<RefusedPeer>,
}

/// What a gate decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Opens {
    No,
    /// The server starts on its log.
    OnData,
    /// The server starts for the first time.
    First(Start),
}

impl Node {
    pub(crate) fn fresh(url: Url) -> Self {
        Self {
            url,
            pod: Pod::Absent,
            disk: Disk::Empty,
            process: None,
            used: None,
            reachable: true,
            seen: true,
            lost: false,
            crashes: false,
            side: 0,
            sync_rate: 2_500,
            sizes: (1 << 20, 1 << 20),
            refused_peers: BTreeSet::new(),
        }
    }

    pub(crate) fn data(&self) -> Option<&Data> {
        match &self.disk {
            Disk::Data(data) => Some(data),
            Disk::Empty | Disk::Litter => None,
        }
    }

    /// The member that runs here, if one does.
    pub(crate) fn runs(&self) -> Option<&Data> {
        self.data().filter(|_| self.process.is_some())
    }

    pub(crate) fn facts(&mut self) -> &mut PodFacts {
        match &mut self.pod {
            Pod::Present(facts) => facts,
            other => panic!("no pod: {other:?}"),
        }
    }

    pub(crate) fn make_pod(&mut self, uid: String, revision: &str) {
        self.used = None;
        self.pod = Pod::Present(PodFacts {
            uid,
            running: true,
            ready: false,
            terminating: false,
            revision: Some(revision.to_owned()),
            target_revision: Some(revision.to_owned()),
            resolves_everywhere: true,
            gate: None,
        });
    }

    pub(crate) fn hold(&mut self, reason: HoldReason, message: &str) {
        self.process = None;
        self.facts().gate = Some(Report::Held(Hold { reason, message: message.to_owned() }));
    }

    fn open(&mut self, disk: GateDisk) {
        self.facts().gate = Some(Report::Open { disk, message: "by the gate".to_owned() });
    }

    /// What the gate does as it looks at the disk and at the anchor.
    pub(crate) fn look(&mut self, anchor: &MemberAnchor, is_seed: Option<&Seed>) -> Opens {
        let uid = self.facts().uid.clone();
        let start = anchor.start.clone().filter(|start| start.uid == uid);
        let begins_with = is_seed.filter(|seed| anchor.member_id == Some(seed.member_id));
        let begins_with = begins_with.and_then(|seed| match seed.source {
            SeedSource::OwnDisk { of } => Some((seed, of)),
            SeedSource::Empty => None,
        });
        match self.disk.clone() {
            Disk::Empty | Disk::Litter if begins_with.is_some() && !anchor.initialized => {
                self.hold(HoldReason::LostDisk, "nothing is there to restore");
                Opens::No
            }
            Disk::Empty if anchor.initialized || (self.used.is_some() && self.used == anchor.start) => {
                self.hold(HoldReason::LostDisk, "the disk is empty");
                Opens::No
            }
            Disk::Empty | Disk::Litter => {
                self.open(if self.disk == Disk::Empty { GateDisk::Empty } else { GateDisk::Unused });
                match start {
                    Some(start) => {
                        self.used = Some(start.clone());
                        Opens::First(start)
                    }
                    None => Opens::No,
                }
            }
            Disk::Data(data) => {
                if let Some((seed, _)) = begins_with.filter(|(_, of)| *of == data.cluster && !anchor.initialized) {
                    self.open(GateDisk::Data);
                    if start.is_none() || start == self.used {
                        return Opens::No;
                    }
                    self.used = start;
                    self.disk = Disk::Data(Data { cluster: seed.cluster_id, id: seed.member_id, ..data });
                    return Opens::OnData;
                }
                if anchor.removed == Some(data.id) || anchor.member_id.is_some_and(|id| id != data.id) {
                    self.hold(HoldReason::OldDisk, "the disk is from before the member was removed");
                    return Opens::No;
                }
                self.open(GateDisk::Data);
                Opens::OnData
            }
        }
    }
}
