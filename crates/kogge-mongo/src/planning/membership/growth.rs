//! Members join, without a vote, and those that shall vote get theirs.

use kogge_api::limits::REPLICA_SET_MEMBERS;

use crate::data::goal::MemberGoal;
use crate::data::replset::{ConfigMember, MAX_VOTERS, MemberState};
use crate::data::step::{Action, Change, NewMember};
use crate::data::topology::Replication;
use crate::planning::admission::{self, Admission};
use crate::planning::draft::Draft;
use crate::planning::membership::ground::Ground;
use crate::planning::membership::settle;

impl Ground<'_> {
    /// Plans the next promotion, or else the next addition. Returns whether none is left. A healthy member
    /// that waits for its vote holds the next addition; a silent one does not.
    pub(super) fn grow(&self, draft: &mut Draft<'_>) -> bool {
        let mut done = true;
        let mut held = false;
        for (wanted, listed) in self.listed() {
            if listed.votes > 0 || !self.voters.contains(&wanted.pod) {
                continue;
            }
            done = false;
            if self.promote(wanted, listed, draft) {
                return false;
            }
            held |= self.view.healthy(&wanted.host) && self.view.server(&wanted.pod).is_some();
        }
        if held {
            return false;
        }
        for wanted in self.view.set.ordered_members() {
            if self.view.entry(wanted).is_some() {
                continue;
            }
            match admission::admission(self.view, wanted) {
                Admission::Open => {}
                Admission::HeldOut => continue,
                Admission::Anew => {
                    self.reserve_id(wanted, None, draft);
                    return false;
                }
                Admission::Unwiped => {
                    draft.wait_member(
                        &wanted.pod,
                        "its volume to be deleted: it holds what the set went on without",
                        None,
                    );
                    continue;
                }
            }
            done = false;
            match self.joinable(wanted) {
                Ok(()) if self.is_full() => {
                    let full = format!("a member to leave: a replica set has at most {REPLICA_SET_MEMBERS}");
                    draft.wait_member(&wanted.pod, full, None);
                }
                Ok(()) => {
                    self.add(wanted, draft);
                    return false;
                }
                Err(obstacle) => {
                    draft.wait_member(&wanted.pod, obstacle, self.view.silent_since(&wanted.pod));
                }
            }
        }
        done
    }

    /// Whether MongoDB lets no other member in.
    pub(super) fn is_full(&self) -> bool {
        self.config.members.len() >= REPLICA_SET_MEMBERS as usize
    }

    fn promote(&self, wanted: &MemberGoal, listed: &ConfigMember, draft: &mut Draft<'_>) -> bool {
        if settle::set_hidden(self, wanted, listed, draft) {
            return true;
        }
        if self.view.state_of(&wanted.host) != Some(MemberState::Secondary)
            || !wanted.anchor.initialized
            || self.config.voters().count() >= MAX_VOTERS
        {
            return false;
        }
        if !self.view.caught_up(&listed.host) {
            draft.wait_member(&wanted.pod, "it to catch up with the primary", None);
            return false;
        }
        if !self.votes_may_change(draft) {
            return false;
        }
        draft.step(
            Action::Promote { change: self.change(listed) },
            format!("it is SECONDARY with small lag and one of the {} allotted voters", self.voters.len()),
            "the new config to be held by a majority",
        );
        true
    }

    /// Proves that a member runs, is reachable by its name and belongs to no other set, or says what is
    /// missing for the proof.
    fn joinable(&self, wanted: &MemberGoal) -> Result<(), String> {
        if !self.view.running_pod(wanted)?.resolves_everywhere {
            return Err(format!("its name {} to resolve in every vdc", wanted.host));
        }
        match self.view.server(&wanted.pod).map(|server| &server.replication) {
            None => Err("its server to answer".to_owned()),
            Some(Replication::Removed { .. }) => Ok(()),
            Some(Replication::Starting) => self.view.started_empty(wanted),
            Some(Replication::ShuttingDown) => Err("its server to start again, it is shutting down".to_owned()),
            Some(Replication::Member { .. }) => Err("it to leave the config that it still holds".to_owned()),
            Some(Replication::Unreadable { reason }) => {
                Err(format!("its replication state to be readable ({reason})"))
            }
        }
    }

    fn add(&self, wanted: &MemberGoal, draft: &mut Draft<'_>) {
        match self.unused_reservation(wanted) {
            Some(id) => draft.step(
                Action::AddMember {
                    change: Change {
                        via: self.primary.pod.clone(),
                        base: self.config.stamp,
                        id,
                        host: wanted.host.clone(),
                    },
                    member: NewMember {
                        id,
                        host: wanted.host.clone(),
                        votes: 0,
                        priority: 0,
                        hidden: wanted.hidden(),
                        tags: wanted.tags(),
                    },
                },
                "the goal has it and its pod runs and resolves everywhere",
                format!("{} to become SECONDARY with small lag", wanted.pod),
            ),
            None => self.reserve_id(wanted, None, draft),
        }
    }
}
