//! From nothing to one member: exactly one seed, recorded under its ids before it starts.
//!
//! etcd's `--initial-cluster-state=new` goes on where its peers are silent, so two members that start as `new` are two
//! groups that both take writes. So one member alone starts as `new`, with a list of itself, once.

use std::collections::BTreeMap;

use kogge_api::gate::Disk;

use crate::approval;
use crate::draft::Draft;
use crate::first_start::{may_have_lost, ready_to_start};
use crate::goal::{Goal, MemberGoal, MemberRole, Seed, SeedSource, Start, StartState};
use crate::identity;
use crate::names::ClusterId;
use crate::outcome::{Approval, FindingKind};
use crate::step::Action;
use crate::topology::PodFacts;
use crate::view::GroupView;
use crate::votes::{Candidate, allot};

/// Plans the beginning of a group that no member is known to have.
pub(crate) fn plan(view: &GroupView<'_>, draft: &mut Draft) {
    let Some(seed) = &view.goal.seed else {
        find_seed(view, draft);
        return;
    };
    if let Some(member) = view.goal.member(&seed.pod) {
        start(view, seed, member, draft);
        return;
    }
    let pod = &seed.pod;
    draft.finding_on(
        FindingKind::SeedLost,
        pod,
        format!(
            "{pod} is recorded as the seed of {} and is no wanted member any more; put its placement back, \
             or remove the seed from the anchors once it is certain that it has never started",
            view.goal.database
        ),
    );
    draft.wait_member(pod, format!("the recorded seed {pod} is not among the wanted members"), None);
}

/// Records the seed once every placement has been seen and every member is proven empty.
fn find_seed(view: &GroupView<'_>, draft: &mut Draft) {
    let goal = view.goal;
    for (placement, reason) in &goal.unseen {
        draft.wait(format!("placement {placement} has not been observed completely yet ({reason})"));
    }
    let mut proven_empty = goal.unseen.is_empty();
    for member in goal.ordered_members() {
        if let Err(obstacle) = empty(view, member) {
            draft.wait_member(&member.pod, obstacle, view.silent_since(&member.pod));
            proven_empty = false;
        }
    }
    if !proven_empty {
        return;
    }
    if let Some(member) = choose(goal) {
        record(
            view,
            member,
            0,
            format!("all {} members are proven empty, and exactly one may begin the group", goal.members.len()),
            draft,
        );
    }
}

/// The first of the members that will vote, outside of the vdcs that the leader shall not be in.
fn choose(goal: &Goal) -> Option<&MemberGoal> {
    let may_vote = goal.members.iter().filter(|m| m.role == MemberRole::Voter);
    let candidates: Vec<Candidate> =
        may_vote.map(|m| Candidate { pod: m.pod.clone(), vdc: m.vdc.clone(), votes_now: false }).collect();
    let voters = allot(&candidates, 0);
    let ordered = goal.ordered_members().into_iter().filter(|m| voters.contains(&m.pod));
    ordered.min_by_key(|m| goal.away_from.contains(&m.vdc))
}

fn record(view: &GroupView<'_>, member: &MemberGoal, incarnation: u32, reason: String, draft: &mut Draft) {
    let seed = identity::seed(view.goal, &member.pod, &member.peer_url, incarnation, SeedSource::Empty);
    draft.step(Action::RecordSeed { seed }, reason, "every anchor holds the record");
}

/// Proves that a member runs and holds nothing, or says what is missing for the proof. Its disk is what the gate saw at
/// this start; a server that answers has data.
fn empty(view: &GroupView<'_>, member: &MemberGoal) -> Result<(), String> {
    let pod = &member.pod;
    if view.answers(pod) {
        return Err(format!("the server of {pod} answers, so its disk is not empty"));
    }
    ready_to_start(view, member).map(|_| ())
}

