//! An operator: the real planner on what it sees, and its steps carried out one by one.

use std::collections::{BTreeMap, BTreeSet};

use kogge_api::gate::{self, Hold, HoldReason, Report};
use kogge_etcd::votes::quorum;
use kogge_etcd::{
    Action, ClusterId, Executor, Goal, LeavingMember, ListedMember, MemberAnchor, MemberGoal, MemberObservation,
    MemberRole, OBSERVATIONS_IN_SYNC, OBSERVATIONS_TO_BELIEVE, PeerAnswer, Plan, Pod, PodFacts, PodName, Recovery,
    Server, ServerState, Topology, Version, plan,
};

use crate::world::{Disk, Gate, Listed, World, url};

const NOW: u64 = 1_000_000;
const VERSION: Version = Version::new(3, 6, 14);

fn pod(slot: usize) -> PodName {
    PodName::new(format!("e-{slot}"))
}

fn slot_of(pod: &PodName) -> usize {
    pod.as_str().trim_start_matches("e-").parse().unwrap()
}

impl World {
    fn goal(&self) -> Goal {
        let member = |slot: usize| MemberGoal {
            pod: pod(slot),
            peer_url: url(slot),
            client_url: url(slot),
            placement: format!("p{slot}").into(),
            vdc: format!("v{slot}").into(),
            role: MemberRole::Voter,
            anchor: self.anchors[slot].clone(),
        };
        let leaving = |slot: usize| LeavingMember {
            pod: pod(slot),
            peer_url: url(slot),
            vdc: format!("v{slot}").into(),
            anchor: self.anchors[slot].clone(),
        };
        let known = |slot: &usize| self.anchors[*slot] != MemberAnchor::default();
        Goal {
            database: "e".to_owned(),
            uid: "u".to_owned(),
            members: (0..3).filter(|slot| self.wanted[*slot]).map(member).collect(),
            leaving: (0..3).filter(|slot| !self.wanted[*slot]).filter(known).map(leaving).collect(),
            seed: self.seed.clone(),
            unseen: BTreeMap::new(),
            rollout_order: Vec::new(),
            rolling: false,
            away_from: BTreeSet::new(),
            max_learners: 1,
            version: VERSION,
            quota_bytes: 2 << 30,
            window: kogge_etcd::Window::NotSet,
            auto_compaction: true,
            recovery: Recovery::default(),
            paused: false,
        }
    }

    fn sight(&self, hidden: Option<usize>) -> Topology {
        let seen = |slot: usize| MemberObservation {
            pod: if hidden == Some(slot) {
                Pod::Unknown { reason: "silent".to_owned() }
            } else {
                Pod::Present(self.facts(slot))
            },
            server: self.server(slot, hidden),
            refused_peers: BTreeSet::new(),
            observed_at: NOW,
            in_a_row: self.seen_in_a_row(slot),
            in_sync: OBSERVATIONS_IN_SYNC,
            serving_since: Some(0),
        };
        Topology { members: (0..3).map(|slot| (pod(slot), seen(slot))).collect() }
    }

    /// What passes soon is not seen several times: a pod whose gate has not looked yet, and a server that has not published
    /// itself yet and has a quorum.
    fn seen_in_a_row(&self, slot: usize) -> u32 {
        let starting = self.runs(slot).is_some() && !self.slots[slot].published;
        let soon = self.live_voters() >= quorum(self.voters());
        let made = self.slots[slot].gate == Gate::Silent;
        if made || (starting && soon) { 1 } else { OBSERVATIONS_TO_BELIEVE }
    }

    fn facts(&self, slot: usize) -> PodFacts {
        let open = |disk| Some(Report::Open { disk, message: "by the gate".to_owned() });
        let held = |reason| Some(Report::Held(Hold { reason, message: "by the gate".to_owned() }));
        let here = &self.slots[slot];
        PodFacts {
            uid: here.uid.to_string(),
            running: true,
            ready: here.up,
            terminating: false,
            revision: Some(self.revisions[slot].to_string()),
            target_revision: Some(self.revision.to_string()),
            resolves_everywhere: true,
            gate: match here.gate {
                Gate::Silent => None,
                Gate::Empty => open(gate::Disk::Empty),
                Gate::Unused => open(gate::Disk::Unused),
                Gate::Data => open(gate::Disk::Data),
                Gate::Lost => held(HoldReason::LostDisk),
                Gate::Old => held(HoldReason::OldDisk),
            },
        }
    }

    fn server(&self, slot: usize, hidden: Option<usize>) -> Server {
        let (Some((id, version, synced)), false) = (self.runs(slot), hidden == Some(slot)) else {
            return Server::Unreachable { reason: "no answer".to_owned(), since: NOW };
        };
        let cluster_id = self.seed.as_ref().map_or(ClusterId(0), |seed| seed.cluster_id);
        let list =
            |m: &Listed| ListedMember { id: m.id, name: None, peer_urls: vec![url(m.slot)], learner: m.learner };
        let members: Vec<ListedMember> = self.history[version].iter().map(list).collect();
        let index = |version: usize| 10_000 + version as u64;
        if !self.slots[slot].published || !synced {
            return Server::PeerOnly(PeerAnswer {
                cluster_id,
                members,
                version: VERSION,
                cluster_version: Some(VERSION.series()),
                raft_index: Some(index(version)),
            });
        }
        Server::Serving(ServerState {
            member_id: id,
            cluster_id,
            leader: self.led().and_then(|leader| self.runs(leader)).map(|(id, ..)| id),
            raft_term: 1,
            raft_index: index(self.history.len()),
            applied_index: index(version),
            db_size: 0,
            db_size_in_use: 0,
            learner: members.iter().any(|m| m.id == id && m.learner),
            version: VERSION,
            cluster_version: Some(VERSION.series()),
            storage_version: None,
            alarms: BTreeSet::new(),
            members,
            active_peers: None,
        })
    }

