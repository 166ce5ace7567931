//! Whether a server may start for the first time: what its pod and its gate say of its disk.

use kogge_api::gate::{Disk, Report};

use crate::goal::MemberGoal;
use crate::topology::{Pod, PodFacts};
use crate::view::GroupView;

/// The pod of a member whose server may start for the first time: it runs, its name resolves, and its gate found a disk
/// without a member's data. Litter of earlier starts is believed only after several observations.
pub(crate) fn ready_to_start<'a>(view: &GroupView<'a>, member: &MemberGoal) -> Result<&'a PodFacts, String> {
    let pod = &member.pod;
    let seen = view.observations.get(pod).ok_or_else(|| format!("{pod} has not been observed yet"))?;
    let facts = match &seen.pod {
        Pod::Unknown { reason } => return Err(format!("the pod {pod} is not observed ({reason})")),
        Pod::Absent => return Err(format!("the pod {pod} does not exist yet")),
        Pod::Present(facts) if facts.terminating => return Err(format!("the pod {pod} is terminating")),
        Pod::Present(facts) => facts,
    };
    match &facts.gate {
        None => {
            return Err(format!(
                "the gate of {pod} has not reported what is on its disk; delete the pod if no report comes"
            ));
        }
        Some(Report::Held(hold)) => return Err(format!("the gate of {pod} holds its server ({hold})")),
        Some(Report::Open { disk: Disk::Data, .. }) => {
            return Err(format!("the disk of {pod} holds data and its server does not answer"));
        }
        Some(Report::Open { disk: Disk::Unused, .. }) if !seen.is_believed() => {
            return Err(format!(
                "the disk of {pod} has been started on, and too few observations say that it is unused"
            ));
        }
        Some(Report::Open { .. }) => {}
    }
    if !facts.running {
        return Err(format!("the containers of {pod} do not run yet"));
    }
    if !facts.resolves_everywhere {
        return Err(format!("the name in {} does not resolve in every vdc yet", member.peer_url));
    }
    Ok(facts)
}

/// Whether a disk is empty that a server may have started on before. Litter shows that it is the same disk, and that no
/// server has become a member on it.
pub(crate) fn may_have_lost(member: &MemberGoal, facts: &PodFacts) -> bool {
    let another_pod = member.anchor.start.as_ref().is_some_and(|start| start.uid != facts.uid);
    facts.is_held_empty() || (another_pod && facts.disk() == Some(Disk::Empty))
}
