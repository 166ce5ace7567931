//! Where a member's own word, its peers' heartbeats and its worker's API differ.

use std::collections::BTreeMap;

use crate::data::goal::MemberGoal;
use crate::data::names::PodName;
use crate::data::replset::{MemberState, StatusMember};
use crate::data::topology::Pod;
use crate::view::SetView;

/// Who says what of a listed member, where not all say the same; absent where they agree.
pub(crate) fn of_member(view: &SetView<'_>, member: &MemberGoal) -> Option<String> {
    view.entry(member)?;
    let own = view.own_state(&member.pod);
    let peers: BTreeMap<&PodName, &StatusMember> = view.peers(member).collect();
    let pod = view.observations.get(&member.pod).map(|seen| &seen.pod);

    let fit = |heard: &StatusMember| heard.up && heard.state.healthy();
    let mut verdicts = own.map(MemberState::healthy).into_iter().chain(peers.values().map(|heard| fit(heard)));
    let first = verdicts.next()?;
    let mixed = verdicts.any(|verdict| verdict != first);
    let against_its_worker = match pod.and_then(runs) {
        Some(true) => !peers.is_empty() && peers.values().all(|heard| !heard.up),
        Some(false) => first,
        None => false,
    };
    if !mixed && !against_its_worker {
        return None;
    }
    let mut voices: Vec<String> = own.map(|state| format!("itself: {state}")).into_iter().collect();
    voices.extend(peers.iter().map(|(peer, heard)| {
        if heard.up { format!("{peer}: {}", heard.state) } else { format!("{peer}: silent") }
    }));
    voices.extend(pod.and_then(in_words).map(|word| format!("its worker: {word}")));
    Some(voices.join(", "))
}

/// Whether the pod runs, by its worker's API; absent where that says nothing.
fn runs(pod: &Pod) -> Option<bool> {
    match pod {
        Pod::Unknown { .. } => None,
        Pod::Absent => Some(false),
        Pod::Present(facts) => Some(facts.running && !facts.terminating),
    }
}

fn in_words(pod: &Pod) -> Option<&'static str> {
    match pod {
        Pod::Unknown { .. } => None,
        Pod::Absent => Some("no pod"),
        Pod::Present(facts) if facts.terminating => Some("its pod is ending"),
        Pod::Present(facts) if !facts.running => Some("its pod does not run"),
        Pod::Present(_) => Some("its pod runs"),
    }
}
