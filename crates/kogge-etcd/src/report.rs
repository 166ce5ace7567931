//! What you must know of the group; nothing is done about it here.

use std::collections::BTreeMap;

use kogge_api::federated_etcd::Quota;
use kogge_api::gate::HoldReason;

use crate::draft::Draft;
use crate::goal::MemberRole;
use crate::held_out;
use crate::names::{Url, Vdc};
use crate::outcome::FindingKind;
use crate::topology::{Millis, PodFacts};
use crate::view::GroupView;
use crate::votes::{majority_vdc, quorum};

/// What has been waited for this long needs your attention.
const STUCK_AFTER: Millis = 20 * 60 * 1_000;

/// Reports everything that the observation shows by itself.
pub(crate) fn findings(view: &GroupView<'_>, draft: &mut Draft) {
    strangers(view, draft);
    foreign_members(view, draft);
    holds(view, draft);
    refused_peers(view, draft);
    majority_lost(view, draft);
    shape(view, draft);
    quota(view, draft);
    compaction(view, draft);
}

/// Reports what has been waited for so long that it will hardly come about by itself.
pub(crate) fn stuck(now: Millis, draft: &mut Draft) {
    let long = |since: Millis| now.saturating_sub(since) > STUCK_AFTER;
    let waits = draft.waiting.iter().filter(|waiting| waiting.since.is_some_and(long));
    let stuck: Vec<_> = waits.cloned().collect();
    for waiting in stuck {
        let message = format!("for more than 20 minutes: {}", waiting.message);
        match &waiting.member {
            Some(member) => draft.finding_on(FindingKind::Stuck, member, message),
            None => draft.finding(FindingKind::Stuck, message),
        }
    }
}

fn strangers(view: &GroupView<'_>, draft: &mut Draft) {
    for (pod, cluster) in &view.strangers {
        let own = view.goal.seed.as_ref().map_or_else(
            || format!("no id that follows from the token of {}", view.goal.database),
            |seed| format!("not cluster {}", seed.cluster_id),
        );
        draft.finding_on(
            FindingKind::ForeignCluster,
            pod,
            format!("the server of {pod} belongs to cluster {cluster}, {own}; Kogge leaves it alone: find out who started it"),
        );
        draft.wait_member(pod, format!("the server of {pod} belongs to cluster {cluster}"), None);
    }
}

fn foreign_members(view: &GroupView<'_>, draft: &mut Draft) {
    for listed in view.members.iter().filter(|listed| view.pod_of(listed).is_none()) {
        let urls: Vec<&str> = listed.peer_urls.iter().map(Url::as_str).collect();
        draft.finding(
            FindingKind::ForeignMember,
            format!(
                "the group lists member {} at {}, which is not in the spec; Kogge keeps it and counts its vote: remove it \
                 with `etcdctl member remove` if it is not wanted",
                listed.id,
                urls.join(", ")
            ),
        );
    }
}

fn holds(view: &GroupView<'_>, draft: &mut Draft) {
    // Those that are held out are told of as such: that says more than what their gates see.
    let held_out = held_out::pods(view.goal);
    for pod in view.goal.ordered_members().into_iter().map(|m| &m.pod).filter(|pod| !held_out.contains(pod)) {
        if let Some(hold) = view.hold(pod).filter(|hold| hold.reason != HoldReason::LostDisk) {
            draft.finding_on(FindingKind::HeldByGate, pod, format!("the gate of {pod} holds its server ({hold})"));
        }
    }
    let mut members = view.goal.members.iter().peekable();
    let held_data = view.goal.members.iter().any(|m| m.anchor.initialized);
    let all_lost = members.peek().is_some()
        && members.all(|m| view.present_pod(&m.pod).is_some_and(PodFacts::is_held_empty) || !m.anchor.initialized);
    if held_data && all_lost && view.servers.is_empty() {
        draft.finding(
            FindingKind::GroupLost,
            format!(
                "every member of {} lost its disk; Kogge does not begin it again by itself: restore a volume, or a snapshot \
                 into a new database",
                view.goal.database
            ),
        );
    }
}

fn refused_peers(view: &GroupView<'_>, draft: &mut Draft) {
    for (pod, seen) in &view.observations {
        for peer in &seen.refused_peers {
            draft.finding_on(
                FindingKind::PeerCertificateRefused,
                pod,
                format!(
                    "{pod} refuses a peer at {} because of its certificate ({}); let the certificate list the peer's full \
                     name, and let the address resolve back to it",
                    peer.address, peer.reason
                ),
            );
        }
    }
}

fn majority_lost(view: &GroupView<'_>, draft: &mut Draft) {
    let voters = view.voters().count();
    let known = view.voters().all(|m| {
        let seen = view.pod_of(m).and_then(|pod| view.observations.get(pod));
        seen.is_some_and(|seen| seen.is_believed())
    });
    let running =
        view.voters().filter(|m| view.pod_of(m).is_some_and(|pod| view.servers.contains_key(pod))).count();
    // A group that has not begun has no voter, and has lost none.
    if voters > 0 && view.leader_pod().is_none() && known && running < quorum(voters) {
        draft.finding(
            FindingKind::MajorityLost,
            format!(
                "{running} of {voters} voters of {} respond and {} are needed; Kogge forces nothing: bring members back, or \
                 see `kogge recover` where they are lost",
                view.goal.database,
                quorum(voters)
            ),
        );
    }
}

fn quota(view: &GroupView<'_>, draft: &mut Draft) {
    let bytes = view.goal.quota_bytes;
    if Quota::of_bytes(bytes).is_above_advised() {
        draft.finding(
            FindingKind::QuotaAboveAdvised,
            format!(
                "spec.quotaBackendBytes is {bytes} bytes, and etcd's documentation advises 8Gi at most: the larger the \
                 database, the longer its members take to start, to join and to be defragmented"
            ),
        );
    }
}

fn compaction(view: &GroupView<'_>, draft: &mut Draft) {
    if !view.goal.auto_compaction {
        draft.finding(
            FindingKind::NoAutoCompaction,
            "the value flags.auto-compaction-retention turns automatic compaction off, so the database keeps every \
             revision and grows until a client compacts it: set a retention such as 1h, or let a client compact it",
        );
    }
}

/// What the shape that the spec asks for cannot survive.
fn shape(view: &GroupView<'_>, draft: &mut Draft) {
    let may_vote: Vec<_> = view.goal.members.iter().filter(|m| m.role == MemberRole::Voter).collect();
    if may_vote.len().is_multiple_of(2) {
        draft.finding(
            FindingKind::EvenVoters,
            format!(
                "the spec has {} members that may vote; an even number survives no more losses than {}: add one, or remove \
                 one",
                may_vote.len(),
                may_vote.len() - 1
            ),
        );
    }
    let mut wanted: BTreeMap<Vdc, usize> = BTreeMap::new();
    for member in &may_vote {
        *wanted.entry(member.vdc.clone()).or_default() += 1;
    }
    let votes = view.votes_by_vdc();
    if wanted.len() == 2 && votes.len() == 2 {
        let all: usize = votes.values().sum();
        let larger = majority_vdc(&votes).map_or_else(|| "either vdc".to_owned(), |vdc| format!("the vdc {vdc}"));
        draft.finding(
            FindingKind::MajorityInOneVdc,
            format!(
                "the {all} voters of {} are in two vdcs, so the loss of {larger} stops writes; a third vdc with one voter \
                 prevents that",
                view.goal.database
            ),
        );
    }
}
