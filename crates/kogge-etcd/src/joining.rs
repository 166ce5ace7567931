//! How a member joins: added as a learner, recorded under the id that the group gave it, and only then started.

use std::collections::BTreeMap;

use crate::draft::Draft;
use crate::first_start::{may_have_lost, ready_to_start};
use crate::goal::{MemberGoal, Seed, Start, StartState};
use crate::ground::Ground;
use crate::names::{PodName, Url};
use crate::outcome::FindingKind;
use crate::step::Action;
use crate::topology::ListedMember;
use crate::view::CONNECTED_AFTER_SECS;
use crate::{held_out, version_rules};

/// Opens the gates of members that are listed under the id in their record and have not run yet. Every server that
/// answers has the same list by now: one that had not applied a removal would turn the new member's peers away.
pub(crate) fn allow_starts(ground: &Ground<'_>, draft: &mut Draft) {
    let Some(seed) = &ground.goal.seed else { return };
    let late = ground.view.another_list(|_| true);
    for (wanted, listed) in ground.view.listed() {
        let anchor = &wanted.anchor;
        let pod = &wanted.pod;
        if anchor.initialized || anchor.member_id != Some(listed.id) || ground.view.answers(pod) {
            continue;
        }
        match ready_to_start(ground.view, wanted) {
            Err(obstacle) => draft.wait_member(pod, obstacle, ground.view.silent_since(pod)),
            Ok(facts) if may_have_lost(wanted, facts) => {}
            Ok(_) if late.is_some() => {
                let others = late.map_or_else(String::new, ToString::to_string);
                draft.wait_member(pod, format!("{pod} starts once {others} lists it, as all others do"), None);
            }
            Ok(facts) => {
                let start = start(ground, seed, &facts.uid);
                if anchor.start.as_ref() == Some(&start) {
                    let since = ground.view.silent_since(pod);
                    draft.wait_member(
                        pod,
                        format!("{pod} is starting as a learner and does not answer yet"),
                        since,
                    );
                    continue;
                }
                draft.step(
                    Action::AllowStart { pod: pod.clone(), start },
                    "the group lists it, and its disk holds no data",
                    format!("{pod} serves as a learner"),
                );
            }
        }
    }
}

fn start(ground: &Ground<'_>, seed: &Seed, uid: &str) -> Start {
    Start {
        uid: uid.to_owned(),
        state: StartState::Existing,
        token: seed.token(&ground.goal.uid),
        initial_cluster: initial_cluster(ground),
    }
}

/// Exactly the group's members. etcd compares counts and URLs and not names, but merges what has one name.
fn initial_cluster(ground: &Ground<'_>) -> BTreeMap<Url, PodName> {
    let name = |listed: &ListedMember| {
        ground.view.pod_of(listed).cloned().unwrap_or_else(|| PodName::new(format!("member-{}", listed.id)))
    };
    let members = ground.view.members.iter();
    members.flat_map(|listed| listed.peer_urls.iter().map(move |url| (url.clone(), name(listed)))).collect()
}

/// What the next member may be that joins.
pub(crate) struct Joining<'a> {
    /// Wanted members that shall vote, are not listed and can be added now; those of the vdcs with the fewest votes first.
    pub(crate) ready: Vec<&'a MemberGoal>,
    /// A wanted member that shall vote is not listed.
    pub(crate) voters_missing: bool,
}

/// Sorts out who can join, and says what the others wait for.
pub(crate) fn find<'a>(ground: &Ground<'a>, draft: &mut Draft) -> Joining<'a> {
    let view = ground.view;
    let votes = view.votes_by_vdc();
    let mut joining = Joining { ready: Vec::new(), voters_missing: false };
    let mut missing: Vec<&MemberGoal> = view.goal.ordered_members();
    missing.retain(|wanted| view.entry(&wanted.pod).is_none() && ground.shall_vote(&wanted.pod));
    missing.sort_by_key(|wanted| votes.get(&wanted.vdc).copied().unwrap_or_default());
    for wanted in missing {
        joining.voters_missing = true;
        match joinable(ground, wanted) {
            Ok(()) => joining.ready.push(wanted),
            Err(obstacle) => draft.wait_member(&wanted.pod, obstacle, view.silent_since(&wanted.pod)),
        }
    }
    joining
}

fn joinable(ground: &Ground<'_>, wanted: &MemberGoal) -> Result<(), String> {
    let pod = &wanted.pod;
    if let Some(id) = wanted.anchor.member_id {
        return Err(format!("{pod} joins again once the anchors record that its member {id} was removed"));
    }
    if ground.view.answers(pod) {
        return Err(format!("the server of {pod} runs and the group does not list it"));
    }
    ready_to_start(ground.view, wanted)?;
    version_rules::may_join(ground.view)?;
    match ground.view.just_started() {
        Some(other) => Err(format!("{pod} joins once {other} has served for {CONNECTED_AFTER_SECS} s")),
        None => Ok(()),
    }
}

/// Plans that a member joins that shall vote, where a learner more is allowed. Returns whether a step is planned.
pub(crate) fn add_voter(ground: &Ground<'_>, joining: &Joining<'_>, draft: &mut Draft) -> bool {
    let Some(wanted) = joining.ready.first() else { return false };
    let limit = version_rules::max_learners(ground.view);
    let learners = ground.view.members.iter().filter(|m| m.learner).count();
    if learners >= limit {
        draft.wait_member(
            &wanted.pod,
            format!(
                "{} joins once the group has fewer than {limit} learners, its maxLearners; it has {learners}",
                wanted.pod
            ),
            None,
        );
        return false;
    }
    add(ground, wanted, draft);
    true
}

fn add(ground: &Ground<'_>, wanted: &MemberGoal, draft: &mut Draft) {
    draft.step(
        Action::AddLearner {
            via: ground.leader.pod.clone(),
            pod: wanted.pod.clone(),
            peer_url: wanted.peer_url.clone(),
        },
        "the spec has it, its pod runs, its disk is empty and its name resolves everywhere",
        format!("the group lists {}", wanted.peer_url),
    );
}

/// Plans that a member joins that never votes. One place among the learners stays free: every voter that joins needs it.
/// Returns whether all are there that have a place.
pub(crate) fn add_learners(ground: &Ground<'_>, draft: &mut Draft) -> bool {
    let view = ground.view;
    let limit = version_rules::max_learners(view);
    let permanent = view.listed().filter(|(wanted, m)| m.learner && !ground.shall_vote(&wanted.pod)).count();
    let mut places = limit.saturating_sub(1 + permanent);
    let mut done = true;
    let held_out = held_out::pods(view.goal);
    for wanted in view.goal.ordered_members() {
        let pod = &wanted.pod;
        if view.entry(pod).is_some() || ground.shall_vote(pod) || held_out.contains(pod) {
            continue;
        }
        if places == 0 {
            draft.finding_on(FindingKind::Surplus, pod, surplus(wanted, limit));
            continue;
        }
        places -= 1;
        done = false;
        match joinable(ground, wanted) {
            Ok(()) if !draft.changes_something() => add(ground, wanted, draft),
            Ok(()) => {}
            Err(obstacle) => draft.wait_member(pod, obstacle, view.silent_since(pod)),
        }
    }
    done
}

fn surplus(wanted: &MemberGoal, limit: usize) -> String {
    let pod = &wanted.pod;
    format!(
        "{pod} is not a member: it does not vote, and of {limit} learners (maxLearners) one place is kept free for voters \
         that join; raise maxLearners, from 3.6 on, or ask for fewer members"
    )
}
