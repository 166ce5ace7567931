//! Hand-overs of the primary's office: only to a voter that can take it, never by force.

use crate::names::{Host, PodName};
use crate::plan::Draft;
use crate::replset::{ConfigMember, MemberState};
use crate::step::Action;
use crate::view::SetView;

/// A voter that suits and can take over from the primary: electable, SECONDARY, with small lag, and reached by the
/// primary since it runs. The primary asks it to stand, and a member that was restarted at another address may not be
/// reached yet, although it is still said to be up: then the set would have no primary until an election times out.
pub(crate) fn heir<'a>(
    view: &SetView<'a>,
    primary: &PodName,
    suits: impl Fn(&ConfigMember) -> bool,
) -> Option<&'a Host> {
    let mut voters = view.config?.voters();
    let heir = voters.find(|m| {
        m.priority > 0.0
            && !m.arbiter
            && view.pod_of(&m.host) != Some(primary)
            && view.state_of(&m.host) == Some(MemberState::Secondary)
            && view.caught_up(&m.host)
            && view.answered_since_its_start(&m.host)
            && suits(m)
    });
    heir.map(|m| &m.host)
}

/// Plans a step-down of the primary, if a voter that suits can take over; else says that it is waited for.
pub(crate) fn step_down(
    view: &SetView<'_>,
    primary: &PodName,
    why: &str,
    suits: impl Fn(&ConfigMember) -> bool,
    draft: &mut Draft<'_>,
) {
    match heir(view, primary, suits) {
        Some(heir) => draft.step(
            Action::StepDown { pod: primary.clone() },
            format!("it is the primary, {why}, and {heir} has caught up"),
            "another member to become PRIMARY",
        ),
        None => draft.wait_member(primary, "an electable secondary with small lag to hand over to", None),
    }
}
