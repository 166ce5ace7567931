//! What reconfigurations start from: a set with a primary that lets the operator in, and a config that a majority holds.

use std::collections::BTreeSet;

use crate::data::goal::{Goal, MemberGoal, MemberRole};
use crate::data::names::PodName;
use crate::data::replset::{ConfigMember, ReplConfig, majority};
use crate::data::step::{Action, Change};
use crate::data::topology::Access;
use crate::planning::admission;
use crate::planning::draft::Draft;
use crate::view::{Primary, SetView};
use crate::votes::{Candidate, allot};

/// What every change of a config waits for.
pub(super) const HELD: &str = "the new config to be held by a majority";

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

/// Who shall vote: the allotment over the wanted voters, beside the votes that are not ours.
fn voters(view: &SetView<'_>, config: &ReplConfig) -> BTreeSet<PodName> {
    let wanted = view.set.members.iter();
    let candidates: Vec<Candidate> = wanted
        .filter(|m| m.role == MemberRole::Voter && !admission::is_held_out(view, m))
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

pub(super) fn find_ground<'a>(
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

    /// Beside an arbiter, a change of votes may change the implicit default write concern, which the server
    /// refuses (code 103) until an explicit one is set.
    pub(crate) fn votes_may_change(&self, draft: &mut Draft<'_>) -> bool {
        let may = self.default_write_concern || !self.config.members.iter().any(|m| m.arbiter);
        if !may {
            draft.wait("a default write concern to be set before votes change beside an arbiter");
        }
        may
    }
}
