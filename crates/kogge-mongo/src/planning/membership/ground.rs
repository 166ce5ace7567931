//! A running set towards its members: users, growth, votes, priorities, tags, and only then shrinking.

use std::collections::BTreeSet;

use kogge_api::gate::Report;

use crate::goal::{Goal, MemberGoal, MemberRole};
use crate::names::{MemberId, Placement, PodName};
use crate::plan::{Draft, FindingKind};
use crate::recovery::{self, Admission};
use crate::replset::{ConfigMember, MAX_VOTERS, MemberState, ReplConfig, majority};
use crate::step::{Action, Change, NewMember};
use crate::topology::{Access, Pod, PodFacts, Replication, waiting_for_gate};
use crate::view::{Primary, SetView};
use crate::votes::{Candidate, allot};
use crate::{bootstrap, identity, lost_disk, rename, renumber, settle, shrink, switchover};

/// A set whose primary answers and lets the operator in: what reconfigurations start from.
pub(crate) struct Ground<'a> {
    pub(crate) goal: &'a Goal,
    pub(crate) view: &'a SetView<'a>,
    pub(crate) primary: Primary<'a>,
    pub(crate) config: &'a ReplConfig,
    /// The pods that shall vote.
    pub(crate) voters: BTreeSet<PodName>,
    /// A default write concern is set for the whole cluster.
    default_write_concern: bool,
}

/// Plans at most one change of a set that was initiated, and the anchor records that go with it. Returns the ground
/// that it stands on, where the set has a primary that things can be asked of.
pub(crate) fn plan<'a>(
    goal: &'a Goal,
    view: &'a SetView<'a>,
    default_write_concern: bool,
    draft: &mut Draft<'_>,
) -> Option<Ground<'a>> {
    if rename::plan_alone(goal, view, draft) {
        return None;
    }
    let ground = find_ground(goal, view, default_write_concern, draft)?;
    plan_change(&ground, draft);
    Some(ground)
}

/// Repairs first, then the primary's place, then growth, and only then what shrinks the set.
fn plan_change(ground: &Ground<'_>, draft: &mut Draft<'_>) {
    let goal = ground.goal;
    if rename::plan(ground, draft) {
        return;
    }
    ground.mark_initialized(draft);
    ground.forget_left(draft);
    let disturbed = ground.wait_for_listed(draft);
    if lost_disk::plan(ground, draft) || renumber::plan(ground, draft) {
        return;
    }
    switchover::plan(goal, ground, disturbed, draft);
    if disturbed || draft.changes_something() || settle::make_electable(goal, ground, draft) {
        return;
    }
    let additions_done = ground.grow(draft);
    if draft.changes_something() {
        return;
    }
    settle::plan(goal, ground, draft);
    if !draft.changes_something() {
        shrink::plan(goal, ground, additions_done, draft);
    }
}

/// Who shall vote: the allotment over the wanted voters, beside the votes that are not ours.
fn voters(view: &SetView<'_>, config: &ReplConfig) -> BTreeSet<PodName> {
    let wanted = view.set.members.iter();
    let candidates: Vec<Candidate> = wanted
        .filter(|m| m.role == MemberRole::Voter && !recovery::is_held_out(view, m))
        .map(|m| Candidate {
            pod: m.pod.clone(),
            vdc: m.vdc.clone(),
            priority: m.priority,
            votes_now: view.entry(m).is_some_and(|c| c.votes > 0),
        })
        .collect();
    let foreign = config.voters().filter(|m| view.pod_of(&m.host).is_none()).count();
    allot(&candidates, foreign)
}