    pub(crate) fn plan(&self, hidden: Option<usize>) -> Plan {
        plan(&self.goal(), &self.sight(hidden), NOW)
    }

    /// The operator looks, and plans; what it was about to do is forgotten.
    pub(crate) fn observe(&self, hidden: Option<usize>) -> Option<Self> {
        let pending: Vec<Action> = self.plan(hidden).steps.into_iter().map(|step| step.action).collect();
        if pending == self.pending && !self.disturbed {
            return None;
        }
        let mut next = self.clone();
        if pending.iter().filter(|action| action.executor() != Executor::Anchor).count() > 1 {
            next.breach = Some("one change at a time");
        }
        next.left.deaths -= u8::from(!self.pending.is_empty());
        next.left.partial_views -= u8::from(hidden.is_some());
        (next.pending, next.disturbed) = (pending, false);
        Some(next)
    }

    /// The operator carries out the next step that it planned.
    pub(crate) fn act(&self) -> Option<Self> {
        let mut next = self.clone();
        if next.pending.is_empty() {
            return None;
        }
        let action = next.pending.remove(0);
        next.carry_out(&action);
        Some(next)
    }

    fn carry_out(&mut self, action: &Action) {
        match action {
            Action::RecordSeed { seed } => {
                let anchor = &mut self.anchors[slot_of(&seed.pod)];
                *anchor = MemberAnchor { member_id: Some(seed.member_id), ..MemberAnchor::default() };
                self.seed = Some(seed.clone());
            }
            Action::AllowStart { pod, start } => self.anchors[slot_of(pod)].start = Some(start.clone()),
            Action::RecordMember { pod, member_id } => {
                let anchor = &mut self.anchors[slot_of(pod)];
                let removed = anchor.member_id.or(anchor.removed);
                *anchor = MemberAnchor { member_id: Some(*member_id), removed, ..MemberAnchor::default() };
            }
            Action::MarkInitialized { pod, member_id } => {
                let anchor = &mut self.anchors[slot_of(pod)];
                let removed = anchor.removed;
                *anchor = MemberAnchor { member_id: Some(*member_id), initialized: true, start: None, removed };
            }
            Action::RecordRemoved { pod, member_id } => {
                self.anchors[slot_of(pod)] = MemberAnchor { removed: Some(*member_id), ..MemberAnchor::default() };
            }
            Action::ForgetMember { pod } => {
                let slot = slot_of(pod);
                self.anchors[slot] = MemberAnchor::default();
                // Its pod and its volume are released.
                self.slots[slot].disk = Disk::Empty;
                self.remake(slot);
            }
            Action::RestartPod { pod, uid } => self.restart(slot_of(pod), uid),
            call => self.call(call),
        }
    }

    fn restart(&mut self, slot: usize, uid: &str) {
        if self.slots[slot].uid.to_string() != uid {
            return;
        }
        let votes = self.members().iter().any(|m| m.slot == slot && !m.learner) && self.runs(slot).is_some();
        if votes && self.led().is_some() && self.voters() > 2 {
            if self.leader == Some(slot) && !self.disturbed {
                self.breach = Some("a leader hands over before its restart");
            } else if self.live_voters() - 1 < quorum(self.voters()) {
                self.note_below_quorum();
            }
        }
        self.remake(slot);
    }

    fn call(&mut self, action: &Action) {
        if self.led().is_none() {
            return;
        }
        let (live, voters) = (self.live_voters(), self.voters());
        match action {
            Action::AddLearner { pod, .. } => {
                let slot = slot_of(pod);
                let taken = self.members().iter().any(|m| m.slot == slot || m.learner);
                if !taken && (voters == 1 || live >= quorum(voters + 1)) {
                    let id = kogge_etcd::MemberId(self.next_id);
                    self.next_id += 1;
                    self.change(|members| members.push(Listed { slot, id, learner: true }));
                }
            }
            Action::Promote { member_id, .. } => {
                let Some(listed) = self.members().iter().find(|m| m.id == *member_id && m.learner).copied() else {
                    return;
                };
                // etcd passes a learner that is dead: its match is remembered.
                let is_up = self.runs(listed.slot).is_some_and(|(id, ..)| id == listed.id);
                if !is_up && live < quorum(voters + 1) {
                    self.note_below_quorum();
                }
                self.change(|members| members.iter_mut().find(|m| m.id == listed.id).unwrap().learner = false);
            }
            Action::Remove { member_id, .. } => {
                let Some(listed) = self.members().iter().find(|m| m.id == *member_id).copied() else { return };
                let is_up = self.runs(listed.slot).is_some_and(|(id, ..)| id == listed.id);
                let left = live - usize::from(is_up && !listed.learner);
                if !listed.learner && (voters == 1 || left < quorum(voters - 1)) {
                    self.note_below_quorum();
                    return;
                }
                self.change(|members| members.retain(|m| m.id != listed.id));
                if self.leader == Some(listed.slot) {
                    self.leader = None;
                }
            }
            Action::MoveLeader { member_id, .. } => {
                let heir = self.members().iter().find(|m| m.id == *member_id && !m.learner).copied();
                if let Some(heir) = heir.filter(|heir| self.runs(heir.slot).is_some()) {
                    self.leader = Some(heir.slot);
                }
            }
            other => panic!("not in this model: {other}"),
        }
    }
}
