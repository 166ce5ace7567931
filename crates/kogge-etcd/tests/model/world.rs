//! Disks, gates, servers, the group's membership and the anchors.

use std::collections::BTreeSet;

use kogge_etcd::votes::quorum;
use kogge_etcd::{Action, MemberAnchor, MemberId, Seed, Start, StartState, Url};

/// What is on a disk. `version` counts the changes of the membership that its server applied: its whole log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Disk {
    Empty,
    Litter,
    Data { id: MemberId, version: usize, synced: bool },
}

/// What a gate has said since its pod was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Gate {
    Silent,
    Empty,
    Unused,
    Data,
    Lost,
    Old,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Slot {
    pub(crate) uid: u8,
    pub(crate) disk: Disk,
    pub(crate) gate: Gate,
    pub(crate) up: bool,
    /// Its publish was applied since it started: its client port answers from then on.
    pub(crate) published: bool,
    /// The start that this pod's gate has used.
    pub(crate) used: Option<Start>,
}

/// A listed member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Listed {
    pub(crate) slot: usize,
    pub(crate) id: MemberId,
    pub(crate) learner: bool,
}

/// How often something may still happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Bounds {
    pub(crate) lost_disks: u8,
    pub(crate) kills: u8,
    pub(crate) deaths: u8,
    pub(crate) partial_views: u8,
    pub(crate) rollouts: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) wanted: [bool; 3],
    pub(crate) slots: Vec<Slot>,
    pub(crate) anchors: Vec<MemberAnchor>,
    pub(crate) seed: Option<Seed>,
    /// The membership, by version; empty before the group began.
    pub(crate) history: Vec<Vec<Listed>>,
    pub(crate) leader: Option<usize>,
    pub(crate) revision: u8,
    pub(crate) revisions: [u8; 3],
    /// What the operator is about to do.
    pub(crate) pending: Vec<Action>,
    /// A server ended since it looked: what it does now is not judged by what it could not know.
    pub(crate) disturbed: bool,
    pub(crate) left: Bounds,
    pub(crate) next_id: u64,
    pub(crate) written: BTreeSet<MemberId>,
    /// The law that was broken on the way here.
    pub(crate) breach: Option<&'static str>,
}

pub(crate) fn url(slot: usize) -> Url {
    Url::new(format!("https://e-{slot}:2380"))
}

impl World {
    pub(crate) fn empty(wanted: [bool; 3], left: Bounds) -> Self {
        let slot = Slot { uid: 0, disk: Disk::Empty, gate: Gate::Silent, up: false, published: false, used: None };
        Self {
            wanted,
            slots: vec![slot; 3],
            anchors: vec![MemberAnchor::default(); 3],
            seed: None,
            history: Vec::new(),
            leader: None,
            revision: 0,
            revisions: [0; 3],
            pending: Vec::new(),
            disturbed: false,
            left,
            next_id: 100,
            written: BTreeSet::new(),
            breach: None,
        }
    }

    pub(crate) fn members(&self) -> &[Listed] {
        self.history.last().map(Vec::as_slice).unwrap_or_default()
    }

    /// The member that runs in a slot: its id, and how much it applied.
    pub(crate) fn runs(&self, slot: usize) -> Option<(MemberId, usize, bool)> {
        match self.slots[slot].disk {
            Disk::Data { id, version, synced } if self.slots[slot].up => Some((id, version, synced)),
            _ => None,
        }
    }

    fn is_up(&self, listed: &Listed) -> bool {
        self.runs(listed.slot).is_some_and(|(id, ..)| id == listed.id)
    }

    pub(crate) fn live_voters(&self) -> usize {
        self.members().iter().filter(|m| !m.learner && self.is_up(m)).count()
    }

    pub(crate) fn voters(&self) -> usize {
        self.members().iter().filter(|m| !m.learner).count()
    }

    /// A leader that a quorum follows.
    pub(crate) fn led(&self) -> Option<usize> {
        let leader = self.leader?;
        let votes = self.members().iter().any(|m| m.slot == leader && !m.learner && self.is_up(m));
        (votes && self.live_voters() >= quorum(self.voters())).then_some(leader)
    }

    /// A quorum elects the one of them that has the most of the log.
    pub(crate) fn elect(&self) -> Option<Self> {
        let up = self.members().iter().filter(|m| !m.learner && self.is_up(m));
        let newest = up.max_by_key(|m| (self.runs(m.slot).map(|(_, version, _)| version), m.slot))?;
        if self.led().is_some() || self.live_voters() < quorum(self.voters()) {
            return None;
        }
        let mut next = self.clone();
        next.leader = Some(newest.slot);
        if self.runs(newest.slot).is_none_or(|(_, version, _)| version + 1 < self.history.len()) {
            next.breach = Some("a change that was committed is never lost");
        }
        Some(next)
    }