fn find_ground<'a>(
    goal: &'a Goal,
    view: &'a SetView<'a>,
    default_write_concern: bool,
    draft: &mut Draft<'_>,
) -> Option<Ground<'a>> {
    let Some(primary) = view.primary else {
        match view.primary_pod() {
            Some(pod) => {
                let since = view.silent_since(pod);
                draft.wait_member(pod, "an answer from it, the set's primary", since);
            }
            None => draft.wait("a primary to be elected"),
        }
        return None;
    };
    match primary.access {
        Access::Granted => {}
        Access::NoUsers | Access::NoOperator => {
            draft.step(
                Action::CreateUsers { via: primary.pod.clone() },
                "the set has a primary and does not know the operator's user yet",
                "the operator's user to be accepted",
            );
            return None;
        }
        Access::Refused { .. } => {
            draft.wait_member(primary.pod, "it to accept the operator's user", None);
            return None;
        }
    }
    let Some(config) = primary.config else {
        draft.wait_member(primary.pod, "its config to be readable", None);
        return None;
    };
    if let Some(newest) = view.config
        && newest.stamp.newer_than(config.stamp)
    {
        draft.wait_member(primary.pod, format!("the config of {} that another member holds", newest.stamp), None);
        return None;
    }
    let (holding, voters_of_config) = view.spread(config);
    if holding < majority(voters_of_config) {
        draft.wait(format!(
            "the config of {} to reach a majority of voters: {holding} of {voters_of_config} hold it",
            config.stamp
        ));
        return None;
    }
    Some(Ground { goal, view, primary, config, voters: voters(view, config), default_write_concern })
}

