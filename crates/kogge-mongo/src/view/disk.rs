//! What is on a member's disk: by its gate, and by its server where that has passed by the gate.

use kogge_api::gate::{Disk, Hold, Report};

use crate::data::goal::MemberGoal;
use crate::data::topology::{Pod, PodFacts, Replication};
use crate::view::set::SetView;

impl<'a> SetView<'a> {
    /// Why the gate in a member's pod holds it; none where the server may run.
    pub(crate) fn hold(&self, member: &MemberGoal) -> Option<&'a Hold> {
        self.present_pod(member)?.hold()
    }

    /// Whether a wanted member's disk is empty although it held the set's data: its gate says so, or its server has
    /// passed by the gate and fetches all data again. Only what has been observed several times counts.
    pub(crate) fn lost_disk(&self, member: &MemberGoal) -> bool {
        let believed = self.observations.get(&member.pod).is_some_and(|seen| seen.is_believed());
        believed && member.anchor.initialized && (self.held_empty(member).is_some() || self.syncs_again(member))
    }

    /// The pod whose gate found an empty disk. A member that its peers hear runs, whatever its pod says.
    pub(crate) fn held_empty(&self, member: &MemberGoal) -> Option<&'a PodFacts> {
        let pod = self.present_pod(member)?;
        let held = pod.is_held_empty();
        let heard = self.server(&member.pod).is_some() || self.heard(&member.host).is_some_and(|heard| heard.up);
        (held && !heard).then_some(pod)
    }

    pub(crate) fn present_pod(&self, member: &MemberGoal) -> Option<&'a PodFacts> {
        match &self.observations.get(&member.pod)?.pod {
            Pod::Present(pod) if !pod.terminating => Some(pod),
            _ => None,
        }
    }

    /// The pod of a member, where its gate has let its server start and it runs; else what is missing for that. A pod
    /// that is not there, or that nobody has seen, is none that runs.
    pub(crate) fn running_pod(&self, member: &MemberGoal) -> Result<&'a PodFacts, String> {
        match self.observations.get(&member.pod).map(|seen| &seen.pod) {
            None => Err("its first observation".to_owned()),
            Some(Pod::Unknown { reason }) => Err(format!("a view of its pod ({reason})")),
            Some(Pod::Absent) => Err("its pod to be created".to_owned()),
            Some(Pod::Present(pod)) if pod.terminating => Err("its pod to end".to_owned()),
            Some(Pod::Present(PodFacts { gate: Some(Report::Held(hold)), .. })) => Err(waiting_for_gate(hold)),
            Some(Pod::Present(pod)) if !pod.running => Err("its pod to run".to_owned()),
            Some(Pod::Present(pod)) => Ok(pod),
        }
    }

    /// Proves that a member's server started on a disk without data of a set, or says what is missing for the proof. A
    /// disk that has been started on before is believed only together with a server that says for several
    /// observations that it knows of no set.
    pub(crate) fn started_empty(&self, member: &MemberGoal) -> Result<(), String> {
        let pod = self.running_pod(member)?;
        let believed = self.observations.get(&member.pod).is_some_and(|seen| seen.is_believed());
        match pod.disk() {
            Some(Disk::Empty) => Ok(()),
            Some(Disk::Unused) if believed => Ok(()),
            Some(Disk::Unused) => {
                Err("its server to say several times that it belongs to no replica set".to_owned())
            }
            Some(Disk::Data) => Err(match &pod.gate {
                Some(report) => format!("an empty disk; its gate reports {report}"),
                None => "an empty disk".to_owned(),
            }),
            None => Err("its gate's report of what is on its disk; delete the pod if none comes".to_owned()),
        }
    }

    /// A member that held data does its initial sync: its disk was lost, and no gate has noticed.
    fn syncs_again(&self, member: &MemberGoal) -> bool {
        self.server(&member.pod).is_some_and(|server| match &server.replication {
            Replication::Member { status, .. } => status.initial_sync.is_some(),
            _ => false,
        })
    }
}

/// What is waited for where a gate holds, as a sentence.
pub(crate) fn waiting_for_gate(hold: &Hold) -> String {
    format!("its gate to let it start ({hold})")
}

#[cfg(test)]
mod tests;