    /// A member applies what the leader has, or learns that it was removed and ends.
    pub(crate) fn apply_log(&self, slot: usize) -> Option<Self> {
        let (id, version, synced) = self.runs(slot)?;
        self.led()?;
        let newest = self.history.len() - 1;
        let mut next = self.clone();
        if self.members().iter().all(|m| m.id != id) {
            (next.slots[slot].up, next.slots[slot].published) = (false, false);
            return Some(next);
        }
        if synced && version == newest && self.slots[slot].published {
            return None;
        }
        next.slots[slot].disk = Disk::Data { id, version: newest, synced: true };
        next.slots[slot].published = true;
        Some(next)
    }

    /// A change of the membership: a quorum has it at once, the leader applies it.
    pub(crate) fn change(&mut self, change: impl FnOnce(&mut Vec<Listed>)) {
        let mut members = self.members().to_vec();
        change(&mut members);
        members.sort_unstable();
        let acknowledging: Vec<Listed> =
            self.members().iter().filter(|m| !m.learner && self.is_up(m)).copied().collect();
        self.history.push(members);
        let newest = self.history.len() - 1;
        for listed in acknowledging {
            if let Disk::Data { id, synced, .. } = self.slots[listed.slot].disk {
                self.slots[listed.slot].disk = Disk::Data { id, version: newest, synced };
            }
        }
    }

    /// The gate looks at the disk and the anchor, and starts the server if it may.
    pub(crate) fn look(&self, slot: usize) -> Option<Self> {
        let here = &self.slots[slot];
        if here.up || matches!(here.gate, Gate::Lost | Gate::Old) {
            return None;
        }
        let anchor = &self.anchors[slot];
        let mut next = self.clone();
        let pod = &mut next.slots[slot];
        match here.disk {
            Disk::Data { id, .. } => {
                let old = anchor.removed == Some(id) || anchor.member_id.is_some_and(|known| known != id);
                (pod.gate, pod.up) = if old { (Gate::Old, false) } else { (Gate::Data, true) };
            }
            Disk::Empty if anchor.initialized || (here.used.is_some() && here.used == anchor.start) => {
                pod.gate = Gate::Lost;
            }
            Disk::Empty | Disk::Litter => {
                pod.gate = if here.disk == Disk::Empty { Gate::Empty } else { Gate::Unused };
                if let Some(start) = anchor.start.clone().filter(|start| start.uid == here.uid.to_string()) {
                    pod.used = Some(start.clone());
                    next.start(slot, &start);
                }
            }
        }
        (next != *self).then_some(next)
    }

    fn start(&mut self, slot: usize, start: &Start) {
        let id = match start.state {
            StartState::New => self.begin(slot),
            StartState::Existing => self.join(slot, start),
        };
        let Some(id) = id else {
            self.slots[slot].disk = Disk::Litter;
            return;
        };
        if !self.written.insert(id) {
            self.breach = Some("no server starts without data under an id that held data");
        }
        let version = self.history.len() - 1;
        let learner = self.members().iter().any(|m| m.id == id && m.learner);
        self.slots[slot].disk = Disk::Data { id, version, synced: !learner };
        self.slots[slot].up = true;
    }

    fn begin(&mut self, slot: usize) -> Option<MemberId> {
        let id = self.seed.as_ref()?.member_id;
        if !self.history.is_empty() {
            self.breach = Some("a group begins once");
        }
        self.history = vec![vec![Listed { slot, id, learner: false }]];
        Some(id)
    }

    /// The first peer that answers must list exactly the members of the start.
    fn join(&self, slot: usize, start: &Start) -> Option<MemberId> {
        let (_, version, _) = (0..3).filter(|peer| *peer != slot).find_map(|peer| self.runs(peer))?;
        let members = &self.history[version];
        let urls: BTreeSet<Url> = members.iter().map(|m| url(m.slot)).collect();
        if urls != start.initial_cluster.keys().cloned().collect() {
            return None;
        }
        members.iter().find(|m| m.slot == slot).map(|m| m.id)
    }

    /// A step below a quorum, unless a server ended since it was planned.
    pub(crate) fn note_below_quorum(&mut self) {
        if !self.disturbed {
            self.breach = Some("no step takes the live voters below a quorum");
        }
    }

    /// The pod ends, and is made again.
    pub(crate) fn remake(&mut self, slot: usize) {
        let revision = self.revision;
        let here = &mut self.slots[slot];
        (here.uid, here.gate, here.up, here.used) = (here.uid + 1, Gate::Silent, false, None);
        here.published = false;
        self.revisions[slot] = revision;
        if self.leader == Some(slot) {
            self.leader = None;
        }
    }
}
