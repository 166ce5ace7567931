//! A learner gets its vote once it has followed the leader closely for several observations. etcd's own test (nine tenths
//! of the leader's log) passes a learner that is dead, and one that is 90,000 entries behind at 900,000.

use crate::draft::Draft;
use crate::goal::MemberGoal;
use crate::ground::Ground;
use crate::joining::Joining;
use crate::names::PodName;
use crate::step::Action;
use crate::topology::{ListedMember, SMALL_LAG};
use crate::version_rules;
use crate::votes::quorum;

/// Plans the next promotion. Returns whether none is left.
pub(crate) fn plan(ground: &Ground<'_>, joining: &Joining<'_>, draft: &mut Draft) -> bool {
    let view = ground.view;
    let votes = view.votes_by_vdc();
    let mut waiting: Vec<(&MemberGoal, &ListedMember)> =
        view.listed().filter(|(wanted, m)| m.learner && ground.shall_vote(&wanted.pod)).collect();
    waiting.sort_by_key(|(wanted, _)| votes.get(&wanted.vdc).copied().unwrap_or_default());
    let done = waiting.is_empty();
    let mut ready = Vec::new();
    for &(wanted, listed) in &waiting {
        match in_sync(ground, wanted, listed) {
            Ok(()) => ready.push((wanted, listed)),
            Err(obstacle) => draft.wait_member(&wanted.pod, obstacle, view.silent_since(&wanted.pod)),
        }
    }
    let Some(&(wanted, listed)) = ready.first() else { return done };
    let pod = &wanted.pod;
    let (live, voters) = view.live_voters();
    if let Err(mixed) = version_rules::may_join(view) {
        draft.wait_member(pod, mixed, None);
    } else if live + 1 < quorum(voters + 1) {
        draft.wait_member(pod, format!("{pod} is not promoted while {live} of {voters} voters are live"), None);
    } else if let Some(other) = second(ground, &waiting, &ready, joining) {
        draft.wait_member(pod, format!("{pod} is promoted together with {other}, so that votes stay odd"), None);
    } else {
        draft.step(
            Action::Promote { via: ground.leader.pod.clone(), pod: pod.clone(), member_id: listed.id },
            format!("it is at most {SMALL_LAG} entries behind the leader, as several observations in a row say"),
            format!("the group lists {pod} as a voter"),
        );
    }
    done
}

/// Another learner that is on its way to its vote, where one promotion alone would make the votes even. Only where the
/// group may have two learners: else they pass through an even number, which is said.
fn second<'a>(
    ground: &Ground<'_>,
    waiting: &'a [(&MemberGoal, &ListedMember)],
    ready: &[(&MemberGoal, &ListedMember)],
    joining: &'a Joining<'_>,
) -> Option<&'a PodName> {
    let view = ground.view;
    if view.voters().count().is_multiple_of(2) || ready.len() > 1 {
        return None;
    }
    let learners = view.members.iter().filter(|m| m.learner).count();
    let joins = joining.ready.first().filter(|_| learners < version_rules::max_learners(view));
    let mut syncing = waiting
        .iter()
        .filter(|(wanted, _)| view.answers(&wanted.pod) && ready.iter().all(|(ready, _)| ready.pod != wanted.pod));
    syncing.next().map(|(wanted, _)| &wanted.pod).or_else(|| joins.map(|wanted| &wanted.pod))
}

fn in_sync(ground: &Ground<'_>, wanted: &MemberGoal, listed: &ListedMember) -> Result<(), String> {
    let view = ground.view;
    let pod = &wanted.pod;
    if !view.is_live(listed) {
        return Err(format!("the learner {}", view.trouble(pod)));
    }
    let Some(lag) = view.lag(listed) else { return Err(format!("the lag of the learner {pod} is not known")) };
    if lag > SMALL_LAG {
        return Err(format!(
            "the learner {pod} is {lag} entries behind the leader, and at most {SMALL_LAG} are allowed"
        ));
    }
    if !wanted.anchor.initialized || !view.observations.get(pod).is_some_and(|seen| seen.is_in_sync()) {
        return Err(format!("the learner {pod} has caught up in too few observations in a row"));
    }
    Ok(())
}