/// Opens the gate of the recorded seed, once, or restarts it into the restored group.
fn start(view: &GroupView<'_>, seed: &Seed, member: &MemberGoal, draft: &mut Draft) {
    let pod = &member.pod;
    if let SeedSource::OwnDisk { of } = seed.source {
        restore(view, seed, of, member, draft);
        return;
    }
    let present = view.present_pod(pod);
    if member.anchor.start.is_some() && present.is_some_and(|facts| may_have_lost(member, facts)) {
        seed_lost(view, seed, member, draft);
        return;
    }
    if let Some(facts) = present.filter(|facts| facts.is_held_empty() && view.is_believed(pod)) {
        draft.step(
            Action::RestartPod { pod: pod.clone(), uid: facts.uid.clone() },
            "it may begin the group again, and its gate reads the record when the pod starts",
            format!("the gate of {pod} reports an empty disk"),
        );
        return;
    }
    let used_here = present.is_some_and(|facts| member.anchor.start.as_ref().is_some_and(|s| s.uid == facts.uid));
    if used_here {
        draft.wait_member(
            pod,
            format!("the seed {pod} is starting and does not answer yet"),
            view.silent_since(pod),
        );
        return;
    }
    match ready_to_start(view, member) {
        Err(obstacle) => draft.wait_member(pod, obstacle, view.silent_since(pod)),
        Ok(facts) => draft.step(
            Action::AllowStart { pod: pod.clone(), start: alone(view.goal, seed, member, facts) },
            "the anchors name it as the one seed, and its disk is empty",
            format!("{pod} leads a group of one"),
        ),
    }
}

/// How a seed starts: as a group of its own.
fn alone(goal: &Goal, seed: &Seed, member: &MemberGoal, facts: &PodFacts) -> Start {
    Start {
        uid: facts.uid.clone(),
        state: StartState::New,
        token: seed.token(&goal.uid),
        initial_cluster: BTreeMap::from([(member.peer_url.clone(), member.pod.clone())]),
    }
}

/// Lets the gate of the recorded seed restore its disk. A pod that is made again meanwhile goes on with it: until the
/// restored server was seen, its disk alone says how far the restore is.
fn restore(view: &GroupView<'_>, seed: &Seed, of: ClusterId, member: &MemberGoal, draft: &mut Draft) {
    let pod = &member.pod;
    let present = view.present_pod(pod);
    if present.is_some_and(|facts| facts.is_held_empty() || facts.disk() == Some(Disk::Empty)) {
        draft.finding_on(
            FindingKind::SeedLost,
            pod,
            format!(
                "the disk of {pod}, from which {} was to be restored, is empty; bring its volume back, or restore a snapshot \
                 into a new database",
                view.goal.database
            ),
        );
    }
    if let Some(facts) = present.filter(|_| view.former.contains_key(pod)) {
        draft.step(
            Action::RestartPod { pod: pod.clone(), uid: facts.uid.clone() },
            format!("its server still runs for cluster {of}, and its gate restores the data when the pod starts"),
            format!("the gate of {pod} reports the data of cluster {of}"),
        );
        return;
    }
    let Some(facts) = present.filter(|facts| facts.running && facts.disk() == Some(Disk::Data)) else {
        let since = view.silent_since(pod);
        draft.wait_member(
            pod,
            format!("{pod} is to restore its data, and its gate has not reported them yet"),
            since,
        );
        return;
    };
    let start = alone(view.goal, seed, member, facts);
    if member.anchor.start.as_ref() == Some(&start) {
        let since = view.silent_since(pod);
        draft.wait_member(pod, format!("{pod} restores the data of cluster {of} and does not answer yet"), since);
        return;
    }
    draft.step(
        Action::AllowStart { pod: pod.clone(), start },
        format!("the anchors name it as the one seed, and its disk holds the data of cluster {of}"),
        format!("{pod} leads the restored group"),
    );
}

/// The seed may have held data and has none: nothing begins again by itself. Another token, and so other ids, keeps the
/// new group apart from whatever the first start has left.
fn seed_lost(view: &GroupView<'_>, seed: &Seed, member: &MemberGoal, draft: &mut Draft) {
    let pod = &member.pod;
    let database = &view.goal.database;
    draft.finding_on(
        FindingKind::SeedLost,
        pod,
        format!(
            "the disk of the seed {pod} is empty, and it was allowed to start on it before; Kogge does not begin {database} \
             a second time by itself: restore its volume, or approve a new beginning"
        ),
    );
    let hash = approval::hash(&format!("reseed\n{database}\n{}\n{}\n", seed.incarnation, seed.cluster_id));
    if view.goal.recovery.approved.contains(&hash) && view.is_believed(pod) {
        let reason = format!("the disk of the seed {pod} is empty, and you approved a new beginning");
        record(view, member, seed.incarnation + 1, reason, draft);
        return;
    }
    draft.approvals.push(Approval {
        message: format!(
            "{pod} begins {database} a second time, as another cluster and without data; whatever was written to cluster \
             {} is lost",
            seed.cluster_id
        ),
        hash,
    });
    draft.wait_member(
        pod,
        format!("the disk of the seed {pod} is empty, and a new beginning is not approved"),
        None,
    );
}