impl Ground<'_> {
    pub(crate) fn change(&self, member: &ConfigMember) -> Change {
        Change { via: self.primary.pod.clone(), base: self.config.stamp, id: member.id, host: member.host.clone() }
    }

    pub(crate) fn listed(&self) -> impl Iterator<Item = (&MemberGoal, &ConfigMember)> {
        let ordered = self.view.set.ordered_members().into_iter();
        ordered.filter_map(|wanted| Some((wanted, self.view.entry(wanted)?)))
    }

    fn mark_initialized(&self, draft: &mut Draft<'_>) {
        for (wanted, listed) in self.listed() {
            let holds_data =
                matches!(self.view.state_of(&wanted.host), Some(MemberState::Primary | MemberState::Secondary))
                    && self.view.server(&wanted.pod).is_some();
            if holds_data && !wanted.anchor.initialized && !renumber::is_renumbered(wanted, listed) {
                draft.step(
                    Action::MarkInitialized { pod: wanted.pod.clone(), member_id: listed.id },
                    "an empty disk behind its name is a lost disk from now on",
                    "the record in every anchor",
                );
            }
        }
    }

    fn forget_left(&self, draft: &mut Draft<'_>) {
        for leaving in &self.view.set.leaving {
            let pod = &leaving.pod;
            if self.config.members.iter().any(|m| self.view.pod_of(&m.host) == Some(pod)) {
                continue;
            }
            if let Some(place) = identity::recorded(self.view, pod, &leaving.host, leaving.anchor) {
                let what = format!("its answer: the config lists its id as {}, which may be it", place.host);
                draft.wait_member(pod, what, self.view.silent_since(pod));
                continue;
            }
            draft.step(
                Action::ForgetMember { pod: pod.clone() },
                "the config does not list it any more",
                "the record in every anchor",
            );
        }
    }

    /// Waits for listed members that are not healthy. Returns whether one is on its way to health:
    /// then nothing is reconfigured.
    fn wait_for_listed(&self, draft: &mut Draft<'_>) -> bool {
        let mut disturbed = false;
        for (wanted, listed) in self.listed() {
            let state = self.view.state_of(&listed.host);
            if state.is_some_and(MemberState::healthy) {
                if self.view.server(&wanted.pod).is_none() {
                    let trouble = self.view.trouble(listed, &wanted.pod);
                    draft.wait_member(&wanted.pod, trouble, self.view.silent_since(&wanted.pod));
                }
                continue;
            }
            let trouble = self.view.trouble(listed, &wanted.pod);
            draft.wait_member(&wanted.pod, trouble, self.view.silent_since(&wanted.pod));
            disturbed |= state.is_some_and(MemberState::in_transition) || self.view.lost_disk(wanted);
        }
        disturbed
    }

    /// Plans the next promotion, or else the next addition. Returns whether none is left. A healthy member
    /// that waits for its vote holds the next addition; a silent one does not.
    fn grow(&self, draft: &mut Draft<'_>) -> bool {
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
            match recovery::admission(self.view, wanted) {
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

    /// Beside an arbiter, a change of votes may change the implicit default write concern, which the server
    /// refuses (code 103) until an explicit one is set.
    pub(crate) fn votes_may_change(&self, draft: &mut Draft<'_>) -> bool {
        let may = self.default_write_concern || !self.config.members.iter().any(|m| m.arbiter);
        if !may {
            draft.wait("a default write concern to be set before votes change beside an arbiter");
        }
        may
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
        let seen = self.view.observations.get(&wanted.pod);
        match seen.map(|seen| &seen.pod) {
            None => return Err("its first observation".to_owned()),
            Some(Pod::Unknown { reason }) => return Err(format!("a view of its pod ({reason})")),
            Some(Pod::Absent) => return Err("its pod to be created".to_owned()),
            Some(Pod::Present(pod)) if pod.terminating => return Err("its pod to end".to_owned()),
            Some(Pod::Present(PodFacts { gate: Some(Report::Held(hold)), .. })) => {
                return Err(waiting_for_gate(hold));
            }
            Some(Pod::Present(pod)) if !pod.running => return Err("its pod to run".to_owned()),
            Some(Pod::Present(pod)) if !pod.resolves_everywhere => {
                return Err(format!("its name {} to resolve in every vdc", wanted.host));
            }
            Some(Pod::Present(_)) => {}
        }
        let pod = seen.and_then(|seen| seen.pod.facts());
        let believed = seen.is_some_and(|seen| seen.is_believed());
        match self.view.server(&wanted.pod).map(|server| &server.replication) {
            None => Err("its server to answer".to_owned()),
            Some(Replication::Removed { .. }) => Ok(()),
            Some(Replication::Starting) => pod.map_or(Ok(()), |pod| bootstrap::started_empty(pod, believed)),
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

    /// Whether the anchors of most placements were seen. Records are written to all that are seen, so any two such
    /// views share one, and an id that one operator used is known to the next.
    fn most_anchors_seen(&self) -> Result<(), String> {
        let unseen = &self.goal.unseen;
        let members = self.goal.sets.iter().flat_map(|set| &set.members).map(|member| &member.placement);
        let all: BTreeSet<&Placement> = members.chain(unseen.keys()).collect();
        match unseen.first_key_value() {
            Some((placement, reason)) if all.len() - unseen.len() < majority(all.len()) => Err(format!(
                "a complete view of most placements before it gets a member id; placement {placement}: {reason}"
            )),
            _ => Ok(()),
        }
    }

    /// The lowest `_id` that was never given.
    pub(crate) fn next_member_id(&self) -> u32 {
        let highest = self.config.members.iter().map(|m| m.id.0).max();
        highest.map_or(0, |id| id + 1).max(self.view.set.next_member_id)
    }

    /// The `_id` that the anchors reserve for a member that is not listed, if nobody can have had it: only the last
    /// one given is sure to be unused, and only while no other member's record names it as well.
    fn unused_reservation(&self, wanted: &MemberGoal) -> Option<MemberId> {
        let id = wanted.anchor.member_id.filter(|_| !wanted.anchor.initialized)?;
        let listed = self.config.members.iter().any(|m| m.id == id);
        let mut others = self.view.set.members.iter().filter(|m| m.pod != wanted.pod);
        let shared = others.any(|m| m.anchor.member_id == Some(id));
        (!listed && !shared && id.0 + 1 == self.next_member_id()).then_some(id)
    }

    /// Plans the record of the `_id` that a member will have, and of the one that it lost its disk under.
    pub(crate) fn reserve_id(&self, wanted: &MemberGoal, lost_as: Option<MemberId>, draft: &mut Draft<'_>) {
        if let Err(unseen) = self.most_anchors_seen() {
            draft.wait_member(&wanted.pod, unseen, None);
            return;
        }
        let next = self.next_member_id();
        if next >= MemberId::END {
            draft.finding(
                FindingKind::MemberIdsExhausted,
                format!(
                    "{} has used all {} member ids; no member can be added any more",
                    self.view.set.name,
                    MemberId::END
                ),
            );
            draft.wait_member(&wanted.pod, "a free member id", None);
            return;
        }
        draft.step(
            Action::ReserveMemberId { pod: wanted.pod.clone(), member_id: MemberId(next), lost_as },
            "an id is recorded before its member is added, and never used twice",
            "the record in every anchor",
        );
    }
}
